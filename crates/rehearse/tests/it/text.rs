//! Mutations of a scene's files as texts: they apply to systems and to faults that lie in a template's own words, too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::fixture::{Files, Scene};
use crate::mutation::{Mutated, is_chart, names_of, quiet, replace_all, whole_words, word};

fn each_tree(scene: &Scene, change: impl Fn(&Files) -> Files) -> Scene {
    Scene { files: change(&scene.files), base: scene.base.as_ref().map(&change), ..scene.clone() }
}

pub(crate) fn is_template(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.split('/').any(|part| part == "templates") && !name.starts_with('_') && name.ends_with(".yaml")
}

pub(crate) fn files_renamed(scene: &Scene) -> Scene {
    each_tree(scene, |files| {
        let rename = |(index, (path, text)): (usize, (&String, &String))| {
            let path = match path.rsplit_once('/') {
                Some((folder, _)) if is_template(path) => format!("{folder}/{}.yaml", word(index as u64 + 90)),
                _ => path.clone(),
            };
            (path, text.clone())
        };
        files.iter().enumerate().map(rename).collect()
    })
}

pub(crate) fn files_merged(scene: &Scene) -> Scene {
    each_tree(scene, |files| {
        let mut rest: Files =
            files.iter().filter(|(path, _)| !is_template(path)).map(|(a, b)| (a.clone(), b.clone())).collect();
        for (folder, templates) in by_folder(files) {
            let texts: Vec<&str> = templates.iter().map(|path| files[path].as_str()).collect();
            rest.insert(format!("{folder}/all.yaml"), texts.join("\n---\n"));
        }
        rest
    })
}

/// The folders of templates, with what lies in them.
fn by_folder(files: &Files) -> BTreeMap<String, Vec<String>> {
    let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files.keys().filter(|path| is_template(path)) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        folders.entry(folder.to_owned()).or_default().push(path.clone());
    }
    folders
}

/// Each template's text in a helper, and a template that includes it.
pub(crate) fn through_a_helper(scene: &Scene) -> Scene {
    each_tree(scene, |files| {
        let mut moved = files.clone();
        for (folder, templates) in by_folder(files) {
            let mut helpers = String::new();
            for (at, path) in templates.iter().enumerate().filter(|(_, path)| !files[*path].contains("define ")) {
                helpers.push_str(&format!("{{{{- define \"moved.{at}\" }}}}{}{{{{ end }}}}\n", files[path]));
                moved.insert(path.clone(), format!("{{{{ include \"moved.{at}\" . }}}}\n"));
            }
            if !helpers.is_empty() {
                moved.insert(format!("{folder}/_moved.tpl"), helpers);
            }
        }
        moved
    })
}

/// Each template in a branch that is always taken.
pub(crate) fn behind_a_condition(scene: &Scene) -> Scene {
    each_tree(scene, |files| {
        let wrap = |(path, text): (&String, &String)| {
            let wraps = is_template(path) && !text.contains("define ");
            let text = if wraps { format!("{{{{ if not false }}}}{text}{{{{ end }}}}\n") } else { text.clone() };
            (path.clone(), text)
        };
        files.iter().map(wrap).collect()
    })
}

/// Whether a file says what somebody wants: values, or the project file.
fn is_settings(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path == "landfall.yaml" || (name.starts_with("values") && name.ends_with(".yaml"))
}

/// The sections of values and of the project file in the opposite order.
pub(crate) fn settings_reversed(scene: &Scene) -> Scene {
    each_setting(scene, |text| {
        let mut sections: Vec<String> = Vec::new();
        for line in text.lines() {
            let begins = line.starts_with(|first: char| first.is_ascii_alphanumeric() || "\"'".contains(first));
            if begins || sections.is_empty() {
                sections.push(String::new());
            }
            let last = sections.last_mut().expect("one was pushed");
            last.push_str(line);
            last.push('\n');
        }
        sections.reverse();
        sections.concat()
    })
}

/// Values and the project file as JSON, which YAML contains.
pub(crate) fn settings_in_flow_style(scene: &Scene) -> Scene {
    each_setting(scene, |text| match landfall_yaml::to_json(text) {
        Ok(value) if value.is_object() => format!("{value:#}\n"),
        _ => text.to_owned(),
    })
}

fn each_setting(scene: &Scene, change: impl Fn(&str) -> String) -> Scene {
    each_tree(scene, |files| {
        let write = |(path, text): (&String, &String)| {
            let text = if is_settings(path) { change(text) } else { text.clone() };
            (path.clone(), text)
        };
        files.iter().map(write).collect()
    })
}

/// Objects of which no rule has anything to say, in a template of their own beside the others.
pub(crate) fn neighbours(scene: &Scene) -> Scene {
    each_tree(scene, |files| {
        let mut more = files.clone();
        for (at, folder) in by_folder(files).into_keys().enumerate() {
            let (name, container) = (word(at as u64 + 500), quiet("neighbour"));
            let labels = json!({"app.kubernetes.io/name": name});
            let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
                "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}});
            let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                "data": {"LEVEL": "info"}});
            more.insert(format!("{folder}/neighbours.yaml"), format!("{workload}\n---\n{settings}\n"));
        }
        more
    })
}

/// Names of objects replaced wherever files write them: in templates, values, the project file, paths and commits.
pub(crate) fn renamed(scene: &Scene) -> Mutated {
    let trees: Vec<&Files> = std::iter::once(&scene.files).chain(&scene.base).collect();
    let mut names = BTreeSet::new();
    let mut words = BTreeSet::new();
    let mut releases = BTreeSet::from([scene.namespace.clone()]);
    let live = scene.inventory();
    for files in &trees {
        for unit in scene.units(files, &live).ok()? {
            releases.extend([unit.name.clone(), unit.namespace.clone()]);
            for object in unit.rendered.all_objects() {
                names_of(object.value(), &mut names);
                words_of(object.value(), "", &mut words);
            }
        }
    }
    for object in &scene.live {
        names_of(object, &mut names);
        words_of(object, "", &mut words);
    }
    words_of(&scene.declares, "", &mut words);
    for (_, text) in trees.iter().flat_map(|files| files.iter()).filter(|(path, _)| is_settings(path)) {
        words_of(&landfall_yaml::to_json(text).unwrap_or_default(), "", &mut words);
    }
    // A name that is put together, or that is a word of a schema as well, cannot be replaced in a text.
    let together =
        |name: &str| releases.iter().any(|release| name == release || name.starts_with(&format!("{release}-")));
    let written = |name: &str| {
        let mut texts = trees.iter().flat_map(|files| files.values());
        texts.any(|text| whole_words(text, name, "") != *text)
    };
    let names: BTreeMap<String, String> = names
        .into_iter()
        .filter(|name| !together(name) && !words.contains(name) && written(name))
        .enumerate()
        .map(|(at, name)| {
            let new = word(at as u64 + 7000);
            let shouts = name.chars().any(|c| c.is_ascii_uppercase());
            let new = if shouts { new.to_uppercase() } else { new };
            // How a file's name ends says what is in it.
            let ending = name.split_once('.').map(|(_, ending)| format!(".{ending}")).unwrap_or_default();
            (name, new + &ending)
        })
        .collect();
    let change = |text: &str| names.iter().fold(text.to_owned(), |text, (from, to)| whole_words(&text, from, to));
    let mut scene = each_tree(scene, |files| files.iter().map(|(path, text)| (change(path), change(text))).collect());
    for object in &mut scene.live {
        replace_all(object, &names);
    }
    replace_all(&mut scene.declares, &names);
    for file in scene.commits.iter_mut().flat_map(|commit| &mut commit.files) {
        file.path = change(&file.path);
        for side in [&mut file.before, &mut file.after] {
            *side = side.take().map(|bytes| change(&String::from_utf8_lossy(&bytes)).into_bytes());
        }
    }
    Some((scene, names))
}

/// The words that are no names: keys of maps but of data's, kinds, versions and images.
fn words_of(value: &Value, key: &str, words: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| words_of(item, key, words)),
        Value::Object(map) => {
            let is_data = ["data", "stringData", "binaryData", "encryptedData"].contains(&key);
            for (name, below) in map {
                if !is_data {
                    words.insert(name.clone());
                }
                words_of(below, name, words);
            }
        }
        Value::String(text) if ["apiVersion", "kind", "image", "type", "cluster", "context", "sync"].contains(&key) => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            words.extend(text.split(|c| !is_part(c)).map(str::to_owned));
        }
        _ => {}
    }
}

pub(crate) fn comments_added(scene: &Scene) -> Scene {
    each_tree(scene, |files| {
        let comment = |(path, text): (&String, &String)| {
            let noisy = path.ends_with(".yaml") && !is_template(path);
            let text = if noisy { format!("# Secret latest password TODO\n{text}") } else { text.clone() };
            let text = if is_template(path) { format!("{{{{- /* LF103 latest */ -}}}}\n{text}") } else { text };
            (path.clone(), text)
        };
        files.iter().map(comment).collect()
    })
}

pub(crate) fn subchart(scene: &Scene) -> Option<Scene> {
    is_chart(scene).then(|| {
        each_tree(scene, |files| {
            let inner = files.iter().map(|(path, text)| (format!("charts/inner/{path}"), text.clone()));
            let mut outer: Files = inner.collect();
            if let Some(chart) = outer.get_mut("charts/inner/Chart.yaml") {
                let dependencies = chart.find("dependencies:").map_or("", |at| &chart[at..]);
                *chart = format!("apiVersion: v2\nname: inner\nversion: 0.1.0\n{dependencies}");
            }
            outer.insert("Chart.yaml".to_owned(), "apiVersion: v2\nname: shop\nversion: 0.1.0\n".to_owned());
            outer
        })
    })
}

pub(crate) fn system(scene: &Scene) -> Option<Scene> {
    is_chart(scene).then(|| {
        let namespace = &scene.namespace;
        let mut local = scene.declaration().unwrap_or_else(|| json!({"cluster": "embedded"}));
        local["releases"] = json!([{"name": "shop", "chart": "deploy/chart", "namespace": namespace}]);
        let declared = json!({"apiVersion": "landfall.dev/v1", "kind": "System", "name": "x",
            "environments": {"local": local}});
        each_tree(scene, |files| {
            let mut below: Files =
                files.iter().map(|(path, text)| (format!("deploy/chart/{path}"), text.clone())).collect();
            below.insert("landfall.yaml".to_owned(), landfall_yaml::emit(&declared).expect("a project file"));
            below
        })
    })
}
