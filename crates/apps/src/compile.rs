use std::collections::{BTreeMap, HashMap, HashSet};

use landfall_engine::{Criterion, Desired, DesiredPhase, Hook, Item, Method, PhaseRuns, Task, WaitFor, once_keys};
use landfall_object::order::sync_key;
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::Value;

use crate::annotations::{
    HookType, Part, ResourceOptions, Turn, delete_policies, is_hook, part, policies_of_deletion, runs_at_deletion, wave,
};
use crate::barred::Barred;
use crate::descendants::{Descendants, delivers};
use crate::guard::{Held, confirm, held, is_confirmed};
use crate::ignored::{NOT_ACTED_ON, ignored_in_vain, respect_ignored};
use crate::kept::{Semantics, Stay, Stays, stays};
use crate::tracking::{TRACKING_ANNOTATION, owner, tracking_id};
use crate::{Application, Error, Operation, Project, SyncOptions};

/// The field manager of Argo CD's server-side apply: whichever of the two goes on owns what the other wrote.
const MANAGER: &str = "argocd-controller";

/// Argo CD's waves are waited for until somebody ends the sync: seconds of a hundred years.
const WITHOUT_END: u64 = 100 * 365 * 24 * 60 * 60;

/// A rendered object, with its namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The object.
    pub object: Object,
    /// Where it comes from: a template's or file's path.
    pub path: String,
}

/// Whose health is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HealthWait {
    /// Every wave's, the last one's too: `up` promises a healthy system.
    #[default]
    Every,
    /// As Argo CD: every wave's that something follows.
    Followed,
    /// None, and no hook runs: the objects are only put there.
    Never,
}

/// A sync, compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// What the engine is to do.
    pub desired: Desired,
    /// What a user should know: options that are not acted on, duplicates.
    pub notes: Vec<String>,
    /// The keys of all objects that belong to the application after the sync, hooks left out.
    pub resources: Vec<ObjectKey>,
    /// What belongs to the application, is no longer wanted, and stays nevertheless.
    pub kept: Stays,
    /// What must not be shared, and is: it is compared, and not synced.
    pub shared: Option<SharedObject>,
}

/// An object that two Applications deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedObject {
    key: ObjectKey,
    own: String,
    other: String,
}

impl SharedObject {
    /// Why it is not synced.
    pub(crate) fn refused(&self) -> Error {
        let SharedObject { key, own, other } = self.clone();
        Error::Shared { key: Box::new(key), own, other }
    }
}

/// What a compilation needs beside application and targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choices<'p> {
    pub(crate) prune: bool,
    pub(crate) wait: HealthWait,
    pub(crate) timeout: u64,
    pub(crate) semantics: Semantics,
    /// Whose bounds hold for what is pruned.
    pub(crate) project: Option<&'p Project>,
    /// What goes along with what delivers others.
    pub(crate) descendants: &'p Descendants,
    /// Whose objects are nobody else's to change.
    pub(crate) barred: &'p Barred,
}

struct Resource {
    object: Object,
    path: String,
    wave: i32,
}

/// Compiles a sync.
///
/// `tracked` are live objects that may belong to the application; those that do and are not among the targets are
/// pruned when `prune` says so. Targets have their namespaces already.
///
/// # Errors
/// [`Error::Shared`] under `FailOnSharedResource=true`.
pub fn compile(
    application: &Application,
    targets: Vec<Target>,
    tracked: &[Object],
    prune: bool,
    wait: HealthWait,
    timeout: u64,
) -> Result<Compiled, Error> {
    let (descendants, barred) = (&Descendants::default(), &Barred::default());
    let choices = Choices { prune, wait, timeout, semantics: Semantics::Own, project: None, descendants, barred };
    let compiled = compile_part(application, targets, tracked, choices, &Operation::default())?;
    match compiled.shared {
        Some(shared) => Err(shared.refused()),
        None => Ok(compiled),
    }
}

/// The same of the objects that an operation names, without hooks where it has none.
pub(crate) fn compile_part(
    application: &Application,
    targets: Vec<Target>,
    tracked: &[Object],
    choices: Choices<'_>,
    operation: &Operation,
) -> Result<Compiled, Error> {
    let options = application.options();
    let mut notes: Vec<String> =
        options.not_acted_on.iter().map(|option| format!("sync option {option}{NOT_ACTED_ON}")).collect();
    notes.extend(ignored_in_vain(application));
    let turn = match tracked.iter().any(|live| is_resource_of(application, live)) {
        true => Turn::Later,
        false => Turn::First,
    };
    let targets = distinct(targets, &mut notes);
    let mut resources = Vec::new();
    let mut hooks: Vec<(HookType, Resource)> = Vec::new();
    for Target { mut object, path } in targets {
        let wave = wave(&object);
        if options.no_validation || ResourceOptions::of(&object).options.no_validation {
            object = unvalidated(object);
        }
        match part(&object, turn) {
            Part::None => {}
            Part::Resource => {
                let key = object.key();
                let theirs = tracked.iter().find(|live| choices.barred.has(live) && live.key() == key);
                // What others' owners answer for stays theirs where it is as it is wanted here, too: nothing is to be written then.
                let id = theirs.and_then(|live| live.annotation(TRACKING_ANNOTATION).map(str::to_owned));
                object.set_annotation(TRACKING_ANNOTATION, id.unwrap_or_else(|| tracking_id(application, &key)));
                resources.push(Resource { object, path, wave });
            }
            Part::Hook(_) if choices.wait == HealthWait::Never || !operation.runs_hooks() => {}
            Part::Hook(types) => {
                // By which it goes with the Application.
                if !object.name().is_empty() {
                    let id = tracking_id(application, &object.key());
                    object.set_annotation(TRACKING_ANNOTATION, id);
                }
                for hook in types {
                    hooks.push((hook, Resource { object: object.clone(), path: path.clone(), wave }));
                }
            }
        }
    }
    let shared = shared(application, &resources, tracked, &mut notes).filter(|_| options.fail_on_shared);
    let mut early = Vec::new();
    if options.create_namespace
        && !application.destination.namespace.is_empty()
        && !resources
            .iter()
            // Of a part of the objects, one that takes no part makes no namespace.
            .filter(|entry| operation.takes(&entry.object.key()))
            .any(|entry| entry.object.kind() == "Namespace" && entry.object.name() == application.destination.namespace)
    {
        early.push(Item {
            wave: i32::MIN,
            task: Task::Ensure { object: namespace(application) },
            why: "CreateNamespace=true".into(),
        });
    }
    move_ahead(&mut resources, &hooks);
    let keys: Vec<ObjectKey> = resources.iter().map(|entry| entry.object.key()).collect();
    resources.retain(|entry| operation.takes(&entry.object.key()));
    let (ahead, resources) = needed_by_hooks(resources, &hooks);
    early.extend(with_waits(resource_items(&ahead, &options, application, tracked), &ahead, &choices, true));
    let wanted: HashSet<_> = keys.iter().map(ObjectKey::without_version).collect();
    let gone = tracked.iter().filter(|live| {
        let key = live.key();
        is_resource_of(application, live) && operation.takes(&key) && !wanted.contains(&key.without_version())
    });
    let (outside, gone): (Vec<&Object>, Vec<&Object>) =
        gone.partition(|live| choices.project.is_some_and(|project| !project.permits_live(application, &live.key())));
    let last = resources.iter().map(|entry| entry.wave).max().unwrap_or(0);
    let held = held_children(application, &gone, tracked, &options, &choices).filter(|_| choices.prune);
    notes.extend(held.as_ref().map(Held::to_string));
    let Choices { prune, semantics, project, .. } = choices;
    let is_confirmed = is_confirmed(&application.object, None);
    let pruning = Pruning { options: &options, last, prune, held, is_confirmed, semantics };
    let (mut sync, mut kept) = prune_items(&gone, &pruning, &mut notes);
    for live in outside {
        let (key, project) = (live.key(), project.map(|project| project.name.as_str()).unwrap_or_default());
        notes.push(format!("{key}{OUTSIDE} {project} and stays"));
        let why = format!("kept: outside of project {project}");
        sync.push(Item { wave: 0, task: Task::Keep { key: key.clone() }, why });
        kept.insert(key, Stay::Good(format!("outside of project {project}")));
    }
    notes.extend(unconfirmed(application, &kept));
    sync.extend(resource_items(&resources, &options, application, tracked));
    let pre = hook_items(&hooks, HookType::PreSync, choices.timeout);
    let during = hook_items(&hooks, HookType::Sync, choices.timeout);
    let post = hook_items(&hooks, HookType::PostSync, choices.timeout);
    let fail = hook_items(&hooks, HookType::SyncFail, choices.timeout);
    sync.extend(during);
    let sync = with_waits(sync, &resources, &choices, !post.is_empty());
    early.extend(pre);
    let mut phases = Vec::new();
    for (name, runs, items) in [
        ("PreSync", PhaseRuns::OnSuccess, early),
        ("Sync", PhaseRuns::OnSuccess, sync),
        ("PostSync", PhaseRuns::OnSuccess, post),
        ("SyncFail", PhaseRuns::OnFailure, fail),
    ] {
        if !items.is_empty() {
            phases.push(DesiredPhase { name: name.into(), runs, items });
        }
    }
    let (target, home) = (application.target(), application.destination.namespace.clone());
    let desired = Desired { target, kind: "sync".into(), phases, home, timeout: choices.timeout };
    Ok(Compiled { desired, notes, resources: keys, kept, shared })
}

/// What a note says of an object that is defined more than once.
pub const REPEATED: &str = " appears more than once among application resources";

/// What a note says of an object that its Application no longer wants and its project does not let it have.
pub const OUTSIDE: &str = " is outside the bounds of project";

/// Of several definitions of one object the last one counts.
fn distinct(targets: Vec<Target>, notes: &mut Vec<String>) -> Vec<Target> {
    let mut last: BTreeMap<ObjectKey, usize> = BTreeMap::new();
    for (index, target) in targets.iter().enumerate() {
        let key = target.object.key();
        if !key.name.is_empty() && last.insert(key.clone(), index).is_some() {
            notes.push(format!("{key}{REPEATED}; the last one counts"));
        }
    }
    targets
        .into_iter()
        .enumerate()
        .filter(|(index, target)| last.get(&target.object.key()).is_none_or(|last| last == index))
        .map(|(_, target)| target)
        .collect()
}

/// Whether a live object is one of an application's resources: its hooks' objects bear its name, too, and are none.
pub(crate) fn is_resource_of(application: &Application, live: &Object) -> bool {
    application.owns(live) && !is_hook(live)
}

/// What another Application delivers, too: each is noted, and the first one given.
fn shared(
    application: &Application,
    resources: &[Resource],
    tracked: &[Object],
    notes: &mut Vec<String>,
) -> Option<SharedObject> {
    let of_others = tracked.iter().filter_map(|live| Some((live, owner(live).filter(|_| !application.owns(live))?)));
    let of_others: Vec<_> = of_others.collect();
    if of_others.is_empty() {
        return None;
    }
    let wanted: HashSet<ObjectKey> = resources.iter().map(|entry| entry.object.key()).collect();
    let mut first = None;
    for (live, other) in of_others {
        let key = live.key();
        if !wanted.contains(&key) {
            continue;
        }
        notes.push(format!("{key} is part of applications {} and {other}", application.instance()));
        let other = other.to_owned();
        first.get_or_insert_with(|| SharedObject { key, own: application.instance(), other });
    }
    first
}

fn namespace(application: &Application) -> Object {
    let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, &*application.destination.namespace);
    let mut object = Object::new(&key);
    if let Some(metadata) = &application.policy.managed_namespace_metadata {
        let texts = |field: &str| -> Vec<(String, String)> {
            let map = metadata.get(field).and_then(|map| map.as_object());
            let entries = map.into_iter().flatten();
            entries.map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned())).collect()
        };
        for (name, text) in texts("labels") {
            object.set_label(name, text);
        }
        for (name, text) in texts("annotations") {
            object.set_annotation(name, text);
        }
    }
    object
}

/// A Namespace or CRD comes before the first object that needs it (gitops-engine, pkg/sync/sync_tasks.go).
fn move_ahead(resources: &mut [Resource], hooks: &[(HookType, Resource)]) {
    let needs: Vec<(ObjectKey, i32)> = resources
        .iter()
        .map(|entry| (entry.object.key(), entry.wave))
        // Hooks of an earlier phase need it before the first wave.
        .chain(hooks.iter().map(|(hook, entry)| {
            (entry.object.key(), if *hook == HookType::PreSync { i32::MIN + 1 } else { entry.wave })
        }))
        .collect();
    for entry in resources.iter_mut() {
        let first = match entry.object.kind() {
            "Namespace" if entry.object.group().is_empty() => {
                let name = entry.object.name();
                needs.iter().filter(|(key, _)| key.namespace.as_deref() == Some(name)).map(|(_, wave)| *wave).min()
            }
            "CustomResourceDefinition" => {
                let group = entry.object.str_at("/spec/group").unwrap_or_default();
                let kind = entry.object.str_at("/spec/names/kind").unwrap_or_default();
                let of = |key: &ObjectKey| key.gvk.group == group && key.gvk.kind == kind;
                needs.iter().filter(|(key, _)| of(key)).map(|(_, wave)| *wave).min()
            }
            _ => None,
        };
        if let Some(first) = first {
            entry.wave = entry.wave.min(first);
        }
    }
}

/// Namespaces and CRDs that hooks before the sync need: they belong to that phase (gitops-engine, pkg/sync/sync_tasks.go).
fn needed_by_hooks(resources: Vec<Resource>, hooks: &[(HookType, Resource)]) -> (Vec<Resource>, Vec<Resource>) {
    let early = || hooks.iter().filter(|(hook, _)| *hook == HookType::PreSync).map(|(_, entry)| &entry.object);
    resources.into_iter().partition(|entry| match entry.object.kind() {
        "Namespace" if entry.object.group().is_empty() => {
            early().any(|hook| hook.namespace() == Some(entry.object.name()))
        }
        "CustomResourceDefinition" => {
            let text = |pointer| entry.object.str_at(pointer).unwrap_or_default();
            early().any(|hook| hook.group() == text("/spec/group") && hook.kind() == text("/spec/names/kind"))
        }
        _ => false,
    })
}

/// How objects are pruned.
struct Pruning<'a> {
    options: &'a SyncOptions,
    /// The last wave of what is applied.
    last: i32,
    prune: bool,
    /// Applications that stay until somebody approves.
    held: Option<Held>,
    /// Whether somebody has confirmed that what waits for that goes.
    is_confirmed: bool,
    semantics: Semantics,
}

/// What waits for somebody's confirmation, and how that is given.
fn unconfirmed(application: &Application, kept: &Stays) -> Option<String> {
    let waits = kept.iter().filter(|(_, stay)| **stay == Stay::Confirmation).map(|(key, _)| key.to_string());
    let waits: Vec<String> = waits.collect();
    let command = confirm(&application.name, &application.namespace);
    (!waits.is_empty()).then(|| format!("waiting for pruning confirmation of {}: {command}", waits.join(", ")))
}

/// Of an application of applications: the Applications that would go, however far below, when those are more than a fifth.
fn held_children(
    application: &Application,
    gone: &[&Object],
    tracked: &[Object],
    options: &SyncOptions,
    choices: &Choices<'_>,
) -> Option<Held> {
    let goes = |live: &Object| delivers(live) && stays(live, options, choices.semantics).is_none();
    let going = gone.iter().filter(|live| goes(live)).flat_map(|live| choices.descendants.with(live)).collect();
    let all = tracked.iter().filter(|live| delivers(live) && application.owns(live));
    let of = all.flat_map(|live| choices.descendants.with(live)).count();
    held(&application.object, going, of)
}

/// Objects no longer wanted: their waves mirrored, so that what came last goes first; and those of them that stay.
fn prune_items(gone: &[&Object], pruning: &Pruning<'_>, notes: &mut Vec<String>) -> (Vec<Item>, Stays) {
    let (options, held, last, prune) = (pruning.options, &pruning.held, pruning.last, pruning.prune);
    let mut waves: Vec<i32> = gone.iter().map(|live| wave(live)).collect();
    waves.sort_unstable();
    waves.dedup();
    let (mut items, mut kept) = (Vec::new(), Stays::new());
    let mut gone = gone.to_vec();
    gone.sort_by_key(|live| std::cmp::Reverse(sync_key(live)));
    for live in gone {
        let own = ResourceOptions::of(live);
        let key = live.key();
        let mirrored = waves.iter().position(|known| *known == wave(live)).map_or(0, |at| waves[waves.len() - 1 - at]);
        let wave = if options.prune_last || own.options.prune_last { last.max(0).saturating_add(1) } else { mirrored };
        let stay = stays(live, options, pruning.semantics).or_else(|| match once_keys(live) {
            _ if !pruning.is_confirmed && own.pruning(options).prune_confirmed => Some(Stay::Confirmation),
            _ if !prune => Some(Stay::Asked),
            _ if held.is_some() && delivers(live) => Some(Stay::Approval),
            keys if !keys.is_empty() => {
                notes.push(format!("{key} holds keys generated once and is not pruned"));
                Some(Stay::Good(format!("{} generated once", keys.join(", "))))
            }
            _ => None,
        });
        let why = match &stay {
            None => "no longer in the source".to_owned(),
            Some(Stay::Good(why)) => format!("kept: {why}"),
            Some(Stay::Unpruned) => "ignored (no prune)".to_owned(),
            Some(Stay::Asked) => "ignored (requires pruning)".to_owned(),
            Some(Stay::Approval) => "kept until its deletion is approved".to_owned(),
            Some(Stay::Confirmation) => "kept until its pruning is confirmed".to_owned(),
        };
        let task = match stay {
            None => Task::Delete { key, propagation: options.propagation },
            Some(stay) => {
                kept.insert(key.clone(), stay);
                Task::Keep { key }
            }
        };
        items.push(Item { wave, task, why });
    }
    (items, kept)
}

fn resource_items(
    resources: &[Resource],
    options: &SyncOptions,
    application: &Application,
    tracked: &[Object],
) -> Vec<Item> {
    let mut order: Vec<&Resource> = resources.iter().collect();
    order.sort_by_cached_key(|entry| (entry.wave, sync_key(&entry.object)));
    let live: HashMap<ObjectKey, &Object> = match options.respect_ignore_differences {
        true => tracked.iter().rev().map(|live| (live.key(), live)).collect(),
        false => HashMap::new(),
    };
    order
        .into_iter()
        .map(|entry| {
            let mut object = entry.object.clone();
            if !live.is_empty()
                && let Some(live) = live.get(&object.key())
            {
                respect_ignored(application, &mut object, live);
            }
            let method = method(&object, options);
            Item { wave: entry.wave, task: Task::Apply { object, previous: None, method }, why: entry.path.clone() }
        })
        .collect()
}

/// An object without the fields that its kind does not have: what a server drops that is not to validate
/// (`kubectl --validate=false`), said before, so that what is compared is what will be there. Of an operator's kinds its definition
/// knows more.
fn unvalidated(object: Object) -> Object {
    let Ok(decoded) = Schemas::builtin().decode(&object.gvk(), object.value()) else { return object };
    let mut value = object.value().clone();
    drop_unknown(&mut value, &decoded.value, &decoded.findings);
    Object::from_value(value).unwrap_or(object)
}

/// Takes away what decoding has left out and found to be unknown: what it leaves out because it is empty stays.
fn drop_unknown(value: &mut Value, known: &Value, findings: &[String]) {
    match (value, known) {
        (Value::Object(fields), Value::Object(known)) => {
            let is_unknown = |name: &str| {
                let (inner, first) = (format!(".{name}\""), format!("\"{name}\""));
                findings.iter().any(|found| {
                    found.starts_with("unknown field ") && (found.ends_with(&inner) || found.ends_with(&first))
                })
            };
            fields.retain(|name, _| known.contains_key(name) || !is_unknown(name));
            for (name, inner) in fields {
                if let Some(known) = known.get(name) {
                    drop_unknown(inner, known, findings);
                }
            }
        }
        (Value::Array(items), Value::Array(known)) => {
            items.iter_mut().zip(known).for_each(|(item, known)| drop_unknown(item, known, findings));
        }
        _ => {}
    }
}

fn method(object: &Object, options: &SyncOptions) -> Method {
    let own = ResourceOptions::of(object);
    let manager = MANAGER.to_owned();
    let replace = if own.names_replace { own.options.replace } else { options.replace };
    if replace {
        return if own.options.force || options.force {
            Method::Recreate { manager }
        } else {
            Method::Replace { manager }
        };
    }
    let off = if own.names_server_side { own.options.no_server_side } else { options.no_server_side };
    let first = if off { Method::ThreeWay { manager } } else { Method::ServerSide { manager, force: true } };
    let stays = own.is_confirmed_to_go(options) || stays(object, options, Semantics::Own).is_some();
    match (own.options.force || options.force) && !stays {
        true => Method::OrRecreate { first: Box::new(first) },
        false => first,
    }
}

/// The hooks of an Application's deletion that run at this moment, in the order of their waves.
pub(crate) fn deletion_items(
    application: &Application,
    targets: &[Target],
    moment: HookType,
    timeout: u64,
) -> Vec<Item> {
    let hook = |Target { object, path }: &Target| {
        let mut object = object.clone();
        if !object.name().is_empty() {
            let id = tracking_id(application, &object.key());
            object.set_annotation(TRACKING_ANNOTATION, id);
        }
        (moment, Resource { wave: wave(&object), object, path: path.clone() })
    };
    let hooks: Vec<_> = targets.iter().filter(|target| runs_at_deletion(&target.object, moment)).map(hook).collect();
    hook_items(&hooks, moment, timeout)
}

fn hook_items(hooks: &[(HookType, Resource)], phase: HookType, timeout: u64) -> Vec<Item> {
    let mut of_phase: Vec<(usize, &Resource)> = hooks
        .iter()
        .enumerate()
        .filter(|(_, (hook, _))| *hook == phase)
        .map(|(index, (_, entry))| (index, entry))
        .collect();
    of_phase.sort_by(|(_, a), (_, b)| a.wave.cmp(&b.wave).then_with(|| sync_key(&a.object).cmp(&sync_key(&b.object))));
    of_phase
        .into_iter()
        .map(|(id, entry)| {
            let hook = Hook {
                id,
                object: entry.object.clone(),
                delete: match phase {
                    HookType::PreDelete | HookType::PostDelete => policies_of_deletion(&entry.object),
                    HookType::PreSync | HookType::Sync | HookType::PostSync | HookType::SyncFail => {
                        delete_policies(&entry.object)
                    }
                },
                log: Vec::new(),
                criterion: Criterion::Health,
                timeout,
                manager: MANAGER.into(),
            };
            Item { wave: entry.wave, task: Task::Hook(Box::new(hook)), why: entry.path.clone() }
        })
        .collect()
}

/// After each wave its objects' health is waited for.
fn with_waits(items: Vec<Item>, resources: &[Resource], choices: &Choices<'_>, followed: bool) -> Vec<Item> {
    let mut waves: BTreeMap<i32, Vec<Item>> = BTreeMap::new();
    for item in items {
        waves.entry(item.wave).or_default().push(item);
    }
    let last = waves.keys().next_back().copied();
    let mut all = Vec::new();
    for (wave, mut items) in waves {
        // Hooks of a wave start beside its objects and are waited for one by one: objects first.
        items.sort_by_key(|item| matches!(item.task, Task::Hook(_)));
        let waits = match choices.wait {
            HealthWait::Every => true,
            HealthWait::Followed => Some(wave) != last || followed,
            HealthWait::Never => false,
        };
        let keys: Vec<ObjectKey> =
            resources.iter().filter(|entry| entry.wave == wave).map(|entry| entry.object.key()).collect();
        let hooks = items.iter().position(|item| matches!(item.task, Task::Hook(_))).unwrap_or(items.len());
        let late: Vec<Item> = items.drain(hooks..).collect();
        all.extend(items);
        if waits && !keys.is_empty() {
            let (wait, timeout) = match choices.semantics {
                Semantics::Own => (WaitFor::Health, choices.timeout),
                Semantics::Argo => (WaitFor::HealthAsTold, WITHOUT_END),
            };
            let task = Task::Wait { keys, wait, timeout };
            all.push(Item { wave, task, why: format!("until wave {wave} is healthy") });
        }
        all.extend(late);
    }
    all
}
