//! `landfall version …`: our own version, and the rules of the product's.

mod check;
mod next;
mod root;

use std::ffi::OsString;
use std::io::Write as _;

use clap::Args;

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Table};
use crate::verb::{Verb, Waits, verbs};

verbs! {
    /// `landfall version …`
    pub(crate) enum VersionCommand {
        /// Judge a version: whether it may follow the one before it, and whether it may run somewhere
        #[command(
            before_help = "Examples:\n  landfall version check --from 1.5.2 --to 1.6.0\n  landfall version check --base origin/main             the product's own version against that of a commit\n  landfall version check 0.5.0-alpha.123.1 --channel alpha\n  landfall version check 0.5.0 --env production"
        )]
        Check(Box<check::VersionCheckArgs>),
        /// Print what the next build is called
        #[command(
            before_help = "Examples:\n  landfall version next --channel alpha --run 123 --attempt 1\n  landfall version next --from 0.5.0 --channel rc --run 4"
        )]
        Next(Box<next::VersionNextArgs>),
    }
}

/// Arguments of `version`: alone it prints our own.
#[derive(Debug, Default, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    before_help = "Examples:\n  landfall version\n  landfall version check --from 1.5.2 --to 1.6.0\n  landfall version next --channel alpha --run 123 --attempt 1"
)]
pub(crate) struct VersionArgs {
    #[command(subcommand)]
    pub(crate) command: Option<VersionCommand>,
    /// List the environment variables that are read
    #[arg(long)]
    pub(crate) env: bool,
    /// Print the version number only
    #[arg(long)]
    pub(crate) short: bool,
}

impl Verb for VersionArgs {
    fn output(&self) -> Output {
        self.command.as_ref().map(Verb::output).unwrap_or_default()
    }

    fn waits(&self) -> Waits {
        self.command.as_ref().map_or(Waits::ForNothing, Verb::waits)
    }

    async fn run(self, context: &Context) -> Outcome {
        match self.command {
            Some(command) => command.run(context).await,
            None => Ok(print(context, &self)),
        }
    }
}

/// Whether nothing but the version is asked for, and nothing is said of how.
pub(crate) fn is_alone(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, verb] if verb == "version")
}

/// Says it to whoever asks for nothing else: no environment is read for that, and nothing is built that a verb could need. Gives
/// whether it could be said; who could not tells it as every verb.
pub(crate) fn said() -> bool {
    let mut out = landfall_terminal::out();
    out.write_all(own().join("\n").as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).is_ok()
}

/// What we are.
fn own() -> [String; 2] {
    let (version, system, processor) = (landfall_host::VERSION, std::env::consts::OS, std::env::consts::ARCH);
    let embedded = "kubernetes API of the embedded cluster: v1.36.3".to_owned();
    [format!("landfall {version} ({system} {processor})"), embedded]
}

fn print(context: &Context, args: &VersionArgs) -> Exit {
    if args.env {
        let mut table = Table::new(["VARIABLE", "MEANING", "NOW"]);
        for (name, meaning) in KNOWN {
            let now = match context.host.env.get(name) {
                Some(_) if holds_secret(name) => "(set)",
                now => now.unwrap_or("-"),
            };
            table.row([*name, *meaning, now].map(str::to_owned));
        }
        context.ui.table(&table);
    } else if args.short {
        context.ui.name(landfall_host::VERSION);
    } else {
        own().iter().for_each(|line| context.ui.name(line));
    }
    Exit::Done
}

/// Whether a variable's value is nobody's to see; a database's address has its password in it.
fn holds_secret(name: &str) -> bool {
    ["TOKEN", "SECRET", "DATABASE"].iter().any(|part| name.contains(part))
}

/// Variables that Landfall reads, with one line each; `landfall version --env` lists them.
const KNOWN: &[(&str, &str)] = &[
    ("ACTIONS_ID_TOKEN_REQUEST_…", "where a runner gives its job the same, as it sets them"),
    ("CI", "no questions, no live progress, and no background server is left behind"),
    ("CLICOLOR_FORCE", "colour even when not on a terminal"),
    ("COLUMNS", "the terminal's width"),
    ("DOCKER_CONFIG", "where Docker's credentials lie"),
    ("EDGE_AGENT_UPGRADE_ACTIVE_VERSION_PATH", "the existing edge agent's marker, as --active-version of its launcher"),
    ("EDGE_AGENT_UPGRADE_INSTALL_ROOT", "where the existing edge agent keeps releases, as --releases of its launcher"),
    ("GITEA_TOKEN", "the token of codeberg.org for `doctor repo`, and of the host that GITEA_SERVER_URL names"),
    ("GITHUB_TOKEN", "the token of github.com for `doctor repo`, and of the host that GITHUB_SERVER_URL names"),
    ("GITLAB_TOKEN", "the token of gitlab.com for `doctor repo`, and of the host that CI_SERVER_HOST names"),
    ("HOME", "where the personal configuration lives"),
    ("HELM_DRIVER", "where Helm's verbs keep records: secret or configmap"),
    ("HELM_KUBE…", "the cluster of Helm's verbs, as Helm has them: HELM_KUBECONTEXT, HELM_KUBETOKEN and so on"),
    ("HELM_MAX_HISTORY", "how many revisions Helm's verbs keep"),
    ("HELM_NAMESPACE", "the namespace of Helm's verbs"),
    ("KUBECONFIG", "where kubeconfigs are looked for, as kubectl does"),
    ("LANDFALL_AGENT_ROOT", "where an edge's agent lives, as --root of `agent`"),
    ("LANDFALL_AUDIENCE", "whom a CI job's token is to be meant for; the address of --server when not said"),
    ("LANDFALL_CI_IDENTITY", "as what a CI job comes to --server, where it can be several"),
    ("LANDFALL_DATABASE", "the PostgreSQL that servers share, as --database of `serve`"),
    ("LANDFALL_ENV", "the environment of landfall.yaml, as --env"),
    ("LANDFALL_FORGE_HOST", "the host that LANDFALL_FORGE_TOKEN is for, where it is not a public forge"),
    ("LANDFALL_FORGE_TOKEN", "the forge's token for `doctor repo`"),
    ("LANDFALL_HELM_DIALECT", "v3 or v4: whose bytes rendering reproduces, as --helm-dialect"),
    ("LANDFALL_HTTP_PATIENCE", "how many seconds a repository or registry may be silent; 8 when not said"),
    ("LANDFALL_HTTP_PORT", "the port that leads to port 80 of a cluster of this machine, as --http-port"),
    ("LANDFALL_HTTPS_PORT", "the port that leads to its port 443, as --https-port"),
    ("LANDFALL_ID_TOKEN", "a CI job's own token, by which --server lets it in where LANDFALL_TOKEN is not set"),
    ("LANDFALL_LEASE_NAMESPACE", "where servers that share a database keep their leases"),
    ("LANDFALL_LOG", "what is logged to standard error, as `landfall_engine=debug`"),
    ("LANDFALL_NO_PROGRESS", "no live progress"),
    ("LANDFALL_SERVER", "the address of a server, as --server of `app`"),
    ("LANDFALL_STATE", "the state directory, as --state"),
    ("LANDFALL_TOKEN", "the token for --server of `app`"),
    ("LANDFALL_WEBHOOK_SECRET", "what forges sign webhooks with, one a line"),
    (crate::probe::VARIABLE, "for tests: records what a delivery writes, or kills it there"),
    ("NO_COLOR", "no colour"),
    ("XDG_CACHE_HOME", "where caches live"),
    ("XDG_CONFIG_HOME", "where the personal configuration lives"),
    ("XDG_STATE_HOME", "where the state of systems given by URL lives, and journals of Helm's verbs"),
];
