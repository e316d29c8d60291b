//! The walk over a schema and a value, in the order of Helm's validator.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::documents::Documents;
use super::draft::Draft;
use super::format;
use super::words::{all_quoted, count, escaped, number, quoted, shown};

/// Something that does not fit.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    path: Vec<String>,
    words: String,
    kind: Kind,
    causes: Vec<Problem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One keyword failed.
    Keyword,
    /// Several failed at one place.
    Group,
    /// What a reference leads to failed.
    Reference,
}

impl Problem {
    /// The innermost problems: path and words.
    pub(super) fn leaves(&self, into: &mut Vec<(Vec<String>, String)>) {
        match self.kind {
            Kind::Keyword => into.push((self.path.clone(), self.words.clone())),
            Kind::Group | Kind::Reference => self.causes.iter().for_each(|cause| cause.leaves(into)),
        }
    }

    fn write(&self, out: &mut String, indent: usize) {
        let skipped = self.kind == Kind::Reference && self.causes.len() == 1;
        let mut indent = indent;
        if !skipped {
            if indent > 0 {
                out.push('\n');
                out.push_str(&"  ".repeat(indent - 1));
                out.push_str("- ");
            }
            indent += 1;
            out.push_str(&format!("at {}: {}", quoted(&pointer(&self.path)), self.words));
        }
        self.causes.iter().for_each(|cause| cause.write(out, indent));
    }
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|part| format!("/{}", escaped(part))).collect()
}

/// Problems as Helm prints them, without a newline at the end.
pub(super) fn block(problems: &[Problem]) -> String {
    let mut out = String::new();
    problems.iter().for_each(|problem| problem.write(&mut out, 1));
    out.trim_start_matches('\n').to_owned()
}

/// Properties and items that some keyword has looked at.
#[derive(Debug, Default)]
struct Evaluated {
    all: bool,
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Evaluated {
    fn merge(&mut self, other: Evaluated) {
        self.all |= other.all;
        self.properties.extend(other.properties);
        self.items.extend(other.items);
    }
}

type Outcome = Result<Evaluated, Problem>;

/// What a reference to a draft's own schema leads to, as that values are schemas themselves is not looked into; and one to a
/// document that could not be reached.
static ANYTHING: Json = Json::Bool(true);

/// How deep schemas may lead into each other at one value.
const MAX_DEPTH: usize = 200;
/// How many steps one validation may take.
const MAX_STEPS: usize = 5_000_000;

/// How many problems one validation may find, those of branches that do not matter in the end included.
const MAX_PROBLEMS: usize = 500_000;

pub(super) struct Evaluator<'s> {
    root: &'s Json,
    draft: Draft,
    documents: &'s Documents,
    /// Schemas by `$id` and `$anchor`.
    named: HashMap<String, &'s Json>,
    patterns: RefCell<HashMap<&'s str, Option<Rc<Regex>>>>,
    depth: Cell<usize>,
    steps: Cell<usize>,
    problems: Cell<usize>,
    /// What is wrong with the schema itself.
    broken: RefCell<Option<String>>,
}

impl<'s> Evaluator<'s> {
    pub(super) fn new(root: &'s Json, documents: &'s Documents) -> Self {
        let mut named = HashMap::new();
        name_schemas(root, &mut named, 0);
        for (address, document) in documents {
            let Some(document) = document else { continue };
            named.entry(address.clone()).or_insert(document);
            name_schemas(document, &mut named, 0);
        }
        Evaluator {
            root,
            draft: Draft::of(root),
            documents,
            named,
            patterns: RefCell::default(),
            depth: Cell::new(0),
            steps: Cell::new(0),
            problems: Cell::new(0),
            broken: RefCell::default(),
        }
    }

    /// The problems of a value; the error says what is wrong with the schema.
    pub(super) fn run(&self, value: &Json) -> Result<Vec<Problem>, String> {
        let outcome = self.validate(self.root, value, &mut Vec::new());
        if let Some(broken) = self.broken.borrow_mut().take() {
            return Err(broken);
        }
        Ok(match outcome {
            Ok(_) => Vec::new(),
            Err(Problem { kind: Kind::Group, causes, .. }) => causes,
            Err(problem) => vec![problem],
        })
    }

    fn fail(&self, path: &[String], words: impl Into<String>) -> Problem {
        self.problems.set(self.problems.get() + 1);
        if self.problems.get() > MAX_PROBLEMS {
            self.break_off("schema finds more wrong than can be told".to_owned());
        }
        Problem { path: path.to_vec(), words: words.into(), kind: Kind::Keyword, causes: Vec::new() }
    }

    fn break_off(&self, words: String) {
        self.broken.borrow_mut().get_or_insert(words);
    }

    fn validate(&self, schema: &'s Json, value: &Json, path: &mut Vec<String>) -> Outcome {
        self.steps.set(self.steps.get() + 1);
        if self.depth.get() > MAX_DEPTH || self.steps.get() > MAX_STEPS {
            self.break_off("schema leads into itself without end, or is too large".to_owned());
            return Ok(Evaluated::default());
        }
        if self.broken.borrow().is_some() {
            return Ok(Evaluated::default());
        }
        self.depth.set(self.depth.get() + 1);
        let outcome = match schema {
            Json::Bool(true) => Ok(Evaluated::default()),
            Json::Bool(false) => Err(self.fail(path, "false schema")),
            Json::Object(keywords) => self.keywords(keywords, value, path),
            _ => Ok(Evaluated::default()),
        };
        self.depth.set(self.depth.get() - 1);
        outcome
    }

    fn keywords(&self, schema: &'s Map<String, Json>, value: &Json, path: &mut Vec<String>) -> Outcome {
        if self.draft < Draft::D2019
            && let Some(reference) = schema.get("$ref").and_then(Json::as_str)
        {
            return self.reference(reference, value, path);
        }
        if let Some(wanted) = schema.get("type") {
            let wanted = types(wanted);
            let found = type_of(value);
            let matches = wanted.iter().any(|it| *it == found || *it == "integer" && is_integer(value));
            if !wanted.is_empty() && !matches {
                return Err(self.fail(path, format!("got {found}, want {}", wanted.join(" or "))));
            }
        }
        if let Some(wanted) = schema.get("const").filter(|_| self.draft > Draft::D4)
            && !equal(value, wanted)
        {
            let words = match wanted {
                Json::Array(_) | Json::Object(_) => "'const' failed".to_owned(),
                wanted => format!("value must be {}", shown(wanted)),
            };
            return Err(self.fail(path, words));
        }
        if let Some(Json::Array(wanted)) = schema.get("enum")
            && !wanted.iter().any(|it| equal(value, it))
        {
            let words = if wanted.iter().any(|it| it.is_array() || it.is_object()) {
                "'enum' failed".to_owned()
            } else if let [one] = wanted.as_slice() {
                format!("value must be {}", shown(one))
            } else {
                format!("value must be one of {}", wanted.iter().map(shown).collect::<Vec<_>>().join(", "))
            };
            return Err(self.fail(path, words));
        }
        if let Some(name) = schema.get("format").and_then(Json::as_str)
            && self.draft < Draft::D2019
            && let Json::String(text) = value
            && let Err(words) = format::check(name, text, self.draft)
        {
            return Err(self.fail(path, format!("{} is not valid {name}: {words}", quoted(text))));
        }
        let mut problems = Vec::new();
        let mut evaluated = Evaluated::default();
        let mut keep = |outcome: Outcome, evaluated: &mut Evaluated| match outcome {
            Ok(more) => evaluated.merge(more),
            Err(problem) => problems.push(problem),
        };
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            keep(self.reference(reference, value, path), &mut evaluated);
        }
        match value {
            Json::Object(object) => self.object(schema, object, path, &mut problems, &mut evaluated),
            Json::Array(items) => self.array(schema, items, path, &mut problems, &mut evaluated),
            Json::String(text) => self.text(schema, text, path, &mut problems),
            Json::Number(found) => self.number(schema, found.as_f64().unwrap_or(0.0), path, &mut problems),
            Json::Null | Json::Bool(_) => {}
        }
        for dynamic in ["$recursiveRef", "$dynamicRef"] {
            if let Some(reference) = schema.get(dynamic).and_then(Json::as_str)
                && self.draft >= Draft::D2019
            {
                match self.reference(reference, value, path) {
                    Ok(more) => evaluated.merge(more),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        self.combined(schema, value, path, &mut problems, &mut evaluated);
        if self.draft >= Draft::D2019 {
            self.unevaluated(schema, value, path, &mut problems, &mut evaluated);
        }
        match problems.len() {
            0 => Ok(evaluated),
            1 => Err(problems.remove(0)),
            _ => Err(Problem {
                path: path.clone(),
                words: "validation failed".to_owned(),
                kind: Kind::Group,
                causes: problems,
            }),
        }
    }

    fn below(&self, schema: &'s Json, value: &Json, key: String, path: &mut Vec<String>) -> Outcome {
        path.push(key);
        // A new value begins a new chain of references.
        let depth = self.depth.replace(0);
        let outcome = self.validate(schema, value, path);
        self.depth.set(depth);
        path.pop();
        outcome
    }

    fn reference(&self, reference: &str, value: &Json, path: &mut Vec<String>) -> Outcome {
        let Some(target) = self.resolve(reference) else { return Ok(Evaluated::default()) };
        self.validate(target, value, path).map_err(|problem| {
            let causes = if problem.kind == Kind::Group { problem.causes } else { vec![problem] };
            Problem { path: path.clone(), words: "validation failed".to_owned(), kind: Kind::Reference, causes }
        })
    }

    fn resolve(&self, reference: &str) -> Option<&'s Json> {
        if let Some(found) = self.named.get(reference) {
            return Some(found);
        }
        let (base, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match base {
            "" => Some(self.root),
            base if super::meta::is_a_drafts_own(base) => return Some(&ANYTHING),
            base if self.documents.get(base).is_some_and(Option::is_none) => return Some(&ANYTHING),
            base => self.named.get(base).copied(),
        };
        let Some(document) = document else {
            // Helm loads other documents from the machine's disk, too; a chart must not reach there.
            let url = if base.contains(':') { base.to_owned() } else { format!("file:///{base}") };
            self.break_off(format!("failing loading {url:?}: schemas are not loaded from elsewhere"));
            return None;
        };
        let fragment = percent_decoded(fragment);
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            document.pointer(&fragment)
        } else {
            self.named.get(&format!("#{fragment}")).copied()
        };
        if found.is_none() {
            let kind = if fragment.starts_with('/') { "json-pointer in" } else { "anchor in" };
            self.break_off(format!("{kind} \"file:///values.schema.json#{fragment}\" not found"));
        }
        found
    }

    fn pattern(&self, pattern: &'s str) -> Option<Rc<Regex>> {
        self.patterns.borrow_mut().entry(pattern).or_insert_with(|| Regex::new(pattern).ok().map(Rc::new)).clone()
    }

    fn object(
        &self,
        schema: &'s Map<String, Json>,
        object: &Map<String, Json>,
        path: &mut Vec<String>,
        problems: &mut Vec<Problem>,
        evaluated: &mut Evaluated,
    ) {
        let size = object.len() as u64;
        if let Some(limit) = whole(schema.get("minProperties")).filter(|limit| size < *limit) {
            problems.push(self.fail(path, format!("minProperties: got {}, want {}", count(size), count(limit))));
        }
        if let Some(limit) = whole(schema.get("maxProperties")).filter(|limit| size > *limit) {
            problems.push(self.fail(path, format!("maxProperties: got {}, want {}", count(size), count(limit))));
        }
        let missing = missing(object, schema.get("required"));
        match missing.as_slice() {
            [] => {}
            [one] => problems.push(self.fail(path, format!("missing property {}", quoted(one)))),
            many => {
                let many = all_quoted(many.iter().copied());
                problems.push(self.fail(path, format!("missing properties {many}")));
            }
        }
        self.dependent(schema, "dependencies", object, path, problems, evaluated);
        let properties = schema.get("properties").and_then(Json::as_object);
        let patterns = schema.get("patternProperties").and_then(Json::as_object);
        let additional = schema.get("additionalProperties");
        let mut unknown = Vec::new();
        for (name, value) in object {
            let mut known = false;
            if let Some(below) = properties.and_then(|properties| properties.get(name)) {
                known = true;
                problems.extend(self.below(below, value, name.clone(), path).err());
            }
            for (pattern, below) in patterns.into_iter().flatten() {
                if self.pattern(pattern).is_some_and(|pattern| pattern.is_match(name)) {
                    known = true;
                    problems.extend(self.below(below, value, name.clone(), path).err());
                }
            }
            if !known && let Some(additional) = additional {
                known = true;
                match additional {
                    Json::Bool(false) => unknown.push(name.as_str()),
                    Json::Bool(true) => {}
                    below => problems.extend(self.below(below, value, name.clone(), path).err()),
                }
            }
            if known {
                evaluated.properties.insert(name.clone());
            }
        }
        if !unknown.is_empty() {
            let words = format!("additional properties {} not allowed", all_quoted(unknown));
            problems.push(self.fail(path, words));
        }
        if self.draft == Draft::D4 {
            return;
        }
        if let Some(names) = schema.get("propertyNames") {
            for name in object.keys() {
                let depth = self.depth.replace(0);
                let outcome = self.validate(names, &Json::String(name.clone()), &mut Vec::new());
                self.depth.set(depth);
                if let Err(problem) = outcome {
                    let causes = if problem.kind == Kind::Group { problem.causes } else { vec![problem] };
                    let words = format!("invalid propertyName {}", quoted(name));
                    problems.push(Problem { path: path.clone(), words, kind: Kind::Keyword, causes });
                }
            }
        }
        if self.draft >= Draft::D2019 {
            self.dependent(schema, "dependentSchemas", object, path, problems, evaluated);
            self.dependent(schema, "dependentRequired", object, path, problems, evaluated);
        }
    }

    fn dependent(
        &self,
        schema: &'s Map<String, Json>,
        keyword: &str,
        object: &Map<String, Json>,
        path: &mut Vec<String>,
        problems: &mut Vec<Problem>,
        evaluated: &mut Evaluated,
    ) {
        let Some(dependencies) = schema.get(keyword).and_then(Json::as_object) else { return };
        for (name, dependency) in dependencies.iter().filter(|(name, _)| object.contains_key(*name)) {
            if dependency.is_array() {
                let missing = missing(object, Some(dependency));
                if !missing.is_empty() {
                    let words = format!(
                        "properties {} required, if {} exists",
                        all_quoted(missing.iter().copied()),
                        quoted(name)
                    );
                    problems.push(self.fail(path, words));
                }
            } else {
                match self.validate(dependency, &Json::Object(object.clone()), path) {
                    Ok(more) => evaluated.merge(more),
                    Err(problem) => problems.push(problem),
                }
            }
        }
    }

    fn array(
        &self,
        schema: &'s Map<String, Json>,
        items: &[Json],
        path: &mut Vec<String>,
        problems: &mut Vec<Problem>,
        evaluated: &mut Evaluated,
    ) {
        let size = items.len() as u64;
        if let Some(limit) = whole(schema.get("minItems")).filter(|limit| size < *limit) {
            problems.push(self.fail(path, format!("minItems: got {}, want {}", count(size), count(limit))));
        }
        if let Some(limit) = whole(schema.get("maxItems")).filter(|limit| size > *limit) {
            problems.push(self.fail(path, format!("maxItems: got {}, want {}", count(size), count(limit))));
        }
        if schema.get("uniqueItems") == Some(&Json::Bool(true))
            && let Some((first, second)) = duplicates(items)
        {
            problems.push(self.fail(path, format!("items at {first} and {second} are equal")));
        }
        let (first, rest) = if self.draft >= Draft::D2020 {
            (schema.get("prefixItems").and_then(Json::as_array), schema.get("items"))
        } else {
            match schema.get("items") {
                Some(Json::Array(first)) => (Some(first), schema.get("additionalItems")),
                rest => (None, rest),
            }
        };
        let given = first.map_or(0, |first| first.len().min(items.len()));
        for (index, (below, item)) in first.into_iter().flatten().zip(items).enumerate() {
            problems.extend(self.below(below, item, index.to_string(), path).err());
            evaluated.items.insert(index);
        }
        match rest {
            Some(Json::Bool(false)) if first.is_some() && self.draft < Draft::D2020 => {
                let left = items.len() - given;
                let words = format!("last {} additionalItem(s) not allowed", count(left as u64));
                problems.extend((left > 0).then(|| self.fail(path, words)));
            }
            Some(below) => {
                for (index, item) in items.iter().enumerate().skip(given) {
                    problems.extend(self.below(below, item, index.to_string(), path).err());
                    evaluated.items.insert(index);
                }
            }
            None => {}
        }
        if self.draft > Draft::D4
            && let Some(wanted) = schema.get("contains")
        {
            self.contains(schema, wanted, items, path, problems, evaluated);
        }
    }

    fn contains(
        &self,
        schema: &'s Map<String, Json>,
        wanted: &'s Json,
        items: &[Json],
        path: &mut Vec<String>,
        problems: &mut Vec<Problem>,
        evaluated: &mut Evaluated,
    ) {
        let mut failed = Vec::new();
        let mut matched = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match self.below(wanted, item, index.to_string(), path) {
                Ok(_) => matched.push(index),
                Err(problem) => failed.push(problem),
            }
        }
        let at = matched.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        let found = matched.len() as u64;
        let limits = self.draft >= Draft::D2019;
        let with_causes = |words: String| Problem { causes: failed.clone(), ..self.fail(path, words) };
        match whole(schema.get("minContains")).filter(|_| limits) {
            Some(limit) if found < limit && found == 0 => problems.push(with_causes(format!(
                "min {} items required to match contains schema, but none matched",
                count(limit)
            ))),
            Some(limit) if found < limit => problems.push(with_causes(format!(
                "min {} items required to match contains schema, but matched {} items at {at}",
                count(limit),
                count(found)
            ))),
            None if found == 0 => problems.push(with_causes("no items match contains schema".to_owned())),
            _ => {}
        }
        if let Some(limit) = whole(schema.get("maxContains")).filter(|limit| limits && found > *limit) {
            problems.push(self.fail(
                path,
                format!(
                    "max {} items required to match contains schema, but matched {} items at {at}",
                    count(limit),
                    count(found)
                ),
            ));
        }
        if self.draft >= Draft::D2020 {
            evaluated.items.extend(matched);
        }
    }

    fn text(&self, schema: &'s Map<String, Json>, text: &str, path: &[String], problems: &mut Vec<Problem>) {
        let length = text.chars().count() as u64;
        if let Some(limit) = whole(schema.get("minLength")).filter(|limit| length < *limit) {
            problems.push(self.fail(path, format!("minLength: got {}, want {}", count(length), count(limit))));
        }
        if let Some(limit) = whole(schema.get("maxLength")).filter(|limit| length > *limit) {
            problems.push(self.fail(path, format!("maxLength: got {}, want {}", count(length), count(limit))));
        }
        if let Some(wanted) = schema.get("pattern").and_then(Json::as_str)
            && let Some(pattern) = self.pattern(wanted)
            && !pattern.is_match(text)
        {
            problems.push(self.fail(path, format!("{} does not match pattern {}", quoted(text), quoted(wanted))));
        }
    }

    fn number(&self, schema: &'s Map<String, Json>, found: f64, path: &[String], problems: &mut Vec<Problem>) {
        let mut bound = |keyword: &str, shown: &str, holds: &dyn Fn(f64) -> bool| {
            if let Some(limit) = schema.get(keyword).and_then(Json::as_f64)
                && !holds(limit)
            {
                problems.push(self.fail(path, format!("{shown}: got {}, want {}", number(found), number(limit))));
            }
        };
        let exclusive = |keyword: &str| self.draft == Draft::D4 && schema.get(keyword) == Some(&Json::Bool(true));
        if exclusive("exclusiveMinimum") {
            bound("minimum", "exclusiveMinimum", &|limit| found > limit);
        } else {
            bound("minimum", "minimum", &|limit| found >= limit);
        }
        if exclusive("exclusiveMaximum") {
            bound("maximum", "exclusiveMaximum", &|limit| found < limit);
        } else {
            bound("maximum", "maximum", &|limit| found <= limit);
        }
        if self.draft > Draft::D4 {
            bound("exclusiveMinimum", "exclusiveMinimum", &|limit| found > limit);
            bound("exclusiveMaximum", "exclusiveMaximum", &|limit| found < limit);
        }
        bound("multipleOf", "multipleOf", &|step| is_multiple(found, step));
    }

    /// `not`, `allOf`, `anyOf`, `oneOf`, `if`.
    fn combined(
        &self,
        schema: &'s Map<String, Json>,
        value: &Json,
        path: &mut Vec<String>,
        problems: &mut Vec<Problem>,
        evaluated: &mut Evaluated,
    ) {
        if let Some(not) = schema.get("not")
            && self.validate(not, value, path).is_ok()
        {
            problems.push(self.fail(path, "'not' failed"));
        }
        let with_causes = |path: &[String], words: String, causes| Problem { causes, ..self.fail(path, words) };
        if let Some(Json::Array(all)) = schema.get("allOf") {
            let mut failed = Vec::new();
            for below in all {
                match self.validate(below, value, path) {
                    Ok(more) => evaluated.merge(more),
                    Err(problem) => failed.push(problem),
                }
            }
            if !failed.is_empty() {
                problems.push(with_causes(path, "'allOf' failed".to_owned(), failed));
            }
        }
        if let Some(Json::Array(any)) = schema.get("anyOf").filter(|any| any != &&Json::Array(Vec::new())) {
            let mut failed = Vec::new();
            let mut matched = false;
            for below in any {
                match self.validate(below, value, path) {
                    Ok(more) => {
                        matched = true;
                        evaluated.merge(more);
                    }
                    Err(problem) => failed.push(problem),
                }
            }
            if !matched {
                problems.push(with_causes(path, "'anyOf' failed".to_owned(), failed));
            }
        }
        if let Some(Json::Array(one)) = schema.get("oneOf").filter(|one| one != &&Json::Array(Vec::new())) {
            let mut failed = Vec::new();
            let mut matched: Option<usize> = None;
            let mut second = None;
            for (index, below) in one.iter().enumerate() {
                match (self.validate(below, value, path), matched) {
                    (Ok(more), None) => {
                        matched = Some(index);
                        evaluated.merge(more);
                    }
                    (Ok(_), Some(_)) => {
                        second = Some(index);
                        break;
                    }
                    (Err(problem), None) => failed.push(problem),
                    (Err(_), Some(_)) => {}
                }
            }
            match (matched, second) {
                (None, _) => problems.push(with_causes(path, "'oneOf' failed, none matched".to_owned(), failed)),
                (Some(first), Some(second)) => {
                    problems.push(self.fail(path, format!("'oneOf' failed, subschemas {first}, {second} matched")))
                }
                _ => {}
            }
        }
        if self.draft >= Draft::D7
            && let Some(condition) = schema.get("if")
        {
            let branch = match self.validate(condition, value, path) {
                Ok(more) => {
                    evaluated.merge(more);
                    schema.get("then")
                }
                Err(_) => schema.get("else"),
            };
            if let Some(branch) = branch {
                match self.validate(branch, value, path) {
                    Ok(more) => evaluated.merge(more),
                    Err(problem) => problems.push(problem),
                }
            }
        }
    }

    fn unevaluated(
        &self,
        schema: &'s Map<String, Json>,
        value: &Json,
        path: &mut Vec<String>,
        problems: &mut Vec<Problem>,
        evaluated: &mut Evaluated,
    ) {
        if let (Json::Object(object), Some(below)) = (value, schema.get("unevaluatedProperties")) {
            for (name, value) in object {
                if !evaluated.all && !evaluated.properties.contains(name) {
                    problems.extend(self.below(below, value, name.clone(), path).err());
                }
            }
            evaluated.all = true;
        }
        if let (Json::Array(items), Some(below)) = (value, schema.get("unevaluatedItems")) {
            for (index, item) in items.iter().enumerate() {
                if !evaluated.all && !evaluated.items.contains(&index) {
                    problems.extend(self.below(below, item, index.to_string(), path).err());
                }
            }
            evaluated.all = true;
        }
    }
}

fn name_schemas<'s>(schema: &'s Json, named: &mut HashMap<String, &'s Json>, depth: usize) {
    if depth > 100 {
        return;
    }
    match schema {
        Json::Object(keywords) => {
            for id in ["$id", "id"] {
                if let Some(id) = keywords.get(id).and_then(Json::as_str) {
                    named.entry(id.trim_end_matches('#').to_owned()).or_insert(schema);
                    if id.starts_with('#') {
                        named.entry(id.to_owned()).or_insert(schema);
                    }
                }
            }
            for anchor in ["$anchor", "$dynamicAnchor"] {
                if let Some(anchor) = keywords.get(anchor).and_then(Json::as_str) {
                    named.entry(format!("#{anchor}")).or_insert(schema);
                }
            }
            keywords.values().for_each(|below| name_schemas(below, named, depth + 1));
        }
        Json::Array(items) => items.iter().for_each(|below| name_schemas(below, named, depth + 1)),
        _ => {}
    }
}

fn types(wanted: &Json) -> Vec<&str> {
    const ORDER: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
    let named = |name: &str| match wanted {
        Json::String(one) => one == name,
        Json::Array(many) => many.iter().any(|it| it.as_str() == Some(name)),
        _ => false,
    };
    ORDER.into_iter().filter(|name| named(name)).collect()
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn is_integer(value: &Json) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// Whether two values are the same; numbers by value.
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

fn duplicates(items: &[Json]) -> Option<(usize, usize)> {
    // Helm's validator compares pairs up to twenty items and hashes beyond; the first pair found is the same.
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut found: Option<(usize, usize)> = None;
    for (index, item) in items.iter().enumerate() {
        let key = match item {
            Json::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
            other => other.to_string(),
        };
        match seen.get(&key) {
            Some(first) => {
                let pair = (*first, index);
                if found.is_none_or(|found| pair < found) {
                    found = Some(pair);
                }
            }
            None => {
                seen.insert(key, index);
            }
        }
    }
    found
}

fn missing<'w>(object: &Map<String, Json>, wanted: Option<&'w Json>) -> Vec<&'w str> {
    let wanted = wanted.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    wanted.filter(|name| !object.contains_key(*name)).collect()
}

fn whole(value: Option<&Json>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| value.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
}

/// Whether a decimal number is a multiple of another: exact for what is written with few digits.
fn is_multiple(number: f64, step: f64) -> bool {
    if step == 0.0 {
        return true;
    }
    let decimals = |number: f64| number.to_string().split_once('.').map_or(0, |(_, digits)| digits.len());
    let digits = decimals(number).max(decimals(step)).min(15) as i32;
    let scale = 10_f64.powi(digits);
    let (number, step) = ((number * scale).round(), (step * scale).round());
    step != 0.0 && number % step == 0.0
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
