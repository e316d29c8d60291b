//! `index.yaml`: which charts and versions a repository has (helm: `pkg/repo/index.go`).

mod read;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use landfall_chart::Metadata;
use landfall_sprig::{Constraint, Version};
use serde_json::{Map, Value};

use crate::error::SourceError;

/// A repository's index. Charts are looked at when they are asked for, because an index may hold tens of thousands; until
/// then each is a text, which takes a tenth of the memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// All but the charts; where there may be some, `entries` is an empty object.
    rest: Map<String, Value>,
    charts: BTreeMap<String, Versions>,
}

/// The versions of a chart.
#[derive(Debug, Clone, PartialEq)]
enum Versions {
    /// As JSON's text.
    Text(Box<[u8]>),
    /// Read, to be added to.
    Read(Value),
}

impl Versions {
    fn json(&self) -> Cow<'_, Value> {
        match self {
            Versions::Text(text) => Cow::Owned(serde_json::from_slice(text).unwrap_or_default()),
            Versions::Read(json) => Cow::Borrowed(json),
        }
    }

    fn open(&mut self) -> &mut Value {
        if let Versions::Text(_) = self {
            *self = Versions::Read(self.json().into_owned());
        }
        match self {
            Versions::Read(json) => json,
            Versions::Text(_) => unreachable!("it was opened"),
        }
    }
}

/// One version of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexEntry {
    /// The chart's name.
    pub name: String,
    /// The chart's version.
    pub version: String,
    /// The version of what it installs.
    pub app_version: String,
    /// One sentence.
    pub description: String,
    /// Where it is, absolute or below the repository.
    pub urls: Vec<String>,
    /// SHA-256 of the archive in hex; empty when not said.
    pub digest: String,
    /// All that the index says about it.
    pub json: Value,
}

impl IndexEntry {
    fn read(json: Value) -> Option<Self> {
        let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let entry = IndexEntry {
            name: text("name"),
            version: text("version"),
            app_version: text("appVersion"),
            description: text("description"),
            urls: json
                .get("urls")
                .and_then(Value::as_array)
                .map(|urls| urls.iter().filter_map(|url| url.as_str().map(str::to_owned)).collect())
                .unwrap_or_default(),
            digest: text("digest"),
            json,
        };
        // What Helm leaves out: entries without a name, and versions that are none.
        (!entry.name.is_empty() && Version::parse(&entry.version).is_ok()).then_some(entry)
    }
}

impl Index {
    /// An index without charts, made at a time (RFC 3339).
    pub fn new(generated: &str) -> Self {
        let json = serde_json::json!({"apiVersion": "v1", "generated": generated, "entries": {}});
        let rest = match json {
            Value::Object(json) => json,
            _ => Map::new(),
        };
        Index { rest, charts: BTreeMap::new() }
    }

    /// Reads an index, YAML or JSON.
    ///
    /// # Errors
    /// In Helm's words; and when it has more charts or values than are read.
    pub fn parse(bytes: &[u8]) -> Result<Self, SourceError> {
        if bytes.is_empty() {
            return Err(SourceError::Index("empty index.yaml file".to_owned()));
        }
        let index = read::index(bytes)?;
        if index.rest.get("apiVersion").and_then(Value::as_str).unwrap_or_default().is_empty() {
            return Err(SourceError::Index("no API version specified".to_owned()));
        }
        if index.rest.get("entries").is_some_and(|entries| !entries.is_object() && !entries.is_null()) {
            return Err(SourceError::Index("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go struct field IndexFile.entries of type map[string]repo.ChartVersions".to_owned()));
        }
        Ok(index)
    }

    /// All of it.
    fn json(&self) -> Map<String, Value> {
        let mut json = self.rest.clone();
        if let Some(Value::Object(entries)) = json.get_mut("entries") {
            entries.extend(self.charts.iter().map(|(name, versions)| (name.clone(), versions.json().into_owned())));
        }
        json
    }

    /// The charts' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.charts.keys().map(String::as_str)
    }

    /// The versions of a chart, the newest first; `None` when there is no such chart.
    pub fn versions(&self, name: &str) -> Option<Vec<IndexEntry>> {
        let listed = match self.charts.get(name)?.json().into_owned() {
            Value::Array(listed) => listed,
            _ => Vec::new(),
        };
        let mut all: Vec<IndexEntry> = listed.into_iter().filter_map(IndexEntry::read).collect();
        all.sort_by(|a, b| newest_first(&a.version, &b.version));
        Some(all)
    }

    /// The version that was asked for, or the newest that fits a range; empty means the newest that is stable.
    ///
    /// # Errors
    /// In Helm's words.
    pub fn find(&self, name: &str, version: &str) -> Result<IndexEntry, SourceError> {
        let none = |words: String| SourceError::NoSuchChart(words);
        let versions = self.versions(name).ok_or_else(|| none("no chart name found".to_owned()))?;
        if versions.is_empty() {
            return Err(none("no chart version found".to_owned()));
        }
        let range = Constraint::parse(if version.is_empty() { "*" } else { version })
            .map_err(|error| none(error.to_string()))?;
        let exact = versions.iter().find(|entry| !version.is_empty() && entry.version == version);
        let fits = |entry: &&IndexEntry| Version::parse(&entry.version).is_ok_and(|version| range.check(&version));
        exact
            .or_else(|| versions.iter().find(fits))
            .cloned()
            .ok_or_else(|| none(format!("no chart version found for {name}-{version}")))
    }

    /// Whether any version of any chart is at this address.
    pub fn has_url(&self, wanted: &str) -> bool {
        self.charts.values().any(|versions| {
            let listed = versions.json();
            listed.as_array().into_iter().flatten().any(|version| {
                let urls = version.get("urls").and_then(Value::as_array);
                urls.into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    // Most addresses of an index are relative: no need to parse them.
                    .any(|url| url.contains("://") && crate::address::same_url(wanted, url))
            })
        })
    }

    /// Adds a chart's archive.
    pub fn add(&mut self, metadata: &Metadata, url: &str, digest: &str, created: &str) {
        let mut json = serde_json::to_value(metadata).unwrap_or_default();
        if let Value::Object(map) = &mut json {
            map.insert("urls".to_owned(), Value::from(vec![url]));
            map.insert("created".to_owned(), Value::from(created));
            if !digest.is_empty() {
                map.insert("digest".to_owned(), Value::from(digest));
            }
        }
        self.insert(&metadata.name, json);
    }

    fn insert(&mut self, name: &str, json: Value) {
        let entries = self.rest.entry("entries").or_insert_with(|| Value::Object(Map::new()));
        if !entries.is_object() {
            return;
        }
        let none = || Versions::Read(Value::Array(Vec::new()));
        if let Value::Array(versions) = self.charts.entry(name.to_owned()).or_insert_with(none).open() {
            versions.push(json);
        }
    }

    /// Adds what another index has and this one does not (helm: `IndexFile.Merge`).
    pub fn merge(&mut self, other: &Index) {
        for name in other.names() {
            for entry in other.versions(name).into_iter().flatten() {
                if let Some(known) = self.charts.get_mut(&entry.name) {
                    known.open();
                }
                if self.find(&entry.name, &entry.version).is_err() {
                    self.insert(&entry.name, entry.json);
                }
            }
        }
    }

    /// The newest version of each chart first.
    pub fn sort(&mut self) {
        for versions in self.charts.values_mut() {
            let Value::Array(versions) = versions.open() else { continue };
            let version = |json: &Value| json.get("version").and_then(Value::as_str).unwrap_or_default().to_owned();
            versions.sort_by(|a, b| newest_first(&version(a), &version(b)));
        }
    }
}

/// Newer versions before older ones; what is no version comes last.
fn newest_first(a: &str, b: &str) -> Ordering {
    match (Version::parse(a), Version::parse(b)) {
        (Ok(a), Ok(b)) => b.precedence(&a),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => Ordering::Equal,
    }
}

/// An index of the archives given: the path below the indexed directory, and the bytes (helm: `IndexDirectory`).
///
/// What is no chart is left out.
///
/// # Errors
/// Metadata that Helm refuses.
pub fn index_of_archives(archives: &[(String, Vec<u8>)], base: &str, now: &str) -> Result<Index, SourceError> {
    use sha2::Digest as _;
    let mut index = Index::new(now);
    for (path, bytes) in archives {
        let Ok(chart) = landfall_chart::Chart::load_archive(path, bytes) else { continue };
        let digest = super::hex(&sha2::Sha256::digest(bytes));
        let mut metadata = chart.metadata.clone();
        if metadata.api_version.is_empty() {
            metadata.api_version = landfall_chart::API_VERSION_V1.to_owned();
        }
        metadata.validate().map_err(|error| {
            let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            SourceError::Index(format!("failed adding to {name} to index: validate failed for {name}: {error}"))
        })?;
        let url = if base.is_empty() { path.clone() } else { join_url(base, path) };
        index.add(&metadata, &url, &digest, now);
    }
    Ok(index)
}

/// An address with a path behind its own (helm: `normalizeURL`); what is absolute stays as it is.
pub fn join_url(base: &str, path: &str) -> String {
    if reqwest::Url::parse(path).is_ok() {
        return path.to_owned();
    }
    match reqwest::Url::parse(base) {
        Ok(mut url) => {
            let joined = format!("{}/{path}", url.path().trim_end_matches('/'));
            url.set_path(&joined);
            url.into()
        }
        Err(_) => format!("{}/{path}", base.trim_end_matches('/')),
    }
}

/// The index as `repo index` writes it.
pub fn index_yaml(index: &Index) -> String {
    landfall_yaml::emit(&Value::Object(index.json())).unwrap_or_default()
}

/// The index as `repo index --json` writes it: Go's fields in their own order.
pub fn index_json(index: &Index) -> String {
    const FIELDS: [&str; 5] = ["serverInfo", "apiVersion", "generated", "entries", "publicKeys"];
    const VERSION: [&str; 19] = [
        "name",
        "home",
        "sources",
        "version",
        "description",
        "keywords",
        "maintainers",
        "icon",
        "apiVersion",
        "condition",
        "tags",
        "appVersion",
        "deprecated",
        "annotations",
        "kubeVersion",
        "dependencies",
        "type",
        "urls",
        "created",
    ];
    const DEPENDENCY: [&str; 8] =
        ["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"];
    let mut out = String::new();
    write_fields(&index.json(), &FIELDS, 0, &mut out, &|key, value, depth, out| match (key, value) {
        ("entries", Value::Object(entries)) => {
            write_fields(entries, &[], depth, out, &|_, versions, depth, out| {
                write_list(versions, &VERSION, depth, out, &|key, value, depth, out| match key {
                    "maintainers" => write_list(value, &["name", "email", "url"], depth, out, &write_plain),
                    "dependencies" => write_list(value, &DEPENDENCY, depth, out, &write_plain),
                    _ => write_plain(key, value, depth, out),
                });
            });
        }
        (key, value) => write_plain(key, value, depth, out),
    });
    out
}

type WriteValue<'a> = &'a dyn Fn(&str, &Value, usize, &mut String);

fn write_plain(_: &str, value: &Value, depth: usize, out: &mut String) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let indented = text.replace('\n', &format!("\n{}", "  ".repeat(depth)));
    out.push_str(&indented.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"));
}

fn write_fields(map: &Map<String, Value>, order: &[&str], depth: usize, out: &mut String, write: WriteValue<'_>) {
    let known = order.iter().filter_map(|key| map.get_key_value(*key));
    let others = map.iter().filter(|(key, _)| !order.contains(&key.as_str()));
    let all: Vec<(&String, &Value)> = known.chain(others).collect();
    if all.is_empty() {
        out.push_str("{}");
        return;
    }
    out.push('{');
    let pad = "  ".repeat(depth + 1);
    for (at, (key, value)) in all.into_iter().enumerate() {
        out.push_str(if at > 0 { ",\n" } else { "\n" });
        out.push_str(&pad);
        out.push_str(&serde_json::to_string(key).unwrap_or_default());
        out.push_str(": ");
        write(key, value, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push('}');
}

fn write_list(value: &Value, order: &[&str], depth: usize, out: &mut String, write: WriteValue<'_>) {
    let Value::Array(items) = value else {
        return write_plain("", value, depth, out);
    };
    if items.is_empty() {
        out.push_str("[]");
        return;
    }
    out.push('[');
    let pad = "  ".repeat(depth + 1);
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at > 0 { ",\n" } else { "\n" });
        out.push_str(&pad);
        match item {
            Value::Object(map) => write_fields(map, order, depth + 1, out, write),
            other => write_plain("", other, depth + 1, out),
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 1.0.0, urls: [web-1.0.0.tgz], digest: aa}\n  - {name: web, version: 1.10.0, urls: [web-1.10.0.tgz]}\n  - {name: web, version: 2.0.0-rc.1, urls: ['http://h/web.tgz']}\n  - {name: web, version: nonsense}\n  - null\n";

    #[test]
    fn the_newest_version_that_fits_is_found() {
        let index = Index::parse(INDEX.as_bytes()).expect("an index");
        let found = |version: &str| index.find("web", version).map(|entry| entry.version).map_err(|e| e.to_string());
        assert_eq!(found(""), Ok("1.10.0".to_owned()));
        assert_eq!(found("~1.0"), Ok("1.0.0".to_owned()));
        assert_eq!(found(">0.0.0-0"), Ok("2.0.0-rc.1".to_owned()));
        assert_eq!(found("2.0.0-rc.1"), Ok("2.0.0-rc.1".to_owned()));
        assert_eq!(found("3"), Err("no chart version found for web-3".to_owned()));
        assert_eq!(index.find("nope", "").map_err(|e| e.to_string()), Err("no chart name found".to_owned()));
        assert!(index.has_url("http://h/web.tgz") && !index.has_url("http://h/other.tgz"));
    }

    #[test]
    fn what_is_no_index_is_refused_in_helms_words() {
        let refused = |text: &str| Index::parse(text.as_bytes()).expect_err("refused").to_string();
        assert_eq!(refused(""), "empty index.yaml file");
        assert_eq!(refused("entries: {}\n"), "no API version specified");
        assert!(refused("hello").ends_with("cannot unmarshal string into Go value of type repo.IndexFile"));
        assert!(refused("a: 1\na: 2\n").starts_with("error converting YAML to JSON"));
        assert!(refused("apiVersion: v1\nentries:\n  a: [{b: 1, b: 2}]\n").contains("key \"b\" already set in map"));
        assert!(refused("apiVersion: v1\nentries: []\n").contains("IndexFile.entries"));
    }

    #[test]
    fn an_index_is_the_same_in_every_form() {
        let plain = Index::parse(INDEX.as_bytes()).expect("an index");
        let json = landfall_yaml::to_json(INDEX).expect("YAML").to_string();
        assert_eq!(Index::parse(json.as_bytes()).expect("an index"), plain);
        // With an anchor it is not read piece by piece.
        let anchored = INDEX.replacen("apiVersion: v1", "apiVersion: &v v1", 1);
        assert_eq!(Index::parse(anchored.as_bytes()).expect("an index"), plain);
        assert_eq!(landfall_yaml::to_json(&index_yaml(&plain)).expect("YAML").to_string(), json);
        assert_eq!(Index::parse(b"apiVersion: v1\n").expect("an index").names().count(), 0);
    }

    #[test]
    fn an_index_of_too_many_charts_or_values_is_refused() {
        use read::MAX_CHARTS;
        use std::fmt::Write as _;
        let charts = (0..=MAX_CHARTS).fold(String::new(), |mut all, at| {
            let _infallible = writeln!(all, "  c{at}: []");
            all
        });
        let refused = |text: &str| Index::parse(text.as_bytes()).expect_err("too much").to_string();
        let words = format!("it has more than {MAX_CHARTS} charts");
        let yaml = format!("apiVersion: v1\nentries:\n{charts}");
        assert!(refused(&yaml).contains(&words));
        let json = format!(
            "{{\"apiVersion\":\"v1\",\"entries\":{{{}}}}}",
            charts.replace("  c", "\"c").replace(": []\n", "\":[],")
        );
        assert!(refused(&json.replace(",}", "}")).contains(&words));
        let many = "0,".repeat(landfall_yaml::MAX_NODES + 1);
        let yaml = format!("apiVersion: v1\nentries: {{a: [{many}]}}\n");
        assert!(refused(&yaml).contains("exceeded max size"));
        let json = format!("{{\"apiVersion\":\"v1\",\"entries\":{{\"a\":[{many}0]}}}}");
        assert!(refused(&json).contains("a chart in it more than 1048576"));
        let some = "0,".repeat(landfall_yaml::MAX_NODES / 2);
        let all: String = (0..17).map(|at| format!("  c{at}: [{some}]\n")).collect();
        assert!(refused(&format!("apiVersion: v1\nentries:\n{all}")).contains("it has more than 8388608 values"));
    }

    #[test]
    fn merging_keeps_what_is_there_and_adds_the_rest() {
        let mut index = Index::new("2026-01-01T00:00:00Z");
        let metadata =
            Metadata { name: "web".into(), version: "1.0.0".into(), api_version: "v2".into(), ..Metadata::default() };
        index.add(&metadata, "http://new/web-1.0.0.tgz", "bb", "2026-01-01T00:00:00Z");
        index.merge(&Index::parse(INDEX.as_bytes()).expect("an index"));
        index.sort();
        let versions = index.versions("web").expect("there");
        let shown: Vec<&str> = versions.iter().map(|entry| entry.version.as_str()).collect();
        assert_eq!(shown, ["2.0.0-rc.1", "1.10.0", "1.0.0"]);
        assert_eq!(versions[2].digest, "bb");
        assert!(index_json(&index).starts_with("{\n  \"apiVersion\": \"v1\",\n  \"generated\": \"2026-01-01T00:00:00Z\",\n  \"entries\": {\n    \"web\": [\n      {\n        \"name\": \"web\","));
    }
}
