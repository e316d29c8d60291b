//! `landfall repo list --credentials`.

use std::time::Instant;

use clap::Args;
use landfall_diag::without_passwords;
use landfall_host::Failure;
use landfall_server::logins::{NAMESPACE, Stored, kind, stored};
use landfall_source::Login;
use serde_json::{Value, json};

use super::{ServerArgs, connected};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `repo list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RepoListArgs {
    /// The server's logins, not Helm's chart repositories
    #[arg(long)]
    pub(crate) credentials: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for RepoListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let place = self.server.place(context).await?;
        if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
            // Nor is a cluster made for what only looks.
            context.report(&Logins(&[]), Exit::Done, started);
            return Ok(Exit::Done);
        }
        let mut connection = connected(context, &place).await?;
        let found = stored(&connection.cluster).await;
        connection.close().await;
        context.report(&Logins(&found.map_err(Failure::from)?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What a login is, in a word.
fn word(login: &Login) -> &'static str {
    match login {
        Login::Nobody | Login::Person => "nobody",
        Login::Password { .. } => "password",
        Login::Bearer(_) => "token",
        Login::SshKey(_) => "ssh key",
        Login::App(_) => "GitHub App",
    }
}

/// The logins.
pub(super) struct Logins<'a>(pub(super) &'a [Stored]);

impl Report for Logins<'_> {
    const KIND: &'static str = "RepositoryLogins";

    fn data(&self) -> Value {
        let data = |stored: &Stored| {
            let mut data = json!({"secret": stored.object.name(), "namespace": NAMESPACE, "own": stored.is_ours()});
            match &stored.account {
                Ok(account) => {
                    data["url"] = json!(without_passwords(&account.address));
                    data["kind"] = json!(kind(account.reach));
                    data["login"] = json!(word(&account.login));
                    data["project"] = json!(account.project);
                }
                Err(why) => data["fault"] = json!(why),
            }
            data
        };
        self.0.iter().map(data).collect()
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.status("the server has no login for any repository · landfall repo add URL --token-stdin");
        }
        let mut table = Table::new(["URL", "KIND", "LOGIN", "PROJECT", "SECRET"]);
        for stored in self.0 {
            let secret = stored.object.name().to_owned();
            table.row(match &stored.account {
                Ok(account) => [
                    without_passwords(&account.address).into_owned(),
                    kind(account.reach).to_owned(),
                    word(&account.login).to_owned(),
                    account.project.clone().unwrap_or_else(|| "-".to_owned()),
                    secret,
                ],
                Err(why) => ["-".to_owned(), "-".to_owned(), why.clone(), "-".to_owned(), secret],
            });
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|stored| ui.name(stored.object.name()));
    }
}
