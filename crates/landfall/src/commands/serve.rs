//! `landfall serve`: keeps Applications in sync with git; `serve install` puts it into a cluster.

mod install;

use clap::Args;
use landfall_delivery::TargetKind;
use landfall_diag::{Diagnostic, code};
use landfall_fleet::legacy;
use landfall_host::{Act, Failure, PlaceQuery};
use landfall_object::Object;
use landfall_project::{ContextName, EnvironmentName, Namespace};
use landfall_server::accounts::IssuerOptions;
use landfall_server::{
    DeclaredAt, FleetOptions, Listen, OnlyFleet, Options, Replicas, Sealing, Semantics, Sinks, StandInRepository,
    UnsignedWebhooks,
};
use landfall_source::HookSecret;
use landfall_store::DatabaseAddress;

use crate::commands::store::{DATABASE, read_database};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::{Verb, verbs};

/// Where secrets of webhooks are read from: one a line, so that an old one and a new one can both be known.
const SECRETS: &str = "LANDFALL_WEBHOOK_SECRET";

/// What proves who this server is to its issuer: an argument could be read by everybody on the machine.
const ISSUER_SECRET: &str = "LANDFALL_ISSUER_SECRET";

/// Where a pod finds the name of its namespace.
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The most parts in which servers share Applications.
const SHARDS: i64 = 64;

verbs! {
    /// `landfall serve …`
    pub(crate) enum ServeCommand {
        /// Install the server into a cluster, wait until it answers, and say where and who signs in first
        #[command(
            before_help = "Examples:\n  landfall serve install --context k3d-prod --image registry.example.com/landfall:0.1.0\n  landfall serve install --context k3d-prod --host landfall.example.com --dry-run"
        )]
        Install(Box<install::ServeInstallArgs>),
    }
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  landfall serve argocd/apps --repo https://host/shop.git=/srv/git/shop.git\n  landfall serve --context k3d-prod --listen 0.0.0.0:8480\n  landfall serve install --context k3d-prod          as a pod of the cluster",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    deed: Option<ServeCommand>,
    /// Applications, folders of them, or systems with a landfall.yaml, put on the cluster first
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    env: Option<EnvironmentName>,
    /// The kubeconfig's context (default: the environment's, else the embedded cluster)
    #[arg(long, value_name = "NAME", conflicts_with = "only")]
    context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    kubeconfig: Option<String>,
    /// Where probes, metrics and webhooks are answered; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    listen: Listen,
    /// A directory whose commits stand in for a repository, bare or checked out; its working tree is never read
    #[arg(long = "repo", value_name = "URL=DIR", conflicts_with = "only")]
    repos: Vec<String>,
    /// Whether SealedSecrets are opened while their own controller is not there: keep, observe (say what would be written), off
    #[arg(long, value_name = "HOW", default_value = "keep", conflicts_with = "only")]
    sealing: Sealing,
    /// Where kubeseal is answered (/v1/cert.pem, /v1/verify, /v1/rotate), for a Service of this server
    #[arg(long, value_name = "ADDRESS", conflicts_with = "only")]
    sealing_listen: Option<Listen>,
    /// A policy.csv that counts instead of the ConfigMap argocd-rbac-cm
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
    /// The path below which a proxy sends requests, as `/landfall`
    #[arg(long, value_name = "PATH", default_value = "/", conflicts_with = "only")]
    root_path: String,
    /// Who else says who somebody is: an issuer of OpenID Connect, by its address
    #[arg(long, env = "LANDFALL_ISSUER", value_name = "URL", requires_all = ["issuer_client", "url"])]
    issuer: Option<String>,
    /// Who this server is there; what proves it stands in the variable LANDFALL_ISSUER_SECRET
    #[arg(long, env = "LANDFALL_ISSUER_CLIENT", value_name = "ID")]
    issuer_client: Option<String>,
    /// Which CI jobs are let in by their forge's word, and with whose rights: a file of kind CiIdentities
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    ci_identities: Option<String>,
    /// This server's own address, as browsers reach it
    #[arg(long, env = "LANDFALL_URL", value_name = "URL")]
    url: Option<String>,
    /// Serve that alone: `fleet`, the edge's server, without any cluster
    #[arg(long, value_name = "WHAT", value_parser = ["fleet"])]
    only: Option<String>,
    /// This server's own https address, from which existing agents fetch artifacts
    #[arg(long, env = "LANDFALL_EDGE_URL", value_name = "URL")]
    edge_url: Option<String>,
    /// In how many seconds an edge checks in again
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    edge_poll: u32,
    /// A proxy before this server, as ADDRESS or ADDRESS/LENGTH: edges are told apart by the X-Forwarded-For that it sends
    #[arg(long = "edge-proxy", env = "LANDFALL_EDGE_PROXY", value_name = "NETWORK", value_delimiter = ',')]
    edge_proxies: Vec<landfall_server::Network>,
    /// A network that is not public and that checks of repositories may ask, as 10.0.0.0/8; else they ask public addresses alone
    #[arg(long = "check-networks", env = "LANDFALL_CHECK_NETWORKS", value_name = "NETWORK", value_delimiter = ',')]
    check_networks: Vec<landfall_server::Network>,
    /// A PostgreSQL that several servers share, as postgres://USER@HOST/DATABASE: one of them works, the others stand by
    #[arg(long, env = "LANDFALL_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// In how many parts they share the Applications, each kept by one of them; the same for all
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "only", value_parser = clap::value_parser!(u32).range(1..=SHARDS))]
    shards: u32,
    /// Where they say who lives and who keeps what, by Leases (default: the pod's own namespace, else `landfall`)
    #[arg(long, env = "LANDFALL_LEASE_NAMESPACE", value_name = "NAME")]
    lease_namespace: Option<Namespace>,
    /// Let webhooks in that no forge has signed: of what they say it is only looked where, and that now and then
    #[arg(long, conflicts_with = "only")]
    unsigned_webhooks: bool,
    /// Where Landfall knowingly differs from Argo CD, do as Argo CD does: docs/argo-compatibility.md lists where
    #[arg(long, conflicts_with = "only")]
    argo_strict: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    yes: bool,
}

impl Verb for ServeArgs {
    fn output(&self) -> Output {
        self.deed.as_ref().map_or(Output::Table, Verb::output)
    }

    async fn run(mut self, context: &Context) -> Outcome {
        match self.deed.take() {
            Some(deed) => deed.run(context).await,
            None => run(context, self).await,
        }
    }
}

async fn run(context: &Context, args: ServeArgs) -> Outcome {
    let host = &context.host;
    if args.only.is_some() {
        return only_fleet(context, args).await;
    }
    let query = PlaceQuery {
        environment: args.env.clone(),
        revision: None,
        context: args.context.clone(),
        kubeconfig: args.kubeconfig.clone(),
        ..PlaceQuery::default()
    };
    let root = root(&args.root_path)?;
    let repositories = args.repos.iter().map(|pair| repository(context, pair)).collect::<Result<Vec<_>, _>>()?;
    let policy = args.policy.as_deref().map(|file| policy(context, file)).transpose()?;
    let ci_identities = args.ci_identities.as_deref().map(|file| identities(context, file)).transpose()?;
    let replicas = replicas(context, &args)?;
    let mut places = Vec::new();
    for target in &args.targets {
        places.push(host.place(Some(target), &query).await?);
    }
    let (mut objects, mut credentials, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    for (target, place) in args.targets.iter().zip(&places) {
        let declared = place.target.declared_objects(place.environment.as_deref()).map_err(Failure::from)?;
        if declared.is_empty() {
            return Err(Failure::usage(
                Diagnostic::error(code::NO_APPLICATION, format!("`{target}` declares no Application"))
                    .note("nothing was changed")
                    .help("`landfall up` delivers charts and releases"),
            ));
        }
        for beside in place.target.beside(place.environment.as_deref()).map_err(Failure::from)? {
            match beside.credential() {
                Some(secret) => credentials.push(secret),
                None => context.ui.status(&format!("{beside} is not applied: only what Applications need is")),
            }
        }
        let releases = match (&place.target.kind, place.declared()) {
            (TargetKind::System(_), Some(environment)) => environment.releases.len(),
            _ => 0,
        };
        if releases > 0 {
            context.ui.status(&format!("`{target}` declares releases, too: `landfall up` delivers them"));
        }
        if let (TargetKind::System(file), Some(name)) = (&place.target.kind, &place.environment) {
            let named = |object: &Object| (object.namespace().unwrap_or_default().to_owned(), object.name().to_owned());
            let applications = declared.iter().map(named).collect();
            checked.push(DeclaredAt {
                name: name.clone(),
                system: file.system.clone(),
                applications,
                key: place.system().unwrap_or_default(),
            });
        }
        objects.extend(declared);
    }
    // Before the Applications that are read with them.
    objects.splice(0..0, credentials);
    let place = match places.into_iter().next() {
        Some(place) => place,
        None => host.declared_place(None, &query).await?,
    };
    let cluster = place.cluster.shown();
    consent::given(context, &place.permit(Act::Deliver), || Question {
        yes: args.yes,
        ask: format!("Keep the Applications of {cluster} in sync"),
        deed: format!("keeping the Applications of `{cluster}` in sync"),
        undone: "not served",
        instead: None,
    })
    .await?;
    let secrets = host.env.get(SECRETS).unwrap_or_default().lines().filter_map(HookSecret::new).collect();
    let issuer = args.issuer.clone().zip(args.issuer_client.clone()).zip(args.url.clone());
    let issuer = issuer.map(|((issuer, client), own_address)| IssuerOptions {
        issuer,
        client,
        secret: host.env.get(ISSUER_SECRET).unwrap_or_default().trim().to_owned(),
        own_address,
    });
    let (sealing, sealing_listen) = (args.sealing, args.sealing_listen);
    let sinks = Sinks::read(|name| host.env.get(name)).map_err(|bad| {
        Failure::usage(
            Diagnostic::error(code::BAD_SINK, format!("{} cannot be used: {}", bad.variable, bad.why))
                .note("nothing was changed"),
        )
    })?;
    let options = Options {
        place,
        objects,
        listen: args.listen,
        repositories,
        declared: checked,
        sinks,
        secrets,
        unsigned: if args.unsigned_webhooks { UnsignedWebhooks::Taken } else { UnsignedWebhooks::Refused },
        sealing,
        sealing_listen,
        policy,
        root,
        issuer,
        ci_identities,
        check_networks: args.check_networks.clone(),
        fleet: fleet(context, &args),
        semantics: if args.argo_strict { Semantics::Argo } else { Semantics::Own },
        replicas,
    };
    landfall_server::serve(host, options, |ready| {
        context.ui.line(&format!("ready http://{}", ready.address));
        if let Some(address) = ready.sealing {
            context.ui.line(&format!("sealing http://{address}"));
        }
        let ask = ready
            .kubeconfig
            .as_deref()
            .map(|file| format!(" · kubectl --kubeconfig {} get applications -A", landfall_host::shell_word(file)));
        context.ui.status(&format!("Applications of {} are kept in sync{}", ready.cluster, ask.unwrap_or_default()));
    })
    .await?;
    Ok(Exit::Done)
}

/// What the edge's server is given: of secrets what stands in the environment, under the names that the product's gateway reads.
fn fleet(context: &Context, args: &ServeArgs) -> FleetOptions {
    let given = |name: &str| context.host.env.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    FleetOptions {
        address: args.edge_url.clone(),
        pepper: given(legacy::PEPPER),
        pepper_before: given(legacy::PEPPER_BEFORE),
        signer: given(legacy::SIGNER),
        poll_seconds: args.edge_poll,
        proxies: args.edge_proxies.clone(),
    }
}

/// Serves the fleet alone.
async fn only_fleet(context: &Context, args: ServeArgs) -> Outcome {
    if let Some(target) = args.targets.first() {
        return Err(Failure::usage(
            Diagnostic::error(
                code::BAD_ARGUMENTS,
                format!("`{target}` is not delivered by a server of the fleet alone"),
            )
            .note("nothing was changed")
            .help("landfall serve TARGET serves both"),
        ));
    }
    let policy = args.policy.as_deref().map(|file| policy(context, file)).transpose()?;
    let database = database(context, &args)?;
    let state = context.host.state_here()?;
    let fleet = fleet(context, &args);
    let options = OnlyFleet { state, listen: args.listen, database, policy, fleet };
    landfall_server::serve_fleet(&context.host, options, |ready| {
        context.ui.line(&format!("ready http://{}", ready.address));
        context.ui.status("edges are served; landfall edge token create LABEL enrolls some");
    })
    .await?;
    Ok(Exit::Done)
}

/// The database that it is told to keep things in.
fn database(context: &Context, args: &ServeArgs) -> Result<Option<DatabaseAddress>, Failure> {
    let Some(url) = args.database.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
    let database = read_database(url)?;
    if database.has_password() && context.host.env.get(DATABASE) != Some(url) {
        context.ui.status("the database's password stands in the command line, where everybody on this machine can read it: LANDFALL_DATABASE keeps it from them");
    }
    Ok(Some(database))
}

/// With whom this server takes turns.
fn replicas(context: &Context, args: &ServeArgs) -> Result<Option<Replicas>, Failure> {
    let Some(database) = database(context, args)? else {
        if args.shards > 1 {
            return Err(Failure::usage(
                Diagnostic::error(code::BAD_DATABASE, "--shards needs a database that the servers share")
                    .note("nothing was changed")
                    .help("--database postgres://USER@HOST/DATABASE, or LANDFALL_DATABASE"),
            ));
        }
        return Ok(None);
    };
    let own = || std::fs::read_to_string(POD_NAMESPACE).ok().map(|name| name.trim().to_owned());
    let namespace = args.lease_namespace.clone().map(String::from).or_else(own);
    let name = context.host.env.get("HOSTNAME").unwrap_or("landfall").to_owned();
    let namespace = namespace.filter(|name| !name.is_empty()).unwrap_or_else(|| "landfall".to_owned());
    Ok(Some(Replicas { database, shards: args.shards, namespace, name }))
}

/// What a file says of who may do what.
fn policy(context: &Context, file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(context.host.directory.join(file)).map_err(|error| {
        Failure::usage(
            Diagnostic::error(code::BAD_POLICY, format!("--policy {file} cannot be read"))
                .note(error.to_string())
                .note("nothing was changed"),
        )
    })
}

/// What a file says of CI jobs.
fn identities(context: &Context, file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(context.host.directory.join(file)).map_err(|error| {
        Failure::usage(
            Diagnostic::error(code::BAD_CI_IDENTITIES, format!("--ci-identities {file} cannot be read"))
                .note(error.to_string())
                .note("nothing was changed"),
        )
    })
}

/// The path below which requests come, without a slash at its end.
fn root(text: &str) -> Result<String, Failure> {
    let path = text.trim_end_matches('/');
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte));
    let is_path = path.is_empty() || (path.starts_with('/') && !path.contains("//") && !path.contains(".."));
    if !is_plain || !is_path {
        let text = format!("`{text}` is no path below which a server answers");
        return Err(Failure::usage(Diagnostic::error(code::BAD_ROOT_PATH, text).help("as in --root-path /landfall")));
    }
    Ok(path.to_owned())
}

/// The directory that stands in for a repository, of `URL=DIR`.
pub(crate) fn repository(context: &Context, pair: &str) -> Result<StandInRepository, Failure> {
    let Some((address, directory)) = pair.rsplit_once('=') else {
        return Err(Failure::usage(
            Diagnostic::error(code::BAD_REPOSITORY_PAIR, format!("--repo {pair} is not URL=DIR"))
                .help("as in --repo https://git.example.com/shop.git=/srv/git/shop.git"),
        ));
    };
    Ok(StandInRepository { address: address.to_owned(), directory: context.host.directory.join(directory) })
}
