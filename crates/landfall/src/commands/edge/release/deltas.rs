//! Deltas for a release that is registered: from the releases before it, where they are clearly shorter than the artifact.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io::{self, Read as _};

use bidiff::DiffParams;
use flate2::read::GzDecoder;
use landfall_fleet::delta::{DeltaWriter, Ends, apply};
use landfall_fleet::{Content, DELTA_FORMAT, Delta, MOST_CONTENT, Target, sha256_hex};

use super::super::counter::Counter;
use crate::context::Context;

/// A delta is published that has no more than one in so many of the artifact's bytes.
const CLEARLY: u64 = 2;

/// A delta, and what is signed of it.
pub(super) struct Way {
    pub(super) delta: Delta,
    pub(super) bytes: Vec<u8>,
}

/// Makes deltas to an artifact from those earlier ones that the server still has. Where one cannot be had or made there is none, which
/// is told and stops nothing: edges then fetch the artifact whole.
pub(super) async fn made(
    context: &Context,
    counter: &Counter,
    (target, bytes): (&Target, &[u8]),
    earlier: Vec<&Target>,
) -> Vec<Way> {
    let mut ways = Vec::new();
    let name = &target.custom.file_name;
    let Some(to) = content(name, bytes) else { return ways };
    for before in earlier {
        let (version, sha256) = (&before.custom.version, before.sha256());
        let fetched = counter.bytes(&format!("/api/v1/edge/artifacts/{sha256}"), before.length).await;
        let Some(old) = fetched.ok().filter(|old| sha256_hex(old) == sha256) else {
            context.ui.status(&format!("no delta from {version} to {name}: the server does not give its bytes"));
            continue;
        };
        let Some(from) = content(&before.custom.file_name, &old) else { continue };
        let Some(bytes) = shorter(&from, &to, target.length / CLEARLY) else {
            context.ui.status(&format!("no delta from {version} to {name}: it would not be half as long"));
            continue;
        };
        context.ui.status(&format!("a delta from {version} to {name}: {} of {} bytes", bytes.len(), target.length));
        let delta = Delta {
            format: DELTA_FORMAT.to_owned(),
            version: version.clone(),
            base: sha256.to_owned(),
            from: Content::of(&from),
            to: Content::of(&to),
            own: Content::of(&bytes),
        };
        ways.push(Way { delta, bytes });
    }
    ways
}

/// What an agent has of an artifact: its bytes, unpacked where it is a `.tar.gz`. None where that is more than a delta is made of.
fn content<'a>(name: &str, bytes: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let lower = name.to_ascii_lowercase();
    let is_packed = [".tar.gz", ".tgz"].iter().any(|it| lower.ends_with(it)) && bytes.starts_with(&[0x1f, 0x8b]);
    let bytes = if is_packed {
        let mut opened = Vec::new();
        GzDecoder::new(bytes).take(MOST_CONTENT + 1).read_to_end(&mut opened).ok()?;
        Cow::Owned(opened)
    } else {
        Cow::Borrowed(bytes)
    };
    (1..=MOST_CONTENT).contains(&(bytes.len() as u64)).then_some(bytes)
}

/// A delta of at most so many bytes, tried.
fn shorter(from: &[u8], to: &[u8], most: u64) -> Option<Vec<u8>> {
    let delta = delta(from, to).ok()?;
    let mut ends = Memory { from, to: Vec::with_capacity(to.len()) };
    apply(delta.as_slice(), (from.len() as u64, to.len() as u64), &mut ends).ok()?;
    (ends.to == to && delta.len() as u64 <= most).then_some(delta)
}

fn delta(from: &[u8], to: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = DeltaWriter::new();
    bidiff::diff(from, to, &DiffParams::default(), |found| -> io::Result<()> {
        let old = &from[found.add_old_start..found.add_old_start + found.add_length];
        let new = &to[found.add_new_start..found.copy_start()];
        writer.step(found.add_old_start as u64, (old, new), &to[found.copy_start()..found.copy_end])
    })?;
    writer.finish()
}

/// Both ends of a delta, in memory.
struct Memory<'a> {
    from: &'a [u8],
    to: Vec<u8>,
}

impl Ends for Memory<'_> {
    type Error = Infallible;

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), Infallible> {
        // Nothing outside is asked for: `apply` knows how much there is.
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(bytes) = self.from.get(at..).and_then(|rest| rest.get(..buffer.len())) {
            buffer.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.to.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_delta_is_made_where_it_is_clearly_shorter_and_only_there() {
        let old: Vec<u8> =
            (0..50_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut new = old.clone();
        new.splice(1000..1000, b"put in between".iter().copied());
        new[120_000] ^= 1;
        let delta = shorter(&old, &new, 500).expect("much shorter");
        assert!(shorter(&old, &new, delta.len() as u64 - 1).is_none(), "longer than it may be");
        // Of what has nothing in common there is none, nor of nothing.
        let strange: Vec<u8> = old.iter().map(|byte| byte.wrapping_mul(77) ^ 0x5a).rev().collect();
        assert!(shorter(&old, &strange, new.len() as u64 / CLEARLY).is_none());
    }

    #[test]
    fn an_archive_counts_as_what_is_in_it() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(b"a tar").expect("memory");
        let packed = packer.finish().expect("memory");
        for name in ["x.tar.gz", "X.TGZ"] {
            assert_eq!(content(name, &packed).as_deref(), Some(&b"a tar"[..]), "{name}");
        }
        // A program is what it is, whatever its first bytes are; and what only says that it is packed is not.
        assert_eq!(content("program", &packed).as_deref(), Some(packed.as_slice()));
        assert_eq!(content("x.tar.gz", b"plain").as_deref(), Some(&b"plain"[..]));
        assert!(content("x.tar", b"").is_none());
        // One that unpacks to more than a delta is made of.
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::copy(&mut io::repeat(0).take(MOST_CONTENT + 1), &mut bomb).expect("memory");
        assert!(content("x.tgz", &bomb.finish().expect("memory")).is_none());
    }

    proptest! {
        #[test]
        fn whatever_two_releases_are_a_delta_makes_the_one_of_the_other(
            from in proptest::collection::vec(0_u8..6, 1..600),
            to in proptest::collection::vec(0_u8..6, 1..600),
            common in 0_usize..600,
        ) {
            let mut to = to;
            to.extend_from_slice(&from[..common.min(from.len())]);
            prop_assert!(shorter(&from, &to, u64::MAX).is_some());
        }
    }
}
