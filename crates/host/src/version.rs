//! What this build is called.

/// The version: the one that the release was given when it was built (`LANDFALL_VERSION`, `cargo xtask dist`), else that of
/// Cargo.toml.
pub const VERSION: &str = match option_env!("LANDFALL_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
