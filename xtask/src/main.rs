//! Checks of this repository: `cargo xtask tidy`, `advisories`, `requirements`, `fixtures` and `evidence`; and what a release is made of: `dist`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the command's own output")]

mod advisories;
mod dist;
mod evidence;
mod fixtures;
mod requirements;
mod rust_source;
mod tidy;
mod tree;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy            check the house rules
       cargo xtask advisories      check Cargo.lock for versions with known holes, and withdrawn ones
                   [--offline] [--from DIR]
       cargo xtask requirements    list requirement rows with the tests that carry their ids
                   [--owner NAME] [--empty] [--strict] [--gate]
       cargo xtask fixtures        count the rules and traps that have fixtures
       cargo xtask evidence        say how old the evidence of the suites is and what has changed since, and find
                   [--strict]      documents that claim more than it says; --strict finds what is none, stale or short, too
       cargo xtask dist            make what a release publishes: static binaries, manual pages, completions, image, chart,
                                   install script, SBOM, notes, checksums (docs/install.md)
                   [--out DIR] [--channel stable|rc|alpha] [--run N] [--attempt M] [--target TRIPLE]... [--sign KEY]
                   [--quick] [--binary FILE] [--no-image] [--rootfs DIR] [--update-packages] [--allow-dirty]";

fn main() -> ExitCode {
    if let Some(ended) = dist::as_compiler() {
        return ended;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let outcome = match arguments.first().map(String::as_str) {
        Some("tidy") => tidy::run(root),
        Some("advisories") => advisories::run(root, &arguments[1..]),
        Some("dist") => dist::run(root, &arguments[1..]),
        Some("evidence") => evidence::run(root, &arguments[1..]),
        Some("fixtures") => fixtures::run(root),
        Some("requirements") => requirements::run(root, &arguments[1..]),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            println!("{} findings", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
