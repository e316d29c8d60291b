//! Looks that somebody asks for by an annotation. It comes off when the look has come to its end and all is told that it has shown, so
//! that whoever waits for that finds it in the status, and a process that dies meanwhile leaves the wish to the next one.
//!
//! Before a look begins its wish is taken: a number is written behind the annotation's word, `hard` as `hard@4711`. What somebody
//! writes after that is another wish, also where it is the same word, and is looked for by itself; Argo CD reads both words as it
//! reads any.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_apps::machine::{Freshness, Observation};
use landfall_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::Controller;
use crate::entry::{Entry, Look, Writing};

/// The annotation by which somebody asks for a look.
const REFRESH: &str = "argocd.argoproj.io/refresh";
/// What stands between a wish's word and the number with which it is taken.
const TAKEN: char = '@';

/// How fresh the answer to a wish must be: as Argo CD, for every word but `hard` what the source says now will do.
fn freshness(words: &str) -> Freshness {
    let word = words.split_once(TAKEN).map_or(words, |(word, _)| word);
    if word == "hard" { Freshness::Hard } else { Freshness::Latest }
}

/// Takes the wish that stands at an Application, if one does that is not taken yet.
fn take(live: &Object) -> Option<Value> {
    let word = live.annotation(REFRESH).filter(|words| !words.contains(TAKEN))?;
    let taken = format!("{word}{TAKEN}{}", live.resource_version().unwrap_or_default());
    Some(json!({"annotations": {REFRESH: taken}}))
}

/// Takes a wish off that stands at an Application as it was taken.
fn take_off(live: &Object, words: &str) -> Option<Value> {
    (live.annotation(REFRESH) == Some(words)).then(|| json!({"annotations": {REFRESH: null}}))
}

impl Controller {
    /// The look that somebody asks for at an Application; nothing when it is under way, or is to be taken first.
    pub(super) fn asked_to_look(&mut self, key: &ObjectKey) -> Option<Observation> {
        let entry = self.entries.get_mut(key)?;
        let Some(words) = entry.object.annotation(REFRESH).map(str::to_owned) else {
            entry.look = None;
            return None;
        };
        if !words.contains(TAKEN) {
            self.amend(key, take);
            return None;
        }
        if entry.look.as_ref().is_some_and(|look| look.words() == words) {
            return None;
        }
        let freshness = freshness(&words);
        self.work.recents.clear(key);
        entry.look = Some(Look::Taken(words));
        if let Ok(application) = &entry.application {
            let sources = application.sources.iter();
            self.work.repositories.moved(sources.map(|source| source.repo_url.as_str()));
        }
        Some(Observation::Refreshed(freshness))
    }

    /// Takes a wish for a look off once all is told that the look has shown.
    pub(super) fn end_look(&mut self, key: &ObjectKey, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some(Look::Taken(words)) = &entry.look else { return };
        let looks = |entry: &Entry| entry.application.is_ok() && entry.state.is_looking();
        if looks(entry) || entry.writing != Writing::No || entry.status(&self.live, now).is_some() {
            return;
        }
        let words = words.clone();
        entry.look = Some(Look::Over(words.clone()));
        self.amend(key, move |live| take_off(live, &words));
    }

    fn amend(&self, key: &ObjectKey, change: impl Fn(&Object) -> Option<Value> + Send + Sync + 'static) {
        let (work, key) = (Arc::clone(&self.work), key.clone());
        self.tasks.spawn(async move {
            if let Err(why) = work.amend_at_last(&key, None, change).await {
                tracing::warn!("{key}: {why}");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(words: &str) -> Object {
        let metadata = json!({"name": "shop", "resourceVersion": "7", "annotations": {REFRESH: words}});
        Object::from_value(json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata}))
            .expect("a map")
    }

    #[test]
    fn a_wish_is_taken_once_and_taken_off_as_long_as_nobody_has_asked_again() {
        let to = |words: Value| Some(json!({"annotations": {REFRESH: words}}));
        assert_eq!(take(&asking("hard")), to(json!("hard@7")));
        assert_eq!(take(&asking("hard@7")), None);
        assert_eq!(take_off(&asking("hard@7"), "hard@7"), to(Value::Null));
        for another in ["hard", "normal", "hard@9"] {
            assert_eq!(take_off(&asking(another), "hard@7"), None, "{another}");
        }
    }

    #[test]
    fn a_hard_look_stays_hard_when_it_is_taken() {
        let fresh = [("normal", Freshness::Latest), ("", Freshness::Latest), ("hard", Freshness::Hard)];
        for (word, wanted) in fresh {
            assert_eq!((freshness(word), freshness(&format!("{word}@7"))), (wanted, wanted));
        }
    }
}
