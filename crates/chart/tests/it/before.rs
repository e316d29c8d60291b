//! A chart that is rendered again with other values prints what it would print if nothing of it was known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_chart::{
    Before, Capabilities, Chart, Lookup, ReleaseInfo, RenderOptions, SetFlag, TemplateOptions, Tree, ValueLayers,
    render,
};
use landfall_sprig::Context;
use serde_json::Value;

/// Counts how many templates are executed: each asks once.
#[derive(Debug, Default)]
struct Asked(AtomicUsize);

impl Lookup for Asked {
    fn lookup(&self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Value>, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }
}

/// A chart that is rendered with one setting after the other.
struct Trials {
    chart: Chart,
    asked: Arc<Asked>,
    before: Before,
}

impl Trials {
    fn of(files: &[(&str, &str)]) -> Self {
        let tree: Tree = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes())).collect();
        let chart = Chart::load(&tree, "web").expect("a chart");
        Trials { chart, asked: Arc::default(), before: Before::default() }
    }

    fn rendered(&self, setting: &str, name: &str, before: Option<Before>) -> Result<String, String> {
        let mut layers = ValueLayers::new();
        if !setting.is_empty() {
            layers.set(SetFlag::Set, setting);
        }
        let lookup: Arc<dyn Lookup> = self.asked.clone();
        let options = RenderOptions { before, lookup: Some(lookup), ..RenderOptions::new(Context::repeatable(1)) };
        let release = ReleaseInfo::install(name, "default");
        let rendered = render(&self.chart, &layers, &release, &Capabilities::default(), &options);
        let rendered = rendered.map_err(|error| error.to_string())?;
        Ok(rendered.template_output(&TemplateOptions::default()).expect("text") + &rendered.notes)
    }

    /// Renders it with and without what is known, and says how many templates were executed.
    fn same(&self, setting: &str) -> usize {
        self.same_as(setting, "x")
    }

    fn same_as(&self, setting: &str, name: &str) -> usize {
        let plain = self.rendered(setting, name, None);
        let asked = self.asked.0.swap(0, Ordering::Relaxed);
        let again = self.rendered(setting, name, Some(self.before.clone()));
        assert_eq!(again, plain, "{setting}");
        let executed = self.asked.0.swap(0, Ordering::Relaxed);
        assert!(plain.is_err() || executed <= asked, "{setting}: {executed} of {asked}");
        executed
    }
}

/// Each template says how often it was executed, by asking for something.
const ASKS: &str = "{{ $_ := lookup \"v1\" \"Secret\" \"a\" \"b\" }}";

fn web(more: &[(&str, &str)]) -> Trials {
    let asking = |text: &str| format!("{ASKS}{text}");
    let files = [
        ("templates/a.yaml", "kind: A\nmetadata: {name: a}\na: {{ .Values.a.go }}\n"),
        ("templates/b.yaml", "kind: B\nmetadata: {name: b}\nb: {{ .Values.b.go }}\n"),
        ("templates/all.yaml", "kind: All\nmetadata: {name: all}\nall: {{ toJson .Values.b }}\n"),
        ("templates/sum.yaml", "kind: Sum\nmetadata: {name: sum}\nsum: {{ include \"web.sum\" . | sha256sum }}\n"),
        ("templates/list.yaml", "kind: L\nmetadata: {name: l}\nl: {{ range .Values.list }}{{ .x }}{{ end }}\n"),
        ("templates/some.yaml", "{{ if .Values.some }}\nkind: S\nmetadata: {name: s}\n{{ end }}\n"),
        ("templates/tpl.yaml", "kind: T\nmetadata: {name: t}\nt: {{ tpl .Values.text . }}\n"),
        ("templates/NOTES.txt", "notes {{ .Values.a.go }}"),
    ];
    let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (*path, asking(text))).collect();
    let mut all: Vec<(&str, &str)> = vec![
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        (
            "values.yaml",
            "a: {go: false}\nb: {go: false, deep: {x: 1}}\nlist: [{x: 1}, {x: 2}]\nsome: {}\nc: {inner: {go: 1}}\n\
             text: \"{{ .Values.c.inner.go }}\"\nunread: 1\n",
        ),
        ("templates/_helpers.tpl", "{{ define \"web.sum\" }}{{ .Values.c.inner.go }}{{ end }}"),
    ];
    all.extend(files.iter().map(|(path, text)| (*path, &**text)));
    all.retain(|(path, _)| !more.iter().any(|(other, _)| path == other));
    all.extend(more);
    Trials::of(&all)
}

#[test]
fn only_templates_that_read_what_differs_are_executed_again() {
    let trials = web(&[]);
    assert_eq!(trials.same(""), 8);
    for (setting, executed) in [
        ("", 0),
        ("unread=2", 0),
        ("nothing.of.it=2", 0),
        ("a.go=true", 2),
        ("a.other=true", 0),
        ("b.go=true", 2),
        ("b.deep.x=2", 1),
        ("b.new=2", 1),
        ("list[1].x=3", 1),
        ("list=null", 1),
        ("some.thing=1", 1),
        ("c.inner.go=2", 2),
        ("text=plain", 1),
        ("text=x{{ .Values.a.go }}", 1),
        ("a.go=true,b.go=true", 4),
    ] {
        assert_eq!(trials.same(setting), executed, "{setting}");
    }
}

#[test]
fn what_fails_fails_with_the_same_words_and_what_comes_next_is_as_it_was() {
    let trials = web(&[("templates/fails.yaml", "{{ if .Values.a.go }}{{ fail \"no\" }}{{ end }}")]);
    for setting in
        ["c=null", "a.go=true", "", "a.go=true", "c=null", "c.inner=2", "b.go=true", "a.go=true,b.go=true", ""]
    {
        let _executed = trials.same(setting);
    }
}

#[test]
fn a_template_that_writes_into_what_others_read_makes_all_of_them_be_executed() {
    let writes = "{{ if .Values.c.inner.go }}{{ $_ := set .Values.b \"go\" .Values.a.go }}{{ end }}";
    let trials = web(&[("templates/zz.yaml", writes)]);
    for setting in ["", "a.go=true", "unread=2", "c.inner.go=0", "c.inner.go=0,a.go=true"] {
        let _executed = trials.same(setting);
    }
    // One that writes only with another setting.
    let writes = "{{ if .Values.a.go }}{{ $_ := set .Values.b \"go\" \"written\" }}{{ end }}";
    let trials = web(&[("templates/zz.yaml", writes)]);
    assert_eq!(trials.same(""), 8);
    assert!(trials.same("a.go=true") >= 8);
    assert_eq!(trials.same("unread=2"), 0);
    assert!(trials.rendered("a.go=true", "x", Some(trials.before.clone())).expect("renders").contains("b: written"));
}

#[test]
fn charts_below_are_known_as_well() {
    let child =
        format!("{ASKS}kind: C\nmetadata: {{name: c}}\nn: {{{{ .Values.n }}}}\ng: {{{{ .Values.global.g }}}}\n");
    let more = [
        ("charts/child/Chart.yaml", "apiVersion: v2\nname: child\nversion: 0.1.0\n"),
        ("charts/child/values.yaml", "n: 1\nenabled: true\nglobal: {g: 1}\n"),
        ("charts/child/templates/c.yaml", &child),
        (
            "Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{name: child, version: 0.1.0, condition: child.enabled}]\n",
        ),
    ];
    let trials = web(&more);
    assert_eq!(trials.same(""), 9);
    for (setting, executed) in [("child.n=2", 1), ("global.g=2", 1), ("a.go=true", 2), ("child.unread=1", 0)] {
        assert_eq!(trials.same(setting), executed, "{setting}");
    }
    // Without it there are other templates; what was known of all of them stays.
    for (setting, executed) in [("child.enabled=false", 8), ("child.enabled=false,a.go=true", 2), ("a.go=true", 2)] {
        assert_eq!(trials.same(setting), executed, "{setting}");
    }
    for name in ["y", "z", "a", "b", "y", "x"] {
        let _executed = trials.same_as("a.go=true", name);
    }
    assert_eq!(trials.same_as("b.go=true", "x"), 2);
}

#[test]
fn chance_is_what_it_was_where_nothing_differs() {
    let random = "kind: R\nmetadata: {name: r}\nr: {{ randAlphaNum 8 }}-{{ .Values.a.go }}\n";
    let other =
        "kind: Q\nmetadata: {name: q}\nq: {{ randAlphaNum 8 }}{{ if .Values.b.go }}{{ randAlphaNum 8 }}{{ end }}\n";
    let trials = web(&[("templates/r.yaml", random), ("templates/q.yaml", other), ("templates/s.yaml", random)]);
    let rendered = |setting: &str| trials.rendered(setting, "x", Some(trials.before.clone())).expect("renders");
    let first = rendered("");
    assert_eq!(
        rendered("a.go=true")
            .replace("-true", "-false")
            .replace("a: true", "a: false")
            .replace("notes true", "notes false"),
        first
    );
    let lines =
        |text: &str| -> Vec<String> { text.lines().filter(|it| it.starts_with("r: ")).map(str::to_owned).collect() };
    assert_eq!(lines(&rendered("b.go=true")), lines(&first));
}
