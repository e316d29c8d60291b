//! What a `Certificate` asks for, and the key and certificate that come of it (`pkg/util/pki/certificatetemplate.go`).

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::set_validity;
use landfall_object::SIMULATED;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, Pem, X509Certificate};

use crate::controllers::fields::{annotation, int, list, text, truth};
use crate::controllers::usages::{Usage, Usages, meaning};
use crate::simulation::parse_duration;

/// How long a certificate is good when nothing is said: 90 days.
const LIFE: SignedDuration = SignedDuration::from_hours(2160);
/// The fields of `spec` of which each is in the certificate.
const ASKED: [&str; 13] = [
    "commonName",
    "subject",
    "literalSubject",
    "dnsNames",
    "ipAddresses",
    "uris",
    "emailAddresses",
    "isCA",
    "usages",
    "duration",
    "privateKey",
    "issuerRef",
    "secretName",
];

/// When a certificate begins, ends and is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) renewal: Timestamp,
}

/// A certificate with its key, all PEM.
#[derive(Debug)]
pub(crate) struct Issued {
    /// The certificate and what is between it and `authority`.
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// Whom it is to be checked with.
    pub(super) authority: String,
}

/// The key pair of a CA issuer.
#[derive(Debug)]
pub(super) struct Authority {
    certificate: String,
    key: String,
    root: String,
}

/// What a CA issuer's secret holds.
#[derive(Debug)]
pub(super) enum Signing {
    /// A key pair that can sign.
    Pair(Box<Authority>),
    /// Nothing that could be read: values of secrets are placeholders here, or were left out of a snapshot.
    Placeholder,
}

impl Term {
    /// From now on for as long as is asked; renewed a third of the life before the end, or when it says.
    pub(super) fn of(certificate: &Value, now: Timestamp) -> Self {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let life =
            parse_duration(text(certificate, "/spec/duration")).filter(SignedDuration::is_positive).unwrap_or(LIFE);
        let before = parse_duration(text(certificate, "/spec/renewBefore"));
        let percentage = int(certificate, "/spec/renewBeforePercentage").and_then(|it| i32::try_from(it).ok());
        let early = before.or_else(|| Some(life / 100 * percentage?)).filter(|e| e.is_positive() && *e < life);
        let not_after = now.checked_add(life).unwrap_or(Timestamp::MAX);
        let renewal = not_after.checked_sub(early.unwrap_or(life / 3)).unwrap_or(not_after);
        let renewal = Timestamp::from_second(renewal.as_second()).unwrap_or(renewal);
        Self { not_before: now, not_after, renewal }
    }
}

/// Names what was asked for, so that a change of it is noticed.
pub(super) fn fingerprint(certificate: &Value) -> String {
    let asked: Vec<&Value> = ASKED.iter().map(|field| &certificate["spec"][field]).collect();
    let digest = Sha256::digest(json!(asked).to_string());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The texts of a list in `spec`.
pub(super) fn names<'a>(certificate: &'a Value, field: &str) -> Vec<&'a str> {
    list(certificate, &format!("/spec/{field}")).iter().filter_map(Value::as_str).collect()
}

/// What a CA issuer's secret can sign with; otherwise why it cannot, in cert-manager's words.
pub(super) fn signing(secret: &Value) -> Result<Signing, String> {
    let part = |key: &str| {
        let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
        String::from_utf8(bytes).ok()
    };
    let (Some(certificate), Some(key)) = (part("tls.crt"), part("tls.key")) else { return Ok(Signing::Placeholder) };
    let Ok(pem) = Pem::iter_from_buffer(certificate.as_bytes()).next().transpose() else {
        return Ok(Signing::Placeholder);
    };
    let Some(pem) = pem else { return Ok(Signing::Placeholder) };
    let read = X509Certificate::from_der(&pem.contents).map(|(_, read)| read.is_ca());
    match read {
        Ok(true) => {
            let root = part("ca.crt").unwrap_or_else(|| certificate.clone());
            Ok(Signing::Pair(Box::new(Authority { certificate, key, root })))
        }
        Ok(false) => Err("signing certificate is not a CA".to_owned()),
        Err(error) => Err(format!("error decoding certificate PEM block: {error}")),
    }
}

/// Makes a key, or takes the one that is to stay, and a certificate of it: signed by an authority, else by itself.
pub(super) fn issue(
    certificate: &Value,
    term: Term,
    kept: Option<&Value>,
    authority: Option<&Authority>,
) -> Result<Issued, rcgen::Error> {
    let key = kept_key(certificate, kept).map_or_else(|| new_key(certificate), Ok)?;
    let params = params(certificate, term)?;
    let Some(authority) = authority else {
        let pem = params.self_signed(&key)?.pem();
        return Ok(Issued { certificate: pem.clone(), key: key.serialize_pem(), authority: pem });
    };
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let mut chain = params.signed_by(&key, &issuer)?.pem();
    if authority.root != authority.certificate {
        chain.push_str(&authority.certificate);
    }
    Ok(Issued { certificate: chain, key: key.serialize_pem(), authority: authority.root.clone() })
}

/// A certificate for one name that only says that it is none.
pub(crate) fn self_signed(name: &str, not_before: Timestamp, not_after: Timestamp) -> Result<Issued, rcgen::Error> {
    let asked =
        json!({"spec": {"commonName": name, "dnsNames": [name], "usages": ["digital signature", "server auth"]}});
    issue(&asked, Term { not_before, not_after, renewal: not_after }, None, None)
}

fn kept_key(certificate: &Value, secret: Option<&Value>) -> Option<KeyPair> {
    if text(certificate, "/spec/privateKey/rotationPolicy") != "Never" {
        return None;
    }
    let pem = STANDARD.decode(secret?["data"]["tls.key"].as_str()?).ok()?;
    KeyPair::from_pem(std::str::from_utf8(&pem).ok()?).ok()
}

/// Of the kind that is asked for; where nothing is, a quick one, though cert-manager would take RSA.
fn new_key(certificate: &Value) -> Result<KeyPair, rcgen::Error> {
    let size = int(certificate, "/spec/privateKey/size");
    match text(certificate, "/spec/privateKey/algorithm") {
        "RSA" => {
            let size = match size {
                Some(4096) => rcgen::RsaKeySize::_4096,
                Some(3072) => rcgen::RsaKeySize::_3072,
                _ => rcgen::RsaKeySize::_2048,
            };
            KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size)
        }
        "Ed25519" => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        "ECDSA" if size == Some(384) => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        "ECDSA" if size == Some(521) => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
        _ => KeyPair::generate(),
    }
}

fn params(certificate: &Value, term: Term) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(certificate);
    // Names that cannot stand in a certificate are left out rather than failing all.
    let ascii = |field: &str| names(certificate, field).into_iter().filter(|name| name.is_ascii() && !name.is_empty());
    let text = |name: &str| name.to_owned().try_into();
    for name in ascii("dnsNames") {
        params.subject_alt_names.push(SanType::DnsName(text(name)?));
    }
    let addresses = ascii("ipAddresses").filter_map(|address| address.parse::<IpAddr>().ok());
    params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
    for uri in ascii("uris") {
        params.subject_alt_names.push(SanType::URI(text(uri)?));
    }
    for address in ascii("emailAddresses") {
        params.subject_alt_names.push(SanType::Rfc822Name(text(address)?));
    }
    let asked = usages(certificate);
    (params.key_usages, params.extended_key_usages) = (asked.keys, asked.purposes);
    params.is_ca =
        if truth(certificate, "/spec/isCA") { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, term.not_before, term.not_after);
    Ok(params)
}

/// What is asked for, else signatures and encipherment; an authority may sign.
fn usages(certificate: &Value) -> Usages {
    let asked = names(certificate, "usages");
    let asked = if asked.is_empty() { vec!["digital signature", "key encipherment"] } else { asked };
    let mut usages = Usages::default();
    asked.into_iter().filter_map(meaning).for_each(|usage| usages.add(usage));
    if truth(certificate, "/spec/isCA") {
        usages.add(Usage::Key(rcgen::KeyUsagePurpose::KeyCertSign));
    }
    usages
}

/// The subject that is asked for; without an organisation in it, one that says what the certificate is.
fn subject(certificate: &Value) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    for (field, kind) in [
        ("countries", DnType::CountryName),
        ("organizations", DnType::OrganizationName),
        ("organizationalUnits", DnType::OrganizationalUnitName),
        ("localities", DnType::LocalityName),
        ("provinces", DnType::StateOrProvinceName),
    ] {
        // The library keeps one of each kind.
        if let Some(first) = list(certificate, &format!("/spec/subject/{field}")).iter().find_map(Value::as_str) {
            subject.push(kind, first);
        }
    }
    if subject.get(&DnType::OrganizationName).is_none() {
        subject.push(DnType::OrganizationName, "Landfall simulated");
    }
    let common = text(certificate, "/spec/commonName");
    if !common.is_empty() {
        subject.push(DnType::CommonName, common);
    }
    subject
}

/// The annotation on a secret that says for what its certificate was made.
pub(super) const ISSUED_FOR: &str = "landfall.dev/issued-for";

/// Whether a secret holds what a certificate asks for. Of one that a twin has not made, names and issuer say it.
pub(super) fn fits(certificate: &Value, secret: &Value) -> bool {
    if annotation(secret, SIMULATED).is_some() && annotation(secret, ISSUED_FOR).is_some() {
        return annotation(secret, ISSUED_FOR) == Some(fingerprint(certificate).as_str());
    }
    let wanted = alt_names(certificate);
    annotation(secret, "cert-manager.io/alt-names") == Some(wanted.join(",").as_str())
        && annotation(secret, "cert-manager.io/issuer-name") == Some(text(certificate, "/spec/issuerRef/name"))
}

/// The names as the annotation has them.
pub(super) fn alt_names(certificate: &Value) -> Vec<&str> {
    let (names, common) = (names(certificate, "dnsNames"), text(certificate, "/spec/commonName"));
    if names.is_empty() && !common.is_empty() { vec![common] } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
    }

    fn read(pem: &str, look: impl FnOnce(&X509Certificate<'_>)) {
        let pem = Pem::iter_from_buffer(pem.as_bytes()).next().expect("one").expect("PEM");
        let (_, certificate) = X509Certificate::from_der(&pem.contents).expect("a certificate");
        look(&certificate);
    }

    #[test]
    fn a_certificate_is_good_for_exactly_as_long_as_is_asked() {
        let asked = json!({"spec": {"duration": "2h", "commonName": "a", "dnsNames": ["a"]}});
        let term = Term::of(&asked, at(0));
        assert_eq!(term, Term { not_before: at(0), not_after: at(7200), renewal: at(4800) });
        let issued = issue(&asked, term, None, None).expect("issued");
        read(&issued.certificate, |certificate| {
            let validity = certificate.validity();
            assert_eq!(validity.not_before.timestamp(), at(0).as_second());
            assert_eq!(validity.not_after.timestamp(), at(7200).as_second());
        });
    }

    #[test]
    fn a_certificate_is_renewed_when_it_says() {
        let renewal = |spec: Value| Term::of(&json!({"spec": spec}), at(0)).renewal;
        assert_eq!(renewal(json!({"duration": "3h", "renewBefore": "30m"})), at(9000));
        assert_eq!(renewal(json!({"duration": "100m", "renewBeforePercentage": 25})), at(4500));
        assert_eq!(renewal(json!({"duration": "3h", "renewBefore": "3h"})), at(7200), "not before it is there");
    }

    #[test]
    fn a_certificate_may_be_used_for_what_was_asked_and_no_more() {
        let asked = json!({"spec": {"commonName": "a", "isCA": true, "usages": ["server auth", "digital signature"]}});
        let issued = issue(&asked, Term::of(&asked, at(0)), None, None).expect("issued");
        read(&issued.certificate, |certificate| {
            assert!(certificate.is_ca());
            let keys = certificate.key_usage().expect("readable").expect("there").value;
            assert!(keys.digital_signature() && keys.key_cert_sign() && !keys.key_encipherment());
            let purposes = certificate.extended_key_usage().expect("readable").expect("there").value;
            assert!(purposes.server_auth && !purposes.client_auth);
        });
        let plain = json!({"spec": {"dnsNames": ["a"], "ipAddresses": ["10.0.0.1"], "emailAddresses": ["a@b"]}});
        let issued = issue(&plain, Term::of(&plain, at(0)), None, None).expect("issued");
        read(&issued.certificate, |certificate| {
            assert!(!certificate.is_ca());
            let keys = certificate.key_usage().expect("readable").expect("there").value;
            assert!(keys.digital_signature() && keys.key_encipherment());
            assert!(certificate.extended_key_usage().expect("readable").is_none());
            let names = certificate.subject_alternative_name().expect("readable").expect("there");
            assert_eq!(names.value.general_names.len(), 3);
        });
    }

    #[test]
    fn an_authority_signs_and_what_is_none_does_not() {
        let secret = |spec: Value| {
            let asked = json!({"spec": spec});
            let made = issue(&asked, Term::of(&asked, at(0)), None, None).expect("issued");
            json!({"data": {"tls.crt": STANDARD.encode(made.certificate), "tls.key": STANDARD.encode(made.key)}})
        };
        let root = secret(json!({"commonName": "root", "isCA": true}));
        let Ok(Signing::Pair(authority)) = signing(&root) else { panic!("an authority") };
        let leaf = json!({"spec": {"dnsNames": ["a"]}});
        let issued = issue(&leaf, Term::of(&leaf, at(0)), None, Some(&authority)).expect("issued");
        assert_eq!(issued.authority, authority.certificate);
        read(&issued.certificate, |certificate| {
            assert!(certificate.issuer().to_string().contains("CN=root"), "{}", certificate.issuer());
        });
        let refused = signing(&secret(json!({"commonName": "leaf"}))).expect_err("no authority");
        assert_eq!(refused, "signing certificate is not a CA");
        assert!(matches!(signing(&json!({"data": {"tls.crt": "fnNpbXVsYXRlZA=="}})), Ok(Signing::Placeholder)));
    }
}
