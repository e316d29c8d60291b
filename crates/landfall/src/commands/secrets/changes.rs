//! New values of keys: shown, agreed to, saved where they must be, written where they are held, and told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_delivery::life::{Examined, SecretWriter, Stale, State, Survey, remember, remember_arrivals};
use landfall_delivery::{escrow, life};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Act, Connection, Failure, Permit};
use landfall_secrets::{
    Backup, Certificate, Fingerprint, Intended, MakeError, Masked, Permanence, Task, is_same, make, seal_value,
};
use landfall_store::AuditEntry;
use landfall_yaml::{Scalar, edit};
use serde_json::json;

use super::changed::Changed;
use super::files::{self, Rewrite};
use super::keys::AudienceArgs;
use super::plain::Plain;
use super::scene::{Reach, Scene};
use super::set::once;
use crate::consent::{Question, given};
use crate::context::Context;
use crate::exit::{Exit, Outcome};

/// The bytes of all values of a Secret that an API server takes at most (`MaxSecretSize` of Kubernetes).
const LARGEST: usize = 1024 * 1024;

/// How values are written.
#[derive(Debug, Clone, Args)]
pub(crate) struct WriteArgs {
    /// Write new values in clear into a new file, which its owner alone may read
    #[arg(long, value_name = "FILE")]
    plain: Option<String>,
    /// First save all sealing keys, and what is generated once, into a new encrypted file
    #[arg(long, value_name = "FILE")]
    backup: Option<String>,
    /// Keep the values before in a new encrypted file
    #[arg(long, value_name = "FILE")]
    escrow: Option<String>,
    #[command(flatten)]
    audience: AudienceArgs,
    /// Commit the files that were written, and nothing else
    #[arg(long)]
    commit: bool,
    /// Commit, and push the branch
    #[arg(long)]
    pub(super) push: bool,
    /// Say what would be done and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long, visible_alias = "write")]
    yes: bool,
}

impl WriteArgs {
    /// What is done with the cluster.
    pub(super) fn reach(&self) -> Reach {
        if self.dry_run { Reach::Looks } else { Reach::Seals }
    }
}

/// A key's new value.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// The key.
    pub(super) key: String,
    /// What it comes from.
    pub(super) deed: Deed,
    /// The value.
    pub(super) value: Masked,
}

/// What a new value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// It was generated, for the first time.
    Born,
    /// It was taken over from the cluster.
    Adopted,
    /// It was taken over from where it lived before.
    Carried,
    /// Somebody has given it.
    Given,
    /// It was generated anew.
    Rotated,
    /// It follows from others.
    Follows,
    /// It is what another key was before.
    Before,
}

impl Deed {
    /// In a few words.
    pub(super) fn word(self) -> &'static str {
        match self {
            Deed::Born => "generated",
            Deed::Adopted => "taken over from the cluster",
            Deed::Carried => "taken over from where it lived",
            Deed::Given => "given",
            Deed::Rotated => "generated anew",
            Deed::Follows => "follows",
            Deed::Before => "the value before",
        }
    }

    /// For programs.
    pub(super) fn id(self) -> &'static str {
        match self {
            Deed::Born => "generated",
            Deed::Adopted => "adopted",
            Deed::Carried => "carried",
            Deed::Given => "given",
            Deed::Rotated => "rotated",
            Deed::Follows => "follows",
            Deed::Before => "before",
        }
    }

    /// Whether nobody has seen the value yet.
    fn is_new(self) -> bool {
        matches!(self, Deed::Born | Deed::Rotated | Deed::Follows)
    }
}

/// What is to be written, and what must be known for it.
pub(super) struct Work<'a> {
    pub(super) context: &'a Context,
    pub(super) scene: &'a Scene,
    pub(super) connection: &'a Connection,
    pub(super) survey: &'a Survey,
    /// What the verb is called in messages: `seal`, `rotate`.
    pub(super) verb: &'static str,
    pub(super) args: &'a WriteArgs,
    pub(super) changes: Vec<Change>,
    /// Keys that were there already.
    pub(super) kept: Vec<String>,
    /// Values that are given up by it.
    pub(super) given_up: BTreeMap<String, Masked>,
    /// What somebody has said is meant.
    pub(super) accepted: &'a [String],
    pub(super) started: Instant,
}

/// The values that follow from changed ones, or are missing and can be made from what is known.
///
/// # Errors
/// A part is not known; it does not follow.
pub(super) fn followers(
    scene: &Scene,
    known: &BTreeMap<String, Masked>,
    changes: &[Change],
    missing: &BTreeSet<String>,
) -> Result<Vec<Change>, Failure> {
    let mut values = known.clone();
    let mut changed: BTreeSet<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    values.extend(changes.iter().map(|change| (change.key.clone(), change.value.clone())));
    let mut found = Vec::new();
    for (name, key) in scene.declared.in_order() {
        let is_hit = missing.contains(name) || key.making.parts().iter().any(|part| changed.contains(part));
        if !key.making.follows() || !is_hit || changed.contains(name) {
            continue;
        }
        let value = make(name, key, &values).map_err(|error| unmade(scene, name, &error))?;
        // What never changes and is there as it should be is not written again.
        if key.permanence == Permanence::Once && known.get(name).is_some_and(|known| is_same(known, &value)) {
            continue;
        }
        values.insert(name.to_owned(), value.clone());
        changed.insert(name);
        found.push(Change { key: name.to_owned(), deed: Deed::Follows, value });
    }
    Ok(found)
}

/// Tells why a value was not made.
pub(super) fn unmade(scene: &Scene, name: &str, error: &MakeError) -> Failure {
    let mut diagnostic = Diagnostic::error(code::UNMADE, format!("`{name}` cannot be made: {error}"));
    if let Some(spot) = scene.spot(name) {
        diagnostic = diagnostic.primary(spot, "declared here");
    }
    diagnostic = diagnostic.note("nothing was changed");
    Failure::from(match error {
        MakeError::Part(part) => diagnostic.help(format!(
            "it lives neither on the cluster nor opens with its keys: give it, `landfall secrets set {part} --stdin`"
        )),
        MakeError::Composed(landfall_secrets::ComposeError::Unescaped(part)) => {
            diagnostic.help(format!("write `{{{{ .{part} | urlquery }}}}`, or generate `{part}` with `alphabet: url`"))
        }
        _ => diagnostic,
    })
}

impl Work<'_> {
    /// Carries it out, and reports.
    ///
    /// # Errors
    /// What must not be, before anything is written; what cannot be written.
    pub(super) async fn carry_out(self) -> Outcome {
        let Work { context, scene, connection, args, .. } = &self;
        self.check_once()?;
        self.check_escrow()?;
        self.check_size()?;
        if args.dry_run {
            return self.told_only();
        }
        let certificate = match &scene.held {
            Some(_) if !self.changes.is_empty() => {
                Some(scene.controller.certificate(&connection.cluster).await.map_err(Failure::from)?)
            }
            _ => None,
        };
        if let Some(certificate) = &certificate {
            certificate
                .check(Timestamp::now())
                .map_err(|error| Failure::from(Diagnostic::error(code::UNSEALED, error.to_string())))?;
        }
        let (mut rewrites, born) = self.rewrites(certificate.as_ref())?;
        rewrites.retain(Rewrite::is_change);
        let report = self.report(&rewrites, &born);
        if self.changes.is_empty() && rewrites.is_empty() && !self.marks() {
            context.report(&report, Exit::Done, self.started);
            return Ok(Exit::Done);
        }
        self.check_saved(certificate.as_ref().map(|certificate| certificate.key.fingerprint()))?;
        let permit = scene.place.permit(Act::Mend);
        // Who is not asked reads it once, when it is done.
        if !args.yes && matches!(permit, Permit::Asks(_)) && context.ui.can_prompt() {
            report.plan(&context.ui);
        }
        let names: Vec<&str> = self.changes.iter().map(|change| change.key.as_str()).collect();
        given(context, &permit, || Question {
            yes: args.yes,
            ask: format!("Write {} of {}", plural(names.len()), scene.shown()),
            deed: format!("writing {} of `{}`", plural(names.len()), scene.shown()),
            undone: "not written",
            instead: Some("look first with --dry-run"),
        })
        .await?;
        self.save(certificate.as_ref()).await?;
        let shown: BTreeMap<String, Masked> = self
            .changes
            .iter()
            .filter(|change| change.deed.is_new())
            .map(|change| (change.key.clone(), change.value.clone()))
            .collect();
        let plain = Plain::begin(context, args.plain.as_deref(), &shown)?;
        let entry = self.audited().await.inspect_err(|_| plain.undo())?;
        let prints = self.prints();
        // Before anything is written: who is killed after it leaves behind what is to be done. Whether it can be remembered is told below.
        let _unremembered = self.intend(&prints).await;
        let restarted = match self.write(&rewrites).await {
            Ok(restarted) => restarted,
            Err(failure) => {
                plain.undo();
                return Err(failure);
            }
        };
        plain.sealed(context);
        self.connection.store().audit.end(entry, "done").await.map_err(|error| Failure::from(error.diagnose()))?;
        if let Err(failure) = self.remember(&prints).await {
            // What was written is written: who may seal need not be who may write beside the sealing keys.
            let why = failure.into_first().map(|told| told.message).unwrap_or_default();
            let text = "the cluster does not remember when these keys changed, nor what is to be done for them";
            context.ui.diagnostic(&Diagnostic::warning(code::UNREMEMBERED, text).note(why));
        }
        // What was written into the Secret itself has come to it by now: a later write of another key says no more when.
        let _unremembered = remember_arrivals(&self.connection.cluster, &scene.controller.namespace).await;
        plain.end(context, &shown);
        let committed = self.committed(&rewrites).await?;
        let report = Changed { restarted: &restarted, committed: committed.as_deref(), ..report };
        context.report(&report, Exit::Done, self.started);
        self.remind().await;
        Ok(Exit::Done)
    }

    /// Says what would be done; the cluster is asked for nothing that it would have to make.
    fn told_only(&self) -> Outcome {
        let newest = self.survey.sealing_keys().into_iter().next();
        let to_be_sealed = self.scene.held.is_some() && !self.changes.is_empty();
        self.check_saved(newest.or_else(|| to_be_sealed.then(|| "the key that it will make".to_owned())))?;
        let (project, born) = self.birth_certificates()?;
        let rewrites: Vec<Rewrite> = project.into_iter().collect();
        let mut report = Changed { dry: true, ..self.report(&rewrites, &born) };
        report.files.extend(self.scene.held.iter().filter(|_| to_be_sealed).map(|held| held.shown.as_str()));
        self.context.report(&report, Exit::Done, self.started);
        Ok(Exit::Done)
    }

    /// Refuses another value of what never changes, whichever way it would come to it.
    fn check_once(&self) -> Result<(), Failure> {
        let known = self.scene.known(self.survey);
        for change in self.changes.iter().filter(|change| self.is_once(&change.key)) {
            let is_another = known.get(&change.key).is_some_and(|known| !is_same(known, &change.value));
            // What lives, and is what was born, takes the place of another one in the file.
            let is_put_right = change.deed == Deed::Adopted;
            if is_another && !is_put_right && !self.is_reborn(change) {
                return Err(once(self.scene, &change.key));
            }
        }
        Ok(())
    }

    fn is_once(&self, key: &str) -> bool {
        self.scene.declared.keys.get(key).is_some_and(|key| key.permanence == Permanence::Once)
    }

    /// Whether somebody has said that what was generated before is lost, of the key or of all that it follows from.
    fn is_reborn(&self, change: &Change) -> bool {
        let accepted = |key: &str| self.accepted.iter().any(|accepted| accepted == key);
        match change.deed {
            Deed::Born | Deed::Given => accepted(&change.key),
            Deed::Follows => self.scene.declared.keys.get(&change.key).is_some_and(|key| {
                let reborn = |part: &&str| {
                    self.changes.iter().any(|it| it.key == **part && it.deed != Deed::Follows && self.is_reborn(it))
                };
                key.making.parts().iter().all(reborn)
            }),
            Deed::Adopted | Deed::Carried | Deed::Rotated | Deed::Before => false,
        }
    }

    /// LP-36: in a protected environment a value that is given up can be got back.
    fn check_escrow(&self) -> Result<(), Failure> {
        if !self.scene.is_protected() || self.args.escrow.is_some() {
            return Ok(());
        }
        let is_given_up =
            |change: &&Change| self.given_up.get(&change.key).is_some_and(|before| !is_same(before, &change.value));
        let names: BTreeSet<&str> = self.changes.iter().filter(is_given_up).map(|it| it.key.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = names.into_iter().collect();
        Err(Failure::from(
            Diagnostic::refused(
                code::UNSAVED,
                format!("environment `{}` is protected, and nobody keeps the values before", self.scene.environment),
            )
            .note(format!("they are given up: {}", names.join(", ")))
            .note("nothing was changed")
            .help("name a file for them: --escrow before.age --recipient age1…"),
        ))
    }

    /// Refuses what no cluster takes: the file would hold it, and the Secret would never come.
    fn check_size(&self) -> Result<(), Failure> {
        let mut values = self.scene.known(self.survey);
        values.extend(self.changes.iter().map(|change| (change.key.clone(), change.value.clone())));
        let size: usize = values.values().map(|value| value.reveal().len()).sum();
        let Some((largest, _)) = values.iter().max_by_key(|(_, value)| value.reveal().len()) else { return Ok(()) };
        if size <= LARGEST || self.changes.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{} would be of {} KiB, and a cluster takes Secrets of 1024",
            self.scene.shown(),
            size.div_ceil(1024)
        );
        Err(Failure::from(
            Diagnostic::error(code::UNMADE, text)
                .note(format!("most of it is `{largest}`"))
                .note("nothing was changed"),
        ))
    }

    /// Whether the Secret is to say of itself what of it never changes, and does not yet.
    fn marks(&self) -> bool {
        let live = self.survey.secret.as_ref().filter(|_| self.is_on_cluster());
        live.is_some_and(|live| self.writer().wanted(Some(live), &BTreeMap::new()).value() != live.value())
    }

    fn report<'r>(&'r self, rewrites: &'r [Rewrite], born: &'r BTreeMap<String, Fingerprint>) -> Changed<'r> {
        Changed {
            work: self,
            files: rewrites.iter().map(|rewrite| rewrite.shown.as_str()).collect(),
            born,
            restarted: &[],
            committed: None,
            standing: self.standing(),
            dry: false,
        }
    }

    /// How the keys stand, as `check` has it.
    fn standing(&self) -> BTreeMap<String, State> {
        let (entries, label) = (self.scene.entries(), self.scene.label());
        let examined = Examined {
            declared: &self.scene.declared,
            entries: self.scene.held.as_ref().map(|_| &entries),
            label: &label,
            site: &self.scene.site,
            namespace: &self.scene.namespace,
            survey: Some(self.survey),
            stale: &[],
            now: Timestamp::now(),
        };
        examined.states()
    }

    /// The files with what is to stand in them, and the fingerprints of what was born.
    fn rewrites(
        &self,
        certificate: Option<&Certificate>,
    ) -> Result<(Vec<Rewrite>, BTreeMap<String, Fingerprint>), Failure> {
        let mut rewrites = Vec::new();
        if let (Some(held), Some(certificate)) = (&self.scene.held, certificate) {
            let label = self.scene.label();
            let mut holder = held.holder.clone();
            for change in &self.changes {
                let sealed = seal_value(&certificate.key, change.value.reveal(), &label)
                    .map_err(|error| Failure::from(Diagnostic::error(code::UNSEALED, error.to_string())))?;
                holder = holder.with(&change.key, &sealed).map_err(|error| {
                    let text = format!("{} cannot be changed in place for `{}`", held.shown, change.key);
                    let told = Diagnostic::error(code::HELD, text).note(error.to_string()).note("nothing was changed");
                    // What stands there in a form that cannot be changed in place is no matter of one key more.
                    Failure::from(match self.scene.entries().contains_key(&change.key) {
                        true => told,
                        false => {
                            told.help("write the key there by hand, with `x` as its value, and type the same again")
                        }
                    })
                })?;
            }
            rewrites.push(Rewrite {
                path: held.path.clone(),
                shown: held.shown.clone(),
                before: held.holder.text().to_owned(),
                after: holder.text().to_owned(),
            });
        }
        let (project, born) = self.birth_certificates()?;
        rewrites.extend(project);
        Ok((rewrites, born))
    }

    /// The project file with the fingerprints of what is generated once and has none there yet.
    fn birth_certificates(&self) -> Result<(Option<Rewrite>, BTreeMap<String, Fingerprint>), Failure> {
        let known = self.scene.known(self.survey);
        let value = |key: &str| {
            let changed = self.changes.iter().find(|change| change.key == key).map(|change| &change.value);
            changed.or_else(|| known.get(key).filter(|_| self.kept.iter().any(|kept| kept == key)))
        };
        let mut born = BTreeMap::new();
        for key in self.scene.declared.once() {
            // What is accepted as lost is born again, under a fingerprint of its own; no other that is there is written over.
            let is_new = self.changes.iter().any(|change| change.key == key && self.is_reborn(change));
            let has_one = self.scene.declared.keys.get(key).is_some_and(|key| key.fingerprint.is_some());
            if let Some(value) = value(key).filter(|_| is_new || !has_one) {
                let made = Fingerprint::of(value);
                born.insert(key.to_owned(), made.map_err(|error| unmade(self.scene, key, &MakeError::Crypto(error)))?);
            }
        }
        if born.is_empty() {
            return Ok((None, born));
        }
        let path = self.scene.project_path()?;
        let failed = |problem: String| {
            let text = format!("{} cannot be changed in place", landfall_project::FILE_NAME);
            Failure::from(
                Diagnostic::error(code::HELD, text)
                    .note(problem)
                    .note("nothing was changed")
                    .help("declare the key where it stands, without an alias or a merge, and type the same again"),
            )
        };
        let before = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        let mut after = before.clone();
        for (key, print) in &born {
            let way = self.scene.way.to(key, Some("fingerprint"));
            after = edit::set_or_insert(&after, &way, &Scalar::Str(print.to_string().into()))
                .map_err(|error| failed(error.to_string()))?;
        }
        let shown = landfall_project::FILE_NAME.to_owned();
        Ok((Some(Rewrite { path, shown, before, after }), born))
    }

    /// Whether values are held on the cluster alone, so that losing it loses them.
    fn is_on_cluster(&self) -> bool {
        self.scene.held.is_none()
    }

    /// LP-36: in a protected environment nothing is sealed, and nothing made that lives on the cluster alone, before
    /// somebody could get it back.
    fn check_saved(&self, sealed_with: Option<String>) -> Result<(), Failure> {
        if !self.scene.is_protected() || self.args.backup.is_some() || self.changes.is_empty() {
            return Ok(());
        }
        let example = format!(
            "--backup keys.age --recipient age1…, or first `landfall secrets backup keys.age --env {} --recipient age1…`",
            self.scene.environment
        );
        if let Some(fingerprint) = sealed_with {
            if !self.survey.ledger.unsaved([fingerprint.as_str()]).is_empty() {
                return Err(Failure::from(
                    Diagnostic::refused(
                        code::UNSAVED,
                        format!(
                            "environment `{}` is protected, and its sealing key is in no backup",
                            self.scene.environment
                        ),
                    )
                    .note(format!("{fingerprint} opens what is sealed; who loses the cluster loses it"))
                    .note("nothing was changed")
                    .help(example),
                ));
            }
            return Ok(());
        }
        let once = self.changes.iter().any(|change| self.scene.declared.once().any(|once| once == change.key));
        if once && self.is_on_cluster() {
            return Err(Failure::from(
                Diagnostic::refused(
                    code::UNSAVED,
                    format!(
                        "environment `{}` is protected, and what is generated once would live on its cluster alone",
                        self.scene.environment
                    ),
                )
                .note("nothing was changed")
                .help("name a file for it: --backup keys.age --recipient age1…"),
            ));
        }
        Ok(())
    }

    /// Writes the backup and the escrow that were asked for, before anything else.
    async fn save(&self, certificate: Option<&Certificate>) -> Result<(), Failure> {
        if self.args.backup.is_none() && self.args.escrow.is_none() {
            return Ok(());
        }
        let audience = self.args.audience.audience(self.context)?;
        let close = |backup: &Backup, shown: &str| -> Result<(), Failure> {
            let text = backup.close(&audience).map_err(|error| {
                Failure::from(Diagnostic::error(code::BACKUP_CLOSED, format!("{shown} cannot be encrypted: {error}")))
            })?;
            let written = landfall_source::write_new_private(&self.context.host.directory.join(shown), text.as_bytes());
            written.map_err(|error| {
                Failure::from(
                    Diagnostic::error(code::FILES, format!("{shown} cannot be written"))
                        .note(error.to_string())
                        .help("an earlier backup is not replaced: name another file"),
                )
            })
        };
        if let Some(shown) = &self.args.backup {
            let mut backup = match escrow(&self.connection.cluster).await {
                Ok(backup) => backup,
                Err(nothing) if nothing.code == code::NOTHING_TO_SAVE && certificate.is_none() => Backup::nothing(),
                Err(diagnostic) => return Err(Failure::from(diagnostic)),
            };
            if self.is_on_cluster() {
                backup = backup.with(&self.writer().wanted(self.survey.secret.as_ref(), &self.values()));
            }
            close(&backup, shown)?;
            let saved = backup.saves();
            saved_now(self.connection, self.scene, &saved).await?;
            self.context.ui.status(&format!("keys saved to {shown} (0600)"));
        }
        if let Some(shown) = &self.args.escrow {
            let values = self.given_up.iter().map(|(key, value)| (key.as_str(), value));
            close(&Backup::of_values(&self.scene.namespace, &self.scene.declared.target, values), shown)?;
            self.context.ui.status(&format!("the values before are kept in {shown} (0600)"));
        }
        Ok(())
    }

    fn writer(&self) -> SecretWriter<'_> {
        SecretWriter {
            cluster: &self.connection.cluster,
            namespace: &self.scene.namespace,
            declared: &self.scene.declared,
        }
    }

    fn values(&self) -> BTreeMap<String, Masked> {
        self.changes.iter().map(|change| (change.key.clone(), change.value.clone())).collect()
    }

    /// Writes: files first, for what they hold is not lost by what comes after; gives the workloads that were restarted.
    async fn write(&self, rewrites: &[Rewrite]) -> Result<Vec<Stale>, Failure> {
        let mut restarted = Vec::new();
        if self.is_on_cluster() && (!self.changes.is_empty() || self.marks()) {
            let writer = self.writer();
            writer.write(self.survey.secret.as_ref(), &self.values()).await.map_err(Failure::from)?;
            let changed: BTreeSet<String> = self
                .changes
                .iter()
                .filter(|change| self.survey.live.get(&change.key).is_some_and(|live| !is_same(live, &change.value)))
                .map(|change| change.key.clone())
                .collect();
            let (cluster, namespace) = (&self.connection.cluster, &self.scene.namespace);
            let target = &self.scene.declared.target;
            restarted = life::running(cluster, namespace, target, &changed).await.map_err(Failure::from)?;
            // Who runs with a value from before a change whose writer was killed was restarted by nobody.
            for stale in self.survey.stale(cluster, namespace, target).await.map_err(Failure::from)? {
                if !restarted.iter().any(|one| one.workload == stale.workload) {
                    restarted.push(stale);
                }
            }
            SecretWriter::restart(&self.connection.cluster, &restarted, Timestamp::now())
                .await
                .map_err(Failure::from)?;
        }
        for rewrite in rewrites {
            rewrite.write_at(self.context.host.probe.as_deref())?;
        }
        self.hand_over().await?;
        Ok(restarted)
    }

    /// LP-116: what somebody made by hand and is sealed from now on may be taken by the controller; it would leave it alone, and
    /// what is delivered next would never open.
    async fn hand_over(&self) -> Result<(), Failure> {
        let adopts = !self.is_on_cluster() && self.changes.iter().any(|change| change.deed == Deed::Adopted);
        let Some(live) = self.survey.secret.as_ref().filter(|_| adopts) else { return Ok(()) };
        let changed = self.changes.iter().map(|change| change.key.as_str());
        let sealed: BTreeSet<&str> = changed.chain(self.kept.iter().map(String::as_str)).collect();
        if self.writer().hand_over(live, &sealed).await.map_err(Failure::from)? {
            self.context.ui.status(&format!("{} is marked as one that the sealing controller may take", live.key()));
        }
        Ok(())
    }

    /// Writes into the audit log what is about to be done.
    async fn audited(&self) -> Result<i64, Failure> {
        let keys: Vec<_> =
            self.changes.iter().map(|change| json!({"key": change.key, "how": change.deed.id()})).collect();
        let actor = self.context.host.env.get("USER").filter(|name| !name.is_empty()).unwrap_or("local").to_owned();
        let entry = AuditEntry {
            at: landfall_object::whole_second(Timestamp::now()).to_string(),
            actor,
            action: format!("secrets.{}", self.verb),
            target: format!("{} ({})", self.scene.shown(), self.scene.environment),
            detail: json!({"keys": keys, "accepted": self.accepted}),
        };
        self.connection.store().audit.begin(&entry).await.map_err(|error| {
            let text = "the audit log cannot be written; nothing was changed";
            Failure::from(Diagnostic::error(code::UNAUDITED, text).note(error.to_string()))
        })
    }

    /// What the new values are known again by: one that comes back later, or under another name, is told.
    fn prints(&self) -> Vec<(&str, Fingerprint)> {
        let print = |change: &Change| Fingerprint::of(&change.value).ok();
        self.changes.iter().filter_map(|change| Some((change.key.as_str(), print(change)?))).collect()
    }

    /// What is to be done by hand after the changes, key by key.
    fn all_tasks(&self) -> Vec<(&str, Vec<Task>)> {
        let changes = self.changes.iter().filter(|change| !matches!(change.deed, Deed::Adopted | Deed::Carried));
        changes.map(|change| (change.key.as_str(), self.tasks(change))).collect()
    }

    /// Remembers what is about to be written, and what is to be done for it by hand.
    async fn intend(&self, prints: &[(&str, Fingerprint)]) -> Result<(), Failure> {
        let at = landfall_object::whole_second(Timestamp::now());
        let tasks = self.all_tasks();
        let (namespace, target) = (&self.scene.namespace, &self.scene.declared.target);
        let change = |ledger: &mut landfall_secrets::Ledger| {
            let recorded = ledger.of_mut(namespace, target);
            self.survey.found.iter().for_each(|key| recorded.carry_out(key));
            for (key, tasks) in &tasks {
                let Some((_, print)) = prints.iter().find(|(it, _)| it == key) else { continue };
                let intended = Intended { print: print.to_string(), tasks: tasks.clone(), at };
                recorded.intended.insert((*key).to_owned(), intended);
            }
        };
        if self.changes.is_empty() {
            return Ok(());
        }
        remember(&self.connection.cluster, &self.scene.controller.namespace, &change).await.map_err(Failure::from)
    }

    /// Remembers when keys changed, and what is to be done for them by hand.
    async fn remember(&self, prints: &[(&str, Fingerprint)]) -> Result<(), Failure> {
        let at = landfall_object::whole_second(Timestamp::now());
        let tasks = self.all_tasks();
        if self.changes.is_empty() {
            return Ok(());
        }
        let (namespace, target) = (&self.scene.namespace, &self.scene.declared.target);
        let change = |ledger: &mut landfall_secrets::Ledger| {
            let recorded = ledger.of_mut(namespace, target);
            tasks.iter().for_each(|(key, tasks)| recorded.change(key, tasks.iter().cloned(), at));
            prints.iter().for_each(|(key, print)| recorded.know(key, print));
        };
        remember(&self.connection.cluster, &self.scene.controller.namespace, &change).await.map_err(Failure::from)
    }

    /// What is to be done by hand after a change.
    fn tasks(&self, change: &Change) -> Vec<Task> {
        let Some(key) = self.scene.declared.keys.get(&change.key) else { return Vec::new() };
        let mut tasks: Vec<Task> = key.copied_to.iter().cloned().map(Task::Copy).collect();
        let was_there = self.given_up.contains_key(&change.key);
        if was_there {
            if let Permanence::InitOnly(step) = &key.permanence {
                let step =
                    step.clone().unwrap_or_else(|| "its owner keeps the value that it was initialised with".to_owned());
                tasks.push(Task::Step(step));
            }
            match &key.previous {
                Some(previous) => tasks.push(Task::Drop(previous.clone())),
                None => tasks.extend(key.invalidates.iter().cloned().map(Task::Renew)),
            }
        }
        tasks
    }

    async fn committed(&self, rewrites: &[Rewrite]) -> Result<Option<String>, Failure> {
        let Self { args, scene, .. } = self;
        if !(args.commit || args.push) || rewrites.is_empty() {
            return Ok(None);
        }
        let directory = scene.directory()?;
        let paths: Vec<_> = rewrites.iter().map(|rewrite| rewrite.path.clone()).collect();
        let names: Vec<&str> = self.changes.iter().map(|change| change.key.as_str()).collect();
        let title = format!(
            "{} {} of {} ({})",
            capital(self.verb),
            plural(names.len()),
            scene.declared.target,
            scene.environment
        );
        let message = format!("{title}\n\n{}\n", names.join("\n"));
        let commit = files::commit(&directory, &paths, &message).await?;
        if args.push {
            files::push(self.context, &scene.place, &directory).await?;
        }
        Ok(Some(commit))
    }

    /// LP-57: a key that no backup has is told of until one has it.
    async fn remind(&self) {
        if self.args.backup.is_some() {
            return;
        }
        if let Ok(survey) = self.scene.survey(self.connection).await {
            remind(self.context, self.scene, &survey);
        }
    }
}

/// Remembers that sealing keys are saved.
///
/// # Errors
/// What the cluster refuses with.
pub(super) async fn saved_now(connection: &Connection, scene: &Scene, keys: &[String]) -> Result<(), Failure> {
    life::saved(&connection.cluster, &scene.controller.namespace, keys, Timestamp::now()).await.map_err(Failure::from)
}

/// Tells of sealing keys that no backup has.
pub(super) fn remind(context: &Context, scene: &Scene, survey: &Survey) {
    let unsaved = survey.unsaved();
    if unsaved.is_empty() {
        return;
    }
    let text = "what opens sealed values, or is generated once, is in no backup";
    context.ui.diagnostic(
        &Diagnostic::warning(code::STILL_UNSAVED, text)
            .note(unsaved.join(", "))
            .help(format!("landfall secrets backup keys.age --env {} --recipient age1…", scene.environment)),
    );
}

fn plural(count: usize) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{count} keys") }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
