//! Keys of a Secret that are written in `data` and in `stringData`.

use landfall_diag::{Finding, Severity};

use super::RULE;
use crate::subject::Desired;

/// Keys that stand in both: the API takes the text and drops the other.
pub(super) fn clash(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    if object.kind() != "Secret" || !object.group().is_empty() {
        return Vec::new();
    }
    let keys = |field: &str| object.at(field).and_then(|it| it.as_object()).into_iter().flatten().map(|(key, _)| key);
    let texts: Vec<&String> = keys("/stringData").collect();
    let both = keys("/data").filter(|key| texts.contains(key));
    both.map(|key| {
        RULE.finding(format!("Secret `{}` has the key `{key}` in data and in stringData", object.name()))
            .weighing(Severity::Warning)
            .because("stringData counts, and what data says is dropped")
            .help("leave one of the two out")
            .at(desired.spot_at(&if key.contains(['.', '/']) {
                format!("stringData[{key}]")
            } else {
                format!("stringData.{key}")
            }))
    })
    .collect()
}
