//! An operation on a release on its way to a plan: its parts in Helm's order, placed and then compiled.

use std::collections::BTreeSet;

use landfall_engine::{Desired, Kinds, Live, Look, Places, Plan, Selection, Sight};
use landfall_object::{Gvk, Object};

use crate::compile::{Compiler, pod_selector};
use crate::course::{Course, Prepared};
use crate::manifest::{ManifestObject, hook_objects, manifest_objects};
use crate::moment::{HookObject, Moment};
use crate::options::{DeployOptions, HookRuns, OwnershipCheck, Pods, Wait};
use crate::record::target;
use crate::section::{Leaving, Section};
use crate::settle::settle;
use crate::{Error, HookRecord, Record, Which};

/// An operation on a release that is to be planned.
pub struct Wish {
    course: Course,
    /// The deployed record that it follows.
    current: Option<Record>,
    deploy: DeployOptions,
    /// Kinds that come before the release's turn.
    to_come: Kinds,
    sections: Vec<Section>,
}

impl Wish {
    pub(crate) fn new(course: Course, current: Option<Record>, deploy: &DeployOptions) -> Self {
        Wish { course, current, deploy: deploy.clone(), to_come: Kinds::default(), sections: Vec::new() }
    }

    /// The same, where kinds that are not served yet come before the release's turn.
    #[must_use]
    pub fn expecting(mut self, kinds: Kinds) -> Self {
        self.to_come.extend(kinds);
        self
    }

    /// With another answer to objects of others than the options' own.
    pub(crate) fn owning(mut self, ownership: OwnershipCheck) -> Self {
        self.deploy.ownership = ownership;
        self
    }

    pub(crate) fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// The hooks of a moment, by weight and name.
    pub(crate) fn hooks(self, moment: Moment) -> Self {
        self.hooks_where(moment, |_| true)
    }

    /// Those of them that are wanted.
    pub(crate) fn hooks_where(self, moment: Moment, wanted: impl Fn(&HookRecord) -> bool) -> Self {
        if self.deploy.hooks == HookRuns::Skip {
            return self;
        }
        let mut hooks: Vec<(usize, &HookRecord)> = self
            .course
            .record
            .hooks
            .iter()
            .enumerate()
            .filter(|(_, hook)| moment.is_one_of(&hook.events) && wanted(hook))
            .collect();
        hooks.sort_by(|(_, a), (_, b)| a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name)));
        let read = |(id, hook): (usize, &HookRecord)| {
            let objects = hook_objects(&hook.path, &hook.manifest)?;
            Ok(objects.into_iter().map(|object| HookObject::of(id, hook, object)).collect::<Vec<_>>())
        };
        let section = match hooks.into_iter().map(read).collect::<Result<Vec<_>, Error>>() {
            Ok(hooks) => Section::Hooks(moment, hooks.into_iter().flatten().collect()),
            Err(error) => Section::Broken(Some(error)),
        };
        self.section(section)
    }

    /// The objects of the record, over those of the one before.
    pub(crate) fn resources(self, which: Which, before: Option<&str>) -> Self {
        let objects = match manifest_objects(&self.course.record.manifest) {
            Ok(objects) => objects,
            Err(unset @ Error::Unset { .. }) => {
                return self.section(Section::Broken(Some(Error::Unbuilt { which, source: Box::new(unset) })));
            }
            Err(error) => return self.section(Section::Broken(Some(error))),
        };
        match before.map(manifest_objects).transpose() {
            Ok(before) => self.section(Section::Resources { which, objects, before: before.unwrap_or_default() }),
            Err(error) => self
                .section(Section::Resources { which, objects, before: Vec::new() })
                .section(Section::Broken(Some(error))),
        }
    }

    /// What was written is waited for, when asked to.
    pub(crate) fn wait(self) -> Self {
        if self.deploy.wait == Wait::No { self } else { self.section(Section::Wait) }
    }

    /// All objects of the record go.
    pub(crate) fn removal(self, leaving: Leaving) -> Self {
        let section = match manifest_objects(&self.course.record.manifest) {
            Ok(before) => Section::Removal { before, leaving },
            Err(error) => Section::Broken(Some(error)),
        };
        self.section(section)
    }

    /// By what pods are found that are to be made anew (helm: `recreate`).
    fn selections(&self) -> Vec<Selection> {
        if self.deploy.pods == Pods::LeftAlone {
            return Vec::new();
        }
        let objects = self.sections.iter().flat_map(|section| match section {
            Section::Resources { objects, .. } => objects.as_slice(),
            _ => &[],
        });
        let selection = |entry: &ManifestObject| {
            let (gvk, namespace) = (Gvk::new("", "v1", "Pod"), entry.object.key().namespace);
            pod_selector(&entry.object).map(|labels| Selection { gvk, namespace, labels })
        };
        objects.filter_map(selection).collect()
    }
}

impl landfall_engine::Wish for Wish {
    type Prepared = Prepared;
    type Error = Error;

    fn home(&self) -> &str {
        &self.course.record.namespace
    }

    fn kinds(&self) -> BTreeSet<Gvk> {
        let mut coming = self.to_come.clone();
        let mut kinds = BTreeSet::new();
        for section in &self.sections {
            coming.extend(section.brings());
            kinds.extend(section.objects().map(Object::gvk).filter(|gvk| !coming.contains(gvk)));
        }
        kinds
    }

    fn place(&mut self, mut places: Places) -> Result<Look, Error> {
        places.expect(self.to_come.clone());
        for section in &mut self.sections {
            places.expect(section.brings());
            section.place(&places)?;
        }
        Ok(Look { objects: Vec::new(), selected: self.selections() })
    }

    fn compile(&mut self, sight: &Sight) -> Result<Desired, Error> {
        let record = &self.course.record;
        let mut compiler = Compiler::new(&record.namespace, &self.deploy);
        for section in std::mem::take(&mut self.sections) {
            compiler.section(section, &sight.selected);
        }
        Ok(compiler.finish(target(&record.namespace, &record.name), self.course.verb.word()))
    }

    fn settle(&self, desired: &mut Desired, live: &Live) -> Result<(), Error> {
        settle(desired, live, &self.course.record, self.deploy.ownership, self.course.verb)
    }

    fn prepared(self, plan: Plan, live: Live) -> Result<Prepared, Error> {
        let Wish { course, current, .. } = self;
        let mut record = course.record.clone();
        record.labels.clone_from(&course.labels);
        Ok(Prepared { plan, record, current, live, course })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use landfall_cluster::Scope;
    use landfall_engine::{Action, Wish as _, plan};
    use serde_json::json;

    use super::*;
    use crate::{Content, Past, Status, UpgradeOptions, verbs};

    fn manifest(replicas: u32) -> String {
        format!(
            "---\n# Source: web/templates/web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n\
             spec:\n  replicas: {replicas}\n"
        )
    }

    fn past() -> Past {
        let record = Record {
            name: "web".into(),
            namespace: "shop".into(),
            version: 3,
            manifest: manifest(1),
            info: crate::Info { status: Status::Deployed, ..Default::default() },
            ..serde_json::from_value(json!({})).expect("an empty record")
        };
        Past { namespace: "shop".into(), name: "web".into(), history: vec![record], now: Timestamp::UNIX_EPOCH }
    }

    /// Past, content, places and live objects are values: no cluster is asked for anything.
    #[test]
    fn an_upgrade_is_compiled_to_a_plan_without_a_cluster() {
        let content = Content { manifest: manifest(2), ..Content::default() };
        let mut wish = verbs::upgrade(&past(), content, &UpgradeOptions::default()).expect("there is one to upgrade");
        let deployment = Gvk::new("apps", "v1", "Deployment");
        assert_eq!(wish.kinds().into_iter().collect::<Vec<_>>(), std::slice::from_ref(&deployment));
        assert_eq!(
            wish.place(Places::of("shop", [(deployment, Scope::Namespaced)])).expect("goes there"),
            Look::default()
        );
        let mut desired = wish.compile(&Sight::default()).expect("compiles");
        let mut live = manifest_objects(&manifest(1)).expect("a manifest").remove(0).object;
        live.set_namespace("shop");
        crate::ownership::mark(&mut live, "web", "shop");
        let live = Live::new([live]);
        wish.settle(&mut desired, &live).expect("is the release's own");
        let prepared = wish.prepared(plan(&desired, &live).expect("plans"), live).expect("is prepared");
        let steps: Vec<(Action, String)> = prepared.plan.steps().map(|it| (it.action, it.key.to_string())).collect();
        assert_eq!(steps, [(Action::Change, "Deployment.apps shop/web".to_owned())]);
        assert_eq!(prepared.plan.target, "release shop/web");
        assert_eq!((prepared.record.version, prepared.record.info.status), (4, Status::PendingUpgrade));
    }

    #[test]
    fn what_is_of_no_kind_that_is_served_or_comes_is_refused_when_it_is_placed() {
        let content = Content { manifest: manifest(2), ..Content::default() };
        let mut wish = verbs::upgrade(&past(), content, &UpgradeOptions::default()).expect("there is one to upgrade");
        let refused = wish.place(Places::of("shop", [])).expect_err("nothing is served");
        assert!(
            matches!(&refused, Error::Build { which: Which::NewRelease, sources } if sources.len() == 1),
            "{refused}"
        );
    }
}
