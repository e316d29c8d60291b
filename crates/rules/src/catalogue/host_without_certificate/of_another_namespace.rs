//! Certificates that name a Service in another namespace than the one that it lies in.

use landfall_diag::Finding;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

/// Certificates of cert-manager's with a Service of their namespace under the name that it would have in another one, and not under
/// its own.
pub(super) fn of_another_namespace(subject: &Subject<'_>, rule: &Rule) -> Vec<Finding> {
    subject.of_kind("cert-manager.io", "Certificate").filter_map(|it| told(subject, it, rule)).collect()
}

fn told(subject: &Subject<'_>, certificate: &Desired, rule: &Rule) -> Option<Finding> {
    let namespace = certificate.object.namespace()?;
    let names: Vec<&str> = certificate.object.list_at("/spec/dnsNames").iter().filter_map(Value::as_str).collect();
    let mut elsewhere = names.iter().enumerate().filter_map(|(at, name)| {
        let (service, other) = in_full(name).filter(|(_, other)| *other != namespace)?;
        let lies = |namespace: &str| subject.find("", "Service", Some(namespace), service).is_some();
        (lies(namespace) && !lies(other)).then_some((at, *name, service))
    });
    let is_named = |service: &str| {
        let own = format!("{service}.{namespace}.svc");
        names.iter().any(|name| name.strip_prefix(&*own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    let (at, name, service) = elsewhere.find(|(_, _, service)| !is_named(service))?;
    let finding = rule
        .finding(format!(
            "Certificate `{}` names `{name}`, and Service `{service}` lies in {namespace}",
            certificate.object.name()
        ))
        .because("whoever calls it by its own name, as the API server calls a webhook, refuses the certificate")
        .help(format!("write `{service}.{namespace}.svc`, with the release's namespace"));
    Some(finding.at(certificate.spot_at(&format!("spec.dnsNames[{at}]"))))
}

/// The Service and the namespace of a name in full: `web.shop.svc`, `web.shop.svc.cluster.local`.
fn in_full(name: &str) -> Option<(&str, &str)> {
    let mut parts = name.split('.');
    let (service, namespace, svc) = (parts.next()?, parts.next()?, parts.next()?);
    (svc == "svc" && !service.is_empty() && service != "*" && !namespace.is_empty()).then_some((service, namespace))
}
