//! `helm plugin`: those that stock helm has installed are listed; none is run.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use landfall_chart::Dialect;
use landfall_diag::code;
use serde_json::Value;

use super::flags::GLOBAL;
use super::table::Table;
use super::verb::{Names, Verb};
use super::{Stop, World, environment, group, parse, place};

const PARTS: [(&str, &str); 4] = [
    ("install", "install a Helm plugin (not there yet)"),
    ("list", "list installed Helm plugins"),
    ("uninstall", "uninstall one or more Helm plugins (not there yet)"),
    ("update", "update one or more Helm plugins (not there yet)"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["plugin"],
    about: "list Helm plugins",
    parts: &[],
    flags: |_| &[GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "plugin [command]", &[GLOBAL], words)? else { return Ok(0) };
    match flags.arguments.first().map(String::as_str) {
        Some("list" | "ls") => {}
        Some(verb @ ("install" | "add" | "uninstall" | "rm" | "remove" | "update" | "up")) => {
            return Err(Stop::Missing(format!(
                "`helm plugin {verb}` is not there yet: Landfall runs no plugins of Helm's; stock helm installs them"
            )));
        }
        other => return group(world, "plugin", other, &PARTS),
    }
    let variables = environment::variables(world, &flags);
    let dialect = super::dialect(world, &flags)?;
    let mut table = Table::default();
    match dialect {
        Dialect::V3 => table.row(["NAME", "VERSION", "DESCRIPTION"]),
        Dialect::V4 => table.row(["NAME", "VERSION", "TYPE", "APIVERSION", "PROVENANCE", "SOURCE"]),
    }
    let folders = variables.get("HELM_PLUGINS").map_or("", String::as_str);
    for folder in folders.split(':').filter(|folder| !folder.is_empty()) {
        let folder = world.host.directory.join(folder);
        for name in place::names(&folder) {
            if let Some(row) = described(&folder.join(&name), dialect)? {
                table.row(row);
            }
        }
    }
    landfall_terminal::out().write_all(table.text().as_bytes())?;
    Ok(0)
}

/// What is shown of a plugin; `None` where there is none.
fn described(folder: &Path, dialect: Dialect) -> Result<Option<Vec<String>>, Stop> {
    let file = folder.join("plugin.yaml");
    let Ok(text) = fs::read_to_string(&file) else { return Ok(None) };
    let plugin: Value = landfall_yaml::to_json(&text).map_err(|error| {
        Stop::words(code::FILES, format!("failed to load plugin at {:?}: {error}", file.display().to_string()))
    })?;
    let field = |name: &str| plugin[name].as_str().unwrap_or_default().to_owned();
    if dialect == Dialect::V3 {
        return Ok(Some(vec![field("name"), field("version"), field("description")]));
    }
    // Those of Helm 3 are of one type and have no version of their form.
    let or = |name: &str, otherwise: &str| {
        Some(field(name)).filter(|text| !text.is_empty()).unwrap_or_else(|| otherwise.to_owned())
    };
    let unknown = || "unknown".to_owned();
    let source = or("sourceURL", "unknown");
    Ok(Some(vec![field("name"), field("version"), or("type", "cli/v1"), or("apiVersion", "legacy"), unknown(), source]))
}
