//! YAML both ways, by the room that reads and writes it as Go does.

use std::borrow::Cow;

use landfall_gotemplate::{Data, Func, FuncError, FuncMap, Host, List, Map, Type, Value};
use landfall_yaml::{Emit, Emitter, Error, Node, Repeated, Scalar};

use crate::json;
use crate::origins::{read, written};

pub(crate) fn register(funcs: &mut FuncMap) {
    let any = &[Type::Any];
    funcs.insert(
        "toYaml",
        Func::new(any, |ctx, a| match to_yaml(a.any(0)) {
            Err(Error::TooLong { most }) => Err(json::too_long(most)),
            text => Ok(written(ctx, a.any(0), text.unwrap_or_default())),
        }),
    );
    funcs.insert(
        "toYamlPretty",
        Func::new(any, |ctx, a| {
            let text = match landfall_yaml::emit_value_pretty(&Pretty(a.any(0))) {
                Ok(text) => text,
                // Helm drops go-yaml's errors, but this one is a panic, and a value that holds itself is Go's end.
                Err(Error::Json { problem, .. })
                    if problem.starts_with("cannot marshal type") || problem.starts_with("exceeded max depth") =>
                {
                    return Err(FuncError::new(problem));
                }
                Err(Error::TooLong { most }) => return Err(json::too_long(most)),
                Err(_) => String::new(),
            };
            Ok(written(ctx, a.any(0), text.strip_suffix('\n').unwrap_or(&text)))
        }),
    );
    funcs.insert(
        "fromYaml",
        Func::new(&[Type::String], |ctx, a| {
            ctx.make(a.bytes(0).len() / json::BYTES_A_VALUE, 0)?;
            Ok(read(ctx, a.any(0), json::as_map(unmarshal(a.bytes(0), "object"))))
        }),
    );
    funcs.insert(
        "fromYamlArray",
        Func::new(&[Type::String], |ctx, a| {
            ctx.make(a.bytes(0).len() / json::BYTES_A_VALUE, 0)?;
            Ok(read(ctx, a.any(0), json::as_list(unmarshal(a.bytes(0), "array"))))
        }),
    );
}

pub(crate) fn register_helm4(funcs: &mut FuncMap) {
    funcs.insert(
        "mustToYaml",
        Func::new(&[Type::Any], |ctx, a| {
            let text = to_yaml(a.any(0)).map_err(|error| match error {
                Error::TooLong { most } => json::too_long(most),
                error => FuncError::new(error.to_string()),
            })?;
            Ok(written(ctx, a.any(0), text))
        }),
    );
}

/// Helm's `toYaml`: without the last line break.
fn to_yaml(value: &Value) -> Result<String, Error> {
    let mut text = landfall_yaml::emit_value(&Written(value))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// `sigs.k8s.io/yaml.Unmarshal` with its prefixes; JSON decides later whether the kind fits.
fn unmarshal(text: &[u8], wanted: &str) -> Result<Value, String> {
    let value = landfall_yaml::decode(text).and_then(|text| match landfall_yaml::parse_first(&text)? {
        Some(document) => landfall_yaml::construct(&document, Repeated::LastWins, &mut Build),
        None => Ok(Value::nil()),
    });
    let value = value.map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    let kind = match value.data() {
        // Go leaves what it decodes into as it was.
        Data::Nil if wanted == "object" => return Ok(Value::from(Map::new())),
        Data::Nil => return Ok(Value::from(Vec::new())),
        Data::Map(_) => "object",
        Data::List(_) => "array",
        Data::Str(_) => "string",
        Data::Bool(_) => "bool",
        _ => "number",
    };
    if kind == wanted {
        return Ok(value);
    }
    let target = if wanted == "object" { "map[string]interface {}" } else { "[]interface {}" };
    Err(format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type {target}"
    ))
}

/// A scalar as a template value, as Helm gets it: through JSON, so that all numbers are `float64`.
///
/// # Errors
/// The number, when JSON has none such: an infinity, or no number.
pub fn of_scalar(scalar: Scalar<'_>) -> Result<Value, f64> {
    Ok(match scalar {
        Scalar::Null => Value::nil(),
        Scalar::Bool(truth) => Value::from(truth),
        Scalar::Int(number) => Value::from(number as f64),
        Scalar::Uint(number) => Value::from(number as f64),
        Scalar::Float(number) if number.is_finite() => Value::from(number),
        Scalar::Float(number) => return Err(number),
        Scalar::Str(text) => Value::from(&*text),
    })
}

/// Builds template values out of YAML as Helm gets them: through JSON, so that all numbers are `float64`.
pub struct Build;

impl landfall_yaml::Build for Build {
    type Value = Value;
    type Map = Map;

    fn scalar(&mut self, scalar: Scalar<'_>, at: Node<'_>) -> Result<Value, Error> {
        of_scalar(scalar).map_err(|number| {
            let problem = format!("json: unsupported value: {}", landfall_gotemplate::format::float(number));
            Error::Json { problem, at: Some(at.span().start) }
        })
    }

    fn sequence(&mut self, items: Vec<Value>, _: Node<'_>) -> Value {
        Value::from(List::grown(Type::Any, items))
    }

    fn insert(&mut self, map: &mut Map, key: Cow<'_, str>, value: Value, _: Node<'_>) {
        map.insert(&*key, value);
    }

    fn mapping(&mut self, map: Map, _: Node<'_>) -> Value {
        Value::from(map)
    }
}

/// A template value as YAML writes it.
pub struct Written<'v>(pub &'v Value);

impl Emit for Written<'_> {
    fn emit(&self, emitter: &mut Emitter) {
        match self.0.data() {
            Data::Nil => emitter.null(),
            Data::Bool(truth) => emitter.bool(*truth),
            Data::Int(number) | Data::Int64(number) => emitter.int(*number),
            Data::Int32(number) => emitter.int((*number).into()),
            Data::Uint(number) | Data::Uint64(number) => emitter.uint(*number),
            Data::Uint8(number) => emitter.uint((*number).into()),
            Data::Float(number) => emitter.float(*number),
            Data::Str(text) => emitter.bytes(text),
            Data::List(list) if list.is_nil() => emitter.null(),
            Data::List(list) => {
                let items: Vec<Written<'_>> = list.values().iter().map(Written).collect();
                emitter.sequence(&items);
            }
            Data::Map(map) if map.is_nil() => emitter.null(),
            Data::Map(map) => map.view(|entries| {
                let keys: Vec<Cow<'_, str>> = entries.iter().map(|(key, _)| key.to_string_lossy()).collect();
                emitter.mapping(keys.iter().zip(entries).map(|(key, (_, value))| (&**key, Written(value))).collect());
            }),
            Data::Complex(_) | Data::Bytes(_) | Data::Host(_) => {
                // Rare: what JSON makes of it, which is how `sigs.k8s.io/yaml` does everything.
                let parsed = json::encode(self.0, json::Escape::Raw)
                    .map_err(|error| error.to_string())
                    .and_then(|text| json::parse(&text));
                match parsed {
                    Ok(value) => Written(&value).emit(emitter),
                    Err(problem) => emitter.fail(Error::Json { problem, at: None }),
                }
            }
        }
    }
}

/// A template value as go-yaml v3 writes it: by reflection, not through JSON.
struct Pretty<'v>(&'v Value);

impl Emit for Pretty<'_> {
    fn emit(&self, emitter: &mut Emitter) {
        match self.0.data() {
            Data::List(list) => {
                let items: Vec<Pretty<'_>> = list.values().iter().map(Pretty).collect();
                emitter.sequence(&items);
            }
            Data::Map(map) => {
                let entries = map.entries();
                let keys: Vec<Cow<'_, str>> = entries.iter().map(|(key, _)| key.to_string_lossy()).collect();
                emitter.mapping(keys.iter().zip(&entries).map(|(key, (_, value))| (&**key, Pretty(value))).collect());
            }
            Data::Bytes(bytes) => {
                let numbers: Vec<Value> = bytes.iter().map(|byte| Value::int((*byte).into())).collect();
                emitter.sequence(&numbers.iter().map(Pretty).collect::<Vec<_>>());
            }
            Data::Complex(_) => {
                emitter.fail(Error::Json { problem: "cannot marshal type: complex128".to_owned(), at: None });
            }
            Data::Host(host) => self.host(&**host, emitter),
            _ => Written(self.0).emit(emitter),
        }
    }
}

impl Pretty<'_> {
    fn host(&self, host: &dyn Host, emitter: &mut Emitter) {
        match &*host.type_name() {
            // Times stand without quotes; versions and durations are texts.
            "time.Time" => match host.json() {
                Some(text) => emitter.plain(text.trim_matches('"')),
                None => emitter.null(),
            },
            "*semver.Version" | "semver.Version" | "time.Duration" => {
                emitter.bytes(host.text().as_deref().unwrap_or_default())
            }
            _ => match host.underlying() {
                Some(below) => Pretty(&below).emit(emitter),
                None => {
                    if let Some(fields) = host.yaml_fields() {
                        let written: Vec<(&str, Pretty<'_>)> =
                            fields.iter().map(|(name, value)| (&**name, Pretty(value))).collect();
                        return emitter.fields(&written);
                    }
                    let fields = host.fields();
                    let names: Vec<String> = fields.iter().map(|(name, _)| name.to_lowercase()).collect();
                    let written: Vec<(&str, Pretty<'_>)> = names
                        .iter()
                        .zip(&fields)
                        .filter(|(_, (name, _))| name.starts_with(|c: char| c.is_uppercase()))
                        .map(|(name, (_, value))| (name.as_str(), Pretty(value)))
                        .collect();
                    emitter.fields(&written);
                }
            },
        }
    }
}
