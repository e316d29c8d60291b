//! Which crate may use which: the table of `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::{DependencyKind, Metadata};

/// One crate of `crates/`.
struct Room {
    level: u8,
    name: &'static str,
    uses: &'static [&'static str],
}

const fn room(level: u8, name: &'static str, uses: &'static [&'static str]) -> Room {
    Room { level, name, uses }
}

/// A room may use the rooms of its row and those that they may use.
const ROOMS: &[Room] = &[
    room(0, "diag", &[]),
    room(0, "assets", &[]),
    room(1, "yaml", &[]),
    room(1, "terminal", &[]),
    room(1, "gotemplate", &[]),
    room(2, "object", &["yaml"]),
    room(2, "sprig", &["gotemplate", "yaml"]),
    room(3, "project", &["yaml"]),
    room(3, "chart", &["sprig"]),
    room(3, "secrets", &["sprig"]),
    room(3, "promote", &["yaml"]),
    room(3, "fleet", &[]),
    room(3, "store", &[]),
    room(4, "source", &["chart", "project"]),
    room(4, "apiserver", &["sprig", "store"]),
    room(4, "cluster", &[]),
    room(4, "agent", &["fleet"]),
    room(5, "drydock", &["apiserver", "secrets"]),
    room(5, "rules", &["source", "secrets", "promote"]),
    room(5, "engine", &["cluster", "store"]),
    room(6, "release", &["engine", "chart"]),
    room(6, "apps", &["engine", "source"]),
    room(7, "delivery", &["release", "apps", "secrets", "promote", "fleet"]),
    room(8, "rehearse", &["delivery", "drydock", "rules"]),
    room(8, "doctor", &["rules"]),
    room(9, "server", &["rehearse", "doctor", "assets"]),
];

/// The binary uses every room.
const BINARY: &str = "landfall";
const BINARY_LEVEL: u8 = 10;
/// From this level on, every room may use `object`.
const OBJECT_LEVEL: u8 = 3;
const PREFIX: &str = "landfall-";

/// Rooms without I/O.
pub(super) const PURE: &[&str] =
    &["diag", "yaml", "gotemplate", "object", "sprig", "chart", "project", "secrets", "promote", "fleet", "rules"];

/// The crates that break the table.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let allowed = allowed();
    let levels: BTreeMap<&str, u8> =
        ROOMS.iter().map(|room| (room.name, room.level)).chain([(BINARY, BINARY_LEVEL)]).collect();
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        if !package.in_folder("crates") {
            continue;
        }
        let name = short(&package.name);
        let Some(level) = levels.get(name).copied() else {
            findings.push(format!("crates/{name}: the table of rooms has no row for it"));
            continue;
        };
        for dependency in &package.dependencies {
            let used = short(&dependency.name);
            let Some(used_level) = levels.get(used).copied().filter(|_| dependency.is_local()) else { continue };
            let fits = match dependency.kind {
                DependencyKind::Development => used_level <= level,
                DependencyKind::Normal | DependencyKind::Build => name == BINARY || allowed[name].contains(used),
            };
            if !fits {
                findings.push(match dependency.kind {
                    DependencyKind::Development => {
                        format!(
                            "crates/{name}: its tests use {used} of level {used_level}, above its own level {level}"
                        )
                    }
                    _ => format!("crates/{name}: may not use {used}; its row allows {}", listed(&allowed[name])),
                });
            }
        }
    }
    findings
}

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

fn listed(rooms: &BTreeSet<&str>) -> String {
    rooms.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The rooms that each may use, with those that come through others. Rows name only earlier rows.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for room in ROOMS {
        let mut uses = BTreeSet::new();
        if room.name != "diag" {
            uses.insert("diag");
        }
        for used in room.uses {
            uses.insert(used);
            uses.extend(all.get(used).into_iter().flatten());
        }
        if room.level >= OBJECT_LEVEL {
            uses.extend(["object", "yaml"]);
        }
        all.insert(room.name, uses);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_come_through_others() {
        let allowed = allowed();
        assert!(allowed["release"].contains("gotemplate"));
        assert!(allowed["engine"].contains("object"));
        assert!(!allowed["engine"].contains("chart"));
        assert!(!allowed["chart"].contains("project"));
    }

    #[test]
    fn rows_name_only_rooms_of_lower_levels() {
        for room in ROOMS {
            for used in room.uses {
                let level = ROOMS.iter().find(|other| other.name == *used).map(|other| other.level);
                assert!(level.is_some_and(|level| level < room.level), "{} uses {used}", room.name);
            }
        }
    }
}
