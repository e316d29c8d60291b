//! What names a chart in a registry.

use std::fmt;

use crate::error::SourceError;

/// `host/path/name[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    host: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Reference {
    /// Reads a reference, with `oci://` in front or without.
    ///
    /// # Errors
    /// In Helm's words.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let bare = text.strip_prefix("oci://").unwrap_or(text).trim_end_matches('/');
        let refuse = |why: &str| Err(SourceError::Url(format!("{bare}: invalid reference: {why}")));
        // Credentials do not belong there, and what is refused is shown.
        let address = format!("oci://{bare}");
        let shown = landfall_diag::without_passwords(&address);
        if *shown != *address {
            let shown = shown.trim_start_matches("oci://");
            return Err(SourceError::Url(format!("{shown}: invalid reference: invalid registry")));
        }
        let (named, digest) = match bare.split_once('@') {
            Some((named, digest)) => (named, Some(digest.to_owned())),
            None => (bare, None),
        };
        let Some((host, rest)) = named.split_once('/') else { return refuse("missing registry or repository") };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (rest, None),
        };
        let host_like = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if host.is_empty() || !host.chars().all(host_like) {
            return refuse(&format!("invalid registry {host:?}"));
        }
        let part_like = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
                && part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
        };
        if !path.split('/').all(part_like) {
            return refuse(&format!("invalid repository {path:?}"));
        }
        let tag_like = |tag: &str| {
            tag.len() <= 128
                && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
        };
        if tag.as_deref().is_some_and(|tag| !tag_like(tag)) {
            return refuse(&format!("invalid tag {:?}", tag.unwrap_or_default()));
        }
        let digest_like = |digest: &str| {
            digest
                .strip_prefix("sha256:")
                .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if digest.as_deref().is_some_and(|digest| !digest_like(digest)) {
            return refuse(&format!("invalid digest {:?}", digest.unwrap_or_default()));
        }
        Ok(Reference { host: host.to_owned(), path: path.to_owned(), tag, digest })
    }

    /// The registry's host, with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository within the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The chart's name: the repository's last part.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The version as a chart says it.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The manifest's digest.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Says which version.
    pub fn set_tag(&mut self, version: &str) {
        self.tag = Some(version.to_owned());
    }

    /// A chart in this repository.
    ///
    /// # Errors
    /// A name no repository can have.
    pub fn child(text: &str, name: &str, version: &str) -> Result<Self, SourceError> {
        let tag = if version.is_empty() { String::new() } else { format!(":{version}") };
        Reference::parse(&format!("{}/{name}{tag}", text.trim_end_matches('/')))
    }

    /// What the registry is asked for: the digest, or the tag as registries write it, where `+` cannot be.
    pub(super) fn named(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.clone(),
            (None, Some(tag)) => tag.replace('+', "_"),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{}", tag.replace('+', "_"))?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let reference = Reference::parse("oci://localhost:5000/a/b:1.0.0+x").expect("fine");
        assert_eq!((reference.host(), reference.path(), reference.name()), ("localhost:5000", "a/b", "b"));
        assert_eq!(reference.tag(), Some("1.0.0+x"));
        assert_eq!(reference.to_string(), "localhost:5000/a/b:1.0.0_x");
        let digest = format!("sha256:{}", "a".repeat(64));
        let reference = Reference::parse(&format!("h/a@{digest}")).expect("fine");
        assert_eq!((reference.digest(), reference.tag()), (Some(digest.as_str()), None));
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for text in [
            "oci://h",
            "oci:///a",
            "oci://h/../x",
            "oci://h/A",
            "oci://h/a:b c",
            "oci://u:p@h/a",
            "h/a@sha256:1",
            "oci://h/a?x=y",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
