//! `landfall addon install` on a real API server: it installs, stock helm sees the release, and a second time nothing is
//! written, by the server's own audit log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole, corpus};
use crate::testbed::{Audit, Layout, Running};
use crate::{limited, peers, root};

/// Which binary, and whether evidence is written.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The `landfall` to run; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
    /// Write docs/evidence/addons.json.
    #[arg(long)]
    evidence: bool,
}

/// The addons, where their charts lie in a corpus, and their namespaces.
const ADDONS: [(&str, &str, &str); 3] = [
    ("cert-manager", "cert-manager+cert-manager/deploy/charts/cert-manager", "cert-manager"),
    ("sealed-secrets", "bitnami-labs+sealed-secrets/helm/sealed-secrets", "kube-system"),
    ("mariadb-operator", "mariadb-operator+mariadb-operator/deploy/charts/mariadb-operator", "mariadb-operator"),
];

/// How long an installation may take.
const LIMIT: Duration = Duration::from_secs(180);

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("addons", Material::Corpus, &[&["addons", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = peers::landfall(arguments.landfall.as_deref())?;
    let folders = corpus();
    ensure!(!folders.is_empty(), "LANDFALL_CORPUS names no folders of public charts");
    let mut cases = Vec::new();
    for (name, place, namespace) in ADDONS {
        let chart = folders.iter().map(|folder| folder.join(place)).find(|chart| chart.join("Chart.yaml").is_file());
        let chart = chart.with_context(|| format!("{place} is in no folder of LANDFALL_CORPUS"))?;
        let wrong = twice(&landfall, name, &chart, namespace)?;
        println!("{} addon {name}", if wrong.is_empty() { "holds" } else { "FAILS" });
        wrong.iter().for_each(|what| println!("  {what}"));
        let made_of = fs::read_to_string(chart.join("Chart.yaml"))?;
        cases.push(CaseEvidence::judged(name.to_owned(), &made_of, wrong.is_empty()));
    }
    let evidence = Evidence::of("addons", Cluster::Real, peers::versions("kube-apiserver")?, cases);
    if arguments.evidence {
        evidence.write(root())?;
    }
    println!(
        "addons: {} of {} installed twice on a real API server, the second time without a write",
        evidence.passed, evidence.planned
    );
    Ok(if evidence.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs an addon twice on a control plane of its own; what did not hold, in sentences.
fn twice(landfall: &Path, name: &str, chart: &Path, namespace: &str) -> anyhow::Result<Vec<String>> {
    let home = tempfile::Builder::new().prefix("landfall-addons-").tempdir()?;
    let audit = Audit::within(home.path())?;
    let mut layout = Layout::on_free_ports()?;
    layout.api_server_flags = audit.flags();
    let running = Running::start(layout)?;
    let kubeconfig = running.testbed().kubeconfig();
    let out = home.path().join("out.txt");
    let called = |program: &Path, arguments: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let mut child = Command::new(program)
            .args(arguments)
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out)?)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok((limited::wait(&mut child, LIMIT)?, fs::read_to_string(&out)?))
    };
    let place = chart.display().to_string();
    let install = ["addon", "install", name, "--chart", &place];
    let mut wrong = Vec::new();
    let (code, printed) = called(landfall, &install)?;
    if code != Some(0) {
        wrong.push(format!("the first time it ends with {code:?}: {printed}"));
        return Ok(wrong);
    }
    let first = writes(&audit)?;
    if first.is_empty() {
        wrong.push("the first time nothing was written".to_owned());
    }
    let stock = peers::binary("helm")?;
    let (code, listed) = called(&stock, &["list", "-n", namespace, "-o", "json"])?;
    let listed: Value = serde_json::from_str(&listed).unwrap_or_default();
    let releases = listed.as_array().map(Vec::as_slice).unwrap_or_default();
    let deployed = releases.iter().any(|it| it["name"] == name && it["status"] == "deployed" && it["revision"] == "1");
    if code != Some(0) || !deployed {
        wrong.push(format!("stock helm does not list it as deployed at revision 1: {listed}"));
    }
    let before = writes(&audit)?.len();
    let (code, printed) = called(landfall, &install)?;
    if code != Some(0) || !printed.contains("unchanged") {
        wrong.push(format!("the second time it ends with {code:?}: {printed}"));
    }
    wrong.extend(writes(&audit)?.into_iter().skip(before).map(|write| format!("the second time it wrote: {write}")));
    Ok(wrong)
}

/// What the API server has logged of others than this suite and the control plane that was not reading alone.
fn writes(audit: &Audit) -> anyhow::Result<Vec<String>> {
    let requests = audit.requests()?;
    Ok(requests.iter().filter(|it| !it.is_read()).map(|it| format!("{} {}", it.verb, it.uri)).collect())
}
