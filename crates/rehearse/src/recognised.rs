//! Values that were left behind when a cluster was read, put back where what is delivered has the very same ones: else
//! every Secret would seem to change, every release with it, and every hook would run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_chart::{Operation, Tracing};
use landfall_delivery::{Candidate, Door, RenderedUnit, Turn, Unit};
use landfall_object::{Object, mask};
use landfall_release::{Content, Record};
use landfall_rules::Fingerprints;
use landfall_rules::decoded::as_stored;
use serde_json::json;

use crate::snapshot::{Snapshot, have_same_copy, masked_manifest};
use crate::study::{self, Conditions, Scopes};

/// The objects of a snapshot, with the values that the candidates deliver too.
pub(crate) fn recognised(snapshot: &Snapshot, candidates: &[Candidate]) -> Vec<Object> {
    let mut objects = snapshot.objects.clone();
    let conditions = Conditions::of(&snapshot.version, objects.iter().cloned().collect());
    for unit in candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok()) {
        let last = last_record(&objects, unit);
        let revision = last.as_ref().map_or(1, |(_, record)| record.version);
        let operation = if revision == 1 { Operation::Install } else { Operation::Upgrade };
        let turn = Turn { revision, operation };
        let Ok(mut rendered) = study::once(unit, turn, &conditions, study::MOMENTS[0], Tracing::Off) else { continue };
        if let Some((at, record)) = last
            && let Some(record) = same_record(record, &rendered, &snapshot.fingerprints)
            && let Ok(text) = landfall_release::encode(&record)
        {
            objects[at].map_mut().insert("data".to_owned(), json!({"release": STANDARD.encode(text)}));
        }
        Scopes::of(&rendered).place(&mut rendered, &unit.namespace);
        for secret in rendered.all_objects().filter(|object| object.kind() == "Secret" && object.group().is_empty()) {
            let secret = as_stored(secret.clone());
            let Some(live) = objects.iter_mut().find(|live| live.key() == secret.key()) else { continue };
            values(live, &secret, &snapshot.fingerprints);
        }
    }
    objects
}

/// Puts the values into a live Secret whose fingerprints they have.
fn values(live: &mut Object, desired: &Object, fingerprints: &Fingerprints) {
    if let Some(copy) = have_same_copy(fingerprints, desired, live) {
        live.set_annotation(mask::LAST_APPLIED, copy);
    }
    let Some(known) = desired.at("/data").and_then(|data| data.as_object()) else { return };
    for (key, value) in known {
        if fingerprints.have_same(desired, live, key) == Some(true)
            && let Some(slot) = live.at_mut("/data").and_then(|data| data.get_mut(key))
        {
            *slot = value.clone();
        }
    }
}

/// The deployed record of a unit's release, and where it stands.
fn last_record(objects: &[Object], unit: &Unit) -> Option<(usize, Record)> {
    if !matches!(unit.door, Door::Release) {
        return None;
    }
    let records = objects.iter().enumerate().filter(|(_, object)| {
        object.str_at("/type") == Some("helm.sh/release.v1")
            && object.namespace() == Some(unit.namespace.as_str())
            && object.label("name") == Some(unit.name.as_str())
            && object.label("status") == Some("deployed")
    });
    let decoded = records.filter_map(|(at, object)| {
        let stored = String::from_utf8(STANDARD.decode(object.str_at("/data/release")?).ok()?).ok()?;
        Some((at, landfall_release::decode(object.name(), &stored).ok()?))
    });
    decoded.max_by_key(|(_, record)| record.version)
}

/// The record with its values, when what is rendered now is what it was made from.
fn same_record(record: Record, rendered: &RenderedUnit, fingerprints: &Fingerprints) -> Option<Record> {
    let content = Content::of(rendered.charts.first()?).ok()?;
    let hooks = content.hooks.iter().map(|hook| masked_manifest(&hook.manifest, fingerprints));
    let same = masked_manifest(&content.manifest, fingerprints) == record.manifest
        && hooks.eq(record.hooks.iter().map(|hook| hook.manifest.clone()));
    same.then(|| Record {
        manifest: content.manifest,
        config: content.config,
        chart: content.chart,
        hooks: record
            .hooks
            .into_iter()
            .zip(content.hooks)
            .map(|(mut hook, now)| {
                hook.manifest = now.manifest;
                hook
            })
            .collect(),
        ..record
    })
}
