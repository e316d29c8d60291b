use landfall_gotemplate::{Limits, MissingKey, Set};
use landfall_sprig::Context;
use serde_json::{Map, Value};

use super::functions::functions;
use super::params::{Param, Params, data_of};

/// The name under which Argo CD parses each text; errors show it.
const NAME: &str = "base";

/// How texts of a set are rendered.
pub(crate) enum Templates {
    /// `goTemplate: true`
    Go(Box<GoTemplates>),
    /// `{{name}}`, and nothing else: what is not known stays as it is written.
    Plain,
}

pub(crate) struct GoTemplates {
    /// As the set's options say.
    set: Set,
    /// A missing key is an error, whatever the options say.
    strict: Set,
}

impl Templates {
    /// # Errors
    /// An option that Go's templates do not know.
    pub(crate) fn new(is_go: bool, options: &[String]) -> Result<Self, String> {
        if !is_go {
            return Ok(Templates::Plain);
        }
        let mut missing = MissingKey::Invalid;
        for option in options {
            missing = match option.as_str() {
                "missingkey=default" | "missingkey=invalid" => MissingKey::Invalid,
                "missingkey=zero" => MissingKey::Zero,
                "missingkey=error" => MissingKey::Error,
                other => return Err(format!("goTemplateOptions: unrecognized option: {other}")),
            };
        }
        let mut set = Set::new(NAME, functions(), missing);
        let mut strict = Set::new(NAME, functions(), MissingKey::Error);
        // All texts of an ApplicationSet together take no longer than one chart may.
        set.limit_together();
        strict.limit_together();
        Ok(Templates::Go(Box::new(GoTemplates { set, strict })))
    }

    pub(crate) fn is_go(&self) -> bool {
        matches!(self, Templates::Go(_))
    }

    /// A text with its parameters put in.
    pub(crate) fn text(&mut self, text: &str, params: &Params) -> Result<String, String> {
        match self {
            Templates::Plain => plain(text, params),
            Templates::Go(go) => execute(&mut go.set, text, params),
        }
    }

    /// The same; where one of the parameters is missing, the text as it is written.
    pub(crate) fn text_if_known(&mut self, text: &str, params: &Params) -> Result<String, String> {
        match self {
            Templates::Plain => plain(text, params),
            Templates::Go(go) => match execute(&mut go.strict, text, params) {
                Err(why) if why.contains("map has no entry for key") || why.contains("can't evaluate field") => {
                    Ok(text.to_owned())
                }
                other => other,
            },
        }
    }

    /// Every text of a value, keys included; nulls in maps go, as they do in Argo CD. An error says at which field, from `at`.
    pub(crate) fn value(&mut self, value: &Value, params: &Params, at: &str) -> Result<Value, String> {
        let placed = |why: String| format!("{at}: {why}");
        Ok(match value {
            Value::String(text) => Value::String(self.text(text, params).map_err(placed)?),
            Value::Array(items) => {
                let each = items.iter().enumerate();
                let each = each.map(|(index, item)| self.value(item, params, &format!("{at}[{index}]")));
                each.collect::<Result<Vec<_>, _>>()?.into()
            }
            Value::Object(map) => {
                let mut out = Map::new();
                for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
                    let name = self.text(key, params).map_err(placed)?;
                    out.insert(name, self.value(value, params, &format!("{at}.{key}"))?);
                }
                Value::Object(out)
            }
            other => other.clone(),
        })
    }
}

fn execute(set: &mut Set, text: &str, params: &Params) -> Result<String, String> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    // Each text stands for itself: what one defines, another one does not see.
    set.clear();
    set.parse(NAME, text.as_bytes()).map_err(|error| format!("failed to parse template {text}: {error}"))?;
    // Time stands still and chance is always the same: what a set generates follows from its generators alone, so that
    // looking twice finds no difference. Nobody makes secrets here: they would stand in an Application.
    let mut context = Context::repeatable(0);
    let written = set
        .execute(NAME, &data_of(params), &mut context, Limits::default())
        .map_err(|error| format!("failed to execute go template {text}: {error}"))?;
    Ok(String::from_utf8_lossy(&written).into_owned())
}

fn plain(text: &str, params: &Params) -> Result<String, String> {
    let is_template = |line: &str| line.find("{{").is_some_and(|at| line[at + 2..].contains("}}"));
    if !text.lines().any(is_template) {
        return Ok(text.to_owned());
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        let tag = &rest[at + 2..];
        let Some(end) = tag.find("}}") else {
            return Err(format!("invalid template: cannot find end tag=\"}}}}\" in the template={text:?}"));
        };
        let name = tag[..end].trim();
        match params.get(name) {
            Some(Param::Text(value)) if !name.is_empty() => out.push_str(value),
            _ => out.push_str(&rest[at..at + end + 4]),
        }
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}
