//! An operation on a release on its way to a plan: its parts in Helm's order, placed and then compiled.

use std::collections::BTreeSet;

use landfall_cluster::{Error as ClusterError, Propagation};
use landfall_engine::{Desired, Kinds, Live, Look, Places, Plan, Selection, Sight};
use landfall_object::{Gvk, Object};

use crate::compile::{Compiler, pod_selector};
use crate::course::{Course, Prepared};
use crate::manifest::{ManifestObject, hook_objects, manifest_objects};
use crate::moment::{HookObject, Moment};
use crate::options::{DeployOptions, HookRuns, OwnershipCheck, Pods, Wait};
use crate::record::target;
use crate::settle::settle;
use crate::{CrdFile, Error, HookRecord, Record};

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

/// A part of an operation.
pub(crate) enum Section {
    /// The files under `crds/`.
    Definitions(Vec<CrdFile>),
    /// The release's namespace.
    Namespace,
    /// The hooks of a moment, in their order.
    Hooks(Moment, Vec<HookObject>),
    /// The objects wanted, over those delivered before.
    Resources {
        /// `release`, `new release`.
        which: &'static str,
        objects: Vec<ManifestObject>,
        before: Vec<ManifestObject>,
    },
    /// What was written is waited for.
    Wait,
    /// All objects go.
    Removal { before: Vec<ManifestObject>, leaving: Leaving },
    /// What cannot be read; told when it is its turn.
    Broken(Option<Error>),
}

/// How the objects of a release go.
pub(crate) struct Leaving {
    pub(crate) propagation: Propagation,
    /// Whether volume claims stay.
    pub(crate) keep_claims: bool,
    /// Whether their end is waited for.
    pub(crate) wait: bool,
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
    pub(crate) fn resources(self, which: &'static str, before: Option<&str>) -> Self {
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

impl Section {
    /// The kinds that it defines.
    fn brings(&self) -> Kinds {
        match self {
            Section::Definitions(files) => Kinds::defined(files.iter().flat_map(|file| &file.objects)),
            Section::Resources { objects, .. } => Kinds::defined(objects.iter().map(|entry| &entry.object)),
            _ => Kinds::default(),
        }
    }

    /// The objects that have to be placed.
    fn objects(&self) -> Box<dyn Iterator<Item = &Object> + '_> {
        match self {
            Section::Hooks(_, hooks) => Box::new(hooks.iter().map(|hook| &hook.object)),
            Section::Resources { objects, before, .. } => Box::new(objects.iter().chain(before).map(|it| &it.object)),
            Section::Removal { before, .. } => Box::new(before.iter().map(|entry| &entry.object)),
            Section::Definitions(_) | Section::Namespace | Section::Wait | Section::Broken(_) => {
                Box::new(std::iter::empty())
            }
        }
    }

    fn place(&mut self, places: &Places) -> Result<(), Error> {
        match self {
            Section::Hooks(_, hooks) => {
                for hook in hooks {
                    match places.place(hook.object.clone()) {
                        Ok(placed) => hook.object = placed,
                        // A hook before it may bring the kind; most kinds live in a namespace.
                        Err(_) if hook.object.namespace().is_none() => hook.object.set_namespace(places.home()),
                        Err(_) => {}
                    }
                }
            }
            Section::Resources { which, objects, before } => {
                place_all(which, objects, places)?;
                place_known(before, places);
            }
            Section::Removal { before, .. } => place_known(before, places),
            Section::Broken(error) => return error.take().map_or(Ok(()), Err),
            Section::Definitions(_) | Section::Namespace | Section::Wait => {}
        }
        Ok(())
    }
}

/// Places the objects of a manifest; all of them have to be of kinds that are served or come.
fn place_all(which: &'static str, objects: &mut [ManifestObject], places: &Places) -> Result<(), Error> {
    let mut sources: Vec<ClusterError> = Vec::new();
    for entry in objects {
        match places.place(entry.object.clone()) {
            Ok(object) => entry.object = object,
            Err(source) => sources.push(source),
        }
    }
    if sources.is_empty() { Ok(()) } else { Err(Error::Build { which, sources }) }
}

/// Places the objects of the manifest that runs; kinds that are served no more are left out.
fn place_known(objects: &mut Vec<ManifestObject>, places: &Places) {
    let place = |ManifestObject { path, object }| Some(ManifestObject { path, object: places.place(object).ok()? });
    *objects = std::mem::take(objects).into_iter().filter_map(place).collect();
}
