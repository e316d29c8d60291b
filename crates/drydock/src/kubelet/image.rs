//! Images: their names are checked, and all of them exist unless a fault or the play says otherwise.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Work;
use crate::controllers::desk::EventType;
use crate::controllers::fields::text;
use crate::fault::Effect;

/// A pull that failed, and when it is tried again.
#[derive(Clone, Debug)]
pub(crate) struct FailedPull {
    attempts: u32,
    again: Timestamp,
}

/// An image's name in its parts (distribution `reference`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// The registry's host, with port if written.
    pub registry: String,
    /// The path in the registry.
    pub repository: String,
    /// The tag; `latest` when neither tag nor digest is written.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<String>,
}

impl ImageReference {
    /// Reads a reference as the kubelet does; the error is the reference library's sentence.
    pub fn parse(written: &str) -> Result<Self, String> {
        let invalid = || Err("invalid reference format".to_owned());
        let (rest, digest) = match written.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (written, None),
        };
        if let Some(digest) = digest {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
                return invalid();
            }
        }
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let fits = tag.len() <= 128
                && tag.bytes().next().is_some_and(word)
                && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
            if !fits {
                return invalid();
            }
        }
        let (registry, repository) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" || has_upper(host) => (host, path),
            _ => ("docker.io", name),
        };
        if has_upper(repository) {
            let shown = if registry == "docker.io" && !repository.contains('/') {
                format!("library/{repository}")
            } else {
                repository.to_owned()
            };
            return Err(format!("invalid reference format: repository name ({shown}) must be lowercase"));
        }
        if repository.is_empty() || !repository.split('/').all(is_component) || !is_host(registry) {
            return invalid();
        }
        let repository = match (registry, repository.contains('/')) {
            ("docker.io", false) => format!("library/{repository}"),
            _ => repository.to_owned(),
        };
        let tag = match (tag, digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest: digest.map(str::to_owned) })
    }

    /// The reference in full: `docker.io/library/redis:7-alpine`.
    pub fn canonical(&self) -> String {
        let mut full = format!("{}/{}", self.registry, self.repository);
        if let Some(tag) = &self.tag {
            full.push(':');
            full.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            full.push('@');
            full.push_str(digest);
        }
        full
    }
}

fn has_upper(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// Lower-case letters and digits, parted by a dot, one or two underscores, or dashes.
fn is_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges = bytes.first().copied().is_some_and(alphanumeric) && bytes.last().copied().is_some_and(alphanumeric);
    edges
        && bytes.iter().all(|b| alphanumeric(*b) || matches!(b, b'.' | b'_' | b'-'))
        && !component.contains("..")
        && !component.contains("___")
        && !["._", "_.", ".-", "-.", "_-", "-_"].iter().any(|pair| component.contains(pair))
}

impl Work<'_, '_> {
    /// Sees to it that the node has the image; otherwise the container's new waiting state.
    pub(super) fn pull(&mut self, container: &Value) -> Result<ImageReference, Value> {
        let image = text(container, "/image");
        let path = format!("spec.containers{{{}}}", text(container, "/name"));
        let reference = match ImageReference::parse(image) {
            Ok(reference) => reference,
            Err(why) => {
                let message = format!(
                    "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {why}"
                );
                if self.is_news(&path, &message) {
                    self.desk.event_at(self.pod, &path, EventType::Warning, "InspectFailed", &message);
                    self.desk.event_at(self.pod, &path, EventType::Warning, "Failed", "Error: InvalidImageName");
                }
                return Err(json!({"reason": "InvalidImageName", "message": message}));
            }
        };
        let faulty = self.play.has(self.pod, |effect| effect == Effect::ImagePull)
            || self.play.missing_images.contains(image)
            || self.play.missing_images.contains(&reference.canonical());
        if faulty {
            return Err(self.fail_pull(container, image, &reference, &path));
        }
        let key = (self.uid(), text(container, "/name").to_owned());
        self.memory.pulls.remove(&key);
        let node = text(self.pod, "/spec/nodeName").to_owned();
        let known = !self.memory.images.insert((node, reference.canonical()));
        let policy = text(container, "/imagePullPolicy");
        if known && policy != "Always" || policy == "Never" {
            let message = format!("Container image \"{image}\" already present on machine");
            self.desk.event_at(self.pod, &path, EventType::Normal, "Pulled", &message);
        } else {
            self.desk.event_at(self.pod, &path, EventType::Normal, "Pulling", &format!("Pulling image \"{image}\""));
            let message = format!("Successfully pulled image \"{image}\" in 0s (0s including waiting), simulated");
            self.desk.event_at(self.pod, &path, EventType::Normal, "Pulled", &message);
        }
        Ok(reference)
    }

    /// The image is not there: tried again after 10 s, 20 s, … up to 5 minutes.
    fn fail_pull(&mut self, container: &Value, image: &str, reference: &ImageReference, path: &str) -> Value {
        let now = self.desk.now();
        if text(container, "/imagePullPolicy") == "Never" {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            if self.is_news(path, &message) {
                self.desk.event_at(self.pod, path, EventType::Warning, "ErrImageNeverPull", &message);
                self.desk.event_at(self.pod, path, EventType::Warning, "Failed", "Error: ErrImageNeverPull");
            }
            return json!({"reason": "ErrImageNeverPull", "message": message});
        }
        let full = reference.canonical();
        let why = format!(
            "rpc error: code = NotFound desc = failed to pull and unpack image \"{full}\": \
             failed to resolve reference \"{full}\": {full}: not found"
        );
        let key = (self.uid(), text(container, "/name").to_owned());
        let attempts = self.memory.pulls.get(&key).map_or(0, |p| p.attempts);
        if let Some(failed) = self.memory.pulls.get(&key).filter(|p| p.again > now) {
            let again = failed.again;
            self.again(Some(again));
            let back_off = format!("Back-off pulling image \"{image}\"");
            if self.is_news(path, &format!("{back_off} {attempts}")) {
                self.desk.event_at(self.pod, path, EventType::Normal, "BackOff", &back_off);
                self.desk.event_at(self.pod, path, EventType::Warning, "Failed", "Error: ImagePullBackOff");
            }
            return json!({"reason": "ImagePullBackOff", "message": format!("{back_off}: ErrImagePull: {why}")});
        }
        let wait = SignedDuration::from_secs((10_i64 << attempts.min(5)).min(300));
        let again = now.checked_add(wait).unwrap_or(now);
        self.memory.pulls.insert(key, FailedPull { attempts: attempts + 1, again });
        self.desk.event_at(self.pod, path, EventType::Normal, "Pulling", &format!("Pulling image \"{image}\""));
        let message = format!("Failed to pull image \"{image}\": {why}");
        self.desk.event_at(self.pod, path, EventType::Warning, "Failed", &message);
        self.desk.event_at(self.pod, path, EventType::Warning, "Failed", "Error: ErrImagePull");
        self.again(Some(again));
        json!({"reason": "ErrImagePull", "message": why})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_get_their_defaults() {
        let full = |written: &str| ImageReference::parse(written).map(|r| r.canonical());
        assert_eq!(full("redis:7-alpine").as_deref(), Ok("docker.io/library/redis:7-alpine"));
        assert_eq!(full("minio/minio").as_deref(), Ok("docker.io/minio/minio:latest"));
        assert_eq!(full("localhost:5000/a/b:1").as_deref(), Ok("localhost:5000/a/b:1"));
        assert_eq!(full("ghcr.io/o/web:sha-1a2b").as_deref(), Ok("ghcr.io/o/web:sha-1a2b"));
    }

    #[test]
    fn wrong_references_are_refused_in_the_librarys_words() {
        let why = |written: &str| ImageReference::parse(written).expect_err("invalid");
        assert_eq!(why("Web:1"), "invalid reference format: repository name (library/Web) must be lowercase");
        for wrong in ["", "web:", "web: 1", "web@sha256:12", "a//b", "-web", "web:a b"] {
            assert_eq!(why(wrong), "invalid reference format", "{wrong}");
        }
    }
}
