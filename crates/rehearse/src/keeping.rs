//! What holds data, who owns it, what keeps it and what would lose it.

use landfall_diag::{Finding, Spot};
use landfall_object::{Object, ObjectKey};
use landfall_rules::{Desired, Role, Subject, pod_template, unkept_servers};
use serde::Serialize;

use crate::impact::holds;

/// How much it takes to lose something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Guarantee {
    /// A restart loses it.
    None,
    /// Taking the release down, or leaving the object out, loses it.
    Release,
    /// Only deleting the object itself loses it.
    Kept,
    /// It lies outside of the cluster, and outlives it.
    Outside,
}

/// One thing that holds data.
#[derive(Debug, Serialize)]
pub struct Keeping {
    /// The release or Application.
    pub unit: String,
    /// The object.
    pub object: ObjectKey,
    /// What it holds.
    pub holds: String,
    /// Who owns it: the release, a controller, or nobody.
    pub owner: String,
    /// How safe it is.
    pub guarantee: Guarantee,
    /// What would lose it.
    pub lost_by: Vec<String>,
    /// How much that matters, in a word: `critical`, `important`, `acceptable`.
    pub risk: &'static str,
}

impl Guarantee {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Guarantee::None => "none",
            Guarantee::Release => "with the release",
            Guarantee::Kept => "kept",
            Guarantee::Outside => "outside",
        }
    }
}

/// Everything that holds data, in the order of delivery.
pub fn keepings(subject: &Subject<'_>) -> Vec<Keeping> {
    let mut found = Vec::new();
    let passing = unkept_servers(subject);
    for desired in subject.objects().filter(|it| it.role != Role::Definition) {
        found.extend(of_object(desired));
        found.extend(of_claims(desired));
        found.extend(of_pods(&passing, desired));
    }
    found.extend(buckets(subject));
    found.extend(outside_secrets(subject));
    found
}

fn of_object(desired: &Desired) -> Option<Keeping> {
    let object = &desired.object;
    if object.kind() == "Namespace" || object.kind() == "PersistentVolume" {
        return None;
    }
    let (holds, skips) = match (object.group(), object.kind()) {
        ("k8s.mariadb.com", "Database") => {
            ("the database".to_owned(), object.str_at("/spec/cleanupPolicy") == Some("Skip"))
        }
        ("k8s.mariadb.com", "User") => return None,
        ("", "Secret") if object.str_at("/type").unwrap_or("Opaque") != "Opaque" => return None,
        _ => (holds(object)?, false),
    };
    let kept = skips || is_kept(object);
    let mut lost_by = vec![format!("deleting the {} itself", object.kind())];
    if !kept {
        lost_by.push("`landfall down` or `uninstall` of the release".to_owned());
        lost_by.push("leaving it out of the chart".to_owned());
    }
    let secret = object.kind() == "Secret";
    Some(Keeping {
        unit: desired.unit.clone(),
        object: desired.key(),
        holds,
        owner: format!("release {}", desired.unit),
        // Claims, databases and their servers are never deleted by what Landfall does on its own.
        guarantee: if kept || !secret { Guarantee::Kept } else { Guarantee::Release },
        lost_by,
        risk: if secret { "important" } else { "critical" },
    })
}

fn is_kept(object: &Object) -> bool {
    object.annotation("helm.sh/resource-policy") == Some("keep")
        || object.annotation("argocd.argoproj.io/sync-options").is_some_and(|options| options.contains("Prune=false"))
}

/// The volumes that a StatefulSet makes: they outlive it, unless it says otherwise.
fn of_claims(desired: &Desired) -> Vec<Keeping> {
    let object = &desired.object;
    if object.kind() != "StatefulSet" {
        return Vec::new();
    }
    let deletes = object.str_at("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == Some("Delete");
    let replicas = object.i64_at("/spec/replicas").unwrap_or(1);
    let mut found = Vec::new();
    for claim in object.list_at("/spec/volumeClaimTemplates") {
        let name = claim.pointer("/metadata/name").and_then(|name| name.as_str()).unwrap_or_default();
        let size = claim
            .pointer("/spec/resources/requests/storage")
            .and_then(|size| size.as_str())
            .unwrap_or("of unknown size");
        let class = claim.pointer("/spec/storageClassName").and_then(|class| class.as_str());
        let class = class.map(|class| format!(" of {class}")).unwrap_or_default();
        let mut lost_by = vec![format!("deleting the claim {name}-{}-N", object.name())];
        if deletes {
            lost_by.push("deleting the StatefulSet (whenDeleted: Delete)".to_owned());
        }
        found.push(Keeping {
            unit: desired.unit.clone(),
            object: ObjectKey::new(
                landfall_object::Gvk::new("", "v1", "PersistentVolumeClaim"),
                object.namespace(),
                format!("{name}-{}-0", object.name()),
            ),
            holds: format!("{replicas} volume{} of {size}{class}", if replicas == 1 { "" } else { "s" }),
            owner: format!("StatefulSet {}", object.name()),
            guarantee: if deletes { Guarantee::Release } else { Guarantee::Kept },
            lost_by,
            risk: if is_cache(object) { "important" } else { "critical" },
        });
    }
    found
}

/// Whether a server is one that is asked for what stands elsewhere, too: sessions, caches and queues.
fn is_cache(object: &Object) -> bool {
    let Some(template) = pod_template(object) else { return false };
    let names = ["redis", "valkey", "memcached", "keydb", "dragonfly"];
    template.containers().iter().any(|container| {
        let image = container.image().rsplit('/').next().unwrap_or_default();
        let image = image.split([':', '@']).next().unwrap_or_default();
        names.contains(&image)
    })
}

/// Directories that go with their pod, where a server writes into them.
fn of_pods(passing: &[Finding], desired: &Desired) -> Vec<Keeping> {
    let is_it = |spot: &Spot| spot.object.as_ref().is_some_and(|name| desired.object.is_at(&name.into()));
    passing
        .iter()
        .filter(|finding| finding.spots.iter().any(is_it))
        .map(|finding| Keeping {
            unit: desired.unit.clone(),
            object: desired.key(),
            holds: finding.message.clone(),
            owner: "its pod".to_owned(),
            guarantee: Guarantee::None,
            lost_by: vec!["a restart of the pod".to_owned()],
            risk: "critical",
        })
        .collect()
}

/// Buckets that settings name.
fn buckets(subject: &Subject<'_>) -> Vec<Keeping> {
    let mut found: Vec<Keeping> = Vec::new();
    for desired in subject.objects().filter(|it| it.object.kind() == "ConfigMap" && it.object.group().is_empty()) {
        for (key, text, _) in landfall_rules::decoded::texts(&desired.object) {
            let bucket = text.trim();
            let named = key.to_ascii_uppercase().ends_with("BUCKET") && !bucket.is_empty();
            if named && !found.iter().any(|other| other.holds.contains(&format!("`{bucket}`"))) {
                found.push(Keeping {
                    unit: desired.unit.clone(),
                    object: desired.key(),
                    holds: format!("files in the bucket `{bucket}`"),
                    owner: "the object store".to_owned(),
                    guarantee: Guarantee::Outside,
                    lost_by: vec![
                        "whoever may delete in the object store; versioning of the bucket is not seen from here"
                            .to_owned(),
                    ],
                    risk: "critical",
                });
            }
        }
    }
    found
}

/// Secrets that are referred to and not delivered: what is in them is nowhere else, and some keys never change.
fn outside_secrets(subject: &Subject<'_>) -> Vec<Keeping> {
    let Some((_, environment)) = subject.environment else { return Vec::new() };
    let Some(secrets) = &environment.secrets else { return Vec::new() };
    let delivered = subject.objects().any(|it| it.object.kind() == "Secret" && it.object.name() == secrets.target);
    if delivered {
        return Vec::new();
    }
    let Some(user) = subject.objects().find(|it| {
        landfall_object::references::references(&it.object)
            .iter()
            .any(|reference| reference.kind == "Secret" && reference.name == secrets.target)
    }) else {
        return Vec::new();
    };
    let once: Vec<&str> = secrets
        .keys
        .iter()
        .filter(|(_, key)| matches!(key.generate, Some(landfall_project::Generate::Once(_))))
        .map(|(name, _)| name.as_str())
        .collect();
    let key = |name: &str| ObjectKey::new(landfall_object::Gvk::new("", "v1", "Secret"), user.object.namespace(), name);
    let mut found = vec![Keeping {
        unit: user.unit.clone(),
        object: key(&secrets.target),
        holds: format!("{} keys that stand nowhere else on the cluster", secrets.keys.len()),
        owner: "nobody: made beside the release".to_owned(),
        guarantee: Guarantee::Kept,
        lost_by: vec!["deleting the Secret itself".to_owned(), "deleting its namespace".to_owned()],
        risk: "critical",
    }];
    // Keys that make the same things invalid are one thing to lose.
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for name in once {
        let invalidates = secrets.keys[name].invalidates.as_ref();
        let lost = invalidates.map(|it| it.iter().collect::<Vec<_>>().join(", ")).unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| *known == lost && !lost.is_empty()) {
            Some((_, names)) => names.push(name),
            None => groups.push((lost, vec![name])),
        }
    }
    found.extend(groups.into_iter().map(|(lost, names)| Keeping {
        unit: user.unit.clone(),
        object: key(&secrets.target),
        holds: format!("{}, made once and never replaced", names.join(" and ")),
        owner: "nobody: made beside the release".to_owned(),
        guarantee: Guarantee::Kept,
        lost_by: vec![match lost.is_empty() {
            false => format!("another value: it makes invalid {lost}"),
            true => "another value".to_owned(),
        }],
        risk: "critical",
    }));
    found
}
