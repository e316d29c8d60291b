//! `landfall serve install`: the server into a cluster, by its own chart, until it answers.
//!
//! ```text
//! the chart that this binary brings ─► `up`, which waits ─► /healthz through the API server ─► the address, and who signs in first
//! ```

use std::time::{Duration, Instant};

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Connection, Failure, Hosting, Place};
use landfall_project::Span;
use serde_json::{Value, json};

use crate::arguments::{ClusterArgs, OutputArgs};
use crate::commands::bootstrap::{LaidOut, typed};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{self, Output, Ui, Verbosity};
use crate::verb::Verb;

/// The release, and so the name of its Deployment and its Service.
const RELEASE: &str = "landfall";
/// Where it is installed where nobody says so.
const NAMESPACE: &str = "landfall";
/// The Service's port.
const PORT: u16 = 8480;
/// How long what is ready may take until it answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Install the server into a cluster, wait until it answers, and say where and who signs in first.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeInstallArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// The image, as registry.example.com/landfall:0.1.0 (default: the chart's own)
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// The host under which an Ingress leads to it (default: none, and `landfall forward` does)
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Set a value of its chart, as `persistence.size=5Gi` (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Read values of its chart from a file (repeatable)
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub(crate) values: Vec<String>,
    /// How long it may take until all of it is ready, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
    /// Print what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ServeInstallArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let place = context.host.cluster_place(None, &self.cluster.query()).await?;
        let Some(remote) = place.cluster.remote() else {
            let text = "the embedded cluster runs no containers: nothing would answer there";
            return Err(Failure::usage(
                Diagnostic::error(code::BAD_ARGUMENTS, text)
                    .note("nothing was changed")
                    .help("`landfall serve` serves it from here; --context names a cluster to install it into"),
            ));
        };
        let name = remote.name.clone();
        if !self.dry_run {
            consent::given(context, &place.permit(Act::Deliver), || Question {
                yes: self.yes,
                ask: format!("Install the server into {name}"),
                deed: format!("installing the server into `{name}`"),
                undone: "not installed",
                instead: Some("look first with --dry-run"),
            })
            .await?;
        }
        // Programs read one document: what the delivery says on its way is for people.
        let verbosity = if context.ui.output == Output::Table { Verbosity::Normal } else { Verbosity::Quiet };
        let own = ui::printer(&context.host.env, verbosity, ui::ColorChoice::Auto);
        let output = if self.dry_run { context.ui.output } else { Output::Table };
        let inner = Context { ui: Ui::new(own, output), ..context.clone() };
        let chart = LaidOut::new()?;
        let exit = typed(&inner, &self.delivery(&place, &name, &chart.directory())).await?;
        if exit != Exit::Done || self.dry_run {
            return Ok(exit);
        }
        let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
        let answered = self.answers(&connection).await;
        connection.close().await;
        let told = Told { namespace: self.namespace(), cluster: &name, host: self.host.as_deref(), answered };
        let exit = if told.answered.is_ok() { Exit::Done } else { Exit::Unhealthy };
        context.report(&told, exit, started);
        Ok(exit)
    }
}

impl ServeInstallArgs {
    fn namespace(&self) -> &str {
        self.cluster.namespace.as_ref().map_or(NAMESPACE, |name| name.as_ref())
    }

    /// The command that delivers the chart.
    fn delivery(&self, place: &Place, context: &str, chart: &str) -> Vec<String> {
        let mut words: Vec<String> =
            ["up", chart, "--namespace", self.namespace(), "--context", context].map(str::to_owned).to_vec();
        words.push(if self.dry_run { "--dry-run" } else { "--yes" }.to_owned());
        let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
        flag("--state", &place.state.path().display().to_string());
        if let Some(file) = &self.cluster.kubeconfig {
            flag("--kubeconfig", file);
        }
        if let Some(timeout) = &self.timeout {
            flag("--timeout", timeout.as_ref());
        }
        for file in &self.values {
            flag("--values", file);
        }
        if let Some(image) = &self.image {
            let is_tag = |(_, tag): &(&str, &str)| !tag.contains('/');
            let (repository, tag) = image.rsplit_once(':').filter(is_tag).unwrap_or((image, ""));
            flag("--set", &format!("image.repository={repository},image.tag={tag}"));
        }
        if let Some(host) = &self.host {
            flag("--set", &format!("ingress.enabled=true,ingress.host={host}"));
        }
        for set in &self.sets {
            flag("--set", set);
        }
        words
    }

    /// Asks it through the API server whether it is there; else what was said last.
    async fn answers(&self, connection: &Connection) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reached = landfall_server::is_reached(&connection.cluster, self.namespace(), RELEASE).await;
            if reached.is_ok() || Instant::now() >= deadline {
                return reached;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// A server that was installed.
struct Told<'a> {
    namespace: &'a str,
    cluster: &'a str,
    host: Option<&'a str>,
    /// Or why it does not answer.
    answered: Result<(), String>,
}

impl Told<'_> {
    fn address(&self) -> String {
        match self.host {
            Some(host) => format!("https://{host}"),
            None => format!("http://127.0.0.1:{PORT}"),
        }
    }

    /// What leads there, where no Ingress does.
    fn forward(&self) -> Option<String> {
        let Told { namespace, cluster, .. } = self;
        let command = format!("landfall forward {RELEASE} {PORT}:{PORT} -n {namespace} --context {cluster}");
        self.host.is_none().then_some(command)
    }

    /// What makes the first account and shows its password, once.
    fn first_password(&self) -> String {
        let Told { namespace, cluster, .. } = self;
        format!(
            "kubectl --context {cluster} -n {namespace} exec deployment/{RELEASE} -- landfall --state /state account create admin"
        )
    }
}

impl Report for Told<'_> {
    const KIND: &'static str = "InstalledServer";

    fn data(&self) -> Value {
        json!({
            "cluster": self.cluster, "namespace": self.namespace, "address": self.address(),
            "forward": self.forward(), "first_password": self.first_password(),
            "answers": self.answered.is_ok(), "why": self.answered.as_ref().err(),
        })
    }

    fn text(&self, ui: &Ui) {
        if let Err(why) = &self.answered {
            ui.line(&format!(
                "the server is installed in {} of {}, and does not answer: {why}",
                self.namespace, self.cluster
            ));
            return;
        }
        ui.line(&self.address());
        if let Some(forward) = self.forward() {
            ui.status(&format!("there after: {forward}"));
        }
        ui.status(&format!("who signs in first, and the password, shown once: {}", self.first_password()));
        ui.status(&format!("a private repository: landfall repo add URL --token-stdin --context {}", self.cluster));
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.address());
    }
}
