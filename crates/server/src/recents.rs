//! What is kept for a moment of what was read for each Application.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use landfall_apps::Application;
use landfall_cluster::Recent;
use landfall_object::ObjectKey;
use parking_lot::Mutex;

/// How long a page is given out: a comparison is followed by its sync, and a sync by its comparison, within a few tenths of that.
const LASTS: Duration = Duration::from_secs(1);

/// What was read a moment ago, for each Application by itself: what one may read is not told to another.
#[derive(Debug, Default)]
pub(crate) struct Recents(Mutex<HashMap<ObjectKey, (String, Arc<Recent>)>>);

impl Recents {
    /// What was read for an Application by whoever reads for it now; nothing of what somebody else has read.
    pub(crate) fn of(&self, application: &Application, reader: &str) -> Arc<Recent> {
        let mut all = self.0.lock();
        let (known, recent) = all.entry(application.key()).or_insert_with(|| (reader.to_owned(), fresh()));
        if known != reader {
            (*known, *recent) = (reader.to_owned(), fresh());
        }
        Arc::clone(recent)
    }

    /// A watch tells of an object that belongs to an Application.
    pub(crate) fn told(&self, application: &ObjectKey, kind: (&str, &str), namespace: &str, version: Option<u64>) {
        if let Some((_, recent)) = self.0.lock().get(application) {
            recent.told(kind, namespace, version);
        }
    }

    /// Lets go of what was read for an Application: somebody wants to know how it stands now.
    pub(crate) fn clear(&self, application: &ObjectKey) {
        if let Some((_, recent)) = self.0.lock().get(application) {
            recent.clear();
        }
    }

    /// Lets go of what nobody is given any more.
    pub(crate) fn tidy(&self) {
        self.0.lock().retain(|_, (_, recent)| {
            recent.tidy();
            !recent.is_empty() || Arc::strong_count(recent) > 1
        });
    }
}

fn fresh() -> Arc<Recent> {
    Arc::new(Recent::new(LASTS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_reader_is_given_nothing_of_what_was_read() {
        let application = landfall_object::Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {"project": "default", "destination": {"namespace": "shop"},
                "source": {"repoURL": "https://git.invalid/shop.git", "path": "deploy"}},
        }));
        let application = Application::parse(&application.expect("a map")).expect("an Application");
        let recents = Recents::default();
        let first = recents.of(&application, "");
        assert!(Arc::ptr_eq(&first, &recents.of(&application, "")));
        let second = recents.of(&application, "system:serviceaccount:shop:deployer");
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &recents.of(&application, "")));
        recents.tidy();
        assert_eq!(recents.0.lock().len(), 0, "nobody reads any more, and nothing is kept");
    }
}
