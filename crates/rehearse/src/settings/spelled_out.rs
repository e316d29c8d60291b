//! Addresses that spell out a Service's name with the release's in it: nobody answers there once the release is called otherwise.

use std::collections::BTreeSet;

use landfall_chart::{Chart, values_to_json};
use landfall_delivery::{RenderedUnit, Unit};
use landfall_diag::{Place, Spot};
use landfall_object::Object;
use landfall_rules::calls::{Said, said};
use landfall_rules::{SettingFault, container_at, pod_template};

/// A Service that bears its release's name, and another one in a release of another name.
struct Renamed<'a> {
    name: &'a str,
    namespace: &'a str,
    /// What it is called in the other release.
    now: &'a str,
    ports: Vec<u64>,
}

/// The addresses of Services that are left in a release that is called otherwise, each with the Service's name.
pub(super) fn spelled_out(
    (unit, one): (&Unit, &RenderedUnit),
    (called, other): (&Unit, &RenderedUnit),
) -> Vec<(String, SettingFault)> {
    let services = renamed((unit, one), (called, other));
    let (mut seen, mut told) = (BTreeSet::new(), Vec::new());
    if services.is_empty() {
        return told;
    }
    for object in other.all_objects() {
        let template = pod_template(object);
        for text in said(object, template.as_ref()) {
            for service in &services {
                let Some(address) = address_in(&text.text, service).filter(|it| !seen.contains(it)) else { continue };
                let place = unit.chart().and_then(|chart| line_of(chart, service.name));
                // What somebody gives for one release is right for that one.
                if place.is_none() && is_given(unit, service.name) {
                    continue;
                }
                told.push((service.name.to_owned(), fault(object, &text, &address, service, place)));
                seen.insert(address);
            }
        }
    }
    told
}

fn fault(object: &Object, text: &Said, address: &str, service: &Renamed<'_>, place: Option<Place>) -> SettingFault {
    let container = container_at(object, &text.field).unwrap_or_default();
    SettingFault {
        words: format!("`{address}` is no Service of the release, which has `{}`", service.now),
        spot: Some(Spot::object(None, object.key()).container(container).field(&*text.field)),
        // What stands in values alone can be given otherwise.
        wants_more: place.is_none(),
        place,
    }
}

/// The Services that are called otherwise in another release, as far as it is seen what they are called there.
fn renamed<'a>((unit, one): (&Unit, &'a RenderedUnit), (called, other): (&Unit, &'a RenderedUnit)) -> Vec<Renamed<'a>> {
    let chart = unit.chart().map_or("", Chart::name);
    let (own, there) = (services(one), services(other));
    let of = |service: &&'a Object| {
        let (name, namespace) = (service.name(), service.namespace()?);
        let rest = name.strip_prefix(unit.name.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('-'))?;
        let mut here = there.iter().filter(|it| it.namespace() == Some(namespace));
        if here.clone().any(|it| it.name() == name) {
            return None;
        }
        let likely = [format!("{}{rest}", called.name), format!("{}-{chart}{rest}", called.name)];
        let now = here.find(|it| likely.iter().any(|name| name == it.name()))?;
        let open = ports(now);
        let ports = ports(service).into_iter().filter(|port| open.contains(port)).collect();
        Some(Renamed { name, namespace, now: now.name(), ports })
    };
    own.iter().filter_map(of).collect()
}

fn services(unit: &RenderedUnit) -> Vec<&Object> {
    unit.all_objects().filter(|it| it.group().is_empty() && it.kind() == "Service").collect()
}

/// The ports of a Service that are not taken for something else behind a colon.
fn ports(service: &Object) -> Vec<u64> {
    let ports = service.list_at("/spec/ports").iter().filter_map(|it| it["port"].as_u64());
    ports.filter(|port| *port >= 80).collect()
}

/// The first address of a Service in a text: `NAME:PORT`, or `NAME.NAMESPACE.svc`.
fn address_in(text: &str, service: &Renamed<'_>) -> Option<String> {
    let ports = service.ports.iter().map(|port| format!(":{port}"));
    let ends: Vec<String> = ports.chain([format!(".{}.svc", service.namespace)]).collect();
    let stands = |rest: &str, end: &str| rest.strip_prefix(end).is_some_and(|rest| !rest.starts_with(is_of_word));
    let mut found = text.lines().flat_map(|line| behind(line, service.name));
    let end = found.find_map(|rest| ends.iter().find(|end| stands(rest, end)))?;
    Some(format!("{}{end}", service.name))
}

/// What stands behind a name where that begins a word of a line, and is neither in a comment nor an image.
fn behind<'l>(line: &'l str, name: &str) -> Vec<&'l str> {
    let is_meant = |before: &str| {
        let is_begun = before.ends_with(|it: char| is_of_word(it) || it == '.');
        !is_begun && !is_remark(before) && !before.to_ascii_lowercase().contains("image")
    };
    let found = line.match_indices(name).filter(|(at, _)| is_meant(&line[..*at]));
    found.map(|(at, name)| &line[at + name.len()..]).collect()
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'
}

/// Whether what follows on a line is a comment.
fn is_remark(before: &str) -> bool {
    let start = before.trim_start();
    ["#", "// ", ";", "* ", "/*", "-- ", "<!--", "{{/*", "{{- /*"].iter().any(|mark| start.starts_with(mark))
        || [" #", " // "].iter().any(|mark| before.contains(mark))
}

/// The line of a template that begins an address with a name.
fn line_of(chart: &Chart, name: &str) -> Option<Place> {
    let spells = |line: &str| behind(line, name).iter().any(|rest| rest.starts_with([':', '.']));
    for part in chart.with_parts() {
        for file in part.templates.iter().filter(|it| !it.name.ends_with("NOTES.txt")) {
            let text = file.text();
            if let Some(at) = text.lines().position(spells) {
                let line = u32::try_from(at + 1).ok()?;
                return Some(Place::line(part.path_of(&file.name), line).source_from(&text));
            }
        }
    }
    None
}

/// Whether the values that are given on top of the chart's own hold a name.
fn is_given(unit: &Unit, name: &str) -> bool {
    let given = unit.charts().filter_map(|source| source.values.merge().ok());
    given.map(|values| values_to_json(&values).to_string()).any(|text| text.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_name_with_its_port_or_in_full() {
        let cache = Renamed { name: "shop-cache", namespace: "shop", now: "probe-cache", ports: vec![11211] };
        let seen = |text: &str| address_in(text, &cache);
        for address in ["a = [\n  \"shop-cache:11211\"\n]", "memcached://shop-cache:11211/", "--to=shop-cache:11211"] {
            assert_eq!(seen(address).as_deref(), Some("shop-cache:11211"), "{address}");
        }
        assert_eq!(seen("shop-cache.shop.svc.cluster.local").as_deref(), Some("shop-cache.shop.svc"));
        for none in [
            "shop-cache:112110",
            "shop-cache:80",
            "shop-cache",
            "my-shop-cache:11211",
            "x.shop-cache:11211",
            "shop-cache.other.svc",
            "# shop-cache:11211",
            "a: 1 # shop-cache:11211",
            "image: shop-cache:11211",
        ] {
            assert_eq!(seen(none), None, "{none}");
        }
    }
}
