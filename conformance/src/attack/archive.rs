//! Archives as strangers write them: names and kinds of entries that no packer would make.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// What an entry of an archive is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'a> {
    File(&'a [u8]),
    /// A symbolic link to there.
    Link(&'a str),
    /// Another name of a file.
    HardLink(&'a str),
    /// A device.
    Device,
    /// So many zero bytes.
    Zeros(u64),
}

/// The metadata of a chart `web`.
pub(super) const CHART: &[u8] = b"apiVersion: v2\nname: web\nversion: 0.1.0\n";
/// A template that shows that it was rendered.
pub(super) const TEMPLATE: &[u8] =
    b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {greeting: hello-proof}\n";

/// An archive of a chart `web` with further entries.
pub(super) fn chart_with(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut all = vec![("web/Chart.yaml", Entry::File(CHART)), ("web/templates/all.yaml", Entry::File(TEMPLATE))];
    all.extend_from_slice(entries);
    packed(&all)
}

/// A compressed archive.
pub(super) fn packed(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = entries.iter().try_for_each(|(name, entry)| append(&mut encoder, name, *entry));
    let ended = written.and_then(|()| encoder.write_all(&[0; 1024])).and_then(|()| encoder.finish());
    ended.expect("memory takes what is written")
}

fn append(out: &mut impl std::io::Write, name: &str, entry: Entry<'_>) -> std::io::Result<()> {
    let (kind, size, target) = match entry {
        Entry::File(bytes) => (b'0', bytes.len() as u64, ""),
        Entry::Link(target) => (b'2', 0, target),
        Entry::HardLink(target) => (b'1', 0, target),
        Entry::Device => (b'3', 0, ""),
        Entry::Zeros(size) => (b'0', size, ""),
    };
    let mut header = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, &target.as_bytes()[..target.len().min(100)]);
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.write_all(&header)?;
    match entry {
        Entry::File(bytes) => out.write_all(bytes)?,
        Entry::Zeros(size) => {
            let block = vec![0; 1 << 20];
            let mut left = size;
            while left > 0 {
                let next = left.min(1 << 20);
                out.write_all(&block[..usize::try_from(next).unwrap_or(0)])?;
                left -= next;
            }
        }
        Entry::Link(_) | Entry::HardLink(_) | Entry::Device => {}
    }
    let rest = usize::try_from(size % 512).unwrap_or(0);
    if rest > 0 {
        out.write_all(&vec![0; 512 - rest])?;
    }
    Ok(())
}
