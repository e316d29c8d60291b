//! Where the state of a target lies: at the system's root, else above the chart, else where it was delivered from.
//!
//! ```text
//! landfall.yaml here, or the top of a git working tree ─► its `.landfall`
//! a chart of neither ─► the nearest `.landfall` with a cluster, from its directory upwards
//!                   ─► the one that was noted when the chart was delivered from a directory that is not above it
//!                   ─► the working directory's
//! ```
//!
//! Upwards is no further than the home directory, and through no directory in which everybody may write: what is found
//! must be the user's own (`Origin::Ours`).

use std::fs;
use std::path::{Path, PathBuf};

use landfall_delivery::{TargetPlace, slug};
use landfall_diag::{Diagnostic, code};
use landfall_source::make_private_directory;

use crate::Host;
use crate::failure::Failure;
use crate::state::StateDir;

/// The name of a state directory at a root.
pub(crate) const STATE: &str = ".landfall";

/// The directory of notes in the personal state directory, one for each chart.
const CHARTS: &str = "charts";

impl Host {
    /// The directory whose `.landfall` is a target's; none for what is only known by address.
    pub(crate) fn root(&self, place: &TargetPlace) -> Option<PathBuf> {
        let directory = place.directory()?;
        let declared = place.root();
        let found = declared.or_else(|| self.above(&directory)).or_else(|| self.noted(&directory));
        Some(found.unwrap_or_else(|| self.directory.clone()))
    }

    /// Notes where the state of a target lies, where it would not be found from another directory.
    ///
    /// Without a home there is no note, and nothing else is lost.
    pub fn note_state(&self, target: Option<&str>, state: &StateDir) {
        let query = self.query(target, None);
        let Some(place) = target.and_then(|_| TargetPlace::of(&query).ok()) else { return };
        let Some(directory) = place.directory().filter(|_| self.state.is_none() && place.root().is_none()) else {
            return;
        };
        let Some(root) = state.path().parent().and_then(|root| root.canonicalize().ok()) else { return };
        if directory.starts_with(&root) {
            return;
        }
        let Some(file) = self.note_of(&directory) else { return };
        let mut roots = roots_in(&file, &directory);
        if roots.contains(&root) {
            return;
        }
        roots.push(root);
        let made = file.parent().map(make_private_directory).unwrap_or(Ok(()));
        let _unnoted = made.and_then(|()| fs::write(&file, note(&directory, &roots)));
    }

    /// Forgets what was noted of a state directory.
    pub(crate) fn forget_notes(&self, state: &StateDir) {
        let Some(root) = state.path().parent().and_then(|root| root.canonicalize().ok()) else { return };
        let Ok(charts) = self.personal().map(|personal| personal.join(CHARTS)) else { return };
        for file in fs::read_dir(&charts).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let Some(directory) =
                fs::read_to_string(&file).ok().and_then(|text| text.lines().next().map(PathBuf::from))
            else {
                continue;
            };
            let mut roots = roots_in(&file, &directory);
            let before = roots.len();
            roots.retain(|noted| *noted != root);
            let _stays = match roots.len() {
                0 => fs::remove_file(&file),
                left if left < before => fs::write(&file, note(&directory, &roots)),
                _ => Ok(()),
            };
        }
        let _not_empty = fs::remove_dir(&charts);
    }

    /// The directory of what is the user's own rather than a tree's.
    pub(crate) fn personal(&self) -> Result<PathBuf, Failure> {
        let base = match (self.env.get("XDG_STATE_HOME"), self.env.get("HOME")) {
            (Some(state), _) if !state.is_empty() => PathBuf::from(state),
            (_, Some(home)) if !home.is_empty() => Path::new(home).join(".local/state"),
            _ => {
                return Err(Failure::usage(
                    Diagnostic::error(
                        code::NO_PLACE_FOR_STATE,
                        "there is no place for the state of a system given by address",
                    )
                    .help("set HOME, XDG_STATE_HOME or LANDFALL_STATE"),
                ));
            }
        };
        Ok(base.join("landfall"))
    }

    /// The nearest directory from this one upwards that holds a cluster of the user's.
    fn above(&self, directory: &Path) -> Option<PathBuf> {
        let home =
            self.env.get("HOME").filter(|home| !home.is_empty()).and_then(|home| Path::new(home).canonicalize().ok());
        let mut above = directory.ancestors().take_while(|it| Some(*it) != home.as_deref() && !is_everybodys(it));
        above.find(|it| StateDir::at(it.join(STATE)).is_used()).map(Path::to_owned)
    }

    /// The only directory that was noted to hold a chart's state, unless a cluster lies in the working directory.
    fn noted(&self, directory: &Path) -> Option<PathBuf> {
        if StateDir::at(self.directory.join(STATE)).is_used() {
            return None;
        }
        let mut roots = roots_in(&self.note_of(directory)?, directory);
        roots.retain(|root| StateDir::at(root.join(STATE)).is_used());
        match roots.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    fn note_of(&self, directory: &Path) -> Option<PathBuf> {
        Some(self.personal().ok()?.join(CHARTS).join(slug(directory.to_str()?)))
    }
}

/// A note: the chart's directory, then the roots where its state lies, a line each.
fn note(directory: &Path, roots: &[PathBuf]) -> String {
    std::iter::once(directory)
        .chain(roots.iter().map(PathBuf::as_path))
        .map(|it| format!("{}\n", it.display()))
        .collect()
}

fn roots_in(file: &Path, directory: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut lines = text.lines().map(PathBuf::from);
    // Two directories may share the name of a note.
    if lines.next().is_some_and(|noted| noted == directory) { lines.collect() } else { Vec::new() }
}

#[cfg(unix)]
fn is_everybodys(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    directory.metadata().is_ok_and(|meta| meta.mode() & 0o002 != 0)
}

#[cfg(not(unix))]
fn is_everybodys(_directory: &Path) -> bool {
    false
}
