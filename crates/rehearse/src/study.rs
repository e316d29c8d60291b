//! A desired state rendered for the rules, without any cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use landfall_chart::{
    Before, Capabilities, KubeVersion, Lookup, Operation, Readings, RenderOptions, Tracing, ValueLayers,
};
use landfall_delivery::{Candidate, Door, RenderedUnit, Turn, Unit, UnitSource, listed, render_unlike, render_with};
use landfall_diag::Diagnostic;
use landfall_object::lifecycle::{self, Removed, Successor};
use landfall_object::references::provides;
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_rules::decoded::as_stored;
use landfall_rules::{Desired, DesiredUnit, Inventory, Role, SecretId, Stumble};
use landfall_sprig::{Context, Keys, Seeded};

use crate::idle::idle_values;
use crate::settled::settle;

/// What templates see while a unit is rendered for the rules.
#[derive(Clone)]
pub struct Conditions {
    /// Version and kinds of the cluster.
    pub capabilities: Capabilities,
    /// The objects that `lookup` finds.
    pub live: Arc<Inventory>,
    /// Keys that were drawn: a base and a change that are compared share them.
    pub keys: Keys,
    /// What was printed before: most of what is rendered again is printed as it was.
    pub readings: Readings,
    /// What installations of the same charts with other values have read and printed, where many of them are rendered.
    pub before: Option<Before>,
}

impl Conditions {
    /// A cluster of which nothing is known.
    pub fn offline() -> Self {
        Conditions {
            capabilities: Capabilities::default(),
            live: Arc::default(),
            keys: Keys::default(),
            readings: Readings::default(),
            before: None,
        }
    }

    /// A cluster as it is: of a version, with the built-in kinds and those that its definitions bring.
    pub fn of(version: &str, live: Inventory) -> Self {
        let mut served: Vec<String> = Vec::new();
        let mut add = |version: String, kind: &str| {
            served.push(format!("{version}/{kind}"));
            served.push(version);
        };
        for group in Schemas::builtin().group_versions() {
            for resource in &group.resources {
                add(Gvk::new(&*group.group, &*group.version, "").api_version(), &resource.kind);
            }
        }
        for definition in live.of_kind("apiextensions.k8s.io", "CustomResourceDefinition") {
            let text = |pointer| definition.str_at(pointer).unwrap_or_default();
            for version in definition.list_at("/spec/versions").iter().filter(|version| version["served"] != false) {
                let name = version["name"].as_str().unwrap_or_default();
                add(format!("{}/{name}", text("/spec/group")), text("/spec/names/kind"));
            }
        }
        served.sort();
        served.dedup();
        let mut capabilities = Capabilities { api_versions: served, ..Capabilities::default() };
        if let Ok(version) = KubeVersion::parse(version) {
            capabilities.kube_version = version;
        }
        Conditions { capabilities, live: Arc::new(live), ..Conditions::offline() }
    }

    /// The same, for many renderings of the same charts with other values.
    #[must_use]
    pub(crate) fn again_and_again(&self) -> Self {
        Conditions { before: Some(Before::default()), ..self.clone() }
    }
}

/// Two instants and two seeds, so that whatever is taken from the clock or from chance differs between two renderings.
pub(crate) const MOMENTS: [(u64, i64); 2] = [(1, 1_767_225_600), (2, 1_770_000_123)];

/// Renders a unit twice, as an installation.
///
/// # Errors
/// What the chart refuses with.
pub(crate) fn render(unit: &Unit, conditions: &Conditions) -> Result<DesiredUnit, Vec<Diagnostic>> {
    let turn = Turn { revision: 1, operation: Operation::Install };
    let (mut rendered, lookups) = asking(unit, turn, conditions, MOMENTS[0], Tracing::On)?;
    let mut again = once(unit, turn, conditions, MOMENTS[1], Tracing::Off)?;
    let scopes = Scopes::of(&rendered);
    scopes.place(&mut rendered, &unit.namespace);
    scopes.place(&mut again, &unit.namespace);
    let own_keys = own_keys(unit, &rendered, conditions);
    let door = match &unit.door {
        Door::Release => landfall_rules::Door::Release,
        Door::Application(bound) => landfall_rules::Door::Application(bound.application.object.clone()),
    };
    let mut desired = DesiredUnit::new(&unit.name, &unit.namespace, door, rendered, Some(again));
    desired.chart = unit.chart().cloned();
    desired.meant_for = unit.meant_for.as_ref().map(|it| it.version.clone());
    desired.value_files = unit.value_files().map(str::to_owned).collect();
    (desired.lookups, desired.own_keys) = (lookups, own_keys);
    if matches!(unit.door, Door::Release) {
        // A chart that renders neither way says so by itself.
        let _refused = read_back_from(&mut desired, unit, conditions);
        let _refused = found_by_lookup(&mut desired, unit, conditions);
        desired.stumbles = stumbles(unit, &desired.lookups);
        desired.idle_values = idle_values(unit, conditions);
    }
    Ok(desired)
}

/// Where the rendering is not the same twice, sees which objects are once it has been delivered and can be read
/// back, so that a password that is read back is the same password: those count as the same, field by field.
fn read_back_from(studied: &mut DesiredUnit, unit: &Unit, conditions: &Conditions) -> Result<(), Vec<Diagnostic>> {
    let Some(again) = &studied.again else { return Ok(()) };
    if studied.rendered.all_objects().zip(again.all_objects()).all(|(one, other)| one == other) {
        return Ok(());
    }
    let mut live = Inventory::clone(&conditions.live);
    for desired in &studied.objects {
        live.insert(as_delivered(desired, studied));
    }
    let after = Conditions { live: Arc::new(live), ..conditions.clone() };
    let [first, second] = MOMENTS;
    let twice = |operation: Operation| -> Result<[RenderedUnit; 2], Vec<Diagnostic>> {
        let turn = Turn { revision: 2, operation };
        Ok([once(unit, turn, &after, first, Tracing::Off)?, once(unit, turn, &after, second, Tracing::Off)?])
    };
    // A chart that refuses to be upgraded without the passwords that are there replaces none of them: what it reads
    // back shows where it does not ask whether it is an upgrade.
    let [mut one, mut other] = twice(Operation::Upgrade).or_else(|_| twice(Operation::Install))?;
    let scopes = Scopes::of(&one);
    scopes.place(&mut one, &unit.namespace);
    scopes.place(&mut other, &unit.namespace);
    let Some(again) = &mut studied.again else { return Ok(()) };
    let same: Vec<ObjectKey> =
        one.all_objects().filter(|object| other.all_objects().any(|it| it == *object)).map(Object::key).collect();
    for rendered in again.objects.iter_mut().chain(&mut again.hooks) {
        let key = rendered.object.key();
        let first = studied.rendered.all_objects().find(|object| object.is_at(&key));
        let Some(first) = first.filter(|first| rendered.object != **first) else { continue };
        if same.contains(&key) {
            rendered.object = first.clone();
            studied.read_back.push(key);
            continue;
        }
        let of = |rendered: &RenderedUnit| rendered.all_objects().find(|it| it.is_at(&key)).cloned();
        match (of(&one), of(&other)) {
            (Some(one), Some(other)) if settle(first, &mut rendered.object, &one, &other) => {
                studied.read_back.push(key);
            }
            // What an installation alone renders is drawn once; that an upgrade deletes it is another matter.
            (None, None) => {
                rendered.object = first.clone();
                studied.read_back.push(key);
            }
            _ => {}
        }
    }
    Ok(())
}

/// An object as it stands on the cluster once the unit is delivered: with what Helm writes on what it owns, which templates ask for.
fn as_delivered(desired: &Desired, unit: &DesiredUnit) -> Object {
    let mut object = as_stored(desired.object.clone());
    if matches!(unit.door, landfall_rules::Door::Release) && desired.role == Role::Manifest {
        landfall_release::mark(&mut object, &unit.name, &unit.namespace);
    }
    object
}

/// What is the same with this cluster and would not be without one: `lookup` has found it already.
fn found_by_lookup(studied: &mut DesiredUnit, unit: &Unit, conditions: &Conditions) -> Result<(), Vec<Diagnostic>> {
    if studied.lookups.is_empty() {
        return Ok(());
    }
    let without = Conditions { live: Arc::default(), ..conditions.clone() };
    let turn = Turn { revision: 1, operation: Operation::Install };
    let [first, second] = MOMENTS;
    let mut one = once(unit, turn, &without, first, Tracing::Off)?;
    let mut other = once(unit, turn, &without, second, Tracing::Off)?;
    let scopes = Scopes::of(&one);
    scopes.place(&mut one, &unit.namespace);
    scopes.place(&mut other, &unit.namespace);
    let again = studied.again.as_ref().unwrap_or(&studied.rendered);
    for object in one.all_objects().filter(|object| !other.all_objects().any(|it| it == *object)) {
        let key = object.key();
        let of = |rendered: &RenderedUnit| rendered.all_objects().find(|it| it.key() == key).cloned();
        let same = of(&studied.rendered).is_some_and(|now| of(again).as_ref() == Some(&now));
        if same && !studied.read_back.contains(&key) {
            studied.read_back.push(key);
        }
    }
    Ok(())
}

/// What is looked up and may be there without data, while the chart would not render with it so.
fn stumbles(unit: &Unit, lookups: &Lookups) -> Vec<Stumble> {
    let asked: BTreeSet<&(String, String)> = lookups
        .iter()
        .filter(|(kind, name)| matches!(kind.as_str(), "Secret" | "ConfigMap") && !name.is_empty())
        .collect();
    let turn = Turn { revision: 1, operation: Operation::Install };
    asked
        .into_iter()
        .filter_map(|(kind, name)| {
            let mut bare = Object::new(&ObjectKey::new(Gvk::new("", "v1", kind.as_str()), Some(&unit.namespace), name));
            bare.metadata_mut().insert("uid".into(), "00000000-0000-4000-8000-000000000000".into());
            let conditions = Conditions { live: Arc::new([bare].into_iter().collect()), ..Conditions::offline() };
            let told = once(unit, turn, &conditions, MOMENTS[0], Tracing::Off).err()?;
            let first = told.first()?;
            let words = std::iter::once(&first.message).chain(&first.notes).find(|words| is_nil_pointer(words))?;
            Some(Stumble {
                kind: kind.clone(),
                name: name.clone(),
                words: words.clone(),
                place: first.labels.first().map(|label| label.place.clone()),
            })
        })
        .collect()
}

/// Whether the engine stopped at a value that is not there; what a chart refuses by itself says so in its own words.
pub(crate) fn is_nil_pointer(words: &str) -> bool {
    words.contains("index of untyped nil") || words.contains("nil pointer evaluating")
}

/// The keys of Secrets that an operator makes here (from a SealedSecret and the like), where the chart's own values render
/// the Secret itself: what its author takes for a whole one.
fn own_keys(unit: &Unit, rendered: &RenderedUnit, conditions: &Conditions) -> BTreeMap<SecretId, BTreeSet<String>> {
    let made: BTreeSet<SecretId> = rendered
        .all_objects()
        .flat_map(provides)
        .filter(|made| made.kind == "Secret" && made.keys.is_some())
        .map(|made| (made.namespace, made.name))
        .collect();
    if made.is_empty() {
        return BTreeMap::new();
    }
    let mut plain = unit.clone();
    for source in &mut plain.sources {
        if let UnitSource::Chart(source) = source {
            source.values = ValueLayers::default();
        }
    }
    // A chart that wants values says nothing of its own.
    let Ok(plain) = installed(&plain, conditions, Tracing::Off) else { return BTreeMap::new() };
    let secrets = plain.all_objects().filter(|object| object.group().is_empty() && object.kind() == "Secret");
    secrets
        .map(|secret| ((secret.namespace().map(str::to_owned), secret.name().to_owned()), keys(secret)))
        .filter(|(id, _)| made.contains(id))
        .collect()
}

fn keys(secret: &Object) -> BTreeSet<String> {
    let maps = ["/data", "/stringData"].into_iter().filter_map(|field| secret.at(field)?.as_object());
    maps.flat_map(|map| map.keys().cloned()).collect()
}

/// Renders what was read of a target; candidates that could not be read are told, not studied.
///
/// # Errors
/// What a chart refuses with.
pub fn study(candidates: &[Candidate], conditions: &Conditions) -> Result<Vec<DesiredUnit>, Vec<Diagnostic>> {
    candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok()).map(|unit| render(unit, conditions)).collect()
}

/// Renders a unit at a given moment with given chance.
pub(crate) fn once(
    unit: &Unit,
    turn: Turn,
    conditions: &Conditions,
    moment: (u64, i64),
    tracing: Tracing,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    asking(unit, turn, conditions, moment, tracing).map(|(rendered, _)| rendered)
}

/// The same as an installation, its objects placed into namespaces.
pub(crate) fn installed(
    unit: &Unit,
    conditions: &Conditions,
    tracing: Tracing,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    let turn = Turn { revision: 1, operation: Operation::Install };
    let (mut options, _) = seeing(unit, conditions, MOMENTS[0], tracing);
    options.before.clone_from(&conditions.before);
    let mut rendered = render_with(unit, turn, &conditions.capabilities, &options)?;
    Scopes::of(&rendered).place(&mut rendered, &unit.namespace);
    Ok(rendered)
}

/// The same of what a chart prints and is not known; `scopes` are those of what is.
pub(crate) fn installed_unlike(
    unit: &Unit,
    conditions: &Conditions,
    is_known: &dyn Fn(&str) -> bool,
    scopes: &Scopes,
) -> Result<RenderedUnit, Vec<Diagnostic>> {
    let turn = Turn { revision: 1, operation: Operation::Install };
    let (mut options, _) = seeing(unit, conditions, MOMENTS[0], Tracing::Off);
    options.before.clone_from(&conditions.before);
    let mut rendered = render_unlike(unit, turn, &conditions.capabilities, &options, is_known)?;
    scopes.with(&rendered).place(&mut rendered, &unit.namespace);
    Ok(rendered)
}

/// Why a unit's templates refuse an upgrade, whatever it brings.
pub(crate) fn refuses_upgrades(unit: &Unit, conditions: &Conditions) -> Vec<Diagnostic> {
    let turn = Turn { revision: 2, operation: Operation::Upgrade };
    asking(unit, turn, conditions, MOMENTS[0], Tracing::Off).err().unwrap_or_default()
}

/// What `lookup` was asked for: kinds and names.
type Lookups = Vec<(String, String)>;

/// As [`once`], and what `lookup` was asked for.
fn asking(
    unit: &Unit,
    turn: Turn,
    conditions: &Conditions,
    moment: (u64, i64),
    tracing: Tracing,
) -> Result<(RenderedUnit, Lookups), Vec<Diagnostic>> {
    let (options, known) = seeing(unit, conditions, moment, tracing);
    let rendered = render_with(unit, turn, &conditions.capabilities, &options)?;
    let asked = known.asked.lock().map(|asked| asked.clone()).unwrap_or_default();
    Ok((rendered, asked))
}

/// What templates of a unit see at a given moment with given chance.
fn seeing(
    unit: &Unit,
    conditions: &Conditions,
    (seed, second): (u64, i64),
    tracing: Tracing,
) -> (RenderOptions, Arc<Known>) {
    let now = jiff::Timestamp::from_second(second).unwrap_or_default();
    let objects = match unit.door {
        Door::Release => Some(conditions.live.clone()),
        // Argo CD renders without a cluster: `lookup` finds nothing.
        Door::Application(_) => None,
    };
    let known = Arc::new(Known { objects, asked: Mutex::default() });
    let random = Seeded::keeping(seed, conditions.keys.clone());
    let readings = Some(conditions.readings.clone());
    let options = RenderOptions {
        lookup: Some(known.clone()),
        tracing,
        readings,
        ..RenderOptions::new(Context::new(now, random))
    };
    (options, known)
}

/// `lookup` in an inventory, or where there is none; remembers what it was asked for.
#[derive(Debug)]
struct Known {
    objects: Option<Arc<Inventory>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Lookup for Known {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<serde_json::Value>, String> {
        let gvk = Gvk::from_api_version(api_version, kind);
        if let Ok(mut asked) = self.asked.lock() {
            asked.push((kind.to_owned(), name.to_owned()));
        }
        let Some(objects) = &self.objects else { return Ok(None) };
        let inside = |object: &&Object| namespace.is_empty() || object.namespace() == Some(namespace);
        if name.is_empty() {
            let items = objects.of_kind(&gvk.group, kind).filter(inside).map(|object| object.value().clone()).collect();
            return Ok(Some(listed(api_version, kind, items)));
        }
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        Ok(objects.get(&gvk.group, kind, namespace, name).map(|object| object.value().clone()))
    }
}

/// Which kinds live in namespaces: the built-in ones, those that the rendering itself defines, and those of operators
/// that are known; any other is taken to.
pub(crate) struct Scopes {
    /// By group and kind.
    defined: BTreeMap<(String, String), bool>,
}

impl Scopes {
    pub(crate) fn of(rendered: &RenderedUnit) -> Self {
        // Definitions are big: nothing of them is copied.
        let files = rendered.definitions.iter().flat_map(|crd| crd.documents());
        let listed = files.clone().filter_map(|document| document["items"].as_array()).flatten();
        let all = rendered.all_objects().map(Object::value).chain(files).chain(listed);
        let defined = all
            .filter(|object| object["kind"] == "CustomResourceDefinition")
            .filter_map(|object| {
                let text = |pointer: &str| object.pointer(pointer).and_then(serde_json::Value::as_str);
                let namespaced = text("/spec/scope") != Some("Cluster");
                Some(((text("/spec/group")?.to_owned(), text("/spec/names/kind")?.to_owned()), namespaced))
            })
            .collect();
        Scopes { defined }
    }

    /// These, and those of another rendering.
    fn with(&self, rendered: &RenderedUnit) -> Self {
        let mut all = Scopes::of(rendered);
        all.defined.extend(self.defined.clone());
        all
    }

    fn is_namespaced(&self, gvk: &Gvk) -> bool {
        if let Some(namespaced) = self.defined.get(&(gvk.group.clone(), gvk.kind.clone())) {
            return *namespaced;
        }
        if let Some((_, resource)) = Schemas::builtin().resource_of(gvk) {
            return resource.namespaced;
        }
        // One of a version that is gone lives where its successor does.
        if let Some(Removed { successor: Successor::ApiVersion(next), .. }) = lifecycle::removed(gvk, u32::MAX) {
            let next = Gvk::from_api_version(&next, &gvk.kind);
            return Schemas::builtin().resource_of(&next).is_none_or(|(_, resource)| resource.namespaced);
        }
        landfall_object::operators::definition(&gvk.group, &gvk.kind)
            .is_none_or(|definition| definition.pointer("/spec/scope").and_then(|it| it.as_str()) != Some("Cluster"))
    }

    pub(crate) fn place(&self, rendered: &mut RenderedUnit, namespace: &str) {
        for rendered in rendered.objects.iter_mut().chain(&mut rendered.hooks) {
            let object = &mut rendered.object;
            if !self.is_namespaced(&object.gvk()) {
                // What says nothing of one is shared with other renderings.
                if object.metadata().is_none_or(|it| it.contains_key("namespace")) {
                    object.metadata_mut().remove("namespace");
                }
            } else if object.namespace().is_none() {
                object.set_namespace(namespace);
            }
        }
    }
}

/// The objects that are delivered, placed into namespaces, as far as they render without a cluster.
pub(crate) fn first_look(candidates: &[Candidate], offline: &Conditions) -> Vec<Object> {
    let units = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
    let rendered = units.filter_map(|unit| installed(unit, offline, Tracing::Off).ok());
    rendered.flat_map(|rendered| rendered.all_objects().cloned().collect::<Vec<_>>()).collect()
}
