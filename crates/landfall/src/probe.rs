//! A test's hook at the edges of all that a delivery writes: its journal, and the requests that change the cluster.
//!
//! ```text
//! LANDFALL_TEST_PROBE=record:FILE   each point's name is appended to FILE
//! LANDFALL_TEST_PROBE=kill:N        the process kills itself at the Nth point, as a power cut would
//! LANDFALL_TEST_PROBE=kill:N:NAME   the same at the Nth point of a name
//! LANDFALL_TEST_PROBE=panic:N       it panics there, as a bug of ours would
//! ```
//!
//! Without the variable nothing listens and no client is wrapped.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use landfall_diag::{Diagnostic, code};
use landfall_engine::{Killed, Probe};
use landfall_host::{Env, Failure};

/// The variable.
pub(crate) const VARIABLE: &str = "LANDFALL_TEST_PROBE";

/// What happens at the points of a run.
#[derive(Debug)]
pub(crate) struct Points {
    reached: AtomicUsize,
    act: Act,
}

#[derive(Debug)]
enum Act {
    Record(Mutex<File>),
    Kill(usize),
    /// At the points of a name.
    KillNamed(usize, String),
    Panic(usize),
}

impl Points {
    /// What the environment asks for.
    ///
    /// # Errors
    /// When it asks for something else, or its file cannot be made.
    pub(crate) fn asked(env: &Env) -> Result<Option<Arc<dyn Probe>>, Failure> {
        let Some(text) = env.get(VARIABLE) else { return Ok(None) };
        let wrong = |why: String| {
            Failure::usage(
                Diagnostic::error(
                    code::BAD_PROBE,
                    format!("{VARIABLE}={text} is none of record:FILE, kill:N, kill:N:NAME and panic:N"),
                )
                .note(why),
            )
        };
        let act = match text.split_once(':') {
            Some(("record", file)) => {
                Act::Record(Mutex::new(File::create(file).map_err(|error| wrong(error.to_string()))?))
            }
            Some(("kill", at)) if let Some((number, name)) = at.split_once(':') => {
                let number = number.parse().map_err(|_| wrong(format!("{number} is no number")))?;
                Act::KillNamed(number, name.to_owned())
            }
            Some((act @ ("kill" | "panic"), number)) => {
                let number = number.parse().map_err(|_| wrong(format!("{number} is no number")))?;
                if act == "kill" { Act::Kill(number) } else { Act::Panic(number) }
            }
            _ => return Err(wrong("it is a hook for tests".to_owned())),
        };
        Ok(Some(Arc::new(Points { reached: AtomicUsize::new(0), act })))
    }

    fn pass(&self, point: std::fmt::Arguments<'_>) {
        if let Act::KillNamed(_, name) = &self.act
            && point.to_string() != *name
        {
            return;
        }
        let number = self.reached.fetch_add(1, Ordering::SeqCst) + 1;
        match &self.act {
            Act::Record(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                // A line that is missing shows in the test that reads the file.
                let _written = writeln!(file, "{point}");
            }
            Act::Kill(at) | Act::KillNamed(at, _) if *at == number => die(),
            Act::Panic(at) if *at == number => panic!("{VARIABLE} asks for it"),
            Act::Kill(_) | Act::KillNamed(..) | Act::Panic(_) => {}
        }
    }
}

impl Probe for Points {
    fn reach(&self, point: std::fmt::Arguments<'_>) -> Result<(), Killed> {
        self.pass(point);
        Ok(())
    }
}

#[cfg(unix)]
fn die() {
    use rustix::process::{Signal, getpid, kill_process};
    let _signalled = kill_process(getpid(), Signal::KILL);
    // The signal takes the whole process; this thread must do nothing more until it does.
    loop {
        std::thread::park();
    }
}

#[cfg(not(unix))]
fn die() {
    std::process::abort();
}
