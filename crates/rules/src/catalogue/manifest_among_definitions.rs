use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF357",
    title: "`crds/` holds definitions and nothing else",
    severity: Severity::Warning,
    why: "Helm applies what lies in `crds/` once, before anything else, and never again: no values reach it, no upgrade changes it and no \
          uninstall takes it away. A Role or a Deployment in that folder stays as it was on the first day.",
    advice: "Move the manifest to `templates/`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let all =
        subject.objects().filter(|it| it.role == Role::Definition && it.object.kind() != "CustomResourceDefinition");
    all.map(|it| {
        let (kind, name) = (it.object.kind(), it.object.name());
        RULE.finding(format!("{kind} `{name}` lies among the definitions of `crds/`"))
            .because("an upgrade never changes it, and an uninstall leaves it there")
            .at(it.spot_at("kind"))
    })
    .collect()
}
