use std::collections::BTreeSet;

use landfall_apps::sets::{ApplicationSet, Expansion, Question};
use landfall_object::Object;

use crate::errands::Work;

/// Takes what a set generates as said by its owner, where an owner or the base branch has said the set itself, as it stands now, and all that
/// it was generated from is in their hands: lists, commits of repositories, the clusters' Secrets. Whoever opens a pull request, or runs a
/// plugin's service, is none of them. Whether what counts is something else than before.
///
/// A set whose generators fail says what it said before: nothing is changed then either.
pub(super) fn say(work: &Work, set: &ApplicationSet, expansion: &Expansion, asked: &BTreeSet<Question>) -> bool {
    let Expansion::Generated(generated) = expansion else { return false };
    let from_owners = !asked.iter().any(|it| matches!(it, Question::PullRequests(_) | Question::Plugin(_)));
    let key = set.key();
    let parent = format!("ApplicationSet {}/{}", set.namespace, key.name);
    if !from_owners || !work.orders.accepts(&set.object) {
        return work.orders.says(&parent, None);
    }
    let placed: Vec<Object> = generated
        .iter()
        .map(|application| {
            let mut placed = application.clone();
            placed.metadata_mut().insert("namespace".to_owned(), set.namespace.clone().into());
            placed
        })
        .collect();
    work.orders.says(&parent, Some(&placed))
}
