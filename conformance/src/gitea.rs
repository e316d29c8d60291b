//! A real forge: `git push` to a Gitea, its webhook to `landfall serve`, and both products side by side on one server.
//!
//! ```text
//! git push ─► Gitea (built from its module, TLS, one repository of it private)
//!               └─ its own webhook, signed ─► landfall serve ─► Synced, sooner than any poll
//! ```
//!
//! With `--control` on a real control plane, on which kwok plays the kubelet and the suite what a k3s has besides.
//!
//! Where no Gitea was built the suite says so, shows nothing and is not green: `cargo run -p oracles -- gitea` builds one (it needs Go and a C compiler).

mod issuer;
mod server;
mod writers;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::gitops::scene::{Scene, key_of};
use crate::peers;
use crate::suite::{Asked, Material, Suite, Whole, root};
use server::{ACCOUNT, Gitea};

/// Pushes to a real Gitea, and waits for what its webhook leads to.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// On a real control plane.
    #[arg(long)]
    control: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of(
        "gitea",
        Material::Oracles,
        &[&["oracles", "gitea"], &["gitea", "--evidence"], &["gitea", "--control", "--evidence"]],
    ));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

/// What forges sign with.
const SECRET: &str = "a-secret-of-the-suite";
/// A repository elsewhere is asked every 15 s: what comes sooner has come by the webhook.
const SOONER: Duration = Duration::from_secs(10);
const LUCKYPLANS: &str = "https://git.example.com/luckyplans/luckyplans.git";
const PRODUCT: &str = "https://git.example.com/sens/sens-platform.git";
const INFRA: &str = "https://git.example.com/sens/sens-platform-infra.git";

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let landfall = arguments.asked.landfall()?;
    let binary = match peers::built("gitea") {
        Ok(binary) => binary,
        Err(why) => {
            println!("gitea: skipped: no Gitea ({why})");
            return Ok(ExitCode::FAILURE);
        }
    };
    let began = Instant::now();
    let mut forge = Forge::open(&binary, &landfall, arguments.control)?;
    let mut cases = Vec::new();
    for (name, holds, play) in STEPS {
        let outcome = play(&mut forge);
        match &outcome {
            Ok(told) => println!("{name}: {told}"),
            Err(error) => println!("FAILS {name}: {holds}: {error:#}"),
        }
        cases.push(CaseEvidence::judged((*name).to_owned(), holds, outcome.is_ok()));
    }
    let failed = cases.iter().filter(|case| case.verdict == "failed").count();
    let (passed, seconds) = (cases.len() - failed, began.elapsed().as_secs());
    let (suite, cluster) =
        (if arguments.control { "gitea-control" } else { "gitea" }, Cluster::controlled(arguments.control));
    println!("{suite}: {} steps, {passed} passed, {failed} failed, {seconds} s", cases.len());
    if arguments.asked.leaves() {
        Evidence::of(suite, cluster, peers::versions("gitea")?, cases).write(root())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Step = (&'static str, &'static str, fn(&mut Forge) -> anyhow::Result<String>);

const STEPS: &[Step] = &[
    ("first sync", "what was pushed before the server began is delivered", first_sync),
    ("push", "a push is delivered by its webhook, sooner than by any poll", push),
    (
        "private repository",
        "a push to a private repository is delivered to test; production waits for a person",
        private,
    ),
    ("manual production", "somebody's sync delivers production, and no push does", manual),
    ("revert", "git's own way back is delivered as any commit", revert),
    ("another's webhook", "a webhook that is signed with another secret is refused, and leads to nothing", forged),
    (
        "fifty writers",
        "fifty writers through two replicas land in one line within 5 s, and none is lost or doubled",
        writers::fifty,
    ),
    ("lost webhook", "without its webhook a push is delivered by the next poll", lost),
    (
        "sign-in",
        "who Gitea says somebody is signs in, with the rights of the groups that it names, once a code, across a restart and new keys",
        issuer::signs_in,
    ),
];

/// The forge, the server, and a work tree of each repository.
struct Forge {
    gitea: Gitea,
    scene: Scene,
    works: tempfile::TempDir,
    /// The commit of the product that both environments are delivered from.
    chart: String,
}

impl Forge {
    fn open(binary: &Path, landfall: &Path, is_real: bool) -> anyhow::Result<Self> {
        let gitea = Gitea::start(binary, &published()?)?;
        let works = tempfile::Builder::new().prefix("landfall-gitea-work-").tempdir()?;
        let scene = if is_real { Scene::on_real(landfall)? } else { Scene::open(landfall)? };
        let mut forge = Forge { gitea, scene, works, chart: String::new() };
        for (work, example, (organisation, name), is_private) in [
            ("luckyplans", "luckyplans", ("luckyplans", "luckyplans"), false),
            ("product", "sens-platform/product", ("sens", "sens-platform"), false),
            ("infra", "sens-platform/infra", ("sens", "sens-platform-infra"), true),
        ] {
            let address = forge.gitea.repository(organisation, name, is_private)?;
            let at = forge.works.path().join(work);
            copy(&root().join("examples").join(example), &at)?;
            forge.git(work, &["init", "-q", "-b", "main"])?;
            forge.git(work, &["remote", "add", "origin", &address])?;
            let head = forge.push(work)?;
            if work == "product" {
                forge.chart = head;
            }
        }
        forge.declare()?;
        forge.prepare()?;
        forge.scene.start_with(&[("LANDFALL_WEBHOOK_SECRET", SECRET)])?;
        let address = format!("http://{}/api/webhook", forge.scene.address);
        for repository in ["luckyplans/luckyplans", "sens/sens-platform", "sens/sens-platform-infra"] {
            forge.gitea.webhook(repository, &address, SECRET)?;
        }
        Ok(forge)
    }

    fn address(&self, path: &str) -> String {
        format!("{}/{path}.git", self.gitea.url)
    }

    /// The Applications and projects as the examples have them, of this forge's repositories.
    fn declare(&self) -> anyhow::Result<()> {
        let files = [
            ("luckyplans", "infrastructure/argocd/apps/luckyplans-prod.yaml"),
            ("infra", "argocd/sens-test/project.yaml"),
            ("infra", "argocd/sens-test/application.yaml"),
            ("infra", "argocd/sens-production/project.yaml"),
            ("infra", "argocd/sens-production/application.yaml"),
        ];
        for (number, (work, file)) in files.into_iter().enumerate() {
            let text = fs::read_to_string(self.works.path().join(work).join(file)).with_context(|| file.to_owned())?;
            let text = text
                .replace(LUCKYPLANS, &self.address("luckyplans/luckyplans"))
                .replace(INFRA, &self.address("sens/sens-platform-infra"))
                .replace(PRODUCT, &self.address("sens/sens-platform"))
                .replace("7d1f0c5e9b8a4c6d2e3f1a0b9c8d7e6f5a4b3c2d", &self.chart)
                .replace("1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e", &self.chart);
            let document = landfall_yaml::documents(&text).next().and_then(Result::ok).and_then(|it| it.to_json().ok());
            let object = document.with_context(|| format!("{file} is no document"))?;
            self.scene.declare_as(&format!("{number}"), &object)?;
        }
        Ok(())
    }

    /// What is on the cluster before: who is trusted, who may read the private repository, and the products' own Secrets.
    fn prepare(&self) -> anyhow::Result<()> {
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        // As on any cluster that these products are delivered to, operators are there before them.
        for group in ["cert-manager.io", "bitnami.com", "traefik.io", "monitoring.coreos.com"] {
            for definition in landfall_object::operators::definitions(group) {
                self.scene.create(definition)?;
            }
        }
        for name in ["argocd", "sens-test", "sens-production", "luckyplans"] {
            self.scene.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))?;
        }
        self.scene.create(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-tls-certs-cm", "namespace": "argocd"},
            "data": {"127.0.0.1": self.gitea.authority},
        }))?;
        let labels = json!({"argocd.argoproj.io/secret-type": "repo-creds"});
        self.scene.create(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "sens", "namespace": "argocd", "labels": labels},
            "data": {"url": encoded(&format!("{}/sens", self.gitea.url)), "username": encoded(ACCOUNT.0), "password": encoded(ACCOUNT.1)},
        }))?;
        for namespace in ["sens-test", "sens-production"] {
            for (name, key) in
                [(format!("{namespace}-timescaledb-auth"), "postgres-password"), ("ghcr-pull".into(), "x")]
            {
                let metadata = json!({"name": name, "namespace": namespace});
                let data = json!({key: encoded("a password of the suite")});
                self.scene.create(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}))?;
            }
        }
        Ok(())
    }

    fn git(&self, work: &str, words: &[&str]) -> anyhow::Result<String> {
        let at = self.works.path().join(work);
        let mut command = Command::new("git");
        command.args(words).current_dir(&at).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.works.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_SSL_CAINFO", self.gitea.authority_file());
        let helper = format!("!f() {{ echo username={}; echo password={}; }}; f", ACCOUNT.0, ACCOUNT.1);
        command
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "credential.helper")
            .env("GIT_CONFIG_VALUE_0", helper);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "suite").env(format!("GIT_{who}_EMAIL"), "suite@example.com");
        }
        let output = command.stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Commits all and pushes it, as a person does; the commit.
    fn push(&self, work: &str) -> anyhow::Result<String> {
        self.git(work, &["add", "-A"])?;
        self.git(work, &["commit", "-q", "--allow-empty", "-m", "changed"])?;
        self.git(work, &["push", "-q", "origin", "main"])?;
        self.git(work, &["rev-parse", "HEAD"])
    }

    /// Changes a text of a file, and pushes that.
    fn change(&self, work: &str, file: &str, from: &str, to: &str) -> anyhow::Result<String> {
        let path = self.works.path().join(work).join(file);
        let text = fs::read_to_string(&path)?;
        ensure!(text.contains(from), "{file} has no `{from}`");
        fs::write(&path, text.replacen(from, to, 1))?;
        self.push(work)
    }

    /// How many webhooks had an outcome, as the server's metrics say.
    fn webhooks(&self, outcome: &str) -> anyhow::Result<u64> {
        let serving: Value = serde_json::from_slice(&fs::read(self.scene.state().join("serve.json"))?)?;
        let token = serving["token"].as_str().context("a token")?;
        let mut stream = TcpStream::connect(&self.scene.address)?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: it\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let wanted = format!("landfall_webhook_total{{outcome=\"{outcome}\"}} ");
        let line = answer.lines().find_map(|line| line.strip_prefix(&wanted));
        Ok(line.and_then(|count| count.trim().parse().ok()).unwrap_or(0))
    }

    /// Waits until an Application is synced to what its last source is at.
    fn until_at(&self, name: &str, revision: &str) -> anyhow::Result<Object> {
        self.scene.until(name, &format!("comes to {revision}"), |it| {
            let several = it.list_at("/status/sync/revisions");
            let is_there = it.str_at("/status/sync/revision") == Some(revision)
                || several.last().and_then(Value::as_str) == Some(revision);
            is_there && it.str_at("/status/sync/status") == Some("Synced")
        })
    }
}

const LUCKY: &str = "luckyplans-prod";
const TEST: &str = "sens-platform-test";
const PRODUCTION: &str = "sens-platform-production";

fn head(forge: &Forge, work: &str) -> anyhow::Result<String> {
    forge.git(work, &["rev-parse", "HEAD"])
}

fn first_sync(forge: &mut Forge) -> anyhow::Result<String> {
    let began = Instant::now();
    forge.until_at(LUCKY, &head(forge, "luckyplans")?)?;
    forge.until_at(TEST, &head(forge, "infra")?)?;
    let waits =
        forge.scene.until(PRODUCTION, "is OutOfSync", |it| it.str_at("/status/sync/status") == Some("OutOfSync"))?;
    ensure!(waits.at("/status/operationState").is_none(), "production was synced by itself");
    Ok(format!("two products on one server, {:.1} s", began.elapsed().as_secs_f64()))
}

fn push(forge: &mut Forge) -> anyhow::Result<String> {
    let before = forge.webhooks("push")?;
    let (mut told, mut took) = (Vec::new(), Vec::new());
    let values = "infrastructure/helm/luckyplans/values.prod.yaml";
    for (from, to) in [("replicas: 2", "replicas: 3"), ("replicas: 3", "replicas: 4"), ("replicas: 4", "replicas: 2")] {
        let heard = forge.webhooks("push")?;
        let revision = forge.change("luckyplans", values, from, to)?;
        let began = Instant::now();
        // The forge takes its time before it tells anybody; what comes after that is ours.
        while forge.webhooks("push")? == heard {
            ensure!(began.elapsed() < SOONER, "Gitea tells nobody of it");
            std::thread::sleep(Duration::from_millis(5));
        }
        told.push(began.elapsed());
        forge.until_at(LUCKY, &revision)?;
        took.push(began.elapsed());
    }
    let slowest = took.iter().max().copied().unwrap_or_default();
    ensure!(slowest < SOONER, "the slowest push took {slowest:?}: that was a poll");
    let heard = forge.webhooks("push")? - before;
    ensure!(heard >= 3, "{heard} webhooks were taken");
    let ours: Vec<Duration> = took.iter().zip(&told).map(|(took, told)| took.saturating_sub(*told)).collect();
    Ok(format!("pushed → told by Gitea in {told:.1?} → Synced in {ours:.1?}; {heard} webhooks taken"))
}

fn private(forge: &mut Forge) -> anyhow::Result<String> {
    let revision = forge.change("infra", "environments/test/values.yaml", "\n", "\n# pushed\n")?;
    let began = Instant::now();
    forge.until_at(TEST, &revision)?;
    let took = began.elapsed();
    ensure!(took < SOONER, "it took {took:?}: that was a poll");
    let waits = forge.scene.until(PRODUCTION, "is there", |_| true)?;
    ensure!(waits.at("/status/operationState").is_none(), "production was synced by itself");
    Ok(format!("{:.1} s", took.as_secs_f64()))
}

fn manual(forge: &mut Forge) -> anyhow::Result<String> {
    let wish = json!({"operation": {"initiatedBy": {"username": "sebastian"}, "sync": {}}});
    forge.scene.patch(&key_of(PRODUCTION), wish)?;
    let synced = forge.until_at(PRODUCTION, &head(forge, "infra")?)?;
    let by = synced.str_at("/status/history/0/initiatedBy/username");
    ensure!(by == Some("sebastian"), "its history says {by:?}");
    let deliveries = |it: &Object| it.list_at("/status/history").len();
    let before = deliveries(&synced);
    let revision = forge.change("infra", "environments/production/values.yaml", "\n", "\n# pushed\n")?;
    forge.until_at(TEST, &revision)?;
    std::thread::sleep(Duration::from_secs(2));
    let after = forge.scene.until(PRODUCTION, "is there", |_| true)?;
    ensure!(deliveries(&after) == before, "a push has delivered production");
    Ok(format!("production has {before} delivery, by sebastian"))
}

fn revert(forge: &mut Forge) -> anyhow::Result<String> {
    forge.git("luckyplans", &["revert", "--no-edit", "HEAD"])?;
    let revision = forge.push("luckyplans")?;
    let began = Instant::now();
    forge.until_at(LUCKY, &revision)?;
    Ok(format!("{:.1} s", began.elapsed().as_secs_f64()))
}

fn forged(forge: &mut Forge) -> anyhow::Result<String> {
    // What was pushed before may still be on its way, where another path was faster.
    let (mut taken, mut since) = (forge.webhooks("push")?, Instant::now());
    while since.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(100));
        let now = forge.webhooks("push")?;
        if now != taken {
            (taken, since) = (now, Instant::now());
        }
    }
    let refused = forge.webhooks("refused")?;
    forge.gitea.repository("strangers", "shop", false)?;
    let address = format!("http://{}/api/webhook", forge.scene.address);
    forge.gitea.webhook("strangers/shop", &address, "a-guess")?;
    let at = forge.works.path().join("strangers");
    fs::create_dir_all(&at)?;
    fs::write(at.join("README.md"), "a stranger's\n")?;
    forge.git("strangers", &["init", "-q", "-b", "main"])?;
    let own = forge.address("strangers/shop");
    forge.git("strangers", &["remote", "add", "origin", &own])?;
    forge.push("strangers")?;
    let began = Instant::now();
    while forge.webhooks("refused")? == refused {
        ensure!(began.elapsed() < Duration::from_secs(30), "it was never refused");
        std::thread::sleep(Duration::from_millis(50));
    }
    ensure!(forge.webhooks("push")? == taken, "it was taken");
    Ok("refused".to_owned())
}

fn lost(forge: &mut Forge) -> anyhow::Result<String> {
    let hooks = forge.gitea.ask("GET", "/repos/luckyplans/luckyplans/hooks", &Value::Null)?;
    for hook in hooks.as_array().into_iter().flatten() {
        let path = format!("/repos/luckyplans/luckyplans/hooks/{}", hook["id"]);
        forge.gitea.ask("DELETE", &path, &Value::Null)?;
    }
    let values = "infrastructure/helm/luckyplans/values.prod.yaml";
    let revision = forge.change("luckyplans", values, "\n", "\n# without a webhook\n")?;
    let began = Instant::now();
    forge.until_at(LUCKY, &revision)?;
    let web = ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "AppProject"), Some("argocd"), "sens-test");
    ensure!(forge.scene.get(&web)?.is_some(), "a project is gone");
    Ok(format!("{:.1} s, by a poll", began.elapsed().as_secs_f64()))
}

/// Where Gitea's module lies, with its texts and pages.
fn published() -> anyhow::Result<PathBuf> {
    let module = root().join("conformance/oracles/gitea");
    let mut command = Command::new("go");
    command
        .args(["list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea"])
        .current_dir(module)
        .env("GOFLAGS", "-mod=readonly");
    let output = command.stdin(Stdio::null()).output().context("go runs")?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(
        output.status.success() && !text.is_empty(),
        "Gitea's module is not here: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(PathBuf::from(text))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
