//! What a check found.

use serde::{Deserialize, Serialize};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// The answer was as it must be.
    Passed,
    /// The answer was another one, or none.
    Failed {
        /// What was seen.
        reason: String,
    },
    /// The answer would have to come from what is simulated and declares none, or past something that is not
    /// simulated: nothing was checked.
    NotSimulated {
        /// Who would have had to answer, or to let the request pass.
        reason: String,
    },
}
