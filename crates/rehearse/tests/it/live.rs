//! A live cluster is read, never written to.

use std::sync::{Arc, Mutex};

use http_body_util::{Either, Full};
use landfall_cluster::Cluster;
use landfall_diag::{Severity, Witness};
use landfall_drydock::{Clock, Drive, Options};
use landfall_object::Object;
use landfall_rehearse::{Conditions, Snapshot, ask_api, study};
use landfall_rules::DesiredUnit;
use serde_json::json;
use tower::ServiceExt as _;

use crate::fixture::{Files, target};

/// The requests that came through, as `GET /api/v1/pods`.
type Seen = Arc<Mutex<Vec<String>>>;

fn recorded(drydock: &landfall_drydock::Cluster, seen: &Seen) -> Cluster {
    let seen = Arc::clone(seen);
    let service = drydock.service().map_request(move |request: http::Request<kube::client::Body>| {
        seen.lock().expect("not poisoned").push(format!("{} {}", request.method(), request.uri()));
        request
    });
    Cluster::new(kube::Client::new(service, "default"))
}

#[tokio::test]
async fn reading_a_live_cluster_makes_only_gets_and_keeps_no_secret() {
    let options = Options { clock: Clock::virtual_clock(), drive: Drive::ByHand, ..Options::default() };
    let drydock = landfall_drydock::Cluster::open(options).await.expect("opens");
    let direct = Cluster::new(drydock.client());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "default"},
        "stringData": {"PASSWORD": "hunter2"}});
    direct.create(&Object::from_value(secret).expect("a map"), &Default::default()).await.expect("created");
    let seen = Seen::default();
    let snapshot =
        Snapshot::read(&recorded(&drydock, &seen), "live", jiff::Timestamp::UNIX_EPOCH).await.expect("it is read");
    let seen = seen.lock().expect("not poisoned");
    assert!(seen.len() > 20, "{seen:?}");
    assert!(seen.iter().all(|request| request.starts_with("GET ")), "{seen:?}");
    let text = serde_json::to_string(&snapshot).expect("JSON");
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "the value is not kept");
    assert!(text.contains("PASSWORD"), "the key's name is");
    let again = Snapshot::parse("x.json", &text).expect("it is read back");
    assert_eq!(again.objects.len(), snapshot.objects.len());
}

/// A chart with a little of everything, rendered.
fn units() -> Vec<DesiredUnit> {
    let files: Files = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"),
        ("templates/b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, protocol: FTP}]}\n"),
        ("templates/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: guarded}\ndata: {a: b}\n"),
        ("templates/d.yaml", "apiVersion: acme.example.com/v1\nkind: Widget\nmetadata: {name: w}\n"),
        (
            "templates/e.yaml",
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: \"m:2\"}]}}}\n",
        ),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .collect();
    let target = target(&files).expect("a chart");
    let (selection, overrides) = Default::default();
    let candidates = target.units(&selection, &overrides, "default");
    let candidates = futures::executor::block_on(candidates).expect("it renders");
    study(&candidates, &Conditions::offline()).expect("it renders")
}

/// A cluster on which a Job of that name has run with another image, and whose admission guards one object.
async fn guarded() -> (landfall_drydock::Cluster, Seen, Cluster) {
    let options = Options { clock: Clock::virtual_clock(), drive: Drive::ByHand, ..Options::default() };
    let drydock = landfall_drydock::Cluster::open(options).await.expect("opens");
    let ran = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "default"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "m:1"}]}}}});
    let direct = Cluster::new(drydock.client());
    direct.create(&Object::from_value(ran).expect("a map"), &Default::default()).await.expect("created");
    let seen = Seen::default();
    let refused = r#"admission webhook "policy.example.com" denied the request: no owner label"#;
    let cluster = refusing(&drydock, &seen, move |request| request.contains("/guarded?").then_some(refused));
    (drydock, seen, cluster)
}

/// The cluster behind somebody who refuses patches with a 403 of these words.
fn refusing(
    drydock: &landfall_drydock::Cluster,
    seen: &Seen,
    refuse: impl Fn(&str) -> Option<&'static str> + Clone + Send + 'static,
) -> Cluster {
    let (inner, seen) = (drydock.service(), Arc::clone(seen));
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (inner, seen, refuse) = (inner.clone(), Arc::clone(&seen), refuse.clone());
        async move {
            let told = format!("{} {}", request.method(), request.uri());
            seen.lock().expect("not poisoned").push(told.clone());
            if let Some(message) = refuse(&told).filter(|_| told.starts_with("PATCH ")) {
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "code": 403, "reason": "Forbidden", "message": message});
                let body = Either::Left(Full::from(status.to_string().into_bytes()));
                return Ok(http::Response::builder().status(403).body(body).expect("an answer"));
            }
            let answer = inner.oneshot(request).await.map_err(Box::<dyn std::error::Error + Send + Sync>::from)?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer.map(Either::Right))
        }
    });
    Cluster::new(kube::Client::new(service, "default"))
}

#[tokio::test]
async fn an_api_is_asked_with_dry_run_alone_and_its_refusals_bear_its_name() {
    let (drydock, seen, cluster) = guarded().await;
    let before = drydock.objects();
    let asked = ask_api(&cluster, "prod", &units()).await;
    let seen = seen.lock().expect("not poisoned");
    let writes: Vec<&String> = seen.iter().filter(|request| !request.starts_with("GET ")).collect();
    assert!(
        writes.len() >= 4 && writes.iter().all(|it| it.starts_with("PATCH ") && it.contains("dryRun=All")),
        "{seen:?}"
    );
    assert_eq!(drydock.objects(), before, "nothing is kept");
    let mut told: Vec<(&str, bool)> = asked.findings.iter().map(|it| (it.message.as_str(), it.fails())).collect();
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].0.contains("guarded") && told[0].0.contains("no owner label") && told[0].1, "{told:?}");
    assert!(told[1].0.contains("Service/web") && told[1].0.contains("FTP") && told[1].1, "{told:?}");
    for finding in &asked.findings {
        let Witness::Api(who) = &finding.witness else { panic!("{finding:?}") };
        assert!(who.contains("the API of prod (v1.") && who.contains("dryRun=All"), "{who}");
    }
    let notes = asked.notes.join("; ");
    assert!(
        notes.contains("2 objects are accepted") && notes.contains("Widget/w"),
        "the job counts, under another name: {notes}"
    );
}

#[tokio::test]
async fn who_may_not_write_is_told_so_once_and_not_that_the_objects_are_wrong() {
    let options = Options { clock: Clock::virtual_clock(), drive: Drive::ByHand, ..Options::default() };
    let drydock = landfall_drydock::Cluster::open(options).await.expect("opens");
    let refused = r#"configmaps "settings" is forbidden: User "ci" cannot patch resource "configmaps" in API group """#;
    let cluster = refusing(&drydock, &Seen::default(), move |_| Some(refused));
    let asked = ask_api(&cluster, "prod", &units()).await;
    assert_eq!(asked.findings.len(), 1, "{:?}", asked.findings);
    assert_eq!(asked.findings[0].severity, Severity::Warning);
    assert!(asked.findings[0].message.contains("may not be sent to prod"), "{:?}", asked.findings);
}
