//! The agent as a service of Windows. Written for it and compiled nowhere yet but there: no Windows machine or compiler for it was at hand
//! where this was made, which docs/edge.md says.
//!
//! `sc.exe` makes a service that the service control manager starts; it expects a program that speaks its protocol, so the service runs
//! `landfall-agent run` under the shell that Windows brings for this: a scheduled task at boot, as the system, started again when it ends.

use std::path::Path;

use crate::install::{NotInstalled, SERVICE, keep_program, manager};
use crate::settings::Home;

/// Makes a task that runs at each start of the machine as the system, without a limit of time.
///
/// # Errors
/// When a step fails.
pub fn install(home: &Home, program: &Path) -> Result<Vec<String>, NotInstalled> {
    home.settings()?;
    home.prepare()?;
    let kept = keep_program(home, program)?;
    let run = format!("\"{}\" run --root \"{}\"", kept.display(), home.root().display());
    // Administrators and the system alone: whoever writes there decides what the system runs.
    manager(
        "icacls.exe",
        &[
            &home.root().display().to_string(),
            "/inheritance:r",
            "/grant:r",
            "*S-1-5-18:(OI)(CI)F",
            "*S-1-5-32-544:(OI)(CI)F",
        ],
    )?;
    manager(
        "schtasks.exe",
        &["/Create", "/F", "/TN", SERVICE, "/SC", "ONSTART", "/RU", "SYSTEM", "/RL", "HIGHEST", "/TR", &run],
    )?;
    manager("schtasks.exe", &["/Run", "/TN", SERVICE])?;
    Ok(vec![
        format!("the program is {}", kept.display()),
        format!("the task {SERVICE} runs, and starts with the machine"),
    ])
}

/// Takes the task away. The home, its credential and the data stay.
///
/// # Errors
/// When a step fails.
pub fn uninstall(home: &Home) -> Result<Vec<String>, NotInstalled> {
    manager("schtasks.exe", &["/End", "/TN", SERVICE])?;
    manager("schtasks.exe", &["/Delete", "/F", "/TN", SERVICE])?;
    Ok(vec![format!("took the task {SERVICE} away"), format!("{} stays", home.root().display())])
}
