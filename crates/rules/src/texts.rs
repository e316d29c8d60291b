//! The texts of templates: whose they are, their lines and their actions.

use std::borrow::Cow;
use std::ops::Range;

use landfall_chart::{Chart, Rendered};
use landfall_diag::{Place, Spot};

use crate::subject::{Desired, DesiredUnit, Subject};

/// A template of a chart's own.
pub(crate) struct Text<'c> {
    /// Its path, from the repository on.
    pub(crate) path: String,
    pub(crate) text: Cow<'c, str>,
}

/// A chart and the parts of its own: those of charts from repositories are their authors' business.
pub(crate) fn own_charts(root: &Chart) -> impl Iterator<Item = &Chart> {
    let is_own =
        move |below: &&Chart| !root.is_borrowed(&format!("{}/charts/{}/templates/x", root.name(), below.name()));
    std::iter::once(root).chain(root.dependencies.iter().filter(is_own))
}

/// The templates of a rendered chart and of the parts of its own.
pub(crate) fn own_texts(rendered: &Rendered) -> Vec<Text<'_>> {
    let mut found = Vec::new();
    own_charts(&rendered.processed).for_each(|chart| gather(chart, &mut found));
    found
}

/// The templates of everything that is delivered, each with what makes a finding's spot of a place in it.
pub(crate) fn delivered_texts<'s>(
    subject: &'s Subject<'_>,
) -> impl Iterator<Item = (Text<'s>, impl Fn(Place) -> Spot + 's)> {
    let of_unit = |unit: &'s DesiredUnit| {
        let texts = unit.rendered.charts.iter().flat_map(own_texts);
        texts.map(move |text| (text, move |place| Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }))
    };
    subject.units.iter().flat_map(of_unit)
}

/// The text of the template that an object comes from, among those of its unit.
pub(crate) fn text_of<'t, 'c>(unit: &DesiredUnit, desired: &Desired, texts: &'t [Text<'c>]) -> Option<&'t Text<'c>> {
    // What an object's path has in front is the chart's name, and a text's is where it lies.
    let (_, path) = unit.template_of(desired)?.split_once('/')?;
    texts.iter().find(|text| text.path.ends_with(path))
}

/// Adds the templates of a chart itself, those that were left out with them.
pub(crate) fn gather<'c>(chart: &'c Chart, found: &mut Vec<Text<'c>>) {
    let left = &chart.without.templates;
    let own = chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt"));
    let own = own.map(|file| Text { path: chart.path_of(&file.name), text: file.text() });
    // Of one that was left out the definitions are there still: they stand in its whole text, too.
    found.extend(own.filter(|text| left.iter().all(|it| it.path != text.path)));
    found.extend(left.iter().map(|it| Text { path: it.path.clone(), text: Cow::Borrowed(&*it.text) }));
}

impl Text<'_> {
    /// The line that a byte stands in, as a place.
    pub(crate) fn place(&self, at: usize) -> Place {
        let line = u32::try_from(self.text[..at].matches('\n').count()).unwrap_or(0) + 1;
        let source = self.text.lines().nth(line as usize - 1).map(str::to_owned);
        Place { source, ..Place::line(self.path.clone(), line) }
    }
}

/// An action of a template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action<'t> {
    /// Where the line begins in which it does.
    pub(crate) line: usize,
    /// Where it begins, with its braces, and where it has ended.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What stands in it, without braces, dashes and blanks around it.
    pub(crate) inner: &'t str,
    /// Whether it takes away the blanks before it, and those behind it.
    pub(crate) trims: (bool, bool),
}

impl<'t> Action<'t> {
    /// Its first word.
    pub(crate) fn word(&self) -> &'t str {
        self.inner.split(char::is_whitespace).next().unwrap_or_default()
    }

    /// What stands behind its first word.
    pub(crate) fn rest(&self) -> &'t str {
        self.inner[self.word().len()..].trim_start()
    }

    /// The word by which it opens a block, goes on in one, or closes it.
    pub(crate) fn of_block(&self) -> Option<&'t str> {
        const WORDS: [&str; 7] = ["if", "else", "with", "range", "define", "block", "end"];
        // Nothing has to stand between `if` and a bracket.
        self.word().split('(').next().filter(|word| WORDS.contains(word))
    }

    pub(crate) fn is_comment(&self) -> bool {
        self.inner.starts_with("/*")
    }
}

/// The actions of a text.
pub(crate) fn actions(text: &str) -> impl Iterator<Item = Action<'_>> {
    let (mut at, mut line, mut seen) = (0, 0, 0);
    std::iter::from_fn(move || {
        let start = at + text[at..].find("{{")?;
        line = text[seen..start].rfind('\n').map_or(line, |end| seen + end + 1);
        seen = start;
        // A comment may speak of braces.
        let is_comment = text[start + 2..].trim_start_matches(['-', ' ', '\n', '\t']).starts_with("/*");
        let from = if is_comment { start + text[start..].find("*/")? } else { start + 2 };
        let end = from + text[from..].find("}}")? + 2;
        at = end;
        let whole = &text[start + 2..end - 2];
        let opened = whole.strip_prefix('-').filter(|rest| rest.starts_with(char::is_whitespace));
        let inner = opened.unwrap_or(whole);
        let closed = inner.strip_suffix('-').filter(|rest| rest.ends_with(char::is_whitespace));
        let trims = (opened.is_some(), closed.is_some());
        Some(Action { line, start, end, inner: closed.unwrap_or(inner).trim(), trims })
    })
}

/// A named template of a text.
pub(crate) struct Named<'t> {
    pub(crate) name: &'t str,
    /// Whether it is printed where it stands, too.
    pub(crate) is_block: bool,
    /// What stands in it.
    pub(crate) body: Range<usize>,
}

/// The named templates of a text, those within others before them.
pub(crate) fn named_templates(text: &str) -> Vec<Named<'_>> {
    let mut open: Vec<Option<Named<'_>>> = Vec::new();
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        match action.of_block() {
            Some(word @ ("define" | "block")) => {
                let is_block = word == "block";
                let name = action.rest().split('"').nth(1);
                if !is_block {
                    // It stands in no other block.
                    open.clear();
                }
                open.push(name.map(|name| Named { name, is_block, body: action.end..0 }));
            }
            Some("if" | "with" | "range") => open.push(None),
            Some("end") => {
                if let Some(Some(mut own)) = open.pop() {
                    own.body.end = action.start;
                    found.push(own);
                }
            }
            _ => {}
        }
    }
    found
}

/// The letters and digits of a text, however it is written: `CACHE_ENABLED` and `cacheEnabled` are one.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// What an action says, without what stands in quotes.
pub(crate) fn unquoted(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut open: Option<char> = None;
    let mut is_escaped = false;
    for letter in inner.chars() {
        match open {
            Some(quote) => {
                if letter == quote && !is_escaped {
                    open = None;
                    out.push(letter);
                }
                is_escaped = letter == '\\' && !is_escaped && quote == '"';
            }
            None => {
                open = matches!(letter, '"' | '`').then_some(letter);
                out.push(letter);
            }
        }
    }
    out
}

/// What an action says, without what stands in quotes, its brackets and bars with blanks around them: split at blanks, it is words and signs.
pub(crate) fn spaced(inner: &str) -> String {
    unquoted(inner).replace('(', " ( ").replace(')', " ) ").replace('|', " | ")
}

/// The words of an action: paths, functions, variables; brackets, commas and bars are between them.
pub(crate) fn words(inner: &str) -> Vec<&str> {
    inner.split(|it: char| it.is_whitespace() || "()|,".contains(it)).filter(|it| !it.is_empty()).collect()
}

/// An `if` of a template.
#[derive(Debug)]
pub(crate) struct If<'t> {
    /// What it asks for: `.Values.web.enabled`.
    pub(crate) asks: &'t str,
    /// Where it begins.
    pub(crate) at: usize,
    /// What is printed where that holds.
    pub(crate) body: Range<usize>,
    /// What is printed otherwise, where nothing else is asked for in between.
    pub(crate) otherwise: Option<Range<usize>>,
    /// Where it has ended.
    pub(crate) end: usize,
}

/// The `if`s of a text, those within others before them.
pub(crate) fn ifs(text: &str) -> Vec<If<'_>> {
    let mut open: Vec<Option<If<'_>>> = Vec::new();
    let mut found = Vec::new();
    for action in actions(text) {
        let word = action.of_block().unwrap_or_default();
        match word {
            "if" => {
                let (asks, body) = (action.inner[word.len()..].trim(), action.end..0);
                open.push(Some(If { asks, at: action.start, body, otherwise: None, end: 0 }));
            }
            "with" | "range" | "define" | "block" => open.push(None),
            "else" => {
                let Some(Some(own)) = open.last_mut().filter(|it| it.as_ref().is_some_and(|it| it.body.end == 0))
                else {
                    continue;
                };
                own.body.end = action.start;
                own.otherwise = action.rest().is_empty().then_some(action.end..0);
            }
            "end" => {
                let Some(Some(mut own)) = open.pop() else { continue };
                if own.body.end == 0 {
                    own.body.end = action.start;
                }
                if let Some(otherwise) = &mut own.otherwise {
                    otherwise.end = action.start;
                }
                own.end = action.end;
                found.push(own);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_if_has_what_it_prints_and_what_it_prints_otherwise() {
        let text = "{{ if .a }}x{{ if(not .b) }}y{{ end }}{{ else }}z{{ end }}{{ if .c }}1{{ else if .d }}2{{ else }}3{{ end }}";
        let found: Vec<_> = ifs(text)
            .into_iter()
            .map(|it| (it.asks, &text[it.body.clone()], it.otherwise.map(|range| &text[range])))
            .collect();
        assert_eq!(
            found,
            [("(not .b)", "y", None), (".a", "x{{ if(not .b) }}y{{ end }}", Some("z")), (".c", "1", None)]
        );
    }

    #[test]
    fn actions_say_what_they_trim_and_comments_may_speak_of_braces() {
        let text = "a\n{{- if .x -}}\nb{{/* {{ .no }} */}}{{ -1 }}{{- end}}";
        let found: Vec<_> = actions(text).map(|it| (it.inner, it.trims)).collect();
        assert_eq!(
            found,
            [
                ("if .x", (true, true)),
                ("/* {{ .no }} */", (false, false)),
                ("-1", (false, false)),
                ("end", (true, false))
            ]
        );
        assert_eq!(unquoted("tpl \"{{ .Values.a \\\" }}\" . | quote"), "tpl \"\" . | quote");
        assert_eq!(words("if (eq .a \"b\") | not"), ["if", "eq", ".a", "\"b\"", "not"]);
    }
}
