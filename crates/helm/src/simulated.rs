//! What of an operation only simulated containers have answered, said with `~`; Helm's own voice says what Helm says.

use std::io::Write;

use landfall_cluster::ListOptions;
use landfall_engine::StepResult;
use landfall_object::{Gvk, SIMULATED};
use landfall_release::{Delivered, Status};

use super::session::Session;

/// Whether containers of the cluster run nothing: every node of it is simulated. Who may not ask for nodes is told
/// nothing.
pub(super) async fn is_simulated(session: &Session<'_>) -> bool {
    let nodes = session.cluster().list(&Gvk::new("", "v1", "Node"), &ListOptions::default()).await.unwrap_or_default();
    !session.as_helm() && !nodes.is_empty() && nodes.iter().all(|node| node.annotation(SIMULATED).is_some())
}

/// Says of hooks that succeeded, and of what was waited for, that no process did.
pub(super) async fn tell(session: &Session<'_>, delivered: &Delivered) -> std::io::Result<()> {
    let runs = |kind: &str| matches!(kind, "Pod" | "Job");
    let hooks: Vec<_> = delivered.report.with(StepResult::HookSucceeded).filter(|key| runs(&key.gvk.kind)).collect();
    let stands = delivered.record.info.status == Status::Deployed;
    let waited = stands && delivered.report.with(StepResult::Ready).next().is_some();
    if session.as_helm() || (hooks.is_empty() && !waited) || !is_simulated(session).await {
        return Ok(());
    }
    let mut out = landfall_terminal::err();
    for hook in hooks {
        writeln!(out, "~ {}/{} succeeded without a process: its containers are simulated", hook.gvk.kind, hook.name)?;
    }
    if waited {
        writeln!(out, "~ what was waited for is simulated: probes of which nothing is declared are taken as passing")?;
    }
    Ok(())
}
