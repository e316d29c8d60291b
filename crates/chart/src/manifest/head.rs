//! What Helm wants to know about a manifest.

use std::collections::BTreeMap;

use landfall_yaml::Pick;
use serde_json::Value as Json;

use crate::decode::{DecodeError, Fields};
use crate::dialect::Dialect;

/// `apiVersion`, `kind`, name and annotations; all empty for a document of comments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// `apiVersion`
    pub api_version: String,
    /// `kind`
    pub kind: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.annotations`; numbers and booleans as text.
    pub annotations: BTreeMap<String, String>,
}

impl Head {
    /// What [`Head::read`] looks at.
    pub(crate) const PICK: Pick = Pick::Entries(&[
        ("apiVersion", Pick::Whole),
        ("kind", Pick::Whole),
        ("metadata", Pick::Entries(&[("name", Pick::Whole), ("annotations", Pick::Whole)])),
    ]);

    /// Reads the head with the type checks of Helm's `SimpleHead`.
    ///
    /// # Errors
    /// A value of a wrong type.
    pub(crate) fn read(object: &Json, dialect: Dialect) -> Result<Self, DecodeError> {
        const METADATA: &str =
            r#"struct { Name string "json:\"name\""; Annotations map[string]string "json:\"annotations\"" }"#;
        let name = match dialect {
            Dialect::V3 => "releaseutil.SimpleHead",
            Dialect::V4 => "util.SimpleHead",
        };
        let Some(fields) = Fields::root(object, name, "SimpleHead")? else {
            return Ok(Head::default());
        };
        let api_version = fields.text_or_empty("apiVersion")?;
        let kind = fields.text_or_empty("kind")?;
        let (annotations, name) = match fields.object("metadata", "", METADATA)? {
            None => Default::default(),
            Some(metadata) => (metadata.text_map("annotations")?.unwrap_or_default(), metadata.text_or_empty("name")?),
        };
        Ok(Head { api_version, kind, name, annotations })
    }
}
