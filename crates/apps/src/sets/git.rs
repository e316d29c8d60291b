//! `git`: directories of a repository, or what its files say.

use std::collections::BTreeSet;

use landfall_diag::without_passwords;
use serde::Deserialize;
use serde_json::Value;

use super::answers::{Files, Question};
use super::generators::{Run, Stop, unanswered};
use super::params::{Param, Params, flattened, params_of};
use super::paths::{directories, fits_directory, fits_file};
use super::slug::sanitized;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Git {
    #[serde(default, rename = "repoURL")]
    repo_url: String,
    #[serde(default)]
    revision: String,
    #[serde(default)]
    directories: Vec<Item>,
    #[serde(default)]
    files: Vec<Item>,
    #[serde(default)]
    path_param_prefix: String,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    path: String,
    #[serde(default)]
    exclude: bool,
}

impl Git {
    /// What is done when it fails: Argo CD's words, and of which repository.
    fn asking(&self) -> String {
        let (repository, revision) = (without_passwords(&self.repo_url), &self.revision);
        let at = if revision.is_empty() { String::new() } else { format!(" at {revision}") };
        format!("error generating params from git {repository}{at}")
    }
}

pub(crate) fn params(run: &mut Run<'_>, spec: &Value) -> Result<Vec<Params>, Stop> {
    let git = Git::deserialize(spec).map_err(|error| format!("git generator: {error}"))?;
    if git.directories.is_empty() && git.files.is_empty() {
        return Err(Stop::Failed("the git generator names neither directories nor files".to_owned()));
    }
    let question = Question::Files { repository: git.repo_url.clone(), revision: git.revision.clone() };
    let files = match run.answers.files_of(&question) {
        None => return Err(run.asks(question)),
        Some(Err(why)) => return Err(unanswered(why).while_(&git.asking())),
        Some(Ok(files)) => files.clone(),
    };
    let mut found =
        if git.directories.is_empty() { of_files(run, &git, &files) } else { Ok(of_directories(run, &git, &files)) }
            .map_err(|why| format!("{}: {why}", git.asking()))?;
    for params in &mut found {
        run.add_values(spec, params)?;
    }
    Ok(found)
}

fn of_directories(run: &Run<'_>, git: &Git, files: &Files<'_>) -> Vec<Params> {
    let fits = |path: &str, exclude: bool| {
        git.directories.iter().any(|item| item.exclude == exclude && fits_directory(&item.path, path))
    };
    let chosen = directories(files.paths()).into_iter().filter(|path| fits(path, false) && !fits(path, true));
    chosen
        .map(|path| {
            let mut params = Params::new();
            add_path(run, &mut params, &git.path_param_prefix, path, None);
            params
        })
        .collect()
}

fn of_files(run: &Run<'_>, git: &Git, files: &Files<'_>) -> Result<Vec<Params>, String> {
    let mut chosen: BTreeSet<&str> = BTreeSet::new();
    for exclude in [false, true] {
        for item in git.files.iter().filter(|item| item.exclude == exclude) {
            let fitting = files.paths().iter().map(String::as_str).filter(|path| fits_file(&item.path, path));
            if exclude {
                let excluded: BTreeSet<&str> = fitting.collect();
                chosen.retain(|path| !excluded.contains(path));
            } else {
                chosen.extend(fitting);
            }
        }
    }
    let mut found = Vec::new();
    for path in chosen {
        let failed = |why: String| format!("unable to process file '{path}' from repository '{}': {why}", git.repo_url);
        let bytes = files.read(path).map_err(failed)?;
        for object in objects(&bytes).map_err(failed)? {
            let mut params = if run.templates.is_go() {
                params_of(&object)
            } else {
                flattened(&params_of(&object)).into_iter().map(|(key, text)| (key, Param::Text(text))).collect()
            };
            let (directory, file) = path.rsplit_once('/').unwrap_or((".", path));
            add_path(run, &mut params, &git.path_param_prefix, directory, Some(file));
            found.push(params);
        }
    }
    Ok(found)
}

/// The maps that a file holds: one, or a list of them; none at all is an empty one.
fn objects(bytes: &[u8]) -> Result<Vec<serde_json::Map<String, Value>>, String> {
    let text = String::from_utf8_lossy(bytes);
    let wrong = |why: String| format!("unable to parse file: {why}");
    match landfall_yaml::to_json(&text).map_err(|error| wrong(error.to_string()))? {
        Value::Object(map) => Ok(vec![map]),
        Value::Null => Ok(vec![serde_json::Map::new()]),
        Value::Array(items) => {
            let map = |item| match item {
                Value::Object(map) => Ok(map),
                _ => Err(wrong("an item is no map".to_owned())),
            };
            items.into_iter().map(map).collect()
        }
        _ => Err(wrong("it is neither a map nor a list".to_owned())),
    }
}

fn add_path(run: &Run<'_>, params: &mut Params, prefix: &str, path: &str, file: Option<&str>) {
    let basename = path.rsplit('/').next().unwrap_or(path);
    let mut about = vec![("basename", Param::text(basename)), ("basenameNormalized", Param::text(sanitized(basename)))];
    if let Some(file) = file {
        about.push(("filename", Param::text(file)));
        about.push(("filenameNormalized", Param::text(sanitized(file))));
    }
    if run.templates.is_go() {
        let mut map: Params = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        map.insert("path".to_owned(), Param::text(path));
        map.insert("segments".to_owned(), Param::List(path.split('/').map(Param::text).collect()));
        match prefix {
            "" => drop(params.insert("path".to_owned(), Param::Map(map))),
            prefix => {
                let inside = Params::from([("path".to_owned(), Param::Map(map))]);
                params.insert(prefix.to_owned(), Param::Map(inside));
            }
        }
        return;
    }
    let name = if prefix.is_empty() { "path".to_owned() } else { format!("{prefix}.path") };
    params.insert(name.clone(), Param::text(path));
    params.extend(about.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
    for (index, part) in path.split('/').enumerate().filter(|(_, part)| !part.is_empty()) {
        params.insert(format!("{name}[{index}]"), Param::text(part));
    }
}
