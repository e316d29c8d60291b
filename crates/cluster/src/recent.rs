//! What one reader has read a moment ago, for when it asks for the same again at once.
//!
//! Who compares what is live and then plans its delivery reads the same pages twice, and who has delivered and then compares does
//! again. A page is given out once, while nothing has been written through the same [`Cluster`] since, no watch has told of a newer
//! object of its kind and namespace, and it is young. Whoever writes by it looks anew before that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall_object::{Gvk, Object};

use crate::Cluster;
use crate::objects::Page;

/// A kind and a namespace.
pub(crate) type Place = (Gvk, String);

/// Pages that one reader, with one identity at one cluster, has read a moment ago.
#[derive(Debug)]
pub struct Recent {
    /// How long a page may be given out.
    lasts: Duration,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Grows with each write: what was asked for before one and is answered after it is not kept.
    writes: u64,
    pages: BTreeMap<Place, (Instant, u64, Vec<Object>)>,
    /// The newest resourceVersion that a watch has told of, by group, kind and namespace.
    told: BTreeMap<(String, String, String), u64>,
}

impl Recent {
    /// Nothing is read yet; a page lasts so long.
    pub fn new(lasts: Duration) -> Self {
        Recent { lasts, kept: Mutex::default() }
    }

    /// A watch tells of an object of that kind in that namespace, as of that resourceVersion. Older pages are let go; all of its
    /// kind where the version says nothing.
    pub fn told(&self, (group, kind): (&str, &str), namespace: &str, version: Option<u64>) {
        let mut kept = self.kept();
        match version {
            Some(version) => {
                let place = (group.to_owned(), kind.to_owned(), namespace.to_owned());
                let newest = kept.told.entry(place).or_default();
                *newest = version.max(*newest);
            }
            None => {
                let is_it = |(of, place): &Place| of.group == group && of.kind == kind && place == namespace;
                kept.pages.retain(|place, _| !is_it(place));
            }
        }
    }

    /// Lets go of all pages: somebody wants what is there now.
    pub fn clear(&self) {
        let mut kept = self.kept();
        kept.writes += 1;
        kept.pages.clear();
    }

    /// Lets go of what is too old to be given out.
    pub fn tidy(&self) {
        self.kept().pages.retain(|_, (at, ..)| at.elapsed() < self.lasts);
    }

    /// How many pages could be given out.
    pub fn len(&self) -> usize {
        self.kept().pages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Before a page is asked for: what [`Recent::keep`] wants to know of that moment.
    pub(crate) fn asks(&self) -> u64 {
        self.kept().writes
    }

    /// Keeps a page that has all of its kind in its namespace.
    pub(crate) fn keep(&self, place: &Place, page: &Page, asked: u64) {
        let Ok(version) = page.version.parse() else { return };
        let mut kept = self.kept();
        if kept.writes == asked && page.next.is_empty() {
            kept.pages.insert(place.clone(), (Instant::now(), version, page.objects.clone()));
        }
    }

    /// Gives a page out, once.
    pub(crate) fn take(&self, place: &Place) -> Option<Vec<Object>> {
        let mut kept = self.kept();
        let (at, version, objects) = kept.pages.remove(place)?;
        let (gvk, namespace) = place;
        let told = kept.told.get(&(gvk.group.clone(), gvk.kind.clone(), namespace.clone()));
        (at.elapsed() < self.lasts && told.is_none_or(|told| *told <= version)).then_some(objects)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster {
    /// The same, that keeps for a moment what [`Cluster::get_all`] reads, for [`Cluster::get_all_lately`].
    #[must_use]
    pub fn keeping(self, recent: Arc<Recent>) -> Self {
        Cluster { recent: Some(recent), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        (Gvk::new("", "v1", "ConfigMap"), "shop".to_owned())
    }

    fn page(version: &str, next: &str) -> Page {
        Page { objects: Vec::new(), next: next.to_owned(), version: version.to_owned() }
    }

    fn kept(version: &str, next: &str) -> Recent {
        let recent = Recent::new(Duration::from_secs(60));
        recent.keep(&place(), &page(version, next), recent.asks());
        recent
    }

    #[test]
    fn a_page_is_given_out_once_while_it_is_young() {
        let recent = kept("7", "");
        assert_eq!(recent.len(), 1);
        assert_eq!(recent.take(&place()), Some(Vec::new()));
        assert_eq!(recent.take(&place()), None);
        let old = Recent::new(Duration::ZERO);
        old.keep(&place(), &page("7", ""), old.asks());
        assert_eq!(old.take(&place()), None);
        old.keep(&place(), &page("7", ""), old.asks());
        old.tidy();
        assert!(old.is_empty());
    }

    #[test]
    fn what_is_a_part_or_of_no_version_is_not_kept() {
        assert!(kept("7", "more").is_empty());
        assert!(kept("", "").is_empty());
        assert!(kept("seven", "").is_empty());
    }

    #[test]
    fn what_a_watch_has_told_since_makes_a_page_old_and_what_it_holds_already_does_not() {
        for (kind, at, version, is_there) in [
            ("ConfigMap", "shop", Some(8), false),
            ("ConfigMap", "shop", Some(7), true),
            ("ConfigMap", "shop", None, false),
            ("ConfigMap", "other", Some(8), true),
            ("ConfigMap", "other", None, true),
            ("Secret", "shop", Some(8), true),
        ] {
            let recent = kept("7", "");
            recent.told(("", kind), at, version);
            assert_eq!(recent.take(&place()).is_some(), is_there, "{kind} in {at} at {version:?}");
        }
        // Told before the page was answered, of what is newer than the page.
        let recent = Recent::new(Duration::from_secs(60));
        recent.told(("", "ConfigMap"), "shop", Some(8));
        recent.keep(&place(), &page("7", ""), recent.asks());
        assert_eq!(recent.take(&place()), None);
    }

    #[test]
    fn a_write_takes_every_page_and_what_was_asked_for_before_it() {
        let recent = kept("7", "");
        let asked = recent.asks();
        recent.clear();
        assert!(recent.is_empty());
        recent.keep(&place(), &page("9", ""), asked);
        assert!(recent.is_empty());
        recent.keep(&place(), &page("9", ""), recent.asks());
        assert_eq!(recent.len(), 1);
    }
}
