use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity, Spot};

use crate::routes::{all_routes, covers};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF126",
    title: "each certificate has one owner and the names of its routes",
    severity: Severity::Warning,
    why: "Two objects that ask for one TLS Secret rewrite it in turn for ever. The same name in two certificates is \
          ordered twice, and an authority that counts (Let's Encrypt: five a week) refuses the next one. A host that \
          the certificate does not name is refused by every browser.",
    advice: "Let one Certificate own the Secret, with exactly the hosts that its routes serve.",
    check,
};

/// Something that makes cert-manager write a TLS Secret.
struct Order<'a> {
    found: Found<'a>,
    field: String,
    namespace: Option<&'a str>,
    secret: &'a str,
    names: BTreeSet<String>,
    issuer: (&'a str, &'a str),
    algorithm: &'a str,
}

impl Order<'_> {
    fn called(&self) -> String {
        let object = self.found.object();
        format!("{} `{}`", object.kind(), object.name())
    }

    /// The field that names the hosts, beside the one that names the Secret.
    fn names_field(&self) -> String {
        self.field.replace("secretName", if self.is_certificate() { "dnsNames" } else { "hosts" })
    }

    fn is_certificate(&self) -> bool {
        self.found.object().kind() == "Certificate"
    }
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let orders = orders(subject);
    let mut findings = owned_twice(subject, &orders);
    findings.extend(ordered_twice(subject, &orders));
    findings.extend(unlike_the_routes(subject, &orders));
    findings
}

fn orders<'a>(subject: &Subject<'a>) -> Vec<Order<'a>> {
    let mut orders = Vec::new();
    for found in subject.after("cert-manager.io", "Certificate") {
        let object = found.object();
        // One that cert-manager made itself for an Ingress is that Ingress's.
        let Some(secret) = object.str_at("/spec/secretName").filter(|_| object.controller().is_none()) else {
            continue;
        };
        let names = object.list_at("/spec/dnsNames").iter().filter_map(|name| name.as_str());
        let names = names.chain(object.str_at("/spec/commonName")).map(str::to_ascii_lowercase).collect();
        let text = |field: &str| object.str_at(&format!("/spec/{field}"));
        orders.push(Order {
            found,
            field: "spec.secretName".to_owned(),
            namespace: object.namespace(),
            secret,
            names,
            issuer: (text("issuerRef/kind").unwrap_or("Issuer"), text("issuerRef/name").unwrap_or_default()),
            algorithm: text("privateKey/algorithm").unwrap_or("RSA"),
        });
    }
    for found in subject.after("networking.k8s.io", "Ingress") {
        let object = found.object();
        let named = |kind, name| object.annotation(name).map(|issuer| (kind, issuer));
        let Some(issuer) = named("ClusterIssuer", "cert-manager.io/cluster-issuer")
            .or_else(|| named("Issuer", "cert-manager.io/issuer"))
        else {
            continue;
        };
        for (at, entry) in object.list_at("/spec/tls").iter().enumerate() {
            let Some(secret) = entry["secretName"].as_str() else { continue };
            let hosts = entry["hosts"].as_array().into_iter().flatten().filter_map(|host| host.as_str());
            orders.push(Order {
                found,
                field: format!("spec.tls[{at}].secretName"),
                namespace: object.namespace(),
                secret,
                names: hosts.map(str::to_ascii_lowercase).collect(),
                issuer,
                algorithm: "RSA",
            });
        }
    }
    orders
}

fn owned_twice(subject: &Subject<'_>, orders: &[Order<'_>]) -> Vec<Finding> {
    let mut twice: BTreeMap<(Option<&str>, String), Vec<Twice<'_>>> = BTreeMap::new();
    let of = |namespace: Option<&str>, secret: &str| -> Vec<&Order<'_>> {
        orders.iter().filter(|order| order.namespace == namespace && order.secret == secret).collect()
    };
    let mut seen = BTreeSet::new();
    for order in orders {
        if !seen.insert((order.namespace, order.secret)) {
            continue;
        }
        let owners = of(order.namespace, order.secret);
        let delivered =
            subject.desired("", "Secret", order.namespace, order.secret).filter(|secret| secret.role == Role::Manifest);
        let mut called: Vec<String> = owners.iter().map(|owner| owner.called()).collect();
        called.extend(delivered.map(|secret| format!("the delivery of Secret `{}` itself", secret.object.name())));
        called.sort();
        called.dedup();
        // Ingresses that ask for the same names get what they ask for from whichever comes first.
        let alike = owners.windows(2).all(|pair| pair[0].names == pair[1].names)
            && owners.iter().all(|owner| !owner.is_certificate());
        if called.len() < 2 || (alike && delivered.is_none()) {
            continue;
        }
        let mut spots: Vec<Spot> = owners.iter().map(|owner| owner.found.spot_at(&owner.field)).collect();
        spots.extend(delivered.map(Desired::spot));
        // An Ingress with an issuer's annotation is one cause, however many Secrets it names.
        let cause = owners
            .iter()
            .find(|owner| !owner.is_certificate())
            .map_or_else(|| order.secret.to_owned(), |owner| owner.called());
        twice.entry((order.namespace, cause)).or_default().push(Twice { secret: order.secret, called, spots });
    }
    let finding = |((namespace, cause), twice): ((Option<&str>, String), Vec<Twice<'_>>)| {
        let message = match twice.as_slice() {
            [one] => format!("TLS Secret `{}` has several owners: {}", one.secret, one.called.join(", ")),
            all => {
                let secrets: Vec<String> = all.iter().map(|it| format!("`{}`", it.secret)).collect();
                format!("TLS Secrets {} each have several owners: {cause} and another", secrets.join(", "))
            }
        };
        let finding = RULE
            .finding(message)
            .keyed(format!("{namespace:?}/{cause}"))
            .weighing(Severity::Error)
            .because(
                "each writes its own certificate over the other's, or is refused, and neither says so to the routes",
            )
            .help("leave the Secret to one of them: drop the issuer's annotation, or the explicit Certificate");
        twice.into_iter().flat_map(|it| it.spots).fold(finding, Finding::at)
    };
    twice.into_iter().map(finding).collect()
}

/// A TLS Secret with several owners.
struct Twice<'a> {
    secret: &'a str,
    called: Vec<String>,
    spots: Vec<Spot>,
}

fn ordered_twice(subject: &Subject<'_>, orders: &[Order<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, one) in orders.iter().enumerate() {
        if !is_counted(subject, one) {
            continue;
        }
        for other in &orders[at + 1..] {
            let same_secret = (one.namespace, one.secret) == (other.namespace, other.secret);
            if same_secret || one.issuer != other.issuer || one.algorithm != other.algorithm {
                continue;
            }
            let twice: Vec<String> = one
                .names
                .intersection(&other.names)
                .filter(|name| is_public(name))
                .map(|it| format!("`{it}`"))
                .collect();
            if twice.is_empty() {
                continue;
            }
            let mut called = [one.called(), other.called()];
            called.sort();
            findings.push(
                RULE.finding(format!("{} and {} both ask for {}", called[0], called[1], twice.join(", ")))
                    .because("the authority counts each of them, and refuses renewals when its weekly limit is reached")
                    .help("name the host in one certificate, and let both routes use its Secret")
                    .at(one.found.spot_at(&one.names_field()))
                    .at(other.found.spot_at(&other.names_field())),
            );
        }
    }
    findings
}

/// Whether the issuer may be an authority that counts: one that is known to sign by itself is not.
fn is_counted(subject: &Subject<'_>, order: &Order<'_>) -> bool {
    let (kind, name) = order.issuer;
    let namespace = if kind == "ClusterIssuer" { None } else { order.namespace };
    let issuer = subject.find("cert-manager.io", kind, namespace, name);
    issuer.is_none_or(|issuer| issuer.object().at("/spec/acme").is_some())
}

/// Whether a name is one that a public authority signs.
fn is_public(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && !["local", "internal", "svc", "lan", "localhost", "home"].contains(&last)
}

fn unlike_the_routes(subject: &Subject<'_>, orders: &[Order<'_>]) -> Vec<Finding> {
    let routes = all_routes(subject);
    let mut findings = Vec::new();
    for order in orders.iter().filter(|order| order.is_certificate()) {
        let mut used = false;
        for (found, route) in &routes {
            if route.secret != Some(order.secret) || route.object.namespace() != order.namespace {
                continue;
            }
            used = true;
            for host in route.hosts.iter().filter(|host| !order.names.iter().any(|name| covers(name, host))) {
                findings.push(
                    RULE.finding(format!("host `{host}` is not named in {}", order.called()))
                        .weighing(Severity::Error)
                        .because("browsers refuse the connection: the certificate is for other names")
                        .help(format!("add `{host}` to spec.dnsNames of {}", order.called()))
                        .at(found.spot_at(&route.field))
                        .at(order.found.spot_at("spec.dnsNames")),
                );
            }
        }
        let served = |name: &str| routes.iter().flat_map(|(_, route)| &route.hosts).any(|host| covers(name, host));
        for name in order.names.iter().filter(|name| used && is_public(name) && !served(name)) {
            findings.push(
                RULE.finding(format!("no route serves `{name}`, which {} names", order.called()))
                    .because(
                        "a name that does not lead here fails the authority's check, and with it the whole certificate",
                    )
                    .help("take the name out of the certificate, or add its route")
                    .at(order.found.spot_at("spec.dnsNames")),
            );
        }
    }
    findings
}
