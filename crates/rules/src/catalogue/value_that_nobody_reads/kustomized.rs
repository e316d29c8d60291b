//! Entries of a kustomization that hit nothing: Kustomize passes them over without a word.

use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Place, Spot};
use landfall_source::{SourceTree, within};
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::DesiredUnit;

/// What is rendered by Kustomize says so by the path of its objects.
const BUILT: &str = "kustomize build ";
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Kustomizations that lead to one another.
const MOST: usize = 200;

/// The findings of a unit that a kustomization is built for.
pub(super) fn kustomized(unit: &DesiredUnit, files: &SourceTree, rule: &Rule) -> Vec<Finding> {
    let built: BTreeSet<&str> = unit.rendered.objects.iter().filter_map(|it| it.path.strip_prefix(BUILT)).collect();
    let read = |path: &str| String::from_utf8(files.read(path).ok()??).ok();
    let missed = built.into_iter().flat_map(|directory| {
        let directory = if directory == "." { "" } else { directory };
        missed(directory, &read)
    });
    missed
        .map(|missed| {
            let finding = rule
                .finding(missed.words)
                .because("Kustomize passes it over without a word: what it should change stays as it is")
                .keyed(format!("{} {}", missed.place.file, missed.name))
                .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(missed.place) });
            match missed.near {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("name what is there, or take the entry out"),
            }
        })
        .collect()
}

/// An entry that hits nothing.
struct Missed {
    place: Place,
    words: String,
    name: String,
    near: Option<String>,
}

/// What a kustomization reaches, with those that it leads to.
#[derive(Default)]
struct Reached {
    /// The kustomizations by path: text and document.
    kustomizations: BTreeMap<String, (String, Value)>,
    /// Names of images, without tags.
    images: BTreeSet<String>,
    /// Kinds and names of objects.
    objects: BTreeSet<(String, String)>,
    /// Whether anything is made by what is not among the files, or puts names together.
    is_open: bool,
    /// Whether names are changed on the way.
    renames: bool,
}

fn missed(directory: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<Missed> {
    let mut reached = Reached::default();
    reached.walk(directory, read);
    // What is fetched or made by a program may bring what is named.
    if reached.is_open {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (path, (text, document)) in &reached.kustomizations {
        for image in list(document, "images") {
            let Some(name) = image["name"].as_str() else { continue };
            if reached.images.contains(name) {
                continue;
            }
            let near = landfall_diag::nearest(name, reached.images.iter().map(String::as_str)).map(str::to_owned);
            let words = format!("`images` of `{path}` names `{name}`, which no manifest runs");
            found.push(Missed { place: place(path, text, "images:", name), words, name: name.to_owned(), near });
        }
        for patch in list(document, "patches") {
            let target = &patch["target"];
            let (kind, name) = (target["kind"].as_str(), target["name"].as_str());
            if kind.is_none() && name.is_none() || (name.is_some() && reached.renames) {
                continue;
            }
            // A target's name is a pattern.
            if name.is_some_and(|it| it.contains(['*', '.', '|', '(', '[', '^', '$', '+', '?', '\\'])) {
                continue;
            }
            let of_kind = reached.objects.iter().filter(|(its, _)| kind.is_none_or(|kind| kind == its));
            let names: Vec<&str> = of_kind.map(|(_, name)| name.as_str()).collect();
            if names.iter().any(|its| name.is_none_or(|name| name == *its)) {
                continue;
            }
            let written = [kind, name].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let near = name.and_then(|name| landfall_diag::nearest(name, names.iter().copied())).map(str::to_owned);
            let words = format!("a patch of `{path}` is for {written}, which is not there");
            let line = place(path, text, "patches:", name.or(kind).unwrap_or_default());
            found.push(Missed { place: line, words, name: written, near });
        }
    }
    found
}

impl Reached {
    fn walk(&mut self, directory: &str, read: &dyn Fn(&str) -> Option<String>) {
        let at = NAMES.iter().find_map(|name| {
            let path = within(directory, name)?;
            Some((read(&path)?, path))
        });
        let Some((text, path)) = at else {
            self.is_open = true;
            return;
        };
        if self.kustomizations.contains_key(&path) {
            return;
        }
        let Ok(document) = landfall_yaml::to_json(&text) else {
            self.is_open = true;
            return;
        };
        if self.kustomizations.len() >= MOST {
            self.is_open = true;
            return;
        }
        for field in
            ["generators", "transformers", "helmCharts", "helmChartInflationGenerator", "crds", "configurations"]
        {
            self.is_open |= !list(&document, field).is_empty();
        }
        self.renames |=
            ["namePrefix", "nameSuffix"].iter().any(|it| document[*it].as_str().is_some_and(|it| !it.is_empty()));
        self.kustomizations.insert(path, (text.clone(), document.clone()));
        self.images.extend(images(&text));
        for image in list(&document, "images") {
            self.images.extend(image["newName"].as_str().map(str::to_owned));
        }
        for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            let names = list(&document, field).iter().filter_map(|it| it["name"].as_str());
            self.objects.extend(names.map(|name| (kind.to_owned(), name.to_owned())));
        }
        let patches =
            ["patches", "patchesJson6902", "replacements"].into_iter().flat_map(|field| list(&document, field));
        let paths = patches.filter_map(|it| it["path"].as_str()).chain(texts(&document, "patchesStrategicMerge"));
        for patch in paths.filter(|it| !it.contains('\n')) {
            let text = within(directory, patch).and_then(|path| read(&path));
            self.images.extend(text.iter().flat_map(|text| images(text)));
        }
        for field in ["resources", "bases", "components"] {
            for entry in texts(&document, field) {
                let Some(path) = within(directory, entry).filter(|_| !entry.contains("://")) else {
                    self.is_open = true;
                    continue;
                };
                match read(&path) {
                    Some(text) => self.take(&text),
                    None => self.walk(&path, read),
                }
            }
        }
    }

    /// Takes in the objects of a file.
    fn take(&mut self, text: &str) {
        self.images.extend(images(text));
        let Ok(documents) = landfall_yaml::to_json_all(text) else {
            self.is_open = true;
            return;
        };
        let objects = documents.iter().flat_map(|it| match it["items"].as_array() {
            Some(items) => items.iter().collect(),
            None => vec![it],
        });
        for object in objects.filter(|it| it.is_object()) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            self.objects.insert((text(&object["kind"]), text(&object["metadata"]["name"])));
        }
    }
}

fn list<'v>(document: &'v Value, field: &str) -> &'v [Value] {
    document[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts<'v>(document: &'v Value, field: &str) -> impl Iterator<Item = &'v str> {
    list(document, field).iter().filter_map(Value::as_str)
}

/// The names of the images that a text has, in whatever field of whatever kind.
fn images(text: &str) -> BTreeSet<String> {
    let after = text.match_indices("image").filter_map(|(at, word)| {
        let rest = text[at + word.len()..].trim_start_matches(['"', '\'']);
        let value = rest.strip_prefix(':')?.trim_start_matches(' ').trim_start_matches(['"', '\'']);
        let end =
            value.find(|it: char| it.is_whitespace() || matches!(it, '"' | '\'' | ',' | '}')).unwrap_or(value.len());
        Some(&value[..end])
    });
    // A patch of JSON has the image as a value.
    let values = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("value:"));
    let values = values.map(|it| it.trim().trim_matches(['"', '\'']));
    after
        .chain(values)
        .map(|image| {
            let image = image.split('@').next().unwrap_or_default();
            match image.rfind(':').filter(|at| !image[*at..].contains('/')) {
                Some(at) => image[..at].to_owned(),
                None => image.to_owned(),
            }
        })
        .filter(|image| !image.is_empty())
        .collect()
}

/// The line below a list's own in which a name stands.
fn place(path: &str, text: &str, list: &str, name: &str) -> Place {
    let from = text.lines().position(|line| line.starts_with(list)).unwrap_or(0);
    let line = text.lines().enumerate().skip(from).find(|(_, line)| line.contains(name));
    let (at, source) = line.map_or((from, None), |(at, line)| (at, Some(line.to_owned())));
    Place { source, ..Place::line(path, u32::try_from(at).unwrap_or(0) + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers: [{name: web, image: ghcr.io/acme/web:1.0.0}]\n";

    fn told(kustomization: &str) -> Vec<String> {
        let files = BTreeMap::from([
            (
                "base/kustomization.yaml",
                "resources: [web.yaml]\nimages: [{name: ghcr.io/acme/web, newName: registry/web}]\n",
            ),
            ("base/web.yaml", WEB),
            ("prod/kustomization.yaml", kustomization),
        ]);
        let read = |path: &str| files.get(path).map(|text| (*text).to_owned());
        missed("prod", &read)
            .into_iter()
            .map(|it| format!("{} {} {}", it.place.file, it.words, it.near.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn an_entry_that_hits_nothing_is_told_with_what_is_near() {
        let images = told("resources: [../base]\nimages:\n- name: ghcr.io/acme/wep\n  newTag: '2'\n");
        assert_eq!(images.len(), 1, "{images:?}");
        assert!(images[0].contains("`ghcr.io/acme/wep`") && images[0].ends_with("ghcr.io/acme/web"), "{images:?}");
        let patches = told(
            "resources: [../base]\npatches:\n- target: {kind: Deployment, name: wbe}\n  patch: |-\n    - {op: remove, path: /spec}\n",
        );
        assert_eq!(patches.len(), 1, "{patches:?}");
        assert!(patches[0].contains("Deployment wbe") && patches[0].ends_with("web"), "{patches:?}");
    }

    #[test]
    fn what_is_hit_or_may_be_is_not_told() {
        for fine in [
            "resources: [../base]\nimages: [{name: ghcr.io/acme/web, newTag: '2'}, {name: registry/web, newTag: '3'}]\n",
            "resources: [../base]\npatches: [{target: {kind: Deployment}}, {target: {name: web}}, {target: {name: 'w.*'}}]\n",
            "resources: [../base, 'https://git.example.com/a?ref=v1']\nimages: [{name: other}]\n",
            "resources: [../base]\nhelmCharts: [{name: x}]\nimages: [{name: other}]\n",
            "namePrefix: p-\nresources: [../base]\npatches: [{target: {kind: Deployment, name: p-web}}]\n",
        ] {
            assert!(told(fine).is_empty(), "{fine}: {:?}", told(fine));
        }
    }
}
