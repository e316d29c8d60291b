use landfall_yaml::Step;

use crate::finding::{Finding, Severity, Spot};
use crate::pods::{Container, ContainerRole};
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF129",
    title: "the lists of services agree",
    severity: Severity::Warning,
    why: "A service is named in the chart, in the builds and in what containers are declared to do. Whoever adds or removes \
          one forgets a place: an image is built that nothing runs, or one runs that nothing builds.",
    advice: "Add the service where it is missing, or take it out everywhere.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some((name, environment)) = subject.environment else { return Vec::new() };
    let place = |section: &str, key: &str| {
        let steps = [Step::Key("environments"), Step::Key(name), Step::Key(section), Step::Key(key)];
        subject.project.map(|file| Spot::file(file.place(&steps))).unwrap_or_default()
    };
    let pods: Vec<_> = subject.pods().collect();
    if pods.is_empty() {
        return Vec::new();
    }
    let called = |wanted: &str| pods.iter().any(|(desired, _)| desired.object.name() == wanted);
    let mut findings = Vec::new();
    for (service, build) in &environment.build {
        let runs = match &build.image {
            Some(image) => pods.iter().any(|(_, template)| {
                template.containers().iter().any(|container| repository(container.image()) == image.as_str())
            }),
            None => called(service),
        };
        if !runs {
            let names = pods.iter().map(|(desired, _)| desired.object.name());
            let mut finding = Finding::of(&RULE, format!("`{service}` is built, and nothing runs it"))
                .because("its image is made and shipped with each delivery, for nobody")
                .at(place("build", service));
            if let Some(near) = landfall_diag::nearest(service, names) {
                finding = finding.help(format!("did you mean `{near}`?"));
            }
            findings.push(finding);
        }
    }
    // Images that lie beside those that are built are one's own, too.
    let mut shelves: Vec<&str> = Vec::new();
    for (desired, template) in &pods {
        let name = desired.object.name();
        if !environment.build.contains_key(name) {
            continue;
        }
        // A pod may have others' containers beside its own.
        let containers: Vec<_> =
            template.containers().into_iter().filter(|container| container.role == ContainerRole::Main).collect();
        let is_own = |container: &&Container<'_>| {
            container.name == name || repository(container.image()).rsplit('/').next() == Some(name)
        };
        shelves.extend(containers.iter().find(is_own).or(containers.first()).and_then(|it| shelf(it.image())));
    }
    for (desired, template) in &pods {
        for container in template.containers() {
            let Some(shelf) = shelf(container.image()).filter(|it| shelves.contains(it)) else { continue };
            let own = repository(container.image());
            let built = environment.build.iter().any(|(service, build)| match &build.image {
                Some(image) => image == own,
                None => pods.iter().any(|(other, template)| {
                    other.object.name() == service
                        && template.containers().iter().any(|container| repository(container.image()) == own)
                }),
            });
            if !built {
                findings.push(
                    Finding::of(&RULE, format!("`{own}` runs, and nothing builds it"))
                        .because(format!("the other images of `{shelf}` are built here; this one is not renewed"))
                        .at(desired.spot_at(&format!("{}.image", container.path))),
                );
            }
        }
    }
    findings
}

/// An image's name without tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => image,
    }
}

/// What stands in front of an image's own name: where its owner keeps all of them.
fn shelf(image: &str) -> Option<&str> {
    repository(image).rsplit_once('/').map(|(shelf, _)| shelf)
}
