//! Two faults at once: the first hides no second, whichever stands in front.

use landfall_rules::rule;

use crate::fixture::{Fixture, Scene};

/// An object that the API refuses, of which no rule but LF138 and what the delivery says have anything to say.
const REFUSED: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: other-thing}\nspec:\n  clusterIP: None\n  ports: [{name: web, port: many}]\n";

/// A ConfigMap whose file cannot be read.
const UNREADABLE: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other-thing}\ndata:\n  other.json: '{\"a\": 1,}'\n";

/// The scene with another template beside the others.
fn beside(scene: &Scene, name: &str, text: &str) -> Option<Scene> {
    let folder =
        scene.files.keys().find_map(|path| path.split_once("templates/").map(|(before, _)| before.to_owned()))?;
    let mut other = scene.clone();
    other.files.insert(format!("{folder}templates/{name}.yaml"), text.to_owned());
    Some(other)
}

#[test]
fn a_second_fault_hides_no_first_and_the_first_no_second() {
    let only = std::env::var("FIXTURE").unwrap_or_default();
    let mut failures = Vec::new();
    let mut tried = 0;
    for fixture in Fixture::all().into_iter().filter(|it| it.name.contains(&only)) {
        let Some(own) = rule(&fixture.rule) else { continue };
        let (id, text) = match fixture.rule.as_str() {
            "LF138" | "LF100" => ("LF188", UNREADABLE),
            _ => ("LF138", REFUSED),
        };
        let other = rule(id).expect("a rule of ours");
        for name in ["aaa-other", "zzz-other"] {
            let Some(scene) = beside(&fixture.faulty_scene(), name, text) else { continue };
            tried += 1;
            let first = scene.examine(own);
            let is_told = first.as_ref().is_ok_and(|found| found.iter().any(|it| it.message.contains(&fixture.finds)));
            if !is_told {
                failures.push(format!("{} with {name}: {} is not told: {first:?}", fixture.name, fixture.rule));
            }
            let second = scene.examine(other);
            if !second.as_ref().is_ok_and(|found| found.iter().any(|it| it.message.contains("other"))) {
                failures.push(format!("{} with {name}: {id} of the second is not told: {second:?}", fixture.name));
            }
        }
    }
    assert!(tried > 0 || !only.is_empty(), "no fixture takes a second fault");
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
}
