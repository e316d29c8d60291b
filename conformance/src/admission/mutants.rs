//! Whether a broken check would be noticed: the answers that an implementation with one broken check would give, held against the real ones.

use landfall_object::pod_security::{
    Level, LevelVersion, Pod, Version, Violation, check_ids, revisions, told, violations,
};
use serde_json::Value;

/// A way to break one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It never finds anything.
    Silent,
    /// It finds the right thing and says less.
    Terse,
    /// Its revision of that minor version holds one version later.
    Late(u32),
}

/// A check that is broken.
#[derive(Debug, Clone, Copy)]
struct Mutant {
    check: &'static str,
    fault: Fault,
}

/// What the real server said to a pod under a level and version.
pub(super) struct Real<'a> {
    pub(super) pod: &'a Value,
    pub(super) under: LevelVersion,
    pub(super) code: u16,
    pub(super) message: &'a str,
}

/// What was found of mutants.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) planted: usize,
    /// Mutants that no answer tells from the real server.
    pub(super) missed: Vec<String>,
}

/// Breaks each check in each way and looks for an answer of the real server that the broken one would not give.
pub(super) fn score(answers: &[Real<'_>]) -> Score {
    let plain = check_ids().flat_map(|check| [Fault::Silent, Fault::Terse].map(|fault| Mutant { check, fault }));
    let late =
        revisions().filter(|(_, since)| *since > 0).map(|(check, since)| Mutant { check, fault: Fault::Late(since) });
    let mutants: Vec<Mutant> = plain.chain(late).collect();
    let mut noticed = vec![false; mutants.len()];
    for answer in answers {
        let clean = violations(answer.under, Pod::of(answer.pod));
        // What validation refuses, admission never sees; what the unbroken rules get wrong is a failed case already.
        if !fits(&clean, answer) {
            continue;
        }
        for (mutant, noticed) in mutants.iter().zip(&mut noticed).filter(|(_, noticed)| !**noticed) {
            let broken = mutant.finds(&clean, answer);
            *noticed = broken != clean && !fits(&broken, answer);
        }
    }
    let missed = mutants.iter().zip(noticed).filter(|(_, noticed)| !noticed);
    let missed = missed.map(|(mutant, _)| format!("{} {:?}", mutant.check, mutant.fault)).collect();
    Score { planted: mutants.len(), missed }
}

impl Mutant {
    /// What the broken check and the unbroken others find.
    fn finds(self, clean: &[Violation], answer: &Real<'_>) -> Vec<Violation> {
        let own = clean.iter().find(|found| found.check == self.check).cloned();
        let own = match self.fault {
            Fault::Silent => None,
            Fault::Terse => own.map(|found| Violation { detail: String::new(), ..found }),
            Fault::Late(since) if answer.under.version == Version::Minor(since) => {
                let under = LevelVersion { version: Version::Minor(since - 1), ..answer.under };
                violations(under, Pod::of(answer.pod)).into_iter().find(|found| found.check == self.check)
            }
            Fault::Late(_) => own,
        };
        let mut found: Vec<Violation> =
            clean.iter().filter(|found| found.check != self.check).cloned().chain(own).collect();
        let order: Vec<&str> = check_ids().collect();
        found.sort_by_key(|found| order.iter().position(|id| *id == found.check));
        found
    }
}

/// Whether the server answered as these violations would have it.
fn fits(found: &[Violation], answer: &Real<'_>) -> bool {
    if found.is_empty() || answer.under.level == Level::Privileged {
        return answer.code == 201;
    }
    let end = format!("violates PodSecurity \"{}\": {}", answer.under, told(found));
    answer.code == 403 && answer.message.ends_with(&end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mutant_that_no_answer_shows_is_told() {
        let pod = json!({"spec": {"hostPID": true, "containers": [{"name": "a"}]}});
        let under = LevelVersion { level: Level::Baseline, version: Version::Latest };
        let message = format!(
            "pods \"p\" is forbidden: violates PodSecurity \"{under}\": {}",
            told(&violations(under, Pod::of(&pod)))
        );
        let score = score(&[Real { pod: &pod, under, code: 403, message: &message }]);
        assert!(!score.missed.contains(&"hostNamespaces Silent".to_owned()), "{:?}", score.missed);
        assert!(score.missed.contains(&"hostPorts Silent".to_owned()));
    }
}
