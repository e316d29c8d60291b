//! Values that this process has opened and that nothing it says may show.
//!
//! The one thing of a process that no argument carries: whoever prints, logs, compares or refuses would have to be handed it, and the
//! one who was not would show it. Who opens a value says so once; what leaves the process passes through [`without_known`].
//!
//! It is the process's and not one project's: a server that has opened a value for one may say it to nobody, and to those of another
//! least of all. What keeps ordinary words out of it is what it is told (`landfall_secrets::written_forms`).

mod plainly;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use self::plainly::Plainly;
use crate::is_mutant;

/// What stands for a hidden value.
const HIDDEN: &str = "++++++++";
/// A shorter form is hidden where it stands alone: it may be part of any word.
const PART: usize = 8;
/// Bytes that a form begins with, by which it is looked up: one of fewer is told from nothing.
const HEAD: usize = 4;
/// Forms that are kept.
const MOST: usize = 50_000;
/// How often what is written is read plainly: JSON in JSON in an address.
const DEEPEST: usize = 3;

static FORMS: RwLock<Option<Forms>> = RwLock::new(None);
/// Whether there is one: most processes open nothing.
static ANY: AtomicBool = AtomicBool::new(false);

/// The forms in which known values may be written, by what they begin with: one look at each place of a text finds all that could
/// stand there, however many are known.
#[derive(Debug, Default)]
struct Forms {
    by_head: HashMap<[u8; HEAD], Vec<Arc<str>>>,
    /// The longest first.
    all: BTreeSet<(std::cmp::Reverse<usize>, Arc<str>)>,
    /// The heads' first two bytes, a bit each: most places of a text are done with it.
    pairs: Vec<u64>,
}

impl Forms {
    fn add(&mut self, form: &str) {
        let Some(head) = form.as_bytes().first_chunk::<HEAD>() else { return };
        let form: Arc<str> = form.into();
        if !self.all.insert((std::cmp::Reverse(form.len()), form.clone())) {
            return;
        }
        self.pairs.resize(1 << 10, 0);
        let pair = pair(head);
        self.pairs[pair >> 6] |= 1 << (pair & 63);
        self.by_head.entry(*head).or_default().push(form);
        // What is longest shows most.
        if self.all.len() > MOST
            && let Some((_, form)) = self.all.pop_last()
            && let Some(head) = form.as_bytes().first_chunk::<HEAD>()
            && let Some(beside) = self.by_head.get_mut(head)
        {
            beside.retain(|other| *other != form);
        }
    }

    /// The places at which a text has a form.
    fn find(&self, text: &[u8], mut found: impl FnMut(Range<usize>)) {
        let goes_on = |at: Option<&u8>| at.is_some_and(|at| at.is_ascii_alphanumeric() || *at == b'_' || *at >= 0x80);
        for at in 0..(text.len() + 1).saturating_sub(HEAD) {
            let Some(head) = text[at..].first_chunk::<HEAD>() else { return };
            let pair = pair(head);
            if self.pairs[pair >> 6] & (1 << (pair & 63)) == 0 {
                continue;
            }
            for form in self.by_head.get(head).into_iter().flatten() {
                let end = at + form.len();
                let stands_alone =
                    || !goes_on(at.checked_sub(1).and_then(|before| text.get(before))) && !goes_on(text.get(end));
                if text[at..].starts_with(form.as_bytes()) && (form.len() >= PART || stands_alone()) {
                    found(at..end);
                }
            }
        }
    }
}

fn pair(head: &[u8; HEAD]) -> usize {
    usize::from(u16::from_le_bytes([head[0], head[1]]))
}

/// Remembers the forms in which a value may be written. One of fewer than four bytes is told from nothing, and is not kept.
pub fn hide_from_now_on(forms: impl IntoIterator<Item = String>) {
    let mut known = FORMS.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = known.get_or_insert_default();
    for form in forms {
        known.add(&form);
        // As a text that is read plainly has it.
        if let Some(plain) = Plainly::read(form.as_bytes())
            && let Ok(plain) = std::str::from_utf8(plain.text())
        {
            known.add(plain.trim());
        }
    }
    ANY.store(!known.all.is_empty(), Ordering::Release);
}

/// Whether any value is known that must not be shown.
pub fn knows_any() -> bool {
    ANY.load(Ordering::Acquire) && !is_mutant("known-values")
}

/// A text without the values that are known, as they are or as addresses, JSON, YAML and HTML write them, folded or not.
pub fn without_known(text: &str) -> Cow<'_, str> {
    if !knows_any() {
        return Cow::Borrowed(text);
    }
    let known = FORMS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    match known.as_ref().and_then(|known| hidden(text, known)) {
        Some(hidden) => Cow::Owned(hidden),
        None => Cow::Borrowed(text),
    }
}

/// Whether a text shows a value that is known.
pub fn shows_known(text: &str) -> bool {
    matches!(without_known(text), Cow::Owned(_))
}

/// The first so many characters of a text. The beginning of a value that is known would not be known any more: it is hidden before.
pub fn beginning(text: &str, most: usize) -> String {
    without_known(text).chars().take(most).collect()
}

/// As [`beginning`] has it, with `…` for what is left out.
pub fn shortened(text: &str, most: usize) -> String {
    let text = without_known(text);
    match text.char_indices().nth(most) {
        None => text.into_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The text without what it has of the forms; nothing where it has none.
fn hidden(text: &str, forms: &Forms) -> Option<String> {
    let mut places: Vec<Range<usize>> = Vec::new();
    forms.find(text.as_bytes(), |place| places.push(place));
    let mut plain = Plainly::read(text.as_bytes());
    for _ in 1..DEEPEST {
        let Some(read) = plain else { break };
        forms.find(read.text(), |place| places.push(read.place(place)));
        plain = read.again();
    }
    if let Some(read) = plain {
        forms.find(read.text(), |place| places.push(read.place(place)));
    }
    if places.is_empty() {
        return None;
    }
    places.sort_unstable_by_key(|place| (place.start, place.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let mut places = places.into_iter().peekable();
    while let Some(mut place) = places.next() {
        // Forms that overlap are one place.
        while let Some(next) = places.next_if(|next| next.start < place.end) {
            place.end = place.end.max(next.end);
        }
        let start = (0..=place.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default().max(done);
        let end = (place.end..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        out.push_str(&text[done..start]);
        out.push_str(HIDDEN);
        done = end;
    }
    out.push_str(&text[done..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(forms: &[&str], text: &str) -> Option<String> {
        let mut known = Forms::default();
        known.pairs.resize(1 << 10, 0);
        for form in forms {
            known.add(form);
            if let Some(plain) = Plainly::read(form.as_bytes()) {
                known.add(std::str::from_utf8(plain.text()).expect("text").trim());
            }
        }
        hidden(text, &known)
    }

    #[test]
    fn what_is_known_is_hidden_as_a_whole_and_a_short_one_where_it_stands_alone() {
        assert_eq!(told(&["canary-1"], "a canary-1, canary-1x").as_deref(), Some("a ++++++++, ++++++++x"));
        assert_eq!(told(&["8123"], "a pin: 8123. x8123").as_deref(), Some("a pin: ++++++++. x8123"));
        assert_eq!(told(&["canary-1"], "nothing"), None);
        assert_eq!(told(&["one-canary", "canary-two"], "one-canary-two!").as_deref(), Some("++++++++!"));
        hide_from_now_on(["known-canary".to_owned(), "known-canary-and-more".to_owned(), String::new()]);
        assert!(knows_any() && shows_known("a known-canary"));
        assert_eq!(without_known("known-canary-and-more, known-canary"), "++++++++, ++++++++");
        assert!(matches!(without_known("known"), Cow::Borrowed("known")));
    }

    /// Whoever writes a value into an address, a document or a paragraph writes it otherwise.
    #[test]
    fn a_value_is_known_however_it_is_written() {
        let value = "p@ss \"w\\n/rd\" <&> it's ö";
        for written in [
            "p@ss \"w\\n/rd\" <&> it's ö",
            // urlquery, PathEscape and what browsers do.
            "p%40ss+%22w%5Cn%2Frd%22+%3C%26%3E+it%27s+%C3%B6",
            "p%40ss%20%22w%5cn%2frd%22%20%3c%26%3e%20it's%20%c3%b6",
            // JSON, as Go writes it and as others do, and JSON in it.
            "p@ss \\\"w\\\\n/rd\\\" \\u003c\\u0026\\u003e it's \\u00f6",
            "p@ss \\\"w\\\\n\\/rd\\\" <&> it's ö",
            "p@ss \\\\\\\"w\\\\\\\\n/rd\\\\\\\" \\\\u003c\\\\u0026\\\\u003e it's ö",
            // YAML between single quotes, HTML, folded lines.
            "p@ss \"w\\n/rd\" <&> it''s ö",
            "p@ss &#34;w\\n/rd&#34; &lt;&amp;&gt; it&#39;s ö",
            "p@ss\n    \"w\\n/rd\"\n    <&> it's ö",
            "p@ss \\\"w\\\\n/rd\\\"\\\n    \\ <&> it's ö",
        ] {
            let plus = value.replace(' ', "+");
            assert_eq!(told(&[value, &plus], &format!("({written})")).as_deref(), Some("(++++++++)"), "{written}");
        }
        let lines = "-----BEGIN\nfirst\nlast";
        assert_eq!(told(&[lines], "  -----BEGIN\n  first\n  last\n").as_deref(), Some("  ++++++++\n"));
        assert_eq!(told(&[lines], "100% \\ & 'x' %zz &no; \\u12 %"), None);
    }

    #[test]
    fn what_is_shortened_shows_no_beginning_of_what_is_known() {
        hide_from_now_on(["shortened-canary-value".to_owned()]);
        assert_eq!(shortened("a shortened-canary-value and more", 14), "a ++++++++ an…");
        assert_eq!(shortened("as it is", 8), "as it is");
        assert_eq!(shortened("as it is.", 8), "as it i…");
    }
}
