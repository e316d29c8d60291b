//! How far an upgrade is, in the words that go over the wire.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far an upgrade is, as an edge reports it and as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpgradeStatus {
    /// Nothing is to be upgraded.
    Idle,
    /// Something is to be upgraded, and the edge has not begun.
    UpgradePending,
    /// It fetches the artifact.
    Downloading,
    /// It holds the artifact against signature, checksum and size.
    Verifying,
    /// It starts the new version.
    Restarting,
    /// The new version runs, and says so.
    Succeeded,
    /// It did not come to a new version.
    Failed,
    /// The new version did not confirm itself, and the one before runs again.
    RolledBack,
}

impl UpgradeStatus {
    /// Reads the word on the wire; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "IDLE" => Self::Idle,
            "UPGRADE_PENDING" => Self::UpgradePending,
            "DOWNLOADING" => Self::Downloading,
            "VERIFYING" => Self::Verifying,
            "RESTARTING" => Self::Restarting,
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" => Self::Failed,
            "ROLLED_BACK" => Self::RolledBack,
            _ => return None,
        })
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::UpgradePending => "UPGRADE_PENDING",
            Self::Downloading => "DOWNLOADING",
            Self::Verifying => "VERIFYING",
            Self::Restarting => "RESTARTING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::RolledBack => "ROLLED_BACK",
        }
    }

    /// Whether nothing follows it in the same attempt.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::RolledBack)
    }
}

impl fmt::Display for UpgradeStatus {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}
