//! ApplicationSets, parents that shrink, and sync windows, against a server that runs.

use super::told::{count, http, listen, until};
use super::*;

/// A set of one Application a directory of `teams`.
const SET: &str = "apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: teams, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
  - git: {repoURL: \"https://git.example.com/shop.git\", revision: main, directories: [{path: teams/*}]}
  template:
    metadata: {name: '{{ .path.basename }}'}
    spec:
      project: default
      source: {repoURL: \"https://git.example.com/shop.git\", targetRevision: main, path: '{{ .path.path }}'}
      destination: {server: \"https://kubernetes.default.svc\", namespace: teams}
      syncPolicy: {automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}
";

/// Its generator.
const GIT: &str =
    "git: {repoURL: \"https://git.example.com/shop.git\", revision: main, directories: [{path: teams/*}]}";

fn config(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{of: {name}}}\n")
}

fn delivered(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("teams"), name)
}

fn set(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "ApplicationSet"), Some("argocd"), name)
}

/// The message of a condition, by its type.
fn said<'o>(object: &'o Object, kind: &str) -> Option<&'o str> {
    let condition = object.list_at("/status/conditions").iter().find(|it| it["type"] == kind)?;
    (condition["status"] != "False").then_some(condition["message"].as_str()?)
}

/// What is to be typed, out of what is said: the annotation and its value.
#[track_caller]
fn approval(words: &str) -> Value {
    let (_, typed) = words.split_once("--overwrite ").unwrap_or_else(|| panic!("{words} says nothing to type"));
    let (annotation, value) = typed.split_once('=').expect("an annotation");
    json!({"metadata": {"annotations": {annotation: value}}})
}

fn gone(server: &Server, cluster: &Cluster, key: &ObjectKey) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.get(cluster, key).is_some() {
        assert!(Instant::now() < deadline, "{key} never goes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A system with a set and these teams.
fn teams(names: &[&str]) -> Forge {
    let sandbox = Sandbox::empty();
    sandbox.write("apps/teams.yaml", SET);
    for name in names {
        sandbox.write(&format!("teams/{name}/config.yaml"), &config(name));
    }
    Forge::of(sandbox)
}

#[test]
fn a_set_follows_its_repository_and_what_shrinks_by_more_than_a_fifth_waits_for_an_approval() {
    let names = ["a", "b", "c", "d", "e"];
    let forge = teams(&names);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    for name in names {
        server.until(&cluster, &application(name), |it| it.str_at("/status/sync/status") == Some("Synced"));
        assert!(server.get(&cluster, &delivered(name)).is_some(), "{name}");
    }
    let first = server.until(&cluster, &set("teams"), |it| {
        said(it, "ResourcesUpToDate").is_some() && it.i64_at("/status/resourcesCount") == Some(5)
    });
    assert_eq!(said(&first, "ErrorOccurred"), None);
    // A sixth comes with a push.
    forge.sandbox.write("teams/f/config.yaml", &config("f"));
    forge.sandbox.commit("a sixth");
    forge.push();
    let sixth = server.until(&cluster, &application("f"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    assert_eq!(sixth.controller().map(|owner| owner.name), Some("teams".to_owned()));
    // The branch is rewritten, and three of six are gone: all of them stay, and what they delivered.
    for name in ["d", "e", "f"] {
        forge.sandbox.git(&["rm", "-rq", &format!("teams/{name}")]);
    }
    forge.sandbox.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
    forge.sandbox.git(&["push", "-q", "--force", "origin", "main"]);
    let held = server.until(&cluster, &set("teams"), |it| said(it, "ErrorOccurred").is_some());
    let words = said(&held, "ErrorOccurred").expect("said").to_owned();
    assert!(words.starts_with("3 of 6 Applications would be deleted (d, e, f)"), "{words}");
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert!(server.get(&cluster, &application(name)).is_some_and(|it| it.deletion_timestamp().is_none()), "{name}");
        assert!(server.get(&cluster, &delivered(name)).is_some(), "{name}");
    }
    // Somebody types what it says.
    server.patch(&cluster, &set("teams"), approval(&words));
    for name in ["d", "e", "f"] {
        gone(&server, &cluster, &application(name));
        assert!(server.get(&cluster, &delivered(name)).is_none(), "{name} took along what it delivered");
    }
    server.until(&cluster, &set("teams"), |it| said(it, "ResourcesUpToDate").is_some());
    assert!(server.get(&cluster, &delivered("a")).is_some());
}

fn text(cell: &serde_json::Value) -> String {
    cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)
}

#[test]
fn a_set_whose_repository_is_gone_says_so_and_keeps_all() {
    let forge = teams(&["a", "b"]);
    let (slack, heard) = listen(http, 0);
    let hook = format!("http://127.0.0.1:{slack}/");
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_NEWS_SLACK", hook.as_str())]);
    let cluster = server.cluster();
    for name in ["a", "b"] {
        server.until(&cluster, &application(name), |it| it.str_at("/status/sync/status") == Some("Synced"));
    }
    forge.sandbox.git(&["push", "-q", "origin", "main:kept"]);
    let delete = ["update-ref", "-d", "refs/heads/main"];
    let deleted = std::process::Command::new("git").arg("-C").arg(&forge.bare).args(delete).status();
    assert!(deleted.expect("git runs").success());
    let failed = server.until(&cluster, &set("teams"), |it| said(it, "ErrorOccurred").is_some());
    let why = said(&failed, "ErrorOccurred").expect("said");
    assert!(why.contains("error generating params from git https://"), "{why}");
    assert_eq!(said(&failed, "ParametersGenerated"), None);
    // Whoever looks at the list, or at one of its Applications, is told.
    let table = server.runtime.block_on(cluster.table(&set("teams"))).expect("a table");
    let cells = ["teams", "2", "True", "ApplicationGenerationFromParamsError"];
    let told: Vec<String> = table["rows"][0]["cells"].as_array().into_iter().flatten().map(text).collect();
    assert_eq!(told[..4], cells, "{table:#}");
    let shown = forge.sandbox.run(&["app", "get", "a"]).exits(0);
    shown.says("ApplicationSetWarning: teams: error generating params from git https://");
    forge.sandbox.run(&["app", "explain", "a"]).says("kubectl -n argocd get applicationset teams -o yaml");
    let errs = "ApplicationSet argocd/teams errs: error generating params from git https://";
    forge.sandbox.run(&["app", "list"]).exits(0).says(errs);
    let listed = forge.sandbox.run(&["app", "list", "-o", "json"]).exits(0).json();
    assert_eq!(listed["data"]["erring_sets"][0]["name"], "teams", "{listed:#}");
    until(&heard, "ApplicationSet argocd/teams is not carried out");
    for name in ["a", "b"] {
        assert!(server.get(&cluster, &application(name)).is_some_and(|it| it.deletion_timestamp().is_none()));
        assert!(server.get(&cluster, &delivered(name)).is_some());
    }
    forge.push();
    server.until(&cluster, &set("teams"), |it| said(it, "ErrorOccurred").is_none());
    until(&heard, "ApplicationSet argocd/teams generates its Applications again");
    let listed = forge.sandbox.run(&["app", "list"]).exits(0);
    assert!(!listed.all().contains("errs"), "{}", listed.all());
    assert_eq!(count(&heard, "ApplicationSet argocd/teams"), 2, "{:#?}", heard.lock());
}

#[test]
fn a_hands_change_of_a_generated_application_is_put_right_but_for_what_is_ignored() {
    let forge = teams(&["a"]);
    let ignoring = "spec:\n  ignoreApplicationDifferences: [{jsonPointers: [/spec/info]}]\n";
    forge.change("apps/teams.yaml", "spec:\n  goTemplate", &format!("{ignoring}  goTemplate"));
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("a"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    let by_hand = json!({"spec": {"info": [{"name": "who", "value": "anna"}], "source": {"path": "teams/none"}}});
    server.patch(&cluster, &application("a"), by_hand);
    let back = server.until(&cluster, &application("a"), |it| it.str_at("/spec/source/path") == Some("teams/a"));
    assert_eq!(back.str_at("/spec/info/0/value"), Some("anna"));
}

#[test]
fn a_parent_that_shrinks_keeps_its_children_until_somebody_approves() {
    let sandbox = Sandbox::empty();
    let child = |name: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: teams/{name}}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: teams}}\n  syncPolicy: {AUTOMATED}\n"
        )
    };
    for name in ["a", "b", "c"] {
        sandbox.write(&format!("children/{name}.yaml"), &child(name));
        sandbox.write(&format!("teams/{name}/config.yaml"), &config(name));
    }
    sandbox.write(
        "apps/root.yaml",
        &format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: root, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: children}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: argocd}}\n  syncPolicy: {{automated: {{prune: true}}}}\n"
        ),
    );
    let forge = Forge::of(sandbox);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    for name in ["a", "b", "c"] {
        server.until(&cluster, &application(name), |it| it.str_at("/status/sync/status") == Some("Synced"));
    }
    forge.sandbox.git(&["rm", "-q", "children/b.yaml", "children/c.yaml"]);
    forge.sandbox.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
    forge.sandbox.git(&["push", "-q", "--force", "origin", "main"]);
    let held = server.until(&cluster, &application("root"), |it| said(it, "DeletionHeldWarning").is_some());
    let words = said(&held, "DeletionHeldWarning").expect("said").to_owned();
    assert!(words.contains("2 of 3 Applications would be deleted (b, c)"), "{words}");
    for name in ["a", "b", "c"] {
        assert!(server.get(&cluster, &application(name)).is_some_and(|it| it.deletion_timestamp().is_none()), "{name}");
        assert!(server.get(&cluster, &delivered(name)).is_some(), "{name}");
    }
    server.patch(&cluster, &application("root"), approval(&words));
    for name in ["b", "c"] {
        gone(&server, &cluster, &application(name));
        assert!(server.get(&cluster, &delivered(name)).is_none(), "{name}");
    }
    assert!(server.get(&cluster, &delivered("a")).is_some());
}

/// What goes is counted however far below the parent it is: one set of many is one child, too.
#[test]
fn a_parent_that_loses_one_set_of_many_keeps_it_until_somebody_approves() {
    let sandbox = Sandbox::empty();
    let spec = |name: &str| {
        format!(
            "{{project: default, source: {{repoURL: \"{SHOP}\", targetRevision: main, path: \"teams/{name}\"}}, destination: {{server: \"https://kubernetes.default.svc\", namespace: teams}}, syncPolicy: {AUTOMATED}}}"
        )
    };
    for name in ["a", "b", "c", "d", "e", "f"] {
        let child = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec: {}\n",
            spec(name)
        );
        sandbox.write(&format!("children/{name}.yaml"), &child);
        sandbox.write(&format!("teams/{name}/config.yaml"), &config(name));
    }
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: big, namespace: argocd}}\nspec:\n  generators: [{{list: {{elements: [{{team: one}}, {{team: two}}, {{team: three}}, {{team: four}}]}}}}]\n  template: {{metadata: {{name: \"big-{{{{team}}}}\"}}, spec: {}}}\n",
        spec("{{team}}")
    );
    sandbox.write("children/big.yaml", &set);
    for name in ["one", "two", "three", "four"] {
        sandbox.write(&format!("teams/{name}/config.yaml"), &config(name));
    }
    sandbox.write(
        "apps/root.yaml",
        &format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: root, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: children}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: argocd}}\n  syncPolicy: {{automated: {{prune: true}}}}\n"
        ),
    );
    let forge = Forge::of(sandbox);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    for name in ["f", "big-one", "big-four"] {
        server.until(&cluster, &application(name), |it| it.str_at("/status/sync/status") == Some("Synced"));
    }
    forge.sandbox.git(&["rm", "-q", "children/big.yaml"]);
    forge.sandbox.commit("without the set");
    forge.push();
    let held = server.until(&cluster, &application("root"), |it| said(it, "DeletionHeldWarning").is_some());
    let words = said(&held, "DeletionHeldWarning").expect("said").to_owned();
    assert!(
        words.starts_with("4 of 10 Applications would be deleted (big-four, big-one, big-three, big-two)"),
        "{words}"
    );
    assert!(server.get(&cluster, &delivered("one")).is_some());
    server.patch(&cluster, &application("root"), approval(&words));
    gone(&server, &cluster, &application("big-one"));
}

#[test]
fn a_sync_window_of_the_project_holds_back_what_is_due_and_says_so() {
    let forge = Forge::shop(AUTOMATED);
    let project = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: default, namespace: argocd}\nspec:\n  sourceRepos: ['*']\n  destinations: [{server: '*', namespace: '*'}]\n  clusterResourceWhitelist: [{group: '*', kind: '*'}]\n  syncWindows:\n  - {kind: deny, schedule: '* * * * *', duration: 24h, applications: ['*'], description: CHG-7}\n";
    forge.sandbox.write("apps/project.yaml", project);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let held = server.until(&cluster, &application("shop"), |it| said(it, "SyncWindowWarning").is_some());
    let why = said(&held, "SyncWindowWarning").expect("said");
    assert!(why.contains("deny `* * * * *` for 24h, UTC (CHG-7)"), "{why}");
    assert_eq!(held.str_at("/status/sync/status"), Some("OutOfSync"));
    assert!(server.get(&cluster, &web()).is_none());
    let key = ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "AppProject"), Some("argocd"), "default");
    server.patch(&cluster, &key, json!({"spec": {"syncWindows": null}}));
    server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/sync/status") == Some("Synced") && said(it, "SyncWindowWarning").is_none()
    });
    assert!(server.get(&cluster, &web()).is_some());
}

#[test]
fn a_plan_and_a_delivery_of_a_folder_take_in_what_its_sets_generate() {
    let sandbox = Sandbox::empty();
    sandbox.write("apps/teams.yaml", SET);
    let list = SET
        .replace("name: teams,", "name: more,")
        .replace(GIT, "list: {elements: [{path: {basename: c, path: teams/c}}]}");
    sandbox.write("apps/more.yaml", &list);
    for name in ["a", "b"] {
        sandbox.write(&format!("teams/{name}/config.yaml"), &config(name));
    }
    sandbox.commit("first");
    let stand_in = ["--repo", "https://git.example.com/shop.git=."];
    // What a list names need not be there for the set to be expanded; its Application says that it is not.
    sandbox.run(&[&["plan", "apps"][..], &stand_in].concat()).says("there is no directory `teams/c`");
    sandbox.write("teams/c/config.yaml", &config("c"));
    sandbox.commit("a third");
    let plan = sandbox.run(&[&["plan", "apps"][..], &stand_in].concat());
    let plan = ["a", "b", "c"].into_iter().fold(plan, |plan, name| plan.says(&format!("ConfigMap/{name}")));
    drop(plan);
    sandbox.run(&[&["up", "apps"][..], &stand_in].concat()).exits(0);
    sandbox.run(&[&["up", "apps"][..], &stand_in].concat()).exits(0).says("no changes");
    let of_clusters = SET.replace("name: teams,", "name: more,").replace(GIT, "clusters: {}");
    sandbox.write("apps/more.yaml", &of_clusters);
    sandbox.run(&[&["plan", "apps"][..], &stand_in].concat()).says("ApplicationSet more");
}

#[test]
fn what_an_earlier_version_has_defined_is_defined_anew_and_what_others_have_stays() {
    let forge = Forge::shop(AUTOMATED);
    let definition =
        |kind: &str| ObjectKey::new(Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition"), None, kind);
    let (sets, projects) = (definition("applicationsets.argoproj.io"), definition("appprojects.argoproj.io"));
    let columns = |object: &Object| object.list_at("/spec/versions/0/additionalPrinterColumns").len();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    let now = server.get(&cluster, &sets).expect("defined");
    assert!(columns(&now) > 0, "{now:?}");
    let apply = |key: &ObjectKey, manager: &str, change: &dyn Fn(&mut Value)| {
        let mut wanted = server.get(&cluster, key).expect("defined").into_value();
        wanted["metadata"] = json!({"name": key.name});
        wanted.as_object_mut().expect("a map").remove("status");
        change(&mut wanted);
        let options = WriteOptions { field_manager: Some(manager.to_owned()), ..WriteOptions::default() };
        server.runtime.block_on(cluster.patch(key, &Patch::ForceApply(wanted), &options)).expect("applied");
    };
    // As a version without columns has left it.
    let bare = |wanted: &mut Value| {
        wanted["spec"]["versions"][0].as_object_mut().expect("a map").remove("additionalPrinterColumns");
    };
    apply(&sets, "landfall-server", &bare);
    assert_eq!(columns(&server.get(&cluster, &sets).expect("there")), 0);
    // Somebody else's word about a kind.
    apply(&projects, "kubectl", &|wanted| wanted["spec"]["names"]["shortNames"] = json!(["venture"]));
    server.terminate();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    assert_eq!(columns(&server.get(&cluster, &sets).expect("there")), columns(&now));
    let kept = server.get(&cluster, &projects).expect("there");
    assert_eq!(kept.at("/spec/names/shortNames"), Some(&json!(["venture"])));
}
