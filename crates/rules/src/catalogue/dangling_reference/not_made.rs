//! What a chart would make under another setting: the condition that it is made under.

use landfall_chart::Written;
use landfall_diag::Place;
use landfall_object::references::Reference;

use crate::subject::{Desired, DesiredUnit};
use crate::texts::{Text, ifs, own_charts, own_texts, text_of};
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
pub(super) fn condition_of(
    unit: &DesiredUnit,
    desired: &Desired,
    written: Option<&Written<'_>>,
    reference: &Reference,
) -> Option<Condition> {
    let name =
        written.and_then(|it| at_its_line(it, reference)).or_else(|| in_its_template(unit, desired, reference))?;
    // Others may well have the same name that is written letter by letter.
    if !name.contains("{{") {
        return None;
    }
    unit.rendered.charts.iter().flat_map(|rendered| own_charts(&rendered.processed)).find_map(|chart| {
        let made = |all: &Makes| {
            let it = all.0.iter().find(|it| it.kind == reference.kind && says_the_same(&it.name, &name))?;
            it.condition.clone()
        };
        let own = chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt"));
        let mut own = own.map(|file| (chart.path_of(&file.name), file.noted(Makes::of)));
        let found = own.find_map(|(path, all)| Some((path, made(&all)?)));
        let (path, (asks, place)) = found.or_else(|| {
            let mut left = chart.without.templates.iter();
            left.find_map(|it| Some((it.path.clone(), made(&Makes::of(&it.text))?)))
        })?;
        Some(Condition { asks, place: Place { file: path, ..place } })
    })
}

/// The objects that a template makes.
struct Makes(Vec<Made>);

/// An object as a template makes it.
struct Made {
    kind: String,
    /// As it is written.
    name: String,
    /// What the only condition on values around it asks for, and where; its place has no file yet.
    condition: Option<(String, Place)>,
}

impl Makes {
    fn of(text: &str) -> Self {
        let all = written(text);
        let conditions = if all.is_empty() { Vec::new() } else { ifs(text) };
        let made = all.into_iter().map(|it| {
            let mut around = conditions.iter().filter(|on| on.body.contains(&it.at) && on.asks.contains(".Values."));
            // Of several any may not hold.
            let only = around.next().filter(|_| around.next().is_none());
            let whole = Text { path: String::new(), text: text.into() };
            let condition = only.map(|only| (only.asks.to_owned(), whole.place(only.at)));
            Made { kind: it.kind.to_owned(), name: it.name.to_owned(), condition }
        });
        Makes(made.collect())
    }
}

/// The name of a reference as the line says it that wrote it.
fn at_its_line(written: &Written<'_>, reference: &Reference) -> Option<String> {
    NAMES.iter().find_map(|field| {
        let origin = written.origin(&format!("{}.{field}", reference.path))?;
        value_of(&origin.template?.source?, field).map(str::to_owned)
    })
}

/// The same where a helper wrote it: as its template calls that, where all names of its kind are said alike there.
fn in_its_template(unit: &DesiredUnit, desired: &Desired, reference: &Reference) -> Option<String> {
    let field = match reference.kind.as_str() {
        "Secret" => "secretName",
        "PersistentVolumeClaim" => "claimName",
        _ => return None,
    };
    let texts: Vec<_> = unit.rendered.charts.iter().flat_map(own_texts).collect();
    let text = text_of(unit, desired, &texts)?;
    let mut said = text.text.lines().filter_map(|line| value_of(line, field));
    let first = said.next()?;
    said.all(|it| says_the_same(it, first)).then(|| first.to_owned())
}

/// What a line says of a field.
fn value_of<'l>(line: &'l str, field: &str) -> Option<&'l str> {
    let (key, value) = line.split_once(':')?;
    (key.trim_start_matches(['-', ' ']).trim_end() == field).then(|| value.trim())
}
