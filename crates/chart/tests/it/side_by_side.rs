//! A chart that is large enough for several threads prints what one template after the other would print.

use std::sync::Arc;

use landfall_chart::{
    Capabilities, Chart, ReleaseInfo, RenderOptions, TemplateOptions, Tracing, Tree, ValueLayers, render,
};
use landfall_sprig::{Context, Random, Seeded};

/// Enough text that threads are worth their start.
const FILLING: usize = 2000;

/// Numbers of which nobody expects an order, as the machine's.
struct Scattered(Seeded);

impl Random for Scattered {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }

    fn is_sequence(&self) -> bool {
        false
    }
}

/// Renders side by side (where there are processors for it), in order, which a sequence of random numbers asks for,
/// and traced, when all templates are parsed before the first is executed.
fn each_way(files: &[(String, String)]) -> [Result<String, String>; 3] {
    let tree: Tree = files.iter().map(|(path, text)| (path.clone(), text.as_bytes())).collect();
    let in_order = RenderOptions::new(Context::repeatable(1));
    let mut together = in_order.clone();
    together.sprig.random = Arc::new(Scattered(Seeded::new(1)));
    let traced = RenderOptions { tracing: Tracing::On, ..together.clone() };
    [together, in_order, traced].map(|options| {
        let chart = Chart::load(&tree, "web").map_err(|error| error.to_string())?;
        let release = ReleaseInfo::install("x", "default");
        let rendered = render(&chart, &ValueLayers::new(), &release, &Capabilities::default(), &options)
            .map_err(|error| error.to_string())?;
        let text = rendered.template_output(&TemplateOptions::default()).map_err(|error| error.to_string())?;
        let mut written = Vec::new();
        rendered.write_output(&TemplateOptions::default(), &mut written).expect("printed").expect("written");
        assert_eq!(written, text.as_bytes());
        Ok(text)
    })
}

fn chart(name: &str, prefix: &str, templates: usize, body: &str) -> Vec<(String, String)> {
    let mut files = vec![
        (format!("{prefix}Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n")),
        (format!("{prefix}values.yaml"), "n: 0\nmap: {a: 1}\nlist: [{b: 2}]\n".to_owned()),
    ];
    for index in 0..templates {
        let filling = format!("{{{{/* {} */}}}}", "x".repeat(FILLING));
        let text = format!("{filling}\nkind: ConfigMap\nmetadata:\n  name: {name}-{index}\ndata:\n{body}");
        files.push((format!("{prefix}templates/t{index}.yaml"), text));
    }
    files
}

fn same(files: &[(String, String)]) -> Result<String, String> {
    let [together, in_order, traced] = each_way(files);
    assert_eq!(together, in_order);
    assert_eq!(together, traced);
    together
}

#[test]
fn templates_of_their_own_are_printed_as_in_order() {
    let body = "  me: {{ .Template.Name }}\n  own: {{ set (dict \"a\" 1) \"b\" .Values.map.a | toJson | quote }}\n  \
                merged: {{ merge (dict \"n\" .Values.n) .Values.map | toJson | quote }}\n  \
                tpl: {{ tpl \"{{ .Release.Name }}{{ .Template.Name }}\" . }}\n";
    let text = same(&chart("web", "", 60, body)).expect("renders");
    assert!(text.contains("me: web/templates/t17.yaml") && text.contains("tpl: xweb/templates/t17.yaml"), "{text}");
}

#[test]
fn what_one_template_writes_the_next_one_sees() {
    for write in [
        "{{ $_ := set .Values \"n\" (add 1 .Values.n) }}",
        "{{ $_ := set . \"Values\" (dict \"n\" (add 1 .Values.n) \"map\" .Values.map \"list\" .Values.list) }}",
        "{{ $_ := set (index .Values.list 0) \"n\" (add 1 (index .Values.list 0).n) }}{{ $_ := set .Values \"n\" (index .Values.list 0).n }}",
        "{{ $_ := mergeOverwrite (dict \"map\" .Values.map) (dict \"map\" (dict \"a\" (add 1 .Values.map.a))) }}{{ $_ := set $ \"n\" 1 }}",
        "{{ $_ := tpl \"{{ $_ := unset .Values.map \\\"a\\\" }}\" . }}",
        "{{ $_ := set .Files \"n\" (toString (len .Files) | b64enc) }}",
    ] {
        let body = format!("  before: {{{{ .Values.n }}}}-{{{{ .Values.map.a }}}}-{{{{ len .Files }}}}\n{write}\n");
        let _either_way = same(&chart("web", "", 60, &body));
    }
    let body = "  n: {{ .Values.n }}\n{{ $_ := set .Values \"n\" (add 1 .Values.n) }}";
    let text = same(&chart("web", "", 60, body)).expect("renders");
    assert!(text.contains("n: 59"), "the last of 60 sees 59 writes");
}

#[test]
fn a_parent_sees_what_its_subcharts_last_template_left() {
    let mut files = chart(
        "web",
        "",
        40,
        "  child: {{ .Subcharts.child.Template.Name }}\n  all: {{ .Subcharts | toJson | sha256sum }}\n",
    );
    files.extend(chart("child", "charts/child/", 40, "  me: {{ .Template.Name }}\n"));
    let text = same(&files).expect("renders");
    assert!(text.contains("child: web/charts/child/templates/t0.yaml"), "{text}");
}

#[test]
fn the_first_failure_in_order_is_the_one_that_is_told() {
    let mut files = chart("web", "", 60, "  a: {{ .Values.n }}\n");
    for index in [7, 33] {
        files.push((format!("templates/z{index}.yaml"), format!("{{{{ fail \"z{index}\" }}}}")));
    }
    // Of equal depth the last name comes first.
    let told = same(&files).expect_err("fails");
    assert!(told.contains("z7"), "{told}");
    files.push(("templates/broken.yaml".to_owned(), "{{ if }}".to_owned()));
    files.push(("templates/abroken.yaml".to_owned(), "{{ end }}".to_owned()));
    let told = same(&files).expect_err("does not parse");
    assert!(told.contains("web/templates/broken.yaml"), "{told}");
}

#[test]
fn a_template_is_found_by_its_path_as_if_all_were_parsed_first() {
    let mut files = chart("web", "", 60, "  other: {{ include \"web/templates/other.yaml\" . | quote }}\n");
    files.push(("templates/other.yaml".to_owned(), "at: {{ .Values.map.a }}-{{ .Template.Name }}".to_owned()));
    let text = same(&files).expect("renders");
    assert_eq!(text.matches("other: \"at: 1-web/templates/t").count(), 60, "{text}");
    // A definition of that name: the later of the two counts, which is the one in the file whose name comes first.
    for name in ["aa", "zz"] {
        let mut files = files.clone();
        let define = "{{ define \"web/templates/other.yaml\" }}defined: 1{{ end }}".to_owned();
        files.push((format!("templates/{name}.yaml"), define));
        let text = same(&files).expect("renders");
        assert_eq!(text.matches("other: \"defined: 1\"").count(), if name == "aa" { 60 } else { 0 }, "{text}");
    }
    // An empty definition hides nothing.
    let empty = "{{ tpl \"{{ define \\\"web/templates/other.yaml\\\" }}{{ end }}\
                 {{ include \\\"web/templates/other.yaml\\\" . }}\" . | quote }}";
    files.push(("templates/within.yaml".to_owned(), format!("within: {empty}")));
    let text = same(&files).expect("renders");
    assert!(text.contains("within: \"at: 1-web/templates/within.yaml\""), "{text}");
}

#[test]
fn what_cannot_be_parsed_is_told_before_what_fails() {
    let mut files = chart("web", "", 60, "  a: {{ .Values.n }}\n");
    files.push(("templates/zz.yaml".to_owned(), "{{ fail \"first\" }}".to_owned()));
    files.push(("templates/aa.yaml".to_owned(), "{{ if }}".to_owned()));
    let told = same(&files).expect_err("does not parse");
    assert!(told.contains("web/templates/aa.yaml"), "{told}");
    // A partial is parsed at once; a template in front of it is told all the same.
    files.push(("templates/_a.tpl".to_owned(), "{{ end }}".to_owned()));
    let told = same(&files).expect_err("does not parse");
    assert!(told.contains("web/templates/aa.yaml"), "{told}");
    // The same of what is asked for by its path.
    files.pop();
    files.push(("templates/zzz.yaml".to_owned(), "{{ include \"web/templates/aa.yaml\" . }}".to_owned()));
    let told = same(&files).expect_err("does not parse");
    assert!(told.contains("web/templates/aa.yaml"), "{told}");
}

#[test]
fn of_two_manifests_that_cannot_be_read_the_first_by_path_is_told() {
    let mut files = chart("web", "", 60, "  a: {{ .Values.n }}\n");
    files.push(("templates/zz.yaml".to_owned(), "a: [".to_owned()));
    files.push(("templates/bb.yaml".to_owned(), "b: [".to_owned()));
    let told = same(&files).expect_err("is no YAML");
    assert!(told.contains("web/templates/bb.yaml"), "{told}");
    // What is no text at all is told before.
    files.push(("templates/yy.yaml".to_owned(), "a: {{ b64dec \"/w==\" }}".to_owned()));
    let told = same(&files).expect_err("is no text");
    assert!(told.contains("web/templates/yy.yaml"), "{told}");
}
