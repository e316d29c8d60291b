use landfall_diag::{Finding, Severity};

use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF192",
    title: "tests run when somebody asks for them",
    severity: Severity::Warning,
    why: "Helm runs a test only where its annotation says that it is one; the folder says nothing. A pod below \
          `templates/tests/` without it is delivered with every release, runs once beside the application, and its failure \
          keeps whoever waits for the delivery waiting.",
    advice: "Add the annotation `helm.sh/hook: test`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in unit.rendered.objects.iter().filter(|it| is_below_tests(&it.path)) {
            let object = &rendered.object;
            let runs_once = matches!(object.kind(), "Pod" | "Job") && pod_template(object).is_some();
            let of = |desired: &&crate::Desired| desired.key() == object.key() && desired.role == Role::Manifest;
            let Some(desired) = unit.objects.iter().find(of).filter(|_| runs_once) else { continue };
            findings.push(
                RULE.finding(format!("{} `{}` stands among the tests and is none", object.kind(), object.name()))
                    .because("it runs with each delivery, and not with `helm test`")
                    .at(desired.spot_at("metadata.annotations")),
            );
        }
    }
    findings
}

/// Whether a template's path (`web/templates/tests/up.yaml`) lies in the folder of tests.
fn is_below_tests(path: &str) -> bool {
    path.contains("/templates/tests/") || path.contains("/templates/test/")
}
