mod new_claim;
mod scripts_of_root;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::unseen_settings::find;
use crate::pods::{Container, ContainerRole, PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF278",
    title: "what a program writes to, it may write to",
    severity: Severity::Warning,
    why: "Files on a volume belong to the user who wrote them, or to the pod's `fsGroup`. A program that runs as somebody else \
          after the change, or whose directory lies on a root that is read-only, ends with `permission denied`, or keeps \
          nothing of what it was to keep.",
    advice: "Keep user and group, or hand the files over first; mount a volume where the program writes.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let object = &desired.object;
        let before = subject
            .base
            .and_then(|base| find(base, object.group(), object.kind(), object.namespace(), object.name()))
            .and_then(pod_template);
        if let Some(before) = &before {
            findings.extend(handed_over(desired, &template, before));
        }
        // Where the data is there already, somebody has seen to it.
        if before.as_ref().is_none_or(|it| claims(it).is_empty()) {
            findings.extend(new_claim::without_group(subject, desired, &template));
        }
        findings.extend(scripts_of_root::of_pod(subject, desired, &template));
        for container in template.containers() {
            let old = before.as_ref().and_then(|it| it.containers().into_iter().find(|old| old.name == container.name));
            findings.extend(read_only_root(desired, &container));
            findings.extend(old.and_then(|old| read_only_now(desired, &template, &container, &old)));
        }
    }
    findings
}

/// A pod with data that runs under another user or group than at the base.
fn handed_over(desired: &Desired, template: &PodTemplate<'_>, before: &PodTemplate<'_>) -> Option<Finding> {
    if claims(template).is_empty() || claims(before).is_empty() || hands_over(template) {
        return None;
    }
    let (old, new) = (number(before.spec, "fsGroup"), number(template.spec, "fsGroup"));
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let at = format!("{}.securityContext", template.path);
    if let Some(group) = old.filter(|_| new.is_none()) {
        // Root may write wherever it is.
        if main(template).iter().all(|it| user(template, it) == Some(0)) {
            return None;
        }
        return Some(
            RULE.finding(format!("{kind} `{name}` has data and no fsGroup any more, which was {group}"))
                .because("a new volume belongs to root then, and what was written belongs to a group that nobody is in")
                .at(desired.spot_at(&at)),
        );
    }
    let earlier = main(before);
    let (was, is) = main(template).iter().find_map(|container| {
        let old = earlier.iter().find(|it| it.name == container.name)?;
        let (was, is) = (user(before, old)?, user(template, container)?);
        (was != is && is != 0).then_some((was, is))
    })?;
    if new.is_some() {
        return None;
    }
    Some(
        RULE.finding(format!("{kind} `{name}` has data of user {was} and runs as user {is}"))
            .because("without an fsGroup nobody hands the files over")
            .at(desired.spot_at(&at)),
    )
}

/// A number of the security of a pod or a container.
fn number(spec: &Value, field: &str) -> Option<i64> {
    spec.pointer(&format!("/securityContext/{field}")).and_then(Value::as_i64)
}

/// The user that a container runs as, where its pod says so.
fn user(template: &PodTemplate<'_>, container: &Container<'_>) -> Option<i64> {
    number(container.value, "runAsUser").or_else(|| number(template.spec, "runAsUser"))
}

/// What a container mounts.
fn mounts<'c>(container: &Container<'c>) -> &'c [Value] {
    container.value["volumeMounts"].as_array().map_or(&[], Vec::as_slice)
}

/// The containers that run as long as the pod.
fn main<'a>(template: &PodTemplate<'a>) -> Vec<Container<'a>> {
    template.containers().into_iter().filter(|it| it.role == ContainerRole::Main).collect()
}

/// Whether a container before the others sees to whose the files are.
fn hands_over(template: &PodTemplate<'_>) -> bool {
    let says = |list: &Value| {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|word| word.contains("chown") || word.contains("chmod"))
    };
    template
        .containers()
        .iter()
        .any(|it| it.role == ContainerRole::Init && (says(&it.value["command"]) || says(&it.value["args"])))
}

/// The volumes of a pod that outlive it.
fn claims<'a>(template: &PodTemplate<'a>) -> Vec<&'a str> {
    let own = template.owner.list_at("/spec/volumeClaimTemplates").iter();
    let own = own.filter_map(|claim| claim["metadata"]["name"].as_str());
    let volumes =
        template.volumes().iter().filter(|it| it.get("persistentVolumeClaim").is_some_and(|it| !it.is_null()));
    own.chain(volumes.filter_map(|volume| volume["name"].as_str())).collect()
}

/// A volume with data that a program could write to at the base and can only read now.
fn read_only_now(
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    old: &Container<'_>,
) -> Option<Finding> {
    let claims = claims(template);
    let before = mounts(old);
    let (at, mount) = mounts(container).iter().enumerate().find(|(_, mount)| {
        let was = before.iter().find(|it| it["mountPath"] == mount["mountPath"] && it["name"] == mount["name"]);
        let is_data = mount["name"].as_str().is_some_and(|name| claims.contains(&name));
        is_data && mount["readOnly"] == true && was.is_some_and(|was| was["readOnly"] != true)
    })?;
    let place = mount["mountPath"].as_str().unwrap_or_default();
    Some(
        RULE.finding(format!(
            "container `{}` can only read its data at `{place}`, which it could write to",
            container.name
        ))
        .because("whatever it writes there is refused")
        .at(desired.spot_at(&format!("{}.volumeMounts[{at}].readOnly", container.path))),
    )
}

/// Names of variables and options that say where a program writes, by how they end.
const WRITTEN: &[&str] = &[
    "tmpdir",
    "tempdir",
    "tmp",
    "temp",
    "datadir",
    "datapath",
    "cachedir",
    "cachepath",
    "logdir",
    "statedir",
    "storagedir",
    "storagepath",
    "spooldir",
    "uploaddir",
    "uploadsdir",
    "rundir",
    "pgdata",
];

/// A program on a read-only root that is told to write where nothing is mounted.
fn read_only_root(desired: &Desired, container: &Container<'_>) -> Option<Finding> {
    if container.value.pointer("/securityContext/readOnlyRootFilesystem") != Some(&Value::Bool(true)) {
        return None;
    }
    let covered = |path: &str| {
        let mounts = container.value["volumeMounts"].as_array().into_iter().flatten();
        let mut places =
            mounts.filter_map(|mount| mount["mountPath"].as_str()).map(|place| place.trim_end_matches('/'));
        places.any(|place| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let is_own = |path: &str| {
        path.len() > 1
            && path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
            && !["/dev", "/proc", "/sys"].iter().any(|place| path.starts_with(place))
    };
    let (name, path, field) = told(container).into_iter().find(|(name, path, _)| {
        let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        WRITTEN.iter().any(|end| bare == *end || (end.len() > 4 && bare.ends_with(end)))
            && is_own(path)
            && !covered(path)
    })?;
    Some(
        RULE.finding(format!(
            "container `{}` is to write to `{path}` (`{name}`), on a root that is read-only",
            container.name
        ))
        .because("nothing is mounted there, so whatever it writes is refused")
        .help("mount an emptyDir or a claim there, or leave `readOnlyRootFilesystem` out")
        .at(desired.spot_at(&field)),
    )
}

/// What variables and options say, each with its name and field.
fn told<'c>(container: &Container<'c>) -> Vec<(&'c str, &'c str, String)> {
    let mut found = Vec::new();
    for (at, name, variable) in container.env() {
        if let Some(text) = variable["value"].as_str() {
            found.push((name, text, format!("{}.env[{at}].value", container.path)));
        }
    }
    for list in ["command", "args"] {
        let words: Vec<&str> = container.value[list]
            .as_array()
            .into_iter()
            .flatten()
            .map(|word| word.as_str().unwrap_or_default())
            .collect();
        for (at, word) in words.iter().enumerate() {
            let field = format!("{}.{list}[{at}]", container.path);
            match word.split_once('=') {
                Some((name, text)) if name.starts_with('-') => found.push((name, text, field)),
                None if at > 0 && words[at - 1].starts_with('-') && !words[at - 1].contains('=') => {
                    found.push((words[at - 1], word, field));
                }
                _ => {}
            }
        }
    }
    found
}
