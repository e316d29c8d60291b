use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use landfall_apps::{Application, SyncStatus, TRACKING_ANNOTATION};
use landfall_cluster::{Change, Cluster, JobWait, Leave};
use landfall_engine::{Clock, Event, Killed, NoProbe, Probe, Recovery};
use landfall_object::Object;
use serde_json::{Value, json};

use crate::place::{Place, heard};

pub(crate) fn annotated(mut value: Value, annotations: &[(&str, &str)]) -> Value {
    for (name, text) in annotations {
        value["metadata"]["annotations"][*name] = (*text).into();
    }
    value
}

pub(crate) fn config(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

pub(crate) fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image, "resources": {"requests": {"cpu": "0.1", "memory": "64Mi"}}}]},
            },
        },
    })
}

pub(crate) fn job(name: &str, annotations: &[(&str, &str)]) -> Value {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "run", "image": "shop/job:1"}]}}},
    });
    annotated(job, annotations)
}

pub(crate) fn on_no_node(mut job: Value) -> Value {
    job["spec"]["template"]["spec"]["nodeSelector"] = json!({"no": "such-node"});
    job
}

fn started(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::StepStarted { key, action, .. } => Some(format!("{} {}", action.word(), key.name)),
            _ => None,
        })
        .collect()
}

pub(crate) const HOOK: &str = "argocd.argoproj.io/hook";
pub(crate) const WAVE: &str = "argocd.argoproj.io/sync-wave";
pub(crate) const OPTIONS: &str = "argocd.argoproj.io/sync-options";

#[tokio::test]
async fn phases_and_waves_come_in_their_order_and_each_is_healthy_before_the_next() {
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let objects = [
        job("smoke", &[(HOOK, "PostSync")]),
        annotated(deployment("shop/web:1"), &[(WAVE, "1")]),
        config("settings", json!({"a": "1"})),
        job(
            "migrate",
            &[("helm.sh/hook", "pre-upgrade,pre-install"), ("helm.sh/hook-delete-policy", "hook-succeeded")],
        ),
        annotated(config("never", json!({})), &[(HOOK, "Skip")]),
    ];
    let (synced, events) = place.sync(&application, &objects).await;
    assert_eq!(synced.report.failure, None);
    let expected = ["hook migrate", "create settings", "wait settings", "create web", "wait web", "hook smoke"];
    assert_eq!(started(&events), expected);
    assert_eq!(place.get("v1", "ConfigMap", "never").await, None);
    assert_eq!(place.get("batch/v1", "Job", "migrate").await, None);
    let web = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    assert!(landfall_cluster::readiness(&web, JobWait::Ignore).is_ready());
    // The same again: nothing differs, whatever the server has defaulted.
    let again = place.prepare(&application, &objects).await;
    assert_eq!(
        again.status(),
        SyncStatus::Synced,
        "{:?}",
        again.plan.steps().map(|step| &step.changes).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_the_source_no_longer_names_goes_and_what_is_not_ours_stays() {
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let kept = annotated(config("kept", json!({})), &[(OPTIONS, "Prune=false")]);
    let all = [config("a", json!({"x": "1", "y": "2"})), config("b", json!({})), kept];
    let (synced, _) = place.sync(&application, &all).await;
    assert_eq!(synced.report.failure, None);
    let mut foreign = Object::from_value(config("foreign", json!({}))).expect("a map");
    foreign.set_namespace(&*place.namespace);
    place.applications.cluster.create(&foreign, &Default::default()).await.expect("creates");
    let (synced, _) = place.sync(&application, &[config("a", json!({"x": "1"}))]).await;
    assert_eq!(synced.report.failure, None);
    assert_eq!(synced.kept.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(place.get("v1", "ConfigMap", "b").await, None);
    assert!(place.get("v1", "ConfigMap", "kept").await.is_some());
    assert!(place.get("v1", "ConfigMap", "foreign").await.is_some());
    let a = place.get("v1", "ConfigMap", "a").await.expect("is there");
    assert_eq!(a.at("/data"), Some(&json!({"x": "1"})));
}

#[tokio::test]
async fn two_applications_of_one_name_in_two_namespaces_are_two() {
    let mut place = Place::new().await;
    let first = place.application(&[]);
    let second = Application { namespace: "team-a".to_owned(), ..first.clone() };
    place.sync(&first, &[config("a", json!({})), config("b", json!({}))]).await;
    place.sync(&second, &[config("b", json!({})), config("c", json!({}))]).await;
    let b = place.get("v1", "ConfigMap", "b").await.expect("is there");
    let known = b.annotation(TRACKING_ANNOTATION).and_then(|id| id.split(':').next());
    assert_eq!(known, Some(format!("team-a_{}", first.name).as_str()));
    // What the other one has taken over goes with that one.
    place.sync(&first, &[config("a", json!({}))]).await;
    assert!(place.get("v1", "ConfigMap", "b").await.is_some());
    place.sync(&second, &[config("c", json!({}))]).await;
    assert_eq!(place.get("v1", "ConfigMap", "b").await, None);
}

#[tokio::test]
async fn a_failing_presync_hook_leaves_everything_as_it_was_and_runs_the_hooks_for_failure() {
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let objects = [
        on_no_node(job("migrate", &[(HOOK, "PreSync")])),
        config("settings", json!({})),
        job("tell", &[(HOOK, "SyncFail")]),
    ];
    let (synced, events) = place.sync(&application, &objects).await;
    let failure = synced.report.failure.expect("fails");
    assert_eq!(failure.key.name, "migrate");
    assert_eq!(failure.evidence[0].reason, "Unschedulable");
    assert_eq!(started(&events), ["hook migrate", "hook tell"]);
    assert_eq!(place.get("v1", "ConfigMap", "settings").await, None);
}

#[tokio::test]
async fn a_namespace_that_a_hook_before_the_sync_needs_comes_before_the_hook() {
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let name = format!("{}-own", place.namespace);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut inside = job("prepare", &[(HOOK, "PreSync")]);
    inside["metadata"]["namespace"] = name.clone().into();
    let (synced, events) = place.sync(&application, &[inside, namespace]).await;
    assert_eq!(synced.report.failure, None);
    let started = started(&events);
    let at = |what: &str| started.iter().position(|it| it.contains(what));
    assert!(at(&name) < at("prepare") && at(&name).is_some(), "{started:?}");
}

#[tokio::test]
async fn a_hook_for_installs_and_upgrades_runs_once_in_each_sync_and_after_the_first() {
    const HELM: &str = "helm.sh/hook";
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let objects =
        |x: &str| [job("migrate", &[(HELM, "post-install,pre-upgrade")]), config("settings", json!({"x": x}))];
    let order = |events: &[Event]| -> Vec<String> {
        let of = |it: &String| it.ends_with(" migrate") || it.ends_with(" settings");
        started(events).into_iter().filter(|it| of(it) && !it.starts_with("wait")).collect()
    };
    let (synced, events) = place.sync(&application, &objects("1")).await;
    assert_eq!(synced.report.failure, None);
    let first = order(&events);
    assert_eq!((first.len(), first[1].as_str()), (2, "hook migrate"), "{first:?}");
    let (synced, events) = place.sync(&application, &objects("2")).await;
    assert_eq!(synced.report.failure, None);
    let later = order(&events);
    assert_eq!((later.len(), later[0].as_str()), (2, "hook migrate"), "{later:?}");
}

#[tokio::test]
async fn a_custom_kind_is_served_before_its_objects_are_written_whatever_their_waves() {
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let group = format!("{}.example.com", place.namespace);
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    let widget =
        json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}});
    let (synced, _) = place.sync(&application, &[widget, annotated(crd, &[(WAVE, "5")])]).await;
    assert_eq!(synced.report.failure, None);
    assert!(place.get(&format!("{group}/v1"), "Widget", "w").await.is_some());
    let prepared =
        place.applications.prepare_delete(&application, landfall_cluster::Propagation::Background, None).await;
    let deleted = place.conductor.run(&place.applications, &prepared.expect("prepares")).await.expect("runs");
    assert_eq!(deleted.report.failure, None);
}

/// Lets a cluster know Applications.
pub(crate) async fn knows_applications(cluster: &Cluster) {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "applications.argoproj.io"},
        "spec": {
            "group": "argoproj.io", "scope": "Namespaced", "names": {"kind": "Application", "plural": "applications", "singular": "application"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    let crd = Object::from_value(crd).expect("a map");
    match cluster.create(&crd, &Default::default()).await {
        Ok(_) => {}
        Err(error) => assert!(error.is_already_exists(), "{error}"),
    }
    let interest = landfall_cluster::Interest { gvk: crd.gvk(), namespace: None, name: Some(crd.name().to_owned()) };
    let mut changes = cluster.observe(vec![interest]);
    loop {
        let objects = match changes.next().await.expect("goes on").expect("is allowed") {
            Change::Listed(_, objects) => objects,
            Change::Applied(object) => vec![object],
            _ => continue,
        };
        if objects.iter().any(|object| landfall_cluster::readiness(object, JobWait::Ignore).is_ready()) {
            break;
        }
    }
}

#[tokio::test]
async fn the_applications_status_says_what_happened_where_the_cluster_knows_applications() {
    let mut place = Place::new().await;
    let cluster = place.applications.cluster.clone();
    knows_applications(&cluster).await;
    let application = place.application(&[]);
    cluster.create(&application.object, &Default::default()).await.expect("creates");
    let (synced, _) = place.sync(&application, &[config("a", json!({})), config("b", json!({}))]).await;
    assert_eq!(synced.report.failure, None);
    let (synced, _) = place.sync(&application, &[config("a", json!({}))]).await;
    assert_eq!(synced.report.failure, None);
    let live = cluster.get(&application.key()).await.expect("reads").expect("is there");
    assert_eq!(live.str_at("/status/sync/status"), Some("Synced"));
    assert_eq!(live.str_at("/status/health/status"), Some("Healthy"));
    assert_eq!(live.str_at("/status/operationState/phase"), Some("Succeeded"));
    assert_eq!(live.list_at("/status/resources").len(), 1);
    assert_eq!(live.list_at("/status/history").len(), 2);
    assert_eq!(place.get("v1", "ConfigMap", "b").await, None);
}

/// Ends the process at a point.
pub(crate) struct KilledAt(pub(crate) &'static str);

impl Probe for KilledAt {
    fn reach(&self, point: std::fmt::Arguments<'_>) -> Result<(), Killed> {
        if point.to_string() == self.0 { Err(Killed(self.0.to_owned())) } else { Ok(()) }
    }
}

/// A clock that goes on by so many milliseconds each time it is looked at, and sleeps as the cluster's.
struct Ticking(i64, AtomicI64, Arc<dyn Clock>);

impl Clock for Ticking {
    fn now(&self) -> jiff::Timestamp {
        let passed = self.1.fetch_add(self.0, Ordering::Relaxed);
        jiff::Timestamp::from_millisecond(1_790_000_000_000 + passed).expect("a time")
    }

    fn sleep(&self, duration: Duration) -> futures::future::BoxFuture<'static, ()> {
        self.2.sleep(duration)
    }

    fn hold(&self) -> Box<dyn Send> {
        self.2.hold()
    }
}

/// What began in one second was taken for one sync where the second one was gone on with after a kill, and what began at the end of
/// a second for two.
#[tokio::test]
async fn a_sync_that_was_killed_stands_in_the_history_once() {
    for (each, point) in
        [(0, "before record ended"), (0, "before end"), (700, "before end"), (700, "after record begun")]
    {
        let mut place = Place::new().await;
        let cluster = place.applications.cluster.clone();
        knows_applications(&cluster).await;
        let application = place.application(&[]);
        cluster.create(&application.object, &Default::default()).await.expect("creates");
        let clock: Arc<dyn Clock> =
            Arc::new(Ticking(each, AtomicI64::default(), Arc::clone(&place.applications.clock)));
        (place.conductor.clock, place.applications.clock) = (Arc::clone(&clock), clock);
        let (synced, _) = place.sync(&application, &[config("a", json!({"of": "1"}))]).await;
        assert_eq!(synced.report.failure, None);
        place.revision = place.revision.replace('0', "f");
        let prepared = place.prepare(&application, &[config("a", json!({"of": "2"}))]).await;
        place.conductor.probe = Arc::new(KilledAt(point));
        place.conductor.run(&place.applications, &prepared).await.expect_err("it was killed");
        place.conductor.probe = Arc::new(NoProbe);
        // Where the cluster does not answer it stays open.
        let away = cluster.by_leave(&Leave::ended());
        let reached = std::mem::replace(&mut place.applications.home, away.clone());
        place.conductor.cluster = away;
        let refused = place.conductor.recover(&place.applications, &application, Duration::ZERO).await;
        assert!(refused.expect_err("nobody answers").is_for_another_time());
        (place.applications.home, place.conductor.cluster) = (reached.clone(), reached);
        let recovered = place.conductor.recover(&place.applications, &application, Duration::ZERO).await;
        assert!(matches!(recovered.expect("goes on"), Recovery::Resumed(_)));
        let live = cluster.get(&application.key()).await.expect("reads").expect("is there");
        let told: Vec<&str> =
            live.list_at("/status/history").iter().filter_map(|entry| entry["revision"].as_str()).collect();
        assert_eq!(told, ["0123456789abcdef0123456789abcdef01234567", &place.revision], "{each} ms, {point}");
    }
}

#[tokio::test]
async fn what_was_not_there_a_moment_ago_is_made_without_another_look() {
    let mut place = Place::new().await;
    let (cluster, asked) = heard(&place.conductor.cluster, |_| Box::pin(async {}));
    place.conductor.cluster = cluster;
    let application = place.application(&[]);
    let objects: Vec<Value> = (0..6).map(|number| config(&format!("c{number}"), json!({"x": "1"}))).collect();
    let (synced, _) = place.sync(&application, &objects).await;
    assert!(synced.report.succeeded(), "{:?}", synced.report);
    let asked = asked.lock().expect("not poisoned").clone();
    let of = |verb: &str| asked.iter().filter(|said| said.starts_with(verb) && said.contains("/configmaps/c")).count();
    assert_eq!((of("GET"), of("PATCH")), (0, 6), "{asked:?}");
}

#[tokio::test]
async fn a_secret_that_somebody_makes_meanwhile_is_guarded_all_the_same() {
    let mut place = Place::new().await;
    let own = place.conductor.cluster.clone();
    let metadata =
        json!({"name": "keys", "namespace": place.namespace, "annotations": {"landfall.dev/once": "PEPPER"}});
    let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"PEPPER": "dGhlaXJz"}});
    let theirs = Object::from_value(theirs).expect("a map");
    let (made, key) = (own.clone(), theirs.key());
    let (cluster, _) = heard(&own, move |said| {
        // What is applied first stands before the Secret's turn.
        let (made, theirs, is_time) =
            (made.clone(), theirs.clone(), said.starts_with("PATCH") && said.contains("/serviceaccounts/first"));
        Box::pin(async move {
            if is_time {
                made.create(&theirs, &Default::default()).await.expect("made");
            }
        })
    });
    place.conductor.cluster = cluster;
    let application = place.application(&[]);
    let first = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "first"}});
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"PEPPER": "b3Vycw=="}});
    let (synced, _) = place.sync(&application, &[first, secret]).await;
    let failure = synced.report.failure.expect("is refused");
    assert_eq!(failure.kind, landfall_engine::FailureKind::Guard, "{failure:?}");
    let live = own.get(&key).await.expect("reads").expect("there");
    assert_eq!(live.at("/data/PEPPER"), Some(&json!("dGhlaXJz")));
}

#[tokio::test]
async fn where_validation_is_switched_off_fields_that_a_kind_does_not_have_are_dropped_and_differ_no_more() {
    let slip = || {
        let mut value = deployment("shop/web:1");
        value["spec"]["replicaz"] = json!(3);
        value["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = json!("Always");
        value["spec"]["template"]["spec"]["containers"][0]["args"] = json!([]);
        value["spec"]["template"]["metadata"]["annotations"] = json!({"acme.io/replicaz": "stays"});
        value
    };
    for (options, own) in
        [(&["Validate=false"][..], ""), (&[], "Validate=false"), (&["Validate=true"], "Validate=false")]
    {
        let mut place = Place::new().await;
        let application = place.application(options);
        let (synced, _) = place.sync(&application, &[annotated(slip(), &[(OPTIONS, own)])]).await;
        assert_eq!(synced.report.failure, None, "{options:?} {own}");
        let live = place.get("apps/v1", "Deployment", "web").await.expect("is there");
        assert_eq!(live.at("/spec/replicaz"), None);
        assert_eq!(live.str_at("/spec/template/metadata/annotations/acme.io~1replicaz"), Some("stays"));
        let again = place.prepare(&application, &[annotated(slip(), &[(OPTIONS, own)])]).await;
        assert_eq!(again.notes, Vec::<String>::new());
        assert_eq!(again.status(), SyncStatus::Synced, "{:?}", again.plan);
    }
    // Whoever does not say so is told of it.
    let mut place = Place::new().await;
    let application = place.application(&["Validate=true"]);
    assert!(place.sync(&application, &[slip()]).await.0.report.failure.is_some());
}

#[tokio::test]
async fn force_makes_anew_what_the_server_refuses_to_change_and_nothing_that_holds_data() {
    let mut place = Place::new().await;
    let application = place.application(&[]);
    let forced = |mut value: Value, label: &str, options: &str| {
        value["spec"]["selector"]["matchLabels"]["app"] = label.into();
        value["spec"]["template"]["metadata"]["labels"]["app"] = label.into();
        annotated(value, &[(OPTIONS, options)])
    };
    for off in ["", ",ServerSideApply=false"] {
        let options = format!("Force=true{off}");
        let first = place.sync(&application, &[forced(deployment("shop/web:1"), "web", &options)]).await.0;
        assert_eq!(first.report.failure, None);
        let before = place.get("apps/v1", "Deployment", "web").await.expect("is there");
        // What the server takes is changed, and not made anew.
        let same = place.sync(&application, &[forced(deployment("shop/web:2"), "web", &options)]).await.0;
        assert_eq!(same.report.failure, None);
        assert_eq!(place.get("apps/v1", "Deployment", "web").await.expect("is there").uid(), before.uid());
        let unforced = forced(deployment("shop/web:2"), "other", "Prune=true");
        assert!(place.sync(&application, &[unforced]).await.0.report.failure.is_some());
        let anew = place.sync(&application, &[forced(deployment("shop/web:2"), "other", &options)]).await.0;
        assert_eq!(anew.report.failure, None);
        let after = place.get("apps/v1", "Deployment", "web").await.expect("is there");
        assert_ne!(after.uid(), before.uid());
        // What the server would not take in its place either takes nothing away.
        let mut broken = forced(deployment("shop/web:2"), "third", &options);
        broken["spec"]["template"]["spec"]["containers"] = json!([]);
        assert!(place.sync(&application, &[broken]).await.0.report.failure.is_some());
        assert_eq!(place.get("apps/v1", "Deployment", "web").await.expect("is there").uid(), after.uid());
        let kept = forced(deployment("shop/web:2"), "fourth", &format!("{options},Delete=false"));
        assert!(place.sync(&application, &[kept]).await.0.report.failure.is_some());
        assert_eq!(place.get("apps/v1", "Deployment", "web").await.expect("is there").uid(), after.uid());
    }
    let claim = |class: &str| {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}}});
        annotated(claim, &[(OPTIONS, "Force=true")])
    };
    place.sync(&application, &[claim("standard")]).await;
    let before = place.get("v1", "PersistentVolumeClaim", "data").await.expect("is there");
    assert!(place.sync(&application, &[claim("other")]).await.0.report.failure.is_some());
    assert_eq!(place.get("v1", "PersistentVolumeClaim", "data").await.expect("is there").uid(), before.uid());
    let keys = |other: &str| {
        let data = json!({"PEPPER": "dGhlaXJz", "OTHER": other});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "immutable": true, "data": data});
        annotated(secret, &[(OPTIONS, "Force=true"), ("landfall.dev/once", "PEPPER")])
    };
    assert_eq!(place.sync(&application, &[keys("YQ==")]).await.0.report.failure, None);
    let before = place.get("v1", "Secret", "keys").await.expect("is there");
    assert!(place.sync(&application, &[keys("Yg==")]).await.0.report.failure.is_some());
    assert_eq!(place.get("v1", "Secret", "keys").await.expect("is there").uid(), before.uid());
}
