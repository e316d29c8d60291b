//! Which simulated operators act: each does until the real one does, and nobody switches it off.
//!
//! ```text
//! events ──► a sign that the real one is here ──► record ──► no more reconciliations, what only pretended is taken back
//!            (its lease, a status, a Secret)        │
//!                                                   └─► ConfigMap kube-system/landfall-operators: a restart remembers
//! ```

mod record;
mod sign;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

pub use record::{Entry, OPERATOR_RECORD, OperatorRecord};
pub(crate) use sign::{Sign, class, sign};

use super::ALL;
use super::traefik::TWIN as TRAEFIK;
use crate::controllers::kind::{INGRESS, Kind};

/// Before the name of an ingress class whose controller is a real one: each class has its own.
const CLASS: &str = "ingress.";

/// Under which name it is kept that somebody else looks after the ingresses of a class.
pub(crate) fn of_class(class: &str) -> String {
    if class.is_empty() || class == "traefik" { TRAEFIK.name.to_owned() } else { format!("{CLASS}{class}") }
}

/// The names of all operators that are simulated.
pub fn simulated_operator_names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|twin| twin.name)
}

/// Whether simulated operators act, and to whom they give way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operators {
    /// Each until the real one acts.
    #[default]
    UntilReal,
    /// Each that is not switched off, whatever others wrote before: nobody else reaches the cluster, as in a rehearsal.
    /// Pods of other schedulers are given to nodes, too.
    Alone,
    /// None.
    Off,
}

/// How one simulated operator stands on a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimulatedOperator {
    /// Its name, as `cluster operator off NAME` takes it.
    pub name: String,
    /// The kinds that it looks after.
    pub kinds: Vec<String>,
    /// Whether it acts.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Whether a simulated operator acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    /// Its definitions are not there, so there is nothing to do.
    NotInstalled,
    /// It acts.
    Simulating,
    /// The real one acts.
    StoodBack {
        /// When that was first seen (RFC 3339).
        since: String,
        /// What showed it.
        because: String,
    },
    /// Somebody switched it off.
    Off {
        /// Since when (RFC 3339); empty when a project file says so.
        since: String,
        /// Who did.
        by: String,
    },
}

/// How the simulated operators of a cluster stand: `definitions` are the names of its custom resource definitions, `record` the
/// ConfigMap of that name, where it is there, and `declared_off` those that the project switches off.
pub fn simulated_operators(
    definitions: &BTreeSet<String>,
    record: Option<&Value>,
    declared_off: &BTreeSet<String>,
) -> Vec<SimulatedOperator> {
    let record = record.map(OperatorRecord::of_config_map).unwrap_or_default();
    let standing = |name: &str| match record.get(name) {
        _ if declared_off.contains(name) => Standing::Off { since: String::new(), by: "landfall.yaml".to_owned() },
        Some(Entry::Off { since, by }) => Standing::Off { since: since.clone(), by: by.clone() },
        Some(Entry::StoodBack { since, because }) => {
            Standing::StoodBack { since: since.clone(), because: because.clone() }
        }
        None => Standing::Simulating,
    };
    let mut found: Vec<SimulatedOperator> = ALL
        .iter()
        .map(|twin| {
            let is_there = |kind: &&Kind| !is_custom(kind) || definitions.contains(kind.id);
            let there: Vec<String> = twin.kinds.iter().filter(is_there).map(|kind| kind.kind.to_owned()).collect();
            let standing = match standing(twin.name) {
                Standing::Simulating if there.is_empty() => Standing::NotInstalled,
                known => known,
            };
            let all = || twin.kinds.iter().map(|kind| kind.kind.to_owned()).collect();
            SimulatedOperator {
                name: twin.name.to_owned(),
                kinds: if there.is_empty() { all() } else { there },
                standing,
            }
        })
        .collect();
    found.extend(record.names().filter(|name| name.starts_with(CLASS)).map(|name| SimulatedOperator {
        name: name.to_owned(),
        kinds: vec![INGRESS.kind.to_owned()],
        standing: standing(name),
    }));
    found
}

/// Whether a kind is served only where somebody defined it.
fn is_custom(kind: &Kind) -> bool {
    kind.group.contains('.') && !kind.group.ends_with(".k8s.io")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_operator_says_how_it_stands() {
        let definitions = ["certificates.cert-manager.io", "sealedsecrets.bitnami.com"].map(str::to_owned).into();
        let record = json!({"data": {
            "cert-manager": r#"{"state":"stood-back","since":"2026-01-01T00:00:00Z","because":"x"}"#,
            "ingress.nginx": r#"{"state":"off","since":"2026-01-01T00:00:00Z","by":"y"}"#,
            "traefik": "not JSON",
        }});
        let off = BTreeSet::from(["sealed-secrets".to_owned()]);
        let found = simulated_operators(&definitions, Some(&record), &off);
        let states: Vec<(String, Value)> = found
            .iter()
            .map(|it| (it.name.clone(), serde_json::to_value(it).expect("is JSON")["state"].clone()))
            .collect();
        let wanted = [
            ("cert-manager", "stood-back"),
            ("sealed-secrets", "off"),
            ("mariadb-operator", "not-installed"),
            ("traefik", "simulating"),
            ("ingress.nginx", "off"),
        ];
        assert_eq!(states, wanted.map(|(name, state)| (name.to_owned(), json!(state))));
        assert_eq!(found[0].kinds, ["Certificate"]);
    }
}
