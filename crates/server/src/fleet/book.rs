//! Edges and their credentials, as they are in memory: what every heartbeat asks.

mod common;
mod credentials;
mod edge;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use landfall_diag::{Diagnostic, code, nearest};
use landfall_fleet::protocol::{Installed, Label, RuntimeState};
use landfall_fleet::{Credential, CredentialKind, PREFIX_BYTES, Pepper, SECRET_BYTES, hex};
use landfall_store::{CredentialRow, EdgeRow, FleetEdges, FleetWrite, PresenceRow};
use parking_lot::{Mutex, RwLock};

use self::common::Common;
use self::credentials::Credentials;
pub(crate) use self::edge::{EdgeNow, LastHeard, Lifecycle, Presence};

/// Edges and their credentials.
#[derive(Default)]
pub(crate) struct Book {
    edges: RwLock<Edges>,
    credentials: RwLock<Credentials>,
    heard: Mutex<VecDeque<Arc<Edge>>>,
    common: Common,
}

#[derive(Default)]
struct Edges {
    by_number: Vec<Option<Arc<Edge>>>,
    by_id: HashMap<Arc<str>, u32>,
    by_device: HashMap<Arc<str>, u32>,
}

/// An edge.
pub(crate) struct Edge {
    pub(crate) number: i64,
    pub(crate) now: Mutex<EdgeNow>,
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
    /// Takes in edges as they were written, with their credentials.
    pub(crate) fn read(&self, written: FleetEdges) {
        let mut presence: HashMap<i64, PresenceRow> =
            written.presence.into_iter().map(|row| (row.number, row)).collect();
        for row in written.edges {
            // What was not written yet when the server was killed: it was there when it enrolled.
            let enrolled = || Presence { seen_at: row.enrolled_at, ..Presence::default() };
            let heard = presence.remove(&row.number).map_or_else(enrolled, Presence::from);
            self.put(row, heard);
        }
        self.put_credentials(&written.credentials);
    }

    fn put(&self, row: EdgeRow, presence: Presence) -> Arc<Edge> {
        let now = EdgeNow::of(row, presence, &self.common);
        self.edges.write().put(now)
    }

    /// Takes in an edge that was enrolled; one of its number gives way, with its credentials.
    pub(crate) fn enroll(&self, row: EdgeRow, presence: Presence, credential: &CredentialRow, now: i64) -> Arc<Edge> {
        let is_known = self.by_number(row.number).is_some();
        {
            let mut credentials = self.credentials.write();
            // Looked for among all: not for each that is new.
            if is_known {
                credentials.revoke(row.number, now);
            }
            credentials.put(credential);
        }
        let edge = self.put(row, presence);
        self.note_heard(&edge);
        edge
    }

    /// Takes in an edge that another system knew, with its credentials.
    pub(crate) fn take_over(&self, row: EdgeRow, presence: Presence, credentials: &[CredentialRow]) {
        self.put_credentials(credentials);
        let edge = self.put(row, presence);
        self.note_heard(&edge);
    }

    /// Lets go of an edge.
    pub(crate) fn forget(&self, number: i64) {
        self.credentials.write().forget(number);
        let mut edges = self.edges.write();
        let Some(edge) = edges.by_number.get_mut(index(number)).and_then(Option::take) else { return };
        let now = edge.now.lock();
        edges.by_id.remove(&now.row.id);
        edges.by_device.remove(&now.row.device_number);
    }

    /// A word that many edges have: a platform, a processor.
    pub(crate) fn word(&self, text: &str) -> Arc<str> {
        self.common.word(text)
    }

    /// Labels as they are kept.
    pub(crate) fn labels(&self, labels: &[Label]) -> Arc<[Label]> {
        self.common.labels(labels)
    }

    /// Takes note of what runs on an edge: what it does not name stays, and no more is kept than there is room for.
    pub(crate) fn note_installed(&self, presence: &mut LastHeard, heard: &[Installed]) {
        const ROOM: usize = 8;
        let is_known = |one: &Installed| match presence.installed.iter().find(|it| it.product == one.product) {
            Some(known) => known == one,
            None => presence.installed.len() >= ROOM,
        };
        if heard.iter().all(is_known) {
            return;
        }
        let mut installed = presence.installed.to_vec();
        for one in heard {
            let has_room = installed.len() < ROOM;
            match installed.iter_mut().find(|it| it.product == one.product) {
                Some(known) => known.clone_from(one),
                None if has_room => installed.push(one.clone()),
                None => {}
            }
        }
        presence.installed = self.common.installed(&installed);
    }

    /// A credential of what is drawn, by whose prefix no other is found: of a hundred thousand edges two are likely to draw the same. None
    /// where nothing can be drawn.
    pub(crate) fn new_credential(
        &self,
        mut draw: impl FnMut() -> Option<([u8; PREFIX_BYTES], [u8; SECRET_BYTES])>,
    ) -> Option<Credential> {
        loop {
            let (prefix, secret) = draw()?;
            let credential = Credential::of_random(CredentialKind::Edge, prefix, secret);
            if self.credentials.read().get(&credential.prefix).is_none() {
                return Some(credential);
            }
        }
    }

    /// Whose a credential is, if it is good; with the row to be written when it has to be kept anew.
    pub(crate) fn authenticate(
        &self,
        text: &str,
        peppers: &[Pepper],
        now: i64,
    ) -> Option<(Arc<Edge>, String, Option<CredentialRow>)> {
        let credential = Credential::parse(CredentialKind::Edge, text).ok()?;
        let row = self.credentials.read().get(&credential.prefix);
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
            self.credentials.write().put(&row);
            row
        });
        Some((edge, credential.prefix, anew))
    }

    /// An edge's credentials.
    pub(crate) fn credentials_of(&self, number: i64) -> Vec<CredentialRow> {
        self.credentials.read().of(number)
    }

    /// Edges that are let in: those with a credential which is not revoked.
    pub(crate) fn let_in(&self) -> HashSet<i64> {
        self.credentials.read().edges()
    }

    /// Puts credentials as they are now.
    pub(crate) fn put_credentials(&self, rows: &[CredentialRow]) {
        let mut credentials = self.credentials.write();
        for row in rows {
            credentials.put(row);
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
                called.push(known.row.device_number.to_string());
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
            self.heard.lock().push_back(Arc::clone(edge));
        }
    }

    /// What was heard and is not written, of so many edges at most, of those first that wait longest.
    pub(crate) fn take_heard(&self, most: usize) -> Vec<FleetWrite> {
        let heard: Vec<_> = {
            let mut heard = self.heard.lock();
            let most = heard.len().min(most);
            heard.drain(..most).collect()
        };
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
        self.by_id.insert(Arc::clone(&now.row.id), short);
        self.by_device.insert(Arc::clone(&now.row.device_number), short);
        let edge = Arc::new(Edge { number: now.row.number, now: Mutex::new(now) });
        self.by_number[at] = Some(Arc::clone(&edge));
        edge
    }
}

fn index(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// How many bytes a table takes that has room for so many: a byte more for each of its places, of which it fills seven in eight.
#[cfg(test)]
fn table_bytes<T>(room: usize) -> usize {
    (room * 8).div_ceil(7).next_power_of_two() * (size_of::<T>() + 1)
}

#[cfg(test)]
impl Book {
    /// How many bytes it takes: of edges, of the ways to them, of credentials. What many have in common is not counted.
    fn bytes(&self) -> [usize; 3] {
        let edges = self.edges.read();
        // Each is behind two counts.
        let place = size_of::<Edge>() + 2 * size_of::<usize>();
        let own = edges.by_number.iter().flatten().map(|edge| place + edge.now.lock().own_bytes());
        let ways = edges.by_number.capacity() * size_of::<Option<Arc<Edge>>>()
            + table_bytes::<(Arc<str>, u32)>(edges.by_id.capacity())
            + table_bytes::<(Arc<str>, u32)>(edges.by_device.capacity());
        [own.sum(), ways, self.credentials.read().bytes()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_store::PresenceRow;

    /// Of a hundred thousand, of which each tenth has labels of its own, each twentieth an error and four starts behind it.
    fn many(of_ours: bool) -> Book {
        const EDGES: i64 = 100_000;
        let book = Book::default();
        for number in 1..=EDGES {
            let boot_id = if of_ours { format!("{number:032x}") } else { String::new() };
            let row = EdgeRow {
                number,
                id: format!("e{number:024x}"),
                device_number: format!("edge-site-{number:010}"),
                display_name: format!("Workshop {number:08}"),
                platform: "linux".to_owned(),
                arch: "x64".to_owned(),
                labels: if number % 10 == 0 {
                    format!(r#"[{{"name":"ring","value":"{}"}}]"#, number % 7)
                } else {
                    "[]".to_owned()
                },
                lifecycle: ACTIVE.to_owned(),
                enrolled_by: "t0123456789abcdef".to_owned(),
                enrolled_at: 1,
                upgrade_status: "IDLE".to_owned(),
                ..EdgeRow::default()
            };
            let is_odd = number % 20 == 0;
            let presence = PresenceRow {
                number,
                seen_at: 1,
                installed: r#"[{"product":"edge-agent","version":"1.0.0","installType":"service"}]"#.to_owned(),
                runtime_state: "IDLE".to_owned(),
                boot_id,
                sequence: 1,
                last_error: is_odd.then(|| "the network was unreachable".to_owned()),
                starts: if is_odd && of_ours {
                    r#"[["0000000000000001",1],["0000000000000002",1],["0000000000000003",1],["0000000000000004",1]]"#
                } else {
                    "[]"
                }
                .to_owned(),
                ..PresenceRow::default()
            };
            let credential = CredentialRow {
                prefix: format!("{number:08x}"),
                edge: number,
                digest: hex(&[7; 32]),
                created_at: 1,
                expires_at: None,
                revoked_at: None,
            };
            book.read(FleetEdges { edges: vec![row], presence: vec![presence], credentials: vec![credential] });
        }
        book
    }

    /// 150 MB are meant for a whole server that knows so many: half of them are the book's at most.
    #[test]
    fn a_hundred_thousand_edges_take_less_than_seven_hundred_bytes_each() {
        for (of_ours, most) in [(false, 600), (true, 660)] {
            let book = many(of_ours);
            let bytes = book.bytes();
            let each = bytes.iter().sum::<usize>() / book.count();
            assert!(each <= most, "{each} bytes each, of them {bytes:?} of all for edges, ways to them, credentials");
            assert!(size_of::<Edge>() <= 256, "an edge's place is {} bytes", size_of::<Edge>());
            assert_eq!(book.common.counts()[1..], [8, 1], "labels and programs that many have are kept once");
        }
    }

    #[test]
    fn no_two_edges_are_found_by_one_prefix() {
        let book = Book::default();
        let mut drawn = [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 5]].into_iter();
        let mut draw = || Some((drawn.next()?, [9; SECRET_BYTES]));
        let first = book.new_credential(&mut draw).expect("drawn");
        let (prefix, digest) = (first.prefix, hex(&[7; 32]));
        book.put_credentials(&[CredentialRow {
            prefix,
            edge: 1,
            digest,
            created_at: 1,
            expires_at: None,
            revoked_at: None,
        }]);
        assert_eq!(book.new_credential(&mut draw).map(|it| it.prefix).as_deref(), Some("01020305"));
        assert!(book.new_credential(&mut draw).is_none(), "nothing is left to be drawn");
    }

    #[test]
    fn who_waits_longest_to_be_written_is_written_first_and_once() {
        let book = Book::default();
        let row = |number| EdgeRow { number, id: format!("e{number}"), ..EdgeRow::default() };
        book.read(FleetEdges { edges: (1..=5).map(row).collect(), ..FleetEdges::default() });
        let heard = |number| book.note_heard(&book.by_number(number).expect("known"));
        let written = |most| {
            let number = |write| match write {
                FleetWrite::Presence(row) => row.number,
                other => panic!("{other:?}"),
            };
            book.take_heard(most).into_iter().map(number).collect::<Vec<_>>()
        };
        [3, 1, 3, 5].into_iter().for_each(heard);
        assert_eq!(written(2), [3, 1]);
        [3, 2].into_iter().for_each(heard);
        assert_eq!((written(2), written(9), book.unwritten()), (vec![5, 3], vec![2], 0));
    }

    #[test]
    fn an_edge_whose_presence_was_not_written_was_there_when_it_enrolled() {
        let row = EdgeRow { number: 1, id: "e".to_owned(), enrolled_at: 1_000, ..EdgeRow::default() };
        let book = Book::default();
        book.read(FleetEdges { edges: vec![row], ..FleetEdges::default() });
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
