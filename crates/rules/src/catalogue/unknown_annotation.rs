mod near;

use landfall_chart::Chart;
use landfall_diag::{Finding, Place, Severity, Spot};
use serde_json::{Map, Value};

use crate::pods::{PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF111",
    title: "annotations of known tools are spelt as the tools know them",
    severity: Severity::Warning,
    why: "A misspelt annotation is no error anywhere: the tool that should heed it does not see it, and what was meant \
          to happen does not.",
    advice: "Use a name and a value from the tool's closed list.",
    check,
};

/// What a value of an annotation may be.
#[derive(Clone, Copy)]
enum Values {
    /// Anything.
    Free,
    /// One of these, or several with commas between.
    Of(&'static [&'static str]),
    /// A whole number.
    Number,
}

use Values::{Free, Number, Of};

const BOOL: Values = Of(&["true", "false"]);

/// Annotation prefixes whose names are a closed list; a name that ends in `*` stands for all that begin so.
const LISTS: &[(&str, &[(&str, Values)])] = &[
    (
        "helm.sh/",
        &[
            ("hook", Free),
            ("hook-weight", Number),
            ("hook-delete-policy", Of(&["before-hook-creation", "hook-succeeded", "hook-failed"])),
            ("hook-output-log-policy", Of(&["hook-succeeded", "hook-failed"])),
            ("resource-policy", Of(&["keep"])),
            ("resource-group", Free),
            ("depends-on/*", Free),
            ("readiness-success", Free),
            ("readiness-failure", Free),
            ("chart", Free),
            ("images", Free),
        ],
    ),
    (
        "argocd.argoproj.io/",
        &[
            ("sync-wave", Number),
            ("hook", Of(&["PreSync", "Sync", "PostSync", "SyncFail", "PreDelete", "PostDelete", "Skip"])),
            ("hook-delete-policy", Of(&["HookSucceeded", "HookFailed", "BeforeHookCreation"])),
            ("sync-options", Of(SYNC_OPTIONS)),
            ("compare-options", Of(COMPARE_OPTIONS)),
            ("ignore-healthcheck", BOOL),
            ("ignore-resource-updates", BOOL),
            ("ignore-default-links", BOOL),
            ("skip-reconcile", BOOL),
            ("refresh", Of(&["normal", "hard"])),
            ("hydrate", Free),
            ("tracking-id", Free),
            ("installation-id", Free),
            ("manifest-generate-paths", Free),
            ("managed-by-url", Free),
            ("deletion-approved", Free),
            ("application-set-refresh", Free),
            ("client-side-apply-migration-manager", Free),
        ],
    ),
    (
        "cert-manager.io/",
        &[
            ("cluster-issuer", Free),
            ("issuer", Free),
            ("issuer-kind", Free),
            ("issuer-group", Free),
            ("issuer-name", Free),
            ("common-name", Free),
            ("alt-names", Free),
            ("ip-sans", Free),
            ("uri-sans", Free),
            ("email-sans", Free),
            ("subject-*", Free),
            ("duration", Free),
            ("renew-before", Free),
            ("renew-before-percentage", Number),
            ("usages", Free),
            ("revision-history-limit", Number),
            ("private-key-algorithm", Of(&["RSA", "ECDSA", "Ed25519"])),
            ("private-key-encoding", Of(&["PKCS1", "PKCS8"])),
            ("private-key-size", Number),
            ("private-key-rotation-policy", Of(&["Never", "Always"])),
            ("private-key-secret-name", Free),
            ("secret-template", Free),
            ("inject-ca-from", Free),
            ("inject-ca-from-secret", Free),
            ("inject-apiserver-ca", BOOL),
            ("allow-direct-injection", BOOL),
            ("issue-temporary-certificate", BOOL),
            ("disable-route-owner-reference", BOOL),
            ("certificate-name", Free),
            ("certificate-revision", Free),
            ("next-private-key", Free),
            ("signature-algorithm", Free),
        ],
    ),
    (
        "traefik.ingress.kubernetes.io/",
        &[
            ("router.entrypoints", Free),
            ("router.middlewares", Free),
            ("router.priority", Number),
            ("router.pathmatcher", Of(&["Path", "PathPrefix", "PathRegexp"])),
            ("router.rulesyntax", Free),
            ("router.tls", BOOL),
            ("router.tls.certresolver", Free),
            ("router.tls.options", Free),
            ("router.tls.domains.*", Free),
            ("router.observability.*", Free),
            ("service.serversscheme", Of(&["http", "https", "h2c"])),
            ("service.serverstransport", Free),
            ("service.passhostheader", BOOL),
            ("service.nativelb", BOOL),
            ("service.nodeportlb", BOOL),
            ("service.strategy", Free),
            ("service.healthcheck.*", Free),
            ("service.sticky.*", Free),
            ("service.responseforwarding.*", Free),
        ],
    ),
    (
        "sealedsecrets.bitnami.com/",
        &[
            ("cluster-wide", BOOL),
            ("namespace-wide", BOOL),
            ("managed", BOOL),
            ("patch", BOOL),
            ("skip-set-owner-references", BOOL),
            ("sealed-secrets-key", Free),
        ],
    ),
];

/// Annotations of ingress-nginx whose values are numbers, or `true` and `false`. Facts: ingress-nginx 1.12,
/// `internal/ingress/annotations/*/main.go` (`GetIntAnnotation`, `GetBoolAnnotation`): what is neither is logged and passed over.
const NGINX_VALUES: &[(Values, &[&str])] = &[
    (
        Number,
        &[
            "proxy-connect-timeout",
            "proxy-send-timeout",
            "proxy-read-timeout",
            "proxy-buffers-number",
            "proxy-next-upstream-timeout",
            "proxy-next-upstream-tries",
            "limit-connections",
            "limit-rps",
            "limit-rpm",
            "limit-rate",
            "limit-rate-after",
            "limit-burst-multiplier",
            "permanent-redirect-code",
            "canary-weight",
            "canary-weight-total",
        ],
    ),
    (
        BOOL,
        &[
            "ssl-redirect",
            "force-ssl-redirect",
            "ssl-passthrough",
            "use-regex",
            "enable-cors",
            "canary",
            "enable-modsecurity",
        ],
    ),
];

/// Words beside which helm says nothing and makes the object as no hook at all.
const HOOKS: &[&str] = &[
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
    "test-failure",
    "crd-install",
];

const SYNC_OPTIONS: &[&str] = &[
    "Prune=true",
    "Prune=false",
    "Prune=confirm",
    "PruneLast=true",
    "Delete=true",
    "Delete=false",
    "Delete=confirm",
    "Replace=true",
    "Replace=false",
    "Force=true",
    "Force=false",
    "ServerSideApply=true",
    "ServerSideApply=false",
    "ClientSideApplyMigration=true",
    "ClientSideApplyMigration=false",
    "SkipDryRunOnMissingResource=true",
    "SkipDryRunOnMissingResource=false",
    "Validate=true",
    "Validate=false",
    "FailOnSharedResource=true",
    "RespectIgnoreDifferences=true",
    "ApplyOutOfSyncOnly=true",
    "CreateNamespace=true",
];

const COMPARE_OPTIONS: &[&str] =
    &["IgnoreExtraneous", "ServerSideDiff=true", "ServerSideDiff=false", "IncludeMutationWebhook=true"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = subject.objects().flat_map(annotations).collect();
    findings.extend(subject.units.iter().flat_map(no_hooks));
    findings
}

/// What bears the annotation of a hook and names no moment that there is: helm leaves the object out, and says so to nobody.
fn no_hooks(unit: &DesiredUnit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rendered in &unit.rendered.charts {
        for warning in &rendered.warnings {
            let Some((_, events)) = warning.text.split_once("skipping unknown hook: ") else { continue };
            let events = events.trim().trim_matches('"');
            let Some(wrong) = wrong(Of(HOOKS), events) else { continue };
            let line = line_of(&rendered.processed, wrong);
            let spot = Spot { unit: Some(unit.name.clone()), ..line.map_or_else(Spot::default, Spot::file) };
            let help = match landfall_diag::nearest(wrong, HOOKS.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it may be {}", HOOKS.join(", ")),
            };
            findings.push(
                RULE.finding(format!("`{wrong}` is no value of the annotation `helm.sh/hook`"))
                    .weighing(Severity::Error)
                    .because("the object is left out of the delivery altogether")
                    .help(help)
                    .at(spot),
            );
        }
    }
    findings
}

/// Annotations that do nothing as labels; others below the same prefixes are labels.
const NO_LABELS: &[&str] = &[
    "helm.sh/hook",
    "helm.sh/hook-weight",
    "helm.sh/hook-delete-policy",
    "helm.sh/resource-policy",
    "argocd.argoproj.io/hook",
    "argocd.argoproj.io/hook-delete-policy",
    "argocd.argoproj.io/sync-wave",
    "argocd.argoproj.io/sync-options",
    "argocd.argoproj.io/compare-options",
];

/// Single annotations whose values are a closed list: ORIGIN linkerd2 25.x `pkg/k8s/labels.go`, Istio 1.27 `pkg/kube/inject`.
const SINGLE: &[(&str, Values)] =
    &[("linkerd.io/inject", Of(&["enabled", "disabled", "ingress"])), ("sidecar.istio.io/inject", BOOL)];

/// What is written as a label and read as an annotation alone.
fn as_labels(desired: &Desired) -> Vec<Finding> {
    let labels = desired.object.labels().into_iter().flatten();
    let misplaced = labels.filter(|(label, _)| NO_LABELS.contains(&label.as_str()));
    let told = |(label, _): (&String, &serde_json::Value)| {
        RULE.finding(format!("`{label}` is a label of {} `{}`", desired.object.kind(), desired.object.name()))
            .because("it is read as an annotation, and as a label by nobody")
            .help("move it to metadata.annotations")
            .at(desired.spot_at(&format!("metadata.labels[{label}]")))
    };
    misplaced.map(told).collect()
}

/// An object's annotations and those of its pods, with where they stand.
fn with_its_pods<'d>(
    desired: &'d Desired,
    template: Option<&PodTemplate<'d>>,
) -> Vec<(&'d Map<String, Value>, String)> {
    let path = template.and_then(|it| it.path.strip_suffix("spec")).unwrap_or_default().to_owned();
    let of_pods = template.and_then(PodTemplate::annotations).filter(|_| !path.is_empty());
    [(desired.object.annotations(), String::new()), (of_pods, path)]
        .into_iter()
        .filter_map(|(annotations, at)| Some((annotations?, at)))
        .collect()
}

/// Names below a tool's prefix that are a slip away from one that it reads.
fn slips(desired: &Desired) -> Vec<Finding> {
    let template = pod_template(&desired.object);
    let mut findings = Vec::new();
    for (annotations, at) in with_its_pods(desired, template.as_ref()) {
        for annotation in annotations.keys() {
            let Some((prefix, meant)) = near::meant(annotation) else { continue };
            findings.push(
                RULE.finding(format!("there is no annotation `{annotation}`"))
                    .because("whoever it is meant for does not read it")
                    .help(format!("did you mean `{prefix}{meant}`?"))
                    .at(desired.spot_at(&format!("{at}metadata.annotations[{annotation}]"))),
            );
        }
    }
    findings
}

/// Annotations of pods and objects with values that nobody knows.
fn single(desired: &Desired) -> Vec<Finding> {
    let mut findings = Vec::new();
    let template = pod_template(&desired.object);
    for (annotations, at) in with_its_pods(desired, template.as_ref()) {
        for (annotation, value) in annotations {
            let known = SINGLE.iter().find(|(name, _)| name == annotation);
            let Some((wrong, Of(list))) =
                known.and_then(|(_, values)| Some((wrong(*values, value.as_str()?)?, *values)))
            else {
                continue;
            };
            findings.push(
                RULE.finding(format!("`{wrong}` is no value of the annotation `{annotation}`"))
                    .because("the tool ignores it")
                    .help(format!("it may be {}", list.join(", ")))
                    .at(desired.spot_at(&format!("{at}metadata.annotations[{annotation}]"))),
            );
        }
    }
    findings
}

fn annotations(desired: &Desired) -> Vec<Finding> {
    let mut findings = as_labels(desired);
    findings.extend(single(desired));
    findings.extend(slips(desired));
    for (annotation, value) in desired.object.annotations().into_iter().flatten() {
        findings.extend(refused_by_nginx(desired, annotation, value.as_str().unwrap_or_default()));
        let Some((prefix, known)) = LISTS.iter().find(|(prefix, _)| annotation.starts_with(prefix)) else { continue };
        let name = &annotation[prefix.len()..];
        let spot = || desired.spot_at(&format!("metadata.annotations[{annotation}]"));
        let fits = |known: &str| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => known == name,
        };
        let Some((_, values)) = known.iter().find(|(known, _)| fits(known)) else {
            let near = landfall_diag::nearest(name, known.iter().map(|(known, _)| *known));
            let help = match near {
                Some(near) => format!("did you mean `{prefix}{near}`?"),
                None => format!("remove it, or use a name that {} reads", prefix.trim_end_matches('/')),
            };
            findings.push(
                RULE.finding(format!("there is no annotation `{annotation}`"))
                    .because("the tool that it is meant for does not read it")
                    .help(help)
                    .at(spot()),
            );
            continue;
        };
        let text = value.as_str().unwrap_or_default();
        if let Some(wrong) = wrong(*values, text) {
            let help = match *values {
                Of(list) => match landfall_diag::nearest(wrong, list.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it may be {}", list.join(", ")),
                },
                Number => "write a whole number in quotes".to_owned(),
                Free => continue,
            };
            findings.push(
                RULE.finding(format!("`{wrong}` is no value of the annotation `{annotation}`"))
                    .because("the tool ignores or refuses it")
                    .help(help)
                    .at(spot()),
            );
        }
    }
    findings
}

/// A value that ingress-nginx cannot read.
fn refused_by_nginx(desired: &Desired, annotation: &str, text: &str) -> Option<Finding> {
    let name = annotation.strip_prefix("nginx.ingress.kubernetes.io/")?;
    let (values, _) = NGINX_VALUES.iter().find(|(_, names)| names.contains(&name))?;
    let wrong = wrong(*values, text.trim()).filter(|wrong| !wrong.is_empty())?;
    let help = match values {
        Number => "write a whole number in quotes, without a unit",
        _ => "write \"true\" or \"false\"",
    };
    Some(
        RULE.finding(format!("`{wrong}` is no value of the annotation `{annotation}`"))
            .because("the controller passes over what it cannot read, and goes by its own default")
            .help(help)
            .at(desired.spot_at(&format!("metadata.annotations[{annotation}]"))),
    )
}

/// The line of a chart's templates, or of one below it, that names a moment of hooks.
fn line_of(chart: &Chart, moment: &str) -> Option<Place> {
    let own = chart.templates.iter().find_map(|file| {
        let text = file.text();
        let at = text.lines().position(|line| line.contains("helm.sh/hook") && line.contains(moment))?;
        let source = text.lines().nth(at).map(str::to_owned);
        Some(Place { source, ..Place::line(chart.path_of(&file.name), u32::try_from(at).ok()? + 1) })
    });
    own.or_else(|| chart.dependencies.iter().find_map(|below| line_of(below, moment)))
}

/// The part of a value that is not allowed.
fn wrong(values: Values, text: &str) -> Option<&str> {
    match values {
        Free => None,
        Number => text.trim().parse::<i64>().is_err().then_some(text),
        Of(list) => text.split(',').map(str::trim).find(|part| !list.contains(part)),
    }
}
