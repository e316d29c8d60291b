//! What would be refused is told before anything is begun: the same on a real API server and on the embedded one, and by
//! the real one's audit log nothing was written but a namespace that was taken back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole};
use crate::testbed::{Audit, Layout, Running};
use crate::{limited, peers, root};

/// Which binary, and whether evidence is written.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The `landfall` to run; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
    /// Write docs/evidence/trials.json.
    #[arg(long)]
    evidence: bool,
}

/// One chart and what is said of it.
struct Case {
    name: &'static str,
    /// Its templates, beside a migration that runs before the installation.
    template: &'static str,
    /// Whether it is delivered, or refused with these words.
    refused: &'static [&'static str],
}

const MIGRATION: &str = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: run, image: example/migrate:1}]}}}\n";

const CASES: &[Case] = &[
    Case {
        name: "wrong selector",
        template: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: other}}, spec: {containers: [{name: web, image: example/web:1}]}}}\n",
        refused: &["LF0411", "Deployment/web", "`selector` does not match template `labels`", "templates/all.yaml:4"],
    },
    Case {
        name: "negative replicas",
        template: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: example/web:1}]}}\n",
        refused: &["LF0411", "spec.replicas: Invalid value: -1", "values.yaml:1", "templates/all.yaml:5"],
    },
    Case {
        name: "invalid host and missing namespace, both at once",
        template: "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [{host: Bad_Host, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: far, namespace: elsewhere}\n",
        refused: &[
            "Ingress/web",
            "spec.rules[0].host: Invalid value: \"Bad_Host\"",
            "ConfigMap/far",
            "namespaces \"elsewhere\" not found",
        ],
    },
    Case {
        name: "a hook of the last phase",
        template: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: report, annotations: {helm.sh/hook: post-install}}\nspec: {template: {spec: {restartPolicy: Sometimes, containers: [{name: run, image: example/run:1}]}}}\n",
        refused: &["Job/report", "spec.template.spec.restartPolicy"],
    },
    Case {
        name: "a removed apiVersion",
        template: "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: report}\nspec: {schedule: \"0 3 * * *\", jobTemplate: {spec: {template: {spec: {serviceAccountName: job-sa, restartPolicy: Never, containers: [{name: run, image: example/run:1}]}}}}}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: job-sa}\n",
        refused: &["LF0410", "CronJob/report", "removed in 1.25", "batch/v1`", "templates/all.yaml:1"],
    },
    Case {
        name: "an instance of a definition that comes along",
        template: "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.gadgets.example.com}\nspec:\n  group: gadgets.example.com\n  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}\n  scope: Namespaced\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, minimum: 1}}}}}}}]\n---\napiVersion: gadgets.example.com/v1\nkind: Gadget\nmetadata: {name: one}\nspec: {size: 0}\n",
        refused: &["Gadget/one", "should be greater than or equal to 1", "by the definition that is delivered"],
    },
    Case {
        name: "what leans on its own delivery is not refused",
        template: "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: own}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: once}\nspec: {serviceAccountName: own, priorityClassName: own-class, restartPolicy: Never, containers: [{name: run, image: example/run:1}]}\n---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: own-class}\nvalue: 5\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: own}\nrules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: own}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: own}\nsubjects: [{kind: ServiceAccount, name: own}]\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: beside}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: there, namespace: beside}\n",
        refused: &[],
    },
];

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Where a chart is delivered to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Real,
    Embedded,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("trials", Material::Oracles, &[&["trials", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = peers::landfall(arguments.landfall.as_deref())?;
    let home = tempfile::Builder::new().prefix("landfall-trials-").tempdir()?;
    let audit = Audit::within(home.path())?;
    let mut layout = Layout::on_free_ports()?;
    layout.api_server_flags = audit.flags();
    let running = Running::start(layout)?;
    let kubeconfig = running.testbed().kubeconfig();
    let mut cases = Vec::new();
    for (number, case) in CASES.iter().enumerate() {
        for on in [On::Real, On::Embedded] {
            let place = home.path().join(format!("{number}-{}", if on == On::Real { "real" } else { "embedded" }));
            let wrong = tried(&landfall, case, on, &place, &kubeconfig, &audit)?;
            let name = format!("{} ({})", case.name, if on == On::Real { "kube-apiserver" } else { "embedded" });
            println!("{} {name}", if wrong.is_empty() { "holds" } else { "FAILS" });
            wrong.iter().for_each(|what| println!("  {what}"));
            cases.push(CaseEvidence::judged(name, case.template, wrong.is_empty()));
        }
    }
    let evidence = Evidence::of("trials", Cluster::Both, peers::versions("kube-apiserver")?, cases);
    if arguments.evidence {
        evidence.write(root())?;
    }
    println!("trials: {} of {} told before anything was begun", evidence.passed, evidence.planned);
    Ok(if evidence.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs the case's chart; what did not hold, in sentences.
fn tried(
    landfall: &Path,
    case: &Case,
    on: On,
    place: &Path,
    kubeconfig: &Path,
    audit: &Audit,
) -> anyhow::Result<Vec<String>> {
    let chart = place.join("web");
    fs::create_dir_all(chart.join("templates"))?;
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 0.1.0\n")?;
    fs::write(chart.join("values.yaml"), "replicas: -1\n")?;
    fs::write(chart.join("templates/all.yaml"), case.template)?;
    fs::write(chart.join("templates/migrate.yaml"), MIGRATION)?;
    let namespace = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let namespace = format!("shop-{namespace}");
    let mut command = Command::new(landfall);
    match on {
        On::Real => {
            command.args(["install", "web", "web", "--create-namespace", "-n", &namespace, "--kubeconfig"]);
            // Its pods run on no node that would run a migration: what is delivered is judged without it.
            command.arg(kubeconfig).args(if case.refused.is_empty() { &["--no-hooks"][..] } else { &[] });
        }
        On::Embedded => drop(command.args(["up", "web", "-n", &namespace, "--no-wait", "--state", "state"])),
    }
    let before = writes(audit)?.len();
    let said = place.join("said.txt");
    let out = fs::File::create(&said)?;
    let mut child = command
        .env_clear()
        .env("HOME", place)
        .env("CI", "true")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(place)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("cannot run {}", landfall.display()))?;
    let code = limited::wait(&mut child, LIMIT)?;
    let said = fs::read_to_string(&said)?;
    let mut wrong = Vec::new();
    let wanted = if case.refused.is_empty() { 0 } else { 1 };
    if code != Some(wanted) {
        wrong.push(format!("it ends with {code:?}: {said}"));
    }
    wrong.extend(
        case.refused
            .iter()
            .filter(|words| !said.contains(**words))
            .map(|words| format!("{words:?} is not said: {said}")),
    );
    if on == On::Real && wanted == 1 {
        let own = format!("/api/v1/namespaces/{namespace}");
        let others = writes(audit)?.into_iter().skip(before).filter(|(verb, uri)| {
            let path = uri.split('?').next().unwrap_or_default();
            !(verb == "create" && path == "/api/v1/namespaces" || verb == "delete" && path == own)
        });
        wrong.extend(others.map(|(verb, uri)| format!("it wrote: {verb} {uri}")));
    }
    Ok(wrong)
}

/// What the API server has logged of others than this suite and the control plane that was kept.
fn writes(audit: &Audit) -> anyhow::Result<Vec<(String, String)>> {
    let requests = audit.requests()?.into_iter().filter(|it| !it.is_read() && !it.uri.contains("dryRun=All"));
    Ok(requests.map(|it| (it.verb, it.uri)).collect())
}
