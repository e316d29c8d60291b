//! What an edge reads that strangers may have written: signed metadata, archives, deltas, and its own journal on a disk that others wrote
//! to.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use landfall_agent::archive;
use landfall_agent::disk::{Disk, Mode};
use landfall_agent::journal::{Journal, Phase};
use landfall_agent::update;
use landfall_fleet::Trust;
use landfall_fleet::delta::{Ends, apply};

const SLOT: &str = "slot";

/// Signed metadata: a root, a timestamp and targets, cut at lines that say `%%`. Whatever they say, nothing is believed that the keys of
/// the first did not sign, and versions never go down.
pub(crate) fn metadata(input: &[u8]) {
    let mut parts = input.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    parts.dedup_by(|one, other| *one == b"%%" && *other == b"%%");
    let parts: Vec<Vec<u8>> = parts.split(|line| *line == b"%%").map(|lines| lines.join(&b'\n')).collect();
    let Some(Ok(mut trust)) = parts.first().map(|root| Trust::begin(root)) else { return };
    for part in parts.iter().skip(1) {
        let before = trust.versions();
        let _ = trust.next_root(part);
        let _ = trust.timestamp(part, 0);
        let _ = trust.targets(part, 0);
        let after = trust.versions();
        assert!(after.root >= before.root, "a root went back");
        if after.root == before.root {
            assert!(after.timestamp >= before.timestamp && after.targets >= before.targets, "metadata went back");
        }
    }
}

/// An archive: whatever it says, nothing is made but below the slot, and nothing through a link.
pub(crate) fn unpacked(input: &[u8]) {
    let disk = Watched::default();
    let mut bytes = input;
    let _ = archive::unpack(&disk, &mut bytes, Path::new(SLOT), "run", input.len() as u64);
}

/// A delta, as it comes and as its steps are once they are unpacked: whatever it says, it reads within what it begins from and makes no
/// more than is to come out.
pub(crate) fn delta(input: &[u8]) {
    let Some((&most, steps)) = input.split_first() else { return };
    let (from, to) = (300, u64::from(most) * 97);
    let mut packed = flate2::write::DeflateEncoder::new(b"LFDELTA1".to_vec(), flate2::Compression::fast());
    packed.write_all(steps).expect("memory");
    for delta in [steps, &packed.finish().expect("memory")] {
        let mut ends = Within { from, to, made: 0 };
        if apply(delta, (from, to), &mut ends).is_ok() {
            assert_eq!(ends.made, to, "it ends before its end");
        }
    }
}

/// What a delta begins from and makes: only how much.
struct Within {
    from: u64,
    to: u64,
    made: u64,
}

impl Ends for Within {
    type Error = Infallible;

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), Infallible> {
        let end = at.checked_add(buffer.len() as u64).expect("a place");
        assert!(end <= self.from, "bytes {at} to {end} of {}", self.from);
        buffer.fill(at.to_le_bytes()[0]);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.made += bytes.len() as u64;
        assert!(self.made <= self.to, "{} bytes, of {}", self.made, self.to);
        Ok(())
    }
}

/// A journal: whatever it says, what follows from it is written and read again as it was, and a version that is tried comes to an end.
pub(crate) fn journal(input: &[u8]) {
    let Ok(mut journal) = serde_json::from_slice::<Journal>(input) else { return };
    for _ in 0..=update::BOOTS + 1 {
        let (next, _) = update::start(&journal, 0);
        let text = serde_json::to_vec(&next).expect("a journal is JSON");
        assert_eq!(serde_json::from_slice::<Journal>(&text).expect("our own"), next);
        journal = next;
    }
    assert!(!matches!(journal.phase, Phase::Trying { .. } | Phase::Ready { .. }), "it is tried for ever");
}

/// A disk that only looks where things are put.
#[derive(Default)]
struct Watched {
    links: RefCell<BTreeSet<PathBuf>>,
    written: RefCell<u64>,
}

impl Watched {
    fn made(&self, path: &Path) -> io::Result<()> {
        assert!(path.starts_with(SLOT), "{path:?} lies outside");
        assert!(
            path.components().all(|component| matches!(component, Component::Normal(_))),
            "{path:?} leads elsewhere"
        );
        let links = self.links.borrow();
        assert!(path.ancestors().all(|above| !links.contains(above)), "{path:?} lies behind a link");
        Ok(())
    }
}

impl Disk for Watched {
    fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn read_at(&self, _: &Path, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
    fn length(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }
    fn create(&self, path: &Path, _: Mode) -> io::Result<()> {
        self.made(path)
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        *self.written.borrow_mut() += bytes.len() as u64;
        assert!(*self.written.borrow() <= 1 << 30, "it grows without an end");
        self.made(path)
    }
    fn truncate(&self, _: &Path, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.made(path)?;
        assert!(target.is_relative(), "{target:?} is absolute");
        self.links.borrow_mut().insert(path.to_owned());
        Ok(())
    }
    fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.made(path)
    }
    fn list(&self, _: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        Ok(Vec::new())
    }
    fn rename(&self, _: &Path, to: &Path) -> io::Result<()> {
        self.made(to)
    }
    fn remove_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}
