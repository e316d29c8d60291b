//! Files that SOPS has encrypted, opened in memory on their way to the renderer and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_chart::{Chart, RenderedObject, RenderedUnit, ValueLayers, values_to_json};
use landfall_diag::{Diagnostic, code, hide_from_now_on};
use landfall_object::Object;
use landfall_release::Record;
use landfall_secrets::sops::{SopsError, SopsKeys, ciphertext_within, first_ciphertext, whole_ciphertext};
use landfall_secrets::{Masked, written_forms};
use serde_json::Value;

use crate::Unit;

/// Where people say who they are to SOPS.
const IDENTITY: &str = "SOPS_AGE_KEY_FILE names the file with an identity of age's, or SOPS_AGE_KEY is one";

/// Adds a values file, opened where it is encrypted: what is shown of it stays what is in the tree.
///
/// # Errors
/// [`code::SOPS_CLOSED`]
pub(crate) fn add_values(
    values: &mut ValueLayers,
    keys: &SopsKeys,
    path: String,
    text: String,
) -> Result<(), Vec<Diagnostic>> {
    match clear(keys, &path, &text)? {
        None => values.file(path, text),
        Some(clear) => values.opened_file(path, String::from_utf8_lossy(clear.reveal()), text),
    };
    Ok(())
}

/// What a file says in clear; nothing where SOPS has not encrypted it.
///
/// # Errors
/// [`code::SOPS_CLOSED`]
pub(crate) fn clear(keys: &SopsKeys, path: &str, text: &str) -> Result<Option<Masked>, Vec<Diagnostic>> {
    let opened = keys.open(text).map_err(|error| {
        let closed =
            Diagnostic::error(code::SOPS_CLOSED, format!("`{path}` is encrypted with SOPS and does not open: {error}"));
        let closed = match keys.problem() {
            Some(problem) => closed.note(problem.to_owned()),
            None => closed,
        };
        vec![match error {
            SopsError::NoIdentity(_) | SopsError::Closed(_) => closed.help(IDENTITY),
            SopsError::NotAge => {
                closed.help("encrypt it for a recipient of age's, too: sops rotate --add-age age1… --in-place FILE")
            }
            SopsError::Changed(_) | SopsError::Mac => {
                closed.help("edit it with `sops FILE`, or take it from git again")
            }
            SopsError::Unattested(_) => closed
                .help("take it from git as SOPS wrote it: without that nobody can tell whether all of it is there"),
            SopsError::Form(_) | SopsError::Value(..) | SopsError::Failed => closed,
        }]
    })?;
    // From here on they are in values, objects and what servers say of those: nothing that leaves the process shows one.
    Ok(opened.map(|clear| {
        let texts =
            clear.values.iter().filter_map(|(key, value)| Some((key, std::str::from_utf8(value.reveal()).ok()?)));
        hide_from_now_on(texts.flat_map(|(key, value)| written_forms(key, value)));
        clear.text
    }))
}

/// Hides what earlier revisions of a release were given where its values are encrypted by now, or where nothing is said any more: the value
/// before is not in the file, and is as secret as the one in it. What is written in clear today was no secret then.
pub(crate) fn hide_past(unit: &Unit, history: &[Record]) {
    for source in unit.charts() {
        if !source.values.has_opened() && !history.iter().any(is_marked) {
            continue;
        }
        let (clear, opened) = source.values.by_openness();
        // What cannot be merged is said where it is rendered.
        let [clear, opened] =
            [clear, opened].map(|layers| layers.merge().map(|it| values_to_json(&it)).unwrap_or_default());
        for record in history {
            for (key, given) in &record.config {
                hide_given(key, given, clear.get(key), opened.get(key));
            }
        }
    }
}

/// The label of a record whose values were opened: without the file, which a rollback does not read, nothing else tells so.
const OPENED: &str = "landfall.dev/opened-by";

/// The label of what is delivered with a file that was opened for it.
pub(crate) fn mark(unit: &Unit) -> Option<(String, String)> {
    let is_opened = unit.charts().any(|source| source.values.has_opened());
    is_opened.then(|| (OPENED.to_owned(), "sops".to_owned()))
}

fn is_marked(record: &Record) -> bool {
    record.labels.contains_key(OPENED)
}

/// Hides all that revisions of a release were given where any of them was given what SOPS had encrypted: which of it that was, only
/// the file says.
pub(crate) fn hide_given_to(history: &[Record]) {
    if history.iter().any(is_marked) {
        let given = history.iter().flat_map(|record| &record.config);
        given.for_each(|(key, value)| hide_given(key, value, None, None));
    }
}

fn hide_given(key: &str, given: &Value, clear: Option<&Value>, opened: Option<&Value>) {
    match given {
        Value::Object(fields) => {
            for (key, value) in fields {
                hide_given(key, value, clear.and_then(|said| said.get(key)), opened.and_then(|said| said.get(key)));
            }
        }
        // An empty text stands where another file says more.
        _ if clear == Some(given) || opened.is_none() && clear.is_some_and(|it| !it.is_null() && it != "") => {}
        Value::Array(items) => items.iter().for_each(|item| hide_given(key, item, None, None)),
        Value::String(text) => hide_from_now_on(written_forms(key, text)),
        Value::Number(number) => hide_from_now_on(written_forms(key, &number.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Refuses an object with a value that is still encrypted: who reads it would get the ciphertext.
///
/// # Errors
/// [`code::SOPS_CIPHERTEXT`]
pub(crate) fn refuse_ciphertext(unit: &Unit, rendered: &RenderedUnit) -> Result<(), Vec<Diagnostic>> {
    let refused: Vec<Diagnostic> =
        rendered.objects.iter().chain(&rendered.hooks).filter_map(|it| refused(unit, it)).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// What is encrypted in an object.
#[derive(Default)]
struct Ciphertexts {
    /// The fields that hold it.
    fields: Vec<String>,
    /// The first of it, as its file has it.
    first: Option<String>,
}

impl Ciphertexts {
    fn add(&mut self, path: &[String], ciphertext: &str) {
        self.fields.push(path.join("."));
        self.first.get_or_insert_with(|| ciphertext.to_owned());
    }

    /// A field's value that is a ciphertext, or has one within it; a text that speaks of one is a text.
    fn within(&mut self, value: &Value, path: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                if let Some(ciphertext) = whole_ciphertext(text).or_else(|| ciphertext_within(text)) {
                    self.add(path, ciphertext);
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    path.push(key.clone());
                    self.within(value, path);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate() {
                    path.push(at.to_string());
                    self.within(value, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// A Secret's values: encoded ones, too, and whole files.
    fn of_secret(&mut self, object: &Object) {
        for (path, text) in fields(object, "stringData") {
            self.of_file(&path, text);
        }
        for (path, text) in fields(object, "data") {
            match whole_ciphertext(text) {
                Some(ciphertext) => self.add(&path, ciphertext),
                None => self.of_file(&path, &decoded(text)),
            }
        }
    }

    /// A ConfigMap's values that are no text, in base64.
    fn of_binary(&mut self, object: &Object) {
        for (path, text) in fields(object, "binaryData") {
            let decoded = decoded(text);
            if let Some(ciphertext) = whole_ciphertext(&decoded).or_else(|| ciphertext_within(&decoded)) {
                self.add(&path, ciphertext);
            }
        }
    }

    fn of_file(&mut self, path: &[String], text: &str) {
        if let Some(ciphertext) = whole_ciphertext(text).or_else(|| ciphertext_within(text)) {
            self.add(path, ciphertext);
        } else if let Some(ciphertext) = first_ciphertext(text) {
            self.add(path, &ciphertext);
        }
    }
}

/// The texts of a field, each with its path.
fn fields<'o>(object: &'o Object, field: &str) -> Vec<([String; 2], &'o str)> {
    let values = object.value().get(field).and_then(Value::as_object).into_iter().flatten();
    values.filter_map(|(key, value)| Some(([field.to_owned(), key.clone()], value.as_str()?))).collect()
}

/// A text that is in base64; nothing of what is none.
fn decoded(text: &str) -> String {
    let bytes = STANDARD.decode(text.split_whitespace().collect::<String>()).ok();
    bytes.and_then(|it| String::from_utf8(it).ok()).unwrap_or_default()
}

fn refused(unit: &Unit, rendered: &RenderedObject) -> Option<Diagnostic> {
    let object = &rendered.object;
    // What a resource of its own holds with SOPS's own entry is opened by whoever defines it.
    let is_builtin = |group: &str| !group.contains('.') || group.ends_with(".k8s.io");
    if object.value().get("sops").is_some() && !is_builtin(&object.gvk().group) {
        return None;
    }
    let is_encoded = object.kind() == "Secret" || object.at("/binaryData").is_some();
    if !is_encoded && !has_one(object.value()) {
        return None;
    }
    let mut found = Ciphertexts::default();
    match object.kind() {
        "Secret" => found.of_secret(object),
        _ => {
            found.within(object.value(), &mut Vec::new());
            found.of_binary(object);
        }
    }
    let ciphertext = found.first?;
    let text = format!("{} would get what SOPS encrypted for a value: {}", object.key(), found.fields.join(", "));
    let refused = Diagnostic::error(code::SOPS_CIPHERTEXT, text);
    let refused = match holders(unit, &ciphertext) {
        holders if holders.is_empty() => refused.note(format!("it comes from {}", rendered.path)),
        holders => refused.note(format!("it comes from {}, and stands in {}", rendered.path, holders.join(", "))),
    };
    Some(refused.help(
        "values files and plain manifests are opened whole; what a chart or a kustomization reads by itself is not: give the value by a values file",
    ))
}

/// Whether a text of a value has what a ciphertext begins with: nearly none, and no more is asked of it then.
fn has_one(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("ENC["),
        Value::Object(fields) => fields.values().any(has_one),
        Value::Array(items) => items.iter().any(has_one),
        _ => false,
    }
}

/// The files of a unit that a ciphertext stands in.
fn holders(unit: &Unit, ciphertext: &str) -> Vec<String> {
    let mut found = Vec::new();
    for source in unit.charts() {
        found.extend(source.values.files_saying(ciphertext).map(str::to_owned));
        in_chart(&source.chart, ciphertext, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn in_chart(chart: &Chart, ciphertext: &str, found: &mut Vec<String>) {
    let saying = chart.raw.iter().filter(|file| file.text().contains(ciphertext));
    found.extend(saying.map(|file| chart.path_of(&file.name)));
    chart.dependencies.iter().for_each(|chart| in_chart(chart, ciphertext, found));
}
