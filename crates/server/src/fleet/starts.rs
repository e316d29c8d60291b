//! The starts of an edge's agent before the present one, and how far each has counted: what is said once more is known by them, and
//! one that goes on is another machine.

use landfall_fleet::unhex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How many are known.
pub(crate) const STARTS: usize = 16;

/// The newest first, no more than [`STARTS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Starts(Vec<Start>);

/// A start by its digest: names are the agent's own, and as long as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start {
    digest: [u8; 8],
    sequence: u64,
}

#[derive(Serialize, Deserialize)]
struct Written(String, u64);

impl Starts {
    pub(crate) const NONE: Starts = Starts(Vec::new());

    /// As they were written down; what cannot be read is not known.
    pub(crate) fn read(text: &str) -> Self {
        let written: Vec<Written> = serde_json::from_str(text).unwrap_or_default();
        let starts = written
            .into_iter()
            .filter_map(|Written(digest, sequence)| Some(Start { digest: unhex(&digest)?.try_into().ok()?, sequence }));
        Starts(starts.take(STARTS).collect())
    }

    /// To be written down.
    pub(crate) fn written(&self) -> String {
        let written: Vec<_> =
            self.0.iter().map(|start| Written(landfall_fleet::hex(&start.digest), start.sequence)).collect();
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// How far a start has counted, if it is one of them.
    pub(crate) fn last(&self, name: &str) -> Option<u64> {
        let digest = digest(name);
        self.0.iter().find(|start| start.digest == digest).map(|start| start.sequence)
    }

    /// Another one is over; the oldest is forgotten where there is no room.
    pub(crate) fn put(&mut self, name: &str, sequence: u64) {
        self.take(name);
        self.0.truncate(STARTS - 1);
        self.0.insert(0, Start { digest: digest(name), sequence });
    }

    /// How many bytes they take beside their place.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Start>()
    }

    /// One of them goes on.
    pub(crate) fn take(&mut self, name: &str) {
        let digest = digest(name);
        self.0.retain(|start| start.digest != digest);
    }
}

fn digest(name: &str) -> [u8; 8] {
    Sha256::digest(name).first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sixteen_are_known_and_come_back_from_what_was_written() {
        let mut starts = Starts::default();
        for number in 0..20_u64 {
            starts.put(&format!("start-{number}"), number);
        }
        let again = Starts::read(&starts.written());
        assert_eq!(again, starts);
        for number in 0..20_u64 {
            let known = (number >= 4).then_some(number);
            assert_eq!(again.last(&format!("start-{number}")), known, "{number}");
        }
        starts.put("start-7", 70);
        assert_eq!((starts.last("start-7"), starts.0.len()), (Some(70), STARTS));
        starts.take("start-7");
        assert_eq!((starts.last("start-7"), starts.0.len()), (None, STARTS - 1));
    }

    #[test]
    fn what_was_not_written_by_us_is_no_start() {
        for text in ["", "{}", "[1]", r#"[["0a",1]]"#, r#"[["zz00000000000000",1]]"#, r#"[["0000000000000000",-1]]"#] {
            assert_eq!(Starts::read(text), Starts::default(), "{text}");
        }
    }
}
