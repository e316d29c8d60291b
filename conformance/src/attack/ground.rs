//! The ground of one scene: a directory with a user's home, a stranger's system, files that are none of the stranger's
//! business, programs that leave a mark, and servers on loopback.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::run::{self, Ended};
use super::scene::{Make, Scene, Where};
use super::server::{Server, certificate};
use crate::workshop::{self, Author};

/// What stands in files outside of the system.
pub(super) const OUTSIDE: &str = "canary-of-outside-5Qz81x";
/// What the tokens in the environment are.
pub(super) const TOKEN: &str = "canary-of-tokens-7Hc20w";
/// What a CI's checkout leaves in `.git/config`.
pub(super) const CHECKOUT: &str = "canary-of-checkout-3Vk96m";
/// What Secrets hold that a scene delivers.
pub(super) const SECRET: &str = "canary-of-secrets-9Tn47b";

/// What nobody may see, in any form.
pub(super) const CANARIES: [&str; 4] = [OUTSIDE, TOKEN, CHECKOUT, SECRET];

/// Hosts of forges that somebody else runs; a proxy leads there.
const FORGES: [&str; 3] = ["gitlab.evil.example", "gitea.evil.example", "github.com.gitlab.evil.example"];

/// Variables that hold a token.
const TOKENS: [&str; 3] = ["GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN"];

/// Programs that leave a mark when they are run: what a stranger would like to have run, or has brought along.
const MARKING: [&str; 12] =
    ["docker", "podman", "buildctl", "k3d", "kind", "kubectl", "helm", "ssh", "id", "evil", "gpg", "git-lfs"];

/// The directory; it ends with its value, and so does whatever still runs in it.
pub(super) struct Ground {
    place: TempDir,
    landfall: PathBuf,
    environment: Vec<(&'static str, String)>,
    host: Arc<Server>,
    other: Arc<Server>,
    secure: Arc<Server>,
    before: BTreeMap<PathBuf, Look>,
}

/// A file as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) mode: u32,
    pub(super) is_file: bool,
    pub(super) content: String,
}

impl Ground {
    /// Makes what a scene begins with.
    pub(super) fn of(scene: &Scene, landfall: &Path, mutant: Option<&str>) -> anyhow::Result<Self> {
        let place = tempfile::Builder::new().prefix("landfall-attack-").tempdir()?;
        let host = Server::open("127.0.0.1")?;
        let other = Server::open("127.0.0.2")?;
        let (tls, trusted) = certificate(&FORGES)?;
        let secure = Server::open_secure("127.0.0.3", tls)?;
        let mut ground = Ground {
            place,
            landfall: landfall.to_owned(),
            environment: Vec::new(),
            host,
            other,
            secure,
            before: BTreeMap::new(),
        };
        for folder in ["system", "home", "outside", "bin", "said"] {
            fs::create_dir(ground.place.path().join(folder))?;
        }
        for name in MARKING {
            ground.program(&format!("@BIN@/{name}"), &format!("echo {name} \"$@\" >> '@MARK@'"))?;
        }
        ground.file("@HOME@/trusted.pem", trusted.as_bytes())?;
        ground.file("@OUT@/secret.txt", OUTSIDE.as_bytes())?;
        ground.file("@OUT@/values.yaml", format!("password: {OUTSIDE}\n").as_bytes())?;
        ground.file("@OUT@/Chart.yaml", format!("apiVersion: v1\nname: {OUTSIDE}\nversion: 1.0.0\n").as_bytes())?;
        ground.file("@OUT@/templates/all.yaml", format!("kind: {OUTSIDE}\n").as_bytes())?;
        ground.file("@HOME@/.ssh/id_ed25519", OUTSIDE.as_bytes())?;
        ground.environment = TOKENS.iter().map(|name| (*name, TOKEN.to_owned())).collect();
        ground.environment.push(("SSL_CERT_FILE", ground.told("@HOME@/trusted.pem")));
        ground.environment.extend(mutant.map(|mutant| ("LANDFALL_MUTANT", mutant.to_owned())));
        for (name, value) in &scene.environment {
            ground.environment.push((name, ground.told(value)));
        }
        for make in &scene.makes {
            ground.make(make).with_context(|| format!("the ground: {}", short(&format!("{make:?}"))))?;
        }
        ground.before = ground.looks();
        Ok(ground)
    }

    fn make(&self, make: &Make) -> anyhow::Result<()> {
        match make {
            Make::File(path, bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.file(path, self.told(text).as_bytes()),
                Err(_) => self.file(path, bytes),
            },
            Make::Program(path, script) => self.program(path, script),
            Make::Link(path, target) => {
                let path = self.path(path);
                made(&path)?;
                Ok(symlink(self.told(target), path)?)
            }
            Make::Git(words) => self.git(words.iter().map(String::as_str)),
            Make::Commit(message) => {
                if !self.system().join(".git").exists() {
                    self.git(["init", "-q"])?;
                }
                self.git(["add", "-A", "-f"])?;
                self.git(["commit", "-q", "--allow-empty", "-m", message])
            }
            Make::Answer(server, path, answer) => {
                let server = match server {
                    Where::Host => &self.host,
                    Where::Other => &self.other,
                    Where::Secure => &self.secure,
                };
                server.put(path, answer.told(|text| self.told(text)));
                Ok(())
            }
            Make::Before(words) => {
                let words: Vec<String> = words.iter().map(|word| self.told(word)).collect();
                let ended = self.run(&words, "")?;
                ensure!(
                    ended.code == Some(0),
                    "landfall {} ended with {:?}:\n{}",
                    words.join(" "),
                    ended.code,
                    ended.said
                );
                Ok(())
            }
            Make::Do(make) => make(self),
        }
    }

    /// A text with this run's places in it.
    pub(super) fn told(&self, text: &str) -> String {
        if !text.contains('@') {
            return text.to_owned();
        }
        let mut told = text.to_owned();
        for (name, folder) in [
            ("@ROOT@", "system"),
            ("@HOME@", "home"),
            ("@OUT@", "outside"),
            ("@BIN@", "bin"),
            ("@MARK@", "ran"),
            ("@CALLS@", "calls"),
        ] {
            told = told.replace(name, &self.place.path().join(folder).display().to_string());
        }
        told.replace("@HOST@", &self.host.address())
            .replace("@OTHER@", &self.other.address())
            .replace("@SECURE@", &self.secure.address())
    }

    /// A path of the system, or one that says its place.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.system().join(self.told(path))
    }

    pub(super) fn system(&self) -> PathBuf {
        self.place.path().join("system")
    }

    pub(super) fn file(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        workshop::file(&self.path(path), bytes)
    }

    fn program(&self, path: &str, script: &str) -> anyhow::Result<()> {
        workshop::program(&self.path(path), &self.told(script))
    }

    /// git in the system, as its author.
    pub(super) fn git<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
        let words: Vec<&str> = words.into_iter().collect();
        self.git_reading(&words, b"").map(drop)
    }

    /// What git says when it reads something.
    pub(super) fn git_with(&self, words: &[&str], input: &[u8]) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&self.git_reading(words, input)?).trim().to_owned())
    }

    /// What git gives, byte by byte.
    pub(super) fn git_bytes(&self, words: &[&str]) -> anyhow::Result<Vec<u8>> {
        self.git_reading(words, b"")
    }

    fn git_reading(&self, words: &[&str], input: &[u8]) -> anyhow::Result<Vec<u8>> {
        let words: Vec<String> = words.iter().map(|word| self.told(word)).collect();
        let home = self.place.path().join("author");
        Author { name: "stranger", home: &home }.git(&self.system(), &words, input)
    }

    /// Runs the binary in the system, as the user.
    pub(super) fn run(&self, words: &[String], directory: &str) -> anyhow::Result<Ended> {
        run::to_its_end(self.command(words, directory), &self.place.path().join("said"))
    }

    /// Starts the binary's server in the system, as the user; it ends with the ground.
    pub(super) fn serve(&self, words: &[&str]) -> anyhow::Result<()> {
        let words: Vec<String> = words.iter().map(|word| self.told(word)).collect();
        let said = self.place.path().join("said/served");
        let mut command = self.command(&words, "");
        let mut child = command.stdout(Stdio::piped()).stderr(fs::File::create(&said)?).spawn()?;
        let mut ready = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut ready)?;
        let said = || fs::read_to_string(&said).unwrap_or_default();
        ensure!(ready.starts_with("ready http://"), "landfall {} says {ready:?}:\n{}", words.join(" "), said());
        Ok(())
    }

    fn command(&self, words: &[String], directory: &str) -> Command {
        let mut command = Command::new(&self.landfall);
        command.args(words).current_dir(self.system().join(directory)).env_clear().stdin(Stdio::null());
        command.env("HOME", self.place.path().join("home")).env("CI", "true").env("TERM", "dumb");
        command.env("PATH", format!("{}:/usr/bin:/bin", self.place.path().join("bin").display()));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Asks the served cluster something in place of a call; what its server holds is measured.
    pub(super) fn talked(&self, talk: fn(&Ground) -> anyhow::Result<String>) -> Ended {
        let began = std::time::Instant::now();
        let told = talk(self);
        let took = began.elapsed();
        let (code, said) = match told {
            Ok(said) => (Some(0), said),
            Err(error) => (Some(1), format!("error: {error:#}")),
        };
        Ended { code, said, took, held: super::api::pid(self).map_or(0, run::highest) }
    }

    /// What was run that should not.
    pub(super) fn marks(&self) -> String {
        fs::read_to_string(self.place.path().join("ran")).unwrap_or_default()
    }

    /// What recording programs were called with.
    pub(super) fn calls(&self) -> String {
        fs::read_to_string(self.place.path().join("calls")).unwrap_or_default()
    }

    /// What both servers were asked, with the headers.
    pub(super) fn asked(&self) -> String {
        format!("{}{}{}", self.host.asked(), self.other.asked(), self.secure.asked())
    }

    /// What the other server was sent.
    pub(super) fn taken(&self) -> String {
        self.other.asked()
    }

    /// A file as it was before the call.
    pub(super) fn before(&self, path: &Path) -> Option<&Look> {
        self.before.get(path)
    }

    /// The files outside of the system that were made for this scene.
    pub(super) fn foreign(&self) -> impl Iterator<Item = (&PathBuf, &Look)> {
        let outside = self.place.path().join("outside");
        let keys = self.place.path().join("home/.ssh");
        self.before.iter().filter(move |(path, _)| path.starts_with(&outside) || path.starts_with(&keys))
    }

    /// Whether something of that content lay in the ground before.
    pub(super) fn had(&self, look: &Look) -> bool {
        self.before.values().any(|before| before.content == look.content)
    }

    /// All that lies in the ground now; what the suite itself writes is left out.
    pub(super) fn looks(&self) -> BTreeMap<PathBuf, Look> {
        let mut looks = BTreeMap::new();
        let mut pending = vec![self.place.path().to_owned()];
        while let Some(path) = pending.pop() {
            let Ok(found) = path.symlink_metadata() else { continue };
            let content = if found.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                let own = ["said", "calls", "ran", "author"].map(|name| self.place.path().join(name));
                pending.extend(entries.map(|entry| entry.path()).filter(|path| !own.contains(path)));
                "a directory".to_owned()
            } else if found.is_symlink() {
                format!("a link to {}", fs::read_link(&path).unwrap_or_default().display())
            } else if found.is_file() {
                crate::hash(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()))
            } else {
                "something else".to_owned()
            };
            looks.insert(path, Look { mode: found.permissions().mode(), is_file: found.is_file(), content });
        }
        looks
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        run::end_all_in(self.place.path());
        self.host.close();
        self.other.close();
        self.secure.close();
    }
}

fn made(path: &Path) -> anyhow::Result<()> {
    Ok(fs::create_dir_all(path.parent().context("a file lies somewhere")?)?)
}

/// The beginning of a long text.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(600) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
