//! `Plan` (pure) and the one conductor that runs, resumes and recovers it.
//!
//! ```text
//! a door's Wish ─► prepare()                                                              (wish.rs)
//!     places its objects: which kinds are served, which come with it    Places            (place.rs)
//!     the door compiles: phases of items                                Desired           (desired.rs)
//!     reads what is live, the door settles what depends on that         Live
//!     plan(): phases → waves → steps, reasons, digest                   Plan              (planning.rs)
//!
//! Conductor                                                                               (conductor.rs)
//!     try_out   every object at the server, with dryRun=All, before the first effect      (trial.rs)
//!     run       an operation of a Door, from its first step
//!     recover   what a killed process left: goes on with it, or the door repairs its record
//!     give_up   ends what was interrupted for good
//!     end_hooks what hooks of an operation that is ended have left running goes
//!
//! one run                                                                                 (executor.rs)
//!     1 refused when a live object is no longer what the plan saw
//!     2 the operation is written down, the door's Ledger is told          (journal.rs, ledger.rs, standing.rs)
//!     3 per wave: intents ─► effects ─► outcomes                          (act.rs, hooks.rs)
//!       waits watch; what can never become ready ends them at once        (wait.rs)
//!     4 on failure: evidence first, phases for failure, the Ledger; then the door's operation that undoes it
//!       begins in the journal as the failed one ends
//! ```
//!
//! A [`Door`] is a way to deliver: Helm's releases, Argo's Applications, plans without a record. It is pure but for the
//! record that it keeps: it compiles wishes, says what becomes of a failure, and is told of beginning, hooks and end.
//! Knows neither git nor charts nor Helm nor Argo.
//!
//! Invariants: planning does no I/O · the same inputs give the same plan and digest · no effect without its intent
//! in the journal · a killed run is resumed by reading the journal and the live objects, never by memory · a key
//! declared `generate: once` is neither changed nor removed by any step (design D6) · nothing is printed, progress is
//! [`Event`]s; clock, ids and the word to stop come from outside; many operations may run on one conductor.

mod act;
mod behind;
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
mod handover;
mod hooks;
mod journal;
mod ledger;
mod once;
mod place;
mod plan;
mod planning;
mod probe;
mod report;
mod standing;
mod stop;
mod trial;
mod wait;
mod wish;

pub use behind::Behind;
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
pub use landfall_object::{ONCE_ANNOTATION, once_keys};
pub use ledger::{Ending, HookPhase, HookRun, Ledger, NoLedger};
pub use once::OnceViolation;
pub use place::{Kinds, Places};
pub use plan::{Action, Phase, Plan, Seen, Step, Wave};
pub use planning::{Live, plan};
pub use probe::{Killed, NoProbe, Probe};
pub use report::{Failure, FailureKind, HookEnd, Report, StepReport, StepResult};
pub use standing::{Standing, StepState};
pub use trial::{Concluded, Fate, LEFT_OF_TRIAL, MadeNamespace, Objection, Refusal, Trial, Tried, Untried};
pub use wish::{Look, Selection, Sight, Wish, prepare};
