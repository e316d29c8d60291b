//! What a chart that is not at hand, or a program that is not run, may answer: it is nobody's fault that it is not seen.

use landfall_chart::NOT_AT_HAND;
use landfall_diag::Finding;

use crate::subject::Subject;

/// The rules that miss something which another chart may bring.
const MISSING: &[&str] = &["LF103", "LF105", "LF108", "LF132", "LF168", "LF182", "LF183", "LF184", "LF187"];

/// What runs pods.
const WORKLOADS: &[&str] = &["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"];

/// Whether what a finding misses may come from a chart that is not at hand, by its name, or from a template that was left out for
/// want of one, by its kind, or from what another program would make.
pub fn is_beyond(subject: &Subject<'_>, finding: &Finding) -> bool {
    // What only stands for a value of theirs is nobody's.
    if [&finding.message, &finding.cause].into_iter().any(|text| text.contains(NOT_AT_HAND)) {
        return true;
    }
    if !MISSING.contains(&finding.rule) || finding.message.starts_with("key `") {
        return false;
    }
    let parts = || subject.units.iter().flat_map(|unit| &unit.rendered.charts).flat_map(|it| it.processed.with_parts());
    let pieces: Vec<&str> = finding.message.split('`').collect();
    let named: Vec<&str> = pieces.iter().skip(1).step_by(2).copied().collect();
    let is_theirs = parts().flat_map(|part| &part.without.dependencies).filter(|it| it.enabled).any(|dependency| {
        let mut names = [dependency.name.as_str(), dependency.alias.as_str()].into_iter();
        names.any(|name| named.iter().any(|text| has_part(text, name)))
    });
    if is_theirs {
        return true;
    }
    // What is a slip away from something that is there was meant.
    if finding.help.starts_with("did you mean") {
        return false;
    }
    if subject.units.iter().any(|unit| !unit.rendered.not_run.is_empty()) {
        return true;
    }
    // What stands in front of each name is its kind.
    let mut kinds: Vec<&str> =
        pieces.iter().step_by(2).filter_map(|text| text.split_whitespace().next_back()).collect();
    if finding.message.contains("selects no") {
        kinds.extend(WORKLOADS);
    }
    let mut left_out = parts().flat_map(|part| &part.without.templates);
    left_out.any(|left| kinds.iter().any(|kind| declares(&left.text, kind)))
}

/// Whether a name has another one as one of its parts: `shop-redis-master` has `redis`.
pub fn has_part(text: &str, name: &str) -> bool {
    let is_end = |rest: Option<char>| rest.is_none_or(|it| !it.is_ascii_alphanumeric());
    !name.is_empty()
        && text
            .match_indices(name)
            .any(|(at, _)| is_end(text[..at].chars().next_back()) && is_end(text[at + name.len()..].chars().next()))
}

/// Whether a template has an object of a kind.
fn declares(text: &str, kind: &str) -> bool {
    let mut kinds = text.lines().filter_map(|line| line.trim_start().strip_prefix("kind:")).map(str::trim).peekable();
    // What is all of it called from elsewhere may be of any kind.
    let is_called = kinds.peek().is_none() && ["include ", "template "].iter().any(|call| text.contains(call));
    is_called || kinds.any(|rest| rest.trim_matches(['"', '\'']) == kind || rest.contains("{{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_whole_parts_alone() {
        for text in ["redis", "shop-redis", "http://shop-redis-master:6379", "redis.data.svc"] {
            assert!(has_part(text, "redis"), "{text}");
        }
        for text in ["rediss", "shop-redis2", "predis"] {
            assert!(!has_part(text, "redis"), "{text}");
        }
        assert!(!has_part("shop", ""));
    }
}
