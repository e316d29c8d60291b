use clap::{Args, Subcommand};
use landfall_project::{EnvironmentName, Span};

use super::{OutputArgs, RenderedArgs, ReportFormat, TargetArgs, ValuesArgs};

/// Arguments of `doctor`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall doctor                              what this machine and this system need\n  landfall doctor --env prod                   the place as well: cluster, names, ports, certificates, images\n  landfall doctor dns --env prod --in-cluster  names, from outside and from a pod\n  landfall doctor reach redis:6379             one address, as a pod sees it\n  landfall doctor repo --write                 whether the forge takes what is written back\n\nAreas: tools cluster security facts dns ports tls registry repo secrets host docs reach"
)]
pub(crate) struct DoctorArgs {
    /// What to look at (default: what the environment needs); `reach` takes HOST:PORT, `ports` may take a host
    #[arg(value_name = "AREA")]
    pub(crate) areas: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// The address that public names must lead to (default: the environment's `hosts.expect`)
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub(crate) expect: Vec<std::net::IpAddr>,
    /// Ask for names from a pod, too
    #[arg(long)]
    pub(crate) in_cluster: bool,
    /// The workload whose pod asks, as `deployment/web` (default: any that is ready)
    #[arg(long, value_name = "WORKLOAD")]
    pub(crate) from: Option<String>,
    /// The name server to ask (default: this machine's)
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) resolver: Option<String>,
    /// With `repo`: whether something is to be pushed
    #[arg(long)]
    pub(crate) write: bool,
    /// Whose API the forge speaks (default: by the host's name)
    #[arg(long, value_name = "github|gitlab|gitea")]
    pub(crate) forge: Option<String>,
    /// The address of the forge's API
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// With `host`: the account that is looked at (default: `facts.sshUser`)
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// With `host`: where the machine's files begin
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: String,
    /// Mend what can be mended safely: `coredns`, `docs`
    #[arg(long, value_name = "WHAT")]
    pub(crate) fix: Option<String>,
    /// Do not ask before something is mended
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// How long one probe may take, as `5s`
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) timeout: Span,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    pub(crate) output: ReportFormat,
}

/// How a graph is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum GraphFormat {
    /// For people.
    #[default]
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown pages.
    Mermaid,
    /// One JSON document.
    Json,
}

/// Arguments of `graph`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall graph --env prod\n  landfall graph ./chart -o dot | dot -Tsvg > graph.svg"
)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = GraphFormat::Text, value_name = "FORMAT")]
    pub(crate) output: GraphFormat,
}

/// Arguments of `state`.
#[derive(Debug, Clone, Args)]
#[command(
    id = "state_args",
    before_help = "Examples:\n  landfall state --env prod       what holds data, what keeps it and what would lose it"
)]
pub(crate) struct StateArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `smoke`.
#[derive(Debug, Clone, Args)]
#[command(before_help = "Examples:\n  landfall smoke --env test       the declared checks, made now")]
pub(crate) struct SmokeArgs {
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Only the checks of these names
    #[arg(long = "only", value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

/// What `env` can do.
#[derive(Debug, Clone, Subcommand)]
#[command(defer = true)]
pub(crate) enum EnvCommand {
    /// List the environments: where they live, what they deliver, how
    List(EnvListArgs),
    /// Show how two environments differ, object by object
    Diff(EnvDiffArgs),
}

/// Arguments of `env list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EnvListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `env diff`.
#[derive(Debug, Clone, Args)]
#[command(before_help = "Examples:\n  landfall env diff local prod\n  landfall env diff test production -o json")]
pub(crate) struct EnvDiffArgs {
    /// One environment
    pub(crate) first: EnvironmentName,
    /// The other one
    pub(crate) second: EnvironmentName,
    /// A directory that stands in for a repository of an Application
    #[arg(long = "repo", value_name = "URL=DIR")]
    pub(crate) repos: Vec<String>,
    /// Exit 3 when something differs
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
