//! The existing TypeScript agent: what it leaves undone of its own upgrades, done around it.

pub mod launcher;
mod places;
mod watched;
