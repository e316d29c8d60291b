//! Which releases and Applications are played: all of a few, and of many those that the change touches.

use std::borrow::Cow;

use landfall_delivery::Candidate;
use landfall_object::Object;

use super::{From, Request};
use crate::study::{Conditions, first_look};

/// Up to so many are all played.
const FEW: usize = 12;

/// What is played of a change and of its base.
pub(super) struct Played<'r> {
    pub(super) head: Cow<'r, [Candidate]>,
    pub(super) base: Cow<'r, [Candidate]>,
    /// Their objects, as far as they render without a cluster.
    pub(super) head_objects: Vec<Object>,
    pub(super) base_objects: Vec<Object>,
    /// What others may lean on of those that render as in the base and stand still.
    pub(super) beside: Vec<Object>,
    /// How many stand still.
    pub(super) still: usize,
}

impl<'r> Played<'r> {
    pub(super) fn of(request: &Request<'r>, offline: &Conditions) -> Self {
        let base = match request.from {
            From::Base { candidates, .. } => candidates,
            From::Empty | From::Cluster(_) => &[],
        };
        let look = |all: &[Candidate]| -> Vec<Vec<Object>> {
            all.iter().map(|one| first_look(std::slice::from_ref(one), offline)).collect()
        };
        let (head_looks, base_looks) = (look(request.head), look(base));
        let is_still = |at: usize| {
            let (name, objects) = (&request.head[at].0, &head_looks[at]);
            let before = base.iter().position(|(other, _)| other == name);
            !objects.is_empty() && before.is_some_and(|before| base_looks[before] == *objects)
        };
        let still: Vec<usize> = match request.head.len() > FEW {
            true => (0..request.head.len()).filter(|at| is_still(*at)).collect(),
            false => Vec::new(),
        };
        let names: Vec<&str> = still.iter().map(|at| request.head[*at].0.as_str()).collect();
        let beside = still.iter().flat_map(|at| &head_looks[*at]).filter(|it| is_leant_on(it)).cloned().collect();
        let taken = |all: &'r [Candidate], looks: Vec<Vec<Object>>| -> (Cow<'r, [Candidate]>, Vec<Object>) {
            if names.is_empty() {
                return (Cow::Borrowed(all), looks.into_iter().flatten().collect());
            }
            let moves = |(name, _): &Candidate| !names.contains(&name.as_str());
            let objects = all.iter().zip(looks).filter(|(one, _)| moves(one)).flat_map(|(_, look)| look).collect();
            (Cow::Owned(all.iter().filter(|one| moves(one)).cloned().collect()), objects)
        };
        let (base, base_objects) = taken(base, base_looks);
        let (head, head_objects) = taken(request.head, head_looks);
        Played { head, base, head_objects, base_objects, beside, still: still.len() }
    }
}

/// Whether pods of others may need an object to start.
fn is_leant_on(object: &Object) -> bool {
    let kinds = ["Namespace", "Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim"];
    object.group().is_empty() && kinds.contains(&object.kind())
}
