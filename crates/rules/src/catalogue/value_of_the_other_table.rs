mod group_of_a_user;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use landfall_chart::{Chart, Values};
use landfall_diag::{Finding, Severity, Spot};

use self::group_of_a_user::misplaced;
use super::branch_never_taken::{Spoken, commented};
use super::value_that_prints_nothing::{Dot, bare_path, moved, operand, table_at, value_at};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, Named, Text, actions, gather, named_templates, own_charts, plain, words};

pub(super) static RULE: Rule = Rule {
    id: "LF393",
    title: "what is made of one table of values takes nothing from its sibling",
    severity: Severity::Warning,
    why: "A template that was copied from the one of a sibling keeps a value of that one: the claim of `assets` asks for the \
          access mode of `system`. As long as both are set alike nobody sees it, and whoever sets the right one is not heard.",
    advice: "Print the value of the table that the rest of the template is made of.",
    check,
};

/// So often a text names the table that it is made of, beside the one value of the other.
const READ: usize = 2;

/// So many values of the other table a text may read that is called after its own one.
const FEW: usize = 2;

/// So many keys two tables have in common that are of one kind.
const ALIKE: usize = 2;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for root in unit.rendered.charts.iter().map(|it| &it.processed) {
            let own = own_charts(root).filter(|it| it.metadata.kind != "library");
            findings.extend(own.flat_map(|chart| told(&unit.name, root, chart)));
        }
    }
    findings
}

fn told(unit: &str, root: &Chart, chart: &Chart) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(chart, &mut texts);
    let declared = Declared::of(chart);
    let heard = OnceCell::new();
    let mut findings = Vec::new();
    for text in &texts {
        for it in misplaced(text, &chart.values) {
            let place = text.place(it.at);
            let (key, path, meant) = (it.key, it.path, it.meant);
            findings.push(
                RULE.finding(format!("`{key}` is printed from `{path}`, and `{meant}` is declared beside it"))
                    .keyed(format!("{} {key} {path}", place.file))
                    .because("a user and a group are two numbers: as long as they are alike nobody sees it")
                    .help(format!("print `.Values.{meant}`"))
                    .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) }),
            );
        }
    }
    for text in &texts {
        let all = parts(text).into_iter().flat_map(|(from, part)| {
            let taken = taken(&part, &declared).into_iter();
            taken.map(move |it| Taken { at: from + it.at, ..it })
        });
        for Taken { at, path, table, meant } in all {
            let heard = heard.get_or_init(|| Heard::new(root, chart, &texts));
            if heard.hears(&meant, &chart.values) {
                continue;
            }
            let place = text.place(at);
            let is = if value_at(&chart.values, &meant).is_some() { "declared" } else { "spoken of in values.yaml" };
            findings.push(
                RULE.finding(format!("`{path}` is printed among the values of `{table}`"))
                    .keyed(format!("{} {path}", place.file))
                    .because(format!("`{meant}` is {is} and nowhere printed, so whoever sets it is not heard"))
                    .help(format!("print `.Values.{meant}`"))
                    .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// What is looked at by itself, with where it begins: a template as a whole, and each define of a file of them by its name.
fn parts<'t>(text: &'t Text<'_>) -> Vec<(usize, Text<'t>)> {
    if !text.path.ends_with(".tpl") {
        return vec![(0, Text { path: text.path.clone(), text: Cow::Borrowed(&*text.text) })];
    }
    let defines = named_templates(&text.text).into_iter().filter(|it| !it.is_block);
    let alone = |it: Named<'_>| {
        let path = it.name.to_owned();
        (it.body.start, Text { path, text: Cow::Borrowed(&text.text[it.body]) })
    };
    defines.map(alone).collect()
}

/// What a chart declares.
struct Declared<'c> {
    values: &'c Values,
    /// The tables that other charts read, too.
    others: BTreeSet<&'c str>,
    /// The keys that its values file speaks of without setting them.
    spoken_of: Vec<Spoken>,
}

impl<'c> Declared<'c> {
    fn of(chart: &'c Chart) -> Self {
        let spoken_of = chart.raw_file("values.yaml").map(|file| commented(&file.text())).unwrap_or_default();
        Declared { values: &chart.values, others: of_others(chart), spoken_of }
    }

    /// Whether the values file speaks of a key below a table.
    fn speaks_of(&self, table: &str, key: &str) -> bool {
        let table = table.rsplit('.').next().unwrap_or_default();
        self.spoken_of.iter().any(|it| it.name == key && it.under.iter().any(|above| above == table))
    }
}

/// The tables of a chart's values that other charts read, too.
fn of_others(chart: &Chart) -> BTreeSet<&str> {
    let declared = chart.declared().flat_map(|it| [it.name.as_str(), it.alias.as_str()]);
    declared.chain(chart.dependencies.iter().map(Chart::name)).chain(["global"]).collect()
}

/// A value of one table that is printed where all else is another table's.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    at: usize,
    /// The value: `web.mode`.
    path: String,
    /// The table that the rest is of: `job`.
    table: String,
    /// The value that is meant: `job.mode`.
    meant: String,
}

/// What a text, or one branch of it, prints of a table that it names this once, among values of a sibling of that table.
fn taken(text: &Text<'_>, declared: &Declared<'_>) -> Vec<Taken> {
    let Declared { values, others, .. } = declared;
    let (read, branches) = reads(&text.text);
    let mut found = Vec::new();
    // What the text, and what a branch of it, reads below a path: counted once.
    let mut counted: BTreeMap<(Option<usize>, String), Counts<'_>> = BTreeMap::new();
    for (at, path) in printed(&text.text) {
        let steps: Vec<&str> = path.split('.').collect();
        // A switch of another part may well be asked for.
        let is_switch = matches!(steps.last(), Some(&("enabled" | "create")));
        // What comes from outside stands for what the chart has itself.
        let is_external = is_of_define(text) && steps.iter().rev().skip(1).any(|it| it.starts_with("external"));
        if is_switch || is_external || steps.first().is_some_and(|it| others.contains(it)) {
            continue;
        }
        let branch = branches.iter().position(|it| it.at.start < at && at < it.at.end);
        let sibling = (1..steps.len()).find_map(|end| {
            let (own, above) = steps[..end].split_last()?;
            let is_of_it = |other: &str| {
                let is_alike = !others.contains(other) && are_alike(values, above, own, other).unwrap_or(false);
                // What asks for the value itself ahead of it does not say whose it is.
                let ahead = lines_ahead(&text.text[..at]).replace(&path, "");
                is_alike && !is_called_after(&text.path, own, other) && !speaks_of(&ahead, own, other)
            };
            let mut most_read = |within: Option<usize>| {
                let branch = within.map(|at| &branches[at]);
                let read = branch.map_or(read.as_slice(), |it| &read[it.read.clone()]);
                let counts = counted.entry((within, joined(above, ""))).or_insert_with(|| Counts::of(read, above));
                let most = counts.most_read(own, &text.path);
                most.filter(|other| branch.is_none_or(|it| it.is_asked_for(read, above, own, other)))
            };
            let mut all = [most_read(None), branch.and_then(|at| most_read(Some(at)))].into_iter().flatten();
            let other = all.find(|other| is_of_it(other))?;
            let is_its_file = is_called_after(&text.path, other, own);
            Some((joined(above, other), steps[end..].join("."), is_its_file))
        });
        let Some((table, leaf, is_its_file)) = sibling else { continue };
        let meant = format!("{table}.{leaf}");
        if value_at(values, &meant).is_some() || (is_its_file && declared.speaks_of(&table, &leaf)) {
            found.push(Taken { at, path, table, meant });
        }
    }
    found
}

/// A path that a text reads.
struct Read {
    path: String,
    /// Whether it is printed right behind the `if` that asks for it.
    is_again: bool,
}

/// A branch of a template: what is printed where its condition holds.
struct Branch {
    /// Where it stands, its condition with it.
    at: Range<usize>,
    /// Which of the text's reads are in it.
    read: Range<usize>,
    /// How many of them, the first ones, its condition has.
    asked: usize,
}

impl Branch {
    /// Whether its condition, the first of what it reads, asks for one table and not for the other.
    fn is_asked_for(&self, read: &[Read], above: &[&str], own: &str, other: &str) -> bool {
        let asks = |table: &str| {
            let table = joined(above, table);
            read.iter().take(self.asked).any(|it| it.path == table || is_below(&it.path, &table))
        };
        asks(other) && !asks(own)
    }
}

/// The paths that a text reads, in their order, and its branches, those within others before them.
fn reads(text: &str) -> (Vec<Read>, Vec<Branch>) {
    let (mut read, mut branches): (Vec<Read>, Vec<Branch>) = (Vec::new(), Vec::new());
    let mut open: Vec<Option<Branch>> = Vec::new();
    let mut is_asked = false;
    for action in actions(text).filter(|it| !it.is_comment()) {
        let from = read.len();
        let word = action.word().split('(').next().unwrap_or_default();
        if matches!(word, "else" | "end")
            && let Some(Some(mut closed)) = open.pop()
        {
            closed.at.end = action.start;
            closed.read.end = from;
            branches.push(closed);
        }
        let own = paths(action.inner);
        let is_again = is_asked && matches!((own.as_slice(), read.last()), ([one], Some(last)) if *one == last.path);
        read.extend(own.into_iter().map(|path| Read { path, is_again }));
        is_asked = word == "if";
        match word {
            "if" | "with" | "range" | "else" => {
                open.push(Some(Branch { at: action.start..0, read: from..0, asked: read.len() - from }));
            }
            "define" | "block" => open.push(None),
            _ => {}
        }
    }
    (read, branches)
}

/// The path of a table below others.
fn joined(above: &[&str], table: &str) -> String {
    if above.is_empty() { table.to_owned() } else { format!("{}.{table}", above.join(".")) }
}

/// How often a text reads what stands below a path.
struct Counts<'r> {
    /// All that it reads, what is asked for and printed right behind that once.
    all: usize,
    /// The tables there and how often something of each is read, those read most first.
    tables: Vec<(&'r str, usize)>,
    /// The keys there and how often each, or something of it, is read, counted as `all` is.
    named: BTreeMap<&'r str, usize>,
}

impl<'r> Counts<'r> {
    fn of(read: &'r [Read], above: &[&str]) -> Self {
        let prefix = joined(above, "");
        let (mut all, mut tables, mut named) = (0, BTreeMap::new(), BTreeMap::new());
        for Read { path, is_again } in read {
            let once = usize::from(!is_again);
            all += once;
            let Some(below) = path.strip_prefix(prefix.as_str()) else { continue };
            let key = match below.split_once('.') {
                Some((table, _)) => {
                    *tables.entry(table).or_insert(0_usize) += 1;
                    table
                }
                None => below,
            };
            *named.entry(key).or_insert(0) += once;
        }
        let mut tables: Vec<_> = tables.into_iter().collect();
        tables.sort_by_key(|(_, count)| Reverse(*count));
        Counts { all, tables, named }
    }

    /// The table that is read most beside one that is named once, or a little more often where the file is called after the table;
    /// none where two are read alike.
    fn most_read(&self, own: &str, file: &str) -> Option<&'r str> {
        let mut others = self.tables.iter().filter(|(table, _)| *table != own);
        let (table, most) = others.next().filter(|(_, count)| *count >= READ)?;
        let named = self.named.get(own).copied().unwrap_or(0);
        let are_few = named == 1 || (named == FEW && named * 3 < self.all && is_called_after(file, table, own));
        (are_few && others.next().is_none_or(|(_, count)| count < most)).then_some(table)
    }
}

/// Whether two tables have keys in common, as those of one kind do.
fn are_alike(values: &Values, above: &[&str], one: &str, other: &str) -> Option<bool> {
    let here = table_at(values, above)?;
    let (one, other) = (here.get(one)?.as_map()?.clone(), here.get(other)?.as_map()?.clone());
    Some(one.keys().iter().filter(|key| other.contains(key)).count() >= ALIKE)
}

/// Whether a template is called after the one table and not after the other: then it is the one's.
fn is_called_after(path: &str, own: &str, other: &str) -> bool {
    let name = path.rsplit_once("templates/").map_or(path, |(_, name)| name);
    speaks_of(name, own, other) && !speaks_of(name, other, own)
}

/// The line that ends with a text, as far as it goes, and the one before: where they speak of a table (`- name: WEB_MODE`), a value
/// of it is told of the other on purpose.
fn lines_ahead(ahead: &str) -> &str {
    let from = ahead.rmatch_indices('\n').nth(1).map_or(0, |(at, _)| at + 1);
    &ahead[from..]
}

/// Whether a text speaks of the one table, where it does not speak of the other whose name has that one's in it: `serviceUDP` is no
/// `service`.
fn speaks_of(text: &str, own: &str, other: &str) -> bool {
    let (text, own, other) = (plain(text), plain(own), plain(other));
    let is_in_it = other != own && other.contains(&own);
    if is_in_it { text.replace(&other, " ").contains(&own) } else { text.contains(&own) }
}

/// Whether a text is the body of a define: those are called by their names.
fn is_of_define(text: &Text<'_>) -> bool {
    !text.path.contains('/')
}

/// The values that a text prints as they are, or takes for what it prints below, with the places of the actions.
fn printed(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        // Of what is named relatively the table was named before.
        let is_root = dots.last().is_none_or(|it| *it == Dot::Root);
        let dot = if is_root { Dot::Root } else { Dot::Elsewhere };
        let path = match action.word() {
            "with" => operand(action.rest(), &dot),
            _ => bare_path(action.inner, &dot),
        };
        let own = action.line;
        let is_comment = text[own..action.start].trim_start().starts_with('#');
        found.extend(path.filter(|_| !is_comment).map(|path| (action.start, path)));
        moved(action.inner, &mut dots);
    }
    found
}

/// The paths of values that an action names, however it comes by them; an empty one where it takes all of them.
fn paths(inner: &str) -> Vec<String> {
    // In brackets they are the same: `((.Values).global).image`.
    let inner = inner.replace("Values).", "Values.");
    let words = words(&inner);
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).copied().unwrap_or_default();
        let named = format!("{word}.");
        let Some((_, path)) = named.split_once("Values.").filter(|(ahead, _)| ahead.ends_with('.')) else { continue };
        let is_step = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
        let path = path.split(|it: char| !is_step(it)).next().unwrap_or_default();
        let mut steps: Vec<&str> = path.split('.').filter(|it| !it.is_empty()).collect();
        if matches!(before, "index" | "get" | "hasKey") {
            steps.extend(words[at + 1..].iter().map_while(|it| quoted(it)));
        }
        // The values under their own name are handed on as they are: whoever is given them names what is read.
        if !steps.is_empty() || before != "\"Values\"" {
            found.push(steps.join("."));
        }
    }
    found
}

/// What stands in quotes, where a word is that.
fn quoted(word: &str) -> Option<&str> {
    word.strip_prefix('"')?.strip_suffix('"')
}

/// What a chart does something with.
struct Heard {
    /// The values that are printed, handed on or put into a variable.
    printed: Vec<String>,
    /// Those that are only asked for.
    asked: Vec<String>,
}

impl Heard {
    /// What the texts of a chart do, those of its values, its files, and the libraries at hand.
    fn new(root: &Chart, chart: &Chart, texts: &[Text<'_>]) -> Self {
        let mut heard = Heard { printed: Vec::new(), asked: Vec::new() };
        let mut libraries = Vec::new();
        let all = root.with_parts();
        all.into_iter().filter(|it| it.metadata.kind == "library").for_each(|it| gather(it, &mut libraries));
        libraries.iter().for_each(|text| heard.hear(&text.text));
        // Of all values a library takes what its caller names.
        heard.printed.retain(|it| !it.is_empty());
        texts.iter().for_each(|text| heard.hear(&text.text));
        chart.files.iter().chain(chart.raw_file("values.yaml")).for_each(|file| heard.hear(&file.text()));
        heard
    }

    fn hear(&mut self, text: &str) {
        if !text.contains("Values") {
            return;
        }
        for action in actions(text).filter(|it| !it.is_comment()) {
            let into = if asks(&action) { &mut self.asked } else { &mut self.printed };
            into.extend(paths(action.inner));
        }
    }

    /// Whether something is done with a value, with what it is in, or with what is in it. A switch is there to be asked for.
    fn hears(&self, path: &str, values: &Values) -> bool {
        let is_it = |it: &String| it == path || is_below(path, it) || is_below(it, path);
        let is_switch = value_at(values, path).is_some_and(|it| it.as_bool().is_some());
        self.printed.iter().any(is_it) || (is_switch && self.asked.iter().any(is_it))
    }
}

/// Whether an action only asks for what it names.
fn asks(action: &Action<'_>) -> bool {
    match action.word().split('(').next() {
        Some("if") => true,
        Some("else") => !action.rest().starts_with("with"),
        _ => false,
    }
}

/// Whether a path leads through another one.
fn is_below(path: &str, above: &str) -> bool {
    above.is_empty() || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Vec<String> {
        let table = serde_json::json!({"replicas": 1, "tag": "a", "mode": "x", "enabled": true});
        let json = serde_json::json!({"web": table, "job": table, "a": {"web": table, "job": table}});
        let values = landfall_chart::values_from_json(json.as_object().expect("a map"));
        let text = Text { path: path.to_owned(), text: text.into() };
        let spoken_of = vec![Spoken { name: "folder".to_owned(), under: vec!["job".to_owned()] }];
        let declared = Declared { values: &values, others: BTreeSet::from(["db"]), spoken_of };
        taken(&text, &declared).into_iter().map(|it| format!("{} {} {}", it.path, it.table, it.meant)).collect()
    }

    #[test]
    fn a_value_of_the_sibling_is_told_where_the_rest_is_of_one_table() {
        let text = "a: {{ .Values.job.replicas }}\nb: {{ .Values.job.tag | quote }}\nc: {{ .Values.web.mode }}\n";
        assert_eq!(of("templates/x.yaml", text), ["web.mode job job.mode"]);
        assert_eq!(of("templates/job.yaml", text), ["web.mode job job.mode"]);
        assert_eq!(of("templates/web.yaml", text), [""; 0]);
        let deep = text.replace(".Values.", "$.Values.a.");
        assert_eq!(of("templates/x.yaml", &deep), ["a.web.mode a.job a.job.mode"]);
        let whole = text.replace("c: {{ .Values.web.mode }}", "{{ with .Values.web.mode }}c: {{ . }}{{ end }}");
        assert_eq!(of("templates/x.yaml", &whole), ["web.mode job job.mode"]);
        for other in [
            text.replace("web.mode", "job.mode"),
            text.replace("web.mode", "web.enabled"),
            text.replace("web.mode", "web.other"),
            text.replace("web.mode", "db.mode"),
            text.replace("{{ .Values.web.mode }}", "{{ ternary .Values.web.mode .Values.job.mode true }}"),
            text.replace("c:", "# c:"),
            text.replace("c:", "- name: WEB_MODE\n  value:"),
            format!("{{{{ if .Values.web.enabled }}}}{text}{{{{ end }}}}"),
            text.replace("job.tag", "tag"),
        ] {
            assert_eq!(of("templates/x.yaml", &other), [""; 0], "{other}");
        }
    }

    #[test]
    fn a_value_of_the_sibling_is_told_within_the_branch_of_one_table() {
        let own = "{{ if .Values.web.enabled }}\na: {{ .Values.web.replicas }}\nb: {{ .Values.web.mode }}\n{{ end }}\n";
        let branch =
            "{{ if .Values.job.enabled }}\na: {{ .Values.job.replicas }}\nb: {{ .Values.web.mode }}\n{{ end }}\n";
        let told = |branch: &str| of("templates/x.yaml", &format!("{own}{branch}"));
        assert_eq!(told(branch), ["web.mode job job.mode"]);
        for other in [
            branch.replace("web.mode", "job.mode"),
            branch.replace("if .Values.job.enabled", "if or .Values.job.enabled .Values.web.enabled"),
            branch.replace("if .Values.job.enabled", "if .Values.tag").replace("a:", "c: {{ .Values.job.tag }}\na:"),
            branch.replace("b:", "{{ else }}b:"),
            branch.replace("b:", "web:"),
        ] {
            assert_eq!(told(&other), [""; 0], "{other}");
        }
    }

    #[test]
    fn two_values_of_the_sibling_are_told_in_a_file_that_is_called_after_the_table() {
        let own = "a: {{ .Values.job.replicas }}\nb: {{ .Values.job.tag }}\n".repeat(3);
        let keys = "{{ if .Values.web.mode }}\nc: {{ .Values.web.mode }}\n{{ end }}\n\
                    {{ if .Values.web.folder }}\nd:\n{{ toYaml .Values.web.folder }}\n{{ end }}\n";
        let text = format!("{own}{keys}");
        assert_eq!(of("templates/job.yaml", &text), ["web.mode job job.mode", "web.folder job job.folder"]);
        for (path, text) in [
            ("templates/x.yaml", text.clone()),
            ("templates/web.yaml", text.clone()),
            ("templates/job.yaml", text.replacen(&own, "a: {{ .Values.job.replicas }}\nb: {{ .Values.job.tag }}\n", 1)),
        ] {
            assert_eq!(of(path, &text), [""; 0], "{path}: {text}");
        }
        let once = "{{ if .Values.web.folder }}\nd:\n{{ toYaml .Values.web.folder }}\n{{ end }}\n";
        assert_eq!(of("templates/x.yaml", &format!("{own}{once}")), [""; 0], "it is only spoken of");
    }

    #[test]
    fn a_table_whose_name_begins_as_anothers_is_not_taken_for_it() {
        assert!(is_called_after("templates/service-udp.yaml", "serviceUDP", "service"));
        assert!(!is_called_after("templates/service-udp.yaml", "service", "serviceUDP"));
        assert!(is_called_after("templates/service.yaml", "service", "serviceUDP"));
        assert!(!is_called_after("templates/service.yaml", "serviceUDP", "service"));
    }

    #[test]
    fn each_define_is_looked_at_by_itself() {
        let text = "{{/* {{ define }} */}}\n{{- define \"a.job\" -}}{{ if .x }}1{{ else }}2{{ end }}{{- end }}\n\
                    {{ define \"b\" }}{{ range .y }}3{{ end }}{{ end }}{{ if .z }}{{ end }}";
        let found: Vec<_> = named_templates(text).into_iter().map(|it| (it.name, &text[it.body])).collect();
        assert_eq!(found, [("a.job", "{{ if .x }}1{{ else }}2{{ end }}"), ("b", "{{ range .y }}3{{ end }}")]);
        let body = "{{ if eq (int .Values.job.replicas) 1 }}0{{ else if .Values.job.mode }}{{ .Values.web.mode }}\
                    {{ else }}{{ sub (int .Values.job.replicas) 1 }}{{ end }}";
        assert_eq!(of("c.job.budget", body), ["web.mode job job.mode"]);
        assert_eq!(of("c.web.budget", body), [""; 0]);
        assert_eq!(of("c.job.budget", &body.replace("web.mode", "job.mode")), [""; 0]);
    }

    #[test]
    fn what_is_handed_on_as_a_whole_is_heard() {
        assert_eq!(paths("index $.Values.a \"b\" \"c\" | quote"), ["a.b.c"]);
        assert_eq!(paths("include \"x\" (dict \"Values\" .Values \"own\" .root.Values.a.b)"), ["a.b"]);
        assert_eq!(paths("$all := .Values"), [""]);
        assert_eq!(paths("with (((.Values).global).hooks).resources"), ["global"]);
        let values = landfall_chart::values_from_json(&serde_json::Map::new());
        let heard = |text: &str| {
            let mut heard = Heard { printed: Vec::new(), asked: Vec::new() };
            heard.hear(text);
            heard.hears("job.mode", &values)
        };
        for text in
            ["{{ .Values.job.mode }}", "{{ with .Values.job }}", "{{ toYaml .Values }}", "{{ $.Values.job.mode.a }}"]
        {
            assert!(heard(text), "{text}");
        }
        for text in ["{{ if .Values.job.mode }}", "{{ .Values.job.modes }}", "{{ .Values.web.mode }}"] {
            assert!(!heard(text), "{text}");
        }
    }
}
