//! `plugin`: whatever a service answers that a ConfigMap names.

use serde_json::{Map, Value, json};

use super::answers::{PluginQuery, Question};
use super::generators::{Run, Stop, unanswered};
use super::params::{Param, Params, flattened, params_of};

pub(crate) fn params(run: &mut Run<'_>, spec: &Value) -> Result<Vec<Params>, Stop> {
    let config_map = spec.pointer("/configMapRef/name").and_then(Value::as_str).unwrap_or_default();
    if config_map.is_empty() {
        return Err(Stop::Failed("plugin.configMapRef.name is missing".to_owned()));
    }
    let input = spec.pointer("/input/parameters").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let query = PluginQuery { config_map: config_map.to_owned(), parameters: input.to_string() };
    let question = Question::Plugin(query);
    let found = match run.answers.plugin_of(&question) {
        None => return Err(run.asks(question)),
        Some(Err(why)) => return Err(unanswered(why).while_("error listing params")),
        Some(Ok(found)) => found.clone(),
    };
    let mut all = Vec::new();
    for object in &found {
        let mut params = params_of(object);
        if !run.templates.is_go() {
            params = flattened(&params).into_iter().map(|(key, text)| (key, Param::Text(text))).collect();
        }
        params.insert("generator".to_owned(), Param::from(&json!({"input": {"parameters": input}})));
        run.add_values(spec, &mut params)?;
        all.push(params);
    }
    Ok(all)
}
