//! Whether images are where they are to be pulled from, made from what is said, and still what they were.

use std::path::PathBuf;

use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_promote::{Ledger, LedgerEntry};
use landfall_source::{Access, Credentials, ImageDetails, Reference, Registry, Scheme, SourceError};

use crate::context::Context;

/// The file of the state directory that keeps which digest a tag had first.
const LEDGER: &str = "tags.json";
/// Largest ledger that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// The registry of an image, asked with Docker's credentials; without TLS where it is on this machine.
pub(super) fn registry(context: &Context, reference: &Reference) -> Registry {
    let name = reference.host().rsplit_once(':').map_or(reference.host(), |(name, _)| name);
    let is_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let scheme = if is_here { Scheme::Either } else { Scheme::Https };
    let files = Vec::from_iter(landfall_host::docker_credentials(&context.host.env));
    let access = Access { patience: landfall_host::patience(&context.host.env), ..Access::default() };
    Registry::new(context.host.network.client(access), Credentials { given: None, files }, scheme)
}

/// What the registry says of an image.
///
/// # Errors
/// There is none, it cannot be asked, or the image was built from another commit than the one said.
pub(super) async fn looked_at(context: &Context, image: &str, commit: Option<&str>) -> Result<ImageDetails, Failure> {
    let reference = Reference::image(image).map_err(|error| Failure::usage(error.diagnose()))?;
    let found = registry(context, &reference).details(&reference).await;
    let details = match found {
        Ok(Some(details)) => details,
        Ok(None) => {
            return Err(Failure::from(
                Diagnostic::refused(code::IMAGE_ABSENT, format!("{image} is not in its registry"))
                    .note("nothing was written")
                    .help("publish it first, or name another tag"),
            ));
        }
        Err(SourceError::Refused { status: 401 | 403, .. }) => {
            return Err(Failure::from(
                Diagnostic::refused(
                    code::IMAGE_ABSENT,
                    format!("whether {image} is there cannot be seen: the registry lets nobody look"),
                )
                .note("nothing was written")
                .help("`docker login`, or set it without looking: --unchecked"),
            ));
        }
        Err(error) => return Err(Failure::from(error.diagnose().help("--unchecked sets it without looking"))),
    };
    let Some(commit) = commit else { return Ok(details) };
    let says = |revision: &str| {
        let (one, other) = (revision.to_lowercase(), commit.to_lowercase());
        one.starts_with(&other) || other.starts_with(&one)
    };
    match &details.revision {
        Some(revision) if says(revision) => Ok(details),
        Some(revision) => Err(Failure::from(
            Diagnostic::refused(
                code::OTHER_REVISION,
                format!("{image} was built from {revision}, and not from {commit}"),
            )
            .note("nothing was written"),
        )),
        None => Err(Failure::from(
            Diagnostic::refused(code::OTHER_REVISION, format!("{image} does not say which commit it was built from"))
                .note("nothing was written")
                .help("build it with the label org.opencontainers.image.revision, or leave --commit out"),
        )),
    }
}

/// Notes which digests tags have now.
///
/// # Errors
/// One of them had another digest before: a published tag never moves.
pub(super) fn noted(place: &Place, seen: &[(String, ImageDetails)]) -> Result<(), Failure> {
    if seen.is_empty() {
        return Ok(());
    }
    let mut ledger = read(place)?;
    let before = ledger.clone();
    for (image, details) in seen {
        let entry = LedgerEntry {
            digest: details.digest.clone(),
            at: jiff::Timestamp::now(),
            commit: details.revision.clone(),
        };
        ledger.note(image, entry).map_err(|moved| {
            Failure::from(
                Diagnostic::refused(code::TAG_MOVED, moved.to_string())
                    .note("nothing was written")
                    .help("publish under a new tag; what runs stays what it is"),
            )
        })?;
    }
    if ledger != before { write(place, &ledger) } else { Ok(()) }
}

fn file(place: &Place) -> PathBuf {
    place.state.file(LEDGER)
}

fn read(place: &Place) -> Result<Ledger, Failure> {
    let bytes = match landfall_source::read_bounded(&file(place), LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ledger::default()),
        Err(error) => return Err(unreadable(place, &error.to_string())),
    };
    let ledger: Ledger = serde_json::from_slice(&bytes).map_err(|error| unreadable(place, &error.to_string()))?;
    Ok(ledger)
}

fn write(place: &Place, ledger: &Ledger) -> Result<(), Failure> {
    place.state.create_cache().map_err(Failure::from)?;
    let (file, text) = (file(place), serde_json::to_vec_pretty(ledger).unwrap_or_default());
    // Beside and renamed: another process may be reading it.
    let partial = place.state.file(&format!(".{LEDGER}.{}.new", std::process::id()));
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &file));
    written.map_err(|error| unreadable(place, &error.to_string()))
}

fn unreadable(place: &Place, why: &str) -> Failure {
    let text = format!("the digests of tags in `{}` cannot be kept", file(place).display());
    Failure::from(Diagnostic::error(code::UNREADABLE_FILE, text).note(why.to_owned()))
}
