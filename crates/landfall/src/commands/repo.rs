//! `landfall repo …`: who repositories are asked as. Credentials lie where Argo CD keeps them, so that either reads the other's.
//!
//! ```text
//! --token-stdin, … ─► Secret ─► read as the server reads it ─► the remote is asked ─► namespace argocd
//! ```

mod add;
pub(crate) mod credentials;
mod list;
mod remove;

use std::ffi::OsString;

use clap::Args;
use landfall_host::{Connection, Failure, Hosting, Place, PlaceQuery};
use landfall_project::{ContextName, EnvironmentName};

use crate::context::Context;
use crate::verb::verbs;

verbs! {
    /// `landfall repo …`
    pub(crate) enum RepoCommand {
        /// Give the server a login for a repository, or for all whose address begins so; it is tried first
        #[command(
            before_help = "Examples:\n  pass show forge | landfall repo add https://git.example.com/shop.git --username deploy --token-stdin\n  landfall repo add git@git.example.com:shop.git --ssh-key-file deploy_key --context k3d-prod\n  landfall repo add https://git.example.com/team --prefix --try https://git.example.com/team/shop.git --token-file token\n  landfall repo add NAME URL               a chart repository: Helm's (landfall helm repo add --help)"
        )]
        Add(Box<add::RepoAddArgs>),
        /// List the logins of the server: for which repositories, of which kind; never what they are
        #[command(
            before_help = "Examples:\n  landfall repo list --credentials\n  landfall repo list                       chart repositories: Helm's"
        )]
        List(list::RepoListArgs),
        /// Take a repository's login from the server
        #[command(
            before_help = "Examples:\n  landfall repo remove https://git.example.com/shop.git\n  landfall repo remove NAME                a chart repository: Helm's"
        )]
        Remove(Box<remove::RepoRemoveArgs>),
    }
}

/// Flags that Helm's `repo` does not take.
const OWN_FLAGS: [&str; 8] =
    ["--credentials", "--token-stdin", "--token-file", "--ssh-key-file", "--prefix", "--project", "--context", "--env"];

/// Whether what stands behind `repo` is about logins, which are for addresses; Helm's chart repositories have names.
pub(crate) fn is_about_credentials(words: &[OsString]) -> bool {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let Some((part, rest)) = words.split_first() else { return true };
    let is_help = |word: &&str| matches!(*word, "-h" | "--help");
    let is_own = |word: &&str| OWN_FLAGS.contains(&word.split_once('=').map_or(*word, |(flag, _)| flag));
    if is_help(part) {
        return true;
    }
    if !["add", "list", "remove"].contains(part) {
        return false;
    }
    let first = rest.iter().find(|word| !word.starts_with('-'));
    rest.iter().any(is_own)
        || (first.is_none() && rest.iter().any(is_help))
        || first.is_some_and(|word| credentials::is_address(word))
}

/// Whose server it is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    pub(crate) env: Option<EnvironmentName>,
    /// The kubeconfig's context (default: the environment's; else an embedded cluster that was started here; else the
    /// current one)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
}

impl ServerArgs {
    async fn place(&self, context: &Context) -> Result<Place, Failure> {
        let query = PlaceQuery {
            environment: self.env.clone(),
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            ..PlaceQuery::default()
        };
        context.host.cluster_place(None, &query).await
    }
}

async fn connected(context: &Context, place: &Place) -> Result<Connection, Failure> {
    let hosting = if context.host.env.is_ci() { Hosting::InProcess } else { Hosting::Background };
    context.host.connect(place, hosting, &[]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_logins_and_names_are_helms() {
        let is_ours =
            |typed: &str| is_about_credentials(&typed.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        for ours in [
            "",
            "--help",
            "add --help",
            "add https://git.example.com/a --token-stdin",
            "add --username deploy --token-stdin https://git.example.com/a",
            "add git@git.example.com:a.git --ssh-key-file=key",
            "remove --context k3d-prod https://git.example.com/a",
            "list --credentials",
            "list --context k3d-prod -o json",
            "list -h",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for helms in [
            "add stable https://charts.example.com",
            "add --username u --password-stdin stable https://charts.example.com",
            "add stable https://charts.example.com --help",
            "list",
            "list -o json",
            "ls",
            "remove stable",
            "rm stable",
            "update",
            "index . --url https://charts.example.com",
        ] {
            assert!(!is_ours(helms), "{helms}");
        }
    }
}
