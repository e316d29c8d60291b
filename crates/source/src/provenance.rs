//! What a chart's maintainer signs about an archive: its metadata and its digest (helm: `pkg/provenance`).

use landfall_chart::Chart;
use sha2::{Digest as _, Sha256};

use crate::error::SourceError;
use crate::openpgp::{Keyring, SignedText, Signer};

/// What stands between the metadata and the digests: a document's end, because a line of hyphens would be escaped.
const BETWEEN: &str = "\n...\n";

/// An archive that is what somebody signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Who.
    pub signer: Signer,
    /// The archive's digest: `sha256:` and hex.
    pub digest: String,
}

fn digest_of(archive: &[u8]) -> String {
    Sha256::digest(archive).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The text that is signed about an archive of that file name.
///
/// # Errors
/// An archive that is no chart.
pub fn provenance_text(file_name: &str, archive: &[u8]) -> Result<String, SourceError> {
    let refused = |why: String| SourceError::Provenance(why);
    let chart = Chart::load_archive(file_name, archive).map_err(|error| refused(error.to_string()))?;
    let metadata = landfall_yaml::emit(&chart.metadata).map_err(|error| refused(error.to_string()))?;
    let files = serde_json::json!({"files": {file_name: digest_of(archive)}});
    let files = landfall_yaml::emit(&files).map_err(|error| refused(error.to_string()))?;
    Ok(format!("{metadata}{BETWEEN}{files}"))
}

/// Checks that an archive of that file name is what a signed text is about, and who in the keyring signed it.
///
/// `now` is in seconds since 1970.
///
/// # Errors
/// No signature, one by nobody in the keyring, one that does not fit, or another archive; in Helm's words.
pub fn verify_archive(
    file_name: &str,
    archive: &[u8],
    provenance: &[u8],
    keyring: &Keyring,
    now: i64,
) -> Result<Verification, SourceError> {
    let refused = |why: String| SourceError::Provenance(why);
    let signed = SignedText::find(provenance)
        .ok_or_else(|| refused("failed to decode signature: signature block not found".to_owned()))?;
    let signer = keyring.signer(&signed, now).map_err(|error| refused(error.to_string()))?;
    let digest = digest_of(archive);
    let parts: Vec<&str> = signed.text().split(BETWEEN).collect();
    let [_, sums, ..] = parts.as_slice() else {
        return Err(refused("message block must have at least two parts".to_owned()));
    };
    let sums = landfall_yaml::to_json(sums).map_err(|error| refused(error.to_string()))?;
    match sums.pointer("/files").and_then(|files| files.get(file_name)).and_then(serde_json::Value::as_str) {
        None => Err(refused(format!("provenance does not contain a SHA for a file named {file_name:?}"))),
        Some(known) if known != digest => {
            Err(refused(format!("sha256 sum does not match for {file_name}: {known:?} != {digest:?}")))
        }
        Some(_) => Ok(Verification { signer, digest }),
    }
}
