//! What can be typed: arguments only, no behaviour.

mod delivery;
mod doctor;
mod embedded;
mod machines;
mod rehearsal;

use clap::{Args, Parser, Subcommand};

pub(crate) use delivery::{
    DiffArgs, DownArgs, HistoryArgs, LogsArgs, PlanArgs, RenderedArgs, RollbackArgs, StatusArgs, TargetArgs, UpArgs,
    ValuesArgs,
};
pub(crate) use doctor::{
    DoctorArgs, EnvCommand, EnvDiffArgs, EnvListArgs, GraphArgs, GraphFormat, SmokeArgs, StateArgs,
};
pub(crate) use embedded::{
    ClusterCommand, ClusterStartArgs, ClusterStatusArgs, ForkArgs, KubeconfigArgs, ResetArgs, ServeArgs, SnapshotArgs,
    StopArgs,
};
pub(crate) use machines::{
    AddonCommand, AddonInstallArgs, AddonListArgs, BuildArgs, ClusterArgs, ClusterCreateArgs, ClusterDeleteArgs,
    Driver, ForwardArgs, ImagesCommand, ImagesListArgs,
};
pub(crate) use rehearsal::{ExplainArgs, PreviewArgs, RehearseArgs, ReportFormat, RulesArgs};

use crate::ui::{ColorChoice, Output};

/// GitOps delivery as one binary: from a commit to a running, checked system.
#[derive(Debug, Parser)]
#[command(
    name = "landfall",
    version,
    disable_help_subcommand = true,
    help_template = "{about}\n\nExamples:\n  landfall up                      deliver the system of this directory\n  landfall up ./chart -n web       deliver a bare chart to the embedded cluster\n  landfall plan --env prod         what would change, and in which order\n  landfall rehearse main..HEAD     what a branch would break, tried before it is merged\n  landfall down                    take it all down again\n\n{usage-heading} {usage}\n\nCommands:\n{subcommands}\n\nHelm's own, with Helm's flags (`landfall helm --help`):\n  template lint show create package dependency\n  repo search pull push registry install upgrade uninstall list get test\n\nOptions:\n{options}\n"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command of ours takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Where state lives (default: `.landfall` at the system's root)
    #[arg(long, global = true, value_name = "DIR", env = "LANDFALL_STATE")]
    pub(crate) state: Option<String>,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Say less: -q errors only, -qq nothing
    #[arg(short = 'q', long, global = true, action = clap::ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Say more
    #[arg(short = 'v', long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How data is printed.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OutputArgs {
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Output::Table, value_name = "FORMAT")]
    pub(crate) output: Output,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deliver a system, a chart or Applications, and check that it runs
    Up(Box<UpArgs>),
    /// Take down what `up` delivered
    Down(DownArgs),
    /// Show what runs, whether it is healthy, and what is simulated
    Status(StatusArgs),
    /// Show the logs of a workload, of all its pods and containers
    Logs(LogsArgs),
    /// Show what `up` would do, in which order and why
    Plan(Box<PlanArgs>),
    /// Show how the cluster differs from what git asks for
    Diff(Box<DiffArgs>),
    /// Try a change on a fork of the cluster: what would break, change, restart or be lost
    Rehearse(Box<RehearseArgs>),
    /// What a pull request changes and risks, as one comment
    Preview(Box<PreviewArgs>),
    /// Look at the place: tools, cluster, names, ports, certificates, images, forge, machine
    Doctor(Box<DoctorArgs>),
    /// Make the declared checks now
    Smoke(SmokeArgs),
    /// Show what is delivered and what depends on what
    Graph(GraphArgs),
    /// Show what holds data, what keeps it and what would lose it
    State(StateArgs),
    /// List environments, or show how two of them differ
    #[command(subcommand)]
    Env(EnvCommand),
    /// List what `rehearse` and `doctor` check
    Rules(RulesArgs),
    /// Explain a field: template line, values, what they override, which commit; or a value, or a rule
    Explain(Box<ExplainArgs>),
    /// List the deliveries of a release
    History(HistoryArgs),
    /// Go back to an earlier delivery of a release
    Rollback(RollbackArgs),
    /// Build the images that the environment declares
    Build(Box<BuildArgs>),
    /// List the images that are run
    #[command(subcommand)]
    Images(ImagesCommand),
    /// Lead local ports to services, also after their pods were replaced
    Forward(ForwardArgs),
    /// Install the operators that systems lean on: cert-manager, sealed-secrets, mariadb-operator
    #[command(subcommand)]
    Addon(AddonCommand),
    /// Start, stop or reset the embedded cluster, or print its kubeconfig; make and delete others
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Print the JSON Schema of landfall.yaml
    Schema,
    /// Print completions for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version(VersionArgs),
}

/// Arguments of `version`.
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// List the environment variables that are read
    #[arg(long)]
    pub(crate) env: bool,
    /// Print the version number only
    #[arg(long)]
    pub(crate) short: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::command().debug_assert();
    }
}
