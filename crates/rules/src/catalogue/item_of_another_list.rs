use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::value_that_prints_nothing::{Dot, moved, operand};
use crate::rule::Rule;
use crate::subject::{Role, Subject};
use crate::texts::{Action, actions, delivered_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF376",
    title: "what is called after a list or a map of an object is printed into that one",
    severity: Severity::Warning,
    why: "Items do not say of which list they are: they belong to the key above them. `extraInitContainers` at the end of \
          `containers:` never end and are started again for ever; `extraVolumes` behind a block that brings `volumes:` along under \
          another setting become pull secrets, or whatever list stands there, and the volume is missing. Labels behind a block that \
          brings `annotations:` along become annotations.",
    advice: "Write the list's own key above what is printed, wherever anything is printed below it.",
    check,
};

/// How values end that hold items of a list of the pod, and the list.
const MEANT: &[(&str, &str)] = &[
    ("initcontainers", "initContainers"),
    ("volumemounts", "volumeMounts"),
    ("volumes", "volumes"),
    ("pullsecrets", "imagePullSecrets"),
    ("envfrom", "envFrom"),
    ("env", "env"),
    ("envvars", "env"),
    ("tolerations", "tolerations"),
];

/// The lists of a pod and of its containers.
const LISTS: &[&str] = &[
    "containers",
    "env",
    "envFrom",
    "hostAliases",
    "imagePullSecrets",
    "initContainers",
    "tolerations",
    "volumeMounts",
    "volumes",
];

/// The maps of an object's metadata: what ends so is printed into the one that it is called after.
const MAPS: &[&str] = &["annotations", "labels"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for stray in strays(&text.text) {
            let Stray { at, path, list, meant, when } = stray;
            let place = text.place(at);
            let finding = match &when {
                When::Without(other) => RULE
                    .finding(format!("`{path}` is printed into `{list}` where `{other}` is not set"))
                    .because(format!("`{meant}:` stands above it only where `{other}` is set")),
                When::With(other) => RULE
                    .finding(format!("`{path}` is printed into `{list}` where `{other}` is set"))
                    .because(format!("`{list}:` stands between it and `{meant}:` where `{other}` is set"))
                    .help(format!("print it in front of `{list}:`")),
                When::Always => RULE
                    .finding(format!("`{path}` is printed into `{list}`"))
                    .because(format!("the key above it is `{list}:`, and its name is that of `{meant}`")),
            };
            findings.push(finding.keyed(format!("{} {path} {list}", place.file)).at(spot(place)));
        }
    }
    findings.extend(labels_among_annotations(subject));
    findings
}

/// What charts give their objects as labels, and nobody reads as annotations.
const LABELS_ALONE: &[&str] = &["helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"];

/// Objects that have no labels, and a chart's labels among their annotations.
fn labels_among_annotations(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|it| it.role != Role::Definition) {
        let table = |field: &str| desired.object.at(field).and_then(Value::as_object);
        let Some(annotations) = table("/metadata/annotations") else { continue };
        let Some(label) = LABELS_ALONE.iter().copied().find(|it| annotations.contains_key(*it)) else { continue };
        let has_labels = table("/metadata/labels").is_some_and(|labels| !labels.is_empty());
        if has_labels || subject.is_borrowed(desired) {
            continue;
        }
        let (kind, name) = (desired.object.kind(), desired.object.name());
        findings.push(
            RULE.finding(format!(
                "the label `{label}` is among the annotations of {kind} `{name}`, which has no labels"
            ))
            .because("what selects by labels does not find it: `labels:` is empty, or not there")
            .help("print the labels below `labels:`, in front of `annotations:`")
            .at(desired.spot_at(&format!("metadata.annotations[{label}]"))),
        );
    }
    findings
}

/// Items that are printed into another list or map than the one they are called after.
#[derive(Debug)]
struct Stray {
    at: usize,
    /// The value: `web.extraVolumes`.
    path: String,
    /// The one that they go into, and the one that is meant.
    list: String,
    meant: &'static str,
    when: When,
}

/// When items go astray.
#[derive(Debug, PartialEq, Eq)]
enum When {
    Always,
    /// Where a value is not set, without which the key that is meant is not there.
    Without(String),
    /// Where a value is set, with which another key stands in between.
    With(String),
}

/// What items are called after, and the keys that it may be taken for.
struct Meant {
    key: &'static str,
    family: &'static [&'static str],
}

impl Meant {
    /// By the last word of a value's path.
    fn by(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let list = MEANT.iter().find(|(ending, _)| name.ends_with(ending));
        // What is matched are labels, and is no map of metadata.
        let map = || MAPS.iter().copied().find(|it| name.ends_with(it) && !name.ends_with("matchlabels"));
        match list {
            Some(&(_, key)) => Some(Meant { key, family: LISTS }),
            None => map().map(|key| Meant { key, family: MAPS }),
        }
    }

    /// Whether items at a column belong to a key that begins at another one. Those of a list may stand below its first letter.
    fn belongs(&self, column: usize, key: usize) -> bool {
        key < column || (key == column && self.family == LISTS)
    }
}

/// A block that is open at a place: which one, the branch of it, and how it begins.
#[derive(Debug, Clone, PartialEq)]
struct Branch<'t> {
    block: usize,
    branch: usize,
    head: &'t str,
}

impl Branch<'_> {
    fn is_definition(&self) -> bool {
        self.head.starts_with("define ") || self.head.starts_with("block ")
    }

    /// The only value that the block is taken for.
    fn asks_for(&self) -> Option<String> {
        match self.head.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
            ["if" | "with", word] => operand(word, &Dot::Root),
            _ => None,
        }
    }
}

/// Something in a template that matters for what is below what.
struct Event<'t> {
    at: usize,
    within: Vec<Branch<'t>>,
    what: What<'t>,
}

enum What<'t> {
    /// A key with something below it.
    Key { name: &'t str, column: usize },
    /// A value that is written as YAML.
    Items { path: String, column: usize },
    /// A call that may print keys.
    Call { column: Option<usize> },
    /// Another document begins.
    Document,
}

/// The items of a template that go into another list or map than the one that they are called after.
fn strays(text: &str) -> Vec<Stray> {
    let events = events(text);
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let What::Items { path, column } = &event.what else { continue };
        let Some(meant) = path.rsplit('.').next().and_then(Meant::by) else { continue };
        let Some(Above { key, from, when }) = above(&events[..at], event, path, *column, &meant) else { continue };
        // A key that is written in another way than on a line of its own.
        let is_between = meant.family == MAPS && text[from..event.at].contains(&format!("{}:", meant.key));
        if key == meant.key || !meant.family.contains(&key) || (is_between && !matches!(when, When::Without(_))) {
            continue;
        }
        found.push(Stray { at: event.at, path: path.clone(), list: key.to_owned(), meant: meant.key, when });
    }
    found
}

/// The key that items stand below.
struct Above<'t> {
    key: &'t str,
    /// Where it begins.
    from: usize,
    /// When it is that one.
    when: When,
}

/// A key that items stand below where a value is set, and not otherwise.
struct Passed<'t> {
    key: &'t str,
    column: usize,
    from: usize,
    /// The value.
    other: String,
}

/// The key that items stand below, and when; none where it cannot be told.
fn above<'t>(before: &[Event<'t>], items: &Event<'t>, path: &str, column: usize, meant: &Meant) -> Option<Above<'t>> {
    let mut passed: Option<Passed<'t>> = None;
    for event in before.iter().rev() {
        let common = event.within.iter().zip(&items.within).take_while(|(one, other)| one == other).count();
        if event.within[common..].iter().any(Branch::is_definition) {
            continue;
        }
        if items.within[common..].iter().any(Branch::is_definition) {
            return None;
        }
        let closed = event.within.get(common);
        // Of two branches of one block only one is taken.
        if closed.zip(items.within.get(common)).is_some_and(|(one, other)| one.block == other.block) {
            continue;
        }
        match &event.what {
            What::Document => return None,
            What::Call { column: of } if of.is_none_or(|of| of < column) => return None,
            What::Key { name, column: of } if meant.belongs(column, *of) => {
                let (key, column) = (*name, *of);
                let Some(closed) = closed else { return below(key, column, event.at, passed, meant) };
                // What is asked for there must be something else, and not asked for around the items.
                let other = closed.asks_for().filter(|other| !path.starts_with(other.as_str()))?;
                let mut around = items.within.iter();
                let is_other = passed.as_ref().is_some_and(|it| it.key != key);
                if is_other
                    || !(key == meant.key || meant.family.contains(&key))
                    || around.any(|it| it.head.contains(&format!(".Values.{other}")))
                {
                    return None;
                }
                passed = Some(Passed { key, column, from: event.at, other });
            }
            _ => {}
        }
    }
    None
}

/// Whether items stand below a key that is always there, or below one behind it that is there with a value only.
fn below<'t>(key: &'t str, column: usize, from: usize, passed: Option<Passed<'t>>, meant: &Meant) -> Option<Above<'t>> {
    match passed {
        None => Some(Above { key, from, when: When::Always }),
        Some(passed) if passed.key == meant.key => Some(Above { key, from, when: When::Without(passed.other) }),
        Some(passed) if key == meant.key && column == passed.column => {
            Some(Above { key: passed.key, from: passed.from, when: When::With(passed.other) })
        }
        Some(_) => None,
    }
}

/// What a template has that matters, in its order.
fn events(text: &str) -> Vec<Event<'_>> {
    let mut found = Vec::new();
    let mut open: Vec<Branch<'_>> = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    let (mut blocks, mut behind) = (0, 0);
    for action in actions(text).filter(|it| !it.is_comment()) {
        keys(text, behind, action.start, &open, &mut found);
        behind = action.end;
        let dot = dots.last().cloned().unwrap_or(Dot::Root);
        match action.word() {
            "if" | "with" | "range" | "define" | "block" => {
                blocks += 1;
                open.push(Branch { block: blocks, branch: 0, head: action.inner });
            }
            "else" => {
                if let Some(last) = open.last_mut() {
                    *last = Branch { block: last.block, branch: last.branch + 1, head: action.inner };
                }
            }
            "end" => drop(open.pop()),
            _ => {
                let what = printed(text, &action, &dot);
                found.extend(what.map(|what| Event { at: action.start, within: open.clone(), what }));
            }
        }
        moved(action.inner, &mut dots);
    }
    keys(text, behind, text.len(), &open, &mut found);
    found
}

/// The keys that begin in a part of a text between two actions.
fn keys<'t>(text: &'t str, from: usize, to: usize, open: &[Branch<'t>], found: &mut Vec<Event<'t>>) {
    let mut at = from;
    for line in text[from..to].split_inclusive('\n') {
        let is_whole = at == 0 || text[..at].ends_with('\n');
        let start = at;
        at += line.len();
        let bare = line.trim_start();
        let name = bare.trim_start_matches("- ").trim_end();
        let column = line.trim_end().len() - name.len();
        let what = match name.strip_suffix(':') {
            _ if !is_whole => continue,
            None if name == "---" => What::Document,
            Some(name) if !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric()) => {
                What::Key { name, column }
            }
            _ => continue,
        };
        found.push(Event { at: start, within: open.to_vec(), what });
    }
}

/// What an action prints that matters.
fn printed<'t>(text: &str, action: &Action<'_>, dot: &Dot) -> Option<What<'t>> {
    let own = action.line;
    let ahead = &text[own..action.start];
    let said = unquoted(action.inner);
    let all = words(&said);
    let column = match all.as_slice() {
        [.., "nindent", columns] => columns.parse().ok(),
        [.., "indent", columns] if ahead.trim().is_empty() => {
            columns.parse().ok().map(|columns: usize| columns + if action.trims.0 { 0 } else { ahead.len() })
        }
        _ => None,
    };
    if let Some(at) = all.iter().position(|it| *it == "toYaml") {
        let next = all.get(at + 1).filter(|it| it.starts_with(['.', '$']));
        let word = next.or_else(|| all.get(at.checked_sub(1)?))?;
        let path = match (*word, dot) {
            (".", Dot::At(path)) => path.clone(),
            _ => operand(word, dot)?,
        };
        return Some(What::Items { path, column: column? });
    }
    // What stands behind a key is its value.
    let calls = matches!(action.word(), "include" | "template" | "tpl");
    (calls && ahead.trim().is_empty()).then_some(What::Call { column })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, String, When)> {
        strays(text).into_iter().map(|it| (it.path, it.list, it.when)).collect()
    }

    #[test]
    fn items_below_another_key_are_told() {
        let at_the_end = "spec:\n  containers:\n    - name: a\n      env:\n        - name: b\n    {{- with .Values.web.extraInitContainers }}\n    {{- toYaml . | nindent 4 }}\n    {{- end }}\n";
        assert_eq!(told(at_the_end), [("web.extraInitContainers".to_owned(), "containers".to_owned(), When::Always)]);
        let with_another = "imagePullSecrets:\n{{- range .Values.a }}\n  - name: {{ . }}\n{{- end }}\n{{- with .Values.a.extraVolumes }}\nvolumes:\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n{{- with .Values.b.extraVolumes }}\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n";
        let told = told(with_another);
        let other = When::Without("a.extraVolumes".to_owned());
        assert_eq!(told, [("b.extraVolumes".to_owned(), "imagePullSecrets".to_owned(), other)]);
    }

    #[test]
    fn labels_behind_annotations_are_told() {
        let behind = "  labels:\n    {{- include \"x\" . | nindent 4 }}\n  {{- with .Values.s.annotations }}\n  annotations:\n    {{- toYaml . | nindent 4 }}\n  {{- end }}\n  {{- with .Values.s.labels -}}\n    {{- toYaml . | nindent 4 }}\n  {{- end }}\n";
        let found = |when: When| [("s.labels".to_owned(), "annotations".to_owned(), when)];
        assert_eq!(told(behind), found(When::With("s.annotations".to_owned())));
        let always = "  annotations:\n    a: b\n    {{- toYaml .Values.s.labels | nindent 4 }}\n";
        assert_eq!(told(always), found(When::Always));
        for other in [
            behind.replace("s.labels", "s.matchLabels"),
            behind.replace("{{- with .Values.s.labels -}}", "{{- with .Values.s.labels }}\n  labels: # own"),
            behind.replace("with .Values.s.annotations", "if or .Values.a .Values.b"),
            behind.replace(
                "with .Values.s.labels -}}\n    {{- toYaml .",
                "if and .Values.s.annotations .Values.s.labels }}\n    {{- toYaml .Values.s.labels",
            ),
            always.replace("a: b", "labels: # own"),
            always.replace("nindent 4", "nindent 2"),
            always.replace("annotations:", "matchLabels:"),
            always.replace("annotations:", "labels:"),
        ] {
            assert_eq!(told(&other), [], "{other}");
        }
    }

    #[test]
    fn items_below_their_own_key_are_left_alone_and_those_of_which_nobody_knows() {
        for text in [
            "volumes:\n  - a\n{{- with .Values.extraVolumes }}\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n",
            "containers:\n  - a\n{{- if or .Values.x .Values.extraVolumes }}\nvolumes:\n{{- end }}\n{{- with .Values.extraVolumes }}\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n",
            "containers:\n  - a\n{{- if .Values.x }}\nvolumes:\n{{- else }}\nvolumes:\n{{- end }}\n{{- with .Values.extraVolumes }}\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n",
            "containers:\n  - a\n{{ include \"volumes\" . }}\n{{- with .Values.extraVolumes }}\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n",
            "containers:\n  - a\n---\n{{ toYaml .Values.extraVolumes | indent 2 }}\n",
            "containers:\n{{- define \"x\" }}\n{{ toYaml .Values.extraVolumes | indent 2 }}\n{{- end }}\n",
            "containers:\n  - a\n{{- if .Values.x }}\nvolumes:\n  - b\n{{- end }}\n{{- if .Values.x }}\n{{ toYaml .Values.extraVolumes | indent 2 }}\n{{- end }}\n",
            "{{- if .Values.x }}\ninitContainers:\n{{ toYaml .Values.initContainers | indent 2 }}\n{{- else }}\ncontainers:\n{{- end }}\n",
        ] {
            assert_eq!(told(text), [], "{text}");
        }
    }
}
