//! Values that this process has opened and that nothing it says may show.
//!
//! The one thing of a process that no argument carries: whoever prints, logs, compares or refuses would have to be handed it, and the
//! one who was not would show it. Who opens a value says so once; what leaves the process passes through [`without_known`].

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::is_mutant;

/// What stands for a hidden value.
const HIDDEN: &str = "++++++++";
/// A shorter form is hidden where it stands alone: it may be part of any word.
const PART: usize = 8;
/// Forms that are kept.
const MOST: usize = 20_000;

/// The forms in which known values may be written, the longest first.
static FORMS: RwLock<BTreeSet<(Reverse<usize>, String)>> = RwLock::new(BTreeSet::new());
/// Whether there is one: most processes open nothing.
static ANY: AtomicBool = AtomicBool::new(false);

/// Remembers the forms in which a value may be written. No form is empty.
pub fn hide_from_now_on(forms: impl IntoIterator<Item = String>) {
    let mut known = FORMS.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    for form in forms.into_iter().filter(|form| !form.is_empty()) {
        // What is longest shows most.
        if known.len() >= MOST {
            known.pop_last();
        }
        known.insert((Reverse(form.len()), form));
    }
    ANY.store(!known.is_empty(), Ordering::Release);
}

/// Whether any value is known that must not be shown.
pub fn knows_any() -> bool {
    ANY.load(Ordering::Acquire) && !is_mutant("known-values")
}

/// A text without the values that are known.
pub fn without_known(text: &str) -> Cow<'_, str> {
    if !knows_any() {
        return Cow::Borrowed(text);
    }
    let known = FORMS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut out = Cow::Borrowed(text);
    for (_, form) in known.iter() {
        if let Some(hidden) = hidden(&out, form) {
            out = Cow::Owned(hidden);
        }
    }
    out
}

/// Whether a text shows a value that is known.
pub fn shows_known(text: &str) -> bool {
    matches!(without_known(text), Cow::Owned(_))
}

/// The text without a form; nothing where it does not have it.
fn hidden(text: &str, form: &str) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices(form) {
        let (before, after) = (text[..at].chars().next_back(), text[at + form.len()..].chars().next());
        let goes_on = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        if form.len() < PART && (goes_on(before) || goes_on(after)) {
            continue;
        }
        out.push_str(&text[done..at]);
        out.push_str(HIDDEN);
        done = at + form.len();
    }
    (done > 0).then(|| out + &text[done..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_hidden_as_a_whole_and_a_short_one_where_it_stands_alone() {
        assert_eq!(hidden("a canary-1, canary-1x", "canary-1").as_deref(), Some("a ++++++++, ++++++++x"));
        assert_eq!(hidden("a pin: 8123. x8123", "8123").as_deref(), Some("a pin: ++++++++. x8123"));
        assert_eq!(hidden("nothing", "canary-1"), None);
        hide_from_now_on(["known-canary".to_owned(), "known-canary-and-more".to_owned(), String::new()]);
        assert!(knows_any() && shows_known("a known-canary"));
        assert_eq!(without_known("known-canary-and-more, known-canary"), "++++++++, ++++++++");
        assert!(matches!(without_known("known"), Cow::Borrowed("known")));
    }
}
