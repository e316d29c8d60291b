//! The agent as a service of Windows. Written for it and compiled nowhere yet but there: no Windows machine or compiler for it was at hand
//! where this was made, which docs/edge-agent.md says. What could be is elsewhere: [`crate::task`].
//!
//! `sc.exe` makes a service that the service control manager starts; it expects a program that speaks its protocol, so the service runs
//! `landfall-agent run` under the shell that Windows brings for this: a scheduled task at boot, as the system, started again when it ends.

use std::path::Path;

use crate::disk::{Mode, RealDisk, replace};
use crate::install::{NotInstalled, SERVICE, keep_program, manager};
use crate::settings::Home;
use crate::task::{self, encoded};

/// Makes a task that runs at each start of the machine as the system, without a limit of time.
///
/// # Errors
/// When a step fails.
pub fn install(home: &Home, program: &Path) -> Result<Vec<String>, NotInstalled> {
    home.settings()?;
    home.prepare()?;
    let kept = keep_program(home, program)?;
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
    let definition = home.root().join("task.xml");
    replace(&RealDisk, &definition, &encoded(&task::definition(&kept, home.root())), Mode::Private)?;
    manager("schtasks.exe", &["/Create", "/F", "/TN", SERVICE, "/XML", &definition.display().to_string()])?;
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
