//! Links in charts: into what git and Landfall keep for themselves they lead in neither voice.

use std::os::unix::fs::symlink;

use super::sandbox::Sandbox;

const CANARY: &str = "canary-of-a-credential";

/// A clone with a chart that prints its file `leak`, and credentials where CI leaves them.
fn clone() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 0.1.0\n");
    sandbox.write(
        "chart/templates/all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: leak}\ndata:\n{{- range $path, $bytes := .Files.Glob \"**leak**\" }}\n  {{ base $path }}: {{ toString $bytes | quote }}\n{{- end }}\n",
    );
    sandbox.commit("first");
    sandbox.git(&["config", "http.https://git.example.com/.extraheader", CANARY]);
    sandbox.write(".landfall/token", CANARY);
    sandbox.write("shared/leak.txt", "for everybody");
    sandbox.write("../beside/leak.txt", "beside the repository");
    sandbox
}

const VERBS: [&[&str]; 6] = [
    &["template", "chart"],
    &["helm", "template", "chart"],
    &["helm", "dependency", "list", "chart"],
    &["helm", "lint", "chart"],
    &["helm", "package", "chart", "-d", "packed"],
    &["helm", "show", "all", "chart"],
];

/// What a link is and where it leads: a file, a directory, a link to a link, a file of Landfall's, a file by way of a directory.
const LEAKS: [(&str, &str); 5] = [
    ("chart/leak", "../.git/config"),
    ("chart/leak", "../.git"),
    ("chart/leak", "../hop"),
    ("chart/leak", "../.landfall/token"),
    ("chart/templates/leak.yaml", "../../shared/../.git/config"),
];

#[test]
fn no_verb_follows_a_link_into_what_git_and_landfall_keep() {
    for (link, target) in LEAKS {
        for verb in VERBS {
            let sandbox = clone();
            symlink(".git/config", sandbox.root().join("hop")).expect("linked");
            symlink(target, sandbox.root().join(link)).expect("linked");
            let ran = sandbox.run(verb).says("is a link to what git or Landfall keeps for itself");
            assert!(ran.code != 0 && !ran.all().contains(CANARY), "{verb:?}, {target}: {}", ran.all());
            assert!(!sandbox.root().join("packed/chart-0.1.0.tgz").exists(), "{verb:?}, {target}");
        }
    }
}

#[test]
fn a_link_to_a_file_of_the_repository_is_followed_in_both_voices() {
    for verb in VERBS {
        let sandbox = clone();
        symlink("../shared/leak.txt", sandbox.root().join("chart/leak.txt")).expect("linked");
        let ran = sandbox.run(verb).exits(0);
        let renders = verb.contains(&"template");
        assert!(!renders || ran.stdout.contains("for everybody"), "{verb:?}: {}", ran.all());
    }
}

#[test]
fn a_link_out_of_the_repository_is_followed_in_helms_voice_alone() {
    let sandbox = clone();
    symlink("../../beside/leak.txt", sandbox.root().join("chart/leak.txt")).expect("linked");
    sandbox.run(&["helm", "template", "chart"]).exits(0).says("beside the repository");
    let refused = sandbox.run(&["template", "chart"]).says("leads out of the repository");
    assert!(refused.code != 0 && !refused.stdout.contains("beside"), "{}", refused.all());
}
