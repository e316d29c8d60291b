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

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("memory takes what is written")
}
