//! `landfall secrets pending`: what is still to be done after changes.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_delivery::life::{Began, SecretWriter, Stale, State, Survey, remember, remember_arrivals};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Connection, Failure};
use landfall_secrets::{Ledger, Pending, Task, is_same};
use serde_json::{Value, json};

use super::files::Rewrite;
use super::scene::{DeclaredArgs, Reach, Scene};
use crate::arguments::OutputArgs;
use crate::consent::{Question, given};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `secrets pending`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets pending --env prod\n  landfall secrets pending --env prod --done OIDC_CLIENT_SECRET\n  landfall secrets pending --env prod --restart"
)]
pub(crate) struct PendingArgs {
    #[command(flatten)]
    declared: DeclaredArgs,
    /// What is to be done for this key is done (repeatable)
    #[arg(long, value_name = "KEY")]
    done: Vec<String>,
    /// The value before is dropped though the cluster, or a pod, has it still as the present one (repeatable)
    #[arg(long, value_name = "KEY", requires = "done")]
    accept: Vec<String>,
    /// Restart the workloads that run with values from before a change, and no others
    #[arg(long)]
    restart: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    yes: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for PendingArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let scene = self.declared.scene(context).await?;
        self.done.iter().chain(&self.accept).try_for_each(|key| scene.check_key(key))?;
        let mut connection = scene.connect(context, Reach::Looks).await?;
        let outcome = self.on(context, &scene, &connection, started).await;
        connection.close().await;
        outcome
    }
}

impl PendingArgs {
    /// The keys for which something is left to a person.
    ///
    /// # Errors
    /// What is declared or the cluster cannot be read.
    pub(in crate::commands) async fn left(&self, context: &Context) -> Result<Vec<String>, Failure> {
        let scene = self.declared.scene(context).await?;
        let mut connection = scene.connect(context, Reach::Looks).await?;
        let survey = scene.survey(&connection).await;
        connection.close().await;
        let survey = survey?;
        let recorded = survey.ledger.of(&scene.namespace, &scene.declared.target);
        let mut keys: Vec<String> = recorded.iter().flat_map(|it| &it.pending).map(|it| it.key.clone()).collect();
        keys.dedup();
        Ok(keys)
    }

    async fn on(&self, context: &Context, scene: &Scene, connection: &Connection, started: Instant) -> Outcome {
        let (namespace, target) = (&scene.namespace, &scene.declared.target);
        // What somebody has written who was killed is found by its value, and remembered from here on.
        let found = scene.survey(connection).await?.found;
        if !found.is_empty() {
            let change = |ledger: &mut Ledger| {
                let recorded = ledger.of_mut(namespace, target);
                found.iter().for_each(|key| recorded.carry_out(key));
            };
            let _unremembered = remember(&connection.cluster, &scene.controller.namespace, &change).await;
        }
        if !self.done.is_empty() {
            let keys: BTreeSet<String> = self.done.iter().cloned().collect();
            let dropped = self.drop_former(context, scene, connection, &keys).await?;
            let at = landfall_object::whole_second(Timestamp::now());
            let change = |ledger: &mut Ledger| {
                let recorded = ledger.of_mut(namespace, target);
                let _how_many = recorded.confirm(&keys);
                dropped.iter().for_each(|key| recorded.drop(key, at));
            };
            remember(&connection.cluster, &scene.controller.namespace, &change).await.map_err(Failure::from)?;
        }
        // Who may not write it down knows it now, and not the next time.
        let _unremembered = remember_arrivals(&connection.cluster, &scene.controller.namespace).await;
        let survey = scene.survey(connection).await?;
        let mut stale = survey.stale(&connection.cluster, namespace, target).await.map_err(Failure::from)?;
        let mut restarted = Vec::new();
        if self.restart && !stale.is_empty() {
            given(context, &scene.place.permit(Act::Mend), || Question {
                yes: self.yes,
                ask: format!("Restart {}", names(&stale)),
                deed: format!("restarting {}", names(&stale)),
                undone: "not restarted",
                instead: None,
            })
            .await?;
            SecretWriter::restart(&connection.cluster, &stale, Timestamp::now()).await.map_err(Failure::from)?;
            restarted = std::mem::take(&mut stale);
        }
        let unsaved = survey.unsaved();
        let amiss = scene.amiss(&survey);
        let report = Waiting { scene, survey: &survey, stale, restarted, unsaved, amiss };
        context.report(&report, Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl PendingArgs {
    /// LP-44: takes away the values before that nothing uses any more; the keys.
    async fn drop_former(
        &self,
        context: &Context,
        scene: &Scene,
        connection: &Connection,
        keys: &BTreeSet<String>,
    ) -> Result<Vec<String>, Failure> {
        let survey = scene.survey(connection).await?;
        let recorded = survey.ledger.of(&scene.namespace, &scene.declared.target);
        let pending = recorded.map(|recorded| recorded.pending.as_slice()).unwrap_or_default();
        let remembered = pending.iter().filter(|it| keys.contains(&it.key)).filter_map(|it| match &it.task {
            Task::Drop(former) => Some(former.as_str()),
            _ => None,
        });
        // Who changed the key may have been killed, or refused, before that was remembered: what is declared counts as well.
        let entries = scene.entries();
        let is_there = |key: &&str| match scene.held {
            Some(_) => entries.contains_key(*key),
            None => survey.live.contains_key(*key),
        };
        let declared = keys.iter().filter_map(|key| scene.declared.keys.get(key)?.previous.as_deref()).filter(is_there);
        // What is declared may be another thing today: what never changes is not dropped.
        let is_once = |key: &str| scene.declared.once().any(|once| once == key);
        let former: BTreeSet<&str> = remembered.chain(declared).filter(|key| !is_once(key)).collect();
        let former: Vec<&str> = former.into_iter().collect();
        let dropped: Vec<String> = former.iter().map(|key| (*key).to_owned()).collect();
        if former.is_empty() {
            return Ok(dropped);
        }
        let stale = survey.stale(&connection.cluster, &scene.namespace, &scene.declared.target).await;
        self.check_unused(scene, &survey, &stale.map_err(Failure::from)?, &former)?;
        given(context, &scene.place.permit(Act::Mend), || Question {
            yes: self.yes,
            ask: format!("Drop {} of {}", former.join(", "), scene.shown()),
            deed: format!("dropping {} of `{}`", former.join(", "), scene.shown()),
            undone: "not dropped",
            instead: None,
        })
        .await?;
        let Some(held) = &scene.held else {
            let writer =
                SecretWriter { cluster: &connection.cluster, namespace: &scene.namespace, declared: &scene.declared };
            writer.drop_keys(survey.secret.as_ref(), &former).await.map_err(Failure::from)?;
            return Ok(dropped);
        };
        let mut holder = held.holder.clone();
        for key in former.into_iter().filter(|key| entries.contains_key(*key)) {
            holder = holder.without(key).map_err(|error| {
                let text = format!("`{key}` cannot be taken out of {} in place", held.shown);
                Failure::from(Diagnostic::error(code::HELD, text).note(error.to_string()).help("take it out by hand"))
            })?;
        }
        let (before, after) = (held.holder.text().to_owned(), holder.text().to_owned());
        let rewrite = Rewrite { path: held.path.clone(), shown: held.shown.clone(), before, after };
        if rewrite.is_change() {
            rewrite.write()?;
        }
        Ok(dropped)
    }

    /// LP-44: a value that is dropped before the one after it has come is lost to what was made with it.
    fn check_unused(&self, scene: &Scene, survey: &Survey, stale: &[Stale], former: &[&str]) -> Result<(), Failure> {
        let known = scene.known(survey);
        let mut refused = Vec::new();
        for (name, key) in &scene.declared.keys {
            let Some(previous) = key.previous.as_deref().filter(|previous| former.contains(previous)) else { continue };
            if self.accept.iter().any(|accepted| accepted == name) {
                continue;
            }
            let is_live =
                survey.live.get(name).zip(known.get(previous)).is_some_and(|(live, kept)| is_same(live, kept));
            let running: Vec<&Stale> = stale.iter().filter(|one| one.keys.contains(name)).collect();
            let why = match (is_live, running.is_empty()) {
                (true, _) => format!("the cluster still has it as `{name}`: the value after it was never delivered"),
                (false, false) => format!(
                    "still run with it as `{name}`: {}",
                    running.iter().map(|one| one.workload.to_string()).collect::<Vec<_>>().join(", ")
                ),
                (false, true) => continue,
            };
            let mut diagnostic =
                Diagnostic::refused(code::NOT_ACCEPTED, format!("`{previous}` holds a value that is in use"));
            if let Some(spot) = scene.spot(name) {
                diagnostic = diagnostic.primary(spot, "declared here");
            }
            diagnostic = diagnostic.note(why);
            if !key.invalidates.is_empty() {
                diagnostic = diagnostic
                    .note(format!("without it is invalid what was made with it: {}", key.invalidates.join(", ")));
            }
            let first = match is_live {
                true => "deliver the new value first, `landfall up` or a push".to_owned(),
                false => format!("landfall secrets pending --restart --env {}", scene.environment),
            };
            let accept = format!("or say that it is meant: --accept {name}");
            refused.push(diagnostic.note("nothing was changed").help(first).help(accept));
        }
        if refused.is_empty() { Ok(()) } else { Err(Failure::from(refused)) }
    }
}

fn names(stale: &[Stale]) -> String {
    stale.iter().map(|one| one.workload.to_string()).collect::<Vec<_>>().join(", ")
}

/// What is still to be done.
struct Waiting<'a> {
    scene: &'a Scene,
    survey: &'a Survey,
    stale: Vec<Stale>,
    restarted: Vec<Stale>,
    unsaved: Vec<String>,
    /// Keys that do not live as they are declared, and how they stand.
    amiss: Vec<(String, State)>,
}

impl Waiting<'_> {
    fn pending(&self) -> &[Pending] {
        let recorded = self.survey.ledger.of(&self.scene.namespace, &self.scene.declared.target);
        recorded.map(|recorded| recorded.pending.as_slice()).unwrap_or_default()
    }
}

impl Report for Waiting<'_> {
    const KIND: &'static str = "PendingSecrets";

    fn data(&self) -> Value {
        let tasks: Vec<Value> = self
            .pending()
            .iter()
            .map(|it| json!({"key": it.key, "task": it.task.words(), "since": it.since.to_string()}))
            .collect();
        let of = |stale: &[Stale]| -> Vec<Value> {
            stale.iter().map(|one| json!({"workload": one.workload.to_string(), "keys": one.keys})).collect()
        };
        json!({
            "environment": self.scene.environment,
            "secret": self.scene.shown(),
            "tasks": tasks,
            "stale": of(&self.stale),
            "restarted": of(&self.restarted),
            "unsaved": self.unsaved,
            "amiss": self.amiss.iter().map(|(key, state)| json!({"key": key, "state": state.word()})).collect::<Vec<_>>(),
        })
    }

    fn text(&self, ui: &Ui) {
        let mut table = Table::new(["KEY", "STILL TO BE DONE", "SINCE"]);
        for it in self.pending() {
            table.row([it.key.clone(), it.task.words(), it.since.strftime("%Y-%m-%d").to_string()]);
        }
        for one in &self.stale {
            table.row([
                one.keys.join(", "),
                match one.began {
                    Began::Before => format!("restart {}: it runs with the value before", one.workload),
                    Began::Within => format!("restart {}: it may run with the value before", one.workload),
                },
                String::new(),
            ]);
        }
        for key in &self.unsaved {
            table.row([String::new(), format!("save {key}: `landfall secrets backup`"), String::new()]);
        }
        for (key, state) in &self.amiss {
            table.row([key.clone(), format!("{}: `landfall secrets check` says why", state.word()), String::new()]);
        }
        ui.table(&table);
        self.restarted.iter().for_each(|one| ui.line(&format!("restarted {}", one.workload)));
        if self.pending().is_empty() && self.stale.is_empty() && self.unsaved.is_empty() && self.amiss.is_empty() {
            ui.line(&format!("{}: nothing is still to be done", self.scene.shown()));
        }
    }

    fn names(&self, ui: &Ui) {
        self.pending().iter().for_each(|it| ui.name(&it.key));
    }
}
