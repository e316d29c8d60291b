//! Template expressions against Helm's answers.
//!
//! The oracle `sprigcheck` is asked; without it these tests fail. `answers.jsonl` is made anew by
//! `cargo test -p landfall-sprig --test it -- --ignored`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use landfall_gotemplate::{Limits, MissingKey, Set, Value};
use landfall_sprig::Context;
use serde_json::{Value as Json, json};

const EXPRESSIONS: &str = include_str!("expressions.txt");
const VALUES: &str = include_str!("values.json");

fn expressions() -> impl Iterator<Item = &'static str> {
    EXPRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// What is rendered, or the error; `<no value>` is taken out of the output as Helm does.
fn render(expression: &str) -> Result<String, String> {
    let values = landfall_sprig::from_json(VALUES.as_bytes()).expect("the values are JSON");
    let dot = [("Values", values)].into_iter().collect::<landfall_gotemplate::Map>();
    let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
    set.parse("c/templates/t", expression.as_bytes()).map_err(|error| error.to_string())?;
    set.execute("c/templates/t", &Value::from(dot), &mut Context::repeatable(1), Limits::default())
        .map(|text| String::from_utf8_lossy(&text).replace("<no value>", ""))
        .map_err(|error| error.to_string())
}

/// The part of an error that the functions are answerable for.
fn tail(error: &str) -> &str {
    let from = error.find("error calling").unwrap_or_else(|| error.find(">: ").map_or(0, |at| at + 3));
    &error[from..]
}

#[test]
fn expressions_are_answered_as_helm_answers_them() {
    let answers: Vec<Json> = include_str!("answers.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("answers are JSON"))
        .collect();
    let mut differences = Vec::new();
    for (expression, answer) in expressions().zip(&answers) {
        assert_eq!(answer[0], expression, "answers.jsonl is older than expressions.txt");
        let same = match (render(expression), &answer[1]["ok"], &answer[1]["err"]) {
            (Ok(ours), Json::String(theirs), _) => ours == *theirs,
            (Err(ours), _, Json::String(theirs)) => tail(&ours) == tail(theirs),
            _ => false,
        };
        if !same {
            differences.push(format!("{expression}\n  ours   {:?}\n  theirs {}", render(expression), answer[1]));
        }
    }
    assert_eq!(expressions().count(), answers.len());
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), answers.len(), differences.join("\n"));
}

/// The oracle's answers to expressions, in order.
fn ask(expressions: Vec<String>) -> Vec<Json> {
    let program = oracles::built("sprigcheck").unwrap_or_else(|why| panic!("{why}"));
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the oracle starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let writer = std::thread::spawn(move || {
        writeln!(stdin, "{}", VALUES.replace('\n', " ")).expect("the oracle reads");
        for expression in expressions {
            writeln!(stdin, "{}", Json::from(expression)).expect("the oracle reads");
        }
    });
    let output = child.wait_with_output().expect("the oracle ends");
    writer.join().expect("the writer ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).expect("an answer is JSON")).collect()
}

#[test]
#[ignore = "writes answers.jsonl"]
fn answers_are_made_anew() {
    let answers = ask(expressions().map(str::to_owned).collect());
    let mut lines = String::new();
    for (expression, answer) in expressions().zip(answers) {
        lines.push_str(&json!([expression, answer]).to_string());
        lines.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/answers.jsonl");
    std::fs::write(path, lines).expect("the answers can be written");
}

/// Functions whose answers depend on chance, time or a key, and those that take long.
const NOT_COMPARED: &[&str] = &[
    "now",
    "ago",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randNumeric",
    "randBytes",
    "randInt",
    "shuffle",
    "uuidv4",
    "bcrypt",
    "htpasswd",
    "encryptAES",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "derivePassword",
    "keys",
    "values",
    "getHostByName",
    "fromToml",
    "date",
    "dateInZone",
    "date_in_zone",
    "htmlDate",
    "htmlDateInZone",
];

const ARGUMENTS: &[&str] = &[
    "1",
    "0",
    "-3",
    "2",
    "7",
    "1.5",
    "-0.5",
    "1e6",
    "true",
    "false",
    "nil",
    "\"\"",
    "\"a\"",
    "\"a,b,c\"",
    "\"10\"",
    "\"1.5\"",
    "\"0x1F\"",
    "\"héllo wörld\"",
    "\" a b \"",
    "\"2h3m\"",
    "\"2020-01-02\"",
    "\"a: 1\\nb: [x]\"",
    "\"{\\\"a\\\":1}\"",
    "\"[1,2]\"",
    "\"[a-c]+\"",
    "\"(b)(x)?\"",
    "\"1.2.3\"",
    "\">=1.2\"",
    "\"http://u:p@h:1/p?q#f\"",
    "\"aGVsbG8=\"",
    "\"/a/../b.c\"",
    "\"HTTPServer2Go\"",
    "\"foo_bar-baz\"",
    "(list)",
    "(list 1 \"a\" nil)",
    "(list 3 1 2 1)",
    "(list \"b\" \"a\")",
    "(dict)",
    "(dict \"a\" 1 \"b\" (dict \"c\" 2))",
    "(dict \"a\" \"\" \"d\" (list 1))",
    ".Values.int",
    ".Values.flt",
    ".Values.str",
    ".Values.nul",
    ".Values.m",
    ".Values.m2",
    ".Values.list",
    ".Values.words",
    ".Values.nope",
    ".Values",
    ".Values.big",
    "(until 3)",
    "(splitList \",\" \"a,b\")",
    "(split \",\" \"a,b\")",
    "(int64 5)",
    "(add 1 2)",
    "(semver \"1.2.3\")",
    "(toDate \"2006\" \"2020\")",
    "'x'",
    "(b64dec \"/w==\")",
    "\"a\\x00b\\tc\"",
    "\"%d %s\"",
    "(float64 \"nan\")",
    "(float64 \"inf\")",
];

#[test]
#[ignore = "asks an oracle: `.ci/run` builds those and runs what begins with `oracle_`"]
fn oracle_random_calls_are_answered_as_helm_answers_them() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let mut seed = number("LANDFALL_SPRIGCHECK_SEED", 0x9E37_79B9_7F4A_7C15);
    let mut below = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % limit
    };
    let funcs = landfall_sprig::funcs();
    let mut names: Vec<&str> = funcs.names().filter(|name| !NOT_COMPARED.contains(name)).collect();
    names.sort_unstable();
    let expressions: Vec<String> = (0..number("LANDFALL_SPRIGCHECK_COUNT", 2_000))
        .map(|_| {
            let name = names[below(names.len())];
            let signature = funcs.get(name).map(landfall_gotemplate::Func::signature);
            let wanted = signature.map_or(1, |signature| signature.params.len());
            let extra = if signature.is_some_and(|signature| signature.rest.is_some()) { below(4) } else { 0 };
            let arguments: Vec<&str> = (0..wanted + extra).map(|_| ARGUMENTS[below(ARGUMENTS.len())]).collect();
            let shown = if below(3) == 0 { " | toJson" } else { "" };
            format!("{{{{ {name} {}{shown} }}}}", arguments.join(" "))
        })
        .collect();
    // A map put into itself is printed without end: Go's stack overflows, and with it the oracle.
    let into_itself =
        |text: &str| (text.contains("{ set ") || text.contains("erge")) && text.matches(".Values").count() > 1;
    let expressions: Vec<String> = expressions.into_iter().filter(|text| !into_itself(text)).collect();
    let answers = ask(expressions.clone());
    assert_eq!(answers.len(), expressions.len());
    let mut differences = Vec::new();
    for (expression, answer) in expressions.iter().zip(&answers) {
        let ours = render(expression);
        let same = match (&ours, &answer["ok"], &answer["err"]) {
            (Ok(ours), Json::String(theirs), _) => ours == theirs,
            (Err(ours), _, Json::String(theirs)) => tail(ours) == tail(theirs),
            _ => false,
        };
        if !same {
            differences.push(format!("{expression}\n  ours   {ours:?}\n  theirs {answer}"));
        }
    }
    // Known and left, each with the functions where it shows: bytes that are no text in quoted errors, for regular
    // expressions, as keys of TOML and YAML; the words of `%d` over a time, which hold an address.
    const BYTES: &[&str] = &[
        "mustToDate",
        "ustDateModify",
        "must_date_modify",
        "semver",
        "regex",
        "Regex",
        "toToml",
        "toYamlPretty (dict",
    ];
    let left = |text: &String| {
        (text.contains("/w==") && BYTES.iter().any(|name| text.contains(name)))
            || (text.contains("toDate") && text.contains("printf \"%d"))
            // How long ago a time was: here the clock stands, as it does for every rendering that can be repeated.
            || (text.contains("oDate") && text.contains("durationRound"))
    };
    differences.retain(|text| !left(text));
    let few = differences.len() * 10_000 <= answers.len();
    assert!(few, "{} of {} differ:\n{}", differences.len(), answers.len(), differences.join("\n"));
}
