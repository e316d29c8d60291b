//! One address as a pod sees it: reachable, refused, or its name unknown.

use std::net::IpAddr;

use landfall_diag::Severity;
use landfall_object::Object;
use landfall_object::network_policy::{Direction, End, Passage, PodEnd, PortAsked, passage};
use landfall_rules::place::OUTSIDE;
use landfall_rules::{Inventory, selects};
use serde::Serialize;
use serde_json::Value;

use crate::{Area, Observation};

/// Whether an address was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// Something listens there.
    Reachable(String),
    /// The machine is there, and nothing listens.
    Refused(String),
    /// The name leads nowhere.
    NameUnknown(String),
    /// Something on the way lets nothing through.
    Blocked(String),
    /// It could not be tried.
    NotTried(String),
}

impl Reached {
    /// What is said of it.
    pub fn observation(&self, address: &str) -> Observation {
        let wrong = |seen: String, cause: &str| {
            Observation::wrong(Area::Reach, &OUTSIDE, Severity::Error, address, seen, cause)
        };
        match self {
            Reached::Reachable(how) => Observation::fine(Area::Reach, address, format!("reachable{how}")),
            Reached::Refused(how) => {
                wrong(format!("refused{how}"), "the machine is there, and nothing listens at that port")
            }
            Reached::NameUnknown(how) => wrong(format!("name unknown{how}"), "the pod's resolver knows no such name"),
            Reached::Blocked(how) => wrong(format!("no answer{how}"), "something on the way lets nothing through"),
            Reached::NotTried(why) => Observation::not_checked(Area::Reach, address, why.as_str()),
        }
    }
}

/// What a pod's shell is asked to run: the first of the tools that it has tries the port, and says it in one word.
pub fn reach_script(host: &str, port: u16) -> Vec<String> {
    // Host and port are arguments: no letter of theirs is read by the shell.
    let script = "h=$1; p=$2; \
        if command -v getent >/dev/null 2>&1; then getent hosts \"$h\" >/dev/null 2>&1 || { echo unknown; exit 0; }; \
        elif command -v nslookup >/dev/null 2>&1; then nslookup \"$h\" >/dev/null 2>&1 || { echo unknown; exit 0; }; fi; \
        if command -v nc >/dev/null 2>&1; then out=$(nc -z -w 3 \"$h\" \"$p\" 2>&1); code=$?; \
        elif command -v bash >/dev/null 2>&1; then out=$(timeout 3 bash -c 'exec 3<>\"/dev/tcp/$0/$1\"' \"$h\" \"$p\" 2>&1); code=$?; \
        else echo notool; exit 0; fi; \
        [ $code -eq 0 ] && { echo open; exit 0; }; \
        case \"$out\" in *esolve*|*unknown*|*\"bad address\"*|*\"not known\"*) echo unknown;; *efused*) echo refused;; \
        *) [ $code -eq 124 ] && echo blocked || echo \"failed $code $out\";; esac";
    let words = ["sh", "-c", script, "sh", host];
    words.into_iter().map(str::to_owned).chain([port.to_string()]).collect()
}

/// What the script said.
pub fn reached(output: &str, from: &str) -> Reached {
    let how = format!(", from {from}");
    let word = output.trim();
    match word.split_whitespace().next() {
        Some("open") => Reached::Reachable(how),
        Some("refused") => Reached::Refused(how),
        Some("unknown") => Reached::NameUnknown(how),
        Some("blocked") => Reached::Blocked(how),
        Some("notool") => Reached::NotTried(format!("{from} has no tool to try it with (nc, bash)")),
        // netcats that say nothing end with 1 for a refusal.
        Some("failed") if word == "failed 1" => Reached::Refused(how),
        _ => Reached::NotTried(format!("{from} says: {word}")),
    }
}

/// The same as far as objects say it, where pods are simulated; none when the name is no Service's.
///
/// Looks at the Service, its ports, the pods behind it, and the NetworkPolicies of both ends.
pub fn simulated_reach(live: &Inventory, from: &Object, host: &str, port: u16) -> Option<Reached> {
    let namespace = from.namespace().unwrap_or("default");
    let host = host.trim_end_matches('.');
    // Every pod resolves it, as itself; what listens in a simulated one, or on this machine, says nothing of that.
    if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
        let why = format!("not simulated: in a pod `{host}` is the pod, and nothing listens in one that is simulated");
        return Some(Reached::NotTried(why));
    }
    let parts: Vec<&str> = host.split('.').collect();
    let (name, of) = match parts.as_slice() {
        [name] => (*name, namespace),
        [name, of] | [name, of, "svc", ..] => (*name, *of),
        _ => return None,
    };
    let how = |more: &str| format!(", from pod {} (simulated{more})", from.name());
    let Some(service) = live.get("", "Service", Some(of), name) else {
        // A name with dots may be anybody's.
        let is_ours = parts.len() == 1 || host.contains(".svc") || live.get("", "Namespace", None, of).is_some();
        return is_ours.then(|| Reached::NameUnknown(how("")));
    };
    let Some(declared) = service.list_at("/spec/ports").iter().find(|it| it["port"].as_u64() == Some(u64::from(port)))
    else {
        let known: Vec<String> = service.list_at("/spec/ports").iter().map(|it| it["port"].to_string()).collect();
        return Some(Reached::Refused(how(&format!(": Service {name} has {}", known.join(", ")))));
    };
    let selector = service.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
    let behind: Vec<&Object> = live
        .of_kind("", "Pod")
        .filter(|pod| pod.namespace() == Some(of) && selector.is_some_and(|selector| selects(selector, pod.labels())))
        .collect();
    let is_ready = |pod: &&&Object| {
        let conditions = pod.list_at("/status/conditions");
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    let Some(target) = behind.iter().find(is_ready) else {
        return Some(Reached::Refused(how(&format!(": no ready pod behind Service {name}"))));
    };
    let number = target_port(target, declared).unwrap_or(port);
    let (own, other) = (end(live, from), end(live, target));
    let asked = PortAsked { number, protocol: declared["protocol"].as_str().unwrap_or("TCP") };
    let policies = live.of_kind("networking.k8s.io", "NetworkPolicy");
    Some(match passage(policies, &End::Pod(own), &End::Pod(other), asked) {
        Passage::Open => Reached::Reachable(how("")),
        Passage::Allowed(by) => Reached::Reachable(how(&format!(", let through by {}", by.join(", ")))),
        Passage::Blocked { direction, by } => {
            let way = if direction == Direction::Egress { "out" } else { "in" };
            Reached::Blocked(how(&format!(": not let {way} by NetworkPolicy {}", by.join(", "))))
        }
    })
}

fn end<'a>(live: &'a Inventory, pod: &'a Object) -> PodEnd<'a> {
    let namespace = pod.namespace().unwrap_or("default");
    PodEnd {
        namespace,
        namespace_labels: live.get("", "Namespace", None, namespace).and_then(Object::labels),
        labels: pod.labels(),
        containers: pod.list_at("/spec/containers"),
    }
}

/// The port on the pod that a Service's port leads to.
fn target_port(pod: &Object, declared: &Value) -> Option<u16> {
    match declared.get("targetPort") {
        Some(Value::String(name)) => pod
            .list_at("/spec/containers")
            .iter()
            .flat_map(|container| container["ports"].as_array().into_iter().flatten())
            .find(|port| port["name"].as_str() == Some(name))
            .and_then(|port| port["containerPort"].as_u64()?.try_into().ok()),
        Some(number) => number.as_u64()?.try_into().ok(),
        None => declared["port"].as_u64()?.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::State;

    fn place(policy: bool) -> (Inventory, Object) {
        let object = |value| Object::from_value(value).expect("a map");
        let pod = |name: &str, labels: Value| {
            object(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": labels},
                "spec": {"containers": [{"name": "c", "ports": [{"name": "redis", "containerPort": 6379}]}]},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            )
        };
        let mut all = vec![
            object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})),
            object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cache", "namespace": "shop"},
                "spec": {"selector": {"app": "cache"}, "ports": [{"port": 6379, "targetPort": "redis"}]}})),
            pod("cache-0", json!({"app": "cache"})),
        ];
        if policy {
            all.push(object(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": "cache", "namespace": "shop"},
                "spec": {"podSelector": {"matchLabels": {"app": "cache"}}, "policyTypes": ["Ingress"],
                    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 6379}]}]}})));
        }
        (all.into_iter().collect(), pod("web-0", json!({"app": "web"})))
    }

    #[test]
    fn lp_012_reachable_refused_and_unknown_are_three_answers() {
        let (live, web) = place(false);
        let seen = |host: &str, port: u16| simulated_reach(&live, &web, host, port).map(|it| it.observation(host));
        let fine = seen("cache", 6379).expect("a Service");
        assert_eq!(fine.state, State::Fine);
        assert!(fine.seen.starts_with("reachable") && fine.seen.contains("simulated"), "{fine:?}");
        assert!(seen("cache.shop.svc", 80).is_some_and(|it| it.seen.starts_with("refused")));
        assert!(seen("cash", 6379).is_some_and(|it| it.seen.starts_with("name unknown")));
        for own in ["localhost", "127.0.0.1", "::1"] {
            assert!(seen(own, 80).is_some_and(|it| it.state == State::NotChecked), "{own} is the pod itself");
        }
        assert_eq!(seen("host.k3d.internal", 9000), None, "what is no Service is asked elsewhere");
        for (said, word) in [
            ("open\n", "reachable"),
            ("refused\n", "refused"),
            ("unknown\n", "name unknown"),
            ("failed 1 \n", "refused"),
        ] {
            assert!(reached(said, "pod web-0").observation("h").seen.starts_with(word), "{said}");
        }
        assert_eq!(reached("notool\n", "pod web-0").observation("h").state, State::NotChecked);
    }

    #[test]
    fn policies_of_both_ends_are_asked() {
        let (live, web) = place(true);
        let seen = simulated_reach(&live, &web, "cache", 6379).expect("a Service").observation("cache:6379");
        assert!(seen.seen.contains("not let in by NetworkPolicy shop/cache"), "{seen:?}");
    }

    #[test]
    fn what_is_asked_is_no_word_of_the_script() {
        let argv = reach_script("h; rm -rf /", 80);
        assert_eq!(&argv[3..], ["sh", "h; rm -rf /", "80"]);
        assert!(!argv[2].contains("rm -rf"));
    }
}
