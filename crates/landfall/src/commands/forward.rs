//! `landfall forward`.

use std::net::SocketAddr;
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure, Hosting};
use landfall_machine::{Forward, ForwardEvent, ForwardWish, find_forward, holder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::channel;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::arguments::{ClusterArgs, Named, OutputArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report;
use crate::report::Report;
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Arguments of `forward`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall forward grafana prometheus\n  landfall forward grafana 3002:3000 prometheus 9090:9090\n  landfall forward deployment/web :8080 -n shop\n  landfall forward examples/luckyplans web     of the system of another directory"
)]
pub(crate) struct ForwardArgs {
    /// Services, workloads or pods, each with its ports as LOCAL:REMOTE; a directory in front where they are of another
    /// one
    #[arg(required = true, value_name = "[TARGET] SVC [LOCAL:REMOTE]")]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// The local address to listen at
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) address: std::net::IpAddr,
}

impl Verb for ForwardArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ForwardArgs) -> Outcome {
    let started = Instant::now();
    let named = Named::with_name(&context.host.directory, &args.what, "as in `landfall forward DIR SERVICE`")
        .map_err(Failure::usage)?;
    let wishes = ForwardWish::parse_all(&named.names).map_err(Failure::usage)?;
    let place = context.host.cluster_place(named.target.as_deref(), &args.cluster.query()).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    if connection.is_in_process() {
        connection.close().await;
        return Err(Failure::from(
            Diagnostic::error(code::NOT_RUNNING, "nothing runs here that could be reached")
                .note("the embedded cluster of this directory is not started")
                .help("landfall up, or landfall cluster start"),
        ));
    }
    let stop = context.host.stop.child_token();
    connection.watch(&stop);
    let outcome = forward(context, &args, &wishes, &connection, &stop, started).await;
    let lost = connection.lost().filter(|_| !context.host.stop.is_cancelled());
    connection.close().await;
    lost.map_or(outcome, Err)
}

async fn forward(
    context: &Context,
    args: &ForwardArgs,
    wishes: &[ForwardWish],
    connection: &Connection,
    stop: &CancellationToken,
    started: Instant,
) -> Outcome {
    let mut open: Vec<Open> = Vec::new();
    for wish in wishes {
        let namespace = args.cluster.namespace.as_deref();
        for forward in find_forward(&connection.cluster, namespace, wish).await.map_err(Failure::from)? {
            let (listener, address) = listen(args, &forward).await?;
            open.push((forward, listener, address));
        }
    }
    context.report(&Forwards { cluster: &connection.name, open: &open }, Exit::Done, started);
    let tasks = TaskTracker::new();
    for (forward, listener, _) in open {
        let (sender, mut receiver) = channel(16);
        let (ui, what, remote) = (context.ui.clone(), forward.what.clone(), forward.remote);
        tasks.spawn(async move {
            while let Some(event) = receiver.recv().await {
                match event {
                    ForwardEvent::Pod { pod, again: true } => ui.status(&format!("{what}: now pod {pod}")),
                    ForwardEvent::Pod { pod, again: false } => ui.status(&format!("{what}:{remote} is pod {pod}")),
                    ForwardEvent::Failed { why, evidence } => {
                        let mut diagnostic =
                            Diagnostic::warning(code::CONNECTION_FAILED, format!("a connection to {what} failed"));
                        diagnostic = diagnostic.note(why);
                        if let Some(evidence) = evidence {
                            diagnostic = report::with_evidence(diagnostic, &evidence);
                        }
                        ui.diagnostic(&diagnostic);
                    }
                }
            }
        });
        tasks.spawn(forward.serve(connection.cluster.clone(), listener, sender, stop.clone()));
    }
    tasks.close();
    tasks.wait().await;
    Ok(Exit::Done)
}

/// Binds the first of a forward's local ports that is free.
async fn listen(args: &ForwardArgs, forward: &Forward) -> Result<(TcpListener, SocketAddr), Failure> {
    let mut refusal = None;
    for port in forward.local_ports() {
        let bound = TcpListener::bind((args.address, port)).await;
        match bound.and_then(|listener| listener.local_addr().map(|address| (listener, address))) {
            Ok(bound) => return Ok(bound),
            Err(error) => refusal = Some((port, error)),
        }
    }
    let (port, error) = refusal.unwrap_or((0, std::io::Error::other("there is no port to listen at")));
    let mut diagnostic =
        Diagnostic::error(code::NO_LOCAL_PORT, format!("the local port {port} for {} cannot be had", forward.what));
    diagnostic = match holder(port).filter(|_| error.kind() == std::io::ErrorKind::AddrInUse) {
        Some(holder) => diagnostic.note(format!("{holder} listens there")),
        None => diagnostic.note(error.to_string()),
    };
    Err(Failure::from(diagnostic.help(format!("take another one: {} :{}", forward.what, forward.remote))))
}

/// A forward that listens.
type Open = (Forward, TcpListener, SocketAddr);

/// What listens where.
struct Forwards<'a> {
    cluster: &'a str,
    open: &'a [Open],
}

impl Report for Forwards<'_> {
    const KIND: &'static str = "Forward";

    fn data(&self) -> Value {
        let forwards: Vec<Value> = self
            .open
            .iter()
            .map(|(forward, _, address)| {
                json!({
                    "target": forward.what,
                    "namespace": forward.namespace,
                    "local": address.to_string(),
                    "remote": forward.remote,
                })
            })
            .collect();
        json!({"cluster": self.cluster, "forwards": forwards})
    }

    fn text(&self, ui: &Ui) {
        for (forward, _, address) in self.open {
            let local = ui.out_style(Style::Literal, &format!("http://{address}"));
            ui.line(&format!("{local} → {}:{} in {}", forward.what, forward.remote, forward.namespace));
        }
        ui.status("Ctrl-C ends it");
    }

    fn names(&self, ui: &Ui) {
        self.open.iter().for_each(|(_, _, address)| ui.name(&address.to_string()));
    }
}
