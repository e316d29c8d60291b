//! Why an edge stands as it does, in words, and what to type: the runbooks.

use std::sync::Arc;

use landfall_fleet::UpgradeStatus;
use landfall_fleet::campaign::{Campaign, CampaignState, EdgeNumber, MemberState, PauseReason, Spec, Waits};
use landfall_fleet::legacy::SERVICE;
use landfall_fleet::protocol::{FailureClass, RuntimeState};
use serde_json::{Value, json};

use super::Control;
use super::book::{Connectivity, Edge};
use super::campaigns::{Slot, time, word};

/// One thing that was found.
struct Finding {
    /// A word for programs.
    cause: &'static str,
    /// What is so, and why.
    text: String,
    /// What to type or do.
    next: String,
}

impl Control {
    /// Why an edge stands as it does.
    pub(crate) fn explain_edge(&self, edge: &Arc<Edge>) -> Value {
        let now = self.now();
        let mut found = Vec::new();
        let known = edge.now.lock().clone();
        let name = known.row.device_number.to_string();
        let mut tell = |cause, text: String, next: String| found.push(Finding { cause, text, next });
        if !known.is_active() {
            tell(
                "not-active",
                format!(
                    "The edge is {}: it is told nothing, and no campaign takes it.",
                    known.row.lifecycle.as_str().to_lowercase()
                ),
                format!("landfall edge enable {name}"),
            );
        }
        let (connectivity, seen) = (Connectivity::of(known.presence.seen_at, now), time(known.presence.seen_at));
        let restarting = known.row.upgrade_status == UpgradeStatus::Restarting;
        if connectivity != Connectivity::Online && !restarting {
            let (cause, more) = match connectivity {
                Connectivity::Stale => ("stale", "it has missed some of its check-ins"),
                _ => (
                    "offline",
                    "the machine, its network or the agent's service is down, or its credential was revoked",
                ),
            };
            tell(
                cause,
                format!("Nothing was heard of it since {seen}: {more}."),
                format!("on the machine: systemctl status landfall-agent (or {SERVICE}), then its journal"),
            );
        }
        if known.rare().cloned_at.is_some() {
            tell(
                "clone-suspected",
                "Two machines check in by turns with this edge's credential: it was copied.".to_owned(),
                format!("landfall edge revoke {name} && landfall edge reenroll {name}; then enroll the right machine"),
            );
        }
        if self.book.credentials_of(edge.number).iter().all(|row| row.revoked_at.is_some()) {
            tell(
                "no-credential",
                "All of its credentials are revoked: it cannot check in.".to_owned(),
                format!("landfall edge reenroll {name}, then enroll it with a new token"),
            );
        }
        let mut is_in_any = false;
        let slots = self.campaigns.all();
        for (at, slot) in slots.iter().enumerate() {
            let looked = slot.look(|campaign| {
                let member = campaign.member(edge.number)?.clone();
                let waits = campaign.waits(edge.number, now)?;
                Some((member, waits, campaign.spec().clone(), campaign.standing().state))
            });
            let Some((member, waits, spec, state)) = looked.flatten() else { continue };
            is_in_any = true;
            // How a campaign ended there says nothing any more where that version runs, or a later one has brought another.
            let is_past = known.version_of(&spec.product) == spec.version
                || slots.iter().skip(at + 1).any(|later| has_brought(later, edge.number, &spec.product));
            let once_more = || self.once_more(&spec, (&slot.row.name, state), &name);
            let what = format!("{} {}", spec.product, spec.version);
            let campaign = &slot.row.name;
            let reason = member.reason.clone().unwrap_or_default();
            match waits {
                Waits::Campaign(CampaignState::Paused, Some(PauseReason::Approval)) => tell(
                    "wave-not-approved",
                    format!("{what} waits: the next wave of {campaign} wants an approval."),
                    format!("landfall edge campaign approve {campaign}"),
                ),
                Waits::Campaign(CampaignState::Paused, Some(PauseReason::ReleaseYanked)) => tell(
                    "release-withdrawn",
                    format!("{what} was withdrawn: the campaign {campaign} does not go on."),
                    format!("landfall edge campaign abort {campaign}; another version: landfall edge release list"),
                ),
                Waits::Campaign(CampaignState::Paused, Some(pause)) => tell(
                    "campaign-paused",
                    format!("{what} waits: the campaign {campaign} is paused ({}).", told(pause)),
                    format!("landfall edge campaign resume {campaign}; but first find out why"),
                ),
                Waits::Campaign(state, _) if member.state == MemberState::Queued => tell(
                    "campaign-not-running",
                    format!("{what} is not offered: the campaign {campaign} is {}.", word(&state).to_lowercase()),
                    format!("landfall edge campaign list; landfall edge campaign start {campaign}, if it is a draft"),
                ),
                Waits::Campaign(..) => {}
                Waits::Wave(wave) => tell(
                    "wave-not-open",
                    format!("{what} waits: the edge is in wave {} of {campaign}, which is not open.", wave + 1),
                    if spec.waves.get(wave).is_some_and(|it| it.approval) {
                        format!("wait until the wave before it is through; then landfall edge campaign approve {campaign}")
                    } else {
                        "wait for it: it opens by itself as soon as the wave before it is through".to_owned()
                    },
                ),
                Waits::Window(at) => tell(
                    "window-closed",
                    format!("{what} waits: no maintenance window is open{}.", at.map(|at| format!(" before {}", time(at))).unwrap_or_default()),
                    "wait for it; a campaign's windows are those that it was made with".to_owned(),
                ),
                Waits::Concurrency(most) => tell(
                    "too-many-at-once",
                    format!("{what} waits: {most} edges are under way, as many as the campaign allows at once."),
                    "wait for one of them to end".to_owned(),
                ),
                Waits::Retry(at) => tell(
                    "tries-again",
                    format!("{what} failed ({reason}) and is tried again at {}.", time(at)),
                    "wait for it; what is wrong with the network or the disk is on the machine".to_owned(),
                ),
                Waits::Edge => match self.unfit(&known, &spec.product, &spec.version, spec.downgrade) {
                    Some(why) => tell(
                        "unfit",
                        format!("{what} cannot be brought there: {why}."),
                        "landfall edge release list: what there is, for which platform".to_owned(),
                    ),
                    None => tell(
                        "target-waits-for-edge",
                        format!("{what} is offered as soon as it checks in and is idle; it is {}, last heard {seen}.",
                            super::book::word_of(known.presence.state).to_lowercase()),
                        match known.presence.state {
                            RuntimeState::Idle => "wait: it is told with its next check-in, in some seconds where it is online".to_owned(),
                            _ => "a task that never ends keeps it busy: look at its activeTask".to_owned(),
                        },
                    ),
                },
                Waits::UnderWay(MemberState::Restarting) if connectivity != Connectivity::Online => tell(
                    "restart-failed",
                    format!("Nothing was heard of it since it began {what} ({}): the new version did not start, or cannot reach the server.", time(member.since)),
                    "on the machine: the service's journal; the agent goes back by itself within a minute where its launcher runs".to_owned(),
                ),
                Waits::UnderWay(state) => tell(
                    "under-way",
                    format!("It is {} for {what} since {}.", state.as_str().to_lowercase(), time(member.since)),
                    "wait: each stage has an end after which it counts as failed".to_owned(),
                ),
                Waits::Final(_) if is_past => {}
                Waits::Final(MemberState::RolledBack) => tell(
                    "rolled-back",
                    format!("{what} did not confirm itself, and the version before runs again: {reason}"),
                    format!("look at its journal; mend the release under a new version, or try again: {}", once_more()),
                ),
                Waits::Final(MemberState::Failed) if member.failure == Some(FailureClass::Verification) => tell(
                    "verification-failed",
                    format!("{what} was fetched and is not what was signed: {reason}"),
                    "compare the key on the machine with the one of `landfall edge keys show`; a proxy on the way may change bytes".to_owned(),
                ),
                Waits::Final(MemberState::Failed) if member.needs_operator() => tell(
                    "needs-operator",
                    format!("{what} will never succeed there by itself: {reason}"),
                    "on the machine: give the agent its trusted key, empty its staging directory, or remove its failed-target file".to_owned(),
                ),
                Waits::Final(state) if state.is_failure() => tell(
                    "failed",
                    format!("{what} ended as {}: {reason}", state.as_str()),
                    once_more(),
                ),
                // A campaign that was given up has left everybody out; one that goes on leaves out this edge.
                Waits::Final(MemberState::Cancelled) if !matches!(state, CampaignState::Aborted | CampaignState::Completed) => tell(
                    "left-out",
                    format!("{what} passes it by, while {campaign} goes on: {reason}."),
                    self.once_more(&spec, (campaign, CampaignState::Aborted), &name),
                ),
                Waits::Final(_) => {}
            }
        }
        if found.is_empty() {
            let text = match is_in_any {
                true => "It is there, and no campaign has anything more to bring to it.",
                false => "It is there; no campaign is to bring anything to it.",
            };
            found.push(Finding {
                cause: "well",
                text: text.to_owned(),
                next: "landfall edge campaign create".to_owned(),
            });
        }
        let findings: Vec<Value> =
            found.iter().map(|it| json!({"cause": it.cause, "text": it.text, "next": it.next})).collect();
        json!({"edge": super::listing::line(&known, now), "findings": findings})
    }
}

impl Control {
    /// What brings a release once more to an edge that has failed: a campaign that was given up is not gone on with.
    fn once_more(&self, spec: &Spec, (campaign, state): (&str, CampaignState), edge: &str) -> String {
        let Spec { product, version, downgrade, .. } = spec;
        if self.releases.offered(product, version).is_none() {
            return format!("another version: {product} {version} was withdrawn (landfall edge release list)");
        }
        let back = if *downgrade { " --downgrade" } else { "" };
        match state {
            CampaignState::Aborted => {
                format!("landfall edge campaign create {version} --product {product} --edge {edge}{back}")
            }
            _ => format!("landfall edge campaign retry {campaign}"),
        }
    }
}

/// Whether a campaign has brought a version of a product to an edge.
fn has_brought(slot: &Slot, edge: EdgeNumber, product: &str) -> bool {
    let brought = |campaign: &Campaign| {
        campaign.spec().product == product
            && campaign.member(edge).is_some_and(|member| member.state == MemberState::Succeeded)
    };
    slot.look(brought).unwrap_or(false)
}

fn told(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Manual => "somebody wished so",
        PauseReason::Failures => "too many edges have failed",
        PauseReason::ThresholdMissed => "all have ended, and too few have succeeded",
        PauseReason::Approval => "the next wave needs somebody's word",
        PauseReason::ReleaseYanked => "the release was withdrawn",
    }
}
