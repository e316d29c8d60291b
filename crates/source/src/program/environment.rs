use std::ffi::OsString;

use crate::is_mutant;

/// What of this process's environment another program gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// What tools need to find their user's settings, agents, proxies and cloud accounts: the names in `KEPT`.
    Tools,
    /// All of it, for a program that the user named in this very call: it is the user's own, as are the variables.
    Users,
}

/// Names that are passed on to [`Environment::Tools`]; one that ends with `_` stands for all that begin so.
///
/// None of them makes a loader, a shell or an interpreter run something, and none is a token of a forge.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "LANG",
    "LANGUAGE",
    "LC_",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "XDG_",
    // Who is asked for keys and passphrases.
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GNUPGHOME",
    "GPG_TTY",
    "GPG_AGENT_INFO",
    "PASSWORD_STORE_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    // Who commits, where git's own settings do not say it.
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
    // The way out.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    // Builders, clusters, and the accounts of their credential helpers.
    "DOCKER_",
    "BUILDKIT_",
    "BUILDX_",
    "CONTAINER_",
    "CONTAINERS_",
    "REGISTRY_AUTH_FILE",
    "STORAGE_",
    "K3D_",
    "KIND_",
    "KUBECONFIG",
    "AWS_",
    "AZURE_",
    "CLOUDSDK_",
    "GOOGLE_",
    // Windows starts nothing without them.
    "SystemRoot",
    "SYSTEMROOT",
    "PATHEXT",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramData",
    "USERPROFILE",
    "COMSPEC",
];

impl Environment {
    /// The variables that are passed on.
    pub(super) fn kept(self, all: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
        all.filter(|(name, _)| {
            self == Environment::Users || is_mutant("environment") || name.to_str().is_some_and(is_kept)
        })
        .collect()
    }
}

fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|kept| if kept.ends_with('_') { name.starts_with(kept) } else { name == *kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_get_no_loaders_settings_and_no_token() {
        let names = ["HOME", "LC_ALL", "DOCKER_HOST", "https_proxy", "SSH_AUTH_SOCK", "GIT_AUTHOR_NAME"];
        assert!(names.iter().all(|name| is_kept(name)));
        let left =
            ["LD_PRELOAD", "BASH_ENV", "GITHUB_TOKEN", "GIT_SSH_COMMAND", "PYTHONPATH", "HOMEX", "LANDFALL_TOKEN"];
        assert!(!left.iter().any(|name| is_kept(name)));
        let all = || left.iter().map(|name| (OsString::from(name), OsString::from("x")));
        assert!(Environment::Tools.kept(all()).is_empty());
        assert_eq!(Environment::Users.kept(all()).len(), left.len(), "a program of the user's own keeps them");
    }
}
