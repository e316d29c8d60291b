//! Variables of a template that stand for a path of the values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Dot, bare_path};

/// What variables stand for, as far as a template was read: a path, or what is not known.
#[derive(Default)]
pub(super) struct Variables(BTreeMap<String, Option<String>>);

impl Variables {
    /// Takes in what an action gives to variables. One that is given two things, or something in a block of its own, is not known
    /// from there on.
    pub(super) fn hear(&mut self, action: &str, dot: &Dot) {
        let action = action.trim_matches(['-', ' ', '\n', '\t']);
        if !action.contains('=') {
            return;
        }
        let plain = action.split_once(":=").and_then(|(name, given)| {
            let name = name.trim().strip_prefix('$').filter(|name| is_name(name))?;
            let path = bare_path(&self.read_in(given), dot).filter(|_| !given.contains('|'));
            Some((name.to_owned(), path))
        });
        if let Some((name, path)) = plain {
            let before = self.0.get(&name).cloned();
            let path = if before.is_none_or(|before| before == path) { path } else { None };
            self.0.insert(name, path);
            return;
        }
        let Some((names, _)) = action.split_once('=') else { return };
        for name in names.split(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '$'))) {
            if let Some(name) = name.strip_prefix('$').filter(|name| is_name(name)) {
                self.0.insert(name.to_owned(), None);
            }
        }
    }

    /// An action with the paths in place of the variables that stand for them.
    pub(super) fn read_in<'a>(&self, action: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() || !action.contains('$') {
            return Cow::Borrowed(action);
        }
        let mut words: Vec<Cow<'_, str>> = Vec::new();
        for word in action.split(' ') {
            let known = word.strip_prefix('$').and_then(|rest| {
                let end = rest.find('.').unwrap_or(rest.len());
                let path = self.0.get(&rest[..end])?.as_ref()?;
                Some(format!("$.Values.{path}{}", &rest[end..]))
            });
            words.push(known.map_or(Cow::Borrowed(word), Cow::Owned));
        }
        Cow::Owned(words.join(" "))
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
}
