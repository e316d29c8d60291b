//! One file and its line: what a file of certain folders defines stands in that folder's list.

use crate::tree::TextFile;

/// A folder whose files each define something that is listed.
struct Register {
    folder: &'static str,
    /// How a file defines it.
    definition: &'static str,
    /// The file with the list.
    list: &'static str,
    /// What of the file the list names.
    item: &'static str,
    /// What it is, for people.
    what: &'static str,
    others: Others,
}

/// Files of the folder that define nothing of the kind.
#[derive(PartialEq, Eq)]
enum Others {
    May,
    Never,
}

const REGISTERS: &[Register] = &[
    Register {
        folder: "crates/rules/src/catalogue/",
        definition: "static RULE: Rule",
        list: "crates/rules/src/catalogue.rs",
        item: "RULE",
        what: "a rule",
        others: Others::Never,
    },
    Register {
        folder: "crates/drydock/src/operators/",
        definition: "const TWIN: Twin",
        list: "crates/drydock/src/operators.rs",
        item: "TWIN",
        what: "an operator",
        others: Others::May,
    },
    Register {
        folder: "crates/drydock/src/controllers/",
        definition: "const LOOP: Loop",
        list: "crates/drydock/src/controllers/roll.rs",
        item: "LOOP",
        what: "a controller",
        others: Others::May,
    },
    Register {
        folder: "crates/helm/src/",
        definition: "const VERB: Verb",
        list: "crates/helm/src/lib.rs",
        item: "VERB",
        what: "a verb",
        others: Others::May,
    },
];

/// Files whose definition is listed nowhere, and files that define none where each should.
pub(super) fn check(files: &[TextFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for register in REGISTERS {
        let list = files.iter().find(|file| file.path == register.list).map_or("", |file| file.text.as_str());
        for file in files {
            let Some(name) = file.path.strip_prefix(register.folder).and_then(|rest| rest.strip_suffix(".rs")) else {
                continue;
            };
            if name.contains('/') {
                continue;
            }
            let Register { definition, item, what, .. } = register;
            let entry = format!("{name}::{item}");
            if !file.text.contains(definition) {
                if register.others == Others::Never {
                    findings.push(format!("{}: is no {}: it has no `{definition}`", file.path, &what[2..]));
                }
            } else if !list.lines().any(|line| names(line, &entry)) {
                findings.push(format!("{}: {what} that nobody asks: `{entry}` is not in {}", file.path, register.list));
            }
        }
    }
    findings
}

/// Whether a line names an entry, and not another that ends with its name.
fn names(line: &str, entry: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    code.match_indices(entry).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(list: &str, file: &str, text: &str) -> Vec<String> {
        let one = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&[
            one("crates/rules/src/catalogue.rs", list),
            one("crates/drydock/src/operators.rs", list),
            one(file, text),
        ])
    }

    #[test]
    fn a_rule_without_its_line_is_found() {
        let rule = "pub(super) static RULE: Rule = Rule {};";
        let file = "crates/rules/src/catalogue/dead_route.rs";
        assert!(findings("    &dead_route::RULE, // a dead route", file, rule).is_empty());
        for list in ["", "    // &dead_route::RULE,", "    &long_dead_route::RULE,"] {
            assert_eq!(findings(list, file, rule).len(), 1, "{list}");
        }
        assert_eq!(findings("    &dead_route::RULE,", file, "fn helps() {}").len(), 1, "a file that is no rule");
    }

    #[test]
    fn an_operator_without_its_line_is_found_and_what_operators_share_is_none() {
        let file = "crates/drydock/src/operators/traefik.rs";
        let operator = "pub(crate) const TWIN: Twin = Twin {};";
        assert!(findings("&[cert_manager::TWIN, traefik::TWIN];", file, operator).is_empty());
        assert_eq!(findings("&[cert_manager::TWIN];", file, operator).len(), 1);
        assert!(findings("&[cert_manager::TWIN];", file, "fn shared() {}").is_empty());
        assert!(findings("", "crates/drydock/src/operators/traefik/routes.rs", operator).is_empty());
    }
}
