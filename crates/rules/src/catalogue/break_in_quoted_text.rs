use landfall_diag::{Finding, Severity};

use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::delivered_texts;
use crate::written::lines;

pub(super) static RULE: Rule = Rule {
    id: "LF418",
    title: "a quoted text of many lines goes on where it is meant to",
    severity: Severity::Warning,
    why: "In a text of YAML between double quotes a line that ends in `\\` goes on with the next one's first letter. A line \
          that lacks it goes on with a blank in between: a pattern that was put together so asks for that blank, and \
          the two words around it are never found.",
    advice: "End the line in `\\`, as those around it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = in_config_maps(subject);
    // What templates write is told where it is delivered.
    if findings.is_empty() {
        findings = in_templates(subject);
    }
    findings
}

fn told(line: &str) -> Finding {
    RULE.finding(format!("the line `{line}` of a quoted text lacks its backslash"))
        .because("the lines around it end in one, so a blank stands in this place alone")
}

/// Files of YAML that ConfigMaps bring.
fn in_config_maps(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|it| it.object.group().is_empty() && it.object.kind() == "ConfigMap") {
        let texts = texts(&desired.object).into_iter();
        for (_, text, field) in texts.filter(|(key, ..)| key.ends_with(".yaml") || key.ends_with(".yml")) {
            findings.extend(broken(&text).into_iter().map(|(_, line)| told(line).at(desired.spot_at(&field))));
        }
    }
    findings
}

/// Texts of the templates themselves.
fn in_templates(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for (at, line) in broken(&text.text) {
            let place = text.place(at);
            findings.push(told(line).keyed(format!("{} {line}", place.file)).at(spot(place)));
        }
    }
    findings
}

/// How many lines a text has, and how many of them go on, for one without its backslash to be a slip.
const LINES: usize = 4;
const GOING_ON: usize = 3;

/// The lines that lack their backslash, each with where it begins.
fn broken(text: &str) -> Vec<(usize, &str)> {
    if !text.contains("\\\n") {
        return Vec::new();
    }
    let all: Vec<(usize, &str)> = lines(text).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let length = if opens(all[at].1) { length(&all[at..]) } else { 1 };
        found.extend(lacking(&all[at..at + length]));
        at += length;
    }
    found
}

/// Whether a line begins a quoted text, as a value or an item, and does not end it.
fn opens(line: &str) -> bool {
    let item = line.trim_start().trim_start_matches("- ").trim_start();
    let quoted = item.strip_prefix('"').or_else(|| {
        let (key, value) = item.split_once(": ")?;
        let is_key = !key.is_empty() && key.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-./".contains(&it));
        value.trim_start().strip_prefix('"').filter(|_| is_key)
    });
    quoted.is_some_and(|it| !closes(it))
}

/// Whether the quote that is open before a text ends within it.
fn closes(text: &str) -> bool {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return true,
            '\\' => drop(letters.next()),
            _ => {}
        }
    }
    false
}

/// How many lines a quoted text has that the first one begins; one where it is not ended.
fn length(lines: &[(usize, &str)]) -> usize {
    lines.iter().skip(1).position(|(_, line)| closes(line)).map_or(1, |behind| behind + 2)
}

/// The line of a quoted text that lacks its backslash where all others but the last have it.
fn lacking<'t>(lines: &[(usize, &'t str)]) -> Option<(usize, &'t str)> {
    let (_, joined) = lines.split_last().filter(|_| lines.len() >= LINES)?;
    let (going_on, mut others): (Vec<_>, Vec<_>) = joined.iter().partition(|(_, line)| goes_on(line));
    // Where lines end in a blank, a blank is what all of them mean.
    let means_blanks = going_on.iter().any(|(_, line)| line.ends_with(" \\"));
    let (at, line) = others.pop().filter(|_| others.is_empty())?;
    let is_slip = going_on.len() >= GOING_ON && !means_blanks && !line.trim().is_empty();
    is_slip.then(|| (at, line.trim()))
}

/// Whether a line ends in a backslash that is none of a pair.
fn goes_on(line: &str) -> bool {
    let bare = line.trim_end_matches('\\');
    (line.len() - bare.len()) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<&str> {
        broken(text).into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn one_line_that_ends_without_a_backslash_is_a_slip() {
        let text = "re: \"a|b\\\n  |c\n  |d\\\n  |e\\\n  |f\"\nx: y\n";
        assert_eq!(told(text), ["|c"]);
        assert_eq!(told("a:\n  - \"b\n    |c\\\n    |d\\\n    |\\\"e\\\\\\\n    |f\"\n"), ["- \"b"]);
    }

    #[test]
    fn texts_that_all_go_on_or_mean_their_blanks_are_left_alone() {
        for text in [
            "re: \"a|b\\\n  |c\\\n  |d\\\n  |e\\\n  |f\"\n",
            "re: \"a|b\\\n  |c\n  |d\n  |e\\\n  |f\\\n  |g\"\n",
            "re: \"a \\\n  c\n  d \\\n  e \\\n  f\"\n",
            "re: \"a\\\n  c\n  d\"\n",
            "re: \"a\\\n\n  c\\\n  d\\\n  e\"\n",
            "run: |\n  a \\\n  b\n  c \\\n  d \\\n",
            "re: \"a\\\n  |c\n  |d\\\n  |e\\\n",
            "re: \"a\" \\\n  b\n  c \\\n  \"d\" \\\n",
        ] {
            assert_eq!(told(text), Vec::<&str>::new(), "{text}");
        }
    }
}
