//! Rows about what is delivered: repositories that go away, branches that are rewritten, sources that lose what they had.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use landfall_object::{Gvk, ObjectKey};
use serde_json::json;

use super::api::{app, push_two, settings, synced, write_shop};
use super::scene::{AUTOMATED, REPOSITORY, application, config_map, deployment, key_of};
use super::{Ground, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("empty_render_guard", "a path that is emptied deletes nothing, and it is said", emptied),
    row(
        "mass_delete_guard",
        "a parent that would lose most of its Applications loses none until that is approved",
        shrinks,
    ),
    row("mass_delete_guard_of_a_set", "the same of an ApplicationSet whose branch is rewritten", set_shrinks),
    row("revision_force_push", "a rewritten branch is followed; what only the old one had is pruned", rewritten),
    row(
        "branch_deleted",
        "a branch that is gone leaves everything, and it is said; back again it is followed",
        branch_gone,
    ),
    row(
        "repo_410",
        "a repository that is gone leaves everything, and it is said; back again it is followed",
        repository_gone,
    ),
    row("broken_then_mended", "a commit that does not render leaves everything; the next one is delivered", broken),
    row(
        "new_revision_during_failed_wait",
        "a commit takes the place of a sync that waits for health, within two seconds",
        superseded,
    ),
    row("sync_window_closes", "a window that is closed lets nothing through, and says so; open again it does", window),
    row("many_pushes", "of twenty pushes in a second the last one is delivered, and few of the others", many_pushes),
    row("rolled_back_and_pinned", "git's own way back: a revert is delivered as any commit", reverted),
];

fn uid(scene: &super::scene::Scene, key: &ObjectKey) -> anyhow::Result<Option<String>> {
    Ok(scene.get(key)?.and_then(|it| it.uid().map(str::to_owned)))
}

fn emptied(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let before = uid(&scene, &app())?;
    for file in ["prepare", "report", "settings", "app"] {
        scene.remove(&format!("shop/{file}.yaml"))?;
    }
    scene.write("shop/README.md", "nothing is here\n")?;
    scene.push()?;
    scene.until("shop", "says that all would go", |it| {
        it.list_at("/status/conditions").iter().any(|it| {
            it["message"].as_str().is_some_and(|text| text.contains("wipe out") || text.contains("no manifest"))
        })
    })?;
    std::thread::sleep(Duration::from_secs(1));
    ensure!(uid(&scene, &app())? == before && before.is_some(), "what it delivered is gone");
    scene.crowd_is_well()
}

/// A parent of ten Applications, all synced.
fn family(ground: &Ground) -> anyhow::Result<super::scene::Scene> {
    let mut scene = ground.scene()?;
    scene.declare_as("parent", &application("parent", REPOSITORY, "main", AUTOMATED))?;
    for number in 0..10 {
        let name = format!("child-{number}");
        let mut child = application(&name, REPOSITORY, "main", AUTOMATED);
        child["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
        scene.write(&format!("parent/{name}.yaml"), &child.to_string())?;
        scene.write(&format!("{name}/map.yaml"), &config_map("settings", "one"))?;
    }
    let first = scene.push()?;
    scene.start()?;
    scene.until_synced("parent", &first)?;
    for number in 0..10 {
        scene.until_synced(&format!("child-{number}"), &first)?;
    }
    Ok(scene)
}

fn child(number: usize) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(&format!("child-{number}")), "settings")
}

fn shrinks(ground: &Ground) -> anyhow::Result<()> {
    let scene = family(ground)?;
    for number in 0..6 {
        scene.remove(&format!("parent/child-{number}.yaml"))?;
    }
    let second = scene.push()?;
    let held = scene.until_told("parent", "DeletionHeldWarning", "landfall.dev/approve-deletion")?;
    std::thread::sleep(Duration::from_secs(1));
    for number in 0..10 {
        ensure!(scene.get(&child(number))?.is_some(), "child-{number} was deleted without anybody's leave");
    }
    let conditions = held.list_at("/status/conditions");
    let message = conditions.iter().filter_map(|it| it["message"].as_str()).find(|it| it.contains("approve-deletion"));
    let approval = message.and_then(|text| text.split("approve-deletion=").nth(1)).unwrap_or_default();
    let approval: String = approval.chars().take_while(char::is_ascii_hexdigit).collect();
    scene
        .patch(&key_of("parent"), json!({"metadata": {"annotations": {"landfall.dev/approve-deletion": approval}}}))?;
    for number in 0..6 {
        scene.until_gone(&key_of(&format!("child-{number}")))?;
        ensure!(scene.get(&child(number))?.is_none(), "what child-{number} delivered stays");
    }
    scene.until_synced("parent", &second)?;
    ensure!(scene.get(&child(7))?.is_some(), "one that stays was deleted");
    scene.crowd_is_well()
}

fn set_shrinks(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    for number in 0..10 {
        scene.write(&format!("teams/team-{number}/map.yaml"), &config_map("settings", "one"))?;
    }
    let template = json!({
        "metadata": {"name": "{{ .path.basename }}", "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {"project": "default",
            "source": {"repoURL": REPOSITORY, "targetRevision": "main", "path": "{{ .path.path }}"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "{{ .path.basename }}"},
            "syncPolicy": {"automated": {"prune": true}, "syncOptions": ["CreateNamespace=true"]}},
    });
    let generator = json!({"git": {"repoURL": REPOSITORY, "revision": "main", "directories": [{"path": "teams/*"}]}});
    scene.declare_as(
        "teams",
        &json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet",
            "metadata": {"name": "teams", "namespace": "argocd"},
            "spec": {"goTemplate": true, "generators": [generator], "template": template},
        }),
    )?;
    let first = scene.push()?;
    scene.start()?;
    for number in 0..10 {
        scene.until_synced(&format!("team-{number}"), &first)?;
    }
    for number in 0..8 {
        scene.remove(&format!("teams/team-{number}"))?;
    }
    scene.push()?;
    let set = ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "ApplicationSet"), Some("argocd"), "teams");
    scene.until_object(&set, "holds the deletion", |it| {
        it.list_at("/status/conditions")
            .iter()
            .any(|it| it["message"].as_str().is_some_and(|text| text.contains("approve-deletion")))
    })?;
    std::thread::sleep(Duration::from_secs(1));
    for number in 0..10 {
        let map = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(&format!("team-{number}")), "settings");
        ensure!(scene.get(&map)?.is_some(), "team-{number} was deleted without anybody's leave");
    }
    scene.crowd_is_well()
}

fn rewritten(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    scene.write("shop/passing.yaml", &config_map("passing", "one"))?;
    let second = scene.push()?;
    scene.until_synced("shop", &second)?;
    // The commit never was: another one takes its place.
    scene.in_work(&["reset", "-q", "--hard", "HEAD~1"])?;
    scene.write("shop/settings.yaml", &config_map("settings", "rewritten"))?;
    let third = scene.push()?;
    scene.until_synced("shop", &third)?;
    let passing = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("shop"), "passing");
    ensure!(scene.get(&passing)?.is_none(), "what only the old branch had stays");
    let live = scene.until_object(&settings(), "is there", |_| true)?;
    ensure!(live.str_at("/data/value") == Some("rewritten"), "{:?}", live.str_at("/data/value"));
    scene.crowd_is_well()
}

fn branch_gone(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    write_shop(&scene)?;
    scene.declare_as("shop", &application("shop", REPOSITORY, "release", AUTOMATED))?;
    let first = scene.push()?;
    scene.in_work(&["push", "-q", "origin", "HEAD:refs/heads/release"])?;
    scene.start()?;
    scene.until_synced("shop", &first)?;
    let before = uid(&scene, &app())?;
    scene.in_work(&["push", "-q", "origin", ":refs/heads/release"])?;
    scene.until_told("shop", "ComparisonError", "release")?;
    ensure!(uid(&scene, &app())? == before, "what it delivered has changed");
    let second = push_two(&scene)?;
    scene.in_work(&["push", "-q", "origin", "HEAD:refs/heads/release"])?;
    let synced = scene.until_synced("shop", &second)?;
    let told = synced.list_at("/status/conditions").iter().any(|it| it["type"] == "ComparisonError");
    ensure!(!told, "it goes on to be told: {:?}", synced.status());
    scene.crowd_is_well()
}

fn repository_gone(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let before = uid(&scene, &app())?;
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    let elsewhere = scene.path("elsewhere.git");
    fs::rename(scene.bare(), &elsewhere)?;
    scene.refresh("shop")?;
    scene.until("shop", "says that its repository is gone", |it| {
        it.list_at("/status/conditions").iter().any(|it| it["type"] == "ComparisonError")
    })?;
    ensure!(uid(&scene, &app())? == before, "what it delivered has changed");
    fs::rename(&elsewhere, scene.bare())?;
    scene.write("shop/settings.yaml", &config_map("settings", "three"))?;
    let third = scene.push()?;
    scene.until_synced("shop", &third)?;
    scene.crowd_is_well()
}

fn broken(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    scene.write("shop/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings\n")?;
    scene.push()?;
    scene.until_told("shop", "ComparisonError", "settings.yaml")?;
    let live = scene.until_object(&settings(), "is there", |_| true)?;
    ensure!(live.str_at("/data/value") == Some("one"), "a part of it was delivered");
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    scene.crowd_is_well()
}

fn superseded(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    scene.declare("shop", AUTOMATED)?;
    // Ready at once, and called available only after nearly ten minutes; behind it stands another wave.
    let slow = deployment("app", "one").replace("  replicas: 1\n", "  replicas: 1\n  minReadySeconds: 590\n");
    scene.write("shop/app.yaml", &slow)?;
    let later = config_map("settings", "one")
        .replace("{name: settings}", "{name: settings, annotations: {argocd.argoproj.io/sync-wave: \"1\"}}");
    scene.write("shop/settings.yaml", &later)?;
    scene.push()?;
    scene.start()?;
    scene.until_object(&app(), "is made", |_| true)?;
    std::thread::sleep(Duration::from_secs(2));
    ensure!(scene.get(&settings())?.is_none(), "the second wave did not wait");
    scene.write("shop/app.yaml", &deployment("app", "two"))?;
    let second = scene.push()?;
    let began = std::time::Instant::now();
    scene.until_object(&app(), "is that of the new commit", |it| {
        it.str_at("/spec/template/spec/containers/0/image") == Some("example/app:two")
    })?;
    let took = began.elapsed();
    ensure!(took < Duration::from_secs(10), "the new commit waited {took:?}");
    scene.until_synced("shop", &second)?;
    scene.crowd_is_well()
}

fn window(ground: &Ground) -> anyhow::Result<()> {
    let mut scene = ground.scene()?;
    let windows = json!([{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["shop"]}]);
    let spec = json!({"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}], "syncWindows": windows});
    let project = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": "team", "namespace": "argocd"}, "spec": spec});
    scene.declare_as("team", &project)?;
    let first = write_shop(&scene)?;
    let mut declared = application("shop", REPOSITORY, "main", AUTOMATED);
    declared["spec"]["project"] = "team".into();
    scene.declare_as("shop", &declared)?;
    scene.start()?;
    scene.until("shop", "names the window", |it| {
        it.list_at("/status/conditions").iter().any(|it| it["type"] == "SyncWindowWarning")
    })?;
    ensure!(scene.get(&settings())?.is_none(), "it was delivered while no window was open");
    let key = ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "AppProject"), Some("argocd"), "team");
    scene.patch(&key, json!({"spec": {"syncWindows": null}}))?;
    scene.until_synced("shop", &first)?;
    scene.crowd_is_well()
}

fn many_pushes(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let mut last = String::new();
    for number in 0..20 {
        scene.write("shop/settings.yaml", &config_map("settings", &format!("value {number}")))?;
        last = scene.push()?;
    }
    let synced = scene.until_synced("shop", &last)?;
    let live = scene.until_object(&settings(), "is there", |_| true)?;
    ensure!(live.str_at("/data/value") == Some("value 19"), "it ends at {:?}", live.str_at("/data/value"));
    let deliveries = synced.list_at("/status/history").len();
    ensure!((2..=21).contains(&deliveries), "{deliveries} deliveries");
    scene.crowd_is_well()
}

fn reverted(ground: &Ground) -> anyhow::Result<()> {
    let scene = synced(ground)?;
    let second = push_two(&scene)?;
    scene.until_synced("shop", &second)?;
    scene.in_work(&["revert", "--no-edit", "HEAD"])?;
    let third = scene.push()?;
    scene.until_synced("shop", &third)?;
    let live = scene.until_object(&settings(), "is there", |_| true)?;
    ensure!(live.str_at("/data/value") == Some("one"), "the revert was not delivered");
    scene.crowd_is_well()
}
