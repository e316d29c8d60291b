//! Generates the table of operators' kinds of `landfall-object` from the definitions that their repositories publish.
//!
//! ```text
//! cargo run -p conformance -- operator-tables <folder of clones> <out.tsv> [--keep]
//! operators.toml ─► git show TAG:definition ─► one node a schema ─► all releases in one ─► equal nodes once ─► table
//! ```
//!
//! Interface facts only: names of fields, their types, what is required, enums; no descriptions, defaults or rules. The table's
//! format is described in `crates/object/src/operators/published.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::suite::{Suite, root};

/// From where and to where.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder in which clones of the repositories of conformance/operators.toml lie, bare or not, under their last names.
    clones: PathBuf,
    /// The file to write.
    out: PathBuf,
    /// Keep what the file has of the products that stand first in the list, and add the rest: their clones alone are read.
    #[arg(long)]
    keep: bool,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let list: List = toml::from_str(&std::fs::read_to_string(root().join("conformance/operators.toml"))?)?;
        let before = if self.keep { Table::parse(&std::fs::read_to_string(&self.out)?) } else { Table::default() };
        let text = table(&list.product, &self.clones, before)?;
        std::fs::write(&self.out, &text)?;
        println!("{}: {} bytes of table", self.out.display(), text.len());
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    product: Vec<Product>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    name: String,
    repository: String,
    tags: Vec<String>,
    below: String,
    /// Where some releases have them instead: the first of these files that there is.
    #[serde(default)]
    also: Vec<String>,
}

/// A table that was written before, as it grows.
#[derive(Default)]
struct Table {
    publishers: String,
    nodes: Nodes,
    kinds: String,
}

impl Table {
    fn parse(text: &str) -> Self {
        let mut table = Table::default();
        for line in text.lines() {
            match line.split('\t').next() {
                Some("G") => table.publishers += &format!("{line}\n"),
                Some("K") => table.kinds += &format!("{line}\n"),
                _ => table.nodes.write(line.to_owned()),
            }
        }
        table
    }
}

/// What a schema says of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// Anything at all.
    Any,
    Bool,
    Integer,
    Number,
    IntOrString,
    /// One of these, where any are named.
    Text(BTreeSet<String>),
    List(Box<Node>),
    Map(Box<Node>),
    /// Fields, each with whether it is required; others are kept where it is open.
    Object {
        fields: BTreeMap<String, (bool, Node)>,
        is_open: bool,
    },
}

/// The kinds of a definition: group, version, kind, plural name and what their objects are.
type Kinds = BTreeMap<(String, String, String, String), Node>;

fn table(products: &[Product], clones: &Path, before: Table) -> anyhow::Result<String> {
    let Table { publishers: mut text, nodes: mut writer, kinds: mut lines } = before;
    for (number, (known, product)) in text.lines().zip(products).enumerate() {
        let name = known.split('\t').nth(1);
        ensure!(
            name == Some(&*product.name),
            "product {number} of the table is {name:?}, and {} in the list",
            product.name
        );
    }
    for (number, product) in products.iter().enumerate().skip(text.lines().count()) {
        let kinds = published(product, clones).with_context(|| product.repository.clone())?;
        ensure!(!kinds.is_empty(), "{} defines nothing", product.repository);
        for ((group, version, kind, plural), node) in kinds {
            writeln!(lines, "K\t{group}\t{version}\t{kind}\t{plural}\t{}\t{number}", writer.line(&node)?)?;
        }
        let releases = product.tags.first().zip(product.tags.last());
        let (first, last) = releases.with_context(|| format!("{} has no tags", product.repository))?;
        writeln!(text, "G\t{}\t{first}\t{last}", product.name)?;
    }
    Ok(text + &writer.text + &lines)
}

/// What a product's releases define, all of them in one.
fn published(product: &Product, clones: &Path) -> anyhow::Result<Kinds> {
    let name = product.repository.rsplit('/').next().unwrap_or_default();
    let clone = clones.join(name);
    let mut all = Kinds::new();
    for tag in &product.tags {
        let list = |below: &str| git(&clone, &["ls-tree", "-r", "--name-only", tag, "--", below]);
        let mut listed = list(&product.below)?;
        for file in &product.also {
            if listed.trim().is_empty() {
                listed = list(file)?;
            }
        }
        for path in listed.lines().filter(|path| path.ends_with(".yaml") || path.ends_with(".yml")) {
            let text = git(&clone, &["show", &format!("{tag}:{path}")])?;
            if !text.contains("kind: CustomResourceDefinition") {
                continue;
            }
            let documents = landfall_yaml::to_json_all(&text).with_context(|| format!("{tag}:{path}"))?;
            for (key, node) in documents.iter().flat_map(kinds) {
                let both = match all.remove(&key) {
                    Some(before) => before.or(node),
                    None => node,
                };
                all.insert(key, both);
            }
        }
    }
    Ok(all)
}

fn git(clone: &Path, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").arg("-C").arg(clone).args(words).output()?;
    ensure!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// The kinds of a definition, a version each.
fn kinds(definition: &Value) -> Vec<((String, String, String, String), Node)> {
    if definition["kind"] != "CustomResourceDefinition" {
        return Vec::new();
    }
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    versions
        .filter_map(|version| {
            let schema = version.pointer("/schema/openAPIV3Schema")?;
            let mut node = Node::of(schema);
            if let Node::Object { fields, .. } = &mut node {
                // Every object has the first three; the last is the operator's.
                for name in ["apiVersion", "kind", "metadata", "status"] {
                    fields.remove(name);
                }
            }
            let version = version["name"].as_str()?.to_owned();
            Some(((text("/spec/group"), version, text("/spec/names/kind"), text("/spec/names/plural")), node))
        })
        .collect()
}

impl Node {
    fn of(schema: &Value) -> Self {
        let is = |field: &str| schema[field] == true;
        if is("x-kubernetes-int-or-string") {
            return Node::IntOrString;
        }
        if is("x-kubernetes-embedded-resource") {
            return Node::Any;
        }
        match schema["type"].as_str() {
            Some("boolean") => Node::Bool,
            Some("integer") => Node::Integer,
            Some("number") => Node::Number,
            Some("string") => {
                let values = schema["enum"].as_array().into_iter().flatten();
                Node::Text(values.filter_map(Value::as_str).map(str::to_owned).collect())
            }
            Some("array") => Node::List(Box::new(Node::of(&schema["items"]))),
            Some("object") => Node::object(schema),
            _ => Node::Any,
        }
    }

    fn object(schema: &Value) -> Self {
        let properties = schema["properties"].as_object().filter(|properties| !properties.is_empty());
        let more = &schema["additionalProperties"];
        let Some(properties) = properties else {
            // One without a word would lose all that is in it: whoever wrote that meant something else.
            return if more.is_object() { Node::Map(Box::new(Node::of(more))) } else { Node::Any };
        };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let fields = properties.iter().map(|(name, below)| {
            let has_default = !below["default"].is_null();
            (name.clone(), (required.contains(&name.as_str()) && !has_default, Node::of(below)))
        });
        let is_open = schema["x-kubernetes-preserve-unknown-fields"] == true || more.is_object() || *more == true;
        Node::Object { fields: fields.collect(), is_open }
    }

    /// What either of two releases knows.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Node::Text(one), Node::Text(other)) if one.is_empty() || other.is_empty() => Node::Text(BTreeSet::new()),
            (Node::Text(one), Node::Text(other)) => Node::Text(one.into_iter().chain(other).collect()),
            (Node::List(one), Node::List(other)) => Node::List(Box::new(one.or(*other))),
            (Node::Map(one), Node::Map(other)) => Node::Map(Box::new(one.or(*other))),
            (Node::Object { fields: one, is_open: first }, Node::Object { fields: mut other, is_open: second }) => {
                let mut fields = BTreeMap::new();
                for (name, (is_required, node)) in one {
                    let both = match other.remove(&name) {
                        Some((too, more)) => (is_required && too, node.or(more)),
                        None => (false, node),
                    };
                    fields.insert(name, both);
                }
                fields.extend(other.into_iter().map(|(name, (_, node))| (name, (false, node))));
                Node::Object { fields, is_open: first || second }
            }
            (one, other) if one == other => one,
            (Node::Integer | Node::Number, Node::Integer | Node::Number) => Node::Number,
            _ => Node::Any,
        }
    }
}

/// The lines of nodes, each once, those that others are made of first.
#[derive(Default)]
struct Nodes {
    known: BTreeMap<String, usize>,
    text: String,
}

impl Nodes {
    /// The number of a node's line, from 0.
    fn line(&mut self, node: &Node) -> anyhow::Result<usize> {
        let line = match node {
            Node::Any => "x".to_owned(),
            Node::Bool => "b".to_owned(),
            Node::Integer => "i".to_owned(),
            Node::Number => "f".to_owned(),
            Node::IntOrString => "o".to_owned(),
            Node::Text(values) => {
                let mut line = "s".to_owned();
                for value in values {
                    write!(line, "\t{}", plain(value)?)?;
                }
                line
            }
            Node::List(item) => format!("[\t{}", self.line(item)?),
            Node::Map(item) => format!("{{\t{}", self.line(item)?),
            Node::Object { fields, is_open } => {
                let mut line = if *is_open { "P".to_owned() } else { "O".to_owned() };
                for (name, (is_required, below)) in fields {
                    let mark = if *is_required { "!" } else { "" };
                    ensure!(!name.contains('='), "`{name}` cannot stand in the table");
                    write!(line, "\t{}={}{mark}", plain(name)?, self.line(below)?)?;
                }
                line
            }
        };
        if let Some(number) = self.known.get(&line) {
            return Ok(*number);
        }
        let number = self.known.len();
        self.write(line);
        Ok(number)
    }

    fn write(&mut self, line: String) {
        self.text += &format!("{line}\n");
        self.known.insert(line, self.known.len());
    }
}

/// A name or a value as it stands in a line.
fn plain(text: &str) -> anyhow::Result<&str> {
    if text.contains(['\t', '\n']) {
        bail!("`{text}` cannot stand in the table");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(spec: Value) -> Value {
        json!({"kind": "CustomResourceDefinition", "spec": {"group": "ex.io", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "kind": {"type": "string"}, "status": {"type": "object"}, "spec": spec}}}}]}})
    }

    fn node(spec: Value) -> Node {
        kinds(&definition(spec)).pop().expect("a version").1
    }

    #[test]
    fn what_any_release_knows_is_known_and_what_all_want_is_required() {
        let old = node(json!({"type": "object", "required": ["size", "old"], "properties": {
            "size": {"type": "integer"}, "old": {"type": "string"}, "mode": {"type": "string", "enum": ["a"]},
            "given": {"type": "string", "enum": ["a"]}, "changed": {"type": "string"}}}));
        let new = node(json!({"type": "object", "required": ["size", "new"], "properties": {
            "size": {"type": "integer"}, "new": {"type": "boolean"}, "mode": {"type": "string", "enum": ["b"]},
            "given": {"type": "string"}, "changed": {"type": "array", "items": {"type": "string"}}}}));
        let mut nodes = Nodes::default();
        nodes.line(&old.or(new)).expect("written");
        let lines: Vec<&str> = nodes.text.lines().collect();
        assert_eq!(
            lines,
            ["x", "s", "s\ta\tb", "b", "i", "O\tchanged=0\tgiven=1\tmode=2\tnew=3\told=1\tsize=4!", "O\tspec=5"]
        );
    }

    #[test]
    fn equal_schemas_are_written_once_and_what_is_open_stays_open() {
        let port = json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]});
        let all = node(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
            "one": port, "other": port, "said": {"type": "string", "default": "x"}, "bare": {"type": "object"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}}}, "required": ["said", "one"]}));
        let mut nodes = Nodes::default();
        let last = nodes.line(&all).expect("written");
        assert_eq!(nodes.text, "x\ns\n{\t1\no\nP\tbare=0\tlabels=2\tone=3!\tother=3\tsaid=1\nO\tspec=4\n");
        assert_eq!(last, 5);
    }
}
