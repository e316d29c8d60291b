mod compared;
mod emptied;
mod near_its_default;
mod of_an_item;
mod variables;

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use landfall_chart::{Chart, Rendered, TemplateLines, Value, Values};
use landfall_diag::{Finding, Severity, Spot};

pub use self::compared::compared;
pub use self::of_an_item::printed_of_items;
use self::variables::Variables;
use crate::operated::is_of_an_operator;
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::own_texts;

pub(super) static RULE: Rule = Rule {
    id: "LF180",
    title: "every value that a template prints is declared, and there where it is printed",
    severity: Severity::Warning,
    why: "A path of `.Values` that no values file has prints nothing, and no error is told: the field is empty, a default \
          of the API takes its place, an image loses its tag, a Secret its password. Nearly always the path is misspelt, or \
          the value was renamed.",
    advice: "Declare the value in values.yaml, turn a condition round that asks for the opposite, or say what is meant without it: `default`, `required`, `if`.",
    check,
};

/// A place where a template prints a path of the values that nobody declares.
struct Silent {
    /// The path as it is written: `service.targetPort`.
    path: String,
    /// The declared key beside it that is spelt nearly so.
    near: Option<String>,
    /// Whether the template is somebody else's.
    borrowed: bool,
    /// Whether it is declared, and printed where a condition holds only if it is empty.
    emptied: bool,
    /// The list whose items have none.
    of_items: Option<String>,
    /// Whether a default is printed in its place.
    has_default: bool,
}

/// Places of templates: the file and the line, from 1.
type Places = BTreeMap<(String, u32), Vec<Silent>>;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let mut places = Places::new();
        for rendered in &unit.rendered.charts {
            silent(rendered, &mut places);
        }
        if !places.is_empty() {
            findings.extend(told(unit, &places));
        }
        findings.extend(unit.rendered.charts.iter().flat_map(|rendered| of_items(unit, rendered)));
    }
    findings
}

/// What templates ask items for that is the root's: they stop there as soon as there is an item.
fn of_items(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let keys = OnceCell::new();
    let has_key = |key: &str| {
        let keys: &HashSet<String> = keys.get_or_init(|| {
            let mut keys = HashSet::new();
            gather_keys(&landfall_chart::values_to_json(&rendered.values), &mut keys);
            keys
        });
        keys.contains(key)
    };
    let mut findings = Vec::new();
    for text in own_texts(rendered) {
        for asked in of_an_item::asked_of_items(&text.text, &has_key) {
            let place = text.place(asked.at);
            findings.push(
                RULE.finding(format!("`{}` is asked of what `{}` gives, which is not the root", asked.path, asked.of))
                    .keyed(format!("{} {}", place.file, asked.path))
                    .because("the dot stands there for an item or a part of the values: rendering ends at the line")
                    .help(format!("write `${}`", asked.path))
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// The keys of values, at whatever depth.
fn gather_keys(value: &serde_json::Value, keys: &mut HashSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                keys.insert(key.clone());
                gather_keys(value, keys);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| gather_keys(value, keys)),
        _ => {}
    }
}

fn told(unit: &DesiredUnit, places: &Places) -> Vec<Finding> {
    let mut lines = TemplateLines::new();
    for (file, line) in places.keys() {
        lines.entry(file.clone()).or_default().insert(*line);
    }
    let fields = unit.rendered.fields_at(&lines);
    let mut findings = Vec::new();
    for (key, field) in fields {
        for silent in field.lines.iter().filter_map(|line| places.get(line)).flatten() {
            let steps: Vec<&str> = field.path.iter().map(String::as_str).collect();
            let name = written(&steps);
            let is_empty = matches!(field.text.as_str(), "" | "null" | "~" | "[]" | "{}" | "\"\"");
            // What else is printed there is the field.
            if (silent.emptied || silent.of_items.is_some()) && !is_empty {
                continue;
            }
            // What is null in a kind of the API's own is as good as left out.
            if silent.of_items.is_some() && !is_of_an_operator(&key.gvk.group) {
                continue;
            }
            let effect = match (silent.has_default, is_empty) {
                (true, _) => "has the default, whatever is set",
                (false, true) => "is empty",
                (false, false) => "lacks a part",
            };
            let severity = match (&silent.near, silent.borrowed || silent.of_items.is_some()) {
                (None, true) => Severity::Info,
                _ => RULE.severity,
            };
            let finding = RULE
                .finding(match silent.path.strip_prefix('.') {
                    _ if silent.of_items.is_some() => format!(
                        "the items of `{}` have no `{}`, which is printed into {} `{}` all the same",
                        silent.of_items.as_deref().unwrap_or_default(),
                        silent.path,
                        key.gvk.kind,
                        key.name
                    ),
                    None if silent.emptied => format!(
                        "`{}` is printed into {} `{}` where a condition says that it is empty",
                        silent.path, key.gvk.kind, key.name
                    ),
                    None if silent.has_default => format!(
                        "no values file declares `{}`, whose default is printed into {} `{}`, and `{}` is declared",
                        silent.path,
                        key.gvk.kind,
                        key.name,
                        silent.near.as_deref().unwrap_or_default()
                    ),
                    None => format!(
                        "no values file declares `{}`, which is printed into {} `{}`",
                        silent.path, key.gvk.kind, key.name
                    ),
                    Some(_) => {
                        format!("there is no `{}`, which is printed into {} `{}`", silent.path, key.gvk.kind, key.name)
                    }
                })
                .weighing(severity)
                .keyed(silent.path.clone())
                .because(format!("`{name}` {effect}"))
                .at(Spot::object(Some(&unit.name), key.clone()).field(name));
            findings.push(match &silent.near {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
    findings
}

/// A field's steps as a path: `spec.ports[0].targetPort`.
fn written(steps: &[&str]) -> String {
    let mut path = String::new();
    for step in steps {
        if step.bytes().all(|byte| byte.is_ascii_digit()) || step.contains(['.', '/']) {
            path.push_str(&format!("[{step}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(step);
        }
    }
    path
}

/// The places of a chart, and of the charts below it, that print what is not declared.
fn silent(rendered: &Rendered, places: &mut Places) {
    let root = &rendered.processed;
    // A chart, its scope, the charts above it, and whether it is somebody else's.
    let mut work = vec![(root, Vec::<&str>::new(), Vec::<Around<'_>>::new(), false)];
    while let Some((chart, scope, above, borrowed)) = work.pop() {
        let mut around = above.clone();
        around.push(Around { chart, depth: scope.len(), spoken_of: Rc::default() });
        for below in &chart.dependencies {
            let mut inner = scope.clone();
            inner.push(below.name());
            let path = format!("{}/charts/{}/templates/x", chart.name(), below.name());
            work.push((below, inner, around.clone(), borrowed || chart.is_borrowed(&path)));
        }
        // What a library prints are the values of whoever calls it, and what a chart puts in their place (`set $ "Values"`) is not known
        // before it is rendered.
        if chart.metadata.kind == "library" || puts_values_in_place(chart) {
            continue;
        }
        for file in chart.templates.iter() {
            if file.name.ends_with("NOTES.txt") {
                continue;
            }
            let asked = file.noted(Asked::of);
            for (line, path, near) in &asked.of_release {
                let line = *line;
                let silent = Silent {
                    path: path.clone(),
                    near: Some((*near).to_owned()),
                    borrowed,
                    emptied: false,
                    of_items: None,
                    has_default: false,
                };
                places.entry((chart.path_of(&file.name), line)).or_default().push(silent);
            }
            for (list, key, line) in &asked.of_items {
                let whole: Vec<&str> = scope.iter().copied().chain(list.split('.')).collect();
                if list_lacks(&rendered.values, &whole, key) {
                    let silent = Silent {
                        path: key.clone(),
                        near: None,
                        borrowed,
                        emptied: false,
                        of_items: Some(list.clone()),
                        has_default: false,
                    };
                    places.entry((chart.path_of(&file.name), *line)).or_default().push(silent);
                }
            }
            for (line, path) in &asked.emptied {
                let whole: Vec<&str> = scope.iter().copied().chain(path.split('.')).collect();
                // A switch and a number say something where they are nothing.
                let (key, parents) = whole.split_last().unwrap_or((&"", &[]));
                let value = table_at(&rendered.values, parents).and_then(|table| table.get(key));
                if value.is_none_or(|value| value.as_bool().is_some() || value.as_f64().is_some()) {
                    continue;
                }
                let path = path.clone();
                let silent = Silent { path, near: None, borrowed, emptied: true, of_items: None, has_default: false };
                places.entry((chart.path_of(&file.name), *line)).or_default().push(silent);
            }
            for (line, path, near) in near_their_defaults(rendered, chart, &scope, &around, &asked.defaulted) {
                let near = Some(near);
                let silent = Silent { path, near, borrowed, emptied: false, of_items: None, has_default: true };
                places.entry((chart.path_of(&file.name), line)).or_default().push(silent);
            }
            for (line, path) in &asked.bare {
                let path = path.as_str();
                let whole: Vec<&str> = scope.iter().copied().chain(path.split('.')).collect();
                if is_somebodys(rendered, &around, &whole) {
                    continue;
                }
                let near = nearest_sibling(&rendered.values, &whole).map(|near| match path.rsplit_once('.') {
                    Some((parent, _)) => format!("{parent}.{near}"),
                    None => near,
                });
                let silent = Silent {
                    path: path.to_owned(),
                    near,
                    borrowed,
                    emptied: false,
                    of_items: None,
                    has_default: false,
                };
                places.entry((chart.path_of(&file.name), *line)).or_default().push(silent);
            }
        }
    }
}

/// What the text of a template asks, whatever the values are; places are lines, from 1.
#[derive(Default)]
struct Asked {
    /// Of `.Release`, what it has not, and what is meant.
    of_release: Vec<(u32, String, &'static str)>,
    /// Of the items of a list, by the list and the key.
    of_items: Vec<(String, String, u32)>,
    /// What is printed where it is empty.
    emptied: Vec<(u32, String)>,
    /// What is printed with a constant in its place where it is empty.
    defaulted: Vec<(u32, String, near_its_default::Kind)>,
    /// What is printed as it is.
    bare: Vec<(u32, String)>,
}

impl Asked {
    fn of(text: &str) -> Self {
        let of_release = unknown_of_release(text);
        if !text.contains(".Values.") {
            return Asked { of_release, ..Asked::default() };
        }
        Asked {
            of_release,
            of_items: of_an_item::unasked(text),
            emptied: emptied::paths(text),
            defaulted: near_its_default::defaulted(text),
            bare: bare_paths(text),
        }
    }
}

/// Whether anything declares a path of the root's values, or speaks of it, or a chart that is not at hand may.
fn is_somebodys(rendered: &Rendered, around: &[Around<'_>], whole: &[&str]) -> bool {
    declares(&rendered.values, whole)
        || declares(&rendered.user_values, whole)
        || around.iter().any(|it| {
            let path = &whole[it.depth..];
            declares(&it.chart.values, path) || it.mentions(path) || is_not_at_hand(it.chart, path)
        })
}

/// The paths that a template prints with a default and that are a slip of a declared one, which no template of the chart names,
/// with their lines and the declared ones.
fn near_their_defaults(
    rendered: &Rendered,
    chart: &Chart,
    scope: &[&str],
    around: &[Around<'_>],
    defaulted: &[(u32, String, near_its_default::Kind)],
) -> Vec<(u32, String, String)> {
    let told = defaulted.iter().filter_map(|(line, path, kind)| {
        let (table, _) = path.rsplit_once('.')?;
        let whole: Vec<&str> = scope.iter().copied().chain(path.split('.')).collect();
        let key = near_its_default::near(&rendered.values, &whole, *kind)?;
        // Where both are read, one of them may be the name of an older version.
        if is_somebodys(rendered, around, &whole) || near_its_default::is_named(chart, &key) {
            return None;
        }
        let near = format!("{table}.{key}");
        Some((*line, path.clone(), near))
    });
    told.collect()
}

/// Whether a list of tables stands at a path of values, and one of them lacks a key.
fn list_lacks(values: &Values, path: &[&str], key: &str) -> bool {
    let Some((last, tables)) = path.split_last() else { return false };
    let list = table_at(values, tables).and_then(|table| table.get(last)?.as_list().cloned());
    list.is_some_and(|list| list.values().iter().any(|item| item.as_map().is_some_and(|item| !item.contains(key))))
}

/// Whether a chart's templates put other values in place of those that are given: Istio's do.
fn puts_values_in_place(chart: &Chart) -> bool {
    let sets = |text: &str| ["set $ \"Values\"", "set . \"Values\""].iter().any(|call| text.contains(call));
    chart.templates.iter().any(|file| sets(&file.text()))
}

/// Whether a map has a path, be it as null; a path through something that is no map is nobody's here.
pub(super) fn declares(values: &Values, path: &[&str]) -> bool {
    let mut here = values.clone();
    for (at, key) in path.iter().enumerate() {
        if !here.contains(key) {
            // Globals come down from above: from the top of these values, where this is not the top itself.
            return *key == "global" && at > 0 && at + 1 < path.len() && declares(values, &path[at..]);
        }
        if at + 1 == path.len() {
            return true;
        }
        match here.get(key).and_then(|value| value.as_map().cloned()) {
            Some(map) => here = map,
            None => return true,
        }
    }
    true
}

/// Whether a chart that is not at hand may declare the value: below its name, or lifted from it.
pub(super) fn is_not_at_hand(chart: &Chart, path: &[&str]) -> bool {
    let lifts = || chart.without.dependencies.iter().any(|it| !it.import_values.is_empty());
    path.first().is_some_and(|key| chart.without.names().any(|name| name == *key)) || lifts()
}

/// A chart that another one is in, or itself.
#[derive(Clone)]
struct Around<'c> {
    chart: &'c Chart,
    /// How many steps its scope has.
    depth: usize,
    /// What its values file speaks of; read once, where somebody asks.
    spoken_of: Rc<OnceCell<HashSet<String>>>,
}

impl Around<'_> {
    /// Whether the chart's own files speak of the value without setting it: commented out, or in the schema.
    fn mentions(&self, path: &[&str]) -> bool {
        let Some(key) = path.last() else { return false };
        let spoken_of = self.spoken_of.get_or_init(|| spoken_of(self.chart));
        let in_schema = || self.chart.schema.as_ref().is_some_and(|schema| schema_has(schema, path));
        spoken_of.contains(*key) || in_schema()
    }
}

/// Whether a chart's schema has a value: at its place, where all tables above it say what they hold, else anywhere.
fn schema_has(schema: &[u8], path: &[&str]) -> bool {
    let Some((key, above)) = path.split_last() else { return false };
    if !String::from_utf8_lossy(schema).contains(&format!("\"{key}\"")) {
        return false;
    }
    let Ok(whole) = serde_json::from_slice::<serde_json::Value>(schema) else { return true };
    // What is put together of others, or open for more, is not followed.
    let says_all = |node: &serde_json::Value| {
        let puts_together = ["$ref", "allOf", "anyOf", "oneOf", "patternProperties"];
        node["properties"].is_object()
            && node["additionalProperties"].as_bool() != Some(true)
            && !node["additionalProperties"].is_object()
            && !puts_together.iter().any(|it| node.get(it).is_some())
    };
    let mut here = &whole;
    for step in above {
        match here["properties"].get(step).filter(|_| says_all(here)) {
            Some(below) => here = below,
            None => return true,
        }
    }
    !says_all(here) || here["properties"].get(key).is_some()
}

/// The keys that are commented out in a chart's values file.
fn spoken_of(chart: &Chart) -> HashSet<String> {
    let Some(file) = chart.raw_file("values.yaml") else { return HashSet::new() };
    let text = file.text();
    let said = text.lines().filter_map(|line| line.trim_start().strip_prefix('#'));
    let keys = said.filter_map(|said| Some(said.trim_start_matches(['#', ' ', '-']).split_once(':')?.0.trim_end()));
    keys.map(str::to_owned).collect()
}

/// What `.Release` has.
const RELEASE: &[&str] = &["Name", "Namespace", "Revision", "Service", "IsInstall", "IsUpgrade"];

/// Actions that ask `.Release` for what it does not have, with their lines, from 1, and what is meant: it prints nothing, and no error
/// is told.
fn unknown_of_release(text: &str) -> Vec<(u32, String, &'static str)> {
    let mut found = Vec::new();
    for (at, prefix) in text.match_indices(".Release.") {
        let rest = &text[at + prefix.len()..];
        let name = &rest[..rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len())];
        let in_action = text[..at].rfind("{{") > text[..at].rfind("}}");
        let is_of_root = !text[..at].ends_with(|it: char| it.is_ascii_alphanumeric() || it == '_' || it == ')');
        if !in_action || !is_of_root || RELEASE.contains(&name) {
            continue;
        }
        let Some(near) = landfall_diag::nearest(name, RELEASE.iter().copied()) else { continue };
        let line = u32::try_from(text[..at].matches('\n').count()).unwrap_or(0) + 1;
        let near = match near {
            "Name" => ".Release.Name",
            "Namespace" => ".Release.Namespace",
            "Revision" => ".Release.Revision",
            "Service" => ".Release.Service",
            "IsInstall" => ".Release.IsInstall",
            _ => ".Release.IsUpgrade",
        };
        found.push((line, format!(".Release.{name}"), near));
    }
    found
}

/// The table that stands at a path of values.
pub(super) fn table_at(values: &Values, path: &[impl AsRef<[u8]>]) -> Option<Values> {
    path.iter().try_fold(values.clone(), |here, key| here.get(key)?.as_map().cloned())
}

/// What stands at a path of values: `web.image.tag`.
pub(super) fn value_at(values: &Values, path: &str) -> Option<Value> {
    let steps: Vec<&str> = path.split('.').collect();
    let (last, tables) = steps.split_last()?;
    table_at(values, tables)?.get(last)
}

/// The declared key beside a missing one that is spelt nearly so.
fn nearest_sibling(values: &Values, path: &[&str]) -> Option<String> {
    let (key, parents) = path.split_last()?;
    let keys: Vec<String> =
        table_at(values, parents)?.keys().iter().map(|key| key.to_string_lossy().into_owned()).collect();
    landfall_diag::nearest(key, keys.iter().map(String::as_str)).map(str::to_owned)
}

/// Functions that print nothing where they are given nothing.
const PASSING_ON: &[&str] = &[
    "quote",
    "squote",
    "toString",
    "int",
    "int64",
    "float64",
    "b64enc",
    "toYaml",
    "toJson",
    "upper",
    "lower",
    "trim",
    "nindent",
    "indent",
    "trunc",
    "trimSuffix",
    "trimPrefix",
    "title",
    "toRawJson",
    "toToml",
];

/// The paths of `.Values` that a template prints as they are, with the lines, from 1, of the actions. Within `with` a path goes
/// on from the one that is named there.
pub(super) fn bare_paths(text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    // Where the dot stands in each block that is open: at this path of the values, or somewhere else.
    let mut dots: Vec<Dot> = Vec::new();
    let mut variables = Variables::default();
    let mut at = 0;
    let (mut line, mut counted) = (1_u32, 0);
    // Whether a branch began in the line, so that what stands behind it may not be printed.
    let mut is_behind_branch = false;
    while let Some(start) = text[at..].find("{{").map(|from| at + from) {
        let Some(end) = text[start..].find("}}").map(|to| start + to) else { break };
        let ends = text[counted..start].matches('\n').count();
        line += u32::try_from(ends).unwrap_or(0);
        is_behind_branch &= ends == 0;
        counted = start;
        let action = &text[start + 2..end];
        let dot = dots.last().unwrap_or(&Dot::Root);
        variables.hear(action, dot);
        if let Some(path) = bare_path(&variables.read_in(action), dot).filter(|_| !is_behind_branch) {
            found.push((line, path));
        }
        is_behind_branch |= opens_branch(action);
        moved(action, &mut dots);
        at = end + 2;
    }
    found
}

/// Where the dot of a template stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dot {
    /// At the root, whose `.Values` they are.
    Root,
    /// At this path of the values.
    At(String),
    /// At something else: an item of a list, an argument.
    Elsewhere,
}

/// Opens and closes blocks as an action does.
pub(super) fn moved(action: &str, dots: &mut Vec<Dot>) {
    let action = action.trim_matches(['-', ' ', '\n', '\t']);
    let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((action, ""));
    let here = dots.last().cloned().unwrap_or(Dot::Root);
    match word {
        "if" => dots.push(here),
        "with" => dots.push(match operand(rest.trim(), &here) {
            Some(path) => Dot::At(path),
            None => Dot::Elsewhere,
        }),
        "range" => dots.push(Dot::Elsewhere),
        // Whatever has `.Values` there was handed the root on.
        "define" | "block" => dots.push(Dot::Root),
        // What stands behind the `else` of a block sees the dot from outside of it.
        "else" => {
            dots.pop();
            dots.push(match rest.trim_start().split_ascii_whitespace().next() {
                Some("with") => Dot::Elsewhere,
                _ => dots.last().cloned().unwrap_or(Dot::Root),
            });
        }
        "end" => drop(dots.pop()),
        _ => {}
    }
}

/// The path of the values that an operand names, seen from where the dot stands.
pub(super) fn operand(word: &str, dot: &Dot) -> Option<String> {
    // Dashes and blanks come by `index` alone.
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b' '))
    };
    let path = match (word.strip_prefix("$.Values."), word.strip_prefix(".Values."), dot) {
        (Some(path), _, _) | (None, Some(path), Dot::Root) => path.to_owned(),
        (None, None, Dot::At(from)) => format!("{from}.{}", word.strip_prefix('.')?),
        _ => return None,
    };
    path.split('.').all(is_name).then_some(path)
}

/// Whether an action begins a branch.
fn opens_branch(action: &str) -> bool {
    let word = action.trim_start_matches(['-', ' ']).split_ascii_whitespace().next();
    matches!(word, Some("if" | "with" | "range" | "else"))
}

/// The words of a stage; a quoted one stays together.
fn words(stage: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), stage.trim());
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"').and_then(|inside| inside.find('"')) {
            Some(at) => at + 2,
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    found
}

/// The path of an action that prints it and does nothing else of weight.
pub(super) fn bare_path(action: &str, dot: &Dot) -> Option<String> {
    let action = action.strip_prefix('-').unwrap_or(action);
    let action = action.strip_suffix('-').unwrap_or(action).trim();
    if action.starts_with("/*") || action.contains(['(', '\n']) {
        return None;
    }
    let mut stages = action.split('|').map(str::trim);
    let first = words(stages.next()?);
    let passes = |stage: &str| stage.split_ascii_whitespace().next().is_some_and(|name| PASSING_ON.contains(&name));
    let whole;
    let word = match first.as_slice() {
        [word] => *word,
        ["index", table, keys @ ..] if !keys.is_empty() => {
            let keys: Option<Vec<&str>> = keys.iter().map(|key| key.strip_prefix('"')?.strip_suffix('"')).collect();
            // A key with a dot is no path.
            whole = format!("{table}.{}", keys.filter(|keys| keys.iter().all(|key| !key.contains('.')))?.join("."));
            &whole
        }
        [function, .., word] if passes(function) => *word,
        _ => return None,
    };
    if !stages.all(passes) {
        return None;
    }
    operand(word, dot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_bare_when_nothing_says_what_is_meant_without_the_value() {
        for (action, path) in [
            (" .Values.a.b ", "a.b"),
            ("- $.Values.port | quote -", "port"),
            ("quote .Values.name", "name"),
            (" toYaml .Values.resources | nindent 8 ", "resources"),
            ("index .Values \"a-b\" \"c\" | quote", "a-b.c"),
            ("index $.Values.a \"b\"", "a.b"),
            ("index .Values \"a\" \"b \" | quote", "a.b "),
        ] {
            assert_eq!(bare_path(action, &Dot::Root).as_deref(), Some(path), "{action}");
        }
        for action in [
            "if .Values.a",
            ".Values.a | default 1",
            "default 1 .Values.a",
            "include \"x\" .Values.a",
            "$x.Values.a",
            "required \"a\" .Values.a",
            ".Values.a | empty",
            "$x := .Values.a",
            "/* .Values.a */",
            "index .Values \"a.b\"",
            "index .Values.a $key",
            "index .Values.a 0",
            "index $x \"a\"",
        ] {
            assert_eq!(bare_path(action, &Dot::Root), None, "{action}");
        }
    }

    #[test]
    fn a_global_is_looked_for_above_and_not_for_ever() {
        let map = |json: serde_json::Value| landfall_chart::values_from_json(json.as_object().expect("values"));
        let values = map(serde_json::json!({"a": {"b": 1}}));
        let declares = |path: &[&str]| declares(&values, path);
        assert!(declares(&["a", "b"]) && !declares(&["a", "c"]));
        assert!(!declares(&["global", "region"]), "no values have globals");
        assert!(!declares(&["a", "global", "region"]), "nor do those above");
        let values = map(serde_json::json!({"global": {"region": "eu"}, "a": {"b": 1}}));
        assert!(super::declares(&values, &["a", "global", "region"]), "they come down from above");
    }

    #[test]
    fn a_schema_has_a_value_at_its_place_where_it_says_what_the_tables_hold() {
        let has = |schema: serde_json::Value, path: &[&str]| schema_has(schema.to_string().as_bytes(), path);
        let deep = serde_json::json!({"properties": {"a": {"properties": {"b": {"properties": {"c": {}}}}}}});
        assert!(has(deep.clone(), &["a", "b", "c"]) && has(deep.clone(), &["a", "b"]));
        assert!(!has(deep.clone(), &["a", "c"]) && !has(deep, &["a", "d"]));
        let open = serde_json::json!({"properties": {"a": {"additionalProperties": {"properties": {"c": {}}}}}});
        assert!(has(open, &["a", "c"]));
        let referred =
            serde_json::json!({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"properties": {"c": {}}}}});
        assert!(has(referred, &["a", "c"]));
    }

    #[test]
    fn an_actions_line_is_counted_from_the_beginning_of_the_text() {
        let text = "a: 1\nb: {{ .Values.b }}\nc:\n  d: {{ .Values.c }}{{ .Values.d }}\n";
        let owned =
            |found: &[(u32, &str)]| found.iter().map(|(line, path)| (*line, (*path).to_owned())).collect::<Vec<_>>();
        assert_eq!(bare_paths(text), owned(&[(2, "b"), (4, "c"), (4, "d")]));
    }

    #[test]
    fn a_variable_stands_for_the_path_that_it_was_given() {
        let text = "{{- $db := .Values.db }}\n{{- $other := $db.other | default dict }}\nhost: {{ $db.host }}\n\
                    port: {{ index $db \"port-number\" }}\nname: {{ $other.name }}\n\
                    {{- with .Values.job }}\n{{ $image := .image }}{{ $image.tag }}{{ end }}\n\
                    {{- range $name, $db := .Values.more }}{{ $db.size }}{{ end }}\nlate: {{ $db.user }}\n";
        let paths: Vec<String> = bare_paths(text).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["db.host", "db.port-number", "job.image.tag"]);
    }

    #[test]
    fn within_a_with_a_path_goes_on_from_the_one_that_is_named_there() {
        let text = "{{- with .Values.job }}\ncommand: {{ .command }}\n{{- if .once }}\nonce: {{ .once.at }}\n{{- end }}\n\
                    {{- with .image }}\ntag: {{ .tag }}\n{{- else }}\nno: {{ .none }}\n{{- end }}\nroot: {{ $.Values.root }}\n\
                    {{- range .list }}\nitem: {{ .name }}\n{{- end }}\n{{- end }}\nx: {{ .Values.x }}\n";
        let paths: Vec<String> = bare_paths(text).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["job.command", "job.once.at", "job.image.tag", "job.none", "root", "x"]);
    }
}
