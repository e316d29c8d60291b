//! A system in a directory of its own, and the binary run in it as a user would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary directory with a system in it; what runs there sees no personal configuration.
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    root: PathBuf,
    ci: bool,
    /// The state directory of a server that may stay, below the root.
    state: &'static str,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Both streams, for messages.
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }

    /// The standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        self
    }

    /// Fails the test when one of the streams has the text.
    #[track_caller]
    pub(crate) fn lacks(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "{text:?} in {}", self.all());
        self
    }

    /// Fails the test unless some stream says this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?} is not said\n{}", self.all());
        self
    }
}

impl Sandbox {
    /// An empty directory.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("system");
        std::fs::create_dir(&root).expect("made");
        Sandbox { dir, root, ci: true, state: ".landfall" }
    }

    /// A copy of the LuckyPlans example, committed.
    pub(crate) fn luckyplans() -> Self {
        Sandbox::example("luckyplans")
    }

    /// A copy of an example, committed.
    pub(crate) fn example(name: &str) -> Self {
        let sandbox = Sandbox::empty();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        copy_all(&example, &sandbox.root, &[".landfall", ".git"]);
        sandbox.commit("first");
        sandbox
    }

    /// A copy of all that is in this one, state included.
    pub(crate) fn copy(&self) -> Self {
        let copied = Sandbox::empty();
        copy_all(&self.root, &copied.root, &[]);
        copied
    }

    /// A server may stay behind, with its state in this directory.
    pub(crate) fn stays(&mut self, state: &'static str) {
        self.ci = false;
        self.state = state;
    }

    /// Ends the server of a state directory as a power cut would.
    pub(crate) fn kill_server(&self, state: &str) {
        let endpoint: serde_json::Value =
            serde_json::from_str(&self.read(&format!("{state}/endpoint.json"))).expect("an endpoint");
        let pid = endpoint["pid"].to_string();
        let killed = Command::new("kill").args(["-9", &pid]).status().expect("kill runs");
        assert!(killed.success());
    }

    /// Waits until something is so; the test fails when it does not come.
    pub(crate) fn until(&self, what: &str, so: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !so() {
            assert!(std::time::Instant::now() < deadline, "it never came that {what}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Not as in CI: a server may stay behind.
    pub(crate) fn interactive(mut self) -> Self {
        self.ci = false;
        self
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
        std::fs::write(path, content).expect("written");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).expect("read")
    }

    /// Replaces a text in a file; the test fails when it is not there.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{from:?} is not in {path}");
        self.write(path, &text.replace(from, to));
    }

    pub(crate) fn commit(&self, message: &str) {
        if !self.root.join(".git").exists() {
            self.git(&["init", "-q"]);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    pub(crate) fn git(&self, args: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"])
            .args(args)
            .current_dir(&self.root)
            .env("HOME", self.dir.path())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The binary with arguments, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.args(args).current_dir(&self.root).env_clear();
        command.env("HOME", self.dir.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if self.ci {
            command.env("CI", "true");
        }
        command.stdin(std::process::Stdio::null());
        command
    }

    /// Runs the binary.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().expect("the binary runs"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !self.ci && self.root.join(self.state).exists() {
            // Nothing may outlive its test.
            let _ended = self.command(&["cluster", "stop", "--state", self.state]).output();
        }
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn copy_all(from: &Path, to: &Path, but: &[&str]) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("read") {
        let entry = entry.expect("read");
        let name = entry.file_name();
        if but.iter().any(|left_out| name == *left_out) {
            continue;
        }
        if entry.file_type().expect("known").is_dir() {
            copy_all(&entry.path(), &to.join(&name), but);
        } else {
            std::fs::copy(entry.path(), to.join(&name)).expect("copied");
        }
    }
}

/// A chart of three objects: a Deployment, its Service, a ConfigMap.
pub(crate) fn small_chart(sandbox: &Sandbox, path: &str, name: &str) {
    sandbox.write(&format!("{path}/Chart.yaml"), &format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"));
    sandbox.write(&format!("{path}/values.yaml"), "replicas: 1\nimage: example/app:1.0.0\nsettings: {color: blue}\n");
    sandbox.write(
        &format!("{path}/templates/all.yaml"),
        r#"apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {{ toJson .Values.settings }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
        - name: app
          image: {{ .Values.image }}
          ports: [{name: http, containerPort: 8080}]
          envFrom: [{configMapRef: {name: {{ .Release.Name }}}}]
"#,
    );
}
