//! The right to write into an Application's own object: one writer at a time, and nothing from before a sync's end behind it.
//!
//! Two write there while a sync is under way: whoever carries it out, and whoever compares. A cluster that refuses one of them
//! for a while (429) is not asked by the other meanwhile, and a comparison that had to wait says nothing of what has ended since.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::lock::MutexGuard;
use landfall_object::ObjectKey;

/// The pens of Applications; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Pens(Arc<Mutex<BTreeMap<ObjectKey, Weak<Pen>>>>);

/// What writes into one Application.
#[derive(Debug, Default)]
pub struct Pen {
    turn: futures::lock::Mutex<()>,
    /// How many syncs have ended since somebody holds on to it.
    ended: AtomicU64,
}

impl Pens {
    /// The one pen of an Application, for as long as anybody holds on to it.
    pub fn of(&self, application: &ObjectKey) -> Arc<Pen> {
        let mut pens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pen) = pens.get(application).and_then(Weak::upgrade) {
            return pen;
        }
        pens.retain(|_, pen| pen.strong_count() > 0);
        let pen = Arc::new(Pen::default());
        pens.insert(application.clone(), Arc::downgrade(&pen));
        pen
    }
}

impl Pen {
    /// Waits for one's turn to write, which lasts as long as its value.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// How many syncs have ended so far: what was found before says nothing of how it stands once that has grown.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Takes note, in one's turn, that a sync's end is written.
    pub(crate) fn ends(&self, _turn: &MutexGuard<'_, ()>) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use landfall_object::Gvk;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "Application"), Some("argocd"), name)
    }

    #[tokio::test]
    async fn an_application_has_one_pen_and_others_have_theirs() {
        let pens = Pens::default();
        let (shop, same, other) = (pens.of(&key("shop")), pens.clone().of(&key("shop")), pens.of(&key("blog")));
        assert!(Arc::ptr_eq(&shop, &same) && !Arc::ptr_eq(&shop, &other));
        let turn = shop.turn().await;
        assert!(same.turn.try_lock().is_none(), "somebody writes");
        assert!(other.turn.try_lock().is_some());
        same.ends(&turn);
        drop(turn);
        assert_eq!((shop.ended(), other.ended()), (1, 0));
        // Nobody holds on to them: nothing is kept.
        drop((shop, same, other));
        let _third = pens.of(&key("third"));
        assert_eq!(pens.0.lock().expect("a lock").len(), 1);
    }
}
