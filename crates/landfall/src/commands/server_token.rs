//! By which token a server is asked: one that is given, or the one that it gives a CI job for its forge's word.

use std::path::Path;

use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_server::api::{JobForge, ServerAccess};

use crate::context::Context;

/// The variable with the token for a server: an argument could be read by everybody on the machine.
const TOKEN: &str = "LANDFALL_TOKEN";
/// Largest file that is read as a token, in bytes.
const LARGEST_TOKEN: u64 = 4096;
/// A CI job's own token, as GitLab puts it where `id_tokens:` says.
const ID_TOKEN: &str = "LANDFALL_ID_TOKEN";
/// Where a runner of GitHub or Forgejo gives a job its token, and by what; there where the job may have one.
const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// Whom the token is to be meant for (default: the server's address), and as which identity.
const AUDIENCE: &str = "LANDFALL_AUDIENCE";
const IDENTITY: &str = "LANDFALL_CI_IDENTITY";

/// How a server is reached, by the token of the file, of the variable, or of the CI job.
pub(crate) async fn access(
    context: &Context,
    address: &str,
    token_file: Option<&str>,
    ca_file: Option<&str>,
) -> Result<ServerAccess, Failure> {
    let host = &context.host;
    let mut access = ServerAccess {
        address: address.to_owned(),
        token: String::new(),
        authority: ca_file.map(|file| host.directory.join(file)),
    };
    let variable = |name: &str| host.env.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    access.token = match (token_file, variable(TOKEN)) {
        (Some(file), _) => of_file(context, file)?,
        (None, Some(given)) => given,
        (None, None) => {
            let forge = match (variable(ID_TOKEN), variable(REQUEST_URL).zip(variable(REQUEST_TOKEN))) {
                (Some(token), _) => JobForge::Gave(token),
                (None, Some((url, bearer))) => {
                    let audience = variable(AUDIENCE).unwrap_or_else(|| address.trim_end_matches('/').to_owned());
                    JobForge::Gives { url, bearer, audience }
                }
                (None, None) => return Err(unreadable("--server wants a token, and none is given".to_owned())),
            };
            let identity = variable(IDENTITY);
            landfall_server::api::enter(&host.network, &access, forge, identity.as_deref()).await?.token
        }
    };
    Ok(access)
}

fn of_file(context: &Context, file: &str) -> Result<String, Failure> {
    let text = read(&context.host.directory.join(file))
        .map_err(|error| unreadable(format!("the file `{file}` with the token cannot be read: {error}")))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(unreadable(format!("the file `{file}` holds no token")));
    }
    Ok(token.to_owned())
}

fn unreadable(text: String) -> Failure {
    Failure::usage(Diagnostic::error(code::UNREADABLE_TOKEN, text).help(format!("or set {TOKEN}")))
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(LARGEST_TOKEN).read_to_string(&mut text)?;
    Ok(text)
}
