//! What stands in a folder of Applications and is none.

use super::*;

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: shop-login, labels: {argocd.argoproj.io/secret-type: repository}}\nstringData: {type: git, url: \"https://git.example.com/other.git\", username: ci, password: s3cr3t-of-ci}\n";
const PROJECT: &str = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: team}\nspec: {sourceRepos: [\"*\"], destinations: [{server: \"*\", namespace: \"*\"}]}\n";

fn key(kind: (&str, &str, &str), name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new(kind.0, kind.1, kind.2), Some("argocd"), name)
}

#[test]
fn what_stands_beside_applications_is_put_there_or_named() {
    let forge = Forge::shop(AUTOMATED);
    let sandbox = &forge.sandbox;
    sandbox.write("apps/login.yaml", SECRET);
    sandbox.write("apps/team.yaml", PROJECT);
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: extra}\n";
    let shop = std::fs::read_to_string(sandbox.root().join("apps/shop.yaml")).expect("read");
    sandbox.write("apps/shop.yaml", &format!("{shop}---\n{namespace}"));
    sandbox.write("apps/notes.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {a: b}\n");
    sandbox.write("apps/template.yaml", "kind: {{ .Values.kind }\n");
    sandbox.write("apps/values.yaml", "color: blue\n");
    sandbox.commit("beside");
    let revision = forge.push();
    let repository = format!("{SHOP}={}", forge.bare.display());
    let told = sandbox.run(&["up", "apps", "--repo", &format!("{SHOP}=."), "--dry-run"]).exits(0);
    let named = [
        "ConfigMap notes in `apps/notes.yaml` is not delivered",
        "Namespace extra in `apps/shop.yaml` is not delivered",
        "Secret shop-login in `apps/login.yaml` is not delivered: `landfall serve` reads repositories with it",
        "`apps/template.yaml`, which is not valid YAML, is not delivered",
    ];
    let told = named.into_iter().fold(told, |told, line| told.says(line));
    assert!(!told.all().contains("values.yaml") && !told.all().contains("s3cr3t"), "{}", told.all());

    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let login = key(("", "v1", "Secret"), "shop-login");
    let there = server.get(&cluster, &login).expect("put there");
    assert_eq!(there.label("argocd.argoproj.io/secret-type"), Some("repository"));
    assert!(server.get(&cluster, &key(("argoproj.io", "v1alpha1", "AppProject"), "team")).is_some());
    for (kind, name) in [("ConfigMap", "notes"), ("Namespace", "extra")] {
        let object = ObjectKey::new(Gvk::new("", "v1", kind), (kind == "ConfigMap").then_some("argocd"), name);
        assert_eq!(server.get(&cluster, &object), None);
    }
    let log = || std::fs::read_to_string(sandbox.root().join("../serve.log")).expect("read");
    for line in ["ConfigMap notes in `apps/notes.yaml` is not applied", "Namespace extra in `apps/shop.yaml`"] {
        assert!(log().contains(line), "{}", log());
    }
    assert!(!log().contains("s3cr3t") && !log().contains("shop-login"), "{}", log());

    // One that is there and is no credential, or holds what was generated once, stays as it is.
    let once = json!({"metadata": {"annotations": {"landfall.dev/once": "password"}}});
    server.patch(&cluster, &login, once);
    assert_eq!(server.terminate().0, Some(0));
    sandbox.edit("apps/login.yaml", "s3cr3t-of-ci", "another");
    let refused = sandbox.run(&["serve", "apps", "--listen", "127.0.0.1:0", "--repo", &repository]);
    let refused = refused.says("Secret shop-login is there and holds password, generated once");
    assert_eq!(refused.code, 5, "{}", refused.all());
}
