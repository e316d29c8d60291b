//! `.helmignore`: which files of a directory are not part of its chart (helm: `pkg/ignore`).

use crate::pattern::{BadPattern, path_match};

/// The name of the file with the rules.
pub const IGNORE_FILE: &str = ".helmignore";

/// Parsed rules, in their order; the first that decides wins.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: Pattern,
    negated: bool,
    /// Written with a trailing `/`.
    directories_only: bool,
    /// Matched against the base name only, because the pattern holds no `/`.
    base_name: bool,
}

/// What a rule asks for. Nearly all of them are plain names or the end of one, and each is held against each path of a chart.
#[derive(Debug, Clone)]
enum Pattern {
    /// This very text.
    Is(String),
    /// `*` and this text behind it.
    EndsWith(String),
    /// Anything else.
    Matches(String),
}

impl Pattern {
    fn of(text: &str) -> Self {
        let is_plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
        match text.strip_prefix('*') {
            Some(end) if is_plain(end) => Pattern::EndsWith(end.to_owned()),
            None if is_plain(text) => Pattern::Is(text.to_owned()),
            _ => Pattern::Matches(text.to_owned()),
        }
    }

    fn matches(&self, subject: &str) -> bool {
        match self {
            Pattern::Is(text) => subject == text,
            Pattern::EndsWith(end) => subject.strip_suffix(end.as_str()).is_some_and(|begin| !begin.contains('/')),
            Pattern::Matches(pattern) => path_match(pattern, subject).unwrap_or(false),
        }
    }
}

/// Why a `.helmignore` cannot be read; the text is Helm's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreProblem {
    /// `**` is not known to Helm.
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// Not a pattern.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
}

/// A rule that cannot be read, and its line from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct IgnoreError {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub problem: IgnoreProblem,
}

impl Ignore {
    /// Helm's default rule alone: hidden files in `templates/` are left out.
    pub fn defaults() -> Self {
        let mut ignore = Ignore::default();
        let _well_formed = ignore.add("templates/.?*");
        ignore
    }

    /// The rules of a `.helmignore` text, with Helm's default rule behind them.
    ///
    /// # Errors
    /// The first line that Helm would refuse.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let mut ignore = Ignore::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            ignore.add(line).map_err(|problem| IgnoreError { line: index as u32 + 1, problem })?;
        }
        let _well_formed = ignore.add("templates/.?*");
        Ok(ignore)
    }

    fn add(&mut self, rule: &str) -> Result<(), IgnoreProblem> {
        let rule = rule.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err(IgnoreProblem::DoubleStar);
        }
        path_match(rule, "abc")?;
        let (negated, rule) = rule.strip_prefix('!').map_or((false, rule), |rest| (true, rest));
        let (directories_only, rule) = rule.strip_suffix('/').map_or((false, rule), |rest| (true, rest));
        let (base_name, pattern) = match rule.strip_prefix('/') {
            Some(anchored) => (false, anchored),
            None => (!rule.contains('/'), rule),
        };
        self.rules.push(Rule { pattern: Pattern::of(pattern), negated, directories_only, base_name });
        Ok(())
    }

    /// Whether a path relative to the chart's directory is left out; a directory left out takes all below with it.
    ///
    /// Helm's reading of `!` is kept: a negated rule that does *not* match leaves the path out.
    pub fn ignores(&self, path: &str, kind: PathKind) -> bool {
        if path.is_empty() || path == "." || path == "./" {
            return false;
        }
        let base_name = path.rsplit('/').next().unwrap_or(path);
        self.rules.iter().any(|rule| {
            let counts = !(rule.directories_only && kind == PathKind::File);
            let matches = || rule.pattern.matches(if rule.base_name { base_name } else { path });
            (counts && matches()) != rule.negated
        })
    }

    /// Whether a file, or a directory it lies in, is left out.
    pub fn ignores_file(&self, path: &str) -> bool {
        path.match_indices('/').any(|(at, _)| self.ignores(&path[..at], PathKind::Directory))
            || self.ignores(path, PathKind::File)
    }
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(rules: &str, path: &str) -> bool {
        Ignore::parse(rules).expect("the rules are well formed").ignores_file(path)
    }

    #[test]
    fn rules_match_names_paths_and_directories() {
        assert!(ignores("*.bak", "a/b/x.bak"));
        assert!(ignores("a/*.bak", "a/x.bak"));
        assert!(!ignores("a/*.bak", "b/a/x.bak"));
        assert!(ignores("/x.bak", "x.bak"));
        assert!(!ignores("/x.bak", "a/x.bak"));
        assert!(ignores(".git/", ".git/config"));
        assert!(!ignores("name/", "name"));
        assert!(ignores("# nothing\n\n", "templates/.hidden"));
        assert!(!ignores("# nothing\n", "templates/sub/.hidden"));
    }

    #[test]
    fn a_rule_of_any_shape_says_what_its_pattern_says() {
        let patterns =
            ["", "*", "*.bak", "x.bak", "a/*", "*/b", "a/b", "?.bak", "*[b]", "a*", "\\*", "*\\a", "[a]", "é*", "*é"];
        let subjects = ["", "x.bak", "a/x.bak", "a/b", "b", "a", "*", "aé", "é", ".bak", "a/é", "x.bak.bak", "/", "a/"];
        for (pattern, subject) in patterns.iter().flat_map(|pattern| subjects.map(|subject| (*pattern, subject))) {
            let expected = path_match(pattern, subject).unwrap_or(false);
            assert_eq!(Pattern::of(pattern).matches(subject), expected, "{pattern} on {subject}");
        }
    }

    #[test]
    fn a_negated_rule_leaves_out_whatever_it_does_not_match() {
        assert!(ignores("!keep.me", "Chart.yaml"));
        assert!(!ignores("!keep.me", "keep.me"));
    }

    #[test]
    fn what_helm_does_not_know_is_refused_with_its_line() {
        let error = Ignore::parse("a\nb/**").expect_err("double star");
        assert_eq!((error.line, error.to_string()), (2, "double-star (**) syntax is not supported".to_owned()));
        assert_eq!(Ignore::parse("[").expect_err("unclosed").to_string(), "syntax error in pattern");
    }
}
