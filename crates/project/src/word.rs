//! Texts that mean something narrower than a text: read once, and true from then on.
//!
//! Each is a type whose rule stands in one place: what reads `landfall.yaml`, its JSON Schema, the command line and
//! Application manifests all ask that one.

mod address;
mod amount;
mod name;
mod path;

pub use address::{Address, HeaderName, HostName, HostPattern, HttpMethod, RepositoryUrl, Url};
pub use amount::{Amount, Day, RuleId, Span};
pub use name::{
    ContainerName, ContextName, EnvironmentName, Namespace, ObjectName, ReleaseName, SecretKeyName, SimulatedName,
    SystemName, WorkloadRef,
};
pub use path::{Glob, ImageRepository, RoutePath, TreePath};

/// The keyword under which the schema names the rule that a text is held against.
pub(crate) const RULE: &str = "x-landfall";

/// Why a text cannot be what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What is wanted, as the end of a sentence: "a namespace is …".
    pub wanted: String,
    /// The nearest text that would do.
    pub near: Option<String>,
}

impl Unfit {
    fn new(wanted: impl Into<String>) -> Self {
        Unfit { wanted: wanted.into(), near: None }
    }

    fn near(mut self, near: Option<String>) -> Self {
        self.near = near;
        self
    }
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.wanted)?;
        match &self.near {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unfit {}

/// A rule of a text: whether it fits.
pub(crate) type Judge = fn(&str) -> Result<(), Unfit>;

/// Finds the rule that the schema names.
pub(crate) fn judge(name: &str) -> Option<Judge> {
    [address::RULES, amount::RULES, name::RULES, path::RULES]
        .into_iter()
        .flatten()
        .find(|(known, _)| *known == name)
        .map(|(_, judge)| *judge)
}

/// Defines types of texts, each with its rule's name, what the schema says of it, and the rule itself.
macro_rules! words {
    ($($(#[$doc:meta])* $type:ident = $rule:literal, $shape:tt, $judge:path;)*) => {
        /// The rules of this file by name.
        pub(super) const RULES: &[(&str, super::Judge)] = &[$(($rule, $judge)),*];
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
            #[serde(try_from = "String", into = "String")]
            pub struct $type(String);

            impl $type {
                /// Reads the text.
                ///
                /// # Errors
                /// What is wanted instead, and the nearest text that would do.
                #[inline]
                pub fn parse(text: &str) -> Result<Self, super::Unfit> {
                    $judge(text).map(|()| $type(text.to_owned()))
                }

                /// The text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }

                /// What the schema says of such a text, for keys of maps.
                pub(crate) fn shape() -> serde_json::Value {
                    let mut shape = serde_json::json!($shape);
                    if let Some(map) = shape.as_object_mut() {
                        map.insert("type".to_owned(), "string".into());
                        map.insert(super::RULE.to_owned(), $rule.into());
                    }
                    shape
                }
            }

            impl TryFrom<String> for $type {
                type Error = super::Unfit;

                fn try_from(text: String) -> Result<Self, super::Unfit> {
                    $judge(&text).map(|()| $type(text))
                }
            }

            impl std::str::FromStr for $type {
                type Err = super::Unfit;

                fn from_str(text: &str) -> Result<Self, super::Unfit> {
                    $type::parse(text)
                }
            }

            impl From<$type> for String {
                fn from(word: $type) -> String {
                    word.0
                }
            }

            impl std::ops::Deref for $type {
                type Target = str;

                fn deref(&self) -> &str {
                    &self.0
                }
            }

            impl AsRef<str> for $type {
                fn as_ref(&self) -> &str {
                    &self.0
                }
            }

            impl std::borrow::Borrow<str> for $type {
                fn borrow(&self) -> &str {
                    &self.0
                }
            }

            impl PartialEq<str> for $type {
                fn eq(&self, other: &str) -> bool {
                    self.0 == other
                }
            }

            impl PartialEq<String> for $type {
                fn eq(&self, other: &String) -> bool {
                    self.0 == *other
                }
            }

            impl PartialEq<&str> for $type {
                fn eq(&self, other: &&str) -> bool {
                    self.0 == *other
                }
            }

            impl PartialEq<$type> for str {
                fn eq(&self, other: &$type) -> bool {
                    *self == other.0
                }
            }

            impl PartialEq<$type> for &str {
                fn eq(&self, other: &$type) -> bool {
                    **self == other.0
                }
            }

            impl PartialEq<$type> for String {
                fn eq(&self, other: &$type) -> bool {
                    *self == other.0
                }
            }

            impl std::fmt::Display for $type {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl schemars::JsonSchema for $type {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    let serde_json::Value::Object(shape) = $type::shape() else { return schemars::Schema::default() };
                    shape.into()
                }
            }
        )*
    };
}
use words;
