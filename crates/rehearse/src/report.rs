//! Previews and rehearsals as people and programs read them.

mod markdown;
mod preview;
mod rehearsal;

pub use markdown::findings_markdown;
pub use preview::{COMMENT_MARK, preview_markdown, preview_text};
pub use rehearsal::{Shown, rehearsal_markdown, rehearsal_text};
