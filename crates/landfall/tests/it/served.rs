use super::sandbox::{Sandbox, small_chart};

#[test]
fn the_embedded_cluster_starts_says_where_and_stops() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.run(&["cluster", "start"]).exits(0).says("https://127.0.0.1:");
    let kubeconfig = sandbox.run(&["cluster", "kubeconfig"]).exits(0);
    assert!(kubeconfig.stdout.contains("certificate-authority-data"));
    sandbox.run(&["cluster", "start"]).exits(0);
    sandbox.run(&["cluster", "stop"]).exits(0);
    sandbox.run(&["cluster", "status"]).says("not running");
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
}

#[test]
fn a_command_that_is_suggested_can_be_pasted_whatever_the_path() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.write("my shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    sandbox.run(&["cluster", "start", "--state", "my state"]).exits(0).says("my state/kubeconfig' get nodes");
    sandbox.run(&["up", "my shop", "--state", "my state"]).exits(0).says("my state/kubeconfig' get pods -A");
    sandbox.run(&["cluster", "reset", "--yes", "--state", "my state"]).exits(0);
}

#[test]
fn a_chart_goes_to_the_namespace_of_the_context() {
    let served = Sandbox::empty().interactive();
    served.run(&["cluster", "start"]).exits(0);
    let kubeconfig = served.run(&["cluster", "kubeconfig"]).exits(0).stdout;
    let named = kubeconfig.replace("    namespace: default\n", "    namespace: shop\n");
    assert_ne!(named, kubeconfig, "{kubeconfig}");
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("config", &named);
    let arguments = ["--context", "landfall", "--kubeconfig", "config", "--yes", "-o", "json"];
    let up = sandbox.run(&[&["up", "web"][..], &arguments].concat()).exits(0).json();
    assert_eq!(up["data"]["units"][0]["namespace"], "shop");
    served.run(&["cluster", "stop"]).exits(0);
}

#[test]
fn simulated_operators_are_listed_and_switched_off_and_on() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.run(&["cluster", "start", "--no-simulate", "traefik"]).exits(0);
    let state = |name: &str| {
        let status = sandbox.run(&["cluster", "status", "-o", "json"]).exits(0).json();
        let operators = status["data"]["operators"].as_array().expect("a list").clone();
        operators.into_iter().find(|it| it["name"] == name).expect("listed")["state"].clone()
    };
    assert_eq!((state("traefik"), state("cert-manager")), ("off".into(), "not-installed".into()));
    sandbox.run(&["cluster", "operator", "on", "traefik"]).exits(0).says("traefik is simulated again");
    assert_eq!(state("traefik"), "simulating");
    sandbox.run(&["cluster", "operator", "off", "cert-manager"]).exits(0).says("its kinds are not defined");
    sandbox.run(&["cluster", "operator", "off", "treafik"]).exits(2).says("did you mean `traefik`?");
    sandbox.run(&["cluster", "status"]).exits(0).says("~ simulating");
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    sandbox.run(&["cluster", "operator", "off", "traefik"]).exits(6).says("landfall cluster start");
}

#[test]
fn where_no_cluster_is_none_is_copied_and_one_sentence_says_so() {
    for words in [
        &["cluster", "snapshot"][..],
        &["cluster", "snapshot", "before.json"],
        &["cluster", "fork", "copy"],
        &["cluster", "operator", "off", "traefik"],
    ] {
        let sandbox = Sandbox::empty();
        let ended = sandbox.run(words).exits(6);
        assert!(ended.stdout.is_empty(), "{words:?}: {}", ended.all());
        assert_eq!(ended.stderr.matches("error").count(), 1, "{words:?}: {}", ended.all());
        assert!(ended.stderr.contains("there is no embedded cluster here yet"), "{words:?}: {}", ended.all());
        assert!(ended.stderr.contains("landfall cluster start"), "{words:?}: {}", ended.all());
        let left: Vec<_> = std::fs::read_dir(sandbox.root()).expect("listed").collect();
        assert!(left.is_empty(), "{words:?} wrote {left:?}");
    }
}

#[test]
fn what_a_program_asks_of_a_kubeconfig_is_the_one_that_people_get() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.run(&["cluster", "start"]).exits(0);
    let printed = sandbox.run(&["cluster", "kubeconfig"]).exits(0).stdout;
    let told = sandbox.run(&["cluster", "kubeconfig", "-o", "json"]).exits(0).json();
    assert_eq!(told["data"]["kubeconfig"], landfall_yaml::to_json_strict(&printed).expect("YAML"));
    let path = sandbox.run(&["cluster", "kubeconfig", "--path"]).exits(0).stdout;
    assert_eq!(told["data"]["file"], path.trim_end());
    assert_eq!(sandbox.run(&["cluster", "kubeconfig", "-o", "name"]).exits(0).stdout, path);
    let merged = sandbox.run(&["cluster", "kubeconfig", "--merge", "-o", "json"]).exits(0).json();
    let into = merged["data"]["merged"].as_str().expect("where").to_owned();
    assert!(std::fs::read_to_string(&into).expect("there").contains("name: landfall"), "{into}");
    assert_eq!(merged["data"].get("kubeconfig"), None);
    let stopped = sandbox.run(&["cluster", "stop", "-o", "json"]).exits(0).json();
    assert_eq!(stopped["data"]["stopped"], true);
    assert_eq!(sandbox.run(&["cluster", "stop", "-o", "json"]).exits(0).json()["data"]["stopped"], false);
    let reset = sandbox.run(&["cluster", "reset", "--yes", "-o", "json"]).exits(0).json();
    assert_eq!(reset["data"], serde_json::json!({"name": "embedded", "cluster": "gone"}));
    let again = sandbox.run(&["cluster", "reset", "--yes", "-o", "json"]).exits(0).json();
    assert_eq!(again["data"]["cluster"], "none");
}
