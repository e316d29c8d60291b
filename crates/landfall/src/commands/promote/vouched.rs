//! Who vouches for images: signatures and attestations beside them in their registries.

use landfall_delivery::text_of;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::Failure;
use landfall_project::Gates;
use landfall_promote::{TestedImage, Vouched};
use landfall_source::{Reference, Signed, SourceTree, VerifyingKey};

use crate::commands::images::registry::registry;
use crate::context::Context;

/// What was found: by the image's repository, and what is attested of it.
#[derive(Default)]
pub(super) struct Found {
    pub(super) signatures: Vec<(String, Vouched)>,
    pub(super) attestations: Vec<(String, String)>,
}

/// Looks beside images, where the gates ask for it; the key is the branch's.
pub(super) async fn look(
    context: &Context,
    tree: &SourceTree,
    gates: (&Gates, &str),
    images: &[TestedImage],
) -> Result<Found, Failure> {
    let (gates, directory) = gates;
    let Some(file) = &gates.signature else { return Ok(Found::default()) };
    let path = if directory.is_empty() { file.to_string() } else { format!("{directory}/{file}") };
    let text = text_of(tree, &path).map_err(Failure::from)?;
    let key = VerifyingKey::parse(&text).map_err(|error| {
        Failure::usage(Diagnostic::error(code::BAD_KEY, format!("`{path}` cannot be used: {error}")))
    })?;
    let mut found = Found::default();
    for image in images {
        let named = format!("{}@{}", image.repository, image.digest);
        let reference = Reference::image(&named).map_err(|error| Failure::usage(error.diagnose()))?;
        let registry = registry(context, &reference);
        let failed = |error: landfall_source::SourceError| Failure::from(error.diagnose());
        let signed = match registry.signed(&reference, &image.digest, &key).await.map_err(failed)? {
            Signed::Verified => Vouched::Yes,
            Signed::Unsigned => Vouched::Nothing,
            Signed::ByAnother => Vouched::ByAnother,
            Signed::OtherDigest => Vouched::OtherDigest,
        };
        found.signatures.push((image.repository.clone(), signed));
        if !gates.attestations.is_empty() {
            let all = registry.attested(&reference, &image.digest, &key).await.map_err(failed)?;
            found.attestations.extend(all.into_iter().map(|one| (image.repository.clone(), one.kind)));
        }
    }
    Ok(found)
}
