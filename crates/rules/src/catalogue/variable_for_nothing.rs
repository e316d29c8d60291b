mod hidden;

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use landfall_diag::{Finding, Severity, Spot};

use self::hidden::hidden;
use super::value_that_prints_nothing::{Dot, declares, operand};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Text, actions, own_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF343",
    title: "what a template works out, it uses",
    severity: Severity::Warning,
    why: "A variable that takes one value or else another is of use where it is printed. Where it is set and never read, or only asked \
          for while one of the two is printed by itself, whoever sets the other value is not heard.",
    advice: "Print the variable, or take it out.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            let texts = own_texts(rendered);
            let is_declared = |path: &str| declares(&rendered.values, &path.split('.').collect::<Vec<_>>());
            let named = LazyCell::new(|| named(&texts));
            let mentions = |path: &str| mentions(&named, path);
            for text in &texts {
                let hidden = hidden(text);
                let is_hidden = |it: &Unused<'_>| hidden.iter().any(|hidden| hidden.at == it.at);
                let unused = unused(text, &mentions).into_iter().chain(passed_by(text, &is_declared));
                let unused: Vec<_> = unused.filter(|it| !is_hidden(it)).collect();
                for unused in unused.into_iter().chain(hidden) {
                    let place = text.place(unused.at);
                    let finding = RULE
                        .finding(unused.words)
                        .keyed(format!("{} ${}", place.file, unused.name))
                        .weighing(unused.severity)
                        .because(unused.because);
                    findings.push(finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }));
                }
            }
        }
    }
    findings
}

/// A variable that is worked out for nothing.
struct Unused<'t> {
    at: usize,
    name: &'t str,
    words: String,
    because: String,
    severity: Severity,
}

/// Calls that do something beside what they give.
const DOING: &[&str] =
    &["set", "unset", "include", "template", "tpl", "fail", "required", "lookup", "merge", "mergeOverwrite"];

/// The variables of a template that take values and that nothing reads, or that are asked for and not printed.
fn unused<'t>(text: &'t Text<'_>, mentions: &dyn Fn(&str) -> usize) -> Vec<Unused<'t>> {
    let all_actions: Vec<_> = actions(&text.text).filter(|it| !it.is_comment()).collect();
    let said: Vec<String> = all_actions.iter().map(|it| unquoted(it.inner)).collect();
    let mut reading: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, said) in said.iter().enumerate() {
        read(said).into_iter().for_each(|name| reading.entry(name).or_default().push(at));
    }
    let mut found: Vec<Unused<'t>> = Vec::new();
    for (set, action) in all_actions.iter().enumerate() {
        let Some((name, given)) = action.inner.split_once(":=") else { continue };
        let Some(name) = name.trim().strip_prefix('$') else { continue };
        let is_plain = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        let given_words = words(given);
        if !is_plain || name.starts_with('_') || given_words.iter().any(|it| DOING.contains(it)) {
            continue;
        }
        let mut paths: Vec<String> = given_words.iter().filter_map(|it| operand(it, &Dot::Root)).collect();
        // `ternary` asks for one of the two that it chooses from.
        let mut seen = BTreeSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        if paths.is_empty() {
            continue;
        }
        let reading = reading.get(name).map(Vec::as_slice).unwrap_or_default();
        if reading.is_empty() {
            // Under two names of one place, or set once more in a branch, it is told once.
            if found.iter().any(|it| it.name == name) {
                continue;
            }
            let lost = paths.iter().find(|path| mentions(path) == 1);
            found.push(Unused {
                at: action.start,
                name,
                words: match lost {
                    Some(path) => format!("`${name}` takes `{path}`, and nothing reads it"),
                    None => format!("`${name}` is set, and nothing reads it"),
                },
                because: match lost {
                    Some(path) => format!("`{path}` is read nowhere else: whoever sets it is not heard"),
                    None => "it changes nothing".to_owned(),
                },
                severity: if lost.is_some() { Severity::Warning } else { Severity::Info },
            });
            continue;
        }
        let chooses = given_words.iter().any(|it| matches!(*it, "default" | "coalesce" | "ternary")) && paths.len() > 1;
        let asks = |at: &usize| all_actions[*at].inner == format!("if ${name}");
        if !chooses || !reading.iter().all(asks) {
            continue;
        }
        let printed = |at: &usize| -> Vec<&String> {
            let branch = branch(&said, &all_actions.iter().map(crate::texts::Action::word).collect::<Vec<_>>(), *at);
            let named = |path: &&String| branch.iter().any(|said| words(said).iter().any(|it| is_path(it, path)));
            paths.iter().filter(named).collect()
        };
        if let Some(path) = reading.iter().find_map(|at| {
            let printed = printed(at);
            (printed.len() == 1 && paths.len() > 1).then(|| printed[0].clone())
        }) {
            found.push(Unused {
                at: all_actions[reading[0].max(set)].start,
                name,
                words: format!("`${name}` is asked for, and `{path}` is printed"),
                because: "where the variable has another value, that one is left out".to_owned(),
                severity: Severity::Warning,
            });
        }
    }
    found
}

/// Variables that choose between two values, beside which a template reads the one that nobody declares.
fn passed_by<'t>(text: &'t Text<'_>, is_declared: &dyn Fn(&str) -> bool) -> Vec<Unused<'t>> {
    let all: Vec<_> = actions(&text.text).filter(|it| !it.is_comment()).collect();
    let mut found: Vec<Unused<'t>> = Vec::new();
    for action in &all {
        let Some((name, given)) = action.inner.split_once(":=") else { continue };
        let Some(name) = name.trim().strip_prefix('$') else { continue };
        let given = words(given);
        if !given.iter().any(|it| matches!(*it, "ternary" | "default" | "coalesce"))
            || found.iter().any(|it| it.name == name)
        {
            continue;
        }
        let mut paths: Vec<String> = given.iter().filter_map(|it| operand(it, &Dot::Root)).collect();
        paths.sort();
        paths.dedup();
        // Both are called as the variable is.
        let [one, other] = paths.as_slice() else { continue };
        let is_called_so = |path: &String| path.rsplit('.').next() == Some(name);
        let (undeclared, declared) = if is_declared(one) { (other, one) } else { (one, other) };
        if ![one, other].into_iter().all(is_called_so) || !is_declared(declared) || is_declared(undeclared) {
            continue;
        }
        let is_bare = |it: &&crate::texts::Action<'_>| {
            !it.inner.contains(":=") && words(&unquoted(it.inner)).iter().any(|word| is_path(word, undeclared))
        };
        let Some(bare) = all.iter().find(is_bare) else { continue };
        found.push(Unused {
            at: bare.start,
            name,
            words: format!(
                "`{undeclared}` is read, which nobody declares, and `${name}` chooses between it and `{declared}`"
            ),
            because: format!("whoever sets `{declared}` is not heard here"),
            severity: Severity::Warning,
        });
    }
    found
}

/// The variables that an action reads.
fn read(said: &str) -> BTreeSet<&str> {
    let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let of = |(at, _): (usize, &str)| {
        let name = &said[at + 1..];
        let (name, rest) = name.split_at(name.find(|it| !is_name(it)).unwrap_or(name.len()));
        let rest = rest.trim_start();
        let is_given = at == 0 && (rest.starts_with(":=") || rest.starts_with("= "));
        (!name.is_empty() && !is_given).then_some(name)
    };
    said.match_indices('$').filter_map(of).collect()
}

/// The actions between an `if` and its `else` or `end`.
fn branch<'s>(said: &'s [String], words: &[&str], at: usize) -> &'s [String] {
    let mut depth = 0;
    for (step, word) in words.iter().enumerate().skip(at + 1) {
        match *word {
            "if" | "with" | "range" => depth += 1,
            "end" if depth > 0 => depth -= 1,
            "end" => return &said[at + 1..step],
            "else" if depth == 0 => return &said[at + 1..step],
            _ => {}
        }
    }
    &[]
}

fn is_path(word: &str, path: &str) -> bool {
    operand(word, &Dot::Root).is_some_and(|it| it == path)
}

/// How often the templates say a path, as a whole or as the beginning of one, or take something above it as it is.
fn mentions(named: &BTreeMap<String, usize>, path: &str) -> usize {
    let below = named
        .range::<str, _>((Bound::Included(path), Bound::Unbounded))
        .take_while(|(other, _)| other.starts_with(path));
    let is_below =
        |other: &str| other.len() == path.len() || (!path.is_empty() && other[path.len()..].starts_with('.'));
    let below = below.filter(|(other, _)| is_below(other)).map(|(_, count)| count);
    let above = path.match_indices('.').filter_map(|(at, _)| named.get(&path[..at]));
    below.chain(above).sum()
}

/// The paths of values that templates name, and how often each.
fn named(all: &[Text<'_>]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for action in all.iter().flat_map(|text| actions(&text.text)).filter(|it| !it.is_comment()) {
        for path in words(&unquoted(action.inner)).iter().filter_map(|it| operand(it, &Dot::Root)) {
            *found.entry(path).or_insert(0) += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn told(text: &str) -> Vec<(Severity, String)> {
        let text = Text { path: "x".to_owned(), text: Cow::Borrowed(text) };
        let all = [Text { path: "x".to_owned(), text: text.text.clone() }];
        unused(&text, &|path| mentions(&named(&all), path)).into_iter().map(|it| (it.severity, it.words)).collect()
    }

    #[test]
    fn what_is_worked_out_and_not_printed_is_told() {
        let of = |text: &str| told(text).into_iter().next();
        let lost = "{{- $m := default .Values.m .Values.d.m -}}{{ with .Values.m }}{{ toYaml . }}{{ end }}";
        assert_eq!(of(lost), Some((Severity::Warning, "`$m` takes `d.m`, and nothing reads it".to_owned())));
        let left = "{{ $m := .Values.m }}{{ .Values.m }}";
        assert_eq!(of(left), Some((Severity::Info, "`$m` is set, and nothing reads it".to_owned())));
        let other = "{{- $e := default .Values.e .Values.j.e }}{{ if $e }}{{ toYaml .Values.e }}{{ end }}";
        assert_eq!(of(other), Some((Severity::Warning, "`$e` is asked for, and `e` is printed".to_owned())));
        let either = "{{- $e := ternary .Values.j.e .Values.e (not (empty .Values.j.e)) }}{{ if $e }}{{ toYaml .Values.e }}{{ end }}";
        assert_eq!(of(either), Some((Severity::Warning, "`$e` is asked for, and `e` is printed".to_owned())));
    }

    #[test]
    fn what_a_variable_chooses_is_not_passed_by() {
        let of = |text: &'static str| {
            let text = Text { path: "x".to_owned(), text: Cow::Borrowed(text) };
            passed_by(&text, &|path| path == "d.m").into_iter().map(|it| it.words).collect::<Vec<_>>()
        };
        let chosen = "{{ $m := ternary .Values.d.m .Values.m (not (empty .Values.d.m)) }}";
        let passed = of(
            "{{ $m := ternary .Values.d.m .Values.m (not (empty .Values.d.m)) }}{{ with .Values.m }}{{ end }}{{ $m }}",
        );
        assert_eq!(passed, ["`m` is read, which nobody declares, and `$m` chooses between it and `d.m`"]);
        assert_eq!(of(chosen), Vec::<String>::new());
        for fine in [
            "{{ $m := ternary .Values.d.m .Values.m true }}{{ .Values.d.m }}{{ $m }}",
            "{{ $n := ternary .Values.d.m .Values.m true }}{{ .Values.m }}{{ $n }}",
            "{{ $m := .Values.d.m }}{{ .Values.m }}{{ $m }}",
        ] {
            assert_eq!(of(fine), Vec::<String>::new(), "{fine}");
        }
    }

    #[test]
    fn what_is_read_somewhere_or_does_something_is_left_alone() {
        for text in [
            "{{ $m := .Values.m }}{{ $m }}",
            "{{ $m := .Values.m }}{{ range $m }}{{ end }}",
            "{{ $m := .Values.m }}{{ include \"x\" (dict \"m\" $m) }}",
            "{{ $m := .Values.m }}{{ $n := $m.n }}{{ printf \"%s\" $n }}",
            "{{ $_ := set .Values \"a\" .Values.b }}",
            "{{ $ok := required \"a\" .Values.b }}",
            "{{ $e := default .Values.e .Values.j.e }}{{ if $e }}{{ toYaml $e }}{{ end }}",
            "{{ $e := default .Values.e .Values.j.e }}{{ if $e }}{{ .Values.e }}{{ .Values.j.e }}{{ end }}",
            "{{ $e := or .Values.e .Values.f }}{{ if $e }}{{ toYaml .Values.e }}{{ end }}",
            "{{ range $i, $v := .Values.list }}{{ $v }}{{ end }}",
        ] {
            assert_eq!(told(text), [], "{text}");
        }
    }
}
