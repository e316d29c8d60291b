mod lost_and_found;

use landfall_diag::{Finding, Severity};
use landfall_object::Quantity;
use serde_json::Value;

use crate::calls::calls_of;
use crate::decoded::texts;
use crate::pods::{Container, ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF123",
    title: "what holds data keeps it",
    severity: Severity::Warning,
    why: "A database on the container's own file system is empty after each restart. A cache that evicts whatever it likes \
          loses the jobs of the queue that it also holds, and one allowed more memory than its container is killed. PostgreSQL \
          makes no database in the root of a volume.",
    advice: "Give the data a claim; let queues evict nothing (`noeviction` or `volatile-lru`), and keep maxmemory below the limit.",
    check,
};

/// Images of servers that keep data, by the last part of their name, and the programs that they run.
const SERVERS: &[(&str, &str, &[&str])] = &[
    ("postgres", "PostgreSQL", &["postgres", "docker-entrypoint.sh"]),
    ("postgresql", "PostgreSQL", &["postgres", "postgresql"]),
    ("mysql", "MySQL", &["mysqld", "docker-entrypoint.sh"]),
    ("mariadb", "MariaDB", &["mariadbd", "mysqld", "docker-entrypoint.sh"]),
    ("mongo", "MongoDB", &["mongod", "docker-entrypoint.sh"]),
    ("mongodb", "MongoDB", &["mongod"]),
    ("minio", "MinIO", &["minio"]),
    ("couchdb", "CouchDB", &["couchdb"]),
    ("influxdb", "InfluxDB", &["influxd"]),
    ("clickhouse-server", "ClickHouse", &["clickhouse-server"]),
    ("cassandra", "Cassandra", &["cassandra"]),
    ("keycloak", "Keycloak's own database", &["kc.sh", "start", "start-dev", "docker-entrypoint.sh"]),
];

/// What such an image is told to do as the server that it is.
const SUBCOMMANDS: &[&str] = &["server", "start", "start-dev", "run", "standalone"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in lasting(subject) {
        for container in template.containers().iter().filter(|it| it.role == ContainerRole::Main) {
            findings.extend(unkept(desired, &template, container));
            findings.extend(lost_and_found::in_the_root(subject, desired, &template, container));
            findings.extend(cache(subject, desired, &template, container));
        }
    }
    findings
}

/// The servers alone whose data goes with their pod.
pub fn unkept_servers(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in lasting(subject) {
        for container in template.containers().iter().filter(|it| it.role == ContainerRole::Main) {
            findings.extend(unkept(desired, &template, container));
        }
    }
    findings
}

/// The workloads that are there to stay, and not once on each node.
fn lasting<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (&'a Desired, PodTemplate<'a>)> + use<'a> {
    subject.pods().filter(|(desired, _)| {
        desired.role == Role::Manifest && !matches!(desired.object.kind(), "Job" | "CronJob" | "DaemonSet")
    })
}

/// A server that keeps data, in a container that keeps none.
fn unkept(desired: &Desired, template: &PodTemplate<'_>, container: &Container<'_>) -> Option<Finding> {
    let image = image_name(container.image());
    let (_, server, programs) = SERVERS.iter().find(|(name, _, _)| *name == image)?;
    // With a command of its own the image may be there for its client only.
    let command = container.value["command"].as_array().filter(|command| !command.is_empty());
    let runs = |word: &str| programs.iter().any(|program| word.split(['/', ' ']).any(|part| part == *program));
    // So it may with arguments that begin with another program.
    let begins = container.value["args"].as_array().and_then(|args| args.first()?.as_str());
    let is_other =
        |word: &str| !word.starts_with('-') && !word.contains('=') && !runs(word) && !SUBCOMMANDS.contains(&word);
    if command.is_none() && begins.is_some_and(is_other) {
        return None;
    }
    let is_gateway = words(container).iter().any(|word| word == "gateway" || word == "mc");
    if is_gateway || command.is_some_and(|command| !command.iter().filter_map(Value::as_str).any(runs)) {
        return None;
    }
    if image == "keycloak" && has_database(container) {
        return None;
    }
    let claims = desired.object.list_at("/spec/volumeClaimTemplates");
    let keeps =
        |mount: &Value| {
            let name = &mount["name"];
            let lasting = [
                "persistentVolumeClaim",
                "hostPath",
                "csi",
                "nfs",
                "ephemeral",
                "iscsi",
                "fc",
                "rbd",
                "cephfs",
                "azureFile",
                "awsElasticBlockStore",
                "gcePersistentDisk",
                "azureDisk",
                "glusterfs",
                "flexVolume",
                "local",
            ];
            claims.iter().any(|claim| claim["metadata"]["name"] == *name)
                || template.volumes().iter().filter(|volume| volume["name"] == *name).any(|volume| {
                    lasting.iter().any(|source| volume.get(*source).is_some_and(|source| !source.is_null()))
                })
        };
    let kept = |container: &Container<'_>| {
        container.value["volumeMounts"].as_array().is_some_and(|mounts| mounts.iter().any(keeps))
    };
    // Beside the server that keeps the data, the same image dumps, measures or initialises it.
    let beside = template
        .containers()
        .iter()
        .any(|other| other.name != container.name && image_name(other.image()) == image && kept(other));
    if image == "postgres"
        && let Some(major) = above_its_data(container, &keeps)
    {
        return Some(
            RULE.finding(format!(
                "{server} {major} in container `{}` has its data in /var/lib/postgresql/data, which the volume at /var/lib/postgresql does not hold",
                container.name
            ))
            .keyed(format!("{} {} above", desired.object.name(), container.name))
            .because("before 18 the image has a volume of its own there, which is new with each pod: the data is gone with it")
            .help("mount the volume at /var/lib/postgresql/data, or set PGDATA to a directory in it")
            .at(desired.spot_at(&container.path)),
        );
    }
    (!kept(container) && !beside).then(|| {
        RULE.finding(format!("{server} in container `{}` has no volume that outlives it", container.name))
            .keyed(format!("{} {}", desired.object.name(), container.name))
            .because("its data is gone with the first restart")
            .at(desired.spot_at(&container.path))
    })
}

/// The major version of a PostgreSQL whose lasting volume stands above the place of its data, where the image declares a volume of
/// its own (docker-library/postgres: `VOLUME /var/lib/postgresql/data`, from 18 on `/var/lib/postgresql`).
fn above_its_data(container: &Container<'_>, keeps: &dyn Fn(&Value) -> bool) -> Option<u32> {
    let tag = container.image().split('@').next()?.rsplit_once(':')?.1;
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    let major = digits.parse().ok().filter(|major| *major < 18)?;
    let mounts: Vec<&Value> = container.value["volumeMounts"].as_array()?.iter().filter(|it| keeps(it)).collect();
    let path = |mount: &&&Value| mount["mountPath"].as_str().map(|it| it.trim_end_matches('/').to_owned());
    let is_above = mounts.iter().any(|it| path(&it).as_deref() == Some("/var/lib/postgresql"));
    let is_told = container.env().any(|(_, name, _)| name == "PGDATA")
        || container.value["envFrom"].as_array().is_some_and(|sources| !sources.is_empty());
    (is_above && mounts.len() == 1 && !is_told).then_some(major)
}

/// Whether a Keycloak is given a database: by a variable or an argument, or by what it takes as a whole.
fn has_database(container: &Container<'_>) -> bool {
    let named = container.env().any(|(_, name, variable)| {
        let own = variable["value"].as_str().is_some_and(|value| value.starts_with("dev-"));
        (name.contains("DB") || name.contains("DATABASE")) && !own
    });
    let taken = container.value["envFrom"].as_array().is_some_and(|sources| !sources.is_empty());
    let configured = container.value["volumeMounts"].as_array().is_some_and(|mounts| {
        mounts.iter().any(|mount| mount["mountPath"].as_str().is_some_and(|at| at.contains("keycloak/conf")))
    });
    let argued = words(container).iter().any(|word| word.starts_with("--db") || word.starts_with("--config-file"));
    named || taken || configured || argued
}

/// The field of a container's command line that says a word.
fn argument(container: &Container<'_>, word: &str) -> Option<String> {
    ["command", "args"].into_iter().find_map(|list| {
        let words = container.value[list].as_array()?;
        let at =
            words.iter().position(|it| it.as_str().is_some_and(|it| it.split_whitespace().any(|it| it == word)))?;
        Some(format!("{}.{list}[{at}]", container.path))
    })
}

/// A Redis or Valkey whose memory does not fit, or that drops jobs.
fn cache(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
) -> Vec<Finding> {
    if !["redis", "valkey", "keydb"].contains(&image_name(container.image())) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let limit = container.value.pointer("/resources/limits/memory").and_then(|it| Quantity::from_json(it).ok());
    let most = setting(subject, desired, template, container, "maxmemory").and_then(|text| bytes(&text));
    if let Some((limit, most)) = limit.zip(most)
        && most > 0
        && most >= limit.units()
    {
        findings.push(
            RULE.finding(format!(
                "container `{}` may fill {} MiB and is killed at {} MiB",
                container.name,
                most >> 20,
                limit.units() >> 20
            ))
            .keyed(format!("{} {} maxmemory", desired.object.name(), container.name))
            .because("it is killed before it evicts anything, and starts empty")
            .help("set maxmemory to about three quarters of the memory limit")
            .at(desired.spot_at(&format!("{}.resources.limits.memory", container.path))),
        );
    }
    let policy = setting(subject, desired, template, container, "maxmemory-policy");
    if let Some(policy) = policy.filter(|policy| policy.starts_with("allkeys"))
        && let Some((queue, field)) = queue(subject, template)
    {
        findings.push(
            RULE.finding(format!(
                "container `{}` evicts by {policy}, and {} `{}` keeps its queue there",
                container.name,
                queue.object.kind(),
                queue.object.name()
            ))
            .keyed(format!("{} {} policy", desired.object.name(), container.name))
            .because("when memory is short, jobs that wait are thrown away")
            .help("use volatile-lru or noeviction, or a second instance for the queue")
            .at(desired.spot_at(&argument(container, &policy).unwrap_or_else(|| container.path.clone())))
            .at(queue.spot_at(&field)),
        );
    }
    findings
}

/// A setting of the server: of its command line, or of a configuration that it mounts.
fn setting(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    name: &str,
) -> Option<String> {
    let words = words(container);
    let flag = format!("--{name}");
    let given = words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1).cloned());
    let given =
        given.or_else(|| words.iter().find_map(|word| word.strip_prefix(&format!("{flag}="))).map(str::to_owned));
    given.or_else(|| {
        let maps = template.volumes().iter().filter_map(|volume| volume["configMap"]["name"].as_str());
        let maps = maps.filter_map(|map| subject.find("", "ConfigMap", desired.object.namespace(), map));
        maps.flat_map(|found| texts(found.object()).into_iter().map(|(_, text, _)| text).collect::<Vec<_>>()).find_map(
            |text| {
                text.lines().find_map(|line| {
                    let mut parts = line.split_whitespace();
                    (parts.next() == Some(name)).then(|| parts.next().map(str::to_owned))?
                })
            },
        )
    })
}

/// A workload that keeps a queue in the server of these pods, and the field that says so.
fn queue<'a>(subject: &Subject<'a>, server: &PodTemplate<'_>) -> Option<(&'a Desired, String)> {
    let leads_here = |service: Found<'_>| {
        let object = service.object();
        object.namespace() == server.owner.namespace()
            && object.at("/spec/selector").is_some_and(|selector| {
                selector.as_object().is_some_and(|map| !map.is_empty()) && server.is_selected_by(selector)
            })
    };
    subject.pods().find_map(|(desired, template)| {
        let calls = calls_of(subject, desired, &template);
        if !calls.iter().any(|call| leads_here(call.service)) {
            return None;
        }
        let mut fields = template.containers().into_iter().flat_map(|container| {
            let path = container.path.clone();
            container
                .env()
                .filter(|(_, name, variable)| variable["value"].as_str().is_some_and(|value| is_queue(name, value)))
                .map(move |(at, _, _)| format!("{path}.env[{at}].value"))
                .collect::<Vec<_>>()
        });
        let field = fields.next().or_else(|| {
            landfall_object::references::references(&desired.object).into_iter().find_map(|reference| {
                let map = subject.desired("", &reference.kind, reference.namespace.as_deref(), &reference.name)?;
                matches!(map.object.kind(), "ConfigMap" | "Secret").then_some(())?;
                let says = texts(&map.object).iter().any(|(key, text, _)| is_queue(key, text));
                says.then_some(reference.path)
            })
        })?;
        Some((desired, field))
    })
}

/// Whether a variable says that jobs wait in Redis.
fn is_queue(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let value = value.trim();
    let in_redis =
        value == "redis" || value == "valkey" || value.starts_with("redis://") || value.starts_with("rediss://");
    in_redis && (name.contains("QUEUE") || name.contains("BROKER"))
}

fn words(container: &Container<'_>) -> Vec<String> {
    let lists =
        ["command", "args"].into_iter().flat_map(|field| container.value[field].as_array().into_iter().flatten());
    lists
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_matches(['"', '\'']).to_owned())
        .collect()
}

/// The last part of an image's name, without tag and digest.
fn image_name(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    let name = name.rsplit('/').next().unwrap_or(name);
    name.split(':').next().unwrap_or(name)
}

/// `1gb`, `512mb`, `100k` as Redis reads them.
fn bytes(text: &str) -> Option<i64> {
    let text = text.to_ascii_lowercase();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[digits..] {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_redis_reads_them() {
        assert_eq!(bytes("1gb"), Some(1 << 30));
        assert_eq!(bytes("1g"), Some(1_000_000_000));
        assert_eq!(bytes("99999999999gb"), None);
        assert_eq!(bytes("75%"), None);
        assert_eq!(image_name("registry.example.com:5000/a/postgres:16@sha256:00"), "postgres");
    }
}
