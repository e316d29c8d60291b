use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::calls::{called_by_words, calls};
use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF106",
    title: "addresses of Services name a port that the Service has",
    severity: Severity::Warning,
    why: "A pod's port is not its Service's: a call to a port that the Service does not have hangs until it times out. \
          It looks like a network fault, and no template is wrong.",
    advice: "Use a port of the Service, or give the Service that port.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let template = pod_template(&desired.object);
        let said = template.iter().flat_map(|template| called_by_words(subject, &desired.object, template));
        for call in calls(subject, &desired.object, template.as_ref()).into_iter().chain(said) {
            let service = call.service.object();
            let ports: Vec<u64> = service.list_at("/spec/ports").iter().filter_map(|it| it["port"].as_u64()).collect();
            // Names of headless Services lead to the pods themselves, and external ones elsewhere.
            let is_direct = service.str_at("/spec/clusterIP") == Some("None")
                || service.str_at("/spec/type") == Some("ExternalName")
                || service.at("/spec/ports").is_none_or(Value::is_null);
            if is_direct || ports.contains(&call.port) {
                continue;
            }
            let known: Vec<String> = ports.iter().map(u64::to_string).collect();
            let namespace = service.namespace().map(|it| format!(" ({it})")).unwrap_or_default();
            findings.push(
                RULE.finding(format!(
                    "port {} of Service `{}`{namespace} is called, which it does not have",
                    call.port,
                    service.name()
                ))
                .because("the connection hangs until it times out")
                .help(format!("use one of its ports: {}", known.join(", ")))
                .at(desired.spot_at(&call.field)),
            );
        }
    }
    findings
}
