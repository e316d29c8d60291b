//! `conformance distribution`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;

use super::certificates;
use super::side::{Compared, Ended, Side, Tool};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole};
use crate::{peers, root};

/// Packs, signs, pushes, finds, pulls and verifies charts with helm and with us, over a repository and a registry on loopback.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only scripts whose name holds this text.
    only: Option<String>,
    /// The binary (default: `landfall` beside this program).
    #[arg(long, value_name = "FILE")]
    landfall: Option<PathBuf>,
    /// Write docs/evidence/distribution.json.
    #[arg(long)]
    evidence: bool,
    /// Say what was planted: flips one letter of each of our outputs, which must be seen.
    #[arg(long)]
    selftest: bool,
}

/// A helm, and us in its manner.
struct Peers {
    name: &'static str,
    helm: Tool,
    ours: Tool,
    /// Helm 4 words its log otherwise, and keeps what it has fetched elsewhere.
    words: Words,
}

/// What of a version's texts and caches is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Compared,
    OfItsOwn,
}

struct Case {
    id: String,
    text: String,
    faults: Vec<String>,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("distribution", Material::Oracles, &[&["distribution", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let program = peers::landfall(arguments.landfall.as_deref())?;
    let peers = [
        Peers {
            name: "helm 3",
            helm: Tool { program: peers::binary("helm")?, words: &[], variables: &[] },
            ours: Tool { program: program.clone(), words: &["helm"], variables: &[] },
            words: Words::Compared,
        },
        Peers {
            name: "helm 4",
            helm: Tool { program: peers::binary("helm4")?, words: &[], variables: &[] },
            ours: Tool { program, words: &["helm"], variables: &[("LANDFALL_HELM_DIALECT", "v4")] },
            words: Words::OfItsOwn,
        },
    ];
    let folder = root().join("conformance/distribution");
    let mut scripts: Vec<PathBuf> =
        fs::read_dir(folder.join("scripts"))?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    scripts.sort();
    let began = Instant::now();
    let mut cases = Vec::new();
    for script in &scripts {
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(script).with_context(|| script.display().to_string())?;
        for peers in &peers {
            let only_three = text.starts_with("# helm 3");
            let wanted = arguments.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
            if wanted && !(only_three && peers.words == Words::OfItsOwn) {
                let ended = compared(&name, &text, peers, &folder, arguments.selftest)?;
                ended.iter().filter(|case| !arguments.selftest && !case.faults.is_empty()).for_each(tell_case);
                cases.extend(ended);
            }
        }
    }
    tell(&cases, began, arguments)
}

fn tell_case(case: &Case) {
    println!("{}", case.id);
    for fault in &case.faults {
        println!("    {}", fault.replace('\n', "\n    "));
    }
}

fn tell(cases: &[Case], began: Instant, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let failed = cases.iter().filter(|case| !case.faults.is_empty()).count();
    let passed = cases.len() - failed;
    if arguments.selftest {
        println!("distribution selftest: {failed} of {} planted letters seen", cases.len());
        return Ok(if passed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    println!(
        "distribution: {} scripts, {passed} equal, {failed} different, {} s",
        cases.len(),
        began.elapsed().as_secs()
    );
    if arguments.evidence && arguments.only.is_none() {
        let oracle = format!("{}, {}", peers::versions("helm")?, peers::versions("helm4")?);
        let judged = |case: &Case| CaseEvidence::judged(case.id.clone(), &case.text, case.faults.is_empty());
        let cases = cases.iter().map(judged).collect();
        Evidence::of("distribution", Cluster::Nothing, oracle, cases).write(root())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a script with each pair of tools, each beside helm alone.
fn compared(name: &str, text: &str, peers: &Peers, folder: &Path, planted: bool) -> anyhow::Result<Vec<Case>> {
    let lines: Vec<(Compared, &str)> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(kind).collect();
    let base = tempfile::Builder::new().prefix("landfall-distribution-").tempdir()?;
    let shared = base.path().join("shared");
    fs::create_dir(&shared)?;
    let certificates = certificates::write(&shared)?;
    let signed = root().join("crates/source/tests/it/signed");
    let charts = folder.join("charts");
    let material = [shared.as_path(), signed.as_path(), charts.as_path()];
    let both = [
        ("helm, helm", [&peers.helm, &peers.helm]),
        ("ours, ours", [&peers.ours, &peers.ours]),
        ("ours, helm", [&peers.ours, &peers.helm]),
        ("helm, ours", [&peers.helm, &peers.ours]),
    ];
    let run = |at: usize, tools: [&Tool; 2]| -> anyhow::Result<Vec<Ended>> {
        let root = base.path().join(format!("side-{at}"));
        let mut side = Side::make(root, tools.map(Clone::clone), &certificates, &material)?;
        lines.iter().map(|(_, line)| side.step(line).with_context(|| format!("{name}: {line}"))).collect()
    };
    let mut sides = std::thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> =
            both.iter().enumerate().map(|(at, (_, tools))| scope.spawn(move || run(at, *tools))).collect();
        let ended =
            running.into_iter().map(|side| side.join().map_err(|_| anyhow::anyhow!("a side ended unexpectedly"))?);
        ended.collect::<anyhow::Result<Vec<_>>>()
    })?;
    let expected = sides.remove(0);
    Ok(both[1..]
        .iter()
        .zip(sides)
        .map(|((pair, _), mut ended)| {
            let told = |(kind, ended): &((Compared, &str), &mut Ended)| {
                kind.0 != Compared::CodeOnly && !ended.stdout.is_empty()
            };
            if planted && let Some((_, last)) = lines.iter().copied().zip(ended.iter_mut()).rev().find(told) {
                last.stdout.insert(0, '~');
            }
            let faults = differences(&lines, &expected, &ended, peers.words);
            Case { id: format!("{name}/{}: {pair}", peers.name), text: text.to_owned(), faults }
        })
        .collect())
}

/// What of a line is compared is said in front of it: `~` not what it says on standard error, `?` only its exit code.
fn kind(line: &str) -> (Compared, &str) {
    match line.as_bytes().first() {
        Some(b'~') => (Compared::NotErrors, line[1..].trim_start()),
        Some(b'?') => (Compared::CodeOnly, line[1..].trim_start()),
        _ => (Compared::All, line),
    }
}

fn differences(lines: &[(Compared, &str)], expected: &[Ended], ended: &[Ended], words: Words) -> Vec<String> {
    let mut faults = Vec::new();
    // What lies there differently is told once.
    let mut told = BTreeSet::new();
    for (((compared, line), expected), ended) in lines.iter().zip(expected).zip(ended) {
        let mut found = Vec::new();
        if expected.code != ended.code {
            found.push(format!("exit: helm {:?}, ours {:?}\n{}", expected.code, ended.code, ended.stderr));
        }
        if *compared != Compared::CodeOnly && expected.stdout != ended.stdout {
            found.push(format!("stdout: {}", first(&expected.stdout, &ended.stdout)));
        }
        if *compared == Compared::All && words == Words::Compared && expected.stderr != ended.stderr {
            found.push(format!("stderr: {}", first(&expected.stderr, &ended.stderr)));
        }
        let looked_at = |name: &str| words == Words::Compared || !name.starts_with("home/");
        let of = |ended: &'_ Ended, name: &str| {
            ended
                .left
                .iter()
                .find(|(known, _)| known == name)
                .map_or_else(|| "(not there)".to_owned(), |(_, text)| text.clone())
        };
        let names: BTreeSet<&String> = expected.left.iter().chain(&ended.left).map(|(name, _)| name).collect();
        for name in names.into_iter().filter(|name| looked_at(name)) {
            let (helm, ours) = (of(expected, name), of(ended, name));
            if helm != ours && told.insert((name.clone(), ours.clone())) {
                found.push(format!("{name}: {}", first(&helm, &ours)));
            }
        }
        if !found.is_empty() {
            faults.push(format!("{line}\n  {}", found.join("\n").replace('\n', "\n  ")));
        }
    }
    faults
}

fn first(helm: &str, ours: &str) -> String {
    let at = helm.lines().zip(ours.lines()).take_while(|(helm, ours)| helm == ours).count();
    let line = |text: &str| {
        text.lines().nth(at).map_or_else(|| format!("(ends: {:?})", text.len()), |line| format!("{line:?}"))
    };
    format!("line {}\n  helm {}\n  ours {}", at + 1, line(helm), line(ours))
}
