//! Who lets a protected Application go: an owner through the API, or the source of an Application that counts itself and names it no
//! longer, or goes with all that it has. Whoever deletes the resource is neither: it stays, and so does what it delivered.

use std::collections::BTreeMap;

use landfall_diag::Diagnostic;
use landfall_object::Object;
use serde_json::{Value, json};

use super::{Known, Orders, digest_of, place};

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    /// The Application, and what it delivered.
    Along,
    /// The Application alone.
    Alone,
}

impl Going {
    fn wish(self) -> Value {
        let what = match self {
            Going::Along => "along",
            Going::Alone => "alone",
        };
        json!({"delete": what})
    }
}

impl Orders {
    /// Keeps that somebody who may lets an Application go, as it is declared now.
    ///
    /// # Errors
    /// It cannot be kept: the deletion would not count.
    pub(crate) async fn let_go(&self, object: &Object, going: Going, actor: &str) -> Result<(), Diagnostic> {
        self.place(object, &going.wish(), actor).await.map(drop)
    }

    /// Sees that somebody who may has let an Application go so; what its own source names goes along with what it delivered.
    ///
    /// # Errors
    /// Nobody has, in words.
    pub(crate) fn lets_go(&self, object: &Object, going: Going) -> Result<(), String> {
        let wishes: &[Going] = match going {
            Going::Along => &[Going::Along],
            Going::Alone => &[Going::Along, Going::Alone],
        };
        let digests: Vec<String> = wishes.iter().map(|wish| digest_of(&wish.wish(), object)).collect();
        let (application, uid) = (place(object), object.uid().unwrap_or_default());
        let mut known = self.known.lock();
        let is_asked = known.open.values().any(|row| {
            row.application == application && row.uid == uid && digests.contains(&row.digest) && !self.is_past(&row.at)
        });
        if !is_asked && !known.dropped.contains(&application) {
            return Err("nobody asked for its deletion through the API, as it is declared now".to_owned());
        }
        if going == Going::Along {
            let children = known.branches.get(&application).into_iter().flat_map(BTreeMap::keys).cloned();
            let children: Vec<String> = children.collect();
            known.dropped.extend(children);
        }
        Ok(())
    }

    /// Forgets that an Application was let go that is gone: another one of its name was not.
    pub(crate) async fn gone(&self, object: &Object) {
        let (application, uid) = (place(object), object.uid().unwrap_or_default());
        let ended: Vec<String> = {
            let mut known = self.known.lock();
            known.dropped.remove(&application);
            let is_its = |row: &landfall_store::OrderRow| row.application == application && row.uid == uid;
            let ended: Vec<String> = known.open.values().filter(|row| is_its(row)).map(|row| row.id.clone()).collect();
            known.open.retain(|_, row| !is_its(row));
            ended
        };
        if let Err(error) = self.rows.done(&ended, &self.now().to_string()).await {
            tracing::error!("that orders of {application} are done cannot be written: {error}");
        }
    }
}

impl Known {
    /// Takes note of what a parent that counts names no longer.
    pub(super) fn drops(&mut self, before: Option<&BTreeMap<String, String>>, children: &BTreeMap<String, String>) {
        let gone = before.into_iter().flat_map(BTreeMap::keys).filter(|child| !children.contains_key(*child));
        self.dropped.extend(gone.cloned());
        self.dropped.retain(|child| !children.contains_key(child));
    }
}
