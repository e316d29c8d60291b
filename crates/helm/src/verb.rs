//! What a verb of Helm's is: its names, its flags and what it does, in one place.

use super::flags::Spec;
use super::{Stop, World};

/// A verb.
pub(crate) struct Verb {
    /// What is typed: its name, and others that stand for it.
    pub(crate) called: &'static [&'static str],
    /// What it is for; empty for one that help does not list.
    pub(crate) about: &'static str,
    /// Its verbs of its own.
    pub(crate) parts: &'static [&'static str],
    /// The tables of its flags, behind one of its parts.
    pub(crate) flags: fn(&str) -> &'static [&'static [Spec]],
    /// What can be looked up for its argument in a place, from 0.
    pub(crate) behind: fn(usize) -> Names,
    /// Does it; gives the exit code.
    pub(crate) run: fn(&World<'_>, &[String]) -> Result<u8, Stop>,
}

/// What stands behind a verb that a shell can look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Releases.
    Releases,
    /// Files and directories.
    Files,
    /// Nothing that is known.
    Unknown,
}
