use landfall_diag::{Finding, Severity, Spot, Witness, code};
use landfall_object::references::{Certainty, Lack, Program, programs, references};
use landfall_object::{Object, ObjectKey};

use crate::outcome::{Failure, Outcome, Start};
use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF100",
    title: "the change delivers, onto what runs and onto an empty cluster",
    severity: Severity::Error,
    why: "The delivery was carried out on a fork of the cluster by the very engine that would carry it out for real, and \
          it did not end well. What waits for something that never comes is seen here and in no template.",
    advice: "Mend what the evidence names first; a rehearsal of the mended change says whether that was all.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.trials.iter().filter(|outcome| !outcome.delivers).flat_map(|outcome| failures(subject, outcome)).collect()
}

/// The field that names a container's image, of what the evidence is of.
fn image_of(subject: &Subject<'_>, object: &ObjectKey, container: &str) -> Option<String> {
    let desired = subject.objects().find(|it| it.object.is_at(object))?;
    let template = pod_template(&desired.object)?;
    let containers = template.containers();
    let it = containers.iter().find(|it| it.name == container)?;
    Some(format!("{}.image", it.path))
}

/// Whether a unit fails for want of what a program of it would make: the program was tried without something that was left out.
fn lacks_what_is_not_made(subject: &Subject<'_>, outcome: &Outcome<'_>, failure: &Failure<'_>) -> bool {
    if outcome.left_out.iter().all(|it| it.unit != failure.unit) {
        return false;
    }
    let Some(desired) = failure.object.and_then(|key| subject.objects().find(|it| it.object.is_at(key))) else {
        return false;
    };
    let said = || failure.told.iter().map(|it| it.message.as_str()).chain(failure.in_pod.as_deref());
    let around: Vec<&Object> = subject.objects().map(|it| &it.object).collect();
    let programs = programs(around.iter().copied());
    references(&desired.object).iter().any(|wanted| {
        let missing = format!("{} \"{}\" not found", wanted.kind.to_ascii_lowercase(), wanted.name);
        let namespace = wanted.namespace.as_deref();
        let is_made = |it: &Program| {
            it.makes(&wanted.kind, namespace, &wanted.name, Lack::Object, &desired.object) == Some(Certainty::Named)
        };
        said().any(|text| text.contains(&missing)) && programs.iter().any(is_made)
    })
}

fn failures(subject: &Subject<'_>, outcome: &Outcome<'_>) -> Vec<Finding> {
    let on = match outcome.start {
        Start::Empty => "a first install on an empty cluster".to_owned(),
        start => format!("an upgrade from {start}"),
    };
    if let Some(told) = outcome.refused {
        return told
            .iter()
            // References that resolve nowhere are LF103's; what is only worth knowing is no finding.
            .filter(|diagnostic| {
                diagnostic.code != code::MISSING_REFERENCE && diagnostic.severity >= landfall_diag::Severity::Error
            })
            .map(|diagnostic| {
                // What a trial refuses is said by the server's words.
                let said = diagnostic.notes.first().filter(|_| diagnostic.code == code::WOULD_BE_REFUSED);
                let said = said.map(|words| format!(": {words}")).unwrap_or_default();
                RULE.finding(format!("{}{said}", diagnostic.message))
                    .because(format!("{on} would not even begin"))
                    .said_by(Witness::Rehearsal)
            })
            .collect();
    }
    let refused = outcome.left_out.iter().map(|it| {
        let said = it.told.notes.first().filter(|_| it.told.code == code::WOULD_BE_REFUSED);
        let said = said.map(|words| format!(": {words}")).unwrap_or_default();
        let spot = Spot::object(Some(it.unit), it.object.clone());
        RULE.finding(format!("{}{said}", it.told.message))
            .because(format!("{on} would not even begin; what is with it was tried without it"))
            .said_by(Witness::Rehearsal)
            .at(match it.field {
                Some(field) => spot.field(field),
                None => spot,
            })
    });
    let refused: Vec<Finding> = refused.collect();
    let of_themselves = outcome.failures.iter().filter(|unit| !lacks_what_is_not_made(subject, outcome, unit));
    let failed = of_themselves.flat_map(|unit| {
        let container = unit.container.unwrap_or_default();
        let names = |text: &str| text.contains("InvalidImageName");
        let is_of_image = unit.told.iter().any(|it| names(&it.message)) || unit.cause.as_deref().is_some_and(names);
        let image = unit.object.filter(|_| is_of_image).and_then(|key| Some((key, image_of(subject, key, container)?)));
        let spot = unit.object.map(|key| {
            let spot = Spot::object(Some(unit.unit), key.clone()).container(container);
            match &image {
                Some((_, field)) => spot.field(field.clone()),
                None => spot,
            }
        });
        let on = on.clone();
        // What a pod says of itself tells more than what its workload says of it.
        let said = unit.in_pod.as_ref().map(|seen| format!(": {seen}")).unwrap_or_default();
        unit.told.iter().map(move |diagnostic| {
            let finding = RULE
                .finding(diagnostic.message.clone())
                .because(format!("{on} would fail{said}"))
                .said_by(Witness::Rehearsal);
            // Each pod says it anew, of one image; and it is one thing, whether it was seen at once or waited for.
            let finding = match (&image, unit.cause_of(diagnostic)) {
                (Some((key, field)), _) => finding.keyed(format!("{}/{} {field}", key.gvk.kind, key.name)),
                (None, Some(cause)) => finding.keyed(cause),
                (None, None) => finding,
            };
            match &spot {
                Some(spot) => finding.at(spot.clone()),
                None => finding,
            }
        })
    });
    refused.into_iter().chain(failed).collect()
}
