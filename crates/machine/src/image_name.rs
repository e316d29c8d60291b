//! How images are called.

/// An image's whole name, as container runtimes keep it: `docker.io/library/redis:7`.
pub(crate) fn whole_name(image: &str) -> String {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let (first, rest) = name.split_once('/').unwrap_or(("", name));
    let is_host = first.contains(['.', ':']) || first == "localhost";
    let name = match (first, is_host) {
        ("", _) => format!("docker.io/library/{rest}"),
        (_, true) => name.to_owned(),
        (_, false) => format!("docker.io/{name}"),
    };
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    match digest {
        Some(digest) => format!(
            "{}@{digest}",
            if has_tag { name.rsplit_once(':').map_or(name.as_str(), |(name, _)| name) } else { &name }
        ),
        None if has_tag => name,
        None => format!("{name}:latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_whole_as_runtimes_keep_them() {
        for (short, whole) in [
            ("redis", "docker.io/library/redis:latest"),
            ("redis:7-alpine", "docker.io/library/redis:7-alpine"),
            ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
            ("quay.io/keycloak/keycloak:26.0", "quay.io/keycloak/keycloak:26.0"),
            ("localhost:5000/web", "localhost:5000/web:latest"),
            ("redis:7@sha256:ab", "docker.io/library/redis@sha256:ab"),
        ] {
            assert_eq!(whole_name(short), whole);
        }
    }
}
