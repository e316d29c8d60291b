//! What was written down about a place, held against the cluster; and what the cluster answers to open questions.

use std::collections::BTreeSet;

use landfall_diag::Severity;
use landfall_object::Object;
use landfall_project::{Facts, Maturity};
use landfall_rules::Subject;
use landfall_rules::place::FACTS;
use landfall_rules::routes::all_routes;

use crate::cluster::Sight;
use crate::{Area, Observation};

/// Holds each fact against the cluster.
pub fn facts(declared: &Facts, subject: &Subject<'_>, sight: &Sight<'_>) -> Vec<Observation> {
    let mut seen = Vec::new();
    let mut hold = |name: &str, written: &str, found: Result<(), String>| {
        let what = format!("{name}: {written}");
        seen.push(match found {
            Ok(()) => Observation::fine(Area::Facts, what, "is so"),
            Err(is) => Observation::wrong(
                Area::Facts,
                &FACTS,
                Severity::Error,
                what,
                is,
                "whoever plans a change reads what was written down",
            ),
        });
    };
    let live = sight.objects;
    let named = |group: &'static str, kind: &'static str| -> Vec<String> {
        live.of_kind(group, kind).map(|object| object.name().to_owned()).collect()
    };
    let among = |names: Vec<String>, wanted: &str| match names.iter().any(|name| name == wanted) {
        true => Ok(()),
        false if names.is_empty() => Err("the cluster has none".to_owned()),
        false => Err(format!("the cluster has {}", names.join(", "))),
    };
    if let Some(distribution) = &declared.distribution {
        let is = sight.version.to_ascii_lowercase().contains(&distribution.to_ascii_lowercase());
        hold("distribution", distribution, is.then_some(()).ok_or(format!("the cluster says {}", sight.version)));
    }
    if let Some(class) = &declared.ingress_class {
        hold("ingressClass", class, among(named("networking.k8s.io", "IngressClass"), class));
    }
    if let Some(class) = &declared.storage_class {
        hold("storageClass", class, among(named("storage.k8s.io", "StorageClass"), class));
    }
    for namespace in &declared.namespaces {
        hold("namespace", namespace, among(named("", "Namespace"), namespace));
    }
    if let Some(address) = &declared.address {
        let addresses = addresses(subject, sight);
        let found = match addresses.is_empty() {
            true => Err("no node or load balancer says an address of its own".to_owned()),
            false => among(addresses, address).map_err(|other| other.replace("has", "is reached at")),
        };
        hold("address", address, found);
    }
    if let Some(mail) = &declared.acme_email {
        let issuers = live.of_kind("cert-manager.io", "ClusterIssuer").chain(live.of_kind("cert-manager.io", "Issuer"));
        let delivered = subject.of_kind("cert-manager.io", "ClusterIssuer").map(|desired| &desired.object);
        let mails: BTreeSet<String> = issuers
            .chain(delivered)
            .filter_map(|issuer| issuer.str_at("/spec/acme/email"))
            .map(str::to_owned)
            .collect();
        hold(
            "acmeEmail",
            mail,
            among(mails.into_iter().collect(), mail).map_err(|it| it.replace("the cluster has", "the issuers have")),
        );
    }
    if !declared.hosts.is_empty() {
        let routed: BTreeSet<String> = all_routes(subject).into_iter().flat_map(|(_, route)| route.hosts).collect();
        let written: BTreeSet<String> = declared.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let missing: Vec<&str> = written.difference(&routed).map(String::as_str).collect();
        let more: Vec<&str> = routed.difference(&written).map(String::as_str).collect();
        let found = match (missing.is_empty(), more.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => Err(format!("not routed: {}", missing.join(", "))),
            (true, false) => Err(format!("routed, too: {}", more.join(", "))),
            (false, false) => Err(format!("not routed: {}; routed, too: {}", missing.join(", "), more.join(", "))),
        };
        hold("hosts", &declared.hosts.len().to_string(), found);
    }
    seen
}

/// The addresses of a cluster from outside: of its nodes, and of its load balancers.
fn addresses(_: &Subject<'_>, sight: &Sight<'_>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for node in sight.objects.of_kind("", "Node") {
        let external = node.list_at("/status/addresses").iter().filter(|it| it["type"] == "ExternalIP");
        found.extend(external.filter_map(|address| address["address"].as_str()).map(str::to_owned));
    }
    for service in sight.objects.of_kind("", "Service") {
        let ingress = service.list_at("/status/loadBalancer/ingress").iter();
        found.extend(ingress.filter_map(|it| it["ip"].as_str().or(it["hostname"].as_str())).map(str::to_owned));
    }
    found.into_iter().collect()
}

/// What a cluster answers to what was left open.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Answers {
    /// Services in front of database servers: `namespace/name:port`.
    pub databases: Vec<String>,
    /// Classes that volumes come from; the default one is marked.
    pub storage_classes: Vec<String>,
    /// Buckets that the delivery's settings name.
    pub buckets: Vec<String>,
}

/// The database's router and port, the classes of volumes, and the buckets that are used.
pub fn answers(subject: &Subject<'_>, sight: &Sight<'_>) -> (Answers, Vec<Observation>) {
    let is_router = |service: &&Object| {
        let ports = service.list_at("/spec/ports");
        service.name().contains("maxscale")
            || ports.iter().any(|port| matches!(port["port"].as_u64(), Some(3306 | 4006 | 5432)))
    };
    let default = "storageclass.kubernetes.io/is-default-class";
    let mut buckets = BTreeSet::new();
    for desired in subject.objects().filter(|it| it.object.kind() == "ConfigMap") {
        for (key, text, _) in landfall_rules::decoded::texts(&desired.object) {
            if key.to_ascii_uppercase().ends_with("BUCKET") && !text.trim().is_empty() {
                buckets.insert(text.trim().to_owned());
            }
        }
    }
    let answers = Answers {
        databases: sight
            .objects
            .of_kind("", "Service")
            .filter(is_router)
            .flat_map(|service| {
                let name = format!("{}/{}", service.namespace().unwrap_or_default(), service.name());
                let ports = service.list_at("/spec/ports").iter().filter_map(|port| port["port"].as_u64());
                ports.map(|port| format!("{name}:{port}")).collect::<Vec<_>>()
            })
            .collect(),
        storage_classes: sight
            .objects
            .of_kind("storage.k8s.io", "StorageClass")
            .map(|class| match class.annotation(default) {
                Some("true") => format!("{} (default)", class.name()),
                _ => class.name().to_owned(),
            })
            .collect(),
        buckets: buckets.into_iter().collect(),
    };
    let told = |what: &str, found: &[String]| {
        let seen = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        Observation::told(Area::Facts, what, seen)
    };
    let observations = vec![
        told("database services", &answers.databases),
        told("storage classes", &answers.storage_classes),
        told("buckets", &answers.buckets),
    ];
    (answers, observations)
}

/// How far the place has come, and whether customers' data may come in.
pub fn maturity(subject: &Subject<'_>) -> Vec<Observation> {
    let Some((name, environment)) = subject.environment else { return Vec::new() };
    let mut seen: Vec<Observation> = environment
        .maturity
        .iter()
        .map(|(what, state)| match state {
            Maturity::Done => Observation::fine(Area::Facts, what.as_str(), "done"),
            Maturity::Open => Observation::told(Area::Facts, what.as_str(), "open"),
        })
        .collect();
    let open: Vec<&str> = environment
        .maturity
        .iter()
        .filter(|(_, state)| **state == Maturity::Open)
        .map(|(what, _)| what.as_str())
        .collect();
    if !open.is_empty() && subject.is_protected() {
        seen.push(
            Observation::wrong(
                Area::Facts,
                &FACTS,
                Severity::Warning,
                format!("data-ready gate of {name}"),
                format!("open: {}", open.join(", ")),
                "what customers bring before these are done and tried can be lost",
            )
            .help("keep customers' data out until `maturity` says `done` for each"),
        );
    }
    seen
}
