//! `conformance admission`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::ensure;
use clap::Args;
use landfall_object::pod_security::{Level, LevelVersion, Version};
use serde_json::json;

use super::VERSIONS;
use super::cases::{self, Case};
use super::flows::{self, MODES, namespace};
use super::mutants::{self, Real};
use super::server::{Answer, Request, send_all, send_in_turn};
use super::table::{self, Control, Meaning};
use crate::differential::{Other, Sides};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole};
use crate::{peers, testbed};

/// How many random pods are sent under each level and version.
const RANDOM: usize = 60;
/// Fewer requests than this would mean that a part of the table was lost.
const AT_LEAST: usize = 5000;
/// How many differences are shown.
const SHOWN: usize = 60;

/// Sends the Pod Security Standards' table to a real API server and to the embedded one and compares the answers.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only cases whose id holds this text
    only: Option<String>,
    /// The seed of the random pods
    #[arg(long, default_value_t = 1_360_300)]
    seed: u64,
    /// Compare a second real control plane instead of the embedded cluster: shows that the comparison is fair
    #[arg(long)]
    control: bool,
    /// Write docs/evidence/admission.json
    #[arg(long)]
    evidence: bool,
}

/// One request with what both servers said.
struct Told<'a> {
    request: Request,
    case: Option<(&'a Case, LevelVersion)>,
    real: Answer,
    ours: Answer,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("admission", Material::Oracles, &[&["admission", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let controls = table::load()?;
    let mut cases = cases::of_table(&controls);
    cases.extend(cases::random(&controls, RANDOM, arguments.seed));
    let runtime = testbed::runtime()?;
    let other = if arguments.control { Other::Real } else { Other::Embedded };
    let sides = Sides::start(&other, false)?;
    let began = Instant::now();
    let told = runtime.block_on(ask(&sides, &cases, arguments.only.as_deref()))?;
    let seconds = began.elapsed().as_secs();
    drop(sides);
    report(&controls, &told, arguments, seconds)
}

/// Levels and versions, with the namespace that enforces each.
fn standards() -> Vec<(String, LevelVersion)> {
    let all = [Level::Baseline, Level::Restricted].into_iter().flat_map(|level| {
        VERSIONS.iter().filter_map(move |text| Some(LevelVersion { level, version: Version::parse(text)? }))
    });
    all.chain([LevelVersion::default()])
        .map(|under| (format!("{}-{}", under.level, under.version).replace('.', "-"), under))
        .collect()
}

async fn ask<'a>(sides: &Sides, cases: &'a [Case], only: Option<&str>) -> anyhow::Result<Vec<Told<'a>>> {
    let standards = standards();
    let mut made = vec![namespace("plain", &[]), namespace("peopled", &[])];
    for (name, under) in &standards {
        let version = under.version.to_string();
        made.push(namespace(name, &[("enforce", under.level.word()), ("enforce-version", &version)]));
    }
    made.extend(MODES.iter().map(|(name, modes)| namespace(&format!("modes-{name}"), modes)));
    let names: Vec<String> = made.iter().filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect();
    let made = made.into_iter().map(|body| Request::post("a namespace".into(), "/api/v1/namespaces".into(), body));
    let accounts = names.iter().map(|name| {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        Request::post("an account".into(), format!("/api/v1/namespaces/{name}/serviceaccounts"), account)
    });
    prepare(sides, &made.collect::<Vec<_>>()).await?;
    prepare(sides, &accounts.collect::<Vec<_>>()).await?;

    let mut requests = Vec::new();
    let mut of = Vec::new();
    for case in cases {
        for (name, under) in &standards {
            let path = format!("/api/v1/namespaces/{name}/pods?dryRun=All");
            requests.push(Request::post(format!("pod/{}/{under}", case.id), path, case.pod.clone()));
            of.push(Some((case, *under)));
        }
    }
    let mut rest = flows::workloads();
    let (people, lives) = (flows::people(), flows::lives());
    let fits = |request: &Request| only.is_none_or(|only| request.id.contains(only));
    let mut told = Vec::new();
    // The pods of a namespace are there before it is labelled; a life goes on step by step.
    for sequence in [people, lives] {
        let (real, ours) = tokio::join!(send_in_turn(&sides.real, &sequence), send_in_turn(&sides.other, &sequence));
        let answers = real?.into_iter().zip(ours?);
        let made =
            sequence.into_iter().zip(answers).map(|(request, (real, ours))| Told { request, case: None, real, ours });
        told.extend(made.filter(|it| fits(&it.request)));
    }
    rest.extend(flows::labels());
    of.extend(rest.iter().map(|_| None));
    requests.extend(rest);
    let (requests, of): (Vec<Request>, Vec<_>) =
        requests.into_iter().zip(of).filter(|(request, _)| fits(request)).unzip();
    let (real, ours) = tokio::join!(send_all(&sides.real, &requests), send_all(&sides.other, &requests));
    let answers = real?.into_iter().zip(ours?).zip(of);
    told.extend(requests.into_iter().zip(answers).map(|(request, ((real, ours), case))| Told {
        request,
        case,
        real,
        ours,
    }));
    Ok(told)
}

/// Sends what both sides must take.
async fn prepare(sides: &Sides, requests: &[Request]) -> anyhow::Result<()> {
    for side in [&sides.real, &sides.other] {
        let answers = send_all(side, requests).await?;
        for (request, answer) in requests.iter().zip(answers) {
            // Where a controller makes the account, it may have come first.
            ensure!(matches!(answer.code, 201 | 409), "{} was refused: {}", request.path, answer.message);
        }
    }
    Ok(())
}

/// What is wrong with a case: our answer, or the table.
fn fault(controls: &[Control], told: &Told<'_>) -> Option<String> {
    if told.real != told.ours {
        return Some(format!("real {}\n       ours {}", shown(&told.real), shown(&told.ours)));
    }
    let (case, under) = told.case?;
    let (control, meaning) = case.of?;
    let says = if under.level == Level::Privileged { None } else { controls[control].says(meaning, under) };
    // What validation refuses is forbidden at every level.
    let refused = told.real.code == 403;
    match says {
        Some(Meaning::Allowed) if refused => {
            Some(format!("the table says allowed, the real server {}", shown(&told.real)))
        }
        Some(Meaning::Forbidden) if told.real.code == 201 => {
            Some("the table says forbidden, the real server takes it".into())
        }
        _ => None,
    }
}

fn shown(answer: &Answer) -> String {
    format!("{} {:?} {} {:?}", answer.code, answer.message, answer.details, answer.warnings)
}

fn report(controls: &[Control], told: &[Told<'_>], arguments: &Arguments, seconds: u64) -> anyhow::Result<ExitCode> {
    let mut failed = 0;
    let mut evidence = BTreeMap::new();
    let mut faults: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for one in told {
        let fault = fault(controls, one);
        // A case of the evidence is one pod or one kind of request; its levels and versions are too many to list.
        let id = one.case.map_or(one.request.id.clone(), |(case, _)| format!("pod/{}", case.id));
        let entry: &mut (String, bool) =
            evidence.entry(id.clone()).or_insert_with(|| (one.request.body.to_string(), true));
        entry.1 &= fault.is_none();
        if let Some(fault) = fault {
            failed += 1;
            faults.entry(id).or_insert_with(|| (0, format!("{}: {fault}", one.request.id))).0 += 1;
        }
    }
    for (count, first) in faults.values().take(SHOWN) {
        println!("{count} × {first}");
    }
    if faults.len() > SHOWN {
        println!("and {} more", faults.len() - SHOWN);
    }
    let real: Vec<Real<'_>> = told.iter().filter_map(as_real).collect();
    let score = mutants::score(&real);
    let whole = arguments.only.is_none();
    for missed in score.missed.iter().filter(|_| whole) {
        println!("no case notices a broken check: {missed}");
    }
    if arguments.evidence {
        let cases = evidence.into_iter().map(|(id, (text, passed))| CaseEvidence::judged(id, &text, passed)).collect();
        Evidence::of("admission", Cluster::Both, peers::versions("kube-apiserver")?, cases).write(crate::root())?;
    }
    println!(
        "admission: {} planned, {} passed, {failed} failed; {} of {} broken checks noticed; {seconds} s",
        told.len(),
        told.len() - failed,
        score.planted - score.missed.len(),
        score.planted
    );
    let is_whole = !whole || (told.len() >= AT_LEAST && score.missed.is_empty());
    Ok(if failed == 0 && is_whole && !told.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_real<'t>(told: &'t Told<'_>) -> Option<Real<'t>> {
    let (case, under) = told.case.filter(|(case, _)| !case.rewritten)?;
    Some(Real { pod: &case.pod, under, code: told.real.code, message: &told.real.message })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn answer(code: u16, message: &str, warnings: &[&str]) -> Answer {
        let warnings = warnings.iter().map(|text| (*text).to_owned()).collect();
        Answer { code, message: message.to_owned(), details: Value::Null, warnings }
    }

    #[test]
    fn a_case_fails_when_anything_that_is_said_differs() {
        let fault_of = |ours: Answer| {
            let request = Request::post("x".into(), "/".into(), json!({}));
            let real = answer(403, "refused", &["w"]);
            fault(&[], &Told { request, case: None, real, ours }).is_some()
        };
        assert!(!fault_of(answer(403, "refused", &["w"])));
        assert!(fault_of(answer(201, "refused", &["w"])));
        assert!(fault_of(answer(403, "refused!", &["w"])));
        assert!(fault_of(answer(403, "refused", &[])));
    }

    #[test]
    fn a_case_fails_when_the_table_is_wrong() {
        let controls = table::load().expect("it is well formed");
        let cases = cases::of_table(&controls);
        let case = cases.iter().find(|case| case.id.starts_with("host-namespaces")).expect("a case");
        let (control, _) = case.of.expect("of the table");
        let under = LevelVersion { level: Level::Baseline, version: Version::Latest };
        let says = controls[control].says(Meaning::Forbidden, under);
        assert_eq!(says, Some(Meaning::Forbidden));
        let wrong =
            cases.iter().find(|case| case.of == Some((control, Meaning::Forbidden))).expect("a forbidden value");
        let taken = answer(201, "", &[]);
        let request = Request::post("x".into(), "/".into(), json!({}));
        let told = Told { request, case: Some((wrong, under)), real: taken.clone(), ours: taken };
        assert!(fault(&controls, &told).is_some());
    }
}
