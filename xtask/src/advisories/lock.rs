//! What `Cargo.lock` takes from a registry.

use std::path::Path;

use serde::Deserialize;

/// The packages of a lock that come from a registry.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) packages: Vec<Locked>,
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Locked {
    pub(super) name: String,
    pub(super) version: String,
    source: Option<String>,
}

#[derive(Deserialize)]
struct File {
    package: Vec<Locked>,
}

impl Lock {
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
        Self::parse(&text).map_err(|cause| format!("{}: {cause}", path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|cause| cause.to_string())?;
        let of_registry =
            |package: &Locked| package.source.as_deref().is_some_and(|source| source.starts_with("registry+"));
        Ok(Self { packages: file.package.into_iter().filter(of_registry).collect() })
    }

    /// The names, each once, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> =
            self.packages.iter().map(|package| package.name.as_str()).collect();
        names.into_iter()
    }
}
