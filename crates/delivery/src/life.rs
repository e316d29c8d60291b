//! A secret's life on a cluster: where it is read, what is known of it, and what is written of it.
//!
//! ```text
//! units ─► Site: namespace, scope, who reads which key
//!   cluster ─► Survey: the Secret as it lives, the sealing keys, bound claims, the ledger ─► Traces of each key
//!     ─► fate, make, seal (landfall_secrets) ─► a file's text, or the Secret itself ─► ledger, consumers restarted
//! ```
//!
//! What decides is `landfall_secrets`; here is what asks and writes. A Secret is written here in one place
//! ([`SecretWriter::write`]), behind the guard of what is generated once.

mod births;
mod controller;
mod examination;
mod former;
mod remembered;
mod sent;
mod site;
mod survey;
mod unsaved;
mod writer;

pub(crate) use births::is_sealed;
pub use births::{OtherSaved, check_restored, others_saved};
pub use controller::SealingController;
pub use examination::{Examination, Examined, Fault, Row, State};
pub use former::{Former, carrying, once_at, values_at};
pub use remembered::{remember, remember_arrivals, remembered, saved};
pub use sent::Sent;
pub use site::{Consumer, Site};
pub use survey::{Began, Stale, Survey, all_stale, running};
pub use unsaved::unsaved;
pub use writer::SecretWriter;
