//! Template expressions against Helm's answers.
//!
//! `answers.jsonl` is made anew by `LANDFALL_SPRIGCHECK=<oracle> cargo test -p landfall-sprig --test it -- --ignored`.

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
    set.execute("c/templates/t", &Value::from(dot), &mut Context::default(), Limits::default())
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

#[test]
#[ignore = "needs the sprigcheck oracle and writes answers.jsonl"]
fn answers_are_made_anew() {
    let Ok(program) = std::env::var("LANDFALL_SPRIGCHECK") else { return };
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("LANDFALL_SPRIGCHECK names the oracle");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let writer = std::thread::spawn(move || {
        writeln!(stdin, "{}", VALUES.replace('\n', " ")).expect("the oracle reads");
        for expression in expressions() {
            writeln!(stdin, "{}", Json::from(expression)).expect("the oracle reads");
        }
    });
    let output = child.wait_with_output().expect("the oracle ends");
    writer.join().expect("the writer ends");
    let answers = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = String::new();
    for (expression, answer) in expressions().zip(answers.lines()) {
        let answer: Json = serde_json::from_str(answer).expect("an answer is JSON");
        lines.push_str(&json!([expression, answer]).to_string());
        lines.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/answers.jsonl");
    std::fs::write(path, lines).expect("the answers can be written");
}
