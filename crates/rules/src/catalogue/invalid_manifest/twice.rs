//! Keys that are written twice in one mapping.

use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;
use landfall_yaml::{Error, Node};

use super::RULE;
use crate::subject::{Desired, DesiredUnit};

/// A key that stands in one mapping for the second time.
struct Again {
    /// Where: `spec.template.spec.nodeSelector`.
    path: String,
    key: String,
    /// In the rendered manifest, from 1.
    line: usize,
    /// Whether both say the same.
    alike: bool,
}

/// Keys that are written twice in one mapping: an error where what is dropped says something else.
pub(super) fn twice(unit: &DesiredUnit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chart in &unit.rendered.charts {
        let manifests = chart.manifests.iter().chain(chart.hooks.iter().map(|hook| &hook.manifest));
        // Strict reading counts a key that a mapping has beside a merge as written twice; it only overrides.
        for manifest in manifests.filter(|manifest| !manifest.text.contains("<<:")) {
            let Err(Error::Duplicates(_)) = landfall_yaml::to_json_strict(&manifest.text) else { continue };
            let Ok(object) = Object::from_value(manifest.object()) else { continue };
            let Ok(Some(document)) = landfall_yaml::parse_first(&manifest.text) else { continue };
            let mut found = Vec::new();
            look(document.root(), document.source(), "", &mut found);
            // The unit places what has no namespace of its own.
            let placed = unit.objects.iter().find(|it| {
                it.object.kind() == object.kind()
                    && it.object.name() == object.name()
                    && it.object.group() == object.group()
            });
            for Again { path, key, line, alike } in found {
                let spot = placed.map_or_else(|| Spot::object(Some(&unit.name), object.key()), Desired::spot);
                let finding = RULE
                    .finding(format!("{} `{}` has the key `{key}` twice in one place", object.kind(), object.name()))
                    .because(match alike {
                        true => "the later one counts, and strict readers refuse the whole file",
                        false => "the later one counts, what the first one says is dropped, and strict readers refuse the whole file",
                    })
                    .help(format!("remove one of the two; the second is at line {line} of the rendered manifest"))
                    .at(spot.field(path));
                findings.push(if alike { finding.weighing(Severity::Warning) } else { finding });
            }
        }
    }
    findings
}

fn look(node: Node<'_>, source: &str, path: &str, found: &mut Vec<Again>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (key, value) in node.entries() {
        let Some(name) = key.target().text() else { continue };
        let step = match name.contains(['.', '/']) {
            true => format!("{path}[{name}]"),
            false if path.is_empty() => name.to_owned(),
            false => format!("{path}.{name}"),
        };
        let said = value.span().text(source).trim();
        let before: Vec<&str> = seen.iter().filter(|(other, _)| *other == name).map(|(_, said)| *said).collect();
        if !before.is_empty() {
            found.push(Again {
                path: step.clone(),
                key: name.to_owned(),
                line: key.span().start.line(),
                alike: before.iter().all(|other| *other == said),
            });
        }
        seen.push((name, said));
        look(value, source, &step, found);
    }
    for (at, item) in node.items().enumerate() {
        look(item, source, &format!("{path}[{at}]"), found);
    }
}
