//! Containers that run before the others, and look for a volume where the others have it mounted, and they themselves do not.

use landfall_diag::Finding;
use serde_json::Value;

use crate::pods::{Container, ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::scripts::words;
use crate::subject::Desired;

pub(super) fn told(desired: &Desired, template: &PodTemplate<'_>, rule: &Rule) -> Option<Finding> {
    let containers = template.containers();
    let (before, after): (Vec<_>, Vec<_>) = containers.iter().partition(|it| it.role == ContainerRole::Init);
    before.into_iter().find_map(|first| {
        let words = words(first);
        if words.iter().any(|(_, word)| copies(word)) {
            return None;
        }
        let (volume, place, (field, _)) = mounts(first).find_map(|(volume, own)| {
            let (_, place) = after.iter().flat_map(|it| mounts(it)).find(|(other, place)| {
                let is_far = place.matches('/').count() > 1 && !is_below(place, own) && !is_below(own, place);
                *other == volume && is_far && !mounts(first).any(|(_, mounted)| is_below(place, mounted))
            })?;
            let says = |what: &str| words.iter().find(|(_, word)| names(word, what));
            let asked = says(place).filter(|_| says(own).is_none())?;
            Some((volume, place, asked.clone()))
        })?;
        let finding = rule
            .finding(format!(
                "container `{}` looks into `{place}`, where it has nothing mounted: the volume `{volume}` lies elsewhere there",
                first.name
            ))
            .because("what it is to prepare is not found, and it says nothing of that")
            .help(format!("mount `{volume}` at `{place}`, as the containers behind it do"));
        Some(finding.at(desired.spot_at(&format!("{}.{field}", first.path))))
    })
}

/// The volumes of a container, with where they are mounted; those of which a part is shown are left out.
fn mounts<'c>(container: &Container<'c>) -> impl Iterator<Item = (&'c str, &'c str)> + use<'c> {
    let all = container.value["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter(|mount| mount.get("subPath").is_none_or(Value::is_null))
        .filter_map(|mount| Some((mount["name"].as_str()?, mount["mountPath"].as_str()?.trim_end_matches('/'))))
}

/// Whether a text copies files: what it takes may be the image's own.
fn copies(text: &str) -> bool {
    let is_letter = |it: char| it.is_ascii_alphanumeric() || "._-/".contains(it);
    text.split(|it| !is_letter(it)).any(|word| ["cp", "mv", "rsync", "tar"].contains(&word))
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a text says a path, or one below it.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let is_letter = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
        let before = text[..at].chars().next_back();
        let behind = text[at + path.len()..].chars().next();
        !before.is_some_and(|it| is_letter(it) || "/}".contains(it)) && !behind.is_some_and(is_letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_copies_may_take_what_its_image_brings() {
        assert!(copies("cp -vnr /etc/agent /opt") && copies("set -e; mv /etc/agent/* /opt"));
        assert!(!copies("mkdir -p /data/cp") && !copies("test -d /srv/tar.d"));
    }

    #[test]
    fn a_path_is_named_as_a_whole() {
        assert!(names("if [ -d /var/lib/data/pg ]; then", "/var/lib/data"));
        assert!(names("ls \"/var/lib/data\"", "/var/lib/data"));
        for not in ["ls /var/lib/database", "ls /srv/var/lib/data", "ls $D/var/lib/data-old", "ls ${D}/var/lib/data"] {
            assert!(!names(not, "/var/lib/data"), "{not}");
        }
    }
}
