//! What follows from what happened.

use std::cmp::Ordering;

use super::{Action, Campaign, CampaignState, EdgeNumber, Member, MemberState, Observation, PauseReason};
use crate::protocol::FailureClass;
use crate::{UpgradeStatus, Version};

/// How long to wait before the second, third and every later try, in seconds.
const BACKOFF: [i64; 3] = [5 * 60, 30 * 60, 2 * 3600];
/// How often an edge may not take up what it was offered.
const MAX_UNANSWERED: u32 = 3;
/// How long after its success an edge may still say that it went back, in seconds.
pub(super) const CONFIRM_WINDOW: i64 = 600;

/// What follows from what happened, in the order in which it did. `now` is in seconds since 1970.
#[must_use]
pub fn step(campaign: Campaign, observations: &[Observation], now: i64) -> (Campaign, Vec<Action>) {
    let mut step = Step { campaign, now, actions: Vec::new(), became: false };
    for observation in observations {
        step.observe(observation);
        step.judge();
    }
    if step.became {
        step.actions.push(Action::Became);
    }
    (step.campaign, step.actions)
}

struct Step {
    campaign: Campaign,
    now: i64,
    actions: Vec<Action>,
    became: bool,
}

impl Step {
    fn observe(&mut self, observation: &Observation) {
        let state = self.campaign.standing.state;
        match observation {
            Observation::Start if state == CampaignState::Draft => {
                let now = self.now;
                self.become_state(CampaignState::Running, None);
                self.campaign.standing.started_at = Some(now);
                self.campaign.standing.wave_opened_at = now;
                if self.campaign.spec.waves.first().is_some_and(|wave| wave.approval) {
                    self.become_state(CampaignState::Paused, Some(PauseReason::Approval));
                }
            }
            Observation::Pause if state == CampaignState::Running => {
                self.become_state(CampaignState::Paused, Some(PauseReason::Manual));
            }
            Observation::Resume if state == CampaignState::Paused => self.resume(),
            Observation::Abort if self.campaign.is_open() || self.campaign.catches_up() => self.abort(),
            Observation::Approve { wave } => self.approve(*wave),
            Observation::Retry if !matches!(state, CampaignState::Draft | CampaignState::Aborted) => self.retry(),
            Observation::Seen { edge, version, ready } => self.seen(*edge, version, *ready),
            Observation::Reported { edge, attempt, status, version, failure, reason } => {
                self.reported(*edge, *attempt, *status, version, *failure, reason.as_deref());
            }
            Observation::Left { edge } => self.left(*edge),
            Observation::Revoked { edge } => self.revoked(*edge),
            Observation::Yanked if self.campaign.is_open() => {
                self.become_state(CampaignState::Paused, Some(PauseReason::ReleaseYanked));
            }
            Observation::Tick => self.tick(),
            _ => {}
        }
    }

    fn resume(&mut self) {
        if self.campaign.standing.pause_reason == Some(PauseReason::ReleaseYanked) {
            return;
        }
        let wave = self.campaign.standing.wave;
        self.campaign.standing.approved = self.campaign.standing.approved.max(wave);
        self.next_epoch();
        self.become_state(CampaignState::Running, None);
    }

    /// What has ended until now is not counted against what comes.
    fn next_epoch(&mut self) {
        self.campaign.standing.epoch += 1;
        for counts in &mut self.campaign.counts {
            counts.accepted = counts.failed + counts.rolled_back + counts.timed_out;
            counts.succeeded_before = counts.succeeded;
        }
        self.became = true;
    }

    fn abort(&mut self) {
        for index in 0..self.campaign.members.len() {
            let state = self.campaign.members[index].state;
            if matches!(state, MemberState::Queued | MemberState::Offered | MemberState::SkippedOffline) {
                self.put(index, MemberState::Cancelled, None, Some("the campaign was aborted"));
            }
        }
        self.become_state(CampaignState::Aborted, None);
        self.campaign.standing.finished_at.get_or_insert(self.now);
    }

    fn approve(&mut self, wave: usize) {
        let standing = &mut self.campaign.standing;
        let rests = standing.state == CampaignState::Paused && standing.pause_reason == Some(PauseReason::Approval);
        if wave >= self.campaign.spec.waves.len() || !(rests || standing.state == CampaignState::Running) {
            return;
        }
        if wave != standing.wave + 1 && !(wave == standing.wave && rests) {
            return;
        }
        standing.approved = standing.approved.max(wave);
        if wave == standing.wave + 1 {
            self.open_wave(wave);
        }
        self.become_state(CampaignState::Running, None);
    }

    fn retry(&mut self) {
        // Nobody can be brought to what was withdrawn.
        if self.campaign.standing.pause_reason == Some(PauseReason::ReleaseYanked) {
            return;
        }
        let mut any = false;
        for index in 0..self.campaign.members.len() {
            if self.campaign.members[index].state.is_failure() {
                any = true;
                self.put(index, MemberState::Queued, None, None);
                let member = &mut self.campaign.members[index];
                member.not_before = 0;
                member.unanswered = 0;
                member.failure = None;
            }
        }
        if any {
            self.next_epoch();
            self.become_state(CampaignState::Running, None);
            self.campaign.standing.finished_at = None;
            self.campaign.standing.wave_met_at = None;
        }
    }

    fn seen(&mut self, edge: EdgeNumber, version: &str, ready: bool) {
        let Some(&index) = self.campaign.by_edge.get(&edge) else { return };
        self.campaign.members[index].seen_at = self.now;
        let member = &self.campaign.members[index];
        let state = member.state;
        let runs = !version.is_empty() && same(version, &self.campaign.spec.version);
        if runs
            && (state.is_under_way()
                || matches!(state, MemberState::TimedOut | MemberState::Queued | MemberState::SkippedOffline))
        {
            // Before it began, nothing has succeeded here that this campaign brought.
            if self.campaign.standing.state != CampaignState::Draft {
                self.put(index, MemberState::Succeeded, None, None);
            }
            return;
        }
        let waits = matches!(state, MemberState::Queued | MemberState::SkippedOffline);
        if !ready || !waits || self.campaign.holds_back(member, self.now).is_some() {
            return;
        }
        if state == MemberState::SkippedOffline && !self.campaign.spec.catch_up {
            return;
        }
        let attempt = {
            let member = &mut self.campaign.members[index];
            member.attempt += 1;
            if member.previous_version.is_none() && !version.is_empty() {
                member.previous_version = Some(version.to_owned());
            }
            member.attempt
        };
        self.put(index, MemberState::Offered, None, None);
        self.actions.push(Action::Offer { edge, attempt });
    }

    fn reported(
        &mut self,
        edge: EdgeNumber,
        attempt: Option<u32>,
        status: UpgradeStatus,
        version: &str,
        failure: Option<FailureClass>,
        reason: Option<&str>,
    ) {
        let Some(&index) = self.campaign.by_edge.get(&edge) else { return };
        self.campaign.members[index].seen_at = self.now;
        let (from, since) = (self.campaign.members[index].state, self.campaign.members[index].since);
        let other = attempt.is_some_and(|attempt| attempt != self.campaign.members[index].attempt);
        let late = from == MemberState::Succeeded && self.now - since > CONFIRM_WINDOW;
        // Who went back to what this campaign brought went back from something else.
        let elsewhere = status == UpgradeStatus::RolledBack && same(version, &self.campaign.spec.version);
        let to = from.after(status).filter(|_| !other && !late && !elsewhere);
        let Some(to) = to else {
            if from != MemberState::Succeeded || status != UpgradeStatus::Succeeded {
                self.actions.push(Action::Ignored { edge, from, to: status });
            }
            return;
        };
        self.campaign.members[index].unanswered = 0;
        if to == MemberState::Succeeded && !same(version, &self.campaign.spec.version) {
            let reason = format!("it said that it had succeeded, and {version:?} runs there");
            self.put(index, MemberState::Failed, Some(FailureClass::Other), Some(&reason));
            return;
        }
        if to == from {
            // Bytes have come; nobody else has to hear of it.
            self.campaign.members[index].since = self.now;
            return;
        }
        match to {
            MemberState::Failed => self.fail(index, failure.unwrap_or_else(|| class_of(reason)), reason),
            MemberState::RolledBack => self.put(index, to, Some(FailureClass::Boot), reason),
            _ => self.put(index, to, None, reason),
        }
    }

    /// An attempt failed: another follows where that may help.
    fn fail(&mut self, index: usize, class: FailureClass, reason: Option<&str>) {
        let attempt = self.campaign.members[index].attempt;
        let mends = matches!(class, FailureClass::Network | FailureClass::Disk);
        if mends && attempt < self.campaign.spec.max_attempts && self.campaign.is_open() {
            let wait = BACKOFF[usize::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(BACKOFF.len() - 1)];
            self.put(index, MemberState::Queued, Some(class), reason);
            self.campaign.members[index].not_before = self.now + wait;
        } else {
            self.put(index, MemberState::Failed, Some(class), reason);
        }
    }

    fn left(&mut self, edge: EdgeNumber) {
        let Some(&index) = self.campaign.by_edge.get(&edge) else { return };
        if !self.campaign.members[index].state.is_final() {
            self.put(
                index,
                MemberState::Cancelled,
                None,
                Some("the edge was disabled, put into quarantine or removed"),
            );
        }
    }

    /// Whoever is not let in any more is not there: that is no failure of the release, and it may come back.
    fn revoked(&mut self, edge: EdgeNumber) {
        let Some(&index) = self.campaign.by_edge.get(&edge) else { return };
        let state = self.campaign.members[index].state;
        if !state.is_final() && state != MemberState::SkippedOffline {
            self.put(index, MemberState::SkippedOffline, None, Some("its credentials were revoked"));
        }
    }

    fn tick(&mut self) {
        if self.campaign.standing.state == CampaignState::Draft {
            return;
        }
        for index in 0..self.campaign.members.len() {
            let member = &self.campaign.members[index];
            if member.wave > self.campaign.standing.wave {
                continue;
            }
            self.overdue(index);
        }
    }

    fn overdue(&mut self, index: usize) {
        let now = self.now;
        let timeouts = self.campaign.spec.timeouts.clone();
        let opened = self.campaign.standing.wave_opened_at;
        let running = self.campaign.standing.state == CampaignState::Running;
        let member = &self.campaign.members[index];
        let waited = now - member.since;
        match member.state {
            MemberState::Offered if waited >= timeouts.offered => {
                let unanswered = member.unanswered + 1;
                self.campaign.members[index].unanswered = unanswered;
                if unanswered >= MAX_UNANSWERED {
                    let reason = "it was told three times what is to run there, and has not begun";
                    self.put(index, MemberState::Failed, Some(FailureClass::NeedsOperator), Some(reason));
                } else {
                    self.put(index, MemberState::Queued, None, Some("it did not begin with what it was offered"));
                }
            }
            MemberState::Downloading if waited >= timeouts.downloading => {
                self.timed_out(index, "nothing was heard of its download");
            }
            MemberState::Verifying if waited >= timeouts.verifying => {
                self.timed_out(index, "nothing was heard of its verification");
            }
            MemberState::Restarting if waited >= timeouts.restarting => {
                self.timed_out(index, "nothing was heard after it began the new version");
            }
            MemberState::Queued
                if running && now - member.seen_at.max(opened).max(member.since) >= timeouts.offline =>
            {
                self.put(index, MemberState::SkippedOffline, None, Some("it was not there while its wave was open"));
            }
            _ => {}
        }
    }

    fn timed_out(&mut self, index: usize, reason: &str) {
        self.put(index, MemberState::TimedOut, Some(FailureClass::Timeout), Some(reason));
    }

    /// Moves a member, with the counters.
    fn put(&mut self, index: usize, to: MemberState, failure: Option<FailureClass>, reason: Option<&str>) {
        let epoch = self.campaign.standing.epoch;
        let member = &mut self.campaign.members[index];
        let counts = &mut self.campaign.counts[member.wave];
        let (edge, from) = (member.edge, member.state);
        counts.remove(member, epoch);
        member.state = to;
        member.since = self.now;
        member.epoch = epoch;
        member.failure = failure;
        member.reason = reason.map(str::to_owned);
        counts.add(member, epoch);
        self.actions.push(Action::Changed { edge, from, to });
    }

    /// Whether the campaign has to rest, may go on to its next wave, or has ended.
    fn judge(&mut self) {
        while self.campaign.standing.state == CampaignState::Running {
            if let Some(reason) = self.has_to_rest() {
                self.become_state(CampaignState::Paused, Some(reason));
                return;
            }
            if !self.goes_on() {
                return;
            }
        }
    }

    fn has_to_rest(&self) -> Option<PauseReason> {
        let open = ..=self.campaign.standing.wave.min(self.campaign.counts.len().saturating_sub(1));
        let waves = self.campaign.spec.waves.get(open)?.iter().zip(self.campaign.counts.get(open)?);
        for (wave, counts) in waves {
            let (failures, done) = (counts.failures(), counts.done());
            let too_many = wave.max_failures.is_some_and(|most| failures > most);
            let too_often = wave.max_failure_percent.is_some_and(|most| {
                done >= wave.min_completed && u64::from(failures) * 100 > u64::from(most) * u64::from(done)
            });
            if too_many || too_often {
                return Some(PauseReason::Failures);
            }
        }
        None
    }

    /// Opens the next wave or ends the campaign, if it is time; says whether anything is another.
    fn goes_on(&mut self) -> bool {
        let index = self.campaign.standing.wave;
        let (Some(wave), Some(counts)) = (self.campaign.spec.waves.get(index), self.campaign.counts.get(index)) else {
            return false;
        };
        let countable = counts.countable();
        let met = u64::from(counts.succeeded) * 100 >= u64::from(wave.success_percent) * u64::from(countable);
        let settled = counts.queued == 0 && counts.under_way == 0;
        if !met {
            if settled {
                self.become_state(CampaignState::Paused, Some(PauseReason::ThresholdMissed));
            }
            return false;
        }
        let soak = if countable == 0 { 0 } else { i64::try_from(wave.soak_seconds).unwrap_or(i64::MAX) };
        let since = match self.campaign.standing.wave_met_at {
            Some(since) => since,
            None => {
                self.campaign.standing.wave_met_at = Some(self.now);
                self.became = true;
                self.now
            }
        };
        // Where nobody waits any more, there is nothing to soak for and nothing to approve.
        let last = !self.campaign.awaits_wave();
        if last {
            let settled = self.campaign.counts.iter().all(|counts| counts.queued == 0 && counts.under_way == 0);
            if settled {
                self.become_state(CampaignState::Completed, None);
                self.campaign.standing.finished_at = Some(self.now);
            }
            return false;
        }
        if self.now < since.saturating_add(soak) {
            return false;
        }
        let somebody = self.campaign.counts[index + 1].assigned > 0;
        if somebody && self.campaign.spec.waves[index + 1].approval && self.campaign.standing.approved <= index {
            self.become_state(CampaignState::Paused, Some(PauseReason::Approval));
            return false;
        }
        self.open_wave(index + 1);
        true
    }

    fn open_wave(&mut self, wave: usize) {
        let standing = &mut self.campaign.standing;
        standing.wave = wave;
        standing.wave_opened_at = self.now;
        standing.wave_met_at = None;
        self.became = true;
    }

    fn become_state(&mut self, state: CampaignState, reason: Option<PauseReason>) {
        let standing = &mut self.campaign.standing;
        if standing.state != state || standing.pause_reason != reason {
            standing.state = state;
            standing.pause_reason = reason;
            self.became = true;
        }
    }
}

/// What kind of failure the existing agent's words mean.
fn class_of(reason: Option<&str>) -> FailureClass {
    /// With these it says the same again and again, whatever it is told.
    const STUCK: [&str; 3] =
        ["upgrade retry suppressed", "Staged upgrade artifact already exists", "upgrade handlers not configured"];
    let reason = reason.unwrap_or("");
    if STUCK.iter().any(|stuck| reason.contains(stuck)) {
        FailureClass::NeedsOperator
    } else if reason.contains("checksum") || reason.contains("signature") {
        FailureClass::Verification
    } else {
        FailureClass::Other
    }
}

fn same(one: &str, other: &str) -> bool {
    one == other
        || match (Version::parse(one), Version::parse(other)) {
            (Ok(one), Ok(other)) => one == other && one.precedence(&other) == Ordering::Equal,
            _ => false,
        }
}

impl Member {
    /// Whether the edge has to be visited, or something be done that the server cannot.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        self.state.is_failure() && self.failure == Some(FailureClass::NeedsOperator)
    }
}
