//! What a chart would make under another setting: the condition that it is made under.

use landfall_diag::Place;
use landfall_object::references::Reference;

use crate::subject::{Desired, DesiredUnit};
use crate::texts::{Text, ifs, own_texts, text_of};
use crate::written::{says_the_same, written};

/// Fields that hold a name.
const NAMES: &[&str] = &["secretName", "claimName", "name"];

/// A condition of a template.
pub(super) struct Condition {
    /// What it asks for.
    pub(super) asks: String,
    pub(super) place: Place,
}

/// The one condition under which a chart itself makes what is referred to, by the words of the name that the reference has.
pub(super) fn condition_of(unit: &DesiredUnit, desired: &Desired, reference: &Reference) -> Option<Condition> {
    let texts: Vec<_> = unit.rendered.charts.iter().flat_map(own_texts).collect();
    let name = at_its_line(unit, desired, reference).or_else(|| in_its_template(unit, desired, reference, &texts))?;
    // Others may well have the same name that is written letter by letter.
    if !name.contains("{{") {
        return None;
    }
    let mut found = texts.iter().filter(|text| text.text.contains(&reference.kind)).filter_map(|text| {
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

/// The name of a reference as the line says it that wrote it.
fn at_its_line(unit: &DesiredUnit, desired: &Desired, reference: &Reference) -> Option<String> {
    NAMES.iter().find_map(|field| {
        let origin = unit.rendered.origin(&desired.key(), &format!("{}.{field}", reference.path))?;
        value_of(&origin.template?.source?, field).map(str::to_owned)
    })
}

/// The same where a helper wrote it: as its template calls that, where all names of its kind are said alike there.
fn in_its_template(unit: &DesiredUnit, desired: &Desired, reference: &Reference, texts: &[Text<'_>]) -> Option<String> {
    let field = match reference.kind.as_str() {
        "Secret" => "secretName",
        "PersistentVolumeClaim" => "claimName",
        _ => return None,
    };
    let text = text_of(unit, desired, texts)?;
    let mut said = text.text.lines().filter_map(|line| value_of(line, field));
    let first = said.next()?;
    said.all(|it| says_the_same(it, first)).then(|| first.to_owned())
}

/// What a line says of a field.
fn value_of<'l>(line: &'l str, field: &str) -> Option<&'l str> {
    let (key, value) = line.split_once(':')?;
    (key.trim_start_matches(['-', ' ']).trim_end() == field).then(|| value.trim())
}
