//! Which crate may use which: the rooms' table of `docs/architecture.md` against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::{Dependency, DependencyKind, Metadata, Package};
use super::page::{PAGE, Page, Room, Uses};

/// From this level on, every room may use `object`.
const OBJECT_LEVEL: u8 = 3;
/// What every room may use.
const FREE: &str = "diag";
const PREFIX: &str = "landfall-";

/// Where the table and the crates differ.
pub(super) fn check(page: &Page, metadata: &Metadata) -> Vec<String> {
    let mut findings = consistent(page);
    let crates: Vec<&Package> = metadata.workspace_packages().filter(|package| package.in_folder("crates")).collect();
    let allowed = allowed(&page.rooms);
    for package in &crates {
        let name = short(&package.name);
        match page.room(name) {
            Some(room) => findings.extend(of_room(page, room, package, &allowed)),
            None => findings.push(format!("{PAGE}: the table has no row for crates/{name}")),
        }
    }
    for room in &page.rooms {
        if !crates.iter().any(|package| short(&package.name) == room.name) {
            findings.push(format!("{PAGE}:{}: there is no crate {}", room.line, room.name));
        }
    }
    findings
}

/// What is wrong with the table alone: a room uses rooms of lower levels.
fn consistent(page: &Page) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, room) in page.rooms.iter().enumerate() {
        if page.rooms[..index].iter().any(|other| other.name == room.name) {
            findings.push(format!("{PAGE}:{}: {} has two rows", room.line, room.name));
        }
        for used in room.uses.named() {
            if page.room(used).is_none_or(|used| used.level >= room.level) {
                findings.push(format!("{PAGE}:{}: {} uses {used}, which is no room below it", room.line, room.name));
            }
        }
    }
    findings
}

fn of_room(page: &Page, room: &Room, package: &Package, allowed: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let mut findings = Vec::new();
    let name = &room.name;
    let local = |dependency: &&Dependency| dependency.is_local();
    for dependency in package.dependencies.iter().filter(local) {
        let used = short(&dependency.name);
        let Some(of_used) = page.room(used) else { continue };
        match dependency.kind {
            DependencyKind::Development if of_used.level > room.level => findings.push(format!(
                "crates/{name}: its tests use {used} of level {}, above its own level {}",
                of_used.level, room.level
            )),
            DependencyKind::Normal | DependencyKind::Build if !allowed[name.as_str()].contains(used) => {
                findings.push(format!("crates/{name}: uses {used}, which {PAGE}:{} does not name", room.line));
            }
            _ => {}
        }
    }
    for named in room.uses.named() {
        let is_used = package.dependencies.iter().filter(local).any(|dependency| {
            dependency.kind != DependencyKind::Development && short(&dependency.name) == named.as_str()
        });
        if !is_used {
            findings.push(format!("{PAGE}:{}: {name} does not use {named}", room.line));
        }
    }
    findings
}

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// The rooms that each may use, with those that come through others.
fn allowed(rooms: &[Room]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut by_level: Vec<&Room> = rooms.iter().collect();
    by_level.sort_by_key(|room| room.level);
    for room in by_level {
        let mut uses = BTreeSet::from([FREE]);
        match &room.uses {
            Uses::All => uses.extend(rooms.iter().map(|other| other.name.as_str())),
            Uses::Named(named) => {
                for used in named {
                    uses.insert(used);
                    uses.extend(all.get(used.as_str()).into_iter().flatten());
                }
            }
        }
        if room.level >= OBJECT_LEVEL {
            uses.extend(["object", "yaml"]);
        }
        uses.remove(room.name.as_str());
        all.insert(&room.name, uses);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
| level | room | what it is | uses |
|---|---|---|---|
| 0 | `diag` | diagnostics | – |
| 1 | `yaml` | YAML | – |
| 2 | `object` | an object | yaml |
| 3 | `chart` | a chart | yaml |
| 4 | `source` | sources | chart |
| 5 | `landfall` | the binary | all |
";

    fn metadata() -> Metadata {
        let package = |name: &str, uses: &[(&str, Option<&str>)]| {
            let dependencies: Vec<serde_json::Value> = uses
                .iter()
                .map(|(used, kind)| serde_json::json!({"name": format!("landfall-{used}"), "kind": kind, "path": "/w"}))
                .collect();
            let full = if name == "landfall" { name.to_owned() } else { format!("landfall-{name}") };
            serde_json::json!({"id": name, "name": full, "version": "0.1.0", "license": null, "source": null,
                "manifest_path": format!("/w/crates/{name}/Cargo.toml"), "dependencies": dependencies})
        };
        let packages = [
            package("diag", &[]),
            package("yaml", &[("diag", None)]),
            package("object", &[("yaml", None), ("diag", None)]),
            package("chart", &[("object", None), ("yaml", None), ("diag", Some("dev"))]),
            package("source", &[("chart", None), ("yaml", None)]),
            package("landfall", &[("source", None), ("object", None)]),
        ];
        let members: Vec<&serde_json::Value> = packages.iter().map(|package| &package["id"]).collect();
        let text = serde_json::json!({"packages": packages, "workspace_members": members, "workspace_root": "/w"});
        Metadata::parse(&text.to_string()).expect("it is as cargo prints it")
    }

    fn findings(table: &str) -> Vec<String> {
        check(&Page::parse(table).expect("a table"), &metadata())
    }

    #[test]
    fn a_table_that_tells_what_is_is_accepted() {
        assert_eq!(findings(TABLE), Vec::<String>::new());
    }

    #[test]
    fn a_changed_row_is_found() {
        for (row, changed, told) in [
            ("| 4 | `source` | sources | chart |\n", "| 4 | `source` | sources | – |\n", "uses chart, which"),
            ("| 4 | `source` | sources | chart |\n", "", "no row for crates/source"),
            ("| a chart | yaml |", "| a chart | yaml, diag |", "chart does not use diag"),
            ("| 3 | `chart`", "| 5 | `chart`", "source uses chart, which is no room below it"),
            ("| 5 | `landfall`", "| 4 | `promote` | versions | – |\n| 5 | `landfall`", "no crate promote"),
            ("| 5 | `landfall`", "| 4 | `source` | again | chart |\n| 5 | `landfall`", "source has two rows"),
            ("`landfall` | the binary | all |", "`landfall` | the binary | chart |", "uses source, which"),
        ] {
            assert!(TABLE.contains(row), "{row}");
            let found = findings(&TABLE.replace(row, changed));
            assert!(found.iter().any(|line| line.contains(told)), "{changed}: {found:?}");
        }
    }

    #[test]
    fn tests_use_no_room_above_their_own() {
        let found = findings(&TABLE.replace("| 0 | `diag`", "| 4 | `diag`"));
        assert!(found.iter().any(|line| line.contains("its tests use diag of level 4")), "{found:?}");
    }
}
