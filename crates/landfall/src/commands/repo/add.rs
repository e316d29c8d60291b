//! `landfall repo add URL`.

use std::time::Instant;

use clap::{ArgGroup, Args};
use landfall_diag::{Diagnose as _, Diagnostic, code, without_passwords};
use landfall_host::{Act, Failure};
use landfall_server::logins::{Given, Login, NAMESPACE, Written, believed};
use landfall_source::{Access, Accounts, Credentials, Mirror, Reach, Reference, Registry, Scheme, host_of};
use serde_json::{Value, json};

use super::credentials::{is_address, key_of_file, token_of_file, token_of_stdin};
use super::{ServerArgs, connected};
use crate::arguments::OutputArgs;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `repo add`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("login").required(true).args(["token_stdin", "token_file", "ssh_key_file"]))]
pub(crate) struct RepoAddArgs {
    /// The repository's address, of git or of a registry (`oci://…`); with --prefix how addresses begin
    #[arg(value_name = "URL")]
    pub(crate) address: String,
    /// The user that the token or password belongs to
    #[arg(long, value_name = "NAME", default_value = "landfall")]
    pub(crate) username: String,
    /// The token or password, on standard input
    #[arg(long)]
    pub(crate) token_stdin: bool,
    /// A file that holds it
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<String>,
    /// A private key of SSH
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_key_file: Option<String>,
    /// The login is for all whose address begins so
    #[arg(long, requires = "check")]
    pub(crate) prefix: bool,
    /// The repository that the login is tried with (default: the address)
    #[arg(id = "check", long = "try", value_name = "URL")]
    pub(crate) tried: Option<String>,
    /// The only project whose Applications may use it (default: all)
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Do not try it: the repository is not to be reached from here
    #[arg(long, conflicts_with = "check")]
    pub(crate) no_try: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Try it and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for RepoAddArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let login = self.login(context)?;
        let account = login.account().map_err(Failure::from)?;
        let place = self.server.place(context).await?;
        let shown = place.cluster.shown().to_owned();
        if !self.dry_run {
            consent::given(context, &place.permit(Act::Deliver), || Question {
                yes: self.yes,
                ask: format!("Give the server of {shown} the login"),
                deed: format!("giving the server of `{shown}` a login"),
                undone: "nothing was changed",
                instead: Some("try it with --dry-run"),
            })
            .await?;
        }
        let mut connection = connected(context, &place).await?;
        let done = async {
            let checked = match self.no_try {
                true => None,
                false => {
                    let address = self.tried.as_deref().unwrap_or(&login.address);
                    let trust = believed(&connection.cluster).await?;
                    Some(tried(context, address, Accounts::new(vec![account], trust), &login).await?)
                }
            };
            let written = match self.dry_run {
                true => None,
                false => Some(login.write(&connection.cluster).await?),
            };
            Ok::<_, Diagnostic>((checked, written))
        };
        let done = done.await;
        connection.close().await;
        let (checked, written) = done.map_err(Failure::from)?;
        context.report(&Added { login: &login, checked, written, cluster: &shown }, Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl RepoAddArgs {
    /// What was given.
    fn login(&self, context: &Context) -> Result<Login, Failure> {
        let wrong =
            |text: String| Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text).note("nothing was changed"));
        let shown = without_passwords(&self.address);
        if !is_address(&self.address) {
            return Err(wrong(format!("`{shown}` is no address of a repository")));
        }
        if shown != self.address {
            return Err(wrong(format!("{shown}: a password in an address can be read by everybody on this machine")));
        }
        let is_ssh = !self.address.contains("://") || self.address.starts_with("ssh://");
        let given = match (&self.ssh_key_file, &self.token_file) {
            (Some(_), _) if !is_ssh => {
                return Err(wrong(format!("{shown} is not asked by SSH, and takes no key: --token-stdin")));
            }
            (Some(file), _) => Given::SshKey(key_of_file(context, file)?),
            _ if is_ssh => {
                return Err(wrong(format!("{shown} is asked by SSH, which takes a key: --ssh-key-file")));
            }
            (None, Some(file)) => self.password(token_of_file(context, file)?),
            (None, None) => self.password(token_of_stdin()?),
        };
        if self.address.starts_with("http://") && !is_loopback(&self.address) {
            context.ui.status("http:// tells the login to everybody on the way");
        }
        let reach = if self.prefix { Reach::Beginning } else { Reach::Repository };
        Ok(Login { address: self.address.clone(), reach, project: self.project.clone(), given })
    }

    fn password(&self, password: String) -> Given {
        Given::Password { username: self.username.clone(), password }
    }
}

fn is_loopback(address: &str) -> bool {
    let host = host_of(address);
    let name = host.strip_prefix('[').map_or_else(
        || host.split(':').next().unwrap_or_default().to_owned(),
        |rest| rest.split(']').next().unwrap_or_default().to_owned(),
    );
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// What a repository's server said when it was asked as that account.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Checked {
    /// It told its references: the commit that is its head.
    Git(Option<String>),
    /// The registry lets the account in.
    Registry,
}

/// Asks a repository as the account, as the server would.
async fn tried(context: &Context, address: &str, accounts: Accounts, login: &Login) -> Result<Checked, Diagnostic> {
    let accounts = match &login.project {
        Some(project) => accounts.of_project(project),
        None => accounts,
    };
    if accounts.of(address).name.is_empty() {
        let text = format!("the login for {} is not for {}", login.address, without_passwords(address));
        return Err(Diagnostic::error(code::BAD_ARGUMENTS, text).note("nothing was changed"));
    }
    let refused = |diagnostic: Diagnostic| diagnostic.note("nothing was changed");
    if address.starts_with("oci://") {
        return registry(context, address, login, &accounts).await.map_err(refused);
    }
    let below = std::env::temp_dir().join(format!("landfall-repo-{}", std::process::id()));
    let mut mirror = Mirror::new(&context.host.network, below.clone(), None);
    let references = mirror.references(&accounts.remote(address), &[]).await;
    drop(mirror);
    let _left = std::fs::remove_dir_all(below);
    let references = references.map_err(|error| refused(error.diagnose()))?;
    Ok(Checked::Git(references.commit("HEAD")))
}

async fn registry(context: &Context, address: &str, login: &Login, accounts: &Accounts) -> Result<Checked, Diagnostic> {
    let Given::Password { username, password } = &login.given else { return Ok(Checked::Registry) };
    let access =
        Access { authorities: accounts.authorities(address).map(|it| it.as_bytes().to_vec()), ..Access::default() };
    let credentials = Credentials { given: Some((username.clone(), password.clone())), files: Vec::new() };
    let client = context.host.network.client(access);
    let registry = Registry::new(client, credentials, Scheme::Https);
    let reference = Reference::parse(address).map_err(|error| error.diagnose())?;
    registry.login(reference.host()).await.map_err(|error| error.diagnose())?;
    Ok(Checked::Registry)
}

/// A login that was given, or would be.
struct Added<'a> {
    login: &'a Login,
    /// What the repository's server said; nothing where it was not asked.
    checked: Option<Checked>,
    /// The Secret, and what became of it; nothing where nothing was to be changed.
    written: Option<(String, Written)>,
    cluster: &'a str,
}

impl Report for Added<'_> {
    const KIND: &'static str = "RepositoryLogin";

    fn data(&self) -> Value {
        let head = match &self.checked {
            Some(Checked::Git(head)) => head.clone(),
            Some(Checked::Registry) | None => None,
        };
        json!({
            "url": self.login.address, "kind": self.login.kind(), "login": self.login.word(),
            "project": self.login.project, "namespace": NAMESPACE,
            "tried": self.checked.is_some(), "head": head,
            "secret": self.written.as_ref().map(|(name, _)| name),
            "outcome": self.written.as_ref().map(|(_, written)| written.word()),
        })
    }

    fn text(&self, ui: &Ui) {
        let address = &self.login.address;
        match &self.checked {
            Some(Checked::Git(Some(head))) => {
                ui.status(&format!("{address} answers it; its head is {}", head.get(..8).unwrap_or(head)));
            }
            Some(Checked::Git(None)) => ui.status(&format!("{address} answers it; nothing was pushed there yet")),
            Some(Checked::Registry) => ui.status(&format!("the registry of {address} lets it in")),
            None => ui.status("it was not tried"),
        }
        match &self.written {
            Some((name, written)) => {
                let whose = self.login.project.as_ref().map(|it| format!(" for the project {it}")).unwrap_or_default();
                let (kind, word) = (self.login.kind(), written.word());
                ui.line(&format!("{kind} {address}{whose}: Secret {NAMESPACE}/{name} {word} on {}", self.cluster));
            }
            None => ui.line(&format!("{address}: nothing was changed")),
        }
    }

    fn names(&self, ui: &Ui) {
        self.written.iter().for_each(|(name, _)| ui.name(name));
    }
}
