use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::{Rendered, values_to_json};
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::value_at;
use crate::operated::walk;
use crate::pods::image_parts;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};
use crate::texts::{Text, actions, own_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF348",
    title: "images of one maker come from one registry",
    severity: Severity::Warning,
    why: "An image without a registry comes from Docker Hub. Where every other image of the same maker names one, the registry was \
          forgotten: the image is another one or none, and whoever chooses a mirror for all of them gets all but this.",
    advice: "Write the registry in front of it, as in front of the others.",
    check,
};

/// So many others of a maker's have to name a registry.
const OTHERS: usize = 2;

/// Docker Hub's names: there it makes no difference today.
const HUB: &[&str] = &["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Images of one maker: those that name a registry, by it, and those that do not.
#[derive(Default)]
struct Made<'s> {
    hosts: BTreeMap<&'s str, BTreeSet<&'s str>>,
    bare: BTreeMap<&'s str, (&'s Desired, String)>,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut makers: BTreeMap<(&str, &str), Made<'_>> = BTreeMap::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| !subject.is_borrowed(desired)) {
        for container in template.containers() {
            let (host, path) = image_parts(container.image());
            let Some((maker, _)) = path.split_once('/') else { continue };
            let made = makers.entry((&desired.unit, maker)).or_default();
            match host {
                Some(host) => drop(made.hosts.entry(host).or_default().insert(path)),
                None => drop(made.bare.entry(path).or_insert_with(|| (desired, format!("{}.image", container.path)))),
            }
        }
    }
    let mut findings = Vec::new();
    for ((_, maker), made) in &makers {
        let ([(path, (desired, field))], [(host, others)]) =
            (&*made.bare.iter().collect::<Vec<_>>(), &*made.hosts.iter().collect::<Vec<_>>())
        else {
            continue;
        };
        if others.len() < OTHERS {
            continue;
        }
        findings.push(
            RULE.finding(format!("image `{path}` names no registry, and all others of `{maker}` come from `{host}`"))
                .weighing(if HUB.contains(host) { Severity::Info } else { RULE.severity })
                .because(match HUB.contains(host) {
                    true => "a mirror that is chosen for the others does not have it",
                    false => "it is looked for on Docker Hub",
                })
                .help(format!("did you mean `{host}/{path}`?"))
                .at(desired.spot_at(field)),
        );
    }
    findings.extend(from_two(subject));
    for unit in subject.units {
        findings.extend(unit.rendered.charts.iter().filter_map(|it| in_templates(&unit.name, it)));
    }
    findings
}

/// The registry that an image is taken from where it names one, by whom, and in which field.
type Taken<'s> = (Option<&'s str>, &'s Desired, String);

/// One image that a release takes from a registry in one place and from none in another: a mirror that is chosen is not taken there.
fn from_two(subject: &Subject<'_>) -> Vec<Finding> {
    let mut known: BTreeMap<(&str, &str), Vec<Taken<'_>>> = BTreeMap::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| !subject.is_borrowed(desired)) {
        for container in template.containers() {
            let (host, path) = image_parts(container.image());
            let field = format!("{}.image", container.path);
            known.entry((&desired.unit, path)).or_default().push((host, desired, field));
        }
    }
    let mut findings = Vec::new();
    for ((_, path), places) in &known {
        let named =
            places.iter().find_map(|(host, by, _)| Some(((*host)?, by))).filter(|(host, _)| !HUB.contains(host));
        let (Some((host, by)), Some((_, desired, field))) = (named, places.iter().find(|(host, ..)| host.is_none()))
        else {
            continue;
        };
        let from = value_of(subject, &desired.unit, host).map(|value| format!(" (`{value}`)")).unwrap_or_default();
        let message = format!("image `{path}` comes from `{host}`{from} in one place and names no registry in another");
        findings.push(
            RULE.finding(message)
                .because(format!(
                    "{} `{}` looks for it on Docker Hub, {} `{}` does not",
                    desired.object.kind(),
                    desired.object.name(),
                    by.object.kind(),
                    by.object.name()
                ))
                .help(format!("did you mean `{host}/{path}`?"))
                .at(desired.spot_at(field)),
        );
    }
    findings
}

/// The path of the value that a registry is taken from: `image.registry`.
fn value_of(subject: &Subject<'_>, unit: &str, host: &str) -> Option<String> {
    let [rendered] = subject.unit(unit)?.rendered.charts.as_slice() else { return None };
    let mut found = None;
    walk(&values_to_json(&rendered.values), "", &mut |path, key, value| {
        if found.is_none() && key.to_ascii_lowercase().ends_with("registry") && value == host {
            found = Some(path.to_owned());
        }
        found.is_some()
    });
    found
}

/// So many other images have to be printed with the registry in front of their repository.
const PRINTED: usize = 3;

/// The one place where a template prints an image's repository without the value that all others write in front of theirs: what they come to
/// may be equal today, or not be rendered at all.
fn in_templates(unit: &str, rendered: &Rendered) -> Option<Finding> {
    let texts = own_texts(rendered);
    let printed: Vec<(&Text<'_>, Printed<'_>)> =
        texts.iter().flat_map(|text| images(&text.text).into_iter().map(move |image| (text, image))).collect();
    let (with, without): (Vec<_>, Vec<_>) = printed.into_iter().partition(|(_, image)| image.registry.is_some());
    let registries: BTreeSet<&str> = with.iter().filter_map(|(_, image)| image.registry).collect();
    // Who writes the registry into the repository has no use for another one.
    let names_none = |path: &str| {
        let value = value_at(&rendered.values, path);
        value.is_some_and(|it| it.as_str().and_then(|it| it.to_str()).is_some_and(|it| image_parts(it).0.is_none()))
    };
    let bare: Vec<_> = without.iter().filter(|(_, it)| names_none(it.repository)).collect();
    let ([registry], [(text, image)]) = (&*registries.into_iter().collect::<Vec<_>>(), &*bare) else { return None };
    let place = text.place(image.at);
    (with.len() >= PRINTED).then(|| {
        RULE.finding(format!("`.Values.{}` is printed without the `{registry}` of all other images", image.repository))
            .keyed(format!("{} {}", place.file, image.repository))
            .because("a mirror that is chosen for the others does not have it")
            .help(format!("write `{{{{ {registry} }}}}/` in front of it"))
            .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) })
    })
}

/// An image as a template prints it.
struct Printed<'t> {
    /// Where its first action begins.
    at: usize,
    /// What stands in front of the repository, with a slash between.
    registry: Option<&'t str>,
    /// The path of the repository's value: `web.image.repository`.
    repository: &'t str,
}

/// The images of a template whose repository is a value of their own part.
fn images(text: &str) -> Vec<Printed<'_>> {
    let all: Vec<_> = actions(text).collect();
    let mut found = Vec::new();
    for (at, action) in all.iter().enumerate() {
        let own = action.line;
        let ahead = text[own..action.start].trim_start().trim_start_matches("- ").trim_end_matches(['"', '\'']);
        if ahead.trim_end() != "image:" {
            continue;
        }
        let next = all.get(at + 1).filter(|next| text.get(action.end..next.start) == Some("/"));
        let (registry, printed) = next.map_or((None, action), |next| (Some(action.inner), next));
        found.extend(repository(printed.inner).map(|repository| Printed { at: action.start, registry, repository }));
    }
    found
}

/// The path of the value that an action prints, where it is a repository of a part's image.
fn repository(inner: &str) -> Option<&str> {
    let path = inner.trim_start_matches('$').strip_prefix(".Values.")?;
    (path.ends_with(".image.repository") && !path.contains([' ', '|', '('])).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_prints_an_image_with_a_registry_or_without() {
        let of = |text: &str| {
            images(text)
                .into_iter()
                .map(|it| (it.registry.map(str::to_owned), it.repository.to_owned()))
                .collect::<Vec<_>>()
        };
        let with = "  - image: \"{{ .Values.registry }}/{{ $.Values.web.image.repository }}:{{ .Values.tag }}\"\n";
        assert_eq!(of(with), [(Some(".Values.registry".to_owned()), "web.image.repository".to_owned())]);
        let without = "  image: {{ .Values.web.image.repository }}:{{ default .Values.tag .Values.web.image.tag }}\n";
        assert_eq!(of(without), [(None, "web.image.repository".to_owned())]);
        for other in ["image: {{ include \"web.image\" . }}\n", "x: {{ .Values.web.image.repository }}\n"] {
            assert_eq!(of(other), [], "{other}");
        }
    }
}
