//! What templates find besides values: `.Chart`, `.Capabilities`, `.Files`.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, OnceLock};

use base64::Engine as _;
use landfall_gotemplate::{
    Args, CallCtx, Data, Func, FuncError, Host, HostKind, List, Map, MapName, Signature, Str, Type, Value, Watch,
    format,
};

use crate::capabilities::{Capabilities, HELM_4, HelmVersion, KUBE_CLIENT};
use crate::chart::{Chart, File};
use crate::dependency::{path_value, table_at};
use crate::dialect::Dialect;
use crate::go_json::go_json;
use crate::metadata::Metadata;
use crate::origin::built_in;
use crate::pattern::Glob;

/// `chartutil.Values`: a map with Helm's methods.
static VALUES: MapName =
    MapName { type_name: "chartutil.Values", method: |map, name| values_method(map, name, Dialect::V3) };
/// The same in Helm 4.
static VALUES_4: MapName =
    MapName { type_name: "common.Values", method: |map, name| values_method(map, name, Dialect::V4) };

/// A map as a value of type `chartutil.Values`, in Helm 4 `common.Values`.
pub(crate) fn values(map: &Map, dialect: Dialect) -> Value {
    Value::from(map.named(Some(match dialect {
        Dialect::V3 => &VALUES,
        Dialect::V4 => &VALUES_4,
    })))
}

fn values_method(map: &Map, name: &str, dialect: Dialect) -> Option<Func> {
    // Asked for each name that stands behind a dot.
    if !matches!(name, "AsMap" | "YAML" | "Table" | "PathValue" | "Encode") {
        return None;
    }
    let map = map.named(None);
    Some(match name {
        "AsMap" => Func::new(&[], move |_, _| Ok(Value::from(map.clone()))),
        "YAML" => Func::new(&[], move |_, _| Ok(Value::from(yaml(&Value::from(map.clone()))))),
        "Table" => Func::new(&[Type::String], move |_, args| match table_at(&map, args.bytes(0)) {
            Ok(table) => Ok(values(&table, dialect)),
            Err(key) => Err(FuncError::new(format!("{} is not a table", format::quote(&key)))),
        }),
        "PathValue" => Func::new(&[Type::String], move |_, args| {
            let path = args.bytes(0);
            if path.is_empty() {
                return Err(FuncError::new("YAML path cannot be empty"));
            }
            path_value(&map, path).ok_or_else(|| {
                let key = path.rsplit(|byte| *byte == b'.').next().unwrap_or(path);
                FuncError::new(format!("{} is not a value", format::quote(key)))
            })
        }),
        "Encode" => Func::new(&[Type::Host("io.Writer")], |_, _| Ok(Value::nil())),
        _ => return None,
    })
}

fn yaml(value: &Value) -> String {
    landfall_yaml::emit(&crate::values::json::from_value(value)).unwrap_or_default()
}

/// A Go struct of plain fields.
#[derive(Debug, Clone)]
struct Record {
    type_name: &'static str,
    kind: HostKind,
    fields: Vec<(&'static str, Value)>,
    /// Fields of an embedded struct, reached without its name.
    promoted: Vec<(&'static str, Value)>,
    methods: &'static [(&'static str, Method)],
    /// What the type's `String` method gives; it has a pointer receiver and so counts only where Go can take the address.
    json: Json,
    /// Its fields by their tags for `yaml.v3`, where it has such tags.
    yaml: Vec<(&'static str, Value)>,
}

type Method = fn(&Record) -> Value;

/// A value as JSON, made when it is first asked for: hardly a chart asks.
#[derive(Debug, Clone)]
struct Json(Arc<LazyLock<String, Box<dyn FnOnce() -> String + Send>>>);

impl Json {
    fn of(made: impl FnOnce() -> String + Send + 'static) -> Self {
        Json(Arc::new(LazyLock::new(Box::new(made))))
    }

    fn text(&self) -> &str {
        &self.0
    }
}

impl Record {
    fn new(type_name: &'static str, fields: Vec<(&'static str, Value)>, json: String) -> Self {
        let json = Json::of(|| json);
        Record { type_name, kind: HostKind::Struct, fields, promoted: Vec::new(), methods: &[], json, yaml: Vec::new() }
    }

    fn pointer(mut self) -> Self {
        self.kind = HostKind::Pointer;
        self
    }
}

impl Host for Record {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.type_name)
    }

    fn kind(&self) -> HostKind {
        self.kind
    }

    fn field(&self, name: &str) -> Option<Value> {
        let all = self.fields.iter().chain(&self.promoted);
        let exported = name.starts_with(|first: char| first.is_uppercase());
        all.into_iter().find(|(known, _)| exported && *known == name).map(|(_, value)| value.clone())
    }

    fn fields(&self) -> Vec<(Cow<'static, str>, Value)> {
        self.fields.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect()
    }

    fn method(&self, name: &str) -> Option<Signature> {
        self.methods.iter().any(|(known, _)| *known == name).then(|| Signature::fixed(&[]))
    }

    fn call(&self, name: &str, _: &[Value], _: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        match self.methods.iter().find(|(known, _)| *known == name) {
            Some((_, method)) => Ok(method(self)),
            None => Err(FuncError::new(format!("{name} is not a method"))),
        }
    }

    fn json(&self) -> Option<String> {
        Some(self.json.text().to_owned())
    }

    fn yaml_fields(&self) -> Option<Vec<(Cow<'static, str>, Value)>> {
        let fields = || self.yaml.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect();
        (!self.yaml.is_empty()).then(fields)
    }

    fn deep_copied(&self) -> Option<Value> {
        self.fields.iter().any(|(name, _)| *name == NORMALIZED).then(|| {
            let exported =
                |(name, value): &(_, Value)| (*name, if *name == NORMALIZED { text("") } else { value.clone() });
            Value::host(Record { fields: self.fields.iter().map(exported).collect(), ..self.clone() })
        })
    }
}

fn texts(list: &[String]) -> Value {
    if list.is_empty() {
        return Value::from(List::nil(Type::String));
    }
    Value::from(List::strings(list.iter().map(String::as_str)))
}

fn text(text: &str) -> Value {
    Value::from(text)
}

/// `.Chart`: the metadata, in Helm 3 a struct, in Helm 4 a map.
pub(crate) fn chart_object(chart: &Chart, is_root: bool, dialect: Dialect) -> Value {
    let fields = metadata_fields(&chart.metadata);
    if dialect == Dialect::V4 {
        let map = struct_to_map(fields);
        map.insert("IsRoot", is_root);
        return Value::from(map);
    }
    let json = go_json(&chart.metadata);
    let whole = if json == "{}" {
        format!("{{\"IsRoot\":{is_root}}}")
    } else {
        format!("{},\"IsRoot\":{is_root}}}", &json[..json.len() - 1])
    };
    let metadata = Value::host(Record::new("chart.Metadata", fields.clone(), json));
    Value::host(Record {
        type_name: "struct { chart.Metadata; IsRoot bool }",
        kind: HostKind::Struct,
        fields: vec![("Metadata", metadata), ("IsRoot", Value::from(is_root))],
        promoted: fields,
        methods: &[],
        json: Json::of(|| whole),
        yaml: Vec::new(),
    })
}

/// Structs as maps by their fields' names, and lists of whatever (helm 4: `structToMap`).
fn struct_to_map(fields: impl IntoIterator<Item = (impl Into<Str>, Value)>) -> Map {
    fields
        .into_iter()
        .map(|(name, value)| {
            let value = match value.data() {
                Data::List(list) => Value::from(list.values().iter().map(item_to_map).collect::<Vec<_>>()),
                _ => value,
            };
            (name.into(), value)
        })
        .collect()
}

fn item_to_map(item: &Value) -> Value {
    match item.data() {
        Data::Host(host) => {
            Value::from(struct_to_map(host.fields().into_iter().map(|(name, value)| (Str::from(&*name), value))))
        }
        _ => item.clone(),
    }
}

fn metadata_fields(metadata: &Metadata) -> Vec<(&'static str, Value)> {
    let maintainers = metadata.maintainers.iter().flatten().map(|maintainer| {
        let fields =
            vec![("Name", text(&maintainer.name)), ("Email", text(&maintainer.email)), ("URL", text(&maintainer.url))];
        Value::host(Record::new("*chart.Maintainer", fields, go_json(maintainer)).pointer())
    });
    let dependencies = metadata.dependencies.iter().map(|dependency| {
        let imports = dependency
            .import_values
            .iter()
            .map(|value| crate::values::json::to_value(value, landfall_gotemplate::Origin::NONE));
        let fields = vec![
            ("Name", text(&dependency.name)),
            ("Version", text(&dependency.version)),
            ("Repository", text(&dependency.repository)),
            ("Condition", text(&dependency.condition)),
            ("Tags", texts(&dependency.tags)),
            ("Enabled", Value::from(dependency.enabled)),
            ("ImportValues", Value::from(List::new(imports.collect()))),
            ("Alias", text(&dependency.alias)),
        ];
        // By the tags of pkg/chart/dependency.go: all but name and repository are left out empty.
        let tags = ["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"];
        let is_empty = |value: &Value| match value.data() {
            Data::Bool(truth) => !truth,
            Data::List(list) => list.values().is_empty(),
            _ => value.as_str().is_some_and(|text| text.as_bytes().is_empty()),
        };
        let given = tags
            .into_iter()
            .zip(&fields)
            .filter(|(tag, (_, value))| matches!(*tag, "name" | "repository") || !is_empty(value));
        let yaml = given.map(|(tag, (_, value))| (tag, value.clone())).collect();
        let record = Record::new("*chart.Dependency", fields, go_json(dependency));
        Value::host(Record { yaml, ..record }.pointer())
    });
    let list = |element: &'static str, values: Vec<Value>| {
        Value::from(if values.is_empty() {
            List::nil(Type::Host(element))
        } else {
            List::of(Type::Host(element), values)
        })
    };
    let annotations = metadata.annotations.iter().map(|(key, value)| (Str::from(key.as_str()), text(value))).collect();
    let annotations =
        if metadata.annotations.is_empty() { Map::nil(Type::String) } else { Map::of(Type::String, annotations) };
    vec![
        ("Name", text(&metadata.name)),
        ("Home", text(&metadata.home)),
        ("Sources", texts(&metadata.sources)),
        ("Version", text(&metadata.version)),
        ("Description", text(&metadata.description)),
        ("Keywords", texts(&metadata.keywords)),
        ("Maintainers", list("*chart.Maintainer", maintainers.collect())),
        ("Icon", text(&metadata.icon)),
        ("APIVersion", text(&metadata.api_version)),
        ("Condition", text(&metadata.condition)),
        ("Tags", text(&metadata.tags)),
        ("AppVersion", text(&metadata.app_version)),
        ("Deprecated", Value::from(metadata.deprecated)),
        ("Annotations", Value::from(annotations)),
        ("KubeVersion", text(&metadata.kube_version)),
        ("Dependencies", list("*chart.Dependency", dependencies.collect())),
        ("Type", text(&metadata.kind)),
    ]
    .into_iter()
    .map(|(name, value)| (name, built_in(&format!(".Chart.{name}"), value)))
    .collect()
}

/// `.Capabilities`
pub(crate) fn capabilities_object(capabilities: &Capabilities, dialect: Dialect) -> Value {
    let names = match dialect {
        Dialect::V3 => ["chartutil.KubeVersion", "chartutil.VersionSet", "*chartutil.Capabilities"],
        Dialect::V4 => ["common.KubeVersion", "common.VersionSet", "*common.Capabilities"],
    };
    let version = &capabilities.kube_version;
    let kube_json = Json::of({
        let version = version.clone();
        move || {
            let [version, major, minor] = [&version.version, &version.major, &version.minor].map(go_json);
            format!("{{\"Version\":{version},\"Major\":{major},\"Minor\":{minor}}}")
        }
    });
    let kube = Record {
        type_name: names[0],
        kind: HostKind::Struct,
        fields: match dialect {
            Dialect::V3 => vec![
                ("Version", built_in(".Capabilities.KubeVersion", text(&version.version))),
                ("Major", text(&version.major)),
                ("Minor", text(&version.minor)),
            ],
            Dialect::V4 => vec![
                ("Version", built_in(".Capabilities.KubeVersion", text(&version.version))),
                (NORMALIZED, text(&version.normalized)),
                ("Major", text(&version.major)),
                ("Minor", text(&version.minor)),
            ],
        },
        promoted: Vec::new(),
        methods: &[("GitVersion", kube_version_given), ("String", kube_version_text)],
        json: kube_json.clone(),
        yaml: Vec::new(),
    };
    let kube = Value::host(Addressable(kube));
    let mut helm = capabilities.helm_version.clone();
    if dialect == Dialect::V4 && helm.version == HelmVersion::default().version {
        helm.version = HELM_4.to_owned();
    }
    let mut parts = vec![format!("\"version\":{}", go_json(&helm.version))];
    for (name, value) in
        [("git_commit", &helm.git_commit), ("git_tree_state", &helm.git_tree_state), ("go_version", &helm.go_version)]
    {
        if !value.is_empty() {
            parts.push(format!("\"{name}\":{}", go_json(value)));
        }
    }
    let mut fields = vec![
        ("Version", text(&helm.version)),
        ("GitCommit", text(&helm.git_commit)),
        ("GitTreeState", text(&helm.git_tree_state)),
        ("GoVersion", text(&helm.go_version)),
    ];
    if dialect == Dialect::V4 {
        parts.push(format!("\"kube_client_version\":{}", go_json(&KUBE_CLIENT)));
        fields.push(("KubeClientVersion", text(KUBE_CLIENT)));
    }
    let helm_json = format!("{{{}}}", parts.join(","));
    let helm = Value::host(Record::new("version.BuildInfo", fields, helm_json.clone()));
    let served: Arc<[String]> = Arc::from(capabilities.api_versions.as_slice());
    let versions = Value::host(VersionSet { type_name: names[1], versions: Arc::clone(&served) });
    let json = Json::of(move || {
        let (kube_json, served) = (kube_json.text(), go_json(&&*served));
        format!("{{\"KubeVersion\":{kube_json},\"APIVersions\":{served},\"HelmVersion\":{helm_json}}}")
    });
    let versions = built_in(".Capabilities.APIVersions", versions);
    let fields = vec![("KubeVersion", kube), ("APIVersions", versions), ("HelmVersion", helm)];
    Value::host(Record {
        type_name: names[2],
        kind: HostKind::Pointer,
        fields,
        promoted: Vec::new(),
        methods: &[("Copy", capabilities_copy)],
        json,
        yaml: Vec::new(),
    })
}

/// The field that Helm 4 keeps to itself.
const NORMALIZED: &str = "normalizedVersion";

fn kube_version_given(record: &Record) -> Value {
    record.field("Version").unwrap_or_default()
}

fn kube_version_text(record: &Record) -> Value {
    match record.fields.iter().find(|(name, _)| *name == NORMALIZED) {
        Some((_, version)) if version.truth() => version.clone(),
        _ => kube_version_given(record),
    }
}

fn capabilities_copy(record: &Record) -> Value {
    Value::host(Record { promoted: Vec::new(), ..record.clone() })
}

/// A struct field that Go can take the address of: printed by the template itself it shows what its pointer's `String`
/// method gives, handed to a function it is a plain struct.
#[derive(Debug)]
struct Addressable(Record);

impl Host for Addressable {
    fn type_name(&self) -> Cow<'static, str> {
        self.0.type_name()
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.0.field(name)
    }

    fn fields(&self) -> Vec<(Cow<'static, str>, Value)> {
        self.0.fields()
    }

    fn method(&self, name: &str) -> Option<Signature> {
        self.0.method(name)
    }

    fn call(&self, name: &str, args: &[Value], ctx: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        self.0.call(name, args, ctx)
    }

    fn json(&self) -> Option<String> {
        self.0.json()
    }

    fn printed(&self) -> Option<Str> {
        kube_version_text(&self.0).as_str().cloned()
    }

    fn copied(&self) -> Option<Value> {
        Some(Value::host(Record { methods: &[], ..self.0.clone() }))
    }
}

/// `.Capabilities.APIVersions`
#[derive(Debug)]
struct VersionSet {
    type_name: &'static str,
    versions: Arc<[String]>,
}

impl Host for VersionSet {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.type_name)
    }

    fn kind(&self) -> HostKind {
        HostKind::Defined
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::from(List::strings(self.versions.iter().map(String::as_str))))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (name == "Has").then(|| Signature::fixed(&[Type::String]))
    }

    fn call(&self, _: &str, args: &[Value], _: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        let wanted = Args(args).str(0);
        Ok(Value::from(self.versions.iter().any(|version| *version == wanted)))
    }
}

/// `.Files`: what lies in a chart beside templates and values.
#[derive(Debug)]
pub(crate) struct Files {
    files: Arc<[File]>,
    /// Which of them are in this group; all when `None`. Sorted by name.
    chosen: Vec<usize>,
    map: OnceLock<Value>,
    /// Who wants to know of writes to the map.
    watch: OnceLock<Watch>,
}

impl Files {
    /// All files of a chart.
    pub(crate) fn of(chart: &Chart) -> Self {
        Files::choose(&chart.files, |_| true)
    }

    fn choose(files: &Arc<[File]>, wanted: impl Fn(&str) -> bool) -> Self {
        let mut chosen: Vec<usize> = (0..files.len()).filter(|index| wanted(&files[*index].name)).collect();
        chosen.sort_by(|a, b| files[*a].name.cmp(&files[*b].name).then(a.cmp(b)));
        // Of two files with one name the later counts.
        chosen.dedup_by(|later, kept| {
            let same = files[*later].name == files[*kept].name;
            if same {
                *kept = *later;
            }
            same
        });
        Files { files: Arc::clone(files), chosen, map: OnceLock::new(), watch: OnceLock::new() }
    }

    fn iter(&self) -> impl Iterator<Item = &File> {
        self.chosen.iter().map(|index| &self.files[*index])
    }

    fn get(&self, name: &str) -> &[u8] {
        let found = self.chosen.binary_search_by(|index| self.files[*index].name.as_str().cmp(name));
        found.map_or(&[], |at| &self.files[self.chosen[at]].data)
    }

    fn by_base_name(&self, content: impl Fn(&[u8]) -> Value) -> Value {
        let entries: Map = self
            .iter()
            .map(|file| (file.name.rsplit('/').next().unwrap_or(&file.name).to_owned(), content(&file.data)))
            .collect();
        let text = yaml(&Value::from(entries));
        Value::from(text.strip_suffix('\n').unwrap_or(&text))
    }
}

impl Host for Files {
    fn watch(&self, watch: &Watch) {
        if self.watch.set(watch.clone()).is_ok()
            && let Some(map) = self.map.get()
        {
            watch.over(map);
        }
    }

    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("engine.files")
    }

    fn kind(&self) -> HostKind {
        HostKind::Defined
    }

    fn underlying(&self) -> Option<Value> {
        let map = self.map.get_or_init(|| {
            let bytes = |file: &File| Value::from(Data::Bytes(Str::new(&file.data)));
            let entries = self.iter().map(|file| (Str::from(file.name.as_str()), bytes(file))).collect();
            let map = Value::from(Map::of(Type::Bytes, entries));
            if let Some(watch) = self.watch.get() {
                watch.over(&map);
            }
            map
        });
        Some(map.clone())
    }

    fn method(&self, name: &str) -> Option<Signature> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(Signature::fixed(&[Type::String])),
            "AsConfig" | "AsSecrets" => Some(Signature::fixed(&[])),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value], _: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        let wanted = Args(args).str(0);
        Ok(match name {
            "Get" => Value::str(self.get(&wanted)),
            "GetBytes" => Value::from(Data::Bytes(Str::new(self.get(&wanted)))),
            "Glob" => {
                // A pattern that cannot be read stands for everything, and so does one that is no text.
                let glob = Glob::new(if wanted.contains(char::REPLACEMENT_CHARACTER) { "**" } else { &wanted });
                let in_group: Vec<&str> = self.iter().map(|file| file.name.as_str()).collect();
                Value::host(Files::choose(&self.files, |name| {
                    in_group.binary_search(&name).is_ok() && glob.matches(name)
                }))
            }
            "Lines" => {
                let content = self.get(&wanted);
                let content = content.strip_suffix(b"\n").unwrap_or(content);
                if self.get(&wanted).is_empty() {
                    Value::from(List::of(Type::String, Vec::new()))
                } else {
                    Value::from(List::strings(content.split(|byte| *byte == b'\n').map(Value::str)))
                }
            }
            "AsConfig" => self.by_base_name(|content| Value::str(content)),
            "AsSecrets" => {
                self.by_base_name(|content| Value::from(base64::engine::general_purpose::STANDARD.encode(content)))
            }
            _ => return Err(FuncError::new(format!("{name} is not a method"))),
        })
    }
}
