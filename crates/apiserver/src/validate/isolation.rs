//! What keeps a pod apart from its node: users of its own, profiles, settings of the kernel, what Windows has and has not.

use landfall_object::FieldError;
use serde_json::Value;

use super::at::{At, Errors};

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// All containers, in the order in which the server visits them.
fn containers<'v>(spec: &At<'v>) -> impl Iterator<Item = At<'v>> {
    let all: Vec<At<'v>> = LISTS.iter().flat_map(|list| spec.get(list).items().collect::<Vec<_>>()).collect();
    all.into_iter()
}

/// Whether a pod's users are not the host's.
fn has_own_users(spec: &At<'_>) -> bool {
    *spec.get("hostUsers").value == Value::Bool(false)
}

/// `procMount` of a container: all of `/proc` is only for those whose root is nobody outside.
pub(super) fn proc_mount(errors: &mut Errors, mount: &At<'_>, spec: &At<'_>) {
    errors.one_of_if_set(mount, &["Default", "Unmasked"]);
    if mount.text() == "Unmasked" && !has_own_users(spec) {
        errors.invalid(mount, "`hostUsers` must be false to use `Unmasked`");
    }
}

/// An AppArmor profile (`ValidateAppArmorProfileField`).
pub(super) fn app_armor(errors: &mut Errors, profile: &At<'_>) {
    if !profile.is_set() {
        return;
    }
    let (kind, local) = (profile.get("type"), profile.get("localhostProfile"));
    match kind.text() {
        "Localhost" => {
            if local.is_empty() {
                errors.required(local.path, "must be set when AppArmor type is Localhost");
            } else if local.text().trim() != local.text() {
                errors.invalid(&local, "must not be padded with whitespace");
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if local.is_set() {
                errors.invalid(&local, "can only be set when AppArmor type is Localhost");
            }
        }
        "" => errors.required(kind.path, "type is required when appArmorProfile is set"),
        _ => errors.one_of_if_set(&kind, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}

const APP_ARMOR_OF: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Profiles in annotations, as they were set before there were fields: each must be one.
pub(super) fn annotations(errors: &mut Errors, annotations: &At<'_>, spec: &At<'_>) {
    let entries: Vec<(&str, At<'_>)> = annotations.entries().collect();
    for (key, value) in entries.iter().filter(|(key, _)| *key == SECCOMP || key.starts_with(SECCOMP_OF)) {
        let profile = value.text();
        let known = matches!(profile, "runtime/default" | "docker/default" | "unconfined");
        if !known && !profile.starts_with("localhost/") {
            // The server takes the key for a field here.
            let path = annotations.child(key);
            errors.push(FieldError::invalid(path, profile, "must be a valid seccomp profile"));
        }
    }
    for (key, value) in &entries {
        let Some(name) = key.strip_prefix(APP_ARMOR_OF) else { continue };
        if !containers(spec).any(|container| container.get("name").text() == name) {
            errors.push(FieldError::invalid(value.path.clone(), name, "container not found"));
        }
        let profile = value.text();
        if !matches!(profile, "" | "runtime/default" | "unconfined") && !profile.starts_with("localhost/") {
            errors.invalid(value, format!("invalid AppArmor profile name: {profile:?}"));
        }
    }
}

/// Where a new pod says the same by annotation and by field, it must be the same.
pub(super) fn annotations_match(errors: &mut Errors, annotations: &At<'_>, spec: &At<'_>) {
    let said = |key: &str| annotations.value.get(key).and_then(Value::as_str);
    let seccomp = spec.dig("securityContext.seccompProfile");
    if let (true, Some(said)) = (seccomp.is_set(), said(SECCOMP)) {
        same(errors, &seccomp, said, "seccomp", &["runtime/default", "docker/default"]);
    }
    for container in containers(spec) {
        let own = container.dig("securityContext.seccompProfile");
        if let (true, Some(said)) = (own.is_set(), said(&format!("{SECCOMP_OF}{}", container.get("name").text()))) {
            same(errors, &own, said, "seccomp", &["runtime/default", "docker/default"]);
        }
    }
    if spec.dig("os.name").text() == "windows" {
        return;
    }
    let of_pod = spec.dig("securityContext.appArmorProfile");
    for container in containers(spec) {
        let own = container.dig("securityContext.appArmorProfile");
        // What the container does not say, the pod says for it.
        let effective = At::new(if own.is_set() { own.value } else { of_pod.value }, own.path);
        if let (true, Some(said)) =
            (effective.is_set(), said(&format!("{APP_ARMOR_OF}{}", container.get("name").text())))
        {
            same(errors, &effective, said, "apparmor", &["runtime/default"]);
        }
    }
}

fn same(errors: &mut Errors, profile: &At<'_>, said: &str, what: &str, defaults: &[&str]) {
    let local = said.strip_prefix("localhost/");
    let is_type = match profile.get("type").text() {
        "Unconfined" => said == "unconfined",
        "RuntimeDefault" => defaults.contains(&said),
        "Localhost" => local.is_some(),
        _ => true,
    };
    if !is_type {
        errors.forbidden(profile.child("type"), format!("{what} type in annotation and field must match"));
    } else if profile.get("type").text() == "Localhost" && local != profile.get("localhostProfile").value.as_str() {
        let detail = format!("{what} profile in annotation and field must match");
        errors.forbidden(profile.child("localhostProfile"), detail);
    }
}

/// Settings of the kernel that belong to a pod's IPC namespace (`component-helpers/node/util/sysctl`).
const OF_IPC: [&str; 10] = [
    "kernel.sem",
    "kernel.shm",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.msg",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
];

/// `sysctls`: once each, and none of a namespace that the pod shares with its node.
pub(super) fn sysctls(errors: &mut Errors, spec: &At<'_>) {
    let mut seen = Vec::new();
    for sysctl in spec.dig("securityContext.sysctls").items() {
        let name = sysctl.get("name");
        if name.is_empty() {
            errors.required(name.path.clone(), "");
        } else if seen.contains(&name.text()) {
            errors.duplicate(&name);
        }
        let plain = name.text().replace('/', ".");
        let of_ipc = OF_IPC.contains(&plain.as_str()) || plain.starts_with("fs.mqueue.");
        if plain.starts_with("net.") && spec.get("hostNetwork").flag() {
            errors.invalid(&name, "may not be specified when 'hostNetwork' is true");
        } else if of_ipc && spec.get("hostIPC").flag() {
            errors.invalid(&name, "may not be specified when 'hostIPC' is true");
        }
        seen.push(name.text());
    }
}

/// A pod runs processes of the Windows host in all of its containers or in none (`validateWindowsHostProcessPod`).
pub(super) fn windows_process(errors: &mut Errors, spec: &At<'_>) {
    fn of<'v>(context: &At<'v>) -> At<'v> {
        context.dig("windowsOptions.hostProcess")
    }
    let of_pod = of(&spec.get("securityContext")).value.as_bool();
    let (mut all, mut host) = (0, 0);
    for container in containers(spec) {
        all += 1;
        let own = of(&container.get("securityContext"));
        let set = own.value.as_bool();
        if let (Some(pod), Some(set)) = (of_pod, set)
            && pod != set
        {
            errors.invalid(&own, format!("pod hostProcess value must be identical if both are specified, was {pod}"));
        }
        host += usize::from(set.or(of_pod) == Some(true));
    }
    if host == 0 {
        return;
    }
    if host != all {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(FieldError::invalid(spec.path.clone(), "", detail));
    }
    if !spec.get("hostNetwork").flag() {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(FieldError::invalid(spec.child("hostNetwork"), false, detail));
    }
}

/// Users of its own and namespaces of the host do not go together (`validateHostUsers`).
pub(super) fn own_users(errors: &mut Errors, spec: &At<'_>) {
    if !has_own_users(spec) {
        return;
    }
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec.get(field).flag() {
            errors.forbidden(spec.child(shown), "when `hostUsers` is false");
        }
    }
}

/// What a pod may not say when it names its operating system.
pub(super) fn system(errors: &mut Errors, spec: &At<'_>) {
    let os = spec.get("os");
    if !os.is_set() {
        return;
    }
    match os.get("name").text() {
        "" => errors.required(os.child("name"), ""),
        "linux" => {
            let contexts = std::iter::once(spec.get("securityContext"));
            for context in contexts.chain(containers(spec).map(|container| container.get("securityContext"))) {
                let options = context.get("windowsOptions");
                if options.is_set() {
                    errors.forbidden(options.path, "windows options cannot be set for a linux pod");
                }
            }
        }
        "windows" => windows(errors, spec),
        other => errors.push(FieldError::not_supported(os.path.clone(), other, &["linux", "windows"])),
    }
}

fn windows(errors: &mut Errors, spec: &At<'_>) {
    const ELSEWHERE: &str = "cannot be set for a windows pod";
    let context = spec.get("securityContext");
    let mut forbid = |at: At<'_>| {
        if at.is_set() && !at.value.as_array().is_some_and(Vec::is_empty) {
            errors.forbidden(at.path, ELSEWHERE);
        }
    };
    for field in ["appArmorProfile", "seLinuxOptions"] {
        forbid(context.get(field));
    }
    forbid(spec.get("hostUsers"));
    // These two are false where they are not set.
    for at in ["hostPID", "hostIPC"].map(|field| spec.get(field)).into_iter().filter(At::flag) {
        forbid(at);
    }
    for field in ["seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"] {
        forbid(context.get(field));
    }
    forbid(spec.get("shareProcessNamespace"));
    for field in ["runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy"] {
        forbid(context.get(field));
    }
    for container in containers(spec) {
        let context = container.get("securityContext");
        for field in [
            "appArmorProfile",
            "seLinuxOptions",
            "seccompProfile",
            "capabilities",
            "readOnlyRootFilesystem",
            "privileged",
            "allowPrivilegeEscalation",
            "procMount",
            "runAsUser",
            "runAsGroup",
        ] {
            forbid(context.get(field));
        }
    }
}
