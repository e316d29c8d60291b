//! One grammar: a target, then names, for every verb; and what is found from elsewhere.

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// A system called `shop` below the sandbox's root, which is none itself.
fn with_shop(sandbox: &Sandbox) {
    small_chart(sandbox, "shop/charts/web", "web");
    sandbox.write(
        "shop/landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: charts/web, namespace: shop}]\n    checks: [{name: home, rollout: shop/deployment/web}]\n  prod:\n    cluster: {context: k3d-shop}\n    releases: [{name: web, chart: charts/web, namespace: shop}]\n",
    );
}

/// Runs the binary in a directory below the root.
fn in_directory(sandbox: &Sandbox, directory: &str, arguments: &[&str]) -> Ran {
    let path = sandbox.root().join(directory);
    std::fs::create_dir_all(&path).expect("made");
    ran(sandbox.command(arguments).current_dir(path).output().expect("the binary runs"))
}

#[test]
fn every_verb_takes_the_target_in_front_of_its_names_and_by_a_flag() {
    let sandbox = Sandbox::empty();
    with_shop(&sandbox);
    sandbox.run(&["up", "shop"]).exits(0);
    assert!(sandbox.root().join("shop/.landfall").exists());
    let verbs: [(&[&str], &[&str], &str); 16] = [
        (&["status"], &[], "web in shop"),
        (&["status"], &["web"], "web in shop"),
        (&["history"], &[], "shop/web"),
        (&["history"], &["web"], "shop/web"),
        (&["logs"], &["web"], "simulated"),
        (&["logs"], &["deployment/web", "web"], "simulated"),
        (&["explain"], &["deploy/web", "spec.replicas"], "replicas"),
        (&["diff"], &[], "no differences"),
        (&["plan"], &[], "no changes"),
        (&["graph"], &[], "deployment/web"),
        (&["state"], &[], "holds data"),
        (&["images"], &[], "example/app:1.0.0"),
        (&["images", "list"], &[], "example/app:1.0.0"),
        (&["env"], &[], "k3d-shop"),
        (&["env", "list"], &[], "k3d-shop"),
        (&["env", "diff"], &["local", "prod"], "local and prod do not differ"),
    ];
    for (verb, names, wanted) in verbs {
        let typed: [Vec<&str>; 4] = [
            [verb, &["shop"], names].concat(),
            [verb, &["./shop"], names].concat(),
            [&["-C", "shop"], verb, names].concat(),
            [verb, names, &["-C", "shop"]].concat(),
        ];
        for words in typed {
            let said = sandbox.run(&words).exits(0);
            let all = said.all().to_lowercase();
            assert!(all.contains(&wanted.to_lowercase()), "{words:?}: {wanted:?} is not said\n{all}");
        }
    }
    for words in [&["smoke", "shop"][..], &["smoke", "shop", "home"], &["-C", "shop", "smoke", "home"]] {
        let said = sandbox.run(words);
        assert!(said.all().contains("home"), "{words:?}: {}", said.all());
    }
    sandbox.run(&["smoke", "shop", "hoem"]).exits(2).says("did you mean `home`?");
    sandbox.run(&["build", "shop", "web"]).exits(2).says("no build here is of the service `web`");
    sandbox.run(&["doctor", "shop", "docs"]).exits(0);
    sandbox.run(&["rollback", "shop", "web", "1", "--dry-run"]).exits(0).says("web");
    sandbox.run(&["rollback", "shop", "web", "one"]).exits(2).says("a revision cannot be `one`");
    sandbox.run(&["forward", "./shop"]).exits(2).says("what of `./shop` is meant is not named");
    sandbox.run(&["logs", "shop", "wbe"]).exits(1).says("did you mean `web`?");
    sandbox.run(&["history", "shop", "--max", "0"]).exits(2);
    let twice = sandbox.run(&["logs", "shop", "web", "web"]).exits(0).stdout;
    assert_eq!(twice, sandbox.run(&["logs", "shop", "web"]).exits(0).stdout);
    let nope = sandbox
        .run(&["logs", "shop", "web", "-c", "nope"])
        .exits(1)
        .says("has a container `nope`")
        .says("containers: ");
    assert!(!nope.stderr.contains("did you mean `web`"), "{}", nope.all());
    sandbox.run(&["down", "shop", "--yes"]).exits(0).says("shop/web");
    assert!(!sandbox.root().join("shop/.landfall").exists());
}

#[test]
fn inside_a_system_a_word_is_a_name_also_where_a_directory_has_it() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n",
    );
    sandbox.run(&["up"]).exits(0);
    sandbox.run(&["status", "web", "--env", "local"]).exits(0).says("web in shop");
    sandbox.run(&["history", "web", "--env", "local"]).exits(0).says("shop/web");
    sandbox.run(&["logs", "web", "--env", "local"]).exits(0);
    sandbox.run(&["status", "wbe"]).exits(1).says("did you mean `web`?");
    sandbox.run(&["down", "--yes"]).exits(0);
}

#[test]
fn up_takes_a_name_of_its_system_and_not_the_chart_that_is_called_so() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    small_chart(&sandbox, "other", "other");
    sandbox.run(&["init"]).exits(0);
    sandbox.edit("landfall.yaml", "{name: other,", "{name: beside,");
    sandbox.run(&["up"]).exits(0);
    sandbox.run(&["up", "web", "--dry-run"]).exits(0).lacks("default/other");
    sandbox.run(&["up", "web"]).exits(0);
    let mut there = sandbox.run(&["status", "-o", "name"]).exits(0).stdout;
    assert_eq!(there.lines().count(), 2, "a stray release: {there}");
    sandbox.run(&["up", "wbe"]).exits(2).says("did you mean `web`?");
    // Written as a path it is the directory.
    sandbox.run(&["up", "./web", "--release", "stray"]).exits(0);
    there = sandbox.run(&["status", "-o", "name"]).exits(0).stdout;
    assert!(there.contains("stray"), "{there}");
    sandbox.run(&["down", "--yes"]).exits(0).says("= the embedded cluster stays: something else lives on it");
    for words in [&["up", ""][..], &["down", ""], &["plan", ""]] {
        sandbox.run(words).exits(2).says("a target cannot be an empty word");
    }
}

#[test]
fn a_verb_of_a_verb_that_is_misspelt_before_a_word_is_compared_too() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["images", "st", "v1"]).exits(2).says("'set'").lacks("cannot be used with");
}

#[test]
fn every_help_begins_with_examples() {
    let sandbox = Sandbox::empty();
    // What nobody types, and what speaks in another's words.
    let others = ["__complete", "cluster serve", "agent work", "secrets seal"];
    let all = sandbox.run(&["completion", "--commands"]).exits(0).stdout;
    for command in all.lines().filter(|command| !others.contains(command)) {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = sandbox.run(&words).exits(0).stdout;
        assert!(help.starts_with("Examples:\n  "), "{command}: {help}");
    }
}

#[test]
fn files_of_applications_are_named_as_they_are_seen_from_here() {
    let sandbox = Sandbox::luckyplans();
    let line = "../infrastructure/helm/luckyplans/values.prod.yaml:";
    in_directory(&sandbox, "beside", &["images", "..", "--env", "prod"]).exits(0).says(line);
    in_directory(&sandbox, "beside", &["explain", "..", "deploy/api-gateway", "spec.replicas", "--env", "prod"])
        .exits(0)
        .says("../infrastructure/helm/luckyplans/");
    // A tag is set in the same files, however they are named.
    in_directory(&sandbox, "beside", &["images", "set", "sha-1a2b3c4", "--env", "prod", "--dry-run"]).exits(0);
}

#[test]
fn a_landfall_yaml_that_is_called_otherwise_is_named() {
    let sandbox = Sandbox::empty();
    with_shop(&sandbox);
    std::fs::rename(sandbox.root().join("shop/landfall.yaml"), sandbox.root().join("shop/landfall.yml"))
        .expect("moved");
    for words in [&["up", "shop"][..], &["up", "shop/landfall.yml"], &["-C", "shop", "status"], &["-C", "shop", "plan"]]
    {
        sandbox.run(words).exits(2).says("must be called landfall.yaml");
    }
}

#[test]
fn a_bare_chart_is_its_one_release() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    small_chart(&sandbox, "api", "api");
    sandbox.run(&["up", "web"]).exits(0);
    sandbox.run(&["up", "web", "--set", "replicas=2"]).exits(0);
    sandbox.run(&["up", "api"]).exits(0);
    let history = sandbox.run(&["history", "./web"]).exits(0);
    assert!(history.stdout.contains("default/web") && !history.stdout.contains("api"), "{}", history.all());
    let back = sandbox.run(&["rollback", "./web", "1"]).exits(0);
    assert!(!back.all().contains("api"), "{}", back.all());
    sandbox.run(&["rollback", "web", "2"]).exits(0);
    // Delivered under another name, what was typed is taken for it.
    sandbox.run(&["up", "web", "--release", "other"]).exits(0);
    sandbox.run(&["history", "other"]).exits(0).says("default/other");
    // A chart and its workload have one name: where objects are named it is the workload's.
    sandbox.run(&["logs", "web", "api"]).exits(0);
    for words in [&["web", "deploy/web"][..], &["web", "deploy/web", "spec.replicas"], &["./web", "replicas"]] {
        sandbox.run(&[&["explain"], words].concat()).exits(0).says("spec.replicas");
    }
    sandbox.run(&["explain", "web", "deploy/web", "spec.replicas", "more"]).exits(2);
    sandbox.run(&["down", "--yes"]).exits(0);
}

#[test]
fn the_state_of_a_chart_is_found_from_elsewhere() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "work/charts/web", "web");
    in_directory(&sandbox, "work", &["up", "charts/web"]).exits(0);
    assert!(sandbox.root().join("work/.landfall/cluster.db").exists());
    for (directory, words) in [
        ("work", &["status"][..]),
        ("work/charts", &["status"]),
        ("work/charts/web", &["status"]),
        (".", &["status", "work/charts/web"]),
        (".", &["status", "work"]),
        (".", &["-C", "work", "status"]),
        ("other", &["status", "../work/charts/web"]),
        ("other", &["history", "../work/charts/web"]),
        ("other", &["-C", "../work", "list"]),
    ] {
        let said = in_directory(&sandbox, directory, words).exits(0);
        assert!(said.stdout.contains("web"), "{directory} {words:?}: {}", said.all());
    }
    // Nothing is made where it is only looked from.
    assert!(!sandbox.root().join("other/.landfall").exists());
    // Delivered again, it goes to where it is.
    in_directory(&sandbox, "other", &["up", "../work/charts/web"]).exits(0).says("no changes");
    in_directory(&sandbox, "other", &["down", "../work/charts/web", "--yes"]).exits(0).says("gone");
    assert!(!sandbox.root().join("work/.landfall").exists());
}

#[test]
fn the_state_of_a_chart_that_was_delivered_from_beside_it_is_found_and_forgotten() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "charts/web", "web");
    in_directory(&sandbox, "work", &["up", "../charts/web"]).exits(0);
    assert!(sandbox.root().join("work/.landfall/cluster.db").exists());
    in_directory(&sandbox, "other", &["status", "../charts/web"]).exits(0).says("web in default");
    in_directory(&sandbox, ".", &["status", "charts/web"]).exits(0).says("web in default");
    // Who has a cluster of his own is asked about that.
    small_chart(&sandbox, "mine/api", "api");
    in_directory(&sandbox, "mine", &["up", "api"]).exits(0);
    in_directory(&sandbox, "mine", &["status", "../charts/web"]).exits(0).says("api in default");
    in_directory(&sandbox, "mine", &["down", "--yes"]).exits(0);
    in_directory(&sandbox, "other", &["down", "../charts/web", "--yes"]).exits(0).says("gone");
    assert!(!sandbox.root().join("work/.landfall").exists());
    let notes = sandbox.root().parent().expect("a home").join(".local/state/landfall/charts");
    assert!(!notes.exists(), "{} stays", notes.display());
}

#[test]
fn a_state_directory_is_not_looked_for_where_everybody_may_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "all/one/web", "web");
    in_directory(&sandbox, "all", &["up", "one/web"]).exits(0);
    in_directory(&sandbox, "all/one", &["status"]).exits(0).says("web in default");
    std::fs::set_permissions(sandbox.root().join("all"), std::fs::Permissions::from_mode(0o777)).expect("opened");
    in_directory(&sandbox, "all/one", &["status"]).exits(0).says("nothing is delivered here");
    in_directory(&sandbox, "all", &["status"]).exits(0).says("web in default");
}

/// The commands that a line tells, without what stands for a name.
fn advised(ran: &Ran) -> Vec<Vec<String>> {
    let line = ran.stdout.lines().find(|line| line.starts_with("done in")).expect("it is done");
    let commands = line.split(" · ").filter_map(|part| part.strip_prefix("landfall "));
    let words = |command: &str| shlex::split(command).expect("words").into_iter();
    commands.map(|command| words(command).map(|word| word.replace("SERVICE", "web")).collect()).collect()
}

#[test]
fn what_up_advises_can_be_typed_where_it_was_typed() {
    let sandbox = Sandbox::empty();
    with_shop(&sandbox);
    small_chart(&sandbox, "a chart", "web");
    for typed in [
        &["up", "shop"][..],
        &["-C", "shop", "up"],
        &["up", "a chart"],
        &["up", "a chart", "--state", "my state"],
        &["up", "shop", "--env", "local"],
    ] {
        let up = sandbox.run(typed).exits(0);
        let advised = advised(&up);
        // The cluster ends with the command here, and nothing is advised that would have to be asked of it.
        assert_eq!(advised.len(), 2, "{typed:?}: {}", up.all());
        for command in &advised {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let said = sandbox.run(&words).exits(0);
            let is_about_it = ["web", "container app"].iter().any(|told| said.stdout.contains(told));
            assert!(is_about_it, "{typed:?} advises {words:?}: {}", said.all());
        }
    }
}

#[test]
fn help_is_given_by_name() {
    let sandbox = Sandbox::empty();
    for (words, same) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "up"], &["up", "--help"]),
        (&["help", "cluster"], &["cluster", "--help"]),
        (&["help", "cluster", "start"], &["cluster", "start", "--help"]),
        (&["help", "upgrade"], &["upgrade", "--help"]),
        (&["help", "helm"], &["helm", "--help"]),
        (&["help", "helm", "get", "values"], &["helm", "get", "values", "--help"]),
        (&["-C", ".", "help", "env", "diff"], &["env", "diff", "--help"]),
    ] {
        let told = sandbox.run(words).exits(0);
        assert!(!told.stdout.is_empty(), "{words:?}");
        assert_eq!(told.stdout, sandbox.run(same).exits(0).stdout, "{words:?}");
    }
    sandbox.run(&["help", "lsit"]).exits(2).says("'list'");
    sandbox.run(&["help", "cluster", "strat"]).exits(2).says("'start'");
    let envs = sandbox.run(&["help", "env"]).exits(0);
    assert!(!envs.stdout.contains("Arguments of"), "{}", envs.stdout);
}

#[test]
fn a_misspelt_verb_suggests_the_nearest_of_all() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["lsit"]).exits(2).says("a similar subcommand exists: 'list'");
    sandbox.run(&["-q", "isntall", "x"]).exits(2).says("'install'");
    sandbox.run(&["env", "lsit"]).exits(2).says("did you mean `landfall env list`?");
    sandbox.run(&["xyzzy"]).exits(2);
    assert!(!sandbox.run(&["xyzzy"]).stderr.contains("similar"));
    sandbox.run(&["-C", "nowhere", "status"]).exits(2).says("-C nowhere: there is no such directory");
    sandbox.run(&["-C", "nowhere", "list"]).exits(2).says("-C nowhere: there is no such directory");
}

/// The words that a shell is given.
fn offered(sandbox: &Sandbox, before: &[&str], current: &str) -> Vec<String> {
    let current = format!("={current}");
    let words = [&["__complete", "--"], before, &[current.as_str()]].concat();
    let said = sandbox.run(&words).exits(0);
    said.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn live_names_are_completed() {
    let sandbox = Sandbox::empty();
    with_shop(&sandbox);
    sandbox.run(&["up", "shop"]).exits(0);
    assert_eq!(offered(&sandbox, &["status", "shop"], ""), ["web"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "rollback"], "w"), ["web"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "logs"], ""), ["web"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "explain"], "dep"), ["deployment/web"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "plan", "--env"], ""), ["local", "prod"]);
    assert_eq!(offered(&sandbox, &["env", "diff", "shop", "local"], ""), ["local", "prod"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "history", "-n"], ""), ["shop"]);
    assert_eq!(offered(&sandbox, &["smoke", "shop"], ""), ["home"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "uninstall"], ""), ["web"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "plan"], "./ch"), [":files"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "rollback", "web"], ""), ["web", "1"]);
    assert_eq!(offered(&sandbox, &["-C", "shop", "list", "-n"], ""), ["shop"]);
    // Where nothing is, nothing is offered, and nothing is said.
    let empty = sandbox.run(&["__complete", "--", "status", "="]).exits(0);
    assert_eq!((empty.stdout.as_str(), empty.stderr.as_str()), (":files\n", ""));
}

#[test]
fn the_shell_that_is_there_completes() {
    let sandbox = Sandbox::empty();
    with_shop(&sandbox);
    sandbox.run(&["up", "shop"]).exits(0);
    sandbox.write("complete.bash", &sandbox.run(&["completion", "bash"]).exits(0).stdout);
    sandbox.write(
        "try.bash",
        "source complete.bash\ntried() { COMP_WORDS=(landfall \"$@\"); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); _landfall 2>/dev/null; echo \"${COMPREPLY[*]}\"; }\ntried lis\ntried -C shop status w\ntried cluster sta\ntried up sho\n",
    );
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_landfall")).parent().expect("a directory");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut bash = std::process::Command::new("bash");
    bash.arg("try.bash").current_dir(sandbox.root()).env("PATH", path).env("HOME", sandbox.root());
    let bash = ran(bash.output().expect("bash runs")).exits(0);
    assert_eq!(bash.stdout, "list\nweb\nstart status\nshop\n", "{}", bash.all());
}

#[test]
fn a_word_behind_a_verb_that_takes_none_is_told_where_such_words_go() {
    let sandbox = Sandbox::empty();
    let told = sandbox.run(&["images", "scan", "shop"]).exits(2).says("landfall -C shop images scan");
    told.says("landfall images scan --env shop").says("landfall images scan --image shop");
    // A flag that is none is none.
    sandbox.run(&["images", "scan", "--nonsense"]).exits(2).lacks("-C");
    sandbox.run(&["images", "set", "./shop"]).exits(5).says("LF0962").says("a directory goes behind -C");
    sandbox.run(&["images", "set", ".shop"]).exits(5).says("LF0962").lacks("-C");
}
