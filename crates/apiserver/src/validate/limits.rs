//! LimitRanges and ResourceQuotas: which resources they may name, and which amounts contradict one another
//! (`pkg/apis/core/validation`).

use landfall_object::{FieldError, Quantity};
use serde_json::{Value, json};

use super::at::{At, Errors, ordered};
use super::{container, names};

/// Resources that may stand in a quota by a short name.
const IN_QUOTA: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    match kind {
        "LimitRange" => limit_range(errors, &object.dig("spec.limits")),
        "ResourceQuota" => {
            quota(errors, &object.get("spec"));
            match old {
                Some(old) => scopes_stay(errors, &object.dig("spec.scopes"), &old.dig("spec.scopes")),
                None => quota_status(errors, &object.get("status")),
            }
        }
        _ => {}
    }
}

/// Resources that a quota reports.
pub(super) fn quota_status(errors: &mut Errors, status: &At<'_>) {
    for field in ["hard", "used"] {
        quota_amounts(errors, &status.get(field));
    }
}

/// Whether a short name is one that the server knows; what is not is refused in the server's words.
fn standard_resource(errors: &mut Errors, name: &str, path: &str) {
    let messages = names::qualified_name(name);
    let readable = messages.is_empty();
    for message in messages {
        errors.push(FieldError::invalid(path, name, message));
    }
    let known = IN_QUOTA.contains(&name) || name == "storage" || is_huge_page(name);
    if readable && !name.contains('/') && !known {
        errors.push(FieldError::invalid(path, name, "must be a standard resource type or fully qualified"));
    }
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-") || name.starts_with("requests.hugepages-")
}

fn limit_range(errors: &mut Errors, limits: &At<'_>) {
    let mut types: Vec<&str> = Vec::new();
    for limit in limits.items() {
        let kind = limit.get("type");
        limit_type(errors, &kind);
        if types.contains(&kind.text()) {
            errors.duplicate(&kind);
        }
        types.push(kind.text());
        limit_names(errors, &limit);
        limit_amounts(errors, &limit);
    }
}

fn limit_type(errors: &mut Errors, kind: &At<'_>) {
    let messages = names::qualified_name(kind.text());
    let standard = ["Pod", "Container", "PersistentVolumeClaim"].contains(&kind.text());
    if messages.is_empty() && !kind.text().contains('/') && !standard {
        errors.invalid(kind, "must be a standard limit type or fully qualified");
    }
    for message in messages {
        errors.push(FieldError::invalid(kind.path.clone(), kind.text(), message));
    }
}

fn limit_names(errors: &mut Errors, limit: &At<'_>) {
    let kind = limit.get("type").text();
    let names_of = |errors: &mut Errors, field: &str| {
        for (name, amount) in limit.get(field).entries() {
            match kind {
                "Pod" | "Container" => container::resource_name(errors, name, &amount.path),
                _ => standard_resource(errors, name, &amount.path),
            }
        }
    };
    names_of(errors, "max");
    names_of(errors, "min");
    for field in ["default", "defaultRequest"] {
        if kind != "Pod" {
            names_of(errors, field);
        } else if !limit.get(field).is_empty() {
            errors.forbidden(limit.child(field), "may not be specified when `type` is 'Pod'");
        }
    }
    let has_storage = |field: &str| limit.get(field).value.get("storage").is_some();
    if kind == "PersistentVolumeClaim" && !has_storage("min") && !has_storage("max") {
        let detail = "either minimum or maximum storage value is required, but neither was provided";
        errors.required(limit.child("limits"), detail);
    }
    names_of(errors, "maxLimitRequestRatio");
}

fn limit_amounts(errors: &mut Errors, limit: &At<'_>) {
    let fields = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];
    // What a Pod's limit may not have takes no part in the comparison.
    let counted = |field: &str| !(limit.get("type").text() == "Pod" && field.starts_with("default"));
    let mut resources: Vec<&str> = fields
        .iter()
        .filter(|field| counted(field))
        .flat_map(|field| limit.get(field).entries().map(|(name, _)| name).collect::<Vec<_>>())
        .collect();
    resources.sort_unstable();
    resources.dedup();
    for resource in resources {
        let amount = |field: &str| {
            let value = limit.get(field).value.get(resource).filter(|_| counted(field))?;
            Quantity::from_json(value).ok()
        };
        let mut refuse = |field: &str, value: &Quantity, detail: String| {
            errors.push(FieldError::invalid(limit.get(field).key(resource), value.to_string(), detail));
        };
        let (least, most) = (amount("min"), amount("max"));
        let (usual, requested, ratio) = (amount("default"), amount("defaultRequest"), amount("maxLimitRequestRatio"));
        if let (Some(least), Some(most)) = (&least, &most)
            && least > most
        {
            refuse("min", least, format!("min value {least} is greater than max value {most}"));
        }
        if let Some(requested) = &requested {
            let field = "defaultRequest";
            if let Some(least) = least.as_ref().filter(|least| *least > requested) {
                let detail = format!("min value {least} is greater than default request value {requested}");
                refuse(field, requested, detail);
            }
            if let Some(most) = most.as_ref().filter(|most| requested > *most) {
                let detail = format!("default request value {requested} is greater than max value {most}");
                refuse(field, requested, detail);
            }
            if let Some(usual) = usual.as_ref().filter(|usual| requested > *usual) {
                let detail = format!("default request value {requested} is greater than default limit value {usual}");
                refuse(field, requested, detail);
            }
        }
        if let Some(usual) = &usual {
            // The server shows the bound as the wrong value here.
            if let Some(least) = least.as_ref().filter(|least| *least > usual) {
                refuse("default", least, format!("min value {least} is greater than default value {usual}"));
            }
            if let Some(most) = most.as_ref().filter(|most| usual > *most) {
                refuse("default", most, format!("default value {usual} is greater than max value {most}"));
            }
        }
        if let Some(ratio) = &ratio {
            let field = "maxLimitRequestRatio";
            if ratio.millis() < 1000 {
                refuse(field, ratio, format!("ratio {ratio} is less than 1"));
            }
            if let (Some(least), Some(most)) = (&least, &most) {
                let greatest = most.millis() as f64 / least.millis() as f64;
                if ratio.millis() as f64 / 1000.0 > greatest {
                    refuse(field, ratio, format!("ratio {ratio} is greater than max/min = {greatest:.6}"));
                }
            }
        }
        let overcommit = is_native(resource) && !resource.starts_with("hugepages-");
        if let (false, Some(usual), Some(requested)) = (overcommit, &usual, &requested)
            && usual != requested
        {
            let detail = format!("default value {usual} must equal to defaultRequest value {requested} in {resource}");
            refuse("defaultRequest", requested, detail);
        }
    }
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn quota(errors: &mut Errors, spec: &At<'_>) {
    quota_amounts(errors, &spec.get("hard"));
    let hard: Vec<&str> = spec.get("hard").entries().map(|(name, _)| name).collect();
    let scopes = spec.get("scopes");
    for scope in scopes.items() {
        if !SCOPES.contains(&scope.text()) {
            errors.invalid(&scopes, "unsupported scope");
        }
        for _ in hard.iter().filter(|name| !scope_fits(scope.text(), name)) {
            errors.invalid(&scopes, "unsupported scope applied to resource");
        }
    }
    conflicting(errors, &scopes, &scopes.items().map(|scope| scope.text()).collect::<Vec<_>>());
    let selector = spec.get("scopeSelector");
    if selector.is_set() {
        scope_selector(errors, &selector, &scopes, &hard);
    }
}

fn quota_amounts(errors: &mut Errors, amounts: &At<'_>) {
    for (name, amount) in amounts.entries() {
        standard_resource(errors, name, &amount.path);
        if !name.contains('/') && !IN_QUOTA.contains(&name) && !is_huge_page(name) {
            errors.push(FieldError::invalid(amount.path.clone(), name, "must be a standard resource for quota"));
        }
        container::resource_quantity(errors, name, &amount);
    }
}

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "VolumeAttributesClass",
    "CrossNamespacePodAffinity",
];

/// Whether a quota of a scope may count a resource; one that is no quota's is complained of elsewhere.
fn scope_fits(scope: &str, resource: &str) -> bool {
    if !IN_QUOTA.contains(&resource) && !is_huge_page(resource) {
        return true;
    }
    let compute = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
    match scope {
        "Terminating" | "NotTerminating" | "NotBestEffort" | "PriorityClass" | "CrossNamespacePodAffinity" => {
            resource == "pods" || compute.contains(&resource)
        }
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => ["persistentvolumeclaims", "requests.storage"].contains(&resource),
        _ => true,
    }
}

fn conflicting(errors: &mut Errors, scopes: &At<'_>, chosen: &[&str]) {
    for (one, other) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if chosen.contains(&one) && chosen.contains(&other) {
            errors.invalid(scopes, "conflicting scopes");
        }
    }
}

fn scope_selector(errors: &mut Errors, selector: &At<'_>, scopes: &At<'_>, hard: &[&str]) {
    let all = selector.get("matchExpressions");
    let mut chosen = Vec::new();
    for requirement in all.items() {
        let (scope, operator, values) =
            (requirement.get("scopeName"), requirement.get("operator"), requirement.get("values"));
        // The server leaves the index out.
        let refuse = |errors: &mut Errors, field: &str, at: &At<'_>, detail: &str| {
            errors.push(FieldError::invalid(all.child(field), at.value.clone(), detail));
        };
        if !SCOPES.contains(&scope.text()) {
            refuse(errors, "scopeName", &scope, "unsupported scope");
        }
        for _ in hard.iter().filter(|name| !scope_fits(scope.text(), name)) {
            let error = FieldError::invalid(all.path.clone(), Value::Null, "unsupported scope applied to resource");
            errors.push(error.shown_as(internal(&all)));
        }
        let by_existence =
            ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];
        if by_existence.contains(&scope.text()) && operator.text() != "Exists" {
            let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            refuse(errors, "operator", &operator, detail);
        }
        match operator.text() {
            "In" | "NotIn" => {
                if values.is_empty() {
                    let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                    errors.required(all.child("values"), detail);
                }
            }
            "Exists" | "DoesNotExist" => {
                if !values.is_empty() {
                    let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                    refuse(errors, "values", &values, detail);
                }
            }
            _ => refuse(errors, "operator", &operator, "not a valid selector operator"),
        }
        chosen.push(scope.text());
    }
    conflicting(errors, scopes, &chosen);
}

/// A scope selector as the server's internal struct prints.
fn internal(requirements: &At<'_>) -> String {
    let fields = ["ScopeName", "Operator", "Values"];
    let shown: Vec<String> = requirements
        .items()
        .map(|requirement| {
            let value = json!({
                "ScopeName": requirement.get("scopeName").text(),
                "Operator": requirement.get("operator").text(),
                "Values": requirement.get("values").value,
            });
            ordered(&value, &fields)
        })
        .collect();
    format!("{{\"MatchExpressions\":[{}]}}", shown.join(","))
}

fn scopes_stay(errors: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let set = |scopes: &At<'_>| {
        let mut names: Vec<String> = scopes.items().map(|scope| scope.text().to_owned()).collect();
        names.sort();
        names.dedup();
        names
    };
    if set(new) != set(old) {
        errors.invalid(new, "field is immutable");
    }
}
