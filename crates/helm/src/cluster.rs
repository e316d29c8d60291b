//! Which cluster Helm's verbs talk to, and how it is reached.
//!
//! ```text
//! --kubeconfig, KUBECONFIG, ~/.kube/config ─► context ─► --kube-… over it ─► a client
//! none of them, but an embedded cluster here ─► that one
//! none of them ─► localhost:8080, as client-go; in our own voice a hint
//! ```

use std::io;
use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use landfall_chart::{Capabilities, Dialect, KubeVersion};
use landfall_cluster::{Cluster, ServerVersion};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Connection, Hosting, Reading, Unreadable};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::flags::Flags;
use super::journal::JournalPlace;
use super::{Refusal, Stop, Voice, World};

/// What client-go talks to when nobody says otherwise.
const NOWHERE: &str = "http://localhost:8080";

/// A cluster that answers.
pub(super) struct Reached {
    /// The cluster.
    pub(super) cluster: Cluster,
    /// Its version.
    pub(super) version: ServerVersion,
    /// Where the journal of an operation on it lies.
    pub(super) journals: JournalPlace,
    embedded: Option<Connection>,
}

impl Reached {
    /// What the cluster offers to templates.
    pub(super) async fn capabilities(&self) -> Result<Capabilities, Stop> {
        let mut capabilities = Capabilities::default();
        let ServerVersion { major, minor, git_version } = self.version.clone();
        capabilities.kube_version = KubeVersion { normalized: git_version.clone(), version: git_version, major, minor };
        capabilities.api_versions = self.cluster.api_versions().await.map_err(|error| {
            Stop::said(format!("could not get apiVersions from Kubernetes: {error}"), error.diagnose())
        })?;
        Ok(capabilities)
    }

    /// Ends what listens to `stop` when an embedded cluster's server has gone.
    pub(super) fn watch(&self, stop: &CancellationToken) {
        if let Some(connection) = &self.embedded {
            connection.watch(stop);
        }
    }

    /// Why a verb could not go on, when it is that the embedded cluster's server has gone.
    pub(super) fn lost(&self) -> Option<Stop> {
        let diagnostic = self.embedded.as_ref()?.lost()?.into_first()?;
        let words = format!("Kubernetes cluster unreachable: {}", diagnostic.message);
        Some(Stop::said(words, diagnostic).being(Refusal::Lost))
    }

    /// Ends what this process hosts.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = &mut self.embedded {
            connection.close().await;
        }
    }
}

/// Connects and asks for the version, as Helm does before anything else.
pub(super) async fn reach(world: &World<'_>, flags: &Flags) -> Result<Reached, Stop> {
    let cluster = match super::dialect(world, flags)? {
        Dialect::V3 => "Kubernetes cluster",
        Dialect::V4 => "kubernetes cluster",
    };
    let unreachable = |words: String| {
        let diagnostic =
            Diagnostic::error(code::UNREACHABLE, "the Kubernetes cluster cannot be reached").note(words.clone());
        let diagnostic = match world.voice {
            Voice::Helm => diagnostic,
            Voice::Landfall => diagnostic.help(
                "name a kubeconfig with --kubeconfig or KUBECONFIG, or start a cluster: `landfall cluster start`",
            ),
        };
        Stop::said(format!("{cluster} unreachable: {words}"), diagnostic).being(Refusal::Unreachable)
    };
    let wanted = Wanted::of(world, flags);
    let (kubeconfig, found) = wanted.kubeconfig(world).map_err(&unreachable)?;
    if !found && let Some(reached) = embedded(world).await? {
        return Ok(reached);
    }
    let options = KubeConfigOptions { context: wanted.context.clone(), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let client = kube::Client::try_from(config).map_err(|error| unreachable(error.to_string()))?;
    let cluster = Cluster::new(client);
    let version = cluster.version().await.map_err(|error| unreachable(go_words(&error, &server)))?;
    let journals = JournalPlace::personal(world, &server);
    Ok(Reached { cluster, version, journals, embedded: None })
}

/// The embedded cluster of this directory, when it was started.
async fn embedded(world: &World<'_>) -> Result<Option<Reached>, Stop> {
    let Ok(state) = world.host.state_here() else { return Ok(None) };
    if !state.has_cluster() {
        return Ok(None);
    }
    let connection = world.host.embedded(&state, Hosting::Attach).await.map_err(|failure| {
        Stop::of_host(failure, code::EMBEDDED_UNTALKABLE, "the embedded cluster cannot be reached")
    })?;
    let cluster = connection.cluster.clone();
    let version = cluster.version().await.map_err(|error| {
        Stop::said(format!("Kubernetes cluster unreachable: {error}"), error.diagnose()).being(Refusal::Lost)
    })?;
    let journals = JournalPlace::shared(connection.store().clone(), state);
    Ok(Some(Reached { cluster, version, journals, embedded: Some(connection) }))
}

/// The kubeconfig that a flag names.
pub(super) fn explicit_kubeconfig(world: &World<'_>, flags: &Flags) -> Option<PathBuf> {
    flags.text("kubeconfig").filter(|path| !path.is_empty()).map(|path| world.host.directory.join(path))
}

/// The kubeconfig's files.
pub(super) fn kubeconfig_files(world: &World<'_>, explicit: Option<&Path>) -> Vec<PathBuf> {
    let files = landfall_host::kubeconfig_files(&world.host.env, explicit);
    files.into_iter().map(|file| world.host.directory.join(file)).collect()
}

/// What flags and environment ask for.
struct Wanted {
    explicit: Option<PathBuf>,
    paths: Vec<PathBuf>,
    context: Option<String>,
    server: Option<String>,
    token: Option<String>,
    ca_file: Option<String>,
    user: Option<String>,
    groups: Vec<String>,
    insecure: bool,
    tls_server_name: Option<String>,
}

impl Wanted {
    fn of(world: &World<'_>, flags: &Flags) -> Wanted {
        let text = |flag: &str, variable: &str| {
            let given = flags.text(flag).map(str::to_owned).or_else(|| world.env(variable));
            given.filter(|text| !text.is_empty())
        };
        let explicit = explicit_kubeconfig(world, flags);
        let paths = kubeconfig_files(world, explicit.as_deref());
        let mut groups = flags.all("kube-as-group").to_vec();
        if groups.is_empty() {
            let list = world.env("HELM_KUBEASGROUPS").unwrap_or_default();
            let list = list.trim_matches([',', ' ']);
            groups = list.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect();
        }
        let insecure = match flags.text("kube-insecure-skip-tls-verify") {
            Some(given) => given == "true",
            None => matches!(
                world.env("HELM_KUBEINSECURE_SKIP_TLS_VERIFY").as_deref(),
                Some("true" | "1" | "t" | "T" | "TRUE" | "True")
            ),
        };
        Wanted {
            explicit,
            paths,
            context: text("kube-context", "HELM_KUBECONTEXT"),
            server: text("kube-apiserver", "HELM_KUBEAPISERVER"),
            token: text("kube-token", "HELM_KUBETOKEN"),
            ca_file: text("kube-ca-file", "HELM_KUBECAFILE"),
            user: text("kube-as-user", "HELM_KUBEASUSER"),
            groups,
            insecure,
            tls_server_name: text("kube-tls-server-name", "HELM_KUBETLS_SERVER_NAME"),
        }
    }

    /// The kubeconfig with the flags over it, and whether there was anything to go by.
    fn kubeconfig(&self, world: &World<'_>) -> Result<(Kubeconfig, bool), String> {
        let merged =
            landfall_host::merged_kubeconfig(&self.paths).map_err(|Unreadable { file, why, at }| match at {
                Reading::Alone => format!("error loading config file {:?}: {why}", file.display().to_string()),
                Reading::Merging => why.to_string(),
            })?;
        if let (Some(_), Some(path)) = (&self.explicit, merged.missing.first()) {
            return Err(format!("stat {}: no such file or directory", path.display()));
        }
        let mut kubeconfig = merged.config.unwrap_or_default();
        let name = match &self.context {
            Some(name) if !kubeconfig.contexts.iter().any(|context| context.name == *name) => {
                return Err(format!("context {name:?} does not exist"));
            }
            Some(name) => Some(name.clone()),
            None => kubeconfig.current_context.clone().filter(|name| !name.is_empty()),
        };
        let known = name.as_ref().is_some_and(|name| kubeconfig.contexts.iter().any(|context| context.name == *name));
        if !known {
            let server = self.server.clone().unwrap_or_else(|| NOWHERE.to_owned());
            kubeconfig = blank(&server)?;
        }
        self.put_over(&mut kubeconfig, world)?;
        Ok((kubeconfig, known || self.server.is_some()))
    }

    fn put_over(&self, kubeconfig: &mut Kubeconfig, world: &World<'_>) -> Result<(), String> {
        let name = self.context.clone().or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
        let context = kubeconfig.contexts.iter().find(|context| context.name == name);
        let Some(context) = context.and_then(|context| context.context.clone()) else { return Ok(()) };
        if let Some(cluster) = kubeconfig.clusters.iter_mut().find(|cluster| cluster.name == context.cluster)
            && let Some(cluster) = &mut cluster.cluster
        {
            if let Some(server) = &self.server {
                let scheme = if server.contains("://") { "" } else { "http://" };
                cluster.server = Some(format!("{scheme}{server}"));
            }
            if let Some(path) = &self.ca_file {
                cluster.certificate_authority = Some(world.host.directory.join(path).display().to_string());
                cluster.certificate_authority_data = None;
            }
            if self.insecure {
                cluster.insecure_skip_tls_verify = Some(true);
                cluster.certificate_authority = None;
                cluster.certificate_authority_data = None;
            }
            if self.tls_server_name.is_some() {
                cluster.tls_server_name.clone_from(&self.tls_server_name);
            }
        }
        let user = context.user.unwrap_or_default();
        if let Some(entry) = kubeconfig.auth_infos.iter_mut().find(|entry| entry.name == user) {
            let info = entry.auth_info.get_or_insert_default();
            if let Some(token) = &self.token {
                let only: AuthInfo =
                    serde_json::from_value(json!({"token": token})).map_err(|error| error.to_string())?;
                info.token = only.token;
                info.token_file = None;
                info.client_certificate_data = None;
                info.client_certificate = None;
                info.client_key = None;
                info.client_key_data = None;
            }
            if self.user.is_some() {
                info.impersonate.clone_from(&self.user);
            }
            if !self.groups.is_empty() {
                info.impersonate_groups = Some(self.groups.clone());
            }
        }
        Ok(())
    }
}

/// A kubeconfig of one context.
fn blank(server: &str) -> Result<Kubeconfig, String> {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "default",
        "clusters": [{"name": "default", "cluster": {"server": server}}],
        "users": [{"name": "default", "user": {}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
    }))
    .map_err(|error| error.to_string())
}

/// Why a cluster cannot be reached, in Go's words.
fn go_words(error: &landfall_cluster::Error, server: &str) -> String {
    match error.code() {
        Some(401) => return "the server has asked for the client to provide credentials".to_owned(),
        Some(_) => return error.to_string(),
        None => {}
    }
    let mut causes = Vec::new();
    let mut refused = None;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>() {
            refused.get_or_insert(io.kind());
        }
        causes.push(one.to_string());
        cause = one.source();
    }
    let text = causes.join(": ");
    let authority = server.split_once("://").map_or(server, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => (host, port.to_owned()),
        _ => (authority, if server.starts_with("https") { "443" } else { "80" }.to_owned()),
    };
    let dialled = || {
        let bare = host.trim_matches(['[', ']']);
        let found = std::net::ToSocketAddrs::to_socket_addrs(&(bare, port.parse().unwrap_or(0)));
        let found: Vec<std::net::SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        first.map_or_else(|| format!("{host}:{port}"), ToString::to_string)
    };
    let why = match refused {
        Some(io::ErrorKind::ConnectionRefused) => format!("dial tcp {}: connect: connection refused", dialled()),
        Some(io::ErrorKind::TimedOut) => format!("dial tcp {}: i/o timeout", dialled()),
        Some(io::ErrorKind::HostUnreachable) => format!("dial tcp {}: connect: no route to host", dialled()),
        Some(io::ErrorKind::NetworkUnreachable) => format!("dial tcp {}: connect: network is unreachable", dialled()),
        _ if text.contains("dns error") || text.contains("lookup address") => {
            format!("dial tcp: lookup {host}: no such host")
        }
        _ if text.contains("UnknownIssuer") => {
            "tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned()
        }
        _ => causes.last().cloned().unwrap_or_default(),
    };
    format!("Get {:?}: {why}", format!("{server}/version"))
}
