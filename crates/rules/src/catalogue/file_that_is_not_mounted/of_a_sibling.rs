//! Files that settings name and that only a sibling's pod has.

use landfall_diag::Finding;

use super::{Files, RULE, files, has_path, is_whole, mounts};
use crate::decoded::texts;
use crate::pods::{Container, PodTemplate, image_parts};
use crate::scripts::{mount_of, volume_of};
use crate::subject::{Desired, Subject};

/// Where images have files of their own, whatever is mounted.
const OF_IMAGES: &[&str] = &["/etc/ssl/", "/etc/pki/", "/usr/", "/var/run/secrets/", "/run/secrets/"];

/// A text of a ConfigMap that a container mounts.
struct Settings<'a> {
    /// The ConfigMap.
    map: &'a Desired,
    field: String,
    text: String,
}

/// Files that the settings of a pod's containers name, with nothing mounted there, while another pod of the same image mounts
/// just that file in that place.
pub(super) fn only_a_sibling_has(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for container in template.containers() {
        let siblings = subject.pods().filter(|(it, other)| {
            it.unit == desired.unit
                && it.object.namespace() == desired.object.namespace()
                && it.key() != desired.key()
                && runs(other, container.image())
        });
        let mut siblings = siblings.peekable();
        if siblings.peek().is_none() {
            continue;
        }
        let settings = settings_of(subject, desired, template, &container);
        if settings.is_empty() {
            continue;
        }
        let told = siblings.find_map(|(sibling, other)| {
            let own = settings.iter().filter(|it| !other.has_config_map(it.map.object.name()));
            let own: Vec<&Settings<'_>> = own.collect();
            lacking(subject, sibling, &other, template, &own)
        });
        let Some(Lacking { path, place, source, sibling, settings }) = told else { continue };
        findings.push(
            RULE.finding(format!(
                "the settings of container `{}` name `{path}`, and nothing is mounted at `{place}`",
                container.name
            ))
            .because(format!(
                "only {} `{}` of the same image mounts {source} there",
                sibling.object.kind(),
                sibling.object.name()
            ))
            .help(format!("mount it at `{place}` here, too"))
            .at(desired.spot_at(&format!("{}.volumeMounts", container.path)))
            .at(settings.map.spot_at(&settings.field)),
        );
    }
    findings
}

/// The settings that a container mounts, as far as they are delivered and are no scripts: those may ask first what is there.
fn settings_of<'a>(
    subject: &Subject<'a>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Vec<Settings<'a>> {
    let mut found = Vec::new();
    for (_, mount) in mounts(container) {
        let Some(of) = volume_of(template, mount).map(|volume| &volume["configMap"]) else { continue };
        let Some(name) = of["name"].as_str() else { continue };
        let Some(map) = subject.desired("", "ConfigMap", desired.object.namespace(), name) else { continue };
        let items = of["items"].as_array().filter(|items| !items.is_empty());
        let part = mount["subPath"].as_str().map(|it| it.trim_matches('/')).filter(|it| !it.is_empty());
        for (key, text, field) in texts(&map.object) {
            let is_seen = match items {
                Some(items) => items.iter().any(|it| it["key"] == key),
                None => part.is_none_or(|part| part == key),
            };
            if is_seen && !key.ends_with(".sh") && !text.starts_with("#!") {
                found.push(Settings { map, field, text });
            }
        }
    }
    found
}

/// Whether a pod runs an image, in whatever version.
fn runs(template: &PodTemplate<'_>, image: &str) -> bool {
    let (_, wanted) = image_parts(image);
    !wanted.is_empty() && template.containers().iter().any(|it| image_parts(it.image()).1 == wanted)
}

/// A file that only the sibling has.
struct Lacking<'a, 's> {
    path: String,
    place: String,
    source: String,
    sibling: &'a Desired,
    /// What names it.
    settings: &'s Settings<'s>,
}

/// The first file that a sibling mounts and that is named where no container of the pod itself mounts anything.
fn lacking<'a, 's>(
    subject: &Subject<'_>,
    sibling: &'a Desired,
    other: &PodTemplate<'_>,
    own: &PodTemplate<'_>,
    settings: &[&'s Settings<'s>],
) -> Option<Lacking<'a, 's>> {
    if settings.is_empty() {
        return None;
    }
    let is_mounted = |path: &str| own.containers().iter().any(|it| mount_of(it, path).is_some());
    for container in other.containers() {
        for (_, mount) in mounts(&container).filter(|(_, mount)| is_whole(mount)) {
            let Some(place) = mount["mountPath"].as_str().map(|it| it.trim_end_matches('/')) else { continue };
            let Some(volume) = volume_of(other, mount) else { continue };
            let Some(Files { source, files, .. }) = files(subject, &sibling.object, volume) else { continue };
            let named = files.iter().map(|file| format!("{place}/{file}")).find_map(|path| {
                let names = |it: &&&'s Settings<'s>| is_named(&it.text, &path) && !is_mounted(&path);
                let is_of_image = OF_IMAGES.iter().any(|it| path.starts_with(it));
                let settings = settings.iter().find(names).filter(|_| !is_of_image)?;
                Some((path, *settings))
            });
            if let Some((path, settings)) = named {
                return Some(Lacking { path, place: place.to_owned(), source, sibling, settings });
            }
        }
    }
    None
}

/// Whether settings name a path, in a line that is no comment.
fn is_named(settings: &str, path: &str) -> bool {
    let is_comment = |line: &str| line.trim_start().starts_with(['#', ';']) || line.trim_start().starts_with("//");
    settings.contains(path) && settings.lines().any(|line| !is_comment(line) && has_path(line, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_as_a_word_of_its_own_and_not_in_a_comment() {
        for text in ["tls:\n  cert_file: /etc/x/tls.crt\n", "{\"cert\":\"/etc/x/tls.crt\"}", "cert=/etc/x/tls.crt;"] {
            assert!(is_named(text, "/etc/x/tls.crt"), "{text}");
        }
        for text in ["# /etc/x/tls.crt", "a: /etc/x/tls.crt.old", "a: /srv/etc/x/tls.crt", "; a = /etc/x/tls.crt"] {
            assert!(!is_named(text, "/etc/x/tls.crt"), "{text}");
        }
    }
}
