//! Values: layers of files and flags, each leaf knowing where it was set.

pub(crate) mod coalesce;
mod history;
pub(crate) mod json;
mod read;
mod recorded;
mod set;

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_gotemplate::{Map, Origin, Value};

use crate::dialect::Dialect;
use crate::error::ChartError;
use crate::origin::{Origins, Setting};
use crate::set_flag::SetFlag;

pub use history::ValuesHistory;
pub(crate) use read::{count_of, read_all_documents, read_text, read_values, read_values_traced};
pub use recorded::{recorded_values, values_from_json, values_over};

/// What the user gave, in the order given; [`ValueLayers::merge`] applies Helm's precedence.
#[derive(Debug, Clone, Default)]
pub struct ValueLayers {
    files: Vec<ValuesFile>,
    sets: Vec<SetLine>,
    dialect: Dialect,
}

/// A values file.
#[derive(Clone)]
struct ValuesFile {
    name: String,
    text: Arc<str>,
    /// What is shown of it, where that is not what it says: every line of the one is a line of the other.
    shown: Option<Arc<str>>,
}

impl std::fmt::Debug for ValuesFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValuesFile").field("name", &self.name).field("text", &self.shown()).finish()
    }
}

impl ValuesFile {
    fn shown(&self) -> &Arc<str> {
        self.shown.as_ref().unwrap_or(&self.text)
    }

    /// The file as people may see it, its values, too.
    fn as_shown(&self) -> Self {
        ValuesFile { name: self.name.clone(), text: Arc::clone(self.shown()), shown: None }
    }
}

#[derive(Debug, Clone)]
struct SetLine {
    flag: SetFlag,
    text: String,
    /// What the files named in a `--set-file` line hold, or why they cannot be read.
    files: BTreeMap<String, Result<String, String>>,
}

impl ValueLayers {
    /// Nothing given.
    pub fn new() -> Self {
        ValueLayers::default()
    }

    /// Nothing given, to be read as that Helm reads it: Helm 4 takes all documents of a values file and whole objects
    /// from `--set-json`.
    pub fn in_dialect(dialect: Dialect) -> Self {
        ValueLayers { dialect, ..ValueLayers::default() }
    }

    /// How they are read.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Adds a values file (`-f`); `name` is the path as typed, `-` for standard input.
    pub fn file(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> &mut Self {
        self.files.push(ValuesFile { name: name.into(), text: text.into(), shown: None });
        self
    }

    /// Adds a values file that was encrypted: `text` is what it says, line for line, and `shown` what people may see of it.
    pub fn opened_file(
        &mut self,
        name: impl Into<String>,
        text: impl Into<Arc<str>>,
        shown: impl Into<Arc<str>>,
    ) -> &mut Self {
        self.files.push(ValuesFile { name: name.into(), text: text.into(), shown: Some(shown.into()) });
        self
    }

    /// Whether one of the files was encrypted.
    pub fn has_opened(&self) -> bool {
        self.files.iter().any(|file| file.shown.is_some())
    }

    /// The layers in clear alone, and those that were encrypted alone.
    pub fn by_openness(&self) -> (Self, Self) {
        let (mut clear, mut opened) = (self.clone(), ValueLayers::in_dialect(self.dialect));
        opened.files.clone_from(&self.files);
        clear.files.retain(|file| file.shown.is_none());
        opened.files.retain(|file| file.shown.is_some());
        (clear, opened)
    }

    /// The names of the files that say a text, as people may see them.
    pub fn files_saying<'s>(&'s self, text: &'s str) -> impl Iterator<Item = &'s str> {
        self.files.iter().filter(move |file| file.shown().contains(text)).map(|file| file.name.as_str())
    }

    /// The names of the files given, in order.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// Adds a line of the `--set` family other than `--set-file`.
    pub fn set(&mut self, flag: SetFlag, text: impl Into<String>) -> &mut Self {
        self.sets.push(SetLine { flag, text: text.into(), files: BTreeMap::new() });
        self
    }

    /// Adds a `--set-file` line; `read` gives the content of a file or Go's words for why not.
    pub fn set_file(
        &mut self,
        text: impl Into<String>,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> &mut Self {
        let text = text.into();
        let mut files = BTreeMap::new();
        let mut remember = |path: &str| {
            let content = read(path);
            files.insert(path.to_owned(), content.clone());
            content
        };
        // What is wrong with the line is said when it is merged.
        let _wrong_later = set::parse_into(&text, &Map::new(), set::Reading::Files(&mut remember), Origin::NONE);
        self.sets.push(SetLine { flag: SetFlag::File, text, files });
        self
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.sets.is_empty()
    }

    /// One map out of all layers: files left to right, then `--set-json`, `--set`, `--set-string`, `--set-file` and
    /// `--set-literal`, each in the order given.
    ///
    /// # Errors
    /// The first layer that Helm refuses.
    pub fn merge(&self) -> Result<Map, ChartError> {
        self.merge_into(&mut Origins::off())
    }

    /// As [`ValueLayers::merge`], remembering for each value where it was set.
    ///
    /// # Errors
    /// As [`ValueLayers::merge`].
    pub fn merge_traced(&self, origins: &mut Origins) -> Result<Map, ChartError> {
        self.merge_into(origins)
    }

    fn merge_into(&self, origins: &mut Origins) -> Result<Map, ChartError> {
        let mut base = Map::new();
        for file in &self.files {
            let layer = read::read_layer(file, self.dialect, origins)?;
            base = merge_maps(&base, &layer);
        }
        let mut sets: Vec<(usize, &SetLine)> = self.sets.iter().enumerate().collect();
        sets.sort_by_key(|(_, line)| line.flag);
        for (_, line) in sets {
            let origin = origins.flag(line.flag, &line.text);
            let whole = line.text.trim_start();
            if self.dialect == Dialect::V4 && line.flag == SetFlag::Json && whole.starts_with('{') {
                base = merge_maps(&base, &whole_object(line, origin)?);
                origins.tell_apart(&base, origin);
                continue;
            }
            let mut files = |path: &str| {
                line.files.get(path).cloned().unwrap_or_else(|| Err(format!("open {path}: no such file or directory")))
            };
            let reading = match line.flag {
                SetFlag::Json => set::Reading::Json,
                SetFlag::Set => set::Reading::Typed,
                SetFlag::String => set::Reading::Strings,
                SetFlag::File => set::Reading::Files(&mut files),
                SetFlag::Literal => set::Reading::Literal,
            };
            match set::parse_into(&line.text, &base, reading, origin) {
                Ok(()) => {}
                // Helm 4 takes an index that is not closed for the end of the line.
                Err(problem) if self.dialect == Dialect::V4 && problem.ends_with(": EOF") => {}
                Err(problem) => {
                    return Err(ChartError::Set { flag: line.flag, text: line.text.clone(), problem });
                }
            }
            origins.tell_apart(&base, origin);
        }
        Ok(base)
    }

    /// What each layer says about a path, lowest first; layers that do not mention it are left out.
    pub fn history(&self, path: &[&str]) -> Vec<Setting> {
        let mut settings = Vec::new();
        for file in &self.files {
            let mut origins = Origins::on();
            if let Ok(map) = read::read_layer(&file.as_shown(), self.dialect, &mut origins) {
                settings.extend(origins.setting_in(&map, path));
            }
        }
        for line in &self.sets {
            let mut origins = Origins::on();
            let mut alone = ValueLayers::in_dialect(self.dialect);
            alone.sets.push(line.clone());
            if let Ok(map) = alone.merge_into(&mut origins) {
                settings.extend(origins.setting_in(&map, path));
            }
        }
        settings
    }
}

/// What `--set-json '{…}'` gives in Helm 4.
fn whole_object(line: &SetLine, origin: Origin) -> Result<Map, ChartError> {
    let read = serde_json::from_str::<serde_json::Value>(line.text.trim());
    match read.map(|json| json::to_value(&json, origin)) {
        Ok(value) if value.as_map().is_some() => Ok(value.as_map().cloned().unwrap_or_default()),
        _ => Err(ChartError::SetJson(line.text.clone())),
    }
}

/// Helm's `mergeMaps`: the second wins, maps are merged, everything else is replaced.
fn merge_maps(a: &Map, b: &Map) -> Map {
    let out: Map = a.entries().into_iter().collect();
    for (key, value) in b.entries() {
        let both = value.as_map().and_then(|new| Some((out.get(&key)?.as_map()?.clone(), new.clone())));
        let value = match both {
            Some((old, new)) => Value::from(merge_maps(&old, &new)).with_origin(value.origin()),
            None => value,
        };
        out.insert(key, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(lines: &[(SetFlag, &str)]) -> Result<String, String> {
        let mut layers = ValueLayers::new();
        for (flag, text) in lines {
            layers.set(*flag, *text);
        }
        let map = layers.merge().map_err(|error| error.helm_text())?;
        Ok(json::from_value(&Value::from(map)).to_string())
    }

    fn set(text: &str) -> String {
        merged(&[(SetFlag::Set, text)]).unwrap_or_else(|error| error)
    }

    #[test]
    fn set_lines_are_read_as_helm_reads_them() {
        // Observed with helm 3.22.0.
        let rows = [
            ("a=1,b=1.5,c=007,d=true,e=TRUE", r#"{"a":1,"b":"1.5","c":"007","d":true,"e":true}"#),
            ("f=null,g=,h=0,i=-5,j=+5,k=1e3", r#"{"f":null,"g":"","h":0,"i":-5,"j":5,"k":"1e3"}"#),
            ("l=0x10,m=yes,n=99999999999999999999", r#"{"l":"0x10","m":"yes","n":"99999999999999999999"}"#),
            ("a={1,b,true,null,1.5}", r#"{"a":[1,"b",true,null,"1.5"]}"#),
            ("a={}", r#"{"a":[""]}"#),
            ("a[0]=x,a[2]=y", r#"{"a":["x",null,"y"]}"#),
            ("a\\.b=1", r#"{"a.b":1}"#),
            ("c=x\\,y", r#"{"c":"x,y"}"#),
            ("a==b", r#"{"a":"=b"}"#),
            ("a= b ", r#"{"a":" b "}"#),
            ("a[0][1]=x", r#"{"a":[[null,"x"]]}"#),
            ("a[0].b=1,a[0].c=2", r#"{"a":[{"b":1,"c":2}]}"#),
            ("=1", "{}"),
            ("[0]=1", "{}"),
            ("a=1,", r#"{"a":1}"#),
            ("a", r#"failed parsing --set data: key "a" has no value"#),
            (",a=1", r#"failed parsing --set data: key "" has no value (cannot end with ,)"#),
            ("a[b]=1", r#"failed parsing --set data: error parsing index: strconv.Atoi: parsing "b": invalid syntax"#),
            (
                "a[70000]=1",
                "failed parsing --set data: index of 70000 is greater than maximum supported index of 65536",
            ),
            ("a[-1]=1", "failed parsing --set data: negative -1 index not allowed"),
            ("a.=1", r#"failed parsing --set data: key map "a" has no value"#),
            ("a..b=1", r#"failed parsing --set data: key map "a" has no value"#),
            ("a={{1,2},{3}}", r#"failed parsing --set data: key "{3}}" has no value"#),
            ("a={1", "failed parsing --set data: list must terminate with '}'"),
            (
                "a=2,a.b=1",
                "failed parsing --set data: unable to parse key: interface conversion: interface {} is int64, not map[string]interface {}",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(set(text), expected, "{text}");
        }
        let deep = "a.".repeat(31) + "b=1";
        assert_eq!(
            set(&deep),
            "failed parsing --set data: value name nested level is greater than maximum supported nested level of 30"
        );
    }

    #[test]
    fn flags_go_by_kind_not_by_order() {
        let lines = [(SetFlag::String, "a=2"), (SetFlag::Set, "a=1"), (SetFlag::Json, "a=3")];
        assert_eq!(merged(&lines).as_deref(), Ok(r#"{"a":"2"}"#));
        let json = [(SetFlag::Json, r#"a={"x":1},d=,e=1000000"#)];
        assert_eq!(merged(&json).as_deref(), Ok(r#"{"a":{"x":1},"d":null,"e":1000000}"#));
        let literal = [(SetFlag::Literal, r"a.b=x,y\z=1")];
        assert_eq!(merged(&literal).as_deref(), Ok(r#"{"a":{"b":"x,y\\z=1"}}"#));
    }

    #[test]
    fn each_value_knows_where_it_was_set() {
        let mut layers = ValueLayers::new();
        layers.file("a.yaml", "web:\n  image: x\n  port: 80\n");
        layers.file("b.yaml", "\nweb:\n  port: 81\n");
        layers.set(SetFlag::Set, "web.debug=true");
        let mut origins = Origins::on();
        let map = layers.merge_traced(&mut origins).expect("well formed");
        let web = map.get("web").and_then(|web| web.as_map().cloned()).expect("a table");
        let place = |key: &str| {
            let source = origins.source(web.get(key).expect("set").origin()).expect("traced");
            source.to_string()
        };
        assert_eq!(place("image"), "a.yaml:2:3");
        assert_eq!(place("port"), "b.yaml:3:3");
        assert_eq!(place("debug"), "--set web.debug=true");
    }
}
