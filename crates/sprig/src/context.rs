//! What functions may know of the world.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use landfall_gotemplate::{CallCtx, FuncError};
use sha2::{Digest as _, Sha256};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// How long the program has been running, as Go's monotonic clock says it behind the time of `now`; nothing for time that
    /// stands still, so that what is rendered twice reads the same.
    fn running(&self) -> Option<Duration> {
        None
    }
}

/// Gives random bytes.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// Whether what is drawn depends on how much was drawn before, so that the order of draws decides what is printed.
    fn is_sequence(&self) -> bool {
        true
    }

    /// Where keys that cost much are kept, so that the same place of the sequence gives the same key again; without
    /// it they follow from the sequence alone.
    fn keys(&self) -> Option<&Keys> {
        None
    }

    /// The same sequence from the place where it is now, to be gone on with later; nothing where it is none that could be.
    fn forked(&self) -> Option<Arc<dyn Random>> {
        None
    }

    /// Whether nobody uses what is printed: RSA keys have 2,048 bits then, which costs a tenth of 4,096.
    fn is_for_show(&self) -> bool {
        false
    }

    /// Hears that the system was asked in its place, for a key: by whoever wants to know whether anything was drawn.
    fn passed_over(&self) {}

    /// What the next key is kept under.
    fn key_draw(&self) -> [u8; 32] {
        let mut draw = [0; 32];
        self.fill(&mut draw);
        draw
    }
}

/// So many different keys a sequence gives where they are kept; the one after the last is the first again. What is rendered two hundred times
/// with one setting or another would have another key at each place of the sequence, and making one takes longer than all of the rest.
const KEPT_KEYS: u64 = 8;

/// RSA keys by the draw that asked for them: made once, however often something is rendered with the same seed. Cloning
/// shares them.
#[derive(Clone, Default)]
pub struct Keys(Arc<Mutex<BTreeMap<Draw, Vec<u8>>>>);

/// What was drawn, and how many bits the key has.
type Draw = ([u8; 32], usize);

impl Keys {
    /// The key of a draw; the first who asks makes it.
    ///
    /// # Errors
    /// Those of making it.
    pub(crate) fn of<E>(&self, draw: Draw, make: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Vec<u8>, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = kept.get(&draw) {
            return Ok(key.clone());
        }
        let key = make()?;
        kept.insert(draw, key.clone());
        Ok(key)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

/// What functions may know of the world: the caller hands it to [`landfall_gotemplate::Set::execute`] as the user
/// context. Cloning is cheap. This room has no clock and no randomness of its own; the machine's are
/// `landfall_source::surroundings`.
#[derive(Clone)]
pub struct Context {
    /// Where `now` looks.
    pub clock: Arc<dyn Clock>,
    /// Where random strings, keys of certificates and identifiers come from. Keys are made of it where it is
    /// a sequence; else they come from the system, as signatures of elliptic curves always do.
    pub random: Arc<dyn Random>,
    /// The zone called `Local`.
    pub zone: TimeZone,
    /// Looks up addresses of a host name for `getHostByName`: the caller's; without one the answer is an empty text, as
    /// Helm's is without `--enable-dns`.
    pub hosts: Option<Hosts>,
}

/// Looks up the addresses of a host name.
pub type Hosts = Arc<dyn Fn(&str) -> Vec<String> + Send + Sync>;

impl Context {
    /// A context of UTC and no name lookups.
    pub fn new(clock: impl Clock + 'static, random: impl Random + 'static) -> Self {
        Self { clock: Arc::new(clock), random: Arc::new(random), zone: TimeZone::UTC, hosts: None }
    }

    /// A context in which the same templates always print the same: random numbers follow from the seed, and time stands
    /// still at the beginning of 2000. For tests; never for real secrets.
    pub fn repeatable(seed: u64) -> Self {
        Self::new(Timestamp::constant(946_684_800, 0), Seeded::new(seed))
    }

    /// The same with a sequence of chance of its own, which goes on from where this one is now; nothing where chance is no sequence that
    /// could be gone on with.
    #[must_use]
    pub fn forked(&self) -> Option<Self> {
        Some(Context { random: self.random.forked()?, ..self.clone() })
    }

    /// The context of an execution.
    ///
    /// # Errors
    /// The caller handed in something else.
    pub(crate) fn of(ctx: &mut CallCtx<'_>) -> Result<Self, FuncError> {
        ctx.user::<Self>().cloned().ok_or_else(|| FuncError::new("no clock and no randomness were handed in"))
    }

    /// A number from 0 to `limit`, without it, each as likely.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        let limit = limit.max(1);
        // Values from the last, incomplete round are thrown away.
        let zone = u64::MAX - u64::MAX % limit;
        loop {
            let mut bytes = [0; 8];
            self.random.fill(&mut bytes);
            let number = u64::from_le_bytes(bytes);
            if number < zone {
                return number % limit;
            }
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("zone", &self.zone).finish_non_exhaustive()
    }
}

impl Clock for Timestamp {
    /// Time that stands still.
    fn now(&self) -> Timestamp {
        *self
    }
}

/// Random numbers that follow from a seed, for renders that can be repeated; never for real secrets.
#[derive(Debug)]
pub struct Seeded {
    seed: u64,
    drawn: AtomicU64,
    keys: Option<Keys>,
    /// How many keys were drawn.
    keyed: AtomicU64,
}

impl Seeded {
    /// The numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0), keys: None, keyed: AtomicU64::new(0) }
    }

    /// The same, but RSA keys are the system's own the first time, and those again afterwards, all of 2,048 bits: to follow
    /// from the seed alone costs twenty times as much, and 4,096 bits ten times; there are eight of them, and hashes of passwords are of
    /// the least cost. For what is rendered to be looked at.
    pub fn keeping(seed: u64, keys: Keys) -> Self {
        Self { keys: Some(keys), ..Self::new(seed) }
    }
}

impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        for part in buffer.chunks_mut(32) {
            let number = self.drawn.fetch_add(1, Ordering::Relaxed);
            let block =
                Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(number.to_le_bytes()).finalize();
            part.copy_from_slice(&block[..part.len()]);
        }
    }

    fn forked(&self) -> Option<Arc<dyn Random>> {
        let at = |counter: &AtomicU64| AtomicU64::new(counter.load(Ordering::Relaxed));
        Some(Arc::new(Seeded {
            seed: self.seed,
            drawn: at(&self.drawn),
            keys: self.keys.clone(),
            keyed: at(&self.keyed),
        }))
    }

    fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    fn key_draw(&self) -> [u8; 32] {
        let number = self.keyed.fetch_add(1, Ordering::Relaxed) % KEPT_KEYS;
        let named = Sha256::new().chain_update(b"key").chain_update(self.seed.to_le_bytes());
        named.chain_update(number.to_le_bytes()).finalize().into()
    }
}
