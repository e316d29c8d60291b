//! `cargo xtask advisories`: no version in `Cargo.lock` has a hole that is known, and none was withdrawn.
//!
//! The database of advisories cannot be had everywhere that this is checked, so what it says of our crates is kept in
//! `xtask/advisories/known.toml` (facts only: id, crate, versions; `xtask/advisories/ORIGIN` says from where and when).
//! `cargo xtask advisories --from DIR` renews it from a checkout of the database. Withdrawn (yanked) versions are looked for
//! by cargo itself, in the registry's index.

mod import;
mod known;
mod lock;
mod yanked;

use std::path::Path;

use known::{Known, What};
use lock::Lock;

/// The table, within the repository.
const TABLE: &str = "xtask/advisories/known.toml";

/// Checks the lock, or renews the table (`--from DIR`); `--offline` asks no registry.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<Vec<String>, String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let lock = Lock::load(&root.join("Cargo.lock"))?;
    let table = root.join(TABLE);
    let network = match arguments.as_slice() {
        ["--from", folder] => {
            let known = import::renewed(&Known::load(&table)?, Path::new(folder), &lock)?;
            println!("{}: {} advisories", table.display(), known.advisories.len());
            known.save(&table)?;
            return Ok(Vec::new());
        }
        [] => yanked::Network::Asked,
        ["--offline"] => yanked::Network::Offline,
        _ => return Err("usage: cargo xtask advisories [--offline | --from DIR]".to_owned()),
    };
    let known = Known::load(&table)?;
    let (mut findings, notes) = judge(&lock, &known)?;
    for note in notes {
        println!("note: {note}");
    }
    // What cannot be looked for hides nothing that was found.
    findings.extend(yanked::findings(&lock, network).unwrap_or_else(|why| vec![why]));
    println!("{} packages, {} advisories known of them", lock.packages.len(), known.advisories.len());
    Ok(findings)
}

/// What is wrong with the lock, and what is only to be told.
fn judge(lock: &Lock, known: &Known) -> Result<(Vec<String>, Vec<String>), String> {
    let (mut findings, mut notes) = (Vec::new(), Vec::new());
    for advisory in &known.advisories {
        for package in lock.packages.iter().filter(|package| package.name == advisory.package) {
            if !advisory.affects(&package.version)? {
                continue;
            }
            let text = format!("{} {}: {} ({})", package.name, package.version, advisory.id, advisory.what);
            match (advisory.what, advisory.patched.as_slice()) {
                (What::Unmaintained | What::Notice, _) => notes.push(text),
                (_, []) => findings.push(format!("{text}; no version mends it: do without this crate")),
                (_, patched) => findings.push(format!(
                    "{text}; mended in {}: cargo update -p {}@{}",
                    patched.join(" or "),
                    package.name,
                    package.version
                )),
            }
        }
    }
    let new: Vec<&str> = lock.names().filter(|name| !known.crates.iter().any(|known| known == name)).collect();
    if !new.is_empty() {
        notes.push(format!("came after {TABLE} was renewed, so nothing is known of them: {}", new.join(", ")));
    }
    Ok((findings, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
    }

    fn known() -> Known {
        Known::load(&root().join(TABLE)).expect("the table")
    }

    #[test]
    fn the_lock_has_no_hole_that_is_known() {
        let lock = Lock::load(&root().join("Cargo.lock")).expect("the lock");
        assert_eq!(judge(&lock, &known()).expect("judged").0, Vec::<String>::new());
    }

    #[test]
    fn a_planted_hole_is_found_and_its_mended_version_is_not() {
        for (package, holed, mended, id) in [
            ("tokio", "1.18.0", "1.44.2", "RUSTSEC-2023-0005"),
            ("bytes", "1.11.0", "1.11.1", "RUSTSEC-2026-0007"),
            ("rustls-webpki", "0.103.12", "0.103.13", "RUSTSEC-2026-0104"),
            ("crossbeam-epoch", "0.9.18", "0.9.20", "RUSTSEC-2026-0204"),
        ] {
            let lock = |version: &str| {
                let text =
                    format!("[[package]]\nname = \"{package}\"\nversion = \"{version}\"\nsource = \"registry+x\"\n");
                Lock::parse(&text).expect("a lock")
            };
            let (found, _) = judge(&lock(holed), &known()).expect("judged");
            assert!(found.iter().any(|finding| finding.contains(id)), "{package} {holed}: {found:?}");
            assert_eq!(judge(&lock(mended), &known()).expect("judged").0, Vec::<String>::new(), "{package} {mended}");
        }
    }

    #[test]
    fn every_range_of_the_table_can_be_read() {
        for advisory in known().advisories {
            advisory.affects("1.0.0").unwrap_or_else(|why| panic!("{}: {why}", advisory.id));
        }
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_told() {
        let lock = Lock::parse("[[package]]\nname = \"brand-new\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n");
        let (_, notes) = judge(&lock.expect("a lock"), &known()).expect("judged");
        assert!(notes.iter().any(|note| note.contains("brand-new")), "{notes:?}");
    }
}
