//! Which campaigns hear what an edge says. A fleet has thousands of campaigns behind it, and a heartbeat looks at none of them but
//! those in which a word of this edge may still change something.

use std::collections::HashMap;
use std::sync::Arc;

use landfall_fleet::campaign::{Campaign, EdgeNumber};
use parking_lot::RwLock;

use super::campaigns::Slot;

/// Campaigns by the edges that they hear, those of an edge in the order in which they were made.
#[derive(Default)]
pub(crate) struct Following {
    by_edge: RwLock<HashMap<EdgeNumber, Vec<Arc<Slot>>>>,
}

impl Following {
    /// The campaigns that hear an edge.
    pub(crate) fn of(&self, edge: EdgeNumber) -> Vec<Arc<Slot>> {
        self.by_edge.read().get(&edge).cloned().unwrap_or_default()
    }

    /// A campaign is new, or was read: it hears those of its edges that it may be changed by.
    pub(crate) fn begin(&self, slot: &Arc<Slot>, now: i64) {
        let heard = |campaign: &Campaign| {
            let edges = campaign.members().iter().map(|member| member.edge);
            edges.filter(|edge| campaign.hears(*edge, now)).collect::<Vec<_>>()
        };
        for edge in slot.look(heard).unwrap_or_default() {
            self.add(slot, edge);
        }
    }

    /// A campaign hears an edge, once more perhaps.
    pub(crate) fn add(&self, slot: &Arc<Slot>, edge: EdgeNumber) {
        let mut by_edge = self.by_edge.write();
        let slots = by_edge.entry(edge).or_default();
        if let Err(at) = slots.binary_search_by_key(&slot.row.number, |it| it.row.number) {
            slots.reserve_exact(1);
            slots.insert(at, Arc::clone(slot));
        }
    }

    /// A campaign hears an edge no more, unless somebody has asked it to try again meanwhile.
    pub(crate) fn end(&self, slot: &Slot, edge: EdgeNumber, now: i64) {
        // Whoever changes the campaign holds it before this.
        let _unchanged = slot.look(|campaign| {
            if campaign.hears(edge, now) {
                return;
            }
            let mut by_edge = self.by_edge.write();
            let Some(slots) = by_edge.get_mut(&edge) else { return };
            slots.retain(|it| it.row.number != slot.row.number);
            if slots.is_empty() {
                by_edge.remove(&edge);
            }
        });
    }
}
