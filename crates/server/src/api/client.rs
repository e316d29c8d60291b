//! The API of a server elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Method, header};
use async_recursion::async_recursion as boxed;
use landfall_diag::{Code, Diagnose, Diagnostic, Severity, code};
use landfall_source::{Access, HttpClient, Network, Redirects};
use serde_json::Value;

use super::asked::Asked;
use super::shapes::Problem;

/// Largest answer that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// How long an answer may take: a diff of many sources is rendered first.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a server is reached.
#[derive(Clone)]
pub struct ServerAccess {
    /// Its address, `https://landfall.example.com`, with the path that stands in front, if one does.
    pub address: String,
    /// The token.
    pub token: String,
    /// Authorities to trust instead of the system's, PEM.
    pub authority: Option<PathBuf>,
}

impl std::fmt::Debug for ServerAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerAccess").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A client of a server's API.
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    access: ServerAccess,
}

impl Client {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// [`code::PLAIN_SERVER`]: the token would go to another machine in the clear.
    pub fn new(network: &Network, access: ServerAccess) -> Result<Self, Diagnostic> {
        let address = access.address.trim_end_matches('/').to_owned();
        if !address.starts_with("https://") && !is_here(&address) {
            let text = format!("a token is not sent to {address}: everybody on the way could read it");
            return Err(Diagnostic::refused(code::PLAIN_SERVER, text).help("give its https:// address"));
        }
        let http = network.client(Access {
            ca_file: access.authority.clone(),
            redirects: Redirects::Stop,
            timeout: Some(PATIENCE),
            patience: Some(PATIENCE),
            ..Access::default()
        });
        Ok(Client { http, access: ServerAccess { address, ..access } })
    }

    /// The server's address.
    pub fn address(&self) -> &str {
        &self.access.address
    }

    /// Asks the server.
    ///
    /// # Errors
    /// It does not answer, or says why it does not do it.
    #[boxed]
    pub async fn answer(&self, asked: &Asked) -> Result<Value, Vec<Diagnostic>> {
        let wire = asked.wire();
        self.send(wire.method, &wire.target, wire.body).await
    }

    /// Looks at something by its path and query.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn look(&self, target: &str) -> Result<Value, Vec<Diagnostic>> {
        self.send(Method::GET, target, Vec::new()).await
    }

    /// Has something done, with a body.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn change(&self, target: &str, body: Vec<u8>) -> Result<Value, Vec<Diagnostic>> {
        self.send(Method::POST, target, body).await
    }

    /// Fetches bytes as they are, at most so many.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub async fn bytes(&self, target: &str, largest: u64) -> Result<Vec<u8>, Vec<Diagnostic>> {
        self.ask(Method::GET, target, Vec::new(), largest).await
    }

    async fn send(&self, method: Method, target: &str, body: Vec<u8>) -> Result<Value, Vec<Diagnostic>> {
        let body = self.ask(method, target, body, LARGEST).await?;
        serde_json::from_slice(&body).map_err(|_| vec![self.strange().note("it answered with something else")])
    }

    async fn ask(&self, method: Method, target: &str, body: Vec<u8>, largest: u64) -> Result<Vec<u8>, Vec<Diagnostic>> {
        let mut headers = HeaderMap::new();
        // Whoever comes to be let in has none yet.
        if !self.access.token.is_empty() {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.access.token)).map_err(|_| {
                vec![Diagnostic::error(code::UNREADABLE_TOKEN, "the token has characters that no token has")]
            })?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let url = format!("{}{}", self.access.address, target);
        let reply = self.http.send(method, &url, headers, body, largest).await.map_err(|error| {
            let why = error.diagnose();
            let text = format!("the server {} does not answer", self.access.address);
            let mut diagnostic = Diagnostic::error(code::SERVER_SILENT, text).note(why.message);
            diagnostic.notes.extend(why.notes);
            vec![diagnostic]
        })?;
        if reply.status < 300 {
            return Ok(reply.body);
        }
        let strange = || vec![self.strange().note(format!("it answered {}", reply.status_line))];
        let problem: Problem = serde_json::from_slice(&reply.body).map_err(|_| strange())?;
        Err(vec![diagnostic(problem)])
    }

    fn strange(&self) -> Diagnostic {
        let text = format!("{} does not answer as Landfall's server does", self.access.address);
        Diagnostic::error(code::STRANGE_ANSWER, text)
    }
}

/// Whether an address is this machine's.
pub(super) fn is_here(address: &str) -> bool {
    let host = landfall_source::host_of(address);
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).trim_matches(['[', ']']);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// What a server says was wrong, as it would have been said here; codes that a newer server has are failures.
fn diagnostic(problem: Problem) -> Diagnostic {
    let known = Code::parse(&problem.code).unwrap_or(code::STRANGE_ANSWER);
    let severity = match known.ending() {
        landfall_diag::Ending::Refused => Severity::Refused,
        _ => Severity::Error,
    };
    let told = problem.notes.into_iter().fold(Diagnostic::new(severity, known, problem.message), Diagnostic::note);
    problem.help.into_iter().fold(told, Diagnostic::help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Result<Client, Diagnostic> {
        let access = ServerAccess { address: address.to_owned(), token: "lf_a_secret".to_owned(), authority: None };
        Client::new(&Network::default(), access)
    }

    #[test]
    fn a_token_goes_over_a_plain_connection_to_this_machine_alone() {
        for address in
            ["https://landfall.example.com/", "http://127.0.0.1:8480", "http://localhost:8480", "http://[::1]:1"]
        {
            assert!(client(address).is_ok(), "{address}");
        }
        for address in ["http://landfall.example.com", "http://10.0.0.1:8480", "landfall.example.com"] {
            assert_eq!(client(address).map(drop).map_err(|it| it.code), Err(code::PLAIN_SERVER), "{address}");
        }
        let client = client("https://landfall.example.com/sub/").expect("made");
        assert_eq!(client.address(), "https://landfall.example.com/sub");
        assert!(!format!("{client:?}").contains("secret"));
    }

    #[test]
    fn what_a_server_says_is_said_here_and_unknown_codes_are_failures() {
        let problem = |code: &str| Problem {
            code: code.to_owned(),
            message: "no".to_owned(),
            notes: vec!["why".to_owned()],
            help: vec!["type".to_owned()],
        };
        let told = diagnostic(problem("LF0723"));
        assert_eq!((told.code, told.severity), (code::TOO_SMALL_SCOPE, Severity::Refused));
        assert_eq!((told.notes, told.helps), (vec!["why".to_owned()], vec!["type".to_owned()]));
        assert_eq!(diagnostic(problem("LF9999")).code, code::STRANGE_ANSWER);
    }
}
