//! The table's text and its form in memory.
//!
//! One record a line, fields separated by tabs, trailing empty fields left out:
//!
//! ```text
//! V version                                     the Kubernetes release
//! E name values                                 a named string type, with its enum values if it has any
//! T definition flags shape                      a type; the F lines that follow are its fields, in Go's order
//! F json shape flags number keys strategy mergekey default
//! K group version kind type                     a kind and the index of its T line
//! G group version                               a served group version; the R lines that follow are its resources
//! R name kind singular scope verbs short categories hash group version
//! ```
//!
//! Shapes: `s` string (`sN`: the N-th E line), `y` bytes, `b` bool, `i` int32, `l` int64, `f` number, `q` quantity,
//! `o` int or string, `t` time, `u` micro time, `v` managed fields, `x` any object, `j` anything, `A B C` the three
//! `JSONSchemaPropsOr…`, `@N` the N-th type, `[X` list, `w[X` list in a protobuf message of its own, `{X` map.
//! Flags of F: `r` required, `p` pointer, `e` omitempty, `z` omitzero, `a` atomic map, `s` set, `m` list map.
//! A number such as `2.1` is a protobuf field inside an inlined message.

use std::sync::{LazyLock, OnceLock};

use rustc_hash::FxHashMap;

use super::discovery::{GroupVersion, Resource, Subresource};
use super::list_kind::ListKind;
use crate::Gvk;

/// A set of types that refer to each other by index.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) version: String,
    pub(crate) named: Vec<Named>,
    pub(crate) types: Vec<Type>,
    pub(crate) kinds: FxHashMap<Gvk, u32>,
    pub(crate) groups: Vec<GroupVersion>,
    pub(crate) object_meta: u32,
}

/// A named Go string type.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: Box<str>,
    pub(crate) values: Box<[Box<str>]>,
}

/// One object type.
#[derive(Debug, Default)]
pub(crate) struct Type {
    /// The OpenAPI definition's name.
    pub(crate) name: Box<str>,
    pub(crate) atomic: bool,
    /// Unknown fields are kept (custom resources with `x-kubernetes-preserve-unknown-fields`).
    pub(crate) open: bool,
    /// Of a custom kind: values are left as they are, nothing is added or dropped as Go's structs would.
    pub(crate) custom: bool,
    /// Its F lines. Most types are never asked about, so they are read when the first question comes.
    lines: &'static str,
    members: OnceLock<Members>,
}

/// A type's fields, by place and by name.
#[derive(Debug, Default)]
struct Members {
    fields: Vec<Field>,
    by_name: FxHashMap<Box<str>, u32>,
}

impl Members {
    fn new(fields: Vec<Field>) -> Self {
        let by_name = fields.iter().zip(0..).map(|(field, at)| (field.json.clone(), at)).collect();
        Self { fields, by_name }
    }

    /// The fields of F lines; `None` when one of them is malformed.
    fn read(lines: &str) -> Option<Self> {
        let fields = lines.lines().map(|line| {
            let mut columns = line.split('\t').skip(1);
            field(&mut || columns.next().unwrap_or_default())
        });
        fields.collect::<Option<Vec<_>>>().map(Self::new)
    }
}

impl Type {
    pub(crate) fn new(name: &str, fields: Vec<Field>) -> Self {
        Self { name: name.into(), members: Members::new(fields).into(), ..Self::default() }
    }

    fn members(&self) -> &Members {
        self.members.get_or_init(|| Members::read(self.lines).expect("the committed table is well formed"))
    }

    /// Its fields, in the order of the Go struct.
    pub(crate) fn fields(&self) -> &[Field] {
        &self.members().fields
    }

    pub(crate) fn field(&self, json: &str) -> Option<&Field> {
        let members = self.members();
        members.by_name.get(json).map(|at| &members.fields[*at as usize])
    }

    /// The Go struct's name: the definition's last word.
    pub(crate) fn go_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// The Go type as reflection prints it: `v1.PodSpec`.
    pub(crate) fn go_type(&self) -> String {
        let mut words = self.name.rsplit('.');
        let (name, package) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        format!("{package}.{name}")
    }
}

/// One field of a type.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) json: Box<str>,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    pub(crate) pointer: bool,
    pub(crate) omitempty: bool,
    pub(crate) omitzero: bool,
    /// The protobuf numbers that lead here, packed 16 bits each; 0 when it has none.
    pub(crate) number: u64,
    pub(crate) patch_merge: bool,
    pub(crate) patch_retain_keys: bool,
    pub(crate) patch_replace: bool,
    pub(crate) merge_key: Option<Box<str>>,
    pub(crate) default: Option<serde_json::Value>,
}

impl Field {
    pub(crate) fn new(json: &str, shape: Shape) -> Self {
        Self {
            json: json.into(),
            shape,
            required: false,
            pointer: false,
            omitempty: true,
            omitzero: false,
            number: 0,
            patch_merge: false,
            patch_retain_keys: false,
            patch_replace: false,
            merge_key: None,
            default: None,
        }
    }
}

/// What a value looks like.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Str(Option<u16>),
    Bytes,
    Bool,
    Int32,
    Int64,
    Float,
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    FieldsV1,
    /// An object of any fields.
    Raw,
    /// Anything at all, one value.
    Any,
    PropsOrArray,
    PropsOrBool,
    PropsOrStrings,
    /// Another type, by index.
    Ref {
        id: u32,
        atomic: bool,
    },
    /// `ObjectMeta` of the built-in table, seen from a custom kind.
    Meta,
    List {
        item: Box<Shape>,
        kind: ListKind,
        wrapped: bool,
    },
    Map {
        item: Box<Shape>,
        atomic: bool,
    },
}

static BUILTIN: LazyLock<Table> = LazyLock::new(|| {
    // Constant data that is part of the program; not packed, because every command would unpack it.
    Table::parse(include_str!("../../data/kubernetes-1.36.tsv")).expect("the committed table is well formed")
});

impl Table {
    /// The kinds of Kubernetes itself.
    pub(crate) fn builtin() -> &'static Table {
        &BUILTIN
    }

    fn parse(text: &'static str) -> Option<Self> {
        let mut table = Self::default();
        // Where the next line begins, and where the lines of the last type's fields do.
        let (mut at, mut fields) = (0, 0);
        for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
            let line = &text[at..end];
            at = end + 1;
            // Nearly every line, and read with its type.
            if line.starts_with("F\t") {
                table.types.last_mut()?.lines = &text[fields..at];
                continue;
            }
            let mut columns = line.split('\t');
            let record = columns.next()?;
            let mut next = || columns.next().unwrap_or_default();
            match record {
                "V" => table.version = next().to_owned(),
                "E" => table.named.push(Named { name: next().into(), values: words(next()).map(Into::into).collect() }),
                "T" => {
                    let (name, flags) = (next().into(), next());
                    table.types.push(Type { name, atomic: flags.contains('a'), ..Type::default() });
                    fields = at;
                }
                "K" => {
                    let gvk = Gvk::new(next(), next(), next());
                    table.kinds.insert(gvk, next().parse().ok()?);
                }
                "G" => table.groups.push(GroupVersion {
                    group: next().into(),
                    version: next().into(),
                    resources: Vec::new(),
                }),
                "R" => resource(table.groups.last_mut()?, &mut next)?,
                _ => return None,
            }
        }
        if at != text.len() {
            return None;
        }
        let meta = table.types.iter().position(|ty| &*ty.name == "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")?;
        table.object_meta = u32::try_from(meta).ok()?;
        Some(table)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|word| !word.is_empty())
}

fn field<'a>(next: &mut impl FnMut() -> &'a str) -> Option<Field> {
    let (json, shape_text, flags, number, keys) = (next(), next(), next(), next(), next());
    let (strategy, merge_key, default) = (next(), next(), next());
    let mut shape = shape(&mut shape_text.chars().peekable())?;
    match &mut shape {
        Shape::List { kind, .. } if flags.contains('s') => *kind = ListKind::Set,
        Shape::List { kind, .. } if flags.contains('m') => *kind = ListKind::Map(words(keys).map(Into::into).collect()),
        Shape::Map { atomic, .. } | Shape::Ref { atomic, .. } => *atomic = flags.contains('a'),
        _ => {}
    }
    Some(Field {
        required: flags.contains('r'),
        pointer: flags.contains('p'),
        omitempty: flags.contains('e'),
        omitzero: flags.contains('z'),
        number: number.split('.').filter_map(|part| part.parse::<u64>().ok()).fold(0, |path, part| path << 16 | part),
        patch_merge: strategy.contains("merge"),
        patch_retain_keys: strategy.contains("retainKeys"),
        patch_replace: strategy.contains("replace"),
        merge_key: (!merge_key.is_empty()).then(|| merge_key.into()),
        default: (!default.is_empty()).then(|| serde_json::from_str(default).ok()).flatten(),
        ..Field::new(json, shape)
    })
}

fn shape(text: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Shape> {
    let letter = text.next()?;
    let mut number = || {
        let mut digits = String::new();
        while let Some(digit) = text.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits
    };
    Some(match letter {
        's' => Shape::Str(number().parse().ok()),
        'y' => Shape::Bytes,
        'b' => Shape::Bool,
        'i' => Shape::Int32,
        'l' => Shape::Int64,
        'f' => Shape::Float,
        'q' => Shape::Quantity,
        'o' => Shape::IntOrString,
        't' => Shape::Time,
        'u' => Shape::MicroTime,
        'v' => Shape::FieldsV1,
        'x' => Shape::Raw,
        'j' => Shape::Any,
        'A' => Shape::PropsOrArray,
        'B' => Shape::PropsOrBool,
        'C' => Shape::PropsOrStrings,
        '@' => Shape::Ref { id: number().parse().ok()?, atomic: false },
        'w' => match shape(text)? {
            Shape::List { item, kind, .. } => Shape::List { item, kind, wrapped: true },
            _ => return None,
        },
        '[' => Shape::List { item: Box::new(shape(text)?), kind: ListKind::Atomic, wrapped: false },
        '{' => Shape::Map { item: Box::new(shape(text)?), atomic: false },
        _ => return None,
    })
}

fn resource<'a>(group: &mut GroupVersion, next: &mut impl FnMut() -> &'a str) -> Option<()> {
    let (name, kind, singular, scope, verbs) = (next(), next(), next(), next(), next());
    let (short, categories, hash, other_group, other_version) = (next(), next(), next(), next(), next());
    let verbs = words(verbs).map(Into::into).collect();
    if let Some((parent, subresource)) = name.split_once('/') {
        let parent = group.resources.iter_mut().find(|resource| resource.name == parent)?;
        let (other_group, other_version) = if other_version.is_empty() {
            (group.group.as_str(), group.version.as_str())
        } else {
            (other_group, other_version)
        };
        parent.subresources.push(Subresource {
            name: subresource.into(),
            gvk: Gvk::new(other_group, other_version, kind),
            verbs,
        });
        return Some(());
    }
    group.resources.push(Resource {
        name: name.into(),
        kind: kind.into(),
        singular: singular.into(),
        namespaced: scope == "N",
        verbs,
        short_names: words(short).map(Into::into).collect(),
        categories: words(categories).map(Into::into).collect(),
        storage_hash: hash.into(),
        subresources: Vec::new(),
    });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_committed_table_reads() {
        let table = Table::builtin();
        let fields: usize =
            table.types.iter().map(|ty| Members::read(ty.lines).expect("the fields read").fields.len()).sum();
        assert!(fields > 2000, "{fields} fields");
        assert!(table.types.iter().all(|ty| ty.fields().iter().all(|field| ty.field(&field.json).is_some())));
    }

    #[test]
    fn a_malformed_field_is_no_field() {
        assert!(Members::read("F\tname\t?\n").is_none());
        assert_eq!(Members::read("F\tname\ts\nF\tports\t[@3\tm\n").expect("well formed").fields.len(), 2);
    }
}
