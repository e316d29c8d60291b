//! Whether images are where they are to be pulled from, made from what is said, and still what they were.

use landfall_delivery::{TargetKind, image_parts};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_server::api::LedgerLine;
use landfall_source::{Access, Credentials, ImageDetails, Reference, Registry, Scheme, SourceError};

use crate::commands::books::Books;
use crate::context::Context;

/// The registry of an image, asked with Docker's credentials; without TLS where it is on this machine.
pub(crate) fn registry(context: &Context, reference: &Reference) -> Registry {
    let name = reference.host().rsplit_once(':').map_or(reference.host(), |(name, _)| name);
    let is_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let scheme = if is_here { Scheme::Either } else { Scheme::Https };
    let files = Vec::from_iter(landfall_host::docker_credentials(&context.host.env));
    let access = Access { patience: landfall_host::patience(&context.host.env), ..Access::default() };
    Registry::new(context.host.network.client(access), Credentials { given: None, files }, scheme)
}

/// What a command has for the case that a registry cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlooked {
    /// Nothing: what it sets is what its registry says.
    Nothing,
    /// `--unchecked`.
    Flag,
    /// `--unchecked` where no promotion leads, and it is not known whether one does.
    Perhaps,
    /// A promotion leads there: `--unchecked` for a reason that everybody hears of.
    Glass,
}

impl Unlooked {
    /// What the commands have that take `--unchecked`, for a place.
    pub(crate) fn at(place: &Place) -> Self {
        let TargetKind::System(file) = &place.target.kind else { return Unlooked::Flag };
        match &place.environment {
            _ if file.system.promotion.is_empty() => Unlooked::Flag,
            Some(named) if file.system.promotion.iter().any(|it| it.to.as_str() == named) => Unlooked::Glass,
            Some(_) => Unlooked::Flag,
            None => Unlooked::Perhaps,
        }
    }

    /// What to type.
    fn advice(self) -> &'static str {
        match self {
            Unlooked::Nothing => "the same again, once its registry answers",
            Unlooked::Flag => "--unchecked sets it without looking",
            Unlooked::Perhaps => "--unchecked sets it without looking, where no promotion leads",
            Unlooked::Glass => "in an emergency --unchecked --break-glass REASON, which is audited and announced",
        }
    }
}

/// What the registry says of an image.
///
/// # Errors
/// There is none, it cannot be asked, or the image was built from another commit than the one said.
pub(crate) async fn looked_at(
    context: &Context,
    image: &str,
    commit: Option<&str>,
    unlooked: Unlooked,
) -> Result<ImageDetails, Failure> {
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
                .help("docker login")
                .help(unlooked.advice()),
            ));
        }
        Err(error) => return Err(Failure::from(error.diagnose().help(unlooked.advice()))),
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
pub(crate) async fn noted(books: &Books, seen: &[(String, ImageDetails)]) -> Result<(), Failure> {
    let line = |(image, details): &(String, ImageDetails)| {
        let (repository, tag) = image_parts(image);
        LedgerLine {
            image: repository.to_owned(),
            tag: tag.to_owned(),
            digest: details.digest.clone(),
            at: String::new(),
            revision: details.revision.clone(),
        }
    };
    books.publish(seen.iter().map(line).collect()).await
}
