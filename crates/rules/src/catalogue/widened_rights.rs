use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::decoded::texts;
use crate::pods::{Container, PodTemplate, image_parts, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF124",
    title: "what a container may do agrees with itself and is never widened by the way",
    severity: Severity::Warning,
    why: "A container that must not run as root and is told to be user 0 never starts. A right that one release gives back \
          (root, privileges, a writable root) is seldom meant, and nobody notices: everything still works.",
    advice: "Keep the rights of the last release, or say in a waiver why the wider ones are needed.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let object = &desired.object;
        for container in template.containers() {
            if let Some(finding) = contradiction(desired, &template, &container) {
                findings.push(finding);
            }
            findings.extend(unwritable(subject, desired, &template, &container));
        }
        let based = subject.base.into_iter().flatten().flat_map(|unit| &unit.objects).map(|it| &it.object);
        let is_it = |other: &&Object| {
            other.group() == object.group()
                && other.kind() == object.kind()
                && other.namespace() == object.namespace()
                && other.name() == object.name()
        };
        let live = || subject.before.get(object.group(), object.kind(), object.namespace(), object.name());
        if let Some(before) = based.into_iter().find(is_it).or_else(live).and_then(pod_template) {
            findings.extend(widened(subject, desired, &before, &template));
        }
    }
    findings
}

/// A field of a container's security context, or of its pod's where the container has none.
fn right<'a>(template: &PodTemplate<'a>, container: &Container<'a>, field: &str) -> Option<&'a Value> {
    let of = |value: &'a Value| value.get("securityContext").and_then(|it| it.get(field)).filter(|it| !it.is_null());
    of(container.value).or_else(|| of(template.spec))
}

fn contradiction(desired: &Desired, template: &PodTemplate<'_>, container: &Container<'_>) -> Option<Finding> {
    let is = |field: &str, wanted: bool| right(template, container, field).and_then(Value::as_bool) == Some(wanted);
    let user = right(template, container, "runAsUser").and_then(Value::as_i64);
    let (what, because) = if is("runAsNonRoot", true) && user == Some(0) {
        ("must not run as root and is told to run as user 0", "the kubelet refuses to start it")
    } else if is("privileged", true) && is("allowPrivilegeEscalation", false) {
        ("is privileged and may not gain privileges", "the API refuses the pod")
    } else {
        return None;
    };
    Some(
        RULE.finding(format!("container `{}` {what}", container.name))
            .weighing(Severity::Error)
            .because(because)
            .help("drop one of the two")
            .at(desired.spot_at(&format!("{}.securityContext", container.path))),
    )
}

/// Directories that a server writes to when it starts.
struct Profile {
    /// The image's name without the registry, of an official one without `library/`. Others who build the same server lay
    /// it out otherwise.
    image: &'static str,
    /// What is written to: of each group of names for one place, one must be writable.
    writes: &'static [&'static [&'static str]],
}

const PROFILES: &[Profile] = &[
    Profile { image: "nginx", writes: &[&["/var/cache/nginx"], &["/var/run", "/run"]] },
    Profile { image: "nginxinc/nginx-unprivileged", writes: &[&["/tmp"]] },
    Profile {
        image: "keycloak/keycloak",
        writes: &[&["/opt/keycloak/data"], &["/opt/keycloak/lib/quarkus", "/opt/keycloak/lib"]],
    },
    Profile {
        image: "postgres",
        writes: &[&["/var/lib/postgresql/data", "/var/lib/postgresql"], &["/var/run/postgresql", "/var/run", "/run"]],
    },
    Profile { image: "mysql", writes: &[&["/var/lib/mysql"], &["/var/run/mysqld", "/var/run", "/run"], &["/tmp"]] },
    Profile {
        image: "mariadb",
        writes: &[&["/var/lib/mysql"], &["/var/run/mysqld", "/run/mysqld", "/var/run", "/run"], &["/tmp"]],
    },
    Profile { image: "rabbitmq", writes: &[&["/var/lib/rabbitmq"]] },
    Profile { image: "grafana/grafana", writes: &[&["/var/lib/grafana"]] },
    Profile { image: "prom/prometheus", writes: &[&["/prometheus", "/data"]] },
    Profile { image: "prometheus/prometheus", writes: &[&["/prometheus", "/data"]] },
];

/// Where a server is told to keep its data: the image, the place that it moves away from, and the variable or flag.
const MOVABLE: &[(&str, &str, &str)] = &[
    ("postgres", "/var/lib/postgresql/data", "PGDATA"),
    ("rabbitmq", "/var/lib/rabbitmq", "RABBITMQ_MNESIA_BASE"),
    ("grafana/grafana", "/var/lib/grafana", "GF_PATHS_DATA"),
    ("mysql", "/var/lib/mysql", "--datadir"),
    ("mariadb", "/var/lib/mysql", "--datadir"),
    ("prom/prometheus", "/prometheus", "--storage.tsdb.path"),
    ("prometheus/prometheus", "/prometheus", "--storage.tsdb.path"),
];

/// Where a container's data was moved to.
#[derive(Default)]
struct Moved<'a> {
    /// The new place, where it is written down.
    to: Option<&'a str>,
    /// What says so: a variable's or a flag's name.
    by: Option<&'static str>,
}

impl<'a> Moved<'a> {
    fn of(subject: &Subject<'a>, desired: &Desired, container: &Container<'a>) -> Self {
        let Some((_, _, by)) = MOVABLE.iter().find(|(image, _, _)| is_image(container.image(), image)) else {
            return Moved::default();
        };
        if by.starts_with('-') {
            let mut words = container.value["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let to = words.find_map(|word| word.strip_prefix(by)?.strip_prefix('='));
            return Moved { to, by: to.map(|_| *by) };
        }
        let variable = container.env().find(|(_, name, _)| name == by).map(|(_, _, variable)| variable);
        let to = variable.and_then(|variable| variable["value"].as_str());
        // A ConfigMap or Secret may hold it that is taken as a whole; of one from elsewhere nobody knows.
        let sources = container.value["envFrom"].as_array().into_iter().flatten();
        let taken = sources
            .filter_map(|source| source["configMapRef"]["name"].as_str().or(source["secretRef"]["name"].as_str()));
        let is_taken = taken.into_iter().any(|name| {
            let found = ["ConfigMap", "Secret"]
                .into_iter()
                .filter_map(|kind| subject.find("", kind, desired.object.namespace(), name));
            let mut found = found.peekable();
            found.peek().is_none() || found.any(|it| texts(it.object()).iter().any(|(key, _, _)| key == by))
        });
        Moved { to, by: (variable.is_some() || is_taken).then_some(*by) }
    }

    /// Whether a place of an image may be another one.
    fn may_move(&self, image: &str, place: &str) -> bool {
        let is_it = |(of, from, by): &(&str, &str, &str)| *of == image && *from == place && Some(*by) == self.by;
        MOVABLE.iter().any(is_it)
    }
}

/// Whether a reference names an image, wherever it was mirrored to.
fn is_image(reference: &str, wanted: &str) -> bool {
    let (_, path) = image_parts(reference);
    match wanted.contains('/') {
        true => path == wanted || path.ends_with(&format!("/{wanted}")),
        // An official one has no owner but `library`.
        false => path == wanted || path == format!("library/{wanted}") || path.ends_with(&format!("/library/{wanted}")),
    }
}

/// A read-only root file system under a server that writes to places that nothing is mounted at.
fn unwritable(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Vec<Finding> {
    if right(template, container, "readOnlyRootFilesystem").and_then(Value::as_bool) != Some(true) {
        return Vec::new();
    }
    let mounts: Vec<&Value> = container.value["volumeMounts"].as_array().into_iter().flatten().collect();
    let is_lasting_read_only = |mount: &Value| mount["readOnly"] == true;
    let writable = |place: &str| {
        mounts.iter().filter(|mount| !is_lasting_read_only(mount)).any(|mount| {
            let at = mount["mountPath"].as_str().unwrap_or_default().trim_end_matches('/');
            place == at || place.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let mut missing: Vec<&str> = Vec::new();
    let moved = Moved::of(subject, desired, container);
    let own_command = container.value["command"].as_array().is_some_and(|command| !command.is_empty());
    if let Some(profile) = PROFILES.iter().find(|profile| is_image(container.image(), profile.image) && !own_command) {
        let words = container.value["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let optimized = words.into_iter().any(|word| word == "--optimized");
        // A server may be told to write elsewhere: then its own places are mounted, or its arguments say so.
        let places = profile.writes.iter().filter(|places| !(optimized && places[0].contains("quarkus")));
        let places = places.filter(|places| !moved.may_move(profile.image, places[0]));
        missing.extend(places.filter(|places| !places.iter().any(|it| writable(it))).map(|places| places[0]));
    }
    // Where the data was moved to is written to instead.
    if let Some(place) = moved.to.filter(|place| !writable(place)) {
        missing.push(place);
    }
    let mounted =
        |place: &str| mounts.iter().any(|mount| mount["mountPath"].as_str().is_some_and(|at| at.starts_with(place)));
    // Whoever mounts a configuration for nginx runs nginx, whatever the image is called.
    let runs_nginx = mounted("/etc/nginx/");
    if runs_nginx
        && missing.is_empty()
        && !["/var/cache/nginx", "/var/run", "/run", "/tmp"].iter().any(|it| writable(it))
    {
        missing.push("/var/cache/nginx");
    }
    // The image's own start writes what it makes of the templates beside the rest of the configuration.
    if mounted("/etc/nginx/templates") && !writable("/etc/nginx/conf.d") {
        missing.push("/etc/nginx/conf.d");
    }
    missing
        .into_iter()
        .map(|place| {
            RULE.finding(format!(
                "container `{}` writes to `{place}`, and its root file system is read-only",
                container.name
            ))
            .keyed(format!("{} {} {place}", desired.object.name(), container.name))
            .because("it ends when it starts, as soon as it writes there")
            .help(format!("mount an emptyDir at {place}"))
            .at(desired.spot_at(&format!("{}.volumeMounts", container.path)))
        })
        .collect()
}

/// Rights that a container has now and had not before.
fn widened(subject: &Subject<'_>, desired: &Desired, before: &PodTemplate<'_>, now: &PodTemplate<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let old = before.containers();
    for container in now.containers() {
        let Some(was) = old.iter().find(|it| it.name == container.name) else { continue };
        for (right, what) in rights(now, &container) {
            if rights(before, was).iter().any(|(had, _)| *had == right)
                || is_mending(subject, desired, before, was, right)
            {
                continue;
            }
            findings.push(
                RULE.finding(format!("container `{}` {what}, which it was not before", container.name))
                    .keyed(format!("{} {right}", container.name))
                    .because("whoever breaks into it gets further than in the last release")
                    .at(desired.spot_at(&format!("{}.securityContext", container.path))),
            );
        }
    }
    findings
}

/// Whether a container could not start without the right: giving it back mends that.
fn is_mending(
    subject: &Subject<'_>,
    desired: &Desired,
    before: &PodTemplate<'_>,
    was: &Container<'_>,
    right: &str,
) -> bool {
    match right {
        "writable" => !unwritable(subject, desired, before, was).is_empty(),
        "root" | "escalation" => contradiction(desired, before, was).is_some(),
        _ => false,
    }
}

/// What a container may do beyond the least.
fn rights(template: &PodTemplate<'_>, container: &Container<'_>) -> Vec<(&'static str, &'static str)> {
    let flag = |field: &str| right(template, container, field).and_then(Value::as_bool);
    let drops = container.value.pointer("/securityContext/capabilities/drop").and_then(Value::as_array);
    let drops_all =
        drops.is_some_and(|drops| drops.iter().any(|it| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case("all"))));
    let adds = container.value.pointer("/securityContext/capabilities/add").and_then(Value::as_array);
    let adds = adds.is_some_and(|adds| !adds.is_empty());
    let host = |field: &str| template.spec.get(field).and_then(Value::as_bool) == Some(true);
    let user = right(template, container, "runAsUser").and_then(Value::as_i64);
    let may_be_root = flag("runAsNonRoot") != Some(true) && user.is_none_or(|user| user == 0);
    [
        (flag("privileged") == Some(true), ("privileged", "is privileged")),
        (may_be_root, ("root", "is allowed to run as root")),
        (flag("allowPrivilegeEscalation") != Some(false), ("escalation", "is allowed to gain privileges")),
        (flag("readOnlyRootFilesystem") != Some(true), ("writable", "is allowed to write to its root file system")),
        (!drops_all, ("capabilities", "is left the default capabilities")),
        (adds, ("added", "is given further capabilities")),
        (host("hostNetwork"), ("hostNetwork", "is in the node's network")),
        (host("hostPID"), ("hostPID", "is among the node's processes")),
        (host("hostIPC"), ("hostIPC", "is in the node's shared memory")),
    ]
    .into_iter()
    .filter_map(|(has, right)| has.then_some(right))
    .collect()
}
