//! `landfall cluster fork`: the embedded cluster copied into a state directory of its own.

use std::time::Instant;

use clap::Args;
use landfall_cluster::ListOptions;
use landfall_diag::{Diagnostic, code};
use landfall_host::{self as host, Chosen, Failure, Hosting, failed};
use serde_json::{Value, json};

use super::used;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `cluster fork`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ForkArgs {
    /// The copy's state directory: one that is not there yet, or empty
    #[arg(value_name = "DIR")]
    pub(crate) into: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ForkArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ForkArgs) -> Outcome {
    let started = Instant::now();
    let state = context.host.state_here()?;
    used(&state)?;
    let into = context.host.take(context.host.directory.join(&args.into), Chosen::ByUser)?;
    if into.file("cluster.db").exists() {
        return Err(Failure::usage(
            Diagnostic::error(code::CLUSTER_THERE, format!("`{}` holds a cluster already", args.into))
                .help("name another directory"),
        ));
    }
    // Beside somebody's files it would be committed with them, and it holds every Secret of the cluster.
    let is_used = std::fs::read_dir(context.host.directory.join(&args.into)).is_ok_and(|mut it| it.next().is_some());
    if is_used {
        return Err(Failure::usage(
            Diagnostic::error(code::BAD_ARGUMENTS, format!("`{}` is not empty", args.into))
                .note("nothing was copied")
                .help("name a directory that is not there yet"),
        ));
    }
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
    let forked = Forked { into: &args.into, objects: objects.len() };
    let copy = host::open(&into).await?;
    copy.import(objects);
    let written = host::persisted(&copy).await;
    copy.stop();
    written?;
    context.report(&forked, Exit::Done, started);
    Ok(Exit::Done)
}

/// A copy of the embedded cluster.
struct Forked<'a> {
    /// Its state directory, as it was typed.
    into: &'a str,
    objects: usize,
}

impl Report for Forked<'_> {
    const KIND: &'static str = "Fork";

    fn data(&self) -> Value {
        json!({"state": self.into, "objects": self.objects})
    }

    fn text(&self, ui: &Ui) {
        let into = landfall_host::shell_word(self.into.as_ref());
        ui.line(&format!("{} objects copied · landfall --state {into} status", self.objects));
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.into);
    }
}
