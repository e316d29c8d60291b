//! How a server is asked: certificates, credentials, patience.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

/// How long a server may be silent, when nobody says: before its answer begins, and within it.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// Whether a server's certificate is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateCheck {
    /// It must be signed by an authority that is trusted.
    #[default]
    Verify,
    /// Any will do.
    Skip,
}

/// To whom credentials are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CredentialScope {
    /// To the server they are meant for.
    #[default]
    SameServer,
    /// To any server that a chart's address names.
    Everywhere,
}

/// What is done where a server sends the client elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirects {
    /// It goes there, without the credentials where that is another server.
    #[default]
    Follow,
    /// It does not: the answer is the redirect. For requests whose headers hold a token by any name.
    Stop,
}

/// How a server is talked to.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Who asks; empty for nobody.
    pub username: String,
    /// The password.
    pub password: String,
    /// Authorities to trust instead of the system's, PEM; instead of a file of them.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate and key, PEM; instead of files of them.
    pub identity: Option<Vec<u8>>,
    /// Authorities to trust instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, PEM.
    pub cert_file: Option<PathBuf>,
    /// The client's key, PEM.
    pub key_file: Option<PathBuf>,
    /// Whether certificates are checked.
    pub certificates: CertificateCheck,
    /// Who gets the credentials.
    pub credentials: CredentialScope,
    /// Whether redirects are followed.
    pub redirects: Redirects,
    /// How long a request may take; two minutes when not said.
    pub timeout: Option<Duration>,
    /// How long a server may be silent, or send next to nothing; [`PATIENCE`] when not said.
    pub patience: Option<Duration>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("username", &self.username)
            .field("ca_file", &self.ca_file)
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// The credentials for a request, when its server may have them; `owner` is the address they were given for.
    pub(crate) fn credentials_for(&self, url: &Url, owner: &str) -> Option<(&str, &str)> {
        if self.username.is_empty() || self.password.is_empty() {
            return None;
        }
        let owned = Url::parse(owner).is_ok_and(|owner| owner.origin() == url.origin());
        (owned || self.credentials == CredentialScope::Everywhere).then_some((&self.username, &self.password))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_for_the_server_they_were_given_for() {
        let access = Access { username: "u".into(), password: "p".into(), ..Access::default() };
        let url = |text: &str| Url::parse(text).expect("an address");
        assert!(access.credentials_for(&url("https://h/a.tgz"), "https://h/charts").is_some());
        assert!(access.credentials_for(&url("https://h:444/a.tgz"), "https://h/charts").is_none());
        assert!(access.credentials_for(&url("http://h/a.tgz"), "https://h/charts").is_none());
        assert!(access.credentials_for(&url("https://other/a.tgz"), "https://h/charts").is_none());
        let everywhere = Access { credentials: CredentialScope::Everywhere, ..access };
        assert!(everywhere.credentials_for(&url("https://other/a.tgz"), "https://h/charts").is_some());
        assert!(!format!("{everywhere:?}").contains("\"p\""));
    }
}
