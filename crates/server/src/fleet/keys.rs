//! The server's own keys: under which digests of credentials are kept, with which the timestamp and links are signed.

use std::io::Write as _;
use std::path::Path;

use aws_lc_rs::hmac;
use landfall_diag::{Diagnostic, code};
use landfall_fleet::{Pepper, PublicKey, SigningKey, hex};

use super::{FleetOptions, random};

/// The server's own keys.
pub(crate) struct Keys {
    /// The first is what digests are kept under; a later one is still taken.
    pub(crate) peppers: Vec<Pepper>,
    pub(crate) timestamp: SigningKey,
    links: hmac::Key,
    /// Who signs for the existing agent.
    pub(crate) signer: Option<PublicKey>,
}

impl Keys {
    pub(crate) fn open(directory: &Path, options: &FleetOptions) -> Result<Self, Diagnostic> {
        landfall_source::make_private_directory(directory).map_err(|error| {
            let text = "the directory `fleet` of the state directory cannot be made";
            Diagnostic::error(code::STATE_UNMADE, text).note(error.to_string())
        })?;
        let own = secret(directory, "pepper", || Ok(hex(&random::<32>()?)))?;
        let seed = secret(directory, "timestamp.pem", || {
            SigningKey::of_seed(random()?).map(|key| key.to_pem()).ok_or_else(|| unusable("timestamp.pem"))
        })?;
        let links = secret(directory, "links", || Ok(hex(&random::<32>()?)))?;
        let signer = match options.signer.as_deref().map(|pem| pem.replace("\\n", "\n")) {
            Some(pem) => Some(PublicKey::of_pem(&pem).ok_or_else(|| {
                Diagnostic::error(code::BAD_ARGUMENTS, "EDGE_RELEASE_SIGNING_PUBLIC_KEY holds no Ed25519 public key")
                    .help("it is PEM: -----BEGIN PUBLIC KEY-----, as openssl pkey -pubout writes it")
            })?),
            None => None,
        };
        let first = options.pepper.as_deref().filter(|text| !text.is_empty()).unwrap_or(&own);
        let mut peppers = vec![Pepper::new(first)];
        peppers.extend(options.pepper_before.as_deref().filter(|text| !text.is_empty()).map(Pepper::new));
        if options.pepper.is_some() {
            // What was kept while no pepper was given.
            peppers.push(Pepper::new(&own));
        }
        Ok(Keys {
            peppers,
            timestamp: SigningKey::of_pem(&seed).ok_or_else(|| unusable("timestamp.pem"))?,
            links: hmac::Key::new(hmac::HMAC_SHA256, links.as_bytes()),
            signer,
        })
    }

    /// What proves that a link was made here.
    pub(crate) fn sign_link(&self, text: &str) -> String {
        hex(&hmac::sign(&self.links, text.as_bytes()).as_ref()[..16])
    }

    /// Whether a link was made here.
    pub(crate) fn is_link(&self, text: &str, signature: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.sign_link(text).as_bytes(), signature.as_bytes()).is_ok()
    }
}

fn unusable(name: &str) -> Diagnostic {
    Diagnostic::error(code::BAD_ARGUMENTS, format!("the file `fleet/{name}` of the state directory holds no key"))
        .help("put back the one that was there, or remove it: the server makes another one")
}

/// A file that only its owner reads, made when it is not there.
fn secret(
    directory: &Path,
    name: &str,
    make: impl FnOnce() -> Result<String, Diagnostic>,
) -> Result<String, Diagnostic> {
    let path = directory.join(name);
    let failed = |error: std::io::Error| {
        Diagnostic::error(
            code::STATE_UNWRITTEN,
            format!("the file `fleet/{name}` of the state directory cannot be used"),
        )
        .note(error.to_string())
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Err(_) => {}
    }
    let text = make()?;
    let fresh = directory.join(format!("{name}.new"));
    let options = &mut landfall_source::private_options();
    let mut file = options.create(true).truncate(true).open(&fresh).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, &path).map_err(failed)?;
    Ok(text.trim().to_owned())
}
