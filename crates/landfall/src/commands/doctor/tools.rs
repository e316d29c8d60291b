//! Programs: found on the search path, asked for their version.

use std::path::PathBuf;
use std::time::Duration;

use landfall_rehearse::doctor::{self, Area, FoundTool, Observation, Tool};
use tokio::process::Command;

use super::Sick;
use crate::context::ClusterChoice;

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn look(sick: &Sick<'_>) -> Vec<Observation> {
    let (context, protected) = match &sick.place.cluster {
        ClusterChoice::Embedded => (None, false),
        ClusterChoice::Context { name, protected, .. } => (Some(name.as_str()), *protected),
    };
    let builds = sick.place.declared().map_or(0, |environment| environment.build.len());
    let wanted = doctor::tools(context, protected, builds);
    let asked = wanted.into_iter().map(|(tool, want)| async move { (tool, want, version(sick, &tool).await) });
    let found = futures::future::join_all(asked).await;
    let mut seen = doctor::tool_observations(&found);
    if context.is_none() {
        seen.insert(0, Observation::fine(Area::Tools, "embedded cluster", "ready; it needs no program but this one"));
    }
    seen
}

async fn version(sick: &Sick<'_>, tool: &Tool) -> FoundTool {
    let Some(program) = on_path(sick, tool.name) else { return FoundTool::Missing };
    let mut command = Command::new(program);
    command.args(tool.version).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => output,
        _ => return FoundTool::Version(None),
    };
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    FoundTool::Version(Tool::version_in(&text))
}

/// The program of a name on the search path.
fn on_path(sick: &Sick<'_>, name: &str) -> Option<PathBuf> {
    let path = sick.context.env.get("PATH")?;
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ""] } else { &[""] };
    std::env::split_paths(path)
        .flat_map(|directory| endings.iter().map(move |ending| directory.join(format!("{name}{ending}"))))
        .find(|file| file.is_file())
}
