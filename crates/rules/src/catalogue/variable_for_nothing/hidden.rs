use std::collections::HashMap;

use landfall_diag::Severity;

use super::{Unused, read};
use crate::texts::{Action, Text, actions, unquoted};

/// A variable of a block.
struct Known {
    /// The block that declares it, counted from the outermost.
    depth: usize,
    at: usize,
    is_read: bool,
    /// Whether a block around it has one of its name.
    hides: bool,
}

/// What is open, and what is known there.
#[derive(Default)]
struct Scope<'t> {
    /// The open blocks, each with its number and the variables that it declares.
    blocks: Vec<(usize, Vec<&'t str>)>,
    numbered: usize,
    /// By their names, those of inner blocks last.
    known: HashMap<&'t str, Vec<Known>>,
    /// What ended with its block for nothing, in which block that was, and where it was declared: told once the one outside is read.
    ended: HashMap<&'t str, Vec<(usize, usize)>>,
}

impl<'t> Scope<'t> {
    fn open(&mut self) {
        self.numbered += 1;
        self.blocks.push((self.numbered, Vec::new()));
    }

    fn close(&mut self) {
        let Some((_, names)) = self.blocks.pop() else { return };
        for name in names {
            let Some(all) = self.known.get_mut(name) else { continue };
            let (own, outer) = (all.pop(), all.last());
            let around = outer.and_then(|outer| self.blocks.get(outer.depth - 1)).map(|(number, _)| *number);
            if let (Some(own), Some(around)) = (own, around)
                && own.hides
                && !own.is_read
            {
                self.ended.entry(name).or_default().push((around, own.at));
            }
        }
    }

    /// Where variables of that name were declared for nothing, within blocks that are open yet.
    fn reads(&mut self, name: &str) -> Vec<usize> {
        if let Some(known) = self.known.get_mut(name).and_then(|all| all.last_mut()) {
            known.is_read = true;
        }
        let Some(ended) = self.ended.remove(name) else { return Vec::new() };
        let is_open = |block: usize| self.blocks.binary_search_by_key(&block, |(number, _)| *number).is_ok();
        ended.into_iter().filter(|(block, _)| is_open(*block)).map(|(_, at)| at).collect()
    }

    fn declares(&mut self, name: &'t str, at: usize) {
        let depth = self.blocks.len();
        let all = self.known.entry(name).or_default();
        let hides = all.last().is_some_and(|outer| outer.depth < depth);
        all.push(Known { depth, at, is_read: false, hides });
        self.blocks.last_mut().into_iter().for_each(|(_, names)| names.push(name));
    }
}

/// Variables that a block declares once more and does not read, while the one outside is read behind the block: `:=` in place of `=`.
pub(super) fn hidden<'t>(text: &'t Text<'_>) -> Vec<Unused<'t>> {
    let mut scope = Scope::default();
    scope.open();
    let mut found = Vec::new();
    for action in actions(&text.text).filter(|it| !it.is_comment()) {
        let given = given(&action);
        for name in read(&unquoted(action.inner)) {
            found.extend(scope.reads(name).into_iter().filter_map(|at| told(&text.text, at)));
        }
        match action.of_block() {
            Some("define" | "block") => {
                scope = Scope { numbered: scope.numbered, ..Scope::default() };
                scope.open();
                scope.open();
            }
            Some("if" | "with" | "range") => scope.open(),
            Some("else") => {
                scope.close();
                scope.open();
            }
            Some("end") => scope.close(),
            _ => {}
        }
        match given {
            Some((name, true)) => scope.declares(name, action.start),
            // Something else stands in the one outside before it is read.
            Some((name, false)) => drop(scope.ended.remove(name)),
            None => {}
        }
    }
    found
}

/// The variable that an action gives a value, and whether it declares it.
fn given<'t>(action: &Action<'t>) -> Option<(&'t str, bool)> {
    let rest = action.inner.strip_prefix('$')?;
    let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))?;
    let (name, rest) = rest.split_at(end);
    let rest = rest.trim_start();
    let is_declared = rest.starts_with(":=");
    let is_given = is_declared || rest.starts_with("= ");
    (is_given && !name.is_empty() && name != "_").then_some((name, is_declared))
}

fn told<'t>(text: &'t str, at: usize) -> Option<Unused<'t>> {
    let (name, _) = given(&actions(&text[at..]).next()?)?;
    Some(Unused {
        at,
        name,
        words: format!("`${name} :=` makes a variable of its own that ends with its block, and nothing reads it"),
        because: format!(
            "what is read behind the block is the `${name}` outside, as it was before: `=` changes that one"
        ),
        severity: Severity::Warning,
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn of(text: &str) -> Vec<String> {
        let text = Text { path: "x".to_owned(), text: Cow::Borrowed(text) };
        hidden(&text).into_iter().map(|it| it.name.to_owned()).collect()
    }

    #[test]
    fn a_variable_that_ends_with_its_block_is_told_where_the_one_outside_is_read() {
        for told in [
            "{{ $a := 1 }}{{ if .x }}{{ $a := 2 }}{{ end }}{{ $a }}",
            "{{ $a := 1 }}{{ if .x }}{{ if .y }}{{ $a := 2 }}{{ end }}{{ end }}{{ if eq $a 1 }}{{ end }}",
            "{{ $a := 1 }}{{ if .x }}{{ else }}{{- $a := 2 -}}{{ end }}{{ $a }}",
            "{{ define \"x\" }}{{ $a := 1 }}{{ range .y }}{{ $a := . }}{{ end }}{{ $a }}{{ end }}",
        ] {
            assert_eq!(of(told), ["a"], "{told}");
        }
        for well in [
            "{{ $a := 1 }}{{ if .x }}{{ $a = 2 }}{{ end }}{{ $a }}",
            "{{ $a := 1 }}{{ if .x }}{{ $a := 2 }}{{ $a }}{{ end }}{{ $a }}",
            "{{ $a := 1 }}{{ if .x }}{{ $a := 2 }}{{ end }}",
            "{{ if .x }}{{ $a := 2 }}{{ end }}{{ if .y }}{{ $a := 2 }}{{ $a }}{{ end }}",
            "{{ $a := 1 }}{{ if .x }}{{ $a := 2 }}{{ end }}{{ $a = 3 }}{{ $a }}",
            "{{ $a := 1 }}{{ $a }}{{ $a := 2 }}{{ $a }}",
            "{{ define \"x\" }}{{ $a := 1 }}{{ end }}{{ define \"y\" }}{{ if .x }}{{ $a := 1 }}{{ end }}{{ $a := 1 }}{{ $a }}{{ end }}",
        ] {
            assert_eq!(of(well), [""; 0], "{well}");
        }
    }
}
