//! Which of a repository's tags a policy chooses.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_sprig::Constraint;

use crate::filter::Filter;
use crate::version::Version;

/// By what tags are compared.
#[derive(Debug, Clone)]
pub enum Selector {
    /// The highest version of a range, as Masterminds' semver reads it.
    Semver(Constraint),
    /// A decimal number of any length.
    Numerical(Order),
    /// The letters.
    Alphabetical(Order),
    /// When the image was made.
    Newest,
}

/// Which end is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The last one of those in ascending order: the largest.
    #[default]
    Ascending,
    /// The last one of those in descending order: the smallest.
    Descending,
}

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The tag.
    pub tag: String,
    /// When its image was made, where that was asked.
    pub created: Option<Timestamp>,
}

/// What a policy chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The tag; nothing where none can be compared.
    pub tag: Option<String>,
    /// Tags that pass the filter and cannot be compared: no version of the range, no number, no time.
    pub skipped: usize,
    /// Tags of which the same was taken out as of another one: the last by its letters counts.
    pub doubled: Vec<String>,
}

/// What of a tag is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rank {
    Version(Version),
    /// Digits before the point without zeros in front, digits behind it without zeros at the end.
    Number(String, String),
    Text(String),
    Time(Timestamp),
}

impl Rank {
    fn compare(&self, other: &Rank) -> Ordering {
        match (self, other) {
            (Rank::Version(a), Rank::Version(b)) => a.precedence(b),
            (Rank::Number(whole, part), Rank::Number(other_whole, other_part)) => whole
                .len()
                .cmp(&other_whole.len())
                .then_with(|| whole.cmp(other_whole))
                .then_with(|| part.cmp(other_part)),
            (Rank::Text(a), Rank::Text(b)) => a.cmp(b),
            (Rank::Time(a), Rank::Time(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

impl Selector {
    /// The highest version of a range.
    ///
    /// # Errors
    /// The range is none; in Masterminds' words.
    pub fn semver(range: &str) -> Result<Self, String> {
        Constraint::parse(range).map(Selector::Semver).map_err(|error| error.to_string())
    }

    /// The tag that is chosen.
    pub fn choose<'c>(&self, filter: &Filter, candidates: impl IntoIterator<Item = &'c Candidate>) -> Chosen {
        let mut chosen = Chosen::default();
        let mut by_text: BTreeMap<String, (&str, Rank)> = BTreeMap::new();
        for candidate in candidates {
            let Some(filtered) = filter.apply(&candidate.tag) else { continue };
            let Some(rank) = self.rank(&filtered.text, candidate) else {
                chosen.skipped += 1;
                continue;
            };
            let doubled = by_text.get(&filtered.text).map(|(tag, _)| *tag);
            match doubled {
                Some(other) if other > filtered.tag => chosen.doubled.push(filtered.tag.to_owned()),
                other => {
                    chosen.doubled.extend(other.filter(|other| *other != filtered.tag).map(str::to_owned));
                    by_text.insert(filtered.text, (filtered.tag, rank));
                }
            }
        }
        let order = match self {
            Selector::Numerical(order) | Selector::Alphabetical(order) => *order,
            Selector::Semver(_) | Selector::Newest => Order::Ascending,
        };
        let best = by_text.into_values().max_by(|(tag, rank), (other, other_rank)| {
            let by_rank = rank.compare(other_rank);
            let by_rank = if order == Order::Descending { by_rank.reverse() } else { by_rank };
            by_rank.then_with(|| tag.cmp(other))
        });
        chosen.tag = best.map(|(tag, _)| tag.to_owned());
        chosen.doubled.sort();
        chosen
    }

    /// Whether a tag comes before another one by this order; nothing where that cannot be said.
    pub fn is_before(&self, filter: &Filter, (one, other): (&Candidate, &Candidate)) -> Option<bool> {
        let rank = |candidate: &Candidate| self.rank(&filter.apply(&candidate.tag)?.text, candidate);
        let ordering = rank(one)?.compare(&rank(other)?);
        Some(match self {
            Selector::Numerical(Order::Descending) | Selector::Alphabetical(Order::Descending) => ordering.is_gt(),
            _ => ordering.is_lt(),
        })
    }

    fn rank(&self, text: &str, candidate: &Candidate) -> Option<Rank> {
        match self {
            Selector::Semver(range) => {
                let version = Version::parse(text).ok()?;
                range.check(version.of_sprig()).then_some(Rank::Version(version))
            }
            Selector::Numerical(_) => number(text),
            Selector::Alphabetical(_) => Some(Rank::Text(text.to_owned())),
            Selector::Newest => candidate.created.map(Rank::Time),
        }
    }
}

/// A number without sign or exponent, of any length: no digit of a time stamp is lost.
fn number(text: &str) -> Option<Rank> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && digits(whole) && digits(part) && !(part.is_empty() && text.contains('.'));
    is_number.then(|| Rank::Number(whole.trim_start_matches('0').to_owned(), part.trim_end_matches('0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(tags: &[&str]) -> Vec<Candidate> {
        tags.iter().map(|tag| Candidate { tag: (*tag).to_owned(), created: None }).collect()
    }

    fn chosen(selector: &Selector, filter: &Filter, tags: &[&str]) -> Chosen {
        selector.choose(filter, &candidates(tags))
    }

    #[test]
    fn the_highest_version_of_a_range_is_chosen_and_pre_releases_where_the_range_has_them() {
        let range = |text: &str| Selector::Semver(Constraint::parse(text).expect("a range"));
        let tags = ["1.0.0", "v1.4.2", "1.10.0", "2.0.0-rc.1", "2.0.0", "latest", "1.2"];
        let tag = |text: &str| chosen(&range(text), &Filter::default(), &tags).tag;
        assert_eq!(tag("1.x").as_deref(), Some("1.10.0"));
        assert_eq!(tag("<1.5").as_deref(), Some("v1.4.2"));
        assert_eq!(tag(">=1.0.0-0 <2.0.0").as_deref(), Some("2.0.0-rc.1"));
        assert_eq!(tag("3.x"), None);
        assert_eq!(chosen(&range("*"), &Filter::default(), &tags).skipped, 3, "latest, 1.2, and the pre-release");
    }

    #[test]
    fn numbers_of_any_length_are_compared_digit_by_digit_and_what_is_none_is_counted() {
        let by_number = Selector::Numerical(Order::Ascending);
        let tags = ["20261122120000000001", "20261122120000000002", "0020261122120000000002.5", "x", "1.", "-1"];
        let found = chosen(&by_number, &Filter::default(), &tags);
        assert_eq!((found.tag.as_deref(), found.skipped), (Some("0020261122120000000002.5"), 3));
        let smallest = chosen(&Selector::Numerical(Order::Descending), &Filter::default(), &["9", "10", "2"]);
        assert_eq!(smallest.tag.as_deref(), Some("2"));
    }

    #[test]
    fn two_tags_of_which_the_same_is_taken_out_are_told_and_the_choice_hangs_on_no_order() {
        let filter = Filter::parse(Some(r"^(?P<n>\d+)-.*$"), None, Some("$n")).expect("read");
        let by_number = Selector::Numerical(Order::Ascending);
        let one = chosen(&by_number, &filter, &["7-a", "7-b", "6-z"]);
        let other = chosen(&by_number, &filter, &["6-z", "7-b", "7-a"]);
        assert_eq!(one, other);
        assert_eq!((one.tag.as_deref(), one.doubled), (Some("7-b"), vec!["7-a".to_owned()]));
    }

    #[test]
    fn letters_and_times_choose_the_last_one() {
        let by_letters = chosen(&Selector::Alphabetical(Order::Ascending), &Filter::default(), &["a", "c", "b"]);
        assert_eq!(by_letters.tag.as_deref(), Some("c"));
        let by_letters = chosen(&Selector::Alphabetical(Order::Descending), &Filter::default(), &["a", "c", "b"]);
        assert_eq!(by_letters.tag.as_deref(), Some("a"));
        let mut all = candidates(&["old", "new", "unknown"]);
        all[0].created = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
        all[1].created = Some("2026-01-02T00:00:00Z".parse().expect("a time"));
        let newest = Selector::Newest.choose(&Filter::default(), &all);
        assert_eq!((newest.tag.as_deref(), newest.skipped), (Some("new"), 1));
        assert_eq!(Selector::Newest.is_before(&Filter::default(), (&all[0], &all[1])), Some(true));
    }
}
