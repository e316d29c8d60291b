//! What an edge says, whichever agent it runs: what is kept of it, what follows, and what it is told.

use std::sync::Arc;

use landfall_fleet::UpgradeStatus;
use landfall_fleet::campaign::{Campaign, CampaignState, Observation};
use landfall_fleet::protocol::{AGENT_PRODUCT, FailureClass, Installed, RuntimeState};
use landfall_store::{ArtifactRow, FleetWrite};

use super::Control;
use super::book::Edge;
use super::campaigns::Slot;
use super::ledger::{Unwritten, Written};

/// What an edge says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) installed: Vec<Installed>,
    pub(crate) platform: Option<(String, String)>,
    pub(crate) state: Option<RuntimeState>,
    /// Whether it is in a task, whatever its state says.
    pub(crate) is_busy: bool,
    pub(crate) active_task: Option<String>,
    pub(crate) uptime_seconds: Option<u64>,
    pub(crate) last_error: Option<String>,
    /// Which start of its agent, and which check-in of that; the existing agent does not say.
    pub(crate) boot: Option<(String, u64)>,
    pub(crate) report: Option<Report>,
    /// Whether it is one of the existing agents.
    pub(crate) is_existing: bool,
}

/// How far it says that an upgrade is.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Which campaign and attempt, if it says so.
    pub(crate) attempt: Option<(String, u32)>,
    pub(crate) status: UpgradeStatus,
    pub(crate) failure: Option<FailureClass>,
    pub(crate) reason: Option<String>,
}

/// What it is told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) desired: Option<Wanted>,
    pub(crate) status: UpgradeStatus,
    pub(crate) message: Option<String>,
    /// Whether what it said is older than what is known, so that nothing followed.
    pub(crate) is_replay: bool,
}

/// What is to run there.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) campaign: String,
    pub(crate) attempt: u32,
    pub(crate) artifact: ArtifactRow,
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) not_after: Option<i64>,
    pub(crate) downgrade: bool,
}

impl Control {
    /// Takes note of what an edge says. What it reports is on disk when this returns.
    pub(crate) async fn hear(&self, edge: &Arc<Edge>, mut heard: Heard) -> Result<Told, Unwritten> {
        let now = self.now();
        if self.is_nobodys_success(edge, &heard) {
            heard.report = None;
        }
        let (noted, is_active) = self.note(edge, &heard, now);
        let Noted { is_replay, mut written } = noted;
        if !is_replay {
            self.book.note_heard(edge);
        }
        self.numbers.heartbeat();
        let mut desired = None;
        if !is_replay {
            // What runs there when nothing new was said is what was said before.
            let ready = is_active && !heard.is_busy && heard.state.is_none_or(|state| state == RuntimeState::Idle);
            let slots = self.campaigns.heard_by(edge.number, heard.report.as_ref());
            let has = |slot: &&Arc<Slot>| slot.look(|it| it.attempt_of(edge.number).is_some()).unwrap_or(false);
            let holder = slots.iter().find(has).map(|slot| slot.row.number);
            for slot in slots {
                let free = desired.is_none() && holder.is_none_or(|holder| holder == slot.row.number);
                let (wanted, later) = self.follow(&slot, edge, &heard, (ready && free, now));
                written = later.or(written);
                if free && is_active {
                    desired = wanted;
                }
                if !slot.look(|campaign| campaign.hears(edge.number, now)).unwrap_or(true) {
                    self.campaigns.following.end(&slot, edge.number, now);
                }
            }
        }
        if let Some(written) = written {
            written.end().await?;
        }
        let known = edge.now.lock();
        let message = known.rare().upgrade_reason.as_deref().map(str::to_owned);
        Ok(Told { desired, status: known.row.upgrade_status, message, is_replay })
    }

    /// Whether an edge says that it has come to what it was never told of.
    fn is_nobodys_success(&self, edge: &Arc<Edge>, heard: &Heard) -> bool {
        let succeeded = |report: &Report| report.status == UpgradeStatus::Succeeded && report.attempt.is_none();
        if !heard.report.as_ref().is_some_and(succeeded)
            || edge.now.lock().row.upgrade_status == UpgradeStatus::Succeeded
        {
            return false;
        }
        let was_told = |campaign: &Campaign| campaign.member(edge.number).is_some_and(|member| member.attempt > 0);
        !self.campaigns.all().iter().any(|slot| slot.look(was_told).unwrap_or(false))
    }

    fn note(&self, edge: &Arc<Edge>, heard: &Heard, now: i64) -> (Noted, bool) {
        let mut known = edge.now.lock();
        let (mut writes, mut begins) = (Vec::new(), false);
        if let Some((boot, sequence)) = &heard.boot {
            let is_present = **boot == *known.presence.boot_id;
            let earlier = if is_present { None } else { known.rare().starts.last(boot) };
            let last = earlier.or_else(|| is_present.then_some(known.presence.sequence));
            if last.is_some_and(|last| *sequence <= last) {
                // Said before: by the network, or by somebody who listened.
                return (Noted { is_replay: true, written: None }, known.is_active());
            }
            if earlier.is_some() {
                // A start that was over speaks on.
                known.rare_mut().starts.take(boot);
                if known.rare().cloned_at.is_none() {
                    known.rare_mut().cloned_at = Some(now);
                    let text = "two machines check in with its credential by turns: it was copied".to_owned();
                    let event = self.ledger.event(now, (edge.number, ""), "clone-suspected", text);
                    writes.push(FleetWrite::Event(event));
                    self.numbers.count("landfall_edge_clones_suspected_total", "");
                    tracing::warn!("two machines check in as the edge {}", known.row.device_number);
                }
            }
            if !is_present {
                let before = std::mem::replace(&mut known.presence.boot_id, boot.as_str().into());
                let spoken = known.presence.sequence;
                // What has not spoken cannot be said once more.
                if spoken > 0 {
                    known.rare_mut().starts.put(&before, spoken);
                }
                begins = true;
            }
            known.presence.sequence = *sequence;
        }
        let presence = &mut known.presence;
        presence.seen_at = now;
        self.book.note_installed(presence, &heard.installed);
        presence.uptime_seconds = heard.uptime_seconds.unwrap_or(presence.uptime_seconds);
        if let Some(state) = heard.state {
            presence.state = state;
            let task = heard.active_task.as_deref().filter(|_| state != RuntimeState::Idle);
            if known.rare().active_task.as_deref() != task {
                known.rare_mut().active_task = task.map(Into::into);
            }
        }
        if let Some(error) = heard.last_error.as_deref()
            && known.rare().last_error.as_deref() != Some(error)
        {
            known.rare_mut().last_error = Some(error.into());
        }
        let mut changed = false;
        if let Some((platform, arch)) = &heard.platform {
            if !platform.is_empty() && *known.row.platform != **platform {
                known.row.platform = self.book.word(platform);
                changed = true;
            }
            if !arch.is_empty() && *known.row.arch != **arch {
                known.row.arch = self.book.word(arch);
                changed = true;
            }
        }
        if let Some(report) = &heard.report {
            let status = report.status;
            let reason = report.reason.as_deref().map(landfall_fleet::legacy::one_line);
            let is_another = reason.is_some() && known.rare().upgrade_reason.as_deref() != reason.as_deref();
            if known.row.upgrade_status != status || is_another {
                known.row.upgrade_status = status;
                let told = reason.as_deref().map(|it| format!(": {it}")).unwrap_or_default();
                let event = self.ledger.event(now, (edge.number, ""), "reported", format!("{status}{told}"));
                if is_another {
                    known.rare_mut().upgrade_reason = reason.map(Into::into);
                }
                writes.push(FleetWrite::Event(event));
                changed = true;
            }
        }
        if changed {
            writes.push(FleetWrite::Edge(known.edge_row()));
        }
        if begins {
            // That a start is over is known after a server's own, too, and before anything is answered to the one that follows.
            writes.push(FleetWrite::Presence(known.presence_row()));
        }
        let written = (!writes.is_empty()).then(|| self.ledger.put(writes));
        (Noted { is_replay: false, written }, known.is_active())
    }

    /// Tells a campaign of an edge, and says what the edge is to run by it.
    fn follow(
        &self,
        slot: &Arc<Slot>,
        edge: &Arc<Edge>,
        heard: &Heard,
        (ready, now): (bool, i64),
    ) -> (Option<Wanted>, Option<Written>) {
        let looked = slot.look(|campaign| {
            campaign.member(edge.number)?;
            let spec = campaign.spec();
            Some((spec.product.clone(), spec.version.clone(), spec.downgrade))
        });
        let Some((product, target, downgrade)) = looked.flatten() else { return (None, None) };
        let version = edge.now.lock().version_of(&product).to_owned();
        let concerned = slot.look(|campaign| campaign.concerns(edge.number, &version)).unwrap_or(false);
        let is_under_way = slot.look(|campaign| campaign.attempt_of(edge.number).is_some()).unwrap_or(false);
        let fits = ready
            && (concerned || is_under_way)
            && self.unfit(&edge.now.lock(), &product, &target, downgrade).is_none();
        let report = heard.report.as_ref().filter(|report| match &report.attempt {
            Some((campaign, _)) => *campaign == slot.row.id,
            // The existing agent reports on the one thing that it was told.
            None => product != AGENT_PRODUCT,
        });
        let mut observations = Vec::new();
        if let Some(report) = report {
            observations.push(Observation::Reported {
                edge: edge.number,
                attempt: report.attempt.as_ref().map(|(_, attempt)| *attempt),
                status: report.status,
                version: version.clone(),
                failure: report.failure,
                reason: report.reason.as_deref().map(landfall_fleet::legacy::one_line),
            });
        }
        if concerned || !observations.is_empty() {
            observations.push(Observation::Seen { edge: edge.number, version, ready: fits && report.is_none() });
        }
        let written = match observations.is_empty() {
            true => None,
            false => self.step(slot, &observations, now).1,
        };
        let wanted = slot.look(|campaign| self.wanted(slot, campaign, edge, now)).flatten();
        // An existing agent is told nothing that it could not do, and nothing while it is in a task.
        let wanted = wanted.filter(|_| !heard.is_existing || (fits && report.is_none()));
        (wanted, written)
    }

    /// What an edge is to run by a campaign, if anything.
    fn wanted(&self, slot: &Slot, campaign: &Campaign, edge: &Arc<Edge>, now: i64) -> Option<Wanted> {
        let attempt = campaign.attempt_of(edge.number)?;
        let spec = campaign.spec();
        if campaign.standing().state == CampaignState::Paused && campaign.spec().windows.open_until(now).is_none() {
            return None;
        }
        self.releases.offered(&spec.product, &spec.version)?;
        let platform = edge.now.lock().platform_of(&spec.product);
        let artifact = self.releases.artifact(&spec.product, &spec.version, &platform)?;
        Some(Wanted {
            campaign: slot.row.id.clone(),
            attempt,
            artifact,
            bytes_per_second: spec.bytes_per_second,
            not_after: spec.windows.open_until(now).filter(|until| *until != i64::MAX),
            downgrade: spec.downgrade,
        })
    }
}

struct Noted {
    is_replay: bool,
    written: Option<Written>,
}
