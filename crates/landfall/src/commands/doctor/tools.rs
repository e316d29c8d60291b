//! Programs: found on the search path, asked for their version.

use std::time::Duration;

use landfall_doctor::{self as doctor, Area, FoundTool, Observation, Tool};
use landfall_host::Protection;
use landfall_source::{Order, ProgramError};

use super::Sick;

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn look(sick: &Sick<'_>) -> Vec<Observation> {
    let (context, protected) = match sick.place.cluster.remote() {
        None => (None, false),
        Some(context) => (Some(context.name.as_str()), context.protection == Protection::Protected),
    };
    let builds = sick.place.declared().map_or(0, |environment| environment.build.len());
    let wanted = doctor::tools(context, protected, builds);
    let asked = wanted.into_iter().map(|(tool, want)| async move { (tool, want, version(&tool).await) });
    let found = futures::future::join_all(asked).await;
    let mut seen = doctor::tool_observations(&found);
    if context.is_none() {
        seen.insert(0, Observation::fine(Area::Tools, "embedded cluster", "ready; it needs no program but this one"));
    }
    seen
}

async fn version(tool: &Tool) -> FoundTool {
    let order = Order::new(tool.name, tool.version.iter().copied());
    let output = match tokio::time::timeout(PATIENCE, order.run()).await {
        Ok(Ok(output)) => output,
        Ok(Err(ProgramError::Missing(_))) => return FoundTool::Missing,
        _ => return FoundTool::Version(None),
    };
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    FoundTool::Version(Tool::version_in(&text))
}
