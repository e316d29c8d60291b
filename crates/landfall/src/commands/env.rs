//! `landfall env …`

mod diff;
mod list;

use crate::verb::verbs;

verbs! {
    /// What `env` can do.
    pub(crate) enum EnvCommand {
        /// List the environments: where they live, what they deliver, how
        List(list::EnvListArgs),
        /// Show how two environments differ, object by object
        Diff(diff::EnvDiffArgs),
    }
}
