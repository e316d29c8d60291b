//! A system in a directory of its own, and the binary run in it from outside.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::limited;

/// A chart with a hook before and one after, two workloads and what they need; its containers take a moment to start.
const FILES: &[(&str, &str)] = &[
    (
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: doors\nenvironments:\n  local:\n    cluster: embedded\n    releases: [{name: shop, chart: shop, namespace: shop}]\n    simulate:\n      web: {start: 300ms}\n      store: {start: 200ms}\n",
    ),
    ("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
    (
        "shop/templates/hooks.yaml",
        "{{- range $name, $hook := dict \"prepare\" \"pre-install,pre-upgrade\" \"report\" \"post-install,post-upgrade\" }}\n---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ $name }}\n  annotations: {helm.sh/hook: \"{{ $hook }}\", helm.sh/hook-delete-policy: before-hook-creation}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: run, image: example/run:1}]\n{{- end }}\n",
    ),
    (
        "shop/templates/all.yaml",
        "{{- range $name, $replicas := dict \"web\" 2 \"store\" 1 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ $name }}}\ndata: {name: {{ $name }}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: {{ $name }}}\nspec: {selector: {app: {{ $name }}}, ports: [{port: 80, targetPort: 8080}]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ $name }}}\nspec:\n  replicas: {{ $replicas }}\n  selector: {matchLabels: {app: {{ $name }}}}\n  template:\n    metadata: {labels: {app: {{ $name }}}}\n    spec: {containers: [{name: {{ $name }}, image: example/{{ $name }}:1, envFrom: [{configMapRef: {name: {{ $name }}}}]}]}\n{{- end }}\n",
    ),
];

/// How long a server may take to notice that its state was removed, and to end.
const QUIET: Duration = Duration::from_secs(5);

/// The directory, and what is run in it.
pub(super) struct System {
    place: TempDir,
    landfall: PathBuf,
    deadline: Duration,
    /// Where the state lies, when it was named.
    named: OnceLock<PathBuf>,
}

/// A command that runs.
pub(super) struct Running {
    child: Child,
    words: String,
    output: PathBuf,
    deadline: Duration,
}

/// How a command ended, in time.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    /// Both streams.
    pub(super) said: String,
    words: String,
    pub(super) took: Duration,
}

impl System {
    /// The code of a process that a signal ended before it could listen to any.
    pub(super) const BY_SIGNAL: i32 = -1;

    pub(super) fn new(landfall: &Path, deadline: Duration) -> anyhow::Result<Self> {
        let place = tempfile::Builder::new().prefix("landfall-doors-").tempdir()?;
        for (path, text) in FILES {
            let path = place.path().join("system").join(path);
            fs::create_dir_all(path.parent().context("a file lies somewhere")?)?;
            fs::write(path, text)?;
        }
        fs::create_dir(place.path().join("said"))?;
        Ok(System { place, landfall: landfall.to_owned(), deadline, named: OnceLock::new() })
    }

    pub(super) fn root(&self) -> PathBuf {
        self.place.path().join("system")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.named.get().cloned().unwrap_or_else(|| self.root().join(".landfall"))
    }

    /// Names a directory for the state of all commands to come, as `LANDFALL_STATE` does.
    pub(super) fn keep_state_in(&self, directory: PathBuf) {
        let _once = self.named.set(directory);
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.root()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.place.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if let Some(state) = self.named.get() {
            command.env("LANDFALL_STATE", state);
        }
        command
    }

    fn spawn(&self, mut command: Command, arguments: &[&str]) -> anyhow::Result<Running> {
        // A file, not a pipe: who reads a pipe waits for all who inherit it.
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let output = self.place.path().join("said").join(number.to_string());
        let file = fs::File::create(&output)?;
        command.stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("{} does not start", self.landfall.display()))?;
        Ok(Running { child, words: arguments.join(" "), output, deadline: self.deadline })
    }

    /// Starts a command.
    pub(super) fn start(&self, arguments: &[&str]) -> anyhow::Result<Running> {
        self.spawn(self.command(&self.landfall, arguments), arguments)
    }

    /// The same where no file may grow beyond a size.
    pub(super) fn start_limited(&self, arguments: &[&str], bytes: u64) -> anyhow::Result<Running> {
        let limit = (bytes / 1024).to_string();
        let landfall = self.landfall.display().to_string();
        let mut words = vec!["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "bash", &limit, &landfall];
        words.extend(arguments);
        self.spawn(self.command(Path::new("bash"), &words), arguments)
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> anyhow::Result<Ended> {
        self.start(arguments)?.end()
    }

    /// Runs a command that must end well and prints JSON.
    pub(super) fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let ended = self.run(arguments)?;
        ended.is(&[0])?;
        let json = &ended.said[ended.said.find('{').unwrap_or(0)..];
        serde_json::from_str(json).with_context(|| format!("landfall {}: {}", ended.words, ended.said))
    }

    fn endpoint(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.state().join("endpoint.json")).ok()?).ok()
    }

    /// The addresses at which the server in the background listens.
    pub(super) fn addresses(&self) -> Vec<std::net::SocketAddr> {
        let Some(endpoint) = self.endpoint() else { return Vec::new() };
        let texts = ["server", "http", "https"].iter().filter_map(|name| endpoint[name].as_str());
        texts.filter_map(|text| text.trim_start_matches("https://").parse().ok()).collect()
    }

    /// Ends the server in the background as a power cut would; nothing where there is none yet.
    pub(super) fn kill_server(&self) {
        if let Some(pid) = self.endpoint().and_then(|endpoint| endpoint["pid"].as_u64()) {
            let _gone = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }

    /// Removes the state directory as a person would, who does not look whether somebody works in it, and types it again where
    /// something was written meanwhile.
    pub(super) fn remove_state(&self) {
        for _ in 0..3 {
            let removed = Command::new("rm").arg("-rf").arg(self.state()).status();
            if removed.is_ok_and(|status| status.success()) {
                return;
            }
        }
    }

    /// The processes that still work for this system.
    pub(super) fn processes(&self) -> Vec<u32> {
        all_processes().filter(|pid| self.is_ours(*pid)).collect()
    }

    /// Whether a process works for this system: its command line, environment or working directory names it.
    fn is_ours(&self, pid: u32) -> bool {
        let mark = self.place.path().display().to_string();
        let names = |file: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(&mark)
        };
        let there = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        names("cmdline") || names("environ") || there.starts_with(self.place.path())
    }

    /// Whether one of this system's processes, or somebody who cannot be told, listens at an address. Another run beside
    /// this one may have taken it since.
    pub(super) fn listens(&self, address: SocketAddr) -> bool {
        let open = TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok();
        open && holder(address.port()).is_none_or(|pid| self.is_ours(pid))
    }

    /// Waits until nobody works for this system any more; a server looks now and then whether its state is still there.
    pub(super) fn is_quiet_soon(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.processes().is_empty() {
            ensure!(began.elapsed() < QUIET, "processes whose state was removed do not end: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends whatever is left; an error when something was.
    pub(super) fn end(self) -> anyhow::Result<()> {
        let left = self.processes();
        for pid in &left {
            let _gone = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
        ensure!(left.is_empty(), "processes are left: {left:?}");
        Ok(())
    }
}

impl Running {
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args([&format!("-{name}"), &pid]).stderr(Stdio::null()).status()?;
        Ok(())
    }

    /// Waits for its end; an error when it does not come in time.
    pub(super) fn end(mut self) -> anyhow::Result<Ended> {
        let began = Instant::now();
        let mut is_late = true;
        while began.elapsed() < self.deadline {
            if self.child.try_wait()?.is_some() {
                is_late = false;
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let code = limited::wait(&mut self.child, Duration::ZERO)?;
        let said = String::from_utf8_lossy(&fs::read(&self.output)?).into_owned();
        if is_late {
            bail!("landfall {} did not end within {:?}; it said:\n{said}", self.words, self.deadline);
        }
        Ok(Ended { code: code.unwrap_or(System::BY_SIGNAL), said, words: self.words, took: began.elapsed() })
    }
}

impl Ended {
    /// Fails unless it ended with one of these codes.
    pub(super) fn is(&self, codes: &[i32]) -> anyhow::Result<()> {
        ensure!(codes.contains(&self.code), "landfall {} ended with {}:\n{}", self.words, self.code, self.said);
        Ok(())
    }

    /// Fails unless it ended well, or with a code and one of the words that go with it.
    pub(super) fn is_or_says(&self, allowed: &[(i32, &[&str])]) -> anyhow::Result<()> {
        if self.code == 0 {
            return Ok(());
        }
        let fits = |(code, words): &(i32, &[&str])| *code == self.code && words.iter().any(|it| self.said.contains(it));
        ensure!(allowed.iter().any(fits), "landfall {} ended with {}:\n{}", self.words, self.code, self.said);
        Ok(())
    }
}

fn all_processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The process that listens on a port, by the kernel's tables.
fn holder(port: u16) -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let socket = table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let listens = *columns.get(3)? == "0A" && columns.get(1)?.ends_with(&format!(":{port:04X}"));
        listens.then(|| columns.get(9).map(|inode| format!("socket:[{inode}]"))).flatten()
    })?;
    all_processes().find(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file.as_os_str() == socket.as_str())
    })
}
