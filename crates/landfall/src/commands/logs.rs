//! `landfall logs`.

use clap::Args;
use futures::AsyncBufReadExt;
use landfall_cluster::{Cluster, ListOptions, LogOptions};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Hosting, failed};
use landfall_object::{Gvk, Object};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Named, TargetArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `logs`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall logs api-gateway\n  landfall logs examples/luckyplans web api-gateway     of the system of another directory\n  landfall logs job/prisma-migrate-1 --previous\n  landfall logs web -f --tail 20"
)]
pub(crate) struct LogsArgs {
    /// Workloads or pods: `web`, `deployment/web`, `pod/web-…`; a directory, chart or archive in front where they are of
    /// another one
    #[arg(value_name = "TARGET|WORKLOAD", required = true)]
    pub(crate) words: Vec<String>,
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

impl Verb for LogsArgs {
    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

/// One container whose log is wanted.
#[derive(PartialEq, Eq)]
struct Wanted {
    namespace: String,
    pod: String,
    container: String,
}

async fn run(context: &Context, args: LogsArgs) -> Outcome {
    let named = Named::with_name(&context.host.directory, &args.words, "as in `landfall logs DIR WORKLOAD`")
        .map_err(Failure::usage)?;
    let place = context.host.declared_place(named.target.as_deref(), &args.place.query()).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let stop = context.host.stop.child_token();
    connection.watch(&stop);
    let result = print(context, &connection.cluster, &stop, &args, &named.names).await;
    let lost = connection.lost().filter(|_| args.follow && !context.host.stop.is_cancelled());
    connection.close().await;
    result?;
    lost.map_or(Ok(Exit::Done), Err)
}

async fn print(
    context: &Context,
    cluster: &Cluster,
    stop: &CancellationToken,
    args: &LogsArgs,
    names: &[String],
) -> Result<(), Failure> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for name in names {
        for one in find(cluster, args, name).await? {
            // Named twice, as a workload and its pod, it has one log all the same.
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
    }
    let several = wanted.len() > 1;
    let options = |container: &str| LogOptions {
        container: Some(container.to_owned()),
        previous: args.previous,
        tail_lines: args.tail.and_then(|lines| u32::try_from(lines).ok()),
        since_seconds: None,
        timestamps: args.timestamps,
    };
    if !args.follow {
        for one in &wanted {
            let text = cluster
                .logs(&one.namespace, &one.pod, &options(&one.container))
                .await
                .map_err(|error| failed(&error))?;
            for line in text.lines() {
                context.ui.log_line(&labelled(several, one, line));
            }
        }
        return Ok(());
    }
    let follow = wanted.iter().map(|one| async {
        let reader = cluster
            .follow_logs(&one.namespace, &one.pod, &options(&one.container))
            .await
            .map_err(|error| failed(&error))?;
        let mut lines = reader.lines();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                line = futures::StreamExt::next(&mut lines) => match line {
                    Some(Ok(line)) => {
                        context.ui.log_line(&labelled(several, one, &line));
                        if context.ui.nobody_reads() {
                            return Ok(());
                        }
                    }
                    Some(Err(_)) | None => return Ok(()),
                },
            }
        }
    });
    futures::future::try_join_all(follow).await.map(|_: Vec<()>| ())
}

fn labelled(several: bool, one: &Wanted, line: &str) -> String {
    if several { format!("{}/{}: {line}", one.pod, one.container) } else { line.to_owned() }
}

/// The containers of a workload's pods, or of a pod.
async fn find(cluster: &Cluster, args: &LogsArgs, workload: &str) -> Result<Vec<Wanted>, Failure> {
    let (kind, name) = match workload.split_once('/') {
        Some((kind, name)) => (Some(kind.to_lowercase()), name),
        None => (None, workload),
    };
    let list = |gvk: Gvk| {
        let options =
            ListOptions { namespace: args.place.namespace.clone().map(String::from), ..ListOptions::default() };
        async move { cluster.list(&gvk, &options).await.map_err(|error| failed(&error)) }
    };
    let pods = list(Gvk::new("", "v1", "Pod")).await?;
    let sets = list(Gvk::new("apps", "v1", "ReplicaSet")).await?;
    let is_pod = matches!(kind.as_deref(), None | Some("pod" | "pods" | "po"));
    let mut wanted = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut containers: Vec<String> = Vec::new();
    for pod in &pods {
        let owner = owner_name(pod, &sets);
        let by_owner = !matches!(kind.as_deref(), Some("pod" | "pods" | "po")) && owner.as_deref() == Some(name);
        if let Some(owner) = owner {
            names.push(owner);
        }
        if (is_pod && pod.name() == name) || by_owner {
            for container in pod.list_at("/spec/containers") {
                let container = container["name"].as_str().unwrap_or_default();
                containers.push(container.to_owned());
                if args.container.as_deref().is_none_or(|wanted| wanted == container) {
                    wanted.push(Wanted {
                        namespace: pod.namespace().unwrap_or_default().to_owned(),
                        pod: pod.name().to_owned(),
                        container: container.to_owned(),
                    });
                }
            }
        }
    }
    if !wanted.is_empty() {
        return Ok(wanted);
    }
    if let Some(container) = args.container.as_deref().filter(|_| !containers.is_empty()) {
        containers.sort();
        containers.dedup();
        let text = format!("no pod of `{workload}` has a container `{container}`");
        return Err(Failure::from(
            Diagnostic::error(code::NOTHING_CALLED_SO, text)
                .listing("containers", &containers)
                .did_you_mean(landfall_diag::nearest(container, containers.iter().map(String::as_str))),
        ));
    }
    names.sort();
    names.dedup();
    let mut diagnostic =
        Diagnostic::error(code::NOTHING_CALLED_SO, format!("nothing called `{workload}` has pods here"))
            .listing("there are", &names);
    if names.is_empty() {
        diagnostic = diagnostic.note("there are no pods at all").help("landfall status");
    }
    diagnostic = diagnostic.did_you_mean(landfall_diag::nearest(name, names.iter().map(String::as_str)));
    Err(Failure::from(diagnostic))
}

fn owner_name(pod: &Object, sets: &[Object]) -> Option<String> {
    let owner = pod.controller()?;
    let set = sets.iter().find(|set| set.uid() == Some(owner.uid.as_str()));
    match set.and_then(Object::controller) {
        Some(above) => Some(above.name),
        None => Some(owner.name),
    }
}
