mod behind_a_switch;
mod condition_of_a_part;
mod either_way;
mod fuller;
mod in_any_form;
mod near_what_it_prints;
mod of_an_item;
mod of_its_name;
mod same_file;
mod table_of_nobody;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use landfall_chart::{Chart, Rendered, Values, values_to_json};
use landfall_diag::{Finding, Place, Severity, Spot};
use serde_json::Value;

use self::behind_a_switch::{Behind, behind_a_switch, has_document, variables_of_another};
use self::condition_of_a_part::of_no_value;
use self::either_way::one_step_deeper;
use self::fuller::Fuller;
use self::in_any_form::of_one;
use self::near_what_it_prints::near_what_is_printed;
use self::of_an_item::of_items;
use self::of_its_name::printed_of_another;
use self::same_file::in_the_same_file;
use self::table_of_nobody::of_no_table;
use super::value_that_prints_nothing::{Dot, bare_path, declares, is_not_at_hand, moved, operand, table_at, value_at};
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::{Text, gather, ifs, own_texts, unquoted};

pub(super) static RULE: Rule = Rule {
    id: "LF286",
    title: "conditions ask for values that are declared",
    severity: Severity::Warning,
    why: "A condition on a path of `.Values` that no values file has is never met. Where the same key is declared one level \
          beside it, whoever sets that one is not heard: the branch that was to print it is not taken, and nothing says so.",
    advice: "Ask for the value where it is declared.",
    check,
};

/// A condition of a template.
pub(super) struct Condition {
    /// Its line, from 1.
    line: u32,
    /// The paths of the values, one of which has to be there.
    pub(super) paths: Vec<String>,
    /// The actions of its branch, and the conditions around it.
    about: String,
    /// The actions of its branch.
    pub(super) inner: String,
    /// Whether it is an `if`: within `with` the value is read as the dot.
    pub(super) is_if: bool,
    /// Whether it is a loop over the value.
    is_loop: bool,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            for text in own_texts(rendered) {
                findings.extend(of_strangers(unit, rendered, &text));
                findings.extend(of_items(unit, &text));
            }
            findings.extend(of_other_parts(unit, rendered));
            findings.extend(of_no_value(unit, rendered));
            let mut told = BTreeSet::new();
            let fuller = Fuller::of(rendered);
            let misspelt = misspelt(rendered, &fuller).into_iter().map(|it| (it, "a template"));
            findings.extend(of_another(rendered).into_iter().map(|it| heard_together(unit, it, "ask for")));
            for (place, asked) in indexed_by_a_path(rendered) {
                let finding = RULE
                    .finding(format!("`index` is asked for a key called `{asked}`, which no values file declares"))
                    .keyed(asked.clone())
                    .because(format!(
                        "`index` takes each step as a word of its own, so whoever sets `{asked}` is not heard there"
                    ))
                    .help(format!("write `{}`", quoted_steps(&asked)));
                findings.push(finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }));
            }
            let conditions = never_met(rendered, &fuller).into_iter().chain(one_step_deeper(rendered, &fuller));
            for ((place, asked, meant), asking) in conditions.map(|it| (it, "a condition")).chain(misspelt) {
                if told.insert((place.file.clone(), asked.clone())) {
                    let finding = RULE
                        .finding(format!("no values file declares `{asked}`, which {asking} asks for"))
                        .keyed(asked)
                        .because(format!("`{meant}` is declared, and whoever sets it is not heard there"))
                        .help(format!("did you mean `{meant}`?"));
                    findings.push(finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }));
                }
            }
            let alike = printed_of_another(rendered).into_iter();
            let alike = alike.filter(|(place, _, only)| !told.contains(&(place.file.clone(), only.clone())));
            findings.extend(alike.map(|it| heard_together(unit, it, "print one and the same, or ask for")));
            let of_one = of_one(rendered).into_iter();
            let of_one = of_one.filter(|(place, asked, _)| !told.contains(&(place.file.clone(), asked.clone())));
            findings.extend(of_one.map(|it| heard_together(unit, it, "ask for")));
            let near = near_what_is_printed(rendered).into_iter();
            let near = near.filter(|(place, asked, _)| !told.contains(&(place.file.clone(), asked.clone())));
            findings.extend(near.map(|it| heard_together(unit, it, "ask for")));
            let is_told = |table: &str| told.iter().any(|(_, asked)| asked.split('.').next() == Some(table));
            findings.extend(of_no_table(unit, rendered, &is_told));
        }
    }
    findings
}

/// That a condition asks for one value, and its branch reads only another.
fn heard_together(unit: &DesiredUnit, (place, asked, only): (Place, String, String), advice: &str) -> Finding {
    RULE.finding(format!("a condition asks for `{asked}`, and what stands behind it reads `{only}` alone"))
        .keyed(format!("{asked} {only}"))
        .because(format!("whoever sets `{only}` is heard only where `{asked}` is set, too"))
        .help(format!("{advice} `{only}`"))
        .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) })
}

/// Settings of containers that are declared with a value, and printed only where a switch of something else is on.
fn of_strangers(unit: &DesiredUnit, rendered: &Rendered, text: &Text<'_>) -> Vec<Finding> {
    let is_given = |path: &str| value_at(&rendered.values, path).is_some_and(|it| it.truth());
    let is_switch = |path: &str| value_at(&rendered.values, path).is_some_and(|it| it.as_bool().is_some());
    let behind = behind_a_switch(&text.text).into_iter();
    let told = behind.filter(|it| is_switch(&it.switch) && is_given(&it.setting));
    told.map(|it| printed_only_where(unit, text, &it, format!("ask for `{}` itself", it.setting))).collect()
}

/// Variables that print the switch of one part within the condition of another, where each part has a document of its own.
fn of_other_parts(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    if rendered.processed.metadata.kind == "library" {
        return Vec::new();
    }
    let mut texts = Vec::new();
    gather(&rendered.processed, &mut texts);
    let is_part = |switch: &str| {
        value_at(&rendered.values, switch).is_some_and(|it| it.as_bool().is_some())
            && texts.iter().any(|text| has_document(&text.text, switch))
    };
    let table = |switch: &str| switch.split('.').next().unwrap_or_default().to_owned();
    let is_below = |it: &Behind| {
        let path = format!("{}.{}", table(&it.switch), table(&it.setting));
        value_at(&rendered.values, &path).is_some()
    };
    let mut findings = Vec::new();
    for text in &texts {
        let behind = variables_of_another(&text.text).into_iter();
        let told = behind.filter(|it| is_part(&it.switch) && is_part(&it.setting) && !is_below(it));
        findings.extend(told.map(|it| {
            let advice = format!("let it stand beside what `{}` is asked for", it.switch);
            printed_only_where(unit, text, &it, advice)
        }));
    }
    findings
}

/// That a value is printed only where something else is on.
fn printed_only_where(unit: &DesiredUnit, text: &Text<'_>, it: &Behind, advice: String) -> Finding {
    let place = text.place(it.at);
    RULE.finding(format!("`{}` is printed only where `{}` is on", it.setting, it.switch))
        .weighing(Severity::Info)
        .keyed(format!("{} {} {}", place.file, it.switch, it.setting))
        .because(format!("whoever sets `{}` and switches the other off is not heard, and nothing says so", it.setting))
        .help(advice)
        .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) })
}

/// The conditions of a chart's own templates that nothing meets, with what they ask for and what is meant.
fn never_met(rendered: &Rendered, fuller: &Fuller<'_>) -> Vec<(Place, String, String)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    if chart.metadata.kind == "library" {
        return found;
    }
    let spoken_of = chart.raw_file("values.yaml").map(|file| commented(&file.text())).unwrap_or_default();
    let texts = texts(chart);
    let all: Vec<String> = texts.iter().map(|(_, text)| without_brackets(text)).collect();
    for (file, text) in texts.iter().filter(|(file, _)| !file.ends_with("NOTES.txt")) {
        for condition in conditions_and_loops(text) {
            let missing = |path: &String| {
                let steps: Vec<&str> = path.split('.').collect();
                is_undeclared(rendered, &spoken_of, &steps)
                    // A chart that is not at hand may declare it; but not where another path of its stands behind the condition.
                    && (!is_not_at_hand(chart, &steps) || alone_behind(rendered, &condition.inner, &steps).is_some())
            };
            // Whoever gives a value by its old name is told so.
            let is_refused = condition.inner.lines().any(|action| action.starts_with("fail "));
            if is_refused || condition.paths.is_empty() || !condition.paths.iter().all(missing) {
                continue;
            }
            for path in &condition.paths {
                let steps: Vec<&str> = path.split('.').collect();
                // What falls back on another value, or is handed in from elsewhere, may be left out on purpose.
                if all.iter().any(|text| falls_back(text, path)) {
                    continue;
                }
                let beside = beside(&rendered.values, &spoken_of, &steps);
                let slip = slip(&rendered.values, &steps).filter(|other| {
                    // `host` is as good a name as `hosts` where each is asked for by somebody.
                    let other_steps: Vec<&str> = other.split('.').collect();
                    mentions(&condition.about, other)
                        || is_one_switch(path, other)
                        || !all.iter().any(|text| reads(text, &other_steps))
                });
                let meant = slip.or_else(|| {
                    beside
                        .iter()
                        .find(|other| {
                            let other_steps: Vec<&str> = other.split('.').collect();
                            let of_a_part =
                                steps.len() > 1 && chart.dependencies.iter().any(|part| part.name() == steps[0]);
                            mentions(&condition.about, other)
                                || (of_a_part && other_steps[0] == steps[0])
                                || (!is_decoration(&steps) && !all.iter().any(|text| reads(text, &other_steps)))
                        })
                        .cloned()
                });
                let meant = meant
                    .or_else(|| in_the_same_file(chart, text, &all, path, &beside))
                    .or_else(|| alone_behind(rendered, &condition.inner, &steps))
                    .or_else(|| other_switch(&rendered.values, &steps))
                    .or_else(|| all_below_one_table(rendered, &condition.paths, path))
                    .or_else(|| fuller.meant(path));
                // What only some know of is often looped over without being declared: it is told where it stands one table deeper,
                // and is read from there elsewhere.
                let is_meant = |meant: &String| {
                    let deeper = meant.strip_suffix(path.as_str()).is_some_and(|above| above.ends_with('.'));
                    deeper && !reads(&without_brackets(text), &meant.split('.').collect::<Vec<_>>())
                };
                if let Some(meant) = meant.filter(|meant| !condition.is_loop || is_meant(meant)) {
                    let source = text.lines().nth(condition.line as usize - 1).map(str::to_owned);
                    let place = Place { source, ..Place::line(file.clone(), condition.line) };
                    found.push((place, path.clone(), meant));
                }
            }
        }
    }
    found
}

/// The templates of a chart by their paths, with those that are left out for want of another chart.
fn texts(chart: &Chart) -> Vec<(String, Cow<'_, str>)> {
    let own = chart.templates.iter().map(|file| (chart.path_of(&file.name), file.text()));
    let left = chart.without.templates.iter().map(|it| (it.path.clone(), Cow::Borrowed(&*it.text)));
    own.chain(left).collect()
}

/// A text whose paths go on behind the brackets in which a part of them may be missing: `(.Values.a).b`.
fn without_brackets(text: &str) -> String {
    text.replace("(.Values", ".Values").replace("($.Values", "$.Values").replace(").", ".")
}

/// Whether a table of the values is a part's, by its name or by the one that it is given.
pub(super) fn is_of_a_part(chart: &Chart, table: &str) -> bool {
    chart.declared().any(|it| it.name == table || it.alias == table)
        || chart.dependencies.iter().any(|it| it.name() == table)
}

/// What switches a part of a chart on.
pub(super) const SWITCHES: &[&str] = &["enabled", "enable", "create", "install", "deploy"];

/// The switch that a table declares where another word for one is asked for: `create` for `enabled`.
fn other_switch(values: &Values, path: &[&str]) -> Option<String> {
    let (key, parents) = path.split_last().filter(|(key, above)| SWITCHES.contains(*key) && !above.is_empty())?;
    let table = table_at(values, parents)?;
    let is_switch = |word: &&&str| table.get(**word).is_some_and(|value| value.as_bool().is_some());
    let mut declared = SWITCHES.iter().filter(is_switch);
    let other = declared.next().filter(|other| *other != key)?;
    let is_only_one = declared.next().is_none();
    is_only_one.then(|| parents.iter().copied().chain([*other]).collect::<Vec<_>>().join("."))
}

/// Where each of several paths is declared below one and the same table of the chart's own, and none where it is asked for, the path of
/// one of them there.
fn all_below_one_table(rendered: &Rendered, asked: &[String], path: &str) -> Option<String> {
    if asked.len() < 2 {
        return None;
    }
    let values = &rendered.values;
    let tables = values.keys().into_iter().map(|key| key.to_string_lossy().into_owned());
    let mut with_all = tables.filter(|table| {
        let has = |path: &String| {
            let steps: Vec<&str> = path.split('.').collect();
            table_at(values, &[table]).is_some_and(|table| declares(&table, &steps))
        };
        // A part may have values of the same names.
        !is_of_a_part(&rendered.processed, table) && asked.iter().all(has)
    });
    let table = with_all.next()?;
    with_all.next().is_none().then(|| format!("{table}.{path}"))
}

/// Conditions on a declared value whose branch reads another one of such a name alone: one was copied from the other. Gives what
/// they ask for, and what is read.
fn of_another(rendered: &Rendered) -> Vec<(Place, String, String)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    if chart.metadata.kind == "library" {
        return found;
    }
    for (file, text) in texts(chart).iter().filter(|(file, _)| !file.ends_with("NOTES.txt")) {
        for condition in conditions(text).into_iter().filter(|it| it.is_if) {
            let [asked] = condition.paths.as_slice() else { continue };
            let steps: Vec<&str> = asked.split('.').collect();
            let Some(only) = alone_behind(rendered, &condition.inner, &steps) else { continue };
            // One switch may well stand behind another.
            let is_switch = steps.last().is_some_and(|key| SWITCHES.contains(key));
            let is_part = only == *asked || only.starts_with(&format!("{asked}."));
            // Where one is wanted beside the other, the chart says so by refusing.
            let is_check = ["fail ", "required "].iter().any(|call| condition.inner.contains(call));
            // A switch that is called after the number or the list that it lets be printed: `useHostPort.https`, `hostPorts.https`.
            let is_one = |path: &str| value_at(&rendered.values, path).is_some_and(|it| it.as_bool().is_some());
            let is_for_it = is_one(asked) != is_one(&only);
            if is_part || is_check || is_switch || is_for_it || !declares(&rendered.values, &steps) {
                continue;
            }
            let source = text.lines().nth(condition.line as usize - 1).map(str::to_owned);
            found.push((Place { source, ..Place::line(file.clone(), condition.line) }, asked.clone(), only));
        }
    }
    found
}

/// What a chart's own templates ask for under a name that differs from a declared one beside it by a slip of the hand, or by words
/// that are left out of one of them, with what they ask for and what is meant. What is printed as it is, is told by what it prints.
fn misspelt(rendered: &Rendered, fuller: &Fuller<'_>) -> Vec<(Place, String, String)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    if chart.metadata.kind == "library" {
        return found;
    }
    let spoken_of = chart.raw_file("values.yaml").map(|file| commented(&file.text())).unwrap_or_default();
    let values = values_to_json(&rendered.values);
    let texts = texts(chart);
    for (file, text) in texts.iter().filter(|(file, _)| !file.ends_with("NOTES.txt")) {
        let branches = OnceCell::new();
        for (start, action) in actions(text) {
            let is_comment = action.trim_start_matches(['-', ' ', '\n']).starts_with("/*");
            if is_comment || bare_path(action, &Dot::Root).is_some() {
                continue;
            }
            for path in asked_for(action) {
                let steps: Vec<&str> = path.split('.').collect();
                let slip = slip_of(&values, &steps).filter(|near| !is_plural(&path, near));
                // What a refusal tells of a path is in quotes.
                let turned_round = || {
                    let branch = branches.get_or_init(|| ifs(text)).iter().find(|it| it.at == start)?;
                    fuller.turned_round(&path, &text[branch.body.start..branch.end])
                };
                let other = || fuller.meant(&path).or_else(turned_round);
                let near = slip.or_else(|| other().filter(|_| mentions(&unquoted(action), &path)));
                let Some(near) = near.filter(|_| is_missing(rendered, &spoken_of, &steps)) else { continue };
                // One of two names may be that of an older version.
                let others = [FALLING_BACK, &["or"]].concat();
                if texts.iter().any(|(_, text)| is_given_to(text, &path, &others)) {
                    continue;
                }
                let line = u32::try_from(text[..start].matches('\n').count()).unwrap_or(0) + 1;
                let source = text.lines().nth(line as usize - 1).map(str::to_owned);
                found.push((Place { source, ..Place::line(file.clone(), line) }, path.clone(), near));
            }
        }
    }
    found
}

/// Places where `index .Values` is given a path in one word (`"a.b"`) that is declared step by step, and as a key by nobody.
fn indexed_by_a_path(rendered: &Rendered) -> Vec<(Place, String)> {
    let chart = &rendered.processed;
    let mut found: Vec<(Place, String)> = Vec::new();
    if chart.metadata.kind == "library" {
        return found;
    }
    let values = values_to_json(&rendered.values);
    for (file, text) in texts(chart).iter().filter(|(file, _)| !file.ends_with("NOTES.txt")) {
        for (start, action) in actions(text) {
            for path in words_of_index(action) {
                let declared = path.split('.').try_fold(&values, |here, step| here.get(step));
                let is_key = values.get(path).is_some() || is_not_at_hand(chart, &[path]);
                if is_key || declared.is_none() || found.iter().any(|(place, it)| it == path && place.file == *file) {
                    continue;
                }
                let line = u32::try_from(text[..start].matches('\n').count()).unwrap_or(0) + 1;
                let source = text.lines().nth(line as usize - 1).map(str::to_owned);
                found.push((Place { source, ..Place::line(file.clone(), line) }, path.to_owned()));
            }
        }
    }
    found
}

/// The first words that an action gives to `index .Values`, where they are paths.
fn words_of_index(action: &str) -> Vec<&str> {
    let calls = ["index .Values \"", "index $.Values \""].into_iter().flat_map(|call| {
        action.match_indices(call).filter_map(|(at, call)| action[at + call.len()..].split('"').next())
    });
    let is_path =
        |word: &&str| word.contains('.') && !word.contains('/') && word.split('.').all(|step| !step.is_empty());
    match action.trim_start_matches(['-', ' ', '\n']).starts_with("/*") {
        true => Vec::new(),
        false => calls.filter(is_path).collect(),
    }
}

/// A path as `index` takes it.
fn quoted_steps(path: &str) -> String {
    let steps: Vec<String> = path.split('.').map(|step| format!("\"{step}\"")).collect();
    format!("index .Values {}", steps.join(" "))
}

/// The paths of values that an action names, whoever handed them on: `.Values.a.b`, `.context.Values.a.b`.
fn asked_for(action: &str) -> Vec<String> {
    let is_step = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
    let paths = action.match_indices(".Values.").map(|(at, read)| &action[at + read.len()..]);
    let paths = paths.map(|rest| &rest[..rest.find(|it| !is_step(it)).unwrap_or(rest.len())]);
    paths.filter(|path| !path.is_empty() && !path.ends_with('.')).map(str::to_owned).collect()
}

/// The declared path beside one that differs from it by a slip of the hand.
fn slip_of(values: &Value, path: &[&str]) -> Option<String> {
    let (key, parents) = path.split_last()?;
    let beside = parents.iter().try_fold(values, |here, step| here.get(*step))?.as_object()?;
    if beside.contains_key(*key) {
        return None;
    }
    // A short name is a slip away from too many others.
    let near = landfall_diag::slip(key, beside.keys().map(String::as_str)).filter(|near| near.len() > 4)?;
    Some(parents.iter().copied().chain([near]).collect::<Vec<_>>().join("."))
}

/// Whether several are asked for where one is declared: a chart may take either.
fn is_plural(asked: &str, declared: &str) -> bool {
    asked.strip_prefix(declared).is_some_and(|rest| matches!(rest, "s" | "es"))
}

/// Whether nobody declares a path, or speaks of it, nor may a chart that is not at hand.
pub(super) fn is_missing(rendered: &Rendered, spoken_of: &[Spoken], path: &[&str]) -> bool {
    is_undeclared(rendered, spoken_of, path) && !is_not_at_hand(&rendered.processed, path)
}

fn is_undeclared(rendered: &Rendered, spoken_of: &[Spoken], path: &[&str]) -> bool {
    let chart = &rendered.processed;
    path[0] != "global"
        && !declares(&rendered.values, path)
        && !declares(&rendered.user_values, path)
        && !declares(&chart.values, path)
        && !is_spoken_of(spoken_of, path)
        && !chart.schema.as_ref().is_some_and(|schema| in_schema(schema, path))
}

/// Whether a comment of the values file names a path as it is written.
pub(super) fn is_written_of(chart: &Chart, path: &str) -> bool {
    let names = |line: &str| {
        line.match_indices(path).any(|(at, _)| {
            let is_of_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
            let (before, behind) = (&line[..at], &line[at + path.len()..]);
            !before.ends_with(|it: char| is_of_word(it) || it == '.') && !behind.starts_with(is_of_word)
        })
    };
    let comment = |line: &str| line.split_once('#').is_some_and(|(_, said)| names(said));
    chart.raw_file("values.yaml").is_some_and(|file| file.text().lines().any(comment))
}

/// A key that a values file speaks of without setting it.
pub(super) struct Spoken {
    pub(super) name: String,
    /// The key that it stands under; several where that cannot be told, none where it may be anywhere.
    pub(super) under: Vec<String>,
}

/// The keys of a values file that are commented out.
pub(super) fn commented(text: &str) -> Vec<Spoken> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut found = Vec::new();
    // What was left empty last: examples of what goes into it stand behind it as they stand before the next key.
    let mut empty: Option<(usize, String)> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        let (hash, written) = (line.len() - bare.len(), bare.trim_start_matches(['#', '-', ' ']));
        let Some((name, value)) = written.split_once(':') else { continue };
        if !bare.starts_with('#') {
            above.retain(|(at, _)| *at < hash);
            above.push((hash, name.to_owned()));
            empty = matches!(value.trim(), "" | "{}" | "[]").then(|| (hash, name.to_owned()));
            continue;
        }
        // `# key` is commented out where it stood, `#   key` below the one above it.
        let indent = (hash + bare.len() - written.len()).saturating_sub(2).max(hash);
        let parent = above.iter().rev().find(|(at, _)| *at < indent).map(|(_, name)| name.clone());
        let beside = empty.iter().filter(|(at, _)| *at == indent).map(|(_, name)| name.clone());
        found.push(Spoken { name: name.to_owned(), under: parent.into_iter().chain(beside).collect() });
        above.retain(|(at, _)| *at < indent);
        above.push((indent, name.to_owned()));
    }
    found
}

/// Whether a path is among what is spoken of; what a comment without a parent means may stand anywhere.
fn is_spoken_of(spoken_of: &[Spoken], path: &[&str]) -> bool {
    let Some((key, parents)) = path.split_last() else { return false };
    let may_be =
        |it: &Spoken| it.under.is_empty() || parents.last().is_some_and(|last| it.under.iter().any(|it| it == last));
    spoken_of.iter().any(|it| it.name == *key && may_be(it))
}

/// Whether a schema of the values knows a path, or leaves open what stands somewhere on it.
fn in_schema(schema: &[u8], path: &[&str]) -> bool {
    let Ok(schema) = serde_json::from_slice::<Value>(schema) else { return true };
    let mut here = &schema;
    for key in path {
        let Some(properties) = here["properties"].as_object() else { return here.get("$ref").is_some() };
        match properties.get(*key) {
            Some(below) => here = below,
            None => return false,
        }
    }
    true
}

/// The only path of the values that a branch reads, where it is declared and its key ends as that of the condition's does.
fn alone_behind(rendered: &Rendered, inner: &str, asked: &[&str]) -> Option<String> {
    let read: BTreeSet<String> = inner.lines().flat_map(asked_for).collect();
    let (only, asked) = (read.first().filter(|_| read.len() == 1)?, asked.last()?.to_ascii_lowercase());
    let steps: Vec<&str> = only.split('.').collect();
    let ends_alike = steps.last().is_some_and(|key| key.to_ascii_lowercase().ends_with(&asked));
    (asked.len() > 4 && ends_alike && declares(&rendered.values, &steps)).then(|| only.clone())
}

/// Paths with the same last key that lack one of the path's steps, or have one more: declared ones, and those that are spoken of
/// below a table that is declared.
fn beside(values: &Values, spoken_of: &[Spoken], path: &[&str]) -> Vec<String> {
    let values = values_to_json(values);
    let at = |steps: &[&str]| steps.iter().try_fold(&values, |here, step| here.get(step));
    let is_there = |steps: &[&str]| {
        let (key, parents) = steps.split_last().unwrap_or((&"", &[]));
        let named = |it: &Spoken| it.name == *key && parents.last().is_some_and(|last| it.under == [*last]);
        at(steps).is_some() || (at(parents).is_some_and(Value::is_object) && spoken_of.iter().any(named))
    };
    let mut found = Vec::new();
    for left_out in 0..path.len() - 1 {
        let steps: Vec<&str> =
            path.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, step)| *step).collect();
        if is_there(&steps) {
            found.push(steps.join("."));
        }
    }
    for put_in in 0..path.len() {
        let (above, below) = path.split_at(put_in);
        for name in at(above).and_then(Value::as_object).into_iter().flat_map(|map| map.keys()) {
            let steps: Vec<&str> = above.iter().copied().chain([name.as_str()]).chain(below.iter().copied()).collect();
            if is_there(&steps) {
                found.push(steps.join("."));
            }
        }
    }
    found
}

/// The declared path whose last key is a slip away.
fn slip(values: &Values, path: &[&str]) -> Option<String> {
    let (key, parents) = path.split_last()?;
    let values = values_to_json(values);
    let table = parents.iter().try_fold(&values, |here, step| here.get(step))?.as_object()?;
    let near = landfall_diag::slip(key, table.keys().map(String::as_str))?;
    Some(parents.iter().copied().chain([near]).collect::<Vec<_>>().join("."))
}

/// Whether two paths are one switch in two spellings: `enable` and `enabled`.
fn is_one_switch(path: &str, other: &str) -> bool {
    let stem = |path: &str| path.trim_end_matches('d').to_owned();
    ["enable", "disable", "create"].iter().any(|word| stem(path).ends_with(word)) && stem(path) == stem(other)
}

/// Whether a text reads a path of the values itself.
pub(super) fn mentions(text: &str, path: &str) -> bool {
    text.match_indices(&format!(".Values.{path}")).any(|(at, found)| {
        let next = text[at + found.len()..].chars().next();
        !next.is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '.'))
    })
}

/// Whether a key is one that anything may have, be it declared or not.
fn is_decoration(path: &[&str]) -> bool {
    let key = path.last().map(|key| key.to_ascii_lowercase()).unwrap_or_default();
    ["annotations", "labels", "nodeselector", "tolerations", "affinity"].iter().any(|ending| key.ends_with(ending))
}

/// Whether a text reads a path, or a table that it stands in as a whole.
pub(super) fn reads(text: &str, path: &[&str]) -> bool {
    (1..=path.len()).any(|length| mentions(text, &path[..length].join(".")))
}

/// Functions that take something else where a value is not there, or ask whether it is.
const FALLING_BACK: &[&str] = &["default", "coalesce", "ternary", "dig", "hasKey", "get"];

/// Whether any action of a text takes something else in place of the value, or hands it on.
fn falls_back(text: &str, path: &str) -> bool {
    is_given_to(text, path, &[FALLING_BACK, &["dict", "list"]].concat())
}

/// Whether any action of a text that names a path names one of these functions, too.
fn is_given_to(text: &str, path: &str, functions: &[&str]) -> bool {
    actions(text).any(|(_, action)| {
        mentions(action, path)
            && action.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| functions.contains(&word))
    })
}

/// The actions of a template, each with the place where it begins.
pub(super) fn actions(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find("{{")?;
        let end = start + text[start..].find("}}")?;
        at = end + 2;
        Some((start, &text[start + 2..end]))
    })
}

/// The conditions of a template that ask for values and nothing else.
pub(super) fn conditions(text: &str) -> Vec<Condition> {
    conditions_of(text, false)
}

/// The same, with the loops over values: one over what is not there prints nothing.
fn conditions_and_loops(text: &str) -> Vec<Condition> {
    conditions_of(text, true)
}

fn conditions_of(text: &str, with_loops: bool) -> Vec<Condition> {
    struct Open<'t> {
        word: &'t str,
        condition: Option<usize>,
    }
    let mut found: Vec<Condition> = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let (mut line, mut seen) = (1, 0);
    for (start, action) in actions(text) {
        line += u32::try_from(text[seen..start].matches('\n').count()).unwrap_or(0);
        seen = start;
        let bare = action.trim_matches(['-', ' ', '\n', '\t']);
        let word = bare.split(char::is_whitespace).next().unwrap_or_default();
        for at in open.iter().filter_map(|it| it.condition) {
            found[at].about.push_str(&format!("\n{bare}"));
            found[at].inner.push_str(&format!("\n{bare}"));
        }
        match word {
            "range" if !with_loops => open.push(Open { word: bare, condition: None }),
            "if" | "with" | "range" => {
                let (dot, is_loop) = (dots.last().unwrap_or(&Dot::Root), word == "range");
                let paths = if is_loop { looped_over(bare, dot).into_iter().collect() } else { asked(bare, dot) };
                let around: String = open.iter().map(|it| it.word).collect::<Vec<_>>().join("\n");
                let condition = (!paths.is_empty()).then(|| {
                    found.push(Condition {
                        line,
                        paths,
                        about: around,
                        inner: String::new(),
                        is_if: word == "if",
                        is_loop,
                    });
                    found.len() - 1
                });
                open.push(Open { word: bare, condition });
            }
            "define" | "block" => open.push(Open { word: bare, condition: None }),
            // What is done otherwise is known to be possible; and what is asked then, is a condition of its own.
            "else" => {
                if let Some(at) = open.last_mut().and_then(|it| it.condition.take()) {
                    found[at].paths.clear();
                }
                let rest = bare["else".len()..].trim_start();
                let paths = match (rest.starts_with("if "), open.len()) {
                    (true, depth) if depth > 0 => asked(rest, dots.iter().rev().nth(1).unwrap_or(&Dot::Root)),
                    _ => Vec::new(),
                };
                if let Some(last) = open.last_mut().filter(|_| !paths.is_empty()) {
                    found.push(Condition {
                        line,
                        paths,
                        about: last.word.to_owned(),
                        inner: String::new(),
                        is_if: false,
                        is_loop: false,
                    });
                    last.condition = Some(found.len() - 1);
                }
            }
            "end" => drop(open.pop()),
            _ => {}
        }
        moved(action, &mut dots);
    }
    found
}

/// The path that a loop goes over; none where it is over anything else.
fn looped_over(action: &str, dot: &Dot) -> Option<String> {
    let over = action.split_once(":=").map_or(action, |(_, over)| over).trim();
    operand(over.strip_prefix("range").unwrap_or(over).trim(), dot)
}

/// The paths that a condition needs one of; none where it asks for anything else, or for what is not there.
fn asked(action: &str, dot: &Dot) -> Vec<String> {
    let words: Vec<&str> = action.split_ascii_whitespace().skip(1).collect();
    let words = match words.as_slice() {
        ["or", rest @ ..] => rest,
        [_] => words.as_slice(),
        _ => return Vec::new(),
    };
    let paths: Option<Vec<String>> = words.iter().map(|word| operand(word, dot)).collect();
    paths.unwrap_or_default()
}
