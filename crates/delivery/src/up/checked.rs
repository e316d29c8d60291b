//! What is looked at before the first thing is touched: whether everything is served, and whether every reference resolves.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::Operation;
use landfall_diag::{Diagnose, Diagnostic, Severity};
use landfall_object::references::Need;
use landfall_object::{Gvk, Object, ObjectKey};

use super::{Ready, References, Refusals, UpOptions, turn_down};
use crate::references::is_sealed_without;
use crate::session::{LeftOut, Progress, Session};
use crate::summary::UnitSummary;
use crate::unit::Door;
use crate::{Brought, Unserved, unresolved, unserved};

/// What nobody brings whose place in a chart is looked up, each by reading what was rendered anew.
const MOST_PLACED: usize = 200;

impl Session {
    /// Refuses what is of an apiVersion that nobody serves, and what refers to things that are neither delivered nor live.
    pub(super) async fn check_objects(
        &self,
        ready: &mut Vec<(usize, Ready<'_>)>,
        summaries: &mut BTreeMap<usize, UnitSummary>,
        options: &UpOptions,
    ) -> Result<(), Vec<Diagnostic>> {
        let mut refused: BTreeMap<usize, Vec<Diagnostic>> = BTreeMap::new();
        let unserved = match options.refusals {
            Refusals::EndIt => self.check_served(ready, &mut refused).await?,
            Refusals::LeftOut => {
                self.leave_unserved_out(ready).await?;
                BTreeSet::new()
            }
        };
        self.check_references(ready, &unserved, &mut refused, options.references).await?;
        turn_down(ready, summaries, refused)
    }

    /// Leaves out what is of an apiVersion that nobody serves; what is only of a version that is gone is taken for its
    /// successor, by whose schema it is tried then.
    async fn leave_unserved_out(&self, ready: &mut [(usize, Ready<'_>)]) -> Result<(), Vec<Diagnostic>> {
        let brought = brought(ready);
        for (_, one) in ready {
            let found = unserved(one.shown().all_objects(), &brought, &self.cluster).await;
            for finding in found.map_err(|error| vec![error.diagnose()])? {
                let rendered = self.next(one).await?;
                let meant = one.unit.meant_for.as_ref();
                let told =
                    if meant.is_some_and(|it| finding.is_served_by(it)) { &[][..] } else { &finding.objects[..] };
                for key in told {
                    let alone = Unserved { objects: vec![key.clone()], ..finding.clone() };
                    self.tell(Progress::LeftOut(Box::new(LeftOut {
                        unit: one.unit.name.clone(),
                        object: key.clone(),
                        field: Some("apiVersion".to_owned()),
                        told: alone.diagnostic(|key, path| rendered.places(key, path)),
                    })))
                    .await;
                }
                let instead = finding.successor().map(str::to_owned);
                one.change(|rendered| {
                    let gone = finding.objects.iter().filter(|key| {
                        let taken = instead.as_deref().is_some_and(|instead| rendered.take_for(key, instead));
                        !taken
                    });
                    let gone: BTreeSet<ObjectKey> = gone.cloned().collect();
                    rendered.leave_out(&gone);
                });
                if let Some(instead) = instead {
                    let next = |key: &ObjectKey| (Gvk::from_api_version(&instead, &key.gvk.kind), key.name.clone());
                    one.succeeding.extend(finding.objects.iter().map(next));
                    one.place_again(&self.cluster).await;
                }
            }
        }
        Ok(())
    }

    /// Finds what is of an apiVersion that nobody serves; answers the objects, as they are written.
    async fn check_served(
        &self,
        ready: &[(usize, Ready<'_>)],
        refused: &mut BTreeMap<usize, Vec<Diagnostic>>,
    ) -> Result<BTreeSet<(usize, ObjectKey)>, Vec<Diagnostic>> {
        let brought = brought(ready);
        let mut found = BTreeSet::new();
        for (index, one) in ready {
            let unserved = unserved(one.shown().all_objects(), &brought, &self.cluster).await;
            for finding in unserved.map_err(|error| vec![error.diagnose()])? {
                let rendered = self.next(one).await?;
                found.extend(finding.objects.iter().map(|key| (*index, key.clone())));
                // Of what is not served yet and may come later nobody knows what would be refused.
                let comes = |key: &ObjectKey| {
                    let Door::Application(bound) = &one.unit.door else { return false };
                    let object = rendered.all_objects().find(|object| object.key() == *key);
                    object.is_some_and(|object| bound.application.may_come_later(object))
                };
                let objects: Vec<ObjectKey> = finding.objects.iter().filter(|key| !comes(key)).cloned().collect();
                if !objects.is_empty() {
                    let finding = Unserved { objects, ..finding };
                    refused.entry(*index).or_default().push(finding.diagnostic(|key, path| rendered.places(key, path)));
                }
            }
        }
        Ok(found)
    }

    /// Finds what refers to things that are neither delivered nor live. What is unserved is there for
    /// others, and what it refers to itself is not judged.
    async fn check_references(
        &self,
        ready: &[(usize, Ready<'_>)],
        unserved: &BTreeSet<(usize, ObjectKey)>,
        refused: &mut BTreeMap<usize, Vec<Diagnostic>>,
        references: References,
    ) -> Result<(), Vec<Diagnostic>> {
        let mut owners: Vec<(usize, ObjectKey)> = Vec::new();
        let mut unjudged: BTreeSet<ObjectKey> = BTreeSet::new();
        let mut objects = Vec::new();
        for (index, one) in ready.iter() {
            for object in one.shown().all_objects() {
                let mut placed = object.clone();
                if unserved.contains(&(*index, object.key())) {
                    // Most kinds live in a namespace.
                    if placed.namespace().is_none() {
                        placed.set_namespace(&*one.unit.namespace);
                    }
                    unjudged.insert(placed.key());
                } else if let Ok(again) = self.cluster.place(placed.clone(), &one.unit.namespace).await {
                    placed = again;
                }
                owners.push((*index, placed.key()));
                objects.push(placed);
            }
        }
        let missing = unresolved(&objects, &self.cluster).await.map_err(|error| vec![error.diagnose()])?;
        for (nth, mut one) in missing.into_iter().enumerate() {
            one.users.retain(|user| !unjudged.contains(&user.object));
            if one.users.is_empty() {
                continue;
            }
            let Some((index, _)) = owners.iter().find(|(_, key)| *key == one.users[0].object) else { continue };
            let rendered = match ready.iter().find(|(at, _)| at == index).filter(|_| nth < MOST_PLACED) {
                Some((_, ready)) => Some(self.next(ready).await?),
                None => None,
            };
            let diagnostic =
                one.diagnostic_at(|key, path| rendered.map(|rendered| rendered.places(key, path)).unwrap_or_default());
            let never_comes = match references {
                References::MustResolve => true,
                References::MayCome => false,
                References::MayComeButSealed => is_sealed_without(&objects, &one.missing),
            };
            if one.need == Need::Start && never_comes {
                refused.entry(*index).or_default().push(diagnostic);
            } else {
                let severity = diagnostic.severity.min(Severity::Warning);
                self.tell(Progress::Note(Diagnostic { severity, ..diagnostic })).await;
            }
        }
        Ok(())
    }
}

/// The kinds that the units bring.
fn brought(ready: &[(usize, Ready<'_>)]) -> Brought {
    let bringing: Vec<Object> = ready
        .iter()
        .flat_map(|(_, one)| one.shown().all_objects().filter(|it| it.kind() == "ClusterRole").cloned())
        .chain(definitions(ready))
        .collect();
    Brought::of(bringing.iter())
}

/// The CustomResourceDefinitions that units bring. A release's `crds/` are installed with its first revision alone.
pub(super) fn definitions<'r>(ready: &'r [(usize, Ready<'_>)]) -> impl Iterator<Item = Object> + 'r {
    let first = ready.iter().map(|(_, one)| one).filter(|one| one.turn.operation == Operation::Install);
    ready
        .iter()
        .flat_map(|(_, one)| one.shown().all_objects().cloned())
        .chain(first.flat_map(|one| one.shown().defined()))
        .filter(|object| object.kind() == "CustomResourceDefinition")
}
