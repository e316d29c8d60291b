//! Objects that stay although their source no longer names them.

use std::collections::BTreeMap;

use landfall_object::{Object, ObjectKey};

use crate::{ResourceOptions, SyncOptions};

/// Helm's mark of what outlives its release.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Whose meaning counts where ours knowingly differs from Argo CD's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Semantics {
    /// Ours.
    #[default]
    Own,
    /// Argo CD's, as it comes.
    Argo,
}

/// Why an object that is no longer wanted stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stay {
    /// For good: the application is in sync with it.
    Good(String),
    /// An option forbids its pruning, and it differs for as long as it is there: Argo CD's meaning.
    Unpruned,
    /// Nobody has asked for pruning.
    Asked,
    /// Its deletion has to be approved.
    Approval,
    /// Somebody has to confirm that it goes (`Prune=confirm`).
    Confirmation,
}

impl Stay {
    /// Whether the application differs by it.
    pub fn differs(&self) -> bool {
        matches!(self, Stay::Unpruned | Stay::Asked | Stay::Confirmation)
    }
}

/// What stays, and why.
pub type Stays = BTreeMap<ObjectKey, Stay>;

/// Whether Helm's mark says that an object outlives its release.
pub(crate) fn outlives(object: &Object) -> bool {
    object.annotation(RESOURCE_POLICY).is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

/// Why a live object is not pruned whoever asks.
pub(crate) fn stays(live: &Object, options: &SyncOptions, semantics: Semantics) -> Option<Stay> {
    let own = ResourceOptions::of(live);
    let unpruned = own.pruning(options).no_prune;
    if semantics == Semantics::Argo {
        return unpruned.then_some(Stay::Unpruned);
    }
    let mark = match () {
        () if unpruned => Some("Prune=false"),
        () if own.options.no_delete => Some("Delete=false"),
        () if outlives(live) => Some("helm.sh/resource-policy: keep"),
        () => None,
    };
    let why = mark.or_else(|| stays_by_kind(live.group(), live.kind()))?;
    Some(Stay::Good(why.to_owned()))
}

/// Why objects of a kind are not pruned, marked or not.
pub fn stays_by_kind(group: &str, kind: &str) -> Option<&'static str> {
    match (group, kind) {
        ("", "PersistentVolumeClaim") => Some("it holds data"),
        ("", "Namespace") => Some("everything in it would go along"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(group: &str, kind: &str, annotations: serde_json::Value) -> Object {
        let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        let metadata = json!({"name": "old", "annotations": annotations});
        Object::from_value(json!({"apiVersion": version, "kind": kind, "metadata": metadata})).expect("a map")
    }

    #[test]
    fn what_an_object_says_of_itself_counts_before_what_its_application_says() {
        let options = |text: &str| SyncOptions::parse(text.split(','));
        let marked = |text: &str| object("", "ConfigMap", json!({"argocd.argoproj.io/sync-options": text}));
        for (own, application, is_kept) in [
            ("Prune=true", "Prune=false", false),
            ("Prune=false", "Prune=true", true),
            ("Replace=true", "Prune=false", true),
            ("Prune=confirm", "Prune=false", false),
        ] {
            let stay = stays(&marked(own), &options(application), Semantics::Own);
            assert_eq!(stay.is_some(), is_kept, "{own} under {application}");
        }
        for (own, application, is_confirmed) in [
            ("Prune=confirm", "", true),
            ("Delete=confirm", "", true),
            ("Delete=true", "Delete=confirm", false),
            ("Delete=true", "Prune=confirm", true),
            ("Prune=true,Delete=true", "Prune=confirm,Delete=confirm", false),
            ("", "Delete=confirm", true),
            ("", "", false),
        ] {
            let own_options = ResourceOptions::of(&marked(own));
            assert_eq!(
                own_options.is_confirmed_to_go(&options(application)),
                is_confirmed,
                "{own} under {application}"
            );
        }
    }

    #[test]
    fn data_and_what_is_marked_stay_unless_argo_cds_meaning_counts() {
        let options = |text: &str| json!({"argocd.argoproj.io/sync-options": text});
        let keep = json!({"helm.sh/resource-policy": "keep"});
        for (object, is_kept, under_argo) in [
            (object("", "PersistentVolumeClaim", json!({})), true, None),
            (object("", "Namespace", json!({})), true, None),
            (object("", "ConfigMap", json!({})), false, None),
            (object("", "ConfigMap", keep), true, None),
            (object("", "ConfigMap", json!({"helm.sh/resource-policy": "delete"})), false, None),
            (object("", "ConfigMap", options("Delete=false")), true, None),
            (object("", "ConfigMap", options("Validate=false, Prune=false")), true, Some(Stay::Unpruned)),
            // Another group's kind of that name holds nothing that is known.
            (object("example.com", "Namespace", json!({})), false, None),
        ] {
            let none = SyncOptions::default();
            let stay = stays(&object, &none, Semantics::Own);
            assert_eq!(stay.as_ref().is_some_and(|stay| !stay.differs()), is_kept, "{object:?}");
            assert_eq!(stays(&object, &none, Semantics::Argo), under_argo, "{object:?}");
        }
    }
}
