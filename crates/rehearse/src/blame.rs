//! Which commit wrote a line, from the target's own repository.

use std::cell::RefCell;

use landfall_delivery::Target;
use landfall_diag::Commit;
use landfall_rules::Blame;
use landfall_source::Lineage;

/// Asks the repository that a target lies in.
pub struct TargetBlame<'a> {
    target: &'a Target,
    lineage: RefCell<Lineage<'a>>,
}

impl<'a> TargetBlame<'a> {
    /// Nothing of the history is read before it is asked for.
    pub fn of(target: &'a Target) -> Self {
        TargetBlame { target, lineage: RefCell::new(target.source.lineage()) }
    }
}

impl Blame for TargetBlame<'_> {
    fn commit(&self, file: &str, line: u32) -> Option<Commit> {
        // Names are shown as seen from the working directory; the tree has its own.
        let path = self.target.viewpoint.path(file)?;
        let found = self.lineage.borrow_mut().line_commit(&path, line)?;
        let at = jiff::Timestamp::from_second(found.seconds).ok()?;
        Some(Commit { sha: found.sha, subject: found.subject, at: at.to_string() })
    }
}
