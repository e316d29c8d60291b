//! `landfall cluster snapshot` and `landfall cluster fork`.

use std::io::Write;
use std::path::Path;

use landfall_cluster::ListOptions;
use landfall_diag::{Diagnostic, code};
use landfall_host::{self as host, Chosen, Failure, Hosting, failed};
use landfall_rehearse::Snapshot;

use crate::cli::{ForkArgs, SnapshotArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};

pub(crate) async fn write(context: &Context, args: SnapshotArgs) -> Outcome {
    let place = context.host.declared_place(None, &args.place.query())?;
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

pub(crate) async fn fork(context: &Context, args: ForkArgs) -> Outcome {
    let into = context.host.take(context.host.directory.join(&args.into), Chosen::ByUser)?;
    if into.file("cluster.db").exists() {
        return Err(Failure::usage(
            Diagnostic::error(code::CLUSTER_THERE, format!("`{}` holds a cluster already", args.into))
                .help("name another directory"),
        ));
    }
    let state = context.host.state_here()?;
    let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
    let mut objects = Vec::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    for resource in connection.cluster.resources().await.map_err(|error| failed(&error))? {
        let kind = (resource.gvk.group.clone(), resource.gvk.kind.clone());
        // One kind in several versions is one store, and events of either group are the same.
        if !resource.takes("list") || !resource.takes("create") || seen.contains(&kind) || kind.0 == "events.k8s.io" {
            continue;
        }
        seen.push(kind);
        let found = connection.cluster.list(&resource.gvk, &ListOptions::default()).await;
        objects.extend(found.map_err(|error| failed(&error))?);
    }
    connection.close().await;
    into.create().map_err(Failure::from)?;
    let count = objects.len();
    let copy = host::open(&into).await?;
    copy.import(objects);
    let written = host::persisted(&copy).await;
    copy.stop();
    written?;
    context.ui.line(&format!("{count} objects copied · landfall --state {} status", args.into));
    Ok(Exit::Done)
}
