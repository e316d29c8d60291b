//! Campaigns: what happened is handed to `landfall_fleet::campaign::step`, and what follows is written and told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use landfall_diag::{Diagnostic, code};
use landfall_fleet::campaign::{
    Action, Campaign, CampaignState, Counts, EdgeNumber, Member, MemberState, Observation, PauseReason, Spec, order,
    step,
};
use landfall_fleet::{Selected, Selector, Version, Window, Windows, legacy_newer};
use landfall_store::{CampaignRow, FleetContents, FleetWrite};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::Control;
use super::book::EdgeNow;
use super::following::Following;
use super::hearing::Report;
use super::ledger::Written;
use super::rows::{campaign_row, member_of, member_row};

/// How many changes who listens may be behind before all is told anew.
const FEED: usize = 1024;

/// Why an edge cannot be brought to an older version, by our own agent and by the existing one.
pub(crate) const NO_CONSENT: &str = "no signed consent says that it may go back there";
pub(crate) const NO_NEWER: &str = "the existing agent does not take that version for a newer one";

/// Campaigns, in the order in which they were made.
pub(crate) struct Campaigns {
    slots: RwLock<Slots>,
    pub(crate) following: Following,
    feed: broadcast::Sender<Arc<str>>,
}

#[derive(Default)]
struct Slots {
    all: Vec<Arc<Slot>>,
    by_id: HashMap<String, Arc<Slot>>,
}

/// A campaign with what is written of it.
pub(crate) struct Slot {
    pub(crate) row: CampaignRow,
    /// Absent for no longer than a step takes.
    campaign: Mutex<Option<Campaign>>,
}

/// A campaign that is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct NewCampaign {
    /// For people.
    pub name: String,
    /// Of which product; `edge-agent` if not said.
    pub product: Option<String>,
    /// Which version.
    pub version: String,
    /// Which edges: `site=berlin,version<1.2.0`; all when empty.
    pub selector: String,
    /// These edges alone, by identifier or device number; as the selector says when empty.
    pub edges: Vec<String>,
    /// `1,10%,100%`; that if not said.
    pub waves: Option<String>,
    /// How long a wave rests once enough have succeeded, in seconds.
    pub soak_seconds: Option<u64>,
    /// How many of a hundred have to succeed in each wave.
    pub success_percent: Option<u32>,
    /// With more failures than these a wave is paused.
    pub max_failures: Option<u32>,
    /// With more failures among a hundred that ended a wave is paused.
    pub max_failure_percent: Option<u32>,
    /// But not before so many have ended.
    pub min_completed: Option<u32>,
    /// Whether somebody has to agree before each wave but the first.
    pub approval: bool,
    /// When upgrades may begin, as `mon,tue 22:00 4h Europe/Berlin`.
    pub windows: Vec<String>,
    /// How many edges may be under way at once.
    pub max_concurrent: Option<u32>,
    /// How fast an edge may fetch.
    pub bytes_per_second: Option<u64>,
    /// Whether edges go back to an older version.
    pub downgrade: bool,
    /// Whether an edge that was not there is left as it is when it comes back.
    pub no_catch_up: bool,
    /// How often an edge tries.
    pub max_attempts: Option<u32>,
    /// How long is waited for bytes, in seconds.
    pub download_timeout: Option<i64>,
    /// How long is waited for the new version, in seconds.
    pub restart_timeout: Option<i64>,
    /// How long is waited for an edge that is not there, in seconds.
    pub offline_timeout: Option<i64>,
    /// Whether nothing is begun yet.
    pub draft: bool,
}

/// What a campaign would be.
pub(crate) struct Planned {
    pub(crate) spec: Spec,
    pub(crate) members: Vec<(String, EdgeNumber)>,
    /// Edges that were meant and are left out, and why.
    pub(crate) left_out: Vec<(String, &'static str)>,
}

impl Campaigns {
    pub(crate) fn of(contents: &FleetContents, now: i64) -> Result<Self, Diagnostic> {
        let damaged = |what: &str, error: String| {
            Diagnostic::error(code::FLEET_UNWRITTEN, format!("the campaign {what} cannot be read from the store"))
                .note(error)
        };
        let mut members: BTreeMap<&str, Vec<Member>> = BTreeMap::new();
        for row in &contents.members {
            let member = member_of(row).ok_or_else(|| damaged(&row.campaign, format!("{row:?}")))?;
            members.entry(&row.campaign).or_default().push(member);
        }
        let campaigns =
            Campaigns { slots: RwLock::default(), following: Following::default(), feed: broadcast::Sender::new(FEED) };
        for row in &contents.campaigns {
            let spec = serde_json::from_str(&row.spec).map_err(|error| damaged(&row.id, error.to_string()))?;
            let standing = serde_json::from_str(&row.standing).map_err(|error| damaged(&row.id, error.to_string()))?;
            let of_it = members.remove(row.id.as_str()).unwrap_or_default();
            let campaign = Mutex::new(Some(Campaign::restore(spec, standing, of_it)));
            campaigns.put(&Arc::new(Slot { row: row.clone(), campaign }), now);
        }
        Ok(campaigns)
    }

    fn put(&self, slot: &Arc<Slot>, now: i64) {
        let mut slots = self.slots.write();
        slots.all.push(Arc::clone(slot));
        slots.by_id.insert(slot.row.id.clone(), Arc::clone(slot));
        drop(slots);
        self.following.begin(slot, now);
    }

    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        self.slots.read().all.clone()
    }

    /// The campaigns that hear an edge, and the one that it reports on, in the order in which they were made.
    pub(crate) fn heard_by(&self, edge: EdgeNumber, report: Option<&Report>) -> Vec<Arc<Slot>> {
        let mut slots = self.following.of(edge);
        let named = report.and_then(|report| report.attempt.as_ref());
        let named = named.and_then(|(id, _)| self.slots.read().by_id.get(id).cloned());
        if let Some(named) = named
            && let Err(at) = slots.binary_search_by_key(&named.row.number, |it| it.row.number)
        {
            slots.insert(at, named);
        }
        slots
    }

    /// A campaign by its identifier or name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Slot>> {
        let slots = self.slots.read();
        let found = slots.by_id.get(name);
        found.or_else(|| slots.all.iter().rev().find(|slot| slot.row.name == name)).cloned()
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.feed.subscribe()
    }

    /// How many campaigns are at what.
    pub(crate) fn states(&self) -> BTreeMap<String, u64> {
        let mut states = BTreeMap::new();
        for slot in self.all() {
            let state = slot.look(|campaign| word(&campaign.standing().state));
            *states.entry(state.unwrap_or_default()).or_default() += 1;
        }
        states
    }
}

impl Slot {
    /// Looks at the campaign.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Campaign) -> T) -> Option<T> {
        self.campaign.lock().as_ref().map(look)
    }

    /// How it stands, for people and programs.
    pub(crate) fn told(&self) -> Value {
        let row = &self.row;
        let told = self.look(|campaign| {
            let standing = campaign.standing();
            let waves: Vec<Value> = campaign.spec().waves.iter().zip(campaign.counts()).map(wave_told).collect();
            json!({
                "id": row.id, "name": row.name, "product": campaign.spec().product, "version": campaign.spec().version,
                "selector": row.selector, "createdAt": time(row.created_at), "createdBy": row.created_by,
                "undoes": row.undoes, "state": standing.state, "pauseReason": standing.pause_reason,
                "soaksUntil": campaign.soaks_until().map(time), "why": why(campaign),
                "wave": standing.wave, "startedAt": standing.started_at.map(time),
                "finishedAt": standing.finished_at.map(time), "edges": campaign.members().len(),
                "counts": total(campaign.counts()), "waves": waves, "spec": campaign.spec(),
            })
        });
        told.unwrap_or_default()
    }
}

impl Control {
    /// Tells a campaign what happened, under its lock; what is to be written is put down in the same order.
    pub(crate) fn step(
        &self,
        slot: &Arc<Slot>,
        observations: &[Observation],
        now: i64,
    ) -> (Vec<Action>, Option<Written>) {
        let mut held = slot.campaign.lock();
        let Some(campaign) = held.take() else { return (Vec::new(), None) };
        let (campaign, actions) = step(campaign, observations, now);
        let mut writes = Vec::new();
        for action in &actions {
            match action {
                Action::Changed { edge, from, to } => {
                    if campaign.hears(*edge, now) {
                        self.campaigns.following.add(slot, *edge);
                    }
                    writes.extend(member_row(&slot.row.id, &campaign, *edge).map(FleetWrite::Member));
                    let reason = campaign.member(*edge).and_then(|it| it.reason.clone()).map(|it| format!(": {it}"));
                    let text = format!(
                        "{} → {} on the way to {} {} in {}{}",
                        from.as_str(),
                        to.as_str(),
                        campaign.spec().product,
                        campaign.spec().version,
                        slot.row.name,
                        reason.unwrap_or_default()
                    );
                    let event = self.ledger.event(now, (*edge, &slot.row.id), "attempt", text);
                    self.tell(slot, &campaign, Some((*edge, *to)), event.number);
                    writes.push(FleetWrite::Event(event));
                    self.numbers.count("landfall_edge_attempts_total", to.as_str());
                }
                Action::Became => {
                    writes.push(FleetWrite::Campaign(campaign_row(&slot.row, campaign.standing())));
                    let standing = campaign.standing();
                    let reason = standing.pause_reason.map(|it| format!(" ({})", word(&it))).unwrap_or_default();
                    let text = format!("{}{reason}, wave {}", word(&standing.state), standing.wave + 1);
                    let event = self.ledger.event(now, (0, &slot.row.id), "campaign", text);
                    self.tell(slot, &campaign, None, event.number);
                    if standing.state == CampaignState::Paused && standing.pause_reason == Some(PauseReason::Failures) {
                        self.numbers.count("landfall_edge_halts_total", "");
                        tracing::warn!("the campaign {} is paused: too many edges have failed", slot.row.name);
                    }
                    writes.push(FleetWrite::Event(event));
                }
                Action::Ignored { .. } => self.numbers.count("landfall_edge_ignored_reports_total", ""),
                Action::Offer { .. } => {}
            }
        }
        let written = (!writes.is_empty()).then(|| self.ledger.put(writes));
        *held = Some(campaign);
        (actions, written)
    }

    fn tell(&self, slot: &Slot, campaign: &Campaign, edge: Option<(EdgeNumber, MemberState)>, number: i64) {
        if self.campaigns.feed.receiver_count() == 0 {
            return;
        }
        let standing = campaign.standing();
        let id = edge.and_then(|(edge, _)| self.book.by_number(edge)).map(|edge| edge.now.lock().row.id.to_string());
        let told = json!({
            "number": number, "campaign": slot.row.id, "name": slot.row.name, "state": standing.state,
            "pauseReason": standing.pause_reason, "wave": standing.wave, "counts": total(campaign.counts()),
            "edge": id, "edgeState": edge.map(|(_, state)| state),
        });
        let _nobody = self.campaigns.feed.send(told.to_string().into());
    }

    /// Time has passed.
    pub(crate) fn tick_campaigns(&self) {
        let now = self.now();
        for slot in self.campaigns.all() {
            let open = slot.look(|campaign| campaign.is_open() || campaign.under_way() > 0).unwrap_or(false);
            if open {
                let _written = self.step(&slot, &[Observation::Tick], now);
            }
        }
    }

    /// Tells campaigns what was written of releases and edges and not yet told them when a server was killed.
    pub(crate) fn tell_campaigns(&self) {
        let now = self.now();
        let mut let_in = None;
        for slot in self.campaigns.all().into_iter().filter(|slot| slot.look(Campaign::is_open).unwrap_or(false)) {
            let awaited = |campaign: &Campaign| {
                let members = campaign.members().iter().filter(|member| !member.state.is_final());
                let Spec { product, version, .. } = campaign.spec();
                (product.clone(), version.clone(), members.map(|member| member.edge).collect::<Vec<_>>())
            };
            let Some((product, version, edges)) = slot.look(awaited) else { continue };
            let mut missed = Vec::new();
            if self.releases.is_withdrawn(&product, &version) {
                missed.push(Observation::Yanked);
            }
            for edge in edges {
                if !self.book.by_number(edge).is_some_and(|known| known.now.lock().is_active()) {
                    missed.push(Observation::Left { edge });
                } else if !let_in.get_or_insert_with(|| self.book.let_in()).contains(&edge) {
                    missed.push(Observation::Revoked { edge });
                }
            }
            if !missed.is_empty() {
                let _written = self.step(&slot, &missed, now);
            }
        }
    }

    /// The release was withdrawn.
    pub(crate) async fn yanked(&self, product: &str, version: &str) -> Result<(), Diagnostic> {
        for slot in self.campaigns.all() {
            let of_it = |campaign: &Campaign| {
                campaign.is_open() && campaign.spec().product == product && campaign.spec().version == version
            };
            if slot.look(of_it).unwrap_or(false) {
                self.changed(&slot, &[Observation::Yanked]).await?;
            }
        }
        Ok(())
    }

    /// Tells a campaign what somebody wishes, and waits until it is written.
    pub(crate) async fn changed(&self, slot: &Arc<Slot>, observations: &[Observation]) -> Result<(), Diagnostic> {
        let (_, written) = self.step(slot, observations, self.now());
        match written {
            Some(written) => written.end().await.map_err(|_| super::answers::unwritten()),
            None => Ok(()),
        }
    }

    /// What a campaign would be: which edges, in which waves, and which are left out.
    pub(crate) fn plan_campaign(&self, new: &NewCampaign) -> Result<Planned, Diagnostic> {
        let bad = |text: String| Diagnostic::error(code::BAD_REQUEST, text).note("nothing was changed");
        let product = new.product.clone().unwrap_or_else(|| landfall_fleet::protocol::DEFAULT_PRODUCT.to_owned());
        let version = Version::parse(&new.version).map_err(|error| bad(error.to_string()))?;
        let release = self.releases.offered(&product, &version.to_string()).ok_or_else(|| {
            bad(format!("{product} {version} is not registered, or was withdrawn")).help("landfall edge release list")
        })?;
        let spec = spec_of(new, &product, &version.to_string()).map_err(bad)?;
        let selector = Selector::parse(&new.selector).map_err(|error| bad(error.to_string()))?;
        let edges = if new.edges.is_empty() {
            self.book.all()
        } else {
            let found = new.edges.iter().map(|name| self.book.find(name).ok_or_else(|| self.book.unknown(name)));
            found.collect::<Result<Vec<_>, _>>()?
        };
        let (mut members, mut left_out) = (Vec::new(), Vec::new());
        for edge in edges {
            let now = edge.now.lock();
            let selected = Selected {
                device_number: &now.row.device_number,
                platform: &now.row.platform,
                arch: &now.row.arch,
                version: now.version_of(&product),
                labels: &now.row.labels,
            };
            if !selector.selects(selected) {
                continue;
            }
            match self.unfit(&now, &product, &release.row.version, spec.downgrade) {
                Some(why) => left_out.push((now.row.device_number.to_string(), why)),
                None => members.push((now.row.id.to_string(), edge.number)),
            }
        }
        Ok(Planned { spec, members, left_out })
    }

    /// Why an edge cannot be brought to a release, if it cannot.
    pub(crate) fn unfit(&self, edge: &EdgeNow, product: &str, version: &str, downgrade: bool) -> Option<&'static str> {
        if !edge.is_active() {
            return Some("it is disabled or in quarantine");
        }
        if self.releases.is_withdrawn(product, version) {
            return Some("the release was withdrawn");
        }
        if !edge.runs(product) {
            return Some("nothing of that product is installed there");
        }
        let current = edge.version_of(product);
        if !current.is_empty() {
            match (Version::parse(current), Version::parse(version)) {
                (Ok(current), Ok(wanted)) if current == wanted => return Some("it runs that version already"),
                (Ok(current), Ok(wanted)) if current > wanted && !downgrade => {
                    return Some("a newer version runs there, and the campaign is none that goes back");
                }
                _ => {}
            }
        }
        let platform = edge.platform_of(product);
        let Some(artifact) = self.releases.artifact(product, version, &platform) else {
            return Some("the release has no artifact for its platform");
        };
        if edge.is_existing_agent() {
            if artifact.legacy_signature.is_none() {
                return Some("the artifact has no signature of the kind that the existing agent wants");
            }
            if self.address.is_none() {
                return Some("this server has no https address from which the existing agent would fetch (--edge-url)");
            }
            if !legacy_newer(current, version) {
                return Some(NO_NEWER);
            }
        } else if !self.releases.is_signed(product, version, &platform, downgrade, self.now()) {
            return Some(if downgrade {
                NO_CONSENT
            } else {
                "the signed targets do not name the artifact, or have run out"
            });
        }
        None
    }

    /// Makes a campaign, and begins it unless it is a draft.
    pub(crate) async fn create_campaign(
        &self,
        new: &NewCampaign,
        (by, undoes): (&str, &str),
    ) -> Result<(Arc<Slot>, Vec<(String, &'static str)>), Diagnostic> {
        let planned = self.plan_campaign(new)?;
        if planned.members.is_empty() {
            let mut told = Diagnostic::error(code::BAD_REQUEST, "no edge is to be brought to that version");
            for (edge, why) in planned.left_out.iter().take(5) {
                told = told.note(format!("{edge}: {why}"));
            }
            return Err(told.note("nothing was changed").help("landfall edge list"));
        }
        let now = self.now();
        let bytes: [u8; 5] = super::random()?;
        let id = format!("c{}", landfall_fleet::hex(&bytes));
        let edges = order(&id, planned.members);
        let campaign = Campaign::new(planned.spec, edges);
        let number = self.campaigns.slots.read().all.iter().map(|slot| slot.row.number).max().unwrap_or(0) + 1;
        let name = match new.name.trim() {
            "" => format!("{}-{}", campaign.spec().product, campaign.spec().version),
            name => name.chars().take(64).collect(),
        };
        let row = CampaignRow {
            id: id.clone(),
            number,
            name,
            selector: new.selector.clone(),
            spec: serde_json::to_string(campaign.spec()).unwrap_or_default(),
            standing: serde_json::to_string(campaign.standing()).unwrap_or_default(),
            created_at: now,
            created_by: by.to_owned(),
            undoes: undoes.to_owned(),
        };
        let mut writes = vec![FleetWrite::Campaign(row.clone())];
        writes.extend(
            campaign.members().iter().filter_map(|it| member_row(&id, &campaign, it.edge)).map(FleetWrite::Member),
        );
        self.ledger.write(writes).await.map_err(|_| super::answers::unwritten())?;
        let slot = Arc::new(Slot { row, campaign: Mutex::new(Some(campaign)) });
        self.campaigns.put(&slot, now);
        if !new.draft {
            self.changed(&slot, &[Observation::Start]).await?;
        }
        Ok((slot, planned.left_out))
    }
}

fn spec_of(new: &NewCampaign, product: &str, version: &str) -> Result<Spec, String> {
    let waves = new.waves.as_deref().unwrap_or("1,10%,100%");
    let mut spec = Spec::new(product, version, waves).map_err(|error| error.to_string())?;
    for (index, wave) in spec.waves.iter_mut().enumerate() {
        wave.soak_seconds = new.soak_seconds.unwrap_or(wave.soak_seconds);
        wave.success_percent = new.success_percent.unwrap_or(wave.success_percent);
        if new.max_failures.is_some() || new.max_failure_percent.is_some() {
            wave.max_failures = new.max_failures;
            wave.max_failure_percent = new.max_failure_percent;
        }
        wave.min_completed = new.min_completed.unwrap_or(wave.min_completed);
        wave.approval = new.approval && index > 0;
    }
    let windows: Result<Vec<Window>, _> = new.windows.iter().map(|text| Window::parse(text)).collect();
    spec.windows = Windows(windows.map_err(|error| error.to_string())?);
    spec.max_concurrent = new.max_concurrent;
    spec.bytes_per_second = new.bytes_per_second;
    spec.downgrade = new.downgrade;
    spec.catch_up = !new.no_catch_up;
    spec.max_attempts = new.max_attempts.unwrap_or(spec.max_attempts);
    spec.timeouts.downloading = new.download_timeout.unwrap_or(spec.timeouts.downloading);
    spec.timeouts.restarting = new.restart_timeout.unwrap_or(spec.timeouts.restarting);
    spec.timeouts.offline = new.offline_timeout.unwrap_or(spec.timeouts.offline);
    spec.check().map_err(|error| error.to_string())?;
    Ok(spec)
}

/// Why a campaign offers nothing just now, in a word or two.
fn why(campaign: &Campaign) -> Option<String> {
    match campaign.soaks_until() {
        Some(until) => Some(format!("soaks until {}", time(until))),
        None => campaign.standing().pause_reason.map(|reason| word(&reason)),
    }
}

fn wave_told((wave, counts): (&landfall_fleet::campaign::Wave, &Counts)) -> Value {
    json!({"upTo": wave.up_to, "counts": counts})
}

/// All waves together.
fn total(counts: &[Counts]) -> Value {
    let sum = |of: fn(&Counts) -> u32| counts.iter().map(of).sum::<u32>();
    json!({
        "assigned": sum(|it| it.assigned), "queued": sum(|it| it.queued), "underWay": sum(|it| it.under_way),
        "succeeded": sum(|it| it.succeeded), "failed": sum(|it| it.failed), "rolledBack": sum(|it| it.rolled_back),
        "timedOut": sum(|it| it.timed_out), "skipped": sum(|it| it.skipped), "cancelled": sum(|it| it.cancelled),
    })
}

/// A time as people read it.
pub(crate) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// A value's word.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}
