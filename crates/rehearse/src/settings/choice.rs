//! Which other settings of a chart are tried.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use landfall_chart::{Chart, File, SetFlag, values_from_json, values_over, values_to_json};
use landfall_delivery::{Door, Unit, UnitSource};
use landfall_rules::{compared, printed_of_items};
use serde_json::{Map, Value, json};

use super::samples::{ANYTHING, Empty, MOUNTS, any, mount, otherwise, sample};

/// One chart is rendered with no more than so many other settings, those first that are off or on; fewer times where a rendering has
/// many objects, so that all of them together have about this many.
const MOST: usize = 100;
const MOST_OBJECTS: usize = 2000;

/// Values of Kubernetes' own of which a chart lets one be chosen.
const ALTERNATIVES: [&[&str]; 3] = [KINDS, &["ClusterIP", "NodePort", "LoadBalancer"], &["RollingUpdate", "Recreate"]];

/// Kinds of a chart's main workload: those of them may be chosen that the chart names anywhere.
const KINDS: &[&str] = &["StatefulSet", "Deployment", "DaemonSet"];

/// How a unit is rendered otherwise.
#[derive(Clone)]
pub(super) struct Other {
    /// As it would be typed.
    pub(super) setting: String,
    pub(super) layer: Layer,
    /// The same, in other ways of writing it that the name may mean as well.
    pub(super) otherwise: Vec<Other>,
    /// What it stands in, switched on by itself.
    pub(super) behind: Option<Box<Other>>,
    /// The one key that a table has already to which another one is added.
    pub(super) beside: Vec<String>,
}

/// What is laid over a unit's values.
#[derive(Clone)]
pub(super) enum Layer {
    /// A switch turned, `--set-json`.
    Switch(String),
    /// Something customary where nothing stood, `--set-json`.
    Sample(String),
    /// Anything at all where nothing stood, `--set-json`: whether what is printed is indented for more than one.
    Anything(String),
    /// `-f`
    File(String, String),
    /// Nothing: on a cluster that serves the kinds of operators.
    Operators,
    /// Switches turned, `--set-json`, or nothing, in a release called otherwise.
    Named(String),
    /// Nothing: in a release of another namespace.
    Moved,
    /// Names that a chart lets be chosen, and switches turned, `--set-json`.
    Renamed(Renamed),
}

/// Names that are chosen otherwise, with switches turned; each as it would be typed.
#[derive(Clone)]
pub(super) struct Renamed {
    pub(super) names: String,
    pub(super) switches: String,
}

/// How settings that choose names are written in front of the others.
const RENAMED: &str = "--set-json ";

/// What a release is called otherwise, as it would be typed.
pub(super) const NAMED: &str = "--release probe";

/// Where a release is delivered otherwise, as it would be typed.
const MOVED: &str = "--namespace probe";

impl Other {
    fn new(setting: String, layer: Layer) -> Self {
        Other { setting, layer, otherwise: Vec::new(), behind: None, beside: Vec::new() }
    }

    /// Something customary where nothing stood.
    fn sample(setting: String) -> Self {
        Other::new(setting.clone(), Layer::Sample(setting))
    }

    fn anything(setting: String) -> Self {
        Other::new(setting.clone(), Layer::Anything(setting))
    }

    pub(super) fn switch(setting: String) -> Self {
        Other::new(setting.clone(), Layer::Switch(setting))
    }

    /// A release called otherwise, with switches turned.
    pub(super) fn named(switches: &str) -> Self {
        let setting = if switches.is_empty() { NAMED.to_owned() } else { format!("{NAMED} --set-json {switches}") };
        Other::new(setting, Layer::Named(switches.to_owned()))
    }

    /// A release of another namespace.
    pub(super) fn moved() -> Self {
        Other::new(MOVED.to_owned(), Layer::Moved)
    }

    /// Names chosen otherwise, with switches turned: every line of both.
    pub(super) fn renamed<'l>(lines: impl Iterator<Item = &'l str>) -> Self {
        let (mut names, mut switches): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for line in lines.filter(|line| !line.is_empty()) {
            let list = if chooses_a_name(line) { &mut names } else { &mut switches };
            if !list.contains(&line) {
                list.push(line);
            }
        }
        let setting = format!("{RENAMED}{}", names.iter().chain(&switches).copied().collect::<Vec<_>>().join(","));
        Other::new(setting, Layer::Renamed(Renamed { names: names.join(","), switches: switches.join(",") }))
    }

    /// What would be typed so.
    pub(super) fn typed(setting: String) -> Self {
        if let Some(lines) = setting.strip_prefix(RENAMED) {
            return Other::renamed(lines.split(','));
        }
        if setting == MOVED {
            return Other::moved();
        }
        match setting.strip_prefix(NAMED) {
            Some(rest) => Other::named(rest.strip_prefix(" --set-json ").unwrap_or_default()),
            None => Other::switch(setting),
        }
    }

    /// Whether it is a switch that is turned on.
    pub(super) fn turns_on(&self) -> bool {
        matches!(&self.layer, Layer::Switch(text) if text.ends_with("=true"))
    }

    /// Whether it is a switch that is turned off.
    pub(super) fn turns_off(&self) -> bool {
        matches!(&self.layer, Layer::Switch(text) if text.split(',').all(|line| line.ends_with("=false")))
    }

    /// Whether nothing is done but that parts are switched on, or one of the chart's own words is chosen.
    pub(super) fn switches_on(&self) -> bool {
        let is_plain = matches!(self.layer, Layer::Switch(_) | Layer::Sample(_)) && !self.setting.contains("probe");
        is_plain && self.setting.split(',').all(|line| line.ends_with("=true") || line.ends_with('"'))
    }

    /// The same with the first of two made up keys or items alone; none where one was there already.
    pub(super) fn with_one(&self) -> Option<Self> {
        let Layer::Anything(text) = &self.layer else { return None };
        let second = [format!(",\"{}\":\"probe\"", ANYTHING.1), format!(",\"{}\"", ANYTHING.1)];
        let one = second.iter().fold(text.clone(), |text, second| text.replace(second.as_str(), ""));
        (one != *text).then(|| Other::anything(one))
    }

    /// Whether the chart writes the list as YAML where anything was made up: then a list is wanted there. What is declared as an empty
    /// table, or called as one, may be either.
    pub(super) fn is_written_as_a_list(&self, chart: &Chart) -> bool {
        let Some(at) = self.setting.find(&format!("=[\"{}\"", ANYTHING.0)) else { return false };
        let path = self.setting[..at].rsplit(',').next().unwrap_or_default();
        let key = path.rsplit('.').next().unwrap_or_default();
        const TABLES: &[&str] = &["labels", "annotations", "selector", "resources", "affinity", "context", "config"];
        if TABLES.iter().any(|end| key.to_ascii_lowercase().ends_with(end)) {
            return false;
        }
        let named = format!(".{key}");
        let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let names = |line: &str| line.match_indices(&named).any(|(at, it)| !line[at + it.len()..].starts_with(is_part));
        let writes = |file: &File| file.text().lines().any(|line| line.contains("toYaml") && names(line));
        let is_above = |part: &&Chart| path.strip_prefix(part.name()).is_some_and(|rest| rest.starts_with('.'));
        let mut parts = std::iter::once(chart).chain(chart.dependencies.iter().filter(is_above));
        parts.any(|part| part.templates.iter().any(writes))
    }

    /// Whether each of its lines is one of another's.
    pub(super) fn is_within(&self, other: &Other) -> bool {
        self.setting.split(',').all(|line| other.setting.split(',').any(|it| it == line))
    }

    /// Whether it is turned on by its name alone: what is called so takes the name of something.
    pub(super) fn takes_a_text(&self) -> bool {
        let key = self.setting.strip_suffix("=true").and_then(|path| path.rsplit(['.', ',']).next());
        let name = key.unwrap_or_default().to_ascii_lowercase();
        const ENDS: &[&str] =
            &["name", "secret", "class", "claim", "configmap", "key", "host", "url", "uri", "path", "image", "file"];
        self.turns_on() && (name.starts_with("existing") || ENDS.iter().any(|end| name.ends_with(end)))
    }

    /// Whether it is a switch by which something is said to be there, in whose place the chart makes nothing.
    pub(super) fn says_that_it_exists(&self) -> bool {
        let key = self.setting.rsplit([',', '.']).next().and_then(|line| line.strip_suffix("=true"));
        key.is_some_and(|key| key.to_ascii_lowercase().starts_with("existing"))
    }

    /// Whether what is said of an object under it is not what it is for: what the switch says to be there is not missed, and `Recreate`
    /// is a Deployment's alone, where other kinds have another word.
    pub(super) fn is_beside(&self, kind: Option<&str>, words: &str) -> bool {
        (self.says_that_it_exists() && words.contains("is neither delivered nor on the cluster"))
            || (self.setting.ends_with("=\"Recreate\"") && kind.is_some_and(|kind| kind != "Deployment"))
    }

    /// Whether it names the objects of a release otherwise.
    pub(super) fn renames(&self) -> bool {
        self.setting.split(',').any(|line| chooses_a_name(line) && !stands_for_another(line))
    }

    /// Whether it chooses nothing but the name of something that the chart makes, or of what stands for it.
    pub(super) fn chooses_names(&self) -> bool {
        let is_choice = |line: &str| chooses_a_name(line) || line.ends_with("=true");
        let mut lines = self.setting.split(',');
        matches!(self.layer, Layer::Sample(_)) && self.setting.split(',').any(chooses_a_name) && lines.all(is_choice)
    }

    /// The part of the chart that it is a setting of: the first key of the values.
    pub(super) fn part(&self) -> &str {
        self.setting.split(['.', '=']).next().unwrap_or_default()
    }

    /// Several at once, each with what is only added.
    pub(super) fn together<'o>(all: impl Iterator<Item = &'o Other>) -> Self {
        let all: Vec<&Other> = all.collect();
        let setting = all.iter().map(|it| it.setting.as_str()).collect::<Vec<_>>().join(",");
        let beside = all.iter().flat_map(|it| it.beside.clone()).collect();
        let is_anything = all.iter().any(|it| matches!(it.layer, Layer::Anything(_)));
        match is_anything {
            true => Other { beside, ..Other::new(setting.clone(), Layer::Anything(setting)) },
            false => Other::sample(setting),
        }
    }

    /// Gives it a value that the chart asks for; `false` where it has one already, or takes none.
    pub(super) fn give(&mut self, path: &str) -> bool {
        let (Layer::Switch(text) | Layer::Sample(text)) = &mut self.layer else { return false };
        let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !is_plain || text.split(',').any(|line| line.split_once('=').is_some_and(|(key, _)| key == path)) {
            return false;
        }
        *text = format!("{text},{path}=\"probe\"");
        self.setting.clone_from(text);
        true
    }

    /// A unit under it.
    pub(super) fn of(&self, unit: &Unit) -> Unit {
        let mut other = unit.clone();
        if let Layer::Named(_) = self.layer {
            "probe".clone_into(&mut other.name);
        }
        if let Layer::Moved = self.layer {
            "probe".clone_into(&mut other.namespace);
        }
        for source in &mut other.sources {
            if let UnitSource::Chart(source) = source {
                match &self.layer {
                    Layer::Switch(text) | Layer::Sample(text) | Layer::Anything(text) => {
                        source.values.set(SetFlag::Json, text.clone())
                    }
                    Layer::File(name, text) => source.values.file(name.clone(), text.clone()),
                    Layer::Named(text) if !text.is_empty() => source.values.set(SetFlag::Json, text.clone()),
                    Layer::Renamed(Renamed { names, switches }) => {
                        source.values.set(SetFlag::Json, names.clone());
                        match switches.is_empty() {
                            true => &mut source.values,
                            false => source.values.set(SetFlag::Json, switches.clone()),
                        }
                    }
                    Layer::Operators | Layer::Named(_) | Layer::Moved => &mut source.values,
                };
            }
        }
        other
    }
}

/// Whether a line of settings chooses the name of something that the chart makes, or of what stands for it.
fn chooses_a_name(line: &str) -> bool {
    key_of(line).ends_with("nameoverride") || stands_for_another(line)
}

/// Whether a line of settings names something that is there and stands for what the chart would make.
pub(super) fn stands_for_another(line: &str) -> bool {
    STANDING_FOR.contains(&&*key_of(line))
}

/// The last step of what a line of settings sets, in lower case; nothing where it sets nothing.
fn key_of(line: &str) -> String {
    let path = line.split_once('=').map_or("", |(path, _)| path);
    path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase()
}

/// Settings by which something that is there stands for what the chart would make.
const STANDING_FOR: &[&str] = &["existingsecret", "existingclaim", "existingconfigmap"];

/// The settings to try: switches, files of `ci/`, what is customarily empty. None where the unit is no release of a chart.
pub(super) fn others(unit: &Unit) -> Option<Vec<Other>> {
    let ([UnitSource::Chart(source)], Door::Release) = (unit.sources.as_slice(), &unit.door) else { return None };
    let chart = &source.chart;
    let given = source.values.merge().ok()?;
    let mut values = values_to_json(&values_over(&given, &chart.values).0);
    let mut texts = Vec::new();
    own(chart, &mut values, &mut texts);
    let named: HashSet<&str> = texts.iter().flat_map(|text| names(text)).collect();
    let mut items = Vec::new();
    items_below(chart, &mut Vec::new(), &mut items);
    let mut borrowed = Vec::new();
    borrowed_below(chart, &mut Vec::new(), &mut borrowed);
    let (mut switches, mut kinds, mut filled) = (Vec::new(), Vec::new(), Vec::new());
    let mut anything = Vec::new();
    let mut path = Vec::new();
    walk(&values, &mut path, &mut |path, value, beside| {
        let Some(key) = path.last() else { return };
        // Somebody else's chart is switched on or off as a whole; what no template names is no setting.
        let is_within =
            |part: &Vec<String>| path.starts_with(part) && (path.len() != part.len() + 1 || key != "enabled");
        let is_anothers = borrowed.iter().any(is_within);
        if is_anothers || !named.contains(key.as_str()) {
            return;
        }
        if let Value::Bool(on) = value {
            switches.push((path.to_vec(), setting(&values, path, vec![(key.clone(), Value::Bool(!on))])));
            return;
        }
        let alternatives = value.as_str().and_then(|own| ALTERNATIVES.iter().find(|all| all.contains(&own)));
        let is_offered = |it: &str| alternatives != Some(&KINDS) || words(chart).any(|text| text.contains(it));
        // What goes with a rolling update and is written beside it goes with it: whoever chooses another way takes it out.
        if let Some(all) = alternatives.filter(|_| !beside.contains_key("rollingUpdate")) {
            let others = all.iter().filter(|it| *value != **it && is_offered(it));
            kinds.extend(
                others.map(|it| (path.to_vec(), setting(&values, path, vec![(key.clone(), Value::from(*it))]))),
            );
            return;
        }
        let empty = match value {
            Value::Null => Empty::Null,
            Value::Object(map) if map.is_empty() => Empty::Map,
            Value::Array(list) if list.is_empty() => Empty::List,
            Value::String(text) if text.is_empty() => Empty::Text,
            Value::Object(map) if map.len() == 1 && map.values().all(|it| !it.is_object() && !it.is_array()) => {
                let given = vec![(key.clone(), json!({ANYTHING.1: "probe"}))];
                let other = Other::anything(setting(&values, path, given).setting);
                anything.push(Other { beside: map.keys().cloned().collect(), ..other });
                return;
            }
            _ => return,
        };
        let is_open = matches!(empty, Empty::Text | Empty::Null);
        let elsewhere = || (is_open && is_elsewhere(path, beside)).then(|| Value::from("probe"));
        let covered = || certificates(path, empty);
        let usual = sample(key, empty).filter(|it| is_of_the_form(it, path, &items));
        let Some(value) = usual.or_else(elsewhere).or_else(covered) else {
            let value = any(empty).filter(|_| !is_anothers);
            anything
                .extend(value.map(|value| Other::anything(setting(&values, path, vec![(key.clone(), value)]).setting)));
            return;
        };
        let mounts = MOUNTS.iter().find(|(volumes, mounts)| volumes == key && beside.contains_key(*mounts));
        let with = mounts.map(|(_, mounts)| ((*mounts).to_owned(), mount()));
        let given = std::iter::once((key.clone(), value)).chain(with).collect();
        filled.push(customary(&values, path, given, empty));
    });
    kinds.extend(chosen_by_word(chart, &values));
    for path in undeclared(chart, &values) {
        let Some(value) = path.last().and_then(|key| sample(key, Empty::Null)) else { continue };
        if !is_of_the_form(&value, &path, &items) {
            continue;
        }
        let given = path.last().map(|key| (key.clone(), value)).into_iter().collect();
        filled.push(customary(&values, &path, given, Empty::Null));
    }
    let files = chart.raw.iter().filter(|file| {
        file.name.strip_prefix("ci/").is_some_and(|name| name.ends_with("-values.yaml") && !name.contains('/'))
    });
    let files = files.map(|file| {
        let name = chart.path_of(&file.name);
        Other::new(format!("-f {}", file.name), Layer::File(name, file.text().into_owned()))
    });
    // What is a Deployment and no StatefulSet any more may be so with each switch of the same part.
    let mut pairs = Vec::new();
    for (kind_path, kind) in &kinds {
        let of_part =
            switches.iter().filter(|(path, _)| path[0] == kind_path[0] && path.len() > 1 && kind_path.len() > 1);
        pairs.extend(of_part.map(|(_, switch)| Other::switch(format!("{},{}", kind.setting, switch.setting))));
    }
    let parts = all_off(&switches);
    let operators = Other::new("kinds of operators that are served".to_owned(), Layer::Operators);
    let alone = |all: Vec<(Vec<String>, Other)>| all.into_iter().map(|(_, other)| other);
    let all: Vec<Other> = std::iter::once(operators)
        .chain(files)
        .chain(alone(switches))
        .chain(parts)
        .chain(alone(kinds))
        .chain(filled)
        .chain(anything)
        .chain(pairs)
        .collect();
    Some(all)
}

/// Whether the items of a sample have what the chart's templates print of each item of the list at that path: where they have
/// not, the chart has a form of its own for them.
fn is_of_the_form(sample: &Value, path: &[String], printed: &[(Vec<String>, String)]) -> bool {
    let items = sample.as_array().map(Vec::as_slice).unwrap_or_default();
    let has = |key: &str| items.iter().all(|item| !item.is_object() || item.get(key).is_some());
    printed.iter().filter(|(list, _)| list == path).all(|(_, key)| has(key))
}

/// What the templates of a chart, and of its own parts, print of each item of a list: the list's path, and the key.
fn items_below(chart: &Chart, above: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    for file in chart.templates.iter() {
        let printed = printed_of_items(&file.text()).into_iter();
        found.extend(printed.map(|(list, key)| (above.iter().cloned().chain(list).collect(), key)));
    }
    for part in chart.dependencies.iter().filter(|part| !is_borrowed(chart, part.name())) {
        above.push(part.name().to_owned());
        items_below(part, above, found);
        above.pop();
    }
}

/// What a chart says of itself, to the engine and to people.
fn words(chart: &Chart) -> impl Iterator<Item = Cow<'_, str>> {
    let is_said = |name: &str| name == "values.yaml" || name.starts_with("templates/") || name.ends_with(".md");
    chart.raw.iter().filter(move |file| is_said(&file.name)).map(File::text)
}

/// Whether a value is the namespace of a monitor, which is seldom that of the release; a chart that lets the namespaces be chosen that
/// it looks into wants that beside it.
fn is_elsewhere(path: &[String], beside: &Map<String, Value>) -> bool {
    let [.., table, key] = path else { return false };
    let is_of_monitor =
        ["monitor", "podmonitor", "servicemonitor"].iter().any(|it| table.to_ascii_lowercase().ends_with(it));
    is_of_monitor
        && key == "namespace"
        && !beside.keys().any(|key| key.to_ascii_lowercase().starts_with("namespaceselector"))
}

/// What covers the hosts of an Ingress, where nothing does.
fn certificates(path: &[String], empty: Empty) -> Option<Value> {
    let (key, above) = path.split_last()?;
    let is_of_ingress = above.iter().any(|it| it.to_ascii_lowercase().contains("ingress"));
    let hosts = ["probe.example.com", "other.example.com"];
    (key == "tls" && empty == Empty::List && is_of_ingress).then(|| json!([{"secretName": "probe", "hosts": hosts}]))
}

/// Parts of one table that are on, each by a switch of the same name, all turned off at once: what is made of them is empty then.
fn all_off(switches: &[(Vec<String>, Other)]) -> Vec<Other> {
    let mut tables: BTreeMap<(&[String], &String), Vec<&str>> = BTreeMap::new();
    for (path, switch) in switches {
        if let [above @ .., _, key] = path.as_slice()
            && !above.is_empty()
            && matches!(key.as_str(), "enabled" | "create")
            && switch.setting.ends_with("=false")
        {
            tables.entry((above, key)).or_default().push(&switch.setting);
        }
    }
    let several = tables.into_values().filter(|all| all.len() > 1);
    several.map(|all| Other::switch(all.join(","))).collect()
}

/// So many words that templates compare values with are tried.
const WORDS: usize = 40;

/// Settings by which a value is one of the other words that the chart's own templates compare it with.
fn chosen_by_word(chart: &Chart, values: &Value) -> Vec<(Vec<String>, Other)> {
    let compared: BTreeSet<(Vec<String>, String)> =
        chart.templates.iter().flat_map(|file| compared(&file.text())).collect();
    let told = compared.into_iter().filter_map(|(path, word)| {
        let own = path.iter().try_fold(values, |here, step| here.get(step))?;
        let is_open = own.is_null() || own.as_str().is_some_and(|own| own != word && !is_alternative(own));
        let (key, _) = path.split_last()?;
        // A version of an API is chosen for an old cluster that serves no other.
        (is_open && !word.is_empty() && !is_api_version(&word) && !is_borrowed(chart, &path[0]))
            .then(|| (path.clone(), setting(values, &path, vec![(key.clone(), Value::from(word.clone()))])))
    });
    told.take(WORDS).collect()
}

fn is_api_version(word: &str) -> bool {
    let version = word.rsplit('/').next().and_then(|version| version.strip_prefix('v'));
    version.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit())) && word.contains('/')
}

fn is_alternative(own: &str) -> bool {
    ALTERNATIVES.iter().any(|all| all.contains(&own))
}

/// The paths of values that a chart's own templates read below tables that are declared, and that nobody declares.
fn undeclared(chart: &Chart, values: &Value) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for file in chart.templates.iter() {
        let text = file.text();
        for (at, read) in text.match_indices(".Values.") {
            let is_step = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
            let rest = &text[at + read.len()..];
            let path: Vec<&str> = rest[..rest.find(|it| !is_step(it)).unwrap_or(rest.len())].split('.').collect();
            let Some((key, parents)) =
                path.split_last().filter(|(key, parents)| !key.is_empty() && !parents.is_empty())
            else {
                continue;
            };
            let table = parents.iter().try_fold(values, |here, step| here.get(step)).and_then(Value::as_object);
            if table.is_some_and(|table| !table.contains_key(*key)) && !is_borrowed(chart, path[0]) {
                found.insert(path.into_iter().map(str::to_owned).collect());
            }
        }
    }
    found
}

type Visit<'a, 'v> = dyn FnMut(&[String], &'v Value, &'v Map<String, Value>) + 'a;

/// How often a chart that renders so many objects is rendered with switches turned.
pub(super) fn most(objects: usize) -> usize {
    (MOST_OBJECTS / objects.max(1)).min(MOST)
}

/// Whether a part of a chart comes from a repository: what its settings do is for others to see.
fn is_borrowed(chart: &Chart, part: &str) -> bool {
    chart.is_borrowed(&format!("{}/charts/{part}/templates/x", chart.name()))
}

/// Where the values of the parts begin that come from repositories, of a chart and of its own parts.
fn borrowed_below(chart: &Chart, above: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let called = |name: &str| above.iter().map(String::as_str).chain([name]).map(str::to_owned).collect();
    let declared = chart.declared().map(|it| if it.alias.is_empty() { &*it.name } else { &*it.alias });
    found.extend(declared.filter(|name| is_borrowed(chart, name)).map(called));
    for part in chart.dependencies.iter().filter(|part| !is_borrowed(chart, part.name())) {
        above.push(part.name().to_owned());
        borrowed_below(part, above, found);
        above.pop();
    }
}

/// The names that a template may read values by: its words, with `-` and `_` in them.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    text.split(move |char| !is_part(char)).map(|word| word.trim_matches('-')).filter(|word| !word.is_empty())
}

/// Puts the defaults of a chart's own parts below its values, and gathers what its templates say.
fn own<'c>(chart: &'c Chart, values: &mut Value, texts: &mut Vec<Cow<'c, str>>) {
    texts.extend(chart.templates.iter().map(File::text));
    let Value::Object(values) = values else { return };
    for part in chart.dependencies.iter().filter(|part| !is_borrowed(chart, part.name())) {
        let below = values.entry(part.name().to_owned()).or_insert_with(|| Value::Object(Map::new()));
        let given = below.as_object().map(values_from_json).unwrap_or_default();
        *below = values_to_json(&values_over(&given, &part.values).0);
        own(part, below, texts);
    }
}

/// Visits every value, with its path and the map that it stands in.
fn walk<'v>(value: &'v Value, path: &mut Vec<String>, visit: &mut Visit<'_, 'v>) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        // Keys that `--set` would have to escape are no settings of a chart's.
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            continue;
        }
        path.push(key.clone());
        visit(path, value, map);
        walk(value, path, visit);
        path.pop();
    }
}

/// What is customary where nothing stood, and the other ways in which it may be written.
fn customary(values: &Value, path: &[String], given: Vec<(String, Value)>, empty: Empty) -> Other {
    let otherwise = path.last().map(|key| otherwise(key, empty)).unwrap_or_default();
    let filled = |given: Vec<(String, Value)>| Other::sample(setting(values, path, given).setting);
    let otherwise = otherwise.into_iter().map(|value| {
        let mut given = given.clone();
        if let Some((_, first)) = given.first_mut() {
            *first = value;
        }
        filled(given)
    });
    let switches = setting(values, path, Vec::new());
    let behind = (!switches.setting.is_empty()).then(|| Box::new(switches));
    Other { otherwise: otherwise.collect(), behind, ..filled(given.clone()) }
}

/// Values beside each other, with whatever they stand in switched on.
fn setting(values: &Value, path: &[String], given: Vec<(String, Value)>) -> Other {
    let (mut here, mut lines) = (values, Vec::new());
    let above = &path[..path.len() - 1];
    for (depth, key) in above.iter().enumerate() {
        here = &here[key.as_str()];
        let switches = ["enabled", "create"].into_iter().filter(|it| here[it] == false);
        let own = |it: &&str| depth + 1 < above.len() || !given.iter().any(|(key, _)| key == it);
        lines.extend(switches.filter(own).map(|it| format!("{}.{it}=true", above[..=depth].join("."))));
    }
    lines.extend(given.iter().map(|(key, value)| {
        let place: Vec<&str> = above.iter().chain([key]).map(String::as_str).collect();
        format!("{}={value}", place.join("."))
    }));
    Other::switch(lines.join(","))
}
