//! The variables that an Application's settings may name (argo-cd: docs/user-guide/build-environment.md).

use serde_json::Value;

use crate::{Application, Source};

/// What `$ARGOCD_APP_NAME` and its like stand for in one source's settings; nothing of the process's own environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildEnvironment<'a> {
    variables: Vec<(&'static str, &'a str)>,
}

impl<'a> BuildEnvironment<'a> {
    /// Those of a source of an Application at a revision: a commit, or a chart's version (reposerver/repository/repository.go, newEnv).
    pub fn of(application: &'a Application, source: &'a Source, revision: &'a str) -> Self {
        let short = |length: usize| revision.get(..length).unwrap_or(revision);
        let variables = vec![
            ("ARGOCD_APP_NAME", &*application.name),
            ("ARGOCD_APP_NAMESPACE", &application.destination.namespace),
            ("ARGOCD_APP_PROJECT_NAME", &application.project),
            ("ARGOCD_APP_REVISION", revision),
            ("ARGOCD_APP_REVISION_SHORT", short(7)),
            ("ARGOCD_APP_REVISION_SHORT_8", short(8)),
            ("ARGOCD_APP_SOURCE_REPO_URL", &source.repo_url),
            ("ARGOCD_APP_SOURCE_PATH", &source.path),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", written_revision(application, source)),
        ];
        BuildEnvironment { variables }
    }

    /// Whether a variable is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| *known == name)
    }

    /// The text with `$NAME` and `${NAME}` replaced; `$$` is a dollar, and what is not known is empty (Go's os.Expand).
    pub fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let (name, taken) = named(rest);
            match name {
                Some("$") => out.push('$'),
                Some(name) => out.push_str(self.value(name)),
                // No name follows: the dollar is a dollar. What began as one and is none is left out.
                None if taken == 0 => out.push('$'),
                None => {}
            }
            rest = &rest[taken..];
        }
        out.push_str(rest);
        out
    }

    fn value(&self, name: &str) -> &str {
        self.variables.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// A source's revision as the manifest has it: a chart's is fixed to a version before it is fetched.
fn written_revision<'a>(application: &'a Application, source: &'a Source) -> &'a str {
    let index = application.sources.iter().position(|known| std::ptr::eq(known, source));
    let of_many = index.and_then(|index| application.object.list_at("/spec/sources").get(index));
    let written = of_many.or_else(|| application.object.at("/spec/source"));
    written.and_then(|it| it["targetRevision"].as_str()).unwrap_or(&source.target_revision)
}

/// The name behind a dollar, and how much of the text it takes (os.getShellName).
fn named(text: &str) -> (Option<&str>, usize) {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'{') => {
            if bytes.get(1).is_some_and(|byte| is_special(*byte)) && bytes.get(2) == Some(&b'}') {
                return (Some(&text[1..2]), 3);
            }
            match text.find('}') {
                Some(1) => (None, 2),
                Some(end) => (Some(&text[1..end]), end + 1),
                None => (None, 1),
            }
        }
        Some(byte) if is_special(*byte) => (Some(&text[..1]), 1),
        _ => {
            let end = bytes.iter().position(|byte| *byte != b'_' && !byte.is_ascii_alphanumeric());
            match end.unwrap_or(bytes.len()) {
                0 => (None, 0),
                end => (Some(&text[..end]), end),
            }
        }
    }
}

fn is_special(byte: u8) -> bool {
    byte.is_ascii_digit() || b"*#$@!?-".contains(&byte)
}

/// A map's texts with variables replaced.
pub(crate) fn filled_map(environment: &BuildEnvironment<'_>, map: &mut Value) {
    for text in map.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
        if let Value::String(text) = text {
            *text = environment.fill(text);
        }
    }
}

impl BuildEnvironment<'_> {
    /// Kustomize's settings with variables replaced where Argo CD does (util/kustomize/kustomize.go): in images, in labels, and in
    /// annotations where that is asked for.
    #[must_use]
    pub fn fill_kustomize(&self, settings: &Value) -> Value {
        let mut settings = settings.clone();
        for image in settings["images"].as_array_mut().into_iter().flatten() {
            if let Value::String(text) = image {
                *text = self.fill(text);
            }
        }
        if let Some(labels) = settings.get_mut("commonLabels") {
            filled_map(self, labels);
        }
        if settings["commonAnnotationsEnvsubst"] == true
            && let Some(annotations) = settings.get_mut("commonAnnotations")
        {
            filled_map(self, annotations);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use landfall_object::Object;
    use serde_json::json;

    use super::*;

    fn application() -> Application {
        let manifest = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {"project": "team", "destination": {"namespace": "prod"}, "source":
                {"repoURL": "https://git.example.com/shop.git", "path": "chart", "targetRevision": "main"}}});
        Application::parse(&Object::from_value(manifest).expect("a map")).expect("an application")
    }

    #[test]
    fn variables_are_filled_in_as_argo_cd_fills_them_in() {
        let application = application();
        let revision = "0123456789abcdef0123456789abcdef01234567";
        let environment = BuildEnvironment::of(&application, &application.sources[0], revision);
        for (text, expected) in [
            ("values-$ARGOCD_APP_NAME.yaml", "values-shop.yaml"),
            ("${ARGOCD_APP_NAMESPACE}_x", "prod_x"),
            ("$ARGOCD_APP_NAME_x", ""),
            ("$ARGOCD_APP_PROJECT_NAME", "team"),
            ("$ARGOCD_APP_REVISION", revision),
            ("$ARGOCD_APP_REVISION_SHORT-${ARGOCD_APP_REVISION_SHORT_8}", "0123456-01234567"),
            ("$ARGOCD_APP_SOURCE_REPO_URL", "https://git.example.com/shop.git"),
            ("$ARGOCD_APP_SOURCE_PATH@$ARGOCD_APP_SOURCE_TARGET_REVISION", "chart@main"),
            ("$$ARGOCD_APP_NAME ${$}HOME", "$ARGOCD_APP_NAME $HOME"),
            ("a$", "a$"),
            ("$ 5", "$ 5"),
            ("${} ${", " "),
            ("$1$PATH$HOME${USER}", ""),
            ("ä$ARGOCD_APP_NAMEä", "äshopä"),
        ] {
            assert_eq!(environment.fill(text), expected, "{text}");
        }
    }

    #[test]
    fn a_short_revision_stays_whole_and_what_is_filled_in_is_not_looked_at_again() {
        let mut application = application();
        application.name = "$ARGOCD_APP_NAMESPACE".to_owned();
        let environment = BuildEnvironment::of(&application, &application.sources[0], "1.2.3");
        assert_eq!(environment.fill("$ARGOCD_APP_REVISION_SHORT_8 $ARGOCD_APP_NAME"), "1.2.3 $ARGOCD_APP_NAMESPACE");
    }

    #[test]
    fn kustomize_gets_variables_in_images_and_labels_and_in_annotations_where_asked() {
        let application = application();
        let environment = BuildEnvironment::of(&application, &application.sources[0], "1");
        let mut settings = json!({"images": ["web:$ARGOCD_APP_REVISION"], "namePrefix": "$ARGOCD_APP_NAME",
            "commonLabels": {"app": "$ARGOCD_APP_NAME"}, "commonAnnotations": {"app": "$ARGOCD_APP_NAME"}});
        let filled = environment.fill_kustomize(&settings);
        assert_eq!(filled["images"], json!(["web:1"]));
        assert_eq!(filled["namePrefix"], "$ARGOCD_APP_NAME");
        assert_eq!(filled["commonLabels"]["app"], "shop");
        assert_eq!(filled["commonAnnotations"]["app"], "$ARGOCD_APP_NAME");
        settings["commonAnnotationsEnvsubst"] = true.into();
        assert_eq!(environment.fill_kustomize(&settings)["commonAnnotations"]["app"], "shop");
    }
}
