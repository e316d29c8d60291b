//! Coming to a state directory: what was made here is used, what was not is moved aside unread.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landfall_diag::{Diagnostic, code};

use super::StateDir;
use super::contents::{self, ALL, CACHE, IGNORE, MARKER};
use super::origin::{Chosen, Maker, Marker, Origin};
use crate::lock_file;

/// Where that is put which was found in the place of a state directory.
const ASIDE: &str = "aside";

/// A state directory that may be used, and what is to be told about it.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The directory.
    pub(crate) state: StateDir,
    /// What was found in its place.
    pub(crate) told: Option<Diagnostic>,
}

impl StateDir {
    /// The directory at a path, which may not exist yet. What stands there and was not made there by this user's
    /// Landfall is moved aside where the tree named the path, and used or refused where the user did.
    ///
    /// # Errors
    /// What belongs to another user, what cannot be moved, and what the user named though it holds other files by
    /// Landfall's names or came with a repository.
    pub(crate) fn take(path: PathBuf, chosen: Chosen) -> Result<Taken, Diagnostic> {
        let state = StateDir::at(path);
        let origin = Origin::of(&state.path, chosen);
        let told = match (origin, chosen) {
            (Origin::Absent | Origin::Empty | Origin::Ours, _) | (Origin::File | Origin::Link, Chosen::ByUser) => None,
            (Origin::Older, _) | (Origin::Copied, Chosen::ByUser) => {
                state.adopt(origin);
                None
            }
            (Origin::Unknown, Chosen::ByUser) => {
                state.check_guest()?;
                None
            }
            (Origin::Others | Origin::Tracked, Chosen::ByUser) => return Err(state.refused(origin)),
            _ => state.move_aside(origin)?,
        };
        Ok(Taken { state, told })
    }

    /// Makes the directory, or marks the one that is there as used.
    pub(super) fn settle(&self) -> Result<(), Diagnostic> {
        let made = match Marker::here(&self.path) {
            Some(marker) => self.keep_settled(marker.directory),
            None if self.path.symlink_metadata().is_err() => self.make(),
            None => {
                let origin = Origin::of(&self.path, Chosen::ByUser);
                match origin {
                    Origin::Older | Origin::Copied => {
                        self.adopt(origin);
                        return Ok(());
                    }
                    Origin::Others | Origin::Tracked => return Err(self.refused(origin)),
                    Origin::Unknown => self.check_guest()?,
                    _ => {}
                }
                fs::create_dir_all(&self.path).and_then(|()| {
                    match self
                        .mark(&self.path, Maker::SomebodyElse)
                        .and_then(|()| self.keep_settled(Maker::SomebodyElse))
                    {
                        // What is to be removed needs no marker; what is to be kept fails at its own writes.
                        Err(error) if landfall_diag::is_full(error.kind()) => Ok(()),
                        other => other,
                    }
                })
            }
        };
        made.map_err(|error| {
            let what = format!("the state directory `{}` cannot be made", self.path.display());
            let diagnostic = self.unwritten(code::STATE_UNMADE, what, &error);
            if landfall_diag::is_full(error.kind()) {
                return diagnostic;
            }
            diagnostic.help("give a writable one: `--state DIR` or `LANDFALL_STATE`")
        })
    }

    /// Makes the directory beside its place and puts it there whole: nobody ever finds it without its marker.
    fn make(&self) -> io::Result<()> {
        let fresh = self.begin()?;
        match fs::rename(&fresh, &self.path) {
            Ok(()) => Ok(()),
            // Another process was quicker; its directory is as good.
            Err(_) if self.path.is_dir() => fs::remove_dir_all(&fresh),
            Err(error) => {
                let _left = fs::remove_dir_all(&fresh);
                Err(error)
            }
        }
    }

    /// A new directory beside the place of this one, with its marker.
    fn begin(&self) -> io::Result<PathBuf> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut number = 0;
        let fresh = loop {
            let fresh = self.path.with_file_name(format!("{name}.new.{}.{number}", std::process::id()));
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&fresh) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
                Err(error) => return Err(error),
                Ok(()) => break fresh,
            }
        };
        let marked = self.mark(&fresh, Maker::Landfall).and_then(|()| write(&fresh.join(IGNORE), ALL));
        if let Err(error) = marked {
            let _left = fs::remove_dir_all(&fresh);
            return Err(error);
        }
        Ok(fresh)
    }

    /// Writes a marker into a directory.
    fn mark(&self, directory: &Path, maker: Maker) -> io::Result<()> {
        let marker = Marker::of(&directory.metadata()?, maker);
        let text = serde_json::to_vec(&marker).map_err(io::Error::other)?;
        let partial = directory.join(format!(".{MARKER}.{}.new", std::process::id()));
        let written = write(&partial, &text).and_then(|()| fs::rename(&partial, directory.join(MARKER)));
        if written.is_err() {
            let _left = fs::remove_file(&partial);
        }
        written
    }

    /// Sees to it that a marked directory is still closed to others and kept from git.
    fn keep_settled(&self, maker: Maker) -> io::Result<()> {
        let ignore = self.file(IGNORE);
        let text = match maker {
            Maker::Landfall => {
                contents::keep_private(&self.path)?;
                ALL.to_vec()
            }
            Maker::SomebodyElse => contents::own_alone(),
        };
        if ignore.symlink_metadata().is_ok() {
            return Ok(());
        }
        match write(&ignore, &text) {
            Err(error) if landfall_diag::is_full(error.kind()) => Ok(()),
            other => other,
        }
    }

    /// Takes over what was made by an older version, or elsewhere and named by the user: the history and the cluster,
    /// and nothing that leads to a process, a server or a fetched file, unless a process has it open now.
    fn adopt(&self, origin: Origin) {
        let maker = Marker::read(&self.path).map_or(Maker::Landfall, |marker| marker.directory);
        if !self.is_open() {
            let mut stale = vec!["endpoint.json", "token", "kubeconfig", "server.log", "delivery.json", CACHE];
            if origin == Origin::Copied {
                // The cluster of that name is the original's.
                stale.push("made-cluster");
            }
            for name in stale {
                // What cannot be removed is not believed either: nobody holds the lock.
                let _left = contents::remove_entry(&self.file(name));
            }
        }
        for name in contents::sorted(&self.path).map(|(own, _)| own).unwrap_or_default() {
            let _as_it_was = contents::keep_private(&self.path.join(name));
        }
        // On a full or read-only disk it is taken over again the next time.
        let _unmarked = self.mark(&self.path, maker).and_then(|()| self.keep_settled(maker));
    }

    /// Refuses a directory of other files when one of them bears a name that Landfall would write.
    fn check_guest(&self) -> Result<(), Diagnostic> {
        let own = contents::sorted(&self.path).map(|(own, _)| own).unwrap_or_default();
        let Some(first) = own.iter().find(|name| *name != IGNORE) else { return Ok(()) };
        let what = format!(
            "`{}` holds `{}`, which Landfall has not written there",
            self.path.display(),
            first.to_string_lossy()
        );
        Err(Diagnostic::refused(code::NOT_OURS, what)
            .note("nothing in it was read or changed")
            .help("name an empty or a new directory: `--state DIR` or `LANDFALL_STATE`"))
    }

    fn refused(&self, origin: Origin) -> Diagnostic {
        let what = format!("the state directory `{}` cannot be used ({})", self.path.display(), origin.why());
        let refused = Diagnostic::refused(code::NOT_OURS, what).note("nothing in it was read or changed");
        match origin {
            Origin::Tracked => refused
                .help(format!("if it is yours: git rm -r --cached {}", crate::shell_word(&self.path)))
                .help("else name another one: `--state DIR` or `LANDFALL_STATE`"),
            _ => refused.help("name another one: `--state DIR` or `LANDFALL_STATE`"),
        }
    }

    /// Puts what stands in the directory's place into a new one; nothing where another process has done it.
    fn move_aside(&self, origin: Origin) -> Result<Option<Diagnostic>, Diagnostic> {
        let moved = self.try_move_aside().map_err(|error| {
            let what = format!("`{}` was not made here by Landfall ({})", self.path.display(), origin.why());
            Diagnostic::refused(code::NOT_OURS, what)
                .note(format!("it cannot be moved aside: {error}"))
                .note("nothing in it was read")
                .help("remove it, or name another directory: `--state DIR` or `LANDFALL_STATE`")
        })?;
        let Some(aside) = moved else { return Ok(None) };
        let what = format!("`{}` was not made here by Landfall ({})", self.path.display(), origin.why());
        let told = Diagnostic::warning(code::NOT_OURS, what)
            .note(format!("nothing in it was read; it was moved to `{}`", aside.display()));
        let aside = crate::shell_word(&aside);
        Ok(Some(match origin {
            Origin::Copied | Origin::Unknown => {
                told.help(format!("if it is yours, use it from there: `landfall --state {aside} …`; else remove it"))
            }
            _ => told.help(format!("look at it, and remove it: rm -r {aside}")),
        }))
    }

    fn try_move_aside(&self) -> io::Result<Option<PathBuf>> {
        // Two that find the same thing must not move what the first of them has made in its place.
        let _held = match lock_file::hold_directory(&self.path)? {
            Some(held) => {
                let is_done = matches!(Origin::of(&self.path, Chosen::ByTree), Origin::Ours | Origin::Absent);
                if is_done || !lock_file::stands_at(&held, &self.path) {
                    return Ok(None);
                }
                Some(held)
            }
            None => None,
        };
        let fresh = self.begin()?;
        let aside = fresh.join(ASIDE);
        let moved = fs::create_dir(&aside)
            .and_then(|()| fs::rename(&self.path, aside.join("1")))
            .and_then(|()| fs::rename(&fresh, &self.path));
        if let Err(error) = moved {
            // Only what is empty but for our own files goes; what was moved already stays findable.
            if fs::remove_dir(&aside).is_ok() {
                let _left = fs::remove_dir_all(&fresh);
            }
            return Err(error);
        }
        Ok(Some(self.file(ASIDE).join("1")))
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    contents::private_file(path)?.write_all(content)
}
