//! `Chart.yaml`: what a chart says about itself.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use landfall_sprig::Version;

use crate::decode::{DecodeError, Fields};

/// The older format: dependencies in `requirements.yaml`.
pub const API_VERSION_V1: &str = "v1";
/// The current format.
pub const API_VERSION_V2: &str = "v2";

/// The content of `Chart.yaml`. Serialises with the names, order and omissions of Helm's `chart.Metadata`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The chart's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A page about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub home: String,
    /// Where its source is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The chart's own version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// One sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Who maintains it; `None` for an entry that is null.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maintainers: Vec<Option<Maintainer>>,
    /// A picture's address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    /// `v1` or `v2`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Not used by Helm any more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Not used by Helm any more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tags: String,
    /// The version of what it installs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// Whether it should not be used any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// Whatever others want to know.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Which Kubernetes versions it wants.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// Charts it consists of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// `application` or `library`; empty means application.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// Someone who maintains a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Maintainer {
    /// Name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Mail address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// Page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// A chart that another one needs. Serialises as Helm's `chart.Dependency`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Dependency {
    /// The needed chart's name.
    pub name: String,
    /// A version constraint.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Where it comes from: `https://`, `oci://`, `file://`, `@alias`; empty for one that lies in `charts/`.
    pub repository: String,
    /// Comma-separated paths into the values; the first that is a boolean decides whether the chart is used.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Names under `tags` in the values that switch it too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Set while dependencies are processed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enabled: bool,
    /// Values to be lifted into the parent.
    #[serde(rename = "import-values", skip_serializing_if = "Vec::is_empty")]
    pub import_values: Vec<Json>,
    /// The name it goes by in the parent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alias: String,
}

/// Metadata that Helm refuses; displays in Helm's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("validation: {within}{reason}")]
pub struct InvalidMetadata {
    /// What Helm names the metadata in front of a field's name; empty where it says something of a list in it.
    pub within: &'static str,
    /// Helm's words behind it: `version is required`.
    pub reason: String,
    /// The key in `Chart.yaml` that is meant, as a dotted path.
    pub path: String,
}

impl Metadata {
    /// Reads a document into metadata that may hold something already, as Helm does for `requirements.yaml`.
    ///
    /// # Errors
    /// The first value of a wrong type.
    pub(crate) fn read_into(&mut self, json: &Json) -> Result<(), DecodeError> {
        let Some(fields) = Fields::root(json, "chart.Metadata", "Metadata")? else { return Ok(()) };
        let set = |slot: &mut String, text: Option<String>| {
            if let Some(text) = text {
                *slot = text;
            }
        };
        // In the order of the keys, so that the first error is the one that Go would report.
        if let Some(annotations) = fields.text_map("annotations")? {
            self.annotations = annotations;
        }
        set(&mut self.api_version, fields.text("apiVersion")?);
        set(&mut self.app_version, fields.text("appVersion")?);
        set(&mut self.condition, fields.text("condition")?);
        let dependencies = fields.objects("dependencies", "Dependency", ["[]*chart.Dependency", "chart.Dependency"])?;
        if !dependencies.is_empty() {
            self.dependencies = dependencies
                .into_iter()
                .map(|fields| fields.map_or(Ok(Dependency::null()), |fields| Dependency::read(&fields)))
                .collect::<Result<_, _>>()?;
        }
        self.deprecated |= fields.truth("deprecated")?;
        set(&mut self.description, fields.text("description")?);
        set(&mut self.home, fields.text("home")?);
        set(&mut self.icon, fields.text("icon")?);
        let keywords = fields.texts("keywords")?;
        if !keywords.is_empty() {
            self.keywords = keywords;
        }
        set(&mut self.kube_version, fields.text("kubeVersion")?);
        let maintainers = fields.objects("maintainers", "Maintainer", ["[]*chart.Maintainer", "chart.Maintainer"])?;
        if !maintainers.is_empty() {
            self.maintainers = maintainers
                .into_iter()
                .map(|fields| fields.map(|fields| Maintainer::read(&fields)).transpose())
                .collect::<Result<_, _>>()?;
        }
        set(&mut self.name, fields.text("name")?);
        let sources = fields.texts("sources")?;
        if !sources.is_empty() {
            self.sources = sources;
        }
        set(&mut self.tags, fields.text("tags")?);
        set(&mut self.kind, fields.text("type")?);
        set(&mut self.version, fields.text("version")?);
        Ok(())
    }

    /// Whether other charts may only include its definitions.
    pub fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }

    /// Cleans the texts and checks what Helm checks when it loads a chart.
    ///
    /// # Errors
    /// The first thing Helm refuses.
    pub fn validate(&mut self) -> Result<(), InvalidMetadata> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            sanitize(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(sanitize);
        let refuse = |path: &str, reason: String| {
            Err(InvalidMetadata { within: "chart.metadata.", reason, path: path.to_owned() })
        };
        let refuse_list =
            |path: &str, reason: String| Err(InvalidMetadata { within: "", reason, path: path.to_owned() });
        if self.api_version.is_empty() {
            return refuse("apiVersion", "apiVersion is required".to_owned());
        }
        if self.name.is_empty() {
            return refuse("name", "name is required".to_owned());
        }
        if self.name == "." || self.name == ".." {
            return refuse("name", format!("name {:?} is not allowed", self.name));
        }
        if self.name.contains('/') {
            return refuse("name", format!("name {:?} is invalid", self.name));
        }
        if self.version.is_empty() {
            return refuse("version", "version is required".to_owned());
        }
        if Version::parse(&self.version).is_err() {
            return refuse("version", format!("version {:?} is invalid", self.version));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return refuse("type", "type must be application or library".to_owned());
        }
        for maintainer in &mut self.maintainers {
            let Some(maintainer) = maintainer else {
                return refuse_list("maintainers", "maintainers must not contain empty or null nodes".to_owned());
            };
            [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url].into_iter().for_each(sanitize);
        }
        let mut seen = std::collections::BTreeSet::new();
        for dependency in &mut self.dependencies {
            if dependency.is_null() {
                return refuse_list("dependencies", "dependencies must not contain empty or null nodes".to_owned());
            }
            dependency.sanitize();
            let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            if !is_word(&dependency.alias) {
                let text = format!("dependency {:?} has disallowed characters in the alias", dependency.name);
                return refuse_list("dependencies", text);
            }
            if !seen.insert(dependency.key().to_owned()) {
                let text = format!("more than one dependency with name or alias {:?}", dependency.key());
                return refuse_list("dependencies", text);
            }
        }
        Ok(())
    }
}

impl Maintainer {
    fn read(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Maintainer {
            email: fields.text_or_empty("email")?,
            name: fields.text_or_empty("name")?,
            url: fields.text_or_empty("url")?,
        })
    }
}

impl Dependency {
    /// The name that marks an entry which was null in the file; no chart can have it.
    const NULL: &'static str = "\0";

    fn null() -> Self {
        Dependency { name: Self::NULL.to_owned(), ..Dependency::default() }
    }

    /// Whether the entry was null in the file.
    pub fn is_null(&self) -> bool {
        self.name == Self::NULL
    }

    /// The alias, or the name where there is none.
    pub fn key(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }

    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Dependency {
            alias: fields.text_or_empty("alias")?,
            condition: fields.text_or_empty("condition")?,
            enabled: fields.truth("enabled")?,
            import_values: fields.anything("import-values")?,
            name: fields.text_or_empty("name")?,
            repository: fields.text_or_empty("repository")?,
            tags: fields.texts("tags")?,
            version: fields.text_or_empty("version")?,
        })
    }

    fn sanitize(&mut self) {
        [&mut self.name, &mut self.version, &mut self.repository, &mut self.condition].into_iter().for_each(sanitize);
        self.tags.iter_mut().for_each(sanitize);
    }
}

/// Makes every space a plain one and drops what cannot be printed.
fn sanitize(text: &mut String) {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|c| match c {
            c if c.is_whitespace() => Some(' '),
            c if c.is_control() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}') => None,
            c => Some(c),
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Json) -> Result<Metadata, String> {
        let mut metadata = Metadata::default();
        metadata.read_into(&json).map_err(|error| error.to_string())?;
        metadata.validate().map_err(|error| error.to_string())?;
        Ok(metadata)
    }

    #[test]
    fn metadata_is_refused_in_helms_words() {
        use serde_json::json;
        let rows = [
            (json!({"name": "a"}), "validation: chart.metadata.apiVersion is required"),
            (json!({"apiVersion": "v2"}), "validation: chart.metadata.name is required"),
            (json!({"apiVersion": "v2", "name": "a/b"}), "validation: chart.metadata.name \"a/b\" is invalid"),
            (json!({"apiVersion": "v2", "name": "a"}), "validation: chart.metadata.version is required"),
            (
                json!({"apiVersion": "v2", "name": "a", "version": "x"}),
                "validation: chart.metadata.version \"x\" is invalid",
            ),
            (
                json!({"apiVersion": "v2", "name": "a", "version": "1", "type": "x"}),
                "validation: chart.metadata.type must be application or library",
            ),
            (
                json!({"apiVersion": "v2", "name": "a", "version": 1, "dependencies": [{"name": "b"}, {"name": "c", "alias": "b"}]}),
                "validation: more than one dependency with name or alias \"b\"",
            ),
            (
                json!({"apiVersion": "v2", "name": "a", "version": 1, "dependencies": [null]}),
                "validation: dependencies must not contain empty or null nodes",
            ),
        ];
        for (json, message) in rows {
            assert_eq!(read(json).expect_err(message), message);
        }
        assert_eq!(read(json!({"apiversion": "v2", "name": "a", "version": 1.10})).expect("valid").version, "1.1");
    }
}
