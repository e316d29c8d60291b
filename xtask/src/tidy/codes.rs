//! The registry of diagnostics' codes (`landfall_diag::code`): each code once, used, and no rule's digits.
//!
//! That a code is made nowhere else the compiler sees to: only the registry can make one. Texts it does not read.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust_source::{is_test_file, line_of, with_literals_without_tests, without_literals, without_tests};
use crate::tree::TextFile;

/// Where codes are registered.
const REGISTRY: &str = "crates/diag/src/code/";
/// The page that tells what was called otherwise before, and the code that shows what is none.
const OF_NO_CODE: &[&str] = &["CHANGELOG.md", "crates/diag/src/code.rs", "xtask/src/tidy/codes.rs"];

/// A line of the registry.
struct Registered<'f> {
    name: &'f str,
    number: u16,
    place: String,
}

pub(super) fn check(files: &[TextFile]) -> Vec<String> {
    let registered: Vec<Registered<'_>> =
        files.iter().filter(|file| file.path.starts_with(REGISTRY)).flat_map(registered).collect();
    if registered.is_empty() {
        return vec![format!("{REGISTRY}: no code is registered")];
    }
    let mut findings = twice(&registered);
    let rules: BTreeSet<u16> = files.iter().flat_map(rules).collect();
    for code in registered.iter().filter(|code| rules.contains(&code.number)) {
        findings.push(format!("{}: LF{:04} has the digits of the rule LF{}", code.place, code.number, code.number));
    }
    let used: BTreeSet<&str> = files.iter().filter(|file| is_shipped(&file.path)).flat_map(used).collect();
    for code in registered.iter().filter(|code| !used.contains(code.name)) {
        findings.push(format!("{}: LF{:04} ({}) is registered and never used", code.place, code.number, code.name));
    }
    let numbers: BTreeSet<u16> = registered.iter().map(|code| code.number).collect();
    for file in files.iter().filter(|file| !OF_NO_CODE.contains(&file.path.as_str())) {
        for (number, line) in written(&file.text) {
            if !(numbers.contains(&number) || is_test_file(&file.path) && is_no_code_on_purpose(&file.text, number)) {
                findings.push(format!("{}:{line}: LF{number:04} is not registered in {REGISTRY}", file.path));
            }
        }
        if is_shipped(&file.path) && !file.path.starts_with(REGISTRY) {
            bare(file, &mut findings);
        }
    }
    findings
}

/// Whether a file is part of the binary, and no test.
fn is_shipped(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs") && !is_test_file(path)
}

/// The lines of the registry: `    NAME = 203, Failed, "…";`.
fn registered(file: &TextFile) -> impl Iterator<Item = Registered<'_>> {
    file.text.lines().enumerate().filter_map(|(index, line)| {
        let (name, rest) = line.strip_prefix("    ")?.split_once(" = ")?;
        let number = rest.split_once(',')?.0.parse().ok()?;
        Some(Registered { name, number, place: format!("{}:{}", file.path, index + 1) })
    })
}

fn twice(registered: &[Registered<'_>]) -> Vec<String> {
    let mut findings = Vec::new();
    let (mut names, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for code in registered {
        if let Some(first) = numbers.insert(code.number, &code.place) {
            findings.push(format!("{}: LF{:04} is registered at {first} already", code.place, code.number));
        }
        if let Some(first) = names.insert(code.name, &code.place) {
            findings.push(format!("{}: {} is registered at {first} already", code.place, code.name));
        }
    }
    findings
}

/// The numbers of the rules that a file makes: `id: "LF105"`.
fn rules(file: &TextFile) -> Vec<u16> {
    if !file.path.starts_with("crates/") || is_test_file(&file.path) {
        return Vec::new();
    }
    let after = file.text.match_indices("id: \"LF").map(|(at, found)| &file.text[at + found.len()..]);
    after.filter_map(|rest| rest.split_once('"')?.0.parse().ok()).collect()
}

/// The constants of the registry that a file's code names: `code::NAME`.
fn used(file: &TextFile) -> Vec<&str> {
    let code = without_tests(&without_literals(&file.text));
    let after = code.match_indices("code::").map(|(at, found)| at + found.len());
    after
        .map(|start| {
            let length = file.text[start..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &file.text[start..start + length.unwrap_or(file.text.len() - start)]
        })
        .collect()
}

/// The codes that a text writes out, `LF0203`, with their lines.
fn written(text: &str) -> Vec<(u16, usize)> {
    let starts = text.match_indices("LF0").filter(|(at, _)| {
        text[..*at].chars().next_back().is_none_or(|before| !before.is_ascii_alphanumeric() && before != '_')
    });
    starts
        .filter_map(|(at, _)| {
            let rest = &text[at + 2..];
            let digits = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let number = (digits == 4).then(|| rest[..digits].parse().ok()).flatten()?;
            Some((number, line_of(text, at)))
        })
        .collect()
}

/// Whether a test asks for a code that there is not: what it says stands in the same file.
fn is_no_code_on_purpose(text: &str, number: u16) -> bool {
    text.contains(&format!("no diagnostic has the code `LF{number:04}`"))
}

/// A diagnostic's code that is compared or made as a text, not as the constant.
fn bare(file: &TextFile, findings: &mut Vec<String>) {
    let text = without_comments(&file.text);
    for (number, line) in written(&text) {
        // An example in the help of a verb is for people.
        let shown = text.lines().nth(line - 1).is_some_and(|line| line.contains("landfall explain LF"));
        if !shown {
            findings.push(format!("{}:{line}: LF{number:04} as a text; use the registry's constant", file.path));
        }
    }
}

/// A file's text without its tests and without the lines that are comments; texts stay.
fn without_comments(text: &str) -> String {
    let code = with_literals_without_tests(&without_literals(text), text);
    let lines = code.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// What is found in a registry of these lines, with other files beside it.
    fn found(lines: &str, others: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![file("crates/diag/src/code/a.rs", &format!("super::group! {{\n{lines}}}\n"))];
        files.extend(others.iter().map(|(path, text)| file(path, text)));
        check(&files)
    }

    const ONE: &str = "    ONE = 203, Failed, \"One.\";\n";
    const USE: (&str, &str) = ("crates/chart/src/a.rs", "fn a() { error(code::ONE, \"x\"); }");

    #[test]
    fn a_code_that_is_registered_once_and_used_is_well() {
        assert_eq!(found(ONE, &[USE, ("docs/a.md", "see LF0203, and the rule LF117")]), [""; 0]);
    }

    #[test]
    fn a_code_is_registered_once() {
        let number = found(&format!("{ONE}    TWO = 203, Failed, \"Two.\";\n"), &[USE]);
        assert!(number.iter().any(|it| it.contains("a.rs:3: LF0203 is registered at")), "{number:?}");
        let name = found(&format!("{ONE}    ONE = 204, Failed, \"Two.\";\n"), &[USE]);
        assert!(name.iter().any(|it| it.contains("ONE is registered at")), "{name:?}");
    }

    #[test]
    fn a_code_is_used_by_what_is_shipped() {
        let unused = [
            ("crates/chart/src/a.rs", "// code::ONE\n#[cfg(test)]\nmod tests { fn a() { error(code::ONE); } }\n"),
            ("crates/chart/tests/it/a.rs", "fn a() { error(code::ONE); }"),
            ("crates/chart/src/b.rs", "fn a() { error(code::ONES); }"),
        ];
        let found = found(ONE, &unused);
        assert!(found.len() == 1 && found[0].contains("never used"), "{found:?}");
    }

    #[test]
    fn no_code_has_the_digits_of_a_rule() {
        let rule = ("crates/rehearse/src/rules/a.rs", "static RULE: Rule = Rule { id: \"LF203\" };");
        let found = found(ONE, &[USE, rule]);
        assert!(found.len() == 1 && found[0].contains("the rule LF203"), "{found:?}");
    }

    #[test]
    fn a_code_that_is_written_somewhere_is_registered() {
        for path in ["docs/a.md", "conformance/src/a.rs", "crates/landfall/tests/it/a.rs"] {
            let found = found(ONE, &[USE, (path, "it says LF0999")]);
            assert!(found.len() == 1 && found[0].contains("LF0999 is not registered"), "{path}: {found:?}");
        }
        let asked = ("crates/landfall/tests/it/a.rs", "says(\"no diagnostic has the code `LF0999`\")");
        assert_eq!(found(ONE, &[USE, asked]), [""; 0]);
    }

    #[test]
    fn a_code_is_no_text_in_what_is_shipped() {
        let text = "/// As `LF0203`.\nfn a(b: &str) -> bool { b == \"LF0203\" }\n#[cfg(test)]\nmod tests { const A: &str = \"\nLF0203\"; }\n";
        let found = found(ONE, &[USE, ("crates/engine/src/a.rs", text)]);
        assert!(found.len() == 1 && found[0].contains("a.rs:2: LF0203 as a text"), "{found:?}");
    }
}
