//! `landfall cluster fork`: the embedded cluster copied into a state directory of its own.

use clap::Args;
use landfall_cluster::ListOptions;
use landfall_diag::{Diagnostic, code};
use landfall_host::{self as host, Chosen, Failure, Hosting, failed};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `cluster fork`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ForkArgs {
    /// The copy's state directory; must not hold a cluster yet
    #[arg(value_name = "DIR")]
    pub(crate) into: String,
}

impl Verb for ForkArgs {
    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ForkArgs) -> Outcome {
    let into = context.host.take(context.host.directory.join(&args.into), Chosen::ByUser)?;
    if into.file("cluster.db").exists() {
        return Err(Failure::usage(
            Diagnostic::error(code::CLUSTER_THERE, format!("`{}` holds a cluster already", args.into))
                .help("name another directory"),
        ));
    }
    let state = context.host.state_here()?;
    let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
    let mut objects = Vec::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    for resource in connection.cluster.resources().await.map_err(|error| failed(&error))? {
        let kind = (resource.gvk.group.clone(), resource.gvk.kind.clone());
        // One kind in several versions is one store, and events of either group are the same.
        if !resource.takes("list") || !resource.takes("create") || seen.contains(&kind) || kind.0 == "events.k8s.io" {
            continue;
        }
        seen.push(kind);
        let found = connection.cluster.list(&resource.gvk, &ListOptions::default()).await;
        objects.extend(found.map_err(|error| failed(&error))?);
    }
    connection.close().await;
    into.create().map_err(Failure::from)?;
    let count = objects.len();
    let copy = host::open(&into).await?;
    copy.import(objects);
    let written = host::persisted(&copy).await;
    copy.stop();
    written?;
    context.ui.line(&format!("{count} objects copied · landfall --state {} status", args.into));
    Ok(Exit::Done)
}
