//! What may be installed: releases, their artifacts, and the signed metadata that binds them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp as Instant};
use landfall_diag::{Diagnostic, code};
use landfall_fleet::protocol::MetadataVersions;
use landfall_fleet::{
    Delta, Metadata as _, Platform, PublicKey, Role, Root, Signed, Target, Targets, Timestamp, Trust, Version, Wanted,
    verify_legacy,
};
use landfall_store::{ArtifactRow, FleetContents, FleetWrite, MetadataRow, ReleaseRow};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::Control;

/// How long a timestamp is believed, and how long before its end it is signed anew.
const TIMESTAMP_DAYS: i64 = 3;
const RENEWED_BEFORE: i64 = 2 * 24 * 3600;

/// What may be installed.
pub(crate) struct Releases {
    now: RwLock<Known>,
}

#[derive(Default, Clone)]
pub(crate) struct Known {
    pub(crate) releases: BTreeMap<(String, String), Release>,
    /// Roots, from version 1 on.
    pub(crate) roots: Vec<String>,
    pub(crate) targets: Option<String>,
    pub(crate) timestamp: Option<String>,
    pub(crate) trust: Option<Trust>,
}

/// A release with its artifacts.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) row: ReleaseRow,
    pub(crate) artifacts: Vec<ArtifactRow>,
}

/// A release as it is registered: the manifest that the existing pipeline writes, with what it lacks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NewRelease {
    /// Of which product; `edge-agent` if not said.
    pub product: Option<String>,
    /// Which version.
    pub version: String,
    /// For people.
    pub notes: Option<String>,
    /// The key of all artifacts that name none.
    pub signing_key_id: Option<String>,
    /// One for each kind of machine.
    pub artifacts: Vec<NewArtifact>,
    /// The signed targets that name these artifacts, as text.
    pub targets: Option<String>,
}

/// An artifact as it is registered.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NewArtifact {
    /// `linux`, `win32`, `darwin`.
    pub platform: String,
    /// `x64`, `arm64`, `arm`.
    pub arch: String,
    /// `service` if not said.
    pub install_type: String,
    /// Where it was published; its last piece is the file's name.
    pub url: String,
    /// The file's name, where it is not the last piece of the address.
    pub file_name: Option<String>,
    /// SHA-256, 64 hexadecimal digits.
    pub checksum: String,
    /// Ed25519 over the text of the checksum, base64: what the existing agent holds it by.
    pub signature: Option<String>,
    /// `ed25519`.
    pub signature_algorithm: Option<String>,
    /// Which key.
    pub signing_key_id: Option<String>,
    /// Bytes.
    pub size_bytes: Option<u64>,
}

impl Releases {
    pub(crate) fn of(contents: &FleetContents, now: i64) -> Self {
        let mut known = Known::default();
        for row in &contents.releases {
            let of = |it: &&ArtifactRow| it.product == row.product && it.version == row.version;
            let artifacts = contents.artifacts.iter().filter(of).cloned().collect();
            known.releases.insert((row.product.clone(), row.version.clone()), Release { row: row.clone(), artifacts });
        }
        let documents = |role: &'static str| contents.metadata.iter().filter(move |row| row.role == role);
        known.roots = documents("root").map(|row| row.document.clone()).collect();
        known.targets = documents("targets").next_back().map(|row| row.document.clone());
        known.timestamp = documents("timestamp").next_back().map(|row| row.document.clone());
        known.trust = trust_of(&known, now);
        Releases { now: RwLock::new(known) }
    }

    #[cfg(test)]
    pub(crate) fn publish_for_test(&self, releases: BTreeMap<(String, String), Release>, targets: String) {
        *self.now.write() = Known { releases, targets: Some(targets), ..Known::default() };
    }

    /// Whether bytes are an artifact's.
    pub(crate) fn is_artifact(&self, sha256: &str) -> bool {
        self.now.read().releases.values().flat_map(|release| &release.artifacts).any(|it| it.sha256 == sha256)
    }

    pub(crate) fn known(&self) -> Known {
        self.now.read().clone()
    }

    /// A release that is offered.
    pub(crate) fn offered(&self, product: &str, version: &str) -> Option<Release> {
        let key = (product.to_owned(), version.to_owned());
        self.now.read().releases.get(&key).filter(|release| release.row.yanked_at.is_none()).cloned()
    }

    /// Whether a release was withdrawn.
    pub(crate) fn is_withdrawn(&self, product: &str, version: &str) -> bool {
        let known = self.now.read();
        let release = known.releases.get(&(product.to_owned(), version.to_owned()));
        release.is_some_and(|release| release.row.yanked_at.is_some())
    }

    /// The artifact of a release that fits a machine.
    pub(crate) fn artifact(&self, product: &str, version: &str, platform: &Platform) -> Option<ArtifactRow> {
        let known = self.now.read();
        let release = known.releases.get(&(product.to_owned(), version.to_owned()))?;
        release.artifacts.iter().find(|it| platform_of(it) == *platform).cloned()
    }

    /// How many bytes an artifact has, or a delta that the signed targets name, by its digest.
    pub(crate) fn size_of(&self, sha256: &str) -> Option<u64> {
        let known = self.now.read();
        let mut artifacts = known.releases.values().flat_map(|release| &release.artifacts);
        if let Some(artifact) = artifacts.find(|it| it.sha256 == sha256) {
            return u64::try_from(artifact.size).ok();
        }
        let targets = known.trust.as_ref()?.known_targets()?;
        let deltas = targets.targets.values().flat_map(|target| &target.custom.deltas);
        let mut named = deltas.filter(|delta| delta["sha256"] == sha256);
        named.find_map(Delta::read).map(|delta| delta.own.length)
    }

    /// The deltas that lead to an artifact, as they are signed.
    pub(crate) fn deltas(&self, artifact: &ArtifactRow) -> Vec<Delta> {
        let known = self.now.read();
        let targets = known.trust.as_ref().and_then(Trust::known_targets);
        let path = format!("{}/{}/{}", artifact.product, artifact.version, artifact.file_name);
        let target = targets.and_then(|targets| targets.targets.get(&path));
        target.filter(|it| it.sha256() == artifact.sha256).map_or_else(Vec::new, |it| it.deltas().collect())
    }

    /// Which versions of the metadata there are.
    pub(crate) fn versions(&self) -> MetadataVersions {
        let known = self.now.read();
        let version = |text: &Option<String>, read: fn(&Signed) -> u64| {
            text.as_deref().and_then(|text| Signed::parse(text.as_bytes()).ok()).map_or(0, |signed| read(&signed))
        };
        match &known.trust {
            Some(trust) if known.timestamp.is_some() => trust.versions(),
            _ => MetadataVersions {
                root: known.roots.len() as u64,
                timestamp: version(&known.timestamp, |it| it.read::<Timestamp>().map_or(0, |it| it.version)),
                targets: version(&known.targets, |it| it.read::<Targets>().map_or(0, |it| it.version)),
            },
        }
    }

    /// How long each role's metadata is still good, in seconds.
    pub(crate) fn expires_in(&self, now: i64) -> Vec<(&'static str, u64)> {
        let known = self.now.read();
        let mut left = Vec::new();
        let mut tell = |role, at: Option<i64>| {
            if let Some(at) = at {
                left.push((role, u64::try_from(at.saturating_sub(now)).unwrap_or(0)));
            }
        };
        tell("root", known.trust.as_ref().map(|trust| trust.root().expires_at()));
        let signed = |text: &Option<String>| text.as_deref().and_then(|it| Signed::parse(it.as_bytes()).ok());
        let believed = known.trust.as_ref().and_then(|it| it.known_targets()).map(landfall_fleet::Metadata::expires_at);
        // What had run out when the server began is not believed, and just that is to be told.
        let published = || signed(&known.targets).and_then(|it| it.read::<Targets>().ok()).map(|it| it.expires_at());
        tell("targets", believed.or_else(published));
        let timestamp = signed(&known.timestamp).and_then(|it| it.read::<Timestamp>().ok());
        tell("timestamp", timestamp.map(|it| it.expires_at()));
        left
    }

    /// Whether an edge of our own will find the release signed for its machine. Without any keys none will.
    pub(crate) fn is_signed(
        &self,
        product: &str,
        version: &str,
        platform: &Platform,
        downgrade: bool,
        now: i64,
    ) -> bool {
        let known = self.now.read();
        let Some(trust) = &known.trust else { return false };
        let floor = if downgrade { u64::MAX } else { 0 };
        trust.target(Wanted { product, version, platform, floor }, now).is_ok()
    }
}

/// For which machines an artifact is.
pub(crate) fn platform_of(artifact: &ArtifactRow) -> Platform {
    Platform::new(&artifact.platform, &artifact.arch, &artifact.install_type)
}

/// What follows from documents as they are published. What has run out is believed no more, which says nothing of the root.
fn trust_of(known: &Known, now: i64) -> Option<Trust> {
    let (first, later) = known.roots.split_first()?;
    let mut trust = Trust::begin(first.as_bytes()).ok()?;
    for root in later {
        trust.next_root(root.as_bytes()).ok()?;
    }
    let (Some(timestamp), Some(targets)) = (&known.timestamp, &known.targets) else { return Some(trust) };
    let taken = trust.timestamp(timestamp.as_bytes(), now).and_then(|()| trust.targets(targets.as_bytes(), now));
    if let Err(error) = taken {
        tracing::warn!("the fleet's signed metadata is not to be believed: {error}");
    }
    Some(trust)
}

fn refused(text: impl Into<String>) -> Diagnostic {
    Diagnostic::refused(code::BAD_RELEASE, text.into()).note("nothing was changed")
}

fn untrusted(text: impl Into<String>) -> Diagnostic {
    Diagnostic::refused(code::UNTRUSTED_METADATA, text.into()).note("nothing was changed")
}

impl Control {
    /// Registers a release whose artifacts were uploaded: nothing is taken that an edge would refuse.
    pub(crate) async fn add_release(&self, new: &NewRelease, by: &str) -> Result<Release, Diagnostic> {
        let now = self.now();
        let product = new.product.clone().unwrap_or_else(|| landfall_fleet::protocol::DEFAULT_PRODUCT.to_owned());
        let (release, writes, known) = {
            let known = self.releases.known();
            let release = self.checked(new, &product, by, &known, now)?;
            let mut next = known.clone();
            next.releases.insert((product.clone(), release.row.version.clone()), release.clone());
            let mut writes = vec![FleetWrite::Release(release.row.clone())];
            writes.extend(release.artifacts.iter().cloned().map(FleetWrite::Artifact));
            if let Some(targets) = &new.targets {
                writes.extend(self.take_targets(&mut next, targets, now)?);
                let trust = next.trust.as_ref();
                for artifact in &release.artifacts {
                    let platform = platform_of(artifact);
                    let wanted =
                        Wanted { product: &product, version: &artifact.version, platform: &platform, floor: 0 };
                    let target = trust.ok_or_else(|| untrusted("there is no root"))?.target(wanted, now);
                    let target = target.map_err(|error| untrusted(format!("the targets do not name it: {error}")))?;
                    let same = target.sha256() == artifact.sha256
                        && i64::try_from(target.length) == Ok(artifact.size)
                        && target.custom.file_name == artifact.file_name
                        && i64::try_from(target.custom.counter) == Ok(release.row.counter);
                    if !same {
                        let text =
                            format!("the targets name other bytes, another file or another counter for {platform}");
                        return Err(
                            untrusted(text).help(format!("this release has the counter {}", release.row.counter))
                        );
                    }
                    self.have_deltas(target)?;
                }
            } else if known.trust.is_some() {
                return Err(refused("the fleet has keys, and this release comes without signed targets")
                    .help("landfall edge release add DIRECTORY --key-file TARGETS.pem"));
            }
            (release, writes, next)
        };
        self.publish(known, writes).await?;
        Ok(release)
    }

    /// Whether the deltas that lead to an artifact were uploaded, as they are signed.
    fn have_deltas(&self, target: &Target) -> Result<(), Diagnostic> {
        for delta in target.deltas() {
            let there = std::fs::metadata(self.artifact_path(&delta.own.sha256)).map(|meta| meta.len());
            if there.ok() != Some(delta.own.length) {
                let what = format!("the delta from {} to {}", delta.version, target.path());
                return Err(refused(format!("{what} was not uploaded as it is signed"))
                    .help(format!("POST /api/v1/edge/artifacts/{} takes its bytes", delta.own.sha256)));
            }
        }
        Ok(())
    }

    fn checked(
        &self,
        new: &NewRelease,
        product: &str,
        by: &str,
        known: &Known,
        now: i64,
    ) -> Result<Release, Diagnostic> {
        let version = Version::parse(&new.version).map_err(|error| refused(error.to_string()))?.to_string();
        let word = |text: &str| {
            !text.is_empty() && text.len() <= 64 && text.bytes().all(is_plain) && text != "." && text != ".."
        };
        if !word(product) {
            return Err(refused(format!("{product:?} is no product: letters, digits, `.`, `_` and `-`, at most 64")));
        }
        if new.artifacts.is_empty() {
            return Err(refused("a release has at least one artifact"));
        }
        if known.releases.contains_key(&(product.to_owned(), version.clone())) {
            return Err(refused(format!("{product} {version} is registered, and what is registered never changes"))
                .help("build a new version"));
        }
        let of_product = known.releases.values().filter(|it| it.row.product == product);
        let counter = of_product.map(|it| it.row.counter).max().unwrap_or(0) + 1;
        let mut artifacts: Vec<ArtifactRow> = Vec::new();
        for artifact in &new.artifacts {
            let row = self.checked_artifact(artifact, new, (product, &version), known)?;
            if artifacts.iter().any(|other| platform_of(other) == platform_of(&row)) {
                return Err(refused(format!("two artifacts are for {}", platform_of(&row))));
            }
            artifacts.push(row);
        }
        let row = ReleaseRow {
            product: product.to_owned(),
            version,
            counter,
            notes: new.notes.clone().unwrap_or_default(),
            added_at: now,
            added_by: by.to_owned(),
            yanked_at: None,
        };
        Ok(Release { row, artifacts })
    }

    fn checked_artifact(
        &self,
        artifact: &NewArtifact,
        new: &NewRelease,
        (product, version): (&str, &str),
        known: &Known,
    ) -> Result<ArtifactRow, Diagnostic> {
        let platform = Platform::new(&artifact.platform, &artifact.arch, &artifact.install_type);
        let told = |text: &str| refused(format!("the artifact for {platform} {text}"));
        if !platform.is_known() {
            return Err(refused("an artifact says for which platform and arch it is"));
        }
        let sha256 = artifact.checksum.to_ascii_lowercase();
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(told("has no checksum: SHA-256, 64 hexadecimal digits"));
        }
        if !artifact.url.is_empty() && !artifact.url.starts_with("https://") {
            return Err(told("has an address that is not https://"));
        }
        let last = artifact.url.split(['?', '#']).next().unwrap_or("").rsplit('/').next().unwrap_or("");
        let file_name = artifact.file_name.clone().unwrap_or_else(|| last.to_owned());
        if file_name.is_empty()
            || file_name.len() > 200
            || !file_name.bytes().all(is_plain)
            || file_name.starts_with('.')
        {
            return Err(told("has no file name of letters, digits, `.`, `_` and `-`"));
        }
        let algorithm = artifact.signature_algorithm.as_deref().unwrap_or("ed25519");
        if !algorithm.eq_ignore_ascii_case("ed25519") {
            return Err(told("is signed by something else than ed25519"));
        }
        let legacy_signature = artifact.signature.clone().filter(|text| !text.is_empty());
        if let Some(signature) = &legacy_signature
            && !self.signers(known).iter().any(|key| verify_legacy(key, &sha256, signature))
        {
            return Err(told("has a signature of none of the keys that sign releases")
                .help("EDGE_RELEASE_SIGNING_PUBLIC_KEY of the server names the key, or the root's targets role does"));
        }
        let path = self.artifact_path(&sha256);
        let size = std::fs::metadata(&path).map(|meta| meta.len()).map_err(|_| {
            told("was not uploaded").help(format!("POST /api/v1/edge/artifacts/{sha256} takes its bytes"))
        })?;
        if artifact.size_bytes.is_some_and(|said| said != size) {
            return Err(told("has another size than it says"));
        }
        Ok(ArtifactRow {
            product: product.to_owned(),
            version: version.to_owned(),
            platform: platform.platform,
            arch: platform.arch,
            install_type: platform.install_type,
            file_name,
            sha256,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            legacy_signature,
            legacy_key: artifact.signing_key_id.clone().or_else(|| new.signing_key_id.clone()),
        })
    }

    /// Whose signatures of artifacts count.
    fn signers(&self, known: &Known) -> Vec<PublicKey> {
        let of_root =
            known.trust.as_ref().map(Trust::root).and_then(|root| Some((root, root.roles.get(&Role::Targets)?)));
        let of_root =
            of_root.into_iter().flat_map(|(root, keys)| keys.keyids.iter().filter_map(move |id| root.keys.get(id)));
        self.keys.signer.iter().chain(of_root).cloned().collect()
    }

    /// Takes new signed targets, with a timestamp that names them.
    fn take_targets(&self, known: &mut Known, text: &str, now: i64) -> Result<Vec<FleetWrite>, Diagnostic> {
        let before = known.targets.as_deref().and_then(|text| Signed::parse(text.as_bytes()).ok());
        let before = before.and_then(|signed| signed.read::<Targets>().ok()).map_or(0, |targets| targets.version);
        let signed = Signed::parse(text.as_bytes()).map_err(|error| untrusted(format!("the targets: {error}")))?;
        let targets: Targets = signed.read().map_err(|error| untrusted(format!("the targets: {error}")))?;
        if targets.version != before + 1 {
            let text = format!("the targets are of version {}, and {before} is published", targets.version);
            return Err(untrusted(text).help("somebody else has published meanwhile: do it again"));
        }
        known.targets = Some(text.to_owned());
        let mut writes = vec![document("targets", targets.version, text, now)];
        writes.extend(self.new_timestamp(known, now)?);
        Ok(writes)
    }

    /// Signs a timestamp for what is published, and holds that an edge would believe all of it.
    fn new_timestamp(&self, known: &mut Known, now: i64) -> Result<Vec<FleetWrite>, Diagnostic> {
        let Some(targets) = &known.targets else { return Ok(Vec::new()) };
        let version = |text: &str| Signed::parse(text.as_bytes()).ok();
        let before = known.timestamp.as_deref().and_then(version).and_then(|it| it.read::<Timestamp>().ok());
        let before = before.map_or(0, |timestamp| timestamp.version);
        let of_targets = version(targets).and_then(|it| it.read::<Targets>().ok()).map_or(0, |it| it.version);
        let expires = Instant::from_second(now)
            .and_then(|now| now.checked_add(SignedDuration::from_hours(24 * TIMESTAMP_DAYS)))
            .map_err(|error| Diagnostic::error(code::BUG, error.to_string()))?;
        let timestamp = Timestamp::new(before + 1, expires, targets.as_bytes(), of_targets);
        let signed = Signed::by(&timestamp, &[&self.keys.timestamp])
            .map_err(|error| Diagnostic::error(code::BUG, error.to_string()))?;
        let text = signed.to_text();
        known.timestamp = Some(text.clone());
        let mut trust = root_trust(known).ok_or_else(|| {
            untrusted("there is no root that says who may sign the targets").help("landfall edge keys init DIRECTORY")
        })?;
        trust
            .timestamp(text.as_bytes(), now)
            .and_then(|()| trust.targets(targets.as_bytes(), now))
            .map_err(|error| untrusted(error.to_string()))?;
        known.trust = Some(trust);
        Ok(vec![
            document("timestamp", before + 1, &text, now),
            FleetWrite::ForgetTimestamps(i64::try_from(before + 1).unwrap_or(i64::MAX)),
        ])
    }

    /// Publishes a root that follows, and targets.
    pub(crate) async fn publish_metadata(&self, root: Option<&str>, targets: Option<&str>) -> Result<(), Diagnostic> {
        let now = self.now();
        let mut known = self.releases.known();
        let mut writes = Vec::new();
        if let Some(text) = root {
            match root_trust(&known) {
                Some(mut trust) => trust.next_root(text.as_bytes()),
                None => Trust::begin(text.as_bytes()).map(drop),
            }
            .map_err(|error| untrusted(error.to_string()))?;
            let root: Root = Signed::parse(text.as_bytes())
                .and_then(|signed| signed.read())
                .map_err(|error| untrusted(error.to_string()))?;
            if root.version != known.roots.len() as u64 + 1 {
                return Err(untrusted(format!("the first root is of version 1, not {}", root.version)));
            }
            let own = self.keys.timestamp.public().id();
            if root.key_of(Role::Timestamp, &own).is_none() || root.threshold(Role::Timestamp) != 1 {
                return Err(untrusted("the root does not let this server sign timestamps alone")
                    .help(format!("its key is {}", own.0)));
            }
            if let Some(role) = [Role::Root, Role::Targets].into_iter().find(|role| !root.has_quorum(*role)) {
                return Err(untrusted(format!("the root names fewer keys for the role {role:?} than have to sign")));
            }
            if root.expires_at() <= now {
                return Err(untrusted(format!("the root has run out at {}", root.expires)));
            }
            known.roots.push(text.to_owned());
            writes.push(document("root", root.version, text, now));
            known.trust = root_trust(&known);
            if targets.is_none() && known.targets.is_some() {
                writes.extend(self.new_timestamp(&mut known, now)?);
            }
        }
        if let Some(text) = targets {
            writes.extend(self.take_targets(&mut known, text, now)?);
        }
        self.publish(known, writes).await
    }

    /// Signs the timestamp anew when its end is near.
    pub(crate) async fn renew_timestamp(&self) -> Result<(), Diagnostic> {
        let now = self.now();
        let near = self
            .releases
            .expires_in(now)
            .iter()
            .any(|(role, left)| *role == "timestamp" && i64::try_from(*left).unwrap_or(i64::MAX) < RENEWED_BEFORE);
        if !near {
            return Ok(());
        }
        let mut known = self.releases.known();
        let writes = self.new_timestamp(&mut known, now)?;
        self.publish(known, writes).await
    }

    /// Withdraws a release: nothing is offered of it any more, and campaigns of it rest.
    pub(crate) async fn yank(&self, product: &str, version: &str, targets: Option<&str>) -> Result<(), Diagnostic> {
        let now = self.now();
        let mut known = self.releases.known();
        let key = (product.to_owned(), version.to_owned());
        let release = known.releases.get_mut(&key).ok_or_else(|| {
            Diagnostic::error(code::NO_SUCH_EDGE, format!("there is no release {product} {version}"))
                .help("landfall edge release list")
        })?;
        release.row.yanked_at.get_or_insert(now);
        let mut writes = vec![FleetWrite::Release(release.row.clone())];
        if let Some(text) = targets {
            writes.extend(self.take_targets(&mut known, text, now)?);
        }
        self.publish(known, writes).await?;
        self.yanked(product, version).await
    }

    async fn publish(&self, known: Known, writes: Vec<FleetWrite>) -> Result<(), Diagnostic> {
        self.ledger.write(writes).await.map_err(|_| super::answers::unwritten())?;
        *self.releases.now.write() = known;
        Ok(())
    }
}

fn root_trust(known: &Known) -> Option<Trust> {
    let (first, later) = known.roots.split_first()?;
    let mut trust = Trust::begin(first.as_bytes()).ok()?;
    later.iter().try_for_each(|root| trust.next_root(root.as_bytes())).ok()?;
    Some(trust)
}

fn document(role: &str, version: u64, text: &str, now: i64) -> FleetWrite {
    FleetWrite::Metadata(MetadataRow {
        role: role.to_owned(),
        version: i64::try_from(version).unwrap_or(i64::MAX),
        document: text.to_owned(),
        published_at: now,
    })
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-+".contains(&byte)
}
