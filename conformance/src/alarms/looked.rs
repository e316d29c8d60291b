use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rehearsal::Alarm;
use crate::differential::glob::fits;

/// How many warnings, and how many infos, a person looks at.
const EACH: usize = 100;

/// A finding with what a person says to it.
#[derive(Debug, Serialize)]
pub(super) struct Looked {
    #[serde(flatten)]
    pub(super) alarm: Alarm,
    pub(super) verdict: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) why: String,
}

/// What a person has said to warnings and infos, one by one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sentences {
    #[serde(default)]
    looked: Vec<Sentence>,
}

/// What a person says to one finding of one chart.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sentence {
    rule: String,
    /// The chart's id, written out: a sentence is about one chart.
    chart: String,
    /// The message, with `*` for any run of characters.
    message: String,
    /// Whether the finding is right.
    #[serde(default = "yes")]
    pub(super) holds: bool,
    /// The sentence.
    pub(super) says: String,
}

fn yes() -> bool {
    true
}

impl Sentences {
    pub(super) fn of(&self, alarm: &Alarm) -> Option<&Sentence> {
        let is_it =
            |it: &&Sentence| it.rule == alarm.rule && it.chart == alarm.chart && fits(&it.message, &alarm.message);
        self.looked.iter().find(is_it)
    }
}

/// The severities of which fewer were looked at than are to be, each as a line.
pub(super) fn too_few(looked: &BTreeMap<String, Vec<Looked>>, found: impl Fn(&str) -> usize) -> Vec<String> {
    let seen = |severity: &str| looked.get(severity).map_or(0, Vec::len);
    let wanted = |severity: &str| EACH.min(found(severity));
    let few = ["warning", "info"].into_iter().filter(|severity| seen(severity) < wanted(severity));
    few.map(|it| {
        format!(
            "FEW      {} of {} {it}s were looked at: say a sentence to more of them in conformance/looked.toml",
            seen(it),
            wanted(it)
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(chart: &str, message: &str) -> Alarm {
        Alarm {
            chart: chart.to_owned(),
            rule: "LF117".to_owned(),
            severity: "warning".to_owned(),
            message: message.to_owned(),
            spot: String::new(),
            line: String::new(),
        }
    }

    #[test]
    fn a_sentence_is_about_one_chart() {
        let text = "[[looked]]\nrule = \"LF117\"\nchart = \"a/b\"\nmessage = \"*latest*\"\nsays = \"it moves\"\n";
        let sentences: Sentences = toml::from_str(text).expect("sentences");
        assert!(sentences.of(&alarm("a/b", "web:latest moves")).is_some_and(|it| it.holds));
        assert!(sentences.of(&alarm("a/bc", "web:latest moves")).is_none());
        assert!(sentences.of(&alarm("a/b", "another")).is_none());
    }

    #[test]
    fn fewer_than_a_hundred_of_many_are_too_few_and_all_of_a_few_are_enough() {
        let seen = |count| {
            let looked = || Looked { alarm: alarm("a/b", ""), verdict: "true", why: String::new() };
            BTreeMap::from([("warning".to_owned(), (0..count).map(|_| looked()).collect::<Vec<_>>())])
        };
        let warnings = |count| move |severity: &str| if severity == "warning" { count } else { 0 };
        assert_eq!(too_few(&seen(99), warnings(400)).len(), 1);
        assert!(too_few(&seen(100), warnings(400)).is_empty());
        assert!(too_few(&seen(7), warnings(7)).is_empty());
    }
}
