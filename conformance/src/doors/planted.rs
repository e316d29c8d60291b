//! Faults planted in front of the binary: each must turn its door red.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::{Moments, Walk};
use crate::suite::selftest;

/// A fault: its door, and what a wrapper does before it hands over to the binary.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "a reset that looks for nobody",
        "reset",
        "case \"$1 $2\" in 'cluster reset') rm -rf .landfall; echo 'the embedded cluster and its state are gone'; exit 0;; esac",
    ),
    (
        "a second delivery that waits without an end",
        "second",
        "mkdir .here 2>/dev/null || case \"$1\" in up) exec sleep 600;; esac",
    ),
    (
        "an interrupted delivery that ends with a code of its own",
        "SIGTERM",
        "case \"$1\" in up) trap 'kill -TERM $!; wait $!; exit 7' TERM; \"$REAL\" \"$@\" & wait $!; exit $?;; esac",
    ),
    ("a `down` that leaves the server", "stop", "case \"$1\" in down) exit 0;; esac"),
    (
        "a history that leaves a revision open",
        "kill",
        "case \"$1\" in history) \"$REAL\" \"$@\" | sed s/deployed/pending-install/; exit 0;; esac",
    ),
];

/// Enough for what is well; what hangs is known by it.
const DEADLINE: Duration = Duration::from_secs(5);

/// Moments for each fault.
const RUNS: usize = 3;

pub(super) fn run(landfall: &Path) -> anyhow::Result<ExitCode> {
    let place = tempfile::Builder::new().prefix("landfall-doors-").tempdir()?;
    let undisturbed = Walk::open(landfall.to_owned(), DEADLINE)?.undisturbed;
    let deadline = DEADLINE + undisturbed.took;
    let mut suite = Walk { landfall: place.path().join("landfall"), undisturbed, deadline };
    let mut seen = Vec::new();
    for (what, door, fault) in FAULTS {
        let text = format!("#!/bin/bash\nREAL='{}'\n{fault}\nexec \"$REAL\" \"$@\"\n", landfall.display());
        suite.landfall = place.path().join(format!("landfall-{}", door.replace(' ', "-")));
        std::fs::write(&suite.landfall, text)?;
        std::fs::set_permissions(&suite.landfall, std::fs::Permissions::from_mode(0o755))?;
        let (cases, _) = suite.through(RUNS, Moments::Spread, |name| name.contains(door))?;
        let red = cases.iter().any(|case| case.verdict == "failed");
        seen.push((*what, if red { Ok(String::new()) } else { Err(String::new()) }));
    }
    Ok(selftest("doors", seen, ""))
}
