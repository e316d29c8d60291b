//! One `landfall rehearse`, as a pipeline runs it: how it ended, and what it has found.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Serialize;
use serde_json::Value;

/// The longest that one rehearsal may take, in seconds of the wall's clock.
const LONGEST: &str = "120";

/// One finding of one chart.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Alarm {
    pub(super) chart: String,
    pub(super) rule: String,
    pub(super) severity: String,
    pub(super) message: String,
    /// Where it shows first.
    pub(super) spot: String,
    /// The template's line, from the chart's directory on, and what stands there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) line: String,
}

/// How a rehearsal ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// It was rehearsed, ended with this code, and these are the findings.
    Rehearsed(i32, Vec<Alarm>),
    /// The chart refuses its own default values, or is no chart to install.
    Refused(String),
    /// It did not end, or ended in a way that is none.
    Broken(String),
}

/// What is rehearsed.
pub(super) struct Trial<'a> {
    /// What the chart is called in evidence.
    pub(super) id: &'a str,
    /// Where it lies.
    pub(super) chart: &'a Path,
    /// The words behind `rehearse`.
    pub(super) words: &'a [&'a str],
    /// From where.
    pub(super) directory: &'a Path,
}

impl Trial<'_> {
    /// Starts it as a pipeline does, with nothing of this machine, and waits for what it says.
    pub(super) fn output(&self, landfall: &Path) -> std::io::Result<Output> {
        let home = tempfile::tempdir()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        Command::new("timeout")
            .args(["-k", "1", LONGEST])
            .arg(landfall)
            .args(["rehearse", "-o", "json"])
            .args(self.words)
            .env_clear()
            .env("PATH", path)
            .env("HOME", home.path())
            .env("LANDFALL_STATE", home.path().join("state"))
            .env("CI", "true")
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .output()
    }

    /// Runs it.
    pub(super) fn run(&self, landfall: &Path) -> Result<Ending, Box<dyn Error>> {
        let output = self.output(landfall)?;
        let lies = self.chart.display().to_string();
        let words = || {
            let text = String::from_utf8_lossy(&output.stderr).replace(&lies, self.id);
            text.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said").chars().take(300).collect()
        };
        Ok(match output.status.code() {
            Some(code @ (0 | 1)) => {
                let answer: Value = serde_json::from_slice(&output.stdout)?;
                Ending::Rehearsed(code, self.alarms(&answer["data"], code == 0))
            }
            Some(2) => Ending::Refused(words()),
            // Whoever kills what does not end is killed by it as well.
            Some(124 | 137) | None => Ending::Broken(format!("does not end within {LONGEST} s")),
            _ => Ending::Broken(words()),
        })
    }

    /// The findings of a rehearsal; a delivery that fails without one is an error of its own.
    fn alarms(&self, data: &Value, passed: bool) -> Vec<Alarm> {
        // Where the corpus lies on this machine is nobody's business.
        let lies = self.chart.display().to_string();
        let text = |value: &Value| value.as_str().unwrap_or_default().replace(&lies, self.id);
        let mut alarms: Vec<Alarm> = data["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|finding| {
                let spot = &finding["spots"][0];
                let place = ["template", "file"].into_iter().map(|part| &spot[part]).find(|place| !place.is_null());
                let line = |place: &Value| {
                    let said = format!("{}:{} {}", text(&place["file"]), place["line"], text(&place["source"]).trim());
                    said.chars().take(160).collect()
                };
                Alarm {
                    chart: self.id.to_owned(),
                    rule: text(&finding["rule"]),
                    severity: text(&finding["severity"]),
                    message: text(&finding["message"]),
                    spot: format!("{}/{}", text(&spot["object"]["gvk"]["kind"]), text(&spot["object"]["name"])),
                    line: place.map(line).unwrap_or_default(),
                }
            })
            .collect();
        if !passed && !alarms.iter().any(|alarm| alarm.severity == "error") {
            let why = data["trials"].as_array().into_iter().flatten().find_map(|it| it["why"][0]["message"].as_str());
            alarms.push(Alarm {
                chart: self.id.to_owned(),
                rule: "none".to_owned(),
                severity: "error".to_owned(),
                message: why.unwrap_or("would not deliver, and no finding says why").to_owned(),
                spot: String::new(),
                line: String::new(),
            });
        }
        alarms
    }
}

/// A directory of ours for one trial.
pub(super) fn ground() -> Result<(tempfile::TempDir, PathBuf), Box<dyn Error>> {
    let ground = tempfile::tempdir()?;
    let path = ground.path().canonicalize()?;
    Ok((ground, path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn findings_name_the_chart_and_not_where_it_lies() {
        let chart = Path::new("/somewhere/else/web");
        let trial = Trial { id: "team+charts/web", chart, words: &[], directory: chart };
        let finding = json!({"rule": "LF101", "severity": "error", "message": "`now` in /somewhere/else/web/a.yaml:1",
            "spots": [{"object": {"name": "web"}, "template": {"file": "/somewhere/else/web/a.yaml", "line": 1, "source": " at: {{ now }}"}}]});
        let found = trial.alarms(&json!({"findings": [finding]}), false);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].chart, &*found[0].message), ("team+charts/web", "`now` in team+charts/web/a.yaml:1"));
        assert_eq!(found[0].line, "team+charts/web/a.yaml:1 at: {{ now }}");
        assert_eq!(trial.alarms(&json!({}), false)[0].rule, "none");
    }
}
