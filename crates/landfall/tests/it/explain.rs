//! `explain` through the binary: a field, a value, a line, a commit.

use super::sandbox::Sandbox;

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
