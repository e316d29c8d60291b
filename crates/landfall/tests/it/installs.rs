//! `landfall serve install`: the server as a pod of a cluster, which another system's embedded one stands in for.

use super::sandbox::{Sandbox, small_chart};

/// What its pod answers there.
const ANSWERS: &str = "    simulate: {landfall: {http: [{path: /healthz, body: ok}]}}\n";

#[test]
fn lp_107_one_command_installs_the_server_until_it_answers_and_says_where_and_who_signs_in_first() {
    let mut there = Sandbox::empty();
    there.stays(".landfall");
    small_chart(&there, "shop", "shop");
    let system = |more: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: shop, chart: shop, namespace: shop}}]\n{more}"
        )
    };
    there.write("landfall.yaml", &system(""));
    there.run(&["up", "--yes"]).exits(0);
    let config = there.root().join(".landfall/kubeconfig").display().to_string();
    let context = there.run(&["cluster", "status", "-o", "json"]).exits(0).json();
    let text = std::fs::read_to_string(&config).expect("a kubeconfig");
    let name =
        text.lines().find_map(|line| line.trim().strip_prefix("current-context: ")).expect("one").trim_matches('"');
    let here = Sandbox::empty();
    let install = [
        "serve",
        "install",
        "--context",
        name,
        "--kubeconfig",
        &config,
        "--image",
        "registry.example.com/landfall:9.9.9",
    ];

    // The embedded cluster runs no containers, and another one needs a yes.
    here.run(&["cluster", "start"]).exits(0);
    here.run(&["serve", "install"]).exits(2).says("the embedded cluster runs no containers").says("landfall serve");
    here.run(&["cluster", "stop"]).exits(0);
    here.run(&install).exits(2).says("needs a yes").says("--dry-run");
    let dry = here.run(&[&install[..], &["--dry-run"]].concat()).exits(0);
    assert!(dry.all().contains("Deployment"), "{} {context:#}", dry.all());
    let there_is = |kind: &str| {
        let found = here.run(&["helm", "list", "-A", "-q", "--kubeconfig", &config]).exits(0);
        found.stdout.lines().any(|line| line == kind)
    };
    assert!(!there_is("landfall"), "a dry run installs nothing");

    // What does not answer is not said to be there.
    let silent = here.run(&[&install[..], &["--yes", "-o", "json"]].concat()).exits(4).json();
    assert_eq!(silent["data"]["answers"], false, "{silent:#}");
    assert!(silent["data"]["why"].as_str().is_some_and(|why| !why.is_empty()), "{silent:#}");
    there.write("landfall.yaml", &system(ANSWERS));
    there.run(&["up", "--yes"]).exits(0);
    let told =
        here.run(&[&install[..], &["--yes", "--host", "landfall.example.com", "-o", "json"]].concat()).exits(0).json();
    let data = &told["data"];
    assert_eq!(
        (&data["answers"], &data["address"]),
        (&true.into(), &"https://landfall.example.com".into()),
        "{told:#}"
    );
    assert!(data["first_password"].as_str().is_some_and(|it| it.ends_with("account create admin")), "{told:#}");
    assert!(there_is("landfall"));
    let values = here.run(&["helm", "get", "manifest", "landfall", "-n", "landfall", "--kubeconfig", &config]).exits(0);
    assert!(values.stdout.contains("registry.example.com/landfall:9.9.9"), "{}", values.all());
    assert!(values.stdout.contains("landfall.example.com"), "{}", values.all());
}
