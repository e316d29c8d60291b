//! How an Application goes: the hooks before, what it delivered, the hooks after, and then itself. Each finalizer is taken off as soon as
//! what it waited for is done, so that whoever goes on after a crash does nothing twice.

use landfall_apps::machine::{CASCADE, Freshness, OF_HOOKS};
use landfall_apps::{Application, DeletionHooks, HookType, Operation};
use landfall_delivery::{BoundApplication, Door, SyncEnd, Unit};
use landfall_diag::Diagnose as _;
use landfall_object::Object;
use serde_json::json;
use tokio::time::Instant;

use crate::accounts::Going;
use crate::errands::{PATIENCE, Work, is_in_the_way, words};

/// A step of an Application's deletion.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Its hooks of a moment run.
    Hooks(HookType),
    /// What it delivered goes.
    Objects,
}

impl Work {
    /// Sees to it that an Application waits, when it is deleted, for the hooks that its source has for that, and for no others: by the
    /// finalizers that Argo CD has for it (controller/appcontroller.go, processAppRefreshQueueItem).
    pub(crate) async fn wait_for_hooks(&self, application: &Application, hooks: DeletionHooks) {
        let wanted = |application: &Object| -> Vec<String> {
            let mut finalizers: Vec<String> = application.finalizers().map(str::to_owned).collect();
            for (named, is_wanted) in OF_HOOKS.into_iter().zip([hooks.before, hooks.after]) {
                if !is_wanted {
                    finalizers.retain(|it| !it.starts_with(named));
                } else if !finalizers.iter().any(|it| it == named) {
                    finalizers.push(named.to_owned());
                }
            }
            finalizers
        };
        if application.object.finalizers().eq(wanted(&application.object)) {
            return;
        }
        let key = application.key();
        let told = self.amend(&key, |live| {
            let is_other = live.deletion_timestamp().is_none() && !live.finalizers().eq(wanted(live));
            is_other.then(|| json!({"finalizers": wanted(live)}))
        });
        // Whoever has written into it meanwhile is not written over: the next look finds both.
        if let Err(why) = told.await {
            tracing::warn!("{key} does not wait for the hooks of its deletion yet: {why}");
        }
    }

    /// Takes finalizers off an Application whose step is done, however others have changed it while that took its time. It is tried
    /// again for a while, because the step would be done twice for somebody's write between our reading and writing.
    async fn release(&self, application: &Application, is_done: impl Fn(&str) -> bool) -> Result<(), String> {
        let (key, deadline) = (application.key(), Instant::now() + PATIENCE);
        let change = |live: &Object| {
            // Another one of its name waits for steps of its own.
            let is_it = live.uid() == application.object.uid() && live.finalizers().any(&is_done);
            let left = || live.finalizers().filter(|it| !is_done(it)).collect::<Vec<_>>();
            is_it.then(|| json!({"finalizers": left()}))
        };
        self.amend_at_last(&key, Some(deadline), change).await
    }

    /// Whether an Application waits, as it is now, for what one of its finalizers is about.
    async fn waits(&self, application: &Application, is_it: impl Fn(&str) -> bool) -> Result<bool, String> {
        let live = self.session.cluster.get(&application.key()).await;
        let live = live.map_err(|error| words(&[error.diagnose()]))?;
        let live = live.filter(|live| live.uid() == application.object.uid());
        Ok(live.is_some_and(|live| live.finalizers().any(is_it)))
    }

    /// Carries out a step of an Application's deletion, and answers what is to be told of it. What the Application had still to deliver
    /// is closed where it is in the way: it goes with the rest.
    async fn take_step(&self, application: &Application, unit: &Unit, step: Step) -> Result<Vec<String>, String> {
        let session = self.session_of(application)?;
        let once = async || {
            let taken = match step {
                Step::Hooks(moment) => session.part_alone(unit, moment).await.map(|end| (end, Vec::new())),
                Step::Objects => session.remove_alone(unit).await,
            };
            match taken {
                Ok(taken) => Ok(taken),
                Err(diagnostics) => Err(self.refused(application, "application.delete", &diagnostics).await),
            }
        };
        let (mut end, mut notes) = once().await?;
        if is_in_the_way(&end) && self.shards.keeps(&application.key()) {
            self.close(application).await?;
            (end, notes) = once().await?;
        }
        match end {
            SyncEnd::Succeeded | SyncEnd::Unchanged => Ok(notes),
            SyncEnd::Failed(diagnostics) | SyncEnd::NotBegun(diagnostics) => Err(words(&diagnostics)),
            SyncEnd::Overtaken | SyncEnd::Stopped => Err("what it delivered has changed meanwhile".to_owned()),
        }
    }

    /// Runs the hooks of an Application's deletion of one moment, and takes off the finalizer that waited for them.
    async fn part(&self, application: &Application, moment: HookType, finalizer: &str) -> Result<(), String> {
        if !self.waits(application, |it| it == finalizer).await? {
            return Ok(());
        }
        let run = async {
            let revisions = self.resolve(application, &[], Freshness::Latest).await?;
            let unit = self.unit(application, &revisions).await.map_err(|diagnostics| words(&diagnostics))?;
            self.take_step(application, &unit, Step::Hooks(moment)).await
        };
        let run: Result<Vec<String>, String> = run.await;
        let without = format!("to let it go without them: take {finalizer} off its metadata.finalizers");
        run.map_err(|why| format!("its {} hooks: {why}; {without}", moment.word()))?;
        self.release(application, |it| it == finalizer).await
    }

    /// Takes along what an Application delivered, between the hooks of its deletion, and lets it go.
    pub(crate) async fn remove(&self, application: &Application) -> Result<(), String> {
        let [before, after] = OF_HOOKS;
        let takes_along = application.object.finalizers().any(|it| it.starts_with(CASCADE));
        self.may_go(application, if takes_along { Going::Along } else { Going::Alone }).await?;
        self.part(application, HookType::PreDelete, before).await?;
        // Whoever takes that finalizer off while its hooks run wants its objects to stay.
        if self.waits(application, |it| it.starts_with(CASCADE)).await? {
            self.may_go(application, Going::Along).await?;
            self.take_along(application).await?;
        }
        self.part(application, HookType::PostDelete, after).await?;
        self.let_go(application).await?;
        self.orders.gone(&application.object).await;
        Ok(())
    }

    /// Sees that an Application of a protected project was let go by whom it belongs to: whoever may delete resources is no owner.
    async fn may_go(&self, application: &Application, going: Going) -> Result<(), String> {
        if !self.is_owners(&application.object) {
            return Ok(());
        }
        let mut asked = self.orders.lets_go(&application.object, going);
        if asked.is_err() && self.shards.is_shared() {
            // Another replica may have been asked a moment ago.
            let heard = self.orders.refresh(&self.session.store.facts, |_| true).await;
            heard.map_err(|error| words(&[error.diagnose()]))?;
            asked = self.orders.lets_go(&application.object, going);
        }
        let Err(why) = asked else { return Ok(()) };
        let name = format!("{}/{}", application.namespace, application.name);
        let text = format!("{name} does not go, and what it delivered stays: the project is protected, and {why}");
        self.alarms.raise_once(("unknown", "application.delete", &name), "refused, announced", &text).await;
        let ways =
            format!("an owner lets it go: `landfall app delete {name}`; with its finalizers taken off it goes alone");
        Err(format!("refused: the project is protected, and {why}; {ways}"))
    }

    async fn take_along(&self, application: &Application) -> Result<(), String> {
        let bound = BoundApplication {
            application: application.clone(),
            project: None,
            revisions: Vec::new(),
            operation: Operation::default(),
            attempt: 0,
        };
        let unit = Unit {
            name: application.name.clone(),
            namespace: application.destination.namespace.clone(),
            optional: true,
            door: Door::Application(Box::new(bound)),
            sources: Vec::new(),
            lent: Vec::new(),
            meant_for: None,
            followed: Vec::new(),
        };
        let notes = self.take_step(application, &unit, Step::Objects).await?;
        if !notes.is_empty() {
            // Nobody finds a condition on what is gone.
            let name = format!("{}/{}", application.namespace, application.name);
            let text = format!("{name} is deleted: {}", notes.join("; "));
            self.alarms.raise((&name, "application.delete", &name), "done, announced", &text).await;
        }
        Ok(())
    }

    /// Lets an Application go whose cluster no Secret leads to any more: what it delivered stays there, as Argo CD leaves it.
    pub(crate) async fn abandon(&self, application: &Application, place: &str) -> Result<(), String> {
        self.let_go(application).await?;
        let name = format!("{}/{}", application.namespace, application.name);
        let text = format!(
            "{name} is deleted, and what it delivered to {place} stays there: no Secret leads to that cluster any more"
        );
        self.alarms.raise((&name, "application.delete", &name), "done, announced", &text).await;
        Ok(())
    }

    async fn let_go(&self, application: &Application) -> Result<(), String> {
        self.release(application, |it| [CASCADE].iter().chain(&OF_HOOKS).any(|known| it.starts_with(known))).await
    }
}
