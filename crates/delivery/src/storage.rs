//! Claims for volumes that are there: they grow only where their class lets them, and never shrink.

use landfall_apps::{Semantics, Target};
use landfall_object::{Gvk, Object, ObjectKey, Quantity};

use crate::session::Session;

/// How a note begins its second half that says that a claim stays as large as it is.
pub const STAYS: &str = " stays as large as it is: ";

const STORAGE: &str = "/spec/resources/requests/storage";

impl Session {
    /// Leaves the claims that are there as large as they are where another size would be refused, and says which. What is
    /// delivered and what is compared is the same, so that nobody waits for a size that can never be.
    pub(crate) async fn keep_claims(&self, namespace: &str, targets: &mut [Target]) -> Vec<String> {
        let mut notes = Vec::new();
        if self.semantics == Semantics::Argo {
            return notes;
        }
        let claims = targets.iter_mut().map(|target| &mut target.object);
        for object in claims.filter(|object| object.group().is_empty() && object.kind() == "PersistentVolumeClaim") {
            let gvk = Gvk::new("", "v1", "PersistentVolumeClaim");
            let key = ObjectKey::new(gvk, Some(object.namespace().unwrap_or(namespace)), object.name());
            // What cannot be asked is left to the server's own answer.
            let Ok(Some(live)) = self.cluster.get(&key).await else { continue };
            let may_grow = match grows(object, &live) {
                Some(true) => self.lets_grow(&live).await,
                _ => false,
            };
            if let Some(why) = refusal(object, &live, may_grow) {
                notes.push(format!("PersistentVolumeClaim/{}{STAYS}{why}", object.name()));
                if let (Some(there), Some(wanted)) = (live.at(STORAGE).cloned(), object.at_mut(STORAGE)) {
                    *wanted = there;
                }
            }
        }
        notes
    }

    async fn lets_grow(&self, live: &Object) -> bool {
        let Some(class) = live.str_at("/spec/storageClassName") else { return false };
        let key = ObjectKey::new(Gvk::new("storage.k8s.io", "v1", "StorageClass"), None, class);
        let class = self.cluster.get(&key).await.ok().flatten();
        class.is_some_and(|class| class.at("/allowVolumeExpansion").and_then(serde_json::Value::as_bool) == Some(true))
    }
}

fn size(object: &Object) -> Option<Quantity> {
    Quantity::from_json(object.at(STORAGE)?).ok()
}

/// Whether more is wanted than is there, or less; nothing where it is the same, or no size.
fn grows(wanted: &Object, live: &Object) -> Option<bool> {
    let (wanted, there) = (size(wanted)?, size(live)?);
    (wanted != there).then_some(wanted > there)
}

/// Why a claim stays as large as it is.
fn refusal(wanted: &Object, live: &Object, may_grow: bool) -> Option<String> {
    let grows = grows(wanted, live)?;
    let text = |object: &Object| object.at(STORAGE).map(|it| it.to_string().replace('"', "")).unwrap_or_default();
    let (wanted, there) = (text(wanted), text(live));
    let class = live.str_at("/spec/storageClassName").unwrap_or("none");
    let is_bound = live.str_at("/status/phase") == Some("Bound");
    match (grows, is_bound, may_grow) {
        (false, ..) => Some(format!("{there}, and {wanted} is wanted: no claim can shrink")),
        (true, false, _) => Some(format!("{there}, and {wanted} is wanted: it is not bound to a volume yet")),
        (true, true, false) => {
            Some(format!("{there}, and {wanted} is wanted: its StorageClass {class} does not let claims grow"))
        }
        (true, true, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(storage: &str, phase: &str) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"storageClassName": "local-path", "resources": {"requests": {"storage": storage}}},
            "status": {"phase": phase},
        }))
        .expect("a map")
    }

    #[test]
    fn a_claim_grows_where_it_may_and_never_shrinks() {
        let live = claim("5Gi", "Bound");
        let refused = |storage: &str, may_grow| refusal(&claim(storage, ""), &live, may_grow);
        assert_eq!(refused("5120Mi", false), None, "it is the same");
        assert_eq!(refused("6Gi", true), None);
        assert!(refused("6Gi", false).expect("refused").contains("StorageClass local-path does not let claims grow"));
        assert_eq!(refused("3Gi", true).as_deref(), Some("5Gi, and 3Gi is wanted: no claim can shrink"));
        assert!(refusal(&claim("6Gi", ""), &claim("5Gi", "Pending"), true).expect("refused").contains("not bound"));
    }
}
