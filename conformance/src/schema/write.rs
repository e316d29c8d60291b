//! Joins both sources into the table's text.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use serde_json::Value;

use super::Modules;
use super::go::{GoField, GoPackage, Packages};
use super::openapi::Documents;

/// The whole table, one record a line.
pub(crate) fn table(modules: &Modules, documents: &Documents, packages: &Packages) -> Result<String, Box<dyn Error>> {
    let index: BTreeMap<&str, usize> =
        documents.definitions.keys().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut writer = Writer { modules, packages, index, named: Vec::new() };
    let mut types = String::new();
    for (name, schema) in &documents.definitions {
        writer.definition(&mut types, name, schema)?;
    }
    let mut out = String::new();
    writeln!(out, "V\t{}", modules.version)?;
    for (name, values) in &writer.named {
        writeln!(out, "E\t{name}\t{}", values.join(","))?;
    }
    out.push_str(&types);
    for ((group, version, kind), definition) in &documents.kinds {
        writeln!(out, "K\t{group}\t{version}\t{kind}\t{}", writer.index[definition.as_str()])?;
    }
    resources(modules, &mut out)?;
    Ok(out)
}

struct Writer<'a> {
    modules: &'a Modules,
    packages: &'a Packages,
    index: BTreeMap<&'a str, usize>,
    /// Named scalar types, `v1.PullPolicy` with its enum values if it has any.
    named: Vec<(String, Vec<String>)>,
}

impl Writer<'_> {
    fn definition(&mut self, out: &mut String, name: &str, schema: &Value) -> Result<(), Box<dyn Error>> {
        let atomic = schema.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic");
        let scalar = special(name).unwrap_or_default();
        writeln!(out, "T\t{name}\t{}\t{scalar}", if atomic { "a" } else { "" })?;
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let package = self.modules.package(name).and_then(|directory| self.packages.get(&directory));
        let struct_name = name.rsplit('.').next().unwrap_or(name);
        let mut order = Vec::new();
        if let Some(package) = package {
            flatten(package, struct_name, &[], &mut order, self.packages, self.modules);
        }
        let mut written = Vec::new();
        for (path, field) in &order {
            if let Some(property) = properties.get(&field.json) {
                self.field(out, package, property, &required, path, field)?;
                written.push(field.json.as_str());
            }
        }
        for (json, property) in properties {
            if !written.contains(&json.as_str()) {
                if json != "apiVersion" && json != "kind" {
                    return Err(format!("{name}.{json}: no such Go field").into());
                }
                let field = GoField {
                    json: json.clone(),
                    ty: "string".into(),
                    pointer: false,
                    omitempty: true,
                    omitzero: false,
                    inline: false,
                    number: 0,
                };
                self.field(out, package, property, &required, &[], &field)?;
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        out: &mut String,
        package: Option<&GoPackage>,
        property: &Value,
        required: &[&str],
        path: &[u32],
        field: &GoField,
    ) -> Result<(), Box<dyn Error>> {
        let shape = self.shape(property, package, &field.ty)?;
        let mut flags = String::new();
        for (set, flag) in [
            (required.contains(&field.json.as_str()), 'r'),
            (field.pointer, 'p'),
            (field.omitempty, 'e'),
            (field.omitzero, 'z'),
            (property.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"), 'a'),
            (property.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("set"), 's'),
            (property.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("map"), 'm'),
        ] {
            if set {
                flags.push(flag);
            }
        }
        let keys: Vec<&str> = property
            .get("x-kubernetes-list-map-keys")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let number = if field.number == 0 {
            String::new()
        } else {
            path.iter().chain([&field.number]).map(u32::to_string).collect::<Vec<_>>().join(".")
        };
        let text = |key: &str| property.get(key).and_then(Value::as_str).unwrap_or_default();
        let default = match property.get("default") {
            None => String::new(),
            Some(Value::Object(map)) if map.is_empty() => String::new(),
            Some(value) => value.to_string(),
        };
        let line = format!(
            "F\t{}\t{shape}\t{flags}\t{number}\t{}\t{}\t{}\t{default}",
            field.json,
            keys.join(","),
            text("x-kubernetes-patch-strategy"),
            text("x-kubernetes-patch-merge-key"),
        );
        writeln!(out, "{}", line.trim_end_matches('\t'))?;
        Ok(())
    }

    fn shape(&mut self, schema: &Value, package: Option<&GoPackage>, go: &str) -> Result<String, Box<dyn Error>> {
        let reference = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")).and_then(Value::as_str);
        if let Some(reference) = reference {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return Ok(match special(name) {
                Some(letter) => letter.to_owned(),
                None => format!("@{}", self.index.get(name).ok_or_else(|| format!("{name}: not defined"))?),
            });
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default();
        // A named list or map type (`ExtraValue`, `ResourceList`) is written by what it stands for.
        let expanded = package.and_then(|package| package.named.get(go)).map_or(go, String::as_str);
        Ok(match (text("type"), text("format")) {
            ("string", "byte") => "y".to_owned(),
            ("string", _) => self.scalar(package, go),
            ("boolean", _) => "b".to_owned(),
            ("integer", "int64") => "l".to_owned(),
            ("integer", _) => "i".to_owned(),
            ("number", _) => "f".to_owned(),
            ("array", _) => {
                let wrapped = go.ends_with("ExtraValue") || go.ends_with("Verbs");
                let item = expanded.strip_prefix("[]").unwrap_or(expanded);
                let item = self.shape(&schema["items"], package, item.trim_start_matches('*'))?;
                format!("{}[{item}", if wrapped { "w" } else { "" })
            }
            ("object", _) => match schema.get("additionalProperties") {
                Some(items @ Value::Object(_)) => {
                    let value = expanded.split_once(']').map_or("", |(_, value)| value);
                    format!("{{{}", self.shape(items, package, value)?)
                }
                _ => "x".to_owned(),
            },
            _ => "j".to_owned(),
        })
    }

    fn scalar(&mut self, package: Option<&GoPackage>, go: &str) -> String {
        if go == "string" || go.is_empty() {
            return "s".to_owned();
        }
        let (package, local, prefix) = match go.split_once('.') {
            Some((alias, local)) => {
                let definition = match alias {
                    "v1" | "corev1" | "core" => "io.k8s.api.core.v1.X",
                    "metav1" => "io.k8s.apimachinery.pkg.apis.meta.v1.X",
                    "types" => return self.intern(format!("types.{local}"), Vec::new()),
                    _ => return "s".to_owned(),
                };
                (self.modules.package(definition).and_then(|directory| self.packages.get(&directory)), local, "v1")
            }
            None => (package, go, "v1"),
        };
        let values = package.and_then(|package| package.enum_values(local)).unwrap_or_default();
        let values = values.into_iter().map(str::to_owned).collect();
        self.intern(format!("{prefix}.{local}"), values)
    }

    fn intern(&mut self, name: String, values: Vec<String>) -> String {
        let entry = (name, values);
        let at = self.named.iter().position(|known| *known == entry).unwrap_or_else(|| {
            self.named.push(entry);
            self.named.len() - 1
        });
        format!("s{at}")
    }
}

/// Definitions that are no structs on the wire.
fn special(definition: &str) -> Option<&'static str> {
    Some(match definition {
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => "q",
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => "o",
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time" => "t",
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => "u",
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1" => "v",
        "io.k8s.apimachinery.pkg.runtime.RawExtension" | "io.k8s.apimachinery.pkg.apis.meta.v1.Patch" => "x",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON" => "j",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray" => "A",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool" => "B",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray" => "C",
        _ => return None,
    })
}

/// The struct's fields in Go's order, inlined structs opened, each with the protobuf numbers that lead to it.
fn flatten(
    package: &GoPackage,
    name: &str,
    path: &[u32],
    out: &mut Vec<(Vec<u32>, GoField)>,
    packages: &Packages,
    modules: &Modules,
) {
    for field in package.structs.get(name).into_iter().flatten() {
        if !field.inline {
            out.push((path.to_vec(), field.clone()));
            continue;
        }
        let (owner, local) = match field.ty.split_once('.') {
            Some(("v1" | "corev1", local)) => {
                (modules.package("io.k8s.api.core.v1.X").and_then(|directory| packages.get(&directory)), local)
            }
            Some((_, local)) => (
                modules
                    .package("io.k8s.apimachinery.pkg.apis.meta.v1.X")
                    .and_then(|directory| packages.get(&directory)),
                local,
            ),
            None => (Some(package), field.ty.as_str()),
        };
        let mut inner = path.to_vec();
        if field.number != 0 {
            inner.push(field.number);
        }
        if let Some(owner) = owner {
            let start = out.len();
            flatten(owner, local, &inner, out, packages, modules);
            if field.number == 0 {
                // TypeMeta travels in the envelope, not in the message.
                out[start..].iter_mut().for_each(|(_, field)| field.number = 0);
            }
        }
    }
}

/// Groups in their order of preference, resources and subresources, from the published discovery documents.
fn resources(modules: &Modules, out: &mut String) -> Result<(), Box<dyn Error>> {
    let directory = modules.kubernetes().join("api/discovery");
    let read = |file: String| -> Result<Value, Box<dyn Error>> {
        Ok(serde_json::from_slice(&std::fs::read(directory.join(file))?)?)
    };
    let mut versions = vec![(String::new(), "v1".to_owned(), "api__v1.json".to_owned())];
    for group in read("apis.json".to_owned())?["groups"].as_array().into_iter().flatten() {
        for version in group["versions"].as_array().into_iter().flatten() {
            let (group, version) =
                (group["name"].as_str().unwrap_or_default(), version["version"].as_str().unwrap_or_default());
            if !version.contains("alpha") && !version.contains("beta") {
                versions.push((group.to_owned(), version.to_owned(), format!("apis__{group}__{version}.json")));
            }
        }
    }
    for (group, version, file) in versions {
        writeln!(out, "G\t{group}\t{version}")?;
        for resource in read(file)?["resources"].as_array().into_iter().flatten() {
            let text = |field: &str| resource[field].as_str().unwrap_or_default();
            let list = |field: &str| {
                let items = resource[field].as_array().into_iter().flatten().filter_map(Value::as_str);
                items.collect::<Vec<_>>().join(",")
            };
            let line = format!(
                "R\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                text("name"),
                text("kind"),
                text("singularName"),
                if resource["namespaced"].as_bool() == Some(true) { "N" } else { "C" },
                list("verbs"),
                list("shortNames"),
                list("categories"),
                text("storageVersionHash"),
                text("group"),
                text("version"),
            );
            writeln!(out, "{}", line.trim_end_matches('\t'))?;
        }
    }
    Ok(())
}
