mod beside_the_checksum;

use landfall_diag::{Finding, Severity};
use landfall_object::references::references;
use serde_json::Value;

use self::beside_the_checksum::beside_the_checksum;
use super::unseen_settings::{changes, find, is_reloaded};
use crate::pods::{PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF189",
    title: "changed files reach the programs that read them",
    severity: Severity::Warning,
    why: "A file that is mounted with `subPath` stays as it was until its pod is made anew. A whole volume follows its \
          ConfigMap or Secret after a minute, but most programs read their settings once, when they start. Without a \
          restart the change is delivered and nothing is different.",
    advice: "Put a checksum of the settings into the pod template's annotations, or restart the workload after the change.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = beside_the_checksum(subject, &RULE);
    let Some(base) = subject.base else { return findings };
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        if matches!(object.kind(), "Job" | "CronJob" | "Pod") || is_reloaded(object) {
            continue;
        }
        let Some(old) = find(base, object.group(), object.kind(), object.namespace(), object.name()) else { continue };
        let before = pod_template(old);
        if let Some(gone) = before.as_ref().and_then(|before| checksum_gone(subject, base, before, &template)) {
            let path = template.path.strip_suffix(".spec").unwrap_or(template.path);
            findings.push(
                RULE.finding(format!(
                    "{} `{}` loses the checksum `{gone}`, which restarted its pods",
                    object.kind(),
                    object.name()
                ))
                .because("what it was made of is read as before, and its next change reaches no program")
                .help("keep the annotation as long as the pods read those settings")
                .at(desired.spot_at(&format!("{path}.metadata.annotations"))),
            );
        }
        let same = pod_template(old)
            .is_some_and(|before| before.spec == template.spec && before.annotations() == template.annotations());
        if !same {
            continue;
        }
        let mut seen: Vec<(String, String)> = Vec::new();
        let all = references(object);
        for reference in all.iter().filter(|it| it.path.contains(".volumes[")) {
            let id = (reference.kind.clone(), reference.name.clone());
            let is_read = |it: &&landfall_object::references::Reference| {
                it.path.contains(".env") && it.kind == reference.kind && it.name == reference.name
            };
            // Whoever reads it as variables, too, is told so.
            if !matches!(id.0.as_str(), "Secret" | "ConfigMap")
                || seen.contains(&id)
                || all.iter().any(|it| is_read(&it))
            {
                continue;
            }
            seen.push(id);
            let namespace = reference.namespace.as_deref();
            if !changes(subject, base, &reference.kind, namespace, &reference.name, reference.key.as_deref()) {
                continue;
            }
            let Some(mounted) = mounted(&template, &reference.path) else { continue };
            let message = format!("{} `{}` changes, and the pods that mount it do not", reference.kind, reference.name);
            let (owner, name) = (object.kind(), object.name());
            let finding = RULE.finding(message).at(desired.spot_at(&reference.path));
            findings.push(match mounted {
                Mounted::Part => finding.because(format!(
                    "a file that is mounted with subPath never changes, so the pods of {owner} `{name}` go on with the old one"
                )),
                Mounted::Whole => finding.weighing(Severity::Info).because(format!(
                    "the files change after a minute or so; {owner} `{name}` has to read them again by itself"
                )),
            });
        }
    }
    findings
}

/// A checksum that the base's pods bore and these do not, while they read what they read before.
fn checksum_gone(
    subject: &Subject<'_>,
    base: &[DesiredUnit],
    before: &PodTemplate<'_>,
    now: &PodTemplate<'_>,
) -> Option<String> {
    let sums = |template: &PodTemplate<'_>| -> Vec<String> {
        let all = template.annotations().into_iter().flatten();
        all.filter(|(key, _)| key.starts_with("checksum/")).map(|(key, _)| key.clone()).collect()
    };
    let (old, new) = (sums(before), sums(now));
    // Under another name, or together with another one, it does the same.
    let gone = old.iter().find(|key| !new.contains(key)).filter(|_| new.len() < old.len())?;
    let read = |owner: &landfall_object::Object| -> Vec<(String, String)> {
        let all = references(owner).into_iter().filter(|it| matches!(it.kind.as_str(), "ConfigMap" | "Secret"));
        all.map(|it| (it.kind, it.name)).collect()
    };
    let (was, is) = (read(before.owner), read(now.owner));
    let namespace = now.owner.namespace();
    let delivered = |(kind, name): &(String, String)| {
        subject.desired("", kind, namespace, name).is_some() && find(base, "", kind, namespace, name).is_some()
    };
    (is.iter().any(delivered) && was.iter().all(|it| is.contains(it))).then(|| gone.clone())
}

/// How a volume is mounted.
enum Mounted {
    /// A file or directory of it, once and for all.
    Part,
    /// All of it.
    Whole,
}

/// How the volume that a reference stands in is mounted; `None` when nobody mounts it.
fn mounted(template: &PodTemplate<'_>, path: &str) -> Option<Mounted> {
    let index: usize = path.split(".volumes[").nth(1)?.split(']').next()?.parse().ok()?;
    let name = &template.volumes().get(index)?["name"];
    let containers = template.containers();
    let mounts: Vec<&Value> = containers
        .iter()
        .flat_map(|container| container.value["volumeMounts"].as_array().into_iter().flatten())
        .filter(|mount| mount["name"] == *name)
        .collect();
    let is_part = |mount: &&Value| {
        ["subPath", "subPathExpr"].iter().any(|it| mount[*it].as_str().is_some_and(|it| !it.is_empty()))
    };
    match mounts.iter().any(is_part) {
        _ if mounts.is_empty() => None,
        true => Some(Mounted::Part),
        false => Some(Mounted::Whole),
    }
}
