//! `landfall cluster snapshot`: what a cluster has, in a file, values of secrets left out.

use std::io::Write;
use std::path::Path;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Hosting};
use landfall_rehearse::Snapshot;

use crate::arguments::TargetArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `cluster snapshot`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SnapshotArgs {
    /// The file to write; standard output when absent
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
}

impl Verb for SnapshotArgs {
    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: SnapshotArgs) -> Outcome {
    let place = context.host.declared_place(None, &args.place.query()).await?;
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
    match &args.file {
        None => {
            context
                .ui
                .status("it holds the key of its fingerprints: whoever has it can try guesses at the secrets' values");
            context.ui.bytes(text.as_bytes());
        }
        Some(file) => {
            write_private(&context.host.directory.join(file), text.as_bytes()).map_err(|error| {
                Failure::from(
                    Diagnostic::error(code::SNAPSHOT_UNWRITTEN, format!("`{file}` cannot be written"))
                        .note(error.to_string()),
                )
            })?;
            context
                .ui
                .line(&format!("{file}: {} objects of {name}; values of secrets left out", snapshot.objects.len()));
        }
    }
    Ok(Exit::Done)
}

/// Writes a file that its owner alone may read, one that others could read until now too.
fn write_private(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(file)?;
    // A pipe or a device is nobody's to restrict.
    if written.metadata()?.is_file() {
        #[cfg(unix)]
        written.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        written.set_len(0)?;
    }
    written.write_all(content)
}
