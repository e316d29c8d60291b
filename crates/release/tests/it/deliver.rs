use landfall_engine::Event;
use landfall_release::{
    DeployOptions, Error, InstallOptions, ListFilter, OwnershipCheck, RollbackOptions, Status, UninstallOptions,
    UpgradeOptions, Wait,
};

use crate::charts::{content, deployment, hook, job_hook, web};
use crate::place::Place;

pub(crate) fn waiting() -> DeployOptions {
    DeployOptions { wait: Wait::ReadyAndJobs, timeout: std::time::Duration::from_secs(30), ..DeployOptions::default() }
}

fn install() -> InstallOptions {
    InstallOptions { deploy: waiting(), ..InstallOptions::default() }
}

fn upgrade() -> UpgradeOptions {
    UpgradeOptions { deploy: waiting() }
}

async fn installed(place: &Place) {
    let prepared = place.releases().prepare_install("web", web("shop/web:1"), &install()).await.expect("prepares");
    let delivered = place.run(&prepared).await.expect("runs");
    assert_eq!(delivered.report.failure, None);
}

#[tokio::test]
async fn a_release_lives_from_install_to_uninstall() {
    let place = Place::new().await;
    let releases = place.releases();
    installed(&place).await;
    let first = releases.last("web").await.expect("is there");
    assert_eq!((first.version, first.info.status), (1, Status::Deployed));
    assert_eq!(first.info.description, "Install complete");
    let live = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    assert_eq!(live.label("app.kubernetes.io/managed-by"), Some("Helm"));

    // The same again changes nothing.
    let again = releases.prepare_upgrade("web", web("shop/web:1"), &upgrade()).await.expect("prepares");
    assert!(again.is_noop(), "{:?}", again.plan.steps().map(|step| (&step.key, &step.changes)).collect::<Vec<_>>());

    // A new image and one object less.
    let next = content(format!("---\n# Source: web/templates/web.yaml\n{}", deployment("shop/web:2")));
    let prepared = releases.prepare_upgrade("web", next, &upgrade()).await.expect("prepares");
    assert!(!prepared.is_noop());
    let changes: Vec<&str> =
        prepared.plan.steps().flat_map(|step| &step.changes).map(|change| change.path.as_str()).collect();
    assert_eq!(changes, ["spec.template.spec.containers[web].image"]);
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    assert_eq!(place.get("v1", "ConfigMap", "web").await, None);
    let history = releases.history("web").await.expect("reads");
    let statuses: Vec<Status> = history.iter().map(|record| record.info.status).collect();
    assert_eq!(statuses, [Status::Superseded, Status::Deployed]);

    let options = RollbackOptions { deploy: waiting(), revision: 0 };
    let prepared = releases.prepare_rollback("web", &options).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let live = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    assert_eq!(live.str_at("/spec/template/spec/containers/0/image"), Some("shop/web:1"));
    assert!(place.get("v1", "ConfigMap", "web").await.is_some());
    let last = releases.last("web").await.expect("is there");
    assert_eq!((last.version, last.info.description.as_str()), (3, "Rollback to 1"));

    let options = UninstallOptions { wait: true, ..UninstallOptions::default() };
    let prepared = releases.prepare_uninstall("web", &options).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    assert_eq!(place.get("apps/v1", "Deployment", "web").await, None);
    assert!(releases.list(ListFilter::All).await.expect("lists").is_empty());
}

#[tokio::test]
#[ignore = "asks an oracle: `.ci/run` builds those and runs what begins with `oracle_`"]
async fn oracle_stock_helm_and_we_take_turns_on_one_release() {
    let place = Place::new().await;
    installed(&place).await;
    let list = place.helm(&["list", "-o", "json"]).await;
    assert!(list.contains("\"status\":\"deployed\"") && list.contains("\"chart\":\"web-0.1.0\""), "{list}");
    let releases = place.releases();
    let chart = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(chart.path().join("templates")).expect("creates");
    std::fs::write(chart.path().join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 0.2.0\n").expect("writes");
    std::fs::write(chart.path().join("templates/web.yaml"), deployment("shop/web:7")).expect("writes");
    let path = chart.path().to_str().expect("a path");
    place.helm(&["upgrade", "web", path]).await;
    let last = releases.last("web").await.expect("is there");
    assert_eq!((last.version, last.chart_version()), (2, "0.2.0"));
    let live = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    assert_eq!(live.str_at("/spec/template/spec/containers/0/image"), Some("shop/web:7"));
    assert_eq!(place.get("v1", "ConfigMap", "web").await, None);
    let prepared = releases.prepare_upgrade("web", web("shop/web:8"), &upgrade()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    place.helm(&["rollback", "web", "1"]).await;
    let live = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    assert_eq!(live.str_at("/spec/template/spec/containers/0/image"), Some("shop/web:1"));
    let last = releases.last("web").await.expect("is there");
    assert_eq!((last.version, last.info.status), (4, Status::Deployed));
    let prepared =
        releases.prepare_rollback("web", &RollbackOptions { deploy: waiting(), revision: 3 }).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let history = place.helm(&["history", "web"]).await;
    assert!(history.contains("Rollback to 1") && history.contains("Rollback to 3"), "{history}");
    place.helm(&["get", "all", "web"]).await;
    place.helm(&["uninstall", "web"]).await;
    assert!(matches!(releases.last("web").await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn hooks_of_the_clusters_kinds_are_in_no_namespace() {
    let place = Place::new().await;
    let namespace = &place.namespace;
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {namespace}\n  namespace: default\nrules: []\n"
    );
    let group = format!("{namespace}.example");
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: issuers.{group}\nspec:\n  group: {group}\n  scope: Cluster\n  names: {{kind: Issuer, plural: issuers}}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    );
    let issuer = format!("apiVersion: {group}/v1\nkind: Issuer\nmetadata:\n  name: {namespace}\n");
    let mut first = web("shop/web:1");
    first.manifest.push_str(&format!("---\n# Source: web/templates/crd.yaml\n{definition}"));
    first.hooks.push(hook("role", "ClusterRole", &["pre-install"], &role));
    first.hooks.push(hook("issuer", "Issuer", &["post-install"], &issuer));
    let prepared = place.releases().prepare_install("web", first, &install()).await.expect("prepares");
    let delivered = place.run(&prepared).await.expect("runs");
    assert_eq!(delivered.report.failure, None);
}

#[tokio::test]
async fn ez_046_a_failing_migration_aborts_before_any_pod_rolls() {
    let place = Place::new().await;
    installed(&place).await;
    let before = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    let mut next = web("shop/web:2");
    next.hooks.push(job_hook(
        "migrate",
        &["pre-upgrade"],
        "      nodeSelector: {no: such-node}\n",
        &["before-hook-creation"],
    ));
    let prepared = place.releases().prepare_upgrade("web", next, &upgrade()).await.expect("prepares");
    let (result, events) = place.run_with(&prepared, std::sync::Arc::new(landfall_engine::NoProbe)).await;
    let delivered = result.expect("runs");
    let failure = delivered.report.failure.expect("fails");
    assert_eq!(failure.kind, landfall_engine::FailureKind::Hook);
    assert_eq!(failure.evidence[0].reason, "Unschedulable");
    assert!(events.iter().any(|event| matches!(event, Event::Evidence(_))));
    let after = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    assert_eq!(after.generation(), before.generation());
    let last = place.releases().last("web").await.expect("is there");
    assert_eq!((last.version, last.info.status), (2, Status::Failed));
    assert!(
        last.info.description.starts_with("Upgrade \"web\" failed: pre-upgrade hooks failed: "),
        "{}",
        last.info.description
    );
    assert_eq!(last.hooks[0].last_run.phase, "Failed");
    let deployed = place.releases().deployed("web").await.expect("reads").expect("is there");
    assert_eq!(deployed.version, 1);
}

#[tokio::test]
async fn hooks_run_by_weight_and_go_by_their_policies() {
    let place = Place::new().await;
    let mut first = web("shop/web:1");
    let mut late = job_hook("b-late", &["pre-install"], "", &["hook-succeeded"]);
    late.weight = 5;
    first.hooks.push(late);
    first.hooks.push(job_hook("c-early", &["pre-install"], "", &[]));
    let prepared = place.releases().prepare_install("web", first, &install()).await.expect("prepares");
    let order: Vec<&str> = prepared.plan.phases[0].waves[0].steps.iter().map(|step| step.key.name.as_str()).collect();
    assert_eq!(order, ["c-early", "b-late"]);
    let delivered = place.run(&prepared).await.expect("runs");
    assert_eq!(delivered.report.failure, None);
    assert!(delivered.record.hooks.iter().all(|hook| hook.last_run.phase == "Succeeded"));
    assert_eq!(place.get("batch/v1", "Job", "b-late").await, None);
    assert!(place.get("batch/v1", "Job", "c-early").await.is_some());
}

#[tokio::test]
async fn a_hook_that_is_deleted_once_it_is_complete_has_succeeded() {
    let place = Place::new().await;
    let mut first = web("shop/web:1");
    let mut brief = job_hook("certgen", &["pre-install"], "", &[]);
    brief.manifest =
        brief.manifest.replace("spec:\n  backoffLimit", "spec:\n  ttlSecondsAfterFinished: 0\n  backoffLimit");
    first.hooks.push(brief);
    let prepared = place.releases().prepare_install("web", first, &install()).await.expect("prepares");
    let delivered = place.run(&prepared).await.expect("runs");
    assert_eq!(delivered.report.failure, None);
    assert_eq!(delivered.record.hooks[0].last_run.phase, "Succeeded");
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_taken() {
    let place = Place::new().await;
    let foreign = landfall_object::ObjectKey::new(
        landfall_object::Gvk::new("", "v1", "ConfigMap"),
        Some(&place.namespace),
        "web",
    );
    place.cluster.create(&landfall_object::Object::new(&foreign), &Default::default()).await.expect("creates");
    let refused = place.releases().prepare_install("web", web("shop/web:1"), &install()).await.expect_err("is refused");
    assert!(matches!(refused, Error::Foreign { verb: "install", .. }), "{refused}");
    assert!(place.get("apps/v1", "Deployment", "web").await.is_none());
}

#[tokio::test]
async fn a_claim_that_nobody_will_bind_is_given_up_and_one_of_a_volume_made_by_hand_is_not() {
    let place = Place::new().await;
    let class = format!("by-hand-{}", place.namespace);
    let set = content(format!(
        "---\n# Source: web/templates/set.yaml\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec:\n  serviceName: db\n  selector: {{matchLabels: {{app: db}}}}\n  template:\n    metadata: {{labels: {{app: db}}}}\n    spec:\n      containers:\n      - {{name: db, image: \"shop/db:1\", volumeMounts: [{{name: data, mountPath: /data}}]}}\n  volumeClaimTemplates:\n  - metadata: {{name: data}}\n    spec: {{storageClassName: {class}, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n"
    ));
    let prepared = place.releases().prepare_install("db", set.clone(), &install()).await.expect("prepares");
    let failure = place.run(&prepared).await.expect("runs").report.failure.expect("fails");
    assert_eq!(failure.kind, landfall_engine::FailureKind::NeverReady);
    let words = format!("claim data-db-0 is never bound: there is no StorageClass {class}, and no free volume of it");
    assert!(failure.message.contains(&words), "{}", failure.message);
    let volume = serde_json::json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": class}, "spec": {
        "storageClassName": class, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/data"}}});
    let volume = landfall_object::Object::from_value(volume).expect("a map");
    place.cluster.create(&volume, &Default::default()).await.expect("creates");
    let again = InstallOptions { replace: true, ..install() };
    let upgrade = place.releases().prepare_install("db", set, &again).await.expect("prepares");
    assert_eq!(place.run(&upgrade).await.expect("runs").report.failure, None);
}

#[tokio::test]
async fn trap_t08_a_release_adopts_the_namespace_that_it_renders_for_itself() {
    let place = Place::new().await;
    let manifest = |name: &str| {
        content(format!(
            "---\n# Source: web/templates/ns.yaml\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
        ))
    };
    let own = manifest(&place.namespace);
    let asked = |ownership| {
        let deploy = DeployOptions { ownership, ..waiting() };
        InstallOptions { deploy, create_namespace: true, ..InstallOptions::default() }
    };
    // Helm's verbs refuse as Helm does.
    let refused = place.releases().prepare_install("web", own.clone(), &asked(OwnershipCheck::Strict)).await;
    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
    let adopting = asked(OwnershipCheck::AdoptNamespace);
    let prepared = place.releases().prepare_install("web", own.clone(), &adopting).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let key =
        landfall_object::ObjectKey::new(landfall_object::Gvk::new("", "v1", "Namespace"), None, &*place.namespace);
    let live = place.cluster.get(&key).await.expect("reads").expect("is there");
    assert_eq!(live.annotation("meta.helm.sh/release-name"), Some("web"));
    // What is another release's by now, and a namespace that is not this release's home, are left alone.
    let refused = place.releases().prepare_install("other", own, &adopting).await;
    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
    let refused = place.releases().prepare_install("third", manifest("kube-public"), &adopting).await;
    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
}

#[tokio::test]
async fn what_is_kept_by_policy_survives_its_release() {
    let place = Place::new().await;
    let kept = "---\n# Source: web/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: keep\n  annotations:\n    helm.sh/resource-policy: keep\n---\n# Source: web/templates/b.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: go\n";
    let prepared = place.releases().prepare_install("web", content(kept.into()), &install()).await.expect("prepares");
    place.run(&prepared).await.expect("runs");
    let prepared = place.releases().prepare_uninstall("web", &UninstallOptions::default()).await.expect("prepares");
    let delivered = place.run(&prepared).await.expect("runs");
    assert_eq!(delivered.kept.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["keep"]);
    assert!(place.get("v1", "ConfigMap", "keep").await.is_some());
    assert!(place.get("v1", "ConfigMap", "go").await.is_none());
}

#[tokio::test]
async fn a_key_generated_once_is_never_replaced_by_an_upgrade() {
    let place = Place::new().await;
    let secret = |value: &str| {
        content(format!(
            "---\n# Source: web/templates/s.yaml\napiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  annotations:\n    landfall.dev/once: PEPPER\nstringData:\n  PEPPER: {value}\n"
        ))
    };
    let prepared = place.releases().prepare_install("web", secret("one"), &install()).await.expect("prepares");
    place.run(&prepared).await.expect("runs");
    let refused = place.releases().prepare_upgrade("web", secret("two"), &upgrade()).await.expect_err("is refused");
    assert!(matches!(refused, Error::Engine(landfall_engine::Error::Once(_))), "{refused}");
    let prepared = place.releases().prepare_uninstall("web", &UninstallOptions::default()).await.expect("prepares");
    place.run(&prepared).await.expect("runs");
    assert!(place.get("v1", "Secret", "keys").await.is_some());
}

#[tokio::test]
async fn a_plan_is_refused_when_what_it_was_made_from_has_changed() {
    let place = Place::new().await;
    installed(&place).await;
    let prepared = place.releases().prepare_upgrade("web", web("shop/web:2"), &upgrade()).await.expect("prepares");
    let key = place.get("v1", "ConfigMap", "web").await.expect("is there").key();
    let patch = landfall_cluster::Patch::Merge(serde_json::json!({"data": {"by": "hand"}}));
    place.cluster.patch(&key, &patch, &Default::default()).await.expect("patches");
    let refused = place.run(&prepared).await.expect_err("is refused");
    assert!(matches!(refused, Error::Engine(landfall_engine::Error::LiveChanged { .. })), "{refused}");
    assert_eq!(place.releases().last("web").await.expect("is there").version, 1);
}

#[tokio::test]
async fn a_failed_upgrade_is_rolled_back_when_asked_and_its_evidence_comes_first() {
    let place = Place::new().await;
    installed(&place).await;
    let broken = web("shop/web:2")
        .manifest
        .replace("      containers:", "      nodeSelector: {no: such-node}\n      containers:");
    let options = UpgradeOptions { deploy: DeployOptions { atomic: true, ..waiting() } };
    let prepared = place.releases().prepare_upgrade("web", content(broken), &options).await.expect("prepares");
    let (result, events) = place.run_with(&prepared, std::sync::Arc::new(landfall_engine::NoProbe)).await;
    let delivered = result.expect("runs");
    assert!(!delivered.succeeded());
    assert!(delivered.undone.expect("is undone").succeeded());
    let evidence = events.iter().position(|event| matches!(event, Event::Evidence(_))).expect("is told");
    let ended = events.iter().position(|event| matches!(event, Event::Finished { .. })).expect("ends");
    assert!(evidence < ended);
    let live = place.get("apps/v1", "Deployment", "web").await.expect("is there");
    assert_eq!(live.str_at("/spec/template/spec/containers/0/image"), Some("shop/web:1"));
    let history = place.releases().history("web").await.expect("reads");
    let statuses: Vec<Status> = history.iter().map(|record| record.info.status).collect();
    assert_eq!(statuses, [Status::Superseded, Status::Failed, Status::Deployed]);
}

#[tokio::test]
async fn pods_of_what_is_updated_are_made_anew_where_that_is_wanted() {
    let place = Place::new().await;
    installed(&place).await;
    let before = pods(&place).await;
    assert!(!before.is_empty());
    let prepared = place.releases().prepare_upgrade("web", web("shop/web:1"), &upgrade()).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    assert_eq!(pods(&place).await, before, "nothing has changed");
    let mut anew = upgrade();
    anew.deploy.pods = landfall_release::Pods::Recreated;
    let prepared = place.releases().prepare_upgrade("web", web("shop/web:1"), &anew).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let after = pods(&place).await;
    assert!(before.iter().all(|pod| !after.contains(pod)), "{before:?} {after:?}");
}

/// The pods that are not on their way out, by their identity.
async fn pods(place: &Place) -> Vec<String> {
    let options = landfall_cluster::ListOptions::default();
    let found = place.releases().cluster().list(&landfall_object::Gvk::new("", "v1", "Pod"), &options).await;
    let found = found.expect("lists");
    let living = found.iter().filter(|pod| pod.at("/metadata/deletionTimestamp").is_none());
    living.filter_map(|pod| pod.str_at("/metadata/uid").map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_hook_of_argo_that_changes_is_made_anew_where_that_is_wanted() {
    let place = Place::new().await;
    let job = |image: &str, annotation: &str| {
        content(format!(
            "---\n# Source: web/templates/smoke.yaml\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: smoke\n  annotations: {{argocd.argoproj.io/hook: PostSync{annotation}}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{{name: smoke, image: \"{image}\"}}]\n"
        ))
    };
    let prepared = place.releases().prepare_install("web", job("a:1", ""), &install()).await.expect("prepares");
    place.run(&prepared).await.expect("runs");
    let mut remade = upgrade();
    remade.deploy.argo_hooks = landfall_release::ArgoHooks::Remade;
    let prepared = place.releases().prepare_upgrade("web", job("a:2", ""), &remade).await.expect("prepares");
    assert_eq!(place.run(&prepared).await.expect("runs").report.failure, None);
    let live = place.get("batch/v1", "Job", "smoke").await.expect("is there");
    assert_eq!(live.str_at("/spec/template/spec/containers/0/image"), Some("a:2"));
    let prepared = place.releases().prepare_upgrade("web", job("a:3", ""), &upgrade()).await.expect("prepares");
    assert!(place.run(&prepared).await.expect("runs").report.failure.is_some(), "helm's way is refused");
    let kept = ", argocd.argoproj.io/hook-delete-policy: HookSucceeded";
    let prepared = place.releases().prepare_upgrade("web", job("a:4", kept), &remade).await.expect("prepares");
    assert!(
        place.run(&prepared).await.expect("runs").report.failure.is_some(),
        "its policy keeps it until it succeeds"
    );
}
