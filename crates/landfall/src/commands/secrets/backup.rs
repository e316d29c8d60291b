//! `landfall secrets backup`.

use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_delivery::escrow;
use landfall_delivery::life::{OtherSaved, SealingController, others_saved, saved};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure, Hosting};
use landfall_project::Environment;
use landfall_secrets::age::Audience;
use landfall_secrets::{Backup, Saved, saved_for};
use serde_json::{Value, json};

use super::environments_at;
use super::keys::AudienceArgs;
use crate::arguments::{ClusterArgs, OutputArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `secrets backup`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets backup keys.age --recipient age1…\n  landfall secrets backup keys.age --env prod --recipients-file ops.txt\n  age -d -i key.txt keys.age | kubectl apply -f -     the same, without Landfall"
)]
pub(crate) struct BackupArgs {
    /// The file to write: a new one, which its owner alone may read
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    audience: AudienceArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for BackupArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        // Before anybody is asked for anything.
        let audience = self.audience.audience(context)?;
        let place = context.host.cluster_place(None, &self.cluster.query()).await?;
        let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
        let environments = environments_at(&place, self.cluster.env.is_some());
        let outcome = self.save(context, &connection, &environments, &audience, started).await;
        connection.close().await;
        outcome
    }
}

impl BackupArgs {
    async fn save(
        &self,
        context: &Context,
        connection: &Connection,
        environments: &[&Environment],
        audience: &Audience,
        started: Instant,
    ) -> Outcome {
        let backup = escrow(&connection.cluster).await.map_err(Failure::from)?;
        let others: Vec<OtherSaved> =
            environments.iter().flat_map(|environment| others_saved(environment, &backup)).collect();
        let file = backup.close(audience).map_err(|error| {
            Failure::from(Diagnostic::error(code::BACKUP_CLOSED, format!("the backup cannot be encrypted: {error}")))
        })?;
        let written = landfall_source::write_new_private(&context.host.directory.join(&self.file), file.as_bytes());
        written.map_err(|error| {
            let diagnostic = Diagnostic::error(code::FILES, format!("{} cannot be written", self.file));
            let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
            let diagnostic = diagnostic.note(error.to_string());
            Failure::from(if is_there {
                diagnostic.help("an earlier backup is not replaced: name another file")
            } else {
                diagnostic
            })
        })?;
        // LP-57: what is saved is remembered where everybody who seals looks; the file is good without it.
        let controller = SealingController::default();
        // What is another value than the one that was generated saves that one not.
        let mut keys = backup.saves();
        keys.retain(|key| !others.iter().any(|other| other.saved_name() == *key));
        others.iter().for_each(|other| context.ui.diagnostic(&told(other)));
        let remembered = saved(&connection.cluster, &controller.namespace, &keys, Timestamp::now());
        if let Err(diagnostic) = remembered.await {
            let text = "the backup is written, but the cluster does not remember it";
            let told = Diagnostic::warning(code::STILL_UNSAVED, text).note(diagnostic.message);
            context.ui.diagnostic(&told.help("protected environments refuse to seal until a backup is remembered"));
        }
        context.report(&Written { file: &self.file, cluster: &connection.name, backup: &backup }, Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Tells of a value in the backup that is not the one that was generated: it could not be restored.
fn told(other: &OtherSaved) -> Diagnostic {
    let (key, place) = (&other.key, other.place());
    let text = format!("`{key}` of {place} is in the backup with another value than the one that was generated");
    Diagnostic::warning(code::ANOTHER_BORN, text)
        .note("landfall.yaml has the fingerprint of the one that was; this one is not restored, and the other is in no backup by this")
        .help("put the right value back, from an earlier backup or from what is sealed in git (`landfall secrets check` tells), and save it again")
}

/// What was saved.
struct Written<'a> {
    file: &'a str,
    cluster: &'a str,
    backup: &'a Backup,
}

impl Written<'_> {
    fn rows(&self) -> Vec<[String; 3]> {
        let row = |secret: landfall_object::Object| {
            let (kind, what) = match saved_for(&secret)? {
                Saved::SealingKey(fingerprint) => ("sealing key", fingerprint),
                Saved::Once(keys) => ("generated once", keys.join(", ")),
            };
            Some([format!("{}/{}", secret.namespace().unwrap_or_default(), secret.name()), kind.to_owned(), what])
        };
        self.backup.secrets().filter_map(row).collect()
    }
}

impl Report for Written<'_> {
    const KIND: &'static str = "Backup";

    fn data(&self) -> Value {
        let saved: Vec<Value> = self
            .rows()
            .into_iter()
            .map(|[secret, kind, what]| json!({"secret": secret, "kind": kind, "what": what}))
            .collect();
        json!({"file": self.file, "cluster": self.cluster, "saved": saved})
    }

    fn text(&self, ui: &Ui) {
        let mut table = Table::new(["SECRET", "KIND", "WHAT"]);
        self.rows().into_iter().for_each(|row| table.row(row));
        ui.table(&table);
        ui.line(&format!(
            "saved from {} to {}; `landfall secrets drill {}` proves that it opens",
            self.cluster, self.file, self.file
        ));
    }

    fn names(&self, ui: &Ui) {
        self.rows().iter().for_each(|[secret, ..]| ui.name(secret));
    }
}
