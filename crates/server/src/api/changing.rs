//! What somebody wants of an Application: written into it, where every controller looks; what must not be is refused
//! first, against the very state that is written to.

use landfall_apps::machine::CASCADE;
use landfall_apps::machine::Freshness;
use landfall_apps::{
    Application, BREAK_GLASS_INFO, PAUSE_ANNOTATION, PIN_ANNOTATION, Pause, Pin, ResourceName, Semantics, resource_key,
};
use landfall_cluster::{DeleteOptions, Patch, WriteOptions};
use landfall_diag::{Diagnostic, code};
use landfall_object::Object;
use serde_json::{Value, json};

use super::desk::{Answer, Desk, one, told};
use super::reading::{history, is_chart, revisions, same_but_revision, sources, under_way};
use super::shapes::{
    Accepted, AutomatedWish, DeleteWish, HistoryEntry, Name, Objects, PauseWish, PinWish, PolicyWish, RefreshWish,
    RollbackWish, SyncWish,
};
use crate::accounts::Going;
use crate::actor::Actor;
use crate::ground::MANAGER;

/// The annotation by which somebody asks for a look.
pub(super) const REFRESH: &str = "argocd.argoproj.io/refresh";
/// How often a write is tried again whose Application has changed meanwhile.
const TRIES: usize = 5;

impl Desk {
    /// Writes into an Application what follows from it as it is; what has changed meanwhile is looked at anew.
    async fn write<T>(&self, actor: &Actor, name: &Name, follows: impl Fn(&Object) -> Answer<(Value, T)>) -> Answer<T> {
        let options = WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() };
        let mut tries = 1;
        loop {
            let object = self.object(actor, name).await?;
            let (mut patch, given) = follows(&object)?;
            let stood = self.work.orders.accepts(&object);
            let promised = self.promised(actor, name, &object, &mut patch).await?;
            patch["metadata"]["resourceVersion"] = json!(object.resource_version());
            match self.work.session.cluster.patch(&object.key(), &Patch::Merge(patch), &options).await {
                Ok(_) => return Ok(given),
                Err(error) if error.is_conflict() && tries < TRIES => tries += 1,
                Err(error) => {
                    if promised == Promised::Declaration && stood {
                        // It stays as it was accepted before; what was in doubt stays so.
                        self.work.orders.accept(&object, &actor.name).await.map_err(one)?;
                    }
                    return Err(told(&error));
                }
            }
        }
    }

    /// Keeps, before it is written into a protected Application, that it was asked for here: nothing else counts there.
    async fn promised(&self, actor: &Actor, name: &Name, object: &Object, patch: &mut Value) -> Answer<Promised> {
        let orders = &self.work.orders;
        if !self.work.is_owners(object) {
            return Ok(Promised::Nothing);
        }
        if let Some(other) = self.work.turn.as_ref().and_then(|turn| turn.other()) {
            let text = format!("{name} is protected, and {other} keeps it: it counts where it is asked for there");
            return Err(one(Diagnostic::refused(code::KEPT_ELSEWHERE, text).note("nothing was changed")));
        }
        let pins = patch["metadata"]["annotations"].get(PIN_ANNOTATION).is_some();
        let declares = pins || patch.get("spec").is_some();
        let automated = object.at("/spec/syncPolicy/automated").is_some_and(Value::is_object);
        if declares
            && patch.get("spec").is_none()
            && automated
            && let Err(doubt) = orders.is_accepted(object)
        {
            let text = format!("{name} is protected, and how it is declared now does not count: {}", doubt.why);
            return Err(one(Diagnostic::refused(code::SIDE_DOOR, text).help(format!(
                "look at it with landfall app get {name} -o json, then landfall app policy {name} --accept"
            ))));
        }
        let mut after = object.value().clone();
        merge(&mut after, patch);
        let after = Object::from_value(after)
            .map_err(|_| one(Diagnostic::error(code::BUG, "an Application that is changed is no object any more")))?;
        if patch.get("operation").is_some_and(Value::is_object) {
            patch["operation"] = orders.place(&after, &patch["operation"], &actor.name).await.map_err(one)?;
        }
        if !declares {
            return Ok(Promised::Nothing);
        }
        orders.accept(&after, &actor.name).await.map_err(one)?;
        Ok(Promised::Declaration)
    }

    /// Says how an Application syncs by itself; of a protected one, nothing else counts.
    pub(super) async fn set_policy(&self, actor: &Actor, name: &Name, wish: &PolicyWish) -> Answer<Accepted> {
        self.write(actor, name, |object| {
            let automated = match wish.automated {
                AutomatedWish::On => json!({"prune": wish.prune, "selfHeal": wish.self_heal, "enabled": true}),
                AutomatedWish::Off => Value::Null,
                AutomatedWish::Accept => object.at("/spec/syncPolicy/automated").cloned().unwrap_or_default(),
            };
            // What is only accepted changes nothing that would be seen: it is looked at because of the annotation.
            let patch = json!({
                "metadata": {"annotations": {REFRESH: "normal"}},
                "spec": {"syncPolicy": {"automated": automated}},
            });
            Ok((patch, accepted(name, "policy")))
        })
        .await
    }

    pub(super) async fn sync(&self, actor: &Actor, name: &Name, wish: &SyncWish) -> Answer<Accepted> {
        let mut sync = json!({"prune": wish.prune});
        match wish.revisions.as_slice() {
            [] => {}
            [one] => sync["revision"] = json!(one),
            several => sync["revisions"] = json!(several),
        }
        let resources = wish.resources.iter().map(|text| resource(text)).collect::<Answer<Vec<_>>>()?;
        if !resources.is_empty() {
            sync["resources"] = json!(resources);
        }
        if wish.without_hooks {
            sync["syncStrategy"] = json!({"apply": {}});
        }
        if !wish.options.is_empty() {
            sync["syncOptions"] = json!(wish.options);
        }
        let mut operation = operation(actor, &sync, wish.retries);
        if let Some(reason) = &wish.break_glass {
            operation["info"] = json!([{"name": BREAK_GLASS_INFO, "value": reason}]);
        }
        let patch = json!({"operation": operation});
        self.write(actor, name, |object| {
            may_begin(object, name)?;
            may_deliver(object, name, &wish.revisions)?;
            has_some(object, name, wish)?;
            let revisions = wish.revisions.clone();
            Ok((
                patch.clone(),
                Accepted { application: name.clone(), change: "sync".to_owned(), revisions, pinned: false },
            ))
        })
        .await
    }

    pub(super) async fn roll_back(&self, actor: &Actor, name: &Name, wish: &RollbackWish) -> Answer<Accepted> {
        let application = self.application(actor, name).await?;
        let entry = entry(&application.object, name, wish.id)?;
        if self.work.session.semantics == Semantics::Argo && application.is_automated() {
            let why = "it syncs by itself, and this server was started with --argo-strict";
            let diagnostic = cannot(name, entry.id, why);
            return Err(one(diagnostic.help(format!("landfall app policy {name} --manual"))));
        }
        same_source(&application.object, name, &entry)?;
        self.can_be_delivered(&application, name, &entry).await?;
        let sync = json!({"prune": wish.prune});
        self.write(actor, name, |object| {
            may_begin(object, name)?;
            // What was tried above must still be what is gone back to.
            same_source(object, name, &entry)?;
            let mut sync = sync.clone();
            match entry.revisions.as_slice() {
                [one] => sync["revision"] = json!(one),
                several => sync["revisions"] = json!(several),
            }
            let mut patch = json!({"operation": operation(actor, &sync, None)});
            // Without a pin the next look would take it forward again; one that is there is moved along.
            let pins =
                application.is_automated() || object.annotation(PIN_ANNOTATION).is_some() || !wish.why.is_empty();
            if pins {
                let pin = self.new_pin(actor, entry.revisions.clone(), (Some(entry.id), &wish.why));
                patch["metadata"]["annotations"] = json!({PIN_ANNOTATION: pin.written()});
            }
            let accepted = Accepted {
                application: name.clone(),
                change: "rollback".to_owned(),
                revisions: entry.revisions.clone(),
                pinned: pins,
            };
            Ok((patch, accepted))
        })
        .await
    }

    /// Tries what a rollback would deliver: what is no longer there, does not render or is not permitted is refused
    /// before anything is touched.
    async fn can_be_delivered(&self, application: &Application, name: &Name, entry: &HistoryEntry) -> Answer<()> {
        let refused = |why: Vec<Diagnostic>| {
            let mut diagnostic = cannot(name, entry.id, "what it delivered cannot be delivered any more");
            for one in why.iter().take(3) {
                diagnostic = diagnostic.note(&*one.message);
                diagnostic.notes.extend(one.notes.iter().take(2).cloned());
            }
            one(diagnostic)
        };
        let found = self.work.revisions(application, &entry.revisions, Freshness::Recent).await;
        let found = found.map_err(|why| refused(vec![why]))?;
        let is_the_same = application
            .sources
            .iter()
            .zip(found.iter().zip(&entry.revisions))
            .all(|(source, (found, wanted))| is_chart(source) || found == wanted);
        if !is_the_same {
            return Err(refused(vec![Diagnostic::error(
                code::CANNOT_ROLL_BACK,
                "a revision of it leads to another commit by now",
            )]));
        }
        let unit = self.work.unit(application, &found).await.map_err(&refused)?;
        self.session_of(application)?.differences(&unit).await.map(drop).map_err(&refused)
    }

    pub(super) async fn refresh(&self, actor: &Actor, name: &Name, wish: &RefreshWish) -> Answer<Accepted> {
        let word = if wish.hard { "hard" } else { "normal" };
        self.write(actor, name, |_| {
            let patch = json!({"metadata": {"annotations": {REFRESH: word}}});
            Ok((patch, accepted(name, "refresh")))
        })
        .await
    }

    pub(super) async fn terminate(&self, actor: &Actor, name: &Name) -> Answer<Accepted> {
        self.write(actor, name, |object| {
            if !under_way(object) {
                return Err(one(Diagnostic::error(code::NO_OPERATION, format!("no operation of {name} is under way"))));
            }
            let mut patch = json!({"status": {"operationState": {"phase": "Terminating"}}});
            if object.at("/status/operationState/phase").is_none() {
                // It was not even begun: the wish alone is taken back.
                patch = json!({"operation": null});
            }
            Ok((patch, accepted(name, "terminate")))
        })
        .await
    }

    pub(super) async fn pin(&self, actor: &Actor, name: &Name, wish: &PinWish) -> Answer<Accepted> {
        if wish.release {
            return self
                .write(actor, name, |_| {
                    let patch = json!({"metadata": {"annotations": {PIN_ANNOTATION: null}}});
                    Ok((patch, accepted(name, "release")))
                })
                .await;
        }
        let application = self.application(actor, name).await?;
        let asked = match wish.revisions.is_empty() {
            true => revisions(application.object.value(), "/status/operationState/syncResult"),
            false => wish.revisions.clone(),
        };
        if asked.is_empty() {
            return Err(one(Diagnostic::error(code::BAD_REQUEST, format!("{name} has delivered nothing yet"))
                .help("say to what it is pinned: --revision REV")));
        }
        if asked.len() != application.sources.len() {
            let text =
                format!("{name} has {} sources, and {} revisions are given", application.sources.len(), asked.len());
            return Err(one(Diagnostic::error(code::BAD_REQUEST, text)));
        }
        // A branch would move: it is pinned to what it leads to now.
        let found = self.work.revisions(&application, &asked, Freshness::Latest).await.map_err(one)?;
        self.write(actor, name, |_| {
            let pin = self.new_pin(actor, found.clone(), (None, &wish.why));
            let patch = json!({"metadata": {"annotations": {PIN_ANNOTATION: pin.written()}}});
            Ok((patch, Accepted { revisions: found.clone(), pinned: true, ..accepted(name, "pin") }))
        })
        .await
    }

    pub(super) async fn pause(&self, actor: &Actor, name: &Name, wish: &PauseWish) -> Answer<Accepted> {
        let now = self.work.session.clock.now();
        let at = landfall_object::whole_second(now).to_string();
        let pause = Pause { by: actor.name.clone(), at, reason: wish.reason.clone() };
        let written = if wish.release { Value::Null } else { json!(pause.written()) };
        self.write(actor, name, |_| {
            let patch = json!({"metadata": {"annotations": {PAUSE_ANNOTATION: written.clone()}}});
            Ok((patch, accepted(name, if wish.release { "resume" } else { "pause" })))
        })
        .await
    }

    /// Deletes an Application: which of Argo's finalizers it has then says what becomes of its objects, here and there.
    pub(super) async fn delete(&self, actor: &Actor, name: &Name, wish: DeleteWish) -> Answer<Accepted> {
        let going = if wish.objects == Objects::Stay { Going::Alone } else { Going::Along };
        let meant = self
            .write(actor, name, |object| {
                let goes = object.deletion_timestamp().is_some();
                // One that somebody else has deleted waits for this word.
                let waits = goes && self.work.is_owners(object) && self.work.orders.lets_go(object, going).is_err();
                if goes && !waits {
                    return Err(one(Diagnostic::error(code::BEING_DELETED, format!("{name} is being deleted"))));
                }
                if waits && going == Going::Along {
                    // No finalizer is added any more.
                    return Ok((json!({"metadata": {}}), object.clone()));
                }
                let others = object.list_at("/metadata/finalizers").iter().filter_map(|it| it.as_str());
                let mut finalizers: Vec<String> =
                    others.filter(|it| !it.starts_with(CASCADE)).map(str::to_owned).collect();
                finalizers.extend(match wish.objects {
                    Objects::Foreground => Some(CASCADE.to_owned()),
                    Objects::Background => Some(format!("{CASCADE}/background")),
                    Objects::Stay => None,
                });
                Ok((json!({"metadata": {"finalizers": finalizers}}), object.clone()))
            })
            .await?;
        // Alone, and with nothing to wait for, it is gone before anybody asks who has said so.
        let waits = going == Going::Along || meant.finalizers().any(|it| !it.starts_with(CASCADE));
        if waits && self.work.is_owners(&meant) {
            self.work.orders.let_go(&meant, going, &actor.name).await.map_err(one)?;
        }
        // Another one of that name was not meant.
        let options = DeleteOptions { uid: meant.uid().map(str::to_owned), ..DeleteOptions::default() };
        self.work.session.cluster.delete(&meant.key(), &options).await.map_err(|error| told(&error))?;
        Ok(accepted(name, "delete"))
    }

    fn new_pin(&self, actor: &Actor, revisions: Vec<String>, (delivery, why): (Option<i64>, &str)) -> Pin {
        let now = self.work.session.clock.now();
        let at = landfall_object::whole_second(now).to_string();
        let why = landfall_diag::beginning(why, 300);
        Pin { revisions, by: actor.name.clone(), at, delivery, why }
    }
}

/// What was kept before something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promised {
    /// Nothing that would have to be taken back.
    Nothing,
    /// How the Application is declared.
    Declaration,
}

/// Merges a patch as RFC 7386 has it.
fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (key, field) in fields {
        match (field, value.as_object_mut()) {
            (Value::Null, Some(map)) => drop(map.remove(key)),
            (field, Some(map)) => merge(map.entry(key.clone()).or_insert(Value::Null), field),
            (_, None) => {}
        }
    }
}

fn accepted(name: &Name, change: &str) -> Accepted {
    Accepted { application: name.clone(), change: change.to_owned(), revisions: Vec::new(), pinned: false }
}

fn operation(actor: &Actor, sync: &Value, retries: Option<i64>) -> Value {
    let mut operation = json!({"initiatedBy": {"username": actor.name}, "sync": sync});
    if let Some(limit) = retries {
        operation["retry"] = json!({"limit": limit});
    }
    operation
}

/// The object of `GROUP:KIND:NAME` or `GROUP:KIND:NAMESPACE/NAME`.
fn resource(text: &str) -> Answer<ResourceName> {
    let parts: Vec<&str> = text.split(':').collect();
    let ([group, kind, name], true) = (parts.as_slice(), parts.len() == 3) else {
        return Err(one(Diagnostic::error(code::BAD_REQUEST, format!("`{text}` names no object"))
            .help("as in apps:Deployment:web, :Service:web or apps:Deployment:shop/web")));
    };
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    let [group, kind, namespace, name] = [*group, *kind, namespace, name].map(str::to_owned);
    Ok(ResourceName { group, kind, namespace, name })
}

/// Whether an Application has anything of what a sync names: another revision may bring it, and of what was not compared nobody knows.
fn has_some(object: &Object, name: &Name, wish: &SyncWish) -> Answer<()> {
    let is_known = matches!(object.str_at("/status/sync/status"), Some("Synced" | "OutOfSync"));
    if wish.resources.is_empty() || !wish.revisions.is_empty() || !is_known {
        return Ok(());
    }
    let wanted = wish.resources.iter().map(|text| resource(text)).collect::<Answer<Vec<_>>>()?;
    let has = |entry: &Value| resource_key(entry).is_some_and(|key| wanted.iter().any(|wanted| wanted.names(&key)));
    let entries = object.list_at("/status/resources");
    if entries.iter().any(has) {
        return Ok(());
    }
    let text = format!("{name} has no object of those that are named: {}", wish.resources.join(", "));
    let there: Vec<String> =
        entries.iter().filter_map(resource_key).map(|key| ResourceName::from(&key).to_string()).collect();
    let diagnostic = Diagnostic::error(code::NOTHING_NAMED, text).note("nothing was changed");
    let diagnostic = diagnostic.note("argocd: No matching app resources found");
    let known = || there.iter().map(String::as_str);
    let near = wish.resources.first().and_then(|asked| landfall_diag::nearest(asked, known()));
    Err(one(match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic
            .help(format!("landfall app get {name}; landfall app refresh {name}, if a commit has just brought it")),
    }))
}

/// Whether an operation may begin.
fn may_begin(object: &Object, name: &Name) -> Answer<()> {
    if object.deletion_timestamp().is_some() {
        return Err(one(Diagnostic::error(code::BEING_DELETED, format!("{name} is being deleted"))));
    }
    if under_way(object) {
        let by = object.str_at("/operation/initiatedBy/username").unwrap_or("automation");
        return Err(one(Diagnostic::error(
            code::OPERATION_UNDER_WAY,
            format!("another operation of {name} is under way, asked for by {by}"),
        )
        .help(format!("landfall app wait {name} --operation, or landfall app terminate {name}"))));
    }
    Ok(())
}

/// Whether these revisions may be delivered: what would be undone at once is not begun.
fn may_deliver(object: &Object, name: &Name, asked: &[String]) -> Answer<()> {
    let pin = Pin::of(object).map_err(|bad| one(Diagnostic::error(code::BAD_PIN, format!("{name}: {bad}"))))?;
    if asked.is_empty() {
        return Ok(());
    }
    if let Some(pin) = pin {
        if pin.revisions == asked {
            return Ok(());
        }
        let text = format!(
            "{name} is pinned to {} by {}, and {} is asked for",
            pin.revisions.join(", "),
            pin.by,
            asked.join(", ")
        );
        return Err(one(Diagnostic::refused(code::PINNED, text).help(format!("landfall app pin {name} --release"))));
    }
    let follows: Vec<&str> = sources(object.value(), "/spec")
        .into_iter()
        .map(|source| source["targetRevision"].as_str().filter(|it| !it.is_empty()).unwrap_or("HEAD"))
        .collect();
    let automated = object.at("/spec/syncPolicy/automated").filter(|it| it.is_object());
    if automated.is_some_and(|it| it["enabled"].as_bool() != Some(false)) && follows != asked {
        let text =
            format!("{name} syncs by itself to {}: {} would be undone at once", follows.join(", "), asked.join(", "));
        return Err(one(Diagnostic::refused(code::SYNCS_BY_ITSELF, text)
            .help(format!("landfall app pin {name} --revision {}", asked.join(" --revision ")))));
    }
    Ok(())
}

/// The delivery that is gone back to.
fn entry(object: &Object, name: &Name, id: Option<i64>) -> Answer<HistoryEntry> {
    let all = history(object);
    let current = all.last().map(|last| last.revisions.clone());
    let found = match id {
        Some(id) => all.iter().find(|entry| entry.id == id).cloned(),
        // The last one that delivered something else.
        None => all.iter().rev().find(|entry| Some(&entry.revisions) != current.as_ref()).cloned(),
    };
    let Some(entry) = found else {
        let diagnostic = match id {
            Some(id) => Diagnostic::error(code::NO_REVISION, format!("{name} has no delivery {id} in its history")),
            None => Diagnostic::error(code::NO_REVISION, format!("{name} has no earlier delivery to go back to")),
        };
        let known: Vec<String> = all.iter().map(|entry| entry.id.to_string()).collect();
        return Err(one(diagnostic.listing("there are", known).help(format!("landfall app history {name}"))));
    };
    if entry.revisions.is_empty() {
        return Err(one(cannot(name, entry.id, "its history does not say what it delivered")));
    }
    Ok(entry)
}

/// Whether a delivery came from what the Application has for sources now, but for their revisions: another path or other
/// parameters at an old commit were never delivered by anybody.
fn same_source(object: &Object, name: &Name, entry: &HistoryEntry) -> Answer<()> {
    let of_entry = object.list_at("/status/history").iter().find(|it| it["id"].as_i64() == Some(entry.id));
    let Some(of_entry) = of_entry else {
        return Err(one(cannot(name, entry.id, "it is no longer in the history")));
    };
    let (then, now) = (sources(of_entry, ""), sources(object.value(), "/spec"));
    let same = then.len() == now.len() && then.iter().zip(&now).all(|(then, now)| same_but_revision(then, now));
    if same {
        return Ok(());
    }
    let changed: Vec<String> = then
        .iter()
        .zip(&now)
        .flat_map(|(then, now)| {
            let keys = [then, now].into_iter().filter_map(|it| it.as_object()).flat_map(|map| map.keys());
            let mut keys: Vec<&String> = keys.filter(|key| *key != "targetRevision" && then[key] != now[key]).collect();
            keys.sort();
            keys.dedup();
            keys.into_iter().map(|key| format!("spec.source.{key}")).collect::<Vec<_>>()
        })
        .collect();
    let what = if changed.is_empty() { "the number of its sources".to_owned() } else { changed.join(", ") };
    Err(one(cannot(name, entry.id, &format!("its sources have changed since: {what}"))
        .help("take that change of the Application back first")))
}

fn cannot(name: &Name, id: i64, why: &str) -> Diagnostic {
    Diagnostic::refused(code::CANNOT_ROLL_BACK, format!("{name} cannot be rolled back to delivery {id}: {why}"))
        .note("nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(spec: Value, status: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec, "status": status,
        }))
        .expect("a map")
    }

    fn name() -> Name {
        Name { namespace: "argocd".to_owned(), name: "shop".to_owned() }
    }

    fn code_of<T>(answer: Answer<T>) -> Option<landfall_diag::Code> {
        answer.err().map(|diagnostics| diagnostics[0].code)
    }

    #[test]
    fn what_would_be_undone_at_once_is_not_begun() {
        let source = json!({"repoURL": "x", "targetRevision": "main"});
        let automated = json!({"source": source, "syncPolicy": {"automated": {}}});
        let asked = |text: &str| vec![text.to_owned()];
        let mut object = application(automated, json!({}));
        assert_eq!(code_of(may_deliver(&object, &name(), &asked("v1"))), Some(code::SYNCS_BY_ITSELF));
        assert_eq!(code_of(may_deliver(&object, &name(), &asked("main"))), None);
        assert_eq!(code_of(may_deliver(&object, &name(), &[])), None);
        object.set_annotation(PIN_ANNOTATION, r#"{"revisions": ["abc"], "by": "anna"}"#);
        assert_eq!(code_of(may_deliver(&object, &name(), &asked("main"))), Some(code::PINNED));
        assert_eq!(code_of(may_deliver(&object, &name(), &asked("abc"))), None);
        object.set_annotation(PIN_ANNOTATION, "abc");
        assert_eq!(code_of(may_deliver(&object, &name(), &[])), Some(code::BAD_PIN));
        let manual = application(json!({"source": source}), json!({}));
        assert_eq!(code_of(may_deliver(&manual, &name(), &asked("v1"))), None);
    }

    #[test]
    fn one_operation_begins_at_a_time() {
        let running = application(json!({}), json!({"operationState": {"phase": "Running"}}));
        assert_eq!(code_of(may_begin(&running, &name())), Some(code::OPERATION_UNDER_WAY));
        let ended = application(json!({}), json!({"operationState": {"phase": "Failed"}}));
        assert_eq!(code_of(may_begin(&ended, &name())), None);
    }

    #[test]
    fn it_is_gone_back_to_what_was_delivered_before_and_only_from_the_same_source() {
        let source = |path: &str, revision: &str| json!({"repoURL": "x", "path": path, "targetRevision": revision});
        let delivered = |id: i64, revision: &str, path: &str| json!({"id": id, "revision": revision, "source": source(path, "main")});
        let deliveries = json!([
            delivered(0, "a", "old"),
            delivered(1, "b", "chart"),
            delivered(2, "c", "chart"),
            delivered(3, "c", "chart")
        ]);
        let object = application(json!({"source": source("chart", "v2")}), json!({"history": deliveries}));
        let before = entry(&object, &name(), None).expect("there is one");
        assert_eq!((before.id, before.revisions.clone()), (1, vec!["b".to_owned()]));
        assert_eq!(code_of(same_source(&object, &name(), &before)), None);
        let first = entry(&object, &name(), Some(0)).expect("there is one");
        let refused = same_source(&object, &name(), &first).expect_err("refused");
        assert!(
            refused[0].message.ends_with("its sources have changed since: spec.source.path"),
            "{}",
            refused[0].message
        );
        assert_eq!(code_of(entry(&object, &name(), Some(9))), Some(code::NO_REVISION));
        let new =
            application(json!({"source": source("chart", "v2")}), json!({"history": [delivered(0, "a", "chart")]}));
        assert_eq!(code_of(entry(&new, &name(), None)), Some(code::NO_REVISION));
    }

    #[test]
    fn an_object_is_named_as_argo_cd_names_it() {
        let read = resource("apps:Deployment:shop/web").expect("an object");
        assert_eq!((read.group.as_str(), read.namespace.as_str(), read.name.as_str()), ("apps", "shop", "web"));
        assert_eq!(resource(":Service:web").expect("an object").group, "");
        assert_eq!(code_of(resource("web")), Some(code::BAD_REQUEST));
    }
}
