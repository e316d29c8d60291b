//! A chart, Applications and a state directory, and the binary run there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// A chart with a hook before and one after, something that an upgrade changes and something that it removes.
const FILES: &[(&str, &str)] = &[
    ("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
    ("shop/values.yaml", "tag: one\n"),
    (
        "shop/templates/hooks.yaml",
        "{{- $tag := .Values.tag }}\n{{- range $name, $when := dict \"prepare\" \"pre-install,pre-upgrade\" \"report\" \"post-install,post-upgrade\" }}\n---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ $name }}\n  annotations:\n    helm.sh/hook: {{ $when }}\n    helm.sh/hook-delete-policy: {{ eq $name \"prepare\" | ternary \"before-hook-creation,hook-succeeded\" \"before-hook-creation\" }}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: run, image: \"example/run:{{ $tag }}\"}]\n{{- end }}\n",
    ),
    (
        "shop/templates/app.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {tag: {{ .Values.tag }}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {selector: {app: app}, ports: [{port: 80}]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: app}}\n  template:\n    metadata: {labels: {app: app}}\n    spec: {containers: [{name: app, image: \"example/app:{{ .Values.tag }}\"}]}\n{{- if eq .Values.tag \"one\" }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: passing}\n{{- end }}\n",
    ),
    (
        "apps/shop.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: \"https://git.example.com/shop.git\", path: shop}\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}\n",
    ),
];

/// Where the state lies, below the place.
const STATE: &str = "state";
/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A directory with all of it.
pub(super) struct Place(tempfile::TempDir);

/// How a command ended.
pub(super) struct Ended {
    words: String,
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// Both streams.
    pub(super) text: String,
}

/// The server that holds a place's cluster, if it has one.
pub(super) struct Server<'p> {
    held: Option<(&'p Place, PathBuf)>,
}

impl Place {
    pub(super) fn new() -> anyhow::Result<Self> {
        let place = Self(tempfile::Builder::new().prefix("landfall-kills-").tempdir()?);
        for (path, text) in FILES {
            let file = place.root().join(path);
            fs::create_dir_all(file.parent().context("a file lies somewhere")?)?;
            fs::write(file, text)?;
        }
        Ok(place)
    }

    /// A copy of all that is in it, its state included.
    pub(super) fn copy(&self) -> anyhow::Result<Self> {
        let copied = Self(tempfile::Builder::new().prefix("landfall-kills-").tempdir()?);
        copy_all(&self.root(), &copied.root())?;
        Ok(copied)
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("system")
    }

    pub(super) fn read(&self, file: &str) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.root().join(file))?)
    }

    /// Starts a server that holds the cluster, where one is wanted.
    pub(super) fn served(&self, is_wanted: bool, landfall: &Path) -> anyhow::Result<Server<'_>> {
        if is_wanted {
            self.run(landfall, &["cluster", "start"])?.ended_well()?;
        }
        Ok(Server { held: is_wanted.then(|| (self, landfall.to_owned())) })
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, landfall: &Path, words: &[&str]) -> anyhow::Result<Ended> {
        self.ended(self.command(landfall, words), words)
    }

    /// The same with the probe of the points.
    pub(super) fn probed(&self, landfall: &Path, words: &[&str], probe: &str) -> anyhow::Result<Ended> {
        let mut command = self.command(landfall, words);
        command.env("LANDFALL_TEST_PROBE", probe);
        self.ended(command, words)
    }

    fn command(&self, landfall: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(landfall);
        command.args(words).current_dir(self.root()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.0.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // No server is left behind by a delivery.
        command.env("CI", "true").env("LANDFALL_STATE", self.root().join(STATE));
        command
    }

    fn ended(&self, mut command: Command, words: &[&str]) -> anyhow::Result<Ended> {
        // A file, not a pipe: who reads a pipe waits for all who inherit it.
        let log = tempfile::NamedTempFile::new_in(self.0.path())?;
        command.stdout(log.reopen()?).stderr(fs::OpenOptions::new().append(true).open(log.path())?);
        let mut child = command.spawn().with_context(|| format!("landfall {} does not start", words.join(" ")))?;
        let status = within(&mut child)?;
        let text = String::from_utf8_lossy(&fs::read(log.path())?).into_owned();
        let words = words.join(" ");
        let status = status.with_context(|| format!("landfall {words} did not end within {LIMIT:?}:\n{text}"))?;
        Ok(Ended { words, code: status.code(), signal: status.signal(), text })
    }
}

impl Ended {
    /// Fails unless it ended with 0.
    pub(super) fn ended_well(self) -> anyhow::Result<Self> {
        ensure!(self.code == Some(0), "{}", self.said());
        Ok(self)
    }

    /// What it was and said.
    pub(super) fn said(&self) -> String {
        format!("landfall {} ended with {:?}, signal {:?}:\n{}", self.words, self.code, self.signal, self.text)
    }
}

impl Server<'_> {
    /// Ends it, and waits until it has.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        match self.held.take() {
            Some((place, landfall)) => place.run(&landfall, &["cluster", "stop"])?.ended_well().map(drop),
            None => Ok(()),
        }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if let Some((place, landfall)) = self.held.take() {
            let _it_is_told_elsewhere = place.run(&landfall, &["cluster", "stop"]);
        }
    }
}

fn within(child: &mut Child) -> anyhow::Result<Option<std::process::ExitStatus>> {
    let began = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Writes a program that can be run.
pub(crate) fn write_program(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
