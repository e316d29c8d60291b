//! Records what a real API server answers to request scripts, as goldens.
//!
//! A script file is a list of `{name, steps: [{method, path, type?, body}]}`; the golden beside it is a list of
//! `{name, answers: [{code, body, warnings?}]}`. The server is named by `LANDFALL_API`, `LANDFALL_API_TOKEN` and `LANDFALL_API_CA`;
//! requests go through `curl`, so that this needs no client of ours.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::{Value, json};

use crate::suite::{Suite, said};

/// What is asked, and where the answers are written.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The scripts.
    cases: PathBuf,
    /// The golden to write.
    golden: PathBuf,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let golden = self.golden.display();
        said(record(&self.cases, &self.golden).map(|requests| format!("{golden}: {requests} answers")))
    }
}

/// Runs every script of `cases` and writes the answers to `golden`; returns how many requests were made.
fn record(cases: &Path, golden: &Path) -> Result<usize, Box<dyn Error>> {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let (server, token, ca) =
        (variable("LANDFALL_API")?, variable("LANDFALL_API_TOKEN")?, variable("LANDFALL_API_CA")?);
    let scripts: Vec<Value> = serde_json::from_slice(&std::fs::read(cases)?)?;
    let (mut recorded, mut requests) = (Vec::new(), 0);
    for script in &scripts {
        let mut answers = Vec::new();
        for step in script["steps"].as_array().into_iter().flatten() {
            requests += 1;
            answers.push(request(&server, &token, &ca, step)?);
        }
        recorded.push(json!({"name": script["name"], "answers": answers}));
    }
    // One answer a line, so that a change shows where it is.
    let lines: Vec<String> = recorded.iter().map(Value::to_string).collect();
    std::fs::write(golden, format!("[\n{}\n]\n", lines.join(",\n")))?;
    Ok(requests)
}

fn request(server: &str, token: &str, ca: &str, step: &Value) -> Result<Value, Box<dyn Error>> {
    let text = |field: &str, default: &'static str| step[field].as_str().unwrap_or(default).to_owned();
    let mut child = Command::new("curl")
        .args(["--silent", "--show-error", "--cacert", ca, "--request", &text("method", "GET")])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--header", &format!("Content-Type: {}", text("type", "application/json"))])
        .args([
            "--header",
            "User-Agent: recorder/1",
            "--write-out",
            "\n%{header_json}\n%{http_code}",
            "--data-binary",
            "@-",
        ])
        .arg(format!("{server}{}", text("path", "/")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take()
        && !step["body"].is_null()
    {
        stdin.write_all(step["body"].to_string().as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let answer = String::from_utf8(output.stdout)?;
    let (answer, code) = answer.rsplit_once('\n').ok_or("curl said nothing")?;
    // The headers are a table of lists, the first line of which may be empty.
    let (body, headers) = answer.rsplit_once("\n{").ok_or("curl tells no headers: 7.83 is needed")?;
    let headers: Value = serde_json::from_str(&format!("{{{headers}"))?;
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    let mut answer = json!({"code": code.parse::<u16>()?, "body": body});
    if let Some(warnings) = headers["warning"].as_array() {
        answer["warnings"] = warnings.clone().into();
    }
    Ok(answer)
}
