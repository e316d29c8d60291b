//! Files that SOPS has encrypted, opened in memory on their way to the renderer and nowhere else.

use landfall_chart::ValueLayers;
use landfall_diag::{Diagnostic, code};
use landfall_secrets::Masked;
use landfall_secrets::sops::{SopsError, SopsKeys};

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
    keys.open(text).map_err(|error| {
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
            SopsError::Form(_) | SopsError::Failed => closed,
        }]
    })
}
