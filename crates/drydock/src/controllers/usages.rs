//! What a certificate may be used for, by the names that `spec.usages` has.

use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};

/// A usage as X.509 has it.
pub(crate) enum Usage {
    /// A bit of the key usage.
    Key(KeyUsagePurpose),
    /// An extended key usage.
    Purpose(ExtendedKeyUsagePurpose),
}

/// The usages of a certificate, each once, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usages {
    pub(crate) keys: Vec<KeyUsagePurpose>,
    pub(crate) purposes: Vec<ExtendedKeyUsagePurpose>,
}

impl Usages {
    /// Adds one.
    pub(crate) fn add(&mut self, usage: Usage) {
        match usage {
            Usage::Key(usage) if !self.keys.contains(&usage) => self.keys.push(usage),
            Usage::Purpose(purpose) if !self.purposes.contains(&purpose) => self.purposes.push(purpose),
            Usage::Key(_) | Usage::Purpose(_) => {}
        }
    }
}

/// The meaning of a usage's name.
pub(crate) fn meaning(usage: &str) -> Option<Usage> {
    let ipsec = |last| ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, last]);
    Some(match usage {
        "signing" | "digital signature" => Usage::Key(KeyUsagePurpose::DigitalSignature),
        "content commitment" => Usage::Key(KeyUsagePurpose::ContentCommitment),
        "key encipherment" => Usage::Key(KeyUsagePurpose::KeyEncipherment),
        "key agreement" => Usage::Key(KeyUsagePurpose::KeyAgreement),
        "data encipherment" => Usage::Key(KeyUsagePurpose::DataEncipherment),
        "cert sign" => Usage::Key(KeyUsagePurpose::KeyCertSign),
        "crl sign" => Usage::Key(KeyUsagePurpose::CrlSign),
        "encipher only" => Usage::Key(KeyUsagePurpose::EncipherOnly),
        "decipher only" => Usage::Key(KeyUsagePurpose::DecipherOnly),
        "any" => Usage::Purpose(ExtendedKeyUsagePurpose::Any),
        "server auth" => Usage::Purpose(ExtendedKeyUsagePurpose::ServerAuth),
        "client auth" => Usage::Purpose(ExtendedKeyUsagePurpose::ClientAuth),
        "code signing" => Usage::Purpose(ExtendedKeyUsagePurpose::CodeSigning),
        "email protection" | "s/mime" => Usage::Purpose(ExtendedKeyUsagePurpose::EmailProtection),
        "ipsec end system" => Usage::Purpose(ipsec(5)),
        "ipsec tunnel" => Usage::Purpose(ipsec(6)),
        "ipsec user" => Usage::Purpose(ipsec(7)),
        "timestamping" => Usage::Purpose(ExtendedKeyUsagePurpose::TimeStamping),
        "ocsp signing" => Usage::Purpose(ExtendedKeyUsagePurpose::OcspSigning),
        "microsoft sgc" => Usage::Purpose(ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 311, 10, 3, 3])),
        "netscape sgc" => Usage::Purpose(ExtendedKeyUsagePurpose::Other(vec![2, 16, 840, 1, 113_730, 4, 1])),
        _ => return None,
    })
}
