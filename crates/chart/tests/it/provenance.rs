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
    let options = RenderOptions { tracing: Tracing::On, ..RenderOptions::new(landfall_sprig::Context::repeatable(1)) };
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

/// A chart of one template, with what each field is made of and what decided about it, as paths of values.
struct One(Rendered);

impl One {
    fn of(values: &str, template: &str) -> Self {
        let tree: Tree = [
            ("Chart.yaml", "apiVersion: v2\nname: one\nversion: 0.1.0\n"),
            ("values.yaml", values),
            ("templates/_a.tpl", "{{- define \"on\" }}{{ if .Values.live }}true{{ end }}{{ end }}\n{{- define \"conf\" }}a: {{ .Values.a }}\n{{- if .Values.live }}\nb: 1\n{{- end }}\n{{- end }}"),
            ("templates/_pod.tpl", POD),
            ("templates/a.yaml", template),
        ]
        .into_iter()
        .map(|(path, text)| (path, text.as_bytes()))
        .collect();
        let chart = Chart::load(&tree, "one").expect("a chart");
        let options =
            RenderOptions { tracing: Tracing::On, ..RenderOptions::new(landfall_sprig::Context::repeatable(1)) };
        let release = ReleaseInfo::install("x", "default");
        One(render(&chart, &ValueLayers::new(), &release, &Capabilities::default(), &options).expect("renders"))
    }

    fn told(&self, path: &str) -> (Vec<&str>, Vec<&str>) {
        let path: Vec<&str> = path.split('.').collect();
        let origin = self.0.origin_of(&self.0.manifests[0], &path).expect("the field is there");
        let provenance = self.0.provenance.as_ref().expect("traced");
        let mut data: Vec<&str> = origin.data.iter().filter_map(|origin| provenance.path_of(*origin)).collect();
        let decided = origin.decisions.iter().filter_map(|decision| provenance.path_of(decision.origin));
        let mut decided: Vec<&str> = decided.collect();
        data.sort_unstable();
        decided.sort_unstable();
        (data, decided)
    }
}

const VALUES: &str = "a: x\nb: y\nlive: true\ndead: false\nempty: \"\"\nlist: [p, q]\nmap: {k: v, l: w}\ntext: \"{{ .Values.a }}-z\"\ncount: 2\n";

#[test]
fn what_a_value_is_made_of_and_what_only_decided_are_told_apart() {
    // What stands behind `v:`, its data, its decisions.
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("{{ .Values.a }}", &["a"], &[]),
        ("{{ if .Values.live }}{{ .Values.a }}{{ end }}", &["a"], &["live"]),
        ("{{ if .Values.dead }}1{{ else }}2{{ end }}", &[], &["dead"]),
        ("x{{ if .Values.dead }}1{{ end }}", &[], &["dead"]),
        ("{{ .Values.empty | default .Values.a }}", &["a"], &["empty"]),
        ("{{ .Values.a | default .Values.b }}", &["a"], &[]),
        ("{{ .Values.empty }}", &[], &["empty"]),
        ("{{ default \"lit\" .Values.empty }}", &[], &["empty"]),
        ("{{ coalesce .Values.empty .Values.b .Values.a }}", &["b"], &["empty"]),
        ("{{ ternary .Values.a .Values.b .Values.dead }}", &["b"], &["dead"]),
        ("{{ printf \"%s-%s\" .Values.a .Values.b | quote }}", &["a", "b"], &[]),
        ("{{ required \"needed\" .Values.a | upper }}", &["a"], &[]),
        ("{{ and .Values.live .Values.a }}", &["a"], &["live"]),
        ("{{ or .Values.dead .Values.a }}", &["a"], &["dead"]),
        // What else `and` and `or` were given decides where more is asked for than yes or no, or where it would turn that.
        ("{{ if and .Values.live .Values.a }}x{{ end }}", &[], &["a", "live"]),
        ("{{ if and .Values.live .Values.dead }}x{{ else }}y{{ end }}", &[], &["dead"]),
        ("{{ if or .Values.dead .Values.live }}x{{ end }}", &[], &["live"]),
        ("{{ if or .Values.dead .Values.empty }}x{{ else }}y{{ end }}", &[], &["dead", "empty"]),
        ("{{ if not (or .Values.dead .Values.live) }}x{{ else }}y{{ end }}", &[], &["live"]),
        ("{{ if and (or .Values.dead .Values.a) .Values.live }}x{{ end }}", &[], &["a", "live"]),
        ("{{ with or .Values.dead .Values.a }}{{ . }}{{ end }}", &["a"], &["dead"]),
        ("{{ if has \"q\" .Values.list }}x{{ end }}", &[], &["list", "list[1]"]),
        ("{{ if has \"r\" .Values.list }}x{{ else }}y{{ end }}", &[], &["list", "list[0]", "list[1]"]),
        ("{{ eq .Values.a \"x\" }}", &[], &["a"]),
        ("{{ $v := .Values.a }}{{ if .Values.dead }}{{ $v = .Values.b }}{{ end }}{{ $v }}", &["a"], &["dead"]),
        (
            "{{ $d := dict }}{{ if .Values.dead }}{{ $_ := set $d \"k\" 1 }}{{ end }}{{ $d.k | default \"no\" }}",
            &[],
            &["dead"],
        ),
        ("{{ $d := dict \"k\" .Values.a \"l\" .Values.b }}{{ $d.k }}", &["a"], &[]),
        ("{{ (merge (dict \"k\" .Values.a) .Values.map).l }}", &["map.l"], &[]),
        ("{{ index .Values.map .Values.empty | default \"n\" }}", &[], &["empty"]),
        ("{{ join \",\" .Values.list }}", &["list[0]", "list[1]"], &[]),
        ("{{ first .Values.list }}", &["list[0]"], &[]),
        ("{{ range $k, $v := .Values.map }}{{ $v }}{{ end }}", &["map.k", "map.l"], &["map"]),
        ("{{ tpl .Values.text . }}", &["a", "text"], &[]),
        ("{{ include \"on\" . }}", &[], &["live"]),
        ("{{ if include \"on\" . }}{{ .Values.b }}{{ end }}", &["b"], &["live"]),
        ("{{ (include \"conf\" . | fromYaml).a }}", &["a"], &[]),
        ("{{ (include \"conf\" . | fromYaml).b }}", &[], &["live"]),
        ("{{ (include \"conf\" . | fromYaml).c | default \"no\" }}", &[], &["live"]),
        ("{{ if include \"conf\" . | fromYaml }}x{{ end }}", &[], &["live"]),
        ("{{ (toYaml .Values.map | fromYaml).l }}", &["map.l"], &[]),
        ("{{ .Values.map | toJson | sha256sum }}", &["map.k", "map.l"], &[]),
        ("{{ range until (int .Values.count) }}{{ . }}{{ end }}", &[], &["count"]),
        ("{{ .Values.a | trimSuffix \"-\" | trunc 3 }}", &["a"], &[]),
    ];
    for (expression, data, decided) in rows {
        let one = One::of(VALUES, &format!("kind: A\nv: {expression}\n"));
        let (found_data, found_decided) = one.told("v");
        let leaf = |path: &&str| *path != "map" && *path != "list" || decided.contains(path);
        assert_eq!(found_data.into_iter().filter(leaf).collect::<Vec<_>>(), *data, "data of {expression}");
        assert_eq!(found_decided.into_iter().filter(leaf).collect::<Vec<_>>(), *decided, "decided {expression}");
    }
}

#[test]
fn each_line_of_a_table_written_as_yaml_knows_its_own_value() {
    let template =
        "kind: A\nv:\n  {{- toYaml .Values.map | nindent 2 }}\nw:\n  {{- include \"conf\" . | nindent 2 }}\nend: 1\n";
    let one = One::of(VALUES, template);
    assert_eq!(one.told("v.k").0, ["map.k"]);
    assert_eq!(one.told("v.l").0, ["map.l"]);
    assert_eq!(one.told("w.a"), (vec!["a"], Vec::new()));
    assert_eq!(one.told("w.b"), (Vec::new(), vec!["live"]));
    assert_eq!(one.told("end"), (Vec::new(), Vec::new()));
}

/// A text that a chart reads back, as those do that take every stray newline out of it.
const POD: &str = "{{- define \"pod\" }}
meta:
  notes:
  {{- if .Values.dead }}
    x: 1
  {{- end }}
spec:
  {{- if .Values.live }}
  a: {{ .Values.a }}
  {{- end }}
  args:
  {{- if .Values.dead }}
  - --debug
  {{- end }}
  - --x
  {{- with .Values.empty }}
  - {{ . }}
  {{- end }}
  text: |
    one
    {{- if .Values.count }}
    two
    {{- end }}
  last: 1
{{- end }}
";

#[test]
fn a_field_of_a_text_that_was_read_back_names_what_decided_about_it_and_not_what_decided_about_its_neighbours() {
    for read in ["", " | trim", " | nindent 4"] {
        let template = format!("kind: A\npod: {{{{ include \"pod\" .{read} | fromYaml | toYaml | nindent 2 }}}}\n");
        is_told_field_by_field(&One::of(VALUES, &template));
    }
    // The text is a template itself.
    is_told_field_by_field(&One::of(VALUES, "kind: A\npod:\n{{ tpl (include \"pod\" . | indent 2) . }}\n"));
}

fn is_told_field_by_field(one: &One) {
    for (path, data, decided) in [
        ("pod.meta.notes", &[][..], &["dead"][..]),
        ("pod.spec.a", &["a"], &["live"]),
        ("pod.spec.args.0", &[], &["dead"]),
        ("pod.spec.text", &[], &["count"]),
        ("pod.spec.last", &[], &[]),
    ] {
        assert_eq!(one.told(path), (data.to_vec(), decided.to_vec()), "{path}");
    }
}

#[test]
fn items_of_a_list_know_what_decided_about_those_in_front() {
    let one = One::of(
        VALUES,
        "kind: A\nargs:\n{{- if .Values.dead }}\n- --debug\n{{- end }}\n- --x\nname: {{ .Release.Name }}\n",
    );
    assert_eq!(one.told("args.0"), (Vec::new(), vec!["dead"]));
    assert_eq!(one.told("name"), (Vec::new(), Vec::new()));
    let origin = one.0.origin_of(&one.0.manifests[0], &["name"]).expect("there");
    assert_eq!(origin.built_in, [".Release.Name"]);
}

#[test]
fn values_of_one_flag_are_told_apart() {
    let mut layers = ValueLayers::new();
    layers.set(SetFlag::Set, "a=1,b=2");
    let tree: Tree = [
        ("Chart.yaml", "apiVersion: v2\nname: one\nversion: 0.1.0\n"),
        ("templates/a.yaml", "kind: A\na: {{ .Values.a }}\nb: {{ .Values.b }}\n"),
    ]
    .into_iter()
    .map(|(path, text)| (path, text.as_bytes()))
    .collect();
    let chart = Chart::load(&tree, "one").expect("a chart");
    let options = RenderOptions { tracing: Tracing::On, ..RenderOptions::new(landfall_sprig::Context::repeatable(1)) };
    let release = ReleaseInfo::install("x", "default");
    let one = One(render(&chart, &layers, &release, &Capabilities::default(), &options).expect("renders"));
    assert_eq!(one.told("a").0, ["a"]);
    assert_eq!(one.told("b").0, ["b"]);
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
