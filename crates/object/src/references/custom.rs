//! References of the operators' kinds: cert-manager, Traefik, sealed-secrets, mariadb-operator, the Prometheus operator.

use serde_json::Value;

use super::{Collector, Need, Provided, port_text};
use crate::Object;

const CERT_MANAGER: &str = "cert-manager.io";
const TRAEFIK: &str = "traefik.io";
const MARIADB: &str = "k8s.mariadb.com";
const MONITORING: &str = "monitoring.coreos.com";

pub(super) fn references(found: &mut Collector, object: &Object) {
    match (object.group(), object.kind()) {
        (CERT_MANAGER, "Certificate" | "CertificateRequest") => {
            issuer(found, object.at("/spec/issuerRef"), "spec.issuerRef");
        }
        (TRAEFIK | "traefik.containo.us", "IngressRoute" | "IngressRouteTCP" | "IngressRouteUDP") => {
            ingress_route(found, object);
        }
        ("route.openshift.io", "Route") => route(found, object),
        (TRAEFIK | "traefik.containo.us", "Middleware") => middleware(found, object),
        (MARIADB, _) => {
            if let Some(reference) = object.at("/spec/mariaDbRef") {
                let namespace = namespace_of(found, reference);
                let name = reference.get("name");
                found.add(MARIADB, "MariaDB", namespace, name, None, "spec.mariaDbRef".to_owned(), Need::Later);
            }
            for field in ["rootPasswordSecretKeyRef", "passwordSecretKeyRef"] {
                if let Some(source) = object.at(&format!("/spec/{field}")) {
                    let key = source.get("key").and_then(Value::as_str).map(str::to_owned);
                    // With `generate: true` the operator makes the key itself.
                    let generated = source.get("generate").and_then(Value::as_bool) == Some(true);
                    let need = if generated { Need::Optional } else { Need::Later };
                    found.core("Secret", source.get("name"), key, format!("spec.{field}"), need);
                }
            }
        }
        (MONITORING, "ServiceMonitor") => monitor(found, object, "endpoints"),
        (MONITORING, "PodMonitor") => monitor(found, object, "podMetricsEndpoints"),
        _ => {}
    }
}

/// A Route of OpenShift's (`docs.redhat.com`, Route [route.openshift.io/v1]): the Service that it leads to, and those beside it.
fn route(found: &mut Collector, object: &Object) {
    let beside = object.list_at("/spec/alternateBackends").iter().enumerate();
    let beside = beside.map(|(at, target)| (format!("spec.alternateBackends[{at}]"), target));
    for (path, target) in object.at("/spec/to").map(|it| ("spec.to".to_owned(), it)).into_iter().chain(beside) {
        if target.get("kind").and_then(Value::as_str).is_none_or(|kind| kind == "Service") {
            found.core("Service", target.get("name"), None, path, Need::Later);
        }
    }
}

/// The keys with which a monitor is let in where it measures.
fn monitor(found: &mut Collector, object: &Object, field: &str) {
    const KEYS: [(&str, &str); 7] = [
        ("/bearerTokenSecret", "bearerTokenSecret"),
        ("/authorization/credentials", "authorization.credentials"),
        ("/basicAuth/username", "basicAuth.username"),
        ("/basicAuth/password", "basicAuth.password"),
        ("/tlsConfig/ca/secret", "tlsConfig.ca.secret"),
        ("/tlsConfig/cert/secret", "tlsConfig.cert.secret"),
        ("/tlsConfig/keySecret", "tlsConfig.keySecret"),
    ];
    for (at, endpoint) in object.list_at(&format!("/spec/{field}")).iter().enumerate() {
        for (pointer, path) in KEYS {
            let Some(source) = endpoint.pointer(pointer) else { continue };
            let key = source.get("key").and_then(Value::as_str).filter(|key| !key.is_empty()).map(str::to_owned);
            let need = if source.get("optional") == Some(&Value::Bool(true)) { Need::Optional } else { Need::Later };
            found.core("Secret", source.get("name"), key, format!("spec.{field}[{at}].{path}"), need);
        }
    }
}

fn namespace_of(found: &Collector, reference: &Value) -> Option<String> {
    reference.get("namespace").and_then(Value::as_str).map(str::to_owned).or_else(|| found.namespace.clone())
}

fn issuer(found: &mut Collector, reference: Option<&Value>, path: &str) {
    let Some(reference) = reference else { return };
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    let kind = text("kind").unwrap_or("Issuer").to_owned();
    let group = text("group").unwrap_or(CERT_MANAGER).to_owned();
    let namespace = if kind == "ClusterIssuer" { None } else { found.namespace.clone() };
    found.add(&group, &kind, namespace, reference.get("name"), None, path.to_owned(), Need::Later);
}

/// What annotations of an Ingress refer to.
pub(super) fn ingress_annotations(found: &mut Collector, object: &Object) {
    let path = |name: &str| format!("metadata.annotations[{name}]");
    let annotation = |name: &str| object.annotations().and_then(|annotations| annotations.get(name));
    let name = "cert-manager.io/cluster-issuer";
    found.cluster(CERT_MANAGER, "ClusterIssuer", annotation(name), path(name), Need::Later);
    let name = "cert-manager.io/issuer";
    let namespace = found.namespace.clone();
    found.add(CERT_MANAGER, "Issuer", namespace.clone(), annotation(name), None, path(name), Need::Later);
    let name = "traefik.ingress.kubernetes.io/router.middlewares";
    let own = namespace.as_deref().unwrap_or_default();
    let middlewares = annotation(name).and_then(Value::as_str).unwrap_or_default();
    for middleware in middlewares.split(',').filter_map(|entry| entry.trim().strip_suffix("@kubernetescrd")) {
        // `<namespace>-<name>`: the object's own namespace is tried first, because names may hold dashes.
        let (namespace, name_part) = match middleware.strip_prefix(own).and_then(|rest| rest.strip_prefix('-')) {
            Some(rest) if !own.is_empty() => (own, rest),
            _ => middleware.split_once('-').unwrap_or(("", middleware)),
        };
        let target = Value::String(name_part.to_owned());
        found.add(TRAEFIK, "Middleware", Some(namespace.to_owned()), Some(&target), None, path(name), Need::Later);
    }
}

fn ingress_route(found: &mut Collector, object: &Object) {
    let list = |value: &Value, field: &str| -> Vec<Value> {
        value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    for (at, route) in object.list_at("/spec/routes").iter().enumerate() {
        let path = format!("spec.routes[{at}]");
        for (at, service) in list(route, "services").iter().enumerate() {
            let kind = service.get("kind").and_then(Value::as_str).unwrap_or("Service");
            let namespace = namespace_of(found, service);
            let name = service.get("name").filter(|name| !name.as_str().is_some_and(|name| name.contains('@')));
            let group = if kind == "TraefikService" { TRAEFIK } else { "" };
            let port = port_text(service.get("port"));
            found.add(group, kind, namespace, name, port, format!("{path}.services[{at}]"), Need::Later);
        }
        for (at, middleware) in list(route, "middlewares").iter().enumerate() {
            let namespace = namespace_of(found, middleware);
            let name = middleware.get("name").filter(|name| !name.as_str().is_some_and(|name| name.contains('@')));
            found.add(TRAEFIK, "Middleware", namespace, name, None, format!("{path}.middlewares[{at}]"), Need::Later);
        }
    }
    found.core("Secret", object.at("/spec/tls/secretName"), None, "spec.tls.secretName".to_owned(), Need::Later);
    if let Some(options) = object.at("/spec/tls/options") {
        let namespace = namespace_of(found, options);
        let name = options.get("name");
        found.add(TRAEFIK, "TLSOption", namespace, name, None, "spec.tls.options".to_owned(), Need::Later);
    }
}

fn middleware(found: &mut Collector, object: &Object) {
    for field in ["basicAuth", "digestAuth"] {
        let secret = object.at(&format!("/spec/{field}/secret"));
        found.core("Secret", secret, None, format!("spec.{field}.secret"), Need::Later);
    }
    for (at, chained) in object.list_at("/spec/chain/middlewares").iter().enumerate() {
        let namespace = namespace_of(found, chained);
        let path = format!("spec.chain.middlewares[{at}]");
        found.add(TRAEFIK, "Middleware", namespace, chained.get("name"), None, path, Need::Later);
    }
    if let Some(service) = object.at("/spec/errors/service") {
        let namespace = namespace_of(found, service);
        let port = port_text(service.get("port"));
        found.add("", "Service", namespace, service.get("name"), port, "spec.errors.service".to_owned(), Need::Later);
    }
}

/// What operators create for the object.
pub(super) fn provides(object: &Object) -> Vec<Provided> {
    match (object.group(), object.kind()) {
        (CERT_MANAGER, "Certificate") => certificate(object),
        (CERT_MANAGER, "Issuer") => {
            // The account's key; a ClusterIssuer keeps it in cert-manager's own namespace, which is not known here.
            let key = object.str_at("/spec/acme/privateKeySecretRef/name");
            key.map(|name| secret(object, name, Some(&["tls.key"]))).into_iter().collect()
        }
        ("bitnami.com", "SealedSecret") => {
            let name = object.str_at("/spec/template/metadata/name").unwrap_or(object.name());
            let keys: Vec<&str> = ["/spec/encryptedData", "/spec/template/data"]
                .iter()
                .filter_map(|pointer| object.at(pointer).and_then(Value::as_object))
                .flat_map(|map| map.keys().map(String::as_str))
                .collect();
            vec![secret(object, name, Some(&keys))]
        }
        ("networking.k8s.io", "Ingress") => {
            // cert-manager makes the certificates of an Ingress that names an issuer.
            let issued = ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer"];
            if issued.iter().all(|name| object.annotation(name).is_none()) {
                return Vec::new();
            }
            let names = object.list_at("/spec/tls").iter().filter_map(|tls| tls.get("secretName")?.as_str());
            names.map(|name| secret(object, name, None)).collect()
        }
        (MARIADB, "MariaDB") => {
            let generated = ["rootPasswordSecretKeyRef", "passwordSecretKeyRef"].iter().filter_map(|field| {
                let source = object.at(&format!("/spec/{field}"))?;
                let key: Option<Vec<&str>> = source.get("key").and_then(Value::as_str).map(|key| vec![key]);
                Some(secret(object, source.get("name")?.as_str()?, key.as_deref()))
            });
            generated.chain([provided(object, "Service", object.name(), None)]).collect()
        }
        (MARIADB, "Connection") => {
            let name = object.str_at("/spec/secretName").unwrap_or(object.name());
            vec![secret(object, name, None)]
        }
        ("external-secrets.io", "ExternalSecret") => vec![external_secret(object)],
        ("secrets.hashicorp.com", _) => {
            let made = object.bool_at("/spec/destination/create") != Some(false);
            let name = object.str_at("/spec/destination/name").filter(|_| made);
            name.map(|name| secret(object, name, None)).into_iter().collect()
        }
        ("secrets-store.csi.x-k8s.io", "SecretProviderClass") => {
            let synced = object.list_at("/spec/secretObjects").iter().filter_map(|it| it["secretName"].as_str());
            synced.map(|name| secret(object, name, None)).collect()
        }
        ("postgresql.cnpg.io", "Cluster") => cloud_native_pg(object),
        ("kafka.strimzi.io", kind) => strimzi(object, kind),
        (group, kind) if group.ends_with(".k8s.elastic.co") => elastic(object, kind),
        ("rabbitmq.com", "RabbitmqCluster") => {
            let name = object.name();
            vec![
                secret(object, &format!("{name}-default-user"), None),
                provided(object, "Service", name, None),
                provided(object, "Service", &format!("{name}-nodes"), None),
            ]
        }
        ("objectbucket.io", "ObjectBucketClaim") => vec![
            secret(object, object.name(), Some(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])),
            provided(object, "ConfigMap", object.name(), None),
        ],
        ("isindir.github.com", "SopsSecret") => {
            let templates = object.list_at("/spec/secretTemplates").iter();
            templates.filter_map(|it| it["name"].as_str()).map(|name| secret(object, name, None)).collect()
        }
        ("opentelemetry.io", "OpenTelemetryCollector") => {
            let name = format!("{}-collector", object.name());
            let own_account = object.str_at("/spec/serviceAccount").is_none();
            let account = own_account.then(|| provided(object, "ServiceAccount", &name, None));
            let services = ["", "-headless", "-monitoring"].map(|end| format!("{name}{end}"));
            let services = services.iter().map(|name| provided(object, "Service", name, None));
            services.chain(account).collect()
        }
        // Operators that make a Secret of the same name.
        ("onepassword.com", "OnePasswordItem") => vec![secret(object, object.name(), None)],
        _ => generic(object),
    }
}

/// What many operators have agreed on: where the connection to what is made is written.
fn generic(object: &Object) -> Vec<Provided> {
    let reference = |pointer: &str| {
        let target = object.at(pointer)?;
        let mut made = secret(object, target.get("name")?.as_str()?, None);
        let namespace = target.get("namespace").or_else(|| target.get("secretNamespace")).and_then(Value::as_str);
        made.namespace = namespace.map(str::to_owned).or(made.namespace);
        Some(made)
    };
    // Crossplane and its likes; managed secrets of others.
    ["/spec/writeConnectionSecretToRef", "/spec/managedSecretReference", "/spec/managedSecret"]
        .into_iter()
        .filter_map(reference)
        .collect()
}

fn provided(object: &Object, kind: &str, name: &str, keys: Option<&[&str]>) -> Provided {
    Provided {
        group: String::new(),
        kind: kind.to_owned(),
        namespace: object.namespace().map(str::to_owned),
        name: name.to_owned(),
        keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
    }
}

fn secret(object: &Object, name: &str, keys: Option<&[&str]>) -> Provided {
    provided(object, "Secret", name, keys)
}

/// cert-manager's Secret, with the further forms that are asked for.
fn certificate(object: &Object) -> Vec<Provided> {
    let mut keys = vec!["ca.crt", "tls.crt", "tls.key"];
    for (store, files) in [("jks", ["keystore.jks", "truststore.jks"]), ("pkcs12", ["keystore.p12", "truststore.p12"])]
    {
        if object.bool_at(&format!("/spec/keystores/{store}/create")) == Some(true) {
            keys.extend(files);
        }
    }
    for format in object.list_at("/spec/additionalOutputFormats") {
        match format["type"].as_str() {
            Some("DER") => keys.push("key.der"),
            Some("CombinedPEM") => keys.push("tls-combined.pem"),
            _ => {}
        }
    }
    object.str_at("/spec/secretName").map(|name| secret(object, name, Some(&keys))).into_iter().collect()
}

/// What external-secrets writes; with a template or whole documents its keys are not all known.
fn external_secret(object: &Object) -> Provided {
    let name = object.str_at("/spec/target/name").unwrap_or(object.name());
    let template = object.at("/spec/target/template");
    let open = !object.list_at("/spec/dataFrom").is_empty()
        || template.is_some_and(|template| template.get("templateFrom").is_some());
    if open {
        return secret(object, name, None);
    }
    let templated = template.and_then(|it| it.get("data")).and_then(Value::as_object);
    let keys: Vec<&str> = match templated {
        Some(data) => data.keys().map(String::as_str).collect(),
        None => object.list_at("/spec/data").iter().filter_map(|it| it["secretKey"].as_str()).collect(),
    };
    secret(object, name, Some(&keys))
}

fn cloud_native_pg(object: &Object) -> Vec<Provided> {
    let name = object.name();
    let mut made: Vec<Provided> = ["rw", "ro", "r"]
        .into_iter()
        .map(|end| provided(object, "Service", &format!("{name}-{end}"), Some(&["5432", "postgres"])))
        .collect();
    let secrets = ["app", "superuser", "ca", "server", "replication"];
    made.extend(secrets.into_iter().map(|end| secret(object, &format!("{name}-{end}"), None)));
    made.push(provided(object, "ServiceAccount", name, None));
    made
}

fn strimzi(object: &Object, kind: &str) -> Vec<Provided> {
    let name = object.name();
    match kind {
        "Kafka" => ["cluster-ca-cert", "clients-ca-cert", "cluster-ca", "clients-ca"]
            .into_iter()
            .map(|end| secret(object, &format!("{name}-{end}"), None))
            .chain(
                ["kafka-bootstrap", "kafka-brokers"]
                    .into_iter()
                    .map(|end| provided(object, "Service", &format!("{name}-{end}"), None)),
            )
            .collect(),
        "KafkaUser" => vec![secret(object, name, None)],
        "KafkaConnect" => vec![provided(object, "Service", &format!("{name}-connect-api"), None)],
        "KafkaBridge" => vec![provided(object, "Service", &format!("{name}-bridge-service"), None)],
        _ => Vec::new(),
    }
}

fn elastic(object: &Object, kind: &str) -> Vec<Provided> {
    let name = object.name();
    let short = match kind {
        "Elasticsearch" => "es",
        "Kibana" => "kb",
        "ApmServer" => "apm",
        "Agent" => "agent",
        "Logstash" => "ls",
        "EnterpriseSearch" => "ent",
        _ => return Vec::new(),
    };
    let mut made = vec![
        provided(object, "Service", &format!("{name}-{short}-http"), None),
        secret(object, &format!("{name}-{short}-http-certs-public"), None),
        secret(object, &format!("{name}-{short}-http-certs-internal"), None),
        secret(object, &format!("{name}-{short}-http-ca-internal"), None),
    ];
    match kind {
        "Elasticsearch" => made.push(secret(object, &format!("{name}-es-elastic-user"), Some(&["elastic"]))),
        "ApmServer" => made.push(secret(object, &format!("{name}-apm-token"), Some(&["secret-token"]))),
        _ => {}
    }
    made
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(value: Value) -> Vec<String> {
        let object = Object::from_value(value).expect("a map");
        let line = |it: Provided| {
            let keys = it.keys.map(|keys| format!(" {keys:?}")).unwrap_or_default();
            format!("{} {}/{}{keys}", it.kind, it.namespace.unwrap_or_default(), it.name)
        };
        provides(&object).into_iter().map(line).collect()
    }

    #[test]
    fn operators_make_the_secrets_that_their_kinds_name() {
        let of = |group: &str, kind: &str, spec: Value| {
            made(json!({"apiVersion": format!("{group}/v1"), "kind": kind,
                "metadata": {"name": "x", "namespace": "n"}, "spec": spec}))
        };
        let data = json!({"data": [{"secretKey": "a"}, {"secretKey": "b"}]});
        assert_eq!(of("external-secrets.io", "ExternalSecret", data), ["Secret n/x [\"a\", \"b\"]"]);
        let whole = json!({"target": {"name": "t"}, "dataFrom": [{"extract": {"key": "k"}}]});
        assert_eq!(of("external-secrets.io", "ExternalSecret", whole), ["Secret n/t"]);
        let stores = json!({"secretName": "t", "keystores": {"jks": {"create": true}}});
        let keys = "Secret n/t [\"ca.crt\", \"tls.crt\", \"tls.key\", \"keystore.jks\", \"truststore.jks\"]";
        assert_eq!(of("cert-manager.io", "Certificate", stores), [keys]);
        assert!(of("postgresql.cnpg.io", "Cluster", json!({})).contains(&"Secret n/x-app".to_owned()));
        assert!(of("elasticsearch.k8s.elastic.co", "Elasticsearch", json!({}))[0].contains("x-es-http"));
        let elsewhere = json!({"writeConnectionSecretToRef": {"name": "c", "namespace": "m"}});
        assert_eq!(of("rds.aws.crossplane.io", "DBInstance", elsewhere), ["Secret m/c"]);
        assert!(of("example.com", "Thing", json!({})).is_empty());
    }
}
