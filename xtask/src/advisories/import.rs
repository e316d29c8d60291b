//! The facts of a checkout of the RustSec database.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::known::{Advisory, Known, What};
use super::lock::Lock;

/// The head of an advisory's file.
#[derive(Deserialize)]
struct Head {
    advisory: About,
    #[serde(default)]
    versions: Versions,
}

#[derive(Deserialize)]
struct About {
    id: String,
    package: String,
    #[serde(default)]
    informational: Option<String>,
    /// Set when the advisory was a mistake.
    #[serde(default)]
    withdrawn: Option<String>,
}

#[derive(Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// The table with what the database says of the lock's crates. What it knew beyond the database stays: a copy may be older.
pub(super) fn renewed(before: &Known, database: &Path, lock: &Lock) -> Result<Known, String> {
    let mut found: BTreeMap<(String, String), Advisory> = BTreeMap::new();
    let keep = before.advisories.iter().filter(|advisory| lock.names().any(|name| name == advisory.package));
    for advisory in keep {
        found.insert((advisory.package.clone(), advisory.id.clone()), advisory.clone());
    }
    for name in lock.names() {
        let folder = database.join("crates").join(name);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.map_err(|cause| format!("{}: {cause}", folder.display()))?.path();
            let text = std::fs::read_to_string(&path).map_err(|cause| format!("{}: {cause}", path.display()))?;
            let read = parse(&text).map_err(|cause| format!("{}: {cause}", path.display()))?;
            let key = |id: &str| (name.to_owned(), id.to_owned());
            match read {
                Read::Advisory(advisory) => found.insert(key(&advisory.id), advisory),
                Read::Withdrawn(id) => found.remove(&key(&id)),
            };
        }
    }
    if !database.join("crates").is_dir() {
        return Err(format!("{} holds no folder `crates`: is it a checkout of the database?", database.display()));
    }
    Ok(Known { crates: lock.names().map(str::to_owned).collect(), advisories: found.into_values().collect() })
}

enum Read {
    Advisory(Advisory),
    Withdrawn(String),
}

/// Reads the TOML between the fences at the beginning of a file.
fn parse(text: &str) -> Result<Read, String> {
    let head = text.split("```").nth(1).and_then(|block| block.strip_prefix("toml")).ok_or("no head in TOML")?;
    let Head { advisory, versions } = toml::from_str(head).map_err(|cause| cause.to_string())?;
    if advisory.withdrawn.is_some() {
        return Ok(Read::Withdrawn(advisory.id));
    }
    let what = match advisory.informational.as_deref() {
        None => What::Vulnerability,
        Some("unsound") => What::Unsound,
        Some("unmaintained") => What::Unmaintained,
        Some(_) => What::Notice,
    };
    let Versions { patched, unaffected } = versions;
    Ok(Read::Advisory(Advisory { id: advisory.id, package: advisory.package, what, patched, unaffected }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_an_advisory_are_read() {
        let text = "```toml\n[advisory]\nid = \"RUSTSEC-1999-0001\"\npackage = \"a\"\ndate = \"1999-01-01\"\ninformational = \"unsound\"\n\n[versions]\npatched = [\">= 2\"]\n```\n\n# A title\n";
        let Ok(Read::Advisory(advisory)) = parse(text) else { panic!("it is one") };
        assert_eq!((advisory.id.as_str(), advisory.what), ("RUSTSEC-1999-0001", What::Unsound));
        assert!(advisory.affects("1.9.0").expect("a version") && !advisory.affects("2.0.0").expect("a version"));
        let withdrawn = text.replace("date", "withdrawn");
        assert!(matches!(parse(&withdrawn), Ok(Read::Withdrawn(_))));
    }
}
