//! A directory of manifests, or a kustomization, that is delivered as it lies there: as the Application that names it would be.

use landfall_apps::{Application, DirectorySource};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_object::Object;
use serde_json::json;

use super::{at_file, unit_of};
use crate::Target;
use crate::unit::{Overrides, Selection, Unit};
use crate::up::Candidate;

/// The longest name of an Application.
const LONGEST: usize = 53;

impl Target {
    /// What a directory of manifests is delivered as: one Application, called by `--release` or by the directory.
    pub(crate) async fn manifests(
        &self,
        rules: &DirectorySource,
        selection: &Selection,
        overrides: &Overrides,
        default_namespace: &str,
    ) -> Candidate {
        let name = selection.release.clone().unwrap_or_else(|| self.named_by_place(rules));
        let place = match self.shown(&self.directory) {
            place if place.is_empty() => ".".to_owned(),
            place => place,
        };
        let unit = async {
            if !(overrides.files.is_empty() && overrides.sets.is_empty() && overrides.set_files.is_empty()) {
                let text = format!("`{place}` holds manifests, which take no values");
                return Err(vec![Diagnostic::error(code::NOT_RENDERED, text).help(
                    "values are for charts; what differs from place to place can be an overlay of Kustomize's",
                )]);
            }
            let namespace = selection.namespace.as_deref().unwrap_or(default_namespace);
            let application = self.application_here(&name, namespace, rules);
            let application = application.map_err(|error| vec![at_file(error.diagnose(), &place)])?;
            let sources = self.sources_of(&place, &application, selection, overrides).await?;
            Ok(Unit { optional: false, ..unit_of(application, None, sources) })
        };
        let unit = unit.await;
        (name, unit)
    }

    /// The Application that would deliver the directory.
    fn application_here(
        &self,
        name: &str,
        namespace: &str,
        rules: &DirectorySource,
    ) -> Result<Application, landfall_apps::Error> {
        let address = self.source.origin().unwrap_or_else(|| "file:///".to_owned());
        let path = if self.directory.is_empty() { "." } else { &self.directory };
        let mut source = json!({"repoURL": address, "path": path});
        if *rules != DirectorySource::default() {
            source["directory"] = json!({"recurse": rules.recurse, "include": rules.include, "exclude": rules.exclude});
        }
        let application = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "source": source,
                "destination": {"namespace": namespace},
                "syncPolicy": {"automated": {"prune": true}, "syncOptions": ["CreateNamespace=true"]},
            },
        });
        Application::parse(&Object::from_map(application.as_object().cloned().unwrap_or_default()))
    }

    /// A name for what lies in a directory: the directory's own, the file's where it is one alone, as far as names of
    /// Applications have such letters.
    fn named_by_place(&self, rules: &DirectorySource) -> String {
        let single = rules.include.strip_suffix(".yaml").or_else(|| rules.include.strip_suffix(".yml"));
        let single = single.filter(|stem| !stem.contains(['*', '?', '{', '/', '[']));
        let root = self.source.directory_on_disk();
        let root = root.and_then(|root| root.file_name()).map(|name| name.to_string_lossy().into_owned());
        let last = self.directory.rsplit('/').next().filter(|name| !name.is_empty());
        named(single.or(last).or(root.as_deref()).unwrap_or_default())
    }
}

/// A text as the name of an Application.
fn named(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_lowercase() || letter.is_ascii_digit() => letter,
        _ => '-',
    });
    let name: String = letters.take(LONGEST).collect();
    match name.trim_matches('-') {
        "" => "manifests".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn what_lies_in_a_directory_is_called_by_it() {
        assert_eq!(named("Guest_Book.v2"), "guest-book-v2");
        assert_eq!(named("--"), "manifests");
        assert_eq!(named(&"a".repeat(60)).len(), 53);
    }
}
