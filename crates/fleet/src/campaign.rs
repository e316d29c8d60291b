//! A campaign: a release brought to edges wave by wave. `step(campaign, observations, now)` says what follows, and nothing else does.
//!
//! ```text
//! Observation ─► step ─► Campaign, Action
//!   Start Pause Resume Abort Approve Retry   somebody's wish       Offer     tell this edge what is to run there
//!   Seen                                     a heartbeat           Changed   this member is another: write it down
//!   Reported                                 how far an edge is    Became    the campaign is another: write it down, tell people
//!   Left, Yanked                             an edge, the release  Ignored   a report that does not follow, counted and no more
//!   Tick                                     time
//! ```
//!
//! Invariants (held by `tests/it/campaign.rs` in random interleavings): an edge is offered nothing while it is busy, its wave is closed,
//! the campaign rests, no window is open, or as many as may are under way · what is final stays final, but for an edge that says late
//! what became of it · success is the version that runs · the counters are those of the members, counted anew · a failure that was
//! looked at and gone on from is not counted again.

mod member;
mod numbers;
mod spec;
mod step;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use self::member::{EdgeNumber, Member, MemberState};
pub use self::numbers::Counts;
pub use self::spec::{BadSpec, Spec, Timeouts, UpTo, Wave, order};
pub use self::step::step;
use crate::UpgradeStatus;
use crate::protocol::FailureClass;

/// What a campaign is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CampaignState {
    /// Not begun.
    Draft,
    /// Under way.
    Running,
    /// At rest: nothing is offered, what an edge has begun goes on.
    Paused,
    /// All are as they should be, or left out.
    Completed,
    /// Given up.
    Aborted,
}

/// Why a campaign rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PauseReason {
    /// Somebody wished so.
    Manual,
    /// More have failed than may.
    Failures,
    /// All have ended, and too few have succeeded.
    ThresholdMissed,
    /// The next wave needs somebody's word.
    Approval,
    /// The release was withdrawn.
    ReleaseYanked,
}

/// What is written down of a campaign beside its specification and its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// What it is at.
    pub state: CampaignState,
    /// Why it rests.
    pub pause_reason: Option<PauseReason>,
    /// The wave that is open, from 0.
    pub wave: usize,
    /// Since when it is.
    pub wave_opened_at: i64,
    /// Since when enough of it have succeeded.
    pub wave_met_at: Option<i64>,
    /// Up to which wave somebody has agreed.
    pub approved: usize,
    /// Counts up with each resumption: failures of an earlier one are not counted again.
    pub epoch: u32,
    /// When it began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// A campaign with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    spec: Spec,
    standing: Standing,
    members: Vec<Member>,
    by_edge: HashMap<EdgeNumber, usize>,
    counts: Vec<Counts>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// It is to begin.
    Start,
    /// It is to rest.
    Pause,
    /// It is to go on; failures until now are taken as they are.
    Resume,
    /// It is to be given up.
    Abort,
    /// Somebody agrees that this wave opens, without waiting for the soak before it.
    Approve {
        /// Which, from 0.
        wave: usize,
    },
    /// Those that failed are to try again.
    Retry,
    /// An edge checked in.
    Seen {
        /// Which.
        edge: EdgeNumber,
        /// Which version of the product runs there; empty for none.
        version: String,
        /// Whether it may be upgraded: idle, no task begun in this very request, neither disabled nor in quarantine.
        ready: bool,
    },
    /// An edge reported how far it is.
    Reported {
        /// Which.
        edge: EdgeNumber,
        /// Which attempt, if it said so.
        attempt: Option<u32>,
        /// How far.
        status: UpgradeStatus,
        /// Which version of the product runs there.
        version: String,
        /// What kind of failure.
        failure: Option<FailureClass>,
        /// Why.
        reason: Option<String>,
    },
    /// An edge is none of the fleet's any more, or may not be upgraded.
    Left {
        /// Which.
        edge: EdgeNumber,
    },
    /// All credentials of an edge were revoked: nothing is heard of it until it has enrolled again.
    Revoked {
        /// Which.
        edge: EdgeNumber,
    },
    /// The release was withdrawn.
    Yanked,
    /// Time has passed.
    Tick,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The edge that was just seen is to be told what to run.
    Offer {
        /// Which.
        edge: EdgeNumber,
        /// Which attempt this is, from 1.
        attempt: u32,
    },
    /// A member is another.
    Changed {
        /// Whose.
        edge: EdgeNumber,
        /// What it was before.
        from: MemberState,
        /// What it is.
        to: MemberState,
    },
    /// The campaign's standing is another.
    Became,
    /// A report does not follow from what is known, and changes nothing.
    Ignored {
        /// Whose.
        edge: EdgeNumber,
        /// What was known.
        from: MemberState,
        /// What was reported.
        to: UpgradeStatus,
    },
}

/// Why an edge is not told to upgrade now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Waits {
    /// The campaign has not begun, rests, or has ended.
    Campaign(CampaignState, Option<PauseReason>),
    /// Its wave (from 0) is not open.
    Wave(usize),
    /// No window is open; this is when one opens.
    Window(Option<i64>),
    /// As many as may are under way.
    Concurrency(u32),
    /// It failed, and tries again at this time.
    Retry(i64),
    /// It may be told as soon as it checks in and is idle.
    Edge,
    /// It has ended.
    Final(MemberState),
    /// It is under way.
    UnderWay(MemberState),
}

impl Campaign {
    /// A campaign that has not begun, over edges in the order in which they come: [`order`].
    #[must_use]
    pub fn new(spec: Spec, edges: Vec<EdgeNumber>) -> Self {
        let waves = spec.waves_of(edges.len());
        let members = edges.into_iter().zip(waves).map(|(edge, wave)| Member::new(edge, wave)).collect();
        let standing = Standing {
            state: CampaignState::Draft,
            pause_reason: None,
            wave: 0,
            wave_opened_at: 0,
            wave_met_at: None,
            approved: 0,
            epoch: 0,
            started_at: None,
            finished_at: None,
        };
        Self::restore(spec, standing, members)
    }

    /// A campaign as it was written down.
    #[must_use]
    pub fn restore(spec: Spec, standing: Standing, members: Vec<Member>) -> Self {
        let by_edge = members.iter().enumerate().map(|(index, member)| (member.edge, index)).collect();
        let mut counts = vec![Counts::default(); spec.waves.len()];
        for member in &members {
            if let Some(counts) = counts.get_mut(member.wave) {
                counts.add(member, standing.epoch);
            }
        }
        Self { spec, standing, members, by_edge, counts }
    }

    /// What is to be brought, and how.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What it is at.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Its edges, in the order of their waves.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One of its edges.
    #[must_use]
    pub fn member(&self, edge: EdgeNumber) -> Option<&Member> {
        self.by_edge.get(&edge).map(|index| &self.members[*index])
    }

    /// At which place of the campaign's order an edge is, from 0.
    #[must_use]
    pub fn place(&self, edge: EdgeNumber) -> Option<usize> {
        self.by_edge.get(&edge).copied()
    }

    /// Whether a heartbeat of an edge on which this version runs may change anything: most change nothing.
    #[must_use]
    pub fn concerns(&self, edge: EdgeNumber, version: &str) -> bool {
        self.member(edge).is_some_and(|member| match member.state {
            MemberState::Queued | MemberState::SkippedOffline => true,
            state => (state.is_under_way() || state == MemberState::TimedOut) && version == self.spec.version,
        })
    }

    /// Whether anything that an edge says or is may still change what is known of it here, by itself: who has failed, was left out or
    /// stopped has to be asked to try again first.
    #[must_use]
    pub fn hears(&self, edge: EdgeNumber, now: i64) -> bool {
        self.member(edge).is_some_and(|member| match member.state {
            MemberState::Queued | MemberState::SkippedOffline | MemberState::TimedOut => true,
            MemberState::Succeeded => now - member.since <= step::CONFIRM_WINDOW,
            state => state.is_under_way(),
        })
    }

    /// How many are where, wave by wave.
    #[must_use]
    pub fn counts(&self) -> &[Counts] {
        &self.counts
    }

    /// How many are under way.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        self.counts.iter().map(|counts| counts.under_way).sum()
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.standing.state, CampaignState::Completed | CampaignState::Aborted)
    }

    /// Until when it rests, enough of its open wave having succeeded, before it opens the next.
    #[must_use]
    pub fn soaks_until(&self) -> Option<i64> {
        let since = self.standing.wave_met_at.filter(|_| self.standing.state == CampaignState::Running)?;
        let soak = self.spec.waves.get(self.standing.wave)?.soak_seconds;
        let until = since.saturating_add(i64::try_from(soak).unwrap_or(i64::MAX));
        (soak > 0 && self.awaits_wave()).then_some(until)
    }

    /// Whether an edge waits in a wave that is not open.
    fn awaits_wave(&self) -> bool {
        let later = self.counts.iter().skip(self.standing.wave + 1);
        later.into_iter().any(|counts| counts.queued > 0 || counts.under_way > 0)
    }

    /// Whether it still brings edges to its release that come back after it has ended.
    #[must_use]
    pub fn catches_up(&self) -> bool {
        let skipped = self.spec.catch_up && self.counts.iter().any(|counts| counts.skipped > 0);
        self.standing.state == CampaignState::Completed && (skipped || self.under_way() > 0)
    }

    /// The attempt that an edge is in, if it is still wanted: what it is told again until it ends. While the campaign rests this is
    /// what has begun already.
    #[must_use]
    pub fn attempt_of(&self, edge: EdgeNumber) -> Option<u32> {
        let member = self.member(edge).filter(|member| member.state.is_under_way())?;
        let wanted = match self.standing.state {
            CampaignState::Running | CampaignState::Completed => true,
            CampaignState::Paused => member.state != MemberState::Offered,
            CampaignState::Draft | CampaignState::Aborted => false,
        };
        wanted.then_some(member.attempt)
    }

    /// Why an edge waits, or where it is.
    #[must_use]
    pub fn waits(&self, edge: EdgeNumber, now: i64) -> Option<Waits> {
        let member = self.member(edge)?;
        Some(if member.state.is_under_way() {
            Waits::UnderWay(member.state)
        } else if member.state.is_final() {
            Waits::Final(member.state)
        } else {
            self.holds_back(member, now).unwrap_or(Waits::Edge)
        })
    }

    /// Why a member that waits is not offered anything, if for another reason than the edge itself.
    fn holds_back(&self, member: &Member, now: i64) -> Option<Waits> {
        let catches_up = member.state == MemberState::SkippedOffline && self.spec.catch_up;
        let runs = self.standing.state == CampaignState::Running
            || (self.standing.state == CampaignState::Completed && catches_up);
        if !runs {
            return Some(Waits::Campaign(self.standing.state, self.standing.pause_reason));
        }
        if member.wave > self.standing.wave {
            return Some(Waits::Wave(member.wave));
        }
        if member.not_before > now {
            return Some(Waits::Retry(member.not_before));
        }
        if self.spec.windows.open_until(now).is_none() {
            return Some(Waits::Window(self.spec.windows.opens_at(now)));
        }
        let most = self.spec.max_concurrent.filter(|most| self.under_way() >= *most)?;
        Some(Waits::Concurrency(most))
    }

    /// To which version each edge that was brought to the release would go back: of those that have it, or are on the way to it.
    #[must_use]
    pub fn reversal(&self) -> Vec<(String, Vec<EdgeNumber>)> {
        let mut versions: Vec<(String, Vec<EdgeNumber>)> = Vec::new();
        let touched = |member: &&Member| {
            matches!(member.state, MemberState::Succeeded | MemberState::TimedOut) || member.state.is_under_way()
        };
        for member in self.members.iter().filter(touched) {
            let Some(version) = member.previous_version.as_ref().filter(|version| **version != self.spec.version)
            else {
                continue;
            };
            match versions.iter_mut().find(|(known, _)| known == version) {
                Some((_, edges)) => edges.push(member.edge),
                None => versions.push((version.clone(), vec![member.edge])),
            }
        }
        versions
    }
}
