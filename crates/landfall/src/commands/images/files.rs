//! Whose file it is: the environments that read a values file say which tags may stand in it.

use std::path::Path;

use landfall_delivery::{Overrides, saying, tree_path};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place, PlaceQuery, Protection};
use landfall_project::EnvironmentName;
use landfall_promote::TagPolicy;
use landfall_source::SourceTree;

use super::policy::declared_policy;
use crate::arguments::TargetArgs;
use crate::context::Context;

/// The place in which files are changed, and what the environments that read them let run.
///
/// # Errors
/// Several environments read them, and none is the one that commands act on; an environment that is not there.
pub(super) async fn place_of(
    context: &Context,
    args: &TargetArgs,
    files: &[String],
) -> Result<(Place, Vec<TagPolicy>), Failure> {
    // What lies here is changed, whatever revision is looked at.
    let query = &PlaceQuery { revision: None, ..args.query() };
    let names = if query.environment.is_some() { Vec::new() } else { environments(context, files)? };
    if names.is_empty() {
        let place = context.host.declared_place(None, query).await?;
        let policies = declared_policy(&place).into_iter().collect();
        return Ok((place, policies));
    }
    let (mut readers, mut others, mut policies) = (Vec::new(), Vec::new(), Vec::new());
    for (target, name) in names {
        let of_it = PlaceQuery { environment: Some(name), ..query.clone() };
        let place = context.host.place(target.as_deref(), &of_it).await?;
        match reads(context, args, &place, files).await {
            Some(false) => others.push(place),
            is_reader => {
                policies.extend(declared_policy(&place));
                // What cannot be told says what may stand there all the same, and is not where it is written for.
                if is_reader == Some(true) { readers.push(place) } else { others.push(place) }
            }
        }
    }
    if readers.len() == 1 {
        return Ok((readers.swap_remove(0), policies));
    }
    let shown: Vec<String> = readers.iter().filter_map(|place| place.environment.clone()).collect();
    match context.host.declared_place(None, query).await {
        Ok(place) => Ok((place, policies)),
        Err(_) if readers.is_empty() => {
            // Nobody's file: written for no environment, and asked about as for the one that asks most.
            let protected =
                |place: &Place| place.cluster.remote().is_some_and(|it| it.protection == Protection::Protected);
            let at = others.iter().position(protected);
            let mut place = others.swap_remove(at.unwrap_or_default());
            place.environment = None;
            Ok((place, policies))
        }
        Err(_) => {
            let diagnostic = Diagnostic::error(code::WHICH_ENVIRONMENT, "several environments read that file");
            Err(Failure::usage(diagnostic.listing("they are", shown).help("say which: --env NAME")))
        }
    }
}

/// The environments of the landfall.yaml that is here and of those above the files, each with its directory where that is not here.
fn environments(context: &Context, files: &[String]) -> Result<Vec<(Option<String>, EnvironmentName)>, Failure> {
    let root = context.host.project_root().unwrap_or_else(|| context.host.directory.clone());
    let mut systems = vec![(None, root.clone())];
    let top = SourceTree::open_directory(&root).ok();
    let top = top.as_ref().and_then(SourceTree::directory_on_disk);
    for directory in files.iter().filter_map(|file| Some(top?.join(file))) {
        let above = directory.ancestors().skip(1).take_while(|it| top.is_some_and(|top| it.starts_with(top)));
        for directory in above {
            let is_known = systems.iter().any(|(_, known)| same(known, directory));
            if !is_known && directory.join(landfall_project::FILE_NAME).is_file() {
                systems.push((Some(directory.display().to_string()), directory.to_owned()));
            }
        }
    }
    let mut all = Vec::new();
    for (target, directory) in systems {
        let Ok(bytes) = std::fs::read(directory.join(landfall_project::FILE_NAME)) else { continue };
        let file = landfall_project::parse_bytes(landfall_project::FILE_NAME, &bytes).map_err(Failure::from)?;
        let names = file.system.environments.keys().filter_map(|name| EnvironmentName::parse(name).ok());
        all.extend(names.map(|name| (target.clone(), name)));
    }
    Ok(all)
}

/// Whether two paths are one directory.
fn same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// Whether something that an environment delivers reads one of these files; nothing where that cannot be told.
async fn reads(context: &Context, args: &TargetArgs, place: &Place, files: &[String]) -> Option<bool> {
    let namespace = context.host.default_namespace(place);
    let selection = args.selection(&context.host, place).ok()?;
    let units = place.target.units(&selection, &Overrides::default(), &namespace).await.ok()?;
    for (_, unit) in &units {
        let unit = unit.as_ref().ok()?;
        if saying(unit).any(|name| tree_path(place.target.files(), name).is_some_and(|path| files.contains(&path))) {
            return Some(true);
        }
    }
    Some(false)
}
