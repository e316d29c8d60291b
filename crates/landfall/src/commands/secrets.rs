//! `landfall secrets …`

mod backup;
mod cert;
mod changed;
mod changes;
mod check;
mod drill;
pub(super) mod files;
mod given;
mod init;
mod keys;
mod pending;
pub(super) mod plain;
mod restore;
mod rotate;
mod scene;
mod seal;
mod set;

use landfall_diag::{Diagnostic, code};
use landfall_host::Place;
use landfall_project::Environment;

use crate::context::Context;
use crate::looked::{environment_of, project_of};
use crate::verb::verbs;

/// Names what goes with a cluster and is in no backup.
pub(super) fn tell_lost(context: &Context, lost: &[String]) {
    let text = "what opens sealed values, or is generated once, is in no backup and goes with the cluster";
    context.ui.diagnostic(
        &Diagnostic::warning(code::STILL_UNSAVED, text)
            .note(lost.join(", "))
            .help("save it first, `landfall secrets backup keys.age --recipient age1…`"),
    );
}

/// The environments whose Secrets live on a cluster: of a context that was named, those that live there; else the one that was.
fn environments_at(place: &Place, is_environment_named: bool) -> Vec<&Environment> {
    let name = place.cluster.shown().to_owned();
    let is_context_named = !is_environment_named && place.cluster.remote().is_some();
    let lives_here = |it: &&Environment| it.cluster.remote().is_some_and(|remote| remote.context == name);
    match project_of(place).filter(|_| is_context_named) {
        Some(file) => file.system.environments.values().filter(lives_here).collect(),
        None => environment_of(place).into_iter().map(|(_, environment)| environment).collect(),
    }
}

/// Nothing to seal with: no certificate was named, and nobody who could be asked for one.
fn no_cluster() -> Diagnostic {
    Diagnostic::error(
        code::UNSEALED,
        "there is no certificate to seal with: no cluster was started here, and no other one is named",
    )
    .help("name a cluster's kubeconfig with `--kubeconfig FILE`, or start one here: `landfall cluster start`")
}

verbs! {
    /// `landfall secrets …`
    pub(crate) enum SecretsCommand {
        /// Make what is declared and not there yet: generated, taken over or given; sealed into its file
        Init(Box<init::InitArgs>),
        /// Give keys new values; only theirs change, and those that follow from them
        Set(Box<set::SetArgs>),
        /// Generate keys anew, with what follows from them
        Rotate(Box<rotate::RotateArgs>),
        /// Hold what is declared against the file, the cluster and who reads it
        Check(Box<check::CheckArgs>),
        /// The same with ages, readers and sealing keys
        Audit(Box<check::AuditArgs>),
        /// List what is still to be done by hand after changes, and who runs with values from before
        Pending(Box<pending::PendingArgs>),
        /// Generate once what is generated once; a second time is refused
        Bootstrap(Box<init::BootstrapArgs>),
        /// Seal a Secret, or one value of it: kubeseal's flags and output, on any cluster or none
        Seal(seal::SealArgs),
        /// Print the certificate that is sealed with
        Cert(cert::CertArgs),
        /// Save all sealing keys and all keys that are generated once, encrypted
        Backup(backup::BackupArgs),
        /// Put back what a backup holds; nothing that is there is replaced
        Restore(restore::RestoreArgs),
        /// Prove that a backup opens everything; nothing is changed
        Drill(drill::DrillArgs),
    }
}
