//! Sealing keys and their certificates (`pkg/crypto/keys.go`).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{
    KeySize as Bits, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use landfall_sprig::der;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::masked::Masked;
use crate::{CryptoError, random};

/// `AlgorithmIdentifier` of RSA: `1.2.840.113549.1.1.1`, no parameters.
const RSA: [u8; 15] = [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
/// The same identifier in dots.
const RSA_DOTTED: &str = "1.2.840.113549.1.1.1";
/// `2.5.29.15`, with the one bit that upstream sets: `encipherOnly`.
const KEY_USAGE: (&[u64], &[u8]) = (&[2, 5, 29, 15], &[0x03, 0x02, 0x00, 0x01]);
/// `2.5.29.19`: an authority.
const BASIC_CONSTRAINTS: (&[u64], &[u8]) = (&[2, 5, 29, 19], &[0x30, 0x03, 0x01, 0x01, 0xFF]);
/// `2.5.29.14`: which key it is.
const SUBJECT_KEY: &[u64] = &[2, 5, 29, 14];
/// Bytes of a digest that name a key in a certificate.
const IDENTIFIER: usize = 20;

/// How long a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeySize {
    /// 2,048 bits.
    Rsa2048,
    /// 4,096 bits, as the controller makes them.
    #[default]
    Rsa4096,
}

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block of a private key.
    #[error("data does not contain a valid RSA or ECDSA private key")]
    None,
    /// A private key of another kind, or one that is damaged.
    #[error("the private key is no RSA key of 2048 bits or more")]
    Unusable,
    /// The cryptography itself failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A certificate that cannot be sealed with; the words are kubeseal's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No PEM block of a certificate.
    #[error("data does not contain any valid RSA or ECDSA certificates")]
    None,
    /// A block that holds no certificate.
    #[error("x509: malformed certificate")]
    Malformed,
    /// Its key is of another kind.
    #[error("expected RSA public key but found {0}")]
    NotRsa(String),
    /// Its time is over.
    #[error("failed to encrypt using an expired certificate on {0}")]
    Expired(String),
    /// It could not be signed.
    #[error("the certificate cannot be signed: {0}")]
    Unsigned(String),
}

/// What values are sealed with.
#[derive(Clone)]
pub struct PublicKey {
    /// `SubjectPublicKeyInfo`.
    info: Vec<u8>,
    oaep: Arc<OaepPublicEncryptingKey>,
}

impl PublicKey {
    /// A key as certificates hold it (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// [`KeyError::Unusable`]
    pub fn of(info: &[u8]) -> Result<Self, KeyError> {
        let key = PublicEncryptingKey::from_der(info).map_err(|_| KeyError::Unusable)?;
        let oaep = OaepPublicEncryptingKey::new(key).map_err(|_| KeyError::Unusable)?;
        Ok(Self { info: info.to_vec(), oaep: Arc::new(oaep) })
    }

    /// Its PEM text (`SubjectPublicKeyInfo`).
    pub fn pem(&self) -> String {
        der::pem("PUBLIC KEY", &self.info)
    }

    pub(crate) fn oaep(&self) -> &OaepPublicEncryptingKey {
        &self.oaep
    }

    /// OpenSSH's fingerprint of the key, `SHA256:…`: by it keys are told from each other.
    pub fn fingerprint(&self) -> String {
        // Both write whole numbers in the same way, so that their bytes can be taken over.
        let part = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()[..], bytes].concat();
        let numbers = numbers(&self.info).unwrap_or_default();
        let written = [part(b"ssh-rsa"), part(&numbers.1), part(&numbers.0)].concat();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(written)))
    }
}

/// Modulus and exponent of a key.
fn numbers(info: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (der::SEQUENCE, body, _) = der::read(info)? else { return None };
    let (der::SEQUENCE, _, rest) = der::read(body)? else { return None };
    let (der::BITS, bits, _) = der::read(rest)? else { return None };
    let (der::SEQUENCE, key, _) = der::read(bits.get(1..)?)? else { return None };
    let (der::INTEGER, modulus, rest) = der::read(key)? else { return None };
    let (der::INTEGER, exponent, _) = der::read(rest)? else { return None };
    Some((modulus.to_vec(), exponent.to_vec()))
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.fingerprint()).finish()
    }
}

/// A certificate whose key values are sealed with.
#[derive(Debug, Clone)]
pub struct Certificate {
    pem: String,
    /// When its time begins.
    pub not_before: Timestamp,
    /// When it is over.
    pub not_after: Timestamp,
    /// Its key.
    pub key: PublicKey,
}

impl Certificate {
    /// The first certificate of a PEM text.
    ///
    /// # Errors
    /// [`CertificateError`], in kubeseal's words.
    pub fn parse(text: &[u8]) -> Result<Self, CertificateError> {
        let blocks = der::pem_blocks(text);
        let (_, bytes) = blocks.iter().find(|(label, _)| label == "CERTIFICATE").ok_or(CertificateError::None)?;
        let (_, read) = X509Certificate::from_der(bytes).map_err(|_| CertificateError::Malformed)?;
        let info = read.public_key();
        let algorithm = info.algorithm.algorithm.to_id_string();
        if algorithm != RSA_DOTTED {
            return Err(CertificateError::NotRsa(format!("a key of the kind {algorithm}")));
        }
        let key = PublicKey::of(info.raw).map_err(|error| CertificateError::NotRsa(error.to_string()))?;
        let at = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| CertificateError::Malformed);
        let validity = read.validity();
        Ok(Self {
            pem: der::pem("CERTIFICATE", bytes),
            not_before: at(validity.not_before.timestamp())?,
            not_after: at(validity.not_after.timestamp())?,
            key,
        })
    }

    /// Whether it may be sealed with now.
    ///
    /// # Errors
    /// [`CertificateError::Expired`]
    pub fn check(&self, now: Timestamp) -> Result<(), CertificateError> {
        if now > self.not_after {
            return Err(CertificateError::Expired(self.not_after.strftime("%B %-d, %Y").to_string()));
        }
        Ok(())
    }

    /// Its PEM text.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// What values are opened with.
pub struct PrivateKey {
    oaep: OaepPrivateDecryptingKey,
    public: PublicKey,
    /// PKCS #8.
    bytes: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Makes a new key: some tenths of a second for 4,096 bits.
    ///
    /// # Errors
    /// [`KeyError::Crypto`]
    pub fn generate(size: KeySize) -> Result<Self, KeyError> {
        let bits = match size {
            KeySize::Rsa2048 => Bits::Rsa2048,
            KeySize::Rsa4096 => Bits::Rsa4096,
        };
        let key = PrivateDecryptingKey::generate(bits).map_err(|_| CryptoError::Failed)?;
        let written = key.as_der().map_err(|_| CryptoError::Failed)?;
        Self::of(written.as_ref())
    }

    /// The first private key of a PEM text, in PKCS #1 or #8.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        for (label, bytes) in der::pem_blocks(text) {
            let bytes = Zeroizing::new(bytes);
            match label.as_str() {
                "RSA PRIVATE KEY" => {
                    let key = Zeroizing::new(der::write(der::OCTETS, &bytes));
                    let whole = Zeroizing::new([&der::write(der::INTEGER, &[0])[..], &RSA[..], &key[..]].concat());
                    return Self::of(&Zeroizing::new(der::write(der::SEQUENCE, &whole)));
                }
                "PRIVATE KEY" => return Self::of(&bytes),
                "EC PRIVATE KEY" => return Err(KeyError::Unusable),
                _ => {}
            }
        }
        Err(KeyError::None)
    }

    fn of(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = PrivateDecryptingKey::from_pkcs8(bytes).map_err(|_| KeyError::Unusable)?;
        let info = key.public_key().as_der().map_err(|_| CryptoError::Failed)?;
        let public = PublicKey::of(info.as_ref())?;
        let oaep = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::Unusable)?;
        Ok(Self { oaep, public, bytes: Zeroizing::new(bytes.to_vec()) })
    }

    pub(crate) fn oaep(&self) -> &OaepPrivateDecryptingKey {
        &self.oaep
    }

    /// What it opens is sealed with this.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Its PEM text in PKCS #1, as the controller keeps it.
    pub fn pem(&self) -> Masked {
        let inner = der::pkcs8_parts(&self.bytes).map_or(&self.bytes[..], |(_, key)| key);
        Masked::new(der::pem("RSA PRIVATE KEY", inner).into_bytes())
    }

    /// Its PEM text in PKCS #8, as programs read it.
    pub fn pkcs8_pem(&self) -> Masked {
        Masked::new(der::pem("PRIVATE KEY", &self.bytes).into_bytes())
    }

    /// A certificate of its own, as the controller signs one: `name` is the subject's common name, empty for none.
    ///
    /// # Errors
    /// [`CertificateError::Unsigned`]
    pub fn certificate(
        &self,
        now: Timestamp,
        life: SignedDuration,
        name: &str,
    ) -> Result<Certificate, CertificateError> {
        let failed = |words: &dyn fmt::Display| CertificateError::Unsigned(words.to_string());
        let key = PrivateKeyDer::Pkcs8(self.bytes.as_slice().into());
        let pair = KeyPair::from_der_and_sign_algo(&key, &PKCS_RSA_SHA256).map_err(|error| failed(&error))?;
        let mut params = CertificateParams::default();
        params.serial_number =
            Some(SerialNumber::from(random::bytes::<16>().map_err(|error| failed(&error))?.to_vec()));
        params.distinguished_name = DistinguishedName::new();
        if !name.is_empty() {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let at =
            |moment: Timestamp| OffsetDateTime::from_unix_timestamp(moment.as_second()).map_err(|error| failed(&error));
        params.not_before = at(now)?;
        params.not_after = at(now.checked_add(life).map_err(|error| failed(&error))?)?;
        let identifier = Sha256::digest(pair.public_key_raw());
        let extension = |name: &[u64], critical: bool, content: Vec<u8>| {
            let mut extension = CustomExtension::from_oid_content(name, content);
            extension.set_criticality(critical);
            extension
        };
        params.custom_extensions = vec![
            extension(KEY_USAGE.0, true, KEY_USAGE.1.to_vec()),
            extension(BASIC_CONSTRAINTS.0, true, BASIC_CONSTRAINTS.1.to_vec()),
            extension(SUBJECT_KEY, false, der::write(der::OCTETS, &identifier[..IDENTIFIER])),
        ];
        let signed = params.self_signed(&pair).map_err(|error| failed(&error))?;
        Certificate::parse(der::pem("CERTIFICATE", signed.der()).as_bytes())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.public.fingerprint()).finish()
    }
}
