//! What a server wants to run here, held against what was signed: a target, or a refusal in words.

use landfall_fleet::legacy::Intent;
use landfall_fleet::protocol::{AGENT_PRODUCT, Desired};
use landfall_fleet::{Delta, Distrust, Platform, PublicKey, Target as Signed, Version, Wanted, verify_legacy};

use super::voice::{arch, platform};
use crate::disk::RealDisk;
use crate::journal::{Journal, Packing, Target};
use crate::settings::Settings;
use crate::trusted::Trusted;

/// The largest artifact there may be, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024 * 1024;

/// Which of the two it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// The agent itself.
    Agent,
    /// What it looks after.
    Payload,
}

/// Why an offer is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not now: what is missing may come.
    Wait(String),
    /// Not in this attempt.
    Never(String),
}

/// What is to run.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) wish: Wish,
    pub(super) version: String,
    pub(super) attempt: Option<String>,
    pub(super) url: String,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) not_after: Option<i64>,
    pub(super) target: Result<Target, Refusal>,
}

impl Offer {
    pub(super) fn refused(desired: &Desired, wish: Wish, reason: String) -> Self {
        Self::of(desired, wish, Err(Refusal::Never(reason)))
    }

    fn of(desired: &Desired, wish: Wish, target: Result<Target, Refusal>) -> Self {
        Self {
            wish,
            version: desired.version.clone(),
            attempt: Some(desired.attempt.clone()),
            url: desired.url.clone(),
            bytes_per_second: desired.bytes_per_second,
            not_after: desired.not_after,
            target,
        }
    }
}

/// In words, what this edge looks after instead.
pub(super) fn not_ours(desired: &Desired, settings: &Settings) -> String {
    let own = settings.payload.as_ref().map_or_else(
        || format!("only {AGENT_PRODUCT}, for it was enrolled without a payload"),
        |payload| format!("{} and {AGENT_PRODUCT}", payload.product),
    );
    format!("this edge does not look after {:?}, but {own}", desired.product)
}

/// What Landfall's server wants, as the signed targets have it. The server's word decides which version; what that is, and whether it
/// may be, only the offline keys say.
pub(super) fn of_targets(
    desired: &Desired,
    wish: Wish,
    settings: &Settings,
    trusted: &Trusted<'_, RealDisk>,
    journal: &Journal,
    clock: i64,
) -> Offer {
    Offer::of(desired, wish, resolved(desired, wish, settings, trusted, journal, clock))
}

fn resolved(
    desired: &Desired,
    wish: Wish,
    settings: &Settings,
    trusted: &Trusted<'_, RealDisk>,
    journal: &Journal,
    clock: i64,
) -> Result<Target, Refusal> {
    let trust = trusted.trust().ok_or_else(|| Refusal::Never(crate::trusted::Untrusted::NoRoot.to_string()))?;
    let install_type = match (wish, &settings.payload) {
        (Wish::Payload, Some(payload)) => payload.install_type.as_str(),
        _ => "service",
    };
    let fits = Platform::new(platform(), arch(), install_type);
    let wanted = Wanted { product: &desired.product, version: &desired.version, platform: &fits, floor: journal.floor };
    let found = trust.target(wanted, trusted.time(clock)).map_err(|distrust| match distrust {
        Distrust::NoArtifact { .. } | Distrust::Downgrade { .. } => Refusal::Never(distrust.to_string()),
        other => Refusal::Wait(other.to_string()),
    })?;
    let (packing, program) = packed(&found.custom.file_name, wish, settings).map_err(Refusal::Never)?;
    if found.length > LARGEST {
        return Err(Refusal::Never(format!("{} bytes are more than any artifact has ({LARGEST})", found.length)));
    }
    Ok(Target {
        version: desired.version.clone(),
        counter: found.custom.counter,
        sha256: digest(found.sha256()).map_err(Refusal::Never)?,
        size: found.length,
        url: desired.url.clone(),
        packing,
        program,
        downgrade: found.custom.counter < journal.floor,
        attempt: Some(desired.attempt.clone()),
        delta: delta(found, packing, journal),
    })
}

/// A way to the artifact from what runs here that is shorter than the artifact, if one was signed.
fn delta(found: &Signed, packing: Packing, journal: &Journal) -> Option<Delta> {
    let running = journal.running()?;
    let mut deltas = found.deltas().filter(|delta| delta.base == running.sha256 && delta.own.length < found.length);
    // A program is what was released, byte by byte; an archive may come out unpacked.
    deltas.find(|delta| {
        packing == Packing::Archive || (delta.to.sha256 == found.sha256() && delta.to.length == found.length)
    })
}

/// What the existing gateway wants. It signs a checksum alone, so the version is believed only as far as it goes up.
pub(super) fn of_gateway(intent: &Intent, settings: &Settings, wish: Wish, current: Option<&str>) -> Option<Offer> {
    let version = intent.target_version.clone()?;
    let newer = match (Version::parse(&version), current.map(Version::parse)) {
        (Ok(target), Some(Ok(current))) => target > current,
        (Ok(_), _) => true,
        _ => false,
    };
    if !newer {
        return None;
    }
    let release = intent.release.as_ref();
    let target = release
        .ok_or_else(|| Refusal::Wait(format!("the gateway has no artifact of {version} for this edge")))
        .and_then(|release| {
            let key = settings.gateway_key.as_deref().and_then(PublicKey::of_pem);
            let key = key.ok_or_else(|| {
                Refusal::Never(
                    "no key is trusted for the gateway's releases. Enroll with --gateway-key FILE".to_owned(),
                )
            })?;
            let sha256 = digest(&release.checksum).map_err(Refusal::Never)?;
            let fits = Platform::new(&release.platform, &release.arch, &release.install_type);
            if fits.platform != platform() || fits.arch != arch() {
                return Err(Refusal::Never(format!("it is for {fits}, and this is {}/{}", platform(), arch())));
            }
            if release.version != version {
                return Err(Refusal::Never(format!("the gateway offers {} as {version}", release.version)));
            }
            if !release.signature_algorithm.eq_ignore_ascii_case("ed25519")
                || !verify_legacy(&key, &release.checksum, &release.signature)
            {
                return Err(Refusal::Never(format!(
                    "the checksum of {version} is not signed with the key that is trusted here"
                )));
            }
            let name = crate::http::bare(&release.url).rsplit('/').next().unwrap_or_default().to_owned();
            let (packing, program) = packed(&name, wish, settings).map_err(Refusal::Never)?;
            let size = release
                .size_bytes
                .filter(|size| *size <= LARGEST)
                .ok_or_else(|| Refusal::Never(format!("the gateway does not say how many bytes {version} has")))?;
            Ok(Target {
                version: version.clone(),
                counter: 0,
                sha256,
                size,
                url: release.url.clone(),
                packing,
                program,
                downgrade: false,
                attempt: None,
                delta: None,
            })
        });
    let url = release.map(|release| release.url.clone()).unwrap_or_default();
    Some(Offer { wish, version, attempt: None, url, bytes_per_second: None, not_after: None, target })
}

fn digest(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err("its checksum is no SHA-256".to_owned())
    }
}

/// How a file of this name is packed, and the program to start of it.
fn packed(name: &str, wish: Wish, settings: &Settings) -> Result<(Packing, String), String> {
    let program = match (wish, &settings.payload) {
        (Wish::Payload, Some(payload)) => payload.program.clone(),
        _ if cfg!(windows) => "landfall-agent.exe".to_owned(),
        _ => "landfall-agent".to_owned(),
    };
    if !crate::archive::is_inside(&program) {
        return Err(format!("{program:?} is no path of a program below the slot"));
    }
    let lower = name.to_ascii_lowercase();
    if [".tar.gz", ".tgz", ".tar"].iter().any(|ending| lower.ends_with(ending)) {
        return Ok((Packing::Archive, program));
    }
    if [".zip", ".7z", ".xz", ".zst", ".bz2", ".rpm", ".deb", ".msi"].iter().any(|ending| lower.ends_with(ending)) {
        return Err(format!(
            "{name:?} is packed in a way that this agent does not unpack: release a .tar.gz, a .tar or the program itself"
        ));
    }
    Ok((Packing::Program, program))
}

#[cfg(test)]
mod tests;
