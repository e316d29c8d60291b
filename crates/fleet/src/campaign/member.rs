//! An edge in a campaign.

use serde::{Deserialize, Serialize};

use crate::UpgradeStatus;
use crate::protocol::FailureClass;

/// Names an edge within one fleet.
pub type EdgeNumber = i64;

/// An edge in a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub edge: EdgeNumber,
    /// In which wave, from 0.
    pub wave: usize,
    /// What it is at.
    pub state: MemberState,
    /// Which try this is; 0 before the first.
    pub attempt: u32,
    /// How many offers in a row it did not take up.
    pub unanswered: u32,
    /// Since when it is at that, in seconds since 1970.
    pub since: i64,
    /// In which of the campaign's epochs it ended.
    pub epoch: u32,
    /// Not to be offered anything before.
    pub not_before: i64,
    /// What ran there when it was first offered something.
    pub previous_version: Option<String>,
    /// What kind of failure ended the last attempt.
    pub failure: Option<FailureClass>,
    /// Why, in the edge's words or ours.
    pub reason: Option<String>,
    /// When it was seen last since the server began; nothing that is written down.
    pub seen_at: i64,
}

/// What an edge is at in a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberState {
    /// It waits.
    Queued,
    /// It was told what is to run there.
    Offered,
    /// It fetches.
    Downloading,
    /// It checks.
    Verifying,
    /// It starts the new version.
    Restarting,
    /// The new version runs.
    Succeeded,
    /// It did not come to a new version.
    Failed,
    /// The one before runs again.
    RolledBack,
    /// Nothing was heard in time.
    TimedOut,
    /// It was not there while its wave was open.
    SkippedOffline,
    /// The campaign was given up, or the edge has left, before it began.
    Cancelled,
    /// Another campaign has it.
    Superseded,
}

/// Every state, in the order in which they are told.
pub(crate) const STATES: [MemberState; 12] = [
    MemberState::Queued,
    MemberState::Offered,
    MemberState::Downloading,
    MemberState::Verifying,
    MemberState::Restarting,
    MemberState::Succeeded,
    MemberState::Failed,
    MemberState::RolledBack,
    MemberState::TimedOut,
    MemberState::SkippedOffline,
    MemberState::Cancelled,
    MemberState::Superseded,
];

impl Member {
    /// An edge that waits for its wave.
    #[must_use]
    pub fn new(edge: EdgeNumber, wave: usize) -> Self {
        Self {
            edge,
            wave,
            state: MemberState::Queued,
            attempt: 0,
            unanswered: 0,
            since: 0,
            epoch: 0,
            not_before: 0,
            previous_version: None,
            failure: None,
            reason: None,
            seen_at: 0,
        }
    }
}

impl MemberState {
    /// Whether an attempt is under way.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Offered | Self::Downloading | Self::Verifying | Self::Restarting)
    }

    /// Whether it ended without the new version running.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::RolledBack | Self::TimedOut)
    }

    /// Whether nothing more is awaited.
    #[must_use]
    pub fn is_final(self) -> bool {
        self == Self::Succeeded || self.is_failure() || matches!(self, Self::Cancelled | Self::Superseded)
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Offered => "OFFERED",
            Self::Downloading => "DOWNLOADING",
            Self::Verifying => "VERIFYING",
            Self::Restarting => "RESTARTING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::RolledBack => "ROLLED_BACK",
            Self::TimedOut => "TIMED_OUT",
            Self::SkippedOffline => "SKIPPED_OFFLINE",
            Self::Cancelled => "CANCELLED",
            Self::Superseded => "SUPERSEDED",
        }
    }

    /// Reads the word for it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        STATES.into_iter().find(|state| state.as_str() == text)
    }

    /// What it becomes by a report of an edge, if that follows. Reports on the way may be lost: a later one stands for those before.
    pub(crate) fn after(self, status: UpgradeStatus) -> Option<Self> {
        let to = match status {
            UpgradeStatus::Idle | UpgradeStatus::UpgradePending => return None,
            UpgradeStatus::Downloading => Self::Downloading,
            UpgradeStatus::Verifying => Self::Verifying,
            UpgradeStatus::Restarting => Self::Restarting,
            UpgradeStatus::Succeeded => Self::Succeeded,
            UpgradeStatus::Failed => Self::Failed,
            UpgradeStatus::RolledBack => Self::RolledBack,
        };
        let follows = match self {
            Self::Offered | Self::Downloading | Self::Verifying | Self::Restarting => to >= self,
            Self::TimedOut | Self::Succeeded => to == Self::RolledBack,
            _ => false,
        };
        follows.then_some(to)
    }
}
