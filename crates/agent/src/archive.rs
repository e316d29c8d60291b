//! Archives unpacked into a slot: nothing of them can name a place outside it, be anything but a file, a directory or a link within, or
//! grow beyond a budget. Signed bytes are trusted to be what was released, not to be harmless to unpack.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use tar::EntryType;

use crate::disk::{At, Disk, DiskError, Mode};

/// How many entries an archive may have.
const ENTRIES: usize = 20_000;
/// How many times its own size an archive may unpack to, and what each may, in bytes.
const RATIO: u64 = 200;
const SMALL: u64 = 64 * 1024 * 1024;
const LARGEST: u64 = 4 * 1024 * 1024 * 1024;
/// How long a path in an archive may be, in bytes, and how deep.
const PATH: usize = 1024;
const DEPTH: usize = 32;
/// How much is written at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum BadArchive {
    /// It is no archive, or ends early.
    #[error("the archive cannot be read: {0}")]
    Unreadable(String),
    /// An entry would be outside the slot.
    #[error("the archive has an entry {path:?} that {why}")]
    Entry {
        /// The entry's name, escaped.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is larger than an archive of its size can honestly be.
    #[error("the archive unpacks to more than {0}")]
    TooLarge(String),
    /// What is to be started is not in it.
    #[error("there is no program {0:?} in the artifact")]
    NoProgram(String),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Whether a program's path is one below a slot.
#[must_use]
pub fn is_inside(path: &str) -> bool {
    safe(Path::new(path)).is_ok_and(|path| !path.as_os_str().is_empty())
}

/// Puts a file that is the program itself into an empty slot, synced.
///
/// # Errors
/// When its name is no file name below the slot, or the disk fails.
pub fn place(disk: &impl Disk, file: &mut impl Read, slot: &Path, program: &str) -> Result<(), BadArchive> {
    let mut tree = Tree::new(disk, slot, u64::MAX);
    let path = safe(Path::new(program)).map_err(|why| entry(Path::new(program), why))?;
    tree.file(&path, Mode::Program, file)?;
    tree.sync()
}

/// Unpacks a `.tar` or `.tar.gz` into an empty slot, synced. `size` is the archive's own, by which its budget is measured.
///
/// # Errors
/// When it holds anything that it must not, is larger than its budget, has no such program, or the disk fails.
pub fn unpack(disk: &impl Disk, file: &mut impl Read, slot: &Path, program: &str, size: u64) -> Result<(), BadArchive> {
    let tree = unpacked(disk, file, slot, size)?;
    let program_path = safe(Path::new(program)).map_err(|why| entry(Path::new(program), why))?;
    if !tree.programs.contains(&program_path) {
        return Err(BadArchive::NoProgram(program.to_owned()));
    }
    tree.sync()
}

/// As [`unpack`], for an archive of which nothing in particular is started.
///
/// # Errors
/// When it holds anything that it must not, is larger than its budget, or the disk fails.
pub fn unpack_all(disk: &impl Disk, file: &mut impl Read, slot: &Path, size: u64) -> Result<(), BadArchive> {
    unpacked(disk, file, slot, size)?.sync()
}

fn unpacked<'a, D: Disk>(
    disk: &'a D,
    file: &mut impl Read,
    slot: &'a Path,
    size: u64,
) -> Result<Tree<'a, D>, BadArchive> {
    let budget = size.saturating_mul(RATIO).clamp(SMALL, LARGEST);
    let mut file = BufReader::with_capacity(PIECE, file);
    let begins = file.fill_buf().map_err(|cause| unreadable(&cause))?;
    let packed = begins.starts_with(&[0x1f, 0x8b]);
    let mut tree = Tree::new(disk, slot, budget);
    if packed {
        entries(GzDecoder::new(&mut file), &mut tree, budget)?;
    } else {
        entries(&mut file, &mut tree, budget)?;
    }
    Ok(tree)
}

fn entries<D: Disk>(bytes: impl Read, tree: &mut Tree<'_, D>, budget: u64) -> Result<(), BadArchive> {
    // Names and other records are read into memory by the reader of archives; they count, too.
    let mut archive = tar::Archive::new(bytes.take(budget.saturating_add(SMALL)));
    for (count, found) in archive.entries().map_err(|cause| unreadable(&cause))?.enumerate() {
        if count >= ENTRIES {
            return Err(BadArchive::TooLarge(format!("{ENTRIES} entries")));
        }
        let mut found = found.map_err(|cause| unreadable(&cause))?;
        let raw = found.path().map_err(|cause| unreadable(&cause))?.into_owned();
        let path = safe(&raw).map_err(|why| entry(&raw, why))?;
        match found.header().entry_type() {
            EntryType::XGlobalHeader => {}
            EntryType::Directory => tree.directory(&path)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                if path.as_os_str().is_empty() {
                    return Err(entry(&raw, "has no name"));
                }
                let runs = found.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
                tree.file(&path, if runs { Mode::Program } else { Mode::Private }, &mut found)?;
            }
            EntryType::Symlink => {
                let target = found.link_name().map_err(|cause| unreadable(&cause))?;
                let target = target.ok_or_else(|| entry(&raw, "is a link to nothing"))?.into_owned();
                tree.link(&path, &target)?;
            }
            EntryType::Link => return Err(entry(&raw, "is a hard link")),
            _ => return Err(entry(&raw, "is neither a file nor a directory nor a symbolic link")),
        }
    }
    Ok(())
}

fn unreadable(cause: &io::Error) -> BadArchive {
    BadArchive::Unreadable(cause.to_string())
}

fn entry(path: &Path, why: &'static str) -> BadArchive {
    BadArchive::Entry { path: path.to_string_lossy().chars().take(120).collect(), why }
}

/// A path below the slot, without `.`: empty for the slot itself.
fn safe(path: &Path) -> Result<PathBuf, &'static str> {
    let text = path.to_str().ok_or("is not UTF-8")?;
    if text.len() > PATH {
        return Err("has a name that is too long");
    }
    if text.contains('\\') || text.chars().any(char::is_control) {
        return Err("has a backslash or control character in its name");
    }
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                // Windows would read a drive, a stream or a device in these.
                let name = name.to_str().ok_or("is not UTF-8")?;
                if name.contains(':') || name.ends_with([' ', '.']) {
                    return Err("has a name that Windows reads as something else");
                }
                inside.push(name);
            }
            Component::CurDir => {}
            Component::ParentDir => return Err("leads up and out"),
            Component::RootDir | Component::Prefix(_) => return Err("is absolute"),
        }
    }
    if inside.components().count() > DEPTH {
        return Err("lies too deep");
    }
    Ok(inside)
}

/// What has been put into a slot.
struct Tree<'a, D> {
    disk: &'a D,
    root: &'a Path,
    left: u64,
    budget: u64,
    directories: BTreeSet<PathBuf>,
    /// Names in lower case: two that differ in nothing else are one file on some systems.
    taken: BTreeSet<String>,
    links: BTreeSet<PathBuf>,
    programs: BTreeSet<PathBuf>,
}

impl<'a, D: Disk> Tree<'a, D> {
    fn new(disk: &'a D, root: &'a Path, budget: u64) -> Self {
        Self {
            disk,
            root,
            left: budget,
            budget,
            directories: BTreeSet::new(),
            taken: BTreeSet::new(),
            links: BTreeSet::new(),
            programs: BTreeSet::new(),
        }
    }

    fn directory(&mut self, path: &Path) -> Result<(), BadArchive> {
        let mut at = PathBuf::new();
        for component in path.components() {
            at.push(component);
            if self.links.contains(&at) {
                return Err(entry(path, "lies behind a link"));
            }
            if self.directories.contains(&at) {
                continue;
            }
            if !self.taken.insert(folded(&at)) {
                return Err(entry(path, "has the name of another one"));
            }
            let place = self.root.join(&at);
            self.disk.make_directory(&place).at("make", &place)?;
            self.directories.insert(at.clone());
        }
        Ok(())
    }

    fn claim(&mut self, path: &Path) -> Result<PathBuf, BadArchive> {
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        if !self.taken.insert(folded(path)) {
            return Err(entry(path, "has the name of another one"));
        }
        Ok(self.root.join(path))
    }

    fn file(&mut self, path: &Path, mode: Mode, bytes: &mut impl Read) -> Result<(), BadArchive> {
        let place = self.claim(path)?;
        self.disk.create(&place, mode).at("make", &place)?;
        let mut piece = vec![0; PIECE];
        loop {
            let count = match bytes.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(unreadable(&cause)),
            };
            self.left = self
                .left
                .checked_sub(count as u64)
                .ok_or_else(|| BadArchive::TooLarge(format!("{} bytes", self.budget)))?;
            self.disk.append(&place, &piece[..count]).at("write", &place)?;
        }
        self.disk.sync_file(&place).at("sync", &place)?;
        if mode == Mode::Program {
            self.programs.insert(path.to_owned());
        }
        Ok(())
    }

    /// A link whose target is written as `../` so often as there are directories to leave, at most, and then names: those `..` leave
    /// directories that are none but real ones, and no name behind them leads up.
    fn link(&mut self, path: &Path, target: &Path) -> Result<(), BadArchive> {
        let mut depth = path.components().count().saturating_sub(1);
        let mut names = false;
        for component in target.components() {
            match component {
                Component::ParentDir if !names && depth > 0 => depth -= 1,
                Component::CurDir => {}
                Component::Normal(_) => names = true,
                _ => return Err(entry(path, "is a link that leads out")),
            }
        }
        if !names || target.to_str().is_none_or(|text| text.len() > PATH || text.chars().any(char::is_control)) {
            return Err(entry(path, "is a link that leads nowhere"));
        }
        let place = self.claim(path)?;
        self.disk.link(target, &place).at("link", &place)?;
        self.links.insert(path.to_owned());
        Ok(())
    }

    /// Makes the names last: each directory after those within it.
    fn sync(self) -> Result<(), BadArchive> {
        for directory in self.directories.iter().rev() {
            let place = self.root.join(directory);
            self.disk.sync_directory(&place).at("sync", &place)?;
        }
        self.disk.sync_directory(self.root).at("sync", self.root)?;
        Ok(())
    }
}

fn folded(path: &Path) -> String {
    path.to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests;
