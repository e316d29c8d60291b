//! Random charts: values, helpers, a subchart, and many small templates.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::body;
use super::expression::Expressions;
use super::tree::{Kind, Piece};
use crate::dice::Dice;

/// A generated chart. Each template is an item list that is rendered inside a ConfigMap, so that any output at all is
/// valid YAML.
#[derive(Debug, Clone)]
pub(super) struct RandomChart {
    pub(super) name: String,
    files: BTreeMap<String, String>,
    pub(super) templates: BTreeMap<String, Template>,
}

/// A generated template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) body: Piece,
    shape: usize,
}

const STRINGS: &[&str] = &[
    "plain",
    "",
    "two words",
    "UPPER-lower_123",
    "yes",
    "1.10",
    "0x10",
    "null",
    "é日本",
    "a: b",
    "- a",
    "# x",
    "{{ .Release.Name }}",
    "{{ .Values.int }}{{ include \"named.a\" . }}",
    "line one\nline two\n",
    "\n leading",
    " padded ",
    "'single'",
    "\"double\"",
    "a very long line of text that goes on and on until it is surely longer than eighty columns, and then a little more",
    "https://example.com/some/path?x=1",
    "1e3",
    "12:30",
    "~",
    "@at",
    "%pct",
    "tab\tbed",
    "😀",
    "trailing ",
    "v1.2.3",
    "2021-05-06",
    "on",
    "Off",
    "n",
    "0b101",
    "0o14",
    "014",
    "1_000.5",
    ".5",
    "5.",
    "+1",
    "-0",
    ".inf",
    ".NaN",
    "1:20",
    "2021-05-06T07:08:09Z",
    "!tag",
    "&a",
    "*a",
    "? x",
    "|",
    "> folded",
    "a #b",
    "a:b",
    "[x",
    "{x",
    "%",
    "`",
    "nb\u{a0}sp",
    "ls\u{2028}ps",
    "\u{feff}bom",
    "bell\u{7}",
    "multi\n  indented\n\n\nend",
    "\ttab first\nline",
    "ends with colon:",
    "-",
    "--- doc",
    "a\n---\nb",
    "...",
    "=",
    "<<",
    "null ",
    "True",
    "line \nwith trailing space \n",
    "\n\n",
    "a\r\nb",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "5",
    "42",
    "1000000",
    "123456789",
    "1.5",
    "0.1",
    "-2.75",
    "1e6",
    "1.0",
    "1234567.5",
    "9007199254740993",
    "0.000001",
    "100000",
    "3.0",
    "1e21",
];

/// Plain scalars, as YAML 1.1 reads them.
const PLAIN: &[&str] = &[
    "yes",
    "no",
    "on",
    "OFF",
    "y",
    "0o14",
    "014",
    "0b11",
    "1_000",
    ".5",
    "5.",
    "1e3",
    "1.0e+3",
    "0x1F",
    "~",
    "NULL",
    "2021-05-06",
    "2021-05-06T07:08:09Z",
    "12:30:45",
    "1:20",
    "+1",
    "-0",
    "-1.50",
    "1,000",
    "a b",
    "a#b",
    "x:y",
    "1.2.3",
    "0.10",
    "00",
    "08",
    "1e400x",
    "18446744073709551615",
    "-9223372036854775808",
    "9223372036854775808",
    "=",
    "v1",
    "!!str 12",
    "!!int \"7\"",
    "!!float 3",
    "'it''s'",
];

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A random value as flow YAML.
fn value(dice: &mut Dice, depth: u8) -> String {
    match if depth >= 3 { dice.below(6) } else { dice.below(9) } {
        0..3 => json_string(dice.pick(STRINGS)),
        3 | 4 => dice.pick(NUMBERS).to_owned(),
        5 => dice.pick(&["true", "false", "null"]).to_owned(),
        6 | 7 => list(dice, depth),
        _ => map(dice, depth),
    }
}

fn list(dice: &mut Dice, depth: u8) -> String {
    let items: Vec<String> = (0..dice.below(5)).map(|_| value(dice, depth + 1)).collect();
    format!("[{}]", items.join(", "))
}

fn map(dice: &mut Dice, depth: u8) -> String {
    const KEYS: &[&str] = &["a", "b", "c", "str", "Key", "with-dash", "with.dot", "10", "9", "x_y", "k"];
    let mut items = BTreeMap::new();
    for _ in 0..dice.below(5) {
        items.insert(dice.pick(KEYS).to_owned(), value(dice, depth + 1));
    }
    let items: Vec<String> = items.iter().map(|(key, value)| format!("{}: {value}", json_string(key))).collect();
    format!("{{{}}}", items.join(", "))
}

fn values(dice: &mut Dice) -> String {
    let mut out = String::new();
    let names: Vec<String> = (0..1 + dice.below(4)).map(|_| json_string(dice.pick(STRINGS))).collect();
    for (key, value) in [
        ("str", json_string(dice.pick(STRINGS))),
        ("text", json_string(dice.pick(STRINGS))),
        ("empty", "\"\"".to_owned()),
        ("int", dice.pick(&["0", "1", "3", "7", "80"]).to_owned()),
        ("float", dice.pick(NUMBERS).to_owned()),
        ("big", dice.pick(&["1000000", "123456789", "1e10"]).to_owned()),
        ("\"yes\"", "true".to_owned()),
        ("\"no\"", "false".to_owned()),
        ("nil", "null".to_owned()),
        ("list", list(dice, 0)),
        ("names", format!("[{}]", names.join(", "))),
        ("elist", "[]".to_owned()),
        ("map", map(dice, 0)),
        ("emap", "{}".to_owned()),
        ("deep", format!("{{a: {}, b: {{c: {}}}}}", value(dice, 1), value(dice, 1))),
        ("global", format!("{{g: {}}}", value(dice, 2))),
    ] {
        let _ = writeln!(out, "{key}: {value}");
    }
    let _ = writeln!(out, "plain: {}\nrows:\n- {}\n- k: {}", dice.pick(PLAIN), dice.pick(PLAIN), dice.pick(PLAIN));
    out.push_str("block: |\n  one\n    two\n\n  three\nfolded: >-\n  one\n  two\n\n  three\n");
    out.push_str("base: &base {x: 1, y: [a]}\nmerged:\n  <<: *base\n  y: over\n  z: *base\n");
    out
}

impl RandomChart {
    /// The chart of a seed, with so many templates.
    pub(super) fn new(seed: u64, templates: usize, expressions: &Expressions) -> Self {
        let mut dice = Dice::new(seed);
        let name = format!("random{}", seed % 1_000_000);
        let mut files = BTreeMap::new();
        let subchart = dice.percent(50);
        let mut chart = format!(
            "apiVersion: v2\nname: {name}\nversion: 1.{}.0\nappVersion: \"{}.5\"\n",
            dice.below(9),
            dice.below(9)
        );
        if dice.percent(30) {
            chart.push_str("description: \"A <b> & 'c'\"\nhome: https://example.com/?a=1&b\nkeywords: [one, two]\n");
            chart.push_str("sources: [https://example.com]\nannotations: {note: \"1\", b: x}\ntype: application\n");
        }
        if subchart {
            chart.push_str("dependencies:\n- name: child\n  version: 0.1.0\n");
            if dice.percent(50) {
                chart.push_str("  alias: kid\n");
            }
            files.insert(
                "charts/child/Chart.yaml".to_owned(),
                "apiVersion: v2\nname: child\nversion: 0.1.0\n".to_owned(),
            );
            files.insert("charts/child/values.yaml".to_owned(), values(&mut dice));
            let helper = format!("{{{{ define \"named.b\" }}}}child{}{{{{ end }}}}", dice.pick(&["", " {{ . }}"]));
            files.insert("charts/child/templates/_child.tpl".to_owned(), helper);
            let all = "all: {{ omit .Values \"text\" | toJson }}\nname: {{ .Chart.Name }}\n".to_owned();
            files.insert("charts/child/templates/all.yaml".to_owned(), all);
        }
        files.insert("Chart.yaml".to_owned(), chart);
        let mut own = values(&mut dice);
        if subchart && dice.percent(60) {
            let _ = writeln!(own, "{}: {{str: over, map: {}}}", dice.pick(&["child", "kid"]), map(&mut dice, 1));
        }
        files.insert("values.yaml".to_owned(), own);
        files.insert("data/one.txt".to_owned(), "first\nsecond\n".to_owned());
        files.insert("data/two.txt".to_owned(), dice.pick(&["a\nb", "a\n\nb\n", "", "x"]).to_owned());
        let helpers = "{{- define \"named.a\" -}}\nA[{{ kindOf . }}]\n{{- end }}\n{{ define \"named.list\" }}{{ range . }}- {{ . }}\n{{ end }}{{ end }}\n\
             {{- define \"named.b\" }}{{ if . }}B{{ . }}{{ else }}none{{ end }}{{ end -}}\n\
             {{- define \"named.rec\" }}{{ .v | toJson }}{{ if gt (int .n) 0 }}({{ include \"named.rec\" (dict \"n\" (sub .n 1) \"v\" .n) }}){{ end }}{{ end -}}\n\
             {{- define \"named.ctx\" }}{{ .ctx.Release.Name }}/{{ .ctx.Template.Name | base }}/{{ tpl (toString .v) .ctx }}{{ end -}}\n\
             {{- define \"named.yaml\" }}{{ toYaml . | nindent 2 }}{{ end -}}\n";
        files.insert("templates/_helpers.tpl".to_owned(), helpers.to_owned());
        files.insert("templates/NOTES.txt".to_owned(), "Thank you for {{ .Chart.Name }}.\n".to_owned());
        let templates = (0..templates)
            .map(|at| {
                let body = loop {
                    let items = body::items(&mut dice, expressions, 0, false);
                    let body = Piece::new(Kind::Item).list(items);
                    if !may_hold_itself(&body.source()) {
                        break body;
                    }
                };
                (format!("t{at:02}"), Template { body, shape: dice.below(10) })
            })
            .collect();
        RandomChart { name, files, templates }
    }

    /// All files of the chart by path.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let mut files = self.files.clone();
        for (name, template) in &self.templates {
            files.insert(format!("templates/{name}.yaml"), template.source(name));
        }
        files
    }

    /// The chart with only these templates.
    pub(super) fn with_only(&self, templates: BTreeMap<String, Template>) -> Self {
        RandomChart { templates, ..self.clone() }
    }
}

/// Whether all values may be put into one of them. Helm follows such a circle until its memory is used up, minutes later, and
/// nothing is learned from that.
fn may_hold_itself(source: &str) -> bool {
    let writes = source.contains("erge") || source.contains("set ");
    let whole = |(at, word): (usize, &str)| !source[at + word.len()..].starts_with('.');
    writes && source.match_indices(".Values").any(whole)
}

impl Template {
    /// A template with another body.
    pub(super) fn with_body(&self, body: Piece) -> Self {
        Template { body, shape: self.shape }
    }

    fn source(&self, name: &str) -> String {
        let body = self.body.source();
        match self.shape {
            // As a define, included.
            0..5 => format!(
                "{{{{- define \"body.{name}\" }}}}{{{{ $x := .Values.map }}}}{body}{{{{ end -}}}}\n\
                 apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  out: {{{{ include \"body.{name}\" . | toJson }}}}\n"
            ),
            // By tpl.
            5 | 6 if !body.contains('`') => format!(
                "out: {{{{ tpl `{{{{ $x := .Values.map }}}}{body}` . | toJson }}}}\nkind: {}\n",
                if self.shape == 5 { "Service" } else { "Zebra" }
            ),
            // A hook.
            7 => format!(
                "{{{{- define \"body.{name}\" }}}}{{{{ $x := 1 }}}}{body}{{{{ end -}}}}\n\
                 kind: Job\nmetadata:\n  name: {name}\n  annotations:\n    helm.sh/hook: pre-install\n    out: {{{{ include \"body.{name}\" . | quote | toJson }}}}\n"
            ),
            // As a block scalar, by indentation.
            _ => format!(
                "{{{{- define \"body.{name}\" }}}}{{{{ $x := .Values.list }}}}{body}{{{{ end -}}}}\n\
                 kind: ConfigMap\n---\nkind: Secret\nstringData:\n  out: {{{{ include \"body.{name}\" $ | toYaml | nindent 4 }}}}\n"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_puts_all_values_into_one_of_them_is_drawn_again() {
        assert!(may_hold_itself("{{ int64 (mergeOverwrite $.Values.merged $.Values) }}"));
        assert!(may_hold_itself("{{ $_ := set .Values.map \"k\" .Values }}{{ .Values.map }}"));
        assert!(!may_hold_itself("{{ merge .Values.map .Values.deep | toJson }}"));
        assert!(!may_hold_itself("{{ toYaml .Values }}"));
    }
}
