//! A secret's value leaves the process only where it is asked for: canaries in every place where one is written down,
//! and every command that could tell.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

const CANARY: &str = "canary-5e1f";
/// The same, as the API has it.
const ENCODED: &str = "Y2FuYXJ5LTVlMWY=";
const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A chart with Secrets of every sort: plain, encoded, copied by kubectl, in a list, as a hook.
fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.edit("shop/values.yaml", "replicas: 1", &format!("password: {CANARY}\nother: x\nreplicas: 1"));
    sandbox.write(
        "shop/templates/keys.yaml",
        &format!(
            r#"apiVersion: v1
kind: Secret
metadata:
  name: keys
  annotations: {{{COPY}: '{{"stringData":{{"PASSWORD":"{{{{ .Values.password }}}}"}}}}'}}
stringData: {{PASSWORD: {{{{ .Values.password }}}}, OTHER: {{{{ .Values.other }}}}}}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: {{name: listed}}
    data: {{PASSWORD: {{{{ .Values.password | b64enc }}}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: early, annotations: {{helm.sh/hook: "pre-install,pre-upgrade"}}}}
data: {{PASSWORD: {{{{ .Values.password | b64enc }}}}}}
"#
        ),
    );
    sandbox.commit("Begin");
    sandbox
}

trait Hides {
    /// Fails the test when a value is seen, or when nothing is.
    fn hides(self, seen: &str) -> Self;
}

impl Hides for Ran {
    #[track_caller]
    fn hides(self, seen: &str) -> Self {
        let all = self.all();
        assert!(!all.contains(CANARY) && !all.contains(ENCODED), "{all}");
        assert!(all.contains(seen), "{seen:?} is not to be seen\n{all}");
        self
    }
}

/// The files below a directory that hold the canary, in either form.
fn with_canary(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(with_canary(&path));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if holds(CANARY) || holds(ENCODED) {
            found.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn no_plan_difference_or_rehearsal_shows_a_secret_in_any_form() {
    let sandbox = shop();
    let at = ["./shop", "-n", "web"];
    let run = |verb: &[&str], more: &[&str]| sandbox.run(&[verb, &at, more].concat());
    for output in ["json", "yaml", "table"] {
        run(&["plan"], &["-o", output]).exits(0).hides("keys");
    }
    run(&["rehearse"], &[]).exits(0).hides("would deliver cleanly");
    run(&["up"], &["--once"]).exits(0).hides("shop");
    // What was delivered is all there: it is hidden, not lost.
    let stored = sandbox.run(&["get", "manifest", "shop", "-n", "web"]).exits(0);
    assert!(stored.stdout.contains(CANARY), "{}", stored.all());
    // The value before is the canary, then the one after.
    let after = format!("password=x{CANARY}");
    for more in [&["--set", "password=changed"][..], &["--set", after.as_str()]] {
        for output in ["json", "yaml", "table"] {
            let with = [more, &["-o", output]].concat();
            run(&["plan"], &with).exits(0).hides("PASSWORD");
            run(&["diff"], &with).exits(0).hides("PASSWORD");
        }
        run(&["rehearse", "--from", "live"], more).exits(0).hides("keys");
        run(&["rehearse", "--from", "live", "-o", "json"], more).exits(0).hides("keys");
    }
    let same = run(&["diff"], &["-o", "json"]).exits(0).json();
    assert_eq!(
        same["data"].as_array().map(|all| all.iter().filter(|it| it["change"]["action"] != "hook").count()),
        Some(0)
    );
}

#[test]
fn the_comment_on_a_pull_request_names_keys_and_no_values() {
    let sandbox = shop();
    sandbox.edit("shop/values.yaml", &format!("password: {CANARY}"), &format!("password: {CANARY}{CANARY}"));
    sandbox.commit("Rotate");
    for output in ["markdown", "json", "text", "sarif"] {
        sandbox.run(&["preview", "HEAD~1..HEAD", "./shop", "-o", output]).exits(0).hides("");
    }
    sandbox.run(&["preview", "HEAD~1..HEAD", "./shop"]).hides("data.PASSWORD").says("shop/values.yaml:1");
    let by_flag = ["preview", "HEAD~1..HEAD", "./shop", "--set", &format!("other={CANARY}")];
    sandbox.run(&by_flag).exits(0).hides("PASSWORD");
}

#[test]
fn the_journal_holds_no_value_that_can_be_read_while_a_delivery_is_broken_off_and_none_when_it_has_ended() {
    let sandbox = shop();
    let up = ["up", "./shop", "-n", "web", "--state", "state"];
    let state = sandbox.root().join("state");
    let journals =
        || -> Vec<String> { with_canary(&state).into_iter().filter(|file| !file.starts_with("cluster.db")).collect() };
    let recording = sandbox.copy();
    ran(recording.command(&up).env("LANDFALL_TEST_PROBE", "record:points").output().expect("runs")).exits(0);
    let points = recording.read("points");
    // The trial of the namespace has a journal of its own, before.
    let begun = points.lines().position(|point| point == "after record begun").expect("it is begun") + 1;
    let killed = sandbox.command(&up).env("LANDFALL_TEST_PROBE", format!("kill:{begun}")).output().expect("runs");
    assert_eq!(killed.status.signal(), Some(9));
    assert!(state.join("store.db").exists() && state.join("store.key").exists());
    assert_eq!(journals(), Vec::<String>::new());
    sandbox.run(&up).exits(0).says("was interrupted");
    assert_eq!(journals(), Vec::<String>::new());
    let stored = sandbox.run(&["get", "manifest", "shop", "-n", "web", "--state", "state"]).exits(0);
    assert!(stored.stdout.contains(CANARY), "what was gone on with is whole: {}", stored.all());
}

#[test]
fn a_secret_that_is_no_yaml_is_told_by_its_lines_and_not_by_what_is_in_them() {
    let sandbox = shop();
    let broken = |kind: &str| {
        sandbox.write(
            "shop/templates/broken.yaml",
            &format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: broken}}\nstringData:\n  PASSWORD: {{{{ .Values.password }}}}\n   SECOND: {CANARY}\n"),
        );
        ["template", "plan", "rehearse"].map(|verb| sandbox.run(&[verb, "./shop"]))
    };
    for ran in broken("Secret").into_iter().chain(broken("\"Secret\"")) {
        assert_ne!(ran.code, 0, "{}", ran.all());
        ran.hides("broken.yaml");
    }
    sandbox.run(&["plan", "./shop"]).hides("LF0231").says("lines of it are not shown");
    for ran in broken("ConfigMap") {
        // The twin: whoever looks for the fault in anything else sees its lines.
        ran.says("SECOND");
    }
    // go-yaml quotes what it does not understand.
    sandbox.write(
        "shop/templates/broken.yaml",
        &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: broken}}\nstringData: {{PASSWORD: *{CANARY}}}\n"),
    );
    for verb in ["template", "plan", "lint"] {
        sandbox.run(&[verb, "./shop"]).hides("unknown anchor");
    }
    let mut helm = sandbox.command(&["helm", "template", "./shop"]);
    ran(helm.output().expect("runs")).exits(1).hides("unknown anchor");
}

#[test]
fn a_secret_that_the_cluster_would_refuse_is_told_by_its_lines_and_not_by_what_is_in_them() {
    let sandbox = shop();
    sandbox.edit("shop/values.yaml", "other: x", &format!("other: {CANARY}!"));
    sandbox.edit("shop/templates/keys.yaml", ".Values.password | b64enc", ".Values.other");
    for verb in ["up", "rehearse"] {
        let ran = sandbox.run(&[verb, "./shop", "-n", "web", "--state", "state"]);
        assert_ne!(ran.code, 0, "{}", ran.all());
        ran.hides("keys.yaml");
    }
    sandbox
        .run(&["install", "shop", "./shop", "-n", "web", "--create-namespace", "--state", "state"])
        .hides("illegal base64");
}

#[test]
fn values_that_a_chart_does_not_take_are_named_and_those_of_secrets_not_shown() {
    let sandbox = shop();
    let schema = r#"{"properties": {"password": {"maxLength": 3}, "replicas": {"maximum": 0}}}"#;
    sandbox.write("shop/values.schema.json", schema);
    for more in [&[][..], &["--set", &format!("password=x{CANARY}")]] {
        for verb in ["plan", "template", "rehearse"] {
            let ran = sandbox.run(&[&[verb, "./shop"], more].concat());
            assert_ne!(ran.code, 0, "{}", ran.all());
            // The twin stands beside it.
            ran.hides("password").says("replicas: 1");
        }
    }
    std::fs::remove_file(sandbox.root().join("shop/values.schema.json")).expect("removed");
    sandbox.write(
        "shop/templates/check.yaml",
        "{{ if gt (len .Values.password) 3 }}{{ fail \"the password is too long\" }}{{ end }}",
    );
    sandbox.run(&["plan", "./shop"]).exits(1).hides("the password is too long");
    sandbox.write("shop/templates/check.yaml", "{{ fail (printf \"the password %s is too long\" .Values.password) }}");
    sandbox.run(&["plan", "./shop"]).exits(1).hides("the password ++++++++ is too long");
    let as_helm = sandbox.run(&["helm", "template", "./shop"]).exits(1);
    assert!(as_helm.all().contains(CANARY), "Helm shows the chart's words: {}", as_helm.all());
}

#[test]
fn a_value_that_is_in_a_secret_too_is_explained_nowhere_by_what_it_says() {
    let sandbox = shop();
    sandbox.edit(
        "shop/templates/all.yaml",
        "ports: [{name: http, containerPort: 8080}]",
        "env: [{name: URL, value: \"pg://app:{{ .Values.password }}@db\"}, {name: COUNT, value: \"{{ .Values.replicas }}\"}]",
    );
    sandbox.edit("shop/values.yaml", "color: blue", &format!("color: blue, shade: {CANARY}"));
    sandbox.commit("Tell it twice");
    for asked in [
        &["Deployment/shop"][..],
        &["Deployment/shop", "spec.template.spec.containers[0].env[0].value"],
        &["Secret/keys"],
        &["Secret/early", "data.PASSWORD"],
        &["password"],
    ] {
        for output in ["table", "json"] {
            let with = [&["explain", "--chart", "shop", "--blame", "-o", output][..], asked].concat();
            sandbox.run(&with).exits(0).hides("(secret)");
        }
    }
    let flag = ["explain", "--chart", "shop", "password", "--set", &format!("password=y{CANARY}")];
    sandbox.run(&flag).exits(0).hides("--set");
    // The twins: what is in no Secret is told.
    sandbox.run(&["explain", "--chart", "shop", "Deployment/shop", "spec.replicas"]).exits(0).says("spec.replicas: 1");
    sandbox.run(&["explain", "--chart", "shop", "settings.shade"]).exits(0).says(CANARY);
}

#[test]
fn no_message_shows_the_password_of_an_address() {
    let sandbox = shop();
    let address = |scheme: &str, rest: &str| format!("{scheme}://robot:{CANARY}@127.0.0.1:1/{rest}");
    let (git, charts, oci) = (address("https", "a.git"), address("http", "charts"), address("oci", "a/b"));
    sandbox.write(
        "leaning/Chart.yaml",
        &format!("apiVersion: v2\nname: leaning\nversion: 0.1.0\ndependencies: [{{name: a, version: 1.0.0, repository: \"{charts}\"}}]\n"),
    );
    for arguments in [
        &["dependency", "update", "leaning"][..],
        &["helm", "dependency", "update", "leaning"],
        &["up", git.as_str()],
        &["plan", git.as_str()],
        &["rehearse", git.as_str()],
        &["-v", "plan", git.as_str()],
        &["plan", git.as_str(), "-o", "json"],
        &["repo", "add", "x", charts.as_str()],
        &["pull", oci.as_str()],
        &["pull", "a", "--repo", charts.as_str()],
        &["template", "a", "--repo", charts.as_str()],
        &["show", "chart", &format!("{charts}/a-1.0.0.tgz")],
        &["helm", "pull", "a", "--repo", charts.as_str()],
        &["helm", "pull", oci.as_str()],
        &["helm", "repo", "add", "x", charts.as_str()],
    ] {
        let ran = sandbox.run(arguments);
        assert_ne!(ran.code, 0, "{arguments:?}: {}", ran.all());
        ran.hides("127.0.0.1");
    }
    // A list of what was added, in our own voice; Helm's says what Helm says.
    sandbox.write("added.yaml", &format!("apiVersion: ''\nrepositories: [{{name: x, url: \"{charts}\"}}]\n"));
    let list = |words: &[&str]| {
        ran(sandbox.command(words).env("HELM_REPOSITORY_CONFIG", "added.yaml").output().expect("runs")).exits(0)
    };
    for output in ["table", "json", "yaml"] {
        list(&["repo", "list", "-o", output]).hides("http://robot:***@127.0.0.1:1/charts");
        assert!(list(&["helm", "repo", "list", "-o", output]).stdout.contains(CANARY));
    }
}

#[test]
fn a_snapshot_is_its_owners_file_and_two_of_one_secret_are_not_alike() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = shop();
    sandbox.run(&["up", "./shop", "-n", "web", "--once"]).exits(0);
    // One that others could read until now.
    sandbox.write("one.json", &"x".repeat(10_000_000));
    let fingerprints = ["one.json", "two.json"].map(|file| {
        sandbox.run(&["cluster", "snapshot", file]).exits(0).hides("values of secrets left out");
        let mode = std::fs::metadata(sandbox.root().join(file)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
        let text = sandbox.read(file);
        assert!(!text.contains(CANARY) && !text.contains(ENCODED));
        let snapshot: serde_json::Value = serde_json::from_str(&text).expect("JSON and nothing else");
        let all = snapshot["objects"].as_array().expect("objects").clone();
        let keys = all.into_iter().find(|it| it["kind"] == "Secret" && it["metadata"]["name"] == "keys");
        keys.expect("the Secret is in it")["data"]["PASSWORD"].clone()
    });
    assert!(fingerprints[0].is_string());
    assert_ne!(fingerprints[0], fingerprints[1]);
    // The twin: with its key a snapshot tells the same value from another.
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:1.1.0");
    let same = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", "one.json"]).exits(0);
    assert!(same.stdout.contains("~ Deployment/shop") && !same.stdout.contains("Secret/keys"), "{}", same.all());
    let other = ["rehearse", "./shop", "-n", "web", "--from", "one.json", "--set", "other=changed"];
    sandbox.run(&other).exits(0).hides("Secret/keys");
    sandbox.run(&["cluster", "snapshot"]).exits(0).hides("the key of its fingerprints");
}

#[test]
fn nothing_that_a_pull_request_is_made_of_writes_in_its_comment() {
    let sandbox = shop();
    let approval = "\\n```\\n\\n</details>\\n\\n## ✅ APPROVED :white_check_mark: @owner <img src=x>\\n\\n```diff";
    sandbox.write(
        "shop/templates/evil.yaml",
        &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: evil}}\ndata: {{\"a\": b}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: evil}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n      containers: [{{name: \"c{approval}\", image: \"a:latest\"}}]\n"),
    );
    sandbox.commit("Begin");
    sandbox.edit(
        "shop/templates/evil.yaml",
        "{\"a\": b}",
        &format!("{{\"k{approval}\": \"v{approval}\", \"</details>\": x}}"),
    );
    sandbox.edit("shop/templates/evil.yaml", "a:latest", "b:latest");
    sandbox.commit("Change");
    let ran = sandbox.run(&["preview", "HEAD~1..HEAD", "./shop"]);
    let mut fenced = false;
    let mut changes = 0;
    for line in ran.stdout.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            changes += usize::from(line.contains("APPROVED"));
            assert!(line.starts_with(['+', '-', ' ']), "a line of a fence is ours: {line:?}\n{}", ran.all());
            continue;
        }
        // What stands in backticks is code.
        let markup: String = line.split('`').step_by(2).collect();
        let is_free = ["APPROVED", "<img", "@owner", ":white_check_mark:"].iter().any(|sign| markup.contains(sign));
        assert!(!is_free, "{line:?}\n{}", ran.all());
    }
    assert!(!fenced && changes > 0, "{}", ran.all());
    // The twin: what changes is told, and the fold closes where it should.
    let count = |text: &str| ran.stdout.lines().filter(|line| line.starts_with(text)).count();
    assert!(ran.stdout.contains("ConfigMap/evil") && count("<details>") == count("</details>"), "{}", ran.all());
}

#[test]
fn the_recipes_pin_what_they_run_and_trust_nothing_of_the_pull_request() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/ci");
    for host in ["github", "gitea", "gitlab"] {
        let text = std::fs::read_to_string(recipes.join(host).join("landfall.yaml")).expect("read");
        for action in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            let revision = action.split_once('@').map_or("", |(_, revision)| revision);
            let revision = revision.split_whitespace().next().unwrap_or_default();
            assert!(revision.len() == 40 && revision.bytes().all(|c| c.is_ascii_hexdigit()), "{host}: {action}");
        }
        let fetched = text.find("curl -fsSL \"$LANDFALL_URL\"").expect("it is fetched");
        let checked = text.find("sha256sum --check --strict").expect("it is checked");
        let made_runnable = text.find("chmod +x").or_else(|| text.find("install -m")).expect("it is made a program");
        assert!(fetched < checked && checked < made_runnable, "{host}");
        assert!(text.contains("persist-credentials: false") || text.contains("git remote set-url origin"), "{host}");
        for line in text.lines().filter(|line| line.contains("> ") && !line.trim_start().starts_with('#')) {
            let to = line.rsplit("> ").next().unwrap_or_default();
            let places = ["\"$RUNNER_TEMP", "/dev/null", "\"$work/", "\"$GITHUB_PATH", "\"$GITHUB_STEP_SUMMARY"];
            let outside = places.iter().any(|at| to.starts_with(at));
            assert!(outside, "{host} writes into the checkout: {line}");
        }
        // What a stranger wrote begins no line of a log, where a runner would read commands.
        assert!(
            !text.contains("cat \"$RUNNER_TEMP/preview.md\"\n") && !text.contains("cat \"$work/preview.md\""),
            "{host}"
        );
        // A fork's pull request has no token that comments: it is rehearsed all the same.
        let forks = ["head.repo.full_name == github.repository", "if [ -z \"${LANDFALL_NOTE_TOKEN:-}\" ]"];
        assert!(forks.iter().any(|it| text.contains(it)), "{host}");
        let mark = text.find(landfall_rehearse::COMMENT_MARK).expect("it looks for its comment");
        let line = text[..mark].rsplit('\n').next().unwrap_or_default();
        assert!(line.contains("env.ME"), "{host} looks for whoever wrote the mark: {line}");
    }
}
