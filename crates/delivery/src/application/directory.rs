//! A directory of plain manifests as an Application's source.

use globset::{Glob, GlobMatcher};
use landfall_apps::Source;
use landfall_diag::{Code, Diagnose, Diagnostic, code};
use landfall_object::{Object, flattened, mask};
use landfall_secrets::sops::SopsKeys;
use landfall_source::SourceTree;
use serde_json::Value;

use super::{Reading, at_file};
use crate::opened;
use crate::target::join;
use crate::unit::PlainManifest;

/// All manifests of a directory together, as Argo CD's repository server allows.
const MOST: usize = 10 << 20;

impl Reading<'_> {
    /// The objects of a directory's manifests, file by file.
    pub(super) fn plain_directory(
        &self,
        source: &Source,
        files: &SourceTree,
        directory: &str,
    ) -> Result<Vec<PlainManifest>, Vec<Diagnostic>> {
        let settings = source.directory.clone().unwrap_or_default();
        let name = &self.application.name;
        let refuse = |code: Code, text: String| vec![at_file(Diagnostic::error(code, text), self.file)];
        if settings.jsonnet.is_some() {
            return Err(refuse(code::NOT_RENDERED, format!("Application {name}: Jsonnet is not evaluated")));
        }
        let pattern = |text: &str| -> Result<Option<GlobMatcher>, Vec<Diagnostic>> {
            if text.is_empty() {
                return Ok(None);
            }
            let glob =
                Glob::new(text).map_err(|error| refuse(code::BAD_PATTERN, format!("Application {name}: {error}")))?;
            Ok(Some(glob.compile_matcher()))
        };
        let (include, exclude) = (pattern(&settings.include)?, pattern(&settings.exclude)?);
        let below = if settings.recurse { "**/*" } else { "*" };
        let paths = files.glob(&join(&escaped(directory), below)).map_err(|error| vec![error.diagnose()])?;
        let mut manifests = Vec::new();
        let mut size = 0;
        for path in paths {
            let inside = path.strip_prefix(directory).unwrap_or(&path).trim_start_matches('/');
            let wanted = include.as_ref().is_none_or(|glob| glob.is_match(inside))
                && !exclude.as_ref().is_some_and(|glob| glob.is_match(inside));
            let kind = path.rsplit('.').next().unwrap_or_default();
            if !wanted || !matches!(kind, "yaml" | "yml" | "json" | "jsonnet") {
                continue;
            }
            if kind == "jsonnet" {
                return Err(refuse(
                    code::NOT_RENDERED,
                    format!("Application {name}: `{path}` is Jsonnet, which is not evaluated"),
                ));
            }
            let bytes = files.read(&path).map_err(|error| vec![error.diagnose()])?.unwrap_or_default();
            size += bytes.len();
            if size > MOST {
                return Err(refuse(
                    code::LARGE_MANIFESTS,
                    format!("Application {name}: the manifests of `{directory}` have more than 10 MiB"),
                ));
            }
            manifests.extend(objects(&path, &String::from_utf8_lossy(&bytes), &self.selection.sops)?);
        }
        Ok(manifests)
    }
}

/// The objects of one file, opened where it is encrypted; documents that are none are left out, as Argo CD does.
pub(super) fn objects(path: &str, text: &str, keys: &SopsKeys) -> Result<Vec<PlainManifest>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let clear = opened::clear(keys, path, text)?;
    let clear = clear.as_ref().map(|clear| String::from_utf8_lossy(clear.reveal()));
    let text = clear.as_deref().unwrap_or(text);
    for part in landfall_yaml::documents(text) {
        let document = part.and_then(|part| part.to_json()).map_err(|error| {
            let words = mask::words_about(text, error.to_string());
            vec![Diagnostic::error(code::MANIFEST_NOT_YAML, format!("`{path}` is not valid YAML")).note(words)]
        })?;
        let is_object = |item: &Value| item["kind"].is_string() && item["apiVersion"].is_string();
        for item in flattened(document).into_iter().filter(is_object) {
            if let Ok(object) = Object::from_value(item) {
                found.push(PlainManifest { path: path.to_owned(), object });
            }
        }
    }
    Ok(found)
}

/// A directory's path as a pattern that fits only itself.
fn escaped(directory: &str) -> String {
    globset::escape(directory)
}
