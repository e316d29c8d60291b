use landfall_diag::{Finding, Severity, Spot};
use landfall_project::Environment;
use landfall_source::SourceTree;
use landfall_yaml::Step;

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF146",
    title: "environments on one cluster share no names",
    severity: Severity::Error,
    why: "Two environments that deliver the same release into the same namespace are one: whichever was delivered last is \
          what runs. In one namespace they share Secrets and volumes, and a test writes into production.",
    advice: "Give each environment a namespace and release names of its own.",
    check,
};

/// A release or Application that an environment declares.
struct Delivery {
    name: String,
    namespace: String,
    /// Its place in the environment's `releases`; none for Applications.
    index: Option<usize>,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let (Some(file), Some((name, environment))) = (subject.project, subject.environment) else { return Vec::new() };
    let Some(context) = environment.cluster.remote().map(|remote| &remote.context) else { return Vec::new() };
    let own = deliveries(environment, subject.files);
    let mut findings = Vec::new();
    for (other_name, other) in &file.system.environments {
        if other_name == name || other.cluster.remote().map(|remote| &remote.context) != Some(context) {
            continue;
        }
        let theirs = deliveries(other, subject.files);
        for delivery in &own {
            let twins = || theirs.iter().filter(|other| other.namespace == delivery.namespace);
            let Some(twin) = twins().find(|other| other.name == delivery.name).or_else(|| twins().next()) else {
                continue;
            };
            let (message, why, severity) = if twin.name == delivery.name {
                (
                    format!(
                        "`{}` in {} is delivered by `{name}` and by `{other_name}`",
                        delivery.name, delivery.namespace
                    ),
                    "each delivery replaces the other environment's",
                    Severity::Error,
                )
            } else {
                (
                    format!("namespace {} belongs to `{name}` and to `{other_name}`", delivery.namespace),
                    "Secrets, claims and accounts of the two are one another's",
                    Severity::Warning,
                )
            };
            let place = |environment: &str, delivery: &Delivery| {
                let mut steps = vec![Step::Key("environments"), Step::Key(environment)];
                if let Some(index) = delivery.index {
                    steps.extend([Step::Key("releases"), Step::Index(index)]);
                }
                Spot::file(file.place(&steps))
            };
            findings.push(
                RULE.finding(message)
                    .weighing(severity)
                    .because(why)
                    .at(place(name, delivery))
                    .at(place(other_name, twin)),
            );
        }
    }
    findings
}

/// What an environment delivers, by its own declaration.
fn deliveries(environment: &Environment, files: Option<&SourceTree>) -> Vec<Delivery> {
    let mut found: Vec<Delivery> = environment
        .releases
        .iter()
        .enumerate()
        .map(|(index, release)| Delivery {
            name: release.name.to_string(),
            namespace: release.namespace.as_deref().unwrap_or("default").to_owned(),
            index: Some(index),
        })
        .collect();
    let (Some(globs), Some(files)) = (&environment.applications, files) else { return found };
    for path in globs.iter().flat_map(|glob| files.glob(glob).unwrap_or_default()) {
        let text = files.read(&path).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        let documents = text.and_then(|text| landfall_yaml::to_json_all(&text).ok()).unwrap_or_default();
        for document in documents.iter().filter(|document| document["kind"] == "Application") {
            let text = |pointer| document.pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
            found.push(Delivery {
                name: text("/metadata/name"),
                namespace: text("/spec/destination/namespace"),
                index: None,
            });
        }
    }
    found
}
