//! What a Dockerfile declares, as far as it decides what its builder is told.

use std::collections::BTreeSet;

/// Names that the builder or the loader of programs reads for itself, in any letters: no build argument may have them,
/// whoever declares it. A trailing `_` stands for all names that begin so.
const READ_BY_OTHERS: &[&str] = &[
    "PATH",
    "HOME",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELL",
    "LD_",
    "DYLD_",
    "GLIBC_",
    "MALLOC_",
    "DOCKER_",
    "BUILDKIT_",
    "BUILDX_",
    "CONTAINER_",
    "CONTAINERS_",
    "STORAGE_",
    "REGISTRY_",
    "SOURCE_DATE_EPOCH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSH_",
    "SSL_CERT_",
    "XDG_",
    "KUBECONFIG",
];

/// Whether a name is one that a builder or a loader reads for itself.
pub(super) fn is_read_by_others(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    READ_BY_OTHERS.iter().any(|taken| if taken.ends_with('_') { name.starts_with(taken) } else { name == *taken })
}

/// The names that a Dockerfile declares with `ARG`, in any of its stages.
///
/// Lines are joined as the builder joins them (the escape character of a leading directive, comments in between left
/// out); the bodies of here-documents are no instructions.
pub(super) fn declared_arguments(text: &str) -> BTreeSet<String> {
    let escape = escape_of(text);
    let mut names = BTreeSet::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if is_comment(line) {
            continue;
        }
        let mut instruction = line.trim().to_owned();
        while let Some(head) = instruction.strip_suffix(escape).map(str::to_owned) {
            let Some(next) = lines.by_ref().find(|next| !is_comment(next)) else { break };
            instruction = format!("{head}{}", next.trim());
        }
        let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
        if word.eq_ignore_ascii_case("ARG") {
            names.extend(names_of(rest));
        }
        for end in here_documents(rest) {
            let _body = lines.by_ref().find(|line| line.trim_start_matches('\t') == end);
        }
    }
    names
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The character that joins lines: a backslash, or what `# escape=` says before the first instruction.
fn escape_of(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    let said = directives.filter_map(|line| line.split_once('=')).find(|(name, _)| name.trim() == "escape");
    if said.is_some_and(|(_, value)| value.trim() == "`") { '`' } else { '\\' }
}

/// The names before the equals signs of `NAME`, `NAME=value` and `NAME="a b" OTHER`.
fn names_of(rest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in rest.chars().chain([' ']) {
        match quote {
            Some(open) if character == open => quote = None,
            None if character == '"' || character == '\'' => quote = Some(character),
            None if character.is_whitespace() => {
                let whole = std::mem::take(&mut word);
                let name = whole.split('=').next().unwrap_or_default();
                if !name.is_empty() {
                    names.push(name.to_owned());
                }
                continue;
            }
            _ => {}
        }
        if character != '"' && character != '\'' {
            word.push(character);
        }
    }
    names
}

/// The words that end the here-documents which an instruction begins.
fn here_documents(rest: &str) -> Vec<String> {
    rest.split_whitespace()
        .filter_map(|word| word.split_once("<<").map(|(_, end)| end.trim_start_matches('-').trim_matches(['"', '\''])))
        .filter(|end| !end.is_empty() && end.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_those_of_arg_instructions_in_every_stage() {
        let text = "# syntax=docker/dockerfile:1\nARG BASE=alpine:3\nFROM ${BASE} AS build\narg API DEPTH=\"a b\" \\\n  # why\n  LAST='x'\nRUN <<EOF\nARG NOT=1\nEOF\nRUN echo ARG NEITHER\nFROM scratch\n\tARG  TAIL\n";
        let names = declared_arguments(text);
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["API", "BASE", "DEPTH", "LAST", "TAIL"]);
        let windows = "# escape=`\nFROM x\nARG A `\n B\nRUN c:\\\nARG C\n";
        assert_eq!(declared_arguments(windows).into_iter().collect::<Vec<_>>(), ["A", "B", "C"]);
    }

    #[test]
    fn names_that_steer_a_builder_or_a_loader_are_known_in_any_letters() {
        for name in [
            "PATH",
            "LD_PRELOAD",
            "ld_library_path",
            "DYLD_INSERT_LIBRARIES",
            "DOCKER_HOST",
            "https_proxy",
            "BUILDX_CONFIG",
        ] {
            assert!(is_read_by_others(name), "{name}");
        }
        for name in ["API", "NEXT_PUBLIC_PATH", "LDAP_HOST", "DOCKERFILE", "HOMEPAGE"] {
            assert!(!is_read_by_others(name), "{name}");
        }
    }
}
