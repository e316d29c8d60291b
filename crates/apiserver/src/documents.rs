//! The documents that describe the API, made once for each state of what is served.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Documents made so far, for one revision of the registry.
#[derive(Default)]
pub(crate) struct Documents {
    revision: u64,
    /// Those of v3 by their path, each with its hash.
    pub(crate) v3: BTreeMap<String, (Bytes, String)>,
    pub(crate) v2: Option<Bytes>,
    pub(crate) v2_protobuf: Option<Bytes>,
}

impl Documents {
    /// Those of a revision: what was made for another one is forgotten.
    pub(crate) fn at(&mut self, revision: u64) -> &mut Self {
        if self.revision != revision {
            *self = Documents { revision, ..Documents::default() };
        }
        self
    }
}
