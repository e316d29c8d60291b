use clap::Args;
use landfall_host::PlaceQuery;
use landfall_project::{ContextName, EnvironmentName, Namespace, ReleaseName, Span};

use super::OutputArgs;

/// What is delivered and where to.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TargetArgs {
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    pub(crate) env: Option<EnvironmentName>,
    /// The git commit, branch or tag to deliver instead of the working tree
    #[arg(long = "ref", value_name = "REV")]
    pub(crate) reference: Option<String>,
    /// The kubeconfig's context to deliver to (default: the environment's, else the embedded cluster)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// The namespace of a bare chart's release
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
    /// The name of a bare chart's release (default: the chart's name)
    #[arg(long, value_name = "NAME")]
    pub(crate) release: Option<ReleaseName>,
    /// A directory that stands in for a repository of an Application
    #[arg(long = "repo", value_name = "URL=DIR")]
    pub(crate) repos: Vec<String>,
    /// Leave a release or service out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
    /// Leave out the release called `observability`
    #[arg(long, hide = true)]
    pub(crate) no_observability: bool,
}

impl TargetArgs {
    /// What narrows the place down.
    pub(crate) fn query(&self) -> PlaceQuery {
        PlaceQuery {
            environment: self.env.clone(),
            revision: self.reference.clone(),
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
        }
    }
}

/// Values on top of the chart's and the project's.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ValuesArgs {
    /// A values file; later ones win
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub(crate) values: Vec<String>,
    /// Set a value (`path=value`, several by commas)
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Set a value that stays a string
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set_string: Vec<String>,
    /// Set a value given as JSON
    #[arg(long, value_name = "PATH=JSON")]
    pub(crate) set_json: Vec<String>,
    /// Set a value to a file's content
    #[arg(long, value_name = "PATH=FILE")]
    pub(crate) set_file: Vec<String>,
    /// Set a value to the text as it is
    #[arg(long, value_name = "PATH=TEXT")]
    pub(crate) set_literal: Vec<String>,
}

/// What is rendered, for commands that only look at it.
#[derive(Debug, Clone, Args)]
pub(crate) struct RenderedArgs {
    /// A directory, chart, archive, Application file or git URL
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
}

/// Arguments of `up`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall up                               the system of this directory, environment `local`\n  landfall up web api-gateway               rebuild and roll two services only\n  landfall up ./chart -n web --set a.b=1    a bare chart\n  landfall up https://host/repo.git#main    a repository\n  landfall up argocd/apps                   Argo Applications"
)]
pub(crate) struct UpArgs {
    /// A directory, chart, archive, Application file or git URL; then services to roll alone
    #[arg(value_name = "TARGET|SERVICE")]
    pub(crate) target: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Build no images
    #[arg(long, alias = "helm-only")]
    pub(crate) no_build: bool,
    /// Build images for the embedded cluster, too, where builds are simulated otherwise
    #[arg(long, conflicts_with = "no_build")]
    pub(crate) build: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Go back to the last good revision when the delivery fails
    #[arg(long)]
    pub(crate) atomic: bool,
    /// Run the chart's test hooks afterwards
    #[arg(long)]
    pub(crate) test: bool,
    /// Do not wait for health
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long the delivery may take, as `90s` or `15m` (default: 15m; 120s a restarted service)
    #[arg(long, value_name = "DURATION", env = "HELM_TIMEOUT")]
    pub(crate) timeout: Option<Span>,
    /// Leave no embedded cluster running afterwards
    #[arg(long)]
    pub(crate) once: bool,
    /// Deliver uncommitted changes to a protected environment
    #[arg(long)]
    pub(crate) dirty: bool,
    /// Make something fail on the embedded cluster, as `job/prisma-migrate=fail` or `deployment/web=imagepull`
    #[arg(long = "fault", value_name = "OBJECT=FAULT")]
    pub(crate) faults: Vec<String>,
}

/// Arguments of `plan`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall plan\n  landfall plan --env prod --ref v1.4.0\n  landfall plan ./chart --set replicas=3 -o json"
)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Exit 3 when something would change
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Clone, Args)]
#[command(before_help = "Examples:\n  landfall diff\n  landfall diff --env prod --exit-code")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Exit 3 when something differs
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// Arguments of `down`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall down                 releases, embedded cluster, process and state\n  landfall down --keep-data     volumes stay for the next `up`"
)]
pub(crate) struct DownArgs {
    /// A directory, chart, archive, Application file or git URL
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Keep volumes and what they hold
    #[arg(long)]
    pub(crate) keep_data: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Print what would be removed and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long it may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
}

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall status\n  landfall status luckyplans        one release, as helm shows it\n  landfall status -o json"
)]
pub(crate) struct StatusArgs {
    /// A directory, chart or archive; or a release's name
    #[arg(value_name = "TARGET|RELEASE")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `logs`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall logs api-gateway\n  landfall logs job/prisma-migrate-1 --previous\n  landfall logs web -f --tail 20"
)]
pub(crate) struct LogsArgs {
    /// A workload or pod: `web`, `deployment/web`, `pod/web-…`
    pub(crate) workload: String,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    /// Follow
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// The container (default: all)
    #[arg(short = 'c', long)]
    pub(crate) container: Option<String>,
    /// The last lines only
    #[arg(long, value_name = "LINES")]
    pub(crate) tail: Option<i64>,
    /// Of the container's earlier run
    #[arg(short = 'p', long)]
    pub(crate) previous: bool,
    /// With times
    #[arg(long)]
    pub(crate) timestamps: bool,
}

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
#[command(before_help = "Examples:\n  landfall history\n  landfall history luckyplans -n luckyplans")]
pub(crate) struct HistoryArgs {
    /// A release's name (default: all of the system)
    #[arg(id = "release_name", value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseName>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// At most so many revisions
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub(crate) max: usize,
}

/// Arguments of `rollback`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall rollback                 every release of the system, one delivery back\n  landfall rollback luckyplans 3"
)]
pub(crate) struct RollbackArgs {
    /// A release's name (default: all of the system)
    #[arg(id = "release_name", value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseName>,
    /// The revision (default: the one before the last)
    pub(crate) revision: Option<u32>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Do not wait for health
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long it may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
}
