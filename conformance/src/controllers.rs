//! Published controllers, unmodified, on the embedded cluster.
//!
//! A file of steps under `conformance/controllers` starts the controllers that it is about (`start NAME`) and plays their life with kubectl, as in
//! [`crate::commands`]. With `--control` the same file runs on the real control plane, which shows that the expectations are the controllers' and not
//! ours; `~ $ …` are about the simulated twins and run on the embedded cluster only.

mod examples;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::commands::{Shell, load};
use crate::distribution::Shelf;
use crate::embedded::{Embedded, Shape};
use crate::evidence::{self, CaseEvidence, Evidence};
use crate::http::Endpoint;
use crate::suite::{Material, Suite, Whole};
use crate::testbed::{Layout, Running};
use crate::{peers, root};

/// Plays the files of commands under `conformance/controllers` with the controllers that they start.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only files whose name holds this text.
    only: Option<String>,
    /// Play them on the real control plane.
    #[arg(long)]
    control: bool,
    /// A folder of Argo CD's own repositories, whose examples are to be accepted; may be repeated, else LANDFALL_ARGO names them.
    #[arg(long)]
    argo: Vec<PathBuf>,
    /// Write docs/evidence/controllers.json, or controllers-control.json.
    #[arg(long)]
    evidence: bool,
}

/// How long one command may take; a Certificate is looked at for a minute.
const LIMIT: Duration = Duration::from_secs(150);

/// What each file starts and calls.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("cert-manager", &["cert-manager-controller"]),
    ("flux", &["flux-source-controller", "flux-kustomize-controller"]),
    ("sealed-secrets", &["sealed-secrets-controller", "kubeseal"]),
];

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "controllers",
        Material::Oracles,
        &[&["controllers", "--evidence"], &["controllers", "--control", "--evidence"]],
    ));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = root().join("conformance/controllers");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "steps"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if arguments.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        cases.extend(play(&name, &file, arguments.control)?);
    }
    let mut argo = arguments.argo.clone();
    if argo.is_empty() {
        argo.extend(std::env::var_os("LANDFALL_ARGO").iter().flat_map(std::env::split_paths));
    }
    let mut skipped = "";
    let wanted = arguments.only.as_ref().is_none_or(|only| "argo-examples".contains(only.as_str()));
    if wanted && argo.is_empty() {
        skipped = "; Argo CD's examples skipped: no folders (LANDFALL_ARGO is not set)";
    } else if wanted {
        let (ours, real) = (Embedded::start(Shape::Whole, 0)?, Running::start(Layout::on_free_ports()?)?);
        let real = std::fs::read_to_string(real.testbed().kubeconfig())?;
        cases.extend(examples::accepted([ours.kubeconfig(), &real], &argo)?);
    }
    let failed = cases.iter().filter(|case| case.verdict == "failed").count();
    println!("controllers: {} steps, {} passed, {failed} failed{skipped}", cases.len(), cases.len() - failed);
    if arguments.evidence && arguments.only.is_none() {
        let programs = PROGRAMS.iter().flat_map(|(_, programs)| *programs);
        let versions: Vec<String> = programs.map(|name| peers::versions(name)).collect::<Result<_, _>>()?;
        let suite = if arguments.control { "controllers-control" } else { "controllers" };
        let cluster = evidence::Cluster::controlled(arguments.control);
        let mut evidence = Evidence::of(suite, cluster, versions.join(", "), cases);
        evidence.skipped = usize::from(!skipped.is_empty());
        evidence.write(root())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A cluster for one file.
struct Cluster {
    kubeconfig: String,
    endpoint: Endpoint,
    _embedded: Option<Embedded>,
    _real: Option<Running>,
}

impl Cluster {
    fn start(control: bool) -> anyhow::Result<Self> {
        if control {
            let real = Running::start(Layout::on_free_ports()?)?;
            let kubeconfig = std::fs::read_to_string(real.testbed().kubeconfig())?;
            let endpoint = real.testbed().endpoint()?;
            return Ok(Self { kubeconfig, endpoint, _embedded: None, _real: Some(real) });
        }
        let embedded = Embedded::start(Shape::Whole, 0)?;
        let (kubeconfig, endpoint) = (embedded.kubeconfig().to_owned(), embedded.endpoint().clone());
        Ok(Self { kubeconfig, endpoint, _embedded: Some(embedded), _real: None })
    }
}

fn programs(file: &str) -> anyhow::Result<&'static [&'static str]> {
    let found = PROGRAMS.iter().find(|(name, _)| *name == file);
    found.map(|(_, programs)| *programs).with_context(|| format!("nobody says which programs {file}.steps starts"))
}

/// Plays one file on a cluster of its own.
fn play(name: &str, file: &Path, control: bool) -> anyhow::Result<Vec<CaseEvidence>> {
    for program in programs(name)? {
        peers::binary(program)?;
    }
    let cluster = Cluster::start(control)?;
    let shelf = Shelf::open_alone()?;
    let mut shell = Shell::new(&root().join("conformance/controllers/files"), &cluster.kubeconfig)?;
    shell.limit(LIMIT);
    std::fs::write(shell.folder().join(".ca.crt"), &cluster.endpoint.ca)?;
    for (variable, value) in [
        ("BIN", peers::cache()?.bin().display().to_string()),
        ("LANDFALL", peers::landfall(None)?.display().to_string()),
        ("API_URL", cluster.endpoint.url.clone()),
        ("API_TOKEN", cluster.endpoint.token.clone()),
        ("REGISTRY", format!("127.0.0.1:{}", shelf.ports.plain)),
    ] {
        shell.set(variable, value);
    }
    let _started = Started(shell.folder().to_owned());
    let mut cases = Vec::new();
    for (index, step) in load(file)?.iter().enumerate() {
        if step.simulated && control {
            continue;
        }
        let fault = step.judge(&shell.run(&step.line)?);
        if let Some(fault) = &fault {
            println!("{name} {}: {}\n  {fault}", index + 1, step.line);
        }
        cases.push(CaseEvidence::judged(format!("{name}/{}", index + 1), &step.line, fault.is_none()));
    }
    Ok(cases)
}

/// Ends what the steps of a file have started, whose process ids are in files of this folder.
struct Started(PathBuf);

impl Drop for Started {
    fn drop(&mut self) {
        let files = std::fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in files.filter(|file| file.extension().is_some_and(|ending| ending == "pid")) {
            let pid = std::fs::read_to_string(&file).unwrap_or_default();
            if pid.trim().parse::<u32>().is_ok() {
                let ended = Command::new("kill").arg(pid.trim()).stderr(Stdio::null()).status();
                let _ = ended.context("a controller could not be ended").map_err(|error| eprintln!("{error:#}"));
            }
        }
    }
}
