//! The ground of a pass: a system with canaries in its Secrets, a user's home with credentials, stand-ins for the programs
//! that are started, servers on loopback; and what is to be seen after each call.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};
use landfall_secrets::age::{Audience, Identity};
use landfall_secrets::{Backup, KeySize, SealingKey};
use tempfile::TempDir;

use super::planted::{OF_SECRETS, found, told};
use crate::attack::run::end_all_in;
use crate::attack::server::{Answer, Server};
use crate::workshop::{self, Author};

/// Longest that a call may take; what serves until it is interrupted is ended before.
const LONGEST: Duration = Duration::from_secs(20);
/// What the names of files end with in which stand-ins write down their environment.
const ENVIRONMENT: &str = ".environment";
/// Programs that are given the whole environment, with the reason.
const OF_THE_USERS: &[(&str, &str)] = &[
    ("own", "the user named it in this very call: it gets what it would get from the user's shell"),
    ("git", "the library for git asks the user's own one for its settings and credentials, as git asks its helpers"),
];
/// How often a running call and what it has started are looked at.
const PACE: Duration = Duration::from_millis(2);

/// What is wrong with the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chart {
    /// Nothing.
    Sound,
    /// A Secret's template is no YAML, and the parser quotes a value.
    Unreadable,
    /// The cluster refuses a Secret, and quotes it.
    Refused,
    /// The values do not fit the chart's schema.
    Unfitting,
    /// A template fails, over a value whose key is a secret's.
    Failing,
}

/// Files that may hold canaries: what their path ends with or has in it, which, and why. Paths begin at the ground.
const KEPT: &[(&str, &[&str], &str)] = &[
    (".landfall/cluster.db", OF_SECRETS, "the embedded cluster's own storage: its Secrets, the releases' records"),
    ("fork-table/cluster.db", OF_SECRETS, "the copy of that storage that `cluster fork` is asked for"),
    ("fork-json/cluster.db", OF_SECRETS, "the copy of that storage that `cluster fork` is asked for"),
    ("fork-yaml/cluster.db", OF_SECRETS, "the copy of that storage that `cluster fork` is asked for"),
    ("fork-name/cluster.db", OF_SECRETS, "the copy of that storage that `cluster fork` is asked for"),
    ("system/rendered/", OF_SECRETS, "`template --output-dir`: rendering's own output"),
    ("system/fetched/", OF_SECRETS, "`pull --untar`: the chart's own values"),
    ("home/.config/helm/registry/config.json", &["REGISTRY"], "where Helm keeps registries' passwords"),
    ("home/.config/helm/repositories.yaml", &["REGISTRY", "ADDRESS"], "where Helm keeps repositories' passwords"),
    ("home/.kube/config", &["KUBECONFIG"], "the user's own kubeconfig, merged on demand"),
];

/// The folders of the ground that are looked through after each call: forks are made once for each format.
const FOLDERS: [&str; 7] = ["system", "home", "tmp", "fork-table", "fork-json", "fork-yaml", "fork-name"];

/// The directory; it ends with its value, and so does whatever still runs in it.
pub(super) struct Ground {
    place: TempDir,
    landfall: PathBuf,
    /// Beside those that every call gets.
    pub(super) environment: Vec<(&'static str, String)>,
    server: Arc<Server>,
    /// Files as they were last looked at.
    looked: BTreeMap<PathBuf, (SystemTime, u64)>,
    /// Lengths of the records of stand-ins that were looked at.
    calls: BTreeMap<PathBuf, usize>,
    count: usize,
}

/// How a call is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// It is not, unless it passes [`LONGEST`].
    Never,
    /// Killed after so long.
    After(Duration),
}

/// How a call ended.
pub(super) struct Ended {
    /// Nothing when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) said: Vec<u8>,
    pub(super) took: Duration,
    /// Canaries in the arguments of what it has started.
    pub(super) in_arguments: BTreeSet<&'static str>,
}

impl Ground {
    /// Makes the ground, with a delivery that the calls begin with where the chart can be delivered.
    pub(super) fn of(landfall: &Path, chart: Chart, mutant: Option<&str>) -> anyhow::Result<Self> {
        let place = tempfile::Builder::new().prefix("landfall-canary-").tempdir()?;
        let mut ground = Ground {
            place,
            landfall: landfall.to_owned(),
            environment: mutant.map(|mutant| ("LANDFALL_MUTANT", mutant.to_owned())).into_iter().collect(),
            server: Server::open("127.0.0.1")?,
            looked: BTreeMap::new(),
            calls: BTreeMap::new(),
            count: 0,
        };
        for folder in ["system", "home", "bin", "said", "record", "tmp"] {
            fs::create_dir(ground.path(folder))?;
        }
        ground.programs()?;
        ground.home()?;
        ground.system(Chart::Sound)?;
        ground.keys()?;
        ground.git(&["init", "-q"])?;
        ground.commit("Begin")?;
        let packed = ground.run(&["package", "./web", "-d", "packed"], &[], Break::Never)?;
        ensure!(packed.code == Some(0), "package: {}", String::from_utf8_lossy(&packed.said));
        ground.serve()?;
        for (key, value) in [
            ("remote.origin.url", "https://me:@ADDRESS@@127.0.0.1:1/shop.git"),
            ("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"),
        ] {
            ground.git(&["config", key, &told(value)])?;
        }
        ground.file("system/web/values.yaml", &format!("{}replicas: 2\n", values()))?;
        ground.commit("Scale")?;
        if chart != Chart::Sound {
            for words in [
                "up --yes",
                "cluster kubeconfig --merge",
                "install web ./web -n shop --create-namespace -f secret-values.yaml",
            ] {
                let words: Vec<&str> = words.split(' ').collect();
                let ended = ground.run(&words, &[], Break::Never)?;
                ensure!(ended.code == Some(0), "{words:?}: {}", String::from_utf8_lossy(&ended.said));
            }
            ground.system(chart)?;
            ground.commit("Break")?;
        }
        ground.look();
        Ok(ground)
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    /// A text with this run's places and the canaries in it.
    pub(super) fn told(&self, text: &str) -> String {
        told(
            &text.replace("@HOST@", &self.server.address()).replace("@HERE@", &self.place.path().display().to_string()),
        )
    }

    pub(super) fn file(&self, path: &str, text: &str) -> anyhow::Result<()> {
        workshop::file(&self.path(path), self.told(text).as_bytes())
    }

    fn program(&self, path: &str, script: &str) -> anyhow::Result<()> {
        workshop::program(&self.path(path), &self.told(script))
    }

    /// Stand-ins that write down their arguments and their environment; one of the user's own, which is given all.
    fn programs(&self) -> anyhow::Result<()> {
        for name in ["docker", "podman", "k3d", "kind", "ssh", "gpg", "kubectl", "helm", "git"] {
            let record = format!(
                "echo {name} \"$@\" >> '@HERE@/record/{name}'; /usr/bin/env >> '@HERE@/record/{name}{ENVIRONMENT}'"
            );
            let acts = match name {
                "git" => "exec /usr/bin/git \"$@\"",
                "k3d" => "exit 1",
                _ => "exit 0",
            };
            self.program(&format!("bin/{name}"), &format!("{record}\n{acts}"))?;
        }
        self.program("bin/own", &format!("echo own \"$@\" >> '@HERE@/record/own'; /usr/bin/env >> '@HERE@/record/own{ENVIRONMENT}'\nexec /bin/cat"))
    }

    fn home(&self) -> anyhow::Result<()> {
        let user = "apiVersion: v1\nkind: Config\ncurrent-context: dead\nclusters:\n- {name: dead, cluster: {server: \"https://127.0.0.1:1\"}}\ncontexts:\n- {name: dead, context: {cluster: dead, user: me}}\nusers:\n- {name: me, user: {token: \"@KUBECONFIG@\"}}\n";
        self.file("home/.kube/config", user)?;
        self.file("home/.config/sops/age/keys.txt", include_str!("sops.agekey"))?;
        use base64::Engine as _;
        let login = base64::engine::general_purpose::STANDARD.encode(told("me:@REGISTRY@"));
        self.file(
            "home/.docker/config.json",
            &format!("{{\"auths\": {{\"registry.example\": {{\"auth\": \"{login}\"}}}}}}"),
        )
    }

    fn system(&self, chart: Chart) -> anyhow::Result<()> {
        self.file("system/landfall.yaml", SYSTEM)?;
        self.file("system/secret-values.yaml", "token: @FILE@\n")?;
        self.file("system/sops-values.yaml", include_str!("sops.yaml"))?;
        self.file("system/sops-before.yaml", include_str!("sops-before.yaml"))?;
        self.file("system/other-values.yaml", "token: other-@FILE@\nreplicas: 3\n")?;
        self.file("system/sealing.yaml", SEALING)?;
        self.file("system/own.env", "TOKEN=@FILE@\n")?;
        self.file("system/app/Dockerfile", "FROM scratch\nARG TOKEN\n")?;
        self.file("system/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")?;
        self.file("system/web/values.yaml", &values())?;
        self.file("system/web/templates/web.yaml", WEB)?;
        let keys = match chart {
            Chart::Unreadable => format!(
                "{KEYS}---\nkind: Secret\napiVersion: v1\nmetadata: {{name: torn}}\nstringData:\n  a: *{{{{ .Values.password }}}}\n   b: {{{{ .Values.token }}}}\n"
            ),
            Chart::Refused => KEYS.replace("{{ .Values.password | b64enc }}", "\"{{ .Values.password }}!\""),
            Chart::Failing => format!("{KEYS}{{{{ fail (printf \"password %s is too weak\" .Values.password) }}}}\n"),
            Chart::Sound | Chart::Unfitting => KEYS.to_owned(),
        };
        self.file("system/web/templates/keys.yaml", &keys)?;
        if chart == Chart::Unfitting {
            let schema = "{\"properties\": {\"password\": {\"type\": \"string\", \"maxLength\": 3}, \"token\": {\"type\": \"integer\"}}}";
            self.file("system/web/values.schema.json", schema)?;
        }
        Ok(())
    }

    /// A certificate to seal with, an identity, and a backup that it opens.
    fn keys(&self) -> anyhow::Result<()> {
        let now = jiff::Timestamp::now();
        let key = SealingKey::generate(KeySize::Rsa2048, now)?;
        self.file("system/cert.pem", key.certificate.as_ref().map_or("", |certificate| certificate.pem()))?;
        let identity = Identity::generate()?;
        let text = identity.reveal().context("an identity")?;
        self.file("system/key.txt", std::str::from_utf8(text.reveal())?)?;
        let recipient = identity.recipient()?.context("a recipient")?;
        self.file("system/ops.txt", &recipient.to_string())?;
        let saved = landfall_yaml::to_json(&told(SAVED))?;
        let saved = landfall_object::Object::from_value(saved)?;
        let backup = Backup::of(&[saved]).close(&Audience::Recipients(vec![recipient]))?;
        self.file("system/saved.age", &backup)
    }

    /// A chart repository, and a registry that takes nothing.
    fn serve(&self) -> anyhow::Result<()> {
        let packed = fs::read(self.path("system/packed/web-0.1.0.tgz"))?;
        self.server.put("/charts/web-0.1.0.tgz", Answer::new(packed));
        let index = "apiVersion: v1\nentries:\n  web:\n  - {apiVersion: v2, name: web, version: 0.1.0, urls: [web-0.1.0.tgz], created: \"2026-01-01T00:00:00Z\"}\n";
        self.server.put("/charts/index.yaml", Answer::new(index));
        self.server.put("/v2/", Answer::new("{}"));
        Ok(())
    }

    fn git(&self, words: &[&str]) -> anyhow::Result<()> {
        Author { name: "me", home: &self.path("tmp") }.git(&self.path("system"), words, b"").map(drop)
    }

    fn commit(&self, message: &str) -> anyhow::Result<()> {
        self.git(&["add", "-A"])?;
        self.git(&["commit", "-q", "--allow-empty", "-m", message])
    }

    /// Runs the binary in the system, as the user.
    pub(super) fn run(&mut self, words: &[&str], more: &[(&str, &str)], broken: Break) -> anyhow::Result<Ended> {
        self.count += 1;
        // A file, not a pipe: who reads a pipe waits for all who inherit it.
        let output = self.path("said").join(self.count.to_string());
        let file = fs::File::create(&output)?;
        let mut command = Command::new(&self.landfall);
        command.args(words.iter().map(|word| self.told(word))).current_dir(self.path("system")).env_clear();
        command.env("HOME", self.path("home")).env("TMPDIR", self.path("tmp")).env("TERM", "dumb");
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        for name in ["GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN", "NPM_TOKEN", "DATABASE_PASSWORD"] {
            command.env(name, told("@ENVIRONMENT@"));
        }
        command.env("RUST_BACKTRACE", "1").envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(more.iter().map(|(name, value)| (name, self.told(value))));
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let began = Instant::now();
        let mut child = command.spawn()?;
        let mut in_arguments = BTreeSet::new();
        let longest = match broken {
            Break::Never => LONGEST,
            Break::After(time) => time,
        };
        let ended = loop {
            if let Some(ended) = child.try_wait()? {
                break ended;
            }
            in_arguments.extend(self.arguments_below(child.id()));
            if began.elapsed() > longest {
                let group = format!("-{}", child.id());
                let _gone = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
                break child.wait()?;
            }
            std::thread::sleep(PACE);
        };
        let took = began.elapsed();
        let said = fs::read(&output)?;
        fs::remove_file(&output)?;
        Ok(Ended { code: ended.code(), said, took, in_arguments })
    }

    /// Canaries in the arguments of processes below one.
    fn arguments_below(&self, pid: u32) -> BTreeSet<&'static str> {
        let own = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut pending = vec![pid];
        let mut canaries = BTreeSet::new();
        while let Some(pid) = pending.pop() {
            for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
                    let arguments = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
                    // Until it becomes another program, a child shows the arguments of its parent.
                    if arguments != own {
                        canaries.extend(found(&arguments));
                    }
                    pending.push(child);
                }
            }
        }
        canaries
    }

    /// Canaries in the arguments of what was left running here.
    fn left_running(&self) -> BTreeSet<&'static str> {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ours =
            all.filter(|it| fs::read_link(it.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.place.path())));
        ours.flat_map(|it| found(&fs::read(it.path().join("cmdline")).unwrap_or_default())).collect()
    }

    /// What a call has left: sentences about what is wrong, and the canaries that were seen where they may be.
    pub(super) fn look(&mut self) -> (Vec<String>, BTreeSet<&'static str>) {
        let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
        for name in self.left_running() {
            wrong.push(format!("{name} stands in the arguments of a process"));
        }
        let mut pending = FOLDERS.map(|folder| self.path(folder)).to_vec();
        while let Some(path) = pending.pop() {
            let Ok(meta) = path.symlink_metadata() else { continue };
            let Ok(shown) = path.strip_prefix(self.place.path()).map(|path| path.display().to_string()) else {
                continue;
            };
            let is_state = shown.contains("/.landfall") || shown.starts_with("fork");
            if meta.is_dir() {
                // What was committed lies there packed, before and after.
                if !shown.ends_with(".git/objects") {
                    pending.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
                }
            } else if meta.is_file() {
                let mark = (meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len());
                if self.looked.insert(path.clone(), mark) == Some(mark) {
                    continue;
                }
                let kept = KEPT.iter().find(|(part, ..)| shown.contains(part)).map_or(&[][..], |(_, names, _)| names);
                for name in found(&fs::read(&path).unwrap_or_default()) {
                    if kept.contains(&name) {
                        seen.insert(name);
                    } else {
                        wrong.push(format!("{name} stands in {shown}"));
                    }
                }
            }
            if is_state && !meta.is_symlink() && is_open(&meta) && !path.ancestors().skip(1).any(is_closed_fetch) {
                wrong.push(format!("others may read {shown}: {:o}", meta.permissions().mode() & 0o777));
            }
        }
        self.look_at_calls(&mut wrong, &mut seen);
        (wrong, seen)
    }

    /// What stand-ins were called with.
    fn look_at_calls(&mut self, wrong: &mut Vec<String>, seen: &mut BTreeSet<&'static str>) {
        for entry in fs::read_dir(self.path("record")).into_iter().flatten().flatten() {
            let all = fs::read(entry.path()).unwrap_or_default();
            let before = self.calls.insert(entry.path(), all.len()).unwrap_or_default();
            let program = entry.file_name().to_string_lossy().into_owned();
            for name in found(&all[before.min(all.len())..]) {
                let given = program.strip_suffix(ENVIRONMENT).unwrap_or_default();
                if name == "ENVIRONMENT" && OF_THE_USERS.iter().any(|(users, _)| *users == given) {
                    seen.insert(name);
                } else {
                    wrong.push(format!("{name} was given to {program}"));
                }
            }
        }
    }

    /// The names of programs that were started.
    pub(super) fn started(&self) -> BTreeSet<String> {
        self.calls
            .iter()
            .filter(|(_, length)| **length > 0)
            .filter_map(|(path, _)| Some(path.file_name()?.to_str()?.to_owned()))
            .collect()
    }

    /// What the server was sent.
    pub(super) fn asked(&self) -> String {
        self.server.asked()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        end_all_in(self.place.path());
        self.server.close();
    }
}

fn values() -> String {
    told("password: @VALUES@\nplain: @VALUES@\ntoken: unset\nkey: unset\nopened: unset\nword: unset\n")
}

const SYSTEM: &str = "apiVersion: landfall.dev/v1
kind: System
name: shop
environments:
  local:
    cluster: embedded
    releases: [{name: system, chart: web, namespace: system, values: [secret-values.yaml, sops-values.yaml]}]
    build: {web: {context: app, dockerfile: app/Dockerfile, args: {TOKEN: token}}}
    simulate: {web: {http: [{path: /, json: {status: ok}}], logs: [listening]}}
  other:
    cluster: embedded
    releases: [{name: system, chart: web, namespace: system, values: [other-values.yaml]}]
    secrets:
      target: own
      keys:
        TOKEN: {}
        MADE: {generate: {random: 24}}
        PEPPER: {generate: once}
        URL: {template: \"db://x:{{ .TOKEN }}@db\"}
";

/// A Secret that is to be sealed.
const SEALING: &str = "apiVersion: v1
kind: Secret
metadata: {name: sealing, namespace: system}
stringData: {TOKEN: \"@FILE@\"}
";

/// A Secret that was saved.
const SAVED: &str = "apiVersion: v1
kind: Secret
metadata: {name: saved, namespace: kept, annotations: {landfall.dev/once: TOKEN}}
data: {TOKEN: \"@TEMPLATE-ENCODED@\"}
";

/// A workload that reads its Secrets.
const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Values.replicas | default 1 }}
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {checksum: {{ .Values.password | sha256sum }}}
    spec:
      containers:
        - name: web
          image: web:1.0
          envFrom: [{secretRef: {name: keys}}]
          env: [{name: KEY, valueFrom: {secretKeyRef: {name: listed, key: KEY}}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
{{- if .Values.open }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: open}
data:
  PLAIN: {{ .Values.plain }}
  WORD: {{ .Values.word }}
  OPENED{{ if .Values.moved }}_ELSEWHERE{{ end }}: {{ .Values.opened | quote }}
  ADDRESS: \"https://shop/?key={{ .Values.opened | urlquery }}\"
  LOGIN: {{ printf \"me:%s\" .Values.opened | b64enc }}
  JSON: {{ dict \"a\" (dict \"b\" .Values.opened | toJson) | toJson | quote }}
  LONG: {{ printf \"opens with %s, as all that is too long to be shown whole does in the place of the whole\" .Values.opened | quote }}
{{- end }}
---
apiVersion: v1
kind: Pod
metadata: {name: tested, annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: tested, image: web:1.0, envFrom: [{secretRef: {name: keys}}]}]}
";

/// Secrets of every sort: plain, encoded, copied by kubectl, in a list, as a hook, sealed.
const KEYS: &str = r#"apiVersion: v1
kind: Secret
metadata:
  name: keys
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"COPY":"@COPY@","OLD":"@COPY-ENCODED@"}}'
stringData: {PASSWORD: {{ .Values.password }}, TOKEN: {{ .Values.token }}, KEY: {{ .Values.key }}, HERE: "@TEMPLATE@", OPENED: {{ .Values.opened | quote }}, PLAIN: {{ .Values.plain }}}
---
apiVersion: v1
kind: Secret
metadata: {name: encoded}
data:
  PASSWORD: {{ .Values.password | b64enc }}
  HERE: "@TEMPLATE-ENCODED@"
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: {name: listed}
    data: {KEY: {{ .Values.key | toString | b64enc }}, TOKEN: {{ .Values.token | b64enc }}}
---
apiVersion: v1
kind: Secret
metadata: {name: early, annotations: {helm.sh/hook: "pre-install,pre-upgrade,pre-rollback,pre-delete"}}
data: {PASSWORD: {{ .Values.password | b64enc }}}
"#;

/// Whether others may read something by its own mode.
fn is_open(meta: &fs::Metadata) -> bool {
    meta.permissions().mode() & 0o077 != 0
}

/// Whether this is a fetch's own directory (`PID-N`, its lock beside it) that nobody else may enter: what git makes in it while it is
/// killed has the modes that git gives.
fn is_closed_fetch(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_named = name.split_once('-').is_some_and(|(pid, number)| {
        [pid, number].iter().all(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
    });
    is_named
        && path.with_file_name(format!("{name}.lock")).is_file()
        && path.symlink_metadata().is_ok_and(|meta| meta.is_dir() && !is_open(&meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_may_enter_and_is_a_fetch_is_closed() {
        let place = tempfile::tempdir().expect("a directory");
        let made = |name: &str, mode: u32, is_locked: bool| {
            let path = place.path().join(name);
            fs::create_dir(&path).expect("made");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            if is_locked {
                fs::write(place.path().join(format!("{name}.lock")), "").expect("written");
            }
            path
        };
        assert!(is_closed_fetch(&made("4711-0", 0o700, true)));
        assert!(!is_closed_fetch(&made("4711-1", 0o755, true)), "others may enter it");
        assert!(!is_closed_fetch(&made("4711-2", 0o700, false)), "no fetch holds it");
        assert!(!is_closed_fetch(&made("cache-3", 0o700, true)), "no fetch is named so");
        assert!(!is_closed_fetch(&place.path().join("4711-0.lock")), "a lock is looked at by its own mode");
    }
}
