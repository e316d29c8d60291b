//! Admission webhooks: whom they call and for what (`pkg/apis/admissionregistration/validation`).

use landfall_object::FieldError;
use landfall_object::cel::{Declared, check};

use super::at::{At, Errors};
use super::{metadata, names};

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const MOST_CONDITIONS: usize = 64;

pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    let mutating = match kind {
        "ValidatingWebhookConfiguration" => false,
        "MutatingWebhookConfiguration" => true,
        _ => return,
    };
    let mut seen: Vec<&str> = Vec::new();
    for hook in object.get("webhooks").items() {
        webhook(errors, &hook, mutating);
        let name = hook.get("name");
        let before =
            old.and_then(|old| old.get("webhooks").items().find(|known| known.get("name").text() == name.text()));
        let before = before.map(|before| before.get("matchConditions"));
        conditions(errors, &hook.get("matchConditions"), before.as_ref(), MatchConditions::Plain);
        review_versions(errors, &hook.get("admissionReviewVersions"));
        if seen.contains(&name.text()) {
            errors.duplicate(&name);
        } else if !name.is_empty() {
            seen.push(name.text());
        }
    }
}

fn webhook(errors: &mut Errors, hook: &At<'_>, mutating: bool) {
    qualified(errors, &hook.get("name"));
    for rule in hook.get("rules").items() {
        self::rule(errors, &rule);
    }
    errors.one_of_if_set(&hook.get("failurePolicy"), &["Fail", "Ignore"]);
    errors.one_of_if_set(&hook.get("matchPolicy"), &["Equivalent", "Exact"]);
    let effects = hook.get("sideEffects");
    if effects.is_set() {
        errors.one_of_if_set(&effects, &["None", "NoneOnDryRun"]);
    } else {
        errors.required(effects.path, "must specify one of None, NoneOnDryRun");
    }
    let timeout = hook.get("timeoutSeconds");
    if timeout.int().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        errors.invalid(&timeout, "the timeout value must be between 1 and 30 seconds");
    }
    for field in ["namespaceSelector", "objectSelector"] {
        metadata::selector(errors, &hook.get(field));
    }
    if mutating {
        errors.one_of_if_set(&hook.get("reinvocationPolicy"), &["IfNeeded", "Never"]);
    }
    let client = hook.get("clientConfig");
    match (client.get("url"), client.get("service")) {
        (url, service) if url.is_set() == service.is_set() => {
            errors.required(client.path, "exactly one of url or service is required");
        }
        (url, _) if url.is_set() => self::url(errors, &url),
        (_, service) => self::service(errors, &service),
    }
}

/// A name of at least three segments.
fn qualified(errors: &mut Errors, name: &At<'_>) {
    if name.is_empty() {
        errors.required(name.path.clone(), "");
        return;
    }
    let messages = names::dns_subdomain(name.text());
    if !messages.is_empty() {
        errors.invalid(name, messages.join(","));
    } else if name.text().split('.').count() < 3 {
        errors.invalid(name, "should be a domain with at least three segments separated by dots");
    }
}

pub(super) fn rule(errors: &mut Errors, rule: &At<'_>) {
    let wildcard_among_others = |list: &At<'_>| list.items().count() > 1 && list.items().any(|item| item.text() == "*");
    let operations = rule.get("operations");
    if operations.is_empty() {
        errors.required(operations.path.clone(), "");
    }
    if wildcard_among_others(&operations) {
        errors.invalid(&operations, "if '*' is present, must not specify other operations");
    }
    for operation in operations.items() {
        errors.one_of_if_set(&operation, &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]);
    }
    for (field, noun) in [("apiGroups", "API groups"), ("apiVersions", "API versions")] {
        let list = rule.get(field);
        if list.is_empty() {
            errors.required(list.path.clone(), "");
        }
        if wildcard_among_others(&list) {
            errors.invalid(&list, format!("if '*' is present, must not specify other {noun}"));
        }
    }
    for version in rule.get("apiVersions").items().filter(|version| version.is_empty()) {
        errors.required(version.path, "");
    }
    resources(errors, &rule.get("resources"));
    errors.one_of_if_set(&rule.get("scope"), &["*", "Cluster", "Namespaced"]);
}

fn resources(errors: &mut Errors, resources: &At<'_>) {
    if resources.is_empty() {
        errors.required(resources.path.clone(), "");
    }
    let (mut all_of, mut everywhere): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut plain = false;
    for resource in resources.items() {
        let text = resource.text();
        if text.is_empty() {
            errors.required(resource.path, "");
            continue;
        }
        let Some((kind, part)) = text.split_once('/') else {
            plain = text != "*";
            continue;
        };
        if all_of.contains(&kind) {
            errors.invalid(&resource, format!("if '{kind}/*' is present, must not specify {text}"));
        }
        if everywhere.contains(&part) {
            errors.invalid(&resource, format!("if '*/{part}' is present, must not specify {text}"));
        }
        if part == "*" {
            all_of.push(kind);
        }
        if kind == "*" {
            everywhere.push(part);
        }
    }
    let has = |wanted: &str| resources.items().any(|resource| resource.text() == wanted);
    if has("*/*") && resources.items().count() > 1 {
        errors.invalid(resources, "if '*/*' is present, must not specify other resources");
    }
    if has("*") && plain {
        errors.invalid(resources, "if '*' is present, must not specify other resources without subresources");
    }
}

fn url(errors: &mut Errors, url: &At<'_>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (rest, fragment) = url.text().split_once('#').unwrap_or((url.text(), ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let scheme_of = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if scheme_of(scheme) && !scheme.contains('/') => (scheme, rest),
        _ => ("", rest),
    };
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let mut refuse = |part: &str, detail: String| errors.push(FieldError::invalid(url.path.clone(), part, detail));
    if !scheme.eq_ignore_ascii_case("https") {
        refuse(&scheme.to_ascii_lowercase(), format!("'https' is the only allowed URL scheme{FORM}"));
    }
    if host.is_empty() {
        refuse(host, format!("host must be specified{FORM}"));
    }
    for (part, what) in [
        (user, "user information is not permitted in the URL"),
        (fragment, "fragments are not permitted in the URL"),
        (query, "query parameters are not permitted in the URL"),
    ] {
        if !part.is_empty() {
            refuse(part, what.to_owned());
        }
    }
}

fn service(errors: &mut Errors, service: &At<'_>) {
    // The server hands name and namespace over in the wrong order (`ValidateWebhookService`), so each is reported as the
    // other.
    for (read, told) in [("namespace", "name"), ("name", "namespace")] {
        if service.get(read).is_empty() {
            errors.required(service.child(told), "");
        }
    }
    let port = service.get("port");
    if port.int().is_some_and(|number| !(1..=65_535).contains(&number)) {
        errors.invalid(&port, "port is not valid: must be between 1 and 65535, inclusive");
    }
    let path = service.get("path");
    let text = path.text();
    if text.is_empty() || text == "/" {
        return;
    }
    if text == "//" {
        errors.invalid(&path, "segment[0] may not be empty");
        return;
    }
    if !text.starts_with('/') {
        errors.invalid(&path, "must start with a '/'");
    }
    // The server drops the first character whatever it is.
    let mut characters = text.chars();
    characters.next();
    let inner = characters.as_str();
    for (at, step) in inner.strip_suffix('/').unwrap_or(inner).split('/').enumerate() {
        if step.is_empty() {
            errors.invalid(&path, format!("segment[{at}] may not be empty"));
            continue;
        }
        for message in names::dns_subdomain(step) {
            errors.invalid(&path, format!("segment[{at}]: {message}"));
        }
    }
}

/// What the expressions of match conditions may name beside the request.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum MatchConditions {
    Plain,
    WithParams,
}

/// Conditions under which a request is looked at; an expression that was accepted before is not compiled again.
pub(super) fn conditions(errors: &mut Errors, conditions: &At<'_>, old: Option<&At<'_>>, kind: MatchConditions) {
    let params = kind == MatchConditions::WithParams;
    let declared = Declared { params, authorizer: true, variables: None, returns: &["bool"] };
    let kept = |text: &str| old.is_some_and(|old| old.items().any(|known| known.get("expression").text() == text));
    let count = conditions.items().count();
    if count > MOST_CONDITIONS {
        errors.push(FieldError::too_many(conditions.path.clone(), count, MOST_CONDITIONS));
    }
    let mut seen: Vec<&str> = Vec::new();
    for condition in conditions.items() {
        let (name, expression) = (condition.get("name"), condition.get("expression"));
        let trimmed = expression.text().trim();
        if trimmed.is_empty() {
            errors.required(expression.path, "");
        } else if !kept(expression.text())
            && let Err(why) = check(trimmed, &declared)
        {
            errors.push(FieldError::invalid(expression.path, trimmed, why));
        }
        if name.is_empty() {
            errors.required(name.path, "");
            continue;
        }
        errors.each(&name, names::qualified_name(name.text()));
        if seen.contains(&name.text()) {
            errors.duplicate(&name);
        } else {
            seen.push(name.text());
        }
    }
}

fn review_versions(errors: &mut Errors, versions: &At<'_>) {
    if versions.is_empty() {
        errors.required(versions.path.clone(), "must specify one of v1, v1beta1");
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for version in versions.items() {
        if seen.contains(&version.text()) {
            errors.invalid(&version, "duplicate version");
            continue;
        }
        seen.push(version.text());
        errors.each(&version, names::dns_1035_label(version.text()));
    }
    if !seen.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        errors.invalid(versions, "must include at least one of v1, v1beta1");
    }
}
