//! Applications and ApplicationSets as people publish them: each is read, each set is expanded, and what is not acted on is
//! counted and named.
//!
//! ```text
//! repositories ─► manifests ─► Applications, ApplicationSets, AppProjects
//!                    sets ─► generators, answered from these repositories ─► Applications
//!                    all  ─► read? · fields that say something · fields not acted on
//! ```
//!
//! A set whose repository is not among the folders is counted as such, and so is one that asks what only a server knows; a
//! manifest that is a template of a chart is no manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use landfall_apps::sets::{
    Answers, ApplicationSet, Cluster, Expansion, Files, PullRequest, Question, Unanswered, expand,
};
use landfall_apps::{Application, Project};
use landfall_object::Object;
use landfall_source::{SourceTree, repository_key};
use serde::Serialize;
use serde_json::Value;

use crate::evidence::{commit, write};
use crate::suite::{Material, Suite, Whole, root, said};

/// Which repositories.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folders of repositories, bare or checked out; those of LANDFALL_APPLICATIONS when none is given.
    folders: Vec<PathBuf>,
    /// Tell of each object that could not be read or expanded.
    #[arg(long)]
    all: bool,
    /// Write docs/evidence/applications.json.
    #[arg(long)]
    evidence: bool,
}

/// Why a manifest is not read that is another tool's template.
const FILLED: &str = "is filled in by another tool first";
/// Of a hundred fields so many may be not acted on.
const NOT_ACTED_ON: f64 = 1.0;

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("applications", Material::Oracles, &[&["applications", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        let mut folders = self.folders.clone();
        if folders.is_empty() {
            let named = std::env::var_os("LANDFALL_APPLICATIONS").unwrap_or_default();
            folders = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
        }
        if folders.is_empty() {
            println!("applications: skipped: no repositories (LANDFALL_APPLICATIONS names no folder of them)");
            return Ok(ExitCode::SUCCESS);
        }
        said(run(&folders, self))
    }
}

/// What is written to `docs/evidence/applications.json`.
#[derive(Serialize)]
struct Evidence<'a> {
    suite: &'static str,
    commit: String,
    /// Objects, and those that were read.
    planned: usize,
    passed: usize,
    failed: usize,
    /// Those that another tool fills in first.
    skipped: usize,
    not_acted_on_percent: f64,
    #[serde(flatten)]
    count: &'a Count,
}

/// What was found.
#[derive(Default, Serialize)]
struct Count {
    /// The names of those that have any, so that another machine can bring the same ones.
    repositories: Vec<String>,
    applications: usize,
    sets: usize,
    projects: usize,
    read: usize,
    /// Sets that were expanded, and what came of them.
    expanded: usize,
    generated: usize,
    generated_read: usize,
    fields: usize,
    not_acted_on: usize,
    by_field: BTreeMap<String, usize>,
    /// What could not be read or expanded, by why.
    refused: BTreeMap<String, Vec<String>>,
}

struct Repository {
    name: String,
    tree: SourceTree,
}

fn run(folders: &[PathBuf], arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let repositories = repositories(folders)?;
    let mut count = Count::default();
    for repository in &repositories {
        let found = objects(&repository.tree);
        if !found.is_empty() {
            count.repositories.push(repository.name.clone());
        }
        for (path, object) in found {
            let place = format!("{} {path} {}", repository.name, object.name());
            count.take(&object, &place, &repositories);
        }
    }
    count.tell(arguments.all);
    let share = 100.0 * count.not_acted_on as f64 / count.fields.max(1) as f64;
    let line = format!(
        "applications: {} repositories: {} Applications, {} ApplicationSets, {} AppProjects, {} read; {} sets expanded to {} \
         Applications, {} read; {} of {} fields not acted on ({share:.2} %)",
        count.repositories.len(),
        count.applications,
        count.sets,
        count.projects,
        count.read,
        count.expanded,
        count.generated,
        count.generated_read,
        count.not_acted_on,
        count.fields
    );
    if arguments.evidence {
        let planned = count.applications + count.sets + count.projects;
        let skipped = count.refused.get(FILLED).map_or(0, Vec::len).min(planned - count.read);
        let evidence = Evidence {
            suite: "applications",
            commit: commit(root()),
            planned,
            passed: count.read,
            failed: planned - count.read - skipped,
            skipped,
            not_acted_on_percent: (share * 100.0).round() / 100.0,
            count: &count,
        };
        write(root(), evidence.suite, &evidence)?;
    }
    if share > NOT_ACTED_ON { Err(line.into()) } else { Ok(line) }
}

/// The repositories in folders: a git directory or checkout each, or `repo` in a folder of its own.
fn repositories(folders: &[PathBuf]) -> Result<Vec<Repository>, Box<dyn Error>> {
    let mut found = Vec::new();
    for folder in folders {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        entries.sort();
        for entry in entries {
            let inner = entry.join("repo");
            let place: &Path = if inner.is_dir() { &inner } else { &entry };
            if let Ok(tree) = SourceTree::open_commit(place, "HEAD") {
                let name = entry.file_name().map(|name| name.to_string_lossy().replace('+', "/")).unwrap_or_default();
                found.push(Repository { name, tree });
            }
        }
    }
    Ok(found)
}

/// Applications, sets and projects of a repository's manifests.
fn objects(tree: &SourceTree) -> Vec<(String, Object)> {
    let mut found = Vec::new();
    let files = ["**/*.yaml", "**/*.yml"].into_iter().flat_map(|pattern| tree.glob(pattern).unwrap_or_default());
    for path in files.collect::<BTreeSet<String>>() {
        let Ok(Some(bytes)) = tree.read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        if !text.contains("argoproj.io/v1alpha1") || path.contains("/crds/") {
            continue;
        }
        for document in landfall_yaml::documents(&text) {
            let Ok(Ok(value)) = document.map(|part| part.to_json()) else { continue };
            let Ok(object) = Object::from_value(value) else { continue };
            let is_ours = matches!(object.kind(), "Application" | "ApplicationSet" | "AppProject");
            // Of a definition, a list or a kustomization's patch nothing is planned.
            if is_ours && object.api_version() == "argoproj.io/v1alpha1" && object.spec().is_some_and(Value::is_object)
            {
                found.push((path.clone(), object));
            }
        }
    }
    found
}

impl Count {
    fn take(&mut self, object: &Object, place: &str, repositories: &[Repository]) {
        match object.kind() {
            "AppProject" => {
                self.projects += 1;
                match Project::parse(object) {
                    Ok(_) => self.read += 1,
                    Err(error) => self.refuse("cannot be read", &format!("{place}: {error}")),
                }
            }
            "Application" => {
                self.applications += 1;
                match Application::parse(object) {
                    Ok(application) => {
                        self.read += 1;
                        self.fields(object, application.field_count(), &application.not_acted_on());
                    }
                    Err(error) => self.refuse(why(&error.to_string()), &format!("{place}: {error}")),
                }
            }
            _ => {
                self.sets += 1;
                match ApplicationSet::parse(object) {
                    Ok(set) => {
                        self.read += 1;
                        self.fields(object, set.field_count(), &set.not_acted_on());
                        self.expand(&set, place, repositories);
                    }
                    Err(error) => self.refuse(why(&error.to_string()), &format!("{place}: {error}")),
                }
            }
        }
    }

    fn refuse(&mut self, why: &str, what: &str) {
        self.refused.entry(why.to_owned()).or_default().push(what.to_owned());
    }

    fn fields(&mut self, object: &Object, all: usize, not_acted_on: &[String]) {
        self.fields += all;
        for field in not_acted_on {
            let steps: Vec<&str> = field.split('.').collect();
            let leaves = leaves(object.value(), &steps).max(1);
            self.not_acted_on += leaves;
            // However deep it is nested, it is the same field.
            let field = field.replace("spec.template.spec.", "spec.");
            *self.by_field.entry(field).or_default() += leaves;
        }
    }

    fn expand(&mut self, set: &ApplicationSet, place: &str, repositories: &[Repository]) {
        let mut answers = Answers::default();
        let outcome = loop {
            match expand(set, &answers) {
                Expansion::Unanswered(questions) => {
                    for question in questions {
                        answer(&mut answers, question, repositories);
                    }
                }
                other => break other,
            }
        };
        match outcome {
            Expansion::Generated(found) => {
                self.expanded += 1;
                self.generated += found.len();
                for application in &found {
                    match Application::parse(application) {
                        Ok(_) => self.generated_read += 1,
                        Err(error) if error.to_string().contains("{{") => {
                            self.refuse(
                                "generates what its sample parameters leave open",
                                &format!("{place}: {error}"),
                            );
                        }
                        Err(error) => self.refuse("generates what cannot be read", &format!("{place}: {error}")),
                    }
                }
            }
            Expansion::Failed(failure) if failure.message.contains(NOT_HERE) => {
                self.refuse("its repository is not among the folders", &format!("{place}: {failure}"));
            }
            Expansion::Failed(failure) => self.refuse("cannot be expanded", &format!("{place}: {failure}")),
            Expansion::Unanswered(_) => {}
        }
    }

    fn tell(&self, all: bool) {
        for (why, what) in &self.refused {
            println!("{:>5} {why}", what.len());
            let shown = if all { what.len() } else { 5 };
            what.iter().take(shown).for_each(|what| println!("        {what}"));
        }
        let mut by_count: Vec<(&String, &usize)> = self.by_field.iter().collect();
        by_count.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        for (field, times) in by_count {
            println!("{times:>5} not acted on: {field}");
        }
    }
}

/// What a set is told of a repository that is not among the folders.
const NOT_HERE: &str = "is not among the folders";

fn answer<'r>(answers: &mut Answers<'r>, question: Question, repositories: &'r [Repository]) {
    match question {
        Question::Files { repository, revision } => {
            let key = repository_key(&repository);
            let there = repositories.iter().find(|one| key.ends_with(&format!("/{}", one.name.to_lowercase())));
            let there = there.or_else(|| repositories.iter().find(|one| key.ends_with(&format!("/{}", one.name))));
            let files = match there {
                Some(one) => Files::of(&one.tree, "").map_err(Unanswered::Failed),
                None => Err(Unanswered::Failed(format!("{repository} {NOT_HERE}"))),
            };
            answers.files(&repository, &revision, files);
        }
        // One that many a set means by its labels.
        Question::Clusters => answers.clusters(Ok(vec![Cluster {
            name: "production".to_owned(),
            server: "https://production.example.com".to_owned(),
            labels: [("environment", "production"), ("env", "production")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            ..Cluster::default()
        }])),
        // One set of parameters: each text that it is asked for, under its name.
        Question::Plugin(query) => {
            let input: Value = serde_json::from_str(&query.parameters).unwrap_or_default();
            let mut named = serde_json::Map::new();
            names(&input, &mut named);
            answers.plugin(query, Ok(vec![named]));
        }
        Question::PullRequests(query) => {
            let one = PullRequest {
                number: 7,
                title: "A change".to_owned(),
                branch: "feature/change".to_owned(),
                target_branch: "main".to_owned(),
                head_sha: "089d92cbf9ff857a39e6feccd32798ca700fb958".to_owned(),
                labels: query.labels.clone(),
                author: "ada".to_owned(),
            };
            answers.pull_requests(query, Ok(vec![one]));
        }
    }
}

/// All texts of a value as names.
fn names(value: &Value, out: &mut serde_json::Map<String, Value>) {
    match value {
        Value::String(name) => drop(out.insert(name.clone(), "example".into())),
        Value::Array(items) => items.iter().for_each(|item| names(item, out)),
        Value::Object(map) => map.values().for_each(|value| names(value, out)),
        _ => {}
    }
}

/// Why an object cannot be read: some stand in manifests that a tool fills in before anybody reads them.
fn why(error: &str) -> &'static str {
    let marks = ["${", "{{", "@@", "$(", "cannot be `<", "%%"];
    if marks.iter().any(|mark| error.contains(mark)) { FILLED } else { "cannot be read" }
}

/// How many texts, numbers and truths stand at a field, in all items of lists on the way.
fn leaves(value: &Value, steps: &[&str]) -> usize {
    match (value, steps.split_first()) {
        (Value::Array(items), _) => items.iter().map(|item| leaves(item, steps)).sum(),
        (Value::Object(map), Some((first, rest))) => map.get(*first).map_or(0, |value| leaves(value, rest)),
        (Value::Object(map), None) => map.values().map(|value| leaves(value, &[])).sum(),
        (Value::Null, _) | (_, Some(_)) => 0,
        (_, None) => 1,
    }
}
