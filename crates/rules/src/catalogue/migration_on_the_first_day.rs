use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};

use crate::pods::{Container, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF372",
    title: "what migrates runs with upgrades, too",
    severity: Severity::Warning,
    why: "A hook of `pre-install` runs once in the life of a release. A migration that is called by it alone is not made with an upgrade: \
          the new program meets the old tables.",
    advice: "Write `helm.sh/hook: pre-install,pre-upgrade` (or `post-install,post-upgrade`).",
    check,
};

/// Words of what has to be done with each version.
const EACH_TIME: &[&str] = &["migrate", "migration", "migrations", "upgrade", "migrator"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let Role::Hook { events, .. } = &desired.role else { continue };
        let is_of_install = |it: &HookEvent| matches!(it, HookEvent::PreInstall | HookEvent::PostInstall);
        if events.is_empty() || !events.iter().all(is_of_install) {
            continue;
        }
        let migrates = template.containers().iter().any(|it| migrates(it, desired));
        // Where another hook of the same image runs with upgrades, this one is for the first time.
        if !migrates || runs_with_upgrades(subject, desired, &template) {
            continue;
        }
        let (kind, name) = (desired.object.kind(), desired.object.name());
        findings.push(
            RULE.finding(format!("{kind} `{name}` migrates with the first installation alone"))
                .because("its `helm.sh/hook` names no `pre-upgrade` and no `post-upgrade`, so an upgrade leaves the data as it is")
                .at(desired.spot_at("metadata.annotations[helm.sh/hook]")),
        );
    }
    findings
}

/// Whether a container migrates, as its command says, its name, or that of whose it is.
pub(super) fn migrates(container: &Container<'_>, owner: &Desired) -> bool {
    // An option of that name is mostly a package manager's.
    let has = |text: &str| {
        let text = text.to_ascii_lowercase().replace("--upgrade", " ");
        text.split(|it: char| !it.is_ascii_alphanumeric()).any(|it| EACH_TIME.contains(&it))
    };
    let lists = ["command", "args"].iter().flat_map(|field| container.value[*field].as_array().into_iter().flatten());
    lists.filter_map(|it| it.as_str()).chain([container.name, owner.object.name()]).any(has)
}

/// Whether another hook of the release runs one of these images with upgrades.
fn runs_with_upgrades(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> bool {
    let containers = template.containers();
    let is_of_upgrade = |it: &HookEvent| matches!(it, HookEvent::PreUpgrade | HookEvent::PostUpgrade);
    subject.pods().filter(|(other, _)| other.unit == desired.unit).any(|(other, its)| {
        let again = matches!(&other.role, Role::Hook { events, .. } if events.iter().any(is_of_upgrade));
        again && its.containers().iter().any(|it| containers.iter().any(|own| own.image() == it.image()))
    })
}
