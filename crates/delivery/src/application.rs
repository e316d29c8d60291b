//! Argo `Application`s as units: which chart, from where, with which values.

use std::rc::Rc;

use landfall_chart::{SetFlag, ValueLayers};
use landfall_diag::{Diagnose, Diagnostic};
use landfall_object::Object;
use landfall_source::SourceTree;
use serde_json::Value;

use crate::Target;
use crate::target::join;
use crate::unit::{Door, Overrides, Selection, Unit, add_overrides, load_chart};
use crate::up::Candidate;

impl Target {
    pub(crate) fn applications(
        &self,
        files: &[String],
        selection: &Selection,
        overrides: &Overrides,
    ) -> Result<Vec<Candidate>, Vec<Diagnostic>> {
        let mut units = Vec::new();
        for path in files {
            let bytes = self.source.read(path).map_err(|error| vec![error.diagnose()])?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let documents = landfall_yaml::to_json_all(&text).map_err(|error| {
                vec![Diagnostic::error(128, format!("`{path}` is not valid YAML")).note(error.to_string())]
            })?;
            for document in documents {
                let Ok(application) = Object::from_value(document) else { continue };
                if application.kind() != "Application" || application.group() != "argoproj.io" {
                    continue;
                }
                let name = application.name().to_owned();
                units.push((name, self.application_unit(path, application, selection, overrides)));
            }
        }
        Ok(units)
    }

    fn application_unit(
        &self,
        path: &str,
        application: Object,
        selection: &Selection,
        overrides: &Overrides,
    ) -> Result<Unit, Vec<Diagnostic>> {
        let name = application.name().to_owned();
        let wrong = |code: u16, message: String| {
            vec![Diagnostic::error(code, message).primary(landfall_diag::Place::file(path), "this Application")]
        };
        if application.at("/spec/sources").is_some_and(|sources| !sources.is_null()) {
            return Err(wrong(130, format!("Application {name} has several sources, which are not delivered yet")));
        }
        let text = |pointer: &str| application.str_at(pointer).unwrap_or_default().to_owned();
        let repository = text("/spec/source/repoURL");
        if !text("/spec/source/chart").is_empty() {
            return Err(wrong(
                131,
                format!(
                    "Application {name} takes a chart from the repository {repository}, which is not delivered yet"
                ),
            ));
        }
        let directory = text("/spec/source/path");
        let (source, prefix) = match self.tree_of(&repository, selection) {
            Some(found) => found,
            None => {
                return Err(vec![
                    Diagnostic::error(
                        132,
                        format!("Application {name} comes from {repository}, which is not this repository"),
                    )
                    .primary(landfall_diag::Place::file(path), "spec.source.repoURL")
                    .help(format!("let a checkout stand in: --repo {repository}=DIR")),
                ]);
            }
        };
        let chart_directory = join(&prefix, directory.trim_matches('/'));
        let source: &SourceTree = source.as_ref().map_or(&self.source, Rc::as_ref);
        let chart = load_chart(source, &chart_directory, &chart_directory)?;
        let mut values = ValueLayers::new();
        let helm = application.at("/spec/source/helm").cloned().unwrap_or(Value::Null);
        let missing_ok = helm["ignoreMissingValueFiles"].as_bool().unwrap_or(false);
        for file in helm["valueFiles"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // A leading slash means the repository's root, as Argo CD reads it.
            let at = match file.strip_prefix('/') {
                Some(rooted) => join(&prefix, rooted),
                None => join(&chart_directory, file),
            };
            match source.read(&at).map_err(|error| vec![error.diagnose()])? {
                Some(bytes) => {
                    values.file(at, String::from_utf8_lossy(&bytes).into_owned());
                }
                None if missing_ok => {}
                None => return Err(wrong(125, format!("Application {name}: the values file `{at}` is not there"))),
            }
        }
        if let Some(inline) = helm["values"].as_str().filter(|inline| !inline.trim().is_empty()) {
            values.file(format!("{path} (spec.source.helm.values)"), inline.to_owned());
        }
        if let Some(object) = helm.get("valuesObject").filter(|object| object.is_object()) {
            values.file(
                format!("{path} (spec.source.helm.valuesObject)"),
                landfall_yaml::emit(object).map_err(|error| wrong(128, error.to_string()))?,
            );
        }
        for parameter in helm["parameters"].as_array().into_iter().flatten() {
            let (Some(key), Some(value)) = (parameter["name"].as_str(), parameter["value"].as_str()) else { continue };
            let flag = if parameter["forceString"].as_bool() == Some(true) { SetFlag::String } else { SetFlag::Set };
            values.set(flag, format!("{key}={value}"));
        }
        add_overrides(&mut values, overrides);
        let namespace = match text("/spec/destination/namespace") {
            namespace if namespace.is_empty() => "default".to_owned(),
            namespace => namespace,
        };
        Ok(Unit { name, namespace, optional: true, door: Door::Application(Box::new(application)), chart, values })
    }

    /// The tree of a repository: a stand-in, or the target's own files when it is their origin.
    fn tree_of(&self, repository: &str, selection: &Selection) -> Option<(Option<Rc<SourceTree>>, String)> {
        let wanted = normalised(repository);
        if let Some((_, tree)) = selection.repositories.iter().find(|(address, _)| normalised(address) == wanted) {
            return Some((Some(tree.clone()), String::new()));
        }
        let own = self.source.origin().map(|origin| normalised(&origin));
        // A system's own applications name its own repository; before it has a remote there is none to compare.
        let system_without_remote = own.is_none() && matches!(self.kind, crate::TargetKind::System(_));
        if own.as_deref() == Some(wanted.as_str()) {
            return Some((None, String::new()));
        }
        system_without_remote.then(|| (None, self.directory.clone()))
    }
}

/// Addresses of one repository in one form: without scheme, user, `.git` and trailing slash.
fn normalised(address: &str) -> String {
    let address = address.trim().trim_end_matches('/').trim_end_matches(".git");
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let address = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
    address.replacen(':', "/", 1).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_repository_are_the_same_in_every_form() {
        let wanted = normalised("https://git.example.com/shop/shop.git");
        for form in [
            "git@git.example.com:shop/shop.git",
            "ssh://git@git.example.com/shop/shop",
            "https://git.example.com/shop/shop/",
        ] {
            assert_eq!(normalised(form), wanted);
        }
    }
}
