use serde_json::{Value, json};

use super::super::fields::{annotation, condition, count, list, text, truth};
use super::{ControlPlane, Stage, deployment};
use crate::operators::standing::Operators;

fn pod(name: &str, spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][key] = value.clone();
    }
    pod
}

#[test]
fn lp_045_missing_key_keeps_the_container_from_starting() {
    let mut stage = Stage::plain();
    let env = |key: &str| {
        json!([{"name": "c", "image": "nginx:1", "env": [
        {"name": "X", "valueFrom": {"secretKeyRef": {"name": "keys", "key": key}}}]}])
    };
    stage.create("pods", pod("p", json!({"containers": env("TOKEN")})));
    stage.rest();
    let waiting = |stage: &Stage| {
        let pod = stage.find("pods", "p");
        let state = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
        format!("{} {}", text(state, "/reason"), text(state, "/message"))
    };
    assert_eq!(waiting(&stage), "CreateContainerConfigError secret \"keys\" not found");
    stage.create("secrets", json!({"metadata": {"name": "keys"}, "data": {"OTHER": "eA=="}}));
    stage.rest();
    assert_eq!(waiting(&stage), "CreateContainerConfigError couldn't find key TOKEN in Secret shop/keys");
    stage.change("secrets", "keys", |s| s["data"]["TOKEN"] = json!("eA=="));
    stage.rest();
    assert_eq!(text(&stage.find("pods", "p"), "/status/phase"), "Running");
}

#[test]
fn a_pod_that_fits_nowhere_says_why() {
    let mut stage = Stage::plain();
    let containers = json!([{"name": "c", "image": "nginx:1", "resources": {"requests": {"memory": "9Gi"}}}]);
    stage.create("pods", pod("big", json!({"containers": containers})));
    stage.create("pods", pod("picky", json!({"nodeSelector": {"disk": "ssd"}})));
    stage.rest();
    let why =
        |name: &str| text(condition(&stage.find("pods", name), "PodScheduled").expect("set"), "/message").to_owned();
    assert_eq!(
        why("big"),
        "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: \
         0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
    assert_eq!(
        why("picky"),
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, \
         preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
}

#[test]
fn a_pod_of_another_scheduler_is_left_to_it_unless_nobody_else_is_there() {
    let node_under = |operators| {
        let mut stage = Stage::new(ControlPlane { operators, ..ControlPlane::default() });
        stage.create("pods", pod("p", json!({"schedulerName": "volcano"})));
        stage.rest();
        text(&stage.find("pods", "p"), "/spec/nodeName").to_owned()
    };
    assert_eq!(node_under(Operators::UntilReal), "");
    assert_ne!(node_under(Operators::Alone), "");
}

#[test]
fn a_crashing_container_backs_off_longer_and_longer() {
    let mut stage = Stage::with(json!({}), &["deployment/web=crashloop"]);
    stage.create("deployments.apps", deployment("web", 1));
    stage.pass(5);
    let state = |stage: &Stage| stage.list("pods")[0]["status"]["containerStatuses"][0].clone();
    let now = state(&stage);
    assert_eq!(count(&now, "/restartCount"), 1, "{now:#}");
    assert_eq!(text(&now, "/state/waiting/reason"), "CrashLoopBackOff");
    assert!(text(&now, "/state/waiting/message").starts_with("back-off 10s restarting failed container=web pod=web-"));
    stage.pass(60);
    assert_eq!(count(&state(&stage), "/restartCount"), 3);
    stage.pass(3600);
    assert!(count(&state(&stage), "/restartCount") < 20);
    assert!(text(&state(&stage), "/state/waiting/message").starts_with("back-off 5m0s"));
}

#[test]
fn a_crashing_container_is_never_taken_for_ready() {
    for fault in ["deployment/web=crashloop", "deployment/web=oom"] {
        let mut stage = Stage::with(json!({}), &[fault]);
        let before = stage.world.version();
        stage.create("deployments.apps", deployment("web", 2));
        stage.pass(700);
        for event in stage.world.events_since(before).expect("kept") {
            assert_eq!(count(&event.object, "/status/availableReplicas"), 0, "{fault}");
        }
        let web = stage.find("deployments.apps", "web");
        let progressing = condition(&web, "Progressing").expect("set");
        assert_eq!(text(progressing, "/reason"), "ProgressDeadlineExceeded");
    }
}

#[test]
fn an_image_that_cannot_be_pulled_is_tried_again() {
    let mut stage = Stage::with(json!({}), &["deployment/web=imagepull"]);
    stage.create("deployments.apps", deployment("web", 1));
    stage.rest();
    let reason =
        |stage: &Stage| text(&stage.list("pods")[0], "/status/containerStatuses/0/state/waiting/reason").to_owned();
    assert_eq!(reason(&stage), "ImagePullBackOff");
    let pod = stage.names("pods")[0].clone();
    let events = stage.events(&pod);
    assert!(events.iter().any(|e| e == "Failed Error: ErrImagePull"), "{events:#?}");
    assert!(events.iter().any(|e| e == "BackOff Back-off pulling image \"nginx:1\""), "{events:#?}");
}

#[test]
fn probes_are_answered_by_what_is_declared() {
    let mut stage = Stage::with(json!({"web": {"http": [{"path": "/health", "json": {}}], "start": "25s"}}), &[]);
    let mut web = deployment("web", 1);
    web["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/health", "port": 80}, "initialDelaySeconds": 5, "periodSeconds": 10});
    stage.create("deployments.apps", web);
    stage.pass(24);
    let ready = |stage: &Stage| truth(&stage.list("pods")[0], "/status/containerStatuses/0/ready");
    assert!(!ready(&stage));
    stage.pass(2);
    assert!(ready(&stage));
    let pod = stage.list("pods")[0].clone();
    assert_eq!(annotation(&pod, landfall_object::SIMULATED), Some("containers"));
    assert!(stage.events(pod.name()).iter().any(|e| e.contains("connect: connection refused")));
}

#[test]
fn an_undeclared_probe_passes_and_the_pod_says_so() {
    let mut stage = Stage::plain();
    let mut web = deployment("web", 1);
    web["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/health", "port": 80}, "initialDelaySeconds": 20});
    stage.create("deployments.apps", web);
    stage.pass(19);
    assert!(!truth(&stage.list("pods")[0], "/status/containerStatuses/0/ready"));
    stage.pass(1);
    let pod = stage.list("pods")[0].clone();
    assert!(truth(&pod, "/status/containerStatuses/0/ready"));
    assert_eq!(annotation(&pod, landfall_object::SIMULATED), Some("containers; assumed: web readiness GET :80/health"));
}

#[test]
fn a_failing_liveness_probe_restarts_the_container() {
    let mut stage = Stage::with(json!({"web": {"http": [{"path": "/live", "status": 500}]}}), &[]);
    let mut web = deployment("web", 1);
    web["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] =
        json!({"httpGet": {"path": "/live", "port": 80}});
    stage.create("deployments.apps", web);
    stage.pass(45);
    let pod = stage.list("pods")[0].clone();
    assert!(count(&pod, "/status/containerStatuses/0/restartCount") >= 1, "{:#}", pod.value());
    let events = stage.events(pod.name());
    assert!(events.contains(&"Killing Container web failed liveness probe, will be restarted".to_owned()));
    assert!(events.contains(&"Unhealthy Liveness probe failed: HTTP probe failed with statuscode: 500".to_owned()));
}

#[test]
fn init_containers_run_one_by_one_before_the_others() {
    let mut stage = Stage::with(json!({"second": {"runs": "5s"}}), &[]);
    let init = json!([{"name": "first", "image": "a:1"}, {"name": "second", "image": "b:1"}]);
    stage.create("pods", pod("p", json!({"initContainers": init})));
    stage.pass(4);
    let now = stage.find("pods", "p");
    assert_eq!(text(&now, "/status/initContainerStatuses/0/state/terminated/reason"), "Completed");
    assert!(now.pointer("/status/initContainerStatuses/1/state/running").is_some());
    assert_eq!(text(&now, "/status/containerStatuses/0/state/waiting/reason"), "PodInitializing");
    stage.pass(2);
    let now = stage.find("pods", "p");
    assert_eq!(text(&now, "/status/phase"), "Running");
    assert_eq!(list(&now, "/status/conditions").len(), 5);
}

#[test]
fn an_unready_fault_keeps_a_pod_out_of_its_service() {
    let mut stage = Stage::with(json!({}), &["deployment/web=unready"]);
    stage.create(
        "services",
        json!({"metadata": {"name": "web"}, "spec": {
        "selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    );
    stage.create("deployments.apps", deployment("web", 1));
    stage.pass(60);
    let endpoints = stage.find("endpoints", "web");
    assert!(endpoints.pointer("/subsets/0/notReadyAddresses/0").is_some());
    assert!(endpoints.pointer("/subsets/0/addresses").is_none());
    let slice = &stage.list("endpointslices.discovery.k8s.io")[0];
    assert!(!truth(slice, "/endpoints/0/conditions/ready"));
}

#[test]
fn a_namespace_is_furnished_and_emptied() {
    let mut stage = Stage::plain();
    assert!(stage.world.find("serviceaccounts", "shop", "default").is_some());
    stage.create("deployments.apps", deployment("web", 2));
    stage.create("configmaps", json!({"metadata": {"name": "c", "finalizers": ["example.com/hold"]}}));
    stage.rest();
    stage.delete("namespaces", "", "shop");
    stage.pass(60);
    let held = stage.find("namespaces", "shop");
    let remaining = condition(&held, "NamespaceFinalizersRemaining").expect("set");
    assert!(text(remaining, "/message").contains("example.com/hold in 1 resource instances"));
    stage.change("configmaps", "c", |c| c["metadata"]["finalizers"] = json!([]));
    stage.pass(60);
    assert!(stage.world.find("namespaces", "", "shop").is_none());
}

#[test]
fn events_are_kept_for_an_hour() {
    let mut stage = Stage::plain();
    stage.create("pods", pod("p", json!({})));
    stage.rest();
    assert!(!stage.events("p").is_empty());
    stage.pass(3000);
    stage.create("configmaps", json!({"metadata": {"name": "a"}}));
    stage.rest();
    assert!(!stage.events("p").is_empty());
    stage.pass(1300);
    stage.create("configmaps", json!({"metadata": {"name": "b"}}));
    stage.rest();
    assert!(stage.events("p").is_empty());
}

#[test]
fn a_pod_ends_at_its_own_deadline() {
    let mut stage = Stage::plain();
    stage.create("pods", pod("p", json!({"activeDeadlineSeconds": 30})));
    stage.pass(29);
    assert_eq!(text(&stage.find("pods", "p"), "/status/phase"), "Running");
    stage.pass(2);
    let ended = stage.find("pods", "p");
    assert_eq!(text(&ended, "/status/phase"), "Failed");
    assert_eq!(text(&ended, "/status/reason"), "DeadlineExceeded");
    assert!(ended.pointer("/status/containerStatuses/0/state/terminated").is_some());
}

#[test]
fn endpoints_that_a_person_wrote_stay_without_a_service() {
    let mut stage = Stage::plain();
    let subsets = json!([{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]);
    stage.create("endpoints", json!({"metadata": {"name": "outside"}, "subsets": subsets}));
    stage.rest();
    assert_eq!(stage.names("endpoints"), ["outside"]);
}

#[test]
fn a_pod_of_a_node_that_is_not_there_waits_and_goes() {
    let mut stage = Stage::plain();
    stage.create("pods", pod("lost", json!({"nodeName": "nope"})));
    stage.pass(39);
    let lost = stage.find("pods", "lost");
    assert_eq!(text(&lost, "/status/phase"), "Pending");
    assert!(list(&lost, "/status/containerStatuses").is_empty());
    stage.pass(2);
    assert!(stage.names("pods").is_empty());

    stage.create("pods", pod("early", json!({"nodeName": "late"})));
    stage.pass(30);
    stage.create("nodes", json!({"metadata": {"name": "late", "annotations": {(landfall_object::SIMULATED): "true"}}}));
    stage.pass(30);
    assert_eq!(text(&stage.find("pods", "early"), "/status/phase"), "Running");
}

/// Whoever registers a node runs what is on it; the simulated kubelet would be in its way.
#[test]
fn a_node_of_a_strangers_is_ready_when_its_own_agent_says_so() {
    let mut stage = Stage::plain();
    stage.create("nodes", json!({"metadata": {"name": "theirs"}}));
    stage.create("pods", pod("bound", json!({"nodeName": "theirs"})));
    stage.create("pods", pod("choosy", json!({"nodeSelector": {"own": "yes"}})));
    stage.change("nodes", "theirs", |node| node["metadata"]["labels"]["own"] = json!("yes"));
    stage.pass(120);
    let theirs = stage.find("nodes", "theirs");
    assert!(condition(&theirs, "Ready").is_none(), "{:#}", theirs.value());
    assert_eq!(theirs["spec"]["taints"][0]["key"], "node.kubernetes.io/not-ready");
    assert!(text(&stage.find("pods", "choosy"), "/spec/nodeName").is_empty());
    let reference =
        landfall_apiserver::ObjectRef { resource: "nodes".into(), namespace: String::new(), name: "theirs".into() };
    let posts = |node: &mut Value| {
        node["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady"}]);
        node["status"]["allocatable"] = json!({"cpu": "1", "memory": "1Gi", "pods": "10"});
    };
    stage.world.modify(&stage.actor, &reference, landfall_apiserver::Part::Status, posts).expect("a status");
    stage.pass(120);
    assert!(stage.find("nodes", "theirs")["spec"]["taints"].is_null());
    assert_eq!(text(&stage.find("pods", "choosy"), "/spec/nodeName"), "theirs");
    for name in ["bound", "choosy"] {
        let pod = stage.find("pods", name);
        assert_eq!(text(&pod, "/status/phase"), "Pending", "{name}");
        assert!(list(&pod, "/status/containerStatuses").is_empty(), "{name}");
    }
}

#[test]
fn a_probe_of_a_port_that_is_not_there_is_thrown_away() {
    for (probe, ready) in [("readinessProbe", false), ("startupProbe", false), ("livenessProbe", true)] {
        let mut stage = Stage::plain();
        let mut web = deployment("web", 1);
        web["spec"]["template"]["spec"]["containers"][0][probe] =
            json!({"httpGet": {"path": "/up", "port": "http"}, "failureThreshold": 1, "periodSeconds": 1});
        stage.create("deployments.apps", web);
        stage.pass(120);
        let pod = stage.list("pods")[0].clone();
        let status = &pod["status"]["containerStatuses"][0];
        assert_eq!((truth(status, "/ready"), count(status, "/restartCount")), (ready, 0), "{probe}: {status:#}");
        let word = probe.trim_end_matches("Probe");
        let word = format!("{}{}", word[..1].to_uppercase(), &word[1..]);
        let told = format!(
            "Unhealthy {word} probe errored and resulted in unknown state: strconv.Atoi: parsing \"http\": invalid syntax"
        );
        assert!(stage.events(pod.name()).contains(&told), "{:#?}", stage.events(pod.name()));
        assert!(!annotation(&pod, landfall_object::SIMULATED).unwrap_or_default().contains(":?"));
    }
}

#[test]
fn a_hook_of_a_port_that_is_not_there_fails() {
    let hook = |name: &str| {
        let mut web = deployment("web", 1);
        web["spec"]["template"]["spec"]["containers"][0]["lifecycle"] =
            json!({name: {"httpGet": {"path": "/x", "port": "http"}}});
        web
    };
    let mut stage = Stage::plain();
    stage.create("deployments.apps", hook("postStart"));
    stage.pass(30);
    let pod = stage.list("pods")[0].clone();
    let status = &pod["status"]["containerStatuses"][0];
    assert!(count(status, "/restartCount") > 0 && !truth(status, "/ready"), "{status:#}");
    let events = stage.events(pod.name());
    assert!(events.contains(&"FailedPostStartHook PostStartHook failed".to_owned()), "{events:#?}");
    assert!(events.contains(&"Killing FailedPostStartHook".to_owned()), "{events:#?}");

    let mut stage = Stage::plain();
    stage.create("deployments.apps", hook("preStop"));
    stage.pass(5);
    let name = stage.names("pods")[0].clone();
    stage.delete("pods", "shop", &name);
    stage.pass(40);
    assert!(stage.events(&name).contains(&"FailedPreStopHook PreStopHook failed".to_owned()));
    assert!(!stage.names("pods").contains(&name));
}
