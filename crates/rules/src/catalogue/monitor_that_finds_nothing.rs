mod by_another_scheme;

use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::{Map, Value};

use self::by_another_scheme::by_another_scheme;
use super::secret_that_nobody_reads::is_of_release;
use crate::operated::{is_operated, may_run_pods};
use crate::pods::{PodTemplate, selects};
use crate::rule::Rule;
use crate::subject::{Desired, Known, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF168",
    title: "what is to be measured is found, and once",
    severity: Severity::Warning,
    why: "A ServiceMonitor that selects no Service, or asks for a port by a name that the Service or its pods do not give it, is \
          accepted and measures nothing. The alarms that should go off are silent, as on a good day.",
    advice: "Select labels that the Service itself bears, and name the Service's port (not the container's, not a number).",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (kind, field, others) in
        [("ServiceMonitor", "endpoints", "podMetricsEndpoints"), ("PodMonitor", "podMetricsEndpoints", "endpoints")]
    {
        let monitors = subject.of_kind("monitoring.coreos.com", kind);
        for monitor in monitors {
            findings.extend(without_endpoints(monitor, field, others));
            findings.extend(beside_match_labels(monitor));
        }
    }
    for monitor in subject.of_kind("monitoring.coreos.com", "ServiceMonitor") {
        let Some(selector) = selector(monitor) else { continue };
        let beside: Vec<&Object> =
            subject.of_kind("", "Service").map(|it| &it.object).filter(|it| reaches(monitor, it.namespace())).collect();
        let chosen: Vec<&Object> = beside.iter().copied().filter(|it| selects(selector, it.labels())).collect();
        // Where nothing is delivered, somebody else's is meant.
        let is_elsewhere = chosen.is_empty()
            && (operated(subject, monitor) || is_clusters_own(subject, monitor, selector))
            && !is_nearly_its_own(subject, monitor, selector);
        if chosen.is_empty()
            && let Some(finding) = looks_away(subject, monitor, selector)
        {
            findings.push(finding);
            continue;
        }
        if beside.is_empty() || is_elsewhere {
            continue;
        }
        let ports = chosen.iter().flat_map(|it| it.list_at("/spec/ports")).filter_map(|port| port["name"].as_str());
        let unborne = unborne(selector, &beside.iter().map(|it| it.labels()).collect::<Vec<_>>());
        let lacks = chosen.is_empty().then_some(unborne);
        findings.extend(missing(monitor, "Service", "endpoints", lacks, &ports.collect::<Vec<_>>()));
        if let Some(behind) = pods_behind(subject, &chosen) {
            findings.extend(unnamed_targets(subject, monitor, "endpoints", &Declared::of(behind)));
        }
        let seen: Vec<(&Object, Vec<PodTemplate<'_>>)> =
            chosen.iter().filter_map(|service| Some((*service, pods_of(subject, service)?))).collect();
        findings.extend(by_another_scheme(monitor, "endpoints", |endpoint| {
            seen.iter().filter_map(|(service, pods)| Some((measured(service, endpoint)?, pods.as_slice()))).collect()
        }));
        findings.extend(twice(monitor, &chosen));
    }
    for monitor in subject.of_kind("monitoring.coreos.com", "PodMonitor") {
        let Some(selector) = selector(monitor) else { continue };
        let beside: Vec<PodTemplate<'_>> = subject
            .pods()
            .filter(|(desired, _)| reaches(monitor, desired.object.namespace()))
            .map(|(_, template)| template)
            .collect();
        let chosen: Vec<PodTemplate<'_>> = beside.iter().copied().filter(|it| it.is_selected_by(selector)).collect();
        let is_near = || beside.iter().any(|it| lacks_a_label(selector, it.labels()));
        if beside.is_empty() || (chosen.is_empty() && operated(subject, monitor) && !is_near()) {
            continue;
        }
        let containers = chosen.iter().flat_map(PodTemplate::containers);
        let ports: Vec<&str> = containers.flat_map(|it| it.ports().map(|(_, name)| name).collect::<Vec<_>>()).collect();
        let unborne = unborne(selector, &beside.iter().map(PodTemplate::labels).collect::<Vec<_>>());
        let lacks = chosen.is_empty().then_some(unborne);
        findings.extend(missing(monitor, "pod", "podMetricsEndpoints", lacks, &ports));
        findings.extend(by_another_scheme(monitor, "podMetricsEndpoints", |endpoint| {
            port_of_pods(endpoint).map(|port| (port.clone(), chosen.as_slice())).into_iter().collect()
        }));
        findings.extend(unnamed_targets(subject, monitor, "podMetricsEndpoints", &Declared::of(chosen)));
    }
    findings.extend(twice_by_two(subject));
    findings
}

/// The pods behind Services; none where one of them leads to pods that are not seen.
fn pods_behind<'s>(subject: &Subject<'s>, services: &[&Object]) -> Option<Vec<PodTemplate<'s>>> {
    let mut found = Vec::new();
    for service in services {
        found.extend(pods_of(subject, service)?);
    }
    Some(found)
}

/// The pods behind a Service; none where they are not seen.
fn pods_of<'s>(subject: &Subject<'s>, service: &Object) -> Option<Vec<PodTemplate<'s>>> {
    let selector = service.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))?;
    let pods: Vec<PodTemplate<'s>> = subject
        .pods()
        .filter(|(desired, it)| desired.object.namespace() == service.namespace() && it.is_selected_by(selector))
        .map(|(_, template)| template)
        .collect();
    (!pods.is_empty()).then_some(pods)
}

/// The ports that the containers of pods declare.
struct Declared<'s> {
    /// What they are called, those that are.
    names: BTreeSet<&'s str>,
    numbers: BTreeSet<u64>,
    /// Whether each pod has one: the program of one that has none may listen anywhere.
    is_everywhere: bool,
}

impl<'s> Declared<'s> {
    fn of(pods: Vec<PodTemplate<'s>>) -> Self {
        let mut all = Declared { names: BTreeSet::new(), numbers: BTreeSet::new(), is_everywhere: true };
        for template in pods {
            let containers = template.containers();
            let ports: Vec<(u64, &'s str)> = containers.iter().flat_map(|it| it.ports()).collect();
            all.is_everywhere &= !ports.is_empty();
            all.numbers.extend(ports.iter().map(|(number, _)| *number));
            all.names.extend(ports.into_iter().map(|(_, name)| name).filter(|name| !name.is_empty()));
        }
        all
    }

    /// Whether it is known that no pod has a port that an endpoint asks for by its name or number.
    fn lacks(&self, port: &Value) -> bool {
        let text = port.as_str().unwrap_or_default();
        if text.bytes().any(|it| it.is_ascii_alphabetic()) {
            let is_of_a_mesh = OF_A_MESH.iter().any(|mesh| text.contains(mesh));
            return !self.names.is_empty() && !self.names.contains(text) && !is_of_a_mesh;
        }
        let Some(number) = port.as_u64().or_else(|| text.parse().ok()) else { return false };
        let is_there = self.numbers.contains(&number) || NUMBERS_OF_A_MESH.contains(&number);
        !self.numbers.is_empty() && self.is_everywhere && !is_there
    }
}

/// Ports of proxies that a mesh puts into pods, which no template has.
const OF_A_MESH: &[&str] = &["envoy", "istio", "linkerd", "kuma", "consul", "dapr"];

/// The same by their numbers: where Envoy, Istio's agent, Linkerd's, Consul's and Kuma's proxies are measured.
const NUMBERS_OF_A_MESH: &[u64] = &[4191, 5670, 15014, 15020, 15021, 15090, 20200];

/// The endpoints that ask for a container's port by a name or a number that no chosen pod has.
fn unnamed_targets(subject: &Subject<'_>, monitor: &Desired, field: &str, declared: &Declared<'_>) -> Vec<Finding> {
    if is_operated(subject, &monitor.unit) {
        return Vec::new();
    }
    let (kind, name) = (monitor.object.kind(), monitor.object.name());
    let endpoints = monitor.object.list_at(&format!("/spec/{field}")).iter().enumerate();
    let asked = endpoints.filter(|(_, it)| it["port"].as_str().unwrap_or_default().is_empty());
    let asked = asked.filter_map(|(at, endpoint)| Some((at, by_target(endpoint)?)));
    asked
        .filter(|(_, (_, port))| declared.lacks(port))
        .map(|(at, (key, port))| {
            let said = port.as_str().map_or_else(|| port.to_string(), str::to_owned);
            let finding = RULE
                .finding(format!("{kind} `{name}` asks for the target port `{said}`, which no chosen pod has"))
                .because("nothing is measured there")
                .at(monitor.spot_at(&format!("spec.{field}[{at}].{key}")));
            if said.bytes().all(|it| it.is_ascii_digit()) {
                let numbers: Vec<String> = declared.numbers.iter().map(u64::to_string).collect();
                return finding.help(format!("the containers declare {}", numbers.join(", ")));
            }
            let known: Vec<&str> = declared.names.iter().copied().collect();
            match landfall_diag::nearest(&said, known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("the containers' ports are called {}", known.join(", "))),
            }
        })
        .collect()
}

/// How an endpoint says which container's port it means, where it does not name the port itself, and the port.
fn by_target(endpoint: &Value) -> Option<(&'static str, &Value)> {
    ["portNumber", "targetPort"].into_iter().find_map(|key| Some((key, endpoint.get(key).filter(|it| !it.is_null())?)))
}

/// The port of the pods that an endpoint of a PodMonitor measures.
fn port_of_pods(endpoint: &Value) -> Option<&Value> {
    let named = endpoint.get("port").filter(|it| it.as_str().is_some_and(|name| !name.is_empty()));
    named.or_else(|| by_target(endpoint).map(|(_, port)| port))
}

/// A monitor that says nothing of namespaces, and so looks into its own alone, while the Service of its release that it selects is in
/// another one.
fn looks_away(subject: &Subject<'_>, monitor: &Desired, selector: &Value) -> Option<Finding> {
    if monitor.object.at("/spec/namespaceSelector").is_some_and(|it| !it.is_null()) {
        return None;
    }
    let own = |it: &&Desired| it.unit == monitor.unit && selects(selector, it.object.labels());
    let meant = subject.of_kind("", "Service").find(own)?;
    let (own, there) = (monitor.object.namespace()?, meant.object.namespace()?);
    let name = monitor.object.name();
    Some(
        RULE.finding(format!(
            "ServiceMonitor `{name}` looks into the namespace `{own}` alone, where its Service is not"
        ))
        .because(format!("Service `{}` is in `{there}`, so nothing is measured", meant.object.name()))
        .help(format!("add `namespaceSelector: {{matchNames: [{there}]}}`"))
        .at(monitor.spot_at("spec.selector")),
    )
}

/// A monitor whose kind's own list of endpoints was not written; an empty one was meant.
fn without_endpoints(monitor: &Desired, field: &str, others: &str) -> Option<Finding> {
    let (object, spec) = (&monitor.object, monitor.object.at("/spec")?);
    if !spec[field].is_null() {
        return None;
    }
    let finding = RULE
        .finding(format!("{} `{}` has no `spec.{field}`", object.kind(), object.name()))
        .because("nothing says where to measure, so nothing is measured");
    Some(match spec[others].is_null() {
        true => finding.help(format!("name the port in `spec.{field}`")).at(monitor.spot_at("spec")),
        false => finding
            .help(format!("`{others}` is another kind's field: a {} has `{field}`", object.kind()))
            .at(monitor.spot_at(&format!("spec.{others}"))),
    })
}

/// Two Services of the same pods that a monitor measures at a port of one name: each of their pods is measured twice.
fn twice(monitor: &Desired, chosen: &[&Object]) -> Option<Finding> {
    let has = |service: &Object, port: &str| service.list_at("/spec/ports").iter().any(|it| it["name"] == port);
    let endpoints = monitor.object.list_at("/spec/endpoints").iter().filter(|it| !chooses(it, "relabelings"));
    let mut asked = endpoints.filter_map(|it| it["port"].as_str()).filter(|it| !it.is_empty());
    let (one, other, port) = asked.find_map(|port| {
        chosen.iter().enumerate().find_map(|(at, one)| {
            let mut others = chosen[at + 1..].iter().filter(|it| it.namespace() == one.namespace());
            let other = others.find(|it| leads_alike(one, it) && has(it, port))?;
            has(one, port).then_some((*one, *other, port))
        })
    })?;
    let (one, other) = if one.name() <= other.name() { (one, other) } else { (other, one) };
    Some(
        RULE.finding(format!(
            "ServiceMonitor `{}` measures the same pods twice: by Service `{}` and by Service `{}`",
            monitor.object.name(),
            one.name(),
            other.name()
        ))
        .because(format!(
            "both lead to the same pods and have the port `{port}`, so sums over the pods are twice what they are"
        ))
        .help("select by a label that one of the Services alone bears")
        .at(monitor.spot_at("spec.selector")),
    )
}

/// Whether two Services select the same pods.
fn leads_alike(one: &Object, other: &Object) -> bool {
    let selector = one.at("/spec/selector").and_then(Value::as_object);
    selector.is_some_and(|it| !it.is_empty()) && other.at("/spec/selector").and_then(Value::as_object) == selector
}

/// Whether an endpoint keeps or drops some of what is found: it may keep one of two.
fn chooses(endpoint: &Value, list: &str) -> bool {
    let steps = endpoint[list].as_array().into_iter().flatten();
    let mut actions = steps.filter_map(|step| step["action"].as_str());
    actions.any(|it| ["keep", "drop", "keepequal", "dropequal"].contains(&it.to_ascii_lowercase().as_str()))
}

/// Two monitors of a release of which each measures the same pods at the same port, by a Service of its own.
fn twice_by_two(subject: &Subject<'_>) -> Vec<Finding> {
    let mut monitors: Vec<(&Desired, Vec<&Object>)> = subject
        .of_kind("monitoring.coreos.com", "ServiceMonitor")
        .filter_map(|monitor| Some((monitor, plainly_chosen(subject, monitor)?)))
        .collect();
    monitors.sort_by_key(|(monitor, _)| monitor.object.name());
    let mut findings = Vec::new();
    for (at, (monitor, chosen)) in monitors.iter().enumerate() {
        for (other, others) in monitors[..at].iter().filter(|(other, _)| is_for_the_same(other, monitor)) {
            let pair = others.iter().find_map(|one| {
                let same = chosen.iter().find(|it| measure_alike((*other, *one), (*monitor, **it)))?;
                Some((*one, *same))
            });
            let Some((one, same)) = pair else { continue };
            findings.push(
                RULE.finding(format!(
                    "ServiceMonitors `{}` and `{}` measure the same pods twice: by Service `{}` and by Service `{}`",
                    other.object.name(),
                    monitor.object.name(),
                    one.name(),
                    same.name()
                ))
                .because("both Services lead to the same port of the same pods, so sums over the pods are twice what they are")
                .help("leave one of the two out")
                .at(monitor.spot_at("spec.selector")),
            );
        }
    }
    findings
}

/// The Services that a monitor chooses by labels alone.
fn plainly_chosen<'s>(subject: &Subject<'s>, monitor: &Desired) -> Option<Vec<&'s Object>> {
    let selector = selector(monitor).filter(|it| it["matchExpressions"].as_array().is_none_or(Vec::is_empty))?;
    let beside = subject.of_kind("", "Service").map(|it| &it.object).filter(|it| reaches(monitor, it.namespace()));
    Some(beside.filter(|it| selects(selector, it.labels())).collect())
}

/// Whether two monitors are of one release, and no label says that they are for two programs that measure.
fn is_for_the_same(one: &Desired, other: &Desired) -> bool {
    let marks = |monitor: &Desired| -> Vec<(String, Value)> {
        let labels = monitor.object.labels().into_iter().flatten().filter(|(key, value)| !is_of_release(key, value));
        // A Prometheus is often called by `release`.
        let release = monitor.object.label("release").map(|it| ("release".to_owned(), Value::from(it)));
        labels.map(|(key, value)| (key.clone(), value.clone())).chain(release).collect()
    };
    one.unit == other.unit && marks(one) == marks(other)
}

/// Whether two monitors measure the same port of the same pods in one way, each by a Service of its own.
fn measure_alike(one: (&Desired, &Object), other: (&Desired, &Object)) -> bool {
    let ((monitor, service), (second, peer)) = (one, other);
    let is_pair = service.name() != peer.name() && service.namespace() == peer.namespace();
    is_pair && leads_alike(service, peer) && {
        let asked = ways(monitor, service);
        ways(second, peer).iter().any(|way| asked.contains(way))
    }
}

/// The port of the pods that an endpoint measures by a Service, and how it asks.
type Way = (Value, [Value; 4]);

/// How a monitor measures by a Service: every endpoint that takes all that it finds.
fn ways(monitor: &Desired, service: &Object) -> Vec<Way> {
    let endpoints = monitor.object.list_at("/spec/endpoints").iter();
    endpoints
        .filter(|it| !chooses(it, "relabelings") && !chooses(it, "metricRelabelings"))
        .filter_map(|it| {
            let or = |field: &str, usual: &str| {
                if it[field].is_null() { Value::from(usual) } else { it[field].clone() }
            };
            let how = [or("path", "/metrics"), or("scheme", "http"), or("params", ""), or("interval", "")];
            Some((measured(service, it)?, how))
        })
        .collect()
}

/// The port of the pods that an endpoint measures.
fn measured(service: &Object, endpoint: &Value) -> Option<Value> {
    let Some(name) = endpoint["port"].as_str().filter(|it| !it.is_empty()) else {
        return Some(endpoint["targetPort"].clone()).filter(|it| !it.is_null());
    };
    let port = service.list_at("/spec/ports").iter().find(|it| it["name"] == name)?;
    let target = if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] };
    Some(target.clone())
}

/// What a monitor misses: everything, and then for labels that nobody bears; or a port of what it has chosen.
fn missing(monitor: &Desired, of: &str, field: &str, lacks: Option<Vec<String>>, ports: &[&str]) -> Vec<Finding> {
    let (kind, name) = (monitor.object.kind(), monitor.object.name());
    if let Some(labels) = lacks {
        let (why, field) = match labels.is_empty() {
            true => (String::new(), "spec.selector"),
            false => (format!("no {of} here bears {}: ", labels.join(" or ")), "spec.selector.matchLabels"),
        };
        let finding = RULE
            .finding(format!("{kind} `{name}` selects no {of}"))
            .because(format!("{why}nothing is measured, and no alarm goes off"))
            .at(monitor.spot_at(field));
        return vec![finding];
    }
    let endpoints = monitor.object.list_at(&format!("/spec/{field}"));
    let asked = endpoints.iter().enumerate().filter_map(|(at, endpoint)| Some((at, endpoint["port"].as_str()?)));
    asked
        .filter(|(_, port)| !port.is_empty() && !ports.contains(port))
        .map(|(at, port)| {
            let known: Vec<&str> = ports.iter().copied().filter(|name| !name.is_empty()).collect();
            let finding = RULE
                .finding(format!("{kind} `{name}` asks for port `{port}`, which no {of} has"))
                .because("nothing is measured there")
                .at(monitor.spot_at(&format!("spec.{field}[{at}].port")));
            match (landfall_diag::nearest(port, known.iter().copied()), known.is_empty()) {
                (Some(near), _) => finding.help(format!("did you mean `{near}`?")),
                (None, true) => finding.help(format!("give the {of}'s port a name")),
                (None, false) => finding.help(format!("the ports are called {}", known.join(", "))),
            }
        })
        .collect()
}

/// The monitor's selector; none where it takes everything, or chooses otherwise than by labels.
fn selector(monitor: &Desired) -> Option<&Value> {
    monitor.object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))
}

/// The labels that a selector asks for and that none of those here bears.
fn unborne(selector: &Value, beside: &[Option<&Map<String, Value>>]) -> Vec<String> {
    let bears = |labels: &&Map<String, Value>, name: &str, value: &Value| labels.get(name) == Some(value);
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    wanted
        .filter(|(name, value)| !beside.iter().flatten().any(|labels| bears(labels, name, value)))
        .filter_map(|(name, value)| Some(format!("`{name}: {}`", value.as_str()?)))
        .collect()
}

/// Whether a Service of the monitor's own release bears the labels that it asks for, and one of two values is the
/// other one with something in front or behind: `web`, where the Service has `shop-web`.
fn is_nearly_its_own(subject: &Subject<'_>, monitor: &Desired, selector: &Value) -> bool {
    let Some(wanted) = selector["matchLabels"].as_object().filter(|it| !it.is_empty()) else { return false };
    let is_longer = |one: &str, other: &str| {
        !other.is_empty()
            && (one.strip_prefix(other).is_some_and(|rest| rest.starts_with('-'))
                || one.strip_suffix(other).is_some_and(|rest| rest.ends_with('-')))
    };
    let is_near = |labels: &Map<String, Value>, name: &str, value: &Value| {
        let (Some(own), Some(value)) = (labels.get(name).and_then(Value::as_str), value.as_str()) else { return false };
        own == value || is_longer(own, value) || is_longer(value, own)
    };
    let own = subject.of_kind("", "Service").filter(|it| it.unit == monitor.unit);
    own.filter(|it| reaches(monitor, it.object.namespace()))
        .filter_map(|it| it.object.labels())
        .any(|labels| wanted.iter().all(|(name, value)| is_near(labels, name, value)))
}

/// Labels that stand beside `matchLabels`, where nobody reads them.
fn beside_match_labels(monitor: &Desired) -> Option<Finding> {
    let selector = monitor.object.at("/spec/selector")?.as_object()?;
    let is_known = |key: &str| matches!(key, "matchLabels" | "matchExpressions");
    let lost: Vec<String> = selector
        .iter()
        .filter(|(key, value)| !is_known(key) && value.is_string())
        .map(|(key, _)| format!("`{key}`"))
        .collect();
    let is_empty = selector.get("matchLabels").is_none_or(|it| it.as_object().is_none_or(Map::is_empty));
    (!lost.is_empty() && is_empty).then(|| {
        RULE.finding(format!(
            "{} `{}` has {} beside `matchLabels`, not below it",
            monitor.object.kind(),
            monitor.object.name(),
            lost.join(", ")
        ))
        .because("the labels are dropped, and a selector without labels takes whatever is there")
        .help("indent them below `matchLabels`")
        .at(monitor.spot_at("spec.selector"))
    })
}

/// Whether labels are those of a selector but for some that they do not have at all.
fn lacks_a_label(selector: &Value, labels: Option<&Map<String, Value>>) -> bool {
    let (Some(wanted), Some(labels)) = (selector["matchLabels"].as_object(), labels) else { return false };
    let alike = wanted.iter().filter(|(name, value)| labels.get(*name) == Some(*value)).count();
    alike > 1 && wanted.iter().all(|(name, value)| labels.get(name).is_none_or(|it| it == value))
}

/// Whether it measures what every cluster has by itself, of one that has not been read: the API's own Service, and what
/// runs beside it.
fn is_clusters_own(subject: &Subject<'_>, monitor: &Desired, selector: &Value) -> bool {
    let of_the_api = serde_json::json!({"component": "apiserver", "provider": "kubernetes"});
    subject.cluster.known == Known::Assumed
        && (reaches(monitor, Some("kube-system")) || selects(selector, of_the_api.as_object()))
}

/// Whether a monitor looks into a namespace.
fn reaches(monitor: &Desired, namespace: Option<&str>) -> bool {
    let chosen = monitor.object.at("/spec/namespaceSelector");
    if chosen.is_some_and(|it| it["any"] == true) {
        return true;
    }
    match chosen.and_then(|it| it["matchNames"].as_array()).filter(|names| !names.is_empty()) {
        Some(names) => names.iter().any(|it| it.as_str() == namespace),
        None => monitor.object.namespace() == namespace,
    }
}

/// Whether the unit holds resources of somebody's own kinds, whose operator may make what is measured.
fn operated(subject: &Subject<'_>, monitor: &Desired) -> bool {
    subject.objects().filter(|it| it.unit == monitor.unit).any(|it| may_run_pods(it.object.group()))
}
