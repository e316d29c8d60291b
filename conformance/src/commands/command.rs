//! `conformance kubectl`.

use std::process::ExitCode;

use clap::Args;

use super::{Shell, load};
use crate::embedded::{Embedded, Shape};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole};
use crate::testbed::{Layout, Running};
use crate::{peers, root};

/// Runs the files of commands under `conformance/kubectl` against the served embedded cluster.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only files whose name holds this text.
    only: Option<String>,
    /// Run them against the real control plane: shows that the expectations are its own.
    #[arg(long)]
    control: bool,
    /// Write docs/evidence/kubectl.json, or kubectl-control.json.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "kubectl",
        Material::Oracles,
        &[&["kubectl", "--evidence"], &["kubectl", "--control", "--evidence"]],
    ));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = root().join("conformance/kubectl");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "steps"));
    files.sort();

    let mut cases = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if arguments.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        // Each file has a cluster of its own.
        let (real, embedded);
        let kubeconfig = if arguments.control {
            real = Running::start(Layout::on_free_ports()?)?;
            std::fs::read_to_string(real.testbed().kubeconfig())?
        } else {
            embedded = Embedded::start(Shape::Whole, 0)?;
            embedded.kubeconfig().to_owned()
        };
        let shell = Shell::new(&folder.join("files"), &kubeconfig)?;
        for (index, step) in load(&file)?.iter().enumerate() {
            if step.simulated && arguments.control {
                continue;
            }
            let fault = step.judge(&shell.run(&step.line)?);
            if let Some(fault) = &fault {
                println!("{name} {}: {}\n  {fault}", index + 1, step.line);
            }
            cases.push(CaseEvidence::judged(format!("{name}/{}", index + 1), &step.line, fault.is_none()));
        }
    }
    let failed = cases.iter().filter(|case| case.verdict == "failed").count();
    let passed = cases.len() - failed;
    println!("kubectl and helm: {} commands, {passed} passed, {failed} failed", cases.len());
    if arguments.evidence && arguments.only.is_none() {
        let oracle = format!("{}, {}", peers::versions("kubectl")?, peers::versions("helm")?);
        let suite = if arguments.control { "kubectl-control" } else { "kubectl" };
        Evidence::of(suite, Cluster::controlled(arguments.control), oracle, cases).write(root())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
