use clap::{Args, Subcommand, ValueEnum};
use landfall_host::PlaceQuery;
use landfall_project::{ContextName, EnvironmentName, Namespace, Span};

use super::{OutputArgs, RenderedArgs, TargetArgs, ValuesArgs};

/// Which cluster a command acts on that is about a cluster rather than about a system.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClusterArgs {
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    pub(crate) env: Option<EnvironmentName>,
    /// The kubeconfig's context (default: the environment's; else an embedded cluster that was started here; else the
    /// current one)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// The namespace
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
}

impl ClusterArgs {
    /// What narrows the place down.
    pub(crate) fn query(&self) -> PlaceQuery {
        PlaceQuery {
            environment: self.env.clone(),
            revision: None,
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
        }
    }
}

/// Arguments of `forward`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall forward grafana prometheus\n  landfall forward grafana 3002:3000 prometheus 9090:9090\n  landfall forward deployment/web :8080 -n shop"
)]
pub(crate) struct ForwardArgs {
    /// Services, workloads or pods, each with its ports as LOCAL:REMOTE
    #[arg(required = true, value_name = "SVC [LOCAL:REMOTE]")]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// The local address to listen at
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) address: std::net::IpAddr,
}

/// `landfall addon …`
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum AddonCommand {
    /// List the addons there are, those that the environment declares, and what is installed
    List(AddonListArgs),
    /// Install addons and wait until they run; what is there already stays as it is
    #[command(
        before_help = "Examples:\n  landfall addon install cert-manager --version v1.17.1 --wait\n  landfall addon install mariadb-operator --chart ./charts/mariadb-operator\n  landfall addon install --env prod          what landfall.yaml declares for it"
    )]
    Install(Box<AddonInstallArgs>),
    /// Show whether installed addons are healthy
    Status(AddonListArgs),
}

/// Arguments of `addon list` and `addon status`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddonListArgs {
    /// Only these
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `addon install`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddonInstallArgs {
    /// The addons (default: those that the environment declares)
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The chart's version (default: the declared one; the installed one; the newest)
    #[arg(long, value_name = "V")]
    pub(crate) version: Option<String>,
    /// The chart's directory or archive, instead of its repository's
    #[arg(long, value_name = "DIR", conflicts_with_all = ["version", "repo"])]
    pub(crate) chart: Option<String>,
    /// The chart repository, instead of its maintainers'
    #[arg(long, value_name = "URL")]
    pub(crate) repo: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Wait until everything is ready (this is what happens unless --no-wait is given)
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) wait: bool,
    /// Do not wait
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long it may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask, where the environment is protected
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
}

/// Arguments of `build`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall build                       every image that the environment declares\n  landfall build web --env prod        one, with the arguments of that environment's values\n  landfall build --target app,worker   those of two stages\n  landfall build --smoke               and run each for a moment"
)]
pub(crate) struct BuildArgs {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Only the images of these stages of their Dockerfiles
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// Run each image for a moment; one that ends at once fails
    #[arg(long)]
    pub(crate) smoke: bool,
    /// Bring the images to where the environment's cluster finds them
    #[arg(long)]
    pub(crate) ship: bool,
    /// Print what would be built and build nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `landfall images …`
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ImagesCommand {
    /// List the images that the rendered manifests run, and which of them are built here
    #[command(before_help = "Examples:\n  landfall images list\n  landfall images list --env prod -o name")]
    List(Box<ImagesListArgs>),
}

/// Arguments of `images list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImagesListArgs {
    #[command(flatten)]
    pub(crate) rendered: RenderedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What makes clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Driver {
    /// Nodes as Docker containers, by k3d.
    K3d,
}

/// Arguments of `cluster create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterCreateArgs {
    /// The cluster's name; its context is `k3d-NAME`
    pub(crate) name: String,
    /// What makes it
    #[arg(long, value_enum)]
    pub(crate) driver: Driver,
    /// The port of this machine that leads to its load balancer's port 80
    #[arg(long, env = "LANDFALL_HTTP_PORT", default_value_t = 80, value_name = "PORT")]
    pub(crate) http_port: u16,
    /// The port of this machine that leads to its load balancer's port 443
    #[arg(long, env = "LANDFALL_HTTPS_PORT", default_value_t = 443, value_name = "PORT")]
    pub(crate) https_port: u16,
    /// The kubeconfig that gets its context (default: the one of KUBECONFIG, else `~/.kube/config`)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `cluster delete`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterDeleteArgs {
    /// The cluster's name
    pub(crate) name: String,
    /// What has made it
    #[arg(long, value_enum)]
    pub(crate) driver: Driver,
    /// The kubeconfig that loses its context (default: the one of KUBECONFIG, else `~/.kube/config`)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
}
