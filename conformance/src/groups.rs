//! kubectl's own published shell suite, run from the Go module that carries it: nothing of it is committed here.
//!
//! Each group that the suite's own script records (a function `run_NAME_tests` under `test/cmd` of `k8s.io/kubernetes`) runs in a shell of its own
//! against an embedded cluster of its own, set up as the suite's script sets up a server: its authority signs certificates, everybody may everything, no
//! kubelet, no scheduler, one node, services in 10.0.0.0/24, and the admission plug-ins off that it turns off. A group passes when the suite's own
//! verdict is that it did. One that fails stays counted as failed; `conformance/kubectl-suite.toml` says why those fail that are not to be mended.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use landfall_drydock::Authority;
use serde::Deserialize;

use crate::embedded::{Embedded, Shape};
use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole};
use crate::{limited, peers, root};

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
const LIMIT: Duration = Duration::from_secs(600);

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
# In a whole run every group finds the namespace of the one before it.
create_and_use_new_namespace
# The suite's script takes names without their ends.
declare -F "run_${WHAT}_tests" > /dev/null || eval "run_${WHAT}_tests() { run_${WHAT}; }"
runTests
"#;

/// Runs kubectl's own shell suite against the embedded cluster.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Groups by their names, without `run_` and `_tests`; every group that the suite's own script runs when not said.
    groups: Vec<String>,
    /// Show what failing groups printed last.
    #[arg(long)]
    verbose: bool,
    /// Keep each group's whole output in this folder, one file a group.
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Write docs/evidence/kubectl-suite.json.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> =
        Some(Whole::of("kubectl-suite", Material::Oracles, &[&["kubectl-suite", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("landfall-kubectl-suite-").tempdir()?;
    let (module, version) = module()?;
    lay_out(&module, folder.path())?;
    let known = groups(folder.path())?;
    let reasons = Reasons::load(&root().join("conformance/kubectl-suite.toml"))?;
    let chosen: Vec<String> = match arguments.groups.as_slice() {
        [] => known.iter().cloned().collect(),
        some => some.to_vec(),
    };
    if let Some(unknown) = chosen.iter().find(|group| !known.contains(*group)) {
        bail!("the suite has no group {unknown:?}");
    }
    let mut cases = Vec::new();
    let mut surprises = 0;
    for group in &chosen {
        let started = Instant::now();
        let ended = run_group(folder.path(), group)?;
        if let Some(logs) = &arguments.logs {
            fs::create_dir_all(logs)?;
            fs::write(logs.join(group), &ended.output)?;
        }
        let verdict = if ended.passed { "passed" } else { "failed" };
        let figures = format!("{} assertions, {:.0} s", ended.assertions, started.elapsed().as_secs_f64());
        match reasons.of(group) {
            Some(reason) if !ended.passed && ended.output.contains(&reason.words) => {
                println!("{verdict} {group} ({figures}): {}", reason.why);
            }
            Some(_) => {
                surprises += 1;
                println!("{verdict} {group} ({figures}), and not as conformance/kubectl-suite.toml says");
            }
            None => {
                surprises += usize::from(!ended.passed);
                println!("{verdict} {group} ({figures})");
            }
        }
        if !ended.passed && arguments.verbose {
            println!("{}", ended.tail());
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
        let oracle = format!("the suite of {version}, {}", peers::versions("kubectl")?);
        Evidence::of("kubectl-suite", Cluster::Embedded, oracle, cases).write(root())?;
    }
    Ok(if surprises == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Why groups fail that are not to be mended.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasons {
    #[serde(default)]
    group: Vec<Reason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    name: String,
    why: String,
    /// What its output holds when it fails for this reason.
    words: String,
}

impl Reasons {
    fn load(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))
    }

    fn of(&self, group: &str) -> Option<&Reason> {
        self.group.iter().find(|reason| reason.name == group)
    }
}

/// The folder of `k8s.io/kubernetes` in the Go module cache, and its version.
fn module() -> anyhow::Result<(PathBuf, String)> {
    peers::binary("kubectl")?;
    let output = Command::new("go")
        .args(["mod", "download", "-json", "k8s.io/kubernetes"])
        .current_dir(root().join("conformance/oracles/kube"))
        .env("GOFLAGS", "-mod=mod")
        .output()
        .context("cannot run go")?;
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("go does not name the module's folder")?;
    let text = |key: &str| answer[key].as_str().with_context(|| format!("go does not say the module's {key}"));
    Ok((text("Dir")?.into(), text("Version")?.to_owned()))
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
    make_scripts_executable(folder)?;
    let bin = folder.join("_output/bin");
    fs::create_dir_all(&bin)?;
    for tool in ["kubectl", "kubectl-convert"] {
        std::os::unix::fs::symlink(peers::binary(tool)?, bin.join(tool))?;
    }
    Ok(())
}

/// A module's archive does not keep which files are programs: those that say who interprets them are.
fn make_scripts_executable(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            make_scripts_executable(&path)?;
        } else if fs::read(&path)?.starts_with(b"#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// The names of the groups that the suite's own script records.
fn groups(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let script = fs::read_to_string(folder.join("test/cmd/legacy-script.sh"))?;
    let recorded = script.lines().filter_map(|line| line.trim().strip_prefix("record_command run_"));
    let names: BTreeSet<String> = recorded.map(|name| name.strip_suffix("_tests").unwrap_or(name).to_owned()).collect();
    ensure!(!names.is_empty(), "the module holds no groups");
    Ok(names)
}

/// Ends all that a group's shell started, proxies it left behind among them.
fn end_group(shell: &Child) {
    // An error means that nothing of it is left.
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", shell.id())]).stderr(Stdio::null()).status();
}

/// How a group ended.
struct Ended {
    passed: bool,
    assertions: usize,
    output: String,
}

impl Ended {
    /// The last lines that it printed.
    fn tail(&self) -> String {
        let lines: Vec<&str> = self.output.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

fn run_group(folder: &Path, group: &str) -> anyhow::Result<Ended> {
    let mut options = Shape::ShellSuite.options();
    let authority = folder.join("hack/testdata/ca");
    options.authority = Some(Authority {
        certificate: fs::read_to_string(authority.join("ca.crt"))?,
        key: fs::read_to_string(authority.join("ca.key"))?,
    });
    let embedded = Embedded::open(options, 0)?;
    let endpoint = embedded.endpoint();
    let port = endpoint.url.rsplit(':').next().unwrap_or_default();
    let home = tempfile::Builder::new().prefix("landfall-kubectl-home-").tempdir()?;
    let bin = folder.join("_output/bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    // The suite's server leaves its certificate where the tests of `kubectl config` look for one.
    fs::write(home.path().join("apiserver.crt"), &endpoint.ca)?;
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
        .env("KUBE_JUNIT_REPORT_DIR", home.path().join("junit"))
        .env("WHAT", group)
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .spawn()
        .context("cannot run bash")?;
    let ended_well = limited::wait(&mut child, LIMIT)? == Some(0);
    end_group(&child);
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(Ended { passed: ended_well, assertions: output.matches("Successful").count(), output })
}
