//! The ways in which a chart gets onto a cluster: stock helm's, and each of ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::ground::{self, Ground};
use super::stored::Stored;
use crate::limited;

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(120);
/// What commands are told to wait at most.
const TIMEOUT: &str = "30s";
/// The release's name and its namespace.
pub(super) const RELEASE: &str = "thing";
pub(super) const NAMESPACE: &str = "place";
/// The repository that a chart is said to come from.
const REPOSITORY: &str = "https://git.example.com/charts.git";

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    Helm3,
    Helm4,
    /// `landfall install`, `landfall upgrade`.
    Verbs,
    /// `landfall helm …` in the manner of Helm 3.
    Persona3,
    /// `landfall helm …` in the manner of Helm 4.
    Persona4,
    /// `landfall up CHART`.
    Up,
    /// `landfall up` of an Argo Application.
    Application,
    /// `helm template` as Argo CD calls it, applied: what an Application is held against where its chart asks for what
    /// Argo CD does not tell it (`lookup`, whether it is an upgrade, what its own definitions bring).
    Templated,
}

impl Door {
    /// Ours.
    pub(super) const OURS: [Self; 5] = [Self::Verbs, Self::Persona3, Self::Persona4, Self::Up, Self::Application];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Helm3 => "helm 3",
            Self::Helm4 => "helm 4",
            Self::Verbs => "install",
            Self::Persona3 => "helm install",
            Self::Persona4 => "helm install, as helm 4",
            Self::Up => "up",
            Self::Application => "an Application",
            Self::Templated => "helm template",
        }
    }

    /// Whose objects it has to leave.
    pub(super) fn peer(self) -> Self {
        match self {
            Self::Helm4 | Self::Persona4 => Self::Helm4,
            _ => Self::Helm3,
        }
    }

    /// Whether it looks for every object that pods cannot start without before it writes the first one.
    pub(super) fn looks_ahead(self) -> bool {
        matches!(self, Self::Up | Self::Application | Self::Templated)
    }

    /// The acts that it has with a parcel.
    pub(super) fn acts(self, parcel: &Parcel) -> &'static [Act] {
        match self {
            // Where nothing has changed `up` makes no revision.
            Self::Up if parcel.first == parcel.second => &[Act::Install],
            // Going back is another sync.
            Self::Application => &[Act::Install, Act::Upgrade],
            _ => &[Act::Install, Act::Upgrade, Act::RollBack],
        }
    }
}

/// What is done with a release, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Install,
    Upgrade,
    RollBack,
}

impl Act {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::RollBack => "rollback",
        }
    }
}

/// A chart with its values, first and changed.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    /// The chart's directory.
    pub(super) chart: PathBuf,
    /// Values for the installation.
    pub(super) first: Value,
    /// Values for the upgrade.
    pub(super) second: Value,
}

/// The programs.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) helm3: PathBuf,
    pub(super) helm4: PathBuf,
    pub(super) kubectl: PathBuf,
    pub(super) landfall: PathBuf,
}

/// How an act ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// What is stored afterwards.
    Done(Stored),
    /// It was refused, in these words.
    Refused(String),
}

/// Does all acts of a door, on an empty API, until one is refused.
pub(super) fn deliver(
    door: Door,
    acts: &[Act],
    parcel: &Parcel,
    programs: &Programs,
    ground: &Ground,
) -> anyhow::Result<Vec<Ended>> {
    let api = ground.empty()?;
    let desk = Desk::of(door, parcel, programs, &api.kubeconfig, api.context()?)?;
    let playing = match has_hooks(&parcel.chart)? {
        true if door == Door::Application => Some(api.stand_in(ground::ALL)?),
        true => Some(api.stand_in(ground::HOOKS)?),
        false => None,
    };
    let mut ended = Vec::new();
    for act in acts {
        let (code, said) = desk.run(*act)?;
        api.let_go()?;
        if code == Some(0) {
            ended.push(Ended::Done(Stored::of(api.made()?)));
        } else {
            ended.push(Ended::Refused(said));
            break;
        }
    }
    drop(playing);
    Ok(ended)
}

/// What makes Helm or a sync wait for something; tests are not run.
const WAITED_FOR: [&str; 6] =
    ["pre-install", "post-install", "pre-upgrade", "post-upgrade", "-rollback", "argocd.argoproj.io/"];

/// Whether something has to be waited for.
fn has_hooks(directory: &Path) -> anyhow::Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => has_hooks(&path)?,
            // An archive may hold anything.
            false if path.extension().is_some_and(|it| it == "tgz") => true,
            false => {
                let text = std::fs::read(&path)?;
                WAITED_FOR.iter().any(|it| contains(&text, it.as_bytes()))
            }
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|it| it == word)
}

/// A folder of one delivery's own.
struct Desk<'a> {
    door: Door,
    parcel: &'a Parcel,
    programs: &'a Programs,
    context: String,
    home: tempfile::TempDir,
}

impl<'a> Desk<'a> {
    fn of(
        door: Door,
        parcel: &'a Parcel,
        programs: &'a Programs,
        kubeconfig: &str,
        context: String,
    ) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("landfall-objects-").tempdir()?;
        let desk = Desk { door, parcel, programs, context, home };
        std::fs::write(desk.at("kubeconfig"), kubeconfig)?;
        std::fs::create_dir_all(desk.at("apps"))?;
        for (name, values) in [("first.yaml", &parcel.first), ("second.yaml", &parcel.second)] {
            std::fs::write(desk.at(name), serde_json::to_vec(values)?)?;
        }
        Ok(desk)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs one act; gives its code and the last of what it said.
    fn run(&self, act: Act) -> anyhow::Result<(Option<i32>, String)> {
        let out = tempfile::NamedTempFile::new()?;
        let mut command = self.command(act)?;
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.at("kubeconfig"))
            .env("LANDFALL_STATE", self.at("state"))
            .env("CI", "true")
            .env("TZ", "UTC")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(out.reopen()?)
            .stderr(out.reopen()?);
        if self.door == Door::Persona4 {
            command.env("LANDFALL_HELM_DIALECT", "v4");
        }
        let mut child = command.spawn().with_context(|| format!("{} cannot be run", self.door.name()))?;
        let code = limited::wait(&mut child, LIMIT)?;
        let said = String::from_utf8_lossy(&std::fs::read(out.path())?).into_owned();
        let place = self.home.path().display().to_string();
        Ok((code, said.replace(&place, "HOME")))
    }

    fn command(&self, act: Act) -> anyhow::Result<Command> {
        let values = self.at(if act == Act::Install { "first.yaml" } else { "second.yaml" });
        match self.door {
            Door::Templated => {
                // Kinds that come with it are known when it is applied for the second time.
                const SCRIPT: &str = r#"set -e
kubectl=$1 helm=$2 chart=$3 values=$4 act=$5
$kubectl create namespace place >/dev/null 2>&1 || true
if [ "$act" = upgrade ]; then
    # What an earlier sync has defined is there.
    $helm show crds "$chart" >defined.yaml
    $kubectl apply --server-side -f defined.yaml >/dev/null 2>&1 && sleep 1 || true
fi
served=$($kubectl version -o json | sed -n 's/.*"gitVersion": "v\([0-9.]*\).*/\1/p' | tail -1)
versions=$($kubectl api-versions | sed 's/^/--api-versions /'
$kubectl api-resources --no-headers | awk '{ print "--api-versions " $(NF-2) "/" $NF }')
$helm template thing "$chart" -n place -f "$values" --include-crds --kube-version "$served" $versions >rendered.yaml
$kubectl apply --server-side --force-conflicts -n place -f rendered.yaml >/dev/null 2>&1 || sleep 1
$kubectl apply --server-side --force-conflicts -n place -f rendered.yaml
if [ "$act" = upgrade ]; then
    # What these values bring no more is pruned.
    names() { sed -n 's/^  name: //p' "$1" | tr -d "\"'" | sort -u; }
    for name in $(comm -23 <(names defined.yaml) <(names rendered.yaml)); do
        $kubectl delete --ignore-not-found "crd/$name" >/dev/null
    done
fi"#;
                let mut command = Command::new("bash");
                command.args(["-c", SCRIPT, "templated"]).arg(&self.programs.kubectl).arg(&self.programs.helm3);
                command.arg(&self.parcel.chart).arg(values).arg(act.name());
                Ok(command)
            }
            Door::Helm3 => Ok(self.helm(&self.programs.helm3, &[], act, &values)),
            Door::Helm4 => Ok(self.helm(&self.programs.helm4, &[], act, &values)),
            Door::Persona3 | Door::Persona4 => Ok(self.helm(&self.programs.landfall, &["helm"], act, &values)),
            // Typed without a persona it goes where `up` went: to the cluster that is named.
            Door::Verbs | Door::Up if act == Act::RollBack => {
                let mut command = Command::new(&self.programs.landfall);
                command.args(["rollback", RELEASE, "1", "-n", NAMESPACE, "-y", "--no-wait", "--timeout", TIMEOUT]);
                command.args(["--context", &self.context]).arg("--kubeconfig").arg(self.at("kubeconfig"));
                Ok(command)
            }
            Door::Verbs => Ok(self.helm(&self.programs.landfall, &[], act, &values)),
            Door::Up => {
                let mut command = Command::new(&self.programs.landfall);
                command.arg("up").arg(&self.parcel.chart);
                command.args(["--release", RELEASE, "-n", NAMESPACE, "-f"]).arg(values);
                Ok(self.upped(command))
            }
            Door::Application => {
                self.application(act)?;
                let mut command = Command::new(&self.programs.landfall);
                let stand_in = format!("{REPOSITORY}={}", self.parcel.chart.display());
                command.args(["up", "apps", "--repo", &stand_in]);
                Ok(self.upped(command))
            }
        }
    }

    fn upped(&self, mut command: Command) -> Command {
        command.args(["-y", "--no-build", "--no-wait", "--timeout", TIMEOUT, "--context", &self.context]);
        command.arg("--kubeconfig").arg(self.at("kubeconfig"));
        command
    }

    fn helm(&self, program: &Path, words: &[&str], act: Act, values: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(words);
        let chart = &self.parcel.chart;
        match act {
            Act::Install => {
                command.args(["install", RELEASE]).arg(chart).arg("--create-namespace").arg("-f").arg(values)
            }
            Act::Upgrade => command.args(["upgrade", RELEASE]).arg(chart).arg("-f").arg(values),
            Act::RollBack => command.args(["rollback", RELEASE, "1"]),
        };
        command.args(["-n", NAMESPACE, "--timeout", TIMEOUT]);
        command
    }

    fn application(&self, act: Act) -> anyhow::Result<()> {
        let values = if act == Act::Install { &self.parcel.first } else { &self.parcel.second };
        let application = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": RELEASE, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "destination": {"server": "https://kubernetes.default.svc", "namespace": NAMESPACE},
                "source": {
                    "repoURL": REPOSITORY, "path": ".",
                    "helm": {"releaseName": RELEASE, "valuesObject": values},
                },
                "syncPolicy": {"automated": {"prune": true}, "syncOptions": ["CreateNamespace=true"]},
            },
        });
        std::fs::write(self.at("apps/thing.yaml"), serde_json::to_vec_pretty(&application)?)?;
        Ok(())
    }
}
