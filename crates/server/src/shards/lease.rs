//! What stands in a lease: who holds it, since when, how often it has changed hands. Pure but for the clock of whoever looks: a
//! lease is past when nobody has renewed it for its length by that clock, whatever others' clocks say.

use std::time::Duration;

use jiff::Timestamp;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long a lease is held without being renewed.
pub(super) const LENGTH: Duration = Duration::from_secs(12);
/// How long its holder writes without having renewed it: what is on its way then arrives before another one begins.
pub(super) const LEAVE: Duration = Duration::from_secs(8);
/// How often it is renewed.
pub(super) const RENEWED: Duration = Duration::from_secs(2);

/// Says what a lease is for: `shard`, `replica`, `server`.
pub(super) const LABEL: &str = "landfall.dev/lease";
/// The epoch of the shard's journal.
const EPOCH: &str = "landfall.dev/epoch";
/// How many shards there are, as its holder was told.
const SHARDS: &str = "landfall.dev/shards";

/// The kind.
pub(super) fn kind() -> Gvk {
    Gvk::new("coordination.k8s.io", "v1", "Lease")
}

/// What a lease is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// That its holder keeps a shard.
    Shard(u32),
    /// That a replica lives.
    Replica(String),
    /// That its holder keeps all Applications, and shares them with nobody.
    Server,
}

impl Purpose {
    /// Where it stands.
    pub(super) fn key(&self, namespace: &str) -> ObjectKey {
        let name = match self {
            Purpose::Shard(number) => format!("landfall-shard-{number}"),
            Purpose::Replica(name) => format!("landfall-replica-{name}"),
            Purpose::Server => "landfall-server".to_owned(),
        };
        ObjectKey::new(kind(), Some(namespace), name)
    }

    /// What a lease of ours is for.
    pub(super) fn of(lease: &Object) -> Option<Purpose> {
        match lease.label(LABEL)? {
            "shard" => lease.name().strip_prefix("landfall-shard-")?.parse().ok().map(Purpose::Shard),
            "server" => Some(Purpose::Server),
            "replica" => lease.name().strip_prefix("landfall-replica-").map(|name| Purpose::Replica(name.to_owned())),
            _ => None,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Purpose::Shard(_) => "shard",
            Purpose::Replica(_) => "replica",
            Purpose::Server => "server",
        }
    }
}

/// A lease as it was seen last.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) lease: Object,
    /// When it changed last, by the clock of this machine.
    pub(super) at: Instant,
}

impl Seen {
    /// Who holds it now.
    pub(super) fn holder(&self, now: Instant) -> Option<&str> {
        let length = self.lease.i64_at("/spec/leaseDurationSeconds").and_then(|it| u64::try_from(it).ok());
        let length = length.map_or(LENGTH, Duration::from_secs);
        holder(&self.lease).filter(|_| now.duration_since(self.at) < length)
    }

    /// Since when nobody holds it.
    pub(super) fn free_for(&self, now: Instant) -> Duration {
        let past = now.duration_since(self.at);
        if holder(&self.lease).is_some() { past.saturating_sub(LENGTH) } else { past }
    }

    /// The epoch that stands in it.
    pub(super) fn epoch(&self) -> i64 {
        self.lease.annotation(EPOCH).and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    /// How many shards its holder was told of.
    pub(super) fn shards(&self) -> Option<u32> {
        self.lease.annotation(SHARDS)?.parse().ok()
    }
}

/// Whose name stands in a lease.
pub(super) fn holder(lease: &Object) -> Option<&str> {
    lease.str_at("/spec/holderIdentity").filter(|holder| !holder.is_empty())
}

/// A lease as somebody holds it from now on; one that was there keeps its version, so that of two who take it one succeeds.
pub(super) fn held(
    (before, purpose, namespace): (Option<&Object>, &Purpose, &str),
    (replica, shards, epoch): (&str, u32, Option<i64>),
    now: Timestamp,
) -> Object {
    let mut lease = before.cloned().unwrap_or_else(|| Object::new(&purpose.key(namespace)));
    let is_same = holder(&lease) == Some(replica);
    let changes = lease.i64_at("/spec/leaseTransitions").unwrap_or_default() + i64::from(!is_same && before.is_some());
    let moment = format!("{now:.6}");
    let since = lease.str_at("/spec/acquireTime").filter(|_| is_same).unwrap_or(&moment).to_owned();
    let spec = json!({
        "holderIdentity": replica, "leaseDurationSeconds": LENGTH.as_secs(), "leaseTransitions": changes,
        "acquireTime": since, "renewTime": moment,
    });
    lease.map_mut().insert("spec".to_owned(), spec);
    lease.set_label(LABEL, purpose.word());
    lease.set_label("app.kubernetes.io/managed-by", "landfall");
    lease.set_annotation(SHARDS, shards.to_string());
    if let Some(epoch) = epoch {
        lease.set_annotation(EPOCH, epoch.to_string());
    }
    lease
}

/// A lease that is given back: nobody holds it, and whoever sees that may take it.
pub(super) fn given_back(lease: &Object) -> Object {
    let mut lease = lease.clone();
    if let Some(spec) = lease.at_mut("/spec").and_then(Value::as_object_mut) {
        spec.remove("holderIdentity");
        spec.remove("acquireTime");
        spec.remove("renewTime");
    }
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_its_holders_until_nobody_has_seen_it_renewed_for_its_length() {
        let (purpose, now) = (Purpose::Shard(2), Timestamp::UNIX_EPOCH);
        let lease = held((None, &purpose, "landfall"), ("a", 4, Some(7)), now);
        assert_eq!(lease.str_at("/spec/renewTime"), Some("1970-01-01T00:00:00.000000Z"));
        let at = Instant::now();
        let seen = Seen { lease: lease.clone(), at };
        assert_eq!((seen.holder(at), seen.epoch(), seen.shards()), (Some("a"), 7, Some(4)));
        assert_eq!(Purpose::of(&lease), Some(purpose.clone()));
        assert_eq!(seen.holder(at + LENGTH - Duration::from_millis(1)), Some("a"));
        assert_eq!(seen.holder(at + LENGTH), None);
        assert_eq!(seen.free_for(at + LENGTH + RENEWED), RENEWED);
        let taken = held((Some(&lease), &purpose, "landfall"), ("b", 4, None), now);
        assert_eq!((holder(&taken), taken.i64_at("/spec/leaseTransitions")), (Some("b"), Some(1)));
        assert_eq!(Seen { lease: taken.clone(), at }.epoch(), 7, "whoever takes it knows what was before");
        let free = Seen { lease: given_back(&taken), at };
        assert_eq!((free.holder(at), free.free_for(at)), (None, Duration::ZERO));
    }

    #[test]
    fn whoever_holds_a_lease_has_stopped_writing_before_another_one_may_take_it() {
        assert!(LEAVE + RENEWED <= LENGTH);
        assert!(RENEWED * 3 <= LEAVE, "one renewal that fails is no loss");
        assert!(LENGTH + RENEWED < Duration::from_secs(20), "a lost shard is taken over in time");
    }
}
