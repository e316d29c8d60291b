//! `landfall secrets rotate`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_delivery::life::Survey;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure};
use landfall_secrets::{Key, Making, Masked, Permanence, is_same, make};

use super::changes::{Change, Deed, Work, WriteArgs, followers, unmade};
use super::given::{GivenArgs, ask};
use super::scene::{DeclaredArgs, Scene};
use super::set::{former, not_accepted, once};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `secrets rotate`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets rotate JWT_SECRET SESSION_SECRET --env prod --push\n  landfall secrets rotate --due --env prod --escrow before.age --recipient age1…\n  landfall secrets rotate POSTGRES_PASSWORD --accept POSTGRES_PASSWORD --env prod --escrow before.age --recipient age1…"
)]
pub(crate) struct RotateArgs {
    /// Keys
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// All keys that are older than they may be
    #[arg(long, conflicts_with_all = ["keys", "all"])]
    due: bool,
    /// All keys that are generated and may change
    #[arg(long, conflicts_with = "keys")]
    all: bool,
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    given: GivenArgs,
    /// What becomes invalid with the value of this key before is meant to (repeatable)
    #[arg(long, value_name = "KEY")]
    accept: Vec<String>,
    #[command(flatten)]
    write: Box<WriteArgs>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for RotateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let scene = self.declared.scene(context).await?;
        for key in self.keys.iter().chain(&self.accept) {
            scene.check_key(key)?;
        }
        if self.keys.is_empty() && !self.due && !self.all {
            return Err(Failure::usage(
                Diagnostic::error(code::BAD_ARGUMENTS, "no key is named")
                    .listing("keys", scene.declared.keys.keys())
                    .help("name them, or say --due for those that are older than they may be, or --all"),
            ));
        }
        for name in &self.keys {
            self.check(&scene, name)?;
        }
        let mut connection = scene.connect(context, self.write.reach()).await?;
        let outcome = self.on(context, &scene, &connection, started).await;
        connection.close().await;
        outcome
    }
}

/// Whether a key changes without anybody having to say so.
fn is_free(key: &Key) -> bool {
    key.making.is_generated()
        && key.permanence == Permanence::Rotates
        && (key.invalidates.is_empty() || key.previous.is_some())
}

impl RotateArgs {
    fn check(&self, scene: &Scene, name: &str) -> Result<(), Failure> {
        let key = &scene.declared.keys[name];
        if key.permanence == Permanence::Once {
            return Err(once(scene, name));
        }
        if key.making.follows() {
            let text = format!("`{name}` follows from {}: rotate that", key.making.parts().join(", "));
            return Err(Failure::usage(Diagnostic::error(code::NOT_GIVEN, text).note("nothing was changed")));
        }
        if self.accept.iter().any(|accepted| accepted == name) {
            return Ok(());
        }
        match &key.permanence {
            Permanence::InitOnly(step) => {
                let step =
                    step.clone().unwrap_or_else(|| "nobody has declared how it is changed there (`step`)".to_owned());
                let why = format!("its owner keeps the value that it was initialised with: {step}");
                Err(not_accepted(scene, name, &[why]))
            }
            _ if !key.invalidates.is_empty() && key.previous.is_none() => {
                let why = format!("it makes invalid: {}", key.invalidates.join(", "));
                let both =
                    "with `previous: KEY` the value before can be accepted for a while, where the program knows two";
                Err(not_accepted(scene, name, &[why, both.to_owned()]))
            }
            _ => Ok(()),
        }
    }

    async fn on(&self, context: &Context, scene: &Scene, connection: &Connection, started: Instant) -> Outcome {
        if scene.held.is_some() && !self.write.dry_run {
            scene.controller.certificate(&connection.cluster).await.map_err(Failure::from)?;
        }
        let survey = scene.survey(connection).await?;
        let known = scene.known(&survey);
        let keys = if self.keys.is_empty() { self.chosen(scene, &survey, &known) } else { self.keys.clone() };
        let mut given = self.given.read(context, keys.first().map(String::as_str).filter(|_| keys.len() == 1))?;
        given.keys().try_for_each(|key| scene.check_key(key))?;
        let is_asked =
            |key: &&String| scene.declared.keys[key.as_str()].making == Making::Given && !given.contains_key(*key);
        let asked: Vec<String> = keys.iter().filter(is_asked).cloned().collect();
        given.extend(ask(context, &asked).await?);
        let mut changes = Vec::new();
        for name in &keys {
            let key = &scene.declared.keys[name.as_str()];
            let (deed, value) = match given.remove(name) {
                Some(value) => (Deed::Given, value),
                None => {
                    let made = make(name, key, &known);
                    (Deed::Rotated, made.map_err(|error| unmade(scene, name, &error))?)
                }
            };
            // LP-44: the value before goes on to be accepted, by the name that is declared for it.
            if let Some(previous) = &key.previous {
                if !known.contains_key(name) {
                    let text = format!("the value of `{name}` is not known here, so that `{previous}` cannot keep it");
                    let unknown = Diagnostic::error(code::UNMADE, text).note("nothing was changed");
                    return Err(Failure::from(unknown.help("work where the Secret or the sealing keys can be read")));
                }
                changes.extend(former(scene, &survey, (name, &value), &self.accept)?);
            }
            changes.push(Change { key: name.clone(), deed, value });
        }
        changes.extend(followers(scene, &known, &changes, &BTreeSet::new())?);
        let given_up: BTreeMap<String, Masked> = known
            .iter()
            .filter(|(key, _)| changes.iter().any(|it| it.key == **key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let kept = scene
            .declared
            .keys
            .keys()
            .filter(|key| !changes.iter().any(|it| it.key == **key) && known.contains_key(*key));
        let work = Work {
            context,
            scene,
            connection,
            survey: &survey,
            verb: "rotate",
            args: &self.write,
            kept: kept.cloned().collect(),
            changes,
            given_up,
            accepted: &self.accept,
            started,
        };
        work.carry_out().await
    }

    /// The keys that are due, or all that may change.
    fn chosen(&self, scene: &Scene, survey: &Survey, known: &BTreeMap<String, Masked>) -> Vec<String> {
        let now = Timestamp::now();
        let is_due = |name: &str, key: &Key| {
            let changed = survey.changed(&scene.namespace, &scene.declared.target, name);
            key.every.zip(changed).is_some_and(|(every, changed)| now.duration_since(changed).unsigned_abs() >= every)
        };
        // While the value before the last change is still accepted another one would take its place.
        let entries = scene.entries();
        let holds = |key: &String| known.contains_key(key) && (scene.held.is_none() || entries.contains_key(key));
        let is_full = |key: &Key| key.previous.as_ref().is_some_and(holds);
        // Nor does a value that was never delivered take the place of the one that lives.
        let is_ahead = |name: &String, key: &Key| {
            let both = survey.live.get(name).zip(known.get(name));
            key.previous.is_some() && both.is_some_and(|(live, known)| !is_same(live, known))
        };
        let free = scene.declared.keys.iter().filter(|(_, key)| is_free(key) && !is_full(key));
        let free = free.filter(|(name, key)| !is_ahead(name, key));
        free.filter(|(name, key)| self.all || is_due(name, key)).map(|(name, _)| name.clone()).collect()
    }
}
