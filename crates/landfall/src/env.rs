//! The environment: the one place that reads its variables, and the table of those that mean something.

use std::collections::BTreeMap;

/// A snapshot of the environment's variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Env {
    vars: BTreeMap<String, String>,
}

/// Variables that Landfall reads, with one line each; `landfall version --env` lists them.
pub(crate) const KNOWN: &[(&str, &str)] = &[
    ("CI", "no questions, no live progress, and no background server is left behind"),
    ("CLICOLOR_FORCE", "colour even when not on a terminal"),
    ("COLUMNS", "the terminal's width"),
    ("DOCKER_CONFIG", "where Docker's credentials lie"),
    (
        "GITHUB_TOKEN, GITLAB_TOKEN, GITEA_TOKEN",
        "the tokens of github.com, gitlab.com and codeberg.org for `doctor repo`, and of the hosts that GITHUB_SERVER_URL, CI_SERVER_HOST and GITEA_SERVER_URL name",
    ),
    ("HOME", "where the personal configuration lives"),
    ("HELM_DRIVER", "where Helm's verbs keep records: secret or configmap"),
    ("HELM_KUBE…", "the cluster of Helm's verbs, as Helm has them: HELM_KUBECONTEXT, HELM_KUBETOKEN and so on"),
    ("HELM_MAX_HISTORY", "how many revisions Helm's verbs keep"),
    ("HELM_NAMESPACE", "the namespace of Helm's verbs"),
    ("KUBECONFIG", "where kubeconfigs are looked for, as kubectl does"),
    ("LANDFALL_ENV", "the environment of landfall.yaml, as --env"),
    ("LANDFALL_FORGE_HOST", "the host that LANDFALL_FORGE_TOKEN is for, where it is not a public forge"),
    ("LANDFALL_FORGE_TOKEN", "the forge's token for `doctor repo`"),
    ("LANDFALL_HELM_DIALECT", "v3 or v4: whose bytes rendering reproduces, as --helm-dialect"),
    ("LANDFALL_HTTP_PATIENCE", "how many seconds a repository or registry may be silent; 8 when not said"),
    ("LANDFALL_HTTP_PORT", "the port that leads to port 80 of a cluster of this machine, as --http-port"),
    ("LANDFALL_HTTPS_PORT", "the port that leads to its port 443, as --https-port"),
    ("LANDFALL_LOG", "what is logged to standard error, as `landfall_engine=debug`"),
    ("LANDFALL_NO_PROGRESS", "no live progress"),
    ("LANDFALL_STATE", "the state directory, as --state"),
    (crate::probe::VARIABLE, "for tests: records what a delivery writes, or kills it there"),
    ("NO_COLOR", "no colour"),
    ("XDG_CACHE_HOME", "where caches live"),
    ("XDG_CONFIG_HOME", "where the personal configuration lives"),
    ("XDG_STATE_HOME", "where the state of systems given by URL lives, and journals of Helm's verbs"),
];

impl Env {
    /// The environment of this process.
    pub(crate) fn current() -> Self {
        Env {
            vars: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        }
    }

    /// A variable's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// Whether a continuous-integration service runs us.
    pub(crate) fn is_ci(&self) -> bool {
        self.get("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
    }
}
