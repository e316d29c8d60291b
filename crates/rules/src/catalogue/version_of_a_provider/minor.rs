//! The minor version of Kubernetes taken for a number, which it is not with every provider: EKS says `21+`.

use std::collections::BTreeSet;

use crate::texts::{Action, actions, words};

/// What templates ask for.
pub(super) const MINOR: &str = "Capabilities.KubeVersion.Minor";

/// Functions that take away what is behind the number.
const MENDING: &[&str] = &[
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "mustRegexReplaceAll",
    "mustRegexReplaceAllLiteral",
    "regexFind",
    "mustRegexFind",
    "regexFindAll",
    "regexSplit",
    "trimSuffix",
    "trimAll",
    "replace",
    "trunc",
    "substr",
    "splitList",
];

/// Functions that make a number of a text, and 0 of one that is none.
const COUNTING: &[&str] = &["int", "int64", "atoi", "float64"];

/// Functions that write a text into another one.
const PRINTING: &[&str] = &["printf", "print", "println"];

/// Comparisons that `21+` does not pass as 21. As a text it stands behind `21` and before `22`: `ge` and `lt` are right.
const COMPARING: &[&str] = &["eq", "ne", "gt", "le"];

/// What goes wrong with `21+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misuse {
    Counted,
    Compared,
    Printed,
}

/// Where a text first takes the minor version for a number, and how.
pub(super) fn misused(text: &str) -> Option<(usize, Misuse)> {
    let mut variables: BTreeSet<&str> = BTreeSet::new();
    let is_comment = |it: &Action<'_>| text[it.line..it.start].trim_start().starts_with('#');
    for action in actions(text).filter(|it| !it.is_comment() && !is_comment(it)) {
        let (set, inner) = match assigned(action.inner) {
            Some((variable, inner)) => (Some(variable), inner),
            None => (None, action.inner),
        };
        let words = words(inner);
        let is_it = |word: &&str| is_minor(word) || variables.contains(word);
        let holds = words.iter().any(is_it);
        let is_mended = words.iter().any(|word| MENDING.contains(word));
        let misuse = if holds && !is_mended { misuse(&words, &is_it, set.is_some()) } else { None };
        if let Some(misuse) = misuse {
            return Some((action.start, misuse));
        }
        if let Some(variable) = set {
            let is_bare = holds && !is_mended && !words.contains(&"semverCompare");
            if is_bare {
                variables.insert(variable);
            } else {
                variables.remove(variable);
            }
        }
    }
    None
}

/// A variable and what it is made of.
fn assigned(inner: &str) -> Option<(&str, &str)> {
    let (variable, rest) = inner.split_once(char::is_whitespace).filter(|(name, _)| name.starts_with('$'))?;
    let rest = rest.trim_start();
    let made = rest.strip_prefix(":=").or_else(|| rest.strip_prefix('='))?;
    Some((variable, made.trim_start()))
}

fn is_minor(word: &str) -> bool {
    word.trim_start_matches('$').trim_start_matches('.') == MINOR
}

/// How an action takes the version, by the words around it.
fn misuse(words: &[&str], is_it: &dyn Fn(&&str) -> bool, is_kept: bool) -> Option<Misuse> {
    let at = words.iter().position(is_it)?;
    let is_one = |at: Option<usize>, of: &[&str]| at.and_then(|at| words.get(at)).is_some_and(|word| of.contains(word));
    if is_one(at.checked_sub(1), COUNTING) || is_one(at.checked_add(1), COUNTING) {
        return Some(Misuse::Counted);
    }
    if is_one(at.checked_sub(1), COMPARING) || is_one(at.checked_sub(2), COMPARING) {
        return Some(Misuse::Compared);
    }
    let is_alone = matches!(words, [_] | [_, "quote" | "squote" | "toString"]);
    let is_printed = words[..at].iter().any(|word| PRINTING.contains(word)) || (is_alone && !is_kept);
    is_printed.then_some(Misuse::Printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_version_is_no_number_with_every_provider() {
        let of = |text: &str| misused(text).map(|(_, misuse)| misuse);
        for (text, misuse) in [
            ("{{ printf \"%s.%s\" .Capabilities.KubeVersion.Major .Capabilities.KubeVersion.Minor }}", Misuse::Printed),
            ("{{- $v := printf \"1.%s\" $.Capabilities.KubeVersion.Minor -}}", Misuse::Printed),
            ("k8s: {{ .Capabilities.KubeVersion.Minor | quote }}", Misuse::Printed),
            ("{{ if ge (.Capabilities.KubeVersion.Minor | int) 20 }}", Misuse::Counted),
            ("{{ if lt (int .Capabilities.KubeVersion.Minor) 20 }}", Misuse::Counted),
            ("{{ if eq \"1\" \"1\" | and (eq .Capabilities.KubeVersion.Minor \"21\") }}", Misuse::Compared),
            ("{{- $minor := .Capabilities.KubeVersion.Minor }}{{ if gt (int $minor) 8 }}", Misuse::Counted),
        ] {
            assert_eq!(of(text), Some(misuse), "{text}");
        }
        for text in [
            "{{ printf \"1.%s\" (regexReplaceAll \"\\\\D+\" .Capabilities.KubeVersion.Minor \"\") }}",
            "{{- $minor := .Capabilities.KubeVersion.Minor | trimSuffix \"+\" }}{{ if gt (int $minor) 8 }}",
            "{{ if ge .Capabilities.KubeVersion.Minor \"19\" }}",
            "{{- $minor := .Capabilities.KubeVersion.Minor }}",
            "# {{ .Capabilities.KubeVersion.Minor }}",
            "{{/* {{ .Capabilities.KubeVersion.Minor }} */}}",
            "{{ .Capabilities.KubeVersion.Version }}",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
