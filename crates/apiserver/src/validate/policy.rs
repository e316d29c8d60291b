//! Admission policies and what binds them (`pkg/apis/admissionregistration/validation`).
//!
//! Their expressions are compiled as far as [`landfall_object::cel::check`] goes; those of mutations are not, which build objects.

use landfall_object::FieldError;
use landfall_object::cel::{Declared, RESERVED, check};

use super::at::{At, Errors};
use super::webhook::{self, MatchConditions};
use super::{metadata, names};

const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const MOST_ANNOTATIONS: usize = 20;
const LONGEST_ANNOTATION: usize = 5 * 1024;
pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    let spec = object.get("spec");
    let kept = Kept(old.map(|old| old.get("spec")));
    match kind {
        "ValidatingAdmissionPolicy" => {
            common(errors, &spec, &kept);
            validations(errors, object, &spec, &kept);
        }
        "MutatingAdmissionPolicy" => {
            common(errors, &spec, &kept);
            mutations(errors, &spec);
        }
        "ValidatingAdmissionPolicyBinding" => {
            bound(errors, &spec);
            actions(errors, &spec.get("validationActions"));
        }
        "MutatingAdmissionPolicyBinding" => bound(errors, &spec),
        _ => {}
    }
}

/// Expressions that were accepted before are not compiled again.
struct Kept<'v>(Option<At<'v>>);

impl Kept<'_> {
    fn has(&self, list: &str, field: &str, text: &str) -> bool {
        self.0.as_ref().is_some_and(|old| old.get(list).items().any(|item| item.get(field).text() == text))
    }
}

fn common(errors: &mut Errors, spec: &At<'_>, kept: &Kept<'_>) {
    let policy = spec.get("failurePolicy");
    errors.one_of(&policy, &["Fail", "Ignore"]);
    let params = spec.get("paramKind");
    if params.is_set() {
        param_kind(errors, &params);
    }
    let constraints = spec.get("matchConstraints");
    if constraints.is_set() {
        match_resources(errors, &constraints);
        let rules = constraints.get("resourceRules");
        if rules.is_empty() {
            errors.required(rules.path, "");
        }
    } else {
        errors.required(constraints.path, "");
    }
    let old = kept.0.as_ref().map(|old| old.get("matchConditions"));
    let declared = if params.is_set() { MatchConditions::WithParams } else { MatchConditions::Plain };
    webhook::conditions(errors, &spec.get("matchConditions"), old.as_ref(), declared);
}

fn param_kind(errors: &mut Errors, params: &At<'_>) {
    let (version, kind) = (params.get("apiVersion"), params.get("kind"));
    let text = version.text();
    if text.is_empty() {
        errors.required(version.path.clone(), "");
    } else if text.matches('/').count() > 1 {
        errors.invalid(&version, format!("unexpected GroupVersion string: {text}"));
    } else {
        let (group, number) = text.split_once('/').unwrap_or(("", text));
        let mut refuse = |shown: &str, messages: Vec<String>| {
            if !messages.is_empty() {
                errors.push(FieldError::invalid(version.path.clone(), shown, messages.join(",")));
            }
        };
        if !group.is_empty() {
            refuse(group, names::dns_subdomain(group));
        }
        if number.is_empty() {
            refuse(text, vec!["version must be specified".to_owned()]);
        } else {
            refuse(number, names::dns_1035_label(number));
        }
    }
    if kind.is_empty() {
        errors.required(kind.path, "");
        return;
    }
    let messages = names::dns_1035_label(&kind.text().to_lowercase());
    if !messages.is_empty() {
        errors.invalid(&kind, format!("may have mixed case, but should otherwise match: {}", messages.join(",")));
    }
}

fn match_resources(errors: &mut Errors, resources: &At<'_>) {
    errors.one_of(&resources.get("matchPolicy"), &["Equivalent", "Exact"]);
    for field in ["namespaceSelector", "objectSelector"] {
        let selector = resources.get(field);
        if selector.is_set() {
            metadata::selector(errors, &selector);
        } else {
            errors.required(selector.path, "");
        }
    }
    for field in ["resourceRules", "excludeResourceRules"] {
        for rule in resources.get(field).items() {
            let mut seen: Vec<&str> = Vec::new();
            for name in rule.get("resourceNames").items() {
                errors.each(&name, names::path_segment(name.text()));
                if seen.contains(&name.text()) {
                    errors.duplicate(&name);
                } else {
                    seen.push(name.text());
                }
            }
            webhook::rule(errors, &rule);
        }
    }
}

fn validations(errors: &mut Errors, object: &At<'_>, spec: &At<'_>, kept: &Kept<'_>) {
    let params = spec.get("paramKind").is_set();
    let variables = variables(errors, spec, params, kept);
    let declared = |returns| Declared { params, authorizer: true, variables: variables.clone(), returns };
    let (validations, annotations) = (spec.get("validations"), spec.get("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        for list in [validations, annotations] {
            errors.required(list.path, "validations or auditAnnotations must contain at least one item");
        }
        return;
    }
    for validation in validations.items() {
        let expression = validation.get("expression");
        if expression.text().trim().is_empty() {
            errors.required(expression.path, "expression is not specified");
        } else if !kept.has("validations", "expression", expression.text()) {
            compile(errors, &expression, expression.text(), &declared(&["bool"]));
        }
        let message = validation.get("messageExpression");
        if !message.text().is_empty() && message.text().trim().is_empty() {
            errors.invalid(&message, "must be non-empty if specified");
        } else if !message.text().is_empty() && !kept.has("validations", "messageExpression", message.text()) {
            let declared = Declared { authorizer: false, ..declared(&["string"]) };
            compile(errors, &message, message.text(), &declared);
        }
        let fixed = validation.get("message");
        if !fixed.text().is_empty() && fixed.text().trim().is_empty() {
            errors.invalid(&fixed, "must be non-empty if specified");
        } else if fixed.text().trim().contains(['\n', '\r']) {
            errors.invalid(&fixed, "must not contain line breaks");
        }
        errors.one_of_if_set(&validation.get("reason"), &REASONS);
    }
    self::annotations(errors, object, &annotations, &declared(&["string", "null_type"]), kept);
}

fn annotations(errors: &mut Errors, object: &At<'_>, annotations: &At<'_>, declared: &Declared, kept: &Kept<'_>) {
    if annotations.items().count() > MOST_ANNOTATIONS {
        errors.invalid(annotations, format!("must not have more than {MOST_ANNOTATIONS} auditAnnotations"));
    }
    let name = object.dig("metadata.name");
    let mut seen: Vec<&str> = Vec::new();
    for annotation in annotations.items() {
        let key = annotation.get("key");
        if name.is_empty() {
            errors.invalid(&key, "requires metadata.name be non-empty");
        } else {
            let full = format!("{}/{}", name.text(), key.text());
            for message in names::qualified_name(&full) {
                errors.push(FieldError::invalid(key.path.clone(), full.as_str(), message));
            }
        }
        let value = annotation.get("valueExpression");
        let trimmed = value.text().trim();
        if trimmed.is_empty() {
            errors.required(value.path.clone(), "valueExpression is not specified");
        } else if trimmed.len() > LONGEST_ANNOTATION {
            errors.required(value.path.clone(), &format!("must not exceed {LONGEST_ANNOTATION} bytes in length"));
        } else if !kept.has("auditAnnotations", "valueExpression", value.text()) {
            compile(errors, &value, trimmed, declared);
        }
        if seen.contains(&key.text()) {
            errors.duplicate(&key);
        }
        seen.push(key.text());
    }
}

/// The names that the following expressions may use; each variable knows those before it.
fn variables(errors: &mut Errors, spec: &At<'_>, params: bool, kept: &Kept<'_>) -> Option<Vec<String>> {
    let list = spec.get("variables");
    if list.is_empty() {
        return None;
    }
    let mut known: Vec<String> = Vec::new();
    for variable in list.items() {
        let (name, expression) = (variable.get("name"), variable.get("expression"));
        if name.text().trim().is_empty() {
            errors.required(name.path.clone(), "name is not specified");
        } else if !is_identifier(name.text()) {
            errors.invalid(&name, "must be a valid CEL identifier");
        }
        if expression.text().trim().is_empty() {
            errors.required(expression.path, "expression is not specified");
        } else if !kept.has("variables", "expression", expression.text()) {
            let declared = Declared { params, authorizer: true, variables: Some(known.clone()), returns: &[] };
            compile(errors, &expression, expression.text(), &declared);
        }
        known.push(name.text().to_owned());
    }
    Some(known)
}

fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&name)
}

fn compile(errors: &mut Errors, at: &At<'_>, text: &str, declared: &Declared) {
    if let Err(why) = check(text, declared) {
        errors.invalid(at, why);
    }
}

fn mutations(errors: &mut Errors, spec: &At<'_>) {
    let rules = spec.dig("matchConstraints.resourceRules");
    for operation in rules.items().flat_map(|rule| rule.get("operations").items()) {
        if !["*", "CREATE", "UPDATE"].contains(&operation.text()) {
            let path = "spec.matchConstraints.resourceRules.operations";
            errors.push(FieldError::not_supported(path, operation.text(), &["*", "CREATE", "UPDATE"]));
        }
    }
    let mutations = spec.get("mutations");
    if mutations.is_empty() {
        errors.required(mutations.path.clone(), "mutations must contain at least one item");
    }
    for mutation in mutations.items() {
        let kind = mutation.get("patchType");
        errors.one_of(&kind, &["ApplyConfiguration", "JSONPatch"]);
        let (wanted, other) = match kind.text() {
            "JSONPatch" => ("jsonPatch", "applyConfiguration"),
            "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
            _ => continue,
        };
        let expression = mutation.get(wanted).get("expression");
        if !mutation.get(wanted).is_set() {
            errors.required(mutation.child(wanted), &format!("must be specified when patchType is {}", kind.text()));
        } else if expression.text().trim().is_empty() {
            errors.required(expression.path, "");
        }
        if mutation.get(other).is_set() {
            let why = format!("must not be specified when patchType is {}", kind.text());
            errors.push(FieldError::invalid(mutation.child(other), format!("{{{other}}}"), why));
        }
    }
    errors.one_of(&spec.get("reinvocationPolicy"), &["IfNeeded", "Never"]);
}

fn bound(errors: &mut Errors, spec: &At<'_>) {
    let policy = spec.get("policyName");
    if policy.is_empty() {
        errors.required(policy.path.clone(), "");
    } else {
        errors.each(&policy, names::dns_subdomain(policy.text()));
    }
    let reference = spec.get("paramRef");
    if reference.is_set() {
        param_ref(errors, &reference);
    }
    let resources = spec.get("matchResources");
    if resources.is_set() {
        match_resources(errors, &resources);
    }
}

fn param_ref(errors: &mut Errors, reference: &At<'_>) {
    const EXCLUSIVE: &str = "name and selector are mutually exclusive";
    let (name, selector) = (reference.get("name"), reference.get("selector"));
    if !name.is_empty() {
        errors.each(&name, names::path_segment(name.text()));
        if selector.is_set() {
            errors.forbidden(name.path.clone(), EXCLUSIVE);
        }
    }
    if selector.is_set() {
        metadata::selector(errors, &selector);
        if !name.is_empty() {
            errors.forbidden(selector.path.clone(), EXCLUSIVE);
        }
    }
    if name.is_empty() && !selector.is_set() {
        errors.required(reference.path.clone(), "one of name or selector must be specified");
    }
    errors.one_of(&reference.get("parameterNotFoundAction"), &["Deny", "Allow"]);
}

fn actions(errors: &mut Errors, actions: &At<'_>) {
    let mut seen: Vec<&str> = Vec::new();
    for action in actions.items() {
        errors.one_of_if_set(&action, &["Audit", "Deny", "Warn"]);
        if seen.contains(&action.text()) {
            errors.duplicate(&action);
        }
        seen.push(action.text());
    }
    if seen.contains(&"Deny") && seen.contains(&"Warn") {
        let why = "must not contain both Deny and Warn (repeating the same validation failure information in the API \
                   response and headers serves no purpose)";
        errors.invalid(actions, why);
    }
    if seen.is_empty() {
        errors.required(actions.path.clone(), "at least one validation action is required");
    }
}
