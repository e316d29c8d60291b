//! A Gitea of its own: built from its module, with an account, organisations, repositories and webhooks.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Who owns everything there.
pub(super) const ACCOUNT: (&str, &str) = ("anna", "a-password-of-the-suite");

/// A server that runs; it ends with its value.
pub(super) struct Gitea {
    place: tempfile::TempDir,
    binary: PathBuf,
    child: Child,
    /// `https://127.0.0.1:PORT`
    pub(super) url: String,
    /// Who has signed its certificate, in PEM.
    pub(super) authority: String,
    client: reqwest::Client,
    runtime: Runtime,
}

impl Drop for Gitea {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Gitea {
    /// Starts the binary; `published` is the folder of its module, which holds its texts and pages.
    pub(super) fn start(binary: &Path, published: &Path) -> anyhow::Result<Self> {
        let place = tempfile::Builder::new().prefix("landfall-gitea-").tempdir()?;
        let at = place.path();
        let authority = certificates(at)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let url = format!("https://127.0.0.1:{port}");
        let home = at.display();
        let settings = format!(
            "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\nRUN_MODE = prod\nRUN_USER = {user}\nWORK_PATH = {home}\n[server]\nPROTOCOL = https\nCERT_FILE = {home}/server.pem\nKEY_FILE = {home}/server.key\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\nROOT_URL = {url}/\nOFFLINE_MODE = true\nDISABLE_SSH = true\nSTATIC_ROOT_PATH = {published}\n[database]\nDB_TYPE = sqlite3\nPATH = {home}/gitea.db\n[security]\nINSTALL_LOCK = true\nPASSWORD_HASH_ALGO = pbkdf2\n[webhook]\nALLOWED_HOST_LIST = loopback\nSKIP_TLS_VERIFY = false\n[cron.update_checker]\nENABLED = false\n[log]\nLEVEL = warn\n",
            user = user()?,
            published = published.display(),
        );
        fs::write(at.join("app.ini"), settings)?;
        run(gitea(binary, at).arg("migrate"))?;
        let (name, password) = ACCOUNT;
        let account = ["admin", "user", "create", "--admin", "--must-change-password=false", "--username", name];
        run(gitea(binary, at).args(account).args(["--password", password, "--email", "anna@example.com"]))?;
        let child = web(binary, at)?;
        crate::http::install_crypto();
        let trusted = reqwest::Certificate::from_pem(authority.as_bytes())?;
        let client = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().timeout(Duration::from_secs(20));
        let client = client.build()?;
        let runtime = crate::testbed::runtime()?;
        let server = Gitea { binary: binary.to_owned(), place, child, url, authority, client, runtime };
        server.ready()?;
        Ok(server)
    }

    /// Waits until it answers.
    fn ready(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.ask("GET", "/version", &Value::Null).is_err() {
            let log = || fs::read_to_string(self.place.path().join("web.log")).unwrap_or_default();
            ensure!(began.elapsed() < Duration::from_secs(60), "Gitea is never ready:\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Begins anew with other keys for the identities that it signs.
    pub(super) fn change_keys(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        fs::remove_file(self.place.path().join("data/jwt/private.pem"))?;
        self.child = web(&self.binary, self.place.path())?;
        self.ready()
    }

    /// Asks its API as its owner.
    pub(super) fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1{path}", self.url);
        self.runtime.block_on(async {
            let request = self.client.request(method.parse()?, url).basic_auth(ACCOUNT.0, Some(ACCOUNT.1));
            let request = if body.is_null() { request } else { request.json(body) };
            let answer = request.send().await?;
            let status = answer.status();
            let text = answer.text().await?;
            ensure!(status.is_success(), "{method} {path}: {status}: {text}");
            Ok(serde_json::from_str(&text).unwrap_or_default())
        })
    }

    /// Makes a repository of an organisation, and the organisation where it is not there.
    pub(super) fn repository(&self, organisation: &str, name: &str, is_private: bool) -> anyhow::Result<String> {
        // The second repository finds it there.
        let _there = self.ask("POST", "/orgs", &json!({"username": organisation}));
        let wish = json!({"name": name, "private": is_private, "default_branch": "main"});
        self.ask("POST", &format!("/orgs/{organisation}/repos"), &wish)?;
        Ok(format!("{}/{organisation}/{name}.git", self.url))
    }

    /// Has a repository's pushes told to an address, signed.
    pub(super) fn webhook(&self, repository: &str, address: &str, secret: &str) -> anyhow::Result<()> {
        let config = json!({"url": address, "content_type": "json", "secret": secret});
        let wish = json!({"type": "gitea", "active": true, "events": ["push"], "config": config});
        self.ask("POST", &format!("/repos/{repository}/hooks"), &wish).map(drop)
    }

    /// A file that names who has signed its certificate.
    pub(super) fn authority_file(&self) -> PathBuf {
        self.place.path().join("authority.pem")
    }
}

fn web(binary: &Path, at: &Path) -> anyhow::Result<Child> {
    let log = fs::File::create(at.join("web.log"))?;
    Ok(gitea(binary, at).arg("web").stdout(log.try_clone()?).stderr(log).spawn()?)
}

fn gitea(binary: &Path, at: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg("--work-path").arg(at).arg("--config").arg(at.join("app.ini")).current_dir(at).env_clear();
    command
        .env("HOME", at)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("USER", user().unwrap_or_default());
    command.stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    let said = || [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said()));
    Ok(())
}

/// Who runs this: Gitea wants to be told.
fn user() -> anyhow::Result<String> {
    let output = Command::new("id").arg("-un").output().context("id runs")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Writes a certificate for loopback and its key, and the authority beside them; the latter.
fn certificates(at: &Path) -> anyhow::Result<String> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let leaf =
        CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?.signed_by(&key, &issuer)?;
    fs::write(at.join("server.pem"), leaf.pem())?;
    fs::write(at.join("server.key"), key.serialize_pem())?;
    fs::write(at.join("authority.pem"), signed.pem())?;
    Ok(signed.pem())
}
