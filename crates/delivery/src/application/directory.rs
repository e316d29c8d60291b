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

/// The objects of one file, opened where it is encrypted. A file without any is left out, as Argo CD does; one that has some, or
/// looks as if it should, is refused for a document that is none: what is left out is taken for what is no longer wanted.
pub(super) fn objects(path: &str, text: &str, keys: &SopsKeys) -> Result<Vec<PlainManifest>, Vec<Diagnostic>> {
    let (mut found, mut looks, mut first) = (Vec::new(), Looks::Unrelated, None);
    let clear = opened::clear(keys, path, text)?;
    let clear = clear.as_ref().map(|clear| String::from_utf8_lossy(clear.reveal()));
    let text = clear.as_deref().unwrap_or(text);
    for part in landfall_yaml::documents(text) {
        let read = part.and_then(|part| Ok((part.line, part.to_json()?)));
        let (line, document) = read.map_err(|error| {
            let words = mask::words_about(text, error.to_string());
            vec![Diagnostic::error(code::MANIFEST_NOT_YAML, format!("`{path}` is not valid YAML")).note(words)]
        })?;
        for item in flattened(document).into_iter().filter(|item| !item.is_null()) {
            match unset(&item) {
                None => {
                    if let Ok(object) = Object::from_value(item) {
                        found.push(PlainManifest { path: path.to_owned(), object });
                    }
                }
                Some(unset) => {
                    looks = looks.max(Looks::of(&item));
                    first.get_or_insert((line, unset));
                }
            }
        }
    }
    match first {
        Some((line, unset)) if !found.is_empty() || looks == Looks::Manifest || is_manifest_by_words(text) => {
            Err(vec![
                Diagnostic::error(code::HALF_MANIFEST, format!("Failed to unmarshal {path:?}: {unset}"))
                    .note(format!("the document at line {line} is no object, and the file is one of manifests; nothing was changed"))
                    .help("correct the field's name, or move what is no manifest to another directory"),
            ])
        }
        _ => Ok(found),
    }
}

/// What a document lacks of an object.
fn unset(item: &Value) -> Option<&'static str> {
    let is_set = |field: &str| item[field].as_str().is_some_and(|text| !text.is_empty());
    match () {
        () if !item.is_object() => Some("a document is no map"),
        () if !is_set("kind") => Some("Object 'Kind' is missing"),
        () if !is_set("apiVersion") => Some("Object 'apiVersion' is missing"),
        () => None,
    }
}

/// What a document that is no object was meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Looks {
    /// Something else.
    Unrelated,
    /// An object: it has two of the three fields that each has, in whatever case.
    Manifest,
}

impl Looks {
    fn of(item: &Value) -> Self {
        let fields = || item.as_object().into_iter().flat_map(|map| map.keys());
        let has = |name: &&str| fields().any(|field| field.eq_ignore_ascii_case(name));
        match ["apiVersion", "kind", "metadata"].iter().filter(|name| has(name)).count() {
            0 | 1 => Looks::Unrelated,
            _ => Looks::Manifest,
        }
    }
}

/// Whether a file's words are those of a manifest (reposerver/repository/repository.go, getObjsFromYAMLOrJSON).
fn is_manifest_by_words(text: &str) -> bool {
    ["apiVersion:", "kind:", "metadata:"].iter().all(|word| text.contains(word))
}

/// A directory's path as a pattern that fits only itself.
fn escaped(directory: &str) -> String {
    globset::escape(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";

    fn read(text: &str) -> Result<usize, String> {
        let read = objects("apps/all.yaml", text, &SopsKeys::default());
        read.map(|found| found.len()).map_err(|told| told[0].message.clone())
    }

    /// Left out silently, it would be pruned as what is no longer wanted.
    #[test]
    fn a_document_that_is_no_object_beside_objects_is_an_error_and_not_left_out() {
        for bad in [
            "apiVersion: v1\nknd: ConfigMap\nmetadata: {name: a}\n",
            "apiVersion: v1\nKind: ConfigMap\nmetadata: {name: a}\n",
            "kind: ConfigMap\nmetadata: {name: a}\n",
            "apiVersion: v1\nkind: [ConfigMap]\nmetadata: {name: a}\n",
            "apiVersion: v1\nkind: \"\"\n",
            "some: thing\n",
            "{}\n",
            "a text\n",
        ] {
            for text in [format!("{WEB}---\n{bad}"), format!("{bad}---\n{WEB}")] {
                let told = read(&text).expect_err(&text);
                assert!(told.starts_with("Failed to unmarshal \"apps/all.yaml\": "), "{told}");
            }
        }
        let listed = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, knd: x}\n";
        assert!(read(listed).is_err());
    }

    #[test]
    fn a_document_by_itself_that_looks_like_an_object_is_an_error_and_an_unrelated_file_is_left_out() {
        for bad in [
            "apiVersion: v1\nknd: ConfigMap\nmetadata: {name: a}\n",
            "APIVersion: v1\nkind: ConfigMap\n",
            "# apiVersion: kind: metadata:\nsome: thing\n",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        for (text, count) in [
            ("replicas: 3\nimage: {tag: v1}\n", 0),
            ("apiVersion: v2\nname: web\nversion: 1.0.0\n", 0),
            ("items: [1, 2]\n", 0),
            ("# nothing\n---\n# but words\n", 0),
            ("---\n---\n", 0),
            ("apiVersion: v1\nkind: List\nitems: []\n", 0),
        ] {
            assert_eq!(read(text), Ok(count), "{text}");
        }
        assert_eq!(read(&format!("---\n# words\n---\n{WEB}---\n")), Ok(1));
    }
}
