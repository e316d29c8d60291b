//! What a promotion makes its receiver run, as it is rendered with the change: the tested images, each under the tag that it is
//! run by, and nothing else; and nothing in any other environment.

use std::collections::{BTreeMap, BTreeSet};

use landfall_delivery::{Unit, UsedImage, image_parts, saying, tree_path, used_images};
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_project::{EnvironmentName, ProjectFile, Promotion};
use landfall_promote::{NamedImage, ReleasedImage, Tag, TestedImage, with_role};
use landfall_source::SourceTree;

use super::base::{self, Base};
use super::{PromoteArgs, by_hand};
use crate::commands::images::tags::{Made, Tags};
use crate::context::Context;

/// What is promoted.
pub(super) struct Asked<'a> {
    pub(super) promotion: &'a Promotion,
    pub(super) tags: &'a Tags,
    pub(super) images: &'a [TestedImage],
    pub(super) released: &'a Tag,
    /// The services that were named.
    pub(super) services: &'a [String],
    /// The receiver's units as they are.
    pub(super) units: &'a [Unit],
}

/// The images that go, each under the tag that it is run by there, and the edits by which it is.
///
/// # Errors
/// The change would run what was not tested, or would change another environment, too.
pub(super) async fn look(
    context: &Context,
    args: &PromoteArgs,
    base: &Base,
    asked: Asked<'_>,
) -> Result<(Vec<ReleasedImage>, Made), Failure> {
    let tip = base.tip.tree().await?;
    let made = asked.tags.edits(&tip).map_err(Failure::from)?;
    let to = &asked.promotion.to;
    let file = base.tip.declared(&tip)?;
    let head = base.tip.with(&tip, &made.files, "the promotion")?;
    let before = used(asked.units)?;
    let after = match made.files.is_empty() {
        true => before.clone(),
        false => used(&units(context, args, base, (head, &file, to)).await?)?,
    };
    let released = released(&asked, &before, &after).map_err(Failure::from)?;
    untouched(context, args, base, (&asked, &file), (&tip, &made)).await?;
    Ok((released, made))
}

/// The images that units run, by name, each with the objects that run it.
type Used = BTreeMap<String, Vec<String>>;

fn used(units: &[Unit]) -> Result<Used, Failure> {
    let all = used_images(units, &BTreeMap::new()).map_err(Failure::from)?;
    Ok(all.into_iter().map(|UsedImage { image, used_by, .. }| (image, used_by)).collect())
}

async fn units(
    context: &Context,
    args: &PromoteArgs,
    base: &Base,
    (tree, file, environment): (SourceTree, &ProjectFile, &EnvironmentName),
) -> Result<Vec<Unit>, Failure> {
    let place = base.tip.place(context, tree, file.clone(), environment)?;
    base::units(context, args, &place).await
}

/// The tested images among what runs with the change: what did not run before, and what the lines set, which may say it already.
fn released(asked: &Asked<'_>, before: &Used, after: &Used) -> Result<Vec<ReleasedImage>, Vec<Diagnostic>> {
    let set: BTreeSet<String> = asked.tags.wanted.iter().flat_map(|(line, tag)| line.images(tag)).collect();
    let (mut found, mut refused): (Vec<ReleasedImage>, Vec<Diagnostic>) = (Vec::new(), Vec::new());
    for (name, used_by) in after {
        let (repository, tag) = image_parts(name);
        let digest = name.split_once('@').map(|(_, digest)| digest);
        let is_set = set.contains(name.split('@').next().unwrap_or(name));
        if before.contains_key(name) && !is_set {
            continue;
        }
        match (NamedImage { repository, tag, digest }).tested(asked.images, asked.released) {
            Some(image) => {
                let tag = if tag.is_empty() { with_role(&image.tag, asked.released.as_str()) } else { tag.to_owned() };
                let one = ReleasedImage { image: image.clone(), tag };
                if !found.contains(&one) {
                    found.push(one);
                }
            }
            None => refused.push(untested(asked, (repository, name), used_by)),
        }
    }
    if refused.is_empty() { Ok(found) } else { Err(refused) }
}

/// That something would run which was not tested.
fn untested(asked: &Asked<'_>, (repository, name): (&str, &str), used_by: &[String]) -> Diagnostic {
    let Promotion { from, to, .. } = asked.promotion;
    let own = asked.tags.wanted.iter().filter(|(line, _)| line.repositories.contains(repository));
    let own: BTreeSet<String> = own.map(|(line, _)| format!("{} of {}", line.line.path(), line.line.file)).collect();
    let text = format!("{name} would run in {to} ({}), and is nothing that {from} runs by git", used_by.join(", "));
    let told = Diagnostic::refused(code::NOT_TESTED, text)
        .listing("its tag is said by", own)
        .listing("what was tested", asked.images.iter().map(|image| format!("{}:{}", image.repository, image.tag)))
        .note("nothing was written, and no tag was given");
    let told = told.help(format!("let {from} run it as well, or let a line of its own say its tag"));
    match asked.services {
        [] => told,
        _ => told.help("leave --service out, so that all that was tested goes"),
    }
}

/// Sees that the change is the receiver's alone: another environment that promotions know has its own rules, and its own tests.
async fn untouched(
    context: &Context,
    args: &PromoteArgs,
    base: &Base,
    (asked, file): (&Asked<'_>, &ProjectFile),
    (tip, made): (&SourceTree, &Made),
) -> Result<(), Failure> {
    if made.files.is_empty() {
        return Ok(());
    }
    let to = &asked.promotion.to;
    let known: BTreeSet<&EnvironmentName> = file.system.promotion.iter().flat_map(|it| [&it.from, &it.to]).collect();
    for other in known.into_iter().filter(|other| *other != to) {
        let place = base.tip.place(context, base.tip.tree().await?, file.clone(), other)?;
        let is_read =
            |name: &str| tree_path(place.target.files(), name).is_some_and(|path| made.files.contains_key(&path));
        let Ok(now) = base::units(context, args, &place).await else {
            // What cannot be rendered reads what it declares.
            match by_hand::declared(file, other).any(is_read) {
                true => return Err(shared(asked, other, made.files.keys())),
                false => continue,
            }
        };
        let read: BTreeSet<String> =
            now.iter().flat_map(saying).filter_map(|name| tree_path(place.target.files(), name)).collect();
        if !read.iter().any(|path| made.files.contains_key(path)) {
            continue;
        }
        let head = base.tip.with(tip, &made.files, "the promotion")?;
        let then = units(context, args, base, (head, file, other)).await;
        let is_same = match then {
            Ok(then) => used(&then)? == used(&now)?,
            // It can be rendered as it is.
            Err(_) => false,
        };
        if !is_same {
            return Err(shared(asked, other, read.iter().filter(|path| made.files.contains_key(*path))));
        }
    }
    Ok(())
}

/// That a change would be another environment's as well.
fn shared<'f>(asked: &Asked<'_>, other: &EnvironmentName, files: impl Iterator<Item = &'f String>) -> Failure {
    let to = &asked.promotion.to;
    let files: BTreeSet<&String> = files.collect();
    let lines = asked.tags.wanted.iter().filter(|(line, _)| files.contains(&line.line.file));
    let lines: BTreeSet<String> =
        lines.map(|(line, _)| format!("{} of {}", line.line.path(), line.line.file)).collect();
    let lines = lines.into_iter().collect::<Vec<_>>().join(", ");
    Failure::from(
        Diagnostic::refused(code::ONE_LINE_FOR_BOTH, format!("{other} reads {lines} as {to} does"))
            .note(format!("what is promoted to {to} would run in {other}, too, past what is declared for that"))
            .note("nothing was written, and no tag was given")
            .help(format!("let a values file of {to}'s own say it")),
    )
}
