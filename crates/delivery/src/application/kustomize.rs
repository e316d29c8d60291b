//! A directory that the user's own `kustomize` builds, as an Application's source (argo-cd: util/kustomize/kustomize.go).
//!
//! The program gets a copy of the repository's files in a directory of its own, and no way to fetch more: what a
//! kustomization names must be among them, and no other program is found from there.

mod named;

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_chart::Tree;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_object::{flattened, mask};
use landfall_secrets::sops;
use landfall_source::{Order, SourceTree, find_program};
use serde_json::{Map, Value, json};

use self::named::{Judged, Others, judge, kustomization};
use super::directory::objects;
use super::{Reading, at_file};
use crate::unit::PlainManifest;

/// How long it may build; Argo CD gives it as long.
const LONGEST: Duration = Duration::from_secs(90);
/// All that it prints.
const MOST: usize = 32 << 20;
/// What of its complaint is told, in characters.
const TOLD: usize = 400;

impl Reading<'_> {
    /// The objects that Kustomize makes of a directory, and what was judged of the kustomizations that it reads for it.
    pub(super) async fn kustomized(
        &self,
        settings: Option<&Value>,
        files: &SourceTree,
        (root, directory): (&str, &str),
    ) -> Result<(Vec<PlainManifest>, Judged), Vec<Diagnostic>> {
        let name = self.name();
        let place = if directory.is_empty() { "." } else { directory };
        let refuse = |text: String| vec![at_file(Diagnostic::error(code::NOT_BUILT, text), self.file)];
        // `kubectl` has it built in, as `kubectl kustomize`.
        let Some((program, verb)) =
            [("kustomize", "build"), ("kubectl", "kustomize")].into_iter().find(|(it, _)| find_program(it).is_some())
        else {
            let text = format!(
                "Application {name}: `{place}` is built by Kustomize, and neither `kustomize` nor `kubectl` is installed here"
            );
            return Err(vec![
                at_file(Diagnostic::error(code::NOT_RENDERED, text), self.file)
                    .help("install one, or deliver what `kustomize build` prints as a directory of manifests"),
            ]);
        };
        let mut tree = files.directory(root).map_err(|error| vec![error.diagnose()])?;
        let inside = directory.strip_prefix(root).unwrap_or(directory).trim_matches('/').to_owned();
        let wrong = |why: String| refuse(format!("Application {name}: {why}"));
        overlay(&mut tree, &inside, settings).map_err(wrong)?;
        let others = if self.selection.lends_vendored { Others::LeftOut } else { Others::Refused };
        let judged = judge(&mut tree, &inside, others).map_err(wrong)?;
        let broken =
            |error: std::io::Error| refuse(format!("Application {name}: its files cannot be laid out: {error}"));
        let out = tempfile::Builder::new().prefix("landfall-kustomize-").tempdir().map_err(broken)?;
        let (laid, nothing) = (out.path().join("files"), out.path().join("nothing"));
        lay_out(&tree, &laid).and_then(|()| std::fs::create_dir_all(&nothing)).map_err(broken)?;
        let order = Order::new(program, [verb.into(), laid.join(&inside).into_os_string()])
            .with_variable("PATH", &nothing)
            .with_variable("HOME", &nothing)
            .with_variable("XDG_CONFIG_HOME", &nothing)
            .without_network()
            .in_directory(&laid);
        let ended = match tokio::time::timeout(LONGEST, order.run()).await {
            Err(_) => {
                let seconds = LONGEST.as_secs();
                return Err(refuse(format!(
                    "Application {name}: kustomize did not build `{place}` within {seconds} s"
                )));
            }
            Ok(Err(error)) => {
                return Err(refuse(format!("Application {name}: {error}")));
            }
            Ok(Ok(ended)) => ended,
        };
        if !ended.is_success() {
            let said = String::from_utf8_lossy(&ended.stderr).replace(&format!("{}/", laid.display()), "");
            let text =
                tree.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).find(|text| mask::names_a_secret(text));
            let said = complaint(&mask::words_about(text.as_deref().unwrap_or_default(), said.trim().to_owned()));
            return Err(vec![
                at_file(
                    Diagnostic::error(
                        code::NOT_BUILT,
                        format!("Application {name}: kustomize does not build `{place}`"),
                    ),
                    self.file,
                )
                .note(said),
            ]);
        }
        if ended.stdout.len() > MOST {
            return Err(refuse(format!("Application {name}: what kustomize makes of `{place}` has more than 32 MiB")));
        }
        // What is encrypted is bound to its file's order, which is not that of what is built; and the program, whose files lie on
        // disk, is given nothing in clear.
        let built = String::from_utf8_lossy(&ended.stdout);
        if let Some(ciphertext) = ciphertext_in(&built) {
            let files = saying(&tree, &ciphertext);
            let shown = if files.is_empty() { place.to_owned() } else { files.join("`, `") };
            let text = format!(
                "Application {name}: `{shown}` is encrypted with SOPS, and Kustomize reads it: that is not supported"
            );
            return Err(vec![at_file(Diagnostic::error(code::SOPS_CIPHERTEXT, text), self.file).help(
                "take it out of the kustomization, and deliver it from a directory of plain manifests, as another source of the Application: there it is opened",
            )]);
        }
        objects(&format!("kustomize build {place}"), &built, &self.selection.sops).map(|found| (found, judged))
    }
}

/// The end of what Kustomize complains of, where the reason stands; without what it only warns of.
fn complaint(said: &str) -> String {
    let is_warning = |line: &&str| line.trim_start_matches(['#', ' ']).to_lowercase().starts_with("warning:");
    let lines: Vec<&str> = said.lines().filter(|line| !is_warning(line)).collect();
    let said = landfall_diag::without_known(&lines.join("\n")).into_owned();
    let beyond = said.chars().count().saturating_sub(TOLD);
    match beyond {
        0 => said,
        _ => format!("…{}", said.chars().skip(beyond).collect::<String>()),
    }
}

/// The first value in what was built that SOPS has encrypted: as it is, or, in a Secret, in base64 as generators write it, or in a file in
/// base64.
fn ciphertext_in(built: &str) -> Option<String> {
    if !["ENC[", "Secret", "binaryData"].iter().any(|word| built.contains(word)) {
        return None;
    }
    let documents = landfall_yaml::documents(built).filter_map(|part| part.and_then(|part| part.to_json()).ok());
    documents.flat_map(flattened).find_map(|object| {
        let is_secret = object["kind"] == "Secret";
        ciphertext_of(&object, is_secret).or_else(|| ciphertext_of(&object["binaryData"], true))
    })
}

fn ciphertext_of(value: &Value, encoded: bool) -> Option<String> {
    match value {
        Value::Object(fields) => fields.values().find_map(|value| ciphertext_of(value, encoded)),
        Value::Array(items) => items.iter().find_map(|value| ciphertext_of(value, encoded)),
        Value::String(text) => {
            sops::whole_ciphertext(text).or_else(|| sops::ciphertext_within(text)).map(str::to_owned).or_else(|| {
                let decoded = STANDARD.decode(text.split_whitespace().collect::<String>()).ok().filter(|_| encoded)?;
                let decoded = std::str::from_utf8(&decoded).ok()?;
                sops::ciphertext_within(decoded).map(str::to_owned).or_else(|| sops::first_ciphertext(decoded))
            })
        }
        _ => None,
    }
}

/// The files that a ciphertext stands in.
fn saying(tree: &Tree, ciphertext: &str) -> Vec<String> {
    let saying = tree.iter().filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains(ciphertext));
    saying.map(|(path, _)| path.to_string()).collect()
}

fn lay_out(tree: &Tree, below: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(below)?;
    // A tree's paths stay inside of it.
    for (path, bytes) in tree.iter() {
        let file = below.join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(below))?;
        std::fs::write(file, bytes)?;
    }
    Ok(())
}

/// Lays what an Application says on top of a directory's kustomization.
fn overlay(tree: &mut Tree, directory: &str, settings: Option<&Value>) -> Result<(), String> {
    let given = settings.and_then(Value::as_object).into_iter().flatten();
    let given: Vec<(&String, &Value)> = given.filter(|(_, value)| !is_nothing(value)).collect();
    if given.is_empty() {
        return Ok(());
    }
    let Some((path, mut said)) = kustomization(tree, directory)? else {
        return Err(format!("there is no kustomization in `{directory}`"));
    };
    let is_set = |name: &str| given.iter().any(|(field, value)| *field == name && **value == Value::Bool(true));
    let force = |name: &str| if is_set(name) { Known::GivesWay } else { Known::Stays };
    let (without_selector, in_templates) = (is_set("labelWithoutSelector"), is_set("labelIncludeTemplates"));
    if in_templates && !without_selector {
        return Err("labelIncludeTemplates says nothing without labelWithoutSelector".to_owned());
    }
    for (field, value) in &given {
        match field.as_str() {
            "namePrefix" | "nameSuffix" | "namespace" => drop(said.insert((*field).clone(), (*value).clone())),
            "images" => images(&mut said, value),
            "replicas" => replicas(&mut said, value),
            "commonLabels" if without_selector => {
                let reach = if in_templates { Labelled::Templates } else { Labelled::Objects };
                label(&mut said, value, (reach, force("forceCommonLabels")))?;
            }
            "commonLabels" => merge(&mut said, "commonLabels", value, force("forceCommonLabels"))?,
            "commonAnnotations" => merge(&mut said, "commonAnnotations", value, force("forceCommonAnnotations"))?,
            "patches" => append(&mut said, "patches", value),
            "components" => {
                let there = |entry: &&Value| {
                    let found = entry.as_str().and_then(|entry| landfall_source::within(directory, entry));
                    found.is_some_and(|found| tree.has_dir(&found))
                };
                let all = value.as_array().into_iter().flatten();
                let taken = all.filter(|entry| !is_set("ignoreMissingComponents") || there(entry)).cloned().collect();
                append(&mut said, "components", &Value::Array(taken));
            }
            // They say how others are meant, or name what `kustomize` itself does not look at.
            "forceCommonLabels"
            | "forceCommonAnnotations"
            | "labelWithoutSelector"
            | "labelIncludeTemplates"
            | "ignoreMissingComponents"
            | "commonAnnotationsEnvsubst"
            | "version"
            | "kubeVersion"
            | "apiVersions" => {}
            other => return Err(format!("spec.source.kustomize.{other} is not acted on")),
        }
    }
    let text = landfall_yaml::emit(&Value::Object(said)).map_err(|error| error.to_string())?;
    tree.remove(&path);
    tree.insert(path, text.into_bytes()).map_err(|_| "the kustomization cannot be laid over".to_owned())
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// A list of a kustomization without those that are taken out, and with more of them.
fn extend(said: &mut Map<String, Value>, field: &str, is_out: impl Fn(&Value) -> bool, more: Vec<Value>) {
    let mut list = match said.remove(field) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    list.retain(|known| !is_out(known));
    list.extend(more);
    said.insert(field.to_owned(), Value::Array(list));
}

fn append(said: &mut Map<String, Value>, field: &str, value: &Value) {
    extend(said, field, |_| false, value.as_array().cloned().unwrap_or_default());
}

/// Puts entries in place of those of the same name.
fn replace(said: &mut Map<String, Value>, field: &str, entries: Vec<Value>) {
    let names: Vec<Value> = entries.iter().map(|entry| entry["name"].clone()).collect();
    extend(said, field, |known| names.contains(&known["name"]), entries);
}

/// What becomes of a label or annotation that a kustomization has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Another one for it is refused.
    Stays,
    /// The Application's takes its place.
    GivesWay,
}

/// `[NAME=]IMAGE[:TAG|@DIGEST]`, as `kustomize edit set image` takes it.
fn images(said: &mut Map<String, Value>, value: &Value) {
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    replace(said, "images", texts.map(image).collect());
}

fn image(text: &str) -> Value {
    let (name, image) = text.split_once('=').map_or((None, text), |(name, image)| (Some(name), image));
    let (before, digest) = match image.split_once('@') {
        Some((before, digest)) => (before, Some(digest)),
        None => (image, None),
    };
    // A colon before the last slash is a port's.
    let (bare, tag) = match before.rfind(':').filter(|at| !before[*at..].contains('/')) {
        Some(at) => (&before[..at], Some(&before[at + 1..])),
        None => (before, None),
    };
    let mut entry = json!({"name": name.unwrap_or(bare)});
    if name.is_some_and(|name| name != bare) {
        entry["newName"] = bare.into();
    }
    for (field, text) in [("newTag", tag), ("digest", digest)] {
        if let Some(text) = text {
            entry[field] = text.into();
        }
    }
    entry
}

fn replicas(said: &mut Map<String, Value>, value: &Value) {
    let entries = value.as_array().into_iter().flatten().map(|entry| {
        let count = match &entry["count"] {
            Value::String(text) => text.parse::<u64>().map_or(Value::Null, Value::from),
            count => count.clone(),
        };
        json!({"name": entry["name"], "count": count})
    });
    let entries = entries.collect();
    replace(said, "replicas", entries);
}

fn merge(said: &mut Map<String, Value>, field: &str, value: &Value, rule: Known) -> Result<(), String> {
    let entry = said.entry(field.to_owned()).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    for (name, text) in value.as_object().into_iter().flatten() {
        if rule == Known::Stays && entry.get(name).is_some_and(|known| known != text) {
            return Err(format!("{field} has `{name}` already, and the Application does not force its own"));
        }
        entry[name] = text.clone();
    }
    Ok(())
}

/// What labels are put on that select nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Labelled {
    Objects,
    /// Pods of workloads, too.
    Templates,
}

/// Labels that no selector gets, as `kustomize edit add label --without-selector` takes them: beside those of the same reach.
fn label(said: &mut Map<String, Value>, value: &Value, (reach, rule): (Labelled, Known)) -> Result<(), String> {
    let mut entry = json!({"pairs": {}});
    if reach == Labelled::Templates {
        entry["includeTemplates"] = true.into();
    }
    let list = said.entry("labels").or_insert_with(|| json!([]));
    let Value::Array(list) = list else { return Err("labels of the kustomization are no list".to_owned()) };
    let reaches = |known: &&mut Value| {
        let is = |field: &str| known[field] == Value::Bool(true);
        !is("includeSelectors") && is("includeTemplates") == (reach == Labelled::Templates)
    };
    let known = list.iter_mut().find(reaches).and_then(Value::as_object_mut);
    match known {
        Some(known) => merge(known, "pairs", value, rule),
        None => {
            entry["pairs"] = value.clone();
            list.push(entry);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        for (path, text) in files {
            tree.insert(*path, text.as_bytes().to_vec()).expect("a path");
        }
        tree.sort();
        tree
    }

    #[test]
    fn what_the_application_says_is_laid_over() {
        let mut tree = tree(&[("kustomization.yaml", "images: [{name: web, newTag: '1'}]\ncommonLabels: {a: b}\n")]);
        let settings = json!({
            "namePrefix": "p-", "images": ["web=registry:5000/web:2", "db@sha256:0"], "replicas": [{"name": "web", "count": "3"}],
            "commonLabels": {"c": "d"}, "version": "v5", "labelWithoutSelector": false,
        });
        overlay(&mut tree, "", Some(&settings)).expect("laid over");
        let (_, said) = kustomization(&tree, "").expect("read").expect("there");
        let expected = json!({
            "namePrefix": "p-",
            "images": [{"name": "web", "newName": "registry:5000/web", "newTag": "2"}, {"name": "db", "digest": "sha256:0"}],
            "replicas": [{"name": "web", "count": 3}],
            "commonLabels": {"a": "b", "c": "d"},
        });
        assert_eq!(Value::Object(said), expected);
        assert!(overlay(&mut tree, "", Some(&json!({"commonLabels": {"a": "other"}}))).is_err());
        let forced = json!({"commonLabels": {"a": "other"}, "forceCommonLabels": true});
        assert_eq!(overlay(&mut tree, "", Some(&forced)), Ok(()));
        let unknown = overlay(&mut tree, "", Some(&json!({"pathOfSomething": "x"}))).expect_err("not acted on");
        assert!(unknown.contains("pathOfSomething is not acted on"));
    }

    #[test]
    fn labels_that_select_nothing_stand_beside_those_of_the_same_reach() {
        let laid = |said: &str, settings: Value| {
            let mut tree = tree(&[("kustomization.yaml", said)]);
            overlay(&mut tree, "", Some(&settings))?;
            kustomization(&tree, "").map(|said| said.expect("there").1["labels"].clone())
        };
        let plain = json!({"commonLabels": {"a": "b"}, "labelWithoutSelector": true});
        assert_eq!(laid("", plain.clone()), Ok(json!([{"pairs": {"a": "b"}}])));
        let said = "labels: [{pairs: {x: z}, includeSelectors: true}, {pairs: {c: d}}]\n";
        let beside = json!([{"pairs": {"x": "z"}, "includeSelectors": true}, {"pairs": {"c": "d", "a": "b"}}]);
        assert_eq!(laid(said, plain.clone()), Ok(beside));
        assert!(laid("labels: [{pairs: {a: c}}]\n", plain).is_err(), "not forced");
        let templates =
            json!({"commonLabels": {"a": "b"}, "labelWithoutSelector": true, "labelIncludeTemplates": true});
        assert_eq!(laid("", templates), Ok(json!([{"pairs": {"a": "b"}, "includeTemplates": true}])));
        assert!(laid("", json!({"commonLabels": {"a": "b"}, "labelIncludeTemplates": true})).is_err(), "as Kustomize");
    }

    #[test]
    fn components_that_are_not_there_are_left_out_where_that_is_said() {
        let settings = json!({"components": ["../tls", "../missing"], "ignoreMissingComponents": true});
        let mut tree = tree(&[("env/kustomization.yaml", ""), ("tls/kustomization.yaml", "kind: Component\n")]);
        overlay(&mut tree, "env", Some(&settings)).expect("laid over");
        let (_, said) = kustomization(&tree, "env").expect("read").expect("there");
        assert_eq!(said["components"], json!(["../tls"]));
    }

    #[test]
    fn the_end_of_a_complaint_is_told_and_no_warning() {
        let long = format!(
            "# Warning: 'bases' is deprecated. Please use 'resources' instead.\nError: {}the reason\n",
            "x ".repeat(400)
        );
        let told = complaint(&long);
        assert!(told.starts_with('…') && told.ends_with("the reason") && !told.contains("deprecated"), "{told}");
        assert_eq!(told.chars().count(), TOLD + 1);
        assert_eq!(complaint("# Warning: old\nError: short"), "Error: short");
    }
}
