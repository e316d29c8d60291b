//! Certificates: the secret a rule names for the host, or a self-signed one.

use std::sync::Arc;

use base64::Engine as _;
use landfall_apiserver::Plane;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::rules::secret_of;
use crate::controllers::fields::text;
use crate::controllers::kind::SECRET;
use crate::operators::cert_manager::issued::self_signed;

/// Chooses a certificate by the name the client asks for.
pub(super) struct Certificates {
    plane: Arc<Plane>,
    fallback: Option<Arc<CertifiedKey>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

/// The TLS side of the listener.
pub(super) fn config(plane: Arc<Plane>) -> Result<ServerConfig, rustls::Error> {
    let now = jiff::Timestamp::now();
    let end = now.checked_add(jiff::SignedDuration::from_hours(24 * 365)).unwrap_or(jiff::Timestamp::MAX);
    let fallback = self_signed("localhost", now, end).ok().and_then(|made| certified(&made.certificate, &made.key));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Certificates { plane, fallback }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certified(certificate: &str, key: &str) -> Option<Arc<CertifiedKey>> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?;
    if chain.is_empty() {
        return None;
    }
    Some(Arc::new(CertifiedKey::new(chain, any_supported_type(&key).ok()?)))
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|host| {
            let world = self.plane.world.lock();
            let (namespace, name) = secret_of(&world, host)?;
            let secret = world.find(SECRET.id, &namespace, &name)?;
            let decode = |key: &str| {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text(&secret, key)).ok()?;
                String::from_utf8(bytes).ok()
            };
            // A placeholder value is no certificate; the self-signed one stands in.
            certified(&decode("/data/tls.crt")?, &decode("/data/tls.key")?)
        });
        named.or_else(|| self.fallback.clone())
    }
}
