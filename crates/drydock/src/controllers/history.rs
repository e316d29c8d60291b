//! Controller revisions: the templates a stateful or daemon set has had (`pkg/controller/history`).

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::claims;
use super::desk::{Desk, Found};
use super::fields::{child, controller_reference, count, int, map, name, namespace, set_label, text};
use super::hash::short_hash;
use super::kind::CONTROLLER_REVISION;

/// The labels of a revision with its own hash: a stateful set's, and a daemon set's
/// (`pkg/controller/daemon/update.go`).
const HASH: &str = "controller.kubernetes.io/hash";
const DAEMON_HASH: &str = "controller-revision-hash";

/// What a new revision needs beyond the set.
pub(super) struct Draft<'a> {
    pub(super) set: &'a Value,
    /// `status.collisionCount`.
    pub(super) collisions: i64,
}

/// The revisions of a set, oldest first.
pub(super) fn revisions(desk: &mut Desk<'_>, set: &Value) -> Result<Vec<Found>, Status> {
    let candidates = desk.list_claimable(&CONTROLLER_REVISION, set);
    let mut ours = claims::claim(desk, &CONTROLLER_REVISION, set, set.pointer("/spec/selector"), candidates)?;
    ours.sort_by(|a, b| count(a, "/revision").cmp(&count(b, "/revision")).then_with(|| name(a).cmp(name(b))));
    Ok(ours)
}

/// The patch that a revision keeps: the template, to be replaced as a whole.
fn patch_of(set: &Value) -> Value {
    let mut template = set.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

/// The template that a revision stands for, or the set's own where the revision has none.
pub(super) fn template(revision: &Value, set: &Value) -> Value {
    let mut template =
        revision.pointer("/data/spec/template").or(set.pointer("/spec/template")).cloned().unwrap_or_default();
    if let Some(template) = template.as_object_mut() {
        template.remove("$patch");
    }
    template
}

/// The part of a revision's name that tells it apart.
pub(super) fn hash(revision: &Value) -> &str {
    let label = |name| super::fields::label(revision, name);
    label(HASH).or_else(|| label(DAEMON_HASH)).unwrap_or_default()
}

/// The revision of the set's present template: found, taken up again, or made. Gives it and the collision count.
pub(super) fn current(desk: &mut Desk<'_>, draft: &Draft<'_>, known: &mut Vec<Found>) -> Result<(Found, i64), Status> {
    let set = draft.set;
    let patch = patch_of(set);
    let next = known.iter().map(|r| count(r, "/revision")).max().unwrap_or(0) + 1;
    let same = |r: &Found| r.get("data") == Some(&patch);
    if let Some(last) = known.last().filter(|r| same(r)) {
        return Ok((last.clone(), draft.collisions));
    }
    if let Some(index) = known.iter().rposition(same) {
        let mut again = known[index].value().clone();
        again["revision"] = next.into();
        let again = desk.update(&CONTROLLER_REVISION, again)?;
        known.remove(index);
        known.push(again.clone());
        return Ok((again, draft.collisions));
    }
    let mut collisions = draft.collisions;
    loop {
        let revision = fresh(set, &patch, next, collisions);
        let wanted_name = name(&revision).to_owned();
        match desk.create(&CONTROLLER_REVISION, revision) {
            Ok(made) => {
                known.push(made.clone());
                return Ok((made, collisions));
            }
            Err(refusal) if refusal.is_already_exists() => {
                let there = desk.get(&CONTROLLER_REVISION, namespace(set), &wanted_name);
                if let Some(there) = there.filter(|r| r.get("data") == Some(&patch)) {
                    return Ok((there, collisions));
                }
                collisions += 1;
            }
            Err(refusal) => return Err(refusal),
        }
    }
}

fn fresh(set: &Value, patch: &Value, number: i64, collisions: i64) -> Value {
    let hash = short_hash(patch, Some(collisions));
    let mut revision = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": format!("{}-{hash}", name(set)),
            "namespace": namespace(set),
            "labels": set.pointer("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({})),
            "ownerReferences": [controller_reference(set)],
        },
        "data": patch,
        "revision": number,
    });
    if let Some(annotations) = map(set, "/metadata/annotations").filter(|m| !m.is_empty()) {
        child(&mut revision, "metadata")["annotations"] = Value::Object(annotations.clone());
    }
    let label = if text(set, "/kind") == "DaemonSet" { DAEMON_HASH } else { HASH };
    set_label(&mut revision, label, &hash);
    revision
}

/// Deletes revisions beyond the history limit that nothing refers to.
pub(super) fn truncate(
    desk: &mut Desk<'_>,
    set: &Value,
    known: &[Found],
    live: impl Fn(&Value) -> bool,
) -> Result<(), Status> {
    let Some(limit) = int(set, "/spec/revisionHistoryLimit").and_then(|l| usize::try_from(l).ok()) else {
        return Ok(());
    };
    let past: Vec<&Found> = known.iter().filter(|r| !live(r)).collect();
    let excess = past.len().saturating_sub(limit);
    for revision in past.into_iter().take(excess) {
        desk.delete(&CONTROLLER_REVISION, namespace(set), text(revision, "/metadata/name"))?;
    }
    Ok(())
}
