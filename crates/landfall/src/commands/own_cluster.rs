//! The cluster of this machine that `up` makes and `down` deletes.

use std::path::PathBuf;

use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place, Protection, RemoteContext};
use landfall_machine::{K3d, Made};

use crate::context::Context;

/// Where it is written down, in a system's state, that `up` has made its cluster.
const MADE: &str = "made-cluster";

/// The cluster that a place means and that k3d could make: its context has k3d's name, nobody protects it, and the
/// kubeconfig does not know it.
///
/// # Errors
/// A port in the environment that is none.
pub(crate) fn missing(context: &Context, place: &Place) -> Result<Option<(String, K3d)>, Failure> {
    let Some(RemoteContext { name, kubeconfig, protection: Protection::Open }) = place.cluster.remote() else {
        return Ok(None);
    };
    let Some(cluster) = K3d::cluster_of(name) else { return Ok(None) };
    if landfall_host::has_context(&context.host.env, name, kubeconfig.as_deref()) {
        return Ok(None);
    }
    let usual = K3d::default();
    let k3d = K3d {
        kubeconfig: kubeconfig.clone(),
        http: port(context, "LANDFALL_HTTP_PORT", usual.http)?,
        https: port(context, "LANDFALL_HTTPS_PORT", usual.https)?,
    };
    Ok(Some((cluster.to_owned(), k3d)))
}

/// A port that the environment names, else the usual one.
fn port(context: &Context, variable: &str, usual: u16) -> Result<u16, Failure> {
    match context.host.env.get(variable).filter(|text| !text.is_empty()) {
        None => Ok(usual),
        Some(text) => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            Failure::usage(Diagnostic::error(
                code::BAD_PORT_VARIABLE,
                format!("{variable} is `{text}`, which is no port"),
            ))
        }),
    }
}

/// Makes the cluster that `up` delivers to; it is written down before, so that `down` knows whose it is.
pub(crate) async fn make(context: &Context, place: &Place, name: &str, k3d: &K3d) -> Result<(), Failure> {
    place.state.create().map_err(Failure::from)?;
    context.ui.status(&format!("  > k3d cluster create {name}"));
    let is_new = mark(place).as_deref() != Some(name);
    place.state.write_private(MADE, name.as_bytes()).map_err(Failure::from)?;
    let made = tokio::select! {
        made = k3d.create(name) => made,
        // It may be half there: the mark stays, and `down` deletes it.
        () = context.host.stop.cancelled() => return Err(interrupted(name)),
    };
    match made {
        Ok(Made::Created) => Ok(()),
        // Somebody else's, or of an earlier `up` that ended in the middle.
        Ok(Made::Started | Made::AlreadyThere) if is_new => {
            forget(place);
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(diagnostic) => {
            if is_new {
                forget(place);
            }
            Err(Failure::from(diagnostic))
        }
    }
}

/// The cluster of this place that `up` has made.
pub(crate) fn made(place: &Place) -> Option<(String, K3d)> {
    let RemoteContext { name, kubeconfig, protection: Protection::Open } = place.cluster.remote()? else { return None };
    let cluster = K3d::cluster_of(name)?;
    let k3d = K3d { kubeconfig: kubeconfig.clone(), ..K3d::default() };
    (mark(place).as_deref() == Some(cluster)).then(|| (cluster.to_owned(), k3d))
}

/// Deletes the cluster that `up` has made.
pub(crate) async fn unmake(context: &Context, place: &Place, name: &str, k3d: &K3d) -> Result<(), Failure> {
    context.ui.status(&format!("  > k3d cluster delete {name}"));
    k3d.delete(name).await.map_err(Failure::from)?;
    forget(place);
    Ok(())
}

fn mark(place: &Place) -> Option<String> {
    std::fs::read_to_string(place.state.file(MADE)).ok().map(|name| name.trim().to_owned())
}

fn forget(place: &Place) {
    let _not_there: std::io::Result<()> = std::fs::remove_file::<PathBuf>(place.state.file(MADE));
}

pub(crate) fn interrupted(name: &str) -> Failure {
    Failure::from(
        Diagnostic::error(code::INTERRUPTED_BEFORE, format!("interrupted while the cluster {name} was being made"))
            .help(format!("landfall cluster delete {name} --driver k3d")),
    )
}
