use super::sandbox::{Sandbox, small_chart};

#[test]
fn broken_values_are_shown_at_their_line() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("bad.yaml", "replicas: 1\nimage: [\n");
    let ran = sandbox.run(&["up", "web", "-f", "bad.yaml"]);
    assert!(ran.code == 1 || ran.code == 2, "{}", ran.all());
    ran.says("bad.yaml");
}

#[test]
fn a_template_error_names_the_template_line() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/templates/bad.yaml", "a: 1\nb: {{ .Values.nope.deeper }}\n");
    sandbox
        .run(&["up", "web"])
        .exits(1)
        .says("templates/bad.yaml:2")
        .says("nil pointer evaluating interface {}.deeper");
}

#[test]
fn a_cyclic_include_ends_in_an_error() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/_loop.tpl",
        "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}{{ include \"a\" . }}{{ end }}",
    );
    sandbox.write("web/templates/loop.yaml", "x: {{ include \"a\" . }}\n");
    sandbox.run(&["up", "web"]).exits(1);
}

#[test]
fn a_missing_dependency_is_one_clear_sentence() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{name: redis, version: 1.0.0, repository: \"https://charts.example.com\"}]\n",
    );
    let ran = sandbox.run(&["up", "web"]);
    assert!(ran.code == 1 || ran.code == 2, "{}", ran.all());
    ran.says("redis");
}

#[test]
fn what_is_no_chart_is_said_so() {
    let sandbox = Sandbox::empty();
    sandbox.write("notes.txt", "hello");
    sandbox.run(&["up", "notes.txt"]).exits(2);
    sandbox.run(&["up", "nowhere"]).exits(2).says("there is no `nowhere`");
    sandbox.run(&["up", "."]).exits(2).says("nothing to deliver");
    small_chart(&sandbox, "deploy/web", "web");
    for verb in ["up", "plan", "status", "rehearse"] {
        let told = sandbox.run(&[verb]);
        if told.code == 2 {
            told.says(&format!("landfall -C deploy/web {verb}"));
        }
    }
    sandbox.run(&["plan"]).exits(2).says("landfall -C deploy/web plan");
    sandbox.run(&["plan", "deploy"]).exits(2).says("landfall -C deploy/web plan");
    sandbox.run(&["-C", "deploy", "plan"]).exits(2).says("landfall -C deploy/web plan");
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_tree_is_refused() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    std::os::unix::fs::symlink("/etc/passwd", sandbox.root().join("web/templates/secret.yaml")).expect("linked");
    sandbox.run(&["up", "web"]).exits(1).says("points out of the tree");
}

#[test]
fn a_misspelt_flag_and_command_are_named() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["stauts"]).exits(2).says("status");
    sandbox.run(&["up", "--no-biuld"]).exits(2).says("--no-build");
}
