use landfall_diag::{Finding, Severity};

use super::value_that_prints_nothing::{Dot, moved, operand};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, delivered_texts, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF376",
    title: "what is called after a list of the pod is printed into that list",
    severity: Severity::Warning,
    why: "Items do not say of which list they are: they belong to the key above them. `extraInitContainers` at the end of \
          `containers:` never end and are started again for ever; `extraVolumes` behind a block that brings `volumes:` along under \
          another setting become pull secrets, or whatever list stands there, and the volume is missing.",
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

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for stray in strays(&text.text) {
            let Stray { at, path, list, meant, without } = stray;
            let place = text.place(at);
            let finding = match &without {
                Some(other) => RULE
                    .finding(format!("`{path}` is printed into `{list}` where `{other}` is not set"))
                    .because(format!("`{meant}:` stands above it only where `{other}` is set")),
                None => RULE
                    .finding(format!("`{path}` is printed into `{list}`"))
                    .because(format!("the key above it is `{list}:`, and its name is that of `{meant}`")),
            };
            findings.push(finding.keyed(format!("{} {path} {list}", place.file)).at(spot(place)));
        }
    }
    findings
}

/// Items that are printed into another list than the one they are called after.
#[derive(Debug)]
struct Stray {
    at: usize,
    /// The value: `web.extraVolumes`.
    path: String,
    /// The list that they go into, and the one that is meant.
    list: String,
    meant: &'static str,
    /// The value without which the list that is meant has no key there.
    without: Option<String>,
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

/// The items of a template that go into another list than the one that they are called after.
fn strays(text: &str) -> Vec<Stray> {
    let events = events(text);
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let What::Items { path, column } = &event.what else { continue };
        let name = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let Some((_, meant)) = MEANT.iter().find(|(ending, _)| name.ends_with(ending)) else { continue };
        let Some((list, without)) = above(&events[..at], event, path, *column, meant) else { continue };
        if list != *meant && LISTS.contains(&list) {
            found.push(Stray { at: event.at, path: path.clone(), list: list.to_owned(), meant, without });
        }
    }
    found
}

/// The key that items stand below, and the value without which it is that one; none where it cannot be told.
fn above<'t>(
    before: &[Event<'t>],
    items: &Event<'t>,
    path: &str,
    column: usize,
    meant: &str,
) -> Option<(&'t str, Option<String>)> {
    let mut without = None;
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
            What::Key { name, column: of } if *of <= column => {
                let Some(closed) = closed else { return Some((*name, without)) };
                // What is asked for there must be something else, and not asked for around the items.
                let other = closed.asks_for().filter(|other| !path.starts_with(other.as_str()))?;
                let mut around = items.within.iter();
                if *name != meant || around.any(|it| it.head.contains(&format!(".Values.{other}"))) {
                    return None;
                }
                without = Some(other);
            }
            _ => {}
        }
    }
    None
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
    let own = text[..action.start].rfind('\n').map_or(0, |at| at + 1);
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

    fn told(text: &str) -> Vec<(String, String, Option<String>)> {
        strays(text).into_iter().map(|it| (it.path, it.list, it.without)).collect()
    }

    #[test]
    fn items_below_another_key_are_told() {
        let at_the_end = "spec:\n  containers:\n    - name: a\n      env:\n        - name: b\n    {{- with .Values.web.extraInitContainers }}\n    {{- toYaml . | nindent 4 }}\n    {{- end }}\n";
        assert_eq!(told(at_the_end), [("web.extraInitContainers".to_owned(), "containers".to_owned(), None)]);
        let with_another = "imagePullSecrets:\n{{- range .Values.a }}\n  - name: {{ . }}\n{{- end }}\n{{- with .Values.a.extraVolumes }}\nvolumes:\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n{{- with .Values.b.extraVolumes }}\n  {{- toYaml . | nindent 2 }}\n{{- end }}\n";
        let told = told(with_another);
        let other = Some("a.extraVolumes".to_owned());
        assert_eq!(told, [("b.extraVolumes".to_owned(), "imagePullSecrets".to_owned(), other)]);
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
