//! Whether images may be promoted: each gate that is declared, and each reason against it in a sentence of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_project::{Gates, ReportLevel};
use serde::Serialize;

use crate::evidence::{CHECK, Evidence, HEALTH, REPORT, Record};
use crate::hold::{Held, held};

/// An image that is to be promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct TestedImage {
    /// Its repository: `ghcr.io/acme/web`.
    pub repository: String,
    /// The tag that it was tested under.
    pub tag: String,
    /// Its digest, `sha256:` in front.
    pub digest: String,
}

/// What a look for a signature or an attestation of an image has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vouched {
    /// The key has signed this very digest.
    Yes,
    /// There is nothing.
    Nothing,
    /// Only others have signed it.
    ByAnother,
    /// The key has signed, and another digest.
    OtherDigest,
}

/// What is known when gates are asked.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// What is declared.
    pub gates: &'a Gates,
    /// The environment that the images ran in.
    pub from: &'a str,
    /// The images.
    pub images: &'a [TestedImage],
    /// The checks that are declared there.
    pub checks: &'a [DeclaredCheck],
    /// What was seen, in its order.
    pub evidence: &'a [Evidence],
    /// What images wait for that have not run there yet: by their digests.
    pub waiting: &'a [(String, String)],
    /// Who has signed: by the image's repository.
    pub signatures: &'a [(String, Vouched)],
    /// What is attested and signed by the key: by the image's repository and the predicate's type.
    pub attestations: &'a [(String, String)],
    /// What the receiving environment says is still open.
    pub open: &'a [String],
    /// Versions that are held back.
    pub holds: &'a [Held],
    /// What else the images are called: as what they are to be released, and every tag that their digests have.
    pub names: &'a [String],
    /// Now.
    pub now: Timestamp,
}

/// A check as it is declared where a promotion is judged by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredCheck {
    /// Its name.
    pub name: String,
    /// What stands for how it is declared.
    pub made_as: String,
}

/// How a gate stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateVerdict {
    /// What is asked: `health`, `check api health`, `soak`.
    pub gate: String,
    /// Why not; nothing where it is open.
    pub refusal: Option<GateRefusal>,
    /// What was found, in a few words.
    pub said: String,
}

/// Why images may not be promoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateRefusal {
    /// Somebody holds it back.
    #[error("{tag} is held back by {by}: {reason}")]
    Held {
        /// The version.
        tag: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// It never ran there, as far as anybody has seen.
    #[error("{image} was never seen running in {environment}{}: what was not tested is not promoted", .why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default())]
    Untested {
        /// The image with its digest.
        image: String,
        /// Where.
        environment: String,
        /// What it waits for there, where it is delivered.
        why: Option<String>,
    },
    /// It ran there, and does not any more.
    #[error("{image} does not run in {environment} any more: {why}")]
    Gone {
        /// The image with its digest.
        image: String,
        /// Where.
        environment: String,
        /// What runs.
        why: String,
    },
    /// What runs it is not well.
    #[error("{environment} is not well with {image}: {why}")]
    Unhealthy {
        /// The image.
        image: String,
        /// Where.
        environment: String,
        /// What was found.
        why: String,
    },
    /// A check has failed.
    #[error("the check `{check}` of {environment} has failed with {image}: {why}")]
    CheckFailed {
        /// The check.
        check: String,
        /// Where.
        environment: String,
        /// The image.
        image: String,
        /// What was found.
        why: String,
    },
    /// A check was not made.
    #[error("the check `{check}` of {environment} was never made with {image}")]
    CheckMissing {
        /// The check.
        check: String,
        /// Where.
        environment: String,
        /// The image.
        image: String,
    },
    /// A check was made of somebody's own.
    #[error("the check `{check}` of {environment} was made with {image} as it is not declared on the branch")]
    CheckOtherwise {
        /// The check.
        check: String,
        /// Where.
        environment: String,
        /// The image.
        image: String,
    },
    /// A check is wanted that is not declared.
    #[error("the gate wants the check `{check}`, and {environment} declares none of that name")]
    CheckUnknown {
        /// The check.
        check: String,
        /// Where.
        environment: String,
    },
    /// It has not run for long enough.
    #[error("{image} has run well in {environment} for {so_long}, and {wanted} are wanted")]
    NotSoaked {
        /// The image.
        image: String,
        /// Where.
        environment: String,
        /// For how long.
        so_long: String,
        /// How long it must.
        wanted: String,
    },
    /// Nobody has handed in a report.
    #[error("no report (SARIF) was handed in for {image}, and the gate wants one")]
    ReportMissing {
        /// The image.
        image: String,
    },
    /// A report has findings.
    #[error("{tool} has findings in its report on {image}: {why}")]
    ReportFindings {
        /// Whose report.
        tool: String,
        /// The image.
        image: String,
        /// How many, of which level.
        why: String,
    },
    /// It is not signed.
    #[error("{image} is not signed: nothing lies beside it in its registry")]
    Unsigned {
        /// The image.
        image: String,
    },
    /// It is signed by others.
    #[error("{image} is signed, and not with the key that {key} holds")]
    SignedByAnother {
        /// The image.
        image: String,
        /// The key's file.
        key: String,
    },
    /// A signature is about something else.
    #[error("the signature beside {image} is for another digest")]
    SignedOtherwise {
        /// The image.
        image: String,
    },
    /// Something is not attested.
    #[error("nobody attests `{kind}` of {image} with the key that is declared")]
    Unattested {
        /// The image.
        image: String,
        /// What.
        kind: String,
    },
    /// The receiving environment is not ready for data.
    #[error("the receiving environment is not ready for customers' data: {} open", .0.join(", "))]
    DataNotReady(Vec<String>),
}

impl Serialize for GateRefusal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Every gate with its verdict, in the order in which they are told.
pub fn judge(asked: &Asked<'_>) -> Vec<GateVerdict> {
    let mut verdicts = vec![hold(asked)];
    // What a check has found that was loosened, or tightened, where it was made, is not what is asked here.
    let is_asked = |one: &&Evidence| {
        if one.made_as.is_empty() {
            return true;
        }
        if one.what.starts_with(REPORT) {
            return asked.gates.reports.is_none_or(|level| level_word(level) == one.made_as);
        }
        let declared = asked.checks.iter().find(|check| one.what.strip_prefix(CHECK) == Some(check.name.as_str()));
        declared.is_none_or(|check| check.made_as == one.made_as)
    };
    for image in asked.images {
        let record = Record::of(asked.evidence.iter().filter(is_asked), &image.digest, asked.from);
        let before = verdicts.len();
        run(asked, image, &record, &mut verdicts);
        // What never ran, or does not run, has no further reason.
        let is_absent =
            |one: &GateVerdict| matches!(one.refusal, Some(GateRefusal::Untested { .. } | GateRefusal::Gone { .. }));
        if verdicts[before..].iter().any(is_absent) {
            continue;
        }
        soak(asked, image, &record, &mut verdicts);
        reports(asked, image, &record, &mut verdicts);
    }
    signatures(asked, &mut verdicts);
    if !asked.open.is_empty() {
        let said = format!("{} open", asked.open.join(", "));
        let refusal = asked.gates.data_ready.then(|| GateRefusal::DataNotReady(asked.open.to_vec()));
        verdicts.push(GateVerdict { gate: "data-ready".to_owned(), refusal, said });
    } else if asked.gates.data_ready {
        verdicts.push(open("data-ready", "everything is done"));
    }
    once(verdicts)
}

/// A check is made of a place, and what it found there is told once, however many images ran there.
fn once(verdicts: Vec<GateVerdict>) -> Vec<GateVerdict> {
    let mut told = BTreeSet::new();
    let closed: BTreeSet<String> =
        verdicts.iter().filter(|one| one.refusal.is_some()).map(|one| one.gate.clone()).collect();
    let is_news = |one: &GateVerdict| {
        let is_open_check = one.refusal.is_none() && one.gate.starts_with(CHECK);
        !is_open_check || (!closed.contains(&one.gate) && told.insert(one.gate.clone()))
    };
    verdicts.into_iter().filter(is_news).collect()
}

fn open(gate: impl Into<String>, said: impl Into<String>) -> GateVerdict {
    GateVerdict { gate: gate.into(), refusal: None, said: said.into() }
}

fn refused(gate: impl Into<String>, refusal: GateRefusal) -> GateVerdict {
    GateVerdict { gate: gate.into(), said: refusal.to_string(), refusal: Some(refusal) }
}

/// An image for people: its name and the beginning of its digest.
fn shown(image: &TestedImage) -> String {
    let digest: String = image.digest.chars().take("sha256:".len() + 12).collect();
    format!("{}:{}@{digest}", image.repository, image.tag)
}

fn hold(asked: &Asked<'_>) -> GateVerdict {
    let tags = asked.images.iter().map(|image| image.tag.as_str());
    match held(asked.holds, tags.chain(asked.names.iter().map(String::as_str))) {
        Some(Held { tag, by, reason }) => {
            refused("hold", GateRefusal::Held { tag: tag.clone(), by: by.clone(), reason: reason.clone() })
        }
        None => open("hold", "nobody holds it back"),
    }
}

fn run(asked: &Asked<'_>, image: &TestedImage, record: &Record<'_>, verdicts: &mut Vec<GateVerdict>) {
    let (environment, named, digest) = (asked.from.to_owned(), shown(image), image.digest.as_str());
    match record.last(HEALTH) {
        None => {
            let why = asked.waiting.iter().find(|(digest, _)| *digest == image.digest).map(|(_, why)| why.clone());
            verdicts.push(refused(HEALTH, GateRefusal::Untested { image: named, environment, why }));
            return;
        }
        Some(_) if let Some(gone) = record.gone() => {
            let refusal = GateRefusal::Gone { image: named, environment, why: gone.detail.clone() };
            verdicts.push(refused(HEALTH, refusal));
            return;
        }
        Some(one) if !one.passed => {
            let refusal = GateRefusal::Unhealthy { image: named.clone(), environment, why: one.detail.clone() };
            verdicts.push(refused(HEALTH, refusal));
        }
        Some(one) => verdicts.push(open(HEALTH, format!("{named}: well in {environment} at {}", one.at))),
    }
    let wanted: Vec<&String> = match &asked.gates.checks {
        Some(named) => named.iter().collect(),
        None => asked.checks.iter().map(|check| &check.name).collect(),
    };
    for check in wanted {
        let (gate, environment, image) = (format!("{CHECK}{check}"), asked.from.to_owned(), named.clone());
        let verdict = match record.last(&gate) {
            _ if !asked.checks.iter().any(|it| it.name == *check) => {
                refused(gate, GateRefusal::CheckUnknown { check: check.clone(), environment })
            }
            None => {
                let check = check.clone();
                let is_it = |one: &Evidence| one.what == gate && one.environment == environment && one.digest == digest;
                let was_made = asked.evidence.iter().any(is_it);
                let refusal = match was_made {
                    true => GateRefusal::CheckOtherwise { check, environment, image },
                    false => GateRefusal::CheckMissing { check, environment, image },
                };
                refused(gate, refusal)
            }
            Some(one) if !one.passed => {
                let (check, why) = (check.clone(), one.detail.clone());
                refused(gate, GateRefusal::CheckFailed { check, environment, image, why })
            }
            // What could not be made, and is left out for this once, says so.
            Some(one) if !one.detail.is_empty() => open(gate, one.detail.clone()),
            Some(one) => open(gate, format!("passed at {}", one.at)),
        };
        verdicts.push(verdict);
    }
}

fn soak(asked: &Asked<'_>, image: &TestedImage, record: &Record<'_>, verdicts: &mut Vec<GateVerdict>) {
    let Some(wanted) = asked.gates.soak.as_ref() else { return };
    let so_long = record.well_since().map_or(SignedDuration::ZERO, |since| asked.now.duration_since(since));
    let so_long = Duration::try_from(so_long).unwrap_or_default();
    let verdict = match so_long >= wanted.duration() {
        true => open("soak", format!("{} has run well for {}", shown(image), span(so_long))),
        false => refused(
            "soak",
            GateRefusal::NotSoaked {
                image: shown(image),
                environment: asked.from.to_owned(),
                so_long: span(so_long),
                wanted: wanted.to_string(),
            },
        ),
    };
    verdicts.push(verdict);
}

/// A time for people: `26h`, `40m`, `12s`.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 7200 => format!("{}h", seconds / 3600),
        seconds if seconds >= 120 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

fn reports(asked: &Asked<'_>, image: &TestedImage, record: &Record<'_>, verdicts: &mut Vec<GateVerdict>) {
    if asked.gates.reports.is_none() {
        return;
    }
    let mut any = false;
    for one in record.all(REPORT) {
        any = true;
        let tool = one.what.trim_start_matches(REPORT).to_owned();
        verdicts.push(match one.passed {
            true => open(one.what.clone(), one.detail.clone()),
            false => refused(
                one.what.clone(),
                GateRefusal::ReportFindings { tool, image: shown(image), why: one.detail.clone() },
            ),
        });
    }
    if !any {
        verdicts.push(refused("report", GateRefusal::ReportMissing { image: shown(image) }));
    }
}

fn signatures(asked: &Asked<'_>, verdicts: &mut Vec<GateVerdict>) {
    let Some(key) = &asked.gates.signature else { return };
    for image in asked.images {
        let found = asked.signatures.iter().find(|(repository, _)| *repository == image.repository);
        let (gate, image_shown) = ("signature", shown(image));
        verdicts.push(match found.map_or(Vouched::Nothing, |(_, found)| *found) {
            Vouched::Yes => open(gate, format!("{image_shown} is signed with the key of {key}")),
            Vouched::Nothing => refused(gate, GateRefusal::Unsigned { image: image_shown }),
            Vouched::ByAnother => {
                refused(gate, GateRefusal::SignedByAnother { image: image_shown, key: key.to_string() })
            }
            Vouched::OtherDigest => refused(gate, GateRefusal::SignedOtherwise { image: image_shown }),
        });
        for kind in &asked.gates.attestations {
            let is_there = asked.attestations.iter().any(|(of, what)| *of == image.repository && what == kind);
            let gate = format!("attestation {kind}");
            verdicts.push(match is_there {
                true => open(gate, format!("{} has it", shown(image))),
                false => refused(gate, GateRefusal::Unattested { image: shown(image), kind: kind.clone() }),
            });
        }
    }
}

/// What stands for the level from which a report's findings were counted.
pub fn level_word(level: ReportLevel) -> &'static str {
    match level {
        ReportLevel::Note => "note",
        ReportLevel::Warning => "warning",
        ReportLevel::Error => "error",
    }
}

/// What a report in SARIF says: whose it is, and how many findings it has of a level and above.
///
/// # Errors
/// It is no such report.
pub fn report_findings(text: &str, level: ReportLevel) -> Result<Vec<(String, usize)>, String> {
    let report: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let runs = report["runs"].as_array().ok_or("it is no SARIF: it has no `runs`")?;
    if runs.is_empty() {
        return Err("nothing was run for it: `runs` is empty".to_owned());
    }
    let mut tools = Vec::new();
    for run in runs {
        let name = run.pointer("/tool/driver/name").and_then(serde_json::Value::as_str).unwrap_or_default();
        // It stands in a line of a pull request.
        let name: String = name.chars().filter(|c| c.is_alphanumeric() || " ._-".contains(*c)).take(60).collect();
        let name = if name.trim().is_empty() { "a tool without a name".to_owned() } else { name };
        // A run that failed has not looked at everything.
        let invocations = run["invocations"].as_array().into_iter().flatten();
        if invocations.clone().any(|one| one["executionSuccessful"] == false) {
            return Err(format!("the run of {name} did not come to its end"));
        }
        let is_bad = |result: &&serde_json::Value| {
            let is_open = result["suppressions"].as_array().is_none_or(Vec::is_empty);
            let is_finding = result["kind"].as_str().is_none_or(|kind| kind == "fail");
            is_open && is_finding && of_result(run, result).is_some_and(|found| found >= level)
        };
        let results = run["results"].as_array().ok_or(format!("the run of {name} has no `results`"))?;
        tools.push((name, results.iter().filter(is_bad).count()));
    }
    Ok(tools)
}

/// The level of a finding: its own, else its rule's, else SARIF's usual one; nothing where it is `none`.
fn of_result(run: &serde_json::Value, result: &serde_json::Value) -> Option<ReportLevel> {
    let rule = result["ruleId"].as_str().or(result.pointer("/rule/id").and_then(serde_json::Value::as_str));
    let rules = run.pointer("/tool/driver/rules").and_then(serde_json::Value::as_array).into_iter().flatten();
    let usual = rules
        .filter(|one| rule.is_some() && one["id"].as_str() == rule)
        .find_map(|one| one.pointer("/defaultConfiguration/level")?.as_str());
    match result["level"].as_str().or(usual).unwrap_or("warning") {
        "none" => None,
        "note" => Some(ReportLevel::Note),
        "warning" => Some(ReportLevel::Warning),
        // What is not known is not taken for harmless.
        _ => Some(ReportLevel::Error),
    }
}

#[cfg(test)]
mod tests;
