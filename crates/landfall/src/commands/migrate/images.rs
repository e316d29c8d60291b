//! `landfall migrate images`: image policies of Flux and of Argo CD's image updater, read once as policies of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::Failure;
use landfall_project::Follow;
use landfall_promote::{Imported, Marker, Taken, markers, of_flux, of_updater};
use landfall_source::{SourceTree, aside};
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// The files that are looked into.
const FILES: [&str; 2] = ["**/*.yaml", "**/*.yml"];

/// Arguments of `migrate images`.
#[derive(Debug, Clone, Args)]
pub(crate) struct MigrateImagesArgs {
    /// A directory with manifests (default: this one)
    #[arg(value_name = "DIR")]
    pub(crate) tree: Option<String>,
    /// Print what would go into landfall.yaml and change nothing, as without it
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for MigrateImagesArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let directory = match &self.tree {
            Some(directory) => context.host.directory.join(directory),
            None => context.host.directory.clone(),
        };
        let read = aside(move || {
            let tree = SourceTree::open_directory(&directory).map_err(|error| error.diagnose())?;
            let root = tree.directory_on_disk().map(std::path::Path::to_owned).unwrap_or_default();
            let real = directory.canonicalize().unwrap_or(directory);
            let inside = real.strip_prefix(&root).map(|path| path.display().to_string()).unwrap_or_default();
            found(&tree, &inside)
        });
        let broken = |error: landfall_source::Broken| Diagnostic::error(code::UNREADABLE_FILE, error.to_string());
        let migration = read.await.map_err(broken).map_err(Failure::from)?.map_err(Failure::from)?;
        context.report(&migration, Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What was found.
#[derive(Default)]
struct Migration {
    follow: Vec<Follow>,
    /// By file.
    markers: Vec<(String, Marker)>,
    notes: Vec<String>,
}

fn found(tree: &SourceTree, inside: &str) -> Result<Migration, Diagnostic> {
    let mut migration = Migration::default();
    let (mut policies, mut repositories) = (Vec::new(), BTreeMap::new());
    let front = if inside.is_empty() { String::new() } else { format!("{inside}/") };
    for glob in FILES {
        for path in tree.glob(&format!("{front}{glob}")).map_err(|error| error.diagnose())? {
            let Some(bytes) = tree.read(&path).map_err(|error| error.diagnose())? else { continue };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            migration.markers.extend(markers(&text).into_iter().map(|marker| (path.clone(), marker)));
            // A template of a chart is no YAML, and holds no policy.
            for object in landfall_yaml::to_json_all(&text).unwrap_or_default() {
                let name = named(&object);
                match object["kind"].as_str() {
                    Some("ImagePolicy") => policies.push((path.clone(), name, object)),
                    Some("ImageRepository") => {
                        repositories.insert(name, object);
                    }
                    Some("Application") => of_application(&path, &object, &mut migration),
                    _ => {}
                }
            }
        }
    }
    let known: BTreeSet<&String> = policies.iter().map(|(_, name, _)| name).collect();
    for (path, marker) in &migration.markers {
        if !known.contains(&marker.policy) {
            let text = format!("{path}:{}: the policy {} that sets this line is not here", marker.line, marker.policy);
            migration.notes.push(text);
        }
    }
    for (path, name, policy) in policies {
        let of = &policy["spec"]["imageRepositoryRef"];
        let namespace = of["namespace"].as_str().unwrap_or(name.split(':').next().unwrap_or_default());
        let key = format!("{namespace}:{}", of["name"].as_str().unwrap_or_default());
        let imported = match repositories.get(&key) {
            Some(repository) => of_flux(&policy, repository),
            None => Err(format!("its ImageRepository {key} is not here")),
        };
        migration.take(&format!("{path}: ImagePolicy {name}"), imported);
    }
    Ok(migration)
}

fn named(object: &Value) -> String {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    format!("{}:{}", text("namespace"), text("name"))
}

fn of_application(path: &str, object: &Value, migration: &mut Migration) {
    let annotations = object["metadata"]["annotations"].as_object().into_iter().flatten();
    let annotations: BTreeMap<String, String> =
        annotations.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect();
    for (image, imported) in of_updater(&annotations) {
        migration.take(&format!("{path}: {image}"), imported);
    }
}

impl Migration {
    fn take(&mut self, from: &str, imported: Imported) {
        match imported {
            Ok(Taken { follow, lost }) => {
                self.notes.extend(lost.into_iter().map(|what| format!("{from}: {what}")));
                if self.follow.contains(&follow) {
                    return;
                }
                if self.follow.iter().any(|known| known.image == follow.image) {
                    self.notes.push(format!("{from}: {} has a second policy; keep one of them", follow.image));
                }
                self.follow.push(follow);
            }
            Err(why) => self.notes.push(format!("{from}: not taken over: {why}")),
        }
    }
}

impl Report for Migration {
    const KIND: &'static str = "ImageMigration";

    fn data(&self) -> Value {
        let markers = self.markers.iter().map(|(file, marker)| {
            let mut row = json!(marker);
            row["file"] = json!(file);
            row
        });
        json!({"follow": self.follow, "markers": markers.collect::<Vec<_>>(), "notes": self.notes})
    }

    fn text(&self, ui: &Ui) {
        if self.follow.is_empty() && self.notes.is_empty() && self.markers.is_empty() {
            ui.line("no image policy of Flux or of Argo CD's image updater is here");
            return;
        }
        if !self.follow.is_empty() {
            ui.line("for landfall.yaml, below the environment's `images:`");
            let text = landfall_yaml::emit(&json!({"follow": self.follow})).unwrap_or_default();
            text.lines().for_each(|line| ui.line(&format!("  {line}")));
        }
        for (file, marker) in &self.markers {
            ui.folded(&format!("{file}:{}  {} was set by {}", marker.line, marker.value, marker.policy));
        }
        self.notes.iter().for_each(|note| ui.folded(note));
    }

    fn names(&self, ui: &Ui) {
        self.follow.iter().for_each(|follow| ui.name(&follow.image));
    }
}
