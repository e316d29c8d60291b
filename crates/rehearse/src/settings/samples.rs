//! What charts conventionally leave empty, and what stands there where somebody uses it.
//!
//! The names are those of `helm create` and of charts at large; what they take is a field of Kubernetes' own, so that one value
//! is right wherever the name is used as everybody uses it.

use serde_json::{Value, json};

/// The key of what is tried as an annotation, and as nothing else.
pub(super) const NOTED: &str = "example.com/probe-noted";

/// A value for a key whose own is empty; none where the name says nothing of what it takes.
pub(super) fn sample(key: &str, own: Empty) -> Option<Value> {
    let name = key.to_ascii_lowercase();
    let of = |shape: Empty, value: Value| (own == shape || own == Empty::Null).then_some(value);
    let ends = |ending: &str| name.ends_with(ending);
    match name.as_str() {
        _ if ends("annotations") => of(Empty::Map, json!({"example.com/other": "true", NOTED: "probe"})),
        _ if ends("labels") || ends("nodeselector") => {
            of(Empty::Map, json!({"example.com/other": "true", "example.com/probe": "probe"}))
        }
        _ if ends("securitycontext") => of(Empty::Map, json!({"runAsNonRoot": true, "runAsUser": 1000})),
        "resources" => {
            of(Empty::Map, json!({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}))
        }
        _ if ends("utilizationpercentage") => (own != Empty::Map && own != Empty::List).then(|| json!(80)),
        "extraobjects" | "additionalobjects" | "extramanifests" | "additionalmanifests" | "extradeploy" => {
            of(Empty::List, json!([definition("probe-one"), definition("probe-two")]))
        }
        // Lists of names; where objects stand in them, a template that reads their fields says so and is not told.
        "secrets" | "configmaps" => (own == Empty::List).then(|| json!(["probe"])),
        "affinity" => of(Empty::Map, affinity()),
        "relabelings" | "metricrelabelings" | "relabelconfigs" | "metricrelabelconfigs" => of(
            Empty::List,
            json!([{"action": "labeldrop", "regex": "probe"}, {"action": "labeldrop", "regex": "other"}]),
        ),
        "tlsconfig" => of(Empty::Map, json!({"insecureSkipVerify": true, "serverName": "probe.example.com"})),
        "httpheaders" => {
            of(Empty::List, json!([{"name": "X-Other", "value": "other"}, {"name": "X-Probe", "value": "probe"}]))
        }
        "lifecycle" => of(
            Empty::Map,
            json!({"postStart": {"exec": {"command": ["/probe"]}}, "preStop": {"exec": {"command": ["/probe"]}}}),
        ),
        "dnsconfig" => {
            of(Empty::Map, json!({"options": [{"name": "ndots", "value": "2"}], "searches": ["probe.example.com"]}))
        }
        "hostnames" => of(Empty::List, json!(["probe.example.com", "other.example.com"])),
        _ if ends("tolerations") => of(
            Empty::List,
            json!([
                {"key": "example.com/probe", "operator": "Exists"},
                {"key": "example.com/other", "operator": "Exists"},
            ]),
        ),
        _ if ends("pullsecrets") => of(Empty::List, json!([{"name": "probe"}, {"name": "other"}])),
        "env" | "extraenv" | "extraenvs" | "extraenvvars" | "envvars" | "environment" => match own {
            // A text that reads as a number stays a text where a template quotes it.
            Empty::Map => Some(json!({"OTHER": "8080", "PROBE": "probe"})),
            _ => of(Empty::List, json!([{"name": "PROBE", "value": "probe"}, {"name": "OTHER", "value": "8080"}])),
        },
        "envfrom" | "extraenvfrom" => of(Empty::List, json!([{"configMapRef": {"name": "probe"}}])),
        "volumes" | "extravolumes" | "additionalvolumes" => {
            of(Empty::List, json!([{"name": "probe", "emptyDir": {}}, {"name": "other", "emptyDir": {}}]))
        }
        "initcontainers" | "extrainitcontainers" | "extracontainers" | "sidecars" | "sidecarcontainers" => {
            let one = |name: &str| json!({"name": name, "image": "example.com/probe:1"});
            of(Empty::List, json!([one("probe"), one("other")]))
        }
        "topologyspreadconstraints" => of(
            Empty::List,
            json!([{
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": "probe"}},
            }]),
        ),
        // What is a number wherever it is called so.
        "revisionhistorylimit"
        | "terminationgraceperiodseconds"
        | "backofflimit"
        | "progressdeadlineseconds"
        | "activedeadlineseconds"
        | "ttlsecondsafterfinished" => (own == Empty::Null || own == Empty::Text).then(|| json!(600)),
        // Shorter than what a Deployment has to be done in by itself: 600 seconds.
        "minreadyseconds" => (own == Empty::Null || own == Empty::Text).then(|| json!(10)),
        "externalips" => of(Empty::List, json!(["192.0.2.1"])),
        "updatestrategy" | "deploymentstrategy" => of(Empty::Map, json!({"type": "RollingUpdate"})),
        "hostaliases" => of(Empty::List, json!([{"ip": "192.0.2.1", "hostnames": ["probe.example.com"]}])),
        "args" | "extraargs" => of(Empty::List, json!(["--probe"])),
        "command" => of(Empty::List, json!(["/probe"])),
        "priorityclassname" | "schedulername" | "runtimeclassname" | "ingressclassname" => {
            (own == Empty::Text).then(|| json!("probe"))
        }
        "existingsecret" | "existingclaim" | "existingconfigmap" | "nameoverride" | "fullnameoverride" => {
            of(Empty::Text, json!("probe"))
        }
        // Which of a node's ports are free is the cluster's business.
        _ if ends("nodeport") || ends("hostport") => None,
        _ if is_a_port(key) => of(Empty::Text, json!(8080)),
        "storageclass" | "storageclassname" => of(Empty::Text, json!("probe")),
        "loadbalancerip" => (own == Empty::Text).then(|| json!("192.0.2.1")),
        "loadbalancersourceranges" => of(Empty::List, json!(["192.0.2.0/24"])),
        _ => None,
    }
}

/// Whether a key is called a port: `port`, `servicePort`, `http_port`, and neither `import` nor `report`.
fn is_a_port(key: &str) -> bool {
    key == "port" || key.ends_with("Port") || key.ends_with("_port") || key.ends_with("-port")
}

/// The other ways in which charts have the same written: variables as a list, as a table of texts, or as a table of what a
/// variable has beside its name (`PROBE: {value: probe}`); Secrets as a list of names, or as one name. A values file that says
/// nothing, or `{}`, leaves it open.
pub(super) fn otherwise(key: &str, own: Empty) -> Vec<Value> {
    let name = key.to_ascii_lowercase();
    if name.ends_with("pullsecrets") {
        return match own {
            Empty::List => vec![json!(["probe", "other"])],
            Empty::Null => vec![json!(["probe", "other"]), json!("probe")],
            Empty::Map | Empty::Text => Vec::new(),
        };
    }
    if !matches!(&*name, "env" | "extraenv" | "extraenvs" | "extraenvvars" | "envvars" | "environment") {
        return Vec::new();
    }
    let (texts, tables) = (json!({"PROBE": "probe"}), json!({"PROBE": {"value": "probe"}}));
    match own {
        Empty::Map => vec![tables],
        Empty::Null => vec![texts, tables],
        Empty::List | Empty::Text => Vec::new(),
    }
}

/// What stands in a values file where nothing is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// `{}`
    Map,
    /// `[]`
    List,
    /// `""`
    Text,
    /// `null`, or nothing at all.
    Null,
}

/// The mounts that go with a list of volumes of that name, by the volumes' key.
pub(super) const MOUNTS: [(&str, &str); 3] = [
    ("volumes", "volumeMounts"),
    ("extraVolumes", "extraVolumeMounts"),
    ("additionalVolumes", "additionalVolumeMounts"),
];

/// A mount of the volume of [`sample`].
pub(super) fn mount() -> Value {
    json!([{"name": "probe", "mountPath": "/probe"}])
}

/// Two keys of a table that are anybody's, in the order in which they are printed.
pub(super) const ANYTHING: (&str, &str) = ("probeOne", "probeTwo");

/// Anything for a key whose name says nothing of what it takes: two of it, where it may be two.
pub(super) fn any(own: Empty) -> Option<Value> {
    match own {
        Empty::Map => Some(json!({ANYTHING.0: "probe", ANYTHING.1: "probe"})),
        Empty::List => Some(json!([ANYTHING.0, ANYTHING.1])),
        Empty::Text | Empty::Null => None,
    }
}

fn definition(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"probe": "probe"}})
}

fn affinity() -> Value {
    let term = json!({"matchExpressions": [{"key": "example.com/probe", "operator": "Exists"}]});
    json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}]}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_ready_before_their_deployment_has_to_be_done() {
        let seconds = |key: &str| sample(key, Empty::Null).and_then(|it| it.as_u64());
        assert!(seconds("minReadySeconds") < seconds("progressDeadlineSeconds").min(Some(600)));
        assert!(seconds("minReadySeconds").is_some());
    }
}
