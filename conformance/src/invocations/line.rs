//! Random command lines.

use landfall_chart::Dialect;
use serde::{Deserialize, Serialize};

use crate::dice::Dice;

const KEYS: &[&str] = &[
    "a",
    "name",
    "replicas",
    "map.a",
    "map.b.c",
    "map.b.d[0]",
    "map.b",
    "map",
    "list",
    "list[0]",
    "list[2].three",
    "list[5]",
    "list[1][0]",
    "first.enabled",
    "first.color",
    "first.nested.from",
    "first.nested",
    "first",
    "other.enabled",
    "other.size",
    "other.name",
    "tags.front",
    "tags.back",
    "tags.all",
    "tags",
    "global.region",
    "global.nested.a",
    "global.first",
    "global",
    "imported.own",
    "imported",
    "nothing",
    "nothing.x",
    "empty.x",
    "a\\.b",
    "annotations.helm\\.sh/hook",
    "extra.kind",
    "weight",
    "nameTemplate",
    "strict.a",
    "new.deep.er",
    "x[0].y[1].z",
    "x[3]",
    "number.x",
    "list.x",
    "map[0]",
    "é",
    "a b",
    "exports.data",
    "second.size",
    "common.x",
    "extra",
];
const TEXTS: &[&str] = &[
    "1",
    "0",
    "-1",
    "007",
    "1.5",
    "1e3",
    "true",
    "false",
    "TRUE",
    "null",
    "Null",
    "~",
    "",
    "text",
    "two words",
    "a\\,b",
    "{a,b}",
    "{1,true,null}",
    "{}",
    "{a,{b}}",
    "{a",
    "a=b",
    "[x]",
    "\"quoted\"",
    "'q'",
    "99999999999999999999",
    "0x10",
    "é",
    "{{ .Release.Name }}",
    "{{ .Nope.x }}",
    "a:b",
    "yes",
    "+5",
    "2021-05-06",
    " ",
    "a\\",
    "\\{a\\}",
    "{a, b}",
    "x\ny",
    "<a&b>",
];
const JSONS: &[&str] = &[
    "1",
    "1.5",
    "-0",
    "1e400",
    "true",
    "null",
    "\"s\"",
    "\"\\u00e9\"",
    "[1,\"two\",null]",
    "{\"a\":{\"b\":[1]}}",
    "{}",
    "[]",
    "",
    " ",
    "nul",
    "{\"a\":1",
    "[1,]",
    "\"open",
    "12345678901234567890",
    "{\"a\":1,\"a\":2}",
    "1 2",
    "{\"enabled\":false}",
    "'x'",
];
const FILES: &[&str] = &["text.txt", "value", "nope.txt", "umbrella", "", "nulls.yaml"];
const VALUES: &[&str] = &[
    "nulls.yaml",
    "deep.yaml",
    "types.yaml",
    "tags.yaml",
    "global.yaml",
    "anchors.yaml",
    "numbers.yaml",
    "two.yaml",
    "empty.yaml",
    "remark.yaml",
    "null.yaml",
    "nulls.yaml,deep.yaml",
    "strange.yaml",
    "broken.yaml",
    "list.yaml",
    "scalar.yaml",
    "twice.yaml",
    "schema.yaml",
    "nope.yaml",
    "-",
    "umbrella",
    "ftp://x/y",
];
const SHOWN: &[&str] = &[
    "templates/values.yaml",
    "templates/many.yaml",
    "templates/hook.yaml",
    "templates/empty.yaml",
    "templates/nope.yaml",
    "templates/sub/nested.yaml",
    "charts/first/templates/first.yaml",
    "templates/*.yaml",
    "crds/one.yaml",
    "templates/tests/check.yaml",
    "umbrella/templates/values.yaml",
    "templates/sub/*",
    "charts/other/templates/second.yaml",
    "templates/NOTES.txt",
    "",
];
const NOISE: &[char] = &['a', 'b', '.', '[', ']', '{', '}', '=', ',', '\\', '"', '0', '1', '-', ' '];

/// A command line: its words, what it reads from standard input, what stands in front of its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    pub(super) stdin: Option<String>,
    #[serde(skip)]
    head: usize,
    /// How many words each option has.
    #[serde(skip)]
    sizes: Vec<usize>,
}

impl Line {
    pub(super) fn random(dice: &mut Dice, dialect: Dialect) -> Self {
        let chart = match dice.below(30) {
            0 => dice.pick(&["library", "missing", "future", "nochart", "gone", "./gone", "umbrella/", "./umbrella"]),
            _ => "umbrella",
        };
        let mut words = vec!["template".to_owned()];
        if dice.percent(80) {
            let name = if dice.percent(4) {
                dice.pick(&["Big", "a_b", "", "x".repeat(60).as_str()]).to_owned()
            } else {
                "rel".to_owned()
            };
            words.push(name);
        }
        words.push(chart.to_owned());
        let mut line = Line { head: words.len(), words, stdin: None, sizes: Vec::new() };
        for _ in 0..1 + dice.below(5) {
            let option = line.option(dice, dialect);
            line.sizes.push(option.len());
            line.words.extend(option);
        }
        line
    }

    fn option(&mut self, dice: &mut Dice, dialect: Dialect) -> Vec<String> {
        let pair = |flag: &str, value: String| vec![flag.to_owned(), value];
        match dice.below(100) {
            0..30 => pair("--set", sets(dice, TEXTS)),
            30..37 => pair("--set-string", sets(dice, TEXTS)),
            37..46 => pair("--set-json", sets(dice, JSONS)),
            46..51 => pair("--set-file", sets(dice, FILES)),
            51..56 => pair("--set-literal", sets(dice, TEXTS)),
            56..60 => pair(dice.pick(&["--set", "--set-string", "--set-json", "--set-literal"]), noise(dice)),
            60..74 => {
                let file = dice.pick(VALUES);
                if file == "-" {
                    self.stdin =
                        Some(dice.pick(&["name: stdin\n", "", "a: [", "replicas: 9\nfirst: {color: in}\n"]).to_owned());
                }
                pair(dice.pick(&["-f", "--values"]), file.to_owned())
            }
            74..80 => pair("--show-only", dice.pick(SHOWN).to_owned()),
            80..82 => pair("--output-dir", "out".to_owned()),
            82..84 => vec!["--include-crds".to_owned()],
            84 => vec!["--skip-tests".to_owned()],
            85 => vec!["--no-hooks".to_owned()],
            86 => vec!["--is-upgrade".to_owned()],
            87 => vec!["--release-name".to_owned()],
            88 => pair("--kube-version", dice.pick(&["1.30", "v1.31.2", "1.25.3-gke.1", "x", "1.19.0", ""]).to_owned()),
            89 => pair("--api-versions", dice.pick(&["example.com/v1", "a/v1,example.com/v1", ""]).to_owned()),
            90 => pair("--namespace", dice.pick(&["web", "", "Big_One"]).to_owned()),
            91 => pair(
                "--name-template",
                dice.pick(&["n-{{ upper \"x\" | lower }}", "{{", "{{ fail \"no\" }}", "N"]).to_owned(),
            ),
            92 => vec![
                dice.pick(&["--generate-name", "-g", "--skip-schema-validation", "--skip-crds", "--debug=false"])
                    .to_owned(),
            ],
            // Helm 4 takes plugins only.
            93..96 if dialect == Dialect::V3 => {
                let mut words =
                    pair("--post-renderer", dice.pick(&["./renderer.sh", "nope", "./value", ""]).to_owned());
                if dice.percent(60) {
                    words.extend(pair("--post-renderer-args", dice.pick(&["fail", "none", "", "x", "a b"]).to_owned()));
                }
                words
            }
            96 => vec![
                dice.pick(&["--nope", "-z", "--set", "--dry-run=nonsense", "--include-crds=maybe", "extra-argument"])
                    .to_owned(),
            ],
            97 => vec!["--render-subchart-notes".to_owned()],
            98 => vec![
                dice.pick(&["--dry-run", "--dry-run=client", "--wait", "--atomic", "--create-namespace"]).to_owned(),
            ],
            _ => pair("--timeout", dice.pick(&["5m", "1h30m", "0"]).to_owned()),
        }
    }

    /// As it is kept.
    pub(super) fn kept(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// One that was kept; it is not made smaller any more.
    pub(super) fn of_kept(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// How many options there are.
    pub(super) fn options(&self) -> usize {
        self.sizes.len()
    }

    /// The line without one of its options.
    pub(super) fn without(&self, option: usize) -> Self {
        let mut line = self.clone();
        let start = line.head + line.sizes[..option].iter().sum::<usize>();
        line.words.drain(start..start + line.sizes[option]);
        line.sizes.remove(option);
        line
    }

    /// The line as a shell takes it.
    pub(super) fn shown(&self) -> String {
        let plain =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./=:".contains(&b));
        let quoted: Vec<String> = self
            .words
            .iter()
            .map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) })
            .collect();
        let stdin = self.stdin.as_ref().map(|text| format!(" <<<{text:?}")).unwrap_or_default();
        format!("helm {}{stdin}", quoted.join(" "))
    }
}

/// One to three settings.
fn sets(dice: &mut Dice, values: &[&str]) -> String {
    let one = |dice: &mut Dice| {
        let between = if dice.percent(97) { "=" } else { dice.pick(&["", "==", " = "]) };
        format!("{}{between}{}", dice.pick(KEYS), dice.pick(values))
    };
    let count = 1 + dice.below(4) / 2;
    (0..count).map(|_| one(dice)).collect::<Vec<_>>().join(",")
}

fn noise(dice: &mut Dice) -> String {
    (0..1 + dice.below(12)).map(|_| NOISE[dice.below(NOISE.len())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_kept_is_run_again_as_it_was() {
        for seed in 0..200 {
            let line = Line::random(&mut Dice::new(seed), Dialect::V3);
            let kept = Line::of_kept(&line.kept().expect("is written")).expect("is read");
            assert_eq!((&kept.words, &kept.stdin, kept.shown()), (&line.words, &line.stdin, line.shown()));
        }
    }
}
