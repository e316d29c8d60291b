use landfall_chart::values_to_json;
use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF128",
    title: "a value that is built into an image changes with the image",
    severity: Severity::Warning,
    why: "What a build takes as an argument stands in the program from then on. Changing the value alone changes nothing \
          that runs: the delivery is green, and the page still calls the old address.",
    advice: "Build the image again with the new value, and deliver its new tag.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = built_from_values(subject);
    for (desired, template) in subject.pods() {
        let baked = |object: &Object| -> Vec<(String, String)> {
            let annotations = pod_template(object).and_then(|template| template.annotations().cloned());
            annotations
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| {
                    let key = name.rsplit('/').next().unwrap_or(&name).strip_prefix("baked-")?.to_owned();
                    Some((key, value.as_str()?.to_owned()))
                })
                .collect()
        };
        let now = baked(&desired.object);
        let Some(before) = earlier(subject, desired).filter(|_| !now.is_empty()) else { continue };
        let images: Vec<&str> = template.containers().iter().map(super::super::pods::Container::image).collect();
        let same = pod_template(before).is_some_and(|old| {
            let old = old.containers();
            old.len() == images.len() && old.iter().zip(&images).all(|(old, new)| old.image() == *new)
        });
        let then = baked(before);
        for (key, value) in now.iter().filter(|_| same) {
            let Some((_, old)) = then.iter().find(|(name, _)| name == key) else { continue };
            // Declared arguments have been told of already.
            if old == value || findings.iter().any(|it| it.spots.iter().any(|spot| spot.is_of(&desired.key().into()))) {
                continue;
            }
            findings.push(finding(desired, key, old, value, &template_field(desired)));
        }
    }
    findings
}

fn template_field(desired: &Desired) -> String {
    let path = pod_template(&desired.object).map_or("spec", |template| template.path);
    format!("{}.metadata.annotations", path.trim_end_matches(".spec"))
}

/// Arguments that the environment declares, by the values they are read from.
fn built_from_values(subject: &Subject<'_>) -> Vec<Finding> {
    let Some((_, environment)) = subject.environment else { return Vec::new() };
    let mut findings = Vec::new();
    for (service, build) in &environment.build {
        for unit in subject.units {
            let Some(was) = subject.base.into_iter().flatten().find(|it| it.name == unit.name) else { continue };
            let (Some(now), Some(then)) = (workload(unit, service), workload(was, service)) else { continue };
            let (Some(image), Some(old_image)) = (image(&now.object, service), image(&then.object, service)) else {
                continue;
            };
            if image != old_image {
                continue;
            }
            for (argument, path) in &build.args {
                let (Some(value), Some(old)) = (value_at(unit, path), value_at(was, path)) else { continue };
                if value != old {
                    let field = pod_template(&now.object).map_or("spec", |template| template.path);
                    findings.push(finding(now, argument, &old, &value, &format!("{field}.containers")));
                }
            }
        }
    }
    findings
}

fn finding(desired: &Desired, argument: &str, old: &str, new: &str, field: &str) -> Finding {
    let name = desired.object.name();
    RULE.finding(format!("`{argument}` is built into the image of `{name}`, which stays the same"))
        .because(format!("what runs was built with `{old}`, and goes on using it instead of `{new}`"))
        .help(format!("rebuild `{name}` with the new value, and deliver its new tag"))
        .at(desired.spot_at(field))
}

/// The object as it was: on the cluster, or in the base revision.
fn earlier<'a>(subject: &Subject<'a>, desired: &Desired) -> Option<&'a Object> {
    let key = desired.key();
    let is_it = |other: &&Desired| other.key().without_version() == key.without_version();
    let base = subject.base.into_iter().flatten().flat_map(|unit| &unit.objects).find(is_it);
    base.map(|it| &it.object).or_else(|| subject.before.of(&key))
}

fn workload<'a>(unit: &'a DesiredUnit, service: &str) -> Option<&'a Desired> {
    unit.objects.iter().find(|it| it.object.name() == service && pod_template(&it.object).is_some())
}

/// The image of the container of a service's name, else of the first.
fn image(object: &Object, service: &str) -> Option<String> {
    let containers = pod_template(object)?.containers();
    let own = containers.iter().find(|container| container.name == service);
    own.or(containers.first()).map(|container| container.image().to_owned())
}

fn value_at(unit: &DesiredUnit, path: &str) -> Option<String> {
    unit.rendered.charts.iter().find_map(|chart| {
        let values = values_to_json(&chart.values);
        let value = path.split('.').try_fold(&values, |at, step| at.get(step))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)).filter(|_| !matches!(value, Value::Null))
    })
}
