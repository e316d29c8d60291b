//! Files of a Secret that stand beside those whose checksum restarts the pods, and have none.

use landfall_chart::Rendered;
use landfall_diag::{Finding, Severity};
use landfall_object::references::references;

use super::super::unseen_settings::is_reloaded;
use super::{Mounted, mounted};
use crate::pods::{PodTemplate, is_lasting};
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};
use crate::texts::{Text, actions, own_texts, text_of};

pub(super) fn beside_the_checksum(subject: &Subject<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let [rendered] = unit.rendered.charts.as_slice() else { continue };
        let texts = own_texts(rendered);
        let all: Vec<&str> = texts.iter().flat_map(|text| files(&text.text)).collect();
        if all.is_empty() {
            continue;
        }
        for (desired, template) in subject.pods().filter(|(it, _)| it.unit == unit.name && lasts(it)) {
            let Some(sums) = sums_of(unit, desired, &texts) else { continue };
            for (secret, file, field) in left_out(unit, rendered, desired, &template) {
                let folder = |file: &str| file.rfind('/').map(|at| file[..at].to_owned());
                let is_beside = sums.iter().any(|it| folder(it) == folder(&file));
                if !is_beside || all.contains(&file.as_str()) {
                    continue;
                }
                let (kind, name) = (desired.object.kind(), desired.object.name());
                findings.push(
                    rule.finding(format!(
                        "`{file}` is not in the checksum of {kind} `{name}`, whose pods mount Secret `{secret}` of it by `subPath`"
                    ))
                    .keyed(format!("{kind}/{name} {file}"))
                    .weighing(Severity::Info)
                    .because(format!("a change of `{}` restarts the pods, and one of the Secret reaches none", sums[0]))
                    .help("count it into the checksum, too")
                    .at(desired.spot_at(&field)),
                );
            }
        }
    }
    findings
}

fn lasts(desired: &Desired) -> bool {
    desired.role == Role::Manifest && is_lasting(desired.object.kind()) && !is_reloaded(&desired.object)
}

/// The files that a workload's own template makes checksums of.
fn sums_of<'t>(unit: &DesiredUnit, desired: &Desired, texts: &'t [Text<'_>]) -> Option<Vec<&'t str>> {
    let own = text_of(unit, desired, texts)?;
    Some(files(&own.text)).filter(|files| !files.is_empty())
}

/// The Secrets of a chart's own files that a workload mounts in part: name, file below `templates`, field.
fn left_out(
    unit: &DesiredUnit,
    rendered: &Rendered,
    desired: &Desired,
    template: &PodTemplate<'_>,
) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for reference in references(&desired.object) {
        let is_mounted = || {
            reference.path.contains(".volumes[") && matches!(mounted(template, &reference.path), Some(Mounted::Part))
        };
        if reference.kind != "Secret" || !is_mounted() {
            continue;
        }
        let Some(secret) = unit.object("", "Secret", reference.namespace.as_deref(), &reference.name) else { continue };
        // Certificates come and go by themselves, and what is drawn anew would restart the pods with each upgrade.
        let is_tls = secret.object.str_at("/type") == Some("kubernetes.io/tls");
        let again = || unit.again.as_ref().is_none_or(|it| it.all_objects().any(|it| *it == secret.object));
        if secret.role != Role::Manifest || is_tls || !again() {
            continue;
        }
        let below = format!("{}/templates", rendered.processed.name());
        let Some(file) = unit.template_of(secret).and_then(|path| path.strip_prefix(&below)) else { continue };
        found.push((reference.name, file.to_owned(), reference.path));
    }
    found
}

/// The files that a text makes checksums of: `/api/configmap.yaml` of `include (print $.Template.BasePath "/api/configmap.yaml") .`.
fn files(text: &str) -> Vec<&str> {
    let sums = actions(text).filter(|it| it.inner.contains(".Template.BasePath"));
    sums.flat_map(|it| it.inner.split('"').skip(1).step_by(2)).filter(|it| it.starts_with('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_checksum_are_read_from_its_action() {
        let one = "checksum/config: {{ include (print $.Template.BasePath \"/a/configmap.yaml\") . | sha256sum }}\n";
        assert_eq!(files(one), ["/a/configmap.yaml"]);
        let two = "{{ print (include (print $.Template.BasePath \"/a.yaml\") .) (include (print $.Template.BasePath \"/b.yaml\") .) }}";
        assert_eq!(files(two), ["/a.yaml", "/b.yaml"]);
        assert_eq!(files("{{ include \"/a.yaml\" . }}"), [] as [&str; 0]);
    }
}
