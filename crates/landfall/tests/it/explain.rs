//! `explain` through the binary: a field, a value, a line, a commit.

use super::sandbox::{Sandbox, small_chart};

/// A system of one release whose replicas are said in four places.
fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    sandbox.write(
        "shop/values.yaml",
        "web:\n  replicas: 1\n  image: {repository: nginx, tag: latest}\npassword: hunter2\ndebug: false\n",
    );
    sandbox.write("shop/charts/cache/Chart.yaml", "apiVersion: v2\nname: cache\nversion: 0.1.0\n");
    sandbox.write("shop/charts/cache/values.yaml", "size: 1\n");
    sandbox.write(
        "shop/charts/cache/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cache\ndata:\n  size: {{ .Values.size | quote }}\n",
    );
    sandbox.write("shop/templates/_a.tpl", "{{- define \"labels\" }}\napp: {{ .Release.Name }}\n{{- end }}\n");
    sandbox.write(
        "shop/templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    {{- include \"labels\" . | nindent 4 }}\nspec:\n  replicas: {{ .Values.web.replicas }}\n  template:\n    spec:\n      containers:\n        - name: web\n          image: \"{{ .Values.web.image.repository }}:{{ .Values.web.image.tag }}\"\n          {{- if .Values.debug }}\n          args: [--debug]\n          {{- end }}\n",
    );
    sandbox.write(
        "shop/templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\nstringData:\n  password: {{ .Values.password }}\n",
    );
    sandbox.write("values.prod.yaml", "web:\n  replicas: 3\ncache:\n  size: 2\n");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: shop, values: [values.prod.yaml]}]\n",
    );
    sandbox
}

#[test]
fn a_field_names_its_line_its_value_what_that_overrides_and_the_commit() {
    let sandbox = shop();
    sandbox.commit("Begin");
    sandbox.edit("values.prod.yaml", "replicas: 3", "replicas: 4");
    sandbox.commit("Scale the shop");
    let said = sandbox.run(&["explain", "deploy/web", "spec.replicas", "--blame"]).exits(0);
    said.says("spec.replicas: 4").says("shop/templates/web.yaml:8").says("replicas: {{ .Values.web.replicas }}");
    let said = sandbox.run(&["explain", "deploy/web", "spec.replicas", "--blame", "-o", "json"]).exits(0).json();
    let value = &said["data"]["objects"][0]["fields"][0]["values"][0];
    assert_eq!(value["path"], "web.replicas");
    assert_eq!(value["layers"][0]["at"], "values.prod.yaml:2:3");
    assert_eq!(value["layers"][0]["commit"]["subject"], "Scale the shop");
    assert_eq!(value["layers"][1]["at"], "shop/values.yaml:2:3");
    assert_eq!(value["layers"][1]["value"], "1");
    assert_eq!(value["layers"][1]["commit"]["subject"], "Begin");
    let said = sandbox.run(&["explain", "deploy/web", "spec.replicas", "--set", "web.replicas=7"]).exits(0);
    said.says("--set web.replicas=7").says("values.prod.yaml:2:3").says("shop/values.yaml:2:3");
    let said = sandbox.run(&["explain", "cm/cache", "data.size", "-o", "json"]).exits(0).json();
    let layers = said["data"]["objects"][0]["fields"][0]["values"][0]["layers"].as_array().expect("layers").clone();
    let at: Vec<&str> = layers.iter().filter_map(|layer| layer["at"].as_str()).collect();
    assert_eq!(at, ["values.prod.yaml:4:3", "shop/charts/cache/values.yaml:1:1"]);
}

#[test]
fn a_whole_object_a_value_and_a_line_are_explained() {
    let sandbox = shop();
    let whole = sandbox.run(&["explain", "Deployment/web"]).exits(0);
    whole.says("spec.replicas").says("web.image.repository, web.image.tag").says(".Release.Name");
    let value = sandbox.run(&["explain", "web.replicas"]).exits(0);
    value.says("is in").says("spec.replicas: 3").says("values.prod.yaml:2:3");
    sandbox.run(&["explain", "debug"]).exits(0).says("leaves out").says("shop/templates/web.yaml:14");
    let on = sandbox.run(&["explain", "debug", "--set", "debug=true", "-o", "json"]).exits(0).json();
    let field = &on["data"]["objects"][0]["fields"][0];
    assert_eq!(field["field"], "spec.template.spec.containers[0].args[0]", "{on}");
    assert_eq!(field["decided_by"][0]["path"], "debug", "{on}");
    let printed = sandbox.run(&["helm", "template", "shop", "shop", "-f", "values.prod.yaml"]).exits(0).stdout;
    let line = printed.lines().position(|line| line.contains("image:")).expect("printed") + 1;
    sandbox.write("out.yaml", &printed);
    for asked in [
        vec!["explain".to_owned(), format!("out.yaml:{line}")],
        vec!["explain".to_owned(), "--line".to_owned(), line.to_string()],
    ] {
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        sandbox.run(&asked).exits(0).says("spec.template.spec.containers[0].image").says("web.image.tag");
    }
}

#[test]
fn what_a_secret_holds_is_never_shown() {
    let sandbox = shop();
    for arguments in [
        &["explain", "secret/web"][..],
        &["explain", "secret/web", "stringData.password"],
        &["explain", "secret/web", "-o", "json"],
        &["explain", "secret/web", "--set", "password=hunter2"],
    ] {
        let said = sandbox.run(arguments).exits(0).says("password");
        assert!(!said.all().contains("hunter2"), "{}", said.all());
    }
}

#[test]
fn what_is_not_there_is_named_with_what_is_near() {
    let sandbox = shop();
    sandbox.run(&["explain", "deployment/wbe"]).exits(2).says("did you mean `deployment/web`?");
    sandbox.run(&["explain", "deploy/web", "spec.replica"]).exits(2).says("did you mean `spec.replicas`?");
    sandbox.run(&["explain", "web.replcas"]).exits(2).says("did you mean `web.replicas`?");
    sandbox.run(&["explain", "--line", "9999"]).exits(2).says("belongs to no object");
}

/// A chart with a subchart, delivered twice, which has gone on since on disk.
fn delivered() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.edit("shop/Chart.yaml", "0.1.0\n", "0.1.0\ndependencies: [{name: cache, version: 0.1.0}]\n");
    sandbox.write("shop/charts/cache/Chart.yaml", "apiVersion: v2\nname: cache\nversion: 0.1.0\n");
    sandbox.write("shop/charts/cache/values.yaml", "size: 1\n");
    sandbox.write(
        "shop/charts/cache/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cache}\ndata:\n  size: {{ .Values.size | quote }}\n  once: {{ randAlphaNum 8 }}\n",
    );
    sandbox.run(&["up", "shop", "--set", "replicas=2"]).exits(0);
    sandbox.run(&["up", "shop", "--set", "replicas=3,settings.color=red,cache.size=5"]).exits(0);
    sandbox.edit("shop/Chart.yaml", "version: 0.1.0\ndep", "version: 0.2.0\ndep");
    sandbox.edit("shop/templates/all.yaml", "replicas: {{ .Values.replicas }}", "replicas: {{ .Values.count }}");
    sandbox.edit("shop/values.yaml", "replicas: 1", "count: 9");
    sandbox
}

#[test]
fn a_release_is_explained_from_its_record_whatever_lies_on_disk() {
    let sandbox = delivered();
    let said = sandbox.run(&["explain", "deploy/shop", "spec.replicas", "--deployed"]).exits(0);
    said.says("revision 2, deployed: chart shop-0.1.0")
        .says("spec.replicas: 3")
        .says("shop-0.1.0/templates/all.yaml:17")
        .says("values of revision 2:")
        .says("overrides = 1   at chart shop-0.1.0, as recorded");
    let first = sandbox.run(&["explain", "deploy/shop", "spec.replicas", "--deployed", "--revision", "1"]).exits(0);
    first.says("revision 1, superseded").says("spec.replicas: 2");
    // Without the chart at hand, by the release's name alone.
    let elsewhere = ["explain", "replicas", "--deployed", "--release", "shop", "-o", "json", "--chart", "nowhere"];
    sandbox.run(&elsewhere).exits(2);
    let said = sandbox.run(&elsewhere[..7]).exits(0).json();
    assert_eq!(said["data"]["releases"][0]["revision"], 2, "{said}");
    assert_eq!(said["data"]["objects"][0]["fields"][0]["field"], "spec.replicas", "{said}");
    // On disk it is another chart.
    sandbox.run(&["explain", "deploy/shop", "spec.replicas", "--chart", "shop"]).exits(0).says("spec.replicas: 9");
}

#[test]
fn what_a_record_does_not_hold_is_lent_or_told() {
    let sandbox = delivered();
    let said = sandbox.run(&["explain", "cm/cache", "--deployed", "--chart", "shop", "-o", "json"]).exits(0).json();
    let fields = said["data"]["objects"][0]["fields"].as_array().expect("fields");
    let size = fields.iter().find(|field| field["field"] == "data.size").expect("said");
    assert_eq!(size["value"], "5");
    assert!(size["recorded"].is_null(), "{size}");
    let once = fields.iter().find(|field| field["field"] == "data.once").expect("said");
    assert_eq!(once["recorded"].as_str().map(str::len), Some(8), "what was rendered then is told: {once}");
    // Nothing lends the subchart.
    std::fs::remove_dir_all(sandbox.root().join("shop")).expect("removed");
    let refused = sandbox.run(&["explain", "cm/cache", "--deployed", "--release", "shop"]).exits(2);
    refused.says("shop/charts/cache/templates/a.yaml").says("records hold no subcharts");
    sandbox.run(&["explain", "deploy/shop", "--deployed", "--release", "shpo"]).exits(1).says("did you mean `shop`?");
    let mixed = sandbox.run(&["explain", "replicas", "--deployed", "--set", "replicas=1"]);
    mixed.exits(2).says("--deployed explains the values of the record");
}

#[test]
fn a_values_file_that_is_the_charts_own_is_told_once() {
    let sandbox = shop();
    let asked = ["explain", "deploy/web", "spec.replicas", "--chart", "shop", "-f", "shop/values.yaml"];
    let said = sandbox.run(&asked).exits(0).says("set at shop/values.yaml:2:3");
    assert!(!said.all().contains("overrides"), "{}", said.all());
}

#[test]
fn the_code_of_a_diagnostic_is_explained_and_told_from_a_rule() {
    let sandbox = shop();
    sandbox.run(&["explain", "LF0203"]).exits(0).says("a chart, its values or its templates").says("(exit 1)");
    sandbox.run(&["explain", "LF0203"]).says("reads a value beneath one that is null");
    sandbox.run(&["explain", "lf0872"]).exits(0).says("(exit 2)").says("landfall schema");
    sandbox.run(&["explain", "LF0308"]).exits(0).says("(exit 5)");
    sandbox.run(&["explain", "LF0320"]).exits(0).says("the command goes on");
    sandbox.run(&["explain", "lf0103"]).exits(2).says("no diagnostic has the code `LF0103`").says("the rule `LF103`?");
    sandbox.run(&["explain", "LF0401"]).exits(0).says("the cluster's API").says("(exit 6)");
    sandbox.run(&["explain", "LF0999"]).exits(2).says("no diagnostic has the code `LF0999`");
    sandbox.run(&["explain", "LF103"]).exits(0).says("waivers:");
}
