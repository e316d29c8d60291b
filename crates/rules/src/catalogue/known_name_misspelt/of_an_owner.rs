//! Variables that the images of one owner read by another name than the customary one.

use landfall_diag::Finding;

use super::told;
use crate::pods::{Container, image_parts};
use crate::subject::Desired;

const BITNAMI: &[&str] = &["bitnami", "bitnamilegacy", "bitnamisecure"];

/// What is written for the variables of Bitnami's images, and what they read: image, customary name, its own name.
// ORIGIN: github.com/bitnami/containers, bitnami/pgbouncer/README.md ("Backend PostgreSQL connection").
const CUSTOMARY: &[(&str, &str, &str)] =
    &[("pgbouncer", "POSTGRESQL_USER", "POSTGRESQL_USERNAME"), ("pgbouncer", "POSTGRESQL_DB", "POSTGRESQL_DATABASE")];

/// The variables of a container that its image does not read, where it reads another one that is not set.
pub(super) fn of_an_owner(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    if has_own_settings(container) {
        return Vec::new();
    }
    let set: Vec<&str> = container.env().map(|(_, name, _)| name).collect();
    let mut findings = Vec::new();
    for (at, name, _) in container.env() {
        let meant = meant(container.image(), name).filter(|meant| !set.iter().any(|it| it.starts_with(meant)));
        let Some(meant) = meant.filter(|_| !is_read(container, name)) else { continue };
        let field = format!("{}.env[{at}].name", container.path);
        findings.push(told(desired, "the variable", name, meant, "the image reads another one in its place", &field));
    }
    findings
}

/// What an image reads in place of a variable.
fn meant(image: &str, variable: &str) -> Option<&'static str> {
    let mut parts = image_parts(image).1.rsplit('/');
    let (own, owner) = (parts.next()?, parts.next()?);
    let is = |(image, customary, _): &&(&str, &str, &str)| *image == own && *customary == variable;
    CUSTOMARY.iter().find(is).filter(|_| BITNAMI.contains(&owner)).map(|(.., meant)| *meant)
}

/// Whether a container's settings may come from elsewhere: variables that are taken as a whole, scripts and files of its own.
fn has_own_settings(container: &Container<'_>) -> bool {
    let mounts = container.value["volumeMounts"].as_array().into_iter().flatten();
    let mut paths = mounts.filter_map(|mount| mount["mountPath"].as_str());
    let takes = container.value["envFrom"].as_array().is_some_and(|list| !list.is_empty());
    takes || paths.any(|path| path.contains("initdb") || path.contains("/conf"))
}

/// Whether anything in a container reads a variable: a word of its command, or another variable.
fn is_read(container: &Container<'_>, variable: &str) -> bool {
    let said = container.value.to_string();
    ["$", "$(", "${"].iter().any(|sign| said.contains(&format!("{sign}{variable}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_of_an_image_of_its_owner() {
        for image in
            ["bitnami/pgbouncer:1.16.0", "docker.io/bitnamilegacy/pgbouncer", "a.example/x/bitnami/pgbouncer@sha256:0"]
        {
            assert_eq!(meant(image, "POSTGRESQL_USER"), Some("POSTGRESQL_USERNAME"), "{image}");
            assert_eq!(meant(image, "POSTGRESQL_USERNAME"), None, "{image}");
        }
        for image in ["edoburu/pgbouncer:1.16.0", "pgbouncer", "bitnami/postgresql:16", ""] {
            assert_eq!(meant(image, "POSTGRESQL_USER"), None, "{image}");
        }
    }
}
