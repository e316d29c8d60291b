//! From this machine: ports, certificates, images, the forge, the machine's own files.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use landfall_delivery::TargetKind;
use landfall_diag::{Diagnostic, code};
use landfall_doctor::{self as doctor, Area, Forge, ForgeAccess, ForgeKind, Handshake, Machine, Observation};
use landfall_host::Failure;
use landfall_rules::Subject;
use landfall_source::{Access, Credentials, Registry, Scheme, repository_key};

use super::{Sick, forge_token, identities};

/// The doors of a place: the shell's and the web's.
const DOORS: [u16; 3] = [22, 80, 443];

/// The ports of a host; without one those of this machine that the embedded cluster would take, or of the place.
pub(super) async fn ports(sick: &Sick<'_>, host: Option<&str>) -> Vec<Observation> {
    let declared = sick.place.declared().and_then(|environment| {
        let expected =
            environment.hosts.as_ref().and_then(|hosts| hosts.expect.as_ref()?.iter().next().map(str::to_owned));
        environment.facts.as_ref().and_then(|facts| facts.address.as_ref().map(ToString::to_string)).or(expected)
    });
    match (host.map(str::to_owned).or(declared), sick.place.cluster.remote()) {
        (Some(host), _)
            if host.parse::<std::net::SocketAddr>().is_ok()
                || host
                    .rsplit_once(':')
                    .is_some_and(|(name, port)| !name.contains(':') && port.parse::<u16>().is_ok()) =>
        {
            let (name, port) = host.rsplit_once(':').unwrap_or((&host, "443"));
            doctor::ports(name, &[port.parse().unwrap_or(443)], sick.patience).await
        }
        (Some(host), Some(_)) => doctor::ports(&host, &DOORS, sick.patience).await,
        (Some(named), None) if host.is_some() => doctor::ports(&named, &DOORS, sick.patience).await,
        (_, None) => doctor::local_ports(&[80, 443], Path::new("/")),
        (None, Some(_)) => {
            vec![
                Observation::not_checked(Area::Ports, "the place", "its address is not known")
                    .help("landfall doctor ports HOST, or declare `facts.address`"),
            ]
        }
    }
}

/// What the public names serve over TLS.
pub(super) async fn certificates(sick: &Sick<'_>, subject: &Subject<'_>) -> Vec<Observation> {
    if sick.place.cluster.is_kept_in_state() {
        return vec![Observation::told(Area::Tls, "certificates", "of the embedded cluster are simulated")];
    }
    let hosts = doctor::hosts_of(subject);
    let served = futures::future::join_all(hosts.iter().map(|host| doctor::handshake(host, 443, sick.patience))).await;
    let now = jiff::Timestamp::now();
    let seen = hosts.iter().zip(&served).map(|(host, served): (&String, &Handshake)| {
        doctor::certificates_of(host, served, now, subject.is_protected())
    });
    seen.collect()
}

/// Whether each image can be pulled with the credentials of this account.
pub(super) async fn images(sick: &Sick<'_>, subject: &Subject<'_>) -> Vec<Observation> {
    let images = doctor::images_of(subject);
    let (files, timeout) = (
        Vec::from_iter(landfall_host::docker_credentials(&sick.context.host.env)),
        sick.patience.max(Duration::from_secs(2)),
    );
    let asked = images.iter().map(|image| {
        let files = files.clone();
        async move {
            let host = image.split('/').next().unwrap_or_default();
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            let local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
            let client = sick.context.host.network.client(Access { timeout: Some(timeout), ..Access::default() });
            let scheme = if local { Scheme::Either } else { Scheme::Https };
            let registry = Registry::new(client, Credentials { given: None, files }, scheme);
            doctor::image_access(&registry, image).await
        }
    });
    let found = futures::future::join_all(asked).await;
    images.iter().zip(found).map(|(image, access)| access.observation(image)).collect()
}

/// The forge of the repository.
pub(super) async fn forge(sick: &Sick<'_>, subject: &Subject<'_>) -> Result<Vec<Observation>, Failure> {
    let source = &sick.place.target.source;
    let origin = source.origin();
    let branch = delivered_branch(sick, origin.as_deref()).unwrap_or_else(|| "main".to_owned());
    let forge = match (&sick.args.forge, &sick.args.api) {
        (Some(word), api) => {
            let Some(kind) = ForgeKind::parse(word) else {
                return Err(Failure::usage(
                    Diagnostic::error(code::BAD_DOCTOR_ARGUMENT, format!("--forge {word}: there is no such forge"))
                        .help("github, gitlab or gitea"),
                ));
            };
            let known = origin.as_deref().and_then(|origin| Forge::of(origin, &branch));
            let repository = origin.as_deref().and_then(Forge::repository_of);
            let api = api.clone().or_else(|| known.map(|forge| forge.api));
            api.zip(repository).map(|(api, repository)| Forge {
                kind,
                api: api.trim_end_matches('/').to_owned(),
                repository,
                branch: branch.clone(),
            })
        }
        (None, api) => origin.as_deref().and_then(|origin| Forge::of(origin, &branch)).map(|forge| Forge {
            api: api.as_ref().map_or(forge.api.clone(), |api| api.trim_end_matches('/').to_owned()),
            ..forge
        }),
    };
    let asked = forge.as_ref().map(|forge| forge.api.as_str()).unwrap_or_default();
    let is_named = |variable: &str| sick.context.host.env.get(variable);
    let token = forge_token::token_for(asked, sick.args.api.as_deref(), is_named);
    let access = ForgeAccess { token, writes: sick.args.write, patience: sick.patience };
    let guarded = guarded(sick, subject);
    Ok(doctor::forge(&sick.context.host.network, source, forge.as_ref(), &access, &guarded).await)
}

/// The branch of this repository that the environment is delivered from: what its Applications take of this very repository, and of
/// no other one that their chart may lie in; else the one that promotions to it go to.
fn delivered_branch(sick: &Sick<'_>, origin: Option<&str>) -> Option<String> {
    let environment = sick.place.environment.as_deref();
    let own = repository_key(origin?);
    let applications = sick.place.target.declared_objects(environment).unwrap_or_default();
    let sources = applications.iter().flat_map(|application| {
        let several = application.at("/spec/sources").and_then(serde_json::Value::as_array).into_iter().flatten();
        application.at("/spec/source").into_iter().chain(several)
    });
    let is_commit = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let taken = sources
        .filter(|source| source["repoURL"].as_str().is_some_and(|address| repository_key(address) == own))
        .filter_map(|source| source["targetRevision"].as_str())
        .find(|revision| !revision.is_empty() && *revision != "HEAD" && !is_commit(revision));
    if let Some(branch) = taken {
        return Some(branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned());
    }
    let TargetKind::System(file) = &sick.place.target.kind else { return None };
    let fits = |it: &&landfall_project::Promotion| Some(it.to.as_str()) == environment;
    file.system.promotion.iter().find(fits).and_then(|it| it.branch.clone())
}

/// The files that decide what a protected environment runs.
fn guarded(sick: &Sick<'_>, subject: &Subject<'_>) -> Vec<String> {
    let Some((_, environment)) = subject.environment.filter(|_| subject.is_protected()) else { return Vec::new() };
    let source = &sick.place.target.source;
    let mut paths = Vec::new();
    for release in &environment.releases {
        for file in &release.values {
            let beside = format!("{}/{file}", release.chart.trim_end_matches('/'));
            paths
                .extend([beside, file.to_string()].into_iter().find(|path| source.read(path).ok().flatten().is_some()));
        }
    }
    for glob in environment.applications.iter().flat_map(|globs| globs.iter()) {
        paths.extend(source.glob(glob).unwrap_or_default());
    }
    paths.extend(environment.secrets.as_ref().and_then(|secrets| secrets.file.as_ref().map(ToString::to_string)));
    paths.sort();
    paths.dedup();
    paths
}

/// The machine that this runs on, or one whose files lie in a directory.
pub(super) async fn machine(sick: &Sick<'_>, subject: &Subject<'_>) -> Vec<Observation> {
    let declared = subject.environment.and_then(|(_, environment)| environment.facts.as_ref()?.ssh_user.clone());
    let Some(user) = sick.args.user.clone().or(declared) else {
        return vec![
            Observation::not_checked(Area::Host, "account", "nobody says which one")
                .help("landfall doctor host --user NAME, or declare `facts.sshUser`"),
        ];
    };
    let mut production = Production::default();
    if let Some(file) = subject.project {
        for environment in file.system.environments.values() {
            let Some(remote) = environment.cluster.remote().filter(|remote| remote.protected) else { continue };
            production.contexts.push(remote.context.to_string());
            let namespaces = environment.releases.iter().filter_map(|release| release.namespace.as_ref());
            production.namespaces.extend(namespaces.map(ToString::to_string));
        }
    }
    let machine = Machine { root: sick.context.host.directory.join(&sick.args.root), user };
    let mut seen = doctor::machine(&machine, &production.names());
    seen.extend(identities::ask(sick, &machine, &production).await);
    seen
}

/// What protected environments are called.
#[derive(Default)]
pub(super) struct Production {
    contexts: Vec<String>,
    /// Where their releases live.
    pub(super) namespaces: BTreeSet<String>,
}

impl Production {
    /// All of them.
    pub(super) fn names(&self) -> Vec<String> {
        self.contexts.iter().chain(&self.namespaces).cloned().collect()
    }
}
