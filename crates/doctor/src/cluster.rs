//! The cluster: whether it answers, and what a delivery needs to find there.

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_rules::{Desired, Inventory, Known, RULES, Subject};

use crate::{Area, Observation};

/// The rules about what must be there already.
const PREREQUISITES: &[&str] =
    &["LF103", "LF105", "LF106", "LF112", "LF118", "LF119", "LF127", "LF131", "LF132", "LF138", "LF142"];

/// How a cluster was seen.
#[derive(Debug, Clone)]
pub struct Sight<'s> {
    /// What it is called.
    pub name: &'s str,
    /// Its version as it says it itself, as `v1.32.4+k3s1`.
    pub version: &'s str,
    /// Its objects, secrets masked.
    pub objects: &'s Inventory,
    /// Kinds that could not be read.
    pub unread: &'s [String],
}

/// A cluster that does not answer.
pub fn unreachable(name: &str, why: &str) -> Observation {
    Observation::wrong(
        Area::Cluster,
        &landfall_rules::place::OUTSIDE,
        Severity::Error,
        name,
        format!("cannot be reached: {why}"),
        "nothing can be delivered there, and nothing of it was looked at",
    )
}

/// What the rules of an area find in a subject; of the cluster's area those about what must be there.
pub fn cluster_findings(subject: &Subject<'_>, area: Area) -> Vec<Finding> {
    let is_of = |id: &str| PREREQUISITES.contains(&id) == (area == Area::Cluster);
    RULES.iter().filter(|rule| is_of(rule.id)).flat_map(|rule| (rule.check)(subject)).collect()
}

/// What can be said of a cluster and of what a delivery refers to, one observation each; what is missing is a finding of
/// a rule and stands among those.
pub fn prerequisites(subject: &Subject<'_>, sight: &Sight<'_>) -> Vec<Observation> {
    let mut seen = vec![Observation::fine(
        Area::Cluster,
        sight.name,
        format!("answers as {}, {} objects read", sight.version, sight.objects.len()),
    )];
    for kind in sight.unread {
        seen.push(Observation::not_checked(Area::Cluster, kind.as_str(), "this identity may not read it"));
    }
    seen.extend(cert_manager(subject, sight.objects));
    seen.extend(servers(subject, sight.objects));
    seen
}

/// cert-manager's three Deployments, where certificates are asked for.
fn cert_manager(subject: &Subject<'_>, live: &Inventory) -> Vec<Observation> {
    let wanted = subject.objects().any(|desired| desired.object.group() == "cert-manager.io");
    // The embedded cluster offers what is needed by itself.
    if !wanted || subject.cluster.known == Known::Assumed {
        return Vec::new();
    }
    let is_of = |object: &&Object| {
        object.label("app.kubernetes.io/instance") == Some("cert-manager")
            || object.label("app.kubernetes.io/name") == Some("cert-manager")
            || object.name().starts_with("cert-manager")
    };
    let found: Vec<&Object> = live.of_kind("apps", "Deployment").filter(is_of).collect();
    ["cert-manager", "cert-manager-webhook", "cert-manager-cainjector"]
        .into_iter()
        .map(|name| {
            let Some(object) = found.iter().find(|object| object.name() == name) else {
                return Observation::told(Area::Cluster, name, "not seen under this name; needed: v1.17.1 or newer")
                    .help("landfall addon install cert-manager --version v1.17.1 --wait");
            };
            let version = object.label("app.kubernetes.io/version").unwrap_or("of an unknown version");
            let available = object.i64_at("/status/availableReplicas").unwrap_or(0);
            match available {
                0 => Observation::wrong(
                    Area::Cluster,
                    &landfall_rules::place::OUTSIDE,
                    Severity::Error,
                    name,
                    "is there and not available",
                    "no certificate is signed or renewed",
                ),
                _ => Observation::fine(Area::Cluster, name, format!("{version} (needed: v1.17.1)")),
            }
        })
        .collect()
}

/// Database servers that delivered objects refer to: there, and ready.
fn servers(subject: &Subject<'_>, live: &Inventory) -> Vec<Observation> {
    let mut wanted: Vec<(Option<&str>, &str, &Desired)> = Vec::new();
    for desired in subject.objects().filter(|it| it.object.group() == "k8s.mariadb.com") {
        let Some(name) = desired.object.str_at("/spec/mariaDbRef/name") else { continue };
        let namespace = desired.object.str_at("/spec/mariaDbRef/namespace").or(desired.object.namespace());
        let delivered = subject.desired("k8s.mariadb.com", "MariaDB", namespace, name).is_some();
        if !delivered && !wanted.iter().any(|(of, it, _)| *of == namespace && *it == name) {
            wanted.push((namespace, name, desired));
        }
    }
    wanted
        .into_iter()
        .filter_map(|(namespace, name, desired)| {
            let what = format!("MariaDB {}/{name}", namespace.unwrap_or_default());
            // What is not there at all is told by the rule about prerequisites.
            let server = live.get("k8s.mariadb.com", "MariaDB", namespace, name)?;
            let condition = server.list_at("/status/conditions").iter().find(|it| it["type"] == "Ready")?;
            Some(if condition["status"] == "True" {
                Observation::fine(Area::Cluster, what, "is ready")
            } else {
                let why = condition["message"].as_str().unwrap_or("it does not say why");
                Observation::wrong(
                    Area::Cluster,
                    &landfall_rules::place::OUTSIDE,
                    Severity::Error,
                    what,
                    format!("is not ready: {why}"),
                    &format!("{} `{}` waits for it", desired.object.kind(), desired.object.name()),
                )
            })
        })
        .collect()
}
