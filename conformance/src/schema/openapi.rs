//! The published OpenAPI v3 documents: definitions of the stable group versions.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use serde_json::Value;

/// All definitions, and which of them are kinds.
pub(crate) struct Documents {
    /// Definition name to schema.
    pub(crate) definitions: BTreeMap<String, Value>,
    /// (group, version, kind) to definition name; only kinds of served group versions.
    pub(crate) kinds: BTreeMap<(String, String, String), String>,
}

/// Reads `api__v1` and every `apis__GROUP__vN` document; alpha and beta versions are left out.
pub(crate) fn load(directory: &Path) -> Result<Documents, Box<dyn Error>> {
    let mut documents = Documents { definitions: BTreeMap::new(), kinds: BTreeMap::new() };
    let mut files: Vec<_> = std::fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        let parts: Vec<&str> = name.trim_end_matches("_openapi.json").split("__").collect();
        let (group, version) = match parts.as_slice() {
            ["api", version] => ("", *version),
            ["apis", group, version] => (*group, *version),
            _ => continue,
        };
        if version.contains("alpha") || version.contains("beta") {
            continue;
        }
        let document: Value = serde_json::from_slice(&std::fs::read(file.path())?)?;
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object).ok_or("no schemas")?;
        for (definition, schema) in schemas {
            documents.definitions.insert(definition.clone(), schema.clone());
            let gvks = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
            for gvk in gvks.into_iter().flatten() {
                let text = |field: &str| gvk[field].as_str().unwrap_or_default().to_owned();
                // DeleteOptions, Status and WatchEvent name every group; they are kept under the core group only.
                // Kinds of subresources (Scale, Eviction, TokenRequest) may stand in another group's document.
                if text("group") == group && text("version") == version
                    || gvks.is_some_and(|gvks| gvks.len() == 1)
                    || text("group").is_empty() && text("version") == "v1"
                {
                    documents.kinds.insert((text("group"), text("version"), text("kind")), definition.clone());
                }
            }
        }
    }
    Ok(documents)
}
