//! Each way by which a key that is generated once could be lost, walked by the binary, kubectl and git (`conformance/once`): on the
//! embedded cluster, or with `--control` on a real API server with its own garbage collection.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::commands::{Shell, load};
use crate::embedded::{Embedded, Shape};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::testbed::{Layout, Running};
use crate::{peers, root};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A file of steps.
struct Played<'p> {
    suite: &'static str,
    steps: &'p Path,
    /// What lies in the folder where they run.
    files: &'p Path,
    oracle: String,
}

/// Walks them; writes docs/evidence/once-paths.json, or once-paths-control.json, where that is asked for.
pub(super) fn walk(control: bool, leaves: bool) -> anyhow::Result<ExitCode> {
    let folder = root().join("conformance/once");
    let suite = if control { "once-paths-control" } else { "once-paths" };
    let oracle = "the value and the uid that a guarded key had before".to_owned();
    let play = Played { suite, steps: &folder.join("paths.steps"), files: &folder.join("files"), oracle };
    played(&play, Cluster::controlled(control), leaves)
}

/// Plays a file of steps on a cluster of its own; writes the suite's evidence where that is asked for.
fn played(play: &Played<'_>, cluster: Cluster, leaves: bool) -> anyhow::Result<ExitCode> {
    let is_real = cluster == Cluster::Real;
    let (_embedded, _real, kubeconfig) = match is_real {
        true => {
            let real = Running::start(Layout::on_free_ports()?)?;
            let kubeconfig = std::fs::read_to_string(real.testbed().kubeconfig())?;
            (None, Some(real), kubeconfig)
        }
        false => {
            let embedded = Embedded::start(Shape::Whole, 0)?;
            let kubeconfig = embedded.kubeconfig().to_owned();
            (Some(embedded), None, kubeconfig)
        }
    };
    let mut shell = Shell::new(play.files, &kubeconfig)?;
    shell.limit(LIMIT);
    shell.set("LANDFALL", peers::landfall(None)?.display().to_string());
    // The built-in twin opens what is sealed on the embedded cluster, the server elsewhere.
    shell.set("SEALING", if is_real { "keep" } else { "off" }.to_owned());
    let _serving = Serving(shell.folder().join("serve.pid"));
    let mut cases = Vec::new();
    for (number, step) in load(play.steps)?.iter().enumerate() {
        if step.simulated && is_real {
            continue;
        }
        let fault = step.judge(&shell.run(&step.line)?);
        if let Some(fault) = &fault {
            println!("{}: {}\n  {fault}", number + 1, step.line);
        }
        cases.push(CaseEvidence::judged(format!("{}/{}", play.suite, number + 1), &step.line, fault.is_none()));
    }
    let evidence = Evidence::of(play.suite, cluster, play.oracle.clone(), cases);
    println!("{}: {} steps, {} failed", play.suite, evidence.planned, evidence.failed);
    if leaves {
        evidence.write(root())?;
    }
    Ok(if evidence.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends the server that the steps have started.
struct Serving(std::path::PathBuf);

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(pid) = pid(&self.0) {
            // It may have ended by itself.
            let _ended = Command::new("kill").arg(pid).stderr(Stdio::null()).status();
        }
    }
}

fn pid(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.trim().parse::<u32>().is_ok().then(|| text.trim().to_owned())
}
