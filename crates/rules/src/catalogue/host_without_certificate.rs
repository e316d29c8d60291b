mod by_full_name;
mod of_another_namespace;
mod of_services;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use self::by_full_name::by_full_name;
use self::of_another_namespace::of_another_namespace;
use self::of_services::of_services;
use crate::routes::covers;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF275",
    title: "certificates cover the hosts that are routed",
    severity: Severity::Warning,
    why: "An Ingress that names hosts for TLS and leaves one of its rules' hosts out serves that one with the controller's \
          own certificate, or plainly: every browser warns. Most often a host was renamed in one of the two places. A \
          certificate that a release signs for its own Services is refused where it names another one, or not the name by \
          which they are called.",
    advice: "Name each rule's host in `spec.tls[].hosts`, from the same value, and sign for the name that the Service has.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = of_services(subject, &RULE);
    findings.extend(by_full_name(subject, &RULE));
    findings.extend(of_another_namespace(subject, &RULE));
    // Where a route has to be encrypted, LF125 says so.
    if subject.is_protected() {
        return findings;
    }
    for desired in subject.of_kind("networking.k8s.io", "Ingress") {
        let object = &desired.object;
        let entries = object.list_at("/spec/tls");
        let hosts = |entry: &Value| entry["hosts"].as_array().cloned().unwrap_or_default();
        // An entry without hosts is the certificate of all of them.
        if entries.is_empty() || entries.iter().any(|entry| hosts(entry).is_empty()) {
            continue;
        }
        let named: Vec<String> =
            entries.iter().flat_map(hosts).filter_map(|host| host.as_str().map(str::to_owned)).collect();
        for (at, rule) in object.list_at("/spec/rules").iter().enumerate() {
            let Some(host) = rule["host"].as_str().filter(|host| !host.is_empty()) else { continue };
            if named.iter().any(|name| covers(name, host)) {
                continue;
            }
            let near = landfall_diag::nearest(host, named.iter().map(String::as_str));
            let finding = RULE
                .finding(format!("Ingress `{}` routes `{host}`, and its TLS hosts do not cover it", object.name()))
                .because("it is served with another host's certificate, or with the controller's own")
                .at(desired.spot_at(&format!("spec.rules[{at}].host")));
            findings.push(match near {
                Some(near) => finding.help(format!("the TLS hosts have `{near}`; write one of the two as the other")),
                None => finding,
            });
        }
    }
    findings
}
