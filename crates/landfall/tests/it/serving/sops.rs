//! Files that SOPS has encrypted, opened by a server for the projects that have an identity for them and for no other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn case(name: &str) -> String {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cases/sops");
    std::fs::read_to_string(std::path::Path::new(cases).join(name)).expect("there")
}

fn of_project(project: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {project}, namespace: argocd}}\nspec:\n  project: {project}\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: plain}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: {project}}}\n  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}\n"
    )
}

fn named(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "Application"), Some("argocd"), name)
}

fn is_synced(application: &Object) -> bool {
    application.str_at("/status/sync/status") == Some("Synced")
}

/// Whoever may write a repository of one project cannot have the server open what was encrypted for another.
#[test]
fn what_is_encrypted_for_one_project_is_not_opened_for_another() {
    let sandbox = Sandbox::empty();
    sandbox.write("plain/secret.yaml", &case("secret.yaml"));
    sandbox.write("apps/default.yaml", &of_project("default"));
    sandbox.write("apps/team.yaml", &of_project("team"));
    sandbox.write(
        "apps/project.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: team, namespace: argocd}\nspec:\n  sourceRepos: [\"*\"]\n  destinations: [{server: \"*\", namespace: team}]\n  clusterResourceWhitelist: [{group: \"*\", kind: \"*\"}]\n",
    );
    let forge = Forge::of(sandbox);
    // Beside the system, and in no commit.
    forge.sandbox.write("../key.txt", &case("key.txt"));
    let served = forge.serve(&["apps"], SHOP, &[("SOPS_AGE_KEY_FILE", "../key.txt")]);
    let cluster = served.cluster();
    let secret = |namespace: &str| ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), "keys");
    served.until(&cluster, &named("default"), is_synced);
    let refused = served.until(&cluster, &named("team"), |it| !it.list_at("/status/conditions").is_empty());
    let told = refused.at("/status/conditions").map(Value::to_string).unwrap_or_default();
    assert!(told.contains("the project `team` has no identities of its own"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    assert!(served.get(&cluster, &secret("team")).is_none(), "nothing of it was delivered");
    // Once it has one of its own it is.
    let data = json!({"project": STANDARD.encode("team"), "team.agekey": STANDARD.encode(case("key.txt"))});
    let metadata = json!({"name": "team-sops", "namespace": "argocd", "labels": {"landfall.dev/secret-type": "sops"}});
    let identities = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
    let identities = Object::from_value(identities).expect("a map");
    served.runtime.block_on(cluster.create(&identities, &WriteOptions::default())).expect("created");
    served.until(&cluster, &named("team"), is_synced);
    let opened = served.get(&cluster, &secret("team")).expect("delivered");
    assert_eq!(opened.str_at("/data/TOKEN"), Some(STANDARD.encode("canary-token").as_str()));
    // Taken away, it is not opened any more; what was delivered stays.
    served.delete(&cluster, &identities.key());
    let more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {a: b}\n";
    forge.sandbox.write("plain/more.yaml", more);
    forge.sandbox.commit("more");
    forge.push();
    served.until(&cluster, &named("default"), |it| {
        it.list_at("/status/resources").iter().any(|one| one["name"] == "more") && is_synced(it)
    });
    served.until(&cluster, &named("team"), |it| {
        it.at("/status/conditions").is_some_and(|all| all.to_string().contains("no identities"))
    });
    assert!(served.get(&cluster, &secret("team")).is_some());
}
