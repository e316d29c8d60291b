//! Public charts rehearsed at their default values: a finding that is wrong there is a false alarm.
//!
//! ```text
//! charts of LANDFALL_CORPUS ─► landfall rehearse CHART --from empty -o json ─► findings by rule
//!        conformance/alarms.toml: each error looked at by a person ─► true, false, or not looked at ─► docs/evidence/alarms.json
//! ```
//!
//! The suite fails on an error that nobody has looked at, on one that was judged false, and on a rehearsal that does not
//! end. A chart that refuses its own default values is counted apart: there is nothing to rehearse.

mod judged;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde::Serialize;
use serde_json::Value;

use crate::evidence::commit;
use crate::helm::cache;
use crate::parity::{Case, cases, say};
use crate::suite::{Material, Suite, Whole, corpus, root, said};
use crate::{peers, workers};
use judged::{Judged, Judgement};

/// The longest that one rehearsal may take, in seconds of the wall's clock.
const LONGEST: &str = "120";

/// What the command line asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only charts whose id holds this text; no evidence is written.
    only: Option<String>,
    /// The `landfall` to run; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
}

/// One finding of one chart.
#[derive(Debug, Clone, Serialize)]
struct Alarm {
    chart: String,
    rule: String,
    severity: String,
    message: String,
    /// Where it shows first.
    spot: String,
}

/// How a rehearsal ended.
#[derive(Debug)]
enum Ending {
    /// It was rehearsed, and these are the findings.
    Rehearsed(Vec<Alarm>),
    /// The chart refuses its own default values, or is no chart to install.
    Refused(String),
    /// It did not end, or ended in a way that is none.
    Broken(String),
}

/// What is written to `docs/evidence/alarms.json`.
#[derive(Debug, Serialize)]
struct Evidence {
    suite: &'static str,
    commit: String,
    /// Charts that were rehearsed.
    planned: usize,
    /// Those without an error, or with errors that are true alone.
    passed: usize,
    failed: usize,
    /// Charts that refuse their own default values.
    refused: usize,
    /// Rehearsals that ended with 0.
    clean: usize,
    /// By rule and severity: findings, and charts that have one.
    rules: BTreeMap<String, Count>,
    /// Each error with what a person says to it.
    errors: Vec<Looked>,
    /// For each rule one in ten of the rest, by chart, with what a person says where one has.
    sample: Vec<Looked>,
}

#[derive(Debug, Default, Serialize)]
struct Count {
    findings: usize,
    charts: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct Looked {
    #[serde(flatten)]
    alarm: Alarm,
    verdict: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("alarms", Material::Corpus, &[&["alarms"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(root(), self))
    }
}

/// Runs the suite and gives its last line; an error when an alarm is false or was not looked at.
fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let corpus = corpus();
    if corpus.is_empty() {
        return Ok("alarms: skipped: no corpus (LANDFALL_CORPUS is not set)".to_owned());
    }
    let landfall = peers::landfall(arguments.landfall.as_deref())?;
    let mut charts = cases::corpus(&corpus, &cache().join("conformance/charts"))?;
    let mut seen = BTreeSet::new();
    charts.retain(|case| case.values.is_empty() && !is_library(&case.chart) && seen.insert(case.content.clone()));
    if let Some(only) = &arguments.only {
        charts.retain(|case| case.id.contains(only.as_str()));
    }
    let judged = Judged::load(&root.join("conformance/alarms.toml"))?;
    let endings = rehearse_all(&landfall, &charts);

    let mut evidence = Evidence {
        suite: "alarms",
        commit: commit(root),
        planned: 0,
        passed: 0,
        failed: 0,
        refused: 0,
        clean: 0,
        rules: BTreeMap::new(),
        errors: Vec::new(),
        sample: Vec::new(),
    };
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for (case, ending) in charts.iter().zip(endings) {
        let alarms = match ending {
            Ending::Rehearsed(alarms) => alarms,
            Ending::Refused(why) => {
                say(&format!("refused  {}: {why}", case.id));
                evidence.refused += 1;
                continue;
            }
            Ending::Broken(why) => {
                say(&format!("BROKEN   {}: {why}", case.id));
                evidence.planned += 1;
                evidence.failed += 1;
                continue;
            }
        };
        evidence.planned += 1;
        evidence.clean += usize::from(!alarms.iter().any(|alarm| alarm.severity == "error"));
        let mut wrong = false;
        for alarm in alarms {
            let by = format!("{} {}", alarm.rule, alarm.severity);
            let count = evidence.rules.entry(by.clone()).or_default();
            count.findings += 1;
            count.charts.insert(alarm.chart.clone());
            let judgement = judged.of(&alarm.chart, &alarm.rule, &alarm.message);
            let is_error = alarm.severity == "error";
            if is_error || matches!(judgement, Some(Judgement { holds: false, .. })) {
                let verdict = judgement.map_or("not looked at", Judgement::word);
                let holds = judgement.is_some_and(|it| it.holds);
                if !holds {
                    say(&format!("{verdict}  {} {} {}: {}", alarm.rule, alarm.chart, alarm.spot, alarm.message));
                }
                wrong |= !holds;
            }
            let at = counted.entry(by).or_default();
            *at += 1;
            if is_error || *at % 10 == 1 {
                let list = if is_error { &mut evidence.errors } else { &mut evidence.sample };
                list.push(Looked {
                    verdict: judgement.map_or("not looked at", Judgement::word),
                    why: judgement.map(|it| it.why.clone()).unwrap_or_default(),
                    alarm,
                });
            }
        }
        evidence.failed += usize::from(wrong);
    }
    evidence.passed = evidence.planned - evidence.failed;
    for (by, count) in &evidence.rules {
        say(&format!("{by:<16} {:>5} findings in {:>4} charts", count.findings, count.charts.len()));
    }
    if arguments.only.is_none() {
        let mut text = serde_json::to_string_pretty(&evidence)?;
        text.push('\n');
        fs::write(root.join("docs/evidence/alarms.json"), text)?;
    }
    let line = format!(
        "alarms: {} of {} public charts without a false alarm, {} without an error; {} refuse their own defaults",
        evidence.passed, evidence.planned, evidence.clean, evidence.refused
    );
    if evidence.failed == 0 { Ok(line) } else { Err(line.into()) }
}

fn is_library(chart: &Path) -> bool {
    let text = fs::read_to_string(chart.join("Chart.yaml")).unwrap_or_default();
    landfall_yaml::to_json(&text).is_ok_and(|chart| chart["type"] == "library")
}

/// Rehearses all charts on all cores.
fn rehearse_all(landfall: &Path, charts: &[Case]) -> Vec<Ending> {
    let ending = |_, case: &Case| rehearse(landfall, case).unwrap_or_else(|error| Ending::Broken(error.to_string()));
    workers::each(charts, ending)
}

fn rehearse(landfall: &Path, case: &Case) -> Result<Ending, Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let output = Command::new("timeout")
        .args(["-k", "1", LONGEST])
        .arg(landfall)
        .args(["rehearse", "--from", "empty", "-o", "json"])
        .arg(&case.chart)
        .env_clear()
        .env("HOME", home.path())
        .env("LANDFALL_STATE", home.path().join("state"))
        .env("CI", "true")
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()?;
    let words = || {
        let text = String::from_utf8_lossy(&output.stderr);
        text.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said").chars().take(300).collect()
    };
    Ok(match output.status.code() {
        Some(0 | 1) => {
            let answer: Value = serde_json::from_slice(&output.stdout)?;
            Ending::Rehearsed(alarms(case, &answer["data"], output.status.success()))
        }
        Some(2) => Ending::Refused(words()),
        Some(124 | 137) => Ending::Broken(format!("does not end within {LONGEST} s")),
        _ => Ending::Broken(words()),
    })
}

/// The findings of a rehearsal; a delivery that fails without one is an error of its own.
fn alarms(case: &Case, data: &Value, passed: bool) -> Vec<Alarm> {
    // Where the corpus lies on this machine is nobody's business.
    let lies = case.chart.display().to_string();
    let text = |value: &Value| value.as_str().unwrap_or_default().replace(&lies, &case.id);
    let mut alarms: Vec<Alarm> = data["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| {
            let object = &finding["spots"][0]["object"];
            Alarm {
                chart: case.id.clone(),
                rule: text(&finding["rule"]),
                severity: text(&finding["severity"]),
                message: text(&finding["message"]),
                spot: format!("{}/{}", text(&object["kind"]), text(&object["name"])),
            }
        })
        .collect();
    if !passed && !alarms.iter().any(|alarm| alarm.severity == "error") {
        let why = data["trials"].as_array().into_iter().flatten().find_map(|trial| trial["why"][0]["message"].as_str());
        alarms.push(Alarm {
            chart: case.id.clone(),
            rule: "none".to_owned(),
            severity: "error".to_owned(),
            message: why.unwrap_or("would not deliver, and no finding says why").to_owned(),
            spot: String::new(),
        });
    }
    alarms
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn findings_name_the_chart_and_not_where_it_lies() {
        let chart = PathBuf::from("/somewhere/else/web");
        let case = Case { id: "team+charts/web".to_owned(), chart, values: Vec::new(), content: String::new() };
        let finding = json!({"rule": "LF101", "severity": "error", "message": "`now` in /somewhere/else/web/a.yaml:1",
            "spots": [{"object": {"name": "web"}}]});
        let found = alarms(&case, &json!({"findings": [finding]}), false);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].chart, &*found[0].message), ("team+charts/web", "`now` in team+charts/web/a.yaml:1"));
        assert_eq!(alarms(&case, &json!({}), false)[0].rule, "none");
    }
}
