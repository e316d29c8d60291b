//! What a delivery leaves alone, and in which order it comes: rows of a small team's first day.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_cluster::ListOptions;
use landfall_secrets::{KeySize, PlainSecret, Scope, Sealing, SealingKey, seal};

use super::*;

fn core(kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", kind), namespace, name)
}

/// A shop with objects that are data, or marked to stay, or neither; and what each of them is.
fn shop_with_data() -> (Forge, [ObjectKey; 4]) {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.write(
        "chart/templates/kept.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: beside}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone}\n",
    );
    forge.sandbox.commit("with data");
    let finalizer = "name: shop, finalizers: [resources-finalizer.argocd.argoproj.io]";
    forge.change("apps/shop.yaml", "name: shop", finalizer);
    let objects = [
        core("PersistentVolumeClaim", Some("shop"), "data"),
        core("Namespace", None, "beside"),
        core("ConfigMap", Some("shop"), "kept"),
        core("ConfigMap", Some("shop"), "gone"),
    ];
    (forge, objects)
}

#[test]
fn lp_120_what_is_no_longer_named_is_pruned_but_for_data_and_what_is_to_be_kept() {
    let (forge, [claim, namespace, marked, gone]) = shop_with_data();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    // CreateNamespace=true has made it; a hand's change is put right.
    assert!(server.get(&cluster, &core("Namespace", None, "shop")).is_some());
    server.patch(&cluster, &web(), json!({"spec": {"replicas": 5}}));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(1));
    let text = forge.sandbox.read("chart/templates/kept.yaml");
    std::fs::remove_file(forge.sandbox.root().join("chart/templates/kept.yaml")).expect("there");
    forge.sandbox.commit("without data");
    let without = forge.push();
    let kept = [&claim, &namespace, &marked];
    let is_kept = |it: &Object, key: &ObjectKey| {
        it.list_at("/status/resources")
            .iter()
            .any(|one| one["name"] == key.name && one["requiresPruning"] == true && one["status"] == "Synced")
    };
    let synced = server
        .until(&cluster, &application("shop"), |it| is_synced(it, &without) && kept.iter().all(|key| is_kept(it, key)));
    assert!(server.get(&cluster, &gone).is_none());
    let before: Vec<Object> = kept.iter().map(|key| server.get(&cluster, key).expect("kept")).collect();
    // Nothing is put right about what is kept, and another commit is in sync beside it.
    let changed = json!({"metadata": {"labels": {"by": "hand"}}});
    server.patch(&cluster, &marked, changed);
    let next = forge.change("chart/values.yaml", "color: blue", "color: red");
    let after = server
        .until(&cluster, &application("shop"), |it| is_synced(it, &next) && kept.iter().all(|key| is_kept(it, key)));
    let deliveries = |it: &Object| it.list_at("/status/history").len();
    assert_eq!(deliveries(&after), deliveries(&synced) + 1, "{:#}", after.value());
    assert_eq!(after.at("/status/operationState/operation/sync/autoHealAttemptsCount"), None);
    assert!(after.list_at("/status/conditions").is_empty(), "{:#}", after.value());
    forge.sandbox.run(&["app", "get", "shop"]).exits(0).says("(kept)").says("it holds data");
    forge.sandbox.run(&["app", "diff", "shop", "--exit-code"]).exits(0).says("stays: it holds data");
    // Its template comes back: it is the same object.
    forge.sandbox.write("chart/templates/kept.yaml", &text);
    forge.sandbox.commit("with data again");
    let again = forge.push();
    server
        .until(&cluster, &application("shop"), |it| is_synced(it, &again) && kept.iter().all(|key| !is_kept(it, key)));
    for (key, before) in kept.iter().zip(&before) {
        assert_eq!(server.get(&cluster, key).and_then(|it| it.uid().map(str::to_owned)).as_deref(), before.uid());
    }
    std::fs::remove_file(forge.sandbox.root().join("chart/templates/kept.yaml")).expect("there");
    forge.sandbox.commit("without data");
    let without = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &without) && is_kept(it, &claim));
    // Whoever deletes the Application has been asked; what is marked outlives that, too.
    server.delete(&cluster, &application("shop"));
    server.until_gone(&cluster, &application("shop"));
    assert!(server.get(&cluster, &claim).is_none_or(|it| it.deletion_timestamp().is_some()));
    assert!(server.get(&cluster, &marked).is_some());
}

#[test]
fn lp_120_under_argo_strict_data_is_pruned_and_what_may_not_be_pruned_differs() {
    let (forge, [claim, _, marked, _]) = shop_with_data();
    forge.change(
        "chart/templates/kept.yaml",
        "helm.sh/resource-policy: keep",
        "argocd.argoproj.io/sync-options: Prune=false",
    );
    let server = forge.serve(&["apps", "--argo-strict"], SHOP, &[]);
    let cluster = server.cluster();
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    std::fs::remove_file(forge.sandbox.root().join("chart/templates/kept.yaml")).expect("there");
    forge.sandbox.commit("without data");
    let without = forge.push();
    server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/sync/status") == Some("OutOfSync")
            && it.str_at("/status/sync/revision") == Some(&without)
            && it.str_at("/status/operationState/phase") == Some("Succeeded")
            && it.str_at("/status/operationState/syncResult/revision") == Some(&without)
    });
    server.until_gone(&cluster, &claim);
    assert!(server.get(&cluster, &marked).is_some());
}

/// LuckyPlans' order on an empty cluster: scripts, then settings, a secret and a claim, then who uses them.
fn waves() -> Forge {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.write(
        "chart/templates/all.yaml",
        r#"apiVersion: v1
kind: ConfigMap
metadata: {name: init-sql, annotations: {argocd.argoproj.io/sync-wave: "-2"}}
data: {init.sql: "CREATE DATABASE shop;"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: realm, annotations: {argocd.argoproj.io/sync-wave: "-1"}}
data: {realm.json: "{}"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, annotations: {argocd.argoproj.io/sync-wave: "-1"}}
stringData: {TOKEN: one}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, annotations: {argocd.argoproj.io/sync-wave: "-1"}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: app
          image: example/app:1.0.0
          envFrom: [{secretRef: {name: keys}}]
          volumeMounts: [{name: data, mountPath: /data}, {name: sql, mountPath: /sql}]
      volumes:
        - {name: data, persistentVolumeClaim: {claimName: data}}
        - {name: sql, configMap: {name: init-sql}}
"#,
    );
    forge.sandbox.commit("waves");
    forge.push();
    forge
}

#[test]
fn lp_111_a_first_sync_in_waves_comes_through_on_an_empty_cluster() {
    let forge = waves();
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let synced = server.until(&cluster, &application("shop"), |it| {
        is_synced(it, &revision) && it.str_at("/status/health/status") == Some("Healthy")
    });
    assert_eq!(synced.str_at("/status/operationState/phase"), Some("Succeeded"));
    assert_eq!(synced.list_at("/status/history").len(), 1);
    let claim = server.get(&cluster, &core("PersistentVolumeClaim", Some("shop"), "data")).expect("there");
    assert_eq!(claim.str_at("/status/phase"), Some("Bound"));
}

#[test]
fn lp_111_under_argo_strict_the_claims_wave_waits_until_somebody_uses_it() {
    let forge = waves();
    let revision = forge.push();
    let server = forge.serve(&["apps", "--argo-strict"], SHOP, &[]);
    let cluster = server.cluster();
    let claim = core("PersistentVolumeClaim", Some("shop"), "data");
    server.until(&cluster, &claim, |it| it.str_at("/status/phase") == Some("Pending"));
    // Nothing comes of waiting here: it may take as long as it likes.
    std::thread::sleep(Duration::from_secs(2));
    assert!(server.get(&cluster, &web()).is_none());
    let waiting = server.get(&cluster, &application("shop")).expect("there");
    assert_eq!(waiting.str_at("/status/operationState/phase"), Some("Running"), "{:#}", waiting.value());
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "first", "namespace": "shop"}, "spec": {
        "containers": [{"name": "c", "image": "example/app:1.0.0", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}});
    let options = WriteOptions { field_manager: Some("kubectl-create".to_owned()), ..WriteOptions::default() };
    let pod = Object::from_value(pod).expect("a map");
    server.runtime.block_on(cluster.create(&pod, &options)).expect("created");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    assert!(server.get(&cluster, &web()).is_some());
}

/// A key of SealedSecrets that the cluster knows.
fn sealing_key(server: &Server, cluster: &Cluster) -> SealingKey {
    let key = SealingKey::generate(KeySize::Rsa2048, jiff::Timestamp::now()).expect("a key");
    let options = WriteOptions { field_manager: Some("kubectl-create".to_owned()), ..WriteOptions::default() };
    let secret = Object::from_value(key.to_secret("kube-system")).expect("a map");
    server.runtime.block_on(cluster.create(&secret, &options)).expect("created");
    key
}

fn sealed(key: &SealingKey, value: &str) -> String {
    let secret = json!({"kind": "Secret", "type": "Opaque", "stringData": {"TOKEN": value},
        "metadata": {"name": "keys", "namespace": "shop"}});
    let secret = PlainSecret::read(&secret).expect("fine").expect("a Secret");
    let how = Sealing { scope: Scope::Strict, ..Sealing::default() };
    let certificate = key.certificate.as_ref().expect("a certificate");
    seal(secret, &certificate.key, &how).expect("sealed").to_string()
}

fn holds(secret: &Object, value: &str) -> bool {
    secret.str_at("/data/TOKEN") == Some(&STANDARD.encode(value))
}

#[test]
fn lp_118_the_secret_of_a_sealed_secret_never_differs_with_a_stanza_for_it_or_without() {
    for stanza in
        ["", "  ignoreDifferences: [{group: \"\", kind: Secret, name: keys, jsonPointers: [/data, /metadata]}]\n"]
    {
        let options = if stanza.is_empty() { "" } else { ", RespectIgnoreDifferences=true" };
        let forge = Forge::shop(&format!(
            "{{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true{options}]}}"
        ));
        let declared = format!("{}{stanza}", forge.sandbox.read("apps/shop.yaml"));
        forge.sandbox.write("apps/shop.yaml", &declared);
        forge.sandbox.commit("as it is declared");
        let plain = forge.push();
        let server = forge.serve(&["apps"], SHOP, &[]);
        let cluster = server.cluster();
        server.until(&cluster, &application("shop"), |it| is_synced(it, &plain));
        let key = sealing_key(&server, &cluster);
        forge.sandbox.write("chart/templates/sealed.yaml", &sealed(&key, "one"));
        forge.sandbox.commit("sealed");
        let first = forge.push();
        server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
        let keys = core("Secret", Some("shop"), "keys");
        let made = server.until(&cluster, &keys, |it| holds(it, "one"));
        assert!(made.owner_references().len() == 1, "{:#}", made.value());
        // A hand's change of it is its controller's matter, and another commit is in sync beside it.
        server.patch(&cluster, &keys, json!({"metadata": {"labels": {"by": "hand"}}}));
        let next = forge.change("chart/values.yaml", "color: blue", "color: red");
        let after = server.until(&cluster, &application("shop"), |it| is_synced(it, &next));
        assert!(after.list_at("/status/resources").iter().all(|it| it["kind"] != "Secret"), "{:#}", after.value());
        assert_eq!(after.list_at("/status/history").len(), 3, "{:#}", after.value());
        assert!(after.list_at("/status/conditions").is_empty(), "{:#}", after.value());
        forge.sandbox.run(&["app", "diff", "shop", "--exit-code"]).exits(0);
    }
}

/// The pods of the shop that run: name and uid.
fn pods(server: &Server, cluster: &Cluster) -> Vec<(String, String)> {
    let options = ListOptions { namespace: Some("shop".to_owned()), ..ListOptions::default() };
    let listed = server.runtime.block_on(cluster.list(&Gvk::new("", "v1", "Pod"), &options)).expect("listed");
    listed.iter().map(|pod| (pod.name().to_owned(), pod.uid().unwrap_or_default().to_owned())).collect()
}

#[test]
fn lp_131_a_plain_secret_becomes_a_sealed_one_with_its_uid_and_its_pods_keep_running() {
    let forge = Forge::shop(AUTOMATED);
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {TOKEN: one}\n";
    forge.sandbox.write("chart/templates/keys.yaml", plain);
    forge.sandbox.edit("chart/templates/all.yaml", "envFrom: [", "envFrom: [{secretRef: {name: keys}}, ");
    forge.sandbox.commit("with a secret");
    let first = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| {
        is_synced(it, &first) && it.str_at("/status/health/status") == Some("Healthy")
    });
    let keys = core("Secret", Some("shop"), "keys");
    let before = server.until(&cluster, &keys, |it| holds(it, "one"));
    let running = pods(&server, &cluster);
    assert_eq!(running.len(), 1);
    let key = sealing_key(&server, &cluster);
    forge.sandbox.write("chart/templates/keys.yaml", &sealed(&key, "two"));
    forge.sandbox.commit("sealed");
    let second = forge.push();
    let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &second));
    assert_eq!(synced.str_at("/status/operationState/phase"), Some("Succeeded"), "{:#}", synced.value());
    let after = server.until(&cluster, &keys, |it| holds(it, "two"));
    assert_eq!(after.uid(), before.uid());
    assert!(after.owner_references().len() == 1, "{:#}", after.value());
    assert_eq!(pods(&server, &cluster), running);
}
