//! `Plan` (pure) and its executor: hooks, waves, apply, wait, prune, abort, resume.
//!
//! ```text
//! Desired (a front door's wish: phases of items) ─┐
//! Live (the objects as they are) ─────────────────┴─ plan() ─► Plan: phases → waves → steps, reasons, digest
//!
//! Executor::try_out(plans)  every object at the server, with dryRun=All, before the first effect   (trial.rs)
//! Executor::run(Plan)
//!   1 refuse when a live object is no longer what the plan saw       (check.rs)
//!   2 write the operation down, tell the ledger                      (journal.rs, ledger.rs)
//!   3 per wave: intents ─► effects ─► outcomes                       (act.rs, hooks.rs)
//!     waits watch; what can never become ready ends them at once     (wait.rs)
//!   4 on failure: evidence first, then phases for failure, then the ledger's word
//! ```
//!
//! Knows neither git nor charts nor Helm nor Argo: front doors compile to [`Desired`].
//!
//! Invariants: planning does no I/O · the same inputs give the same plan and digest · no effect without its intent
//! in the journal · a killed run is resumed by reading the journal and the live objects, never by memory · a key
//! declared `generate: once` is neither changed nor removed by any step (design D6).

mod act;
mod change;
mod clock;
mod conductor;
mod desired;
mod digest;
mod door;
mod entry;
mod error;
mod event;
mod executor;
mod hooks;
mod journal;
mod ledger;
mod once;
mod place;
mod plan;
mod planning;
mod probe;
mod report;
mod trial;
mod wait;
mod wish;

pub use change::{Author, FieldChange, changes_between, predict};
pub use clock::{Clock, WallClock};
pub use conductor::{Conductor, Recovery};
pub use desired::{
    Criterion, DEFAULT_GOING, DeletePolicy, Desired, DesiredPhase, Hook, Item, LogPolicy, Method, PhaseRuns, Task,
    WaitFor,
};
pub use digest::{live_digest, normalised};
pub use door::{Begun, Door, OnFailure, Unrecorded};
pub use error::Error;
pub use event::{Event, Pending};
pub use executor::Behind;
pub use landfall_object::{ONCE_ANNOTATION, once_keys};
pub use ledger::{Ending, HookPhase, HookRun, Ledger, NoLedger};
pub use once::OnceViolation;
pub use place::{Kinds, Places};
pub use plan::{Action, Phase, Plan, Seen, Step, Wave};
pub use planning::{Live, plan};
pub use probe::{Killed, NoProbe, Probe};
pub use report::{Failure, FailureKind, HookEnd, Report, StepReport, StepResult};
pub use trial::{Fate, MadeNamespace, Refusal, Trial, Tried, Untried};
pub use wish::{Look, Selection, Sight, Wish, prepare};
