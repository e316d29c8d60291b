//! A PostgreSQL whose data directory is the root of a volume, where `lost+found` may stand.

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::{RULE, image_name, words};
use crate::pods::{Container, PodTemplate};
use crate::subject::{Desired, Subject};

/// Images that keep their data as docker-library/postgres does.
const IMAGES: &[&str] = &["postgres", "postgis", "timescaledb"];

/// Where they keep it, before 18.
const DATA: &str = "/var/lib/postgresql/data";

/// Words in the class of a volume that has no file system of its own.
const SHARED: &[&str] = &["nfs", "efs", "ceph", "file", "host", "local", "smb", "gluster"];

pub(super) fn in_the_root(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Option<Finding> {
    if !IMAGES.contains(&image_name(container.image())) || is_told(container) || is_tidied(template) {
        return None;
    }
    let mounts = container.value["volumeMounts"].as_array()?;
    let at = mounts.iter().position(is_of_data)?;
    let volume = mounts[at]["name"].as_str()?;
    is_its_own(subject, desired, template, volume).then(|| {
        RULE.finding(format!(
            "`{DATA}` of container `{}` is the root of a volume: `initdb` refuses a directory with `lost+found` in it",
            container.name
        ))
        .weighing(Severity::Info)
        .keyed(format!("{} {} root", desired.object.name(), container.name))
        .because("the root of a volume with a file system of its own has one, and the server never starts")
        .help("mount a directory of the volume (`subPath: data`), or set PGDATA to one below it")
        .at(desired.spot_at(&format!("{}.volumeMounts[{at}]", container.path)))
    })
}

/// Whether it may keep its data elsewhere: it is told so, is of 18 or later, or is another program.
fn is_told(container: &Container<'_>) -> bool {
    let tag = container.image().split('@').next().and_then(|image| image.rsplit_once(':'));
    let digits: String = tag.map_or("", |(_, tag)| tag).chars().take_while(char::is_ascii_digit).collect();
    let is_newer = digits.parse::<u32>().is_ok_and(|major| major >= 18);
    let has = |list: &str| container.value[list].as_array().is_some_and(|list| !list.is_empty());
    let is_said = |word: &String| word == "-D" || word.contains("PGDATA") || word.contains("data_directory");
    is_newer
        || has("command")
        || has("envFrom")
        || container.env().any(|(_, name, _)| name == "PGDATA")
        || words(container).iter().any(is_said)
}

/// Whether somebody of the pod takes care of what stands in the volume.
fn is_tidied(template: &PodTemplate<'_>) -> bool {
    template.containers().iter().any(|it| words(it).iter().any(|word| word.contains("lost+found")))
}

fn is_of_data(mount: &Value) -> bool {
    let is_there = mount["mountPath"].as_str().is_some_and(|path| path.trim_end_matches('/') == DATA);
    let is_below = |field: &str| mount[field].as_str().is_some_and(|path| !path.is_empty());
    is_there && !is_below("subPath") && !is_below("subPathExpr")
}

/// Whether a volume of a pod is made for a claim that is delivered, and is nobody else's.
fn is_its_own(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>, volume: &str) -> bool {
    let own = desired.object.list_at("/spec/volumeClaimTemplates");
    if let Some(claim) = own.iter().find(|it| it["metadata"]["name"] == volume) {
        return has_own_file_system(&claim["spec"]);
    }
    let mut named = template.volumes().iter().filter(|it| it["name"] == volume);
    let name = named.find_map(|it| it.pointer("/persistentVolumeClaim/claimName")?.as_str());
    name.and_then(|name| subject.desired("", "PersistentVolumeClaim", desired.object.namespace(), name))
        .is_some_and(|claim| has_own_file_system(claim.object.at("/spec").unwrap_or(&Value::Null)))
}

/// Whether a volume is made for a claim, with a file system that nobody shares.
fn has_own_file_system(claim: &Value) -> bool {
    let is_shared = claim["accessModes"].as_array().into_iter().flatten().any(|it| it == "ReadWriteMany");
    let is_chosen = ["volumeName", "selector"].iter().any(|field| claim.get(*field).is_some_and(|it| !it.is_null()));
    let class = claim["storageClassName"].as_str().unwrap_or_default().to_ascii_lowercase();
    !is_shared && !is_chosen && !SHARED.iter().any(|word| class.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_stands_in_the_root_where_no_directory_is_named() {
        assert!(is_of_data(&json!({"mountPath": "/var/lib/postgresql/data/", "subPath": ""})));
        assert!(!is_of_data(&json!({"mountPath": "/var/lib/postgresql/data", "subPath": "data"})));
        assert!(!is_of_data(&json!({"mountPath": "/var/lib/postgresql"})));
    }

    #[test]
    fn what_many_share_has_no_file_system_of_its_own() {
        assert!(has_own_file_system(&json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3"})));
        assert!(!has_own_file_system(&json!({"accessModes": ["ReadWriteMany"]})));
        assert!(!has_own_file_system(&json!({"storageClassName": "efs-sc"})));
        assert!(!has_own_file_system(&json!({"volumeName": "data"})));
    }
}
