//! Charts made at random for their data: every way of writing a scalar, every way of ending a document, and what of it
//! is a text, a number, a truth or nothing at all.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::dice::Dice;

/// The files of a chart by path.
pub(super) type Files = BTreeMap<String, String>;

/// The kind whose instances hold any data, so that numbers and nulls are stored as they come.
const GROUP: &str = "shapes.example.com";

/// Plain scalars, as YAML 1.1 reads them.
const PLAIN: &[&str] = &[
    "yes",
    "no",
    "on",
    "Off",
    "y",
    "n",
    "Y",
    "true",
    "False",
    "0o14",
    "014",
    "0b11",
    "1_000",
    "0x1F",
    "0777",
    "0o7",
    "08",
    "1e3",
    "1.0",
    "-0.0",
    "0.1",
    "1e21",
    "1e-7",
    "1.5e300",
    ".5",
    "5.",
    "1.10",
    "12e03",
    "123456789012",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "+1",
    "-1.50",
    "1,000",
    "~",
    "null",
    "Null",
    "NULL",
    "2021-05-06",
    "2021-05-06T07:08:09Z",
    "2021-05-06 07:08:09",
    "12:30:45",
    "1:20",
    "a b",
    "a#b",
    "x:y",
    "1.2.3",
    "=",
    "v1",
    "!!str 12",
    "!!int \"7\"",
    "!!float 3",
    "!!binary aGVsbG8=",
    "'it''s'",
    "'1'",
    "\"2\"",
    "\"\\t\\u00e9\\x41\"",
    "{}",
    "[]",
    "\"\"",
    "''",
    "[1, 2.0, null, '3']",
    "{a: 1, b: ~}",
    "\"a\\\n      b\"",
    "*base",
    "é日本",
];

/// Keys that are no texts, and what a JSON object makes of them.
const KEYS: &[&str] = &["a", "b", "1", "1.5", "true", "yes", "null", "'x'", "\"y z\"", "2021-05-06", "0x10", "a.b/c"];

const WORDS: &[&str] =
    &["line", "two words", "# no comment", "- item", "key: value", "", "  deeper", "end:", "é", "100%", "a\tb"];

/// What stands between two documents of a file.
const BETWEEN: &[&str] = &[
    "---\n",
    "---\n",
    "--- \n",
    "---\t\n",
    "\n---\n",
    "\n\n\n---\n\n",
    "---\n---\n",
    "---\n# only a comment\n---\n",
    "--- # a comment\n",
    "...\n---\n",
];

/// What stands behind the last document of a file; nothing means that the file ends without a newline.
const BEHIND: &[&str] = &["", "\n", "\n\n\n", "\n---\n", "\n---", "\n# the end\n", "\n...\n", "\n  \n"];

/// The chart of a seed.
pub(super) fn chart(seed: u64) -> Files {
    let mut dice = Dice::new(seed);
    let mut files = Files::new();
    files.insert("Chart.yaml".into(), "apiVersion: v2\nname: shapes\nversion: 1.0.0\nappVersion: \"1.10\"\n".into());
    let _ = writeln!(files.entry("values.yaml".into()).or_default(), "{}", values(&mut dice));
    files.insert("data/one.txt".into(), "first\nsecond\n".into());
    files.insert("data/two.txt".into(), dice.pick(&["a\nb", "a\n\nb\n\n", "x"]).into());
    files.insert("crds/shapes.yaml".into(), definition(&mut dice));
    let mut maker = Maker { dice, made: 0 };
    for number in 0..2 + maker.dice.below(4) {
        let text = maker.file();
        files.insert(format!("templates/t{number}.yaml"), text);
    }
    files
}

/// Values, and what an upgrade may change in them.
fn values(dice: &mut Dice) -> String {
    format!(
        "text: {}\nlines: |\n  one\n    two\n\n  three\nkept: |+\n  one\n\ncut: |-\n  one\nnumber: {}\nfloat: {}\nflag: {}\nnothing: null\nplain: {}\nlist: [a, 1, null]\nmap: {{k: v, n: 1}}",
        dice.pick(&["plain", "\"1\"", "\"two\\nlines\\n\"", "\"true\"", "\" padded \"", "\"\""]),
        dice.pick(&["0", "1", "8080", "1000000", "123456789012"]),
        dice.pick(&["0.5", "1.0", "1e6", "1234567.5"]),
        dice.pick(&["true", "false"]),
        dice.pick(&["yes", "014", "1_000", "~", "2021-05-06"]),
    )
}

fn definition(dice: &mut Dice) -> String {
    let text = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: shapes.{GROUP}\nspec:\n  group: {GROUP}\n  scope: Namespaced\n  names: {{kind: Shape, plural: shapes, singular: shape, listKind: ShapeList}}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        description: |\n          Any shape.\n        properties:\n          spec:\n            x-kubernetes-preserve-unknown-fields: true\n            description: |\n              Whatever it is"
    );
    let begin = dice.pick(&["", "---\n", "# head\n---\n"]);
    format!("{begin}{text}{}", dice.pick(BEHIND))
}

struct Maker {
    dice: Dice,
    made: usize,
}

impl Maker {
    fn file(&mut self) -> String {
        let mut text = self.dice.pick(&["", "", "---\n", "# head\n---\n", "\n\n", "{{/* nothing */}}\n"]).to_owned();
        let count = 1 + self.dice.below(4);
        for number in 0..count {
            if number > 0 {
                text.push('\n');
                text.push_str(self.dice.pick(BETWEEN));
            }
            text.push_str(&self.document());
        }
        text.push_str(self.dice.pick(BEHIND));
        // Lines that end as Windows ends them.
        if self.dice.percent(10) { text.replace('\n', "\r\n") } else { text }
    }

    /// A document without a newline behind it.
    fn document(&mut self) -> String {
        match self.dice.below(10) {
            0..4 => self.config_map(""),
            4 | 5 => self.secret(),
            6 | 7 => self.shape(),
            8 => self.list(),
            _ => {
                let events = self.dice.pick(&["pre-install,pre-upgrade", "post-install,post-upgrade", "post-install"]);
                self.config_map(&format!("  annotations:\n    helm.sh/hook: {events}\n"))
            }
        }
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("o{}", self.made)
    }

    fn config_map(&mut self, more: &str) -> String {
        let mut text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n{more}", self.name());
        if self.dice.percent(20) && more.is_empty() {
            text.push_str(self.dice.pick(&[
                "  annotations: null\n",
                "  labels: {}\n",
                "  annotations: {note: \"1\"}\n",
            ]));
        }
        text.push_str("data:\n");
        self.entries(&mut text);
        text
    }

    fn secret(&mut self) -> String {
        let mut text = format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {}\n", self.name());
        if self.dice.percent(50) {
            text.push_str("data:\n  b: aGVsbG8=\n  c: |\n    aGVsbG8K\n  d: {{ .Values.lines | b64enc }}\n");
        }
        text.push_str("stringData:\n");
        self.entries(&mut text);
        text
    }

    /// Entries whose values are texts, in every style; the last one ends without a newline.
    fn entries(&mut self, text: &mut String) {
        for number in 0..1 + self.dice.below(4) {
            if number > 0 {
                text.push('\n');
            }
            let _ = write!(text, "  k{number}: ");
            text.push_str(&self.text_value(4));
        }
    }

    fn text_value(&mut self, indent: usize) -> String {
        let pad = " ".repeat(indent);
        match self.dice.below(13) {
            0..6 => {
                let style = self.dice.pick(&["|", "|", "|-", "|+", ">", ">-", ">+", "|2"]);
                // An indicator counts from the key, whose own indentation is two less.
                let pad = if style == "|2" { " ".repeat(indent) } else { pad };
                let mut text = format!("{style}\n{pad}first");
                for _ in 0..self.dice.below(4) {
                    let word = self.dice.pick(WORDS);
                    let _ = if word.is_empty() { writeln!(text) } else { write!(text, "\n{pad}{word}") };
                }
                text.push_str(self.dice.pick(&["", "", "\n", "\n\n", "  "]));
                text
            }
            6 => self
                .dice
                .pick(&["plain", "two words", "a#b", "'single'", "\"double\\n\"", "\"\"", "'yes'", "\"0777\""])
                .to_owned(),
            7 => "{{ .Values.text | quote }}".to_owned(),
            8 => format!("|\n{{{{ .Values.lines | indent {indent} }}}}"),
            9 => format!("{{{{ .Values.lines | toYaml | nindent {indent} }}}}"),
            10 => format!("|-\n{pad}{{{{- .Files.Get \"data/one.txt\" | nindent {indent} }}}}"),
            11 => format!("|\n{pad}{{{{- .Files.Get \"data/two.txt\" | nindent {indent} }}}}"),
            _ => "{{ toJson (toYaml .Values) }}".to_owned(),
        }
    }

    fn shape(&mut self) -> String {
        let mut text = format!(
            "apiVersion: {GROUP}/v1\nkind: Shape\nmetadata:\n  name: {}\nspec:\n  base: &base {{x: 1, y: [a]}}\n",
            self.name()
        );
        for number in 0..3 + self.dice.below(8) {
            let _ = writeln!(text, "  p{number}: {}", self.dice.pick(PLAIN));
        }
        match self.dice.below(6) {
            0 => text.push_str("  merged:\n    <<: *base\n    y: over\n"),
            1 => text.push_str("  twice: 1\n  twice: \"2\"\n"),
            2 => text.push_str("  values: {{ .Values | toJson }}\n"),
            3 => text.push_str("  values:\n    {{- toYaml .Values | nindent 4 }}\n"),
            4 => text.push_str("  number: {{ .Values.number }}\n  float: {{ .Values.float }}\n  flag: {{ .Values.flag }}\n  plain: {{ .Values.plain }}\n"),
            _ => {}
        }
        text.push_str("  keys:\n");
        let mut keys: Vec<&str> = KEYS.to_vec();
        for _ in 0..1 + self.dice.below(3) {
            let key = keys.remove(self.dice.below(keys.len()));
            let _ = writeln!(text, "    {key}: {}", self.dice.pick(&["1", "null", "'t'", "1.0", "[~]"]));
        }
        text.push_str("  list:\n");
        for _ in 0..1 + self.dice.below(3) {
            let _ = writeln!(text, "  - {}", self.dice.pick(PLAIN));
        }
        text.push_str("  last: ");
        let last = self.text_value(4);
        text.push_str(&last);
        text
    }

    fn list(&mut self) -> String {
        let bare = self.dice.percent(30);
        let mut text = match bare {
            true => "apiVersion: v1\nkind: ConfigMapList\nitems:\n".to_owned(),
            false => "apiVersion: v1\nkind: List\nitems:\n".to_owned(),
        };
        for number in 0..1 + self.dice.below(3) {
            if number > 0 {
                text.push('\n');
            }
            let kind = if bare { "" } else { "  apiVersion: v1\n  kind: ConfigMap\n" };
            let _ = write!(text, "- metadata:\n    name: {}\n{kind}  data:\n    k: ", self.name());
            let value = self.text_value(6);
            text.push_str(&value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::chart;

    #[test]
    fn a_seed_is_one_chart_and_every_chart_ends_documents_in_its_own_way() {
        assert_eq!(chart(7), chart(7));
        let texts: Vec<String> = (0..50).flat_map(|seed| chart(seed).into_values()).collect();
        for needed in ["|+\n", "\r\n---", "...\n---", "ConfigMapList", "helm.sh/hook", "<<: *base", "twice: \"2\""] {
            assert!(texts.iter().any(|text| text.contains(needed)), "{needed:?} never comes up");
        }
        assert!(texts.iter().any(|text| text.ends_with("first")), "no file ends inside of a block");
    }
}
