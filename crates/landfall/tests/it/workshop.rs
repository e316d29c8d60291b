//! A machine with recording stand-ins for Docker, k3d and the like, and a cluster behind their kubeconfig.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// A system for a context whose API is that of a served embedded cluster, and stand-ins that write down what they do.
pub(crate) struct Workshop {
    pub(crate) sandbox: Sandbox,
    bin: PathBuf,
    /// Ports for a cluster of this machine, where not 80 and 443, which other tests' clusters may have.
    pub(crate) ports: Option<(u16, u16)>,
}

impl Workshop {
    /// A shop of one service, built from `app/`, for a context.
    pub(crate) fn new(context: &str) -> Self {
        let mut sandbox = Sandbox::empty();
        small_chart(&sandbox, "chart", "web");
        sandbox.edit("chart/values.yaml", "settings:", "address: /graphql\nsettings:");
        sandbox.write("app/Dockerfile", "FROM scratch\nARG API\n");
        sandbox.write(
            "landfall.yaml",
            &format!(
                "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    cluster: {{context: {context}}}\n    releases: [{{name: web, chart: chart, namespace: shop}}]\n    build:\n      web: {{context: app, args: {{API: address}}}}\n"
            ),
        );
        let bin = sandbox.root().join("../bin");
        std::fs::create_dir(&bin).expect("made");
        sandbox.stays("state");
        sandbox.run(&["cluster", "start", "--state", "state"]).exits(0);
        let kubeconfig = sandbox.run(&["cluster", "kubeconfig", "--state", "state"]).exits(0).stdout;
        let renamed = kubeconfig.replace("name: landfall", &format!("name: {context}"));
        let renamed = renamed.replace("current-context: landfall", &format!("current-context: {context}"));
        let renamed = renamed.replace("cluster: landfall", &format!("cluster: {context}"));
        sandbox.write("kubeconfig", &renamed.replace("user: landfall", &format!("user: {context}")));
        Workshop { sandbox, bin, ports: None }
    }

    /// Gives clusters of this machine ports that are free now.
    pub(crate) fn with_free_ports(mut self) -> Self {
        let free = || std::net::TcpListener::bind("0.0.0.0:0").expect("a free port");
        let (http, https) = (free(), free());
        let port = |listener: &std::net::TcpListener| listener.local_addr().expect("bound").port();
        self.ports = Some((port(&http), port(&https)));
        self
    }

    /// A program that notes its arguments and the build argument's value, and fails when its first word is `broken`.
    pub(crate) fn install(&self, program: &str, broken: &str) {
        self.install_with(program, &format!("if [ \"$1\" = '{broken}' ]; then echo 'no space left' >&2; exit 3; fi\n"));
    }

    /// A program that notes its arguments and the build argument's value, and then does what a shell script says.
    pub(crate) fn install_with(&self, program: &str, script: &str) {
        let log = self.sandbox.root().join("../calls");
        let no_plugin = "if [ \"$1 $2\" = 'buildx version' ] && [ ! -e \"$0.bakes\" ]; then exit 1; fi\n";
        let script = format!("#!/bin/sh\necho \"{program} $* [$API]\" >> '{}'\n{no_plugin}{script}", log.display());
        let path = self.bin.join(program);
        std::fs::write(&path, script).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// Gives a builder the plugin that reads whole builds.
    pub(crate) fn bakes(&self, program: &str) {
        std::fs::write(self.bin.join(format!("{program}.bakes")), "").expect("written");
    }

    /// The binary on this machine: whatever builders the real one has are not asked.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        ran(self.command(words).output().expect("runs"))
    }

    /// The same, not started yet.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.sandbox.command(words);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()));
        if let Some((http, https)) = self.ports {
            command.env("LANDFALL_HTTP_PORT", http.to_string()).env("LANDFALL_HTTPS_PORT", https.to_string());
        }
        command
    }

    pub(crate) fn up(&self, more: &[&str]) -> Ran {
        self.run(&[&["up", "--kubeconfig", "kubeconfig", "--yes", "--state", "own"], more].concat())
    }

    /// What the stand-ins were called with, and forgets it.
    pub(crate) fn calls(&self) -> Vec<String> {
        let file = self.sandbox.root().join("../calls");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let _not_there = std::fs::remove_file(&file);
        let root = self.sandbox.root().canonicalize().expect("there").display().to_string();
        text.lines().map(|line| line.replace(&root, "ROOT")).collect()
    }
}
