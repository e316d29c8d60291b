//! Keys, certificates and tokens of a cluster.

use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use serde_json::{Value, json};

use crate::error::Error;
use crate::world::Stored;

/// Who signs the tokens of Secrets.
pub(crate) const SECRET_ISSUER: &str = "kubernetes/serviceaccount";

/// A certificate authority of somebody's own: what a real API server takes as `--client-ca-file` and a
/// controller-manager as `--cluster-signing-cert-file` and `--cluster-signing-key-file`.
#[derive(Clone)]
pub struct Authority {
    /// The certificate, as PEM.
    pub certificate: String,
    /// Its private key, as PEM.
    pub key: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// What a certificate that is signed on request may be used for, and how long.
pub struct Grant {
    /// What the key may do.
    pub usages: Vec<KeyUsagePurpose>,
    /// What the certificate may be shown for.
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
}

/// The authority that signs the server's certificate, the key that signs service account tokens, the admin's token.
#[derive(Clone)]
pub struct Credentials {
    authority_pem: String,
    authority_key_pem: String,
    /// PKCS#8 PEM of the P-256 key that signs service account tokens.
    signing_key_pem: String,
    token: String,
}

/// Under which names the parts are kept in the store.
const PARTS: [&str; 4] = ["authority", "authority-key", "signing-key", "token"];

impl Credentials {
    /// New ones from the machine's randomness.
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::Entropy`].
    pub fn generate() -> Result<Self, Error> {
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
    pub fn authority(&self) -> &str {
        &self.authority_pem
    }

    /// The admin's bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same with another token for the admin.
    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token, ..self }
    }

    /// The same with another authority.
    pub(crate) fn with_authority(self, authority: Authority) -> Result<Self, Error> {
        let made = Self { authority_pem: authority.certificate, authority_key_pem: authority.key, ..self };
        made.issuer()?;
        Ok(made)
    }

    /// PEM of the public half of the key that signs service account tokens.
    pub(crate) fn verifying_key(&self) -> Result<String, Error> {
        Ok(KeyPair::from_pem(&self.signing_key_pem).map_err(Error::certificate)?.public_key_pem())
    }

    /// A token that says these claims, signed by the key of service accounts (JWT, ES256).
    pub(crate) fn sign_claims(&self, claims: &Value) -> Result<String, Error> {
        let key = EncodingKey::from_ec_pem(self.signing_key_pem.as_bytes()).map_err(Error::certificate)?;
        let header = Header { kid: Some(self.key_id()?), typ: None, ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &key).map_err(Error::certificate)
    }

    /// The token of a Secret of type `kubernetes.io/service-account-token`: it is good for as long as the Secret and the account
    /// are there (`LegacyClaims` in `pkg/serviceaccount/legacy.go`).
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn secret_token(&self, account: &Stored, secret: &str) -> Result<String, Error> {
        let (namespace, name) = (account.namespace(), account.name());
        self.sign_claims(&json!({
            "iss": SECRET_ISSUER,
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "kubernetes.io/serviceaccount/namespace": namespace,
            "kubernetes.io/serviceaccount/secret.name": secret,
            "kubernetes.io/serviceaccount/service-account.name": name,
            "kubernetes.io/serviceaccount/service-account.uid": account.uid(),
        }))
    }

    /// The key that tokens are checked by, as a set of one (RFC 7517) for whoever checks them without asking this server.
    pub(crate) fn verifying_keys(&self) -> Result<Value, Error> {
        let der = KeyPair::from_pem(&self.signing_key_pem).map_err(Error::certificate)?.subject_public_key_info();
        // A point of P-256 ends the key: its two halves, uncompressed.
        let (x, y) = der[der.len().saturating_sub(64)..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Ok(json!({"keys": [{
            "use": "sig", "kty": "EC", "kid": key_id(&der), "crv": "P-256", "alg": "ES256", "x": text(x), "y": text(y),
        }]}))
    }

    /// What tokens and [`Self::verifying_keys`] call the key (`keyIDFromPublicKey` in `pkg/serviceaccount/jwt.go`).
    pub(crate) fn key_id(&self) -> Result<String, Error> {
        let key = KeyPair::from_pem(&self.signing_key_pem).map_err(Error::certificate)?;
        Ok(key_id(&key.subject_public_key_info()))
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, Error> {
        let key = KeyPair::from_pem(&self.authority_key_pem).map_err(Error::certificate)?;
        Issuer::from_ca_cert_pem(&self.authority_pem, key).map_err(Error::certificate)
    }

    /// Signs a request: its subject, names and key, and of the rest only what is granted; the certificate as PEM.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn sign(&self, mut request: CertificateSigningRequestParams, grant: Grant) -> Result<String, Error> {
        let params = &mut request.params;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = grant.usages;
        params.extended_key_usages = grant.purposes;
        set_validity(params, grant.not_before, grant.not_after);
        Ok(request.signed_by(&self.issuer()?).map_err(Error::certificate)?.pem())
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
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn client_certificate(&self, user: &str, groups: &[&str]) -> Result<(String, String), Error> {
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

/// Sets from when until when a certificate is good, to the second.
pub fn set_validity(params: &mut CertificateParams, not_before: Timestamp, not_after: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let instant = |at: Timestamp| epoch + std::time::Duration::from_secs(at.as_second().try_into().unwrap_or(0));
    params.not_before = instant(not_before);
    params.not_after = instant(not_after);
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "landfall-embedded-cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn key_id(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, der))
}
