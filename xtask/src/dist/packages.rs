//! Debian's packages of the image: as `deploy/image/packages.lock` names them, fetched by apt, which checks who signed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::digest::sha256;
use super::run::{line, said};

/// Where the packages are named, each with its version and digest.
pub(crate) const LOCK: &str = "deploy/image/packages.lock";

/// What the image wants of Debian; the libraries below them come by themselves.
const ROOTS: [&str; 5] = ["ca-certificates", "coreutils", "dash", "git", "openssh-client"];

/// A package, unpacked.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The digest of its archive.
    pub(crate) sha256: String,
    /// What it says of itself, as dpkg keeps it.
    pub(crate) control: String,
    /// Where its files lie.
    pub(crate) files: PathBuf,
}

/// A line of the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Locked {
    name: String,
    version: String,
    sha256: String,
}

/// The packages that the lock names; with `anew`, those that apt offers today.
pub(crate) fn fetched(root: &Path, cache: &Path, anew: bool) -> Result<Vec<Package>, String> {
    let wanted: Vec<(String, Option<Locked>)> = if anew {
        offered()?.into_iter().map(|name| (name, None)).collect()
    } else {
        let text = fs::read_to_string(root.join(LOCK))
            .map_err(|cause| format!("{LOCK}: {cause}; make it with --update-packages"))?;
        read(&text)?.into_iter().map(|locked| (locked.name.clone(), Some(locked))).collect()
    };
    fs::create_dir_all(cache).map_err(|cause| format!("{}: {cause}", cache.display()))?;
    wanted.into_iter().map(|(name, locked)| package(cache, &name, locked.as_ref())).collect()
}

/// Writes down which packages are in the image.
pub(crate) fn write_lock(root: &Path, packages: &[&Package]) -> Result<(), String> {
    let lines: BTreeMap<&str, String> =
        packages.iter().map(|it| (it.name.as_str(), format!("{} {} {}\n", it.name, it.version, it.sha256))).collect();
    let text: String = lines.into_values().collect();
    fs::write(root.join(LOCK), text).map_err(|cause| format!("{LOCK}: {cause}"))
}

fn read(text: &str) -> Result<Vec<Locked>, String> {
    text.lines()
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [name, version, sha256] if sha256.len() == 64 => {
                Ok(Locked { name: name.to_owned(), version: version.to_owned(), sha256: sha256.to_owned() })
            }
            _ => Err(format!("{LOCK}: `{line}` is not a name, a version and a digest")),
        })
        .collect()
}

/// The roots, and the libraries that they lean on.
fn offered() -> Result<Vec<String>, String> {
    let quiet = [
        "--recurse",
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        "--no-enhances",
    ];
    let text = line(Command::new("apt-cache").arg("depends").args(quiet).args(ROOTS))?;
    let mut names: Vec<String> = text
        .lines()
        .filter(|line| (line.starts_with("lib") || *line == "zlib1g") && !line.starts_with("libperl"))
        .map(str::to_owned)
        .chain(ROOTS.map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Fetches one and unpacks it; what lies in the cache already is taken from there when its digest is right.
fn package(cache: &Path, name: &str, locked: Option<&Locked>) -> Result<Package, String> {
    let archive = match locked {
        Some(locked) => cache.join(format!("{name}_{}.deb", locked.sha256)),
        None => cache.join(format!("{name}_offered.deb")),
    };
    if locked.is_none() || !archive.exists() {
        let asked = locked.map_or_else(|| name.to_owned(), |it| format!("{name}={}", it.version));
        let place = cache.join("loading");
        let _none_there = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).map_err(|cause| format!("{}: {cause}", place.display()))?;
        said(Command::new("apt-get").args(["download", "--quiet", &asked]).current_dir(&place)).map_err(|why| {
            format!(
                "{why}\napt offers another {name} than {LOCK} names, perhaps: `apt-get update`, then --update-packages"
            )
        })?;
        let loaded = fs::read_dir(&place).ok().and_then(|mut entries| entries.next()).and_then(Result::ok);
        let loaded = loaded.ok_or_else(|| format!("apt-get downloaded nothing of {name}"))?;
        fs::rename(loaded.path(), &archive).map_err(|cause| format!("{}: {cause}", archive.display()))?;
        let _left = fs::remove_dir_all(&place);
    }
    let bytes = fs::read(&archive).map_err(|cause| format!("{}: {cause}", archive.display()))?;
    let digest = sha256(&bytes);
    if let Some(locked) = locked.filter(|locked| locked.sha256 != digest) {
        return Err(format!("{name} {}: its digest is {digest}, and {LOCK} names {}", locked.version, locked.sha256));
    }
    let files = cache.join("files").join(&digest);
    if !files.exists() {
        // Unpacked aside: what is there is whole.
        let aside = files.with_extension("part");
        let _none_there = fs::remove_dir_all(&aside);
        fs::create_dir_all(&aside).map_err(|cause| format!("{}: {cause}", aside.display()))?;
        said(Command::new("dpkg-deb").arg("--extract").args([&archive, &aside]))?;
        fs::rename(&aside, &files).map_err(|cause| format!("{}: {cause}", files.display()))?;
    }
    let field = |field: &str| line(Command::new("dpkg-deb").arg("--field").arg(&archive).arg(field));
    let control = line(Command::new("dpkg-deb").arg("--field").arg(&archive))?;
    Ok(Package { name: name.to_owned(), version: field("Version")?, sha256: digest, control, files })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_line_of_the_lock_is_a_name_a_version_and_a_digest() {
        let digest = "0".repeat(64);
        let read_back = read(&format!("git 1:2.39.5-0+deb12u3 {digest}\n")).expect("a lock");
        assert_eq!((read_back[0].name.as_str(), read_back[0].version.as_str()), ("git", "1:2.39.5-0+deb12u3"));
        for wrong in ["git 1", "git 1 2 3", "git  1", "git 1 abc"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
