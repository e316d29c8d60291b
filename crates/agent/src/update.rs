//! An update's steps as values: what a journal becomes when something has happened, and what is to be done next. Nothing here touches
//! a disk, a clock or a network.
//!
//! ```text
//!            offered            all bytes, as signed      slot filled, synced       switch, asked for
//!   Idle ───────────► Fetching ─────────────► Fetched ─────────────────► Ready ────────────────► Trying
//!    ▲                   │                       │                         │                       │
//!    ├───────────────────┴── given up: FAILED ───┴─────────────────────────┘      well: SUCCEEDED ─┤
//!    └──────────────────────────────────────────────── too many starts, too late: ROLLED_BACK ─────┘
//! ```
//!
//! Two processes write the journal, never at once: the worker as long as it is well, up to Ready; the watchdog from there on until
//! the new version has said that it is well, or was reverted.

use landfall_fleet::protocol::FailureClass;

use crate::journal::{Installed, Journal, Outcome, Phase, Refused, Report, Slot, Target};

/// How often a version is started that does not say that it is well.
pub const BOOTS: u32 = 3;
/// How often a download is begun anew before the server is asked for another attempt.
pub const TRIES: u32 = 5;
/// The first pause after a failure, in milliseconds; each further one is twice as long.
pub const PAUSE: u64 = 30_000;

/// Why an offered version is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// It runs already.
    #[error("{version} runs already")]
    Runs {
        /// Which.
        version: String,
    },
    /// Another one is under way.
    #[error("{version} is being installed")]
    UnderWay {
        /// Which.
        version: String,
    },
    /// It is older than what has proved well here, and nobody with the targets' keys allowed that.
    #[error(
        "{version} (counter {counter}) is older than what runs here (counter {floor}): going back needs a consent signed with the releases' keys"
    )]
    Older {
        /// Which.
        version: String,
        /// Its counter.
        counter: u64,
        /// What ran here.
        floor: u64,
    },
    /// It failed here before.
    #[error("{version} failed here before: {reason}")]
    Failed {
        /// Which.
        version: String,
        /// What went wrong then.
        reason: String,
        /// When it may be tried again, in milliseconds since 1970; `None`: when the server begins another attempt.
        again: Option<u64>,
    },
}

/// Whether a failure may pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// A network, a full disk: tried again after a pause.
    ForNow,
    /// Wrong bytes, a version that does not start: not again unless the server begins another attempt.
    ForGood,
}

/// Begins an update.
///
/// # Errors
/// When it must not be begun.
pub fn offered(journal: &Journal, target: &Target, now: u64) -> Result<Journal, Declined> {
    let version = target.version.clone();
    if let Some(under_way) = journal.phase.target() {
        return if under_way.sha256 == target.sha256 {
            Ok(journal.clone())
        } else {
            Err(Declined::UnderWay { version: under_way.version.clone() })
        };
    }
    if journal.running().is_some_and(|running| running.sha256 == target.sha256 && running.version == target.version) {
        return Err(Declined::Runs { version });
    }
    if target.counter < journal.floor && !target.downgrade {
        return Err(Declined::Older { version, counter: target.counter, floor: journal.floor });
    }
    if let Some(refused) = &journal.refused {
        let same = refused.sha256 == target.sha256 && refused.attempt == target.attempt;
        if same && refused.not_before.is_none_or(|time| now < time) {
            return Err(Declined::Failed { version, reason: refused.reason.clone(), again: refused.not_before });
        }
    }
    let mut next = journal.clone();
    next.phase = Phase::Fetching { target: target.clone() };
    Ok(next)
}

/// All bytes are there and are what was signed. From here on the spare slot is nobody's: it says so before it is emptied.
#[must_use]
pub fn fetched(journal: &Journal, target: &Target) -> Journal {
    let mut next = journal.clone();
    next.put(journal.spare(), None);
    next.phase = Phase::Fetched { target: target.clone() };
    next
}

/// The artifact is fetched whole: a delta led nowhere.
#[must_use]
pub fn whole(journal: &Journal) -> Journal {
    let mut next = journal.clone();
    if let Phase::Fetching { target } = &mut next.phase {
        target.delta = None;
    }
    next
}

/// The spare slot holds the new version.
#[must_use]
pub fn unpacked(journal: &Journal, target: &Target) -> Journal {
    let mut next = journal.clone();
    next.put(journal.spare(), Some(Installed::from(target)));
    next.phase = Phase::Ready { target: target.clone() };
    next
}

/// An update is given up before the new version ever ran.
#[must_use]
pub fn given_up(journal: &Journal, reason: &str, failure: FailureClass, lasting: Lasting, now: u64) -> Journal {
    let Some(target) = journal.phase.target() else { return journal.clone() };
    let mut next = journal.clone();
    refuse(&mut next, target, reason, lasting, now);
    next.report(Report {
        outcome: Outcome::Failed,
        version: target.version.clone(),
        attempt: target.attempt.clone(),
        reason: Some(reason.to_owned()),
        failure: Some(failure),
    });
    next.phase = Phase::Idle;
    next
}

/// An offer is refused before anything of it was begun. The same one is refused once.
#[must_use]
pub fn refused(journal: &Journal, version: &str, attempt: Option<&str>, reason: &str) -> Journal {
    let mut next = journal.clone();
    let refused = Refused {
        sha256: String::new(),
        attempt: attempt.map(str::to_owned),
        times: 1,
        not_before: None,
        reason: reason.to_owned(),
    };
    if next.refused.as_ref() != Some(&refused) {
        next.report(Report {
            outcome: Outcome::Failed,
            version: version.to_owned(),
            attempt: attempt.map(str::to_owned),
            reason: Some(reason.to_owned()),
            failure: Some(FailureClass::Refused),
        });
        next.refused = Some(refused);
    }
    next
}

fn refuse(journal: &mut Journal, target: &Target, reason: &str, lasting: Lasting, now: u64) {
    let times = journal
        .refused
        .as_ref()
        .filter(|refused| refused.sha256 == target.sha256 && refused.attempt == target.attempt)
        .map_or(0, |refused| refused.times)
        .saturating_add(1);
    let not_before = (lasting == Lasting::ForNow && times < TRIES)
        .then(|| now.saturating_add(PAUSE.saturating_mul(1 << times.saturating_sub(1).min(10))));
    journal.refused = Some(Refused {
        sha256: target.sha256.clone(),
        attempt: target.attempt.clone(),
        times,
        not_before,
        reason: reason.to_owned(),
    });
}

/// What the watchdog starts next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The slot; `None`: what the unit came with.
    pub slot: Option<Slot>,
    /// Whether it must say that it is well before its time is over.
    pub trial: bool,
}

/// What is started when the unit is to run and nobody handed it over: as [`start`], but what is ready waits, for whether it is still
/// wanted, and now, only the worker can ask.
#[must_use]
pub fn start_again(journal: &Journal, now: u64) -> (Journal, Start) {
    match &journal.phase {
        Phase::Ready { .. } => (journal.clone(), Start { slot: journal.active, trial: false }),
        _ => start(journal, now),
    }
}

/// What is started when the worker has handed over what is ready, with the journal as it must be written before.
#[must_use]
pub fn start(journal: &Journal, now: u64) -> (Journal, Start) {
    match &journal.phase {
        Phase::Ready { target } => {
            let mut next = journal.clone();
            next.phase = Phase::Trying { target: target.clone(), boots: 1 };
            (next, Start { slot: Some(journal.spare()), trial: true })
        }
        Phase::Trying { target, boots } if *boots < BOOTS => {
            let mut next = journal.clone();
            next.phase = Phase::Trying { target: target.clone(), boots: boots + 1 };
            (next, Start { slot: Some(journal.spare()), trial: true })
        }
        Phase::Trying { boots, .. } => {
            let next = reverted(journal, &format!("it was started {boots} times and never said that it was well"), now);
            let slot = next.active;
            (next, Start { slot, trial: false })
        }
        _ => (journal.clone(), Start { slot: journal.active, trial: false }),
    }
}

/// The new version says that it is well.
#[must_use]
pub fn well(journal: &Journal) -> Journal {
    let Phase::Trying { target, .. } = &journal.phase else { return journal.clone() };
    let mut next = journal.clone();
    next.active = Some(journal.spare());
    // A signed consent to go back is a consent to stay there.
    next.floor = if target.downgrade { target.counter } else { journal.floor.max(target.counter) };
    next.refused = None;
    next.report(Report {
        outcome: Outcome::Succeeded,
        version: target.version.clone(),
        attempt: target.attempt.clone(),
        reason: None,
        failure: None,
    });
    next.phase = Phase::Idle;
    next
}

/// The new version is given up; what ran before it runs again.
#[must_use]
pub fn reverted(journal: &Journal, reason: &str, now: u64) -> Journal {
    let Phase::Trying { target, .. } = &journal.phase else { return journal.clone() };
    let mut next = journal.clone();
    refuse(&mut next, target, reason, Lasting::ForGood, now);
    next.report(Report {
        outcome: Outcome::RolledBack,
        version: target.version.clone(),
        attempt: target.attempt.clone(),
        reason: Some(reason.to_owned()),
        failure: Some(FailureClass::Boot),
    });
    next.phase = Phase::Idle;
    next
}

/// The server knows the oldest report.
#[must_use]
pub fn delivered(journal: &Journal) -> Journal {
    let mut next = journal.clone();
    if !next.reports.is_empty() {
        next.reports.remove(0);
    }
    next
}

#[cfg(test)]
mod tests;
