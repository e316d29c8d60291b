//! Guards that the suites of attacks and canaries open, to show that they would see them gone (`conformance attack
//! --selftest`, `conformance canary --selftest`).
//!
//! A guard asks beside its own question whether it was told to stand open. That it can be told at all is compiled into
//! builds with debug assertions only, which the tests' profile `ci` has and `release` and `dist` have not: what users get
//! holds neither the question nor the variable's name. So one build serves the suites and their selftests.

/// Whether a guard was told to stand open, by its name in `LANDFALL_MUTANT`; never in a release build.
#[cfg(debug_assertions)]
pub fn is_mutant(guard: &str) -> bool {
    static OPEN: std::sync::OnceLock<Option<std::ffi::OsString>> = std::sync::OnceLock::new();
    OPEN.get_or_init(|| std::env::var_os("LANDFALL_MUTANT")).as_ref().is_some_and(|open| open == guard)
}

/// Whether a guard was told to stand open: never, because this is a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn is_mutant(_guard: &str) -> bool {
    false
}
