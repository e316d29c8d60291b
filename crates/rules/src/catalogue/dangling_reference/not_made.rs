//! What a chart would make under another setting: the condition that it is made under.

use landfall_diag::Place;
use landfall_object::references::Reference;

use crate::subject::{Desired, DesiredUnit};
use crate::texts::{ifs, own_texts};
use crate::written::{says_the_same, written};

/// A condition of a template.
pub(super) struct Condition {
    /// What it asks for.
    pub(super) asks: String,
    pub(super) place: Place,
}

/// The one condition under which a chart itself makes what is referred to, by the words of the name that the reference has.
pub(super) fn condition_of(unit: &DesiredUnit, desired: &Desired, reference: &Reference) -> Option<Condition> {
    let name = ["secretName", "claimName", "name"].into_iter().find_map(|field| {
        let origin = unit.rendered.origin(&desired.key(), &format!("{}.{field}", reference.path))?;
        let source = origin.template?.source?;
        let (key, value) = source.split_once(':')?;
        (key.trim().trim_start_matches("- ") == field).then(|| value.trim().to_owned())
    })?;
    // Others may well have the same name that is written letter by letter.
    if !name.contains("{{") {
        return None;
    }
    let texts: Vec<_> = unit.rendered.charts.iter().flat_map(own_texts).collect();
    let mut found = texts.iter().filter_map(|text| {
        let all = written(&text.text);
        let made = all.iter().find(|it| it.kind == reference.kind && says_the_same(it.name, &name))?;
        let around: Vec<_> = ifs(&text.text)
            .into_iter()
            .filter(|it| it.body.contains(&made.at) && it.asks.contains(".Values."))
            .map(|it| Condition { asks: it.asks.to_owned(), place: text.place(it.at) })
            .collect();
        // Of several any may not hold.
        let [_] = around.as_slice() else { return None };
        around.into_iter().next()
    });
    found.next()
}
