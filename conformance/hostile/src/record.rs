//! The records of releases, as Helm packs them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::archive::gzip;

/// A release's record: the stored text as it comes, and the bytes inside of a good one.
pub(crate) fn release(bytes: &[u8]) {
    if let Some(text) = crate::text(bytes) {
        let _refused = landfall_release::decode("sh.helm.release.v1.hostile.v1", text);
    }
    for content in [STANDARD.encode(bytes), STANDARD.encode(gzip(bytes))] {
        let Ok(record) = landfall_release::decode("sh.helm.release.v1.hostile.v1", &content) else { continue };
        let _objects = landfall_release::manifest_objects(&record.manifest);
        if let Ok(again) = landfall_release::encode(&record) {
            let _same = landfall_release::decode("again", &again).expect("what was written can be read");
        }
    }
}
