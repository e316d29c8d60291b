//! Keys in files, and what they sign: targets that follow those that a server has published.

use std::path::Path;

use jiff::{SignedDuration, Timestamp as Instant};
use landfall_diag::{Diagnostic, code};
use landfall_fleet::{
    Consent, KeyId, Metadata as _, PublicKey, Role, Root, Signed, SigningKey, Target, Targets, Trust,
};
use landfall_host::Failure;
use serde_json::Value;

use super::counter::Counter;

/// How long targets are believed.
pub(crate) const TARGETS_DAYS: i64 = 180;
/// Largest file that is read as a key, in bytes.
const LARGEST_KEY: u64 = 64 * 1024;

/// Reads signing keys, PEM files with an unencrypted PKCS#8 key.
pub(crate) fn keys(directory: &Path, files: &[String]) -> Result<Vec<SigningKey>, Failure> {
    files.iter().map(|file| key(directory, file)).collect()
}

/// A key in a file: one that signs, or the public half of one that is elsewhere.
pub(crate) enum Named {
    Signs(SigningKey),
    Public(PublicKey),
}

/// Reads keys of which the public half is wanted: PEM files with either half.
pub(crate) fn named(directory: &Path, files: &[String]) -> Result<Vec<Named>, Failure> {
    let read = |file: &String| match text_of(directory, file) {
        Ok(text) => match PublicKey::of_pem(&text) {
            Some(public) => Ok(Named::Public(public)),
            None => signing(file, &text).map(Named::Signs),
        },
        Err(error) => Err(no_key(file, error.to_string())),
    };
    files.iter().map(read).collect()
}

fn key(directory: &Path, file: &str) -> Result<SigningKey, Failure> {
    let text = text_of(directory, file).map_err(|error| no_key(file, error.to_string()))?;
    signing(file, &text)
}

fn text_of(directory: &Path, file: &str) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(directory.join(file))?.take(LARGEST_KEY).read_to_string(&mut text)?;
    Ok(text)
}

fn signing(file: &str, text: &str) -> Result<SigningKey, Failure> {
    SigningKey::of_pem(text)
        .ok_or_else(|| no_key(file, "it is no PEM file with an unencrypted Ed25519 key (PKCS#8)".to_owned()))
}

fn no_key(file: &str, why: String) -> Failure {
    Failure::usage(
        Diagnostic::error(code::BAD_SIGNING_KEY, format!("the file `{file}` holds no key that signs"))
            .note(why)
            .note("nothing was changed")
            .help("an Ed25519 key as `landfall edge keys init` or `openssl genpkey -algorithm ed25519` makes it"),
    )
}

/// What a server has published, held by its root.
pub(crate) struct Published {
    /// What follows from the roots; none before there are keys.
    pub(crate) trust: Option<Trust>,
    /// The server's own key, with which it signs timestamps.
    pub(crate) timestamp_key: Option<PublicKey>,
    targets: Option<Targets>,
}

impl Published {
    /// Asks the server, and believes what is signed.
    pub(crate) async fn fetch(counter: &Counter) -> Result<Self, Failure> {
        let told = counter.get("/api/v1/edge/metadata").await?;
        let strange = |why: String| {
            Failure::from(
                Diagnostic::refused(code::UNTRUSTED_METADATA, "what the server has published is not to be believed")
                    .note(why)
                    .note("nothing was changed"),
            )
        };
        let roots: Vec<&str> = told["roots"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let timestamp_key = serde_json::from_value(told["timestampKey"].clone()).ok();
        let Some((first, later)) = roots.split_first() else {
            return Ok(Published { trust: None, timestamp_key, targets: None });
        };
        let mut trust = Trust::begin(first.as_bytes()).map_err(|error| strange(error.to_string()))?;
        for root in later {
            trust.next_root(root.as_bytes()).map_err(|error| strange(error.to_string()))?;
        }
        let root = trust.root();
        let targets = match told["targets"].as_str() {
            None => None,
            Some(text) => {
                let signed = Signed::parse(text.as_bytes()).map_err(|error| strange(error.to_string()))?;
                // That they have run out is why new ones are signed.
                signed
                    .check(|id: &KeyId| root.key_of(Role::Targets, id), root.threshold(Role::Targets))
                    .map_err(|error| strange(error.to_string()))?;
                Some(signed.read::<Targets>().map_err(|error| strange(error.to_string()))?)
            }
        };
        Ok(Published { trust: Some(trust), timestamp_key, targets })
    }

    /// The artifacts of a product for a kind of machine before a version, the newest first.
    pub(crate) fn earlier(&self, target: &Target) -> Vec<&Target> {
        let of = |it: &&Target| {
            let (one, other) = (&it.custom, &target.custom);
            one.product == other.product && one.platform == other.platform && one.counter < other.counter
        };
        let all = self.targets.iter().flat_map(|targets| targets.targets.values());
        let mut earlier: Vec<&Target> = all.filter(of).collect();
        earlier.sort_by_key(|it| std::cmp::Reverse(it.custom.counter));
        earlier
    }

    /// Whether the targets have run out, so that no edge believes them.
    pub(crate) fn is_over(&self) -> bool {
        self.targets.as_ref().is_some_and(|targets| targets.expires_at() <= Instant::now().as_second())
    }

    /// Targets that follow, changed and signed.
    pub(crate) fn next(&self, keys: &[SigningKey], change: impl FnOnce(&mut Targets)) -> Result<String, Failure> {
        let root = self.trust.as_ref().map(Trust::root).ok_or_else(no_root)?;
        self.next_under(root, (&keys.iter().collect::<Vec<_>>(), "--key-file"), change)
    }

    /// Targets that follow, changed and signed by keys that a root lets sign; the flag is the one that gives those keys.
    pub(crate) fn next_under(
        &self,
        root: &Root,
        (keys, flag): (&[&SigningKey], &str),
        change: impl FnOnce(&mut Targets),
    ) -> Result<String, Failure> {
        let expires = after(TARGETS_DAYS)?;
        let mut targets = match &self.targets {
            Some(before) => {
                let mut next = before.clone();
                next.version += 1;
                next.expires = expires.to_string();
                next
            }
            None => Targets::new(1, expires),
        };
        let now = Instant::now();
        targets.downgrades.retain(|it| it.expires.parse::<Instant>().is_ok_and(|until| until > now));
        change(&mut targets);
        let signed = Signed::by(&targets, keys)
            .map_err(|error| Failure::from(Diagnostic::error(code::BUG, error.to_string())))?;
        signed.check(|id: &KeyId| root.key_of(Role::Targets, id), root.threshold(Role::Targets)).map_err(|error| {
            Failure::usage(
                Diagnostic::error(code::BAD_SIGNING_KEY, "these keys may not sign targets of this fleet")
                    .note(error.to_string())
                    .note("nothing was changed")
                    .help(format!("give each of the keys that the root names with a {flag} of its own")),
            )
        })?;
        Ok(signed.to_text())
    }
}

/// That a fleet has no keys yet.
pub(crate) fn no_root() -> Failure {
    Failure::usage(
        Diagnostic::error(code::BAD_SIGNING_KEY, "the fleet has no root that would say who may sign")
            .help("landfall edge keys init DIRECTORY"),
    )
}

/// The time in so many days, to the second.
pub(crate) fn after(days: i64) -> Result<Instant, Failure> {
    Instant::now()
        .checked_add(SignedDuration::from_hours(24 * days))
        .and_then(|at| at.round(jiff::Unit::Second))
        .map_err(|error| Failure::from(Diagnostic::error(code::BUG, error.to_string())))
}

/// Puts artifacts among the targets.
pub(crate) fn with_artifacts(targets: &mut Targets, artifacts: Vec<Target>) {
    for artifact in artifacts {
        targets.targets.insert(artifact.path(), artifact);
    }
}

/// Says that edges may go back to a version until a time.
pub(crate) fn with_consent(targets: &mut Targets, product: &str, version: &str, until: Instant) {
    targets.downgrades.retain(|it| it.product != product || it.version != version);
    let (product, version) = (product.to_owned(), version.to_owned());
    targets.downgrades.push(Consent { product, version, expires: until.to_string() });
}
