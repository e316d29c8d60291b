//! Calls in a branch of a script that nobody takes: it asks for a variable that no container has so.

use std::collections::HashMap;

use crate::subject::Subject;

/// A branch of a script that is taken where a variable has one of these values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Branch<'t> {
    variable: &'t str,
    values: Vec<&'t str>,
}

/// An `if` or a `case` that is open.
struct Open<'t> {
    /// The variable of a `case`.
    variable: Option<&'t str>,
    /// The branch that is read, where it can be told when it is taken.
    branch: Option<Branch<'t>>,
}

/// The branches of a script that are asked about, and those within one another; what has more is written by nobody.
const MOST_BRANCHES: usize = 64;

/// Whether every place where a text names a host stands in a branch that no container of the delivery takes.
pub(super) fn is_never_called(subject: &Subject<'_>, text: &str, host: &str) -> bool {
    let mut known: HashMap<Branch<'_>, bool> = HashMap::new();
    is_all_within(text, host, |branch| match known.get(branch) {
        Some(is_dead) => *is_dead,
        None if known.len() >= MOST_BRANCHES => false,
        None => {
            let is_dead = !is_set(text, branch.variable) && !is_taken(subject, branch);
            known.insert(branch.clone(), is_dead);
            is_dead
        }
    })
}

/// Whether a text names a host, and everywhere within one of certain branches at least.
fn is_all_within<'t>(text: &'t str, host: &str, mut is_wanted: impl FnMut(&Branch<'t>) -> bool) -> bool {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut is_named = false;
    for line in text.lines() {
        let depth = open.len();
        let is_whole = hear(line.trim(), &mut open);
        if names(line, host) {
            let mut around = open.iter().take(MOST_BRANCHES).filter_map(|it| it.branch.as_ref());
            if !around.any(&mut is_wanted) {
                return false;
            }
            is_named = true;
        }
        if is_whole {
            open.truncate(depth);
        }
    }
    is_named
}

/// Whether a line names a host.
fn names(line: &str, host: &str) -> bool {
    let is_of_host = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.');
    let is_whole = |at: usize| !line[..at].ends_with(is_of_host) && !line[at + host.len()..].starts_with(is_of_host);
    line.match_indices(host).any(|(at, _)| is_whole(at))
}

/// Whether a script gives a variable its value itself.
fn is_set(text: &str, variable: &str) -> bool {
    text.contains(&format!("{variable}=")) || text.contains(&format!("read {variable}"))
}

/// Whether a container has the variable with one of the values, or it is not known with which one.
fn is_taken(subject: &Subject<'_>, branch: &Branch<'_>) -> bool {
    let fits = |value: Option<&str>| value.is_none_or(|it| it.contains('$') || branch.values.contains(&it));
    let of_pods = subject.pods().any(|(_, template)| {
        let containers = template.containers();
        containers.iter().any(|it| it.env().any(|(_, name, it)| name == branch.variable && fits(it["value"].as_str())))
    });
    let of_kind = |kind: &'static str| {
        ["/data", "/stringData"].into_iter().any(|field| {
            let mut objects = subject.of_kind("", kind).filter_map(|it| it.object.at(field)?.get(branch.variable));
            objects.any(|it| kind == "Secret" || fits(it.as_str()))
        })
    };
    of_pods || of_kind("ConfigMap") || of_kind("Secret")
}

/// Opens and closes branches as a line of a script does; whether it closes itself what it opens.
fn hear<'t>(line: &'t str, open: &mut Vec<Open<'t>>) -> bool {
    let word = line.split([' ', ';', '(', ')']).next().unwrap_or_default();
    match word {
        "if" => open.push(Open { variable: None, branch: compared(line) }),
        "case" => open.push(Open { variable: line.split_ascii_whitespace().nth(1).and_then(variable), branch: None }),
        "fi" | "esac" => {
            open.pop();
        }
        _ => {
            let Some(last) = open.last_mut() else { return false };
            match (word, last.variable, pattern(line)) {
                ("elif", None, _) => last.branch = compared(line),
                ("else", None, _) => last.branch = None,
                (_, Some(variable), Some(values)) => {
                    let is_open = values.iter().any(|it| it.contains(['*', '?', '[', '$']));
                    last.branch = (!is_open).then_some(Branch { variable, values });
                }
                _ => {}
            }
        }
    }
    matches!(word, "if" | "case") && (line.ends_with(" fi") || line.ends_with(" esac"))
}

/// What an `if` compares, where it needs a variable to be one constant: `[ "$MODE" = "relay" ]`.
fn compared(line: &str) -> Option<Branch<'_>> {
    let asked = line.split(';').next().unwrap_or_default();
    let words: Vec<&str> = asked.split_ascii_whitespace().collect();
    if words.iter().any(|it| matches!(*it, "||" | "-o" | "!")) {
        return None;
    }
    words.windows(3).find_map(|it| match it {
        [left, "=" | "==", right] => {
            let value = right.trim_matches(['"', '\'']);
            let is_constant = !value.is_empty() && !value.contains(['$', '`', '*', '?']);
            Some(Branch { variable: variable(left).filter(|_| is_constant)?, values: vec![value] })
        }
        _ => None,
    })
}

/// The values that a branch of a `case` is for: `relay|bell)`.
fn pattern(line: &str) -> Option<Vec<&str>> {
    let (head, _) = line.split_once(')')?;
    let values: Vec<&str> =
        head.trim_start_matches('(').split('|').map(|it| it.trim().trim_matches(['"', '\''])).collect();
    values.iter().all(|it| !it.is_empty() && !it.contains([' ', '(', '='])).then_some(values)
}

/// The name of a variable that a word is nothing but: `"$MODE"`, `${MODE}`.
fn variable(word: &str) -> Option<&str> {
    let bare = word.trim_matches(['"', '\'']).strip_prefix('$')?;
    let bare = bare.strip_prefix('{').map_or(Some(bare), |it| it.strip_suffix('}'))?;
    let is_name = bare.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && bare.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    is_name.then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables and values of the branches that `CALL` stands in.
    fn around(script: &str) -> Vec<(&str, Vec<&str>)> {
        let mut found = Vec::new();
        is_all_within(script, "CALL", |branch| {
            found.push((branch.variable, branch.values.clone()));
            false
        });
        found
    }

    #[test]
    fn a_branch_is_taken_where_a_variable_is_what_it_is_compared_with() {
        let script = concat!(
            "if [ -f /a ]; then b; fi\nif [ \"$MODE\" = \"relay\" ]; then\n  CALL\n",
            "else\n  if [[ ${KIND} == bell ]]\n  then\n    HERE\n  fi\nfi\nTHERE\n",
        );
        assert_eq!(around(script), [("MODE", vec!["relay"])]);
        assert_eq!(around(&script.replace("CALL", "x").replace("HERE", "CALL")), [("KIND", vec!["bell"])]);
        assert_eq!(around(&script.replace("CALL", "x").replace("THERE", "CALL")), []);
        assert_eq!(around("if [ $A = b ]; then CALL; fi\n"), [("A", vec!["b"])]);
        let case = "case \"$MODE\" in\n  relay|'bell')\n    CALL\n    ;;\n  *)\n    HERE\n    ;;\nesac\n";
        assert_eq!(around(case), [("MODE", vec!["relay", "bell"])]);
        assert_eq!(around(&case.replace("CALL", "x").replace("HERE", "CALL")), []);
    }

    #[test]
    fn what_is_taken_in_other_ways_too_is_no_branch_of_one_value() {
        for script in [
            "if [ \"$A\" = b ] || [ -f /c ]; then\n  CALL\nfi\n",
            "if [ ! \"$A\" = b ]; then\n  CALL\nfi\n",
            "if [ \"$A\" != b ]; then\n  CALL\nfi\n",
            "if [ \"$A\" = \"$B\" ]; then\n  CALL\nfi\n",
            "if [ \"${A:-b}\" = b ]; then\n  CALL\nfi\n",
            "if [ \"$?\" = 0 ]; then\n  CALL\nfi\n",
            "if [ \"$A\" = b ]; then\n  x\nfi\nCALL\n",
        ] {
            assert_eq!(around(script), [], "{script}");
        }
        assert!(is_set("MODE=$1\n", "MODE") && !is_set("[ \"$MODE\" = a ]", "MODE"));
        assert!(names("my.bell bell:80", "bell") && names("http://bell/", "bell") && !names("bell-a my.bell", "bell"));
    }

    #[test]
    fn every_place_counts_and_what_is_behind_a_branch_of_one_line() {
        let is_within = |script: &str| is_all_within(script, "CALL", |branch| branch.variable == "A");
        let whole = "if [ $A = b ]; then CALL; fi
";
        assert!(is_within(whole) && is_within(&whole.repeat(3)));
        assert!(!is_within(&format!("{whole}CALL\n")) && !is_within("x\n"));
    }

    #[test]
    fn a_branch_within_too_many_others_is_not_asked_about() {
        let within = |depth: usize| {
            let around = "if [ -f /b ]; then\n".repeat(depth);
            let script = format!("{around}if [ $A = b ]; then\nCALL\nfi\n{}", "fi\n".repeat(depth));
            is_all_within(&script, "CALL", |branch| branch.variable == "A")
        };
        assert!(within(MOST_BRANCHES - 1) && !within(MOST_BRANCHES));
    }
}
