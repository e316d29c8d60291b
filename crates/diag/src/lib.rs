//! What went wrong, where, why, and what to type.
//!
//! One value, [`Diagnostic`], serves the command line, JSON output, CI annotations and the web page. It holds
//! plain data only: whoever shows it chooses colours and widths, and nothing here reads a file or a terminal.
//!
//! ```text
//! error --> Diagnostic{code, severity, message}
//!             labels: the place in the user's file first, the chart's second
//!             notes:  the peer's own words, so that searching the web still works
//!             helps:  one thing to type
//! ```
//!
//! What a rule finds in what is to be delivered is a [`Finding`], from the rule to JSON, SARIF and the page:
//!
//! ```text
//! rule --> Finding{rule, severity, message, cause, help}
//!            spots: unit, object, container, field; the template's line, the values' lines with their commits, or a file
//!            witness: the rule, the rehearsal, a real API; waived: by whom, until when
//! ```
//!
//! Invariant: a diagnostic never carries a secret's value, only names of keys and lengths; no
//! address in it shows a password.

mod address;
pub mod code;
mod diagnostic;
mod finding;
mod full;
mod known;
mod mutant;
mod passed;
mod plain;
mod similar;

pub use address::without_passwords;
pub use code::{Code, Ending};
pub use diagnostic::{Diagnose, Diagnostic, Label, Place, Severity};
pub use finding::{Commit, Finding, KindName, ObjectName, Spot, ValueOrigin, Waived, Witness};
pub use full::{DISK_FULL_CAUSE, DISK_FULL_EXIT, disk_full, disk_full_words, is_full};
pub use known::{beginning, hide_from_now_on, knows_any, shortened, shows_known, without_known};
pub use mutant::is_mutant;
pub use passed::seconds;
pub use plain::{LONGEST_LINE, render_plain, render_shown};
pub use similar::{nearest, slip};
