//! The custom resource definitions of the operators that are simulated, in our own, minimal words: names, scopes,
//! subresources, the fields that must be there; everything else is kept as it is written.

mod published;

pub use published::{Publisher, kinds_of, published, published_schemas, publisher};
use serde_json::{Value, json};

/// One kind that charts use and an operator would define.
struct Known {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    scope: &'static str,
    has_status: bool,
    /// Whether it is scaled by `spec.replicas`.
    scaled: bool,
    /// Fields that `spec` must have, with their type.
    required: &'static [(&'static str, &'static str)],
    /// Fields of `spec` with their schema, as JSON: defaults, enums.
    fields: &'static [(&'static str, &'static str)],
    /// Columns: name, type, path.
    columns: &'static [(&'static str, &'static str, &'static str)],
}

const READY: (&str, &str, &str) = ("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status");

const KNOWN: &[Known] = &[
    Known {
        group: "cert-manager.io",
        version: "v1",
        kind: "Certificate",
        plural: "certificates",
        short: &["cert", "certs"],
        scope: "Namespaced",
        has_status: true,
        scaled: false,
        fields: &[],
        required: &[("secretName", "string"), ("issuerRef", "object")],
        columns: &[READY, ("Secret", "string", ".spec.secretName")],
    },
    Known {
        group: "cert-manager.io",
        version: "v1",
        kind: "CertificateRequest",
        plural: "certificaterequests",
        short: &["cr", "crs"],
        scope: "Namespaced",
        has_status: true,
        scaled: false,
        fields: &[],
        required: &[("request", "string"), ("issuerRef", "object")],
        columns: &[READY],
    },
    Known {
        group: "cert-manager.io",
        version: "v1",
        kind: "Issuer",
        plural: "issuers",
        short: &["iss"],
        scope: "Namespaced",
        has_status: true,
        scaled: false,
        fields: &[],
        required: &[],
        columns: &[READY],
    },
    Known {
        group: "cert-manager.io",
        version: "v1",
        kind: "ClusterIssuer",
        plural: "clusterissuers",
        short: &["ciss"],
        scope: "Cluster",
        has_status: true,
        scaled: false,
        fields: &[],
        required: &[],
        columns: &[READY],
    },
    traefik("IngressRoute", "ingressroutes", &[("routes", "array")]),
    traefik("IngressRouteTCP", "ingressroutetcps", &[("routes", "array")]),
    traefik("IngressRouteUDP", "ingressrouteudps", &[("routes", "array")]),
    traefik("Middleware", "middlewares", &[]),
    traefik("MiddlewareTCP", "middlewaretcps", &[]),
    traefik("ServersTransport", "serverstransports", &[]),
    traefik("TLSOption", "tlsoptions", &[]),
    traefik("TLSStore", "tlsstores", &[]),
    traefik("TraefikService", "traefikservices", &[]),
    Known {
        group: "bitnami.com",
        version: "v1alpha1",
        kind: "SealedSecret",
        plural: "sealedsecrets",
        short: &[],
        scope: "Namespaced",
        has_status: true,
        scaled: false,
        fields: &[],
        required: &[("encryptedData", "object")],
        columns: &[
            ("Status", "string", ".status.conditions[0].message"),
            ("Synced", "string", ".status.conditions[0].status"),
        ],
    },
    argo(
        "Application",
        "applications",
        &["app", "apps"],
        &[("destination", "object"), ("project", "string")],
        &[("Sync Status", "string", ".status.sync.status"), ("Health Status", "string", ".status.health.status")],
    ),
    argo("AppProject", "appprojects", &["appproj", "appprojs"], &[], &[]),
    argo(
        "ApplicationSet",
        "applicationsets",
        &["appset", "appsets"],
        &[("generators", "array"), ("template", "object")],
        // Argo CD's own definition has none: whether a set errs would stand in its YAML alone.
        &[
            ("Applications", "integer", ".status.resourcesCount"),
            ("Error", "string", ".status.conditions[?(@.type==\"ErrorOccurred\")].status"),
            ("Reason", "string", ".status.conditions[?(@.type==\"ErrorOccurred\")].reason"),
        ],
    ),
    monitoring("ServiceMonitor", "servicemonitors", &["smon"], &[("endpoints", "array"), ("selector", "object")]),
    monitoring("PodMonitor", "podmonitors", &["pmon"], &[("selector", "object")]),
    Known { fields: RULE_FIELDS, ..monitoring("PrometheusRule", "prometheusrules", &["promrule"], &[]) },
    Known { scaled: true, ..mariadb("MariaDB", "mariadbs", &["mdb"], &[], MARIADB_FIELDS, MARIADB_COLUMNS) },
    mariadb("Database", "databases", &["dmdb"], &[REFERENCE], DATABASE_FIELDS, DATABASE_COLUMNS),
    mariadb("User", "users", &["umdb"], &[REFERENCE], USER_FIELDS, USER_COLUMNS),
    mariadb(
        "Grant",
        "grants",
        &["gmdb"],
        &[REFERENCE, ("privileges", "array"), ("username", "string")],
        GRANT_FIELDS,
        GRANT_COLUMNS,
    ),
];

type Columns = &'static [(&'static str, &'static str, &'static str)];
type Fields = &'static [(&'static str, &'static str)];

const REFERENCE: (&str, &str) = ("mariaDbRef", "object");
const MESSAGE: (&str, &str, &str) = ("Status", "string", ".status.conditions[?(@.type==\"Ready\")].message");
const SERVER: (&str, &str, &str) = ("MariaDB", "string", ".spec.mariaDbRef.name");
const CLEANUP: (&str, &str) = ("cleanupPolicy", r#"{"type": "string", "enum": ["Skip", "Delete"]}"#);

/// A group of rules has a name, and each rule an expression (prometheus-operator 0.86, `monitoring.coreos.com_prometheusrules`).
const RULE_FIELDS: Fields = &[(
    "groups",
    r#"{"type": "array", "items": {"type": "object", "required": ["name"], "x-kubernetes-preserve-unknown-fields": true,
        "properties": {"name": {"type": "string", "minLength": 1}, "rules": {"type": "array", "items": {"type": "object",
            "required": ["expr"], "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"expr": {"x-kubernetes-int-or-string": true}, "alert": {"type": "string"},
                "record": {"type": "string"}}}}}}}"#,
)];

const MARIADB_FIELDS: Fields = &[
    CLEANUP,
    ("replicas", r#"{"type": "integer", "format": "int32", "default": 1}"#),
    ("port", r#"{"type": "integer", "format": "int32", "default": 3306}"#),
    ("suspend", r#"{"type": "boolean", "default": false}"#),
];
const MARIADB_COLUMNS: Columns = &[
    READY,
    MESSAGE,
    ("Primary", "string", ".status.currentPrimary"),
    ("Updates", "string", ".spec.updateStrategy.type"),
];
const DATABASE_FIELDS: Fields = &[
    CLEANUP,
    ("characterSet", r#"{"type": "string", "default": "utf8"}"#),
    ("collate", r#"{"type": "string", "default": "utf8_general_ci"}"#),
    ("name", r#"{"type": "string", "maxLength": 80}"#),
];
const DATABASE_COLUMNS: Columns = &[
    READY,
    MESSAGE,
    ("CharSet", "string", ".spec.characterSet"),
    ("Collate", "string", ".spec.collate"),
    SERVER,
    ("Name", "string", ".spec.name"),
];
const USER_FIELDS: Fields = &[
    CLEANUP,
    ("maxUserConnections", r#"{"type": "integer", "format": "int32", "default": 10}"#),
    ("name", r#"{"type": "string", "maxLength": 80}"#),
    ("host", r#"{"type": "string", "maxLength": 255}"#),
];
const USER_COLUMNS: Columns = &[READY, MESSAGE, ("MaxConns", "string", ".spec.maxUserConnections"), SERVER];
const GRANT_FIELDS: Fields = &[
    CLEANUP,
    ("privileges", r#"{"type": "array", "minItems": 1, "items": {"type": "string"}}"#),
    ("database", r#"{"type": "string", "default": "*"}"#),
    ("table", r#"{"type": "string", "default": "*"}"#),
    ("host", r#"{"type": "string"}"#),
    ("grantOption", r#"{"type": "boolean", "default": false}"#),
];
const GRANT_COLUMNS: Columns = &[
    READY,
    MESSAGE,
    ("Database", "string", ".spec.database"),
    ("Table", "string", ".spec.table"),
    ("Username", "string", ".spec.username"),
    ("GrantOpt", "string", ".spec.grantOption"),
    SERVER,
];

const fn mariadb(
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    required: Fields,
    fields: Fields,
    columns: Columns,
) -> Known {
    Known {
        group: "k8s.mariadb.com",
        version: "v1alpha1",
        kind,
        plural,
        short,
        scope: "Namespaced",
        has_status: true,
        scaled: false,
        required,
        fields,
        columns,
    }
}

const fn traefik(kind: &'static str, plural: &'static str, required: &'static [(&'static str, &'static str)]) -> Known {
    Known {
        group: "traefik.io",
        version: "v1alpha1",
        kind,
        plural,
        short: &[],
        scope: "Namespaced",
        has_status: false,
        scaled: false,
        fields: &[],
        required,
        columns: &[],
    }
}

const fn argo(
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    required: &'static [(&'static str, &'static str)],
    columns: Columns,
) -> Known {
    Known {
        group: "argoproj.io",
        version: "v1alpha1",
        kind,
        plural,
        short,
        scope: "Namespaced",
        // Argo CD writes an application's status through the object itself.
        has_status: false,
        scaled: false,
        fields: &[],
        required,
        columns,
    }
}

const fn monitoring(
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    required: &'static [(&'static str, &'static str)],
) -> Known {
    Known {
        group: "monitoring.coreos.com",
        version: "v1",
        kind,
        plural,
        short,
        scope: "Namespaced",
        has_status: true,
        scaled: false,
        fields: &[],
        required,
        columns: &[],
    }
}

/// The definition of a kind that an operator would bring, ready to be created on the embedded cluster.
pub fn definition(group: &str, kind: &str) -> Option<Value> {
    KNOWN.iter().find(|known| known.group == group && known.kind == kind).map(Known::definition)
}

/// All definitions of a group, such as `cert-manager.io`; none for a group that is not known.
pub fn definitions(group: &str) -> Vec<Value> {
    KNOWN.iter().filter(|known| known.group == group).map(Known::definition).collect()
}

/// Who brings the kinds of a group to a real cluster.
pub fn operator(group: &str) -> Option<&'static str> {
    match group {
        "cert-manager.io" => Some("cert-manager"),
        "traefik.io" => Some("Traefik"),
        "bitnami.com" => Some("sealed-secrets"),
        "argoproj.io" => Some("Argo CD"),
        "monitoring.coreos.com" => Some("the Prometheus operator"),
        "k8s.mariadb.com" => Some("mariadb-operator"),
        _ => None,
    }
}

/// What a cluster that has all these operators serves beside its own kinds: `group/version` and `group/version/Kind`.
pub fn known_versions() -> Vec<String> {
    let served = |known: &Known| {
        let version = format!("{}/{}", known.group, known.version);
        [format!("{version}/{}", known.kind), version]
    };
    let mut all: Vec<String> = KNOWN.iter().flat_map(served).collect();
    all.sort();
    all.dedup();
    all
}

/// Group and kind of all that is known.
pub fn known_kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.iter().map(|known| (known.group, known.kind))
}

impl Known {
    fn definition(&self) -> Value {
        let mut spec = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        for (field, schema) in self.fields {
            // The table above is ours: each entry is JSON, and a test reads them all.
            spec["properties"][field] = serde_json::from_str(schema).unwrap_or_default();
        }
        if !self.required.is_empty() {
            spec["required"] = self.required.iter().map(|(field, _)| *field).collect();
            for (field, kind) in self.required {
                if spec.pointer(&format!("/properties/{field}")).is_some() {
                    continue;
                }
                spec["properties"][field] = match *kind {
                    "array" => json!({
                        "type": "array",
                        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    }),
                    "object" => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
                    kind => json!({"type": kind}),
                };
            }
        }
        let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let mut schema = json!({
            "type": "object",
            "description": format!("{}: a minimal definition for the embedded cluster.", self.kind),
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": spec,
                "status": open,
            },
        });
        if !self.required.is_empty() {
            schema["required"] = json!(["spec"]);
        }
        if self.kind == "Application" {
            schema["properties"]["operation"] = open;
        }
        let mut columns: Vec<Value> = self
            .columns
            .iter()
            .map(|(name, kind, path)| json!({"name": name, "type": kind, "jsonPath": path}))
            .collect();
        if self.kind == "Application" {
            // As Argo CD: with `-o wide`.
            columns.extend(
                [("Revision", ".status.sync.revision"), ("Project", ".spec.project")]
                    .map(|(name, path)| json!({"name": name, "type": "string", "jsonPath": path, "priority": 10})),
            );
        }
        if !columns.is_empty() {
            columns.push(json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}));
        }
        let mut version = json!({
            "name": self.version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
        });
        if self.has_status {
            version["subresources"] = json!({"status": {}});
        }
        if self.scaled {
            let (wanted, actual) = (".spec.replicas", ".status.replicas");
            version["subresources"]["scale"] = json!({"specReplicasPath": wanted, "statusReplicasPath": actual});
        }
        if !columns.is_empty() {
            version["additionalPrinterColumns"] = columns.into();
        }
        let mut names = json!({
            "kind": self.kind, "listKind": format!("{}List", self.kind), "plural": self.plural,
            "singular": self.kind.to_ascii_lowercase(),
        });
        if !self.short.is_empty() {
            names["shortNames"] = json!(self.short);
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{}.{}", self.plural, self.group),
                "annotations": {crate::SIMULATED: "minimal definition"},
            },
            "spec": {"group": self.group, "names": names, "scope": self.scope, "versions": [version]},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_kind_has_a_definition_named_after_it() {
        for (group, kind) in known_kinds() {
            let made = definition(group, kind).expect("known");
            let plural = made["spec"]["names"]["plural"].as_str().unwrap_or_default();
            assert_eq!(made["metadata"]["name"], format!("{plural}.{group}"));
            let fields = made.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
            for (field, schema) in fields.and_then(Value::as_object).into_iter().flatten() {
                assert!(schema["type"].is_string(), "{kind}.spec.{field}: {schema}");
            }
        }
        assert_eq!(definitions("bitnami.com").len(), 1);
        assert!(definition("example.com", "Thing").is_none());
    }
}
