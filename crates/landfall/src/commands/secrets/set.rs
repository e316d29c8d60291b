//! `landfall secrets set`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Args;
use landfall_delivery::life::Survey;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure};
use landfall_secrets::{Making, Masked, Permanence, fate, is_same, make};

use super::changes::{Change, Deed, Work, WriteArgs, followers, unmade};
use super::given::{GivenArgs, ask, check_filled};
use super::init::told;
use super::scene::{DeclaredArgs, Scene};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `secrets set`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets set SESSION_SECRET --env staging --commit          generated anew, as it is declared\n  pass show stripe | landfall secrets set STRIPE_SECRET --stdin --env prod --escrow before.age --recipient age1…\n  landfall secrets set --from-file given.env --env staging\n  landfall secrets set TOKEN=dev --env local                       others on the machine see such a value"
)]
pub(crate) struct SetArgs {
    /// Keys; one that is generated needs no value
    #[arg(value_name = "KEY[=VALUE]")]
    keys: Vec<String>,
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

impl Verb for SetArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let scene = self.declared.scene(context).await?;
        let (mut keys, mut given) = (Vec::new(), BTreeMap::new());
        for word in &self.keys {
            let (key, value) = word.split_once('=').map_or((word.as_str(), None), |(key, value)| (key, Some(value)));
            scene.check_key(key)?;
            keys.push(key.to_owned());
            if let Some(value) = value {
                seen(context, &scene, key)?;
                let value = Masked::from(value.as_bytes());
                check_filled(key, &value)?;
                given.insert(key.to_owned(), value);
            }
        }
        self.accept.iter().try_for_each(|key| scene.check_key(key))?;
        let alone = match keys.as_slice() {
            [one] if !given.contains_key(one) => Some(one.as_str()),
            _ => None,
        };
        for (key, value) in self.given.read(context, alone)? {
            scene.check_key(&key)?;
            if !keys.contains(&key) {
                keys.push(key.clone());
            }
            given.insert(key, value);
        }
        if keys.is_empty() {
            return Err(Failure::usage(
                Diagnostic::error(code::BAD_ARGUMENTS, "no key is named").listing("keys", scene.declared.keys.keys()),
            ));
        }
        let mut connection = scene.connect(context, self.write.reach()).await?;
        let setting =
            Setting { context, scene: &scene, connection: &connection, accept: &self.accept, write: &self.write };
        let outcome = setting.run(&keys, given, started).await;
        connection.close().await;
        outcome
    }
}

/// T32: a value on the command line is seen by others.
fn seen(context: &Context, scene: &Scene, key: &str) -> Result<(), Failure> {
    let help = format!("landfall secrets set {key} --stdin --env {}", scene.environment);
    if scene.is_protected() {
        let text = format!("the value of `{key}` stands on the command line, which others on the machine can read");
        return Err(Failure::from(
            Diagnostic::refused(code::IN_ARGUMENTS, text)
                .note(format!("environment `{}` is protected; nothing was changed", scene.environment))
                .note("take the value for known: it is in the shell's history, too")
                .help(help),
        ));
    }
    context.ui.diagnostic(
        &Diagnostic::warning(
            code::IN_ARGUMENTS,
            format!("the value of `{key}` is seen by others on the machine, and kept by the shell"),
        )
        .help(help),
    );
    Ok(())
}

/// What new values are given to keys with.
pub(super) struct Setting<'a> {
    pub(super) context: &'a Context,
    pub(super) scene: &'a Scene,
    pub(super) connection: &'a Connection,
    pub(super) accept: &'a [String],
    pub(super) write: &'a WriteArgs,
}

impl Setting<'_> {
    async fn run(&self, keys: &[String], mut given: BTreeMap<String, Masked>, started: Instant) -> Outcome {
        let scene = self.scene;
        if scene.held.is_some() && !self.write.dry_run {
            scene.controller.certificate(&self.connection.cluster).await.map_err(Failure::from)?;
        }
        let survey = scene.survey(self.connection).await?;
        let known = scene.known(&survey);
        let entries = scene.entries();
        for key in keys {
            self.check(key, &survey, known.get(key), given.get(key), entries.get(key).map(String::as_str))?;
        }
        let is_asked =
            |key: &&String| scene.declared.keys[key.as_str()].making == Making::Given && !given.contains_key(*key);
        let asked: Vec<String> = keys.iter().filter(is_asked).cloned().collect();
        given.extend(ask(self.context, &asked).await?);
        let mut changes = Vec::new();
        for name in keys {
            let key = &scene.declared.keys[name.as_str()];
            let (deed, value) = match given.remove(name) {
                Some(value) => (Deed::Given, value),
                None => {
                    let deed = if known.contains_key(name) { Deed::Rotated } else { Deed::Born };
                    let made = make(name, key, &known);
                    (deed, made.map_err(|error| unmade(scene, name, &error))?)
                }
            };
            if !keys.iter().any(|other| key.previous.as_ref() == Some(other)) {
                changes.extend(former(scene, &survey, (name, &value), self.accept)?);
            }
            changes.push(Change { key: name.clone(), deed, value });
        }
        let follow = followers(scene, &known, &changes, &BTreeSet::new())?;
        changes.extend(follow);
        let given_up = known.iter().filter(|(key, _)| changes.iter().any(|it| it.key == **key));
        let given_up = given_up.map(|(key, value)| (key.clone(), value.clone())).collect();
        let kept = scene
            .declared
            .keys
            .keys()
            .filter(|key| {
                !changes.iter().any(|it| it.key == **key) && (known.contains_key(*key) || sealed(&entries, key))
            })
            .cloned()
            .collect();
        let work = Work {
            context: self.context,
            scene,
            connection: self.connection,
            survey: &survey,
            verb: "set",
            args: self.write,
            changes,
            kept,
            given_up,
            accepted: self.accept,
            started,
        };
        work.carry_out().await
    }

    /// Refuses what must not change, and what nobody has accepted.
    fn check(
        &self,
        name: &str,
        survey: &Survey,
        known: Option<&Masked>,
        given: Option<&Masked>,
        entry: Option<&str>,
    ) -> Result<(), Failure> {
        let key = &self.scene.declared.keys[name];
        if key.making.follows() {
            let parts = key.making.parts().join(", ");
            let text = format!("`{name}` follows from {parts}, and is not set by itself");
            return Err(Failure::usage(Diagnostic::error(code::NOT_GIVEN, text).note("nothing was changed")));
        }
        let is_there = known.is_some() || entry.is_some_and(|entry| landfall_secrets::sealed_form(entry).is_ok());
        match &key.permanence {
            Permanence::Once => {
                let is_the_same = known.zip(given).is_some_and(|(known, given)| is_same(known, given));
                let is_what_was_born = match (&key.fingerprint, given) {
                    (Some(print), Some(given)) => {
                        print.is_of(given).map_err(|error| unmade(self.scene, name, &error.into()))?
                    }
                    (Some(_), None) => false,
                    (None, _) => !is_there,
                };
                if !is_the_same && (!is_what_was_born || known.is_some()) {
                    return Err(once(self.scene, name));
                }
                if known.is_none() && key.fingerprint.is_none() { self.check_birth(name) } else { Ok(()) }
            }
            // What its owner was initialised with is known to somebody, or lost; a new one would not be it.
            Permanence::InitOnly(_) if !is_there && given.is_none() && key.making.is_generated() => {
                let traces = survey.traces(name, entry, &self.scene.label(), &self.scene.site);
                let fate = fate(key, &traces).map_err(|error| unmade(self.scene, name, &error.into()))?;
                match fate {
                    Err(denial) if !self.accept.iter().any(|accepted| accepted == name) => {
                        Err(Failure::from(told(self.scene, &survey.former, name, &denial)))
                    }
                    _ => Ok(()),
                }
            }
            Permanence::InitOnly(step) if is_there => {
                let step = step.clone().unwrap_or_else(|| "nobody has declared how it is changed there".to_owned());
                let bound = &survey.bound;
                let mut why = vec![format!("its owner keeps the value that it was initialised with: {step}")];
                if !bound.is_empty() {
                    why.push(format!("bound claims: {}", bound.join(", ")));
                }
                self.accepted(name, &why)
            }
            _ if is_there && !key.invalidates.is_empty() && key.previous.is_none() => {
                self.accepted(name, &[format!("it makes invalid: {}", key.invalidates.join(", "))])
            }
            _ => Ok(()),
        }
    }

    /// In a protected environment `init` and `bootstrap` alone make what is made once.
    fn check_birth(&self, name: &str) -> Result<(), Failure> {
        if !self.scene.is_protected() {
            return Ok(());
        }
        let text = format!("`{name}` is generated once, and not by `set` in a protected environment");
        let mut diagnostic = Diagnostic::refused(code::NOT_BORN, text);
        if let Some(spot) = self.scene.spot(name) {
            diagnostic = diagnostic.primary(spot, "declared here");
        }
        Err(Failure::from(
            diagnostic
                .note("nothing was changed")
                .help(format!("landfall secrets init {name} --env {}", self.scene.environment)),
        ))
    }

    fn accepted(&self, name: &str, why: &[String]) -> Result<(), Failure> {
        if self.accept.iter().any(|accepted| accepted == name) {
            return Ok(());
        }
        Err(not_accepted(self.scene, name, why))
    }
}

/// LP-44: the value before, which goes on to be accepted by the name that is declared for it; nothing where none is declared,
/// nothing was there, or the same comes again.
///
/// # Errors
/// The name still holds the value before that one, which somebody may go on using, and nobody has accepted that it goes.
pub(super) fn former(
    scene: &Scene,
    survey: &Survey,
    (name, value): (&str, &Masked),
    accept: &[String],
) -> Result<Option<Change>, Failure> {
    let known = &scene.known(survey);
    let key = &scene.declared.keys[name];
    let Some((previous, before)) = key.previous.as_ref().zip(known.get(name)) else { return Ok(None) };
    if is_same(before, value) {
        return Ok(None);
    }
    // What the file no longer has is given up, though the cluster may have it until that is delivered.
    let is_held = scene.held.is_none() || scene.entries().contains_key(previous);
    let older = known.get(previous).filter(|older| is_held && !older.reveal().is_empty() && !is_same(older, before));
    // A value that was never delivered has not taken the place of the one that lives.
    let unsaved = survey.live.get(name).filter(|live| !live.reveal().is_empty() && !is_same(live, before));
    if (older.is_some() || unsaved.is_some()) && !accept.iter().any(|accepted| accepted == name) {
        let mut why = vec![match older {
            Some(_) => format!("`{previous}` still holds the value before the last change, and there is room for one"),
            None => {
                format!("the cluster still has the value before the last change, and `{previous}` would keep another")
            }
        }];
        if !key.invalidates.is_empty() {
            why.push(format!("without it is invalid what was made with it: {}", key.invalidates.join(", ")));
        }
        why.push(format!("once nothing uses it any more: landfall secrets pending --done {name}"));
        return Err(not_accepted(scene, name, &why));
    }
    Ok(Some(Change { key: previous.clone(), deed: Deed::Before, value: before.clone() }))
}

/// LP-44, T10: a change that nobody has said is meant.
pub(super) fn not_accepted(scene: &Scene, name: &str, why: &[String]) -> Failure {
    let mut diagnostic = Diagnostic::refused(
        code::NOT_ACCEPTED,
        format!("a new value of `{name}` costs something, and nobody has accepted it"),
    );
    if let Some(spot) = scene.spot(name) {
        diagnostic = diagnostic.primary(spot, "declared here");
    }
    for note in why {
        diagnostic = diagnostic.note(note.clone());
    }
    Failure::from(diagnostic.note("nothing was changed").help(format!("say that it is meant: --accept {name}")))
}

/// EZ-33, EZ-34: what is generated once never changes, and what would be lost is said.
pub(super) fn once(scene: &Scene, name: &str) -> Failure {
    let key = &scene.declared.keys[name];
    let lost = if key.invalidates.is_empty() {
        "what was made with the value could never be read again".to_owned()
    } else {
        format!("with another value is lost: {}", key.invalidates.join(", "))
    };
    let mut diagnostic = Diagnostic::refused(code::ONCE, format!("`{name}` is generated once, and never changes"));
    if let Some(spot) = scene.spot(name) {
        diagnostic = diagnostic.primary(spot, "declared here");
    }
    Failure::from(diagnostic.note(lost).note("nothing was changed"))
}

fn sealed(entries: &BTreeMap<String, String>, key: &str) -> bool {
    entries.get(key).is_some_and(|entry| landfall_secrets::sealed_form(entry).is_ok())
}
