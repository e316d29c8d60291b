use landfall_diag::{Finding, Witness};

/// Findings of one cause made one, in the order of their first place, the heaviest first.
pub(crate) fn grouped(findings: Vec<Finding>) -> Vec<Finding> {
    let mut groups: Vec<Finding> = Vec::new();
    for finding in findings {
        match groups.iter_mut().find(|group| group.rule == finding.rule && group.key == finding.key) {
            Some(group) => {
                group.severity = group.severity.max(finding.severity);
                if group.witness == Witness::Rule {
                    group.witness = finding.witness;
                }
                for spot in finding.spots {
                    if !group.spots.contains(&spot) {
                        group.spots.push(spot);
                    }
                }
            }
            None => groups.push(finding),
        }
    }
    groups.sort_by(|a, b| (b.severity, a.rule).cmp(&(a.severity, b.rule)));
    groups
}

#[cfg(test)]
mod tests {
    use landfall_diag::{Severity, Spot};
    use landfall_object::{Gvk, ObjectKey};

    use super::*;
    use crate::catalogue::RULES;

    fn spot(name: &str) -> Spot {
        Spot::object(None, ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), name))
    }

    #[test]
    fn findings_of_one_cause_are_one_with_all_places() {
        let rule = RULES[0];
        let findings = vec![
            rule.finding("no key A").at(spot("web")),
            rule.finding("no key B").at(spot("web")).weighing(Severity::Info),
            rule.finding("no key A").at(spot("api")),
            rule.finding("no key A").at(spot("api")),
        ];
        let groups = grouped(findings);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].message, "no key A");
        assert_eq!(
            groups[0].spots.iter().map(Spot::name).collect::<Vec<_>>(),
            ["Deployment/web (shop)", "Deployment/api (shop)"]
        );
    }
}
