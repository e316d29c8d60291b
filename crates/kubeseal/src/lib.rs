//! kubeseal's flags and texts on our own sealing: as `kubeseal` (a link of that name), and as `landfall secrets seal`.
//!
//! ```text
//! words ─► flags ─► seal          Secret(s) ─► SealedSecret(s)         certificate: a file, an address, or the controller's
//!                   --raw         one value ─► base64
//!                   --merge-into  Secret ─► into a SealedSecret's file
//!                   --fetch-cert --validate --re-encrypt    the controller, through the API server
//!                   --recovery-unseal                       SealedSecret + private keys ─► Secret
//! ```
//!
//! What is printed is kubeseal's (v0.38), byte for byte; the help is ours. Where kubeseal would lose something, we do not: a file
//! that is rewritten is replaced whole or not at all, keeps its mode, and nothing becomes a Secret without values.
//!
//! No value in clear is printed but by `--recovery-unseal`, whose job that is.

mod cluster;
mod files;
mod flags;
mod input;

use std::io::{self, Read, Write};

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use landfall_helm::pflag::Flags;
use landfall_host::Host;
use landfall_secrets::{
    Certificate, Keyring, Override, PlainSecret, Scope, Sealing, SealingKey, go_json, go_yaml, merged, normalised,
    seal, seal_value, unseal,
};
use landfall_source::{Access, surroundings};
use serde_json::Value;

use cluster::{Configured, Controller};
use files::Replacement;

/// The release whose behaviour this is.
const VERSION: &str = "v0.38.4+landfall";
/// Bytes of a certificate that is fetched.
const MOST_CERTIFICATE: u64 = 1 << 20;

/// Standard input, and whether a person types it.
pub enum Input<'a> {
    /// Somebody may have to be told that it is waited for.
    Terminal(&'a mut dyn Read),
    /// A file or a pipe.
    Piped(&'a mut dyn Read),
}

impl<'a> Input<'a> {
    /// A reader, and whether a person is at its other end.
    pub fn of(reader: &'a mut dyn Read, is_terminal: bool) -> Self {
        if is_terminal { Input::Terminal(reader) } else { Input::Piped(reader) }
    }
}

/// What a call runs in.
pub struct World<'a> {
    /// Where it works.
    pub host: &'a Host,
    /// How the program was called.
    pub program: String,
    /// Standard input.
    pub input: Input<'a>,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// Wrong words.
    Usage,
    /// The cluster does not answer.
    Unreachable,
    /// There is no cluster that could be asked, and nothing that is asked instead.
    NoCluster,
    /// Nothing says for which namespace a value is.
    NoNamespace,
    /// Anything else.
    Failed,
}

/// Why a call did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// kubeseal's words.
    pub words: String,
    /// What it is.
    pub kind: StopKind,
}

impl Stop {
    fn failed(words: impl Into<String>) -> Self {
        Stop { words: words.into(), kind: StopKind::Failed }
    }

    fn unreachable(words: impl Into<String>) -> Self {
        Stop { words: words.into(), kind: StopKind::Unreachable }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::failed(files::go_words(&error))
    }
}

/// Whether a command line asks for kubeseal by the program's name.
pub fn is_asked(program: &str) -> bool {
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
    name.strip_suffix(".exe").unwrap_or(name) == "kubeseal"
}

/// Runs a call in kubeseal's own voice; gives its exit code.
#[boxed(?Send)]
pub async fn speak(world: &mut World<'_>, words: &[String]) -> u8 {
    let Err(stop) = run(world, words).await else { return 0 };
    // Nobody may be listening any more.
    let _unheard = match stop.kind {
        StopKind::Usage => {
            let said = writeln!(world.err, "Usage of {}:", world.program);
            said.and_then(|()| writeln!(world.out, "{}{}", flags::help(), stop.words))
        }
        _ => writeln!(world.err, "error: {}", stop.words),
    };
    if stop.kind == StopKind::Usage { 2 } else { 1 }
}

/// What `--help` tells of the flags, a line each.
pub fn help_lines() -> String {
    flags::help()
}

/// Runs a call.
///
/// # Errors
/// [`Stop`], in kubeseal's words.
#[boxed(?Send)]
pub async fn run(world: &mut World<'_>, words: &[String]) -> Result<(), Stop> {
    let flags = match flags::parse(words, |name| world.host.env.get(name).map(str::to_owned)) {
        Ok(flags) => flags,
        // pflag knows a `-h` that nobody declared.
        Err(words) if words.starts_with("unknown shorthand flag: 'h'") => return help(world),
        Err(words) => return Err(Stop { words, kind: StopKind::Usage }),
    };
    if flags.text("rotate").is_some() {
        writeln!(world.out, "Flag --rotate has been deprecated, please use --re-encrypt instead")?;
    }
    if flags.is("version") {
        writeln!(world.out, "kubeseal version: {VERSION}")?;
        return Ok(());
    }
    if flags.is("help") {
        return help(world);
    }
    if !flags.all("from-file").is_empty() && !flags.is("raw") {
        return Err(Stop::failed("--from-file requires --raw"));
    }
    let input = Source::open(world, &flags)?;
    let again = flags.is("re-encrypt") || flags.is("rotate");
    // What is sealed anew is written where it came from.
    let target = match (flags.text("sealed-secret-file").unwrap_or_default(), &input) {
        ("", Source::File { path, .. }) if again => Some(path.clone()),
        ("", _) => None,
        (path, _) => Some(world.host.directory.join(path)),
    };
    let replacement = target.as_deref().map(Replacement::begin).transpose()?;
    let is_yaml = target.as_deref().and_then(|path| path.extension()).is_some_and(|it| it == "yaml" || it == "yml");
    let format = if is_yaml { "yaml" } else { flags.text("format").unwrap_or_default() }.to_ascii_lowercase();
    let job = Job { flags: &flags, format, again };
    let mut printed = Vec::new();
    job.run(world, input, &mut printed).await?;
    match replacement {
        Some(replacement) if !printed.is_empty() => replacement.end(&printed)?,
        _ => world.out.write_all(&printed).and_then(|()| world.out.flush())?,
    }
    Ok(())
}

fn help(world: &mut World<'_>) -> Result<(), Stop> {
    writeln!(world.out, "Usage of {}:\n{}", world.program, flags::help().trim_end())?;
    Ok(())
}

/// Where the Secret or SealedSecret comes from.
enum Source {
    /// A file that was named.
    File { path: std::path::PathBuf, text: Vec<u8> },
    /// Standard input, which is read when it is wanted.
    Standard,
}

impl Source {
    fn open(world: &mut World<'_>, flags: &Flags) -> Result<Self, Stop> {
        if let Some(path) = flags.text("secret-file").filter(|path| !path.is_empty()) {
            let path = world.host.directory.join(path);
            let text = std::fs::read(&path);
            let text = text.map_err(|_| Stop::failed("Could not read file specified with --secret-file"))?;
            return Ok(Source::File { path, text });
        }
        if !flags.is("raw") && !flags.is("fetch-cert") {
            waited_for(world, "expecting json/yaml k8s resource in stdin")?;
        }
        Ok(Source::Standard)
    }

    fn read(self, world: &mut World<'_>) -> Result<Vec<u8>, Stop> {
        match self {
            Source::File { text, .. } => Ok(text),
            Source::Standard => standard(world),
        }
    }
}

/// Tells a person that something is waited for.
fn waited_for(world: &mut World<'_>, what: &str) -> Result<(), Stop> {
    if matches!(world.input, Input::Terminal(_)) {
        writeln!(world.err, "(tty detected: {what})")?;
    }
    Ok(())
}

fn standard(world: &mut World<'_>) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    match &mut world.input {
        Input::Terminal(input) | Input::Piped(input) => input.read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// What was asked for.
struct Job<'f> {
    flags: &'f Flags,
    format: String,
    /// Whether a SealedSecret is to be sealed anew.
    again: bool,
}

impl Job<'_> {
    async fn run(&self, world: &mut World<'_>, input: Source, out: &mut Vec<u8>) -> Result<(), Stop> {
        if self.flags.is("recovery-unseal") {
            return self.recover(world, input, out);
        }
        if self.flags.is("validate") || self.again {
            return self.ask(world, input, out).await;
        }
        let configured = Configured::read(world, self.flags);
        let (configured, text) = self.certificate(world, configured).await?;
        if self.flags.is("fetch-cert") {
            out.extend_from_slice(&text);
            return Ok(());
        }
        let certificate = Certificate::parse(&text).map_err(said)?;
        certificate.check(Timestamp::now()).map_err(said)?;
        let scope = Scope::parse(self.flags.text("scope").unwrap_or_default()).map_err(said)?;
        if let Some(path) = self.flags.text("merge-into").filter(|path| !path.is_empty()) {
            let path = world.host.directory.join(path);
            return self.merge(world, input, &path, &certificate, configured);
        }
        if self.flags.is("raw") {
            return self.raw(world, scope, &certificate, configured, out);
        }
        let how = Sealing {
            scope,
            name: self.flags.text("name").unwrap_or_default().to_owned(),
            within: String::new(),
            namespace: configured.map_or(Override::None, |configured| configured.namespace),
            empty: self.flags.is("allow-empty-data"),
        };
        let secrets = input::secrets(&input.read(world)?)?;
        if secrets.is_empty() {
            return Err(Stop::failed("no secrets found. Ensure the input is valid and UTF-8 encoded"));
        }
        for secret in secrets {
            // As kubeseal: what was sealed before a fault is printed, unless it goes to a file.
            match seal(secret, &certificate.key, &how) {
                Ok(sealed) => self.print(&sealed, out)?,
                Err(error) => {
                    if self.flags.text("sealed-secret-file").unwrap_or_default().is_empty() {
                        world.out.write_all(out)?;
                    }
                    return Err(said(error));
                }
            }
        }
        Ok(())
    }

    /// The certificate's text, from wherever it is; and what is known of the cluster, where that was not needed for it.
    async fn certificate(
        &self,
        world: &World<'_>,
        configured: Result<Configured, Stop>,
    ) -> Result<(Result<Configured, Stop>, Vec<u8>), Stop> {
        let Some(from) = self.flags.text("cert").filter(|from| !from.is_empty()) else {
            let configured = configured?;
            let namespace = configured.namespace.clone();
            let controller = Controller::find(world, self.flags, configured).await?;
            let text = controller.certificate().await;
            controller.close().await;
            return Ok((Ok(Configured::of(namespace)), text?));
        };
        let scheme = from.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| scheme.len() > 1);
        let text = match scheme {
            None => files::read(&world.host.directory.join(from), from)?,
            Some("file") => {
                let path = from.trim_start_matches("file:").trim_start_matches("//");
                let missing = || Stop::failed(format!("cannot fetch {from:?}: 404 Not Found"));
                std::fs::read(path).map_err(|_| missing())?
            }
            Some("http" | "https") => {
                let fetched = world.host.network.client(Access::default()).get(from, from, MOST_CERTIFICATE).await;
                fetched.map_err(|error| Stop::unreachable(error.to_string()))?
            }
            Some(other) => return Err(Stop::failed(format!("Get {from:?}: unsupported protocol scheme {other:?}"))),
        };
        Ok((configured, text))
    }

    fn raw(
        &self,
        world: &mut World<'_>,
        scope: Scope,
        certificate: &Certificate,
        configured: Result<Configured, Stop>,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let name = self.flags.text("name").unwrap_or_default();
        let mut namespace = String::new();
        if scope < Scope::ClusterWide {
            configured?.namespace()?.clone_into(&mut namespace);
            if name.is_empty() && scope == Scope::Strict {
                return Err(Stop::failed(format!(
                    "must provide the --name flag with --raw and --scope {}",
                    scope.name()
                )));
            }
        }
        let value = match self.flags.all("from-file") {
            [] => {
                waited_for(world, "expecting a secret to encrypt in stdin")?;
                standard(world)?
            }
            [one] => {
                let path = one.split_once('=').map_or(one.as_str(), |(_, path)| path);
                files::read(&world.host.directory.join(path), path)?
            }
            _ => {
                let words = "must provide only one --from-file when encrypting a single item with --raw";
                return Err(Stop::failed(words));
            }
        };
        let value = landfall_secrets::Masked::new(value);
        let sealed = seal_value(&certificate.key, value.reveal(), &scope.label(&namespace, name)).map_err(said)?;
        out.extend_from_slice(input::base64(&sealed).as_bytes());
        Ok(())
    }

    fn merge(
        &self,
        world: &mut World<'_>,
        input: Source,
        path: &std::path::Path,
        certificate: &Certificate,
        configured: Result<Configured, Stop>,
    ) -> Result<(), Stop> {
        let shown = self.flags.text("merge-into").unwrap_or_default();
        let into = input::sealed(&files::read(path, shown)?)?;
        let into = normalised(&into).map_err(said)?;
        let text = |field: &str| into["metadata"][field].as_str().unwrap_or_default().to_owned();
        let how = Sealing {
            scope: Scope::parse(self.flags.text("scope").unwrap_or_default()).map_err(said)?,
            name: text("name"),
            within: text("namespace"),
            namespace: configured.map_or(Override::None, |configured| configured.namespace),
            empty: self.flags.is("allow-empty-data"),
        };
        let mut secrets = input::secrets(&input.read(world)?)?.into_iter();
        let Some(secret) = secrets.next() else {
            return Err(Stop::failed("no secrets found. Ensure the input is valid and UTF-8 encoded"));
        };
        if secrets.next().is_some() {
            return Err(Stop::failed("more than one secret is given: one file holds one sealed secret"));
        }
        let update = seal(secret, &certificate.key, &how).map_err(said)?;
        let whole = merged(&into, &update).map_err(said)?;
        let mut printed = Vec::new();
        self.print(&whole, &mut printed)?;
        Replacement::begin(path)?.end(&printed)?;
        Ok(())
    }

    async fn ask(&self, world: &mut World<'_>, input: Source, out: &mut Vec<u8>) -> Result<(), Stop> {
        let configured = Configured::read(world, self.flags)?;
        let controller = Controller::find(world, self.flags, configured).await?;
        let outcome = self.asked(world, input, &controller, out).await;
        controller.close().await;
        outcome
    }

    async fn asked(
        &self,
        world: &mut World<'_>,
        input: Source,
        controller: &Controller,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        for sealed in input::all_sealed(&input.read(world)?)? {
            let sealed = normalised(&sealed).map_err(said)?;
            if self.again {
                let anew = controller.rotate(&sealed).await?;
                self.print(&normalised(&anew).map_err(said)?, out)?;
            } else {
                controller.verify(&sealed).await?;
            }
        }
        Ok(())
    }

    fn recover(&self, world: &mut World<'_>, input: Source, out: &mut Vec<u8>) -> Result<(), Stop> {
        let mut keys: Vec<SealingKey> = Vec::new();
        for path in self.flags.all("recovery-private-key") {
            keys.extend(input::private_keys(&files::read(&world.host.directory.join(path), path)?)?);
        }
        let sealed = input::sealed(&input.read(world)?)?;
        let opened = unseal(&sealed, &Keyring::new(keys), &surroundings()).map_err(said)?;
        let mut secret = opened.to_secret(&sealed);
        if opened.owned {
            secret["metadata"]["ownerReferences"][0]["uid"] = "".into();
        }
        // Go's decryption gives nothing for an empty value, which its JSON calls null.
        for value in secret["data"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if value == "" {
                *value = Value::Null;
            }
        }
        self.print(&secret, out)
    }

    fn print(&self, object: &Value, out: &mut Vec<u8>) -> Result<(), Stop> {
        match self.format.as_str() {
            "" | "json" => out.extend_from_slice(go_json(object).as_bytes()),
            "yaml" => {
                out.extend_from_slice(b"---\n");
                out.extend_from_slice(go_yaml(object).map_err(said)?.as_bytes());
            }
            other => return Err(Stop::failed(format!("unsupported output format: {other}"))),
        }
        Ok(())
    }
}

/// A failure of the rules in its own words.
fn said(error: impl std::fmt::Display) -> Stop {
    Stop::failed(error.to_string())
}

/// A document as a Secret, for those who read several.
fn plain(document: &Value) -> Result<Option<PlainSecret>, Stop> {
    PlainSecret::read(document).map_err(said)
}
