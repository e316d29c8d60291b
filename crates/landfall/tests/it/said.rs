//! What is said is said once and truly.

use super::sandbox::{Sandbox, small_chart};
use super::terminal::Terminal;

fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("shop/templates/route.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop}\nspec:\n  rules:\n    - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}\n");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: shop, namespace: shop}]\n    build: {shop: {context: .}}\n    simulate: {shop: {http: [{path: /, body: hello}]}}\n    checks: [{name: front, http: \"http://localhost/\", contains: hello}]\n");
    sandbox.write("Dockerfile", "FROM scratch\n");
    sandbox.commit("Begin");
    sandbox
}

#[test]
fn off_a_terminal_nothing_is_said_twice() {
    let sandbox = shop();
    for (replicas, arguments) in [(1, &["up"][..]), (2, &["up"]), (2, &["rollback"]), (2, &["down"])] {
        sandbox.write(
            "shop/values.yaml",
            &format!("replicas: {replicas}\nimage: example/app:1.0.0\nsettings: {{color: blue}}\n"),
        );
        let ended = sandbox.run(arguments).exits(0);
        let both = format!("{}{}", ended.stderr, ended.stdout);
        for object in ["Deployment/shop", "Service/shop", "Ingress/shop", "build shop"] {
            // Waiting for something is not what has become of it.
            let told = both.lines().filter(|line| line.contains(object) && !line.contains("waiting for")).count();
            assert!(told <= 1, "{arguments:?} says {object} {told} times: {}", ended.all());
        }
        let mut lines: Vec<&str> = both.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.sort_unstable();
        assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "{arguments:?}: {}", ended.all());
    }
}

#[test]
fn a_namespace_that_a_delivery_makes_is_told_once_as_created() {
    let sandbox = Sandbox::empty();
    for name in ["first", "second"] {
        small_chart(&sandbox, name, name);
        let namespace =
            format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{team: shop}}}}\n");
        sandbox.write(&format!("{name}/templates/namespace.yaml"), &namespace);
    }
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: first, chart: first, namespace: first}, {name: second, chart: second, namespace: second}]\n");
    let ended = sandbox.run(&["up"]).exits(0);
    for name in ["first", "second"] {
        let object = format!("Namespace/{name} ");
        let told: Vec<&str> = ended.stdout.lines().filter(|line| line.contains(&object)).collect();
        assert!(told.len() == 1 && told[0].starts_with("  + ") && told[0].ends_with("created"), "{}", ended.all());
    }
}

#[test]
fn a_namespace_that_was_made_for_a_release_is_not_told_as_unchanged() {
    let sandbox = shop();
    let first = sandbox.run(&["up"]).exits(0);
    assert!(first.stdout.contains("+ Namespace/shop") && !first.stdout.contains("unchanged"), "{}", first.all());
}

#[test]
fn a_namespace_that_nobody_declares_is_not_counted() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["plan", "web"]).exits(0).lacks("unchanged");
    sandbox.run(&["up", "web"]).exits(0).lacks("unchanged");
    sandbox.run(&["plan", "web"]).exits(0).lacks("= 4 unchanged");
}

#[test]
fn what_a_release_names_and_is_not_there_is_shown_at_its_line() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let file = |release: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases:\n      - {{name: web, {release}}}\n"
        )
    };
    for release in ["chart: wbe", "chart: web, values: [nope.yaml]"] {
        sandbox.write("landfall.yaml", &file(release));
        sandbox.run(&["plan"]).exits(2).says("landfall.yaml:7");
    }
    sandbox.write("landfall.yaml", &file("chart: web"));
    sandbox.run(&["explain", "landfall.yaml:7"]).exits(2).says("line 7 of landfall.yaml belongs to no object");
    sandbox.run(&["repo", "list", "--credentials"]).exits(0);
    assert!(!sandbox.root().join(".landfall").exists(), "nothing was to be left");
}

#[test]
fn what_cannot_be_written_is_named_as_helm_does() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("taken", "");
    for words in
        [&["template", "web", "--output-dir", "taken/out"][..], &["helm", "template", "web", "--output-dir", "taken"]]
    {
        sandbox.run(words).exits(1).says("mkdir taken: not a directory");
    }
    std::fs::create_dir_all(sandbox.root().join("out/web/templates/all.yaml")).expect("made");
    sandbox
        .run(&["helm", "template", "web", "--output-dir", "out"])
        .exits(1)
        .says("out/web/templates/all.yaml: is a directory");
}

#[test]
fn checks_are_made_against_the_cluster_also_where_nobody_serves_it_and_not_against_the_network() {
    let sandbox = shop();
    sandbox.edit("landfall.yaml", "http://localhost/", "http://shop.invalid/");
    sandbox.run(&["smoke"]).exits(6).says("nothing is delivered here");
    sandbox.run(&["up"]).exits(0).says("passed ~");
    sandbox.run(&["smoke"]).exits(0).says("passed ~");
}

#[test]
fn a_cluster_that_is_gone_has_no_address() {
    let sandbox = shop();
    let ended = sandbox.run(&["up", "--once"]).exits(0);
    assert!(!ended.stdout.contains("http://localhost:") && !ended.stdout.contains("stays at"), "{}", ended.all());
    assert!(ended.stdout.contains("the embedded cluster ended with it"), "{}", ended.all());
    let json = sandbox.run(&["up", "--once", "-o", "json"]).exits(0).json();
    assert_eq!(json["data"]["addresses"], serde_json::json!([]));
    assert_eq!(json["data"]["ingress"], serde_json::json!({"http": null, "https": null}));
    let served = shop().interactive();
    let ended = served.run(&["up"]).exits(0);
    assert!(ended.stdout.contains("http://localhost"), "what stays has one: {}", ended.all());
    let json = served.run(&["up", "-o", "json"]).exits(0).json();
    assert!(json["data"]["addresses"][0]["url"].as_str().is_some_and(|url| url.starts_with("http://localhost")));
}

#[test]
fn down_says_of_what_there_was_that_it_is_gone_or_that_it_stays_and_not_both() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("shop/templates/data.yaml", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\n  annotations: {helm.sh/resource-policy: keep}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local: {releases: [{name: shop, chart: shop, namespace: shop}]}\n");
    sandbox.run(&["up"]).exits(0);
    let kept = sandbox.run(&["down", "--keep-data"]).exits(0);
    assert!(kept.all().contains("PersistentVolumeClaim/data stays"), "{}", kept.all());
    assert!(!kept.all().contains("gone"), "{}", kept.all());
    sandbox.run(&["up"]).exits(0);
    let gone = sandbox.run(&["down"]).exits(0);
    assert!(gone.all().contains("the embedded cluster and its state are gone"), "{}", gone.all());
    assert!(!gone.all().contains("stays") && !gone.all().contains("kept"), "{}", gone.all());
    sandbox.run(&["up"]).exits(0);
    let json = sandbox.run(&["down", "-o", "json"]).exits(0).json();
    assert_eq!((&json["data"]["kept"], &json["data"]["cluster"]), (&serde_json::json!([]), &"gone".into()));
}

#[test]
fn where_nothing_is_no_list_is_begun() {
    let sandbox = Sandbox::empty();
    for arguments in [
        &["history", "web"][..],
        &["rollback", "web"],
        &["logs", "web"],
        &["status", "web"],
        &["forward", "web"],
        &["explain", "deploy/web", "--deployed"],
    ] {
        let ended = sandbox.run(arguments);
        assert_ne!(ended.code, 0, "{arguments:?}: {}", ended.all());
        let empty = ended.stderr.lines().find(|line| line.trim_end().ends_with(':'));
        assert!(empty.is_none(), "{arguments:?} begins a list of nothing: {}", ended.all());
    }
    let status = sandbox.run(&["status"]).exits(0);
    assert_eq!(
        status.stdout, "nothing is delivered here · landfall up\n",
        "of a cluster that is not there nothing is said"
    );
    sandbox.run(&["rollback"]).exits(1);
    let left: Vec<_> = std::fs::read_dir(sandbox.root()).expect("read").collect();
    assert!(left.is_empty(), "what only looks, or finds nothing to do, leaves nothing: {left:?}");
}

#[test]
fn a_release_that_never_was_has_no_revision_0() {
    let sandbox = shop();
    sandbox.write("bad/Chart.yaml", "apiVersion: v2\nname: bad\nversion: 0.1.0\n");
    sandbox.write("bad/templates/all.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: never\n  annotations: {helm.sh/hook: pre-install}\nspec:\n  template:\n    spec: {restartPolicy: Never, containers: [{name: run, image: \"example/run:1\"}]}\n");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: bad, chart: bad, namespace: shop}, {name: shop, chart: shop, namespace: shop}]\n");
    let ended = sandbox.run(&["up", "--fault", "job/never=fail"]);
    assert_ne!(ended.code, 0, "{}", ended.all());
    assert!(ended.stdout.contains("not begun"), "{}", ended.all());
    assert!(!ended.all().contains("revision 0"), "{}", ended.all());
}

#[test]
fn where_there_is_no_earlier_revision_rollback_says_so_and_names_none() {
    let sandbox = shop();
    sandbox.run(&["up"]).exits(0);
    for arguments in
        [&["rollback"][..], &["rollback", "shop"], &["rollback", "--dry-run"], &["rollback", "shop", "--dry-run"]]
    {
        let ended = sandbox.run(arguments).exits(1);
        assert!(ended.stderr.contains("no earlier revision to go back to"), "{arguments:?}: {}", ended.all());
        assert!(!ended.all().contains("revision 0") && ended.stdout.is_empty(), "{arguments:?}: {}", ended.all());
    }
}

#[test]
fn quiet_says_errors_only_and_prints_what_was_asked_for() {
    let sandbox = shop();
    for arguments in [
        &["up"][..],
        &["plan"],
        &["status"],
        &["history"],
        &["env", "list"],
        &["images", "list"],
        &["doctor", "tools"],
        &["rehearse"],
        &["cluster", "status"],
        &["smoke"],
        &["down"],
        &["cluster", "stop"],
    ] {
        let ended = sandbox.run(&[arguments, &["-q"]].concat()).exits(0);
        assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "{arguments:?}: {}", ended.all());
    }
    assert_eq!(sandbox.run(&["env", "list", "-q", "-o", "name"]).exits(0).stdout, "local\n");
    assert_eq!(sandbox.run(&["env", "list", "-q", "-o", "json"]).exits(0).json()["ok"], true);
    let wrong = sandbox.run(&["plan", "--env", "nowhere", "-q"]).exits(2);
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("nowhere"), "{}", wrong.all());
    sandbox.edit("landfall.yaml", "contains: hello", "contains: goodbye, timeout: 1s");
    let failed = sandbox.run(&["up", "-q"]).exits(4);
    assert!(failed.stdout.is_empty() && failed.stderr.contains("check front: failed"), "{}", failed.all());
    let silent = sandbox.run(&["up", "-qq"]).exits(4);
    assert!(silent.stdout.is_empty() && silent.stderr.is_empty(), "{}", silent.all());
}

#[test]
fn tables_fit_a_terminal_of_60_columns_and_are_whole_in_a_pipe() {
    let sandbox = shop();
    sandbox.run(&["up"]).exits(0);
    for arguments in [
        &["status"][..],
        &["history"],
        &["env", "list"],
        &["images", "list"],
        &["addon", "list"],
        &["state"],
        &["rules"],
        &["cluster", "status"],
        &["version", "--env"],
        &["explain", "deploy/shop"],
        &["plan", "--set", "replicas=3"],
        &["smoke"],
    ] {
        let mut command = sandbox.command(arguments);
        command.env("NO_COLOR", "1");
        let (_, sent) = Terminal::of(60).run(&command);
        let long: Vec<&str> = sent.lines().filter(|line| line.trim_end().chars().count() > 60).collect();
        assert!(long.is_empty(), "{arguments:?}: {long:#?}\n{sent}");
        assert!(!sent.trim().is_empty(), "{arguments:?}");
        let piped = sandbox.run(arguments);
        assert!(!piped.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_clock_of_a_wait_runs() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.write("slow/Chart.yaml", "apiVersion: v2\nname: slow\nversion: 0.1.0\n");
    sandbox.write("slow/templates/all.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: never\n  annotations: {helm.sh/hook: pre-install}\nspec:\n  template:\n    spec: {restartPolicy: Never, containers: [{name: run, image: \"example/run:1\"}]}\n");
    let mut command = sandbox.command(&["up", "slow", "--once", "--fault", "job/never=hang", "--timeout", "3s"]);
    command.env("NO_COLOR", "1");
    let (_, sent) = Terminal::of(80).live().run(&command);
    for clock in ["0s waiting for", "1s waiting for"] {
        assert!(sent.contains(clock), "{clock:?} was never seen: {sent:?}");
    }
}
