//! The parts of an operation on a release, and where their objects go.

use landfall_cluster::{Error as ClusterError, Propagation};
use landfall_engine::{Kinds, Places};
use landfall_object::Object;

use crate::manifest::ManifestObject;
use crate::moment::{HookObject, Moment};
use crate::{CrdFile, Error, Which};

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
        /// What Helm names them when they cannot be built.
        which: Which,
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

impl Section {
    /// The kinds that it defines.
    pub(crate) fn brings(&self) -> Kinds {
        match self {
            Section::Definitions(files) => Kinds::defined(files.iter().flat_map(|file| &file.objects)),
            Section::Resources { objects, .. } => Kinds::defined(objects.iter().map(|entry| &entry.object)),
            _ => Kinds::default(),
        }
    }

    /// The objects that have to be placed.
    pub(crate) fn objects(&self) -> Box<dyn Iterator<Item = &Object> + '_> {
        match self {
            Section::Hooks(_, hooks) => Box::new(hooks.iter().map(|hook| &hook.object)),
            Section::Resources { objects, before, .. } => Box::new(objects.iter().chain(before).map(|it| &it.object)),
            Section::Removal { before, .. } => Box::new(before.iter().map(|entry| &entry.object)),
            Section::Definitions(_) | Section::Namespace | Section::Wait | Section::Broken(_) => {
                Box::new(std::iter::empty())
            }
        }
    }

    pub(crate) fn place(&mut self, places: &Places) -> Result<(), Error> {
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
                place_all(*which, objects, places)?;
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
fn place_all(which: Which, objects: &mut [ManifestObject], places: &Places) -> Result<(), Error> {
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
