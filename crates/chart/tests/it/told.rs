//! What people are told: the user's file first, then the chart's line.

use landfall_chart::{Capabilities, Chart, ReleaseInfo, RenderOptions, Tree, ValueLayers, render};
use landfall_diag::{Diagnose, render_plain};

fn told(files: &[(&str, &str)], values: &str) -> String {
    let tree: Tree = files
        .iter()
        .copied()
        .chain([("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")])
        .map(|(path, text)| (path, text.as_bytes()))
        .collect();
    let mut layers = ValueLayers::new();
    layers.file("prod.yaml", values);
    let release = ReleaseInfo::install("x", "default");
    let failed = Chart::load(&tree, "web")
        .and_then(|chart| {
            render(
                &chart,
                &layers,
                &release,
                &Capabilities::default(),
                &RenderOptions::new(landfall_sprig::Context::repeatable(1)),
            )
        })
        .expect_err("refused");
    render_plain(&failed.diagnose())
}

#[test]
fn a_value_set_to_null_is_shown_where_it_was_set_and_where_it_is_used() {
    let text = told(
        &[
            ("values.yaml", "a: 1\nserviceAccount:\n  create: true\n"),
            ("templates/sa.yaml", "{{- if .Values.serviceAccount.create -}}\nkind: ServiceAccount\n{{- end }}\n"),
        ],
        "replicas: 2\nserviceAccount:\n",
    );
    assert_eq!(
        text,
        concat!(
            "error[LF0203]: `.Values.serviceAccount.create` cannot be read: `serviceAccount` is null\n",
            " --> prod.yaml:2:1\n",
            "  |\n",
            "2 | serviceAccount:\n",
            "  | ^^^^^^^^^^^^^^ set to null here, overrides web/values.yaml:2:1\n",
            " ::: web/templates/sa.yaml:1:8\n",
            "  |\n",
            "1 | {{- if .Values.serviceAccount.create -}}\n",
            "  |        ----------------------------- used here\n",
            "  = note: helm: template: web/templates/sa.yaml:1:14: executing \"web/templates/sa.yaml\" at ",
            "<.Values.serviceAccount.create>: nil pointer evaluating interface {}.create\n",
            "  = help: delete the empty key at prod.yaml:2:1, or set `create` under it\n",
        )
    );
}

#[test]
fn rendered_text_that_is_no_yaml_is_shown_with_the_line_that_wrote_it() {
    let text = told(&[("templates/d.yaml", "kind: A\nspec:\n  x: {{ .Values.bad }}\n  y: 1\n")], "bad: \"a: b: c\"\n");
    for part in ["LF0231", "prod.yaml:1:1", "web/templates/d.yaml:3", "> 3 |   x: a: b: c", "mapping values"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_schema_violation_is_shown_where_the_value_was_set() {
    let text = told(
        &[("values.schema.json", r#"{"properties":{"port":{"type":"integer"}}}"#), ("values.yaml", "port: 80\n")],
        "\nport: http\n",
    );
    for part in ["LF0216", "prod.yaml:2:1", ".Values.port", "got string, want integer"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_chart_that_fails_leads_to_its_key() {
    let text = told(
        &[
            ("templates/a.yaml", "x: {{ required \"web.host is needed\" .Values.web.host }}\n"),
            ("values.yaml", "web:\n  host: \"\"\n"),
        ],
        "",
    );
    for part in ["LF0222", "web.host is needed", "web/values.yaml:2:3", "set `web.host`"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn templates_of_charts_from_repositories_are_told_from_a_charts_own_parts() {
    let part = |name: &str| format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n");
    let (api, cache, store) = (part("api"), part("cache"), part("store"));
    let umbrella = "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {name: api, version: 0.1.0, repository: \"file://charts/api\"}\n- {name: cache, version: 0.1.0, repository: \"oci://registry.example/charts\", alias: redis}\n";
    let within =
        format!("{api}dependencies:\n- {{name: store, version: 0.1.0, repository: \"https://charts.example\"}}\n");
    let tree: Tree = [
        ("Chart.yaml", umbrella),
        ("charts/api/Chart.yaml", within.as_str()),
        ("charts/api/charts/store/Chart.yaml", store.as_str()),
        ("charts/cache/Chart.yaml", cache.as_str()),
    ]
    .into_iter()
    .map(|(path, text)| (path, text.as_bytes()))
    .collect();
    let chart = Chart::load(&tree, "web").expect("a chart");
    for (path, is_borrowed) in [
        ("web/templates/a.yaml", false),
        ("web/charts/api/templates/a.yaml", false),
        ("web/charts/api/charts/store/templates/a.yaml", true),
        ("web/charts/redis/templates/a.yaml", true),
        ("web/charts/cache/templates/a.yaml", true),
        ("web/charts/other/templates/a.yaml", false),
        ("", false),
    ] {
        assert_eq!(chart.is_borrowed(path), is_borrowed, "{path}");
    }
}
