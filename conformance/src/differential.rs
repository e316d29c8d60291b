//! The same requests to a real API server and to the embedded one; every answer compared field by field.
//!
//! A [`script::Script`] is a file of steps under `conformance/differential/scripts`; [`play`] sends them to one side and gives a
//! [`transcript::Transcript`]; [`normalise`] replaces what may differ (a closed list of paths) by symbols that keep identity and order;
//! [`compare`] names each difference by script, step and path; [`known`] holds those that are accepted, each with its reason.
//!
//! Invariants: nothing is left out of a body but by a path of the closed list, never a subtree, never a message; a listed difference that no longer
//! differs fails the run as a new one does; [`selftest`] shows how many planted changes the comparison catches.

pub(crate) mod command;
mod compare;
mod findings;
pub(crate) mod glob;
mod known;
mod normalise;
mod play;
mod script;
mod selftest;
mod sides;
mod transcript;

pub(crate) use play::Side;
pub(crate) use sides::{Other, Sides};
