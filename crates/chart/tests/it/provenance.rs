//! Where fields come from, through includes, `toYaml` and subcharts.

use landfall_chart::{
    Capabilities, Chart, ReleaseInfo, RenderOptions, Rendered, SetFlag, Tracing, Tree, ValueLayers, render,
};

fn rendered() -> Rendered {
    let tree: Tree = [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("values.yaml", "replicas: 1\nimage:\n  repository: nginx\n  tag: latest\nresources:\n  limits:\n    cpu: 1\n"),
        (
            "templates/_helpers.tpl",
            "{{- define \"labels\" -}}\napp: {{ .Values.name | default \"web\" }}\ntier: front\n{{- end }}\n",
        ),
        (
            "templates/deployment.yaml",
            concat!(
                "kind: Deployment\nmetadata:\n  name: web\n  labels:\n    {{- include \"labels\" . | nindent 4 }}\n",
                "spec:\n  replicas: {{ .Values.replicas }}\n  none: \"{{ .Values.nothing }}\"\n",
                "  image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"\n",
                "  resources:\n    {{- toYaml .Values.resources | nindent 4 }}\n",
            ),
        ),
        ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n"),
        ("charts/db/values.yaml", "size: 1Gi\n"),
        ("charts/db/templates/a.yaml", "kind: Secret\nsize: {{ .Values.size }}\n"),
    ]
    .into_iter()
    .map(|(path, text)| (path, text.as_bytes()))
    .collect();
    let chart = Chart::load(&tree, "charts/web").expect("a chart");
    let mut layers = ValueLayers::new();
    layers.file("prod.yaml", "# prod\nimage:\n  tag: v2\nname: shop\n");
    layers.set(SetFlag::Set, "replicas=3");
    let options = RenderOptions { tracing: Tracing::On, ..RenderOptions::default() };
    let release = ReleaseInfo::install("x", "default");
    render(&chart, &layers, &release, &Capabilities::default(), &options).expect("renders")
}

fn origin(rendered: &Rendered, kind: &str, path: &[&str]) -> (String, Vec<String>) {
    let manifest = rendered.manifests.iter().find(|it| it.head.kind == kind).expect("rendered");
    let origin = rendered.origin_of(manifest, path).expect("the field is there");
    let place = origin.template.map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default();
    (place, origin.sources.iter().map(ToString::to_string).collect())
}

#[test]
fn a_field_names_its_template_line_and_the_places_its_values_were_set() {
    let rendered = rendered();
    let at = |path: &[&str]| origin(&rendered, "Deployment", path);
    let deployment = |line: u32| format!("charts/web/templates/deployment.yaml:{line}");
    assert_eq!(at(&["spec", "replicas"]), (deployment(7), vec!["--set replicas=3".to_owned()]));
    assert_eq!(
        at(&["spec", "image"]),
        (deployment(9), vec!["charts/web/values.yaml:3:3".to_owned(), "prod.yaml:3:3".to_owned()]).sorted()
    );
    assert_eq!(at(&["kind"]), (deployment(1), Vec::new()));
    let (place, sources) = at(&["metadata", "labels", "app"]);
    assert_eq!(place, "charts/web/templates/_helpers.tpl:2");
    assert_eq!(sources, ["prod.yaml:4:1"]);
    let (place, sources) = at(&["spec", "resources", "limits", "cpu"]);
    assert_eq!(place, deployment(11));
    assert!(sources.iter().any(|source| source.starts_with("charts/web/values.yaml:")), "{sources:?}");
    assert_eq!(
        origin(&rendered, "Secret", &["size"]),
        ("charts/web/charts/db/templates/a.yaml:2".to_owned(), vec!["charts/web/charts/db/values.yaml:1:1".to_owned()])
    );
}

/// Sources in the order that comparisons expect.
trait Sorted {
    fn sorted(self) -> Self;
}

impl Sorted for (String, Vec<String>) {
    fn sorted(mut self) -> Self {
        self.1.sort();
        self
    }
}
