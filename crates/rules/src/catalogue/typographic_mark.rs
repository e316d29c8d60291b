mod schedule;

use landfall_diag::{Finding, Severity};

use super::value_printed_raw::visit;
use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};
use crate::texts::{actions, delivered_texts, unquoted};

pub(super) static RULE: Rule = Rule {
    id: "LF345",
    title: "values are quoted as YAML quotes, and options begin with a hyphen",
    severity: Severity::Warning,
    why: "A word processor, a chat or a web page makes “ ” of quotes and – of a hyphen. YAML knows neither: the marks become a part of \
          the value, so that a schedule is none, a number is a text and a program does not know its option. So do quotes within a block \
          (`|`), where a text needs none. A schedule without any is an alias to YAML where it begins with `*`.",
    advice: "Write plain quotes (`\"`) and hyphens (`-`).",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        findings.extend(quoted(desired));
        findings.extend(dashed(desired));
    }
    findings.extend(subject.units.iter().flat_map(schedule::unquoted));
    for (text, spot) in delivered_texts(subject) {
        for (at, key) in quoted_in_block(&text.text) {
            let place = text.place(at);
            let finding = RULE
                .finding(format!("`{key}` is put in quotes within a block, where they are a part of the text"))
                .keyed(format!("{} {key}", place.file))
                .because("what stands behind `|` is taken as it is written: whoever reads it sees the quotes")
                .help("print the value without `quote`, or write the key without `|`");
            findings.push(finding.at(spot(place)));
        }
    }
    findings
}

/// Files in which a text in quotes is one.
const QUOTING: &[&str] =
    &["json", "yaml", "yml", "toml", "hcl", "env", "properties", "conf", "js", "ts", "sql", "graphql", "cue", "rego"];

/// Where the whole text of a block is an action that quotes, with the block's key.
fn quoted_in_block(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment() && !it.trims.0) {
        let said = unquoted(action.inner);
        let stages: Vec<&str> = said.split('|').map(str::trim).collect();
        if stages.len() < 2 || !matches!(stages.last(), Some(&("quote" | "squote"))) {
            continue;
        }
        let own = action.line;
        let (ahead, behind) = (&text[own..action.start], &text[action.end..]);
        let (rest, below) = behind.split_once('\n').unwrap_or((behind, ""));
        let is_alone = ahead.trim().is_empty() && rest.trim().is_empty() && !ahead.is_empty();
        if !is_alone {
            continue;
        }
        let Some((key, column)) = block_above(&text[..own]).filter(|(_, column)| *column < ahead.len()) else {
            continue;
        };
        let is_quoting = key.rsplit_once('.').is_some_and(|(_, ending)| QUOTING.contains(&ending));
        // What is done next is an action, or stands outside of the block.
        let next = below.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let goes_on = !next.trim_start().starts_with("{{") && next.len() - next.trim_start().len() > column;
        if !is_quoting && !goes_on {
            found.push((action.start, key));
        }
    }
    found
}

/// The key whose block begins with the line behind a text, and its column.
fn block_above(text: &str) -> Option<(&str, usize)> {
    let line = text.trim_end_matches('\n').rsplit('\n').next()?;
    let bare = line.trim();
    let key = ["|", "|-", "|+"].iter().find_map(|mark| bare.strip_suffix(mark)?.trim_end().strip_suffix(':'))?;
    let key = key.trim_matches(['"', '\'']);
    (!key.is_empty() && !key.starts_with("- ")).then(|| (key, line.len() - line.trim_start().len()))
}

/// Values that stand in typographic quotes as a whole.
fn quoted(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    // A definition describes its fields in words.
    if object.kind() == "CustomResourceDefinition" {
        return Vec::new();
    }
    let mut texts = Vec::new();
    for (key, value) in object.value().as_object().into_iter().flatten().filter(|(key, _)| *key != "status") {
        visit(value, key.clone(), &mut |field, text| texts.push((field.to_owned(), text)));
    }
    let is_meant = |(field, text): &(String, &str)| {
        is_in_typographic_quotes(text) && !field.starts_with("metadata.annotations") && !is_prose(text)
    };
    // What stands in it is not repeated: it may be a secret.
    let told = texts.into_iter().filter(is_meant).map(|(field, _)| {
        RULE.finding(format!("`{field}` of {} `{}` stands in typographic quotes", object.kind(), object.name()))
            .because("they are no quotes to YAML, and a part of the value")
            .help("write `\"` in their place")
            .at(desired.spot_at(&field))
    });
    told.collect()
}

/// Options of commands that begin with a dash that is no hyphen.
fn dashed(desired: &Desired) -> Vec<Finding> {
    let mut findings = Vec::new();
    for container in pod_template(&desired.object).iter().flat_map(|it| it.containers()) {
        for list in ["command", "args"] {
            for (at, word) in container.value[list].as_array().into_iter().flatten().enumerate() {
                let Some(word) = word.as_str().filter(|word| begins_with_a_dash(word)) else { continue };
                let first = word.split(['=', ' ', '\n']).next().unwrap_or_default();
                findings.push(
                    RULE.finding(format!("option `{first}` of container `{}` begins with a dash", container.name))
                        .because("programs know options by a hyphen, and take this one for something else")
                        .help(format!("write `--{}`", first.trim_start_matches([DASHES[0], DASHES[1], '-'])))
                        .at(desired.spot_at(&format!("{}.{list}[{at}]", container.path))),
                );
            }
        }
    }
    findings
}

const QUOTES: [char; 5] = ['“', '”', '„', '‘', '’'];
const DASHES: [char; 2] = ['–', '—'];

fn is_in_typographic_quotes(text: &str) -> bool {
    let text = text.trim();
    let ends = text.starts_with(QUOTES) && text.ends_with(QUOTES);
    ends && text.chars().count() > 2 && !text.contains('\n')
}

/// Whether a text says something to people: two words and more.
fn is_prose(text: &str) -> bool {
    let is_word = |word: &&str| {
        let word = word.trim_matches(|it: char| !it.is_alphanumeric());
        word.len() > 1 && word.chars().all(char::is_alphabetic)
    };
    text.split_whitespace().filter(is_word).count() > 1
}

/// Whether a word is an option but for its dash: `–config`, `—config`, `-–config`.
fn begins_with_a_dash(word: &str) -> bool {
    let rest = word.strip_prefix('-').unwrap_or(word);
    let Some(rest) = rest.strip_prefix(DASHES) else { return false };
    rest.trim_start_matches('-').starts_with(|it: char| it.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_one_quoted_value_is_told() {
        let keys = |text| quoted_in_block(text).into_iter().map(|(_, key)| key).collect::<Vec<_>>();
        assert_eq!(keys("data:\n  \"mail.tmpl\": |\n    {{ .Values.x | quote }}\n  b: c\n"), ["mail.tmpl"]);
        assert_eq!(keys("  motd: |-\n    {{ $x.y | squote }}\n  {{- end }}\n"), ["motd"]);
        for text in [
            "  a: |\n    {{ .Values.x }}\n",
            "  a: |\n    {{ .Values.x | quote }}\n    more\n",
            "  a: |\n    first\n    {{ .Values.x | quote }}\n",
            "  a.json: |\n    {{ .Values.x | quote }}\n",
            "  a: >-\n    {{ .Values.x | quote }}\n",
            "  a:\n    {{ .Values.x | quote }}\n",
            "  a: |\n    key={{ .Values.x | quote }}\n",
        ] {
            assert_eq!(keys(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn a_value_in_typographic_quotes_is_told_and_what_is_said_to_people_is_not() {
        for text in ["“0 0 * * *”", "‘true’", "„web”", "”1”", "“-Xmx512m -Xms64m”", "“two words”"]
        {
            assert!(is_in_typographic_quotes(text), "{text}");
        }
        assert!(!is_prose("“0 0 * * *”") && !is_prose("“-Xmx512m -Xms64m”") && !is_prose("“web”"));
        assert!(is_prose("“Welcome to the desk”"));
        for text in ["say “hello”", "\"a\"", "“", "“”", "“a\nb”"] {
            assert!(!is_in_typographic_quotes(text), "{text}");
        }
    }

    #[test]
    fn an_option_begins_with_a_dash_where_a_letter_stands_behind_it() {
        for word in ["–config=/etc/a", "—verbose", "-–verbose", "—-verbose"] {
            assert!(begins_with_a_dash(word), "{word}");
        }
        for word in ["--config", "-c", "– a list", "—", "a–b", "-"] {
            assert!(!begins_with_a_dash(word), "{word}");
        }
    }
}
