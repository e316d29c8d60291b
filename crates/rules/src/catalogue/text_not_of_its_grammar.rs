mod cel;
mod grammar;
mod pattern;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF282",
    title: "texts that an operator reads are of the grammar that it reads",
    severity: Severity::Warning,
    why: "A query, a matcher or a duration in a resource of an operator's is text to the API, which stores whatever stands \
          there. The operator leaves out what it cannot read: the alert never fires, the route is not there, the certificate \
          is not renewed, and nothing in the release looks wrong.",
    advice: "Write the text as the operator's own documentation has it.",
    check,
};

/// What is wrong with a text, if anything is.
type Grammar = fn(&str) -> Result<(), String>;

/// Fields of operators' kinds with a grammar of their own. Facts: group, kind, the path to the field (`*` for each entry), what the
/// text is, and what comes of one that is none. ORIGIN: cert-manager v1.18 `pkg/apis/certmanager/v1/types_certificate.go`
/// (`metav1.Duration`: Go's `time.ParseDuration`); prometheus-operator v0.85 `pkg/apis/monitoring/v1/types.go` (pattern of
/// `Duration`) and Prometheus 3 `promql/parser`; Traefik v3 `pkg/muxer/http`; External Secrets v1 `refreshInterval`
/// (`metav1.Duration`); Flux v2 `spec.interval` (`metav1.Duration`).
const TEXTS: &[(&str, &str, &str, &str, Grammar)] = &[
    ("cert-manager.io", "Certificate", "spec.duration", "duration", grammar::go_duration),
    ("cert-manager.io", "Certificate", "spec.renewBefore", "duration", grammar::go_duration),
    ("external-secrets.io", "ExternalSecret", "spec.refreshInterval", "duration", grammar::go_duration),
    (
        "external-secrets.io",
        "ClusterExternalSecret",
        "spec.externalSecretSpec.refreshInterval",
        "duration",
        grammar::go_duration,
    ),
    ("kustomize.toolkit.fluxcd.io", "Kustomization", "spec.interval", "duration", grammar::go_duration),
    ("kustomize.toolkit.fluxcd.io", "Kustomization", "spec.timeout", "duration", grammar::go_duration),
    ("helm.toolkit.fluxcd.io", "HelmRelease", "spec.interval", "duration", grammar::go_duration),
    ("helm.toolkit.fluxcd.io", "HelmRelease", "spec.timeout", "duration", grammar::go_duration),
    ("source.toolkit.fluxcd.io", "GitRepository", "spec.interval", "duration", grammar::go_duration),
    ("source.toolkit.fluxcd.io", "HelmRepository", "spec.interval", "duration", grammar::go_duration),
    ("source.toolkit.fluxcd.io", "OCIRepository", "spec.interval", "duration", grammar::go_duration),
    ("monitoring.coreos.com", "PrometheusRule", "spec.groups.*.rules.*.expr", "query", grammar::query),
    ("monitoring.coreos.com", "PrometheusRule", "spec.groups.*.rules.*.for", "duration", grammar::prometheus_duration),
    ("monitoring.coreos.com", "PrometheusRule", "spec.groups.*.interval", "duration", grammar::prometheus_duration),
    ("monitoring.coreos.com", "ServiceMonitor", "spec.endpoints.*.interval", "duration", grammar::prometheus_duration),
    (
        "monitoring.coreos.com",
        "ServiceMonitor",
        "spec.endpoints.*.scrapeTimeout",
        "duration",
        grammar::prometheus_duration,
    ),
    (
        "monitoring.coreos.com",
        "PodMonitor",
        "spec.podMetricsEndpoints.*.interval",
        "duration",
        grammar::prometheus_duration,
    ),
    (
        "monitoring.coreos.com",
        "PodMonitor",
        "spec.podMetricsEndpoints.*.scrapeTimeout",
        "duration",
        grammar::prometheus_duration,
    ),
    ("monitoring.coreos.com", "Probe", "spec.interval", "duration", grammar::prometheus_duration),
    ("operator.victoriametrics.com", "VMRule", "spec.groups.*.rules.*.for", "duration", grammar::prometheus_duration),
    ("traefik.io", "IngressRoute", "spec.routes.*.match", "matcher", grammar::matcher),
    ("traefik.io", "IngressRouteTCP", "spec.routes.*.match", "matcher", grammar::matcher),
    ("traefik.containo.us", "IngressRoute", "spec.routes.*.match", "matcher", grammar::matcher),
];

/// Fields of which an operator's webhook wants one at the least. Facts: group, kind, the object that holds them, the fields.
/// ORIGIN: cert-manager v1.18 `internal/apis/certmanager/validation/certificate.go`.
const ONE_OF: &[(&str, &str, &str, &[&str])] = &[(
    "cert-manager.io",
    "Certificate",
    "spec",
    &["commonName", "dnsNames", "ipAddresses", "uris", "emailAddresses", "otherNames", "literalSubject"],
)];

/// Kinds that an operator's reference may be to, where no `group` says that it is somebody else's. ORIGIN: cert-manager v1.18
/// `internal/apis/certmanager/validation/certificate.go` (`validateIssuerRef`).
const KINDS: &[(&str, &str, &str, &[&str])] = &[
    ("cert-manager.io", "Certificate", "spec.issuerRef", &["Issuer", "ClusterIssuer"]),
    ("cert-manager.io", "CertificateRequest", "spec.issuerRef", &["Issuer", "ClusterIssuer"]),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        findings.extend(asked_by_webhooks(desired));
        findings.extend(longer_than_its_interval(desired));
        findings.extend(pattern::asked_in_vain(desired));
        findings.extend(cel::unasked(desired));
        let own =
            TEXTS.iter().filter(|(group, kind, ..)| *group == desired.object.group() && *kind == desired.object.kind());
        for (_, _, path, what, read) in own {
            for (field, value) in fields(desired.object.value(), path) {
                findings.extend(told(desired, &field, value, what, *read));
            }
        }
    }
    findings
}

/// Kinds that measure, and where their endpoints stand. ORIGIN: prometheus-operator v0.85 `pkg/prometheus/resource_selector.go`
/// (`validateScrapeIntervalAndTimeout`: "scrapeTimeout … greater than scrapeInterval").
const MEASURE: &[(&str, &str)] = &[("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")];

/// Endpoints of a monitor that may take longer to answer than it is until they are asked again: the operator leaves such a monitor out.
fn longer_than_its_interval(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    let known = MEASURE.iter().find(|(kind, _)| *kind == object.kind() && object.group() == "monitoring.coreos.com");
    let Some((_, field)) = known else { return Vec::new() };
    let mut findings = Vec::new();
    for (at, endpoint) in object.list_at(&format!("/spec/{field}")).iter().enumerate() {
        let read = |name: &str| endpoint[name].as_str().and_then(|text| Some((text, grammar::milliseconds(text)?)));
        let (Some((interval, between)), Some((timeout, longest))) = (read("interval"), read("scrapeTimeout")) else {
            continue;
        };
        if longest > between {
            findings.push(
                RULE.finding(format!(
                    "{} `{}` has a scrapeTimeout of {timeout} and an interval of {interval}",
                    object.kind(),
                    object.name()
                ))
                .because("the operator leaves out what may take longer than its interval, so nothing is measured")
                .at(desired.spot_at(&format!("spec.{field}[{at}].scrapeTimeout"))),
            );
        }
    }
    findings
}

/// What no schema says and a webhook refuses.
fn asked_by_webhooks(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    let is_own = |group: &str, kind: &str| group == object.group() && kind == object.kind();
    let mut findings = Vec::new();
    for (_, _, path, wanted) in ONE_OF.iter().filter(|(group, kind, ..)| is_own(group, kind)) {
        for (field, value) in fields(object.value(), path) {
            let is_given = |name: &&str| {
                value
                    .get(*name)
                    .is_some_and(|it| !it.is_null() && *it != "" && it.as_array().is_none_or(|it| !it.is_empty()))
            };
            if !wanted.iter().any(is_given) {
                findings.push(
                    RULE.finding(format!(
                        "{} `{}` has none of {}",
                        object.kind(),
                        object.name(),
                        wanted[..3].join(", ")
                    ))
                    .weighing(Severity::Error)
                    .because("the operator's webhook refuses it")
                    .at(desired.spot_at(&field)),
                );
            }
        }
    }
    for (_, _, path, known) in KINDS.iter().filter(|(group, kind, ..)| is_own(group, kind)) {
        for (field, value) in fields(object.value(), path) {
            let of = |name: &str| value[name].as_str().unwrap_or_default();
            let (kind, group) = (of("kind"), of("group"));
            if kind.is_empty() || known.contains(&kind) || !(group.is_empty() || group == object.group()) {
                continue;
            }
            let finding = RULE
                .finding(format!(
                    "{} `{}` names the kind `{kind}`, which the operator does not have",
                    object.kind(),
                    object.name()
                ))
                .weighing(Severity::Error)
                .because("the operator's webhook refuses it")
                .at(desired.spot_at(&format!("{field}.kind")));
            findings.push(match landfall_diag::nearest(kind, known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("it is one of {}", known.join(", "))),
            });
        }
    }
    findings
}

fn told(desired: &Desired, field: &str, value: &Value, what: &str, read: Grammar) -> Option<Finding> {
    let text = value.as_str().filter(|text| !text.trim().is_empty())?;
    let why = read(text).err()?;
    let shown: String =
        landfall_diag::without_known(text).lines().next().unwrap_or_default().chars().take(60).collect();
    let of = rule_of(desired.object.value(), field).map(|name| format!(" of `{name}`")).unwrap_or_default();
    Some(
        RULE.finding(format!("{} `{}` has `{shown}` as a {what}{of}", desired.object.kind(), desired.object.name()))
            .because(why)
            .at(desired.spot_at(field)),
    )
}

/// The alert or series of a rule of Prometheus' that a field belongs to: `spec.groups[0].rules[1].expr`.
fn rule_of<'v>(root: &'v Value, field: &str) -> Option<&'v str> {
    let (rule, _) = field.rsplit_once('.').filter(|(rule, _)| rule.contains(".rules["))?;
    let pointer = format!("/{}", rule.replace(['.', '['], "/").replace(']', ""));
    let rule = root.pointer(&pointer)?;
    ["alert", "record"].iter().find_map(|name| rule[*name].as_str())
}

/// The values at a path, each with the field that it stands in.
fn fields<'v>(root: &'v Value, path: &str) -> Vec<(String, &'v Value)> {
    let mut found = vec![(String::new(), root)];
    for step in path.split('.') {
        found = found
            .into_iter()
            .flat_map(|(at, value)| match step {
                "*" => {
                    let entries = value.as_array().into_iter().flatten().enumerate();
                    entries.map(|(index, entry)| (format!("{at}[{index}]"), entry)).collect::<Vec<_>>()
                }
                step => {
                    let joined = if at.is_empty() { step.to_owned() } else { format!("{at}.{step}") };
                    value.get(step).map(|value| (joined, value)).into_iter().collect()
                }
            })
            .collect();
    }
    found
}
