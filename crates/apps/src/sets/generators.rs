//! A generator, whichever it is: what it is made of another one's parameters, its own ones, and which of them are selected.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::answers::{Answers, Question, Unanswered};
use super::params::{Param, Params, flattened};
use super::selector::Selector;
use super::spec::ApplicationSet;
use super::template::Templates;
use super::{application_of, clusters, git, list, matrix, merge, patch, plugin, pull_requests};

/// Why a generator gives no parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Something is to be found out first; it was noted.
    Unanswered,
    /// Something is wrong.
    Failed(String),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop::Failed(message)
    }
}

impl Stop {
    /// The same, with what was being done.
    pub(crate) fn while_(self, doing: &str) -> Self {
        match self {
            Stop::Failed(why) => Stop::Failed(format!("{doing}: {why}")),
            Stop::Unanswered => Stop::Unanswered,
        }
    }
}

/// An expansion under way.
pub(crate) struct Run<'a> {
    pub(crate) answers: &'a Answers<'a>,
    pub(crate) asked: BTreeSet<Question>,
    pub(crate) templates: Templates,
}

/// A generator's parameters, and the template that they are for.
pub(crate) struct Transformed {
    pub(crate) template: Value,
    pub(crate) params: Vec<Params>,
}

/// How deep generators may be nested in each other: a matrix within a merge, and a list within that.
const DEPTH: usize = 2;

impl<'a> Run<'a> {
    pub(crate) fn new(set: &ApplicationSet, answers: &'a Answers<'a>) -> Result<Self, String> {
        let templates = Templates::new(set.go_template, &set.go_template_options)?;
        Ok(Run { answers, asked: BTreeSet::new(), templates })
    }

    /// What a generator gives; `known` are parameters of another one that its texts may name.
    pub(crate) fn transform(
        &mut self,
        requested: &Value,
        base: Option<&Value>,
        known: &Params,
        depth: usize,
    ) -> Result<Vec<Transformed>, Stop> {
        let selector = Selector::of(requested)?;
        let filled;
        let generator = match known.is_empty() {
            true => requested,
            false => {
                filled = self.filled(requested, known)?;
                &filled
            }
        };
        let named: Vec<(&String, &Value)> = generator
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(kind, spec)| *kind != "selector" && !spec.is_null())
            .collect();
        if named.is_empty() {
            return Err(Stop::Failed("a generator is empty".to_owned()));
        }
        let (mut out, mut unanswered) = (Vec::new(), false);
        for (kind, spec) in named {
            let mut params = match self.generate(kind, spec, depth) {
                Ok(params) => params,
                Err(Stop::Unanswered) => {
                    unanswered = true;
                    continue;
                }
                Err(failed) => return Err(failed),
            };
            if let Some(selector) = &selector {
                params.retain(|one| selector.selects(&flattened(one)));
            }
            let mut template = spec.get("template").cloned().unwrap_or(Value::Null);
            if let Some(base) = base {
                fill(&mut template, base);
            }
            out.push(Transformed { template, params });
        }
        if unanswered { Err(Stop::Unanswered) } else { Ok(out) }
    }

    /// The parameters of a generator that is nested in another one.
    pub(crate) fn nested(&mut self, generator: &Value, known: &Params, depth: usize) -> Result<Vec<Params>, Stop> {
        let found = self.transform(generator, None, known, depth + 1);
        let found = found.map_err(|stop| stop.while_("child generator returned an error on parameter generation"))?;
        match <[Transformed; 1]>::try_from(found) {
            Ok([one]) => Ok(one.params),
            Err(_) => Err(Stop::Failed("found more than one generator in a single child generator".to_owned())),
        }
    }

    fn generate(&mut self, kind: &str, spec: &Value, depth: usize) -> Result<Vec<Params>, Stop> {
        match kind {
            "list" => Ok(list::params(self, spec)?),
            "git" => git::params(self, spec),
            "clusters" => clusters::params(self, spec),
            "pullRequest" => pull_requests::params(self, spec),
            "plugin" => plugin::params(self, spec),
            "matrix" | "merge" if depth >= DEPTH => {
                Err(Stop::Failed(format!("a {kind} generator is nested too deep: only simple ones may be there")))
            }
            "matrix" => matrix::params(self, spec, depth),
            "merge" => merge::params(self, spec, depth),
            // Nothing is generated and nothing deleted: Argo CD takes a generator that it does not know for an empty one.
            other => Err(Stop::Failed(format!("the generator {other} is not acted on"))),
        }
    }

    /// A generator with another one's parameters in its texts; `values` that name something else are filled later.
    fn filled(&mut self, generator: &Value, known: &Params) -> Result<Value, Stop> {
        let failed = |why: String| Stop::Failed(format!("failed to replace parameters in generator: {why}"));
        let mut out = Map::new();
        for (kind, spec) in generator.as_object().into_iter().flatten() {
            let mut spec = spec.clone();
            let values = spec.as_object_mut().and_then(|spec| spec.remove("values"));
            let mut filled = self.templates.value(&spec, known, kind).map_err(failed)?;
            if let Some(Value::Object(values)) = values {
                let mut texts = Map::new();
                for (key, value) in values {
                    let text = self.templates.text_if_known(value.as_str().unwrap_or_default(), known);
                    let text =
                        text.map_err(|why| failed(format!("failed to pre-resolve Values key {key:?}: {why}")))?;
                    texts.insert(key, Value::String(text));
                }
                filled["values"] = Value::Object(texts);
            }
            out.insert(kind.clone(), filled);
        }
        Ok(Value::Object(out))
    }

    /// Adds a generator's `values` to parameters. Each sees the parameters as they were, so that none can grow by
    /// naming others.
    pub(crate) fn add_values(&mut self, spec: &Value, params: &mut Params) -> Result<(), Stop> {
        let Some(values) = spec.get("values").and_then(Value::as_object) else { return Ok(()) };
        let mut texts = BTreeMap::new();
        for (key, value) in values {
            let value = value.as_str().ok_or_else(|| format!("values.{key} is no text"))?;
            let text = self.templates.text(value, params);
            let text = text.map_err(|why| format!("failed to replace templated string with rendered values: {why}"))?;
            texts.insert(key.clone(), text);
        }
        if texts.is_empty() {
            return Ok(());
        }
        if self.templates.is_go() {
            params.insert("values".to_owned(), Param::Texts(texts));
        } else {
            params.extend(texts.into_iter().map(|(key, text)| (format!("values.{key}"), Param::Text(text))));
        }
        Ok(())
    }

    /// Takes note of a question that nobody has answered.
    pub(crate) fn asks(&mut self, question: Question) -> Stop {
        self.asked.insert(question);
        Stop::Unanswered
    }

    /// An Application of a template and parameters.
    pub(crate) fn application(
        &mut self,
        set: &ApplicationSet,
        template: &Value,
        params: &Params,
    ) -> Result<landfall_object::Object, String> {
        let mut base = serde_json::json!({"metadata": {}, "spec": {}});
        for part in ["metadata", "spec"] {
            if let Some(written) = template.get(part) {
                base[part] = written.clone();
            }
        }
        // As Argo CD: without any parameter there is nothing to render, and no finalizer.
        let mut rendered =
            if params.is_empty() { base } else { self.templates.value(&base, params, "spec.template")? };
        let finalizers = rendered["metadata"]["finalizers"].as_array().map_or(0, Vec::len);
        if !params.is_empty() && !set.policy.preserve_resources_on_deletion && finalizers == 0 {
            rendered["metadata"]["finalizers"] = serde_json::json!([crate::machine::CASCADE]);
        }
        if let Some(text) = &set.template_patch {
            let text = self.templates.text(text, params);
            let text = text.map_err(|why| format!("error replacing values in templatePatch: {why}"))?;
            rendered = patch::patched(rendered, &text)?;
        }
        application_of(set, rendered)
    }
}

/// Why a question has no answer, as a generator says it.
pub(crate) fn unanswered(why: &Unanswered) -> Stop {
    Stop::Failed(why.to_string())
}

/// Fills what a template leaves open from another one.
fn fill(template: &mut Value, from: &Value) {
    let is_open = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    };
    match (template, from) {
        (Value::Object(template), Value::Object(from)) => {
            for (key, value) in from {
                fill(template.entry(key.as_str()).or_insert(Value::Null), value);
            }
        }
        (template, from) if is_open(template) => *template = from.clone(),
        _ => {}
    }
}
