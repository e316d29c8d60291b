//! Rights that a chart delivers although whoever installs it has switched them off.

use landfall_chart::{Rendered, values_to_json};
use landfall_diag::Finding;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{DesiredUnit, Role};

const RBAC: &str = "rbac.authorization.k8s.io";

/// The switches by which charts leave their rights to others.
const SWITCHES: &[&str] = &["create", "enabled", "install"];

/// What is left of a chart's rights where the user has said `rbac.create: false`: another template of the chart asks for the
/// switch and this one does not.
pub(super) fn left(unit: &DesiredUnit, rendered: &Rendered, rule: &Rule) -> Vec<Finding> {
    let given = values_to_json(&rendered.user_values);
    let Some(switch) = SWITCHES.iter().find(|it| given["rbac"][**it] == Value::Bool(false)) else { return Vec::new() };
    let path = format!("rbac.{switch}");
    let asks = |text: &str| text.contains(&format!(".Values.{path}"));
    let chart = &rendered.processed;
    let of_rights = |text: &str| text.contains(RBAC);
    let texts = || chart.templates.iter().map(|file| (chart.path_of(&file.name), file.text()));
    if !texts().any(|(_, text)| asks(&text) && of_rights(&text)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for desired in unit.objects.iter().filter(|it| it.object.group() == RBAC && it.role == Role::Manifest) {
        let origin = unit.rendered.origin(&desired.key(), "kind").and_then(|origin| origin.template);
        let Some(place) = origin else { continue };
        if texts().any(|(file, text)| file == place.file && !asks(&text)) {
            findings.push(
                rule.finding(format!(
                    "`{path}` is set to `false`, and {} `{}` is delivered all the same",
                    desired.object.kind(),
                    desired.object.name()
                ))
                .because("its template does not ask for the switch, as others of the chart do")
                .help("put the switch around the template, too")
                .keyed(format!("{path} {}", place.file))
                .at(desired.spot_at("kind")),
            );
        }
    }
    findings
}
