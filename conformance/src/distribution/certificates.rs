//! The suite's certificate authority, a server's certificate and a client's.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::shelf::Certificates;
use crate::http::install_crypto;

/// Names under which a shelf is asked for; the last is known to its proxy alone.
const NAMES: [&str; 2] = ["localhost", "charts.example.test"];

/// Writes `ca.crt`, `client.crt`, `client.key` and `other-ca.crt` into a folder; gives the servers' configurations.
pub(super) fn write(folder: &Path) -> anyhow::Result<Certificates> {
    install_crypto();
    let authority_key = KeyPair::generate()?;
    let authority = authority("shelf-ca");
    let certificate = authority.self_signed(&authority_key)?;
    fs::write(folder.join("ca.crt"), certificate.pem())?;
    fs::write(folder.join("other-ca.crt"), self::authority("other-ca").self_signed(&KeyPair::generate()?)?.pem())?;
    let trusted = certificate.der().clone();
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
    server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    server.distinguished_name.push(DnType::CommonName, "shelf");
    let server_key = KeyPair::generate()?;
    let server = server.signed_by(&server_key, &issuer)?;

    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, "client");
    let client_key = KeyPair::generate()?;
    let client = client.signed_by(&client_key, &issuer)?;
    fs::write(folder.join("client.crt"), client.pem())?;
    fs::write(folder.join("client.key"), client_key.serialize_pem())?;

    let chain = || vec![server.der().clone()];
    let key = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain(), key())?;
    let mut roots = RootCertStore::empty();
    roots.add(trusted)?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().context("no verifier of clients")?;
    let mutual = ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain(), key())?;
    Ok(Certificates { tls: Arc::new(tls), mutual: Arc::new(mutual) })
}

fn authority(name: &str) -> CertificateParams {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
}
