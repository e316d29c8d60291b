mod in_a_script;
mod of_a_sibling;

use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::unseen_settings::find;
use crate::decoded::texts;
use crate::pods::{Container, PodTemplate, pod_template};
use crate::rule::Rule;
use crate::scripts::{mount_of, volume_of, words};
use crate::siblings::is_of_sibling;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF181",
    title: "files that pods are told of are keys of what is mounted there",
    severity: Severity::Warning,
    why: "A ConfigMap or Secret that is mounted has a file for each of its keys and no other. A `subPath` that is no key \
          mounts an empty directory in the file's place, and a program that is told of a file beside them ends at its \
          first line, or goes on with its own defaults.",
    advice: "Name the key as it is, or add the key.",
    check,
};

/// A volume of which it is known what files it has.
struct Files<'a> {
    /// The volume's name.
    volume: &'a str,
    /// What it is made of: `ConfigMap \`web\``.
    source: String,
    /// The files, as paths below the mount.
    files: BTreeSet<String>,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let known: Vec<Files<'_>> =
            template.volumes().iter().filter_map(|volume| files(subject, &desired.object, volume)).collect();
        let old = subject.base.and_then(|base| {
            let object = &desired.object;
            pod_template(find(base, object.group(), object.kind(), object.namespace(), object.name())?)
        });
        for container in template.containers() {
            let before = old.as_ref().and_then(|old| old.containers().into_iter().find(|it| it.name == container.name));
            findings.extend(before.iter().flat_map(|before| moved_away(desired, &container, before)));
        }
        for container in template.containers() {
            findings.extend(directory_for_a_file(desired, &template, &container, &known));
            findings.extend(directory_of_another(subject, desired, &template, &container));
        }
        findings.extend(of_a_sibling::only_a_sibling_has(subject, desired, &template));
        if known.is_empty() {
            continue;
        }
        for container in template.containers() {
            findings.extend(without_key(desired, &container, &known));
            findings.extend(one_level_deeper(subject, desired, &container, &known));
            findings.extend(in_its_directorys_place(desired, &container, &known));
            findings.extend(in_a_script::at_anothers_place(subject, desired, &container, &known));
            findings.extend(told_of(desired, &template, &container, &known));
            findings.extend(within_what_cannot_be_written(desired, &container, &known));
        }
    }
    findings
}

/// Paths that a container was told of in a mount of the base, and is still told of where nothing is mounted any more.
fn moved_away(desired: &Desired, container: &Container<'_>, before: &Container<'_>) -> Vec<Finding> {
    let covers = |container: &Container<'_>, path: &str| {
        let places: Vec<String> = mounts(container)
            .filter_map(|(_, mount)| Some(mount["mountPath"].as_str()?.trim_end_matches('/').to_owned()))
            .collect();
        let is_below =
            |place: &String| path.strip_prefix(place.as_str()).is_some_and(|it| it.is_empty() || it.starts_with('/'));
        places.into_iter().filter(is_below).max_by_key(String::len)
    };
    let was_told: BTreeSet<&str> = paths(before).into_iter().map(|it| it.path).collect();
    let mut findings: Vec<Finding> = Vec::new();
    for Told { path, field, .. } in paths(container) {
        let Some(place) = covers(before, path).filter(|_| was_told.contains(path) && covers(container, path).is_none())
        else {
            continue;
        };
        findings.push(
            RULE.finding(format!(
                "container `{}` is told of `{path}`, and nothing is mounted at `{place}` any more",
                container.name
            ))
            .because("the program looks where it was told to, and finds what its image has there, or nothing")
            .help("mount the volume where it was, or tell the program of the new place")
            .at(desired.spot_at(&field)),
        );
    }
    findings.truncate(1);
    findings
}

/// Mounts of a single file that is not there.
fn without_key(desired: &Desired, container: &Container<'_>, known: &[Files<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, mount) in mounts(container) {
        let Some(sub) = mount["subPath"].as_str().map(|it| it.trim_matches('/')).filter(|it| !it.is_empty()) else {
            continue;
        };
        let Some(of) = known.iter().find(|it| mount["name"] == it.volume) else { continue };
        let below = format!("{sub}/");
        if of.files.contains(sub) || of.files.iter().any(|file| file.starts_with(&below)) {
            continue;
        }
        let finding = RULE
            .finding(format!("container `{}` mounts `{sub}` of {}, which has no such key", container.name, of.source))
            .weighing(Severity::Error)
            .because("an empty directory is mounted where the file should be")
            .at(desired.spot_at(&format!("{}.volumeMounts[{at}].subPath", container.path)));
        findings.push(named(finding, sub, &of.files));
    }
    findings
}

/// Mounts at a file's own place that are directories, in which the file lies under its name once more.
fn one_level_deeper(
    subject: &Subject<'_>,
    desired: &Desired,
    container: &Container<'_>,
    known: &[Files<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, mount) in mounts(container) {
        let Some(place) = mount["mountPath"].as_str().map(|it| it.trim_end_matches('/')) else { continue };
        let file = place.rsplit('/').next().unwrap_or(place);
        let Some(of) = known.iter().find(|it| mount["name"] == it.volume && it.files.contains(file)) else { continue };
        // A directory may bear the name of what lies in it, but seldom with an ending.
        if !is_whole(mount) || !file.contains('.') || is_named(subject, desired, &format!("{place}/{file}")) {
            continue;
        }
        findings.push(
            RULE.finding(format!("container `{}` mounts the whole of {} at `{place}`", container.name, of.source))
                .because(format!("a directory stands there, and the file is `{place}/{file}`"))
                .help(format!("mount it with `subPath: {file}`, or in the directory above"))
                .at(desired.spot_at(&format!("{}.volumeMounts[{at}].mountPath", container.path))),
        );
    }
    findings
}

/// Whether anything that is delivered, or a file of the chart, names a path: then it is meant as it is.
fn is_named(subject: &Subject<'_>, desired: &Desired, path: &str) -> bool {
    let in_object = |it: &Desired| {
        it.object.value().to_string().contains(path) || texts(&it.object).iter().any(|(_, text, _)| text.contains(path))
    };
    let charts = subject.unit(&desired.unit).into_iter().flat_map(|unit| &unit.rendered.charts);
    let parts = charts.flat_map(|it| it.processed.with_parts());
    subject.objects().any(in_object) || parts.flat_map(|it| it.files.iter()).any(|file| file.text().contains(path))
}

/// Single files that are mounted in the place of the directory in which the container's own command looks for them.
fn in_its_directorys_place(desired: &Desired, container: &Container<'_>, known: &[Files<'_>]) -> Vec<Finding> {
    let has_ending =
        |file: &str| file.rsplit_once('.').is_some_and(|(name, _)| !name.is_empty()) && !file.contains('/');
    let told = words(container);
    let mut findings = Vec::new();
    for (at, mount) in mounts(container) {
        let Some(place) = mount["mountPath"].as_str().map(|it| it.trim_end_matches('/')) else { continue };
        let part = mount["subPath"].as_str().map(|it| it.trim_matches('/'));
        let Some(file) = part.filter(|file| has_ending(file)) else { continue };
        let is_key = known.iter().any(|it| mount["name"] == it.volume && it.files.contains(file));
        let meant = format!("{place}/{file}");
        let is_asked_for = || told.iter().any(|(_, word)| has_path(word, &meant));
        // The file may be mounted there a second time.
        let is_here = || mount_of(container, &meant).is_some_and(|(_, below)| below == file);
        if !is_key || place.rsplit('/').next().is_none_or(|it| it.contains('.')) || !is_asked_for() || !is_here() {
            continue;
        }
        findings.push(
            RULE.finding(format!(
                "container `{}` mounts the file `{file}` at `{place}`, and its command asks for `{meant}`",
                container.name
            ))
            .because("a file stands in the place of the directory, and nothing is in it")
            .help(format!("mount it at `{meant}`"))
            .at(desired.spot_at(&format!("{}.volumeMounts[{at}].mountPath", container.path))),
        );
    }
    findings
}

/// Whether a mount shows all of its volume.
fn is_whole(mount: &Value) -> bool {
    ["subPath", "subPathExpr"].iter().all(|part| mount[*part].as_str().is_none_or(str::is_empty))
}

/// Whether a text has a path as a word of its own, and not as a part of a longer one.
fn has_path(text: &str, path: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "._-/".contains(it);
    text.match_indices(path)
        .any(|(at, found)| !text[..at].ends_with(is_part) && !text[at + found.len()..].starts_with(is_part))
}

/// Options that want a file and are given the directory that a ConfigMap or Secret is mounted at, whoever delivers
/// that.
fn directory_for_a_file(
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    known: &[Files<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Told { path, field, is_file, of } in paths(container) {
        let Some((mount, "")) = mount_of(container, path).filter(|_| is_file) else { continue };
        let Some(volume) = volume_of(template, mount) else { continue };
        let is_whole = ["subPath", "subPathExpr"].iter().all(|part| mount[*part].as_str().is_none_or(str::is_empty));
        let is_settings = ["configMap", "secret", "projected"].iter().any(|it| volume[*it].is_object());
        // What is called as a file is told of elsewhere.
        let is_told = is_called_as_a_file(path) && known.iter().any(|it| mount["name"] == it.volume);
        if !is_whole || !is_settings || is_told {
            continue;
        }
        findings.push(
            RULE.finding(format!("container `{}` gives `{of}` the directory `{path}`, not a file", container.name))
                .because(format!("a whole volume is mounted there, so {}", consequence(template)))
                .help(format!("name the file in there: `{path}/KEY`"))
                .at(desired.spot_at(&field)),
        );
    }
    findings
}

/// Programs that others are built upon, and whose directories are found in many an image.
const BUILT_UPON: &[&str] = &[
    "nginx",
    "apache",
    "apache2",
    "httpd",
    "php",
    "caddy",
    "haproxy",
    "envoy",
    "traefik",
    "prometheus",
    "grafana",
    "redis",
    "mysql",
    "mariadb",
    "postgresql",
    "telegraf",
    "fluent-bit",
    "fluentd",
    "vector",
    "java",
    "tomcat",
    "ssl",
    "certs",
    "config",
];

/// Settings of a chart that are mounted at the directory of another chart's program (`/etc/OTHER`): copied with it,
/// and not changed.
fn directory_of_another(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Option<Finding> {
    let (at, place, map) = mounts(container).find_map(|(at, mount)| {
        let place = mount["mountPath"].as_str()?.trim_end_matches('/');
        let name = place.strip_prefix("/etc/").filter(|it| !it.contains('/') && !BUILT_UPON.contains(it))?;
        let map = volume_of(template, mount)?["configMap"]["name"].as_str()?;
        subject.desired("", "ConfigMap", desired.object.namespace(), map)?;
        (!speaks_of(subject, desired, container, name) && is_of_sibling(subject, name)).then_some((at, place, map))
    })?;
    let name = place.trim_start_matches("/etc/");
    Some(
        RULE.finding(format!("container `{}` mounts ConfigMap `{map}` at `{place}`", container.name))
            .weighing(Severity::Info)
            .because(format!("`{name}` is another chart of this repository, and nothing here speaks of it"))
            .help("mount the settings where the program of this chart looks for them")
            .at(desired.spot_at(&format!("{}.volumeMounts[{at}].mountPath", container.path))),
    )
}

/// Whether a container has to do with a program: it, its image or its chart is called so in part, or it is told of it.
fn speaks_of(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>, program: &str) -> bool {
    let unit = subject.unit(&desired.unit);
    let charts = unit.into_iter().flat_map(|unit| &unit.rendered.charts).map(|it| it.chart.as_str());
    let names: Vec<&str> = charts.chain([container.name, container.image(), desired.object.name()]).collect();
    let is_named = |word: &str| word.len() > 2 && names.iter().any(|name| name.contains(word));
    let words = ["command", "args"].into_iter().flat_map(|list| container.value[list].as_array().into_iter().flatten());
    let variables = container.env().map(|(_, _, it)| &it["value"]);
    let is_told = words.chain(variables).filter_map(Value::as_str).any(|word| word.contains(program));
    is_told || program.split('-').any(is_named)
}

/// Files below a mount that a container is told of and that are not there.
fn told_of(
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    known: &[Files<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Told { path, field, is_file, .. } in paths(container) {
        let covering = mounts(container)
            .filter_map(|(_, mount)| Some((mount["mountPath"].as_str()?.trim_end_matches('/'), mount)))
            .filter(|(place, _)| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
            .max_by_key(|(place, _)| place.len());
        let Some((place, mount)) = covering else {
            findings.extend(beside(desired, container, known, path, &field));
            continue;
        };
        let of_part =
            ["subPath", "subPathExpr"].iter().any(|part| mount[*part].as_str().is_some_and(|it| !it.is_empty()));
        let file = path[place.len()..].trim_matches('/');
        let is_whole = known.iter().find(|it| mount["name"] == it.volume).filter(|_| !of_part && file.is_empty());
        if let Some(of) = is_whole.filter(|_| is_called_as_a_file(path)) {
            findings.push(
                RULE.finding(format!(
                    "container `{}` is told of the file `{path}`, and the whole of {} is mounted there",
                    container.name, of.source
                ))
                .because(format!("a directory stands there, so {}", consequence(template)))
                .help(match of.files.iter().next() {
                    Some(first) => format!("tell it of a file in there: `{path}/{first}`"),
                    None => "mount the file with `subPath`".to_owned(),
                })
                .at(desired.spot_at(&field)),
            );
            continue;
        }
        let Some(of) = known.iter().find(|it| mount["name"] == it.volume).filter(|_| !of_part && !file.is_empty())
        else {
            continue;
        };
        let below = format!("{file}/");
        let is_there = of.files.contains(file) || of.files.iter().any(|known| known.starts_with(&below));
        // What a program writes beside its settings it has to write elsewhere; a name without an ending may be a prefix, unless
        // who asks for it says that it is a file.
        let is_meant = || {
            is_file || file.contains('.') || landfall_diag::nearest(file, of.files.iter().map(String::as_str)).is_some()
        };
        if is_there || !is_meant() {
            continue;
        }
        let finding = RULE
            .finding(format!(
                "container `{}` is told of `{path}`, and {} that is mounted there has no key `{file}`",
                container.name, of.source
            ))
            .because(format!("the file is not there, so {}", consequence(template)))
            .at(desired.spot_at(&field));
        findings.push(named(finding, file, &of.files));
    }
    findings
}

/// Whether a path ends as files of settings do.
fn is_called_as_a_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    matches!(
        ending,
        "ini"
            | "yaml"
            | "yml"
            | "json"
            | "conf"
            | "cfg"
            | "cnf"
            | "toml"
            | "properties"
            | "xml"
            | "env"
            | "pem"
            | "crt"
            | "key"
    )
}

/// A single file that is mounted into the directory of a ConfigMap or Secret, which has none of its name and cannot be written.
fn within_what_cannot_be_written(desired: &Desired, container: &Container<'_>, known: &[Files<'_>]) -> Vec<Finding> {
    let has_part = |mount: &Value| {
        ["subPath", "subPathExpr"].iter().any(|part| mount[*part].as_str().is_some_and(|it| !it.is_empty()))
    };
    let place = |mount: &'_ Value| mount["mountPath"].as_str().map(|it| it.trim_end_matches('/').to_owned());
    let mut findings = Vec::new();
    for (at, mount) in mounts(container).filter(|(_, mount)| has_part(mount)) {
        let Some(inner) = place(mount) else { continue };
        let around = mounts(container).filter(|(_, it)| !has_part(it)).find_map(|(_, it)| {
            let outer = place(it)?;
            let file = inner.strip_prefix(&format!("{outer}/"))?.to_owned();
            let of = known.iter().find(|of| it["name"] == of.volume && mount["name"] != of.volume)?;
            (!of.files.contains(&file)).then_some((outer, of))
        });
        let Some((outer, of)) = around else { continue };
        findings.push(
            RULE.finding(format!("container `{}` mounts `{inner}` into {}, which is mounted at `{outer}`", container.name, of.source))
                .because("what a ConfigMap or Secret is mounted as cannot be written, so there is no place for the file and the container is not started")
                .help("mount the file elsewhere, or both as parts of one `projected` volume")
                .at(desired.spot_at(&format!("{}.volumeMounts[{at}].mountPath", container.path))),
        );
    }
    findings
}

/// A file that no mount covers, while a whole volume with a key of its name is mounted in a directory beside it.
fn beside(
    desired: &Desired,
    container: &Container<'_>,
    known: &[Files<'_>],
    path: &str,
    field: &str,
) -> Option<Finding> {
    let (folder, file) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty())?;
    let (place, of) = mounts(container).find_map(|(_, mount)| {
        let place = mount["mountPath"].as_str()?.trim_end_matches('/');
        let whole = ["subPath", "subPathExpr"].iter().all(|part| mount[*part].as_str().is_none_or(str::is_empty));
        let is_beside = place.rsplit_once('/').is_some_and(|(above, name)| above == folder && file.starts_with(name));
        let of = known.iter().find(|it| mount["name"] == it.volume && it.files.contains(file))?;
        (whole && is_beside).then_some((place, of))
    })?;
    Some(
        RULE.finding(format!(
            "container `{}` is told of `{path}`, and {} has it in `{place}/`",
            container.name, of.source
        ))
        .because(format!("the file is `{place}/{file}`"))
        .help(format!("mount it with `subPath: {file}`, or say where it is"))
        .at(desired.spot_at(field)),
    )
}

fn consequence(template: &PodTemplate<'_>) -> &'static str {
    if matches!(template.owner.kind(), "Job" | "CronJob") {
        "the job fails, or does its work without its settings"
    } else {
        "the program ends, or runs without its settings"
    }
}

fn named(finding: Finding, wanted: &str, files: &BTreeSet<String>) -> Finding {
    match landfall_diag::nearest(wanted, files.iter().map(String::as_str)) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => {
            let some: Vec<&str> = files.iter().take(5).map(String::as_str).collect();
            finding.help(format!("its keys are {}", some.join(", ")))
        }
    }
}

/// The files of a volume, where all that it is made of is delivered.
fn files<'a>(subject: &Subject<'_>, owner: &Object, volume: &'a Value) -> Option<Files<'a>> {
    let name = volume["name"].as_str()?;
    let projected = volume.pointer("/projected/sources").and_then(Value::as_array);
    let mut found = Files { volume: name, source: String::new(), files: BTreeSet::new() };
    let mut add = |source: &Value| -> Option<()> {
        let (kind, of, name) = [("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")]
            .into_iter()
            .find_map(|(kind, field, name)| {
                let of = source.get(field).filter(|it| !it.is_null())?;
                Some((kind, of, of[name].as_str().or(of["name"].as_str())?))
            })?;
        if found.source.is_empty() {
            found.source = format!("{kind} `{name}`");
        } else {
            found.source.push_str(&format!(" and {kind} `{name}`"));
        }
        let items = of["items"].as_array().filter(|items| !items.is_empty());
        if let Some(items) = items {
            found.files.extend(items.iter().filter_map(|item| item["path"].as_str()).map(str::to_owned));
            return Some(());
        }
        let object = &subject.desired("", kind, owner.namespace(), name)?.object;
        let maps = ["/data", "/stringData", "/binaryData"].iter().filter_map(|map| object.at(map)?.as_object());
        let keys: Vec<String> = maps.flat_map(|map| map.keys().cloned()).collect();
        // One that is delivered empty is filled by somebody.
        if keys.is_empty() || of["optional"] == true {
            return None;
        }
        found.files.extend(keys);
        Some(())
    };
    match projected {
        Some(sources) => sources.iter().try_for_each(add)?,
        None => add(volume)?,
    }
    Some(found)
}

fn mounts<'a>(container: &Container<'a>) -> impl Iterator<Item = (usize, &'a Value)> + use<'a> {
    container.value["volumeMounts"].as_array().into_iter().flatten().enumerate()
}

/// A path that a container is told of.
struct Told<'a> {
    path: &'a str,
    field: String,
    /// Whether it is given as a file's: to a variable `…_FILE`, or an option `--…-file`.
    is_file: bool,
    /// The variable or option that it is given to; empty where it stands alone.
    of: &'a str,
}

/// The paths of single files that stand in a container's variables, command and arguments, each with its field.
fn paths<'a>(container: &Container<'a>) -> Vec<Told<'a>> {
    let mut found: Vec<Told<'a>> = Vec::new();
    let asks_for_file = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.ends_with("-file") || name.ends_with("_file")
    };
    let mut add = |text: &'a str, field: String, asked_by: Option<&'a str>| {
        // A script may ask first whether a file is there.
        if text.contains(char::is_whitespace) {
            return;
        }
        let edge = |letter: char| matches!(letter, '=' | ',' | '"' | '\'' | ';');
        let asked_by = asked_by.or_else(|| text.split_once('=').map(|(option, _)| option));
        let is_file = asked_by.is_some_and(asks_for_file);
        let of = asked_by.unwrap_or_default();
        for word in text.split(edge).map(|word| word.strip_prefix("file://").unwrap_or(word)) {
            let is_path = word.starts_with('/')
                && !word.ends_with('/')
                && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
            if is_path {
                found.push(Told { path: word, field: field.clone(), is_file, of });
            }
        }
    };
    for (at, _, variable) in container.env() {
        if let Some(text) = variable["value"].as_str() {
            let name = variable["name"].as_str().filter(|it| asks_for_file(it));
            add(text, format!("{}.env[{at}].value", container.path), name);
        }
    }
    for list in ["command", "args"] {
        let words = container.value[list].as_array().into_iter().flatten().enumerate();
        let mut before = "";
        for (at, text) in words.filter_map(|(at, word)| Some((at, word.as_str()?))) {
            let option = Some(before).filter(|it| it.starts_with('-') && asks_for_file(it));
            add(text, format!("{}.{list}[{at}]", container.path), option);
            before = text;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_word_of_its_own() {
        for text in ["sh /scripts/a.sh && web", "/scripts/a.sh", "--run=/scripts/a.sh", "\"/scripts/a.sh\""] {
            assert!(has_path(text, "/scripts/a.sh"), "{text}");
        }
        for text in ["/srv/scripts/a.sh", "/scripts/a.sh.old", "/scripts/b.sh"] {
            assert!(!has_path(text, "/scripts/a.sh"), "{text}");
        }
    }
}
