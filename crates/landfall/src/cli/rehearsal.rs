use clap::Args;

use super::{OutputArgs, TargetArgs, ValuesArgs};

/// How a rehearsal is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, as code hosts take it.
    Sarif,
    /// For a comment.
    Markdown,
}

/// Arguments of `rehearse`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall rehearse                        the working tree, onto an empty cluster and onto what is committed\n  landfall rehearse main..HEAD --env prod  a branch, onto what main runs\n  landfall rehearse --env prod --from live read the cluster (never written to), deliver onto a fork of it\n  landfall rehearse ./chart --fault job/migrate=fail"
)]
pub(crate) struct RehearseArgs {
    /// A directory, chart, archive, Application file or git URL; or two revisions
    #[arg(value_name = "TARGET|BASE..HEAD", num_args = 0..=2)]
    pub(crate) target: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// What runs before: `live`, `empty`, a snapshot's file, or a git revision
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Option<String>,
    /// Make something fail, as `job/prisma-migrate=fail` or `deployment/web=imagepull`
    #[arg(long = "fault", value_name = "OBJECT=FAULT")]
    pub(crate) faults: Vec<String>,
    /// With `--from live`: send the objects to the cluster's API as well, with dryRun=All
    #[arg(long)]
    pub(crate) ask_api: bool,
    /// Nodes of a cluster that is not read, as CPU cores and memory: `4,8Gi`; repeat for several
    #[arg(long = "node", value_name = "CPU,MEMORY")]
    pub(crate) nodes: Vec<String>,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    pub(crate) output: ReportFormat,
}

/// Arguments of `preview`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall preview main..HEAD                  one comment for the pull request, all environments\n  landfall preview origin/main..HEAD --env prod -o json"
)]
pub(crate) struct PreviewArgs {
    /// Two revisions, and the target when it is not the working directory
    #[arg(value_name = "BASE..HEAD|TARGET", num_args = 1..=2, required = true)]
    pub(crate) target: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ReportFormat::Markdown, value_name = "FORMAT")]
    pub(crate) output: ReportFormat,
}

/// Arguments of `rules`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RulesArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall explain deploy/web spec.replicas --env prod    template line, value, what it overrides\n  landfall explain ingress/web --chart ./chart -f x.yaml  the whole object\n  landfall explain web.replicas                           the fields that a value is in or decides about\n  landfall explain --line 120 --chart ./chart             a line of what `landfall template` prints\n  landfall explain out.yaml:120                           a line of a file with rendered objects\n  landfall explain deploy/web spec.replicas --deployed    as the release in the cluster has it\n  landfall explain LF103                                  a rule, or the code of a diagnostic (LF0203)"
)]
pub(crate) struct ExplainArgs {
    /// An object (`deploy/web`), a values path (`web.replicas`), a line (`FILE:LINE`), a rule's id or a diagnostic's
    /// code
    #[arg(value_name = "OBJECT|VALUE|FILE:LINE|RULE", required_unless_present = "line")]
    pub(crate) what: Option<String>,
    /// A field of the object, as `spec.template.spec.containers[0].image`
    #[arg(value_name = "FIELD")]
    pub(crate) field: Option<String>,
    /// The chart, system or Application that it is rendered from (default: that of this directory)
    #[arg(long = "chart", value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// A line of what `landfall template` prints
    #[arg(long, value_name = "N", conflicts_with = "what")]
    pub(crate) line: Option<usize>,
    /// Say which commit wrote each line
    #[arg(long)]
    pub(crate) blame: bool,
    /// As a release was deployed: chart and values of its record in the cluster, not those on disk
    #[arg(long, conflicts_with_all = ["line", "blame"])]
    pub(crate) deployed: bool,
    /// The revision of the release (default: the one deployed last)
    #[arg(long, value_name = "N", requires = "deployed")]
    pub(crate) revision: Option<i64>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
