//! Repositories with two revisions, for what looks at a change.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::measure;

/// The LuckyPlans example, and the same with the images of its services pinned to a release.
pub(crate) fn example(example: &Path, into: &Path) -> Result<(), String> {
    measure::copy(example, into).map_err(|error| error.to_string())?;
    commit(into, "base")?;
    change(&into.join("infrastructure/helm/luckyplans/values.yaml"), "tag: latest", "tag: \"1.2.3\"")?;
    commit(into, "head")
}

/// A system of 100 releases of 20 objects, and the same with two replicas of everything.
pub(crate) fn hundred(into: &Path) -> Result<(), String> {
    let mut system =
        String::from("apiVersion: landfall.dev/v1\nkind: System\nname: many\nenvironments:\n  local:\n    releases:\n");
    for index in 0..100 {
        system.push_str(&format!("      - {{name: app{index}, chart: chart, namespace: n{index}}}\n"));
    }
    write(&into.join("landfall.yaml"), &system)?;
    write(&into.join("chart/Chart.yaml"), "apiVersion: v2\nname: app\nversion: 0.1.0\n")?;
    write(&into.join("chart/values.yaml"), "replicas: 1\n")?;
    for index in 0..10 {
        let name = format!("{{{{ .Release.Name }}}}-{index}");
        let template = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: '{name}'}}\nspec:\n  replicas: {{{{ .Values.replicas }}}}\n  \
             selector: {{matchLabels: {{app: a{index}}}}}\n  template:\n    metadata: {{labels: {{app: a{index}}}}}\n    spec:\n      \
             containers: [{{name: app, image: 'registry.example.com/app:1.0.0'}}]\n---\napiVersion: v1\nkind: Service\n\
             metadata: {{name: '{name}'}}\nspec: {{selector: {{app: a{index}}}, ports: [{{port: 80}}]}}\n"
        );
        write(&into.join(format!("chart/templates/{index}.yaml")), &template)?;
    }
    commit(into, "base")?;
    change(&into.join("chart/values.yaml"), "1", "2")?;
    commit(into, "head")
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(file, text))
        .map_err(|error| format!("{}: {error}", file.display()))
}

fn change(file: &Path, from: &str, to: &str) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    if !text.contains(from) {
        return Err(format!("{} has no `{from}` to be changed", file.display()));
    }
    write(file, &text.replace(from, to))
}

/// Commits all files, in a repository that is made first where there is none.
fn commit(directory: &Path, message: &str) -> Result<(), String> {
    let who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"];
    let commands: [&[&str]; 3] = [&["init", "-q"], &["add", "-A"], &["commit", "-q", "-m", message]];
    for arguments in commands {
        let mut git = Command::new("git");
        git.args(who).args(arguments).current_dir(directory).stdin(Stdio::null());
        match git.status() {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(format!("git {} ended with {status}", arguments.join(" "))),
            Err(error) => return Err(format!("git cannot be run: {error}")),
        }
    }
    Ok(())
}
