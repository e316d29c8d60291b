//! Applications that name the product's commit: where its chart is taken from moves with its images.

use landfall_diag::{Diagnostic, code};
use landfall_source::SourceTree;
use landfall_yaml::{Scalar, Step, edit};

use super::tags::Made;
use crate::commands::write_back::{EditLine, text_of};

/// Sources of one Application that are looked at.
const MOST_SOURCES: usize = 64;

/// Makes sources that name one commit name another one, in the files of Applications.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn moved(
    tree: &SourceTree,
    files: &[String],
    (before, now): (&str, &str),
    made: &mut Made,
) -> Result<(), Diagnostic> {
    let is_hash = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A name moves by itself, and the beginning of a hash is none that a source could name.
    if !is_hash(before) || !is_hash(now) || before == now {
        return Ok(());
    }
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
        let single = json.pointer("/spec/source/targetRevision").is_some_and(|it| it == before);
        let several = json.pointer("/spec/sources").and_then(serde_json::Value::as_array);
        let several = several.into_iter().flatten().enumerate().take(MOST_SOURCES);
        let several = several.filter(|(_, source)| source["targetRevision"] == before).map(|(at, _)| at);
        let mut paths: Vec<Vec<Step<'_>>> =
            several.map(|at| vec![Step::Key("spec"), Step::Key("sources"), Step::Index(at)]).collect();
        if single {
            paths.push(vec![Step::Key("spec"), Step::Key("source")]);
        }
        for mut path in paths {
            path.push(Step::Key("targetRevision"));
            text = edit::set(&text, &path, &Scalar::Str(now.to_owned().into())).map_err(|error| {
                Diagnostic::error(code::NO_TAG_THERE, format!("`targetRevision` in {file} cannot be set: {error}"))
            })?;
            made.lines.push(EditLine {
                file: file.clone(),
                line: None,
                path: "targetRevision".to_owned(),
                from: before.to_owned(),
                to: now.to_owned(),
            });
            made.files.insert(file.clone(), text.clone());
        }
    }
    Ok(())
}
