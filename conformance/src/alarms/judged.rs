use serde::Deserialize;

use crate::differential::glob::fits;

/// What a person has said to findings, the first that fits counts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Judged {
    #[serde(default)]
    judged: Vec<Judgement>,
}

/// What a person says to one kind of finding.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Judgement {
    /// The rule.
    rule: String,
    /// The chart's id, with `*` for any run of characters.
    #[serde(default = "any")]
    chart: String,
    /// Several ids; what `chart` says is then of no weight.
    #[serde(default)]
    charts: Vec<String>,
    /// The message, with `*` for any run of characters.
    #[serde(default = "any")]
    message: String,
    /// Whether the finding is right.
    pub(super) holds: bool,
    /// Why.
    pub(super) why: String,
}

fn any() -> String {
    "*".to_owned()
}

impl Judged {
    pub(super) fn of(&self, chart: &str, rule: &str, message: &str) -> Option<&Judgement> {
        self.judged.iter().find(|it| it.rule == rule && it.is_of(chart) && fits(&it.message, message))
    }
}

impl Judgement {
    fn is_of(&self, chart: &str) -> bool {
        if self.charts.is_empty() { fits(&self.chart, chart) } else { self.charts.iter().any(|it| fits(it, chart)) }
    }

    pub(super) fn word(&self) -> &'static str {
        word(self.holds)
    }
}

/// What is said of a finding that holds, and of one that does not.
pub(super) fn word(holds: bool) -> &'static str {
    if holds { "true" } else { "FALSE" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_counts() {
        let text = "[[judged]]\nrule = \"LF103\"\nchart = \"a/*\"\nmessage = \"Secret*\"\nholds = true\nwhy = \"asked for\"\n\
                    [[judged]]\nrule = \"LF103\"\nholds = false\nwhy = \"made by a job\"\n";
        let judged: Judged = toml::from_str(text).expect("judgements");
        let word = |chart, rule, message| judged.of(chart, rule, message).map(Judgement::word);
        assert_eq!(word("a/b", "LF103", "Secret `x`"), Some("true"));
        assert_eq!(word("b/b", "LF103", "Secret `x`"), Some("FALSE"));
        assert_eq!(word("a/b", "LF105", "Secret `x`"), None);
        let text = "[[judged]]\nrule = \"LF101\"\ncharts = [\"a/b\", \"c/*\"]\nholds = true\nwhy = \"drawn anew\"\n";
        let judged: Judged = toml::from_str(text).expect("judgements");
        assert!(judged.of("c/d", "LF101", "").is_some() && judged.of("d/d", "LF101", "").is_none());
    }
}
