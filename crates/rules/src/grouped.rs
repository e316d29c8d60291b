use std::collections::HashMap;

use landfall_diag::{Finding, Witness};

/// Findings of one cause made one, in the order of their first place, the heaviest first.
pub(crate) fn grouped(findings: Vec<Finding>) -> Vec<Finding> {
    let mut groups: Vec<Finding> = Vec::new();
    let mut known: HashMap<(&'static str, String), usize> = HashMap::new();
    for finding in findings {
        let at = *known.entry((finding.rule, finding.key.clone())).or_insert(groups.len());
        match groups.get_mut(at) {
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

/// Findings of one family made one, in their order: the first speaks for all.
pub(crate) fn gathered(findings: Vec<Finding>) -> Vec<Finding> {
    let mut gathered: Vec<(Finding, usize)> = Vec::new();
    for finding in findings {
        let is_alike = |(other, _): &&mut (Finding, usize)| {
            finding.family.is_some()
                && (other.rule, other.severity, &other.family) == (finding.rule, finding.severity, &finding.family)
                && other.waived == finding.waived
        };
        match gathered.iter_mut().find(is_alike) {
            Some((first, more)) => {
                first.spots.extend(finding.spots);
                *more += 1;
            }
            None => gathered.push((finding, 0)),
        }
    }
    let told = |(mut finding, more): (Finding, usize)| {
        if more > 0 {
            finding.message = format!("{}, and {more} more like it", finding.message);
        }
        finding
    };
    gathered.into_iter().map(told).collect()
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
    fn findings_of_one_family_are_shown_as_one_with_all_places() {
        let rule = RULES[0];
        let of = |image: &str| rule.finding(format!("image {image} moves")).of_family("moves").at(spot(image));
        let findings = gathered(vec![of("a"), rule.finding("other").at(spot("b")), of("c"), of("d")]);
        let told: Vec<(&str, usize)> = findings.iter().map(|it| (it.message.as_str(), it.spots.len())).collect();
        assert_eq!(told, [("image a moves, and 2 more like it", 3), ("other", 1)]);
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
