//! What rules look at: the desired state with its origins, the cluster as it is, and what the rehearsal has shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use landfall_chart::{Chart, HookEvent, RenderedObject, RenderedUnit};
use landfall_diag::{Place, Spot};
use landfall_object::schema::{Resource, Schemas};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_project::{Environment, ProjectFile};
use landfall_source::SourceTree;

use crate::fingerprints::Fingerprints;
use crate::inventory::Inventory;
use crate::outcome::Outcome;
use crate::pods::{PodTemplate, pod_template};

/// Everything a rule may look at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What is delivered, in order.
    pub units: &'a [DesiredUnit],
    /// The same from the base revision, when there is one.
    pub base: Option<&'a [DesiredUnit]>,
    /// The objects of the cluster before the change, secrets masked; of a cluster that was never looked at, what every
    /// new one has.
    pub before: &'a Inventory,
    /// What is known of the cluster beside its objects.
    pub cluster: &'a ClusterFacts,
    /// What deliveries onto forks have shown; empty where nothing was rehearsed.
    pub trials: &'a [Outcome<'a>],
    /// The repository's files.
    pub files: Option<&'a SourceTree>,
    /// The project file.
    pub project: Option<&'a ProjectFile>,
    /// The environment's name and declaration.
    pub environment: Option<(&'a str, &'a Environment)>,
    /// The day it is.
    pub today: Date,
}

/// By which rules a unit is delivered.
#[derive(Debug, Clone)]
pub enum Door {
    /// Helm's: hooks by weight, install order, revisions.
    Release,
    /// Argo CD's: phases, waves, prune; with the Application itself.
    Application(Object),
}

/// One release or Application: its chart and what it renders to.
#[derive(Debug)]
pub struct DesiredUnit {
    /// Its name.
    pub name: String,
    /// Where its namespaced objects go.
    pub namespace: String,
    /// By which rules it is delivered.
    pub door: Door,
    /// The chart; none when it is made from plain manifests.
    pub chart: Option<Chart>,
    /// The values files it is rendered with, in order.
    pub value_files: Vec<String>,
    /// The rendering, with origins.
    pub rendered: RenderedUnit,
    /// The same rendered again, with another clock and other random numbers, against a cluster where the first one
    /// was delivered if it was rehearsed.
    pub again: Option<RenderedUnit>,
    /// What is the same twice only because a template reads it back from the cluster.
    pub read_back: Vec<ObjectKey>,
    /// Its objects, hooks behind the rest, placed into namespaces.
    pub objects: Vec<Desired>,
    /// The keys of Secrets that an operator makes here, where the chart's own values render the Secret itself.
    pub own_keys: BTreeMap<SecretId, BTreeSet<String>>,
    /// What its templates looked up in the cluster while they were rendered: kinds and names.
    pub lookups: Vec<(String, String)>,
    /// What its templates look up and could not do without the data of.
    pub stumbles: Vec<Stumble>,
    /// The values that the user gives and that change nothing, as paths (`[0]` for the first of a list).
    pub idle_values: Vec<Vec<String>>,
    /// The Kubernetes that it is looked at for, as `v1.24.0`, where that is not the cluster's.
    pub meant_for: Option<String>,
    /// What its chart does with settings other than those of this delivery, as far as they were tried.
    pub other_settings: Vec<OtherSetting>,
    /// Where the objects of a name stand in `objects`.
    by_name: HashMap<String, Vec<usize>>,
    /// Of which template each of `objects` comes; empty for definitions.
    templates: Vec<String>,
}

/// Something that is looked up, without whose data a chart does not render.
#[derive(Debug, Clone)]
pub struct Stumble {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What the engine says.
    pub words: String,
    /// The template's line that reads it.
    pub place: Option<Place>,
}

/// A setting with which a chart does not do what it should.
#[derive(Debug, Clone)]
pub struct OtherSetting {
    /// As `--set-json` takes it (`ingress.enabled=true`), or the chart's own values file (`-f ci/tls-values.yaml`).
    pub setting: String,
    /// What is wrong then and is not wrong now.
    pub faults: Vec<SettingFault>,
}

/// What is wrong with a chart under another setting.
#[derive(Debug, Clone)]
pub struct SettingFault {
    /// What is wrong, in one line.
    pub words: String,
    /// The object that is refused or is not what was meant; none where nothing is rendered.
    pub spot: Option<Spot>,
    /// The template's line.
    pub place: Option<Place>,
    /// Whether it may only be that the setting wants others beside it.
    pub wants_more: bool,
}

/// A Secret's namespace and name.
pub type SecretId = (Option<String>, String);

/// An object that is delivered.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The object.
    pub object: Object,
    /// As what.
    pub role: Role,
    /// The release or Application.
    pub unit: String,
}

/// As what an object is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It stays.
    Manifest,
    /// It runs at certain moments.
    Hook {
        /// When.
        events: Vec<HookEvent>,
        /// In which order among those of one moment.
        weight: i64,
    },
    /// A definition from the chart's `crds/`.
    Definition,
}

/// What is known of the cluster beside its objects.
#[derive(Debug, Clone)]
pub struct ClusterFacts {
    /// Who says so.
    pub known: Known,
    /// Its version, as `1.36.3`.
    pub version: String,
    /// Who says what its nodes are.
    pub nodes: Known,
    /// The kinds it serves, those of the delivery's own definitions left out.
    pub kinds: BTreeSet<Gvk>,
    /// What stands for the values of its Secrets, where they were left behind.
    pub fingerprints: Fingerprints,
}

/// How a cluster is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Not at all: a new cluster is taken for granted, and its nodes are nobody's.
    Assumed,
    /// It was read.
    Live,
}

/// Where something was found.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// It is delivered.
    Desired(&'a Desired),
    /// It is on the cluster.
    Before(&'a Object),
}

impl ClusterFacts {
    /// A cluster of which nothing is known: of the version that is simulated, with the built-in kinds.
    pub fn assumed() -> Self {
        let schemas = Schemas::builtin();
        let kinds = schemas.group_versions().iter().flat_map(|group| {
            let kind = |resource: &Resource| Gvk::new(&*group.group, &*group.version, &*resource.kind);
            group.resources.iter().map(kind)
        });
        ClusterFacts {
            known: Known::Assumed,
            version: schemas.kubernetes_version().to_owned(),
            nodes: Known::Assumed,
            kinds: kinds.collect(),
            fingerprints: Fingerprints::default(),
        }
    }
}

impl<'a> Subject<'a> {
    /// All objects that are delivered, in the order of their units.
    pub fn objects(&self) -> impl Iterator<Item = &'a Desired> + use<'a> {
        self.units.iter().flat_map(|unit| &unit.objects)
    }

    /// Those of a kind, in any version.
    pub fn of_kind(&self, group: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Desired> + use<'a> {
        self.objects().filter(move |it| it.object.group() == group && it.object.kind() == kind)
    }

    /// All workloads and pods that are delivered, with their pod templates.
    pub fn pods(&self) -> impl Iterator<Item = (&'a Desired, PodTemplate<'a>)> + use<'a> {
        self.objects().filter_map(|desired| Some((desired, pod_template(&desired.object)?)))
    }

    /// Whether an object is made by a dependency of somebody else's chart, which comes from a repository.
    pub fn is_borrowed(&self, desired: &Desired) -> bool {
        let Some(unit) = self.unit(&desired.unit) else { return false };
        let path = unit.template_of(desired);
        path.is_some_and(|path| unit.rendered.charts.iter().any(|chart| chart.processed.is_borrowed(path)))
    }

    /// An object that is delivered.
    pub fn desired(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<&'a Desired> {
        self.units.iter().find_map(|unit| unit.object(group, kind, namespace, name))
    }

    /// An object that will be there after the change: delivered, or on the cluster already.
    pub fn find(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<Found<'a>> {
        match self.desired(group, kind, namespace, name) {
            Some(desired) => Some(Found::Desired(desired)),
            None => {
                let live = self.before.get(group, kind, namespace, name)?;
                (!self.goes(live)).then_some(Found::Before(live))
            }
        }
    }

    /// The objects of the cluster that the change leaves in place.
    pub fn staying(&self) -> impl Iterator<Item = &'a Object> + use<'a> {
        let subject = *self;
        self.before.iter().filter(move |object| !subject.goes(object))
    }

    /// The objects of a kind that there will be after the change: those delivered, and those on the cluster that are
    /// neither delivered nor deleted.
    pub fn after(&self, group: &'a str, kind: &'a str) -> impl Iterator<Item = Found<'a>> + use<'a> {
        let subject = *self;
        let stays = move |live: &&'a Object| {
            subject.desired(group, kind, live.namespace(), live.name()).is_none() && !subject.goes(live)
        };
        let live = self.before.of_kind(group, kind).filter(stays).map(Found::Before);
        self.of_kind(group, kind).map(Found::Desired).chain(live)
    }

    /// Whether the change deletes an object of the cluster: its plan says so, or its unit no longer has it.
    pub fn goes(&self, live: &Object) -> bool {
        let of = |unit: &'a DesiredUnit| unit.object(live.group(), live.kind(), live.namespace(), live.name());
        if let Some(deleted) = self.trials.first().and_then(|outcome| outcome.deleted.as_ref()) {
            return deleted.iter().any(|key| live.is_at(key));
        }
        if live.annotation("helm.sh/resource-policy") == Some("keep") {
            return false;
        }
        self.base.into_iter().flatten().any(|unit| {
            of(unit).is_some_and(|it| it.role == Role::Manifest)
                && self.unit(&unit.name).is_some_and(|now| of(now).is_none())
        })
    }

    /// Whether the environment is declared protected.
    pub fn is_protected(&self) -> bool {
        self.environment
            .and_then(|(_, environment)| environment.cluster.remote())
            .is_some_and(|remote| remote.protected)
    }

    /// Whether what is delivered is for people: the environment is declared protected, or nothing is declared and a
    /// values file is named for production.
    pub fn is_for_production(&self) -> bool {
        let named = |unit: &DesiredUnit| unit.value_files.iter().any(|file| names_production(file));
        self.is_protected() || (self.environment.is_none() && self.units.iter().any(named))
    }

    /// The Kubernetes that a unit is looked at for: the cluster's, where no other one is meant.
    pub fn version_for(&self, unit: &str) -> &'a str {
        let meant = self.unit(unit).and_then(|unit| unit.meant_for.as_deref());
        meant.unwrap_or(&self.cluster.version)
    }

    /// The unit of that name.
    pub fn unit(&self, name: &str) -> Option<&'a DesiredUnit> {
        self.units.iter().find(|unit| unit.name == name)
    }
}

impl DesiredUnit {
    /// A unit with its rendering at hand; made from no chart, and with nothing looked up.
    pub fn new(name: &str, namespace: &str, door: Door, rendered: RenderedUnit, again: Option<RenderedUnit>) -> Self {
        let (mut objects, mut templates) = (Vec::new(), Vec::new());
        let named = |object: &RenderedObject, role: Role| Desired {
            object: object.object.clone(),
            role,
            unit: name.to_owned(),
        };
        let defined = rendered.defined();
        objects.extend(defined.map(|object| Desired { object, role: Role::Definition, unit: name.to_owned() }));
        templates.resize(objects.len(), String::new());
        let mut add = |object: &RenderedObject, role: Role| {
            objects.push(named(object, role));
            templates.push(object.path.clone());
        };
        rendered.objects.iter().for_each(|object| add(object, Role::Manifest));
        for object in &rendered.hooks {
            let Some(hook) = rendered.hook(object) else { continue };
            add(object, Role::Hook { events: hook.events.clone(), weight: hook.weight });
        }
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, desired) in objects.iter().enumerate() {
            by_name.entry(desired.object.name().to_owned()).or_default().push(at);
        }
        DesiredUnit {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            door,
            chart: None,
            value_files: Vec::new(),
            rendered,
            again,
            read_back: Vec::new(),
            objects,
            own_keys: BTreeMap::new(),
            lookups: Vec::new(),
            stumbles: Vec::new(),
            idle_values: Vec::new(),
            meant_for: None,
            other_settings: Vec::new(),
            by_name,
            templates,
        }
    }

    /// The path of the template that an object comes from: `web/templates/api/secrets.yaml`.
    pub(crate) fn template_of(&self, desired: &Desired) -> Option<&str> {
        let is_it = |at: &&usize| {
            self.objects.get(**at).is_some_and(|it| {
                let (one, other) = (&it.object, &desired.object);
                (one.kind(), one.group(), one.namespace()) == (other.kind(), other.group(), other.namespace())
            })
        };
        let at = self.by_name.get(desired.object.name())?.iter().find(is_it)?;
        self.templates.get(*at).map(String::as_str).filter(|path| !path.is_empty())
    }

    /// Whether anything of it is another one with each rendering.
    pub fn is_drawn(&self) -> bool {
        let again = || self.again.as_ref().is_some_and(|again| !self.rendered.all_objects().eq(again.all_objects()));
        !self.read_back.is_empty() || again()
    }

    /// Whether an object has another name with each rendering: it is named by the time of day, or by chance.
    pub fn is_named_anew(&self, desired: &Desired) -> bool {
        let key = desired.key();
        self.again.as_ref().is_some_and(|again| !again.all_objects().any(|it| it.is_at(&key)))
    }

    /// Whether what goes with an object is made again from the same input: a Secret whose values stand in git, or that a
    /// hook makes each time.
    pub fn can_make_again(&self, desired: &Desired) -> bool {
        let key = desired.key();
        let is_drawn = || {
            self.read_back.contains(&key)
                || self.again.as_ref().is_some_and(|again| again.all_objects().all(|it| *it != desired.object))
        };
        desired.object.kind() == "Secret" && (matches!(desired.role, Role::Hook { .. }) || !is_drawn())
    }

    /// Whether an object is called otherwise in each revision of the release.
    pub fn counts_revisions(&self, desired: &Desired) -> bool {
        if desired.role == Role::Definition {
            return false;
        }
        let origin = self.rendered.origin(&desired.key(), "metadata.name").and_then(|origin| origin.template);
        origin.and_then(|place| place.source).is_some_and(|line| line.contains(".Release.Revision"))
    }

    /// One of its objects.
    pub fn object(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Desired> {
        self.by_name
            .get(name)?
            .iter()
            .map(|at| &self.objects[*at])
            .find(|it| it.object.kind() == kind && it.object.namespace() == namespace && it.object.group() == group)
    }
}

/// `values.prod.yaml`, `production/values.yml`; `products.yaml` is none.
fn names_production(file: &str) -> bool {
    file.split(|letter: char| !letter.is_ascii_alphanumeric())
        .any(|word| word.eq_ignore_ascii_case("prod") || word.eq_ignore_ascii_case("production"))
}

impl<'a> Found<'a> {
    /// The object.
    pub fn object(self) -> &'a Object {
        match self {
            Found::Desired(desired) => &desired.object,
            Found::Before(object) => object,
        }
    }

    /// A field of the object as a place of a finding.
    pub fn spot_at(self, path: &str) -> Spot {
        match self {
            Found::Desired(desired) => desired.spot_at(path),
            Found::Before(object) => {
                Spot::object(None, object.key()).container(container_at(object, path).unwrap_or_default()).field(path)
            }
        }
    }
}

impl Desired {
    /// The object's key.
    pub fn key(&self) -> ObjectKey {
        self.object.key()
    }

    /// The object as a place of a finding.
    pub fn spot(&self) -> Spot {
        Spot::object(Some(&self.unit), self.key())
    }

    /// A field of the object as a place of a finding; the container is the one whose field it is.
    pub fn spot_at(&self, path: &str) -> Spot {
        self.spot().container(container_at(&self.object, path).unwrap_or_default()).field(path)
    }
}

/// The name of the container that a field path goes through.
pub fn container_at<'o>(object: &'o Object, path: &str) -> Option<&'o str> {
    let (start, list) = ["initContainers[", "ephemeralContainers[", "containers["]
        .iter()
        .find_map(|list| path.find(list).map(|at| (at, *list)))?;
    let index: usize = path[start + list.len()..].split(']').next()?.parse().ok()?;
    let pointer = format!("/{}", path[..start + list.len() - 1].replace('.', "/"));
    object.list_at(&pointer).get(index)?["name"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_a_word_of_a_files_name() {
        for file in ["values.prod.yaml", "values-production.yml", "deploy/prod/values.yaml", "PROD.yaml"] {
            assert!(names_production(file), "{file}");
        }
        for file in ["values.yaml", "products.yaml", "reproduction.yaml", "values.staging.yaml"] {
            assert!(!names_production(file), "{file}");
        }
    }
}
