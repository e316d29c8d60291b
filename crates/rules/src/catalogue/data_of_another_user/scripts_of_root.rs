//! Files of ConfigMaps and Secrets that their owner alone may run, which is root, in pods that are not root's.

use landfall_diag::Finding;
use serde_json::Value;

use super::{RULE, mounts, number, user};
use crate::decoded::text_of;
use crate::pods::{Container, PodTemplate};
use crate::scripts::{given_script, words};
use crate::shell::commands;
use crate::subject::{Desired, Subject};

/// A file that a volume brings.
struct Brought {
    name: String,
    mode: u64,
    /// The field that gives it its mode.
    field: String,
    /// Whether it says or shows that it is one to run.
    is_script: bool,
}

/// Kinds that a volume shows: the field, and where the name stands in a volume and in a source of several.
const SOURCES: &[(&str, &str, &str, &str)] =
    &[("configMap", "ConfigMap", "name", "name"), ("secret", "Secret", "secretName", "name")];

/// How the names of files end that are run.
const ENDINGS: &[&str] = &[".sh", ".bash", ".py", ".pl", ".rb"];

/// The volumes of a pod with files that root alone may run.
pub(super) fn of_pod(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let containers = template.containers();
    for (at, volume) in template.volumes().iter().enumerate() {
        let Some(name) = volume["name"].as_str() else { continue };
        let path = format!("{}.volumes[{at}]", template.path);
        let mut files: Vec<Brought> =
            sources(volume, &path).iter().flat_map(|it| brought(subject, template, it)).collect();
        files.retain(|file| is_of_owner(file.mode));
        let hindered = |it: &Container<'_>| not_run(template, it, name, &files).map(|file| (it.name.to_owned(), file));
        let Some((who, file)) = containers.iter().find_map(hindered) else { continue };
        findings.push(
            RULE.finding(format!(
                "container `{who}` may not run what volume `{name}` brings with mode {:04o}",
                file.mode
            ))
            .because("files of ConfigMaps and Secrets are root's; an fsGroup lets its group read them, and no more")
            .help("let all run them: `defaultMode: 0755`")
            .at(desired.spot_at(&file.field)),
        );
    }
    findings
}

/// Whether a mode lets the owner run a file, and others not.
fn is_of_owner(mode: u64) -> bool {
    mode & 0o100 != 0 && mode & 0o001 == 0
}

/// The first file of a volume that a container is to run, as far as that is seen, and may not.
fn not_run<'f>(
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    volume: &str,
    files: &'f [Brought],
) -> Option<&'f Brought> {
    if files.is_empty() || !is_of_another(template, container) {
        return None;
    }
    let is_of_group = may_be_of_group(template, container);
    let may_not = |file: &Brought| !is_of_group || file.mode & 0o010 == 0;
    let mut shown = mounts(container).iter().filter(|mount| mount["name"] == volume);
    shown.find_map(|mount| {
        let place = mount["mountPath"].as_str()?.trim_end_matches('/');
        // Images that start so read in what they may not run.
        if place.is_empty() || place.contains("entrypoint") || place.contains("initdb") {
            return None;
        }
        let part = mount["subPath"].as_str();
        let is_shown = |file: &Brought| part.is_none_or(|part| part == file.name || file.name.is_empty());
        // What is named otherwise is handed to a shell, or copied.
        let is_run = runs(container, place);
        let is_named = said(container).iter().any(|it| it.contains(place));
        files.iter().find(|it| is_shown(it) && may_not(it) && (is_run || (it.is_script && !is_named)))
    })
}

/// Whether a container may be of the files' group: its pod's own, or root's, of which those are of whom no group is known.
fn may_be_of_group(template: &PodTemplate<'_>, container: &Container<'_>) -> bool {
    let group = number(container.value, "runAsGroup").or_else(|| number(template.spec, "runAsGroup"));
    number(template.spec, "fsGroup").is_some() || group.is_none_or(|group| group == 0)
}

/// Whether a container runs as somebody who is known not to be root.
fn is_of_another(template: &PodTemplate<'_>, container: &Container<'_>) -> bool {
    let denies = |spec: &Value| spec["securityContext"]["runAsNonRoot"].as_bool();
    match user(template, container) {
        Some(user) => user != 0,
        None => denies(container.value).or_else(|| denies(template.spec)).unwrap_or_default(),
    }
}

/// All texts that a container is given, those of its probes and hooks among them.
fn said(container: &Container<'_>) -> Vec<String> {
    let fields = ["command", "args", "env", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe"];
    fields.iter().map(|field| container.value[*field].to_string()).collect()
}

/// Whether a container's program, or a command of its script, is a file below a path.
fn runs(container: &Container<'_>, place: &str) -> bool {
    let is_below = |word: &str| word.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let all = words(container);
    let first = all.iter().map(|(_, word)| *word).find(|word| !matches!(*word, "--" | "tini" | "/tini" | "dumb-init"));
    let script = given_script(container).map(|(_, _, script)| commands(script)).unwrap_or_default();
    first.is_some_and(is_below) || script.iter().any(|it| it.words.first().is_some_and(|word| is_below(word)))
}

/// The ConfigMap or Secret that a volume shows, or one of several.
struct Source<'v> {
    kind: &'static str,
    name: &'v str,
    /// The files that are chosen, where not all are.
    items: &'v [Value],
    /// Where it stands.
    path: String,
    /// The mode of files that have none of their own.
    mode: u64,
    /// The field that says it.
    mode_at: String,
}

/// The ConfigMaps and Secrets of a volume.
fn sources<'v>(volume: &'v Value, path: &str) -> Vec<Source<'v>> {
    let mut found = Vec::new();
    for (field, kind, own, shared) in SOURCES.iter().copied() {
        let of = |source: &'v Value, name: &str, path: String, (default, above): (&Value, &str)| {
            let items = source["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let mode = default.as_u64().unwrap_or(0o644);
            Some(Source {
                kind,
                name: source[name].as_str()?,
                items,
                path,
                mode,
                mode_at: format!("{above}.defaultMode"),
            })
        };
        let above = format!("{path}.{field}");
        let source = &volume[field];
        found.extend(of(source, own, above.clone(), (&source["defaultMode"], above.as_str())));
        let (projected, above) = (&volume["projected"], format!("{path}.projected"));
        for (at, source) in projected["sources"].as_array().into_iter().flatten().enumerate() {
            let below = format!("{above}.sources[{at}].{field}");
            found.extend(of(&source[field], shared, below, (&projected["defaultMode"], above.as_str())));
        }
    }
    found
}

/// The files of a source, as far as they are seen; one without a name where they are not.
fn brought(subject: &Subject<'_>, template: &PodTemplate<'_>, source: &Source<'_>) -> Vec<Brought> {
    let kept = subject.desired("", source.kind, template.owner.namespace(), source.name).map(|it| &it.object);
    let file = |key: &str, name: &str, mode: Option<(u64, String)>| {
        let begins = kept.and_then(|it| text_of(it, key)).is_some_and(|text| text.starts_with("#!"));
        let is_script = begins || ENDINGS.iter().any(|ending| name.ends_with(ending));
        let (mode, field) = mode.unwrap_or_else(|| (source.mode, source.mode_at.clone()));
        Brought { name: name.to_owned(), mode, field, is_script }
    };
    let chosen = source.items.iter().enumerate().filter_map(|(at, item)| {
        let mode = item["mode"].as_u64().map(|mode| (mode, format!("{}.items[{at}].mode", source.path)));
        Some(file(item["key"].as_str()?, item["path"].as_str()?, mode))
    });
    let mut found: Vec<Brought> = chosen.collect();
    if !source.items.is_empty() {
        return found;
    }
    let maps = ["/data", "/stringData", "/binaryData"].into_iter();
    let maps = maps.filter_map(|map| kept.and_then(|it| it.at(map)).and_then(Value::as_object));
    found.extend(maps.flat_map(|map| map.keys()).map(|key| file(key, key, None)));
    if kept.is_none() {
        found.push(file("", "", None));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pods::ContainerRole;

    #[test]
    fn a_mode_may_leave_out_all_but_root() {
        assert!(is_of_owner(0o744) && is_of_owner(0o710));
        assert!(!is_of_owner(0o755) && !is_of_owner(0o644) && !is_of_owner(0o411));
    }

    #[test]
    fn sources_are_found_with_the_modes_of_their_files() {
        let volume = json!({"name": "a", "configMap": {"name": "b", "defaultMode": 484}});
        let found = sources(&volume, "v");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name, found[0].mode, &*found[0].mode_at), ("b", 0o744, "v.configMap.defaultMode"));
        let volume = json!({"projected": {"sources": [{"secret": {"name": "b"}}, {"configMap": {"name": "c"}}]}});
        let found = sources(&volume, "v");
        assert_eq!(found.iter().map(|it| (it.name, it.mode)).collect::<Vec<_>>(), [("c", 0o644), ("b", 0o644)]);
        assert_eq!(found[1].path, "v.projected.sources[0].secret");
    }

    #[test]
    fn a_file_is_run_where_a_command_begins_with_it() {
        for (value, is_run) in [
            (json!({"command": ["/hooks/a.sh"]}), true),
            (json!({"command": ["sh", "-c", "cd / && /hooks/a.sh b"]}), true),
            (json!({"command": ["sh", "-c", "sh /hooks/a.sh; . /hooks/b"]}), false),
            (json!({"command": ["sh", "/hooks/a.sh"]}), false),
            (json!({"command": ["/hooksmith"]}), false),
            (json!({}), false),
        ] {
            let container = Container { name: "", path: String::new(), role: ContainerRole::Main, value: &value };
            assert_eq!(runs(&container, "/hooks"), is_run, "{value}");
        }
    }
}
