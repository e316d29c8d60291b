mod beyond_reach;
mod handed_on;
mod items;
mod kustomized;
mod left;
mod replaced;
mod unserved;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use landfall_chart::{Chart, Rendered, Values};
use landfall_diag::{Finding, Place, Severity, Spot};

use self::beyond_reach::is_spoken_of;
use self::handed_on::hands_all_on;
use self::kustomized::kustomized;
use self::left::left;
use self::replaced::replaced;
use self::unserved::behind_unserved;

use super::value_that_prints_nothing::table_at;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF175",
    title: "every value that is set is read",
    severity: Severity::Warning,
    why: "A values file takes any key. One that is misspelt, stands a level too high, or that a newer version of a chart calls \
          otherwise is read by no template, and nothing says so: what was meant to be set stays as it was.",
    advice: "Write the key as the chart has it; `landfall show values CHART` prints what it reads.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            let root = &rendered.processed;
            // What the user gave is looked at first: the same key of a chart's own file is then told once.
            let mut readers = Readers::default();
            let mut unread = Vec::new();
            walk(&rendered.user_values, root, &mut Vec::new(), &mut readers, &mut unread);
            for below in &root.dependencies {
                if let Some(values) = root.values.get(below.name()).and_then(|value| value.as_map().cloned()) {
                    walk(&values, root, &mut vec![below.name().to_owned()], &mut readers, &mut unread);
                }
            }
            let set = unread.len();
            // What a chart declares itself is an info at most, and read in doubt no more than its templates say.
            readers.doubt = Doubt::Said;
            walk(&root.values, root, &mut Vec::new(), &mut readers, &mut unread);
            let mut told = BTreeSet::new();
            for (at, path) in unread.into_iter().enumerate() {
                if told.insert(path.clone()) {
                    let finding = found(&unit.name, rendered, &path);
                    // What a chart declares and does not read is its author's business.
                    let is_set = at < set && !is_default_of_a_part(rendered, &path);
                    findings.push(if is_set { finding } else { finding.weighing(Severity::Info) });
                }
            }
            findings.extend(replaced(rendered).into_iter().map(|it| it.told(&RULE, &unit.name)));
            findings.extend(items::misspelt(rendered).into_iter().map(|it| it.told(&RULE, &unit.name)));
        }
        if let [rendered] = unit.rendered.charts.as_slice() {
            let unread: BTreeSet<String> = findings.iter().map(|it| it.key.clone()).collect();
            let idle = unit
                .idle_values
                .iter()
                .filter(|path| !unread.contains(&path.join(".")) && !may_be_read_elsewhere(&rendered.processed, path));
            let unserved = |path: &[String]| behind_unserved(rendered, &subject.cluster.kinds, path);
            findings.extend(idle.map(|path| idle_value(&unit.name, rendered, path, unserved(path))));
            findings.extend(left(unit, rendered, &RULE));
        }
        findings.extend(subject.files.iter().flat_map(|files| kustomized(unit, files, &RULE)));
    }
    findings
}

/// Whether a template speaks of a value that was left out for want of another chart, or what such a one calls does.
fn may_be_read_elsewhere(chart: &Chart, path: &[String]) -> bool {
    path.first().is_some_and(|part| is_spoken_of(chart, part))
}

/// A value that is read somewhere and changes nothing; `unserved` is what its readers need of the cluster, and it does not serve.
fn idle_value(unit: &str, rendered: &Rendered, path: &[String], unserved: Option<String>) -> Finding {
    let written = path.join(".").replace(".[", "[");
    let finding =
        RULE.finding(format!("`{written}` is set and changes nothing")).weighing(Severity::Info).keyed(written);
    let finding = match unserved {
        Some(version) => finding
            .because(format!(
                "what reads it is delivered only where the cluster serves `{version}`, which this one does not"
            ))
            .help(format!("install what defines `{version}` before this is delivered, or leave the value out")),
        None => finding.because("what reads it takes it for nothing, or stands behind another setting"),
    };
    finding
        .at(Spot { unit: Some(unit.to_owned()), ..written_at(rendered, path).map_or_else(Spot::default, Spot::file) })
}

fn found(unit: &str, rendered: &Rendered, path: &[String]) -> Finding {
    let written = path.join(".");
    let finding = RULE
        .finding(format!("no template reads `{written}`, which is set"))
        .because("it has no effect: what it was meant to set stays as it is")
        .keyed(written);
    let finding = match nearest(rendered, path) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding,
    };
    let spot = written_at(rendered, path).map_or_else(Spot::default, Spot::file);
    finding.at(Spot { unit: Some(unit.to_owned()), ..spot })
}

/// Whether a path is set by nothing but the values file of a chart below.
fn is_default_of_a_part(rendered: &Rendered, path: &[String]) -> bool {
    let Some(place) = written_at(rendered, path) else { return false };
    let inner = format!("charts/{}/", path[0]);
    path.len() > 1 && place.file.to_string().replace('\\', "/").contains(&inner)
}

/// The line of a values file that sets a path.
fn written_at(rendered: &Rendered, path: &[String]) -> Option<Place> {
    let origin = origin_of(&rendered.user_values, path).or_else(|| origin_of(&rendered.values, path))?;
    rendered.provenance.as_ref()?.source(origin)?.place().cloned()
}

fn origin_of(values: &Values, path: &[String]) -> Option<landfall_chart::Origin> {
    let (last, tables) = path.split_last()?;
    Some(table_at(values, tables)?.get(last)?.origin())
}

/// The keys of a table at most among which one that is spelt nearly so is looked for.
const MOST_KEYS: usize = 1_000;

/// The declared key beside an unread one that is spelt nearly so.
fn nearest(rendered: &Rendered, path: &[String]) -> Option<String> {
    let (key, parents) = path.split_last()?;
    let keys = table_at(&rendered.values, parents)?.keys();
    // Among thousands of keys some are always alike.
    if keys.len() > MOST_KEYS {
        return None;
    }
    let keys: Vec<String> = keys.iter().map(|key| key.to_string_lossy().into_owned()).collect();
    let others = keys.iter().map(String::as_str).filter(|other| other != key);
    let near = landfall_diag::nearest(key, others)?;
    Some(parents.iter().map(String::as_str).chain([near]).collect::<Vec<_>>().join("."))
}

/// The leaves of what is set that nothing reads, as paths from the root chart on.
fn walk(values: &Values, root: &Chart, path: &mut Vec<String>, readers: &mut Readers, unread: &mut Vec<Vec<String>>) {
    for key in values.keys() {
        let key = key.to_string_lossy().into_owned();
        let Some(value) = values.get(&key) else { continue };
        path.push(key);
        match value.as_map() {
            // What is empty is a setting of its own: `nodeSelector: {}`.
            Some(map) if map.keys().is_empty() && !readers.read(root, path) => unread.push(path.clone()),
            Some(map) => walk(map, root, path, readers, unread),
            // A null takes a default away.
            None if value.is_nil() => {}
            None if !readers.read(root, path) => unread.push(path.clone()),
            None => {}
        }
        path.pop();
    }
}

/// What counts as reading a value, where no path that begins with `.Values` leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Doubt {
    /// Any word of its path, wherever it stands.
    #[default]
    Spoken,
    /// A name in quotes by which something may be taken from a table: every table that is handed on is named by a path.
    Said,
}

/// What templates read, chart by chart.
#[derive(Default)]
struct Readers {
    doubt: Doubt,
    /// By the chart's place in memory, which stands still while one subject is looked at.
    of: HashMap<*const Chart, Uses>,
}

impl Readers {
    /// Whether anything may read a path of the values; in doubt it does.
    fn read(&mut self, root: &Chart, path: &[String]) -> bool {
        let mut above = vec![root];
        let mut rest = path;
        while let Some((first, inner)) = rest.split_first() {
            if ["tags", "exports"].contains(&first.as_str()) {
                return true;
            }
            // What is global is for the charts below, where there may be any.
            if first == "global" {
                if root.dependencies.is_empty() && root.declared().next().is_none() {
                    break;
                }
                return true;
            }
            let chart = above[above.len() - 1];
            let Some(below) = chart.dependencies.iter().find(|it| it.name() == first) else {
                // One that is switched off, or not at hand, reads what nobody sees.
                if chart.declared().any(|it| it.name == *first || it.alias == *first) {
                    return true;
                }
                break;
            };
            above.push(below);
            rest = inner;
        }
        let Some((key, tables)) = rest.split_last() else { return true };
        if above.iter().enumerate().any(|(depth, chart)| is_condition(chart, &path[depth.min(path.len())..])) {
            return true;
        }
        // A chart that hands all of its values on, or has no templates of its own to read them with, is not judged.
        let own = above[above.len() - 1];
        let uses = self.uses(own);
        if uses.everything || uses.words.is_empty() {
            return true;
        }
        let speaks = above.iter().any(|chart| {
            let uses = self.uses(chart);
            uses.words.contains(key) || tables.iter().any(|table| uses.whole.contains(table))
        });
        // What is read by that name may be that of another part.
        let doubt = self.doubt;
        speaks && (above.len() > 1 || self.uses(own).may_read(rest, doubt))
    }

    fn uses(&mut self, chart: &Chart) -> &Uses {
        self.of.entry(std::ptr::from_ref(chart)).or_insert_with(|| Uses::of(chart))
    }
}

/// Whether a path, from a chart's values on, switches one of its dependencies.
fn is_condition(chart: &Chart, path: &[String]) -> bool {
    let written = path.join(".");
    let mut conditions = chart.declared().flat_map(|it| it.condition.split(','));
    conditions.any(|condition| condition.trim() == written)
}

/// What the templates of a chart, and of the libraries that they may call, speak of.
#[derive(Default)]
struct Uses {
    /// Every word of every action.
    words: BTreeSet<String>,
    /// Words that are used as they are, so that whatever is below them may be read.
    whole: BTreeSet<String>,
    /// Whether `.Values` itself is handed on.
    everything: bool,
    /// The paths that are read from `.Values` on.
    paths: BTreeSet<Vec<String>>,
    /// Words that stand anywhere else: in `with`, in variables, in texts.
    loose: BTreeSet<String>,
    /// Names in quotes by which something may be taken from a table.
    said: BTreeSet<String>,
    /// Whether keys of `.Values` itself are taken by another name than their own.
    indexed: bool,
}

impl Uses {
    fn of(chart: &Chart) -> Self {
        let mut uses = Uses { everything: hands_all_on(chart), ..Uses::default() };
        uses.add(chart);
        uses
    }

    /// Whether a path is read from `.Values` on, or may be by one of its words.
    fn may_read(&self, path: &[String], doubt: Doubt) -> bool {
        let names = match doubt {
            Doubt::Spoken => &self.loose,
            Doubt::Said => &self.said,
        };
        self.indexed
            || path.iter().any(|word| names.contains(word))
            || (0..=path.len()).any(|length| self.paths.contains(&path[..length]))
            || self
                .paths
                .range::<[String], _>((Bound::Included(path), Bound::Unbounded))
                .next()
                .is_some_and(|read| read.starts_with(path))
    }

    fn add(&mut self, chart: &Chart) {
        let is_text = |name: &str| !name.starts_with("crds/") && !name.ends_with(".md");
        for file in chart.templates.iter().chain(chart.files.iter().filter(|file| is_text(&file.name))) {
            let text = file.text();
            for action in actions(&text) {
                self.take(action);
            }
        }
        for left in &chart.without.templates {
            actions(&left.text).for_each(|action| self.take(action));
        }
        // A value may be a template itself.
        if let Some(file) = chart.raw_file("values.yaml") {
            let text = file.text();
            actions(&text).for_each(|action| self.take(action));
        }
        for below in &chart.dependencies {
            if below.metadata.kind == "library" || below.name().ends_with("common") {
                self.add(below);
            }
        }
    }

    fn take(&mut self, action: &str) {
        let inner = action.trim_start_matches(['-', ' ', '\n', '\t']);
        if inner.starts_with("/*") {
            return;
        }
        let asks = inner.strip_prefix("else ").map_or(inner, str::trim_start).starts_with("if ");
        // `print .Values | sha256sum` says that something has changed, and not what.
        let hashed =
            action.split('|').skip(1).any(|stage| HASHES.contains(&stage.trim().trim_end_matches('-').trim_end()));
        let action = &unnamed(action);
        self.said.extend(names_in_quotes(action));
        let bytes = action.as_bytes();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let mut at = 0;
        // The path of the word before, where it goes on and begins with `.Values`.
        let mut path: Option<Vec<String>> = None;
        while at < bytes.len() {
            if !is_word(bytes[at]) {
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
            let word = action[start..at].trim_matches('-');
            let goes_on = bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(|next| is_word(*next));
            if word == "Values" && !goes_on && !asks && !hashed {
                // `index .Values "a"` names what it takes.
                let indexed = action[..start].trim_end_matches(['.', '$', ' ', '(']).ends_with("index")
                    || action[..start].trim_end_matches(['.', '$', ' ', '(']).ends_with("hasKey");
                self.everything |= !indexed;
            }
            if word == "Values" && path.is_none() {
                self.indexed |= !goes_on && !hashed;
                path = Some(Vec::new());
            } else if let Some(path) = &mut path {
                path.push(word.to_owned());
            } else {
                self.loose.insert(word.to_owned());
            }
            if !goes_on {
                self.paths.extend(path.take());
            }
            if !goes_on && !asks {
                self.whole.insert(word.to_owned());
            }
            self.words.insert(word.to_owned());
        }
    }
}

/// The words of the texts of an action that may name keys: those that are paths themselves, and those that a function takes something by.
/// What `printf` makes is a name or a line for the most part, and no key where nothing takes anything by it.
fn names_in_quotes(action: &str) -> Vec<String> {
    const TAKING: &[&str] = &["get", "index", "hasKey", "pluck", "pick", "dig", "omit", "tpl"];
    let is_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    let takes = action.split(|it: char| !is_word(it)).any(|word| TAKING.contains(&word));
    let texts = action.split(['"', '`']).skip(1).step_by(2);
    texts
        .filter(|text| takes || text.contains('.'))
        .flat_map(|text| text.split(move |it: char| !is_word(it)))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// An action without the names of the templates that it calls: their words are no values'.
fn unnamed(action: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(action);
    for call in ["include \"", "template \"", "define \"", "block \""] {
        let mut from = 0;
        while let Some(start) = text[from..].find(call).map(|at| from + at + call.len()) {
            let Some(length) = text[start..].find('"') else { break };
            text.to_mut().replace_range(start..start + length, "");
            from = start;
        }
    }
    text
}

/// Functions that leave nothing of what they are given but that it is another one.
const HASHES: &[&str] = &["sha1sum", "sha256sum", "sha512sum", "md5sum", "adler32sum"];

/// The insides of a text's actions.
fn actions(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}").map(|(action, _)| action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_speaks_of_words_and_takes_some_of_them_whole() {
        let mut uses = Uses::default();
        for action in actions(
            "{{/* .Values.a */}}{{ if .Values.b }}{{ .Values.c.d }}{{ toYaml .Values.e }}{{ index .Values \"f-g\" \"h\" }}",
        ) {
            uses.take(action);
        }
        assert!(!uses.everything);
        for word in ["b", "c", "d", "e", "f-g", "h"] {
            assert!(uses.words.contains(word), "{word}");
        }
        assert!(!uses.words.contains("a"));
        for word in ["d", "e", "f-g"] {
            assert!(uses.whole.contains(word), "{word}");
        }
        for word in ["b", "c"] {
            assert!(!uses.whole.contains(word), "{word}");
        }
        let mut summed = Uses::default();
        summed.take("- print .Values | sha256sum -");
        assert!(!summed.everything && !summed.indexed, "a checksum says nothing of what it is made of");
        uses.take(" include \"x\" (dict \"values\" .Values) ");
        assert!(uses.everything);
    }

    #[test]
    fn what_is_read_of_one_part_is_not_read_of_another() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let mut uses = Uses::default();
        for action in actions("{{ with .Values.web.probe }}{{ toYaml . }}{{ end }}{{ $.Values.worker.count }}") {
            uses.take(action);
        }
        assert!(
            uses.may_read(&path("web.probe.period"), Doubt::Spoken)
                && uses.may_read(&path("worker.count"), Doubt::Spoken)
        );
        assert!(!uses.may_read(&path("worker.probe.period"), Doubt::Spoken));
        let mut named = Uses::default();
        actions("{{ include \"app.worker.name\" . }}{{ .Values.web.probe }}").for_each(|action| named.take(action));
        assert!(!named.may_read(&path("worker.probe.period"), Doubt::Spoken), "a template's name is no value's");
        for read in ["{{ $it.probe }}", "{{ .Values.worker }}", "{{ index .Values $name }}", "{{ get . \"probe\" }}"] {
            let mut uses = Uses::default();
            actions(&format!("{{{{ .Values.web.probe }}}}{read}")).for_each(|action| uses.take(action));
            assert!(uses.may_read(&path("worker.probe.period"), Doubt::Spoken), "{read}");
        }
    }

    #[test]
    fn what_a_part_reads_of_its_own_is_not_read_of_the_other_by_a_word_alone() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let of = |text: &str| {
            let mut uses = Uses::default();
            actions(&format!("{{{{ range .Values.web.image.pullSecrets }}}}{text}"))
                .for_each(|action| uses.take(action));
            uses.may_read(&path("worker.image.pullSecrets"), Doubt::Said)
        };
        for text in [
            "{{ $item.image }}",
            "{{ .pullSecrets }}",
            "{{ dict \"image\" .Values.web.image }}",
            "{{ .Values.worker.name }}",
            "{{ ternary \"worker\" (printf \"worker-%s\" $kind) (eq $kind \"image\") }}",
        ] {
            assert!(!of(text), "{text}");
        }
        for text in [
            "{{ get . \"pullSecrets\" }}",
            "{{ include \"value\" (dict \"key\" \"worker.image\") }}",
            "{{ index .Values $name }}",
            "{{ with .Values.worker }}",
            "{{ get . (printf \"%sSecrets\" \"pullSecrets\") }}",
        ] {
            assert!(of(text), "{text}");
        }
    }
}
