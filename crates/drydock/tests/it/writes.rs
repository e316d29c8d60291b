use http::Method;
use serde_json::json;

use crate::api::{Api, DEPLOYMENTS, MAPS, deployment, map};

#[tokio::test]
async fn what_is_created_is_read_changed_and_deleted() {
    let api = Api::open().await;
    let created = api.post(MAPS, map("a")).await.expect(201);
    assert_eq!(created["metadata"]["managedFields"][0]["manager"], "test");
    let path = format!("{MAPS}/a");
    assert_eq!(api.get(&path).await.expect(200), created);
    let mut changed = created.clone();
    changed["data"]["b"] = json!("2");
    let updated = api.put(&path, changed.clone()).await.expect(200);
    assert_ne!(updated["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
    api.put(&path, changed).await.refused(
        409,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
    );
    let gone = api.delete(&path).await.expect(200);
    assert_eq!(gone["status"], "Success");
    api.get(&path).await.refused(404, "configmaps \"a\" not found");
}

#[tokio::test]
async fn a_write_that_changes_nothing_writes_nothing() {
    let api = Api::open().await;
    let created = api.post(DEPLOYMENTS, deployment("d")).await.expect(201);
    let path = format!("{DEPLOYMENTS}/d");
    let same = api.patch("merge-patch+json", &path, json!({"spec": {"replicas": 2}})).await.expect(200);
    assert_eq!(same["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
    assert_eq!(same["metadata"]["generation"], 1);
    let scaled = api.patch("merge-patch+json", &path, json!({"spec": {"replicas": 3}})).await.expect(200);
    assert_eq!(scaled["metadata"]["generation"], 2);
}

#[tokio::test]
async fn a_dry_run_answers_and_keeps_nothing() {
    let api = Api::open().await;
    let answer = api.post(&format!("{MAPS}?dryRun=All"), map("a")).await.expect(201);
    assert!(answer["metadata"]["uid"].is_string());
    api.get(&format!("{MAPS}/a")).await.refused(404, "configmaps \"a\" not found");
    api.post(MAPS, map("a")).await.expect(201);
    let gone = api.send(Method::DELETE, &format!("{MAPS}/a?dryRun=All"), &[], "".into()).await.expect(200);
    assert_eq!(gone["status"], "Success");
    api.get(&format!("{MAPS}/a")).await.expect(200);
}

#[tokio::test]
async fn patches_of_each_kind_apply() {
    let api = Api::open().await;
    api.post(DEPLOYMENTS, deployment("d")).await.expect(201);
    let path = format!("{DEPLOYMENTS}/d");
    let env =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "X", "value": "1"}]}]}}}});
    let patched = api.patch("strategic-merge-patch+json", &path, env).await.expect(200);
    let container = &patched["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((container["image"].as_str(), container["env"][0]["name"].as_str()), (Some("nginx:1.27"), Some("X")));
    let replace = json!([{"op": "replace", "path": "/spec/replicas", "value": 5}]);
    assert_eq!(api.patch("json-patch+json", &path, replace).await.expect(200)["spec"]["replicas"], 5);
    let test = json!([{"op": "test", "path": "/spec/replicas", "value": 9}]);
    api.patch("json-patch+json", &path, test)
        .await
        .refused(422, "the server rejected our request due to an error in our request");
}

#[tokio::test]
async fn finalizers_hold_what_is_deleted() {
    let api = Api::open().await;
    let mut held = map("a");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    api.post(MAPS, held).await.expect(201);
    let path = format!("{MAPS}/a");
    let going = api.delete(&path).await.expect(200);
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    api.get(&path).await.expect(200);
    api.patch("merge-patch+json", &path, json!({"metadata": {"finalizers": null}})).await.expect(200);
    api.get(&path).await.refused(404, "configmaps \"a\" not found");
}

#[tokio::test]
async fn generated_names_are_made_by_the_server() {
    let api = Api::open().await;
    let mut base = map("");
    base["metadata"] = json!({"generateName": "job-"});
    let name = api.post(MAPS, base).await.expect(201)["metadata"]["name"].as_str().expect("a name").to_owned();
    assert!(name.starts_with("job-") && name.len() == 9, "{name}");
}

#[tokio::test]
async fn services_get_addresses_and_keep_them() {
    let api = Api::open().await;
    let services = "/api/v1/namespaces/default/services";
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]},
    });
    let created = api.post(services, service).await.expect(201);
    let address = created["spec"]["clusterIP"].as_str().expect("allocated").to_owned();
    assert!(address.starts_with("10.43."), "{address}");
    let port = created["spec"]["ports"][0]["nodePort"].as_u64().expect("allocated");
    assert!((30_000..=32_767).contains(&port));
    let patch = json!({"spec": {"selector": {"a": "c"}}});
    let patched = api.patch("merge-patch+json", &format!("{services}/web"), patch).await.expect(200);
    assert_eq!(patched["spec"]["clusterIP"], created["spec"]["clusterIP"]);
    assert_eq!(patched["spec"]["ports"][0]["nodePort"], port);
}

/// A typed client of Go writes the options of a deletion in the group and version of what it deletes.
#[tokio::test]
async fn options_of_a_deletion_as_protobuf_are_of_any_group() {
    let api = Api::open().await;
    api.post(DEPLOYMENTS, deployment("web")).await.expect(201);
    // `apps/v1 DeleteOptions` with `propagationPolicy: Foreground`.
    let body = b"k8s\0\x0a\x18\x0a\x07apps/v1\x12\x0dDeleteOptions\x12\x0c\x22\x0aForeground\x1a\0\x22\0";
    let headers = [("content-type", "application/vnd.kubernetes.protobuf")];
    let path = format!("{DEPLOYMENTS}/web");
    let going = api.send(Method::DELETE, &path, &headers, body.as_slice().to_vec().into()).await.expect(200);
    assert_eq!(going["metadata"]["finalizers"], json!(["foregroundDeletion"]));
}

#[tokio::test]
async fn a_secret_written_as_protobuf_is_read_as_json() {
    let api = Api::open().await;
    // What `kubectl create secret generic s1 --from-literal=a=b` sends.
    let hex = "6b3873000a0c0a02763112065365637265 74121e0a120a02733112001a0022002a003200380042001206 0a01611201621a001a002200";
    let hex: String = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
    let secrets = "/api/v1/namespaces/default/secrets";
    let headers = [("content-type", "application/vnd.kubernetes.protobuf")];
    let secret = api.send(Method::POST, secrets, &headers, bytes.into()).await.expect(201);
    assert_eq!(secret["data"], json!({"a": "Yg=="}));
    assert_eq!(secret["type"], "Opaque");
}

#[tokio::test]
async fn bodies_may_be_yaml() {
    let api = Api::open().await;
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  a: \"1\"\n";
    let headers = [("content-type", "application/yaml")];
    let created = api.send(Method::POST, MAPS, &headers, text.into()).await.expect(201);
    assert_eq!(created["data"]["a"], "1");
}

#[tokio::test]
async fn all_namespaces_at_once_can_only_be_read() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    let message = "the server does not allow this method on the requested resource";
    api.delete("/api/v1/configmaps").await.refused(405, message);
    api.delete("/apis/apps/v1/deployments?labelSelector=a%3Db").await.refused(405, message);
    api.put("/api/v1/configmaps", map("a")).await.refused(405, message);
    assert_eq!(api.get("/api/v1/configmaps").await.expect(200)["kind"], "ConfigMapList");
    api.get(&format!("{MAPS}/a")).await.expect(200);
    assert_eq!(api.delete("/api/v1/configmaps/a").await.code, 404);
    assert_eq!(api.send(Method::OPTIONS, MAPS, &[], "".into()).await.code, 405);
}

#[tokio::test]
async fn what_a_binding_says_comes_to_its_pod() {
    let api = Api::open().await;
    // The namespace has its service account.
    api.0.settle();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({
        "metadata": {"name": "p", "annotations": {"kept": "1", "device": "none"}, "labels": {"app": "p"}},
        "spec": {"schedulerName": "mine", "containers": [{"name": "c", "image": "nginx:1"}]},
    });
    api.post(pods, pod).await.expect(201);
    let node = api.get("/api/v1/nodes").await.expect(200)["items"][0]["metadata"]["name"].clone();
    let binding = json!({
        "metadata": {"name": "p", "annotations": {"device": "gpu-1"}, "labels": {"zone": "a"}},
        "target": {"kind": "Node", "name": node},
    });
    api.post(&format!("{pods}/p/binding"), binding.clone()).await.expect(201);
    let bound = api.get(&format!("{pods}/p")).await.expect(200);
    assert_eq!(bound["metadata"]["annotations"], json!({"kept": "1", "device": "gpu-1"}));
    assert_eq!(bound["metadata"]["labels"], json!({"app": "p", "zone": "a"}));
    assert_eq!(bound["spec"]["nodeName"], node);
    let bare = json!({"metadata": {"name": "q"}, "spec": {"schedulerName": "mine", "containers": [{"name": "c", "image": "nginx:1"}]}});
    api.post(pods, bare).await.expect(201);
    let mut second = binding;
    second["metadata"]["name"] = json!("q");
    api.post("/api/v1/namespaces/default/bindings", second).await.expect(201);
    let bound = api.get(&format!("{pods}/q")).await.expect(200);
    assert_eq!(bound["metadata"]["annotations"], json!({"device": "gpu-1"}));
}

#[tokio::test]
async fn one_class_of_priority_is_the_default() {
    let api = Api::open().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let class = |name: &str, default: serde_json::Value| json!({"metadata": {"name": name}, "value": 5, "globalDefault": default});
    api.post(classes, class("first", json!(true))).await.expect(201);
    let told = "PriorityClass first is already marked as default. Only one default can exist";
    let refused = |name: &str| format!("priorityclasses.scheduling.k8s.io \"{name}\" is forbidden: {told}");
    api.post(classes, class("second", json!(true))).await.refused(403, &refused("second"));
    api.post(classes, class("third", json!(false))).await.expect(201);
    let default = json!({"globalDefault": true});
    api.patch("merge-patch+json", &format!("{classes}/third"), default.clone()).await.refused(403, &refused("third"));
    api.patch("merge-patch+json", &format!("{classes}/first"), default).await.expect(200);
}

#[tokio::test]
async fn events_own_nothing() {
    let api = Api::open().await;
    let mut owned = map("a");
    owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "u"}]);
    api.post(MAPS, owned).await.refused(
        422,
        "ConfigMap \"a\" is invalid: metadata.ownerReferences: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"e\",\"uid\":\"u\"}: /v1, Kind=Event is disallowed from being an owner",
    );
}

#[tokio::test]
async fn a_pod_that_is_given_no_time_says_when_it_went() {
    let api = Api::open().await;
    api.0.settle();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {"schedulerName": "mine", "containers": [{"name": "c", "image": "nginx:1"}]}});
    let made = api.post(pods, pod).await.expect(201);
    let gone = api.delete(&format!("{pods}/p?gracePeriodSeconds=0")).await.expect(200);
    assert!(gone["metadata"]["deletionTimestamp"].is_string(), "{gone}");
    assert_eq!(gone["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(gone["metadata"]["generation"].as_i64(), made["metadata"]["generation"].as_i64().map(|it| it + 1));
    assert_eq!(api.get(&format!("{pods}/p")).await.code, 404);
}

#[tokio::test]
async fn a_scale_is_printed_as_one() {
    let api = Api::open().await;
    api.post(DEPLOYMENTS, deployment("d")).await.expect(201);
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let table = api.send(Method::GET, &format!("{DEPLOYMENTS}/d/scale"), &accept, "".into()).await.expect(200);
    let columns = table["columnDefinitions"].as_array().expect("columns").iter();
    assert_eq!(columns.map(|it| &it["name"]).collect::<Vec<_>>(), ["Name", "Desired", "Available", "Age"]);
    assert_eq!(
        table["rows"][0]["cells"].as_array().map(|cells| &cells[..3]),
        Some(&[json!("d"), json!(2), json!(0)][..])
    );
}
