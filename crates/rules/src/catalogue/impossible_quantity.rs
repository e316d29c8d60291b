use landfall_diag::{Finding, Severity};
use landfall_object::Quantity;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF274",
    title: "quantities are such as there are",
    severity: Severity::Error,
    why: "`512m` of memory is half a byte, and `1000` of CPU a thousand cores: `m` stands for a thousandth, not for \
          mega. The API takes both. The container is killed as it starts, or no node ever has room for it.",
    advice: "Write memory in `Mi` or `Gi`, and CPU in cores or in thousandths with `m`.",
    check,
};

/// The least memory that a container can be made with, in bytes (kubelet: the runtimes refuse less).
const LEAST_MEMORY: i64 = 4 << 20;
/// More memory, in bytes, than any machine has: 64 TiB.
const MOST_MEMORY: i64 = 64 << 40;
/// More cores than any machine has.
const MOST_CORES: i64 = 512;
/// More cores than any one container of a chart is given on purpose.
const MANY_CORES: i64 = 100;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for list in ["requests", "limits"] {
                for (resource, amount) in container.value["resources"][list].as_object().into_iter().flatten() {
                    let field = format!("{}.resources.{list}.{resource}", container.path);
                    findings.extend(told(desired, resource, amount, &field));
                }
            }
        }
        for (at, claim) in desired.object.list_at("/spec/volumeClaimTemplates").iter().enumerate() {
            let amount = &claim["spec"]["resources"]["requests"]["storage"];
            let field = format!("spec.volumeClaimTemplates[{at}].spec.resources.requests.storage");
            findings.extend(told(desired, "storage", amount, &field));
        }
    }
    for claim in subject.of_kind("", "PersistentVolumeClaim") {
        let amount = claim.object.at("/spec/resources/requests/storage").unwrap_or(&Value::Null);
        findings.extend(told(claim, "storage", amount, "spec.resources.requests.storage"));
    }
    findings
}

fn told(desired: &Desired, resource: &str, amount: &Value, field: &str) -> Option<Finding> {
    let quantity = Quantity::from_json(amount).ok().filter(|it| !it.is_zero())?;
    let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
    let (severity, wrong, meant) = match resource {
        "memory" | "ephemeral-storage" | "storage" | "hugepages-2Mi" => {
            let bytes = quantity.units();
            if let Some(number) = text.strip_suffix('m').filter(|_| quantity.units() < LEAST_MEMORY) {
                (Severity::Error, format!("{} thousandths of a byte", number), format!("`{number}Mi`"))
            } else if bytes < LEAST_MEMORY && resource == "memory" && is_limit(field) {
                (Severity::Error, format!("{bytes} bytes"), format!("`{bytes}Mi`"))
            } else if bytes < (1 << 20) {
                (Severity::Warning, format!("{bytes} bytes"), format!("`{bytes}Mi`"))
            } else if bytes > MOST_MEMORY && resource == "memory" {
                (Severity::Error, "more than any node has".to_owned(), "another unit".to_owned())
            } else {
                return None;
            }
        }
        "cpu" if quantity.millis() > MOST_CORES * 1000 => {
            (Severity::Error, format!("{} cores", quantity.units()), format!("`{text}m`"))
        }
        // Thousandths whose letter was lost.
        "cpu" if quantity.millis() >= MANY_CORES * 1000 => {
            (Severity::Warning, format!("{} cores", quantity.units()), format!("`{text}m`"))
        }
        _ => return None,
    };
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let finding = RULE.finding(format!("`{text}` of {resource} for {kind} `{name}` is {wrong}"));
    Some(finding.weighing(severity).help(format!("did you mean {meant}?")).at(desired.spot_at(field)))
}

/// Whether a container is held to the amount: of too small a request nobody dies.
fn is_limit(field: &str) -> bool {
    field.contains(".limits.")
}
