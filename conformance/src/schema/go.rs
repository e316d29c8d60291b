//! What only the Go types say: field order, pointers, `omitempty`, protobuf numbers, inlined structs, enums.
//!
//! Not a Go parser: a reader of gofmt's output, which puts one field on one line.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::PathBuf;

use super::Modules;

/// One field of a Go struct.
#[derive(Debug, Clone)]
pub(crate) struct GoField {
    pub(crate) json: String,
    /// The Go type without the pointer: `int32`, `[]Container`, `metav1.ObjectMeta`.
    pub(crate) ty: String,
    pub(crate) pointer: bool,
    pub(crate) omitempty: bool,
    pub(crate) omitzero: bool,
    pub(crate) inline: bool,
    /// 0 when the field has none.
    pub(crate) number: u32,
}

/// The structs, named types and enums of one package.
#[derive(Debug, Default)]
pub(crate) struct GoPackage {
    pub(crate) structs: BTreeMap<String, Vec<GoField>>,
    /// Named types that are no structs: `PullPolicy` to `string`.
    pub(crate) named: BTreeMap<String, String>,
    enums: BTreeSet<String>,
    constants: BTreeMap<String, BTreeSet<String>>,
}

impl GoPackage {
    /// The values of a type marked `+enum`, sorted.
    pub(crate) fn enum_values(&self, name: &str) -> Option<Vec<&str>> {
        if !self.enums.contains(name) {
            return None;
        }
        Some(self.constants.get(name)?.iter().map(String::as_str).collect())
    }
}

/// Packages by directory.
pub(crate) type Packages = BTreeMap<PathBuf, GoPackage>;

/// Reads the packages of all definitions.
pub(crate) fn load<'a>(
    modules: &Modules,
    definitions: impl Iterator<Item = &'a str>,
) -> Result<Packages, Box<dyn Error>> {
    let mut packages = Packages::new();
    for definition in definitions {
        let Some(directory) = modules.package(definition) else { continue };
        if packages.contains_key(&directory) || !directory.exists() {
            continue;
        }
        let mut package = GoPackage::default();
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".go") && !name.ends_with("_test.go") && !name.contains("generated") {
                read_file(&std::fs::read_to_string(entry.path())?, &mut package);
            }
        }
        packages.insert(directory, package);
    }
    Ok(packages)
}

fn read_file(text: &str, package: &mut GoPackage) {
    let mut lines = text.lines();
    let mut enum_comment = false;
    let mut in_consts = false;
    while let Some(line) = lines.next() {
        if line.starts_with("//") {
            enum_comment |= line.trim_start_matches('/').trim() == "+enum";
            continue;
        }
        if line == "const (" {
            in_consts = true;
        } else if line == ")" {
            in_consts = false;
        } else if in_consts {
            read_constant(line.trim(), package);
        } else if let Some(declaration) = line.strip_prefix("const ") {
            read_constant(declaration, package);
        } else if let Some(declaration) = line.strip_prefix("type ") {
            let (name, rest) = declaration.split_once(' ').unwrap_or((declaration, ""));
            if rest == "struct {" {
                let mut fields = Vec::new();
                for field in lines.by_ref() {
                    if field == "}" {
                        break;
                    }
                    fields.extend(read_field(field.trim()));
                }
                package.structs.insert(name.to_owned(), fields);
            } else if !rest.starts_with("struct") && !rest.starts_with("interface") {
                package.named.insert(
                    name.to_owned(),
                    rest.trim_start_matches("= ").split(" //").next().unwrap_or(rest).trim().to_owned(),
                );
                if enum_comment {
                    package.enums.insert(name.to_owned());
                }
            }
        }
        enum_comment = false;
    }
}

/// `NAME TYPE = "value"`; untyped constants say nothing about an enum.
fn read_constant(line: &str, package: &mut GoPackage) {
    let Some((left, right)) = line.split_once('=') else { return };
    let mut words = left.split_whitespace();
    let (Some(_), Some(ty), None) = (words.next(), words.next(), words.next()) else { return };
    let right = right.trim();
    if let Some(value) = right.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
        package.constants.entry(ty.to_owned()).or_default().insert(value.to_owned());
    }
}

fn read_field(line: &str) -> Option<GoField> {
    if line.starts_with("//") {
        return None;
    }
    let (declaration, tags) = line.split_once('`')?;
    let json = tag(tags, "json")?;
    let mut parts = json.split(',');
    let name = parts.next().unwrap_or_default();
    let options: Vec<&str> = parts.collect();
    let mut words = declaration.split_whitespace();
    let first = words.next()?;
    let ty = words.collect::<Vec<_>>().join(" ");
    let ty = if ty.is_empty() { first.to_owned() } else { ty };
    let number = tag(tags, "protobuf").and_then(|tag| tag.split(',').nth(1)).and_then(|number| number.parse().ok());
    Some(GoField {
        json: name.to_owned(),
        pointer: ty.starts_with('*'),
        ty: ty.trim_start_matches('*').to_owned(),
        omitempty: options.contains(&"omitempty"),
        omitzero: options.contains(&"omitzero"),
        inline: options.contains(&"inline"),
        number: number.unwrap_or(0),
    })
}

fn tag<'a>(tags: &'a str, name: &str) -> Option<&'a str> {
    let start = tags.find(&format!("{name}:\""))? + name.len() + 2;
    tags[start..].split('"').next()
}
