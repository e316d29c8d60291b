//! `landfall secrets init` and `landfall secrets bootstrap`: what is declared and not there yet comes to be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Args;
use landfall_delivery::life::{Former, Survey, once_at, values_at};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure};
use landfall_object::once_keys;
use landfall_project::Secrets;
use landfall_secrets::{Denial, Fate, Key, MakeError, Making, Masked, Orphan, Permanence, fate, is_same, make};

use super::changes::{Change, Deed, Work, WriteArgs, followers, unmade};
use super::given::{GivenArgs, ask};
use super::scene::{DeclaredArgs, Scene};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::Outcome;
use crate::looked::environment_of;
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
    /// The Secret in which these keys lived before: what is not here is taken over from there
    #[arg(long, value_name = "NAMESPACE/SECRET")]
    from: Option<String>,
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
            from: self.from.as_deref(),
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
        let birth =
            Birth { keys: &[], given: &self.given, accept: &[], from: None, write: &self.write, again: Again::Refuses };
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
    from: Option<&'a str>,
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
        let origin = self.origin(scene, connection, &survey).await?;
        let fates = self.fates(scene, &survey, &given, &origin)?;
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
                Some(Fate::Carried) if key.making.follows() && key.permanence != Permanence::Once => {
                    missing.insert(name.to_owned());
                }
                Some(Fate::Carried) => {
                    let Some(value) = origin.value(name, key).map_err(|error| unmade(scene, name, &error))? else {
                        continue;
                    };
                    changes.push(Change { key: name.to_owned(), deed: Deed::Carried, value });
                }
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

    /// Where keys are taken over from, and what nobody declares any more.
    async fn origin(&self, scene: &Scene, connection: &Connection, survey: &Survey) -> Result<Origin, Failure> {
        let mut origin = Origin::default();
        if let Some(from) = self.from {
            let usage = |text: String| Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text));
            let (namespace, name) = from
                .split_once('/')
                .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
                .ok_or_else(|| usage(format!("--from {from} is not NAMESPACE/SECRET")))?;
            let found = values_at(&connection.cluster, namespace, name).await.map_err(Failure::from)?;
            let text = || format!("--from {from}: no such Secret lives on {}", connection.name);
            origin.values = found.ok_or_else(|| Failure::from(Diagnostic::error(code::INCOMPLETE, text())))?;
        }
        let is_declared = |key: &String| scene.declared.keys.contains_key(key);
        let own = survey.secret.as_ref().map(once_keys).unwrap_or_default();
        let own = own.into_iter().find(|key| !is_declared(key));
        origin.beside = own.map(|key| Orphan { key, place: scene.shown() });
        let environment = environment_of(&scene.place).and_then(|(_, environment)| environment.secrets.as_ref());
        for (_, other) in environment.into_iter().flat_map(Secrets::all) {
            if *other.target == *scene.declared.target {
                continue;
            }
            let namespace = other.namespace.as_ref().map_or(scene.namespace.as_str(), |namespace| namespace);
            for key in once_at(&connection.cluster, namespace, &other.target).await.map_err(Failure::from)? {
                if is_declared(&key) && !other.keys.contains_key(&key) {
                    let orphan = Orphan { key: key.clone(), place: format!("{namespace}/{}", &*other.target) };
                    origin.moved.insert(key, orphan);
                }
            }
        }
        Ok(origin)
    }

    fn fates<'s>(
        &self,
        scene: &'s Scene,
        survey: &Survey,
        given: &BTreeMap<String, Masked>,
        origin: &Origin,
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
                former: origin.value(name, key).map_err(|error| unmade(scene, name, &error))?,
                orphan: origin.orphan(name),
                ..traces
            };
            let decided = fate(key, &traces).map_err(|error| unmade(scene, name, &error.into()))?;
            match decided {
                Ok(fate) => drop(fates.insert(name, fate)),
                Err(denial) if denial.may_be_accepted() && self.accept.iter().any(|accepted| accepted == name) => {
                    fates.insert(name, Fate::Born);
                }
                Err(denial) => denied.push(told(scene, &survey.former, name, &denial)),
            }
        }
        if denied.is_empty() { Ok(fates) } else { Err(Failure::from(denied)) }
    }
}

/// What keys come from that are not where they are declared.
#[derive(Default)]
struct Origin {
    /// What lives in the Secret that was named.
    values: BTreeMap<String, Masked>,
    /// A key that is generated once, lives in the Secret itself, and that nobody declares any more.
    beside: Option<Orphan>,
    /// Keys that live in another Secret of the environment, which declares them no more.
    moved: BTreeMap<String, Orphan>,
}

impl Origin {
    /// The value of a key at the place that was named: what git has the fingerprint of, under whatever name, else that of the same
    /// name.
    fn value(&self, name: &str, key: &Key) -> Result<Option<Masked>, MakeError> {
        let Some(print) = key.fingerprint.as_ref().filter(|_| key.permanence == Permanence::Once) else {
            return Ok(self.values.get(name).filter(|value| !value.reveal().is_empty()).cloned());
        };
        let (same, others): (Vec<_>, Vec<_>) = self.values.iter().partition(|(it, _)| *it == name);
        for (_, value) in same.into_iter().chain(others) {
            if print.is_of(value).map_err(MakeError::Crypto)? {
                return Ok(Some(value.clone()));
            }
        }
        Ok(None)
    }

    /// What a key that is generated once may be under another name, or was in another Secret.
    fn orphan(&self, name: &str) -> Option<Orphan> {
        self.moved.get(name).or(self.beside.as_ref()).cloned()
    }
}

/// Tells why a key is not made; `former` is where keys live instead.
pub(super) fn told(scene: &Scene, former: &BTreeMap<String, Former>, name: &str, denial: &Denial) -> Diagnostic {
    let invalidates = &scene.declared.keys[name].invalidates;
    let mut diagnostic = Diagnostic::refused(code::NOT_BORN, format!("`{name}` is not made anew: {denial}"));
    if let Some(spot) = scene.spot(name) {
        diagnostic = diagnostic.primary(spot, "declared here");
    }
    if !invalidates.is_empty() {
        diagnostic = diagnostic.note(format!("with another value is lost: {}", invalidates.join(", ")));
    }
    if let Some(former) = former.get(name) {
        diagnostic = diagnostic.note(format!("it lives in {}", former.shown(name)));
    }
    // What lived beside it was sealed for the same place.
    let from = former.get(name).or_else(|| former.values().next()).filter(|_| denial.is_elsewhere());
    diagnostic = diagnostic.note("nothing was changed").help(match (from, denial) {
        (Some(from), _) => format!("take it over from there: {}", scene.carrying(&from.place())),
        (None, Denial::Orphan(orphan)) if orphan.key == name => {
            format!("take it over from there: {}", scene.carrying(&orphan.place))
        }
        (None, Denial::Orphan(orphan)) => {
            let (key, way) = (&orphan.key, scene.carrying(&orphan.place));
            format!("where it is the same, give it the `fingerprint` of `{key}` in landfall.yaml (git has it), and take it over: {way}")
        }
        (None, _) => denial.advice().to_owned(),
    });
    if from.is_none() && matches!(denial, Denial::NoKey) {
        let way = scene.carrying("NAMESPACE/SECRET");
        diagnostic = diagnostic
            .help(format!("or take it over from the Secret in which it lives, where that had another name: {way}"));
    }
    if denial.may_be_accepted() {
        diagnostic = diagnostic.help(match denial {
            Denial::Orphan(_) => format!("or, where another one is meant, say so: --accept {name}"),
            _ => format!("or, where it is lost indeed, say so: --accept {name}"),
        });
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
