//! Tables of an operator's kind that hold texts alone, of kinds whose definition is not at hand.

use landfall_diag::Finding;
use serde_json::Value;

use super::RULE;
use crate::subject::Desired;

/// Group, kind and place of tables of texts.
///
/// ORIGIN: the types of the operators' own APIs (`map[string]string`), as they publish them.
const TABLES: &[(&str, &str, &str)] = &[
    ("postgres-operator.crunchydata.com", "PostgresCluster", "spec.backups.pgbackrest.global"),
    ("acid.zalan.do", "postgresql", "spec.postgresql.parameters"),
    ("sparkoperator.k8s.io", "SparkApplication", "spec.sparkConf"),
    ("sparkoperator.k8s.io", "SparkApplication", "spec.hadoopConf"),
];

/// Numbers and switches where an operator's kind has texts.
pub(super) fn texts_only(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    let of_kind = TABLES.iter().filter(|(group, kind, _)| object.group() == *group && object.kind() == *kind);
    let entries = of_kind.flat_map(|(_, _, path)| {
        let table = object.at(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_object);
        table.into_iter().flatten().map(move |(key, value)| (*path, key, value))
    });
    entries
        .filter_map(|(path, key, value)| Some((path, key, word(value)?)))
        .map(|(path, key, what)| {
            let field = if key.contains(['.', '/']) { format!("{path}[{key}]") } else { format!("{path}.{key}") };
            RULE.finding(format!(
                "`{key}` of {} `{}` is {what}, where its kind has texts",
                object.kind(),
                object.name()
            ))
            .because("the API refuses it, and the delivery stops there")
            .help("print the value with `quote`")
            .at(desired.spot_at(&field))
        })
        .collect()
}

/// What a value is that is no text; a null is none at all.
fn word(value: &Value) -> Option<&'static str> {
    match value {
        Value::Number(_) => Some("a number"),
        Value::Bool(_) => Some("a switch"),
        Value::Array(_) => Some("a list"),
        Value::Object(_) => Some("a table"),
        Value::String(_) | Value::Null => None,
    }
}
