mod api_groups;
mod capabilities;
mod of_an_owner;
mod pod_logs;
mod private_networks;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use self::api_groups::api_groups;
use self::capabilities::capabilities;
use self::of_an_owner::of_an_owner;
use self::pod_logs::pod_logs;
use self::private_networks::private_networks;
use super::command_that_is_no_program::COMMANDS;
use super::unseen_settings::find;
use crate::pods::{Container, PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF288",
    title: "names that everybody knows are written as everybody writes them",
    severity: Severity::Warning,
    why: "Classes, labels of nodes, registries, programs and the variables of known servers are plain words to the API. One letter \
          wrong, and no node takes the pod, no image comes, the program is not found, or a server starts without its password.",
    advice: "Write the name as it is known, letter by letter.",
    check,
};

/// The classes that every cluster has.
const PRIORITIES: &[&str] = &["system-cluster-critical", "system-node-critical"];

/// The classes that the common controllers are installed with.
const INGRESSES: &[&str] = &[
    "nginx",
    "traefik",
    "haproxy",
    "contour",
    "istio",
    "cilium",
    "openshift-default",
    "azure-application-gateway",
    "webapprouting.kubernetes.azure.com",
];

/// Where the class stood before it had a field.
const CLASS: &str = "kubernetes.io/ingress.class";

/// Labels that the kubelet and the clouds give to nodes.
const NODE_LABELS: &[&str] = &[
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/role",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "node.kubernetes.io/exclude-from-external-load-balancers",
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/worker",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
];

/// What those labels may say, where that is a closed list.
const OS: &[&str] = &["linux", "windows"];
const ARCH: &[&str] = &["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];
/// What other tools call the same processors.
const ALSO: &[(&str, &str)] =
    &[("x86_64", "amd64"), ("x86-64", "amd64"), ("x64", "amd64"), ("aarch64", "arm64"), ("armv7", "arm")];

/// Registries that many charts pull from.
const REGISTRIES: &[&str] = &[
    "docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "lscr.io",
    "nvcr.io",
    "registry.k8s.io",
    "k8s.gcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "docker.elastic.co",
    "registry.gitlab.com",
    "registry-1.docker.io",
    "cr.fluentbit.io",
    "registry.access.redhat.com",
];

/// Programs that commands begin with.
const PROGRAMS: &[&str] = &[
    "sh",
    "ash",
    "bash",
    "python",
    "python3",
    "node",
    "java",
    "ruby",
    "php",
    "perl",
    "nginx",
    "sleep",
    "echo",
    "curl",
    "wget",
    "cat",
    "test",
    "psql",
    "mysql",
    "mongo",
    "mongosh",
    "pg_isready",
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "pg_basebackup",
    "mysqladmin",
    "mysqldump",
    "mongodump",
    "redis-cli",
    "redis-server",
    "rabbitmqctl",
    "rabbitmq-diagnostics",
    "memcached",
    "gunicorn",
    "uvicorn",
    "celery",
];

/// The variables that known servers read, by a part of the image's own name.
const VARIABLES: &[(&str, &[&str])] = &[
    (
        "postgres",
        &[
            "POSTGRES_PASSWORD",
            "POSTGRES_PASSWORD_FILE",
            "POSTGRES_USER",
            "POSTGRES_USER_FILE",
            "POSTGRES_DB",
            "POSTGRES_DB_FILE",
            "POSTGRES_INITDB_ARGS",
            "POSTGRES_INITDB_WALDIR",
            "POSTGRES_HOST_AUTH_METHOD",
            "PGDATA",
            "PGUSER",
            "PGPASSWORD",
            "PGDATABASE",
            "PGPORT",
            "PGHOST",
        ],
    ),
    (
        "mysql",
        &[
            "MYSQL_ROOT_PASSWORD",
            "MYSQL_ROOT_PASSWORD_FILE",
            "MYSQL_PASSWORD",
            "MYSQL_PASSWORD_FILE",
            "MYSQL_USER",
            "MYSQL_USER_FILE",
            "MYSQL_DATABASE",
            "MYSQL_DATABASE_FILE",
            "MYSQL_ROOT_HOST",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "MYSQL_RANDOM_ROOT_PASSWORD",
            "MYSQL_ONETIME_PASSWORD",
        ],
    ),
    (
        "mariadb",
        &[
            "MARIADB_ROOT_PASSWORD",
            "MARIADB_ROOT_PASSWORD_FILE",
            "MARIADB_PASSWORD",
            "MARIADB_PASSWORD_FILE",
            "MARIADB_USER",
            "MARIADB_USER_FILE",
            "MARIADB_DATABASE",
            "MARIADB_DATABASE_FILE",
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
            "MARIADB_RANDOM_ROOT_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
            "MYSQL_ROOT_PASSWORD_FILE",
            "MYSQL_PASSWORD",
            "MYSQL_PASSWORD_FILE",
            "MYSQL_USER",
            "MYSQL_USER_FILE",
            "MYSQL_DATABASE",
            "MYSQL_DATABASE_FILE",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "MYSQL_RANDOM_ROOT_PASSWORD",
        ],
    ),
    (
        "mongo",
        &[
            "MONGO_INITDB_ROOT_USERNAME",
            "MONGO_INITDB_ROOT_USERNAME_FILE",
            "MONGO_INITDB_ROOT_PASSWORD",
            "MONGO_INITDB_ROOT_PASSWORD_FILE",
            "MONGO_INITDB_DATABASE",
        ],
    ),
    (
        "rabbitmq",
        &[
            "RABBITMQ_DEFAULT_USER",
            "RABBITMQ_DEFAULT_PASS",
            "RABBITMQ_DEFAULT_VHOST",
            "RABBITMQ_ERLANG_COOKIE",
            "RABBITMQ_NODENAME",
            "RABBITMQ_MNESIA_BASE",
        ],
    ),
    (
        "grafana",
        &[
            "GF_SECURITY_ADMIN_USER",
            "GF_SECURITY_ADMIN_PASSWORD",
            "GF_PATHS_DATA",
            "GF_PATHS_LOGS",
            "GF_PATHS_PLUGINS",
            "GF_PATHS_PROVISIONING",
        ],
    ),
    ("minio", &["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_ROOT_USER_FILE", "MINIO_ROOT_PASSWORD_FILE"]),
    (
        "wordpress",
        &[
            "WORDPRESS_DB_HOST",
            "WORDPRESS_DB_USER",
            "WORDPRESS_DB_PASSWORD",
            "WORDPRESS_DB_NAME",
            "WORDPRESS_TABLE_PREFIX",
            "WORDPRESS_DEBUG",
        ],
    ),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        findings.extend(scheduled(desired, &template));
        let object = &desired.object;
        let old = subject
            .base
            .and_then(|base| find(base, object.group(), object.kind(), object.namespace(), object.name()))
            .and_then(pod_template);
        for container in template.containers() {
            findings.extend(image(desired, &container));
            findings.extend(ownerless(desired, &container, old.as_ref()));
            findings.extend(programs(desired, &container, old.as_ref()));
            findings.extend(variables(desired, &container));
            findings.extend(of_an_owner(desired, &container));
            findings.extend(in_memory(desired, &container));
            findings.extend(capabilities(desired, &container));
        }
    }
    findings.extend(api_groups(subject));
    for desired in subject.objects() {
        findings.extend(private_networks(desired));
        findings.extend(pod_logs(desired));
    }
    for ingress in subject.of_kind("networking.k8s.io", "Ingress") {
        let (class, field) = match ingress.object.str_at("/spec/ingressClassName") {
            Some(class) => (class, "spec.ingressClassName"),
            None => (
                ingress.object.annotation(CLASS).unwrap_or_default(),
                "metadata.annotations[kubernetes.io/ingress.class]",
            ),
        };
        let own = subject.after("networking.k8s.io", "IngressClass").any(|it| it.object().name() == class);
        if let Some(meant) = slip(class, INGRESSES).filter(|_| !own) {
            findings.push(told(ingress, "the class", class, meant, "no controller takes the Ingress up", field));
        }
    }
    findings
}

/// What a pod asks of nodes and of the scheduler.
fn scheduled(desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (spec, path) = (template.spec, template.path);
    let nowhere = "no node takes the pod";
    let class = spec["priorityClassName"].as_str().unwrap_or_default();
    if let Some(meant) = slip(class, PRIORITIES) {
        findings.push(told(
            desired,
            "the class",
            class,
            meant,
            "the API refuses the pod",
            &format!("{path}.priorityClassName"),
        ));
    }
    for (label, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        let field = format!("{path}.nodeSelector[{label}]");
        if let Some(meant) = node_label(label) {
            findings.push(told(desired, "the label of nodes", label, meant, nowhere, &field));
        } else if let Some((value, meant)) = value.as_str().and_then(|value| Some((value, node_value(label, value)?))) {
            findings.push(told(desired, "a node's label", value, &meant, nowhere, &field));
        }
    }
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let mut asked = Vec::new();
    let terms = format!("/affinity/nodeAffinity/{required}/nodeSelectorTerms");
    for (at, term) in spec.pointer(&terms).and_then(Value::as_array).into_iter().flatten().enumerate() {
        asked.push((term, format!("{path}.affinity.nodeAffinity.{required}.nodeSelectorTerms[{at}]")));
    }
    for (at, term) in spec
        .pointer(&format!("/affinity/nodeAffinity/{preferred}"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        asked.push((&term["preference"], format!("{path}.affinity.nodeAffinity.{preferred}[{at}].preference")));
    }
    for (term, field) in asked {
        for (at, wanted) in term["matchExpressions"].as_array().into_iter().flatten().enumerate() {
            let key = wanted["key"].as_str().unwrap_or_default();
            let field = format!("{field}.matchExpressions[{at}]");
            if let Some(meant) = node_label(key) {
                findings.push(told(desired, "the label of nodes", key, meant, nowhere, &format!("{field}.key")));
            }
            let values: Vec<&str> =
                wanted["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            // One of several is for the nodes of another time.
            if let (Some("In"), [value]) = (wanted["operator"].as_str(), values.as_slice())
                && let Some(meant) = node_value(key, value)
            {
                findings.push(told(desired, "a node's label", value, &meant, nowhere, &format!("{field}.values[0]")));
            }
        }
    }
    for pointer in ["podAffinity", "podAntiAffinity"] {
        for (list, term) in [(required, None), (preferred, Some("podAffinityTerm"))] {
            for (at, entry) in spec
                .pointer(&format!("/affinity/{pointer}/{list}"))
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .enumerate()
            {
                let key = &term.map_or(entry, |term| &entry[term])["topologyKey"];
                let step = term.map(|term| format!(".{term}")).unwrap_or_default();
                if let Some((key, meant)) = key.as_str().and_then(|key| Some((key, node_label(key)?))) {
                    let field = format!("{path}.affinity.{pointer}.{list}[{at}]{step}.topologyKey");
                    findings.push(told(desired, "the label of nodes", key, meant, "no two nodes differ in it", &field));
                }
            }
        }
    }
    for (at, constraint) in spec["topologySpreadConstraints"].as_array().into_iter().flatten().enumerate() {
        if let Some((key, meant)) = constraint["topologyKey"].as_str().and_then(|key| Some((key, node_label(key)?))) {
            let field = format!("{path}.topologySpreadConstraints[{at}].topologyKey");
            findings.push(told(desired, "the label of nodes", key, meant, "no two nodes differ in it", &field));
        }
    }
    findings
}

/// The label of nodes that was meant by another one of the same domain.
fn node_label(label: &str) -> Option<&'static str> {
    let (domain, _) = label.split_once('/')?;
    if !domain.ends_with("kubernetes.io") || NODE_LABELS.contains(&label) {
        return None;
    }
    slip(label, NODE_LABELS)
}

/// What was meant by a value that the label has on no node.
fn node_value(label: &str, value: &str) -> Option<String> {
    let known = match label.rsplit_once('/')? {
        ("kubernetes.io" | "beta.kubernetes.io", "os") => OS,
        ("kubernetes.io" | "beta.kubernetes.io", "arch") => ARCH,
        _ => return None,
    };
    if known.contains(&value) || value.is_empty() {
        return None;
    }
    let other = ALSO.iter().find(|(also, _)| *also == value.to_lowercase()).map(|(_, meant)| *meant);
    Some(other.or_else(|| landfall_diag::nearest(value, known.iter().copied())).unwrap_or(known[0]).to_owned())
}

fn image(desired: &Desired, container: &Container<'_>) -> Option<Finding> {
    let (host, rest) = container.image().split_once('/')?;
    if host.contains('.') && rest.split_once('/').is_some_and(|(next, _)| next == host) {
        let field = format!("{}.image", container.path);
        let twice = format!("{host}/{host}");
        return Some(told(
            desired,
            "the registry",
            &twice,
            host,
            "the registry has nothing below its own name",
            &field,
        ));
    }
    let meant = slip(host, REGISTRIES).filter(|_| host.contains('.'))?;
    let field = format!("{}.image", container.path);
    Some(told(desired, "the registry", host, meant, "no image comes from there, or somebody else's does", &field))
}

/// An image that was somebody's at the base, and bears the same name and tag without its owner now.
fn ownerless(desired: &Desired, container: &Container<'_>, old: Option<&PodTemplate<'_>>) -> Option<Finding> {
    let before = old?.containers().into_iter().find(|it| it.name == container.name)?;
    let (now, was) = (container.image(), before.image());
    let is_bare = !now.is_empty() && !now.contains('/');
    (is_bare && was.rsplit_once('/').is_some_and(|(_, last)| last == now)).then(|| {
        let field = format!("{}.image", container.path);
        let effect = "without an owner it is one of Docker's own images, if there is one";
        told(desired, "the image", now, was, effect, &field)
    })
}

/// SQLite's name of a database that is no file.
// ORIGIN: sqlite.org/inmemorydb.html.
const MEMORY: &str = ":memory:";

/// A database of SQLite's that is meant to be in memory, and is a file: `sqlite:///:memory`.
fn in_memory(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let mut written: Vec<(String, &str)> = Vec::new();
    for list in ["command", "args"] {
        let words = container.value[list].as_array().into_iter().flatten().enumerate();
        written.extend(words.filter_map(|(at, it)| Some((format!("{}.{list}[{at}]", container.path), it.as_str()?))));
    }
    let variables = container.env();
    written.extend(
        variables
            .filter_map(|(at, _, it)| Some((format!("{}.env[{at}].value", container.path), it["value"].as_str()?))),
    );
    let is_file = |text: &str| {
        let rest = text.split_once("sqlite").and_then(|(_, rest)| rest.split_once(":memory")).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '"', '\'', ' ', '\n', ';']))
    };
    let effect =
        "SQLite makes a file of that name, where it may not be able to write, and which goes with the container";
    written
        .into_iter()
        .filter(|(_, text)| is_file(text))
        .map(|(field, _)| told(desired, "the database", ":memory", MEMORY, effect, &field))
        .collect()
}

/// Programs that a command or a probe begins with.
fn programs(desired: &Desired, container: &Container<'_>, old: Option<&PodTemplate<'_>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let before = old.and_then(|old| old.containers().into_iter().find(|it| it.name == container.name));
    for (field, pointer) in COMMANDS {
        let Some(command) = container.value.pointer(pointer).and_then(Value::as_array) else { continue };
        let was: Vec<&str> = before
            .as_ref()
            .and_then(|it| it.value.pointer(pointer))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (at, text) in command.iter().enumerate().filter_map(|(at, word)| Some((at, word.as_str()?))) {
            for word in begun(text, at) {
                let program = word.rsplit('/').next().unwrap_or_default();
                let is_system = !word.contains('/')
                    || ["/bin/", "/usr/bin/", "/usr/local/bin/"]
                        .iter()
                        .any(|it| word.strip_suffix(program) == Some(*it));
                let Some(meant) = misspelt(program).filter(|_| is_system) else { continue };
                // A short word is another one soon: that it was the known one says that it is meant.
                let was_it =
                    was.get(at).is_some_and(|old| begun(old, at).any(|it| it.rsplit('/').next() == Some(meant)));
                if program.len() >= LONG || was_it {
                    let field = format!("{}.{field}[{at}]", container.path);
                    findings.push(told(
                        desired,
                        "the program",
                        program,
                        meant,
                        "the container has no such program",
                        &field,
                    ));
                }
            }
        }
    }
    findings
}

/// From so many letters on a program's name is no other one's by chance.
const LONG: usize = 7;

/// The words of a part of a command that programs stand in: the first, and in what a shell reads each that begins a step.
fn begun(text: &str, at: usize) -> impl Iterator<Item = &str> {
    let steps: Vec<&str> = if text.contains(char::is_whitespace) {
        text.split(['\n', ';', '|', '&']).map(str::trim).collect()
    } else if at == 0 {
        vec![text]
    } else {
        Vec::new()
    };
    steps.into_iter().filter_map(|step| {
        let mut words = step
            .split_ascii_whitespace()
            .skip_while(|word| matches!(*word, "exec" | "then" | "do" | "if" | "!" | "sudo" | "until" | "while"));
        words.next()
    })
}

/// The known program that a word was meant to be.
fn misspelt(word: &str) -> Option<&'static str> {
    if PROGRAMS.contains(&word) || word.len() < 2 {
        return None;
    }
    if word.len() < 4 {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        return PROGRAMS.iter().copied().find(|known| {
            let mut other: Vec<char> = known.chars().collect();
            other.sort_unstable();
            other == letters
        });
    }
    slip(word, PROGRAMS)
}

/// Variables of a known server, one of which it reads by another name.
fn variables(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let name = container.image().split(['@', ':']).next().unwrap_or_default();
    let own = name.rsplit('/').next().unwrap_or_default();
    let Some((_, known)) = VARIABLES
        .iter()
        .find(|(part, _)| own == *part || own.starts_with(&format!("{part}-")) || own.ends_with(&format!("-{part}")))
    else {
        return Vec::new();
    };
    let set: Vec<&str> = container.env().map(|(_, name, _)| name).collect();
    let mut findings = Vec::new();
    for (at, name, _) in container.env().filter(|(_, name, _)| !known.contains(name)) {
        if let Some(meant) = slip(name, known).filter(|meant| !set.contains(meant)) {
            let field = format!("{}.env[{at}].name", container.path);
            findings.push(told(desired, "the variable", name, meant, "the server does not read it", &field));
        }
    }
    findings
}

/// The known word that one was meant to be, which is none of them itself.
fn slip(word: &str, known: &'static [&'static str]) -> Option<&'static str> {
    if word.len() < 4 || known.contains(&word) {
        return None;
    }
    landfall_diag::slip(word, known.iter().copied())
}

fn told(desired: &Desired, what: &str, written: &str, meant: &str, effect: &str, field: &str) -> Finding {
    let (kind, name) = (desired.object.kind(), desired.object.name());
    RULE.finding(format!("{kind} `{name}` names {what} `{written}`, which is not known"))
        .because(effect.to_owned())
        .help(format!("did you mean `{meant}`?"))
        .at(desired.spot_at(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_meant_where_its_letters_are_out_of_order() {
        for (written, meant) in [
            ("bahs", "bash"),
            ("hs", "sh"),
            ("pg_isredy", "pg_isready"),
            ("redis-clii", "redis-cli"),
            ("pyhton", "python"),
        ] {
            assert_eq!(misspelt(written), Some(meant), "{written}");
        }
        for other in ["sh", "server", "dash", "app", "java", "entrypoint.sh"] {
            assert_eq!(misspelt(other).filter(|_| other.len() >= LONG), None, "{other}");
        }
    }

    #[test]
    fn what_a_shell_reads_begins_a_program_with_each_step() {
        let words: Vec<&str> = begun("set -e; exec pg_isredy -U web && echo up", 2).collect();
        assert_eq!(words, ["set", "pg_isredy", "", "echo"].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>());
        assert_eq!(begun("/bin/bahs", 0).collect::<Vec<_>>(), ["/bin/bahs"]);
        assert_eq!(begun("web", 1).count(), 0);
    }

    #[test]
    fn labels_of_nodes_are_known_by_their_domain() {
        assert_eq!(node_label("kubernetes.io/oss"), Some("kubernetes.io/os"));
        assert_eq!(node_label("kubernetes.io/os"), None);
        assert_eq!(node_label("example.com/os"), None);
        assert_eq!(node_value("kubernetes.io/arch", "x86_64").as_deref(), Some("amd64"));
        assert_eq!(node_value("kubernetes.io/os", "linus").as_deref(), Some("linux"));
        assert_eq!(node_value("kubernetes.io/arch", "arm64"), None);
    }
}
