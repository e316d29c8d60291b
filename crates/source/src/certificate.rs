//! Which certificate a host serves: looked at, not trusted, and nothing is sent.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What a host has served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// A certificate.
    Served(ServedCertificate),
    /// It could not be asked, and why.
    Failed(String),
}

/// A certificate as far as it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedCertificate {
    /// The names and addresses that it is good for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Whether that is whom it is about.
    pub own: bool,
    /// Its first second.
    pub from: i64,
    /// Its last second.
    pub until: i64,
}

impl ServedCertificate {
    /// Whether it is good for a host, as far as its names go: `*.` stands for one label.
    pub fn names_host(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        self.names.iter().any(|name| {
            let name = name.to_ascii_lowercase();
            name == host
                || name
                    .strip_prefix("*.")
                    .is_some_and(|zone| host.split_once('.').is_some_and(|(_, rest)| rest == zone))
        })
    }

    /// What a client that does not trust it has against it, in words.
    pub fn fault(&self, host: &str, now: Timestamp) -> String {
        let day = |second: i64| Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string());
        if self.until < now.as_second() {
            return format!("the certificate of {host} has expired: it was good until {}", day(self.until));
        }
        if self.from > now.as_second() {
            return format!("the certificate of {host} is good from {} on, and not yet", day(self.from));
        }
        if !self.names_host(host) {
            let names = if self.names.is_empty() { "nobody".to_owned() } else { self.names.join(", ") };
            return format!("the certificate of {host} is for {names}");
        }
        if self.own {
            return format!("the certificate of {host} is self-signed, and nobody trusts it");
        }
        format!("the certificate of {host} is signed by {}, whom this machine does not trust", self.issuer)
    }
}

/// Takes any certificate and keeps it.
#[derive(Debug)]
struct Keeper {
    seen: Mutex<Option<Vec<u8>>>,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Keeper {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some(end_entity.to_vec());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Looks at the certificate that a host serves.
#[boxed]
pub async fn handshake(host: &str, port: u16, patience: Duration) -> Handshake {
    match tokio::time::timeout(patience, shake(host, port)).await {
        Ok(Ok(served)) => Handshake::Served(served),
        Ok(Err(why)) => Handshake::Failed(why),
        Err(_) => Handshake::Failed(format!("no answer within {} s", patience.as_secs())),
    }
}

async fn shake(host: &str, port: u16) -> Result<ServedCertificate, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let keeper = Arc::new(Keeper { seen: Mutex::default(), schemes });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(keeper.clone())
        .with_no_client_auth();
    let host = host.trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let stream = tokio::net::TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(|error| error.to_string())?;
    let seen = keeper.seen.lock().ok().and_then(|mut seen| seen.take());
    read(&seen.ok_or("no certificate was served")?)
}

/// Names, issuer, beginning and end of a certificate.
fn read(der: &[u8]) -> Result<ServedCertificate, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    Ok(ServedCertificate {
        names: names.collect(),
        issuer: certificate.issuer().to_string(),
        own: certificate.issuer() == certificate.subject(),
        from: certificate.validity().not_before.timestamp(),
        until: certificate.validity().not_after.timestamp(),
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_named() {
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let good = ServedCertificate {
            names: vec!["*.example.com".to_owned(), "127.0.0.1".to_owned()],
            issuer: "CN=Ours".to_owned(),
            own: false,
            from: 1_700_000_000,
            until: 1_900_000_000,
        };
        assert!(good.names_host("API.example.com.") && good.names_host("127.0.0.1"));
        assert!(!good.names_host("example.com") && !good.names_host("a.b.example.com"));
        let told = |change: fn(&mut ServedCertificate)| {
            let mut other = good.clone();
            change(&mut other);
            other.fault("api.example.com", now)
        };
        assert_eq!(
            told(|it| it.until = 1_799_999_999),
            "the certificate of api.example.com has expired: it was good until 2027-01-15T07:59:59Z"
        );
        assert!(told(|it| it.from = 1_800_000_001).contains("not yet"));
        assert!(told(|it| it.names.clear()).ends_with("is for nobody"));
        assert!(told(|it| it.own = true).contains("self-signed"));
        assert!(told(|_| ()).contains("signed by CN=Ours"));
    }
}
