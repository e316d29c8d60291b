//! `landfall addon …`

mod install;
mod list;
mod status;

use std::time::Instant;

use clap::Args;
use landfall_delivery::{ADDONS, Addon, addon};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure, Place};
use landfall_project::AddonSpec;

use crate::arguments::{ClusterArgs, OutputArgs};
use crate::context::Context;
use crate::live;
use crate::verb::verbs;

verbs! {
    /// `landfall addon …`
    pub(crate) enum AddonCommand {
        /// List the addons there are, those that the environment declares, and what is installed
        #[command(before_help = "Examples:\n  landfall addon list\n  landfall addon list cert-manager")]
        List(list::AddonListArgs),
        /// Install addons and wait until they run; what is there already stays as it is
        #[command(
            before_help = "Examples:\n  landfall addon install cert-manager --version v1.17.1 --wait\n  landfall addon install mariadb-operator --chart ./charts/mariadb-operator\n  landfall addon install --env prod          what landfall.yaml declares for it"
        )]
        Install(Box<install::AddonInstallArgs>),
        /// Show whether installed addons are healthy
        #[command(before_help = "Examples:\n  landfall addon status\n  landfall addon status cert-manager --context k3d-shop")]
        Status(status::AddonStatusArgs),
    }
}

/// Which addons, of which cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddonListArgs {
    /// Only these
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn catalogue(names: &[String]) -> Result<Vec<&'static Addon>, Failure> {
    if names.is_empty() {
        return Ok(ADDONS.iter().collect());
    }
    names.iter().map(|name| addon(name).map_err(Failure::usage)).collect()
}

fn declared(place: &Place) -> &[AddonSpec] {
    place.declared().map_or(&[], |environment| environment.addons.as_slice())
}

/// Warns of addons that a real cluster's environment declares and that are not on it.
pub(crate) async fn tell_missing(
    context: &Context,
    place: &Place,
    connection: &mut Connection,
    started: Instant,
) -> Result<(), Failure> {
    let declared = declared(place);
    if declared.is_empty() || place.cluster.is_kept_in_state() {
        return Ok(());
    }
    let installed =
        live::with_progress(context, connection, started, |session| async move { session.addons().await }).await;
    let installed = installed.map_err(Failure::from)?;
    let environment = place.environment.as_deref().unwrap_or_default();
    for spec in declared {
        let known = addon(&spec.name).map_err(Failure::usage)?;
        if known.installed(&installed).is_none() {
            context.ui.diagnostic(
                &Diagnostic::warning(
                    code::ADDON_MISSING,
                    format!("environment `{environment}` declares the addon {}, and it is not installed", spec.name),
                )
                .help(format!("landfall addon install --env {environment}")),
            );
        }
    }
    Ok(())
}
