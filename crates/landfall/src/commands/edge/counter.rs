//! Which server is asked about edges.

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Permit};
use landfall_server::api::{Client, ServerAccess};
use serde_json::Value;

use crate::commands::server_token;
use crate::consent::{self, Question};
use crate::context::Context;

/// Which server is asked.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// The address of a server (default: the one that runs here)
    #[arg(long, env = "LANDFALL_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The file with the token for --server (default: the variable LANDFALL_TOKEN)
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) token_file: Option<String>,
    /// Authorities to trust instead of the system's, for --server
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) ca_file: Option<String>,
}

/// A server that is asked.
pub(crate) struct Counter(Client);

impl ServerArgs {
    /// Comes to the server.
    pub(crate) async fn open(&self, context: &Context) -> Result<Counter, Failure> {
        let host = &context.host;
        let access = match &self.server {
            Some(address) => {
                server_token::access(context, address, self.token_file.as_deref(), self.ca_file.as_deref()).await?
            }
            None => {
                let serving = host.state_here()?.serving().ok_or_else(|| {
                    Failure::from(
                        Diagnostic::error(code::SERVER_SILENT, "no server runs here that would know of edges")
                            .help("landfall serve --only fleet, or name one with --server"),
                    )
                })?;
                let address = format!("http://{}", serving.address);
                ServerAccess { address, token: serving.token, authority: None }
            }
        };
        Ok(Counter(Client::new(&host.network, access)?))
    }

    /// Gets a yes for what cannot be taken back.
    pub(crate) async fn agreed(&self, context: &Context, yes: bool, (ask, doing): (&str, &str)) -> Result<(), Failure> {
        let permit = Permit::of_owner(self.server.as_deref().unwrap_or("the server that runs here"));
        consent::given(context, &permit, || Question {
            yes,
            ask: ask.to_owned(),
            deed: doing.to_owned(),
            undone: "nothing was changed",
            instead: None,
        })
        .await
    }
}

impl Counter {
    /// Looks at something.
    pub(crate) async fn get(&self, target: &str) -> Result<Value, Failure> {
        Ok(self.0.look(target).await?)
    }

    /// Has something done.
    pub(crate) async fn post(&self, target: &str, body: &Value) -> Result<Value, Failure> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Ok(self.0.change(target, body).await?)
    }

    /// Fetches bytes as they are, at most so many.
    pub(crate) async fn bytes(&self, target: &str, largest: u64) -> Result<Vec<u8>, Failure> {
        Ok(self.0.bytes(target, largest).await?)
    }

    /// Sends bytes as they are.
    pub(crate) async fn upload(&self, target: &str, bytes: Vec<u8>) -> Result<Value, Failure> {
        Ok(self.0.change(target, bytes).await?)
    }
}

/// A piece of a path, with nothing in it that would end it.
pub(crate) fn piece(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
