//! What every trial stands on: what is delivered, what containers do, and a cluster on which nothing runs yet.

use landfall_diag::{Diagnostic, code};
use landfall_drydock::Play;
use landfall_object::Object;
use landfall_project::Environment;
use landfall_rules::{ClusterFacts, Known, demand};

use super::{From, Request};
use crate::nodes::{self, Labels, Origin};
use crate::stage::Stage;
use crate::study::{Conditions, first_look};

/// The ground of a rehearsal.
pub(super) struct Ground {
    pub(super) offline: Conditions,
    /// What is delivered, as far as it renders without a cluster.
    pub(super) head: Vec<Object>,
    /// The same of the base revision.
    pub(super) base: Vec<Object>,
    /// A cluster with room for it, and nothing else.
    pub(super) empty: Stage,
    /// What containers do while the change is delivered.
    pub(super) faulty: Play,
    /// What is known of the cluster that is meant.
    pub(super) cluster: ClusterFacts,
}

impl Ground {
    pub(super) async fn prepare(request: &Request<'_>) -> Result<Self, Vec<Diagnostic>> {
        let declared = request.declared();
        let quiet = play(declared, &[])?;
        let faulty = play(declared, request.faults)?;
        let offline = Conditions::offline();
        let head = first_look(request.head, &offline);
        let base = match &request.from {
            From::Base { candidates, .. } => first_look(candidates, &offline),
            _ => Vec::new(),
        };
        let delivered: Vec<&Object> = head.iter().chain(&base).collect();
        let labels = Labels::asked(delivered.iter().copied());
        let nodes = match request.nodes.as_slice() {
            [] => labels.on(nodes::holding(demand(head.iter()).max(demand(base.iter()))), Origin::Assumed),
            given => labels.on(given.to_vec(), Origin::Given),
        };
        let many = (request.nodes.is_empty() && nodes.len() > 1).then(|| nodes.len());
        let mut empty = Stage::empty(nodes, quiet).await?;
        empty.notes.extend(many.map(|many| format!("{many} nodes were assumed, as many as its pods insist on")));
        empty.notes.extend(labels.told());
        empty.make_room(delivered.iter().copied()).await?;
        empty.assume_classes(&delivered).await?;
        let mut cluster = ClusterFacts::assumed();
        if !request.nodes.is_empty() {
            cluster.nodes = Known::Live;
        }
        Ok(Ground { offline, head, base, empty, faulty, cluster })
    }
}

/// What an environment declares that containers do, with faults.
pub(super) fn play(environment: Option<&Environment>, faults: &[String]) -> Result<Play, Vec<Diagnostic>> {
    landfall_host::declared_play(environment, faults).and_then(|play| Play::parse(&play)).map_err(|error| {
        vec![
            Diagnostic::error(code::UNREADABLE_PLAY, "what containers are declared to do cannot be read")
                .note(error.to_string()),
        ]
    })
}
