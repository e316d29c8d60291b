mod looked_for_elsewhere;

use landfall_chart::{Chart, values_to_json};
use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::secret_that_nobody_reads::{has_word, is_for_others, is_shared};
use crate::operated::is_operated;
use crate::pods::{ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF176",
    title: "claims and Secrets are mounted by a container of their pod, and what is prepared is found",
    severity: Severity::Warning,
    why: "A pod waits for the claims that it names, and a volume that no container mounts keeps nothing: the program writes \
          to its own file system, and what it wrote is gone with the next restart. A Secret that no container \
          mounts is waited for all the same, and no program sees it. Two volumes of one claim are one directory, wherever \
          they are mounted. Of any other volume it is told as an info, and of a claim that is made and that no pod names.",
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
        findings.extend(one_directory(desired, &template));
        findings.extend(looked_for_elsewhere::told(desired, &template, &RULE));
        for (_, field, what, because) in claims.chain(secrets).filter(|(name, ..)| !is_used(&template, name)) {
            findings.push(
                RULE.finding(format!("no container of {kind} `{owner}` mounts {what}"))
                    .because(because)
                    .at(desired.spot_at(&field)),
            );
        }
        findings.extend(idle(desired, &template));
    }
    findings.extend(unnamed(subject));
    findings
}

/// The claims that are made and that nothing names.
fn unnamed(subject: &Subject<'_>) -> Vec<Finding> {
    let own = subject.of_kind("", "PersistentVolumeClaim").filter(|it| it.role == Role::Manifest);
    let claims = own.filter(|it| {
        let is_mine = !subject.is_borrowed(it) && !is_for_others(subject, it);
        is_mine && !is_unseen(subject, it) && !is_named(subject, it)
    });
    claims
        .map(|desired| {
            RULE.finding(format!("no pod mounts the claim `{}`, and nothing else names it", desired.object.name()))
                .weighing(Severity::Info)
                .because("it takes storage that stays empty, and what was to lie there is gone with the next restart")
                .help("Name it in the volumes of the pod whose data it is to keep, or leave it out.")
                .at(desired.spot_at("metadata.name"))
        })
        .collect()
}

/// Whether it is not seen who mounts a claim: there are no pods, an operator makes them, or a chart that has them is not at hand.
fn is_unseen(subject: &Subject<'_>, desired: &Desired) -> bool {
    let Some(unit) = subject.unit(&desired.unit) else { return true };
    let namespace = desired.object.namespace();
    let has_pods = subject.pods().any(|(it, _)| it.unit == desired.unit && it.object.namespace() == namespace);
    let (name, shared) = (desired.object.name(), is_shared(subject, desired));
    let is_left_out = unit.rendered.charts.iter().any(|rendered| {
        let parts = rendered.processed.with_parts();
        if parts.iter().any(|part| part.without.templates.iter().any(|it| it.text.contains("claimName"))) {
            return true;
        }
        let missing = parts.into_iter().flat_map(missing).collect::<Vec<_>>();
        !missing.is_empty() && {
            let values = values_to_json(&rendered.values);
            missing.into_iter().any(|table| table.is_none_or(|table| is_given(&values, table, name, shared)))
        }
    });
    !has_pods || is_left_out || is_operated(subject, &desired.unit)
}

/// The tables of values of the charts that are not at hand; none for one that may be a library whose templates are called.
fn missing(part: &Chart) -> Vec<Option<&str>> {
    // What more charts call than any other is a library, and has no pods.
    let gone = part.without.dependencies.iter().filter(|it| it.enabled && it.name != "common");
    gone.map(|it| {
        let table = if it.alias.is_empty() { it.name.as_str() } else { it.alias.as_str() };
        part.without.templates.is_empty().then_some(table)
    })
    .collect()
}

/// Whether the values of a chart that is not at hand, its own or those for all, give it the claim, or one that is there already.
fn is_given(values: &Value, table: &str, name: &str, shared: bool) -> bool {
    let Value::Object(map) = values else { return false };
    map.iter().any(|(key, value)| {
        let is_its = key == table || key == "global";
        is_its && (has_claim(value) || says(value, key, name, shared)) || is_given(value, table, name, shared)
    })
}

/// Whether a table of values names a claim, whichever.
fn has_claim(values: &Value) -> bool {
    match values {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let is_name = matches!(key.as_str(), "existingClaim" | "claimName");
            is_name && value.as_str().is_some_and(|it| !it.is_empty()) || has_claim(value)
        }),
        Value::Array(list) => list.iter().any(has_claim),
        _ => false,
    }
}

/// Whether anything that is delivered, or stands beside it on the cluster, names a claim or speaks of it. A volume that is kept
/// for a claim reads nothing.
fn is_named(subject: &Subject<'_>, desired: &Desired) -> bool {
    let (name, shared) = (desired.object.name(), is_shared(subject, desired));
    let delivered = subject.objects().filter(|it| !std::ptr::eq(*it, desired)).map(|it| &it.object);
    let is_apart = |live: &&Object| {
        let same = subject.desired(live.group(), live.kind(), live.namespace(), live.name());
        same.is_none() && live.controller().is_none()
    };
    let mut others = delivered.chain(subject.staying().filter(is_apart)).filter(|it| it.kind() != "PersistentVolume");
    others.any(|it| says(it.value(), "", name, shared) || makes(it, name))
}

/// Fields that hold the name that a release's objects share, and never that of a claim.
const SHARED: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "matchLabels",
    "selector",
    "serviceAccount",
    "serviceAccountName",
    "serviceName",
    "scaleTargetRef",
    "host",
    "hosts",
    "image",
];

/// Whether a text of an object has the name of a claim in it, or a reference is to one of that name. Where other objects have the
/// name, too, the text or its key has to speak of a claim.
fn says(value: &Value, key: &str, name: &str, shared: bool) -> bool {
    match value {
        Value::String(text) => has_word(text, name) && (!shared || speaks_of_claims(key) || speaks_of_claims(text)),
        Value::Array(list) => list.iter().any(|it| says(it, key, name, shared)),
        Value::Object(map) => {
            let refers = value["kind"] == "PersistentVolumeClaim" && value["name"] == name;
            // A variable's value is what the variable is called after.
            let called = map.get("name").and_then(Value::as_str);
            refers
                || map.iter().any(|(field, it)| {
                    let key = called.filter(|_| field == "value").unwrap_or(field);
                    !SHARED.contains(&field.as_str()) && says(it, key, name, shared)
                })
        }
        _ => false,
    }
}

/// Whether a text or a key speaks of claims.
fn speaks_of_claims(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["claim", "pvc", "volume", "persist"].iter().any(|it| lower.contains(it))
}

/// Whether a StatefulSet has a claim of that name for one of its pods: `data-db-0`.
fn makes(owner: &Object, name: &str) -> bool {
    owner.kind() == "StatefulSet"
        && owner.list_at("/spec/volumeClaimTemplates").iter().any(|claim| {
            let template = claim.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            let number = name.strip_prefix(&format!("{template}-{}-", owner.name()));
            number.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
        })
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

/// Two places of a container that are two volumes, and one directory of one claim.
fn one_directory(desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    let (one, other, claim, container, field) = template.containers().into_iter().find_map(|container| {
        let mounts = container.value["volumeMounts"].as_array()?;
        mounts.iter().enumerate().find_map(|(at, mount)| {
            let claim = written_claim(template, mount)?;
            let same = mounts[..at].iter().find(|it| {
                let is_other = it["name"] != mount["name"] && place_of(it) != place_of(mount);
                is_other && part_of(it) == part_of(mount) && written_claim(template, it) == Some(claim)
            })?;
            let field = format!("{}.volumeMounts[{at}].name", container.path);
            Some((place_of(same), place_of(mount), claim, container.name, field))
        })
    })?;
    let (one, other) = if one <= other { (one, other) } else { (other, one) };
    Some(
        RULE.finding(format!(
            "`{one}` and `{other}` of container `{container}` are one directory: both are the claim `{claim}`"
        ))
        .because("what is written to one of them lies in the other, too, and what one empties is gone from the other")
        .help("Give each a claim of its own, or a `subPath`.")
        .at(desired.spot_at(&field)),
    )
}

/// The claim that a mount writes to.
fn written_claim<'a>(template: &PodTemplate<'a>, mount: &Value) -> Option<&'a str> {
    let source = template.volumes().iter().find(|it| it["name"] == mount["name"])?.get("persistentVolumeClaim")?;
    let is_read = mount["readOnly"] == true || source["readOnly"] == true;
    source["claimName"].as_str().filter(|it| !is_read && !it.is_empty())
}

/// Where a volume is mounted.
fn place_of(mount: &Value) -> &str {
    mount["mountPath"].as_str().unwrap_or_default().trim_end_matches('/')
}

/// Which part of a volume is mounted: nothing for the whole.
fn part_of(mount: &Value) -> (&str, &str) {
    let text = |field: &str| mount[field].as_str().unwrap_or_default().trim_matches('/');
    (text("subPath"), text("subPathExpr"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_named_by_a_volume_a_source_or_a_text() {
        for it in [
            json!({"volumes": [{"persistentVolumeClaim": {"claimName": "web-data"}}]}),
            json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "web-data"}}),
            json!({"data": {"pod.yaml": "claimName: web-data\n"}}),
            json!({"args": ["--claim=web-data"]}),
        ] {
            assert!(says(&it, "", "web-data", false), "{it}");
        }
        for it in [
            json!({"metadata": {"name": "web-data", "labels": {"app": "web-data"}}}),
            json!({"volumes": [{"name": "web-data", "emptyDir": {}}]}),
            json!({"dataSource": {"kind": "VolumeSnapshot", "name": "web-data"}}),
        ] {
            assert!(!says(&it, "", "web-data", false), "{it}");
        }
    }

    #[test]
    fn a_name_that_others_share_is_a_claims_where_a_claim_is_spoken_of() {
        for it in [
            json!({"volumes": [{"persistentVolumeClaim": {"claimName": "web"}}]}),
            json!({"env": [{"name": "DATA_PVC", "value": "web"}]}),
            json!({"args": ["--claim=web"]}),
        ] {
            assert!(says(&it, "", "web", true), "{it}");
        }
        for it in [
            json!({"containers": [{"image": "registry.example.com/web/web:1.2.3"}]}),
            json!({"data": {"DB_HOST": "web-postgresql", "DB_NAME": "web"}}),
            json!({"args": ["web:8080"]}),
        ] {
            assert!(!says(&it, "", "web", true), "{it}");
        }
    }

    #[test]
    fn values_of_a_chart_that_is_not_at_hand_give_it_a_claim() {
        let given = json!({"db": {"persistence": {"existingClaim": "x"}}, "web": {"size": "1Gi"}});
        assert!(is_given(&given, "db", "data", false));
        assert!(!is_given(&given, "web", "data", false));
        assert!(is_given(&json!({"db": {"volumes": ["data"]}}), "db", "data", false));
    }

    #[test]
    fn a_claim_may_be_made_before_the_pod_of_a_stateful_set() {
        let set =
            Object::from_value(json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}))
            .expect("a map");
        assert!(makes(&set, "data-db-0") && makes(&set, "data-db-12"));
        assert!(!makes(&set, "data-db-") && !makes(&set, "data-db-a") && !makes(&set, "data-web-0"));
    }
}
