//! `landfall bootstrap`: seven steps, each of which can be typed again, killed at each of their edges.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

use super::inspection::{namespaces, objects};
use super::sandbox::{Ran, Sandbox, ran};

const VALUES: &str = "infrastructure/helm/luckyplans/values.prod.yaml";
const STEPS: [&str; 7] = ["cluster", "addons", "sealing", "server", "secrets", "deliver", "handover"];

/// LuckyPlans, whose production is an embedded cluster here, and a bare repository that its branch goes to.
pub(super) fn luckyplans() -> Sandbox {
    let sandbox = Sandbox::luckyplans();
    sandbox.edit("landfall.yaml", "{context: k3d-luckyplans-prod, protected: true}", "embedded");
    drop_placeholder(&sandbox);
    sandbox.commit("production is embedded here");
    connected(sandbox)
}

/// Grafana's password in the example is a placeholder that nobody can open.
fn drop_placeholder(sandbox: &Sandbox) {
    let file = sandbox.root().join("infrastructure/argocd/apps/observability-prod.yaml");
    std::fs::remove_file(file).expect("it was there");
}

/// With a bare repository of its own that pushes go to.
fn connected(sandbox: Sandbox) -> Sandbox {
    sandbox.write("../.gitconfig", "[user]\n\tname = test\n\temail = test@example.com\n");
    sandbox.git(&["init", "-q", "--bare", "../origin.git"]);
    sandbox.git(&["remote", "add", "origin", "https://git.example.com/luckyplans/luckyplans.git"]);
    let bare = sandbox.root().join("../origin.git").canonicalize().expect("there").display().to_string();
    sandbox.git(&["remote", "set-url", "--push", "origin", &bare]);
    sandbox.git(&["push", "-q", "-u", "origin", "HEAD:main"]);
    sandbox
}

fn bootstrap(sandbox: &Sandbox, probe: Option<&str>, more: &[&str]) -> Ran {
    let words = ["bootstrap", "--env", "prod", "--yes", "--plain", "../plain.env", "--allow-unsimulated"];
    let mut command = sandbox.command(&[&words[..], more].concat());
    if let Some(probe) = probe {
        command.env("LANDFALL_TEST_PROBE", probe);
    }
    ran(command.output().expect("runs"))
}

/// What is so when it has ended: what runs where, which keys are sealed, what git says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    namespaces: Vec<String>,
    workloads: BTreeSet<String>,
    keys: usize,
    sealed: usize,
    commits: usize,
    pub(super) is_pushed: bool,
    is_clean: bool,
}

impl End {
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let state = sandbox.root().join(".landfall");
        let found = |kind: &str, version: &str, namespace: &str| {
            let all = objects(&state, version, kind, namespace);
            all.into_iter().map(|object| format!("{namespace}/{kind}/{}", object.name())).collect::<Vec<_>>()
        };
        let mut workloads = BTreeSet::new();
        for namespace in ["landfall", "luckyplans", "monitoring"] {
            workloads.extend(found("Deployment", "apps/v1", namespace));
        }
        let secret = objects(&state, "v1", "Secret", "luckyplans");
        let secret = secret.iter().find(|object| object.name() == "luckyplans-secrets");
        let keys = secret.and_then(|it| it.at("/data")).and_then(|data| data.as_object()).map_or(0, |data| data.len());
        let git = |words: &[&str]| {
            let output =
                std::process::Command::new("git").args(words).current_dir(sandbox.root()).output().expect("git");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let values = sandbox.read(VALUES);
        End {
            namespaces: namespaces(&state),
            workloads,
            keys,
            // A sealed value is longer than any placeholder.
            sealed: values.lines().filter(|line| line.len() > 400).count(),
            commits: git(&["rev-list", "--count", "HEAD"]).parse().expect("a number"),
            is_pushed: git(&["rev-list", "--count", "HEAD", "--not", "--remotes"]) == "0",
            is_clean: git(&["status", "--porcelain", "--untracked-files=no"]).is_empty(),
        }
    }
}

#[test]
fn lp_35_seven_steps_set_production_up_and_say_what_is_left_to_a_person() {
    let sandbox = luckyplans();
    let dry = sandbox.run(&["bootstrap", "--env", "prod", "--dry-run"]).exits(0).says("in 7 steps; nothing was done");
    for step in STEPS {
        assert!(dry.stdout.contains(&format!(". {step}: ")), "{step}: {}", dry.all());
    }
    assert!(!sandbox.root().join(".landfall/bootstrap.json").exists());
    // The embedded cluster brings the operators: that is said, and nothing is called done.
    let first = bootstrap(&sandbox, None, &["-o", "json"]).exits(4).json();
    let outcomes: Vec<&str> = first["data"]["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|it| it["outcome"].as_str().expect("one"))
        .collect();
    assert_eq!(outcomes, ["simulated", "simulated", "simulated", "done", "done", "done", "waits"]);
    let end = End::of(&sandbox);
    assert_eq!((end.keys, end.sealed), (9, 9), "{end:?}");
    assert!(end.is_pushed && end.is_clean, "{end:?}");
    for workload in ["landfall/Deployment/landfall", "luckyplans/Deployment/web"] {
        assert!(end.workloads.contains(workload), "{workload}: {end:?}");
    }
    // What nobody has declared is not done.
    bootstrap(&sandbox, None, &["--done", "OIDC_CLIENT_SECRTE"]).exits(2).says("did you mean `OIDC_CLIENT_SECRET`");
    // Again: nothing is made anew, and what is left is still told.
    bootstrap(&sandbox, None, &[]).exits(4).says("left to you: OIDC_CLIENT_SECRET");
    assert_eq!(End::of(&sandbox), end);
    bootstrap(&sandbox, None, &["--done", "OIDC_CLIENT_SECRET"]).exits(0).says("prod is set up");
    bootstrap(&sandbox, None, &[]).exits(0);
    assert_eq!(End::of(&sandbox), end);
}

/// The numbers of the points at the edges of steps, by a run that nobody kills.
fn edges(base: &Sandbox) -> (Vec<(usize, String)>, End) {
    let sandbox = connected(base.copy());
    bootstrap(&sandbox, Some("record:points"), &[]).exits(4);
    let points = sandbox.read("points");
    let edges = points.lines().enumerate().filter(|(_, point)| point.contains(" step "));
    let edges: Vec<(usize, String)> = edges.map(|(index, point)| (index + 1, point.to_owned())).collect();
    assert_eq!(edges.len(), 2 * STEPS.len(), "{edges:?}");
    (edges, End::of(&sandbox))
}

fn survives_kills(wanted: impl Fn(&str) -> bool) {
    let base = Sandbox::luckyplans();
    base.edit("landfall.yaml", "{context: k3d-luckyplans-prod, protected: true}", "embedded");
    drop_placeholder(&base);
    base.commit("production is embedded here");
    let (edges, end) = edges(&base);
    for (number, point) in edges.into_iter().filter(|(_, point)| wanted(point)) {
        let sandbox = connected(base.copy());
        let words = ["bootstrap", "--env", "prod", "--yes", "--plain", "../plain.env", "--allow-unsimulated"];
        let mut command = sandbox.command(&words);
        command.env("LANDFALL_TEST_PROBE", format!("kill:{number}"));
        let killed = command.output().expect("runs");
        assert_eq!(killed.status.signal(), Some(9), "{point}: {}", ran(killed).all());
        let again = bootstrap(&sandbox, None, &[]);
        assert_eq!(again.code, 4, "after a kill {point}: {}", again.all());
        assert_eq!(End::of(&sandbox), end, "after a kill {point}: {}", again.all());
    }
}

#[test]
fn lp_35_a_bootstrap_killed_after_each_step_and_typed_again_ends_the_same() {
    survives_kills(|point| point.starts_with("after step"));
}

#[test]
#[ignore = "minutes: the edge before each step, too; `cargo test -p landfall --test it bootstraps -- --ignored`"]
fn a_bootstrap_killed_before_any_step_and_typed_again_ends_the_same() {
    survives_kills(|point| point.starts_with("before step"));
}

#[test]
fn a_step_that_fails_is_where_the_next_run_goes_on() {
    let sandbox = luckyplans();
    // The chart does not render: the sixth step fails, and what the five before it made stays.
    let template = "infrastructure/helm/luckyplans/templates/web/deployment.yaml";
    let sound = sandbox.read(template);
    sandbox.write(template, "{{ fail \"not today\" }}");
    sandbox.commit("a chart that does not render");
    let failed = bootstrap(&sandbox, None, &["-o", "json"]);
    assert_ne!(failed.code, 0, "{}", failed.all());
    sandbox.write(template, &sound);
    sandbox.commit("mended");
    bootstrap(&sandbox, None, &[]).exits(4).says("interrupted in its step");
    assert_eq!(End::of(&sandbox).keys, 9);
}

#[test]
fn what_has_no_environment_or_no_token_is_refused_before_anything_is_begun() {
    let empty = Sandbox::empty();
    empty.run(&["bootstrap", "--env", "prod"]).exits(2);
    let sandbox = luckyplans();
    sandbox.run(&["bootstrap", "--env", "staging", "--yes"]).exits(2).says("staging");
    sandbox
        .run(&["bootstrap", "--env", "prod", "--yes", "--token-stdin"])
        .exits(2)
        .says("standard input holds no token");
    assert!(!sandbox.root().join(".landfall/bootstrap.json").exists());
}

#[test]
fn a_step_is_done_when_what_it_wants_is_there_now_and_not_because_nothing_had_to_be_changed() {
    // Grafana's password is a placeholder that nobody can open.
    let sandbox = Sandbox::luckyplans();
    sandbox.edit("landfall.yaml", "{context: k3d-luckyplans-prod, protected: true}", "embedded");
    sandbox.commit("production is embedded here");
    let sandbox = connected(sandbox);
    let first = bootstrap(&sandbox, None, &[]);
    assert_ne!(first.code, 0, "{}", first.all());
    let again = bootstrap(&sandbox, None, &[]).exits(4);
    assert!(again.all().contains("6/7 deliver"), "{}", again.all());
    assert!(!again.all().contains("left to you"), "it went no further: {}", again.all());
}
