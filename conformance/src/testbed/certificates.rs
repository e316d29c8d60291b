//! The testbed's certificate authority and what it signs.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};

/// Names under which pods and tests reach the API server.
const SERVER_NAMES: [&str; 4] = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
/// Users by file name: common name and organisation.
const USERS: [(&str, &str, Option<&str>); 3] = [
    ("admin", "admin", Some("system:masters")),
    ("kcm", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
];

/// Writes the authority, the server's certificate, one for each user, and the key pair of service accounts.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "testbed-ca");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let certificate = authority.self_signed(&authority_key)?;
    put(folder, "ca", &certificate.pem(), &authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(SERVER_NAMES.map(str::to_owned).to_vec())?;
    for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 96, 0, 1), Ipv4Addr::new(10, 0, 0, 1)] {
        server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(address)));
    }
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    sign(folder, "apiserver", server, ExtendedKeyUsagePurpose::ServerAuth, &issuer)?;

    for (file, common_name, organisation) in USERS {
        let mut user = CertificateParams::default();
        user.distinguished_name.push(DnType::CommonName, common_name);
        if let Some(organisation) = organisation {
            user.distinguished_name.push(DnType::OrganizationName, organisation);
        }
        sign(folder, file, user, ExtendedKeyUsagePurpose::ClientAuth, &issuer)?;
    }

    let accounts = KeyPair::generate()?;
    fs::write(folder.join("sa.key"), accounts.serialize_pem())?;
    fs::write(folder.join("sa.pub"), accounts.public_key_pem())?;
    Ok(())
}

fn sign(
    folder: &Path,
    name: &str,
    mut params: CertificateParams,
    purpose: ExtendedKeyUsagePurpose,
    issuer: &Issuer<'_, KeyPair>,
) -> anyhow::Result<()> {
    let key = KeyPair::generate()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![purpose];
    let certificate =
        params.signed_by(&key, issuer).with_context(|| format!("cannot sign the certificate of {name}"))?;
    put(folder, name, &certificate.pem(), &key)
}

fn put(folder: &Path, name: &str, certificate: &str, key: &KeyPair) -> anyhow::Result<()> {
    fs::write(folder.join(format!("{name}.crt")), certificate)?;
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
    Ok(())
}
