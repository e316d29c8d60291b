//! Who is asked about Applications: a server by its address, the one that runs here, or the cluster itself.

use std::time::{Duration, Instant};

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Connection, Failure, Hosting, Permit, Place, PlaceQuery};
use landfall_project::{ContextName, EnvironmentName, Namespace};
use landfall_server::api::{Asked, Client, Desk, Detail, Line, ListQuery, Listing, Name, ServerAccess};
use landfall_server::{Actor, StandInRepository};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::commands::{serve, server_token};
use crate::consent::{self, Question};
use crate::context::Context;

/// How often it is looked how an Application stands that is waited for: at first, and at most.
const LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Who is asked.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CounterArgs {
    /// The address of a server (default: the one that runs here; else the cluster itself is asked)
    #[arg(long, env = "LANDFALL_SERVER", value_name = "URL", conflicts_with = "context")]
    pub(crate) server: Option<String>,
    /// The file with the token for --server (default: the variable LANDFALL_TOKEN)
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) token_file: Option<String>,
    /// Authorities to trust instead of the system's, for --server
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) ca_file: Option<String>,
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    pub(crate) env: Option<EnvironmentName>,
    /// The kubeconfig's context: its Applications, without a server in between
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// The namespace that Applications live in themselves
    #[arg(short = 'N', long, value_name = "NAMESPACE")]
    pub(crate) app_namespace: Option<Namespace>,
    /// A directory whose commits stand in for a repository, where no server is asked
    #[arg(long = "repo", value_name = "URL=DIR")]
    pub(crate) repos: Vec<String>,
}

/// Who is asked.
pub(crate) enum Counter {
    /// A server.
    Server(Box<Client>),
    /// The cluster, by this process.
    Cluster {
        desk: Box<Desk>,
        /// Whether it is the embedded one, on which nobody acts without a server.
        is_own: bool,
        actor: Box<Actor>,
        connection: Box<Connection>,
    },
}

impl CounterArgs {
    pub(crate) async fn place(&self, context: &Context) -> Result<Place, Failure> {
        let query = PlaceQuery {
            environment: self.env.clone(),
            revision: None,
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            ..PlaceQuery::default()
        };
        context.host.declared_place(None, &query).await
    }

    /// Gets a yes for a change of an Application, where one is wanted.
    pub(crate) async fn agreed(
        &self,
        context: &Context,
        act: Act,
        yes: bool,
        deed: (&str, &str),
    ) -> Result<(), Failure> {
        let permit = match &self.server {
            Some(server) => Permit::of_owner(server),
            None => self.place(context).await?.permit(act),
        };
        let (ask, doing) = deed;
        consent::given(context, &permit, || Question {
            yes,
            ask: ask.to_owned(),
            deed: doing.to_owned(),
            undone: "nothing was changed",
            instead: None,
        })
        .await
    }

    /// Comes to whoever is asked.
    pub(crate) async fn open(&self, context: &Context) -> Result<Counter, Failure> {
        let host = &context.host;
        if let Some(address) = &self.server {
            let access =
                server_token::access(context, address, self.token_file.as_deref(), self.ca_file.as_deref()).await?;
            return Ok(Counter::Server(Box::new(Client::new(&host.network, access)?)));
        }
        let place = self.place(context).await?;
        if self.context.is_none()
            && self.kubeconfig.is_none()
            && let Some(serving) = place.state.serving()
        {
            let address = format!("http://{}", serving.address);
            let access = ServerAccess { address, token: serving.token, authority: None };
            return Ok(Counter::Server(Box::new(Client::new(&host.network, access)?)));
        }
        let repositories: Vec<StandInRepository> =
            self.repos.iter().map(|pair| serve::repository(context, pair)).collect::<Result<_, _>>()?;
        let connection = host.connect(&place, Hosting::Attach, &[]).await?;
        let person = host.env.get("USER").filter(|name| !name.is_empty()).unwrap_or("local");
        let desk = landfall_server::desk(host, &place, &connection, repositories).await?;
        let (desk, connection) = (Box::new(desk), Box::new(connection));
        let is_own = place.cluster.is_kept_in_state();
        Ok(Counter::Cluster { desk, is_own, actor: Box::new(Actor::of_cluster(person)), connection })
    }
}

impl Counter {
    /// Asks.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, asked: Asked) -> Result<T, Failure> {
        let answer: Result<Value, Vec<Diagnostic>> = match self {
            Counter::Server(client) => client.answer(&asked).await,
            Counter::Cluster { desk, actor, .. } => desk.answer(actor, asked).await,
        };
        serde_json::from_value(answer?).map_err(|error| {
            Failure::from(
                Diagnostic::error(code::STRANGE_ANSWER, "the answer is not what this version knows")
                    .note(error.to_string()),
            )
        })
    }

    /// Fails where nobody would act on a change.
    pub(crate) fn is_acted_on(&self) -> Result<(), Failure> {
        match self {
            Counter::Cluster { is_own: true, .. } => Err(Failure::from(
                Diagnostic::error(code::SERVER_SILENT, "no server runs here, so nobody would act on that")
                    .note("nothing was changed")
                    .help("landfall serve"),
            )),
            Counter::Server(_) | Counter::Cluster { .. } => Ok(()),
        }
    }

    /// Goes.
    pub(crate) async fn close(self) {
        if let Counter::Cluster { mut connection, .. } = self {
            connection.close().await;
        }
    }

    /// Every Application that is asked for, page by page.
    pub(crate) async fn all(&self, query: ListQuery) -> Result<Listing, Failure> {
        let mut all: Listing = self.ask(Asked::List(query.clone())).await?;
        while query.limit.is_none() && all.offset + all.items.len() < all.total {
            let more = ListQuery { offset: all.offset + all.items.len(), ..query.clone() };
            let page: Listing = self.ask(Asked::List(more)).await?;
            if page.items.is_empty() {
                break;
            }
            all.items.extend(page.items);
        }
        Ok(all)
    }

    /// The Application that a word means: `NAME`, or `NAMESPACE/NAME`.
    pub(crate) async fn named(&self, args: &CounterArgs, word: &str) -> Result<Name, Failure> {
        if let Some((namespace, name)) = word.split_once('/') {
            return Ok(Name { namespace: namespace.to_owned(), name: name.to_owned() });
        }
        let namespace = args.app_namespace.clone().map(String::from);
        let of_name = ListQuery { name: Some(word.to_owned()), namespace: namespace.clone(), ..ListQuery::default() };
        let found = self.all(of_name).await?.items;
        match found.as_slice() {
            [Line { namespace, name, .. }] => Ok(Name { namespace: namespace.clone(), name: name.clone() }),
            [] => {
                let all = self.all(ListQuery { namespace, ..ListQuery::default() }).await?.items;
                let known = || all.iter().map(|line| line.name.as_str());
                let diagnostic =
                    Diagnostic::error(code::NO_SUCH_APPLICATION, format!("there is no Application {word}"));
                let diagnostic = diagnostic.listing("there are", known().take(20));
                Err(Failure::from(match landfall_diag::nearest(word, known()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("landfall app list"),
                }))
            }
            several => Err(Failure::from(
                Diagnostic::error(
                    code::WHICH_APPLICATION,
                    format!("Applications called {word} live in several namespaces"),
                )
                .listing("there are", several.iter().map(|line| format!("{}/{}", line.namespace, line.name)))
                .help(format!("say which: {}/{word}", several[0].namespace)),
            )),
        }
    }

    /// Waits until an Application is as it is wanted; gives it as it was seen last where that does not come in time.
    pub(crate) async fn until(
        &self,
        context: &Context,
        name: &Name,
        end: Instant,
        so: impl Fn(&Detail) -> bool,
    ) -> Result<Result<Detail, Detail>, Failure> {
        let mut pause = LOOK;
        loop {
            let seen: Detail = self.ask(Asked::Get(name.clone())).await?;
            if so(&seen) {
                return Ok(Ok(seen));
            }
            if Instant::now() >= end {
                return Ok(Err(seen));
            }
            tokio::select! {
                () = context.host.stop.cancelled() => {
                    let text = format!("{name} was waited for no longer; what is under way goes on");
                    return Err(Failure::from(Diagnostic::error(code::INTERRUPTED, text)));
                }
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }
}

/// Runs what is asked, and goes from whoever was asked in any case.
macro_rules! asking {
    ($context:expr, $args:expr, |$counter:ident| $work:expr) => {{
        let $counter = $args.open($context).await?;
        let given = async { $work }.await;
        $counter.close().await;
        given
    }};
}
pub(crate) use asking;
