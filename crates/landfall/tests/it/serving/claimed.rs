//! What says of itself that it belongs to an Application which has forgotten it.

use super::*;

fn config(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("shop"), name)
}

#[test]
fn an_application_that_is_made_again_with_fewer_objects_finds_those_of_before_and_prunes_them() {
    let forge = Forge::shop("{syncOptions: [CreateNamespace=true]}");
    forge.sandbox.edit("apps/shop.yaml", "path: chart", "path: plain");
    for name in ["first", "second"] {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n");
        forge.sandbox.write(&format!("plain/{name}.yaml"), &text);
    }
    forge.sandbox.commit("two");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    forge.sandbox.run(&["app", "sync", "shop"]).exits(0);
    let before = server.until(&cluster, &key, |it| is_synced(it, &revision));
    server.delete(&cluster, &key);
    server.until_gone(&cluster, &key);
    // Others' objects of the same name, of another installation, and what only copies an annotation.
    let tracked = |name: &str, of: &str, more: Value| {
        let mut annotations = json!({"argocd.argoproj.io/tracking-id": format!("shop:/ConfigMap:shop/{of}")});
        annotations.as_object_mut().expect("a map").extend(more.as_object().cloned().unwrap_or_default());
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations}});
        let object = Object::from_value(object).expect("a map");
        server.runtime.block_on(cluster.create(&object, &WriteOptions::default())).expect("created");
    };
    tracked("copied", "first", json!({}));
    tracked("theirs", "theirs", json!({"argocd.argoproj.io/installation-id": "another"}));
    forge.sandbox.git(&["rm", "-q", "plain/second.yaml"]);
    forge.sandbox.commit("one");
    let one = forge.push();
    let again = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"}, "spec": before.spec()});
    let again = Object::from_value(again).expect("a map");
    server.runtime.block_on(cluster.create(&again, &WriteOptions::default())).expect("created");
    let differs = server.until(&cluster, &key, |it| {
        it.str_at("/status/sync/status") == Some("OutOfSync") && it.str_at("/status/sync/revision") == Some(&one)
    });
    let resources = differs.list_at("/status/resources");
    let mut named: Vec<String> =
        resources.iter().map(|it| format!("{} {}", it["name"], it["requiresPruning"])).collect();
    named.sort();
    assert_eq!(named, ["\"first\" null", "\"second\" true"], "{:#}", differs.value());
    forge.sandbox.run(&["app", "sync", "shop", "--prune"]).exits(0);
    server.until_gone(&cluster, &config("second"));
    server.until(&cluster, &key, |it| is_synced(it, &one));
    for name in ["first", "copied", "theirs"] {
        assert!(server.get(&cluster, &config(name)).is_some(), "{name}");
    }
}
