//! `kill -9` at every point where a delivery writes: its journal, the cluster, its record; and at the server's own end.
//!
//! A recording run names the points. For each a run is killed there, the cluster in its process with it, and the same
//! command is given again: it must end as the run that nobody killed (proof 9).

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::inspection::end_state;
use super::sandbox::{Sandbox, ran};

const STATE: &str = "state";
pub(crate) const PROBE: &str = "LANDFALL_TEST_PROBE";

/// A chart with a hook before and one after, so that all kinds of steps occur.
fn hooked_chart(sandbox: &Sandbox) {
    sandbox.write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    sandbox.write("shop/values.yaml", "tag: one\n");
    let job = |name: &str, hooks: &str, policy: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations: {{helm.sh/hook: \"{hooks}\"{policy}}}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{{name: run, image: \"example/run:{{{{ .Values.tag }}}}\"}}]\n"
        )
    };
    let before = job(
        "prepare",
        "pre-install,pre-upgrade",
        ", helm.sh/hook-delete-policy: \"before-hook-creation,hook-succeeded\"",
    );
    sandbox.write("shop/templates/prepare.yaml", &before);
    sandbox.write("shop/templates/report.yaml", &job("report", "post-install,post-upgrade", ""));
    sandbox.write(
        "shop/templates/app.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {tag: {{ .Values.tag }}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: app}}\n  template:\n    metadata: {labels: {app: app}}\n    spec: {containers: [{name: app, image: \"example/app:{{ .Values.tag }}\"}]}\n{{- if eq .Values.tag \"one\" }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: passing}\n{{- end }}\n",
    );
    sandbox.write(
        "apps/shop.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: \"https://git.example.com/shop.git\", path: shop}\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}\n",
    );
}

/// A delivery whose writes are all killed in turn.
struct Course {
    /// With what was delivered before, if anything.
    base: Sandbox,
    arguments: Vec<&'static str>,
}

const INSTALL: &[&str] = &["up", "shop", "-n", "shop", "--state", STATE];
const SYNC: &[&str] = &["up", "apps", "--repo", "https://git.example.com/shop.git=.", "--state", STATE];

impl Course {
    fn of(arguments: &[&'static str], before: Option<&[&str]>) -> Self {
        let base = Sandbox::empty();
        hooked_chart(&base);
        if let Some(before) = before {
            base.run(before).exits(0);
        }
        Course { base, arguments: arguments.to_vec() }
    }

    fn command(&self, sandbox: &Sandbox, probe: &str) -> Command {
        let mut command = sandbox.command(&self.arguments);
        command.env(PROBE, probe);
        command
    }

    /// The points of a run that nobody kills, and how it ends.
    fn recorded(&self) -> (Vec<String>, Vec<String>) {
        let sandbox = self.base.copy();
        ran(self.command(&sandbox, "record:points").output().expect("runs")).exits(0);
        let points: Vec<String> = sandbox.read("points").lines().map(str::to_owned).collect();
        (points, end_state(&sandbox.root().join(STATE), "shop"))
    }

    /// Kills a run at the point of that number, from 1, and gives the command again.
    fn kill_at(&self, number: usize, point: &str, wanted: &[String]) {
        let sandbox = self.base.copy();
        let killed = self.command(&sandbox, &format!("kill:{number}")).output().expect("runs");
        assert_eq!(killed.status.signal(), Some(9), "point {number}, {point}: {}", ran(killed).all());
        let again = sandbox.run(&self.arguments);
        assert_eq!(again.code, 0, "after a kill at point {number}, {point}: {}", again.all());
        let state = end_state(&sandbox.root().join(STATE), "shop");
        for line in wanted {
            assert!(
                state.contains(line),
                "after a kill at point {number}, {point}, there is no\n{line}\nin {state:#?}"
            );
        }
        assert_eq!(state.len(), wanted.len(), "after a kill at point {number}, {point}: {state:#?}\n, not {wanted:#?}");
    }

    /// Kills at every `stride`th point, beginning with the first.
    fn survives_kills(&self, stride: usize) {
        let (points, wanted) = self.recorded();
        for kind in ["before operation", "before intent", "after outcome", "before POST", "after effect", "after end"] {
            assert!(points.iter().any(|point| point.starts_with(kind)), "no point {kind} in {points:#?}");
        }
        for (index, point) in points.iter().enumerate().step_by(stride) {
            self.kill_at(index + 1, point, &wanted);
        }
    }
}

fn courses() -> [Course; 4] {
    let upgrade: Vec<&'static str> = [INSTALL, &["--set", "tag=two"]].concat();
    let resync: Vec<&'static str> = [SYNC, &["--set", "tag=two"]].concat();
    [
        Course::of(INSTALL, None),
        Course::of(&upgrade, Some(INSTALL)),
        Course::of(SYNC, None),
        Course::of(&resync, Some(SYNC)),
    ]
}

#[test]
fn a_sync_that_is_gone_on_with_and_fails_is_not_told_as_brought_to_its_end() {
    let course = Course::of(SYNC, None);
    let (points, _) = course.recorded();
    let begun = points.iter().position(|point| point.starts_with("after operation")).expect("it begins");
    let sandbox = course.base.copy();
    let killed = course.command(&sandbox, &format!("kill:{}", begun + 1)).output().expect("runs");
    assert_eq!(killed.status.signal(), Some(9), "{}", ran(killed).all());
    let again = sandbox.run(&[SYNC, &["--fault", "job/prepare=fail"]].concat()).exits(4);
    assert!(!again.all().contains("brought to its end"), "{}", again.all());
    again.says("a delivery of shop that was interrupted was found to have failed");
}

#[test]
fn an_unchanged_release_with_hooks_of_every_policy_is_not_delivered_again() {
    let course = Course::of(INSTALL, Some(INSTALL));
    let before = end_state(&course.base.root().join(STATE), "shop");
    course.base.run(INSTALL).exits(0).says("no changes");
    assert_eq!(end_state(&course.base.root().join(STATE), "shop"), before);
}

#[test]
fn a_trial_killed_while_it_makes_or_takes_back_a_namespace_leaves_none() {
    let refused = [INSTALL, &["--set", "replicas=-1"]].concat();
    let course = Course::of(&refused, None);
    course.base.edit("shop/templates/app.yaml", "replicas: 1", "replicas: {{ .Values.replicas | default 1 }}");
    let sandbox = course.base.copy();
    ran(course.command(&sandbox, "record:points").output().expect("runs")).exits(1).says("taken back: namespace shop");
    let points: Vec<String> = sandbox.read("points").lines().map(str::to_owned).collect();
    for kind in ["before trial", "after effect trial", "before outcome", "before removal of trial", "after end"] {
        assert!(points.iter().any(|point| point.starts_with(kind)), "no point {kind} in {points:#?}");
    }
    for (index, point) in points.iter().enumerate() {
        let sandbox = course.base.copy();
        let killed = course.command(&sandbox, &format!("kill:{}", index + 1)).output().expect("runs");
        assert_eq!(killed.status.signal(), Some(9), "{point}: {}", ran(killed).all());
        let again = sandbox.run(&refused);
        assert_eq!(again.code, 1, "after a kill at {point}: {}", again.all());
        let left = super::inspection::namespaces(&sandbox.root().join(STATE));
        assert!(!left.contains(&"shop".to_owned()), "after a kill at {point}: {left:?}");
        // And what is valid goes on from there.
        sandbox.run(INSTALL).exits(0);
    }
}

/// All points are in `every_write_of_a_delivery_survives_a_kill`, which takes minutes.
const SAMPLE: usize = 17;

#[test]
fn an_install_killed_at_its_writes_ends_as_if_it_had_not_been() {
    courses()[0].survives_kills(SAMPLE);
}

#[test]
fn an_upgrade_killed_at_its_writes_ends_as_if_it_had_not_been() {
    courses()[1].survives_kills(SAMPLE);
}

#[test]
fn a_first_sync_killed_at_its_writes_ends_as_if_it_had_not_been() {
    courses()[2].survives_kills(SAMPLE);
}

#[test]
fn a_sync_with_pruning_killed_at_its_writes_ends_as_if_it_had_not_been() {
    courses()[3].survives_kills(SAMPLE);
}

#[test]
#[ignore = "minutes: every point of every course; `cargo test -p landfall --test it kills -- --ignored`"]
fn every_write_of_a_delivery_survives_a_kill() {
    for course in courses() {
        course.survives_kills(1);
    }
}

#[test]
fn a_delivery_killed_while_a_server_holds_the_cluster_goes_on_from_there() {
    let course = Course::of(INSTALL, None);
    let (points, wanted) = course.recorded();
    let at = points.iter().position(|point| point.starts_with("after POST") && point.ends_with("/jobs"));
    let number = at.expect("the hook is created") + 1;
    let mut sandbox = course.base.copy();
    sandbox.stays(STATE);
    let killed = course.command(&sandbox, &format!("kill:{number}")).output().expect("runs");
    assert_eq!(killed.status.signal(), Some(9), "{}", ran(killed).all());
    sandbox.run(INSTALL).exits(0).says("interrupted");
    sandbox.run(&["cluster", "stop", "--state", STATE]).exits(0);
    assert_eq!(end_state(&sandbox.root().join(STATE), "shop"), wanted);
}

#[test]
fn a_server_that_dies_under_a_delivery_is_named_and_the_next_one_goes_on() {
    let course = Course::of(INSTALL, None);
    let (_, wanted) = course.recorded();
    let mut sandbox = course.base.copy();
    sandbox.stays(STATE);
    let hanging = [INSTALL, &["--fault", "job/prepare=hang"]].concat();
    let mut command = sandbox.command(&hanging);
    command.env(PROBE, "record:points").stdout(Stdio::piped()).stderr(Stdio::piped());
    let up = command.spawn().expect("started");
    sandbox.until("the hook is made", || {
        let points = std::fs::read_to_string(sandbox.root().join("points")).unwrap_or_default();
        points.lines().any(|point| point.starts_with("after POST") && point.ends_with("/jobs"))
    });
    sandbox.kill_server(STATE);
    ran(up.wait_with_output().expect("ended")).exits(6).says("the embedded cluster's server has ended");
    sandbox.run(INSTALL).exits(0).says("interrupted");
    sandbox.run(&["cluster", "stop", "--state", STATE]).exits(0);
    assert_eq!(end_state(&sandbox.root().join(STATE), "shop"), wanted);
}
