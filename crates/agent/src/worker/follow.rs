//! An offer carried out: begun, fetched, unpacked, handed over to the watchdog; given up where it does not go on.

use std::time::{Duration, Instant};

use landfall_fleet::UpgradeStatus;
use landfall_fleet::protocol::{Progress, RuntimeState};

use super::offer::{self, Offer, Wish};
use super::progress::under_way;
use super::voice::Heard;
use super::{Failed, NOTED, Next, Word, Worker};
use crate::backoff;
use crate::carry::{self, Cancelled, Halt};
use crate::disk::RealDisk;
use crate::download::Download;
use crate::journal::{Journal, Phase, Unit};
use crate::log::event;
use crate::trusted::clock;
use crate::update::{self, Declined};
use crate::watchdog::now;

/// How often a download may stumble without getting on before it is given up.
const STUMBLES: u32 = 10;
/// How often one of a delta may, before the artifact is fetched whole.
const DELTA_STUMBLES: u32 = 3;

impl Worker<'_> {
    /// Carries an offer on as far as it goes now.
    pub(super) fn follow(&mut self, offer: Offer) -> Result<Next, Failed> {
        let unit = self.unit(offer.wish);
        let mut journal = unit.load(&RealDisk)?;
        if self.is_watchdogs(&journal) {
            return Ok(Next::Wait(self.spread()));
        }
        let target = match offer.target {
            Ok(target) => target,
            Err(offer::Refusal::Wait(reason)) => {
                self.voice.wrong(&reason);
                return Ok(Next::Wait(self.spread()));
            }
            Err(offer::Refusal::Never(reason)) => {
                let next = update::refused(&journal, &offer.version, offer.attempt.as_deref(), &reason);
                if next != journal {
                    event("edge.upgrade.refused", &[("version", &offer.version), ("reason", &reason)]);
                    unit.save(&RealDisk, &next)?;
                    return Ok(Next::Wait(Duration::from_millis(200)));
                }
                return Ok(Next::Wait(self.spread()));
            }
        };
        let another = journal
            .phase
            .target()
            .is_some_and(|under_way| under_way.sha256 != target.sha256 || under_way.attempt != target.attempt);
        if another {
            journal = carry::give_up(&RealDisk, &unit, &journal, &Halt::Cancelled, now())?;
        }
        if journal.phase == Phase::Idle {
            if self.is_busy() {
                return Ok(Next::Wait(self.spread()));
            }
            journal = match update::offered(&journal, &target, now()) {
                Ok(next) => {
                    event("edge.upgrade.begun", &[("version", &target.version)]);
                    self.stumbles = 0;
                    unit.save(&RealDisk, &next)?;
                    next
                }
                Err(why @ Declined::Older { .. }) => {
                    let attempt = target.attempt.as_deref();
                    let next = update::refused(&journal, &target.version, attempt, &why.to_string());
                    unit.save(&RealDisk, &next)?;
                    return Ok(Next::Wait(self.spread()));
                }
                Err(declined) => {
                    if let Declined::Failed { .. } = declined {
                        self.voice.wrong(&declined.to_string());
                    }
                    return Ok(Next::Wait(self.spread()));
                }
            };
            self.tell_progress(&unit);
        }
        while matches!(journal.phase, Phase::Fetching { .. } | Phase::Fetched { .. }) {
            journal = match self.advance(&unit, &journal, &offer.url, offer.bytes_per_second) {
                Ok(next) => next,
                Err(Halt::Cancelled) => {
                    carry::give_up(&RealDisk, &unit, &journal, &Halt::Cancelled, now())?;
                    return Ok(Next::Wait(Duration::from_millis(200)));
                }
                Err(halt) => return Ok(Next::Wait(self.stumble(&unit, &journal, &halt)?)),
            };
            self.stumbles = 0;
            if matches!(journal.phase, Phase::Fetched { .. }) {
                self.tell_progress(&unit);
            }
        }
        self.switch(offer.wish, &unit, offer.not_after)
    }

    /// One step, and a word to the server whenever it is time for one.
    fn advance(&mut self, unit: &Unit, journal: &Journal, url: &str, limit: Option<u64>) -> Result<Journal, Halt> {
        let mut journal = journal.clone();
        if let Phase::Fetching { target } = &mut journal.phase {
            url.clone_into(&mut target.url);
        }
        let http = self.voice.http().clone();
        let credential = self.voice.spoken();
        let (server, pace) = (self.settings.server.clone(), self.pace.min(Duration::from_secs(60)));
        let mut last = Instant::now();
        let trusted = &self.trusted;
        let voice = &mut self.voice;
        let attempt = journal.phase.target().and_then(|target| target.attempt.clone());
        let mut download = Download {
            http: &http,
            server: &server,
            credential: &credential,
            bytes_per_second: limit,
            told: |bytes| {
                if last.elapsed() < pace {
                    return Ok(());
                }
                last = Instant::now();
                Word::Beat.say();
                let progress = attempt.clone().map(|attempt| Progress {
                    attempt,
                    status: UpgradeStatus::Downloading,
                    reason: None,
                    failure: None,
                    bytes,
                });
                match voice.say(RuntimeState::Upgrading, progress, trusted) {
                    Ok(Heard::Direction(said)) if said.cancel.is_some() && said.cancel == attempt => Err(Cancelled),
                    _ => Ok(()),
                }
            },
        };
        carry::advance(&RealDisk, unit, &journal, &mut download)
    }

    /// Something went wrong: tried again if that may help, and given up when it did not.
    fn stumble(&mut self, unit: &Unit, journal: &Journal, halt: &Halt) -> Result<Duration, Failed> {
        event("edge.upgrade.stumbled", &[("error", &halt.to_string())]);
        self.voice.wrong(&halt.to_string());
        self.stumbles += 1;
        let is_delta = journal.phase.target().is_some_and(|target| target.delta.is_some());
        if is_delta && halt.passes() && self.stumbles >= DELTA_STUMBLES {
            event("edge.upgrade.delta_left", &[("reason", &halt.to_string())]);
            unit.save(&RealDisk, &update::whole(journal))?;
            self.stumbles = 0;
            return Ok(Duration::from_millis(200));
        }
        if halt.passes() && self.stumbles < STUMBLES {
            return Ok(
                backoff::pause(self.pace, self.stumbles.min(5), None, backoff::random()).min(Duration::from_secs(60))
            );
        }
        self.stumbles = 0;
        carry::give_up(&RealDisk, unit, journal, halt, now())?;
        Ok(Duration::from_millis(200))
    }

    /// Tells how far it is, once. What is not heard is told by the next check-in.
    fn tell_progress(&mut self, unit: &Unit) {
        if let Some(progress) = under_way(unit)
            && let Err(error) = self.voice.say(RuntimeState::Upgrading, Some(progress), &self.trusted)
        {
            event("edge.heartbeat.failed", &[("error", &error.to_string())]);
        }
    }

    /// Hands over to the watchdog, if the server has heard of it and still wants it, the time is not over and nothing is in the way.
    fn switch(&mut self, wish: Wish, unit: &Unit, not_after: Option<i64>) -> Result<Next, Failed> {
        let journal = unit.load(&RealDisk)?;
        let Phase::Ready { target } = &journal.phase else { return Ok(Next::Wait(self.spread())) };
        if self.is_busy() || not_after.is_some_and(|end| clock() > end) {
            return Ok(Next::Wait(self.spread()));
        }
        let heard = self.voice.say(RuntimeState::Upgrading, under_way(unit), &self.trusted)?;
        let wanted = match &heard {
            Heard::Direction(direction) => {
                direction.cancel.is_none()
                    && direction
                        .desired
                        .as_ref()
                        .is_some_and(|desired| Some(&desired.attempt) == target.attempt.as_ref())
            }
            Heard::Intent(intent) => intent.target_version.is_some(),
        };
        if !wanted {
            return Ok(Next::Wait(self.spread()));
        }
        match wish {
            Wish::Agent => {
                Word::SwitchAgent.say();
                // The watchdog ends us; if it does not, it is gone.
                while self.listen(NOTED).is_some_and(|line| !line.is_empty()) {}
                Ok(Next::End)
            }
            Wish::Payload => {
                Word::SwitchPayload.say();
                // It is settled within the trial's time; from the journal's side nothing may be written until then.
                let until = Instant::now() + self.settings.confirm() + NOTED;
                loop {
                    let left = until.saturating_duration_since(Instant::now());
                    match self.listen(left.min(Duration::from_secs(5))) {
                        Some(line) if line == "payload settled" => break,
                        Some(_) if left.is_zero() => break,
                        Some(_) => {
                            Word::Beat.say();
                            // It goes on without an answer.
                            let _ = self.voice.say(RuntimeState::Upgrading, under_way(unit), &self.trusted);
                        }
                        None => return Ok(Next::End),
                    }
                }
                Ok(Next::Wait(Duration::from_millis(200)))
            }
        }
    }
}
