//! Which commit wrote a line, from the target's own repository.

use landfall_delivery::Target;
use landfall_diag::Commit;
use landfall_rules::Blame;

/// Asks the repository that a target lies in.
pub struct TargetBlame<'a>(pub &'a Target);

impl Blame for TargetBlame<'_> {
    fn commit(&self, file: &str, line: u32) -> Option<Commit> {
        // Names are shown as seen from the working directory; the tree has its own.
        let path = match self.0.shown.as_str() {
            "" => file,
            shown => file.strip_prefix(shown)?.trim_start_matches('/'),
        };
        let found = self.0.source.line_commit(path, line)?;
        let at = jiff::Timestamp::from_second(found.seconds).ok()?;
        Some(Commit { sha: found.sha, subject: found.subject, at: at.to_string() })
    }
}
