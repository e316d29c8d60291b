use serde::Deserialize;

use crate::compare::Verdict;
use crate::helm::Outcome;

/// The closed list of cases that do not count, each with its reason and the oracle's own words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclusions {
    #[serde(default)]
    exclude: Vec<Exclusion>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusion {
    /// The case's id, or its beginning before a `*`.
    case: String,
    /// Why it cannot be compared.
    reason: String,
    /// What the oracle itself must say for the rule to hold: a part of its refusal, or of what it says as it dies.
    words: String,
}

impl Exclusions {
    /// Why a case does not count, by what the oracle did with it; our own answer has no say, but where the oracle died we
    /// have to refuse.
    pub(crate) fn reason(&self, id: &str, helm: &Outcome, verdict: &Verdict) -> Option<&str> {
        let words = match helm {
            Outcome::Refused(words) => words,
            Outcome::Died(words) if *verdict == Verdict::OracleDied => words,
            _ => return None,
        };
        let meant = |rule: &&Exclusion| match rule.case.strip_suffix('*') {
            Some(beginning) => id.starts_with(beginning),
            None => rule.case == id,
        };
        let rule = self.exclude.iter().filter(meant).find(|rule| words.contains(&rule.words))?;
        Some(&rule.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_oracle_died_a_rule_holds_only_for_our_refusals() {
        let rules: Exclusions =
            toml::from_str("[[exclude]]\ncase = \"random/*\"\nreason = \"endless\"\nwords = \"stack overflow\"\n")
                .expect("rules");
        let died = Outcome::Died("fatal error: stack overflow".to_owned());
        assert_eq!(rules.reason("random/1/t00", &died, &Verdict::OracleDied), Some("endless"));
        assert_eq!(rules.reason("random/1/t00", &died, &Verdict::Differs(String::new())), None);
        assert_eq!(rules.reason("bitnami/x", &died, &Verdict::OracleDied), None);
        let other = Outcome::Died("killed".to_owned());
        assert_eq!(rules.reason("random/1/t00", &other, &Verdict::OracleDied), None);
    }
}
