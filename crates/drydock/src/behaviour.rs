//! What the containers do and what goes wrong, shared between kubelet, ingress and whoever changes it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard, RwLock};
use serde_json::Value;

use crate::controllers::fields::{controller_of, name, namespace, text};
use crate::diary::Diary;
use crate::fault::{Effect, Fault, FaultError};
use crate::operators::standing::simulated_operator_names;
use crate::simulation::{Script, Simulation, SimulationError, workload};

/// Where a play is kept in the cluster itself, so that it outlives its process and goes along with forks: a ConfigMap
/// with the play as JSON under `data.play`.
pub(crate) const PLAY: (&str, &str) = ("kube-system", "landfall-play");

/// A play that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// What containers do.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// What goes wrong.
    #[error("--fault {written}: {source}")]
    Fault {
        /// As written.
        written: String,
        /// Why it cannot be read.
        source: FaultError,
    },
    /// An operator to be left out that is not simulated.
    #[error("`{0}` is not an operator that is simulated")]
    Operator(String),
    /// Not of the form `{"simulation": {…}, "faults": […], "missingImages": […]}`.
    #[error("a play must be a map of simulation, faults and missingImages")]
    Form,
}

/// Declared behaviour and faults at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// What the project declares.
    pub simulation: Simulation,
    /// What is made to go wrong.
    pub faults: Vec<Fault>,
    /// Images that are known not to exist; all others are taken to exist.
    pub missing_images: BTreeSet<String>,
    /// Simulated operators that the project switches off, by name.
    pub operators_off: BTreeSet<String>,
    /// Secrets and ConfigMaps that nobody brings and that are taken as there once a pod asks for them.
    pub taken_as_there: BTreeSet<Prerequisite>,
    /// Since when the play is on. What crashed before did so under another one, so no back-off is left of it.
    pub since: Option<Timestamp>,
}

/// A Secret or ConfigMap, or a key of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prerequisite {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key alone, of one that is there; all of them when absent.
    pub key: Option<String>,
}

/// The play that is on; may be exchanged while the cluster runs.
#[derive(Debug, Default)]
pub struct Behaviour {
    play: RwLock<Arc<Play>>,
    generation: AtomicU64,
    diary: Mutex<Diary>,
}

impl Behaviour {
    /// The same play at the same generation, to be exchanged on its own from now on.
    pub(crate) fn fork(&self) -> Self {
        let generation = AtomicU64::new(self.generation.load(Ordering::Acquire));
        Self { play: RwLock::new(self.play()), generation, diary: Mutex::new(self.diary().clone()) }
    }

    /// A behaviour that starts with this play.
    pub fn new(play: Play) -> Self {
        Self { play: RwLock::new(Arc::new(play)), ..Self::default() }
    }

    /// What requests have left in the logs of containers.
    pub(crate) fn diary(&self) -> MutexGuard<'_, Diary> {
        self.diary.lock()
    }

    /// The play that is on.
    pub fn play(&self) -> Arc<Play> {
        self.play.read().clone()
    }

    /// Exchanges the play; running pods are looked at again.
    pub fn set(&self, play: Play) {
        *self.play.write() = Arc::new(play);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Grows with each exchange.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

impl Play {
    /// Reads `{"simulation": {…}, "faults": ["job/x=fail"], "missingImages": ["app:1"], "operatorsOff": ["cert-manager"],
    /// "since": "2026-01-01T00:00:00Z"}`; all of it may be absent.
    ///
    /// # Errors
    /// [`PlayError`], for the first thing that cannot be read.
    pub fn parse(play: &Value) -> Result<Self, PlayError> {
        let map = play.as_object().ok_or(PlayError::Form)?;
        let words = |key: &str| -> Result<Vec<&str>, PlayError> {
            match map.get(key) {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::Array(list)) => list.iter().map(|v| v.as_str().ok_or(PlayError::Form)).collect(),
                Some(_) => Err(PlayError::Form),
            }
        };
        let faults = words("faults")?
            .into_iter()
            .map(|written| written.parse().map_err(|source| PlayError::Fault { written: written.to_owned(), source }))
            .collect::<Result<_, _>>()?;
        let operators_off: BTreeSet<String> = words("operatorsOff")?.into_iter().map(str::to_owned).collect();
        if let Some(unknown) = operators_off.iter().find(|name| !simulated_operator_names().any(|known| known == *name))
        {
            return Err(PlayError::Operator(unknown.clone()));
        }
        Ok(Self {
            operators_off,
            simulation: Simulation::parse(map.get("simulation").unwrap_or(&Value::Null))?,
            faults,
            taken_as_there: BTreeSet::new(),
            missing_images: words("missingImages")?.into_iter().map(str::to_owned).collect(),
            since: map.get("since").and_then(Value::as_str).and_then(|text| text.parse().ok()),
        })
    }

    /// The script of a pod's container.
    pub fn script(&self, pod: &Value, container: &str) -> Option<&Script> {
        self.simulation.script(pod, container)
    }

    /// What goes wrong with a pod: by its own name, its owner's, or its owner's owner's.
    pub fn faults_of<'a>(&'a self, pod: &'a Value) -> impl Iterator<Item = Effect> + 'a {
        let owner = controller_of(pod);
        let kind = owner.map_or(String::new(), |o| text(o, "/kind").to_ascii_lowercase());
        let (owner_name, workload) = (owner.map_or("", |o| text(o, "/name")), workload(pod));
        self.faults
            .iter()
            .filter(move |fault| {
                let within = namespace(pod);
                fault.concerns("pod", within, name(pod))
                    || fault.concerns(&kind, within, owner_name)
                    || (kind == "replicaset" && fault.concerns("deployment", within, &workload))
                    || (kind == "job" && fault.concerns("cronjob", within, cron_job_name(owner_name)))
            })
            .map(|fault| fault.effect)
    }

    /// Whether the pod has that kind of trouble.
    pub fn has(&self, pod: &Value, wanted: impl Fn(Effect) -> bool) -> bool {
        self.faults_of(pod).any(wanted)
    }

    /// Whether what a pod asks for is taken as there.
    pub(crate) fn takes_as_there(&self, kind: &str, within: &str, name: &str, key: Option<&str>) -> bool {
        self.taken_as_there.iter().any(|taken| {
            (taken.kind.as_str(), taken.namespace.as_str(), taken.name.as_str()) == (kind, within, name)
                && (taken.key.is_none() || taken.key.as_deref() == key)
        })
    }

    /// What goes wrong with a claim.
    pub fn claim_is_unbound(&self, claim: &Value) -> bool {
        self.faults.iter().any(|fault| {
            fault.effect == Effect::Unbound && fault.concerns("persistentvolumeclaim", namespace(claim), name(claim))
        })
    }
}

/// The cron job's name in that of a job it made.
fn cron_job_name(job: &str) -> &str {
    job.rsplit_once('-').map_or(
        job,
        |(name, minute)| {
            if minute.bytes().all(|b| b.is_ascii_digit()) { name } else { job }
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_play_is_read_whole_or_refused_with_the_first_mistake() {
        let play = Play::parse(&json!({"simulation": {"web": {"exit": 1}}, "faults": ["job/x=fail"]})).expect("a play");
        assert_eq!((play.simulation.containers.len(), play.faults.len()), (1, 1));
        assert_eq!(Play::parse(&json!({})), Ok(Play::default()));
        let error = Play::parse(&json!({"faults": ["job/x=fial"]})).expect_err("unknown effect").to_string();
        assert!(error.starts_with("--fault job/x=fial: no fault `fial` for a job, did you mean `fail`?"), "{error}");
        assert_eq!(Play::parse(&json!([])), Err(PlayError::Form));
        let unknown = Play::parse(&json!({"operatorsOff": ["cert-manger"]}));
        assert_eq!(unknown, Err(PlayError::Operator("cert-manger".to_owned())));
    }
}
