//! Tags that were lowered: what git was taken back from is not chosen again by itself.

use std::collections::BTreeMap;

use landfall_delivery::{Standing, TagLine, text_of};
use landfall_promote::{BindingPath, Candidate, Filter, Selector, is_older, tag_at, tag_in};
use landfall_server::api::HoldLine;
use landfall_source::{LineCommit, SourceTree};

use crate::commands::write_back::short;

/// A tag that a line said, and that a lower one has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lowered {
    pub(super) tag: String,
    /// What stood there then.
    to: String,
    /// The commit that did it; nothing where it is not committed.
    by: Option<LineCommit>,
}

impl Lowered {
    /// What became of it, for people.
    pub(super) fn story(&self) -> String {
        let by = match &self.by {
            Some(commit) => format!("{} ({})", short(&commit.sha), commit.subject),
            None => "an edit that is not committed".to_owned(),
        };
        format!("{by} went back from {} to {}", self.tag, self.to)
    }

    /// Why it is not chosen, for people.
    pub(super) fn said(&self) -> String {
        let Lowered { tag, .. } = self;
        format!(
            "{}: {tag}, and what comes before it, is not chosen again until something newer \
             is published, or `landfall hold --release {tag}`",
            self.story()
        )
    }

    /// Why it is held, in the book.
    pub(super) fn reason(&self, environment: Option<&str>) -> String {
        let place = environment.map(|name| format!(" in {name}")).unwrap_or_default();
        let by = self.by.as_ref().map(|commit| format!(" by {}", short(&commit.sha))).unwrap_or_default();
        format!("lowered to {}{place}{by}", self.to)
    }

    /// The hold that the book has of it since.
    pub(super) fn hold<'h>(&self, holds: &'h [HoldLine]) -> Option<&'h HoldLine> {
        let since = self.by.as_ref().map_or(i64::MAX, |commit| commit.seconds);
        let is_since = |at: &str| at.parse::<jiff::Timestamp>().is_ok_and(|at| at.as_second() >= since);
        holds
            .iter()
            .filter(|hold| hold.tag == self.tag)
            .find(|hold| hold.released_at.as_deref().map_or_else(|| true, is_since))
    }
}

/// How the tags of a policy follow each other.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) selector: Selector,
    pub(super) filter: Filter,
    /// When images were made, by their tags, where that was asked.
    pub(super) created: BTreeMap<String, jiff::Timestamp>,
}

impl Ordered {
    /// Whether a tag comes before another one: by the policy, or as versions where that does not say it.
    pub(super) fn is_before(&self, one: &str, other: &str) -> bool {
        let candidate = |tag: &str| Candidate { tag: tag.to_owned(), created: self.created.get(tag).copied() };
        let by_policy = self.selector.is_before(&self.filter, (&candidate(one), &candidate(other)));
        by_policy.unwrap_or_else(|| is_older(one, other))
    }

    /// What keeps a tag from being chosen for lines of a tree: the highest one that they were taken back from, where the tag
    /// does not come behind it.
    pub(super) fn against<'l>(
        &self,
        tree: &SourceTree,
        lines: impl IntoIterator<Item = &'l TagLine>,
        tag: &str,
    ) -> Option<Lowered> {
        let mut lineage = tree.lineage();
        let mut highest: Option<Lowered> = None;
        for line in lines {
            let path = match &line.line.standing {
                Standing::There(path, _) => path.clone(),
                Standing::New(keys) => BindingPath::of_keys(keys),
            };
            // What the file does not say, the chart's default does.
            let usual = match &line.line.standing {
                Standing::New(_) => Some(tag_in(&line.line.value).to_owned()),
                Standing::There(..) => None,
            };
            let said = |text: &str| tag_at(text, &path).filter(|tag| !tag.is_empty()).or_else(|| usual.clone());
            let history = lineage.file_history(&line.line.file);
            let mut tags: Vec<(String, Option<LineCommit>)> = history
                .versions
                .into_iter()
                .rev()
                .filter_map(|version| Some((said(&version.text)?, Some(version.commit))))
                .collect();
            tags.extend(text_of(tree, &line.line.file).ok().and_then(|text| said(&text)).map(|tag| (tag, None)));
            if let Some(found) = self.lowered(&tags)
                && highest.as_ref().is_none_or(|known| self.is_before(&known.tag, &found.tag))
            {
                highest = Some(found);
            }
        }
        highest.filter(|lowered| !self.is_before(&lowered.tag, tag))
    }

    /// What a line was taken back from, by what it said one after the other: setting it again, or something behind it, lets
    /// it go.
    fn lowered(&self, tags: &[(String, Option<LineCommit>)]) -> Option<Lowered> {
        let mut held: Option<Lowered> = None;
        for pair in tags.windows(2) {
            let [(was, _), (is, by)] = pair else { continue };
            if is == was {
                continue;
            }
            if self.is_before(is, was) {
                let is_higher = held.as_ref().is_none_or(|held| self.is_before(&held.tag, was));
                if is_higher {
                    held = Some(Lowered { tag: was.clone(), to: is.clone(), by: by.clone() });
                }
            } else if held.as_ref().is_some_and(|held| !self.is_before(is, &held.tag)) {
                held = None;
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(tags: &[&str]) -> Option<String> {
        let ordered = Ordered {
            selector: Selector::semver("1.x").expect("a range"),
            filter: Filter::default(),
            created: BTreeMap::new(),
        };
        let tags: Vec<(String, Option<LineCommit>)> = tags.iter().map(|tag| ((*tag).to_owned(), None)).collect();
        ordered.lowered(&tags).map(|it| it.tag)
    }

    #[test]
    fn the_highest_tag_that_was_gone_back_from_is_held_until_it_is_set_again_or_something_newer_is() {
        for (tags, wanted) in [
            (&["1.2.0", "1.3.0"][..], None),
            (&["1.3.0", "1.2.0"], Some("1.3.0")),
            (&["1.4.0", "1.2.0", "1.3.0", "1.2.0"], Some("1.4.0")),
            (&["1.3.0", "1.2.0", "1.3.0"], None),
            (&["1.3.0", "1.2.0", "1.4.0"], None),
            (&["1.3.0", "1.3.0", "1.2.0", "1.2.0"], Some("1.3.0")),
            // Outside the policy's range versions are versions all the same.
            (&["1.3.0", "0.9.0"], Some("1.3.0")),
        ] {
            assert_eq!(lowered(tags).as_deref(), wanted, "{tags:?}");
        }
    }
}
