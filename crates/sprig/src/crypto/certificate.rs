//! Certificates, made as Sprig makes them.

use std::borrow::Cow;
use std::net::IpAddr;

use landfall_gotemplate::{FuncError, Host, List, Value, format};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, Issuer, SerialNumber,
    string::PrintableString,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::key::PrivateKey;
use crate::context::Context;
use crate::der;
use crate::encoding::decode_base64;

const DAY: i64 = 24 * 60 * 60;
/// `2.5.29.15`
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
/// `2.5.29.37`
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
/// `2.5.29.19`
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
/// `2.5.29.14`
const SUBJECT_KEY: &[u64] = &[2, 5, 29, 14];
/// `2.5.29.35`
const AUTHORITY_KEY: &[u64] = &[2, 5, 29, 35];
/// `2.5.29.17`
const ALTERNATIVE_NAMES: &[u64] = &[2, 5, 29, 17];
/// `2.5.29.14`, written.
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x06, 0x03, 0x55, 0x1D, 0x0E];
/// Servers and clients: `1.3.6.1.5.5.7.3.1` and `.2`, written.
const SERVERS_AND_CLIENTS: &[u8] = &[0x06, 8, 0x2B, 6, 1, 5, 5, 7, 3, 1, 0x06, 8, 0x2B, 6, 1, 5, 5, 7, 3, 2];
/// Bits unused, and those of signatures and of keys that are handed over; for an authority of certificates, too.
const USED_FOR: [&[u8]; 2] = [&[5, 0xA0], &[2, 0xA4]];
/// Basic constraints that say yes.
const AUTHORITY: &[u8] = &[0x30, 3, 1, 1, 0xFF];
/// A name of a host and an address among alternative names, and the identifier of an authority's key.
const HOST: u8 = 0x82;
const ADDRESS: u8 = 0x87;
const KEY_IDENTIFIER: u8 = 0x80;
/// Bytes of a key's digest that stand for the key.
const IDENTIFIER: usize = 20;
/// `2.5.4.3`, written.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
/// Basic constraints that say no, and a name of no parts.
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
        let identifier = Sha256::digest(key.pair().public_key_raw())[..IDENTIFIER].to_vec();
        params.custom_extensions = extensions(subject, Role::Authority(identifier))?;
        Ok(Self::new(params.self_signed(key.pair()).map_err(creating)?.der(), key))
    }

    /// A certificate signed by its own key.
    pub(super) fn self_signed(context: &Context, subject: &Subject<'_>, key: &PrivateKey) -> Result<Self, FuncError> {
        let mut params = params(context, subject)?;
        params.custom_extensions = extensions(subject, Role::Signed(None))?;
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
        let identifier = key_identifier(&bytes).filter(|_| !is_itself);
        let signer = PrivateKey::parse(authority.key.as_bytes())
            .map_err(|problem| FuncError::new(format!("error parsing private key: {problem}")))?;
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(bytes), signer.pair())
            .map_err(|error| FuncError::new(format!("error parsing certificate: decodedSignerCert.Bytes: {error}")))?;
        let mut params = params(context, subject)?;
        params.custom_extensions = extensions(subject, Role::Signed(identifier))?;
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

/// A name of one part, as Go writes it: of none where it is empty.
fn common_name(name: &str) -> Vec<u8> {
    if name.is_empty() {
        return EMPTY_SEQUENCE.to_vec();
    }
    let text = der::write(if is_printable(name) { der::PRINTABLE } else { der::UTF8 }, name.as_bytes());
    let part = der::write(der::SEQUENCE, &[COMMON_NAME, &text].concat());
    der::write(der::SEQUENCE, &der::write(der::SET, &part))
}

fn params(context: &Context, subject: &Subject<'_>) -> Result<CertificateParams, FuncError> {
    let mut params = CertificateParams::default();
    let mut serial = [0; 16];
    context.random.fill(&mut serial);
    params.serial_number = Some(SerialNumber::from(serial.to_vec()));
    params.distinguished_name = DistinguishedName::new();
    if !subject.name.is_empty() {
        let name = match is_printable(subject.name).then(|| PrintableString::try_from(subject.name)) {
            Some(Ok(name)) => DnValue::PrintableString(name),
            _ => DnValue::Utf8String(subject.name.to_owned()),
        };
        params.distinguished_name.push(DnType::CommonName, name);
    }
    let now = context.clock.now().as_second();
    let at = |seconds: i64| {
        OffsetDateTime::from_unix_timestamp(seconds)
            .map_err(|_| FuncError::new("error creating certificate: x509: cannot represent time as GeneralizedTime"))
    };
    params.not_before = at(now)?;
    params.not_after = at(now.saturating_add(subject.days.saturating_mul(DAY)))?;
    Ok(params)
}

/// What a certificate is there for.
enum Role {
    /// To sign others, with the key of this identifier.
    Authority(Vec<u8>),
    /// To be shown, signed by the key of this identifier, if it is told.
    Signed(Option<Vec<u8>>),
}

/// The identifier of its key that a certificate says.
fn key_identifier(certificate: &[u8]) -> Option<Vec<u8>> {
    let said = SUBJECT_KEY_IDENTIFIER;
    let at = certificate.windows(said.len()).position(|window| window == said)?;
    let (der::OCTETS, inside, _) = der::read(&certificate[at + said.len()..])? else { return None };
    let (der::OCTETS, identifier, _) = der::read(inside)? else { return None };
    Some(identifier.to_vec())
}

/// What is said of a certificate beside its name, in the order in which Go says it; the library has another.
fn extensions(subject: &Subject<'_>, role: Role) -> Result<Vec<CustomExtension>, FuncError> {
    let extension = |name: &[u64], critical: bool, content: Vec<u8>| {
        let mut extension = CustomExtension::from_oid_content(name, content);
        extension.set_criticality(critical);
        extension
    };
    let is_authority = matches!(role, Role::Authority(_));
    let constraints = if is_authority { AUTHORITY } else { &EMPTY_SEQUENCE };
    let mut all = vec![
        extension(KEY_USAGE, true, der::write(der::BITS, USED_FOR[usize::from(is_authority)])),
        extension(EXTENDED_KEY_USAGE, false, der::write(der::SEQUENCE, SERVERS_AND_CLIENTS)),
        extension(BASIC_CONSTRAINTS, true, constraints.to_vec()),
    ];
    match role {
        Role::Authority(own) => all.push(extension(SUBJECT_KEY, false, der::write(der::OCTETS, &own))),
        Role::Signed(Some(by)) => {
            let by = der::write(der::SEQUENCE, &der::write(KEY_IDENTIFIER, &by));
            all.push(extension(AUTHORITY_KEY, false, by));
        }
        Role::Signed(None) => {}
    }
    let names = alternative_names(subject)?;
    if !names.is_empty() {
        let critical = subject.name.is_empty();
        all.push(extension(ALTERNATIVE_NAMES, critical, der::write(der::SEQUENCE, &names)));
    }
    Ok(all)
}

/// Hosts and addresses, written one behind the other.
fn alternative_names(subject: &Subject<'_>) -> Result<Vec<u8>, FuncError> {
    let mut addresses = Vec::new();
    for address in subject.addresses.map_or(&[][..], List::values) {
        let text = string(address, "error parsing ip: ")?;
        let address: IpAddr = text.parse().map_err(|_| FuncError::new(format!("error parsing ip: {text}")))?;
        addresses.extend(match address.to_canonical() {
            IpAddr::V4(address) => der::write(ADDRESS, &address.octets()),
            IpAddr::V6(address) => der::write(ADDRESS, &address.octets()),
        });
    }
    let mut names = Vec::new();
    for host in subject.hosts.map_or(&[][..], List::values) {
        let name = string(host, "error processing alternate dns name: ")?;
        if !name.is_ascii() {
            let quoted = format::quote(name.as_bytes());
            let words = format!("error creating certificate: x509: {quoted} cannot be encoded as an IA5String");
            return Err(FuncError::new(words));
        }
        names.extend(der::write(HOST, name.as_bytes()));
    }
    names.extend(addresses);
    Ok(names)
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
