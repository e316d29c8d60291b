//! The exit codes of Landfall's own commands (`design.md` §5); the personas keep their peer's.

use std::process::ExitCode;

use landfall_diag::{Diagnostic, Ending};
use landfall_host::Failure;

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed, or findings at error level.
    Failed = 1,
    /// Usage or configuration, or needs `--yes`.
    Usage = 2,
    /// Differences, only with `--exit-code`.
    Differs = 3,
    /// Delivered but not healthy; a hook, check or smoke test failed.
    Unhealthy = 4,
    /// Refused by policy or guard.
    Refused = 5,
    /// The target cannot be reached.
    Unreachable = 6,
    /// The disk is full: of the embedded cluster's server alone, for the command that starts it (`ENOSPC`).
    DiskFull = landfall_diag::DISK_FULL_EXIT as isize,
    /// A bug of ours.
    Bug = 70,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            // What is only told fails nothing; a command that fails all the same has failed.
            Ending::GoesOn | Ending::Failed => Exit::Failed,
            Ending::Usage => Exit::Usage,
            Ending::Unhealthy => Exit::Unhealthy,
            Ending::Refused => Exit::Refused,
            Ending::Unreachable => Exit::Unreachable,
            Ending::Interrupted => Exit::Interrupted,
            Ending::Bug => Exit::Bug,
        }
    }
}

/// What commands return: how they ended well, or how they failed.
pub(crate) type Outcome = Result<Exit, Failure>;

/// The exit code of an error, as its code's place in the registry says.
pub(crate) fn exit_of(diagnostic: &Diagnostic) -> Exit {
    Exit::from(diagnostic.code.ending())
}
