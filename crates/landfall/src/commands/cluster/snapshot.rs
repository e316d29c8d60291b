//! `landfall cluster snapshot`: what a cluster has, in a file, values of secrets left out.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Hosting};
use landfall_rehearse::Snapshot;
use serde_json::{Value, json};

use super::used;
use crate::arguments::{OutputArgs, TargetArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `cluster snapshot`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SnapshotArgs {
    /// The file to write; standard output when absent
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for SnapshotArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: SnapshotArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.declared_place(None, &args.place.query()).await?;
    if place.cluster.is_kept_in_state() {
        used(&place.state)?;
    }
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let name = place.cluster.shown();
    let snapshot = Snapshot::read(&connection.cluster, name, jiff::Timestamp::now()).await;
    connection.close().await;
    let snapshot = snapshot.map_err(Failure::from)?;
    let mut text = serde_json::to_string(&snapshot).map_err(|error| {
        Failure::from(
            Diagnostic::error(code::SNAPSHOT_UNWRITTEN, "the snapshot cannot be written").note(error.to_string()),
        )
    })?;
    text.push('\n');
    for kind in &snapshot.unread {
        context.ui.status(&format!("not read: {kind}"));
    }
    if let Some(file) = &args.file {
        write_private(&context.host.directory.join(file), text.as_bytes()).map_err(|error| {
            Failure::from(
                Diagnostic::error(code::SNAPSHOT_UNWRITTEN, format!("`{file}` cannot be written"))
                    .note(error.to_string()),
            )
        })?;
    } else if context.ui.output != Output::Name {
        context
            .ui
            .status("it holds the key of its fingerprints: whoever has it can try guesses at the secrets' values");
    }
    context.report(&Taken { file: args.file.as_deref(), snapshot: &snapshot, text: &text }, Exit::Done, started);
    Ok(Exit::Done)
}

/// A snapshot that was taken.
struct Taken<'a> {
    /// Where it is, as it was typed; printed where nowhere.
    file: Option<&'a str>,
    snapshot: &'a Snapshot,
    /// What a file of it holds.
    text: &'a str,
}

impl Report for Taken<'_> {
    const KIND: &'static str = "Snapshot";

    fn data(&self) -> Value {
        let Snapshot { name, unread, objects, .. } = self.snapshot;
        let printed = self.file.is_none().then(|| json!(self.snapshot));
        json!({"file": self.file, "cluster": name, "objects": objects.len(), "unread": unread, "snapshot": printed})
    }

    fn text(&self, ui: &Ui) {
        let Snapshot { name, objects, .. } = self.snapshot;
        match self.file {
            None => ui.bytes(self.text.as_bytes()),
            Some(file) => ui.line(&format!("{file}: {} objects of {name}; values of secrets left out", objects.len())),
        }
    }

    fn names(&self, ui: &Ui) {
        ui.name(self.file.unwrap_or(&self.snapshot.name));
    }
}

/// Writes a file that its owner alone may read, one that others could read until now too.
fn write_private(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut written = landfall_source::private_options().create(true).truncate(false).open(file)?;
    // A pipe or a device is nobody's to restrict.
    if written.metadata()?.is_file() {
        #[cfg(unix)]
        written.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        written.set_len(0)?;
    }
    written.write_all(content)
}
