use landfall_diag::{Finding, Severity};

use super::unseen_settings::find;
use crate::pods::{ContainerRole, pod_template};
use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF194",
    title: "a database is taken to its next version by those who know how",
    severity: Severity::Warning,
    why: "A database server reads the files of its own version. With an image of the next one it refuses to start \
          (PostgreSQL, MongoDB two versions on, a downgrade of any), or converts them so that there is no way back.",
    advice: "Save the data, follow the server's guide for the upgrade (dump and restore, or its own tool), then change the image.",
    check,
};

/// How much of a version a server's files go by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// The first number.
    Major,
    /// The first two numbers.
    Minor,
}

/// Servers by the last part of their image's name, what they are called, and by what part of the version their files go.
///
/// ORIGIN: PostgreSQL's versioning policy (since 10 the first number), MySQL's and MariaDB's release series (two numbers),
/// MongoDB's `featureCompatibilityVersion` (the first number since 5), Elasticsearch's and OpenSearch's index compatibility,
/// Cassandra's SSTable formats, Neo4j's store formats, RabbitMQ's feature flags (two numbers).
const SERVERS: &[(&str, &str, Files)] = &[
    ("postgres", "PostgreSQL", Files::Major),
    ("postgresql", "PostgreSQL", Files::Major),
    ("postgis", "PostgreSQL", Files::Major),
    ("timescaledb", "PostgreSQL", Files::Major),
    ("pgvector", "PostgreSQL", Files::Major),
    ("mysql", "MySQL", Files::Minor),
    ("mariadb", "MariaDB", Files::Minor),
    ("mongo", "MongoDB", Files::Major),
    ("mongodb", "MongoDB", Files::Major),
    ("elasticsearch", "Elasticsearch", Files::Major),
    ("opensearch", "OpenSearch", Files::Major),
    ("cassandra", "Cassandra", Files::Major),
    ("neo4j", "Neo4j", Files::Major),
    ("rabbitmq", "RabbitMQ", Files::Minor),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(base) = subject.base else { return Vec::new() };
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        if matches!(object.kind(), "Job" | "CronJob") {
            continue;
        }
        let old = find(base, object.group(), object.kind(), object.namespace(), object.name());
        let Some(before) = old.and_then(pod_template) else { continue };
        let keeps = !object.list_at("/spec/volumeClaimTemplates").is_empty()
            || template.volumes().iter().any(|it| !it["persistentVolumeClaim"].is_null() || !it["hostPath"].is_null());
        for container in template.containers().iter().filter(|it| it.role == ContainerRole::Main && keeps) {
            let was = before.containers();
            let Some(was) = was.iter().find(|it| it.name == container.name) else { continue };
            let (Some(then), Some(now)) = (served(was.image()), served(container.image())) else { continue };
            if then.0 != now.0 || then.1 == now.1 {
                continue;
            }
            let (server, from, to) = (now.0, shown(&then.1), shown(&now.1));
            let back = now.1 < then.1;
            let certain = back || server == "PostgreSQL";
            findings.push(
                RULE.finding(format!("{server} in container `{}` goes from {from} to {to}", container.name))
                    .weighing(if certain { Severity::Error } else { RULE.severity })
                    .because(if certain {
                        "it does not start on the files of the other version"
                    } else {
                        "it converts its files as it starts, and the version before cannot read them any more"
                    })
                    .at(desired.spot_at(&format!("{}.image", container.path))),
            );
        }
    }
    findings
}

/// The server of an image, and the part of its version that its files go by.
fn served(image: &str) -> Option<(&'static str, Vec<u32>)> {
    let image = image.split('@').next().unwrap_or(image);
    let last = image.rsplit('/').next()?;
    let (name, tag) = last.split_once(':')?;
    let (_, server, files) = SERVERS.iter().find(|(known, _, _)| *known == name)?;
    let version = tag.trim_start_matches(['v', 'V']);
    // `pg16`, `16-3.4`, `8.0.36-debian`.
    let version = version.trim_start_matches("pg");
    let numbers: Vec<u32> =
        version.split(['-', '_', '+']).next()?.split('.').map_while(|part| part.parse().ok()).collect();
    let wanted = match files {
        Files::Major => 1,
        // Since 5 a first number alone says which series is meant no more.
        Files::Minor => 2,
    };
    (numbers.len() >= wanted).then(|| (*server, numbers[..wanted].to_vec()))
}

fn shown(version: &[u32]) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_files_go_by_is_read_off_the_tag() {
        assert_eq!(served("docker.io/library/postgres:16.2-alpine"), Some(("PostgreSQL", vec![16])));
        assert_eq!(served("registry.example.com:5000/bitnami/mysql:8.0.36"), Some(("MySQL", vec![8, 0])));
        assert_eq!(served("pgvector:pg16"), Some(("PostgreSQL", vec![16])));
        assert_eq!(served("postgres:latest"), None);
        assert_eq!(served("mysql:8"), None);
        assert_eq!(served("web:16"), None);
    }
}
