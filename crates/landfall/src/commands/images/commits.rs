//! Applications that name the product's commit: where its chart is taken from moves with its images.

use landfall_delivery::text_of;
use landfall_diag::{Diagnostic, code};
use landfall_source::SourceTree;
use landfall_yaml::{Scalar, Step, edit};

use super::tags::Made;
use crate::commands::write_back::EditLine;

/// Sources of one Application that are looked at.
const MOST_SOURCES: usize = 64;

/// The commits that a record has named for what it names now: of one that is only the beginning of a hash, those before it as
/// well, because no source ever followed it there.
pub(super) fn named(tree: &SourceTree, record: &str, now: &str) -> Vec<String> {
    let mut all = vec![now.to_owned()];
    if is_hash(now) {
        return all;
    }
    for version in tree.lineage().file_history(record).versions {
        let said = landfall_yaml::to_json(&version.text).unwrap_or_default();
        let before = said["product_commit"].as_str().filter(|it| is_hash(it));
        all.extend(before.map(str::to_owned));
    }
    all
}

fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Makes sources that name one commit name another one, in the files of Applications.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn moved(
    tree: &SourceTree,
    files: &[String],
    (before, now): (&[String], &str),
    made: &mut Made,
) -> Result<(), Diagnostic> {
    // A name moves by itself, and the beginning of a hash is none that a source could name.
    if !is_hash(now) {
        return Ok(());
    }
    let is_before = |named: &serde_json::Value| {
        named.as_str().is_some_and(|named| {
            let is_short = |it: &String| it.len() >= 7 && !is_hash(it) && named.starts_with(it.as_str());
            is_hash(named) && named != now && before.iter().any(|it| it == named || is_short(it))
        })
    };
    for file in files {
        let mut text = match made.files.get(file) {
            Some(text) => text.clone(),
            None => text_of(tree, file)?,
        };
        // Of several documents in one file none is edited.
        let Ok(json) = landfall_yaml::to_json(&text) else { continue };
        if json["kind"] != "Application" {
            continue;
        }
        let single = json.pointer("/spec/source/targetRevision").is_some_and(&is_before);
        let several = json.pointer("/spec/sources").and_then(serde_json::Value::as_array);
        let several = several.into_iter().flatten().enumerate().take(MOST_SOURCES);
        let several = several.filter(|(_, source)| is_before(&source["targetRevision"])).map(|(at, _)| at);
        let mut paths: Vec<Vec<Step<'_>>> =
            several.map(|at| vec![Step::Key("spec"), Step::Key("sources"), Step::Index(at)]).collect();
        if single {
            paths.push(vec![Step::Key("spec"), Step::Key("source")]);
        }
        for mut path in paths {
            let from = said_at(&json, &path);
            path.push(Step::Key("targetRevision"));
            text = edit::set(&text, &path, &Scalar::Str(now.to_owned().into())).map_err(|error| {
                Diagnostic::error(code::NO_TAG_THERE, format!("`targetRevision` in {file} cannot be set: {error}"))
            })?;
            made.lines.push(EditLine {
                file: file.clone(),
                line: None,
                path: "targetRevision".to_owned(),
                from,
                to: now.to_owned(),
            });
            made.files.insert(file.clone(), text.clone());
        }
    }
    Ok(())
}

/// The revision that a source names.
fn said_at(json: &serde_json::Value, path: &[Step<'_>]) -> String {
    let source = path.iter().try_fold(json, |here, step| match step {
        Step::Key(key) => here.get(key),
        Step::Index(index) => here.get(index),
    });
    source.and_then(|it| it["targetRevision"].as_str()).unwrap_or_default().to_owned()
}

/// Whether a commit came before another one, by the history of the branch, else by what is known here; nothing where none has both. A
/// shallow clone may have both and not what lies between.
pub(crate) fn comes_before(
    new: &str,
    old: &str,
    branch: Option<&SourceTree>,
    here: impl FnOnce() -> Option<bool>,
) -> Option<bool> {
    if new.starts_with(old) || old.starts_with(new) {
        return Some(false);
    }
    branch.and_then(|branch| branch.leads_to(new, old)).or_else(here)
}
