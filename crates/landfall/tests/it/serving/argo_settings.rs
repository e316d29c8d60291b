//! What Argo CD's users say beside their source, and find acted on.

use landfall_object::Object;
use landfall_store::{Location, NewOperation, Store};
use serde_json::json;

use super::*;

/// A shop whose source has these settings for Helm and these sync options, and whose chart these objects besides.
fn shop(helm: &str, options: &str, objects: &str) -> Forge {
    let policy = "{automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true";
    let forge = Forge::shop(&format!("{policy}{options}]}}"));
    forge.sandbox.edit("apps/shop.yaml", "path: chart}", &format!("path: chart{helm}}}"));
    forge.sandbox.write("chart/templates/more.yaml", objects);
    forge.sandbox.commit("settings");
    forge.push();
    forge
}

fn in_shop(api: (&str, &str), kind: &str, name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new(api.0, api.1, kind), Some("shop"), name)
}

fn condition(application: &Object, kind: &str) -> Option<String> {
    let conditions = application.list_at("/status/conditions");
    conditions.iter().find(|it| it["type"] == kind)?["message"].as_str().map(str::to_owned)
}

#[test]
fn variables_of_the_build_environment_are_filled_in() {
    let helm = ", helm: {valueFiles: [\"values-$ARGOCD_APP_NAME.yaml\"], parameters: [\
        {name: settings.app, value: $ARGOCD_APP_NAME}, {name: settings.revision, value: \"${ARGOCD_APP_REVISION}\", forceString: true}, \
        {name: settings.home, value: \"-$HOME-\"}, {name: settings.cost, value: \"$$5\"}]}";
    let forge = shop(helm, "", "");
    forge.sandbox.write("chart/values-shop.yaml", "settings: {file: shop}\n");
    forge.sandbox.commit("values by name");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let map = server.get(&cluster, &in_shop(("", "v1"), "ConfigMap", "shop")).expect("there");
    let expected =
        json!({"app": "shop", "color": "blue", "cost": "$5", "file": "shop", "home": "--", "revision": revision});
    assert_eq!(map.at("/data"), Some(&expected));
}

#[test]
fn an_object_whose_kind_is_brought_by_what_runs_is_missing_until_then_and_then_made() {
    let skip = "argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true";
    let widget = |name: &str| {
        format!(
            "apiVersion: example.com/v1\nkind: {name}\nmetadata:\n  name: one\n  annotations:\n    {skip}\n    argocd.argoproj.io/sync-wave: \"1\"\n"
        )
    };
    let forge = shop("", "", &format!("{}---\n{}", widget("Widget"), widget("Rule")));
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let has = |it: &Object, kind: &str, field: &str, word: &str| {
        let resources = it.list_at("/status/resources");
        resources.iter().any(|one| one["kind"] == kind && one.pointer(field).is_some_and(|it| it == word))
    };
    let waits = server.until(&cluster, &application("shop"), |it| has(it, "Widget", "/health/status", "Missing"));
    assert!(has(&waits, "Widget", "/status", "OutOfSync"), "{:#}", waits.value());
    assert_eq!(condition(&waits, "ComparisonError"), None, "{:#}", waits.value());
    // Wave 0 is there before the kinds are.
    server.until(&cluster, &in_shop(("", "v1"), "ConfigMap", "shop"), |_| true);
    for (plural, kind, scope) in [("widgets", "Widget", "Namespaced"), ("rules", "Rule", "Cluster")] {
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
        let names =
            json!({"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")});
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.example.com")},
            "spec": {"group": "example.com", "scope": scope, "names": names, "versions": [version]}});
        let definition = Object::from_value(definition).expect("a map");
        server.runtime.block_on(cluster.create(&definition, &WriteOptions::default())).expect("created");
    }
    let revision = forge.push();
    let synced = server.until(&cluster, &application("shop"), |it| {
        is_synced(it, &revision) && it.str_at("/status/operationState/phase") == Some("Succeeded")
    });
    assert_eq!(synced.list_at("/status/history").len(), 1, "{:#}", synced.value());
    server.until(&cluster, &in_shop(("example.com", "v1"), "Widget", "one"), |_| true);
    let rule = ObjectKey::new(Gvk::new("example.com", "v1", "Rule"), None, "one");
    server.until(&cluster, &rule, |_| true);
}

#[test]
fn a_job_that_is_replaced_by_force_is_in_sync_once_it_is_there() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: seed\n  annotations: {argocd.argoproj.io/sync-options: \"Force=true,Replace=true\"}\nspec:\n  template:\n    spec: {restartPolicy: Never, containers: [{name: c, image: \"busybox:1\"}]}\n";
    let forge = shop("", "", job);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let revision = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let key = in_shop(("batch", "v1"), "Job", "seed");
    let before = server.get(&cluster, &key).expect("there").uid().map(str::to_owned);
    // A look after that, as every change of what is live brings one.
    forge.sandbox.run(&["app", "refresh", "shop", "--hard"]).exits(0);
    let looked = |it: &Object| it.annotation("argocd.argoproj.io/refresh").is_none();
    let after = server.until(&cluster, &application("shop"), |it| looked(it) && is_synced(it, &revision));
    assert_eq!(after.list_at("/status/history").len(), 1, "{:#}", after.value());
    assert_eq!(server.get(&cluster, &key).expect("there").uid().map(str::to_owned), before);
}

#[test]
fn fields_of_managers_that_are_ignored_stay_and_what_is_not_acted_on_is_named() {
    let forge = shop("", ", RespectIgnoreDifferences=true", "");
    let rule = "\n  ignoreDifferences: [{group: apps, kind: Deployment, managedFieldsManagers: [scaler], jqPathExpressions: [\"del(.spec.paused)\"]}]";
    forge.sandbox.edit("apps/shop.yaml", "\n  syncPolicy:", &format!("{rule}\n  sourcesLater: [any]\n  syncPolicy:"));
    forge.sandbox.commit("ignored");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    // Fields are known as it is read, expressions as it is compared.
    let names = |it: &Object| condition(it, "NotActedOnWarning").is_some_and(|it| it.contains("del(.spec.paused)"));
    let told = server.until(&cluster, &application("shop"), names);
    let vain = condition(&told, "NotActedOnWarning").expect("is there").to_owned();
    assert!(vain.contains("del(.spec.paused)"), "{vain}");
    assert!(vain.contains("spec.sourcesLater is not acted on") && !vain.contains("jqPathExpressions"), "{vain}");
    let options = WriteOptions { field_manager: Some("scaler".to_owned()), ..WriteOptions::default() };
    let deployment = in_shop(("apps", "v1"), "Deployment", "shop");
    let scaled = Patch::Merge(json!({"spec": {"replicas": 3}}));
    server.runtime.block_on(cluster.patch(&deployment, &scaled, &options)).expect("scaled");
    // Another change brings a sync, which leaves the field as it is.
    let next = forge.change("chart/values.yaml", "color: blue", "color: red");
    let after = server.until(&cluster, &application("shop"), |it| is_synced(it, &next));
    let deliveries = |it: &Object| it.list_at("/status/history").len();
    assert_eq!(deliveries(&after), deliveries(&synced).max(1) + 1, "{:#}", after.value());
    assert_eq!(server.get(&cluster, &deployment).and_then(|it| it.i64_at("/spec/replicas")), Some(3));
}

#[test]
fn an_operation_that_could_not_be_brought_to_an_end_keeps_nobody_from_the_next_one() {
    let forge = shop("", "", "");
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let revision = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let state = forge.sandbox.root().join(".landfall");
    let open = |id: &str| {
        let operation = NewOperation {
            id: id.to_owned(),
            target: "application argocd/shop".to_owned(),
            kind: "sync".to_owned(),
            plan: json!(null),
            detail: json!(null),
            started_at: "2026-01-01T00:00:00Z".to_owned(),
        };
        server.runtime.block_on(async {
            let store = Store::open(Location::File(state.join("store.db"))).await.expect("the store opens");
            // The status tells of a sync's end a moment before its journal is closed.
            let mut begun = store.journal.begin_operation(&operation).await;
            for _ in 0..200 {
                if begun.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                begun = store.journal.begin_operation(&operation).await;
            }
            begun.expect("begun");
            store.close().await;
        });
    };
    open("01LEFT");
    let next = forge.change("chart/values.yaml", "color: blue", "color: red");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &next));
    // Whoever ends it ends it in the journal, too.
    open("02LEFT");
    let running = json!({"status": {"operationState": {"phase": "Running", "message": "no space left"}}});
    server.patch(&cluster, &application("shop"), running);
    forge.sandbox.run(&["app", "terminate", "shop"]).exits(0);
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/operationState/phase") == Some("Failed"));
    let left = || {
        server.runtime.block_on(async {
            let store = Store::open(Location::File(state.join("store.db"))).await.expect("the store opens");
            let open = store.journal.running_operation("application argocd/shop").await.expect("read");
            store.close().await;
            open
        })
    };
    assert_eq!(left(), None);
}

#[test]
fn hooks_of_a_deletion_run_around_it_and_their_objects_go_with_the_application() {
    let job = |name: &str, hook: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations: {{argocd.argoproj.io/hook: {hook}}}\ndata: {{a: b}}\n---\n"
        )
    };
    // What stays behind of a hook is what says so.
    let stays = "argocd.argoproj.io/hook-delete-policy: BeforeHookCreation, argocd.argoproj.io/hook: PostDelete}";
    let hooks = [
        job("seed", "PostSync"),
        job("Not_A_Name", "PreDelete"),
        job("farewell", "PostDelete"),
        job("note", "PostDelete").replace("argocd.argoproj.io/hook: PostDelete}", stays),
    ];
    let forge = shop("", "", &hooks.concat());
    let plain = "metadata: {name: shop, namespace: argocd}";
    let finalizers = "[resources-finalizer.argocd.argoproj.io]";
    let held = format!("metadata: {{name: shop, namespace: argocd, finalizers: {finalizers}}}");
    let revision = forge.change("apps/shop.yaml", plain, &held);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let seed = in_shop(("", "v1"), "ConfigMap", "seed");
    server.until(&cluster, &seed, |_| true);
    let waits = |it: &Object, named: &str| it.finalizers().any(|it| it == named);
    let (before, after) = ("pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io");
    server.until(&cluster, &application("shop"), |it| {
        let is_over = it.str_at("/status/operationState/phase") == Some("Succeeded");
        is_synced(it, &revision) && is_over && waits(it, before) && waits(it, after)
    });
    let farewell = |name: &str| server.get(&cluster, &in_shop(("", "v1"), "ConfigMap", name));
    assert_eq!((farewell("farewell"), farewell("note")), (None, None), "they run at its deletion alone");
    // What comes before has to succeed first: till then nothing goes.
    server.delete(&cluster, &application("shop"));
    let held = server.until(&cluster, &application("shop"), |it| condition(it, "DeletionError").is_some());
    let told = condition(&held, "DeletionError").expect("told");
    assert!(told.contains("its PreDelete hooks: ") && told.contains("Not_A_Name"), "{told}");
    assert!(told.contains("take pre-delete-finalizer.argocd.argoproj.io off its metadata.finalizers"), "{told}");
    assert!(server.get(&cluster, &seed).is_some_and(|it| it.deletion_timestamp().is_none()));
    forge.change("chart/templates/more.yaml", "Not_A_Name", "export");
    server.until_gone(&cluster, &application("shop"));
    assert!(server.get(&cluster, &seed).is_none_or(|it| it.deletion_timestamp().is_some()));
    assert_eq!((farewell("export"), farewell("farewell")), (None, None), "what says nothing of its end is cleaned up");
    assert!(farewell("note").is_some());
}

#[test]
fn differences_that_are_ignored_for_everybody_are_for_an_application_that_says_nothing_of_them() {
    let forge = shop("", ", RespectIgnoreDifferences=true", "");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {"resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/spec/replicas]\n"}});
    let settings = Object::from_value(settings).expect("a map");
    server.runtime.block_on(cluster.create(&settings, &WriteOptions::default())).expect("created");
    // It is heard before what is changed after it is looked at.
    forge.sandbox.run(&["app", "refresh", "shop"]).exits(0);
    let deployment = in_shop(("apps", "v1"), "Deployment", "shop");
    server.patch(&cluster, &deployment, json!({"spec": {"replicas": 3}}));
    let next = forge.change("chart/values.yaml", "color: blue", "color: red");
    let after = server.until(&cluster, &application("shop"), |it| is_synced(it, &next));
    assert_eq!(server.get(&cluster, &deployment).and_then(|it| it.i64_at("/spec/replicas")), Some(3));
    assert_eq!(condition(&after, "NotActedOnWarning"), None, "{:#}", after.value());
    // Without it the difference counts.
    server.delete(&cluster, &settings.key());
    server.until(&cluster, &deployment, |it| it.i64_at("/spec/replicas") == Some(1));
}

/// The second wave waits until the script is content with the first one; the status tells what it says, also once it says something
/// else of an object that has not changed since.
#[test]
fn a_script_of_argo_cds_settings_says_how_objects_fare() {
    let map = |name: &str, wave: u8| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations: {{argocd.argoproj.io/sync-wave: \"{wave}\"}}\ndata: {{text: a}}\n"
        )
    };
    let forge = shop("", "", "");
    let settings = |script: &str| {
        let data = json!({"resource.customizations.health.ConfigMap": script});
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"}, "data": data});
        Object::from_value(object).expect("a map")
    };
    let script = "hs = {status = 'Healthy'}\n\
        if obj.metadata.name == 'first' and (obj.metadata.labels == nil or obj.metadata.labels.opened == nil) then\n\
        hs = {status = 'Progressing', message = 'closed'}\nend\nreturn hs\n";
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    server.runtime.block_on(cluster.create(&settings(script), &WriteOptions::default())).expect("created");
    // It is heard before what is delivered after it is looked at.
    forge.sandbox.run(&["app", "refresh", "shop"]).exits(0);
    forge.sandbox.write("chart/templates/more.yaml", &format!("{}{}", map("first", 1), map("second", 2)));
    forge.sandbox.commit("two waves");
    let revision = forge.push();
    let told = |it: &Object, name: &str| {
        let one =
            it.list_at("/status/resources").iter().find(|one| one["name"] == name && one["kind"] == "ConfigMap")?;
        Some((
            one["health"]["status"].as_str()?.to_owned(),
            one["health"]["message"].as_str().unwrap_or_default().to_owned(),
        ))
    };
    let first = in_shop(("", "v1"), "ConfigMap", "first");
    let waits = server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/operationState/message").is_some_and(|text| text.contains("first"))
    });
    assert_eq!(waits.str_at("/status/operationState/phase"), Some("Running"));
    assert!(server.get(&cluster, &in_shop(("", "v1"), "ConfigMap", "second")).is_none(), "its wave has not come");
    server.patch(&cluster, &first, json!({"metadata": {"labels": {"opened": "yes"}}}));
    let done =
        server.until(&cluster, &application("shop"), |it| is_synced(it, &revision) && told(it, "first").is_some());
    assert_eq!(told(&done, "first"), Some(("Healthy".to_owned(), String::new())));
    assert_eq!(condition(&done, "NotActedOnWarning"), None, "{:#}", done.value());

    let broken = "return {\n  status = obj.spec.state.word,\n}\n";
    let data = json!({"data": {"resource.customizations.health.ConfigMap": broken}});
    server.patch(&cluster, &settings(broken).key(), data);
    let unknown = (
        "Unknown",
        "resource.customizations.health.ConfigMap of argocd-cm, line 2: attempt to index field 'spec' (a nil value)",
    );
    let told_of =
        |it: &Object| told(it, "second").is_some_and(|(status, why)| (status.as_str(), why.as_str()) == unknown);
    let broken = server.until(&cluster, &application("shop"), told_of);
    assert_eq!(broken.str_at("/status/health/status"), Some("Unknown"));
    server.delete(&cluster, &settings("").key());
    server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/health/status") == Some("Healthy") && told(it, "second").is_none()
    });
}
