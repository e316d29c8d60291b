//! How an Application is written to: in turn, and never over what somebody else has written meanwhile.

use std::time::Duration;

use landfall_apps::Pen;
use landfall_cluster::{Patch, WriteOptions};
use landfall_diag::Diagnose as _;
use landfall_object::{Object, ObjectKey};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::errands::{STATUS_MANAGER, Work, words};

/// How long lies between two tries of what has to be written.
const AGAIN: Duration = Duration::from_secs(2);

impl Work {
    /// Takes an annotation off an object that is kept from here.
    pub(crate) async fn seen(&self, key: &ObjectKey, annotation: &str) -> Result<(), String> {
        self.write(key, json!({"metadata": {"annotations": {annotation: null}}})).await.map(drop)
    }

    /// Merges into an Application; answers what it is then, or nothing when it is gone.
    pub(crate) async fn write(&self, key: &ObjectKey, patch: Value) -> Result<Option<Object>, String> {
        let pen = self.session.pens.of(key);
        let _turn = pen.turn().await;
        self.merge(key, patch).await
    }

    /// The same with what was found when so many syncs had ended; once one more has, it is left, and nothing answered.
    pub(crate) async fn tell(
        &self,
        key: &ObjectKey,
        patch: Value,
        (pen, ended): (&Pen, u64),
    ) -> Result<Option<Object>, String> {
        let _turn = pen.turn().await;
        if pen.ended() == ended { self.merge(key, patch).await } else { Ok(None) }
    }

    /// Changes the metadata of an Application by what it is now; nothing where that is gone or right as it is.
    ///
    /// # Errors
    /// The cluster refuses it: also where somebody has written into it since it was read.
    pub(crate) async fn amend(&self, key: &ObjectKey, change: impl Fn(&Object) -> Option<Value>) -> Result<(), String> {
        let pen = self.session.pens.of(key);
        let _turn = pen.turn().await;
        let live = self.session.cluster.get(key).await.map_err(|error| words(&[error.diagnose()]))?;
        let Some(live) = live else { return Ok(()) };
        let Some(mut metadata) = change(&live) else { return Ok(()) };
        metadata["resourceVersion"] = json!(live.resource_version());
        self.merge(key, json!({"metadata": metadata})).await.map(drop)
    }

    /// The same, again and again as long as the cluster refuses it: until then, or for as long as the Application is kept from here.
    pub(crate) async fn amend_at_last(
        &self,
        key: &ObjectKey,
        deadline: Option<Instant>,
        change: impl Fn(&Object) -> Option<Value>,
    ) -> Result<(), String> {
        let mut told = None;
        loop {
            let why = match self.amend(key, &change).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if told.as_ref() != Some(&why) {
                tracing::warn!("{key} cannot be written to yet: {why}");
                told = Some(why.clone());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) || !self.shards.keeps(key) {
                return Err(why);
            }
            tokio::select! {
                () = self.session.stop.cancelled() => return Err(why),
                () = sleep(AGAIN) => {}
            }
        }
    }

    async fn merge(&self, key: &ObjectKey, patch: Value) -> Result<Option<Object>, String> {
        let options = WriteOptions { field_manager: Some(STATUS_MANAGER.to_owned()), ..WriteOptions::default() };
        let cluster = self.written_by(|shards| shards.leave_of(key));
        match cluster.patch(key, &Patch::Merge(patch), &options).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(words(&[error.diagnose()])),
        }
    }
}
