//! What the watches of Applications' objects tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use landfall_apps::instance_name;
use landfall_apps::machine::Observation;

use super::Controller;
use crate::happened::Seen;
use crate::live::Follows;

impl Controller {
    /// Takes note of what is live in a cluster, and says to whom it matters.
    pub(super) fn seen(&mut self, server: &Arc<str>, seen: Seen) {
        if let Seen::Unwatched(gvk, why) = &seen {
            tracing::warn!("{} is not watched: {why}", gvk.kind);
        }
        let listed = match &seen {
            Seen::Listed(gvk, _) => Some(gvk.clone()),
            _ => None,
        };
        let of_one = match &seen {
            Seen::Applied(name, _, version) | Seen::Deleted(name, version) => Some((name.clone(), *version)),
            Seen::Listed(..) | Seen::Unwatched(..) => None,
        };
        // Of a list, one thing for each Application, however many of its objects say so.
        let mut follows: BTreeMap<Box<str>, Follows> = BTreeMap::new();
        for (name, one) in self.live.note(server, seen) {
            let known = follows.entry(name).or_insert(one);
            *known = one.max(*known);
        }
        self.board.note(|told| told.events += 1);
        let concerned = self.entries.iter().filter(|(_, entry)| entry.destination.server == *server);
        let concerned = concerned.filter_map(|(key, entry)| {
            let name = instance_name(key.namespace.as_deref().unwrap_or_default(), &key.name);
            let follows = follows.get(&*name)?;
            Some((key.clone(), *follows, entry.unread.load(Ordering::Acquire)))
        });
        let concerned: Vec<_> = if follows.is_empty() { Vec::new() } else { concerned.collect() };
        for (key, follows, sees_it) in concerned {
            match &of_one {
                Some((name, version)) => {
                    let kind = (name.group.as_str(), name.kind.as_str());
                    self.work.recents.told(&key, kind, &name.namespace, *version);
                }
                None => self.work.recents.clear(&key),
            }
            let observation = match follows {
                Follows::Difference if !sees_it => Observation::LiveChanged,
                Follows::Difference | Follows::Health => Observation::Tick,
            };
            self.observe(&key, observation);
        }
        if let Some(gvk) = listed {
            self.live.noted(server, &gvk);
        }
    }
}
