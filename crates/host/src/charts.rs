//! How charts that lie elsewhere are asked for: with the repositories and credentials of the person whose process it is.

use std::path::PathBuf;

use landfall_source::{Credentials, RemoteCharts};

use crate::Host;
use crate::env::{Env, patience};
use crate::place::Place;
use crate::state::make_cache;

/// The directories in which Helm keeps its files (helm: `pkg/helmpath`).
#[derive(Debug, Clone)]
pub struct HelmHomes {
    /// What was fetched.
    pub cache: String,
    /// Repositories and credentials.
    pub config: String,
    /// Plugins.
    pub data: String,
}

impl HelmHomes {
    /// Where the variables say.
    pub fn of(env: &Env) -> Self {
        let set = |name: &str| env.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let home = env.get("HOME").unwrap_or_default();
        let place = |own: &str, xdg: &str, usual: &str| {
            set(own)
                .or_else(|| set(xdg).map(|base| format!("{base}/helm")))
                .unwrap_or_else(|| format!("{home}/{usual}/helm"))
        };
        HelmHomes {
            cache: place("HELM_CACHE_HOME", "XDG_CACHE_HOME", ".cache"),
            config: place("HELM_CONFIG_HOME", "XDG_CONFIG_HOME", ".config"),
            data: place("HELM_DATA_HOME", "XDG_DATA_HOME", ".local/share"),
        }
    }
}

impl Host {
    /// How charts elsewhere are asked for outside of Helm's verbs: with the repositories and credentials that Helm's own
    /// files and Docker's hold; archives are kept in a place's own cache.
    pub fn remote_charts(&self, place: &Place) -> RemoteCharts {
        let homes = HelmHomes::of(&self.env);
        let or = |name: &str, usual: String| self.directory.join(self.env.get(name).map_or(usual, str::to_owned));
        let repositories = or("HELM_REPOSITORY_CONFIG", format!("{}/repositories.yaml", homes.config));
        let registries = or("HELM_REGISTRY_CONFIG", format!("{}/registry/config.json", homes.config));
        RemoteCharts {
            cache: Some(place.state.file("cache")),
            // Its directory gets its marker before anything lies in it.
            make_cache: Some(make_cache),
            repositories: Some(repositories),
            credentials: Credentials {
                given: None,
                files: [Some(registries), docker_credentials(&self.env)].into_iter().flatten().collect(),
            },
            accounts: Default::default(),
            patience: patience(&self.env),
            network: self.network.clone(),
            named_by_charts: Default::default(),
        }
    }
}

/// The file in which Docker keeps credentials.
pub fn docker_credentials(env: &Env) -> Option<PathBuf> {
    let set = |name: &str| env.get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let directory = set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")));
    directory.map(|directory| directory.join("config.json"))
}
