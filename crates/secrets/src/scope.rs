//! How far a sealed value may be moved.

use serde_json::Value;

/// On metadata: it opens under any name in its namespace.
const NAMESPACE_WIDE: &str = "sealedsecrets.bitnami.com/namespace-wide";
/// On metadata: it opens anywhere.
const CLUSTER_WIDE: &str = "sealedsecrets.bitnami.com/cluster-wide";

/// How far a sealed value may be moved; the order is from narrow to wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Scope {
    /// It opens under its name in its namespace alone.
    #[default]
    Strict,
    /// It opens under any name in its namespace.
    NamespaceWide,
    /// It opens anywhere.
    ClusterWide,
}

/// A scope that is none; the words are kubeseal's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: strict, namespace-wide, cluster-wide")]
pub struct UnknownScope;

impl Scope {
    /// All, from narrow to wide.
    pub const ALL: [Scope; 3] = [Scope::Strict, Scope::NamespaceWide, Scope::ClusterWide];

    /// As kubeseal's `--scope` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Strict => "strict",
            Scope::NamespaceWide => "namespace-wide",
            Scope::ClusterWide => "cluster-wide",
        }
    }

    /// Reads what `--scope` is given; nothing means strict.
    ///
    /// # Errors
    /// [`UnknownScope`]
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        let named = Self::ALL.into_iter().find(|scope| scope.name() == text);
        named.or_else(|| text.is_empty().then_some(Scope::Strict)).ok_or(UnknownScope)
    }

    /// The scope that metadata says by its annotations; only the text `true` counts, and the wider one wins.
    pub fn of(metadata: &Value) -> Self {
        let says =
            |key: &str| metadata.pointer("/annotations").and_then(|all| all.get(key)).is_some_and(|it| it == "true");
        if says(CLUSTER_WIDE) {
            Scope::ClusterWide
        } else if says(NAMESPACE_WIDE) {
            Scope::NamespaceWide
        } else {
            Scope::Strict
        }
    }

    /// What a value is bound to: the label of its RSA encryption.
    pub fn label(self, namespace: &str, name: &str) -> Vec<u8> {
        match self {
            Scope::Strict => format!("{namespace}/{name}").into_bytes(),
            Scope::NamespaceWide => namespace.as_bytes().to_vec(),
            Scope::ClusterWide => Vec::new(),
        }
    }

    /// Writes this scope, and no other, into metadata's annotations.
    pub fn write(self, metadata: &mut Value) {
        if !metadata["annotations"].is_object() {
            metadata["annotations"] = Value::Object(serde_json::Map::new());
        }
        if let Some(annotations) = metadata["annotations"].as_object_mut() {
            annotations.remove(NAMESPACE_WIDE);
            annotations.remove(CLUSTER_WIDE);
            match self {
                Scope::Strict => {}
                Scope::NamespaceWide => {
                    annotations.insert(NAMESPACE_WIDE.to_owned(), "true".into());
                }
                Scope::ClusterWide => {
                    annotations.insert(CLUSTER_WIDE.to_owned(), "true".into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scope_is_what_annotations_say_and_the_wider_one_wins() {
        let with = |annotations: Value| Scope::of(&json!({"annotations": annotations}));
        assert_eq!(with(json!({})), Scope::Strict);
        assert_eq!(with(json!({NAMESPACE_WIDE: "true"})), Scope::NamespaceWide);
        assert_eq!(with(json!({NAMESPACE_WIDE: "true", CLUSTER_WIDE: "true"})), Scope::ClusterWide);
        assert_eq!(with(json!({CLUSTER_WIDE: "True", NAMESPACE_WIDE: true})), Scope::Strict);
        assert_eq!(Scope::of(&json!({"annotations": null})), Scope::Strict);
    }

    #[test]
    fn labels_bind_to_namespace_and_name() {
        let label = |scope: Scope| String::from_utf8(scope.label("n", "a")).expect("text");
        assert_eq!(Scope::ALL.map(label), ["n/a", "n", ""]);
        assert_eq!(Scope::parse("cluster-wide"), Ok(Scope::ClusterWide));
        assert_eq!(Scope::parse(""), Ok(Scope::Strict));
        assert!(Scope::parse("Strict").is_err());
    }
}
