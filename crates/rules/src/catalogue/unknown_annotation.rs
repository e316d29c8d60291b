use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

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
    subject.objects().flat_map(annotations).collect()
}

fn annotations(desired: &Desired) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (annotation, value) in desired.object.annotations().into_iter().flatten() {
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

/// The part of a value that is not allowed.
fn wrong(values: Values, text: &str) -> Option<&str> {
    match values {
        Free => None,
        Number => text.trim().parse::<i64>().is_err().then_some(text),
        Of(list) => text.split(',').map(str::trim).find(|part| !list.contains(part)),
    }
}
