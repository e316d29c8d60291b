//! What a pod refers to must be there: config maps, secrets, claims, in environment and volumes.

use serde_json::Value;

use super::Work;
use crate::controllers::desk::EventType;
use crate::controllers::fields::{list, map, namespace, text, truth};
use crate::controllers::kind::{CLAIM, CONFIG_MAP, Kind, SECRET};

impl Work<'_, '_> {
    /// Whether a volume cannot be mounted; says so once for each cause.
    pub(super) fn volumes_are_missing(&mut self) -> bool {
        if !text(&self.status, "/podIP").is_empty() {
            return false;
        }
        let mut missing = false;
        for volume in list(self.pod, "/spec/volumes") {
            let Some(problem) = self.volume_problem(volume) else { continue };
            missing = true;
            if problem.contains("kube-root-ca.crt") {
                continue;
            }
            let name = text(volume, "/name");
            let message = format!("MountVolume.SetUp failed for volume \"{name}\" : {problem}");
            if self.is_news(&format!("volume {name}"), &message) {
                self.desk.event(self.pod, EventType::Warning, "FailedMount", &message);
            }
        }
        missing
    }

    fn volume_problem(&self, volume: &Value) -> Option<String> {
        if let Some(secret) = volume.get("secret") {
            return self.file_problem(&SECRET, text(secret, "/secretName"), secret);
        }
        if let Some(config) = volume.get("configMap") {
            return self.file_problem(&CONFIG_MAP, text(config, "/name"), config);
        }
        if let Some(claim) = volume.get("persistentVolumeClaim") {
            return self.claim_problem(text(claim, "/claimName"));
        }
        let sources = list(volume, "/projected/sources");
        sources.iter().find_map(|source| match (source.get("secret"), source.get("configMap")) {
            (Some(secret), _) => self.file_problem(&SECRET, text(secret, "/name"), secret),
            (_, Some(config)) => self.file_problem(&CONFIG_MAP, text(config, "/name"), config),
            _ => None,
        })
    }

    fn claim_problem(&self, name: &str) -> Option<String> {
        match self.desk.get(&CLAIM, namespace(self.pod), name) {
            None => Some(format!("persistentvolumeclaim \"{name}\" not found")),
            Some(claim) if text(&claim, "/status/phase") != "Bound" => Some(format!("claim \"{name}\" is not bound")),
            Some(_) => None,
        }
    }

    fn file_problem(&self, kind: &Kind, name: &str, source: &Value) -> Option<String> {
        let optional = truth(source, "/optional");
        let Some(object) = self.desk.get(kind, namespace(self.pod), name) else {
            return (!optional).then(|| format!("{} \"{name}\" not found", kind.kind.to_ascii_lowercase()));
        };
        if optional {
            return None;
        }
        let missing = list(source, "/items").iter().map(|item| text(item, "/key")).find(|key| !has_key(&object, key));
        let sort = if *kind == SECRET { "secret" } else { "config" };
        missing.map(|key| format!("references non-existent {sort} key: {key}"))
    }

    /// Why a container cannot be created from its environment, in the kubelet's words.
    pub(super) fn environment_problem(&self, container: &Value) -> Option<String> {
        let whole = list(container, "/envFrom").iter().find_map(|from| {
            let (kind, source) = match (from.get("secretRef"), from.get("configMapRef")) {
                (Some(secret), _) => (SECRET, secret),
                (_, Some(config)) => (CONFIG_MAP, config),
                _ => return None,
            };
            self.key_problem(&kind, source, None)
        });
        let single = || {
            list(container, "/env").iter().find_map(|variable| {
                let from = variable.get("valueFrom")?;
                match (from.get("secretKeyRef"), from.get("configMapKeyRef")) {
                    (Some(secret), _) => self.key_problem(&SECRET, secret, Some(text(secret, "/key"))),
                    (_, Some(config)) => self.key_problem(&CONFIG_MAP, config, Some(text(config, "/key"))),
                    _ => None,
                }
            })
        };
        whole.or_else(single).or_else(|| self.identity_problem(container))
    }

    fn key_problem(&self, kind: &Kind, source: &Value, key: Option<&str>) -> Option<String> {
        if truth(source, "/optional") {
            return None;
        }
        let (name, within) = (text(source, "/name"), namespace(self.pod));
        let Some(object) = self.desk.get(kind, within, name) else {
            return Some(format!("{} \"{name}\" not found", kind.kind.to_ascii_lowercase()));
        };
        let key = key.filter(|key| !has_key(&object, key))?;
        Some(format!("couldn't find key {key} in {} {within}/{name}", kind.kind))
    }

    /// Root where it is forbidden (`verifyRunAsNonRoot`); what user an image has is not known here.
    fn identity_problem(&self, container: &Value) -> Option<String> {
        let setting = |field: &str| {
            container
                .pointer(&format!("/securityContext/{field}"))
                .or_else(|| self.pod.pointer(&format!("/spec/securityContext/{field}")))
        };
        let forbidden = setting("runAsNonRoot").and_then(Value::as_bool).unwrap_or(false);
        let root = setting("runAsUser").and_then(Value::as_i64) == Some(0);
        (forbidden && root).then(|| {
            format!(
                "container's runAsUser breaks non-root policy (pod: \"{}_{}({})\", container: {})",
                text(self.pod, "/metadata/name"),
                namespace(self.pod),
                text(self.pod, "/metadata/uid"),
                text(container, "/name"),
            )
        })
    }
}

/// Whether a config map or secret has the key.
pub(super) fn has_key(object: &Value, key: &str) -> bool {
    ["/data", "/binaryData"].into_iter().any(|part| map(object, part).is_some_and(|m| m.contains_key(key)))
}
