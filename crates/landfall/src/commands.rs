//! The verbs: one file each, with its arguments, what it does and what it prints. A new one is that file and a line here.

mod access;
mod account;
mod addon;
mod agent;
mod app;
mod apply;
mod books;
mod bootstrap;
mod build;
mod claims;
mod cluster;
mod completion;
mod diff;
pub(crate) mod doctor;
mod down;
mod edge;
mod env;
mod explain;
mod forward;
mod graph;
mod help;
mod history;
mod hold;
mod images;
mod init;
mod logs;
mod migrate;
mod offer;
mod own_cluster;
mod pipeline;
mod plan;
mod preview;
mod promote;
mod rehearse;
pub(crate) mod repo;
mod rollback;
mod rules;
mod scale;
mod schema;
mod secrets;
mod serve;
mod server_token;
mod smoke;
mod state;
mod status;
mod store;
mod token;
mod up;
pub(crate) mod version;
mod webhook;
mod write_back;

use crate::verb::verbs;

verbs! {
    /// The commands.
    pub(crate) enum Command {
        /// Write a first landfall.yaml for what lies in a directory
        Init(init::InitArgs),
        /// Deliver a system, a chart or Applications, and check that it runs
        Up(Box<up::UpArgs>),
        /// Take down what `up` delivered
        Down(down::DownArgs),
        /// Show what runs, whether it is healthy, and what is simulated
        Status(status::StatusArgs),
        /// Show the logs of a workload, of all its pods and containers
        Logs(logs::LogsArgs),
        /// Show what `up` would do, in which order and why
        Plan(Box<plan::PlanArgs>),
        /// Carry out a plan that `plan --out` saved, and nothing else
        Apply(Box<apply::ApplyArgs>),
        /// Show how the cluster differs from what git asks for
        Diff(Box<diff::DiffArgs>),
        /// Try a change on a fork of the cluster: what would break, change, restart or be lost
        Rehearse(Box<rehearse::RehearseArgs>),
        /// What a pull request changes and risks, as one comment
        Preview(Box<preview::PreviewArgs>),
        /// Look at the place: tools, cluster, names, ports, certificates, images, forge, machine
        Doctor(Box<doctor::DoctorArgs>),
        /// Make the declared checks now
        Smoke(smoke::SmokeArgs),
        /// Show what is delivered and what depends on what
        Graph(graph::GraphArgs),
        /// Show what holds data, what keeps it and what would lose it
        State(state::StateArgs),
        /// List environments, or show how two of them differ
        Env(env::EnvArgs),
        /// List what `rehearse` and `doctor` check
        #[command(before_help = "Examples:\n  landfall rules\n  landfall rules -o json")]
        Rules(rules::RulesArgs),
        /// Explain a field: template line, values, what they override, which commit; or a value, or a rule
        Explain(Box<explain::ExplainArgs>),
        /// List the deliveries of a release
        History(history::HistoryArgs),
        /// Go back to an earlier delivery of a release
        Rollback(rollback::RollbackArgs),
        /// Build the images that the environment declares
        Build(Box<build::BuildArgs>),
        /// List the images that are run; set their tags, in git; choose newer ones
        Images(images::ImagesArgs),
        /// Bring what was tested in one environment into the next: the same images, under their release's tag
        Promote(Box<promote::PromoteArgs>),
        /// Hold a version back from promotions, let it go, or list what is held
        Hold(hold::HoldArgs),
        /// Show what became of a commit: built, tagged, seen, promoted, and when
        Pipeline(pipeline::PipelineArgs),
        /// Say how many replicas workloads have, as a commit in git
        Scale(Box<scale::ScaleArgs>),
        /// Lead local ports to services, also after their pods were replaced
        Forward(forward::ForwardArgs),
        /// Install the operators that systems lean on: cert-manager, sealed-secrets, mariadb-operator
        #[command(subcommand)]
        Addon(addon::AddonCommand),
        /// Start, stop or reset the embedded cluster, or print its kubeconfig; make and delete others
        #[command(subcommand)]
        Cluster(cluster::ClusterCommand),
        /// Make, seal, change and watch secrets as they are declared; save their keys, and prove that it works
        #[command(subcommand)]
        Secrets(secrets::SecretsCommand),
        /// Set an environment up for the first time, in seven steps that can be typed again
        Bootstrap(Box<bootstrap::BootstrapArgs>),
        /// Keep Applications in sync with git: the GitOps server
        Serve(Box<serve::ServeArgs>),
        /// Applications: list, show, compare, sync, roll back, explain; here or on a server elsewhere
        #[command(subcommand)]
        App(app::AppCommand),
        /// Edges: devices that enroll, releases for them, campaigns that bring those there
        #[command(subcommand)]
        Edge(edge::EdgeCommand),
        /// Give the server logins for repositories, list them, take them away; chart repositories are Helm's
        #[command(subcommand)]
        Repo(repo::RepoCommand),
        /// Show who may do what, and prove what somebody must not
        #[command(subcommand)]
        Access(access::AccessCommand),
        /// Make, list and disable accounts of the server, and give them first passwords
        #[command(subcommand)]
        Account(account::AccountCommand),
        /// The agent of an edge: enroll this machine, run, show, install it; and the launcher of the existing one
        Agent(Box<agent::AgentArgs>),
        /// Take over what another controller keeps in sync, or give it back
        #[command(subcommand)]
        Migrate(migrate::MigrateCommand),
        /// Issue, list and revoke tokens of the server's API
        #[command(subcommand)]
        Token(token::TokenCommand),
        /// What forges sign their webhooks with
        #[command(subcommand)]
        Webhook(webhook::WebhookCommand),
        /// Print the JSON Schema of landfall.yaml
        #[command(before_help = "Examples:\n  landfall schema > landfall.schema.json")]
        Schema(schema::SchemaArgs),
        /// Print what makes a shell complete commands, flags and live names
        Completion(completion::CompletionArgs),
        /// Print what a shell offers for a word
        #[command(name = "__complete", hide = true)]
        Offer(offer::OfferArgs),
        /// Print the help of a command, Helm's too
        Help(help::HelpArgs),
        /// Print the version; judge versions, and call the next one
        Version(version::VersionArgs),
    }
}

impl Command {
    /// Whether it serves until it is told to end, so that nobody but its runtime's workers does anything.
    pub(crate) fn serves(&self) -> bool {
        matches!(self, Command::Serve(_) | Command::Cluster(cluster::ClusterCommand::Serve(_)))
    }
}
