//! A server that speaks the agent's own protocol, with the keys that a fleet has: as much of one as the agent is to be held against.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use landfall_fleet::delta::DeltaWriter;
use landfall_fleet::protocol::{CheckIn, Desired, Direction, Enroll, Enrolled, Progress, Refused, Rotated};
use landfall_fleet::{
    Consent, Content, DELTA_FORMAT, Delta, Platform, Role, Root, Signed, SigningKey, Target, TargetCustom, Targets,
    Timestamp, UpgradeStatus, sha256_hex,
};

/// The token that enrolls.
pub(crate) const TOKEN: &str = "etr_live_0a1b2c3d_00112233445566778899aabbccddeeff0011223344556677";
/// How long anything may take. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Default)]
pub(crate) struct Heard {
    check_ins: Vec<(String, CheckIn)>,
    /// The first that counts.
    since: usize,
    attempt: String,
}

impl Heard {
    fn last(&self) -> Option<&CheckIn> {
        self.check_ins[self.since..].last().map(|(_, said)| said)
    }

    pub(crate) fn version(&self, product: &str) -> Option<&str> {
        let said = self.last()?;
        said.installed.iter().find(|installed| installed.product == product).map(|installed| installed.version.as_str())
    }

    fn progress(&self) -> impl Iterator<Item = &Progress> {
        self.check_ins[self.since..].iter().filter_map(|(_, said)| said.progress.as_ref())
    }

    pub(crate) fn said(&self, status: UpgradeStatus) -> bool {
        self.progress().any(|progress| progress.status == status)
    }

    /// Whether the attempt that is wanted now came to this.
    pub(crate) fn came_to(&self, status: UpgradeStatus) -> bool {
        self.progress().any(|progress| progress.attempt == self.attempt && progress.status == status)
    }

    /// The names that the starts gave themselves; each has counted what it said.
    pub(crate) fn boots(&self) -> Vec<String> {
        let mut boots: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, said) in &self.check_ins {
            let before = boots.insert(&said.boot_id, said.sequence).unwrap_or_default();
            assert!(said.sequence > before, "{} said {} after {before}", said.boot_id, said.sequence);
        }
        boots.into_keys().map(str::to_owned).collect()
    }

    pub(crate) fn credential(&self) -> String {
        self.check_ins.last().map(|(credential, _)| credential.clone()).unwrap_or_default()
    }
}

fn ends(status: UpgradeStatus) -> bool {
    matches!(status, UpgradeStatus::Succeeded | UpgradeStatus::Failed | UpgradeStatus::RolledBack)
}

#[derive(Default)]
struct State {
    heard: Heard,
    credentials: Vec<String>,
    rotated: Option<String>,
    artifacts: BTreeMap<String, Vec<u8>>,
    fetched: Vec<String>,
    digests: BTreeMap<(String, String), String>,
    targets: BTreeMap<String, Target>,
    consents: Vec<Consent>,
    files: BTreeMap<String, Vec<u8>>,
    version: u64,
    desired: Option<Desired>,
    attempts: u32,
    break_off: bool,
    ranges: usize,
    /// How many numbers will be told to be taken.
    taken: u32,
    cancel: Option<String>,
}

pub(crate) struct Server {
    address: String,
    state: Arc<(Mutex<State>, Condvar)>,
    offline: SigningKey,
    online: SigningKey,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::of_seed([seed; 32]).expect("a key")
}

fn in_days(days: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)
}

fn signed<T: serde::Serialize>(document: &T, key: &SigningKey) -> Vec<u8> {
    serde_json::to_vec(&Signed::by(document, &[key]).expect("canonical")).expect("JSON")
}

fn json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("JSON")
}

fn target(product: &str, version: &str, counter: u64, file: &str, bytes: &[u8]) -> Target {
    let custom = TargetCustom {
        product: product.to_owned(),
        version: version.to_owned(),
        counter,
        platform: Platform::new(std::env::consts::OS, std::env::consts::ARCH, "service"),
        file_name: file.to_owned(),
        deltas: Vec::new(),
    };
    Target::new(&sha256_hex(bytes), bytes.len() as u64, custom)
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let server = Self { address, state, offline: key(1), online: key(2) };
        let roles = [
            (Role::Root, vec![server.offline.public()], 1),
            (Role::Targets, vec![server.offline.public()], 1),
            (Role::Timestamp, vec![server.online.public()], 1),
        ];
        let root = signed(&Root::new(1, in_days(300), &roles), &server.offline);
        server.lock().files.insert("root/1".to_owned(), root);
        server.sign();
        let shared = server.state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || while serve(&stream, &shared).is_some() {});
            }
        });
        server
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().expect("nobody panicked")
    }

    /// Waits until what was heard is so.
    pub(crate) fn wait(&self, what: &str, so: impl Fn(&Heard) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while !so(&state.heard) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}: never. Last: {:?}", state.heard.last());
            state = self.state.1.wait_timeout(state, left).expect("nobody panicked").0;
        }
    }

    pub(crate) fn wait_for_check_ins(&self, count: usize) {
        let before = self.lock().heard.check_ins.len();
        self.wait("check-ins", |heard| heard.check_ins.len() >= before + count);
    }

    /// What was heard before says nothing any more.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.heard.since = state.heard.check_ins.len();
    }

    pub(crate) fn progress(&self) -> Vec<Progress> {
        self.lock().heard.progress().cloned().collect()
    }

    pub(crate) fn reasons(&self) -> Vec<String> {
        self.progress().into_iter().filter_map(|progress| progress.reason).collect()
    }

    pub(crate) fn attempt(&self) -> String {
        self.lock().heard.attempt.clone()
    }

    pub(crate) fn ranges(&self) -> usize {
        self.lock().ranges
    }

    pub(crate) fn break_off_once(&self) {
        self.lock().break_off = true;
    }

    pub(crate) fn publish(&self, product: &str, version: &str, counter: u64, file: &str, bytes: Vec<u8>) {
        let target = target(product, version, counter, file, &bytes);
        self.put(product, version, target, bytes);
    }

    /// As [`Self::publish`], with a delta from what was published before. Gives the digests of both.
    pub(crate) fn publish_after(
        &self,
        (product, before): (&str, &str),
        version: &str,
        counter: u64,
        file: &str,
        bytes: Vec<u8>,
    ) -> [String; 2] {
        let base = self.lock().digests[&(product.to_owned(), before.to_owned())].clone();
        let old = self.lock().artifacts[&base].clone();
        let common = old.len().min(bytes.len());
        let mut writer = DeltaWriter::new();
        writer.step(0, (&old[..common], &bytes[..common]), &bytes[common..]).expect("memory");
        let delta = writer.finish().expect("memory");
        let digests = [sha256_hex(&bytes), sha256_hex(&delta)];
        let mut target = target(product, version, counter, file, &bytes);
        target.custom.deltas.push(json(&Delta {
            format: DELTA_FORMAT.to_owned(),
            version: before.to_owned(),
            base,
            from: Content::of(&old),
            to: Content::of(&bytes),
            own: Content::of(&delta),
        }));
        self.lock().artifacts.insert(digests[1].clone(), delta);
        self.put(product, version, target, bytes);
        digests
    }

    /// Has lost the bytes of this digest.
    pub(crate) fn lose(&self, sha256: &str) {
        self.lock().artifacts.remove(sha256);
    }

    /// Whether bytes of this digest were asked for.
    pub(crate) fn was_asked_for(&self, sha256: &str) -> bool {
        self.lock().fetched.iter().any(|fetched| fetched == sha256)
    }

    fn put(&self, product: &str, version: &str, target: Target, bytes: Vec<u8>) {
        let digest = target.sha256().to_owned();
        let mut state = self.lock();
        state.targets.insert(target.path(), target);
        state.digests.insert((product.to_owned(), version.to_owned()), digest.clone());
        state.artifacts.insert(digest, bytes);
        drop(state);
        self.sign();
    }

    /// Serves other bytes under the digest of those that were signed.
    pub(crate) fn exchange(&self, product: &str, version: &str, bytes: Vec<u8>) {
        let mut state = self.lock();
        let digest = state.digests[&(product.to_owned(), version.to_owned())].clone();
        state.artifacts.insert(digest, bytes);
    }

    pub(crate) fn consent(&self, product: &str, version: &str) {
        let consent =
            Consent { product: product.to_owned(), version: version.to_owned(), expires: in_days(1).to_string() };
        self.lock().consents.push(consent);
        self.sign();
    }

    fn sign(&self) {
        let mut state = self.lock();
        state.version += 1;
        let mut targets = Targets::new(state.version, in_days(180));
        targets.targets.clone_from(&state.targets);
        targets.downgrades.clone_from(&state.consents);
        let targets = signed(&targets, &self.offline);
        let timestamp = Timestamp::new(state.version, in_days(3), &targets, state.version);
        state.files.insert("timestamp".to_owned(), signed(&timestamp, &self.online));
        state.files.insert("targets".to_owned(), targets);
    }

    pub(crate) fn desire(&self, product: &str, version: &str, file: &str) {
        self.desire_within(product, version, file, None);
    }

    /// As [`Self::desire`], in a window that ends.
    pub(crate) fn desire_until(&self, product: &str, version: &str, file: &str, end: jiff::Timestamp) {
        self.desire_within(product, version, file, Some(end.as_second()));
    }

    fn desire_within(&self, product: &str, version: &str, file: &str, not_after: Option<i64>) {
        let mut state = self.lock();
        state.attempts += 1;
        let attempt = format!("attempt-{}", state.attempts);
        let digest = state.digests.get(&(product.to_owned(), version.to_owned())).cloned().unwrap_or_default();
        state.heard.attempt.clone_from(&attempt);
        state.desired = Some(Desired {
            attempt,
            product: product.to_owned(),
            version: version.to_owned(),
            target: format!("{product}/{version}/{file}"),
            url: format!("/edge/v1/artifacts/{digest}/{file}"),
            bytes_per_second: None,
            not_after,
            downgrade: false,
        });
    }

    /// The window has no end any more.
    pub(crate) fn window_stays_open(&self) {
        if let Some(desired) = &mut self.lock().desired {
            desired.not_after = None;
        }
    }

    /// Nobody wants the version any more.
    pub(crate) fn cancel(&self) {
        let mut state = self.lock();
        state.cancel = state.desired.take().map(|desired| desired.attempt);
    }

    /// So many numbers are another device's.
    pub(crate) fn numbers_are_taken(&self, count: u32) {
        self.lock().taken = count;
    }

    pub(crate) fn rotate(&self) -> String {
        let fresh = format!("wk_live_ffffffff_{}", "1".repeat(48));
        let mut state = self.lock();
        state.credentials.push(fresh.clone());
        state.rotated = Some(fresh.clone());
        fresh
    }

    pub(crate) fn revoke_all_but(&self, credential: &str) {
        let mut state = self.lock();
        state.credentials.retain(|known| known == credential);
        state.rotated = None;
    }
}

/// One request of a connection; nothing when there is no further one.
fn serve(stream: &TcpStream, shared: &Arc<(Mutex<State>, Condvar)>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut state = shared.0.lock().ok()?;
    let (status, more, answer) = answered(&mut state, &path, &headers, &body);
    let broken = path.starts_with("/edge/v1/artifacts/") && std::mem::take(&mut state.break_off);
    shared.1.notify_all();
    drop(state);
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{more}\r\n", answer.len()).ok()?;
    if broken {
        stream.write_all(&answer[..answer.len() / 2]).ok()?;
        let _ = stream.shutdown(std::net::Shutdown::Both);
        return None;
    }
    stream.write_all(&answer).ok()
}

fn answered(state: &mut State, path: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> (u16, String, Vec<u8>) {
    let json = "content-type: application/json\r\n".to_owned();
    let refused = |status, code: &str| {
        (status, json.clone(), serde_json::to_vec(&Refused::new(code, "refused by the test's server")).expect("JSON"))
    };
    if path == "/edge/v1/enroll" {
        let Ok(said) = serde_json::from_slice::<Enroll>(body) else { return refused(400, "bad_request") };
        if said.token != TOKEN {
            return refused(401, "unauthorized");
        }
        if said.device_number == "taken" || state.taken > 0 {
            state.taken = state.taken.saturating_sub(1);
            return refused(409, "conflict");
        }
        let credential = format!("wk_live_00000000_{}", "0".repeat(48));
        state.credentials.push(credential.clone());
        let root = state.files.get("root/1").map(|root| String::from_utf8_lossy(root).into_owned());
        let enrolled = Enrolled {
            edge_id: "edge-1".to_owned(),
            credential,
            device_number: said.device_number,
            root,
            poll_seconds: 1,
            server_time: jiff::Timestamp::now().as_second(),
        };
        return (201, json, serde_json::to_vec(&enrolled).expect("JSON"));
    }
    let credential =
        headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    if !state.credentials.contains(&credential) {
        return refused(401, "unauthorized");
    }
    if let Some(name) = path.strip_prefix("/edge/v1/metadata/") {
        return match state.files.get(name) {
            Some(file) => (200, json, file.clone()),
            None => refused(404, "not_found"),
        };
    }
    if let Some(rest) = path.strip_prefix("/edge/v1/artifacts/") {
        let digest = rest.split('/').next().unwrap_or_default();
        state.fetched.push(digest.to_owned());
        let Some(bytes) = state.artifacts.get(digest) else { return refused(404, "not_found") };
        let range = headers
            .get("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        return match range
            .filter(|from| *from < bytes.len() && headers.get("if-range") == Some(&format!("\"{digest}\"")))
        {
            Some(from) => {
                state.ranges += 1;
                let more = format!("content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
                (206, more, bytes[from..].to_vec())
            }
            None => (200, String::new(), bytes.clone()),
        };
    }
    let Ok(said) = serde_json::from_slice::<CheckIn>(body) else { return refused(400, "bad_request") };
    let desired = state.desired.clone().filter(|desired| {
        let runs = said
            .installed
            .iter()
            .any(|installed| installed.product == desired.product && installed.version == desired.version);
        let ended = state
            .heard
            .check_ins
            .iter()
            .filter_map(|(_, said)| said.progress.as_ref())
            .chain(&said.progress)
            .any(|progress| progress.attempt == desired.attempt && ends(progress.status));
        !(ended || runs && desired.product != landfall_fleet::protocol::AGENT_PRODUCT)
    });
    let rotated = state.rotated.clone().filter(|fresh| *fresh != credential);
    state.heard.check_ins.push((credential, said));
    let direction = Direction {
        server_time: jiff::Timestamp::now().as_second(),
        poll_seconds: 1,
        desired,
        cancel: state.cancel.clone(),
        credential: rotated
            .map(|credential| Rotated { credential, old_expires_at: jiff::Timestamp::now().as_second() + 86_400 }),
        metadata: landfall_fleet::protocol::MetadataVersions {
            root: 1,
            timestamp: state.version,
            targets: state.version,
        },
    };
    (200, json, serde_json::to_vec(&direction).expect("JSON"))
}
