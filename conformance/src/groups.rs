//! kubectl's own published shell suite, run from the Go module that carries it: nothing of it is committed here.
//!
//! Each group (a function `run_NAME_tests` under `test/cmd` of `k8s.io/kubernetes`) runs in a shell of its own against an embedded cluster of its own,
//! set up as the suite's own script sets up a server: no kubelet, no scheduler, one node, services in 10.0.0.0/24, and the admission plug-ins off that
//! it turns off. A group passes when the suite's own verdict is that it did.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::embedded::{Embedded, Shape};
use crate::evidence::{CaseEvidence, Evidence, commit};
use crate::{peers, root};

/// The folders of the module that the suite reads.
const FOLDERS: [&str; 7] = [
    "hack",
    "test/cmd",
    "test/fixtures",
    "test/e2e/testing-manifests",
    "cluster",
    "api",
    "third_party/forked/shell2junit",
];
const LIMIT: Duration = Duration::from_secs(150);

/// What the suite's own entry script prepares before it runs tests.
const DRIVER: &str = r#"
cd "$KUBE_ROOT"
source hack/lib/init.sh
source hack/lib/test.sh
source test/cmd/legacy-script.sh
set +o errexit +o nounset
kubectl config set-credentials test-admin --token "$ADMIN_TOKEN"
kubectl config set-cluster local --insecure-skip-tls-verify --server "https://127.0.0.1:$SECURE_API_PORT"
kubectl config set-context test --user test-admin --cluster local
kubectl config use-context test
CONTEXT=test
SUPPORTED_RESOURCES=("*")
kube::util::ensure-gnu-sed
runTests
"#;

/// Runs kubectl's own shell suite against the embedded cluster.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Groups by their names, without `run_` and `_tests`; every group when not said.
    groups: Vec<String>,
    /// Show what failing groups printed last.
    #[arg(long)]
    verbose: bool,
    /// Write docs/evidence/kubectl-suite.json.
    #[arg(long)]
    evidence: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("landfall-kubectl-suite-").tempdir()?;
    lay_out(&module()?, folder.path())?;
    let known = groups(folder.path())?;
    let chosen: Vec<String> = match arguments.groups.as_slice() {
        [] => known.iter().cloned().collect(),
        some => some.to_vec(),
    };
    if let Some(unknown) = chosen.iter().find(|group| !known.contains(*group)) {
        bail!("the suite has no group {unknown:?}");
    }
    let mut cases = Vec::new();
    for group in &chosen {
        let started = Instant::now();
        let ended = run_group(folder.path(), group)?;
        let verdict = if ended.passed { "passed" } else { "failed" };
        println!("{verdict} {group} ({} assertions, {:.0} s)", ended.assertions, started.elapsed().as_secs_f64());
        if !ended.passed && arguments.verbose {
            println!("{}", ended.tail);
        }
        cases.push(CaseEvidence {
            id: group.clone(),
            hash: crate::hash(&format!("{group} {}", ended.assertions)),
            verdict,
        });
    }
    let passed = cases.iter().filter(|case| case.verdict == "passed").count();
    println!("kubectl's own suite: {} groups, {passed} passed, {} failed", cases.len(), cases.len() - passed);
    if arguments.evidence && arguments.groups.is_empty() {
        let evidence = Evidence {
            suite: "kubectl-suite",
            commit: commit(root()),
            oracle: peers::versions("kubectl")?,
            planned: cases.len(),
            passed,
            failed: cases.len() - passed,
            skipped: 0,
            verdicts: [("passed", passed), ("failed", cases.len() - passed)].into(),
            cases,
        };
        evidence.write(root())?;
    }
    Ok(if passed == chosen.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The folder of `k8s.io/kubernetes` in the Go module cache.
fn module() -> anyhow::Result<PathBuf> {
    peers::binary("kubectl")?;
    let output = Command::new("go")
        .args(["mod", "download", "-json", "k8s.io/kubernetes"])
        .current_dir(root().join("conformance/oracles/kube"))
        .env("GOFLAGS", "-mod=mod")
        .output()
        .context("cannot run go")?;
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("go does not name the module's folder")?;
    Ok(answer["Dir"].as_str().context("go does not name the module's folder")?.into())
}

/// Copies what the suite needs to where it may write.
fn lay_out(module: &Path, folder: &Path) -> anyhow::Result<()> {
    for part in FOLDERS {
        let target = folder.join(part);
        fs::create_dir_all(target.parent().unwrap_or(folder))?;
        let status = Command::new("cp").arg("-r").arg(module.join(part)).arg(&target).status()?;
        ensure!(status.success(), "cannot copy {part}");
    }
    // The module cache is read-only, and so is its copy.
    let status = Command::new("chmod").args(["-R", "u+w"]).arg(folder).status()?;
    ensure!(status.success(), "cannot make the copy writable");
    let bin = folder.join("_output/bin");
    fs::create_dir_all(&bin)?;
    std::os::unix::fs::symlink(peers::binary("kubectl")?, bin.join("kubectl"))?;
    Ok(())
}

/// The names of the suite's groups.
fn groups(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder.join("test/cmd"))? {
        let text = fs::read_to_string(entry?.path())?;
        for line in text.lines() {
            let name = line
                .strip_prefix("run_")
                .and_then(|rest| rest.split("_tests()").next().filter(|name| name.len() + 8 <= rest.len()));
            names.extend(name.map(str::to_owned));
        }
    }
    ensure!(!names.is_empty(), "the module holds no groups");
    Ok(names)
}

/// How a group ended.
struct Ended {
    passed: bool,
    assertions: usize,
    tail: String,
}

fn run_group(folder: &Path, group: &str) -> anyhow::Result<Ended> {
    let embedded = Embedded::start(Shape::ShellSuite, 0)?;
    let endpoint = embedded.endpoint();
    let port = endpoint.url.rsplit(':').next().unwrap_or_default();
    let home = tempfile::Builder::new().prefix("landfall-kubectl-home-").tempdir()?;
    let bin = folder.join("_output/bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let log = home.path().join("output");
    let file = fs::File::create(&log)?;
    let mut child = Command::new("bash")
        .args(["-c", DRIVER])
        .env("KUBE_ROOT", folder)
        .env("KUBE_TEMP", home.path())
        .env("TMPDIR", home.path())
        .env("HOME", home.path())
        .env("PATH", path)
        .env("SECURE_API_PORT", port)
        .env("ADMIN_TOKEN", &endpoint.token)
        .env("ALLOW_SKEW", "1")
        .env("WHAT", group)
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .spawn()
        .context("cannot run bash")?;
    let started = Instant::now();
    let ended_well = loop {
        if let Some(status) = child.try_wait()? {
            break status.success();
        }
        if started.elapsed() > LIMIT {
            // The group's shell has children of its own.
            let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
            child.wait()?;
            break false;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let lines: Vec<&str> = output.lines().collect();
    Ok(Ended {
        passed: ended_well && !output.contains("FAIL!"),
        assertions: output.matches("Successful").count(),
        tail: lines[lines.len().saturating_sub(12)..].join("\n"),
    })
}
