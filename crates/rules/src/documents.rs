//! Facts for people's documents: a table of what is delivered, made from the render, and the places in Markdown files
//! that hold one.
//!
//! ```text
//! <!-- landfall facts prod -->        the environment is optional
//! | object | what | value |
//! <!-- /landfall facts -->
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use landfall_diag::Place;
use landfall_object::references::references;
use landfall_source::SourceTree;

use crate::decoded::texts;
use crate::pods::pod_template;
use crate::routes::routes;
use crate::subject::{DesiredUnit, Role};

const BEGIN: &str = "<!-- landfall facts";
const END: &str = "<!-- /landfall facts -->";
/// Files that are larger are no documents.
const LARGEST: usize = 1024 * 1024;
/// Settings that are longer are no facts that somebody writes down.
const LONGEST: usize = 60;

/// A table of facts in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactsBlock {
    /// The file, and the line of its first mark.
    pub place: Place,
    /// The environment that it is about; none for any.
    pub environment: Option<String>,
    /// What stands between the marks.
    pub body: String,
}

/// The tables of facts in a tree's Markdown files.
pub fn facts_blocks(files: &SourceTree) -> Vec<FactsBlock> {
    let mut found = Vec::new();
    for path in files.glob("**/*.md").unwrap_or_default() {
        let Ok(Some(bytes)) = files.read(&path) else { continue };
        let Some(text) = String::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST) else { continue };
        let mut open: Option<FactsBlock> = None;
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if let Some(name) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix("-->")) {
                let environment = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
                let place = Place::line(&path, u32::try_from(at).unwrap_or(u32::MAX - 1) + 1);
                open = Some(FactsBlock { place, environment, body: String::new() });
            } else if line == END {
                found.extend(open.take());
            } else if let Some(block) = &mut open {
                block.body.push_str(line);
                block.body.push('\n');
            }
        }
    }
    found
}

/// A document with another table in the place of the one that begins at a line (from 1).
pub fn with_facts(text: &str, line: u32, table: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for (at, each) in text.split_inclusive('\n').enumerate() {
        let ends = each.trim_end() == END;
        if !inside || ends {
            out.push_str(each);
        }
        if inside && ends {
            inside = false;
        }
        if at + 1 == line as usize {
            inside = true;
            out.push_str(table);
        }
    }
    out
}

/// What is delivered, as a Markdown table: workloads, hooks, hosts, Secrets with their keys, short settings.
pub fn facts_table(units: &[DesiredUnit]) -> String {
    let mut rows: BTreeSet<(u8, String, String, String)> = BTreeSet::new();
    let mut secrets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for desired in units.iter().flat_map(|unit| &unit.objects) {
        let object = &desired.object;
        let name = format!("{}/{}", object.kind(), object.name());
        if let Role::Hook { events, .. } = &desired.role {
            let events: Vec<String> = events.iter().map(|event| event.name().to_owned()).collect();
            rows.insert((1, name.clone(), "hook".to_owned(), events.join(", ")));
        }
        if let Some(template) = pod_template(object) {
            if matches!(object.kind(), "Deployment" | "StatefulSet") && desired.role == Role::Manifest {
                let replicas = object.at("/spec/replicas").map_or_else(|| "as scaled".to_owned(), ToString::to_string);
                rows.insert((0, name.clone(), "replicas".to_owned(), replicas));
            }
            for container in template.containers() {
                let image = container.image().split('@').next().unwrap_or_default();
                let image = match image.rsplit_once(':') {
                    Some((before, tag)) if !tag.contains('/') => before,
                    _ => image,
                };
                rows.insert((0, name.clone(), format!("image of {}", container.name), image.to_owned()));
            }
        }
        for reference in references(object).into_iter().filter(|it| it.kind == "Secret" && it.group.is_empty()) {
            secrets.entry(reference.name).or_default().extend(reference.key);
        }
        if object.kind() == "Secret" && object.group().is_empty() {
            secrets
                .entry(object.name().to_owned())
                .or_default()
                .extend(texts(object).into_iter().map(|(key, _, _)| key.to_owned()));
        }
        if object.kind() == "SealedSecret" {
            let sealed = object.at("/spec/encryptedData").and_then(|data| data.as_object()).into_iter().flatten();
            secrets.entry(object.name().to_owned()).or_default().extend(sealed.map(|(key, _)| key.clone()));
        }
        for route in routes(object) {
            let services: Vec<String> = route.services.iter().map(|(_, name, port)| format!("{name}:{port}")).collect();
            rows.insert((2, route.address(), "leads to".to_owned(), services.join(", ")));
        }
        if object.kind() == "ConfigMap" && object.group().is_empty() {
            for (key, text, _) in texts(object) {
                let text = text.trim();
                if !text.is_empty() && text.len() <= LONGEST && !text.contains(['\n', '|', '`']) {
                    rows.insert((4, name.clone(), key.to_owned(), text.to_owned()));
                }
            }
        }
    }
    for (name, keys) in secrets {
        let keys: Vec<String> = keys.into_iter().collect();
        let keys = if keys.is_empty() { "any".to_owned() } else { keys.join(", ") };
        rows.insert((3, format!("Secret/{name}"), "keys".to_owned(), keys));
    }
    let mut table = "| object | what | value |\n|---|---|---|\n".to_owned();
    for (_, object, what, value) in rows {
        let _ = writeln!(table, "| {object} | {what} | `{value}` |");
    }
    table
}

#[cfg(test)]
mod tests {
    use landfall_chart::Tree;

    use super::*;

    const TEXT: &str = "# Guide\n<!-- landfall facts prod -->\n| old |\n<!-- /landfall facts -->\nafter\n";

    #[test]
    fn a_table_is_found_with_its_environment_and_replaced_where_it_stands() {
        let tree: Tree = [("docs/guide.md", TEXT.as_bytes())].into_iter().collect();
        let blocks = facts_blocks(&SourceTree::from_tree("memory", tree));
        assert_eq!(blocks.len(), 1);
        assert_eq!((blocks[0].environment.as_deref(), blocks[0].body.as_str()), (Some("prod"), "| old |\n"));
        assert_eq!(with_facts(TEXT, blocks[0].place.line, "| new |\n"), TEXT.replace("old", "new"));
    }
}
