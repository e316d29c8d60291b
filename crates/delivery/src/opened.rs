//! Files that SOPS has encrypted, opened in memory on their way to the renderer and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_chart::{RenderedUnit, ValueLayers};
use landfall_diag::{Diagnostic, code, hide_from_now_on};
use landfall_object::Object;
use landfall_secrets::sops::{SopsError, SopsKeys, holds_ciphertext};
use landfall_secrets::{Masked, written_forms};
use serde_json::Value;

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
        let texts = clear.values.iter().filter_map(|value| std::str::from_utf8(value.reveal()).ok());
        hide_from_now_on(texts.flat_map(written_forms));
        clear.text
    }))
}

/// Refuses a Secret with a value that is still encrypted: who reads it would get the ciphertext.
///
/// # Errors
/// [`code::SOPS_CIPHERTEXT`]
pub(crate) fn refuse_ciphertext(rendered: &RenderedUnit) -> Result<(), Vec<Diagnostic>> {
    let refused: Vec<Diagnostic> =
        rendered.objects.iter().chain(&rendered.hooks).filter_map(|it| ciphertext(&it.object)).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

fn ciphertext(object: &Object) -> Option<Diagnostic> {
    if object.kind() != "Secret" {
        return None;
    }
    let values = |field: &'static str| object.at(field).and_then(Value::as_object).into_iter().flatten();
    let plain =
        values("/stringData").filter(|(_, value)| value.as_str().is_some_and(|it| holds_ciphertext(it.as_bytes())));
    let encoded = values("/data").filter(|(_, value)| {
        let text = value.as_str().unwrap_or_default();
        let decoded = STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap_or_default();
        holds_ciphertext(text.as_bytes()) || holds_ciphertext(&decoded)
    });
    let keys: Vec<&str> = plain.chain(encoded).map(|(key, _)| key.as_str()).collect();
    (!keys.is_empty()).then(|| {
        let text = format!("{} would get what SOPS encrypted for a value: {}", object.key(), keys.join(", "));
        Diagnostic::error(code::SOPS_CIPHERTEXT, text).help(
            "values files and plain manifests are opened whole; what a chart or a kustomization reads by itself is not: give the value by a values file",
        )
    })
}
