use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::values_to_json;
use landfall_diag::{Finding, Place, Severity, Spot};
use landfall_yaml::Step;
use serde_json::Value;

use crate::pods::{Container, ContainerRole};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};
use crate::workflows::{Workflow, workflows};

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
    let mut findings = declared(subject);
    findings.extend(in_workflows(subject));
    findings
}

/// What workflows build, and whose tags they write, against the images that run.
fn in_workflows(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(files) = subject.files else { return Vec::new() };
    let mut images: BTreeMap<&str, (&Desired, String)> = BTreeMap::new();
    // Who builds the images of somebody else's chart is not this repository.
    for (desired, template) in subject.pods().filter(|(desired, _)| !subject.is_borrowed(desired)) {
        for container in template.containers() {
            let place = || (desired, format!("{}.image", container.path));
            images.entry(repository(container.image())).or_insert_with(place);
        }
    }
    let mut findings = Vec::new();
    for workflow in workflows(files) {
        if workflow.builds() {
            findings.extend(matrix(&workflow, &images));
        }
        findings.extend(tags(subject, &workflow, &images));
    }
    findings
}

/// Images beside those of a build matrix that it does not have.
fn matrix(workflow: &Workflow, images: &BTreeMap<&str, (&Desired, String)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entries in workflow.matrices() {
        let has =
            |image: &str| entries.iter().flatten().any(|text| text == image || Some(text.as_str()) == last(image));
        let built: Vec<&str> = images.keys().copied().filter(|image| has(image)).collect();
        // One alone may be a word by chance.
        if built.len() < 2 {
            continue;
        }
        let shelves: BTreeSet<&str> = built.iter().filter_map(|image| shelf(image)).collect();
        // A shelf that everybody puts images on is nobody's own.
        let own = |image: &str| {
            shelf(image).is_some_and(|it| shelves.contains(it) && it.contains('/') && !it.ends_with("/library"))
        };
        for (image, (desired, field)) in images.iter().filter(|(image, _)| own(image) && !has(image)) {
            let elsewhere = last(image).is_some_and(|name| workflow.text.contains(&format!("/{name}:")));
            if elsewhere {
                continue;
            }
            findings.push(
                RULE.finding(format!("`{image}` runs, and `{}` does not build it", workflow.path))
                    .because(format!("it builds {}; this one stays as it is", built.join(", ")))
                    .help("add it to the matrix")
                    .at(desired.spot_at(field))
                    .at(Spot::file(Place::line(&workflow.path, workflow.line_of("matrix:")))),
            );
        }
    }
    findings
}

/// Tags in the values that a workflow leaves alone while it writes their neighbours'.
fn tags(subject: &Subject<'_>, workflow: &Workflow, images: &BTreeMap<&str, (&Desired, String)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let Some(values) = unit.rendered.charts.first().map(|chart| values_to_json(&chart.values)) else { continue };
        let mut tagged: Vec<(String, String)> = Vec::new();
        tag_paths(&values, String::new(), &mut tagged);
        let writes = |path: &str| {
            workflow.text.match_indices(&format!(".{path}")).any(|(at, found)| {
                let after = workflow.text[at + found.len()..].chars().next();
                !after.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            })
        };
        let (written, left): (Vec<_>, Vec<_>) = tagged.iter().partition(|(path, _)| writes(path));
        let of = |tag: &str, path: &str| {
            let key = path.split('.').next().unwrap_or_default().to_ascii_lowercase();
            images.iter().find(|(image, (desired, field))| {
                let name = last(image).unwrap_or(image).replace(['-', '_'], "").to_ascii_lowercase();
                name == key && container_tag(desired, field) == Some(tag)
            })
        };
        let own: BTreeSet<&str> = written.iter().filter_map(|(path, tag)| shelf(of(tag, path)?.0)).collect();
        if written.len() < 2 || own.is_empty() {
            continue;
        }
        for (path, tag) in left {
            let Some((image, (desired, field))) =
                of(tag, path).filter(|(image, _)| shelf(image).is_some_and(|it| own.contains(it)))
            else {
                continue;
            };
            findings.push(
                RULE.finding(format!("`{}` writes the tags of others and not `{path}`", workflow.path))
                    .because(format!("`{image}` is never renewed"))
                    .help(format!("write `.{path}` there, too"))
                    .at(desired.spot_at(field))
                    .at(Spot::file(Place::line(&workflow.path, workflow.line_of(&format!(".{}", written[0].0))))),
            );
        }
    }
    findings
}

/// The paths of all `tag` texts in values, with them.
fn tag_paths(value: &Value, path: String, found: &mut Vec<(String, String)>) {
    let Some(map) = value.as_object() else { return };
    for (key, value) in map {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value.as_str() {
            Some(text) if key == "tag" => found.push((below, text.to_owned())),
            _ => tag_paths(value, below, found),
        }
    }
}

/// The tag of the image at a field such as `spec.template.spec.containers[0].image`.
fn container_tag<'a>(desired: &'a Desired, field: &str) -> Option<&'a str> {
    let pointer = format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
    let image = desired.object.str_at(&pointer)?.split('@').next()?;
    image.rsplit_once(':').map(|(_, tag)| tag)
}

/// The last part of an image's name.
fn last(image: &str) -> Option<&str> {
    image.rsplit('/').next()
}

/// What the environment declares to build.
fn declared(subject: &Subject<'_>) -> Vec<Finding> {
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
            let mut finding = RULE
                .finding(format!("`{service}` is built, and nothing runs it"))
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
                    RULE.finding(format!("`{own}` runs, and nothing builds it"))
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
