//! `landfall secrets …`

mod backup;
mod drill;
mod keys;
mod restore;
mod seal;

use crate::verb::verbs;

verbs! {
    /// `landfall secrets …`
    pub(crate) enum SecretsCommand {
        /// Seal a Secret, or one value of it: kubeseal's flags and output, on any cluster or none
        Seal(seal::SealArgs),
        /// Save all sealing keys and all keys that are generated once, encrypted
        Backup(backup::BackupArgs),
        /// Put back what a backup holds; nothing that is there is replaced
        Restore(restore::RestoreArgs),
        /// Prove that a backup opens everything; nothing is changed
        Drill(drill::DrillArgs),
    }
}
