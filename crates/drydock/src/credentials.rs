//! Keys, certificates and tokens of a cluster.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::error::Error;

/// The authority that signs the server's certificate, the key that signs service account tokens, the admin's token.
#[derive(Clone)]
pub(crate) struct Credentials {
    authority_pem: String,
    authority_key_pem: String,
    /// PKCS#8 PEM of the P-256 key that signs service account tokens.
    signing_key_pem: String,
    token: String,
}

/// Under which names the parts are kept in the store.
const PARTS: [&str; 4] = ["authority", "authority-key", "signing-key", "token"];

impl Credentials {
    pub(crate) fn generate() -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::certificate)?;
        let authority = authority_params().self_signed(&key).map_err(Error::certificate)?;
        let mut token = [0u8; 24];
        SystemRandom::new().fill(&mut token).map_err(|_| Error::Entropy)?;
        Ok(Self {
            authority_pem: authority.pem(),
            authority_key_pem: key.serialize_pem(),
            signing_key_pem: KeyPair::generate().map_err(Error::certificate)?.serialize_pem(),
            token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// The parts by name, for the store.
    pub(crate) fn parts(&self) -> [(&'static str, &str); 4] {
        [
            (PARTS[0], &self.authority_pem),
            (PARTS[1], &self.authority_key_pem),
            (PARTS[2], &self.signing_key_pem),
            (PARTS[3], &self.token),
        ]
    }

    /// From the parts that the store gave back; `None` when one is missing.
    pub(crate) fn from_parts(part: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            authority_pem: part(PARTS[0])?,
            authority_key_pem: part(PARTS[1])?,
            signing_key_pem: part(PARTS[2])?,
            token: part(PARTS[3])?,
        })
    }

    /// PEM of the authority's certificate.
    pub(crate) fn authority(&self) -> &str {
        &self.authority_pem
    }

    /// The admin's bearer token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The same with another token for the admin.
    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token, ..self }
    }

    /// PEM of the key that signs service account tokens.
    pub(crate) fn signing_key(&self) -> &str {
        &self.signing_key_pem
    }

    /// PEM of the public half of [`Self::signing_key`].
    pub(crate) fn verifying_key(&self) -> Result<String, Error> {
        Ok(KeyPair::from_pem(&self.signing_key_pem).map_err(Error::certificate)?.public_key_pem())
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, Error> {
        let key = KeyPair::from_pem(&self.authority_key_pem).map_err(Error::certificate)?;
        Ok(Issuer::new(authority_params(), key))
    }

    /// A server certificate for these names and addresses: chain and key, both PEM.
    pub(crate) fn server_certificate(&self, names: Vec<String>) -> Result<(String, String), Error> {
        let issuer = self.issuer()?;
        let key = KeyPair::generate().map_err(Error::certificate)?;
        let mut params = CertificateParams::new(names).map_err(Error::certificate)?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.signed_by(&key, &issuer).map_err(Error::certificate)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// A client certificate for a user in groups: certificate and key, both PEM.
    pub(crate) fn client_certificate(&self, user: &str, groups: &[&str]) -> Result<(String, String), Error> {
        let issuer = self.issuer()?;
        let key = KeyPair::generate().map_err(Error::certificate)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        for group in groups {
            params.distinguished_name.push(DnType::OrganizationName, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.signed_by(&key, &issuer).map_err(Error::certificate)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// The same each time, so that certificates signed after a restart chain to the authority kept.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "landfall-embedded-cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}
