//! Objects that are made where a switch says that none is: their `else` belongs to the condition within.

use crate::texts::{If, Text, ifs};
use crate::written::{Written, says_the_same, written};

/// An object that is made where nothing is to be made.
pub(super) struct MadeWhenOff<'t> {
    /// Where its line of the kind begins.
    pub(super) at: usize,
    pub(super) kind: &'t str,
    /// The switch: `config.create`.
    pub(super) switch: &'t str,
    /// The condition within that has no `else`.
    pub(super) within: &'t str,
}

/// Kinds of which a chart makes one or the other.
const KINDS: &[&str] = &["ConfigMap", "Secret"];

/// Where the whole of what `create` switches on stands behind a second condition, and the `else` is of the first one: the same object of
/// another kind is made where none is wanted, and none where the second condition does not hold.
pub(super) fn made_when_off<'t>(text: &'t Text<'_>) -> Vec<MadeWhenOff<'t>> {
    let all = ifs(&text.text);
    all.iter().filter_map(|outer| of(text, outer, &all)).collect()
}

fn of<'t>(text: &'t Text<'_>, outer: &If<'t>, all: &[If<'t>]) -> Option<MadeWhenOff<'t>> {
    let switch = outer.asks.trim_start_matches('$').strip_prefix(".Values.")?;
    let otherwise = outer.otherwise.clone().filter(|_| switch.ends_with(".create") && !switch.contains([' ', '(']))?;
    let inner =
        all.iter().find(|it| it.at >= outer.body.start && it.end <= outer.body.end && is_all(text, outer, it))?;
    if inner.otherwise.is_some() {
        return None;
    }
    let one = single(&text.text[inner.body.clone()])?;
    let other = single(&text.text[otherwise.clone()])?;
    let is_meant = one.kind != other.kind && says_the_same(one.name, other.name);
    is_meant.then(|| MadeWhenOff { at: otherwise.start + other.at, kind: other.kind, switch, within: inner.asks })
}

/// Whether a condition is all that stands behind another one.
fn is_all(text: &Text<'_>, outer: &If<'_>, inner: &If<'_>) -> bool {
    let around = [outer.body.start..inner.at, inner.end..outer.body.end];
    around.into_iter().all(|range| text.text[range].trim().is_empty())
}

/// The one object of a text, where it is of a kind that a chart makes one or the other of.
fn single(text: &str) -> Option<Written<'_>> {
    let mut all = written(text);
    let one = all.pop().filter(|it| all.is_empty() && KINDS.contains(&it.kind))?;
    Some(one)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn an_else_of_the_outer_condition_is_told_and_one_of_the_inner_is_not() {
        let of = |text: &str| {
            let text = Text { path: String::new(), text: Cow::Borrowed(text) };
            made_when_off(&text)
                .into_iter()
                .map(|it| format!("{} {} {}", it.kind, it.switch, it.within))
                .collect::<Vec<_>>()
        };
        let (map, secret) = ("kind: ConfigMap\nmetadata:\n  name: a\n", "kind: Secret\nmetadata:\n  name: a\n");
        let wrong = format!(
            "{{{{ if .Values.a.create }}}}\n{{{{ if not .Values.a.b }}}}\n{map}{{{{ end }}}}\n{{{{ else }}}}\n{secret}{{{{ end }}}}\n"
        );
        assert_eq!(of(&wrong), ["Secret a.create not .Values.a.b"]);
        let right = format!(
            "{{{{ if .Values.a.create }}}}\n{{{{ if not .Values.a.b }}}}\n{map}{{{{ else }}}}\n{secret}{{{{ end }}}}\n{{{{ end }}}}\n"
        );
        assert_eq!(of(&right), [] as [&str; 0]);
        let two = format!("{{{{ if .Values.a.create }}}}\n{map}{{{{ else }}}}\n{secret}{{{{ end }}}}\n");
        assert_eq!(of(&two), [] as [&str; 0]);
    }
}
