//! What a pod misses, and whether it will come.

use landfall_cluster::Stuck;
use landfall_object::{Gvk, HealthStatus, Object, ObjectKey};

use super::unbound::UNBOUND;
use crate::desired::Task;
use crate::executor::Executor;
use crate::plan::Plan;

/// A Secret that a controller makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToCome {
    namespace: String,
    name: String,
    /// What it is made from.
    source: ObjectKey,
}

impl Executor {
    /// Whether a pod that misses a Secret, a ConfigMap, a key of one, a claim or a volume will go on missing it.
    pub(super) async fn is_final(&self, pod: &Object, stuck: &mut Stuck, to_come: &[ToCome]) -> bool {
        let namespace = pod.namespace().unwrap_or("default");
        if stuck.message.contains(UNBOUND) {
            let Some(why) = self.never_bound(pod).await else { return false };
            stuck.message = why;
            return true;
        }
        let Some((kind, name, field)) = missing_reference(&stuck.message) else {
            return stuck.reason == "CreateContainerConfigError";
        };
        let comes = |one: &&ToCome| kind == "Secret" && one.namespace == namespace && one.name == name;
        if let Some(one) = to_come.iter().find(comes) {
            let Some(why) = self.refuses_to_come(one).await else { return false };
            stuck.message = format!("{}: {why}", stuck.message);
            return true;
        }
        let key = ObjectKey::new(Gvk::new("", "v1", kind), Some(namespace), name);
        match self.cluster.get(&key).await {
            Ok(None) => true,
            Ok(Some(object)) => field.is_some_and(|field| {
                let holds = |map: &str| object.at(map).and_then(|map| map.get(&field)).is_some();
                !holds("/data") && !holds("/binaryData")
            }),
            Err(_) => false,
        }
    }

    /// Why the controller does not make a Secret of what it was given, and will not before that changes.
    async fn refuses_to_come(&self, one: &ToCome) -> Option<String> {
        // Of others a condition that is not true yet may say no more than that they have begun.
        if one.source.gvk.kind != "SealedSecret" {
            return None;
        }
        let source = self.cluster.get(&one.source).await.ok()??;
        let health = landfall_object::health::assess(&source)?;
        (health.status == HealthStatus::Degraded).then(|| format!("SealedSecret/{}: {}", source.name(), health.message))
    }
}

/// Kind, name and key in the kubelet's words (pkg/kubelet/kuberuntime: `secret "x" not found`, `couldn't find key K in
/// Secret ns/x`), or the scheduler's (`persistentvolumeclaim "x" not found`).
fn missing_reference(message: &str) -> Option<(&'static str, String, Option<String>)> {
    let kind_of = |word: &str| match word {
        "secret" | "Secret" => Some("Secret"),
        "configmap" | "ConfigMap" => Some("ConfigMap"),
        "persistentvolumeclaim" => Some("PersistentVolumeClaim"),
        _ => None,
    };
    if let Some((_, rest)) = message.split_once("couldn't find key ") {
        let mut words = rest.split_whitespace();
        let field = words.next()?.to_owned();
        let kind = words.nth(1).and_then(kind_of)?;
        let place = words.next()?;
        let name = place.rsplit('/').next()?.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        return Some((kind, name.to_owned(), Some(field)));
    }
    let (head, rest) = message.split_once('"')?;
    let (name, rest) = rest.split_once('"')?;
    let kind = head.split_whitespace().last().and_then(kind_of)?;
    rest.contains("not found").then(|| (kind, name.to_owned(), None))
}

/// Secrets that a controller makes from an object of the plan.
pub(super) fn secrets_to_come(plan: &Plan) -> Vec<ToCome> {
    let objects = plan.steps().filter_map(|step| match &step.task {
        Task::Apply { object, .. } | Task::Ensure { object } => Some(object),
        _ => None,
    });
    objects
        .filter_map(|object| {
            let name = match object.kind() {
                "SealedSecret" => object.str_at("/spec/template/metadata/name").unwrap_or(object.name()),
                "ExternalSecret" => object.str_at("/spec/target/name").unwrap_or(object.name()),
                "Certificate" => object.str_at("/spec/secretName")?,
                _ => return None,
            };
            Some(ToCome { namespace: object.namespace()?.to_owned(), name: name.to_owned(), source: object.key() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_and_the_schedulers_words_name_what_is_missing() {
        let name = |text: &str| missing_reference(text).map(|(kind, name, field)| format!("{kind} {name} {field:?}"));
        assert_eq!(name("secret \"db\" not found").as_deref(), Some("Secret db None"));
        assert_eq!(
            name("couldn't find key JWT_SECRET in Secret shop/luckyplans-secrets").as_deref(),
            Some("Secret luckyplans-secrets Some(\"JWT_SECRET\")")
        );
        assert_eq!(name("configmap \"c\" not found").as_deref(), Some("ConfigMap c None"));
        let claim = "0/1 nodes are available: persistentvolumeclaim \"data-db-0\" not found. not found";
        assert_eq!(name(claim).as_deref(), Some("PersistentVolumeClaim data-db-0 None"));
        assert_eq!(name("pod has unbound immediate PersistentVolumeClaims"), None);
        assert_eq!(name("something else"), None);
    }
}
