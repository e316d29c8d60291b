//! A CI job at a server elsewhere: what its forge gives it, and what the server makes of that.

use ::http::{HeaderMap, HeaderValue, Method, header};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_source::{Access, Network, Redirects};
use serde_json::{Value, json};

use super::client::{Client, ServerAccess, is_here};
use super::session::JobToken;

/// Largest answer of a runner, in bytes, and the longest wait for one.
const LARGEST: u64 = 64 * 1024;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// How a forge gives a job its token.
pub enum JobForge {
    /// It gave it (GitLab).
    Gave(String),
    /// It gives one for whom it is meant (GitHub, Forgejo).
    Gives {
        /// Where.
        url: String,
        /// By what the job is known there.
        bearer: String,
        /// For whom.
        audience: String,
    },
}

/// Comes to a server as a CI job, as one of its identities where it can be several.
///
/// # Errors
/// The forge gives no token, or the server does not let the job in.
pub async fn enter(
    network: &Network,
    access: &ServerAccess,
    forge: JobForge,
    identity: Option<&str>,
) -> Result<JobToken, Vec<Diagnostic>> {
    // The server's address is looked at before anything is asked of the forge.
    let client = Client::new(network, access.clone()).map_err(|diagnostic| vec![diagnostic])?;
    let token = match forge {
        JobForge::Gave(token) => token,
        JobForge::Gives { url, bearer, audience } => {
            given(network, &url, &bearer, &audience).await.map_err(|diagnostic| vec![diagnostic])?
        }
    };
    let body = json!({"token": token, "identity": identity});
    let answer = client.change("/api/v1/session/job", body.to_string().into_bytes()).await?;
    serde_json::from_value(answer).map_err(|_| {
        let text = format!("{} does not answer as Landfall's server does", client.address());
        vec![Diagnostic::error(code::STRANGE_ANSWER, text)]
    })
}

/// The token that a runner gives its job.
async fn given(network: &Network, url: &str, bearer: &str, audience: &str) -> Result<String, Diagnostic> {
    let no = |why: &str| Diagnostic::error(code::ISSUER_FAILED, "the forge gives this CI job no token").note(why);
    if !url.starts_with("https://") && !is_here(url) {
        return Err(no("it would be asked for where everybody on the way could read it"));
    }
    let mut headers = HeaderMap::new();
    let mut value = HeaderValue::from_str(&format!("Bearer {bearer}"))
        .map_err(|_| no("what the runner has set is none of its tokens"))?;
    value.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, value);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let http = network.client(Access {
        redirects: Redirects::Stop,
        timeout: Some(PATIENCE),
        patience: Some(PATIENCE),
        ..Access::default()
    });
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("audience", audience).finish();
    let and = if url.contains('?') { '&' } else { '?' };
    let reply = http.send(Method::GET, &format!("{url}{and}{query}"), headers, Vec::new(), LARGEST).await;
    let reply = reply.map_err(|error| no(&error.diagnose().message))?;
    if reply.status != 200 {
        return Err(no(&format!("it answered {}", reply.status_line)));
    }
    // What it says is not quoted: it may be the token.
    let answer: Value = serde_json::from_slice(&reply.body).map_err(|_| no("it answered something else"))?;
    answer["value"].as_str().map(str::to_owned).ok_or_else(|| no("it answered something else"))
}
