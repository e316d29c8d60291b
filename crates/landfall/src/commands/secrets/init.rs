//! `landfall secrets init` and `landfall secrets bootstrap`: what is declared and not there yet comes to be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Args;
use landfall_delivery::life::Survey;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure};
use landfall_secrets::{Denial, Fate, Making, Masked, Permanence, fate, is_same, make};

use super::changes::{Change, Deed, Work, WriteArgs, followers, unmade};
use super::given::{GivenArgs, ask};
use super::scene::{DeclaredArgs, Scene};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `secrets init`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets init --env prod --backup keys.age --recipient age1…\n  landfall secrets init --env prod --from-file given.env --plain values.txt --yes --commit\n  landfall secrets init --env prod --dry-run"
)]
pub(crate) struct InitArgs {
    /// Keys (default: all that are declared)
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    given: GivenArgs,
    /// The value of this key is lost indeed: make a new one (repeatable)
    #[arg(long, value_name = "KEY")]
    accept: Vec<String>,
    #[command(flatten)]
    write: Box<WriteArgs>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `secrets bootstrap`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets bootstrap --env us-prod --from-file given.env --backup keys.age --recipient age1…\n  landfall secrets bootstrap --env us-prod --dry-run"
)]
pub(crate) struct BootstrapArgs {
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    given: GivenArgs,
    #[command(flatten)]
    write: Box<WriteArgs>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for InitArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let scene = self.declared.scene(context).await?;
        for key in self.keys.iter().chain(&self.accept) {
            scene.check_key(key)?;
        }
        let birth = Birth {
            keys: &self.keys,
            given: &self.given,
            accept: &self.accept,
            write: &self.write,
            again: Again::Fills,
        };
        birth.run(context, &scene).await
    }
}

impl Verb for BootstrapArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let scene = self.declared.scene(context).await?;
        let birth = Birth { keys: &[], given: &self.given, accept: &[], write: &self.write, again: Again::Refuses };
        birth.run(context, &scene).await
    }
}

/// What becomes of keys that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// They are kept, and what is missing is added.
    Fills,
    /// What is generated once is generated once.
    Refuses,
}

/// What is to come to be.
struct Birth<'a> {
    keys: &'a [String],
    given: &'a GivenArgs,
    accept: &'a [String],
    write: &'a WriteArgs,
    again: Again,
}

impl Birth<'_> {
    async fn run(&self, context: &Context, scene: &Scene) -> Outcome {
        let started = Instant::now();
        let mut connection = scene.connect(context, self.write.reach()).await?;
        let outcome = self.on(context, scene, &connection, started).await;
        connection.close().await;
        outcome
    }

    async fn on(&self, context: &Context, scene: &Scene, connection: &Connection, started: Instant) -> Outcome {
        if scene.held.is_some() && !self.write.dry_run {
            // Asking for it makes the first key.
            scene.controller.certificate(&connection.cluster).await.map_err(Failure::from)?;
        }
        let survey = scene.survey(connection).await?;
        self.check_type(scene, &survey)?;
        let mut given = self.given.read(context, None)?;
        let fates = self.fates(scene, &survey, &given)?;
        if self.again == Again::Refuses {
            refuse_again(scene, &fates)?;
        }
        for key in given.keys() {
            scene.check_key(key)?;
            if fates.get(key.as_str()).is_none_or(|fate| *fate != Fate::Born) {
                let text = format!("`{key}` is there already, and is not given again here");
                return Err(Failure::usage(
                    Diagnostic::error(code::NOT_GIVEN, text)
                        .note("nothing was changed")
                        .help(format!("landfall secrets set {key} --stdin --env {}", scene.environment)),
                ));
            }
            if scene.declared.keys[key.as_str()].making.follows() {
                let text = format!("`{key}` follows from other keys, and is not given");
                return Err(Failure::usage(Diagnostic::error(code::NOT_GIVEN, text).note("nothing was changed")));
            }
        }
        let is_born = |key: &str| fates.get(key) == Some(&Fate::Born) && !scene.declared.is_former(key);
        let asked: Vec<String> = scene
            .declared
            .keys
            .iter()
            .filter(|(name, key)| is_born(name) && key.making == Making::Given && !given.contains_key(*name))
            .map(|(name, _)| name.clone())
            .collect();
        given.extend(ask(context, &asked).await?);
        let known = scene.known(&survey);
        let (mut changes, mut kept, mut missing) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (name, key) in scene.declared.in_order() {
            match fates.get(name) {
                None => {}
                Some(Fate::Kept) => kept.push(name.to_owned()),
                Some(Fate::Adopted) if scene.held.is_none() => kept.push(name.to_owned()),
                // LP-44: somebody has dropped it, and the cluster has it until that is delivered.
                Some(Fate::Adopted)
                    if scene.declared.is_former(name)
                        && survey.has_written(&scene.namespace, &scene.declared.target, name) => {}
                Some(Fate::Adopted) => {
                    let Some(value) = survey.live.get(name).cloned() else { continue };
                    changes.push(Change { key: name.to_owned(), deed: Deed::Adopted, value });
                }
                Some(Fate::Born) if scene.declared.is_former(name) && !given.contains_key(name) => {}
                Some(Fate::Born) if key.making.follows() => drop(missing.insert(name.to_owned())),
                Some(Fate::Born) => {
                    let (deed, value) = match given.remove(name) {
                        Some(value) => (Deed::Given, value),
                        None => {
                            let made = make(name, key, &known);
                            (Deed::Born, made.map_err(|error| unmade(scene, name, &error))?)
                        }
                    };
                    changes.push(Change { key: name.to_owned(), deed, value });
                }
            }
        }
        // What no longer follows from its parts is mended, too.
        for (name, key) in scene.declared.in_order().filter(|(_, key)| key.making.follows()) {
            let is_there = kept.iter().any(|kept| kept == name);
            let stale = |it: &Masked| make(name, key, &known).is_ok_and(|made| !is_same(&made, it));
            if is_there && key.permanence != Permanence::Once && known.get(name).is_some_and(stale) {
                missing.insert(name.to_owned());
            }
        }
        let follow = followers(scene, &known, &changes, &missing)?;
        kept.retain(|kept| !follow.iter().any(|change| change.key == *kept));
        changes.extend(follow);
        let given_up = known
            .into_iter()
            .filter(|(key, _)| changes.iter().any(|it| it.key == *key && it.deed == Deed::Follows))
            .collect();
        let work = Work {
            context,
            scene,
            connection,
            survey: &survey,
            verb: "seal",
            args: self.write,
            changes,
            kept,
            given_up,
            accepted: self.accept,
            started,
        };
        work.carry_out().await
    }

    /// SE-55: a Secret of another type is not filled.
    fn check_type(&self, scene: &Scene, survey: &Survey) -> Result<(), Failure> {
        let found = survey.secret.as_ref().and_then(|secret| secret.str_at("/type")).unwrap_or("Opaque");
        let wanted = if scene.declared.kind.is_empty() { "Opaque" } else { &scene.declared.kind };
        if survey.secret.is_none() || found == wanted {
            return Ok(());
        }
        let text = format!("Secret {} is of the type `{found}`, and `{wanted}` is declared", scene.shown());
        Err(Failure::from(
            Diagnostic::error(code::INCOMPLETE, text)
                .help("a Secret's type never changes: declare it as it is, or delete the Secret"),
        ))
    }

    fn fates<'s>(
        &self,
        scene: &'s Scene,
        survey: &Survey,
        given: &BTreeMap<String, Masked>,
    ) -> Result<BTreeMap<&'s str, Fate>, Failure> {
        let (entries, label) = (scene.entries(), scene.label());
        let (mut fates, mut denied) = (BTreeMap::new(), Vec::new());
        for (name, key) in scene.declared.in_order() {
            if !self.keys.is_empty() && !self.keys.iter().any(|asked| asked == name) {
                continue;
            }
            let traces = survey.traces(name, entries.get(name).map(String::as_str), &label, &scene.site);
            let traces = landfall_secrets::Traces {
                // Where no file holds it, it lives on the cluster or nowhere.
                sealed: if scene.held.is_some() { traces.sealed } else { landfall_secrets::Sealed::Absent },
                given: given.get(name).cloned(),
                ..traces
            };
            let decided = fate(key, &traces).map_err(|error| unmade(scene, name, &error.into()))?;
            match decided {
                Ok(fate) => drop(fates.insert(name, fate)),
                Err(denial) if denial.may_be_accepted() && self.accept.iter().any(|accepted| accepted == name) => {
                    fates.insert(name, Fate::Born);
                }
                Err(denial) => denied.push(told(scene, name, &denial)),
            }
        }
        if denied.is_empty() { Ok(fates) } else { Err(Failure::from(denied)) }
    }
}

/// Tells why a key is not made.
pub(super) fn told(scene: &Scene, name: &str, denial: &Denial) -> Diagnostic {
    let invalidates = &scene.declared.keys[name].invalidates;
    let mut diagnostic = Diagnostic::refused(code::NOT_BORN, format!("`{name}` is not made anew: {denial}"));
    if let Some(spot) = scene.spot(name) {
        diagnostic = diagnostic.primary(spot, "declared here");
    }
    if !invalidates.is_empty() {
        diagnostic = diagnostic.note(format!("with another value is lost: {}", invalidates.join(", ")));
    }
    diagnostic = diagnostic.note("nothing was changed").help(denial.advice());
    if denial.may_be_accepted() {
        diagnostic = diagnostic.help(format!("or, where it is lost indeed, say so: --accept {name}"));
    }
    diagnostic
}

/// EZ-32: what is generated once was generated already.
fn refuse_again(scene: &Scene, fates: &BTreeMap<&str, Fate>) -> Result<(), Failure> {
    let there: Vec<&str> =
        scene.declared.once().filter(|key| fates.get(key).is_some_and(|fate| *fate != Fate::Born)).collect();
    let is_done = if scene.declared.once().next().is_some() {
        !there.is_empty()
    } else {
        fates.values().all(|fate| *fate != Fate::Born)
    };
    if !is_done {
        return Ok(());
    }
    let text = format!("{} is bootstrapped already", scene.shown());
    let mut diagnostic = Diagnostic::refused(code::BORN_ALREADY, text);
    for key in there {
        let declared = &scene.declared.keys[key];
        let print = declared
            .fingerprint
            .as_ref()
            .map_or_else(|| "no fingerprint in landfall.yaml".to_owned(), ToString::to_string);
        diagnostic = diagnostic.note(format!("{key}: {print}"));
    }
    let is_missing = |key: &str, fate: &Fate| *fate == Fate::Born && !scene.declared.is_former(key);
    let missing: Vec<&str> = fates.iter().filter(|(key, fate)| is_missing(key, fate)).map(|(key, _)| *key).collect();
    diagnostic = diagnostic.note("nothing was changed");
    Err(Failure::from(if missing.is_empty() {
        diagnostic
    } else {
        diagnostic.help(format!(
            "what is missing comes with `landfall secrets init --env {}`: {}",
            scene.environment,
            missing.join(", ")
        ))
    }))
}
