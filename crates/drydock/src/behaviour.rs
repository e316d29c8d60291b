//! What the containers do and what goes wrong, shared between kubelet, ingress and whoever changes it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use serde_json::Value;

use crate::controllers::fields::{controller_of, name, namespace, text};
use crate::fault::{Effect, Fault};
use crate::simulation::{Script, Simulation, workload};

/// Declared behaviour and faults at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// What the project declares.
    pub simulation: Simulation,
    /// What is made to go wrong.
    pub faults: Vec<Fault>,
    /// Images that are known not to exist; all others are taken to exist.
    pub missing_images: BTreeSet<String>,
}

/// The play that is on; may be exchanged while the cluster runs.
#[derive(Debug, Default)]
pub struct Behaviour {
    play: RwLock<Arc<Play>>,
    generation: AtomicU64,
}

impl Behaviour {
    /// A behaviour that starts with this play.
    pub fn new(play: Play) -> Self {
        Self { play: RwLock::new(Arc::new(play)), generation: AtomicU64::new(0) }
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
