//! What every trial stands on: what is delivered, what containers do, and a cluster on which nothing runs yet.

use landfall_diag::{Diagnostic, code};
use landfall_drydock::Play;
use landfall_object::Object;
use landfall_project::Environment;
use landfall_rules::{ClusterFacts, Known, demand};

use super::played::Played;
use super::{From, Request};
use crate::nodes::{self, Labels, Origin};
use crate::stage::Stage;
use crate::study::Conditions;

/// The ground of a rehearsal.
pub(super) struct Ground<'r> {
    pub(super) offline: Conditions,
    /// What is played.
    pub(super) played: Played<'r>,
    /// A cluster with room for it, and nothing else.
    pub(super) empty: Stage,
    /// What containers do while the change is delivered.
    pub(super) faulty: Play,
    /// What is known of the cluster that is meant.
    pub(super) cluster: ClusterFacts,
}

impl<'r> Ground<'r> {
    pub(super) async fn prepare(request: &Request<'r>) -> Result<Self, Vec<Diagnostic>> {
        let declared = request.declared();
        let quiet = play(declared, &[])?;
        let faulty = play(declared, request.faults)?;
        let offline = Conditions::offline();
        let played = Played::of(request, &offline);
        let (head, base) = (&played.head_objects, &played.base_objects);
        let delivered: Vec<&Object> = head.iter().chain(base).collect();
        let labels = Labels::asked(delivered.iter().copied());
        let nodes = match request.nodes.as_slice() {
            [] => labels.on(nodes::holding(demand(head.iter()).max(demand(base.iter()))), Origin::Assumed),
            given => labels.on(given.to_vec(), Origin::Given),
        };
        let many = (request.nodes.is_empty() && nodes.len() > 1).then_some(nodes.len());
        let mut empty = Stage::empty(nodes, quiet, offline.readings.clone()).await?;
        empty.notes.extend(many.map(|many| format!("{many} nodes were assumed, as many as its pods insist on")));
        empty.notes.extend(labels.told());
        empty.notes.extend(nodes::schedulers_told(delivered.iter().copied()));
        empty.make_room(delivered.iter().copied()).await?;
        empty.assume_classes(&delivered).await?;
        empty.let_claims_grow(&delivered).await?;
        empty.set_beside(&played.beside).await?;
        if played.still > 0 {
            let all = request.head.len();
            empty.notes.push(format!(
                "{} of {all} releases and Applications render as in the base: they were not played",
                played.still
            ));
        }
        let mut cluster = ClusterFacts::assumed();
        if !request.nodes.is_empty() {
            cluster.nodes = Known::Live;
        }
        if let From::Cluster(snapshot) = request.from {
            (cluster.known, cluster.nodes) = (Known::Live, Known::Live);
            cluster.version.clone_from(&snapshot.version);
            cluster.fingerprints = snapshot.fingerprints.clone();
        }
        if let Some(asked) = &request.kubernetes {
            cluster.version = asked.normalized.trim_start_matches('v').to_owned();
        }
        Ok(Ground { offline, played, empty, faulty, cluster })
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
