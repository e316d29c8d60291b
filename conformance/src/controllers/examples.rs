//! The example Applications, projects and sets that Argo CD publishes: each is accepted, by server-side and by client-side apply.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::commands::{Ended, Shell};
use crate::evidence::CaseEvidence;
use crate::root;

/// Argo CD's kinds, with where their definitions lie in its repository.
const KINDS: [(&str, &str); 3] = [
    ("Application", "manifests/crds/application-crd.yaml"),
    ("AppProject", "manifests/crds/appproject-crd.yaml"),
    ("ApplicationSet", "manifests/crds/applicationset-crd.yaml"),
];

/// Applies every example of the repositories in `folders` both ways to the embedded API and to a real one, given by their kubeconfigs; the definitions
/// are theirs, too. Some examples are drafts that the real one refuses: those must be refused here as well.
pub(super) fn accepted(kubeconfigs: [&str; 2], folders: &[PathBuf]) -> anyhow::Result<Vec<CaseEvidence>> {
    let files = root().join("conformance/controllers/files");
    let shells = [Shell::new(&files, kubeconfigs[0])?, Shell::new(&files, kubeconfigs[1])?];
    for shell in &shells {
        define(shell, folders)?;
    }
    let mut examples = Vec::new();
    for folder in folders {
        gather(folder, folder, &mut examples)?;
    }
    if examples.is_empty() {
        bail!("no example was found");
    }
    let (mut cases, mut taken) = (Vec::new(), 0);
    for example in &examples {
        for (way, flags) in [("server", "--server-side --force-conflicts"), ("client", "")] {
            let id = format!("argo-examples/{way}/{}", example.id);
            let [ours, real] = [apply(&shells[0], example, flags)?, apply(&shells[1], example, flags)?];
            let equal = ours.code == real.code;
            if !equal {
                println!("{id}\n  ours: {}\n  real: {}", ours.output, real.output);
            }
            taken += usize::from(real.code == Some(0));
            cases.push(CaseEvidence::judged(id, &example.object.to_string(), equal));
        }
    }
    println!("argo-examples: {} applied, {taken} of them accepted by a real API", cases.len());
    Ok(cases)
}

/// Creates the definitions and the namespace that the examples stand in.
fn define(shell: &Shell, folders: &[PathBuf]) -> anyhow::Result<()> {
    for (kind, place) in KINDS {
        let file = folders.iter().map(|folder| folder.join(place)).find(|file| file.is_file());
        let file = file.with_context(|| format!("the definition of {kind} ({place}) is in none of the folders"))?;
        // Larger than an annotation may be.
        must(shell, &format!("kubectl create -f '{}'", file.display()))?;
    }
    must(shell, "defined && kubectl create namespace argocd")
}

fn must(shell: &Shell, line: &str) -> anyhow::Result<()> {
    let ended = shell.run(line)?;
    if ended.code != Some(0) {
        bail!("{line}: {}", ended.output);
    }
    Ok(())
}

/// Applies one example, and takes it away again with its finalizers.
fn apply(shell: &Shell, example: &Example, flags: &str) -> anyhow::Result<Ended> {
    fs::write(shell.folder().join("example.json"), example.object.to_string())?;
    let ended = shell.run(&format!("kubectl apply -n argocd {flags} -f example.json"))?;
    if ended.code == Some(0) {
        let bare = r#"{"metadata":{"finalizers":null}}"#;
        must(shell, &format!("kubectl patch -n argocd -f example.json --type=merge -p '{bare}'"))?;
        must(shell, "kubectl delete -n argocd -f example.json")?;
    }
    Ok(ended)
}

/// One object of a repository.
struct Example {
    id: String,
    object: Value,
}

/// Files of templates and of inputs that are wrong on purpose hold no examples.
fn is_example(place: &Path) -> bool {
    let text = place.to_string_lossy();
    let ending = place.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let words = ["templates/", "testdata", "test/", "invalid", "/crds/", "node_modules"];
    ending && !words.iter().any(|word| text.contains(word))
}

fn gather(root: &Path, folder: &Path, found: &mut Vec<Example>) -> anyhow::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != ".git" {
            gather(root, &path, found)?;
        } else if kind.is_file() && is_example(path.strip_prefix(root).unwrap_or(&path)) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            // What is no YAML by itself is a template of something.
            let Ok(documents) = landfall_yaml::to_json_all(&text) else { continue };
            for (at, object) in documents.into_iter().enumerate() {
                let is_known = KINDS.iter().any(|(kind, _)| object["kind"] == *kind);
                let version = object["apiVersion"].as_str().unwrap_or_default();
                if is_known && version.starts_with("argoproj.io/") {
                    let place = path.strip_prefix(root).unwrap_or(&path);
                    found.push(Example { id: format!("{}#{at}", place.display()), object });
                }
            }
        }
    }
    Ok(())
}
