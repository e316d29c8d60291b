//! How many members of a wave are where.

use serde::{Deserialize, Serialize};

use super::{Member, MemberState};

/// How many members of a wave are where. Kept as they change, never counted over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// In the wave.
    pub assigned: u32,
    /// That wait.
    pub queued: u32,
    /// In an attempt.
    pub under_way: u32,
    /// On which the new version runs.
    pub succeeded: u32,
    /// That did not come to it.
    pub failed: u32,
    /// On which the one before runs again.
    pub rolled_back: u32,
    /// Of which nothing was heard in time.
    pub timed_out: u32,
    /// That were not there.
    pub skipped: u32,
    /// That the campaign does not bring to it any more.
    pub cancelled: u32,
    /// Of those that ended badly, how many did before the last resumption.
    pub accepted: u32,
    /// Of those that ended well, how many did before the last resumption.
    pub succeeded_before: u32,
}

impl Counts {
    /// Of how many it is awaited how they end: without those that are left out, and those whose failure was accepted.
    #[must_use]
    pub fn countable(&self) -> u32 {
        self.assigned - self.skipped - self.cancelled - self.accepted
    }

    /// How many ended badly since the last resumption.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failed + self.rolled_back + self.timed_out - self.accepted
    }

    /// How many ended since the last resumption.
    #[must_use]
    pub fn done(&self) -> u32 {
        self.succeeded - self.succeeded_before + self.failures()
    }

    pub(super) fn add(&mut self, member: &Member, epoch: u32) {
        self.assigned += 1;
        *self.place(member.state) += 1;
        if member.epoch < epoch {
            if member.state.is_failure() {
                self.accepted += 1;
            } else if member.state == MemberState::Succeeded {
                self.succeeded_before += 1;
            }
        }
    }

    pub(super) fn remove(&mut self, member: &Member, epoch: u32) {
        self.assigned -= 1;
        *self.place(member.state) -= 1;
        if member.epoch < epoch {
            if member.state.is_failure() {
                self.accepted -= 1;
            } else if member.state == MemberState::Succeeded {
                self.succeeded_before -= 1;
            }
        }
    }

    fn place(&mut self, state: MemberState) -> &mut u32 {
        match state {
            MemberState::Queued => &mut self.queued,
            MemberState::Offered | MemberState::Downloading | MemberState::Verifying | MemberState::Restarting => {
                &mut self.under_way
            }
            MemberState::Succeeded => &mut self.succeeded,
            MemberState::Failed => &mut self.failed,
            MemberState::RolledBack => &mut self.rolled_back,
            MemberState::TimedOut => &mut self.timed_out,
            MemberState::SkippedOffline => &mut self.skipped,
            MemberState::Cancelled | MemberState::Superseded => &mut self.cancelled,
        }
    }
}
