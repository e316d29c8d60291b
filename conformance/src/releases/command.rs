//! `conformance releases`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;

use super::cells::{CHARTS, Pair, steps};
use super::compare::differences;
use super::side::{Ended, Place, Tool};
use crate::embedded::{Embedded, Shape};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole};
use crate::testbed::{Layout, Running};
use crate::{peers, root, sample};

/// Compares Landfall's releases with stock helm's on the embedded cluster: scripts of commands, and releases that change
/// hands.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    wanted: Wanted,
    /// Against the cluster of this kubeconfig.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// The same on a real API server, with its controllers, scheduler and a stand-in for kubelets.
#[derive(Args)]
pub(crate) struct Control {
    #[command(flatten)]
    wanted: Wanted,
}

/// Which cases, and by which programs.
#[derive(Args)]
struct Wanted {
    /// Only scripts and cells whose name holds this text.
    only: Option<String>,
    /// All cells; otherwise the scripts and a third of the cells, drawn by the commit's hash.
    #[arg(long)]
    all: bool,
    /// The binary (default: `landfall` beside this program).
    #[arg(long, value_name = "FILE")]
    landfall: Option<PathBuf>,
    /// A helm 4 (default: the oracle, where there is one)
    #[arg(long, value_name = "FILE")]
    helm4: Option<PathBuf>,
    /// Write the suite's file in docs/evidence.
    #[arg(long)]
    evidence: bool,
}

/// On which cluster.
enum On<'a> {
    Embedded,
    Control,
    /// That of a kubeconfig; nobody knows which that is, so it leaves no evidence.
    Given(&'a Path),
}

impl On<'_> {
    fn suite(&self) -> &'static str {
        match self {
            On::Embedded | On::Given(_) => "releases",
            On::Control => "releases-control",
        }
    }
}

/// One case: its name, what it was made of, and what differs.
struct Case {
    id: String,
    text: String,
    faults: Vec<String>,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("releases", Material::Oracles, &[&["releases", "--all", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(&self.wanted, &self.kubeconfig.as_deref().map_or(On::Embedded, On::Given))
    }
}

impl Suite for Control {
    const WHOLE: Option<Whole> =
        Some(Whole::of("releases-control", Material::Oracles, &[&["releases-control", "--all", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(&self.wanted, &On::Control)
    }
}

fn run(arguments: &Wanted, on: &On<'_>) -> anyhow::Result<ExitCode> {
    let (control, embedded);
    let folder = tempfile::Builder::new().prefix("landfall-releases-").tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    let text = match on {
        On::Given(path) => std::fs::read_to_string(path)?,
        On::Control => {
            control = Running::start(Layout::on_free_ports()?)?;
            std::fs::read_to_string(control.testbed().kubeconfig())?
        }
        On::Embedded => {
            embedded = Embedded::start(Shape::Whole, 0)?;
            embedded.kubeconfig().to_owned()
        }
    };
    std::fs::write(&kubeconfig, text)?;
    let place = Place {
        kubectl: peers::binary("kubectl")?,
        kubeconfig,
        home: folder.path().to_owned(),
        charts: root().join("conformance/releases/charts"),
    };
    let program = peers::landfall(arguments.landfall.as_deref())?;
    let ours = |name, dialect| Tool {
        name,
        words: vec![program.display().to_string(), "helm".to_owned()],
        dialect: Some(dialect),
    };
    let stock = |name, oracle: &str| {
        anyhow::Ok(Tool { name, words: vec![peers::binary(oracle)?.display().to_string()], dialect: None })
    };
    let (ours_3, ours_4) = (ours("landfall", "v3"), ours("landfall v4", "v4"));
    let helm_3 = stock("helm 3", "helm")?;
    let helm_4 = match &arguments.helm4 {
        Some(path) => {
            Some(Tool { name: "helm 4", words: vec![std::path::absolute(path)?.display().to_string()], dialect: None })
        }
        None if arguments.all && peers::versions("helm4").is_ok() => Some(stock("helm 4", "helm4")?),
        None => None,
    };

    let wanted = |id: &str| arguments.only.as_ref().is_none_or(|only| id.contains(only.as_str()));
    let began = Instant::now();
    let mut cases = Vec::new();
    let real = !matches!(on, On::Embedded);
    for script in scripts()?.into_iter().filter(|script| wanted(&script.id)) {
        // A bare control plane has no container whose log could be read.
        if real && script.text.starts_with("# containers are simulated") {
            continue;
        }
        cases.push(scripted(&place, &script, &helm_3, &ours_3)?);
    }
    let mut pairs = vec![
        Pair { first: &ours_3, second: &helm_3, peer_first: &helm_3, peer_second: &helm_3 },
        Pair { first: &helm_3, second: &ours_3, peer_first: &helm_3, peer_second: &helm_3 },
    ];
    if let Some(helm_4) = &helm_4 {
        pairs.extend([
            Pair { first: &ours_4, second: helm_4, peer_first: helm_4, peer_second: helm_4 },
            Pair { first: helm_4, second: &ours_4, peer_first: helm_4, peer_second: helm_4 },
        ]);
    }
    let drawn = (sample::seed() % 3) as usize;
    for (pair_index, pair) in pairs.iter().enumerate() {
        for (index, chart) in CHARTS.iter().enumerate() {
            let id = format!("cell/{}/{}-{}", pair.name(), chart.name, index + 1);
            // Every third cell is a sample in which each pair comes up, with another chart at each commit.
            let sampled = arguments.all || (index + pair_index + drawn).is_multiple_of(3);
            // Helm 4 waits for hooks by other rules and says so in other words.
            let told_alike = chart.name != "failhook" || !pair.name().contains('4');
            if sampled && told_alike && wanted(&id) {
                let lines: Vec<(usize, String)> = steps(chart).into();
                let faults = compared(&place, &lines, [pair.peer_first, pair.peer_second], [pair.first, pair.second])?;
                cases.push(Case { text: format!("{id} {lines:?}"), id, faults });
            }
        }
    }
    tell(&cases, began, arguments, on, helm_4.is_some())
}

fn tell(
    cases: &[Case],
    began: Instant,
    arguments: &Wanted,
    on: &On<'_>,
    with_helm_4: bool,
) -> anyhow::Result<ExitCode> {
    for case in cases.iter().filter(|case| !case.faults.is_empty()) {
        println!("{}", case.id);
        for fault in &case.faults {
            println!("    {}", fault.replace('\n', "\n    "));
        }
    }
    let failed = cases.iter().filter(|case| !case.faults.is_empty()).count();
    let passed = cases.len() - failed;
    let cells = cases.iter().filter(|case| case.id.starts_with("cell/")).count();
    println!(
        "{}: {} scripts and {cells} of {} cells, {passed} equal, {failed} different, {} s",
        on.suite(),
        cases.len() - cells,
        CHARTS.len() * if with_helm_4 { 4 } else { 2 },
        began.elapsed().as_secs()
    );
    if arguments.evidence && arguments.only.is_none() && arguments.all && !matches!(on, On::Given(_)) {
        let mut oracle = format!("{}, {}", peers::versions("helm")?, peers::versions("kubectl")?);
        if with_helm_4 {
            let version = peers::versions("helm4").unwrap_or_else(|_| "helm 4 as given".to_owned());
            oracle = format!("{oracle}, {version}");
        }
        let cluster = match on {
            On::Control => {
                oracle = format!("{oracle}, {}", peers::versions("kube-apiserver")?);
                Cluster::Real
            }
            On::Embedded | On::Given(_) => Cluster::Embedded,
        };
        let judged = |case: &Case| CaseEvidence::judged(case.id.clone(), &case.text, case.faults.is_empty());
        Evidence::of(on.suite(), cluster, oracle, cases.iter().map(judged).collect()).write(root())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file of commands.
struct Script {
    id: String,
    text: String,
}

fn scripts() -> anyhow::Result<Vec<Script>> {
    let folder = root().join("conformance/releases/scripts");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    files
        .iter()
        .map(|path| {
            let id = format!("script/{}", path.file_stem().unwrap_or_default().to_string_lossy());
            Ok(Script { id, text: std::fs::read_to_string(path).with_context(|| path.display().to_string())? })
        })
        .collect()
}

fn scripted(place: &Place, script: &Script, peer: &Tool, ours: &Tool) -> anyhow::Result<Case> {
    let lines: Vec<(usize, String)> = script
        .text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| (0, line.to_owned()))
        .collect();
    let faults = compared(place, &lines, [peer, peer], [ours, ours])?;
    Ok(Case { id: script.id.clone(), text: script.text.clone(), faults })
}

/// Runs lines on both sides, at the same time where they do not share what they make, and says in what they differ; a difference is told once.
fn compared(
    place: &Place,
    lines: &[(usize, String)],
    peers: [&Tool; 2],
    ours: [&Tool; 2],
) -> anyhow::Result<Vec<String>> {
    let run = |namespace: &str, tools: [&Tool; 2]| -> anyhow::Result<Vec<Ended>> {
        place.namespace(namespace)?;
        let ended = lines.iter().map(|(who, line)| place.step(tools[*who], namespace, line)).collect();
        place.forget(namespace)?;
        ended
    };
    let unique = format!("{}-{}", std::process::id(), next());
    let (peer_space, own_space) = (format!("peer-{unique}"), format!("ours-{unique}"));
    place.undefine()?;
    let defines = |line: &str| line.split_whitespace().any(|word| place.charts.join(word).join("crds").is_dir());
    let (theirs, own) = if lines.iter().any(|(_, line)| defines(line)) {
        // A definition is the whole cluster's: what one side brings, the other would find.
        let theirs = run(&peer_space, peers)?;
        place.undefine()?;
        (theirs, run(&own_space, ours)?)
    } else {
        let (theirs, own) = std::thread::scope(|scope| {
            let peer = scope.spawn(|| run(&peer_space, peers));
            let own = run(&own_space, ours);
            (peer.join(), own)
        });
        (theirs.map_err(|_| anyhow::anyhow!("the peer's side ended unexpectedly"))??, own?)
    };
    let mut faults = Vec::new();
    let mut told = std::collections::BTreeSet::new();
    for (((_, line), peer), ours) in lines.iter().zip(&theirs).zip(&own) {
        let mut found = Vec::new();
        if peer.code != ours.code {
            found.push(format!("exit: peer {:?}, ours {:?}", peer.code, ours.code));
        }
        for (name, a, b) in [("stdout", &peer.stdout, &ours.stdout), ("stderr", &peer.stderr, &ours.stderr)] {
            if a != b {
                found.push(format!("{name}\n--- peer\n{a}--- ours\n{b}"));
            }
        }
        let mut left = Vec::new();
        differences(&peer.left, &ours.left, "", &mut left);
        found.extend(left.into_iter().filter(|fault| told.insert(fault.clone())));
        faults.extend(found.into_iter().map(|fault| format!("$ {line}\n{fault}")));
    }
    Ok(faults)
}

/// A number that no other namespace of this run has.
fn next() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
