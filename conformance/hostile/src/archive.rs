//! Chart archives.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use landfall_chart::{Chart, Dialect, read_archive};

/// The bytes of a `.tgz` as they come.
pub(crate) fn packed(bytes: &[u8]) {
    let _refused = read_archive("hostile.tgz", bytes);
}

/// The bytes of a tar inside of a good gzip stream, read as a chart: a mutation that breaks a checksum would end there otherwise.
pub(crate) fn entries(bytes: &[u8]) {
    let packed = gzip(bytes);
    if let Ok(tree) = read_archive("hostile.tgz", &packed) {
        for (path, _) in tree.iter() {
            assert!(!path.starts_with('/') && !path.split('/').any(|step| step == ".."), "{path} leads out");
        }
    }
    for dialect in [Dialect::V3, Dialect::V4] {
        let _refused = Chart::load_archive_as("hostile.tgz", &packed, dialect);
    }
}

/// As [`entries`], as a source of any kind, and within a chart of a directory.
#[cfg(feature = "source")]
pub(crate) fn nested(bytes: &[u8]) {
    let packed = gzip(bytes);
    for archive in [bytes, &packed] {
        if let Ok(tree) = landfall_source::read_archive("hostile.tgz", archive) {
            for (path, _) in tree.iter() {
                assert!(!path.starts_with('/') && !path.split('/').any(|step| step == ".."), "{path} leads out");
            }
        }
    }
    let mut tree = landfall_chart::Tree::new();
    let chart = &b"apiVersion: v2\nname: a\nversion: 0.1.0\n"[..];
    tree.insert("Chart.yaml", chart).expect("it is small");
    tree.insert("charts/b.tgz", packed).expect("it is small");
    let left = tree.left();
    if let Ok(chart) = Chart::load(&tree, "") {
        let unpacked: usize =
            chart.dependencies.iter().flat_map(|below| below.raw.iter()).map(|file| file.data.len()).sum();
        assert!(unpacked as u64 <= left.bytes_left(), "{unpacked} bytes were unpacked");
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("memory takes what is written")
}
