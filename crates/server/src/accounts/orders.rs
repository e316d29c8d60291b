//! What counts of a protected Application: an operation that somebody asked for through the API, and a way to sync by itself that
//! an owner or the base branch has said. What stands in the resource and is neither was written there by somebody who may write
//! resources; that one is no owner.
//!
//! An order is kept before the operation is written, names the operation's digest and the Application's uid, and counts until
//! that operation is taken off; a copy of it counts for nothing.

mod going;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_apps::{Application, Barred, PIN_ANNOTATION, Project, instance_name};
use landfall_diag::{Diagnose as _, Diagnostic, is_mutant};
use landfall_engine::Clock;
use landfall_object::Object;
use landfall_store::{Facts, OrderRow, PolicyRow};
use parking_lot::Mutex;
use serde_json::{Value, json};

pub(crate) use self::going::Going;
use super::{digest, password};

/// The facts by which replicas know what others' parents say.
const BRANCHES: &str = "base-branch";
/// By what an operation names its order (`operation.info`).
const ORDER: &str = "landfall.dev/order";
/// An order that nobody has carried out by then is none any more.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Orders, and what is accepted of how Applications sync by themselves.
pub(crate) struct Orders {
    rows: landfall_store::Orders,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// By their ids.
    open: BTreeMap<String, OrderRow>,
    /// Those whose operation was seen.
    taken: BTreeSet<String>,
    /// By Application: what an owner has accepted.
    accepted: BTreeMap<String, PolicyRow>,
    /// By parent: what the base branch says of its children.
    branches: BTreeMap<String, BTreeMap<String, String>>,
    /// Applications that a parent named which counts, and that it names no longer or takes along.
    dropped: BTreeSet<String>,
    /// What was told already, by Application.
    told: BTreeMap<String, String>,
    /// Projects that were protected once and that nobody has opened since, by namespace and name.
    protected: BTreeSet<String>,
    /// By Application: the protected project (in the place of a digest) that it belongs to until an owner lets it leave.
    members: BTreeMap<String, PolicyRow>,
}

/// What stands before a project's place where it is kept beside what is accepted: no namespace is called so.
const PROJECT: &str = "AppProject ";
/// The same before an Application's, where it is kept to which protected project it belongs.
const MEMBER: &str = "Member ";
/// What is kept of a protected project, and of one that was opened again.
const KEPT: [&str; 2] = ["open", "protected"];

/// Why what stands in an Application does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// In words.
    pub(crate) why: String,
    /// Whether this is the first time that it is seen.
    pub(crate) is_new: bool,
}

/// What is kept, each for itself.
#[derive(Default)]
struct Apart {
    /// The projects that are protected.
    protected: BTreeSet<String>,
    /// To which of them Applications belong.
    members: BTreeMap<String, PolicyRow>,
    /// What is accepted of Applications.
    accepted: BTreeMap<String, PolicyRow>,
}

fn apart(rows: Vec<PolicyRow>) -> Apart {
    let mut apart = Apart::default();
    for row in rows {
        if let Some(project) = row.application.strip_prefix(PROJECT) {
            if row.digest == KEPT[1] {
                apart.protected.insert(project.to_owned());
            }
        } else if let Some(application) = row.application.strip_prefix(MEMBER) {
            apart.members.insert(application.to_owned(), row);
        } else {
            apart.accepted.insert(row.application.clone(), row);
        }
    }
    apart
}

impl Orders {
    /// What an earlier process left, and nothing else.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn load(rows: landfall_store::Orders, clock: Arc<dyn Clock>) -> Result<Self, Diagnostic> {
        let read = |error: landfall_store::Error| error.diagnose();
        let open = rows.open().await.map_err(read)?.into_iter().map(|row| (row.id.clone(), row)).collect();
        let Apart { protected, members, accepted } = apart(rows.policies().await.map_err(read)?);
        Ok(Orders { rows, clock, known: Mutex::new(Known { open, accepted, protected, members, ..Known::default() }) })
    }

    /// Keeps an order before its operation is written; gives the operation with its name.
    ///
    /// # Errors
    /// It cannot be kept: the operation would not count.
    pub(crate) async fn place(&self, object: &Object, operation: &Value, actor: &str) -> Result<Value, Diagnostic> {
        let id: String = password::random_bytes::<12>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let row = OrderRow {
            id: id.clone(),
            application: place(object),
            uid: object.uid().unwrap_or_default().to_owned(),
            digest: digest_of(operation, object),
            actor: actor.to_owned(),
            at: self.now().to_string(),
        };
        self.rows.place(&row).await.map_err(|error| error.diagnose())?;
        self.known.lock().open.insert(id.clone(), row);
        let mut named = bare(operation);
        let mut info = named["info"].as_array().cloned().unwrap_or_default();
        info.push(json!({"name": ORDER, "value": id}));
        named["info"] = Value::Array(info);
        Ok(named)
    }

    /// Whether somebody asked for the operation that stands in an Application, as it stands there.
    pub(crate) fn answers(&self, object: &Object) -> Result<(), Doubt> {
        let operation = object.at("/operation").cloned().unwrap_or_default();
        let mut known = self.known.lock();
        let named = operation["info"].as_array().into_iter().flatten().find(|it| it["name"] == ORDER);
        let found = named.and_then(|it| it["value"].as_str()).and_then(|id| known.open.get(id)).cloned();
        let by = operation["initiatedBy"]["username"].as_str().filter(|by| !by.is_empty());
        let says =
            by.map_or("and it does not say who wrote it".to_owned(), |by| format!("though it says that {by} did"));
        let why = match &found {
            None => format!("nobody asked for it through the API, {says}"),
            Some(row) if row.application != place(object) || Some(row.uid.as_str()) != object.uid() => {
                "it was asked for of another Application".to_owned()
            }
            Some(row) if row.digest != digest_of(&operation, object) => {
                format!("{} asked for something else, or the Application has changed since", row.actor)
            }
            Some(row) if self.is_past(&row.at) => format!("{} asked for it more than a day ago", row.actor),
            Some(row) => {
                known.taken.insert(row.id.clone());
                return Ok(());
            }
        };
        Err(known.doubt(&place(object), &format!("operation {operation}"), why))
    }

    /// Ends the orders of an Application whose operation is taken off: they count for nothing from then on.
    pub(crate) async fn end(&self, application: &str) {
        let ended: Vec<String> = {
            let mut known = self.known.lock();
            let ended: Vec<String> = known
                .open
                .values()
                .filter(|row| row.application == application && known.taken.contains(&row.id))
                .map(|row| row.id.clone())
                .collect();
            for id in &ended {
                known.open.remove(id);
                known.taken.remove(id);
            }
            ended
        };
        if let Err(error) = self.rows.done(&ended, &self.now().to_string()).await {
            tracing::error!("that orders of {application} are done cannot be written: {error}");
        }
    }

    /// An owner accepts how an Application is declared now, and how it syncs by itself.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(crate) async fn accept(&self, object: &Object, actor: &str) -> Result<(), Diagnostic> {
        let row = PolicyRow {
            application: place(object),
            uid: object.uid().unwrap_or_default().to_owned(),
            digest: declared(object),
            actor: actor.to_owned(),
            at: self.now().to_string(),
        };
        self.rows.set_policy(&row).await.map_err(|error| error.diagnose())?;
        let mut known = self.known.lock();
        known.told.remove(&row.application);
        known.accepted.insert(row.application.clone(), row);
        Ok(())
    }

    /// Whether a project was protected and nobody has opened it since, be it there or not.
    pub(crate) fn was_protected(&self, project: &str) -> bool {
        self.known.lock().is_protected(project)
    }

    /// The protected project whose owners an Application belongs to, whatever project it names by now: it was of that one, and
    /// none of them has let it leave.
    pub(crate) fn owner_of(&self, object: &Object) -> Option<String> {
        self.known.lock().owner_of(object).map(str::to_owned)
    }

    /// The Applications whose objects this one must not change: those of protected projects that it does not belong to. One that was
    /// deleted and left its objects is among them, and so is another one of its name.
    pub(crate) fn barred(&self, application: &Application) -> Barred {
        if is_mutant("protected-objects") {
            return Barred::default();
        }
        let known = self.known.lock();
        let own = known.owner_of(&application.object);
        let others = known.members.iter().filter_map(|(place, row)| {
            let project = row.digest.as_str();
            let is_own = project == application.project || Some(project) == own;
            let (namespace, name) = place.split_once('/')?;
            (!is_own && known.is_protected(project)).then(|| (instance_name(namespace, name), project.to_owned()))
        });
        Barred::new(others.collect())
    }

    /// Keeps that an Application belongs to a protected project; or that it was let go, where that is none.
    pub(crate) fn belongs(self: &Arc<Self>, object: &Object, project: Option<&str>) {
        let (application, project) = (place(object), project.unwrap_or_default());
        let uid = object.uid().unwrap_or_default();
        let mut known = self.known.lock();
        let before = known.members.get(&application).filter(|row| row.uid == uid).map(|row| row.digest.as_str());
        if before.unwrap_or_default() == project {
            return;
        }
        let row = PolicyRow {
            application: format!("{MEMBER}{application}"),
            uid: uid.to_owned(),
            digest: project.to_owned(),
            actor: "the project itself".to_owned(),
            at: self.now().to_string(),
        };
        known.members.insert(application, row.clone());
        drop(known);
        self.keep(row);
    }

    /// Keeps something aside.
    fn keep(self: &Arc<Self>, row: PolicyRow) {
        let orders = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = orders.rows.set_policy(&row).await {
                tracing::error!("what stands of {} cannot be kept: {error}", row.application);
            }
        });
    }

    /// Keeps that a project is protected, or that it was opened: what is deleted is not forgotten. Whether that is something new.
    pub(crate) fn protects(self: &Arc<Self>, project: &Object, is_protected: bool) -> bool {
        let place = place(project);
        let mut known = self.known.lock();
        let is_new = match is_protected {
            true => known.protected.insert(place.clone()),
            false => known.protected.remove(&place),
        };
        drop(known);
        if is_new {
            self.keep(PolicyRow {
                application: format!("{PROJECT}{place}"),
                uid: project.uid().unwrap_or_default().to_owned(),
                digest: KEPT[usize::from(is_protected)].to_owned(),
                actor: "the project itself".to_owned(),
                at: self.now().to_string(),
            });
        }
        is_new
    }

    /// Takes what a parent's base branch says of its children; nothing where the parent does not count.
    /// Whether that is something new.
    pub(crate) fn says(&self, parent: &str, children: Option<&[Object]>) -> bool {
        let Some(children) = children else { return self.known.lock().branches.remove(parent).is_some() };
        let children: BTreeMap<String, String> = children.iter().map(|child| (place(child), declared(child))).collect();
        let mut known = self.known.lock();
        let before = known.branches.get(parent).cloned();
        known.drops(before.as_ref(), &children);
        match children.is_empty() {
            true => known.branches.remove(parent).is_some(),
            false => {
                let is_new = known.branches.get(parent) != Some(&children);
                known.branches.insert(parent.to_owned(), children);
                is_new
            }
        }
    }

    /// Lets other replicas know what a parent's base branch says of its children.
    pub(crate) async fn share(&self, facts: &Facts, parent: &str) {
        let children = self.known.lock().branches.get(parent).cloned();
        let shared = match children {
            Some(children) => facts.set(BRANCHES, parent, &json!(children)).await,
            None => facts.remove(BRANCHES, parent).await,
        };
        if let Err(error) = shared {
            tracing::warn!("what {parent} says of its children is not known to other replicas: {error}");
        }
    }

    /// Takes what other replicas have let be accepted; of parents that are kept here it is known better. Whether it is anything
    /// new.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn refresh(
        &self,
        facts: &Facts,
        keeps: impl Fn(&str) -> bool,
    ) -> Result<bool, landfall_store::Error> {
        let (open_before, accepted_before, members_before) = {
            let known = self.known.lock();
            (known.open.clone(), known.accepted.clone(), known.members.clone())
        };
        let (open, accepted, branches) =
            (self.rows.open().await?, self.rows.policies().await?, facts.of(BRANCHES).await?);
        let Apart { protected, members, accepted } = apart(accepted);
        let mut known = self.known.lock();
        let before = known.believed();
        // That one was opened is told by its annotation, which every replica sees; what was read may be older.
        known.protected.extend(protected);
        // What was taken in here while it was read is not among it.
        known.open.retain(|id, _| !open_before.contains_key(id));
        known.open.extend(open.into_iter().map(|row| (row.id.clone(), row)));
        known.accepted.retain(|application, row| accepted_before.get(application) != Some(&*row));
        for (application, row) in accepted {
            known.accepted.entry(application).or_insert(row);
        }
        known.members.retain(|application, row| members_before.get(application) != Some(&*row));
        for (application, row) in members {
            known.members.entry(application).or_insert(row);
        }
        let said = known.branches.clone();
        known.branches.retain(|parent, _| keeps(parent));
        for (parent, children) in branches {
            if let (false, Ok(children)) = (keeps(&parent), serde_json::from_value(children)) {
                known.drops(said.get(&parent), &children);
                known.branches.insert(parent, children);
            }
        }
        Ok(before != known.believed())
    }

    /// Whether an Application is declared as an owner has accepted it, or as the base branch says.
    pub(crate) fn is_accepted(&self, object: &Object) -> Result<(), Doubt> {
        let (application, declared) = (place(object), declared(object));
        let mut known = self.known.lock();
        if known.accepts(object, &application, &declared) {
            return Ok(());
        }
        let why = match known.accepted.get(&application) {
            Some(row) => format!("it is declared otherwise than {} has accepted it ({})", row.actor, row.at),
            None => "neither an owner nor the base branch has said so".to_owned(),
        };
        Err(known.doubt(&application, &format!("policy {declared}"), why))
    }

    /// The same, where nobody is told of it.
    pub(crate) fn accepts(&self, object: &Object) -> bool {
        self.known.lock().accepts(object, &place(object), &declared(object))
    }

    fn is_past(&self, at: &str) -> bool {
        at.parse::<Timestamp>().map_or(true, |at| self.now().duration_since(at) > GOOD_FOR)
    }

    fn now(&self) -> Timestamp {
        landfall_object::whole_second(self.clock.now())
    }
}

/// What is accepted, what base branches say, what is protected and what belongs to it.
type Believed = (
    BTreeMap<String, PolicyRow>,
    BTreeMap<String, BTreeMap<String, String>>,
    BTreeSet<String>,
    BTreeMap<String, PolicyRow>,
);

impl Known {
    fn believed(&self) -> Believed {
        (self.accepted.clone(), self.branches.clone(), self.protected.clone(), self.members.clone())
    }

    fn is_protected(&self, project: &str) -> bool {
        self.protected.contains(&format!("{}/{project}", Project::HOME))
    }

    fn owner_of(&self, object: &Object) -> Option<&str> {
        let row = self.members.get(&place(object)).filter(|row| Some(row.uid.as_str()) == object.uid())?;
        Some(row.digest.as_str()).filter(|project| self.is_protected(project))
    }

    fn accepts(&self, object: &Object, application: &str, declared: &String) -> bool {
        let is_it = |row: &PolicyRow| row.digest == *declared && Some(row.uid.as_str()) == object.uid();
        let by_branch = || self.branches.values().any(|children| children.get(application) == Some(declared));
        self.accepted.get(application).is_some_and(is_it) || by_branch()
    }

    fn doubt(&mut self, application: &str, what: &str, why: String) -> Doubt {
        let what = digest(what);
        let is_new = self.told.get(application) != Some(&what);
        self.told.insert(application.to_owned(), what);
        Doubt { why, is_new }
    }
}

fn place(object: &Object) -> String {
    let place = format!("{}/{}", object.namespace().unwrap_or_default(), object.name());
    // A set of an Application's name is another thing.
    if object.kind() == "ApplicationSet" { format!("ApplicationSet {place}") } else { place }
}

/// An operation without the name of its order.
fn bare(operation: &Value) -> Value {
    let mut bare = operation.clone();
    if let Some(info) = bare.get_mut("info").and_then(Value::as_array_mut) {
        info.retain(|it| it["name"] != ORDER);
        if info.is_empty()
            && let Some(map) = bare.as_object_mut()
        {
            map.remove("info");
        }
    }
    bare
}

/// An operation on an Application as it is declared: it is asked for of that and of nothing else.
fn digest_of(operation: &Value, object: &Object) -> String {
    let spec = object.spec().cloned().unwrap_or_default();
    digest(&canonical(&json!({"operation": bare(operation), "spec": spec})))
}

/// How an Application is declared, its pin included.
fn declared(object: &Object) -> String {
    let spec = object.spec().cloned().unwrap_or_default();
    digest(&canonical(&json!({"spec": spec, "pin": object.annotation(PIN_ANNOTATION)})))
}

/// One text for one value: keys in order, and what is null left out, as a server keeps it.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            let fields: Vec<String> =
                sorted.into_iter().map(|(key, value)| format!("{}:{}", json!(key), canonical(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use landfall_engine::WallClock;
    use landfall_store::{Location, Store};

    use super::*;

    fn application(uid: &str, spec: Value, operation: &Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd", "uid": uid}, "spec": spec, "operation": operation,
        }))
        .expect("a map")
    }

    async fn orders(store: &Store) -> Orders {
        Orders::load(store.orders.clone(), Arc::new(WallClock)).await.expect("loaded")
    }

    fn spec() -> Value {
        json!({"project": "prod", "source": {"repoURL": "x", "targetRevision": "main"}})
    }

    #[tokio::test]
    async fn an_operation_counts_as_it_was_asked_for_and_once() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let orders = orders(&store).await;
        let wish = json!({"sync": {"revision": "abc", "prune": null}, "initiatedBy": {"username": "sebastian"}});
        let asked = application("u", spec(), &Value::Null);
        let named = orders.place(&asked, &wish, "sebastian").await.expect("kept");
        // As a server keeps it: nulls are gone, keys stand in another order.
        let mut kept = named.clone();
        kept["sync"].as_object_mut().expect("a map").remove("prune");
        assert_eq!(orders.answers(&application("u", spec(), &kept)), Ok(()));
        let why = |object: &Object| orders.answers(object).expect_err("doubted").why;
        let mut other = kept.clone();
        other["sync"]["revision"] = json!("def");
        assert!(why(&application("u", spec(), &other)).starts_with("sebastian asked for something else"));
        let mut elsewhere = spec();
        elsewhere["source"]["repoURL"] = json!("https://evil");
        assert!(why(&application("u", elsewhere, &kept)).starts_with("sebastian asked for something else"));
        assert_eq!(why(&application("v", spec(), &kept)), "it was asked for of another Application");
        assert!(why(&application("u", spec(), &wish)).contains("it says that sebastian did"));
        // After a restart it still counts; once it is over a copy of it does not, before or after another restart.
        let again = super::tests::orders(&store).await;
        assert_eq!(again.answers(&application("u", spec(), &kept)), Ok(()));
        again.end("argocd/shop").await;
        assert!(again.answers(&application("u", spec(), &kept)).is_err());
        assert!(super::tests::orders(&store).await.answers(&application("u", spec(), &kept)).is_err());
    }

    #[tokio::test]
    async fn a_project_that_was_protected_stays_so_after_it_is_gone_and_after_a_restart_until_it_is_opened() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let orders = Arc::new(orders(&store).await);
        let project = Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "prod", "namespace": "argocd"},
        }))
        .expect("a map");
        let replica = super::tests::orders(&store).await;
        let kept = |orders: &Orders| orders.was_protected("prod");
        assert!(!kept(&orders));
        assert!(orders.protects(&project, true) && !orders.protects(&project, true));
        assert!(kept(&orders) && !orders.was_protected("test"));
        while store.orders.policies().await.expect("read").is_empty() {
            tokio::task::yield_now().await;
        }
        // A replica that never saw the project learns it, and takes it for no Application that somebody has accepted.
        assert!(!kept(&replica));
        assert!(replica.refresh(&store.facts, |_| false).await.expect("read"));
        assert!(kept(&replica) && replica.known.lock().accepted.is_empty());
        assert!(!replica.refresh(&store.facts, |_| false).await.expect("read"), "nothing is new");
        let again = Arc::new(super::tests::orders(&store).await);
        assert!(kept(&again), "it is forgotten by a restart");
        assert!(again.protects(&project, false) && !kept(&again));
    }

    #[tokio::test]
    async fn what_belongs_to_a_protected_project_belongs_to_it_until_it_is_let_go_after_a_restart_too() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let orders = Arc::new(orders(&store).await);
        let project = Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "prod", "namespace": "argocd"},
        }))
        .expect("a map");
        orders.protects(&project, true);
        let object = application("u", spec(), &Value::Null);
        assert_eq!(orders.owner_of(&object), None);
        orders.belongs(&object, Some("prod"));
        let mut moved = spec();
        moved["project"] = json!("anything");
        let moved = application("u", moved, &Value::Null);
        assert_eq!(orders.owner_of(&moved).as_deref(), Some("prod"));
        assert_eq!(orders.owner_of(&application("v", spec(), &Value::Null)), None, "another one of its name");
        while store.orders.policies().await.expect("read").len() < 2 {
            tokio::task::yield_now().await;
        }
        let again = Arc::new(super::tests::orders(&store).await);
        assert_eq!(again.owner_of(&moved).as_deref(), Some("prod"), "it is forgotten by a restart");
        again.belongs(&moved, None);
        assert_eq!(again.owner_of(&moved), None);
        orders.protects(&project, false);
        assert_eq!(orders.owner_of(&moved), None, "the project was opened");
    }

    #[tokio::test]
    async fn a_set_and_an_application_of_one_name_are_accepted_each_for_itself() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let orders = orders(&store).await;
        let application = application("u", spec(), &Value::Null);
        let mut set = application.clone();
        set.map_mut().insert("kind".to_owned(), "ApplicationSet".into());
        orders.accept(&set, "sebastian").await.expect("kept");
        assert!(orders.accepts(&set) && !orders.accepts(&application));
    }

    #[tokio::test]
    async fn what_nobody_asked_for_is_told_once_as_long_as_it_is_the_same() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let orders = orders(&store).await;
        let forged = |revision: &str| application("u", spec(), &json!({"sync": {"revision": revision}}));
        let is_new = |object: &Object| orders.answers(object).expect_err("doubted").is_new;
        assert!(is_new(&forged("a")));
        assert!(!is_new(&forged("a")));
        assert!(is_new(&forged("b")));
    }

    #[tokio::test]
    async fn an_application_syncs_by_itself_as_an_owner_or_the_branch_says_and_not_otherwise() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let orders = orders(&store).await;
        let mut automated = spec();
        automated["syncPolicy"] = json!({"automated": {"prune": true}});
        let object = application("u", automated.clone(), &Value::Null);
        assert!(orders.is_accepted(&object).is_err());
        orders.accept(&object, "sebastian").await.expect("kept");
        assert_eq!(orders.is_accepted(&object), Ok(()));
        assert_eq!(super::tests::orders(&store).await.is_accepted(&object), Ok(()), "after a restart, too");
        let mut elsewhere = automated.clone();
        elsewhere["source"]["repoURL"] = json!("https://evil");
        assert!(orders.is_accepted(&application("u", elsewhere.clone(), &Value::Null)).is_err());
        assert!(orders.is_accepted(&application("v", automated, &Value::Null)).is_err(), "another one of its name");
        let mut pinned = object.clone();
        pinned.set_annotation(PIN_ANNOTATION, "{}");
        assert!(orders.is_accepted(&pinned).is_err(), "it would deliver something else");
        // The base branch may say otherwise, as long as it is believed.
        let moved = application("u", elsewhere, &Value::Null);
        assert!(orders.says("argocd/root", Some(std::slice::from_ref(&moved))));
        assert!(!orders.says("argocd/root", Some(std::slice::from_ref(&moved))), "nothing new");
        assert_eq!(orders.is_accepted(&moved), Ok(()));
        assert!(orders.says("argocd/root", None));
        assert!(orders.is_accepted(&moved).is_err());
    }

    #[tokio::test]
    async fn an_application_goes_as_an_owner_or_its_source_lets_it_and_not_otherwise() {
        let store = Store::open(Location::Memory).await.expect("opened");
        let orders = orders(&store).await;
        let object = application("u", spec(), &Value::Null);
        let may = |object: &Object| [Going::Alone, Going::Along].map(|going| orders.lets_go(object, going).is_ok());
        assert_eq!(may(&object), [false, false]);
        orders.let_go(&object, Going::Alone, "sebastian").await.expect("kept");
        assert_eq!(may(&object), [true, false]);
        orders.let_go(&object, Going::Along, "sebastian").await.expect("kept");
        assert_eq!(may(&object), [true, true]);
        let mut elsewhere = spec();
        elsewhere["source"]["repoURL"] = json!("https://evil");
        assert_eq!(may(&application("u", elsewhere, &Value::Null)), [false, false], "declared otherwise since");
        assert_eq!(may(&application("v", spec(), &Value::Null)), [false, false], "another one of its name");
        assert!(super::tests::orders(&store).await.lets_go(&object, Going::Along).is_ok(), "after a restart, too");
        orders.gone(&object).await;
        assert_eq!(may(&object), [false, false]);
        // A parent that does not count any more lets nobody go; one that names it no longer does, until it names it again.
        let child = [object.clone()];
        orders.says("argocd/root", Some(&child));
        orders.says("argocd/root", None);
        assert_eq!(may(&object), [false, false]);
        orders.says("argocd/root", Some(&child));
        orders.says("argocd/root", Some(&[]));
        assert_eq!(may(&object), [true, true]);
        orders.says("argocd/root", Some(&child));
        assert_eq!(may(&object), [false, false]);
        // One that goes with all that it has takes it along.
        let mut root = application("r", spec(), &Value::Null);
        root.metadata_mut().insert("name".to_owned(), "root".into());
        orders.let_go(&root, Going::Along, "sebastian").await.expect("kept");
        assert_eq!(orders.lets_go(&root, Going::Along), Ok(()));
        assert_eq!(may(&object), [true, true]);
    }
}
