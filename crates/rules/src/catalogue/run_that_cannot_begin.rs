mod deleting_hook;

use landfall_diag::{Finding, Severity, Spot, Witness};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF279",
    title: "what runs later can run",
    severity: Severity::Error,
    why: "A delivery is done when its CronJobs are taken, and none of them has run. One whose pods are refused, or whose \
          container cannot be made, fails in the night, and with it the backup that nobody looks at until it is needed.",
    advice: "Mend what the run says; `kubectl create job --from=cronjob/NAME` runs it now.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = deleting_hook::deleting_hooks(subject);
    // Each is run on every cluster that was tried; it is told once.
    let Some(trial) = subject.trials.first() else { return findings };
    for unrun in &trial.scheduled {
        let unit = subject.units.iter().find(|unit| unit.objects.iter().any(|it| it.key() == *unrun.object));
        let spot = Spot::object(unit.map(|unit| unit.name.as_str()), unrun.object.clone());
        let spot = spot.container(unrun.container.unwrap_or_default()).field("spec.jobTemplate.spec.template.spec");
        findings.push(
            RULE.finding(format!("CronJob `{}` cannot run: {}", unrun.object.name, unrun.why))
                .because("it was run once after the delivery, and will fail like that each time that it is due")
                .said_by(Witness::Rehearsal)
                .at(spot),
        );
    }
    findings
}
