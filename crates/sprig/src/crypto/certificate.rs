//! Certificates, made as Sprig makes them.

use std::borrow::Cow;
use std::net::IpAddr;

use landfall_gotemplate::{FuncError, Host, List, Value, format};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyUsagePurpose, SanType, SerialNumber, string::PrintableString,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use super::der;
use super::key::PrivateKey;
use crate::context::Context;
use crate::encoding::decode_base64;

const DAY: i64 = 24 * 60 * 60;
/// `2.5.29.19`
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
/// `2.5.29.14`, written.
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x06, 0x03, 0x55, 0x1D, 0x0E];
/// `2.5.4.3`, written.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
/// Basic constraints that say no: an empty sequence.
const EMPTY_SEQUENCE: [u8; 2] = [0x30, 0];

/// Whom a certificate is for.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) addresses: Option<&'a List>,
    pub(super) hosts: Option<&'a List>,
    pub(super) days: i64,
}

/// A certificate and its key as PEM: `.Cert` and `.Key`.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    cert: String,
    key: String,
}

impl Host for Certificate {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("sprig.certificate")
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(Value::from(self.cert.as_str())),
            "Key" => Some(Value::from(self.key.as_str())),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<(Cow<'static, str>, Value)> {
        ["Cert", "Key"].into_iter().filter_map(|name| Some((Cow::Borrowed(name), self.field(name)?))).collect()
    }
}

fn creating(error: rcgen::Error) -> FuncError {
    FuncError::new(format!("error creating certificate: {error}"))
}

impl Certificate {
    fn new(der: &[u8], key: &PrivateKey) -> Self {
        Self { cert: der::pem("CERTIFICATE", der), key: key.pem().to_owned() }
    }

    /// A certificate that may sign others.
    pub(super) fn authority(context: &Context, subject: &Subject<'_>, key: &PrivateKey) -> Result<Self, FuncError> {
        let mut params = params(context, subject)?;
        params.custom_extensions.clear();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        Ok(Self::new(params.self_signed(key.pair()).map_err(creating)?.der(), key))
    }

    /// A certificate signed by its own key.
    pub(super) fn self_signed(context: &Context, subject: &Subject<'_>, key: &PrivateKey) -> Result<Self, FuncError> {
        let params = params(context, subject)?;
        Ok(Self::new(params.self_signed(key.pair()).map_err(creating)?.der(), key))
    }

    /// A certificate signed by an authority.
    pub(super) fn signed(
        context: &Context,
        subject: &Subject<'_>,
        key: &PrivateKey,
        authority: &Certificate,
    ) -> Result<Self, FuncError> {
        let Some((_, bytes)) = der::pem_block(authority.cert.as_bytes()) else {
            return Err(FuncError::new("unable to decode certificate"));
        };
        // Go names the authority's key only where the authority has said it and is called otherwise.
        let is_itself = der::subject(&bytes) == Some(&*common_name(subject.name));
        let says_its_key = bytes.windows(SUBJECT_KEY_IDENTIFIER.len()).any(|window| window == SUBJECT_KEY_IDENTIFIER);
        let signer = PrivateKey::parse(authority.key.as_bytes())
            .map_err(|problem| FuncError::new(format!("error parsing private key: {problem}")))?;
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(bytes), signer.pair())
            .map_err(|error| FuncError::new(format!("error parsing certificate: decodedSignerCert.Bytes: {error}")))?;
        let mut params = params(context, subject)?;
        params.use_authority_key_identifier_extension = says_its_key && !is_itself;
        Ok(Self::new(params.signed_by(key.pair(), &issuer).map_err(creating)?.der(), key))
    }

    /// A certificate and key that are given, both in base64.
    pub(super) fn given(cert: &[u8], key: &[u8]) -> Result<Self, FuncError> {
        let cert = decode_base64(cert).map_err(|_| FuncError::new("unable to decode base64 certificate"))?;
        let key = decode_base64(key).map_err(|_| FuncError::new("unable to decode base64 private key"))?;
        let Some((_, bytes)) = der::pem_block(&cert) else {
            return Err(FuncError::new("unable to decode certificate"));
        };
        if !matches!(der::read(&bytes), Some((der::SEQUENCE, _, []))) {
            return Err(FuncError::new("error parsing certificate: decodedCert.Bytes: x509: malformed certificate"));
        }
        PrivateKey::parse(&key).map_err(|problem| FuncError::new(format!("error parsing private key: {problem}")))?;
        Ok(Self { cert: String::from_utf8_lossy(&cert).into_owned(), key: String::from_utf8_lossy(&key).into_owned() })
    }
}

/// Whether Go writes a text as a `PrintableString`.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte))
}

/// A name of one part, as Go writes it.
fn common_name(name: &str) -> Vec<u8> {
    let text = der::write(if is_printable(name) { der::PRINTABLE } else { der::UTF8 }, name.as_bytes());
    let part = der::write(der::SEQUENCE, &[COMMON_NAME, &text].concat());
    der::write(der::SEQUENCE, &der::write(der::SET, &part))
}

fn params(context: &Context, subject: &Subject<'_>) -> Result<CertificateParams, FuncError> {
    let mut params = CertificateParams::default();
    for address in subject.addresses.map_or(&[][..], List::values) {
        let text = string(address, "error parsing ip: ")?;
        let address: IpAddr = text.parse().map_err(|_| FuncError::new(format!("error parsing ip: {text}")))?;
        params.subject_alt_names.push(SanType::IpAddress(address));
    }
    for host in subject.hosts.map_or(&[][..], List::values) {
        let name = string(host, "error processing alternate dns name: ")?;
        params.subject_alt_names.push(SanType::DnsName(name.try_into().map_err(creating)?));
    }
    let mut serial = [0; 16];
    context.random.fill(&mut serial);
    params.serial_number = Some(SerialNumber::from(serial.to_vec()));
    params.distinguished_name = DistinguishedName::new();
    let name = match is_printable(subject.name).then(|| PrintableString::try_from(subject.name)) {
        Some(Ok(name)) => DnValue::PrintableString(name),
        _ => DnValue::Utf8String(subject.name.to_owned()),
    };
    params.distinguished_name.push(DnType::CommonName, name);
    let now = context.clock.now().as_second();
    let at = |seconds: i64| {
        OffsetDateTime::from_unix_timestamp(seconds)
            .map_err(|_| FuncError::new("error creating certificate: x509: cannot represent time as GeneralizedTime"))
    };
    params.not_before = at(now)?;
    params.not_after = at(now.saturating_add(subject.days.saturating_mul(DAY)))?;
    // Go says that it is no authority and leaves the key's identifier out; the library only does both or neither.
    let mut no_authority = CustomExtension::from_oid_content(BASIC_CONSTRAINTS, EMPTY_SEQUENCE.to_vec());
    no_authority.set_criticality(true);
    params.custom_extensions.push(no_authority);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn string(value: &Value, words: &str) -> Result<String, FuncError> {
    match value.as_str() {
        Some(text) => Ok(text.to_string_lossy().into_owned()),
        None => {
            let shown = String::from_utf8_lossy(&format::display(value)).into_owned();
            Err(FuncError::new(format!("{words}{shown} is not a string")))
        }
    }
}
