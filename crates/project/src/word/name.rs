//! Names: of releases, namespaces, objects, environments, contexts.

use super::{Unfit, words};

words! {
    /// A release's name, as Helm takes it: lower-case DNS labels with dots between, at most 53 characters.
    ReleaseName = "release-name",
        {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "maxLength": 53}, release;
    /// A namespace's name: a lower-case DNS label of at most 63 characters.
    Namespace = "namespace", {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}, namespace;
    /// A container's name: a lower-case DNS label of at most 63 characters.
    ContainerName = "container-name", {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}, container;
    /// A Kubernetes object's name: lower-case DNS labels with dots between, at most 253 characters.
    ObjectName = "object-name",
        {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "maxLength": 253}, object;
    /// An environment's name: what is typed behind `--env`.
    EnvironmentName = "environment-name",
        {"pattern": "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", "maxLength": 63}, environment;
    /// A system's name.
    SystemName = "system-name", {"pattern": "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", "maxLength": 63}, system;
    /// The name of a kubeconfig's context; a kubeconfig lets it be nearly anything.
    ContextName = "context-name", {"pattern": "^\\S([^\\u0000-\\u001f]*\\S)?$"}, context;
    /// A key of a Secret's data.
    SecretKeyName = "secret-key", {"pattern": "^[-._A-Za-z0-9]+$", "maxLength": 253}, secret_key;
    /// A workload as checks name it: `NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`.
    WorkloadRef = "workload",
        {"pattern": "^(([a-z0-9][-a-z0-9]*/)?[A-Za-z]+/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}, workload;
    /// What is simulated: a container, a workload, or `WORKLOAD/CONTAINER`.
    SimulatedName = "simulated",
        {"pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}, simulated;
}

// Helm's verbs look at a release's name at each start: what is inlined is compiled where it is optimised.
#[inline]
fn is_low(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[inline]
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if is_low(*first) && is_low(*last))
        && bytes.iter().all(|byte| is_low(*byte) || *byte == b'-')
}

#[inline]
fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// The label nearest to a text: lower case, what does not fit made `-`; nothing where no letter or digit is left.
fn slug(text: &str, most: usize, fits: fn(char) -> bool) -> Option<String> {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        let c = if fits(c) { c } else { '-' };
        if !(c == '-' && slug.ends_with('-')) && slug.len() < most {
            slug.push(c);
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    (!slug.is_empty()).then(|| slug.to_owned())
}

fn in_label(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn in_subdomain(c: char) -> bool {
    in_label(c) || c == '.'
}

fn label(text: &str, what: &str) -> Result<(), Unfit> {
    if is_label(text) && text.len() <= 63 {
        return Ok(());
    }
    let wanted = format!(
        "{what} has at most 63 characters of `a`–`z`, `0`–`9` and `-`, and begins and ends with a letter or digit"
    );
    Err(Unfit::new(wanted).near(slug(text, 63, in_label)))
}

#[inline]
fn subdomain(text: &str, what: &str, most: usize) -> Result<(), Unfit> {
    if is_subdomain(text) && text.len() <= most {
        return Ok(());
    }
    let wanted = format!(
        "{what} has at most {most} characters of `a`–`z`, `0`–`9`, `-` and `.`, and begins and ends with a letter or \
         digit"
    );
    Err(Unfit::new(wanted).near(slug(text, most, in_subdomain).filter(|near| is_subdomain(near))))
}

#[inline]
fn release(text: &str) -> Result<(), Unfit> {
    subdomain(text, "a release's name", 53)
}

fn namespace(text: &str) -> Result<(), Unfit> {
    label(text, "a namespace")
}

fn container(text: &str) -> Result<(), Unfit> {
    label(text, "a container's name")
}

fn object(text: &str) -> Result<(), Unfit> {
    subdomain(text, "an object's name", 253)
}

/// Letters, digits, `-`, `_` and `.`, as a label's value has them.
fn plain(text: &str, what: &str) -> Result<(), Unfit> {
    let bytes = text.as_bytes();
    let ends = matches!((bytes.first(), bytes.last()),
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric());
    if ends && text.len() <= 63 && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)) {
        return Ok(());
    }
    let wanted =
        format!("{what} has at most 63 letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit");
    Err(Unfit::new(wanted).near(slug(text, 63, in_subdomain)))
}

fn environment(text: &str) -> Result<(), Unfit> {
    plain(text, "an environment's name")
}

fn system(text: &str) -> Result<(), Unfit> {
    plain(text, "a system's name")
}

fn context(text: &str) -> Result<(), Unfit> {
    let trimmed = text.trim();
    if !text.is_empty() && trimmed == text && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let near = (!trimmed.is_empty() && !trimmed.chars().any(char::is_control)).then(|| trimmed.to_owned());
    Err(Unfit::new(
        "a context's name is not empty and has no blanks around it; `kubectl config get-contexts` lists them",
    )
    .near(near))
}

fn secret_key(text: &str) -> Result<(), Unfit> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !text.is_empty() && text.len() <= 253 && !matches!(text, "." | "..") && text.bytes().all(fits) {
        return Ok(());
    }
    let near: String =
        text.trim().chars().take(253).map(|c| if c.is_ascii() && fits(c as u8) { c } else { '_' }).collect();
    Err(Unfit::new("a key of a Secret has at most 253 letters, digits, `-`, `_` and `.`")
        .near(Some(near).filter(|near| near.bytes().any(|byte| byte.is_ascii_alphanumeric()))))
}

fn workload(text: &str) -> Result<(), Unfit> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_kind = |kind: &str| !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
    let fits = match parts.as_slice() {
        [name] => is_subdomain(name),
        [kind, name] => is_kind(kind) && is_subdomain(name),
        [namespace, kind, name] => is_label(namespace) && is_kind(kind) && is_subdomain(name),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Unfit::new("a workload is named `NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`, as `deployment/web`"))
}

fn simulated(text: &str) -> Result<(), Unfit> {
    let fits = match text.split_once('/') {
        Some((workload, container)) => is_subdomain(workload) && is_label(container),
        None => is_subdomain(text),
    };
    if fits {
        return Ok(());
    }
    let near = slug(text, 253, in_subdomain).filter(|near| !text.contains('/') && is_subdomain(near));
    Err(Unfit::new("what is simulated is named as its workload or container, or `WORKLOAD/CONTAINER`").near(near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_is_told_with_the_nearest_that_does() {
        for (text, near) in [("N S", Some("n-s")), ("Web_App", Some("web-app")), ("-a-", Some("a")), ("", None)] {
            assert_eq!(Namespace::parse(text).map_err(|unfit| unfit.near), Err(near.map(str::to_owned)), "{text:?}");
        }
        assert_eq!(ReleaseName::parse("Bad Rel").map_err(|unfit| unfit.near), Err(Some("bad-rel".to_owned())));
        assert!(ReleaseName::parse(&"a".repeat(53)).is_ok());
        assert!(ReleaseName::parse(&"a".repeat(54)).is_err());
        assert!(ReleaseName::parse("a.b-c").is_ok() && ReleaseName::parse("a..b").is_err());
    }

    #[test]
    fn what_is_suggested_fits_itself() {
        for text in ["N S", "äöü x", "A__B..C", "9--", "ſ", &"X y".repeat(90)] {
            for (rule, judge) in RULES {
                if let Err(Unfit { near: Some(near), .. }) = judge(text) {
                    assert!(judge(&near).is_ok(), "{rule}: {text:?} suggests {near:?}");
                }
            }
        }
    }

    #[test]
    fn contexts_of_clouds_are_names() {
        for text in ["arn:aws:eks:eu-west-1:1:cluster/prod", "admin@k3d", "gke_p_z_c", "My Cluster"] {
            assert!(ContextName::parse(text).is_ok(), "{text}");
        }
        for text in ["", " ", " a", "a\u{1b}[31m"] {
            assert!(ContextName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_workload_is_named_with_its_kind_and_namespace() {
        for text in ["web", "deployment/web", "shop/StatefulSet/db-0"] {
            assert!(WorkloadRef::parse(text).is_ok(), "{text}");
        }
        for text in ["", "a/b/c/d", "deployment/", "N S/deployment/web", "we b"] {
            assert!(WorkloadRef::parse(text).is_err(), "{text:?}");
        }
    }
}
