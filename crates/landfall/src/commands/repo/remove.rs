//! `landfall repo remove URL`.

use std::time::Instant;

use clap::Args;
use landfall_cluster::{Cluster, DeleteOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code, without_passwords};
use landfall_host::{Act, Failure};
use landfall_server::logins::{Stored, stored};
use landfall_source::Reach;

use super::list::Logins;
use super::{ServerArgs, connected};
use crate::arguments::OutputArgs;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `repo remove`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RepoRemoveArgs {
    /// The address that the login was given for
    #[arg(value_name = "URL")]
    pub(crate) address: String,
    /// The login for all whose address begins so, not the repository's own
    #[arg(long)]
    pub(crate) prefix: bool,
    /// The one that is for this project alone
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Print what would go and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for RepoRemoveArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let place = self.server.place(context).await?;
        let shown = place.cluster.shown().to_owned();
        if !self.dry_run {
            consent::given(context, &place.permit(Act::Deliver), || Question {
                yes: self.yes,
                ask: format!("Take the login from the server of {shown}"),
                deed: format!("taking a login from the server of `{shown}`"),
                undone: "nothing was changed",
                instead: Some("look first with --dry-run"),
            })
            .await?;
        }
        let mut connection = connected(context, &place).await?;
        let removed = self.removed(&connection.cluster).await;
        connection.close().await;
        let report = Removed { logins: &removed.map_err(Failure::from)?, is_done: !self.dry_run };
        context.report(&report, Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl RepoRemoveArgs {
    async fn removed(&self, cluster: &Cluster) -> Result<Vec<Stored>, Diagnostic> {
        let reach = if self.prefix { Reach::Beginning } else { Reach::Repository };
        let all = stored(cluster).await?;
        let (meant, others): (Vec<Stored>, Vec<Stored>) =
            all.into_iter().partition(|one| one.is_for(&self.address, reach, self.project.as_deref()));
        if meant.is_empty() {
            let text = format!("the server has no login of its own for {}", without_passwords(&self.address));
            let known = others.iter().filter_map(|one| one.account.as_ref().ok());
            let known: Vec<String> = known.map(|it| without_passwords(&it.address).into_owned()).collect();
            return Err(Diagnostic::error(code::NO_SUCH_CREDENTIALS, text)
                .note("nothing was changed")
                .listing("there are", known.iter().map(String::as_str))
                .help("landfall repo list --credentials; --prefix and --project say which one"));
        }
        if self.dry_run {
            return Ok(meant);
        }
        for one in &meant {
            let uid = one.object.str_at("/metadata/uid").map(str::to_owned);
            let options = DeleteOptions { uid, ..DeleteOptions::default() };
            cluster.delete(&one.object.key(), &options).await.map_err(|error| error.diagnose())?;
        }
        Ok(meant)
    }
}

/// Logins that went, or would.
struct Removed<'a> {
    logins: &'a [Stored],
    is_done: bool,
}

impl Report for Removed<'_> {
    const KIND: &'static str = "RepositoryLogins";

    fn data(&self) -> serde_json::Value {
        Logins(self.logins).data()
    }

    fn text(&self, ui: &Ui) {
        let word = if self.is_done { "is gone" } else { "would go" };
        for stored in self.logins {
            let address = stored.account.as_ref().map(|it| without_passwords(&it.address).into_owned());
            ui.line(&format!("{}: Secret {} {word}", address.unwrap_or_default(), stored.object.name()));
        }
    }

    fn names(&self, ui: &Ui) {
        self.logins.iter().for_each(|stored| ui.name(stored.object.name()));
    }
}
