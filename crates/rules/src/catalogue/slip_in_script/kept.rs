//! Scripts that a ConfigMap or a Secret keeps: what they read that nobody sets, and how they are written.

use landfall_diag::Finding;
use landfall_object::Object;
use landfall_object::references::references;
use serde_json::Value;

use super::{RULE, counted, is_letter, reads, slips};
use crate::decoded::texts;
use crate::subject::{Desired, Role, Subject};

/// What takes a variable for its own, or brings it in from elsewhere.
const OTHERS: &[&str] = &[
    ".", "source", "eval", "awk", "gawk", "mawk", "perl", "python", "python3", "jq", "yq", "psql", "mysql", "envsubst",
];

/// A script that is kept.
struct Kept<'a> {
    desired: &'a Desired,
    key: &'a str,
    text: String,
    /// The field that it stands in.
    field: String,
}

/// Variables in small letters that a kept script reads, and that neither it nor the pods that take it set: `$` was meant for
/// the program most likely.
pub(super) fn unset_in_kept(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kept in kept(subject) {
        let (desired, key) = (kept.desired, kept.key);
        let Some(name) = unset(&kept.text).filter(|name| !is_set_elsewhere(subject, desired, key, name)) else {
            continue;
        };
        findings.push(
            RULE.finding(format!("{} reads `${name}`, which nobody sets", kept.words()))
                .because("the shell puts nothing in its place, and the program that knows the name does not see it")
                .help(format!("write `\\${name}` where the name is for a program, and set it otherwise"))
                .at(desired.spot_at(&kept.field)),
        );
    }
    findings
}

/// What is wrong with how a kept script is written.
pub(super) fn slips_in_kept(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kept in kept(subject) {
        let whose = kept.words();
        let mut found = slips(&whose, &kept.text);
        found.extend(counted::in_script(&whose, &kept.text, shell(&kept.text).unwrap_or_default()));
        findings.extend(found.into_iter().map(|it| it.at(kept.desired.spot_at(&kept.field))));
    }
    findings
}

/// The scripts of ConfigMaps and Secrets; what a Secret has encoded is nobody's text.
fn kept<'a>(subject: &Subject<'a>) -> Vec<Kept<'a>> {
    let mut found = Vec::new();
    for desired in subject.objects().filter(|it| it.role != Role::Definition && is_keeper(&it.object)) {
        for (key, text, field) in texts(&desired.object) {
            let is_encoded = desired.object.kind() == "Secret" && !field.starts_with("stringData");
            if !is_encoded && shell(&text).is_some() {
                found.push(Kept { desired, key, text, field });
            }
        }
    }
    found
}

impl Kept<'_> {
    /// How it is spoken of.
    fn words(&self) -> String {
        let object = &self.desired.object;
        format!("the script `{}` of {} `{}`", self.key, object.kind(), object.name())
    }
}

fn is_keeper(object: &Object) -> bool {
    object.group().is_empty() && matches!(object.kind(), "ConfigMap" | "Secret")
}

/// The shell that a text says of itself that it is for.
fn shell(text: &str) -> Option<&str> {
    let line = text.lines().next()?.strip_prefix("#!")?;
    let mut words = line.split_ascii_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    words.find(|word| matches!(*word, "sh" | "bash" | "ash" | "dash"))
}

/// A variable that a script reads and does nothing else with.
fn unset(script: &str) -> Option<&str> {
    let mut words = script.split(|it: char| !is_letter(it) && it != '.');
    if script.contains("<<") || words.any(|word| OTHERS.contains(&word)) {
        return None;
    }
    reads(script).into_iter().find(|name| is_small(name) && is_only_read(script, name) && !is_quoted(script, name))
}

/// Whether a name is of small words: `data_directory`. Some of those are everybody's.
fn is_small(name: &str) -> bool {
    name.len() >= 4
        && name.trim_matches('_').contains('_')
        && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
        && !name.ends_with("_proxy")
        && !name.starts_with("npm_")
}

/// Whether a name stands in a script only where its value is put in: what stands without `$` may set it.
fn is_only_read(script: &str, name: &str) -> bool {
    script.match_indices(name).all(|(at, _)| {
        let (before, after) = (&script[..at], &script[at + name.len()..]);
        let is_part = before.ends_with(is_letter) || after.starts_with(is_letter);
        is_part || before.ends_with('$') || (before.ends_with("${") && after.starts_with('}'))
    })
}

/// Whether a line that reads a name has single quotes: what they hold is no shell's.
fn is_quoted(script: &str, name: &str) -> bool {
    script.lines().any(|line| line.contains('\'') && line.contains(name))
}

/// Whether anything beside a script may set a variable of it: the pods that take it, or the scripts that read it in.
fn is_set_elsewhere(subject: &Subject<'_>, desired: &Desired, key: &str, name: &str) -> bool {
    let is_read_in = |text: &str| text.contains(key) && (text.contains("source ") || text.contains(". /"));
    let is_of_pods = || {
        subject.pods().filter(|(pod, _)| takes(&pod.object, &desired.object)).any(|(_, template)| {
            let is_given = |list: &Value| list["envFrom"].as_array().is_some_and(|list| !list.is_empty());
            let spec = template.spec.to_string();
            template.containers().iter().any(|it| is_given(it.value)) || spec.contains(name) || is_read_in(&spec)
        })
    };
    let is_of_others = || {
        let others = subject.objects().filter(|it| it.unit == desired.unit && is_keeper(&it.object));
        others.flat_map(|it| texts(&it.object).into_iter().map(move |text| (it, text))).any(|(it, (other, text, _))| {
            let is_own = it.key() == desired.key();
            !(is_own && other == key) && (is_read_in(&text) || (is_own && text.contains(name)))
        })
    };
    is_of_pods() || is_of_others()
}

/// Whether a pod's owner refers to a ConfigMap or Secret.
fn takes(owner: &Object, kept: &Object) -> bool {
    let is_it = |kind: &str, name: &str| kind == kept.kind() && name == kept.name();
    owner.namespace() == kept.namespace() && references(owner).iter().any(|it| is_it(&it.kind, &it.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_script_reads_what_it_sets() {
        assert_eq!((shell("#!/bin/bash\n"), shell("#!/usr/bin/env sh -e\n")), (Some("bash"), Some("sh")));
        assert_eq!((shell("#!/usr/bin/python3\n"), shell("set -e\n"), shell("")), (None, None, None));
        for (script, name) in [
            ("#!/bin/sh\npostconf -P cache=btree:$data_directory/c\n", Some("data_directory")),
            ("#!/bin/sh\necho \"${data_directory}\"\n", Some("data_directory")),
            ("#!/bin/sh\npostconf -P cache=btree:\\$data_directory/c\n", None),
            ("#!/bin/sh\ndata_directory=/c\necho $data_directory\n", None),
            ("#!/bin/sh\nread -r data_directory\necho $data_directory\n", None),
            ("#!/bin/sh\n: ${data_directory:=/c}\necho $data_directory\n", None),
            ("#!/bin/sh\necho 'a $data_directory'\n", None),
            ("#!/bin/sh\nawk \"{print $data_directory}\"\n", None),
            ("#!/bin/sh\n. /lib.sh\necho $data_directory\n", None),
            ("#!/bin/sh\ncat <<EOF\n$data_directory\nEOF\n", None),
            ("#!/bin/sh\necho $https_proxy $HOME $dir $1\n", None),
        ] {
            assert_eq!(unset(script), name, "{script}");
        }
    }
}
