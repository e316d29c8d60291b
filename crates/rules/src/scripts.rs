//! The scripts that containers run, and the files that they find in what is mounted.

use serde_json::Value;

use landfall_diag::Spot;

use crate::decoded::texts;
use crate::pods::{Container, PodTemplate};
use crate::shell::{Command, commands};
use crate::subject::{Desired, Subject};

/// A script, and where it stands.
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) spot: Spot,
}

/// A file of a delivered ConfigMap or Secret, as a container finds it.
pub(crate) struct Mounted<'a> {
    /// Whose it is.
    pub(crate) source: &'a Desired,
    /// Its key.
    pub(crate) key: String,
    /// The field that it stands in.
    pub(crate) field: String,
    pub(crate) text: String,
}

/// The script that a container gives to a shell: its field, the shell's flags, and the text.
pub(crate) fn given_script<'c>(container: &Container<'c>) -> Option<(String, String, &'c str)> {
    let mut words = words(container).into_iter().skip_while(|(_, word)| !is_shell(word)).skip(1);
    let mut flags = String::new();
    loop {
        let (field, word) = words.next()?;
        match word.strip_prefix('-') {
            Some(letters) => flags.push_str(letters),
            None if flags.contains('c') => return Some((field, flags, word)),
            None => return None,
        }
    }
}

/// The words of a container's command and arguments, each with its field.
pub(crate) fn words<'c>(container: &Container<'c>) -> Vec<(String, &'c str)> {
    let list = |list: &'static str| {
        let words = container.value[list].as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate();
        words.filter_map(move |(at, word)| Some((format!("{list}[{at}]"), word.as_str()?)))
    };
    list("command").chain(list("args")).collect()
}

/// Images whose program takes a shell's place call it `shell`.
fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash" | "shell"))
}

/// All scripts that a container runs: the one that it is given, and those that it finds in what is mounted.
pub(crate) fn scripts(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Vec<Script> {
    let mut found = Vec::new();
    let list: Vec<String> = words(container).into_iter().map(|(_, word)| word.to_owned()).collect();
    let mut files: Vec<String> = run_file(&list).map(str::to_owned).into_iter().collect();
    if let Some((field, _, text)) = given_script(container) {
        files.extend(commands(text).iter().filter_map(|it| run_file(&it.words).map(str::to_owned)));
        found.push(Script { text: text.to_owned(), spot: desired.spot_at(&format!("{}.{field}", container.path)) });
    }
    files.sort();
    files.dedup();
    for file in files {
        if let Some(it) = mounted(subject, template, container, &file) {
            found.push(Script { spot: it.source.spot_at(&it.field), text: it.text });
        }
    }
    found
}

/// The file that a command runs: its program, or what its shell is given.
fn run_file(words: &[String]) -> Option<&str> {
    let name = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
    let mut words = words.iter().skip_while(|word| matches!(&*name(word), "tini" | "dumb-init" | "--"));
    let first = words.next()?;
    let takes_file = is_shell(first) || matches!(first.as_str(), "." | "source");
    let file = if takes_file { words.find(|word| !word.starts_with('-'))? } else { first };
    file.starts_with('/').then_some(file)
}

/// The mount of a container that a path lies in, with the path as it is below it.
pub(crate) fn mount_of<'c, 'p>(container: &Container<'c>, path: &'p str) -> Option<(&'c Value, &'p str)> {
    let mounts = container.value["volumeMounts"].as_array()?.iter();
    let below = |mount: &'c Value| {
        let place = mount["mountPath"].as_str()?.trim_end_matches('/');
        let rest = path.strip_prefix(place).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some((mount, rest.trim_matches('/')))
    };
    mounts.filter_map(below).min_by_key(|(_, rest)| rest.len())
}

/// The volume that a mount shows.
pub(crate) fn volume_of<'a>(template: &PodTemplate<'a>, mount: &Value) -> Option<&'a Value> {
    template.volumes().iter().find(|it| !it["name"].is_null() && it["name"] == mount["name"])
}

/// The file that stands at a path of a container, where it is a key of a ConfigMap or Secret that is delivered.
pub(crate) fn mounted<'a>(
    subject: &Subject<'a>,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    path: &str,
) -> Option<Mounted<'a>> {
    let (mount, below) = mount_of(container, path)?;
    let volume = volume_of(template, mount)?;
    let (kind, of, name) = [("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")]
        .into_iter()
        .find_map(|(kind, field, name)| Some((kind, &volume[field], volume[field][name].as_str()?)))?;
    let part = mount["subPath"].as_str().unwrap_or_default().trim_matches('/');
    let file = match (part.is_empty(), below.is_empty()) {
        (true, false) => below,
        (false, true) => part,
        _ => return None,
    };
    let items = of["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let key = items.iter().find(|it| it["path"] == file).and_then(|it| it["key"].as_str()).unwrap_or(file);
    let source = subject.desired("", kind, template.owner.namespace(), name)?;
    let (_, text, field) = texts(&source.object).into_iter().find(|(known, ..)| *known == key)?;
    Some(Mounted { source, key: key.to_owned(), field, text })
}

/// The commands of a text that is a script for a shell; none of one that is not.
pub(crate) fn commands_of(key: &str, text: &str) -> Vec<Command> {
    let first = text.lines().next().unwrap_or_default();
    let is_script = key.ends_with(".sh") || (first.starts_with("#!") && first.contains("sh"));
    if is_script { commands(text) } else { Vec::new() }
}
