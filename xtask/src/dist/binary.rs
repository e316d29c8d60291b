//! The binary, static, for each target whose standard library is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::elf::wants;
use super::renamed::Renamed;
use super::run::{done, line};

/// The targets that are published, the first ones wanted most.
pub(crate) const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
];

/// The one whose linker rustc brings itself (`lld`): it keeps one of the functions that came out alike, as `crates/landfall/build.rs` has it.
const FOLDED: &str = "x86_64-unknown-linux-gnu";

/// How much is made of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// What is published.
    Whole,
    /// What suites run with; for trying the way.
    Quick,
}

impl Effort {
    /// The profile of Cargo.toml.
    fn profile(self) -> &'static str {
        match self {
            Effort::Whole => "dist",
            Effort::Quick => "ci",
        }
    }
}

/// Why a target is not built here; nothing where it can be.
///
/// A target of another processor wants its linker besides its standard library: where that is not declared, it is said, too.
pub(crate) fn hindrance(target: &str) -> Result<Option<String>, String> {
    let library = line(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))?;
    if !Path::new(&library).is_dir() {
        return Ok(Some(format!("its standard library is not installed: rustup target add {target}")));
    }
    let linker = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    let is_other = !target.starts_with(std::env::consts::ARCH);
    if is_other && std::env::var_os(&linker).is_none() {
        return Ok(Some(format!("{linker} names no linker for it")));
    }
    Ok(None)
}

/// Builds the binary, which names itself by `version`.
///
/// Nothing of the machine's own is in it: its places are renamed, and what C's compiler says of the time is the commit's (`epoch`,
/// seconds since 1970), so that two checkouts make the same bytes.
pub(crate) fn built(root: &Path, target: &str, version: &str, epoch: u64, effort: Effort) -> Result<PathBuf, String> {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let home = home.map_err(|_| "neither CARGO_HOME nor HOME is set".to_owned())?;
    let mut flags = vec![
        "-Ctarget-feature=+crt-static",
        // At a fixed address, as `crates/landfall/build.rs` has it, with the reasons.
        "-Crelocation-model=static",
    ];
    if target == FOLDED {
        flags.push("-Clink-arg=-Wl,--icf=all");
    }
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let mut cargo = Command::new("cargo");
    cargo.env("LANDFALL_VERSION", version).env_remove("RUSTC_WORKSPACE_WRAPPER").current_dir(root);
    let is_own = target == format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    if effort == Effort::Quick && is_own {
        // What the suites have compiled is linked once more: no flag is another one but the last crate's.
        cargo.args(["rustc", "--locked", "--package", "landfall", "--bin", "landfall", "--profile", "ci", "--"]);
        done(cargo.args(&flags))?;
        return Ok(directory.join("ci/landfall"));
    }
    Renamed::of(root, &directory, Path::new(&home)).apply(&mut cargo)?;
    done(
        cargo
            .env("SOURCE_DATE_EPOCH", epoch.to_string())
            .args(["build", "--locked", "--package", "landfall", "--bin", "landfall"])
            .args(["--profile", effort.profile(), "--target", target])
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")),
    )?;
    Ok(directory.join(target).join(effort.profile()).join("landfall"))
}

/// Refuses what would lean on the libraries of the machine that it runs on.
pub(crate) fn check_static(bytes: &[u8]) -> Result<(), String> {
    let wants = wants(bytes).ok_or("the binary is no program of Linux")?;
    match (wants.interpreter, wants.libraries.as_slice()) {
        (None, []) => Ok(()),
        (interpreter, libraries) => {
            let all: Vec<String> = interpreter.into_iter().chain(libraries.iter().cloned()).collect();
            Err(format!("the binary is not static: it wants {}", all.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_static;

    #[test]
    fn a_program_that_wants_libraries_is_refused() {
        let own = std::fs::read("/proc/self/exe").expect("this very program");
        assert!(check_static(&own).expect_err("it is linked to libc").contains("libc.so"));
        assert!(check_static(b"#!/bin/sh\n").is_err());
    }
}
