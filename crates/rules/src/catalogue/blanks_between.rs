use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, delivered_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF416",
    title: "what is one word is put together without blanks",
    severity: Severity::Warning,
    why: "`cat` puts a blank between all that it is given. A login, an address or a name that is put together so has \
          blanks around its colon, its slash or its dash: a password is refused, a host is not found.",
    advice: "Put it together with `printf`: `printf \"%s:%s\" .Values.user .Values.password`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all: Vec<_> = delivered_texts(subject).collect();
    for (text, spot) in &all {
        for Between { at, sign, goes_by } in between(&text.text) {
            let is_mended = |name: &String| {
                all.iter().any(|(text, _)| {
                    actions(&text.text).any(|it| it.inner.contains(name.as_str()) && takes_away(it.inner))
                })
            };
            if goes_by.iter().any(is_mended) {
                continue;
            }
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("`cat` puts blanks around `{sign}`"))
                    .keyed(format!("{} {sign} {}", place.file, place.line))
                    .because(format!("what is printed is `a {sign} b`, where `a{sign}b` is meant"))
                    .help(format!("print it with `printf \"%s{sign}%s\"`"))
                    .at(spot(place)),
            );
        }
    }
    findings
}

/// A sign of punctuation that `cat` puts between two others.
#[derive(Debug, PartialEq, Eq)]
struct Between<'t> {
    at: usize,
    sign: &'t str,
    /// By what others may take the text up: the variable that it is given to, the helper that prints it.
    goes_by: Vec<String>,
}

/// The signs of a template that `cat` puts blanks around.
fn between(text: &str) -> Vec<Between<'_>> {
    let mut open: Vec<Option<&str>> = Vec::new();
    let mut found = Vec::new();
    for action in actions(text) {
        match action.word() {
            "define" | "block" => open.push(action.inner.split('"').nth(1)),
            "if" | "with" | "range" => open.push(None),
            "end" => {
                open.pop();
            }
            "else" => {}
            _ => {
                let Some(sign) = sign_in(&action).filter(|_| !is_remark(text, &action)) else { continue };
                let helper = open.iter().rev().find_map(|it| *it).map(|name| format!("\"{name}\""));
                found.push(Between {
                    at: action.start,
                    sign,
                    goes_by: helper.into_iter().chain(given_to(&action)).collect(),
                });
            }
        }
    }
    found
}

/// Whether an action stands in a comment of YAML.
fn is_remark(text: &str, action: &Action<'_>) -> bool {
    let line = &text[action.line..action.start];
    line.trim_start().starts_with('#')
}

/// The variable that an action gives something to.
fn given_to(action: &Action<'_>) -> Option<String> {
    let (name, _) = action.inner.split_once('=')?;
    let name = name.trim_end_matches(':').trim();
    let is_name = name.starts_with('$') && !name.contains(char::is_whitespace);
    is_name.then(|| name.to_owned())
}

/// Whether an action takes blanks away, or says what it is given to whoever delivers.
fn takes_away(inner: &str) -> bool {
    const OTHERWISE: &[&str] = &["nospace", "fail", "required", "regexReplaceAll", "regexReplaceAllLiteral"];
    inner.contains("replace \" \"") || words(inner).iter().any(|it| OTHERWISE.contains(it))
}

/// The sign of punctuation that a call of `cat` is given alone.
fn sign_in<'t>(action: &Action<'t>) -> Option<&'t str> {
    if action.is_comment() || !action.inner.contains("cat ") || takes_away(action.inner) {
        return None;
    }
    let all = words(action.inner);
    let calls = all.iter().enumerate().filter(|(_, it)| **it == "cat").map(|(at, _)| arguments(&all[at + 1..]));
    for given in calls {
        let literals: Vec<&str> = given.into_iter().filter_map(literal).collect();
        // The words of a sentence are meant to stand apart.
        if literals.iter().any(|it| it.trim().contains(char::is_whitespace)) {
            continue;
        }
        if let Some(sign) = literals.into_iter().find(|it| is_sign(it)) {
            return Some(sign);
        }
    }
    None
}

fn is_sign(literal: &str) -> bool {
    !literal.is_empty() && literal.chars().all(|it| ":/@-.=,".contains(it))
}

/// What stands in the quotes of a word.
fn literal(word: &str) -> Option<&str> {
    ['"', '`'].into_iter().find_map(|quote| word.strip_prefix(quote)?.strip_suffix(quote))
}

/// What a call is given, without what stands in brackets.
fn arguments<'t>(behind: &[&'t str]) -> Vec<&'t str> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for word in behind.iter().copied() {
        match word {
            "(" => depth += 1,
            ")" | "|" if depth == 0 => break,
            ")" => depth -= 1,
            word if depth == 0 => found.push(word),
            _ => {}
        }
    }
    found
}

/// The words of an action: what stands in quotes is one of them, and so are brackets and bars.
fn words(inner: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = inner.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => quoted(rest),
            '`' => rest[1..].find('`').map_or(rest.len(), |at| at + 2),
            '(' | ')' | '|' => 1,
            _ => rest.find(|it: char| it.is_whitespace() || "()|\"`".contains(it)).unwrap_or(rest.len()),
        };
        let (word, behind) = rest.split_at(length);
        found.push(word);
        rest = behind.trim_start();
    }
    found
}

/// The length of what a text begins with in double quotes, those included.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(text: &str) -> Vec<&str> {
        between(text).into_iter().map(|it| it.sign).collect()
    }

    #[test]
    fn a_sign_that_cat_puts_blanks_around_is_told() {
        for (text, sign) in [
            ("value: Basic {{ cat .Values.user \":\" .Values.password | b64enc }}", ":"),
            ("name: {{ cat (include \"x\" .) \"-\" .Values.name | trunc 63 | quote }}", "-"),
            ("{{- $host := (cat .a \".\" .b) -}}", "."),
            ("url: {{ printf \"http://%s\" (cat .host `:` .port) }}", ":"),
            ("url: {{ cat .scheme \"://\" .host }}", "://"),
        ] {
            assert_eq!(signs(text), [sign], "{text}");
        }
        let helper = "{{ define \"web.url\" }}{{ if .a }}{{ $it := cat .a \",\" .b }}{{ end }}{{ end }}";
        assert_eq!(between(helper)[0].goes_by, ["\"web.url\"", "$it"]);
    }

    #[test]
    fn what_is_meant_to_have_blanks_is_left_alone() {
        for text in [
            "{{ cat .Values.a .Values.b }}",
            "{{ cat .host \":\" .port | nospace }}",
            "{{ cat .host \":\" .port | replace \" \" \"\" }}",
            "{{ fail (cat \"x\" \":\" .y) }}",
            "{{ required (cat .y \"-\" .x) .z }}",
            "{{/* cat .a \":\" .b */}}",
            "# {{ cat .a \":\" .b }}",
            "{{ if eq (cat .a \"-\" .b) \"x - y\" }}{{ end }}",
            "about: {{ cat .Chart.Name \"-\" \"a chart of\" .x }}",
            "{{ printf \"%s:%s\" .a .b }}",
            "{{ include \"cat\" (dict \"a\" \":\") }}",
            "{{ list \":\" (cat .a .b) \"-\" }}",
        ] {
            assert_eq!(signs(text), Vec::<&str>::new(), "{text}");
        }
        assert!(takes_away("include \"web.url\" . | nospace") && !takes_away("replace \"+\" \"_\" .a"));
        assert_eq!(words("cat (f \"a \\\" b\") \"|\""), ["cat", "(", "f", "\"a \\\" b\"", ")", "\"|\""]);
    }
}
