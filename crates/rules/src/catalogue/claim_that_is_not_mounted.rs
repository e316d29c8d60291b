use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::pods::{ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF176",
    title: "claims and Secrets are mounted by a container of their pod, and what is prepared is found",
    severity: Severity::Warning,
    why: "A pod waits for the claims that it names, and a volume that no container mounts keeps nothing: the program writes \
          to its own file system, and what it wrote is gone with the next restart. A Secret that no container \
          mounts is waited for all the same, and no program sees it. Of any other volume it is told as an info.",
    advice: "Mount the volume in the container whose data it is to keep (`volumeMounts`), or leave the volume out.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let (kind, owner) = (desired.object.kind(), desired.object.name());
        let claims = claims(desired, &template).into_iter().map(|(name, field)| {
            (name, field, format!("the claim `{name}`"), "what the program writes is gone with the next restart")
        });
        let secrets = secrets(&template).into_iter().map(|(name, field)| {
            let what = format!("the volume `{name}` of a Secret");
            (name, field, what, "the pod waits for the Secret, and no program sees what is in it")
        });
        findings.extend(prepared_elsewhere(desired, &template));
        for (_, field, what, because) in claims.chain(secrets).filter(|(name, ..)| !is_used(&template, name)) {
            findings.push(
                RULE.finding(format!("no container of {kind} `{owner}` mounts {what}"))
                    .because(because)
                    .at(desired.spot_at(&field)),
            );
        }
        findings.extend(idle(desired, &template));
    }
    findings
}

/// The other volumes that no container mounts. What an annotation names is mounted by whoever reads it.
fn idle(desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let noted = template.annotations().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    let noted: Vec<&str> = noted.collect();
    let volumes = template.volumes().iter().enumerate().filter(|(_, volume)| {
        let name = volume["name"].as_str().unwrap_or_default();
        let is_other = volume["persistentVolumeClaim"].is_null() && volume["secret"].is_null();
        is_other && !is_used(template, name) && !noted.iter().any(|text| text.contains(name))
    });
    volumes
        .map(|(at, volume)| {
            let name = volume["name"].as_str().unwrap_or_default();
            let (kind, owner) = (desired.object.kind(), desired.object.name());
            RULE.finding(format!("no container of {kind} `{owner}` mounts the volume `{name}`"))
                .weighing(Severity::Info)
                .because("what was to lie there lies in the container's own file system, or is not there")
                .at(desired.spot_at(&format!("{}.volumes[{at}]", template.path)))
        })
        .collect()
}

/// What containers before the others write into a volume, where these have another, empty one in its place.
fn prepared_elsewhere(desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let is_empty = |name: &str| {
        template
            .volumes()
            .iter()
            .any(|volume| volume["name"] == name && volume.get("emptyDir").is_some_and(|it| !it.is_null()))
    };
    let mounts = |is_init: bool| {
        let containers =
            template.containers().into_iter().filter(move |it| (it.role == ContainerRole::Init) == is_init);
        let all = containers.flat_map(|container| {
            let list = container.value["volumeMounts"].as_array().cloned().unwrap_or_default();
            list.into_iter().enumerate().map(move |(at, mount)| {
                let text = |field: &str| mount[field].as_str().unwrap_or_default().trim_end_matches('/').to_owned();
                (text("name"), text("mountPath"), format!("{}.volumeMounts[{at}].name", container.path))
            })
        });
        all.collect::<Vec<_>>()
    };
    let (before, after) = (mounts(true), mounts(false));
    let is_new = |name: &str| !before.iter().any(|(other, ..)| other == name);
    let lost = |name: &str| !after.iter().any(|(other, ..)| other == name);
    let (written, place, read, field) = before.iter().find_map(|(written, place, _)| {
        let (read, _, field) =
            after.iter().find(|(read, at, _)| at == place && read != written && is_empty(read) && is_new(read))?;
        (is_empty(written) && lost(written)).then_some((written, place, read, field))
    })?;
    Some(
        RULE.finding(format!(
            "what is written to `{place}` before {} `{}` starts goes into the volume `{written}`, and `{read}` is mounted there then",
            desired.object.kind(),
            desired.object.name()
        ))
        .because("the program finds an empty directory")
        .help(format!("mount `{written}` there"))
        .at(desired.spot_at(field)),
    )
}

/// The volumes of a pod that are Secrets, with the field that declares each.
fn secrets<'a>(template: &PodTemplate<'a>) -> Vec<(&'a str, String)> {
    let volumes = template.volumes().iter().enumerate().filter(|(_, volume)| volume["secret"].is_object());
    volumes
        .filter_map(|(at, volume)| Some((volume["name"].as_str()?, format!("{}.volumes[{at}]", template.path))))
        .collect()
}

/// The volumes of a pod that are claims, with the field that declares each.
fn claims<'a>(desired: &'a Desired, template: &PodTemplate<'a>) -> Vec<(&'a str, String)> {
    let is_claim = |volume: &Value| volume.get("persistentVolumeClaim").is_some_and(|it| !it.is_null());
    let volumes = template.volumes().iter().enumerate().filter(|(_, volume)| is_claim(volume));
    let mut found: Vec<(&str, String)> = volumes
        .filter_map(|(at, volume)| Some((volume["name"].as_str()?, format!("{}.volumes[{at}]", template.path))))
        .collect();
    if desired.object.kind() == "StatefulSet" {
        let templates = desired.object.list_at("/spec/volumeClaimTemplates").iter().enumerate();
        found.extend(templates.filter_map(|(at, claim)| {
            let name = claim.pointer("/metadata/name")?.as_str()?;
            Some((name, format!("spec.volumeClaimTemplates[{at}]")))
        }));
    }
    found
}

/// Whether a container mounts a volume, or has it as a device.
fn is_used(template: &PodTemplate<'_>, name: &str) -> bool {
    template.containers().iter().any(|container| {
        ["volumeMounts", "volumeDevices"]
            .iter()
            .any(|list| container.value[*list].as_array().is_some_and(|all| all.iter().any(|it| it["name"] == name)))
    })
}
