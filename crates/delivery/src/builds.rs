//! Declared builds with what rendered units say of them: the image's name, and the values that arguments are read from.

use std::collections::BTreeMap;

use landfall_chart::{RenderedUnit, values_to_json};
use landfall_diag::{Diagnostic, code, nearest};
use landfall_machine::NamedBuild;
use landfall_project::Build;
use serde_json::Value;

use crate::rendering::render_offline;
use crate::up::Candidate;

/// What is to be built, from an environment's declarations and what its units render to; no file is looked at.
///
/// # Errors
/// When no workload of a service's name says which image it runs, or an argument's values path does not exist.
pub fn named_builds(
    declared: &BTreeMap<String, Build>,
    services: &[String],
    candidates: &[Candidate],
) -> Result<Vec<NamedBuild>, Vec<Diagnostic>> {
    let wanted = || declared.iter().filter(|(name, _)| services.is_empty() || services.contains(name));
    if wanted().next().is_none() {
        return Ok(Vec::new());
    }
    let mut rendered = Vec::new();
    for unit in candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok()) {
        rendered.push(render_offline(unit)?);
    }
    let mut builds = Vec::new();
    for (service, build) in wanted() {
        let Some((unit, image)) = rendered.iter().find_map(|unit| Some((unit, image_of(unit, service)?))) else {
            return Err(vec![
                Diagnostic::error(
                    code::NO_WORKLOAD_FOR_BUILD,
                    format!("build `{service}`: no workload of that name says which image it runs"),
                )
                .help("name the workload as the build, or take the build out"),
            ]);
        };
        // A repository of its own keeps the tag that the workload runs.
        let image = match &build.image {
            Some(repository) => match tag_of(&image) {
                Some(tag) => format!("{repository}:{tag}"),
                None => repository.to_string(),
            },
            None => image,
        };
        let mut arguments = BTreeMap::new();
        for (name, path) in &build.args {
            arguments.insert(name.clone(), value_at(unit, path).map_err(|diagnostic| vec![diagnostic])?);
        }
        builds.push(NamedBuild { service: service.clone(), image, declared: build.clone(), arguments });
    }
    Ok(builds)
}

/// The image that a workload or hook of that name runs: of the container of its name, else of its first.
fn image_of(unit: &RenderedUnit, service: &str) -> Option<String> {
    let object =
        unit.all_objects().find(|object| object.name() == service && object.at("/spec/template/spec").is_some())?;
    let containers = object.list_at("/spec/template/spec/containers");
    let own = containers.iter().find(|container| container["name"] == service).or(containers.first())?;
    own["image"].as_str().map(str::to_owned)
}

/// The tag of an image's name: what follows the last colon behind the last slash.
fn tag_of(image: &str) -> Option<&str> {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split('@').next()?.split_once(':').map(|(_, tag)| tag)
}

fn value_at(unit: &RenderedUnit, path: &str) -> Result<String, Diagnostic> {
    let values = unit.charts.first().map(|chart| values_to_json(&chart.values)).unwrap_or_default();
    let mut at = &values;
    for step in path.split('.') {
        let Some(next) = at.get(step) else {
            let known = at.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            let diagnostic = Diagnostic::error(
                code::NO_VALUE_FOR_BUILD,
                format!("the build argument's values path `{path}` has no `{step}`"),
            );
            return Err(diagnostic.did_you_mean(nearest(step, known)));
        };
        at = next;
    }
    Ok(match at {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_not_a_port() {
        assert_eq!(tag_of("registry:5000/web"), None);
        assert_eq!(tag_of("registry:5000/web:v2"), Some("v2"));
        assert_eq!(tag_of("web:v2@sha256:0"), Some("v2"));
    }
}
