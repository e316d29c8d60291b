use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};
use landfall_source::CommitChanges;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF164",
    title: "a build takes what people wrote, not what it wrote back itself",
    severity: Severity::Warning,
    why: "A bot writes the tags of a build into the values and commits them. A build that is started by hand then takes the \
          bot's own commit: every image gets a new name for the same program, all pods restart, and what was to be \
          delivered is not.",
    advice: "Build the commit that was meant, and let the build refuse one that changes nothing but tags.",
    check,
};

/// The keys of values that say which image runs.
const IMAGE_KEYS: &[&str] = &["tag", "digest", "image", "imagetag", "newtag"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(files) = subject.files else { return Vec::new() };
    let mut looked_up: BTreeMap<&str, Option<CommitChanges>> = BTreeMap::new();
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| !subject.is_borrowed(desired)) {
        for container in template.containers() {
            let image = container.image();
            let Some(id) = commit_id(image) else { continue };
            let changes = looked_up.entry(id).or_insert_with(|| files.commit_changes(id));
            let Some(changes) = changes.as_ref().filter(|changes| writes_tags_alone(changes)) else { continue };
            if ran_before(subject, desired, image) {
                continue;
            }
            let short = &changes.sha[..7];
            findings.push(
                RULE.finding(format!("images of `{short}` are delivered, which changed nothing but tags"))
                    .keyed(changes.sha.clone())
                    .because(format!(
                        "`{short} {}` names what was built before: the program is the same",
                        changes.subject
                    ))
                    .help("build the commit before it, or the one that was meant")
                    .at(desired.spot_at(&format!("{}.image", container.path))),
            );
        }
    }
    findings
}

/// The part of an image's tag that may be a commit's id.
fn commit_id(image: &str) -> Option<&str> {
    let (_, tag) = image.split('@').next()?.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
    let is_id = |part: &&str| {
        (7..=40).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
    };
    tag.split(['-', '_', '.', '+']).rfind(is_id)
}

fn ran_before(subject: &Subject<'_>, desired: &Desired, image: &str) -> bool {
    let key = desired.key();
    let base = subject.base.into_iter().flatten().flat_map(|unit| &unit.objects);
    let mut before = base.filter(|it| it.key().without_version() == key.without_version()).map(|it| &it.object);
    before.any(|object| {
        crate::pods::pod_template(object)
            .is_some_and(|template| template.containers().iter().any(|container| container.image() == image))
    })
}

/// Whether all that a commit changed are the fields of YAML files that say which image runs.
fn writes_tags_alone(changes: &CommitChanges) -> bool {
    let read = |text: &Option<Vec<u8>>| -> Option<Vec<Value>> {
        landfall_yaml::to_json_all(std::str::from_utf8(text.as_deref()?).ok()?).ok()
    };
    !changes.files.is_empty()
        && changes.files.iter().all(|file| {
            let (Some(before), Some(after)) = (read(&file.before), read(&file.after)) else { return false };
            let mut tags = 0;
            only_tags(&Value::from(before), &Value::from(after), "", &mut tags) && tags > 0
        })
}

/// Whether two values differ in nothing but fields that say which image runs; counts those.
fn only_tags(before: &Value, after: &Value, key: &str, tags: &mut usize) -> bool {
    match (before, after) {
        (before, after) if before == after => true,
        (Value::Object(old), Value::Object(new)) => {
            old.len() == new.len()
                && old.iter().all(|(key, old)| new.get(key).is_some_and(|new| only_tags(old, new, key, tags)))
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| only_tags(old, new, key, tags))
        }
        (Value::String(_) | Value::Number(_), Value::String(_) | Value::Number(_)) => {
            *tags += 1;
            IMAGE_KEYS.contains(&key.to_ascii_lowercase().as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commits_id_is_read_out_of_a_tag() {
        assert_eq!(commit_id("registry.example.com/web:sha-442b313"), Some("442b313"));
        assert_eq!(commit_id("web:1.2.3-9d7d738ab@sha256:00"), Some("9d7d738ab"));
        assert_eq!(commit_id("registry.example.com:5000/web"), None);
        assert_eq!(commit_id("web:1.2.3"), None);
        assert_eq!(commit_id("web:latest"), None);
    }
}
