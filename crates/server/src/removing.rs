//! How an Application goes: the hooks before, what it delivered, the hooks after, and then itself. Each finalizer is taken off as soon as
//! what it waited for is done, so that whoever goes on after a crash does nothing twice.

use landfall_apps::machine::{CASCADE, Freshness, OF_HOOKS};
use landfall_apps::{Application, DeletionHooks, HookType, Operation};
use landfall_delivery::{BoundApplication, Door, SyncEnd, Unit};
use landfall_diag::Diagnose as _;
use landfall_object::Object;
use serde_json::json;

use crate::errands::{Work, is_in_the_way, words};

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
        let told = async {
            let live = self.session.cluster.get(&key).await.map_err(|error| words(&[error.diagnose()]))?;
            let Some(live) = live.filter(|live| live.deletion_timestamp().is_none()) else { return Ok(()) };
            // Whoever has written into it meanwhile is not written over: the next look finds both.
            let finalizers = wanted(&live);
            let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": live.resource_version()}});
            self.write(&key, patch).await.map(drop)
        };
        let told: Result<(), String> = told.await;
        if let Err(why) = told {
            tracing::warn!("{key} does not wait for the hooks of its deletion yet: {why}");
        }
    }

    /// Runs the hooks of an Application's deletion of one moment, and takes off the finalizer that waited for them.
    async fn part(&self, application: &Application, moment: HookType, finalizer: &str) -> Result<(), String> {
        let live = self.session.cluster.get(&application.key()).await;
        let live = live.map_err(|error| words(&[error.diagnose()]))?;
        let Some(live) = live.filter(|live| live.finalizers().any(|it| it == finalizer)) else { return Ok(()) };
        let run = async {
            let revisions = self.resolve(application, &[], Freshness::Latest).await?;
            let unit = self.unit(application, &revisions).await.map_err(|diagnostics| words(&diagnostics))?;
            let session = self.session_of(application)?;
            let mut end = session.part_alone(&unit, moment).await.map_err(|diagnostics| words(&diagnostics))?;
            if is_in_the_way(&end) && self.shards.keeps(&application.key()) {
                self.close(application).await?;
                end = session.part_alone(&unit, moment).await.map_err(|diagnostics| words(&diagnostics))?;
            }
            gone_well(end)
        };
        let run: Result<(), String> = run.await;
        let without = format!("to let it go without them: take {finalizer} off its metadata.finalizers");
        run.map_err(|why| format!("its {} hooks: {why}; {without}", moment.word()))?;
        let others: Vec<&str> = live.finalizers().filter(|it| *it != finalizer).collect();
        self.write(&application.key(), json!({"metadata": {"finalizers": others}})).await.map(drop)
    }

    /// Takes along what an Application delivered, between the hooks of its deletion, and lets it go.
    pub(crate) async fn remove(&self, application: &Application) -> Result<(), String> {
        let [before, after] = OF_HOOKS;
        self.part(application, HookType::PreDelete, before).await?;
        if application.object.finalizers().any(|it| it.starts_with(CASCADE)) {
            self.take_along(application).await?;
        }
        self.part(application, HookType::PostDelete, after).await?;
        self.let_go(application).await
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
        let session = self.session_of(application)?;
        let (mut end, mut notes) = session.remove_alone(&unit).await.map_err(|diagnostics| words(&diagnostics))?;
        if is_in_the_way(&end) && self.shards.keeps(&application.key()) {
            // What it had still to deliver goes with the rest.
            self.close(application).await?;
            (end, notes) = session.remove_alone(&unit).await.map_err(|diagnostics| words(&diagnostics))?;
        }
        gone_well(end)?;
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
        let is_ours = |it: &&str| [CASCADE].iter().chain(&OF_HOOKS).any(|known| it.starts_with(known));
        let others: Vec<&str> = application.object.finalizers().filter(|it| !is_ours(it)).collect();
        let patch = json!({"metadata": {"finalizers": others}});
        self.write(&application.key(), patch).await.map(drop)
    }
}

/// What a step of an Application's deletion came to.
fn gone_well(end: SyncEnd) -> Result<(), String> {
    match end {
        SyncEnd::Succeeded | SyncEnd::Unchanged => Ok(()),
        SyncEnd::Failed(diagnostics) | SyncEnd::NotBegun(diagnostics) => Err(words(&diagnostics)),
        SyncEnd::Overtaken | SyncEnd::Stopped => Err("what it delivered has changed meanwhile".to_owned()),
    }
}
