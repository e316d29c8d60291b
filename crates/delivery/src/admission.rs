//! What may run where it is delivered: tags that an environment's policy lets run, none that was moved since it was published, and
//! where a promotion leads none that is held back.
//!
//! ```text
//! landfall.yaml, environment ─► Admission ─┬─ policy ─► each tag of ours, or LF0962
//!                                          ├─ promoted there ─► none that the book says is held back, or LF0973
//!                                          └─ promoted there or from there ─► tags that the book knows are asked for, or LF0968
//! ```
//!
//! Whoever delivers asks: a command of the files that lie there, a server of the commit that it delivers. The registry and the book
//! are theirs.

use std::collections::BTreeSet;

use landfall_diag::{Diagnostic, code};
use landfall_project::System;
use landfall_promote::{Held, Tag, TagPolicy, TestedImage, held, without_role};

use crate::running::image_parts;
use crate::tag_lines::{Ours, known};
use crate::unit::Unit;
use crate::value_line::Files;

/// What an environment says of the images that run there.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The environment.
    pub environment: String,
    /// Which tags it lets run; any where it declares nothing.
    policy: Option<TagPolicy>,
    /// What is built for it, under tags of its own.
    built: BTreeSet<String>,
    /// Whether something is promoted there or from there.
    pub is_promoted: bool,
    /// Whether something is promoted there: what is held back does not come there.
    pub receives: bool,
}

/// An image of ours that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OurImage {
    /// Without its tag.
    pub repository: String,
    /// Its tag; empty where it has none.
    pub tag: String,
    /// Whether a digest says what runs, whatever the tag.
    pub is_pinned: bool,
    /// What says the tag, for people.
    pub said_by: String,
}

/// Which tags an environment of a system lets run; nothing where it declares nothing.
pub fn policy_of(system: &System, environment: &str) -> Option<TagPolicy> {
    let images = system.environments.get(environment)?.images.as_ref()?;
    let places = system.environments.keys().cloned().collect();
    Some(TagPolicy { policy: images.policy, channel: images.channel, places })
}

impl Admission {
    /// What a system says of an environment; nothing where it asks for nothing.
    pub fn of(system: &System, environment: &str) -> Option<Self> {
        let declared = system.environments.get(environment)?;
        let policy = policy_of(system, environment);
        let is_promoted = system.promotion.iter().any(|it| [&it.from, &it.to].iter().any(|name| *name == environment));
        let receives = system.promotion.iter().any(|it| *it.to == *environment);
        (policy.is_some() || is_promoted).then(|| Admission {
            environment: environment.to_owned(),
            policy,
            built: declared.build.keys().cloned().collect(),
            is_promoted,
            receives,
        })
    }

    /// Sees that none of the images is held back, under any name that its digest was `published` by. Of what runs there by now a hold
    /// says how it is gone back from: whoever knows leaves that out.
    ///
    /// # Errors
    /// One of them is.
    pub fn lets_in(&self, images: &[OurImage], published: &[TestedImage], holds: &[Held]) -> Result<(), Diagnostic> {
        if !self.receives {
            return Ok(());
        }
        for OurImage { repository, tag, said_by, .. } in images.iter().filter(|image| !image.tag.is_empty()) {
            let digest =
                published.iter().find(|it| it.repository == *repository && it.tag == *tag).map(|it| &it.digest);
            let others = published.iter().filter(|it| Some(&it.digest) == digest).map(|it| it.tag.as_str());
            let Some(Held { tag: name, by, reason }) = held(holds, others.chain([tag.as_str()])) else { continue };
            let called = if name == tag { String::new() } else { format!(", as {name},") };
            let text = format!("{repository}:{tag} is held back{called} by {by}: {reason}");
            let back = format!("landfall rollback --env {}, or landfall hold --release {name}", self.environment);
            return Err(Diagnostic::refused(code::HELD_BACK, text).note(format!("{said_by} says it")).help(back));
        }
        Ok(())
    }

    /// Sees that tags are such as it lets run. What is built for it has a tag of its own.
    ///
    /// # Errors
    /// One of them is not.
    pub fn allows(&self, images: &[OurImage]) -> Result<(), Diagnostic> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let is_built = |image: &OurImage| self.built.contains(image.repository.rsplit('/').next().unwrap_or_default());
        for image in images.iter().filter(|image| !image.tag.is_empty() && !is_built(image)) {
            let Err(refusal) = Tag::under(without_role(&image.tag), policy) else { continue };
            let (OurImage { repository, tag, said_by, .. }, environment) = (image, &self.environment);
            let text = format!("{repository}:{tag} may not run in {environment}: {refusal}");
            return Err(Diagnostic::refused(code::BAD_TAG, text)
                .note(format!("{said_by} says it; `images:` of the environment says what may run")));
        }
        Ok(())
    }
}

/// The images of ours that units run, whatever says their tags.
///
/// # Errors
/// One of the units does not render.
pub fn our_images<'u>(
    files: Files<'_>,
    units: impl IntoIterator<Item = &'u Unit>,
    ours: &Ours<'_>,
) -> Result<Vec<OurImage>, Vec<Diagnostic>> {
    let read = known(files, units, ours)?.all.into_iter().filter(|(_, is_ours)| *is_ours);
    let images: BTreeSet<OurImage> = read
        .map(|(read, _)| {
            let (repository, tag) = image_parts(&read.image.image);
            let said_by = match &read.line {
                Ok(line) => {
                    let at = line.line().map(|line| format!(":{line}")).unwrap_or_default();
                    format!("`{}` of {}{at}", line.path(), line.file)
                }
                Err(_) => format!("the image of {} in {}", read.image.container, read.image.object),
            };
            OurImage {
                repository: repository.to_owned(),
                tag: tag.to_owned(),
                is_pinned: read.image.pinned().is_some(),
                said_by,
            }
        })
        .collect();
    Ok(images.into_iter().collect())
}
