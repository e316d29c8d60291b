//! Edges and their credentials, as they are in memory: what every heartbeat asks.

use std::collections::HashMap;
use std::sync::Arc;

use landfall_diag::{Diagnostic, code, nearest};
use landfall_fleet::protocol::{Installed, Label, RuntimeState};
use landfall_fleet::{Credential, CredentialKind, Pepper, Platform, hex};
use landfall_store::{CredentialRow, EdgeRow, FleetContents, FleetWrite, PresenceRow};
use parking_lot::{Mutex, RwLock};

use super::starts::Starts;

/// Edges and their credentials.
pub(crate) struct Book {
    edges: RwLock<Edges>,
    credentials: RwLock<HashMap<Box<str>, CredentialRow>>,
    heard: Mutex<Vec<Arc<Edge>>>,
}

#[derive(Default)]
struct Edges {
    by_number: Vec<Option<Arc<Edge>>>,
    by_id: HashMap<Box<str>, u32>,
    by_device: HashMap<Box<str>, u32>,
}

/// An edge.
pub(crate) struct Edge {
    pub(crate) number: i64,
    pub(crate) now: Mutex<EdgeNow>,
}

/// How an edge is.
#[derive(Debug, Clone)]
pub(crate) struct EdgeNow {
    pub(crate) row: EdgeRow,
    pub(crate) labels: Vec<Label>,
    pub(crate) presence: Presence,
    /// Whether what was heard is not written yet.
    pub(crate) is_heard: bool,
    /// The starts of its agent before this one: should one go on, there are two machines.
    pub(crate) starts: Starts,
    /// Since when two machines are suspected behind it.
    pub(crate) cloned_at: Option<i64>,
    /// The credential that is to follow, until it is used: told again and again.
    pub(crate) next_credential: Option<(String, i64)>,
}

/// How an edge was when it was heard last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    pub(crate) seen_at: i64,
    pub(crate) installed: Vec<Installed>,
    pub(crate) state: RuntimeState,
    pub(crate) active_task: Option<String>,
    pub(crate) uptime_seconds: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) boot_id: String,
    pub(crate) sequence: u64,
}

/// Whether an edge is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Connectivity {
    Online,
    Stale,
    Offline,
}

/// Seconds until which an edge is online, and until which it is stale.
const ONLINE: i64 = 60;
const STALE: i64 = 300;

impl Connectivity {
    pub(crate) const ALL: [Connectivity; 3] = [Connectivity::Online, Connectivity::Stale, Connectivity::Offline];

    /// By how long ago an edge was seen.
    pub(crate) fn of(seen_at: i64, now: i64) -> Self {
        let ago = now - seen_at;
        if ago <= ONLINE {
            Connectivity::Online
        } else if ago <= STALE {
            Connectivity::Stale
        } else {
            Connectivity::Offline
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Connectivity::Online => "ONLINE",
            Connectivity::Stale => "STALE",
            Connectivity::Offline => "OFFLINE",
        }
    }
}

impl EdgeNow {
    fn of(row: EdgeRow, presence: Presence) -> Self {
        let labels = serde_json::from_str(&row.labels).unwrap_or_default();
        EdgeNow {
            row,
            labels,
            presence,
            is_heard: false,
            starts: Starts::default(),
            cloned_at: None,
            next_credential: None,
        }
    }

    /// Whether it may be upgraded and be told anything.
    pub(crate) fn is_active(&self) -> bool {
        self.row.lifecycle == ACTIVE
    }

    /// What runs there of a product; empty for nothing.
    pub(crate) fn version_of(&self, product: &str) -> &str {
        self.presence.installed.iter().find(|it| it.product == product).map_or("", |it| it.version.as_str())
    }

    /// What an artifact of a product has to fit.
    pub(crate) fn platform_of(&self, product: &str) -> Platform {
        let install = self.presence.installed.iter().find(|it| it.product == product);
        Platform::new(&self.row.platform, &self.row.arch, install.map_or("", |it| it.install_type.as_str()))
    }

    /// What runs there, the first of it.
    pub(crate) fn version(&self) -> &str {
        let first = self.presence.installed.iter().find(|it| it.product != landfall_fleet::protocol::AGENT_PRODUCT);
        first.or_else(|| self.presence.installed.first()).map_or("", |it| it.version.as_str())
    }

    /// How it was when it was heard last, as it is written.
    pub(crate) fn presence_row(&self) -> PresenceRow {
        let presence = &self.presence;
        PresenceRow {
            number: self.row.number,
            seen_at: presence.seen_at,
            installed: serde_json::to_string(&presence.installed).unwrap_or_default(),
            runtime_state: word_of(presence.state).to_owned(),
            active_task: presence.active_task.clone(),
            uptime_seconds: i64::try_from(presence.uptime_seconds).unwrap_or(i64::MAX),
            last_error: presence.last_error.clone(),
            boot_id: presence.boot_id.clone(),
            sequence: i64::try_from(presence.sequence).unwrap_or(i64::MAX),
            starts: self.starts.written(),
        }
    }
}

/// An edge that may do what edges do.
pub(crate) const ACTIVE: &str = "ACTIVE";
/// One that an operator has switched off.
pub(crate) const DISABLED: &str = "DISABLED";
/// One that something is wrong with.
pub(crate) const QUARANTINED: &str = "QUARANTINED";

/// The word of a state.
pub(crate) fn word_of(state: RuntimeState) -> &'static str {
    match state {
        RuntimeState::Idle => "IDLE",
        RuntimeState::Busy => "BUSY",
        RuntimeState::Upgrading => "UPGRADING",
        RuntimeState::Error => "ERROR",
    }
}

/// The state of a word.
pub(crate) fn state_of(word: &str) -> Option<RuntimeState> {
    [RuntimeState::Idle, RuntimeState::Busy, RuntimeState::Upgrading, RuntimeState::Error]
        .into_iter()
        .find(|state| word_of(*state) == word)
}

impl Book {
    pub(crate) fn of(contents: FleetContents) -> Self {
        let mut presence: HashMap<i64, PresenceRow> =
            contents.presence.into_iter().map(|row| (row.number, row)).collect();
        let mut edges = Edges::default();
        for row in contents.edges {
            let heard = presence.remove(&row.number);
            let starts = heard.as_ref().map(|row| Starts::read(&row.starts)).unwrap_or_default();
            let heard = heard.map(|row| Presence {
                seen_at: row.seen_at,
                installed: serde_json::from_str(&row.installed).unwrap_or_default(),
                state: state_of(&row.runtime_state).unwrap_or_default(),
                active_task: row.active_task,
                uptime_seconds: u64::try_from(row.uptime_seconds).unwrap_or(0),
                last_error: row.last_error,
                boot_id: row.boot_id,
                sequence: u64::try_from(row.sequence).unwrap_or(0),
            });
            // What was not written yet when the server was killed: it was there when it enrolled.
            let enrolled = || Presence { seen_at: row.enrolled_at, ..Presence::default() };
            let heard = heard.unwrap_or_else(enrolled);
            edges.put(EdgeNow { starts, ..EdgeNow::of(row, heard) });
        }
        let credentials = contents.credentials.into_iter().map(|row| (row.prefix.as_str().into(), row)).collect();
        Book { edges: RwLock::new(edges), credentials: RwLock::new(credentials), heard: Mutex::new(Vec::new()) }
    }

    /// Takes in an edge that was enrolled; one of its number gives way, with its credentials.
    pub(crate) fn enroll(&self, row: EdgeRow, presence: Presence, credential: CredentialRow, now: i64) -> Arc<Edge> {
        {
            let mut credentials = self.credentials.write();
            for other in credentials.values_mut().filter(|other| other.edge == row.number) {
                other.revoked_at.get_or_insert(now);
            }
            credentials.insert(credential.prefix.as_str().into(), credential);
        }
        let edge = self.edges.write().put(EdgeNow::of(row, presence));
        self.note_heard(&edge);
        edge
    }

    /// Takes in an edge that another system knew, with its credentials.
    pub(crate) fn take_over(&self, row: EdgeRow, presence: Presence, credentials: &[CredentialRow]) {
        self.put_credentials(credentials);
        let edge = self.edges.write().put(EdgeNow::of(row, presence));
        self.note_heard(&edge);
    }

    /// Lets go of an edge.
    pub(crate) fn forget(&self, number: i64) {
        self.credentials.write().retain(|_, row| row.edge != number);
        let mut edges = self.edges.write();
        let Some(edge) = edges.by_number.get_mut(index(number)).and_then(Option::take) else { return };
        let now = edge.now.lock();
        edges.by_id.remove(now.row.id.as_str());
        edges.by_device.remove(now.row.device_number.as_str());
    }

    /// Whose a credential is, if it is good; with the row to be written when it has to be kept anew.
    pub(crate) fn authenticate(
        &self,
        text: &str,
        peppers: &[Pepper],
        now: i64,
    ) -> Option<(Arc<Edge>, String, Option<CredentialRow>)> {
        let credential = Credential::parse(CredentialKind::Edge, text).ok()?;
        let row = self.credentials.read().get(credential.prefix.as_str()).cloned();
        let Some(row) = row else {
            // As long as one that is known would take.
            let _none = peppers.first().is_some_and(|pepper| credential.matches(pepper, &hex(&[0; 32])));
            return None;
        };
        let at = peppers.iter().position(|pepper| credential.matches(pepper, &row.digest))?;
        if row.revoked_at.is_some() || row.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        let edge = self.by_number(row.edge)?;
        let anew = (at > 0).then(|| {
            let row = CredentialRow { digest: credential.digest(&peppers[0]), ..row };
            self.credentials.write().insert(row.prefix.as_str().into(), row.clone());
            row
        });
        Some((edge, credential.prefix, anew))
    }

    /// An edge's credentials.
    pub(crate) fn credentials_of(&self, number: i64) -> Vec<CredentialRow> {
        let mut found: Vec<_> = self.credentials.read().values().filter(|row| row.edge == number).cloned().collect();
        found.sort_by_key(|row| row.created_at);
        found
    }

    /// Puts credentials as they are now.
    pub(crate) fn put_credentials(&self, rows: &[CredentialRow]) {
        let mut credentials = self.credentials.write();
        for row in rows {
            credentials.insert(row.prefix.as_str().into(), row.clone());
        }
    }

    pub(crate) fn by_number(&self, number: i64) -> Option<Arc<Edge>> {
        self.edges.read().by_number.get(index(number))?.clone()
    }

    /// An edge by its identifier or its device number.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Edge>> {
        let edges = self.edges.read();
        let number = edges.by_id.get(name).or_else(|| edges.by_device.get(name))?;
        edges.by_number.get(*number as usize)?.clone()
    }

    /// That there is no such edge, and which may be meant: one that people call so, or one whose number is nearly that.
    pub(crate) fn unknown(&self, name: &str) -> Diagnostic {
        let told = Diagnostic::error(code::NO_SUCH_EDGE, format!("there is no edge {name}"));
        let mut called = Vec::new();
        for edge in self.all() {
            let known = edge.now.lock();
            if known.row.display_name.eq_ignore_ascii_case(name) {
                called.push(known.row.device_number.clone());
            }
        }
        match called.as_slice() {
            [] => {
                let edges = self.edges.read();
                let near = nearest(name, edges.by_device.keys().map(|it| &**it));
                told.did_you_mean(near).help("landfall edge list")
            }
            // A name is nobody's own: what is done to an edge is done by its number.
            [number] => told.help(format!("{name} is what people call {number}")),
            numbers => told.listing("called so are", numbers.iter().take(10)).help("give one of their numbers"),
        }
    }

    /// All of them, by their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<Edge>> {
        self.edges.read().by_number.iter().flatten().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.edges.read().by_id.len()
    }

    /// What was heard of an edge has to be written.
    pub(crate) fn note_heard(&self, edge: &Arc<Edge>) {
        let mut now = edge.now.lock();
        if !now.is_heard {
            now.is_heard = true;
            self.heard.lock().push(Arc::clone(edge));
        }
    }

    /// What was heard and is not written.
    pub(crate) fn take_heard(&self) -> Vec<FleetWrite> {
        let heard = std::mem::take(&mut *self.heard.lock());
        heard
            .iter()
            .map(|edge| {
                let mut now = edge.now.lock();
                now.is_heard = false;
                FleetWrite::Presence(now.presence_row())
            })
            .collect()
    }

    /// How many edges' presence is not written.
    pub(crate) fn unwritten(&self) -> usize {
        self.heard.lock().len()
    }
}

impl Edges {
    fn put(&mut self, now: EdgeNow) -> Arc<Edge> {
        let at = index(now.row.number);
        if self.by_number.len() <= at {
            self.by_number.resize(at + 1, None);
        }
        let short = u32::try_from(at).unwrap_or(u32::MAX);
        self.by_id.insert(now.row.id.as_str().into(), short);
        self.by_device.insert(now.row.device_number.as_str().into(), short);
        let edge = Arc::new(Edge { number: now.row.number, now: Mutex::new(now) });
        self.by_number[at] = Some(Arc::clone(&edge));
        edge
    }
}

fn index(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_whose_presence_was_not_written_was_there_when_it_enrolled() {
        let row = EdgeRow { number: 1, id: "e".to_owned(), enrolled_at: 1_000, ..EdgeRow::default() };
        let book = Book::of(FleetContents { edges: vec![row], ..FleetContents::default() });
        assert_eq!(book.find("e").expect("known").now.lock().presence.seen_at, 1_000);
    }

    #[test]
    fn lp_085_an_edge_is_online_for_a_minute_and_stale_for_five() {
        for (ago, expected) in [
            (0, Connectivity::Online),
            (60, Connectivity::Online),
            (61, Connectivity::Stale),
            (300, Connectivity::Stale),
            (301, Connectivity::Offline),
        ] {
            assert_eq!(Connectivity::of(1000, 1000 + ago), expected, "{ago} seconds");
        }
    }
}
