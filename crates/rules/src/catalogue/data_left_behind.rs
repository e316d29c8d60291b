use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::unseen_settings::find;
use crate::pods::{PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF193",
    title: "data goes along when its owner changes",
    severity: Severity::Warning,
    why: "The claims of a StatefulSet are called by its name and by the template's. Under another name it makes new, empty \
          ones, and the data stays behind in claims that nobody mounts. The same happens to a program whose volume is \
          mounted elsewhere: it begins anew beside its data.",
    advice: "Keep the name and the mount, or copy the data over before the change; the old claims stay until they are deleted.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(base) = subject.base else { return Vec::new() };
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        match find(base, object.group(), object.kind(), object.namespace(), object.name()) {
            Some(old) => findings.extend(moved(desired, &template, old)),
            None if object.kind() == "StatefulSet" => findings.extend(renamed(subject, base, desired, &template)),
            None => {}
        }
    }
    findings.extend(claims_renamed(subject, base));
    findings
}

/// A StatefulSet with claims that the base has under another name.
fn renamed(
    subject: &Subject<'_>,
    base: &[DesiredUnit],
    desired: &Desired,
    template: &PodTemplate<'_>,
) -> Option<Finding> {
    let object = &desired.object;
    if object.list_at("/spec/volumeClaimTemplates").is_empty() {
        return None;
    }
    let gone = |old: &&Object| {
        old.kind() == "StatefulSet"
            && old.group() == "apps"
            && old.namespace() == object.namespace()
            && !old.list_at("/spec/volumeClaimTemplates").is_empty()
            && subject.desired("apps", "StatefulSet", old.namespace(), old.name()).is_none()
    };
    let before = base.iter().flat_map(|unit| &unit.objects).map(|it| &it.object);
    // The one of the same program, however its image's tag has changed.
    let old = before.filter(gone).find(|old| {
        pod_template(old).is_some_and(|old| images(&old).any(|image| images(template).any(|other| other == image)))
    })?;
    Some(
        RULE.finding(format!("StatefulSet `{}` was called `{}`, and begins without data", object.name(), old.name()))
            .weighing(Severity::Error)
            .because(format!(
                "its claims are called by its name; those of `{}` stay behind with all that they hold",
                old.name()
            ))
            .at(desired.spot_at("metadata.name")),
    )
}

/// Volumes that hold data and are mounted elsewhere than before.
fn moved(desired: &Desired, template: &PodTemplate<'_>, old: &Object) -> Vec<Finding> {
    let Some(before) = pod_template(old) else { return Vec::new() };
    let mut findings = Vec::new();
    for container in template.containers() {
        let was = before.containers();
        let Some(was) = was.iter().find(|it| it.name == container.name) else { continue };
        // Another program keeps its data elsewhere.
        if repository(was.image()) != repository(container.image()) {
            continue;
        }
        for (at, mount) in mounts(container.value).iter().enumerate() {
            let Some(name) = mount["name"].as_str().filter(|name| holds_data(&desired.object, template, name)) else {
                continue;
            };
            let same = |other: &&Value| other["name"] == name && other["subPath"] == mount["subPath"];
            let olds: Vec<&Value> = mounts(was.value).iter().filter(same).collect();
            let now: Vec<&Value> = mounts(container.value).iter().filter(same).collect();
            let ([old], [new]) = (olds.as_slice(), now.as_slice()) else { continue };
            let (Some(from), Some(to)) = (old["mountPath"].as_str(), new["mountPath"].as_str()) else { continue };
            if from.trim_end_matches('/') == to.trim_end_matches('/') {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "volume `{name}` of container `{}` moves from `{from}` to `{to}`",
                    container.name
                ))
                .because("the program finds nothing where its data was, or nothing that it knows where it is now")
                .at(desired.spot_at(&format!("{}.volumeMounts[{at}].mountPath", container.path))),
            );
        }
    }
    findings
}

/// Claims that a workload takes under another name than before.
fn claims_renamed(subject: &Subject<'_>, base: &[DesiredUnit]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        let old = find(base, object.group(), object.kind(), object.namespace(), object.name());
        let Some(before) = old.and_then(pod_template) else { continue };
        for (at, volume) in template.volumes().iter().enumerate() {
            let claim = |volume: &Value| volume["persistentVolumeClaim"]["claimName"].as_str().map(str::to_owned);
            let Some(now) = claim(volume) else { continue };
            let was = before.volumes().iter().find(|it| it["name"] == volume["name"]).and_then(claim);
            let Some(was) = was.filter(|was| *was != now) else { continue };
            // One that was there before may hold the data already.
            let is_new = subject.desired("", "PersistentVolumeClaim", object.namespace(), &now).is_some()
                && find(base, "", "PersistentVolumeClaim", object.namespace(), &now).is_none()
                && subject.before.get("", "PersistentVolumeClaim", object.namespace(), &now).is_none();
            if !is_new {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "{} `{}` takes the new claim `{now}` in place of `{was}`",
                    object.kind(),
                    object.name()
                ))
                .because(format!("what it has kept stays in `{was}`, and it begins without data"))
                .at(desired.spot_at(&format!("{}.volumes[{at}].persistentVolumeClaim.claimName", template.path))),
            );
        }
    }
    findings
}

fn images<'a>(template: &PodTemplate<'a>) -> impl Iterator<Item = &'a str> {
    template.containers().into_iter().map(|container| repository(container.image())).collect::<Vec<_>>().into_iter()
}

/// An image without tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rfind(':').filter(|at| !image[*at..].contains('/')) {
        Some(at) => &image[..at],
        None => image,
    }
}

fn mounts(container: &Value) -> &[Value] {
    container["volumeMounts"].as_array().map_or(&[], Vec::as_slice)
}

/// Whether a volume outlives its pod.
fn holds_data(owner: &Object, template: &PodTemplate<'_>, name: &str) -> bool {
    owner.list_at("/spec/volumeClaimTemplates").iter().any(|claim| claim["metadata"]["name"] == name)
        || template.volumes().iter().any(|volume| volume["name"] == name && !volume["persistentVolumeClaim"].is_null())
}
