//! Charts whose dependencies are not all at hand: both revisions are looked at without them, and without what asks for them.
//!
//! What only one of two revisions can render is no change: what the one lacks, the other is looked at without, too.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::{Chart, Dependency, LeftOut, Operation, StandsBeside, Tracing};
use landfall_delivery::{Candidate, NotRun, Turn, Unit};
use serde::Serialize;

use crate::study::{Conditions, MOMENTS, once};

/// Something that was not looked at, because a chart is not at hand, or a program is not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotChecked {
    /// `dependency redis 1.0.0 of https://charts.example`, or a template's path.
    pub what: String,
    /// Why not.
    pub why: String,
    /// The dependency's name, where it is one.
    #[serde(skip)]
    pub dependency: Option<String>,
}

/// Leaves out of a change and of its base what asks for charts that are not at hand, and what only one of them has at hand; says
/// what is not looked at of the change.
pub fn level(head: &mut [Candidate], base: &mut [Candidate]) -> Vec<NotChecked> {
    let mut told = Vec::new();
    for (name, unit) in head {
        let Ok(unit) = unit else { continue };
        told.extend(unit.not_run().map(of_program));
        let before = base.iter_mut().find(|(other, _)| other == name);
        let before = before.and_then(|(_, unit)| unit.as_mut().ok());
        if lacks(unit) || before.as_ref().is_some_and(|it| lacks(it)) {
            told.extend(without(unit, before));
        }
        told.extend(standing_beside(unit));
    }
    told.dedup();
    told
}

fn lacks(unit: &Unit) -> bool {
    unit.charts().any(|source| source.chart.does_without())
}

fn without(unit: &mut Unit, mut before: Option<&mut Unit>) -> Vec<NotChecked> {
    if let Some(before) = before.as_deref_mut() {
        for (one, other) in unit.charts_mut().zip(before.charts_mut()) {
            let names = |chart: &Chart| -> BTreeSet<String> {
                chart.without.dependencies.iter().map(|it| it.name.clone()).collect()
            };
            let (of_one, of_other) = (names(&one.chart), names(&other.chart));
            other.chart.do_without(&of_one);
            one.chart.do_without(&of_other);
        }
    }
    let (Looked { dependencies, mut left_out }, stood_for) = stand_in(unit, before.as_deref_mut());
    // By paths within the chart: it may lie elsewhere in the base.
    let mut all: BTreeMap<String, LeftOut> = BTreeMap::new();
    // What one file does for others is not done where it is left out: those may fall with it.
    for _ in 0..ROUNDS {
        let falling: BTreeMap<String, LeftOut> =
            left_out.into_iter().filter(|(inside, _)| !all.contains_key(inside)).collect();
        if falling.is_empty() {
            break;
        }
        for one in std::iter::once(&mut *unit).chain(before.as_deref_mut()) {
            leave_out(one, &falling);
        }
        all.extend(falling);
        left_out = look_at_both(unit, before.as_deref()).left_out;
    }
    let location = unit.charts().next().map(|source| source.chart.typed()).unwrap_or_default();
    let left: BTreeSet<String> = all.values().map(|it| it.path.clone()).collect();
    let files = all.into_values().map(|left| NotChecked {
        what: left.path,
        why: format!("{}, and that is not at hand", left.why),
        dependency: None,
    });
    let values = stood_for.into_iter().filter(|(_, file)| !left.contains(file)).map(|(path, file)| NotChecked {
        what: format!("`{path}`"),
        why: format!("{file} reads it of a chart that is not at hand; something stood for it"),
        dependency: None,
    });
    dependencies.iter().map(|it| of_dependency(it, &location)).chain(values).chain(files).collect()
}

/// Leaves templates out of a unit, by their paths within its charts.
fn leave_out(unit: &mut Unit, left: &BTreeMap<String, LeftOut>) {
    for source in unit.charts_mut() {
        let here: Vec<LeftOut> =
            left.iter().map(|(inside, left)| LeftOut { path: source.chart.path_of(inside), ..left.clone() }).collect();
        source.chart.leave_out(&here);
    }
}

/// So often it is looked whether a template that had something stand for what it read gets further, and what falls with
/// those that do not.
const ROUNDS: usize = 12;

/// Lets something stand for the values of charts that are not at hand, in both revisions, as long as templates that were left out
/// for want of them get further. Gives what is left out of either then, and the values' paths with who reads them.
fn stand_in(unit: &mut Unit, mut before: Option<&mut Unit>) -> (Looked, BTreeMap<String, String>) {
    let mut told = BTreeMap::new();
    let mut looked = look_at_both(unit, before.as_deref());
    for _ in 0..ROUNDS {
        let mut is_new = false;
        for (inside, left) in &looked.left_out {
            for one in std::iter::once(&mut *unit).chain(before.as_deref_mut()) {
                for source in one.charts_mut() {
                    let here = LeftOut { path: source.chart.path_of(inside), ..left.clone() };
                    let Some(path) = source.chart.stand_in(&here) else { continue };
                    is_new = true;
                    told.entry(path).or_insert(here.path);
                }
            }
        }
        if !is_new {
            break;
        }
        looked = look_at_both(unit, before.as_deref());
    }
    (looked, told)
}

/// What is seen of a unit, and what is left out of it or of its base; what the change says of a template counts.
fn look_at_both(unit: &Unit, before: Option<&Unit>) -> Looked {
    let Looked { dependencies, left_out } = look(unit);
    let mut of_both = before.map(|before| look(before).left_out).unwrap_or_default();
    of_both.extend(left_out);
    Looked { dependencies, left_out: of_both }
}

/// What is seen of a unit that is rendered without what is not at hand.
struct Looked {
    /// What is not at hand and would take part.
    dependencies: Vec<Dependency>,
    /// The templates that ask for it, by their paths within their charts.
    left_out: Vec<(String, LeftOut)>,
}

fn look(unit: &Unit) -> Looked {
    let turn = Turn { revision: 1, operation: Operation::Install };
    let rendered = once(unit, turn, &Conditions::offline(), MOMENTS[0], Tracing::Off);
    let taking_part = |chart: &Chart| -> Vec<Dependency> {
        let parts = chart.with_parts().into_iter();
        parts.flat_map(|part| &part.without.dependencies).filter(|it| it.enabled).cloned().collect()
    };
    // One that does not render says so itself.
    let Ok(rendered) = rendered else {
        let dependencies = unit.charts().flat_map(|source| taking_part(&source.chart)).collect();
        return Looked { dependencies, left_out: Vec::new() };
    };
    let mut dependencies = Vec::new();
    let mut left_out = Vec::new();
    for chart in &rendered.charts {
        dependencies.extend(taking_part(&chart.processed));
        let location = &chart.processed.location;
        left_out.extend(chart.left_out.iter().map(|left| {
            let inside = left.path.strip_prefix(location.as_str()).unwrap_or(&left.path);
            (inside.trim_start_matches('/').to_owned(), left.clone())
        }));
    }
    Looked { dependencies, left_out }
}

/// The charts of the same repository that are looked at in the place of dependencies which are not at hand, as far as those take
/// part.
fn standing_beside(unit: &Unit) -> Vec<NotChecked> {
    let stands = |part: &&Chart| !part.without.beside.is_empty();
    if !unit.charts().any(|source| source.chart.with_parts().iter().any(stands)) {
        return Vec::new();
    }
    let turn = Turn { revision: 1, operation: Operation::Install };
    // One that does not render says so itself.
    let Ok(rendered) = once(unit, turn, &Conditions::offline(), MOMENTS[0], Tracing::Off) else { return Vec::new() };
    let parts = rendered.charts.iter().flat_map(|chart| chart.processed.with_parts());
    let told = parts.flat_map(|part| {
        let beside = part.without.beside.iter();
        beside.filter(|it| takes_part(part, &it.dependency)).map(of_beside).collect::<Vec<_>>()
    });
    told.collect()
}

/// Whether a dependency is among those that a chart is rendered with.
fn takes_part(chart: &Chart, dependency: &Dependency) -> bool {
    chart.dependencies.iter().any(|it| it.name() == dependency.name || it.name() == dependency.alias)
}

fn of_beside(it: &StandsBeside) -> NotChecked {
    let StandsBeside { dependency: Dependency { name, version, repository, .. }, place } = it;
    NotChecked {
        what: format!("dependency {name} {version} of {repository}"),
        why: format!("`{name}` {version} is taken from `{place}` beside it, and what is published may be another one"),
        dependency: None,
    }
}

fn of_program(it: &NotRun) -> NotChecked {
    let NotRun { kustomization, what } = it;
    NotChecked {
        what: what.clone(),
        why: format!("{kustomization} names it, and another program than Kustomize would make it: none is run here"),
        dependency: None,
    }
}

fn of_dependency(dependency: &Dependency, location: &str) -> NotChecked {
    let Dependency { name, version, repository, .. } = dependency;
    let from = if repository.is_empty() { String::new() } else { format!(" of {repository}") };
    NotChecked {
        what: format!("dependency {name} {version}{from}"),
        why: format!("it is not at hand; type `landfall dependency build {location}`"),
        dependency: Some(name.clone()),
    }
}
