use landfall_diag::{Finding, Severity, Spot};
use landfall_yaml::Step;

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF341",
    title: "what is declared of containers is of containers that there are",
    severity: Severity::Warning,
    why: "`simulate:` says what a container answers on the embedded cluster and in a rehearsal. Under a name that no container and no \
          workload has, it is read and never used: the probe that it should answer is taken as passing, the job that should fail \
          succeeds.",
    advice: "Name the workload, the container, or WORKLOAD/CONTAINER, as it is delivered.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some((environment, declared)) = subject.environment else { return Vec::new() };
    let mut workloads: Vec<&str> = Vec::new();
    let mut containers: Vec<(&str, &str)> = Vec::new();
    for (desired, template) in subject.pods() {
        workloads.push(desired.object.name());
        containers.extend(template.containers().iter().map(|it| (desired.object.name(), it.name)));
    }
    if workloads.is_empty() {
        return Vec::new();
    }
    // An operator makes pods that bear the name of what it is told to make.
    let others: Vec<&str> = subject.objects().map(|it| it.object.name()).collect();
    let mut findings = Vec::new();
    for (key, script) in &declared.simulate {
        let key = key.as_str();
        let named = match &script.container {
            Some(container) => format!("{key}/{container}"),
            None => key.to_owned(),
        };
        let (workload, container) = named.split_once('/').unwrap_or((&named, ""));
        let is_met = match container {
            "" => {
                containers.iter().any(|(_, name)| *name == workload)
                    || others.iter().any(|name| is_part_of_name(workload, name))
            }
            _ => {
                let of_operator = || !workloads.contains(&workload) && others.contains(&workload);
                containers.iter().any(|(of, name)| *of == workload && *name == container) || of_operator()
            }
        };
        if is_met {
            continue;
        }
        let near = match workloads.contains(&workload) {
            true => {
                let own = containers.iter().filter(|(of, _)| *of == workload).map(|(_, name)| *name);
                landfall_diag::nearest(container, own).map(|near| format!("{workload}/{near}"))
            }
            false => {
                let names = workloads.iter().copied().chain(containers.iter().map(|(_, name)| *name));
                landfall_diag::nearest(workload, names).map(str::to_owned)
            }
        };
        let steps = [Step::Key("environments"), Step::Key(environment), Step::Key("simulate"), Step::Key(key)];
        let spot = subject.project.map(|file| Spot::file(file.place(&steps))).unwrap_or_default();
        let finding = RULE
            .finding(format!("`simulate` declares what `{named}` does, and no container is that"))
            .because("what is declared there is never used")
            .at(spot);
        findings.push(match near {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            // What it was meant for may be delivered another time.
            None => finding.weighing(Severity::Info),
        });
    }
    findings
}

/// Whether a part is a name or a run of whole words in it: `migrate` in `shop-migrate-3`.
fn is_part_of_name(part: &str, name: &str) -> bool {
    format!("-{name}-").contains(&format!("-{part}-"))
}
