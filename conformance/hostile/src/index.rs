//! Indexes of chart repositories.

use landfall_source::{Index, index_json, index_yaml};

/// An index, read as it comes; what is written of it is the same index.
pub(crate) fn index(bytes: &[u8]) {
    let Ok(index) = Index::parse(bytes) else { return };
    for name in index.names() {
        let _versions = index.versions(name);
        for version in ["", "~1", "1.0.0"] {
            let _found = index.find(name, version);
        }
    }
    let _known = index.has_url("https://charts.example/a-1.0.0.tgz");
    let json = index_json(&index);
    if let Ok(again) = Index::parse(json.as_bytes()) {
        assert_eq!(index_json(&again), json, "an index in JSON is another one");
    }
    // In pieces and as a whole it is the same: an anchor in front keeps it whole.
    if let Ok(again) = Index::parse(index_yaml(&index).as_bytes()) {
        assert_eq!(index_json(&again), json, "an index in YAML is another one");
    }
}
