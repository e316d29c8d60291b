//! `landfall bootstrap`: an environment's first day in seven steps, each of which can be typed again.
//!
//! ```text
//! landfall.yaml ─► steps (commands of ours) ─► one after the other, each noted before and after ─► what is left to a person
//! ```
//!
//! A step is done by the commands that a person would type, which leave alone what is there; so a run that was killed is gone on
//! with by the same command. What the journal keeps says how far it came, and decides nothing.

mod chart;
mod committed;
mod journal;
mod steps;

use std::ffi::OsString;
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Failure, Hosting, Place, PlaceQuery};
use landfall_project::{Environment, EnvironmentName};
use landfall_server::logins::{Given, Login};
use landfall_source::Reach;
use serde_json::{Value, json};

pub(crate) use self::chart::LaidOut;
use self::journal::{Journal, State};
use self::steps::{Deed, STEPS, Step, Steps};
use crate::arguments::OutputArgs;
use crate::cli::Cli;
use crate::commands::Command;
use crate::commands::repo::credentials;
use crate::commands::secrets::{SecretsCommand, plain};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{self, Output, Table, Ui, Verbosity, seconds};
use crate::verb::Verb;

/// Arguments of `bootstrap`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall bootstrap --env prod --dry-run                                the seven steps, as commands\n  pass show forge | landfall bootstrap --env prod --backup keys.age --recipient age1… --token-stdin\n  landfall bootstrap --env prod --done OIDC_CLIENT_SECRET                what was left to you is done"
)]
pub(crate) struct BootstrapArgs {
    /// The environment of landfall.yaml
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    env: Option<EnvironmentName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<String>,
    /// Where sealing keys, and what is generated once, are saved: a new encrypted file
    #[arg(long, value_name = "FILE")]
    backup: Option<String>,
    /// Who may open the backup (repeatable), as age1…
    #[arg(long, value_name = "RECIPIENT")]
    recipient: Vec<String>,
    /// A file of those, a line each
    #[arg(long, value_name = "FILE")]
    recipients_file: Option<String>,
    /// Values that are not generated: a file of KEY=VALUE lines
    #[arg(long, value_name = "FILE")]
    from_file: Option<String>,
    /// Write new values in clear into a new file, which its owner alone may read
    #[arg(long, value_name = "FILE")]
    plain: Option<String>,
    /// The forge's token, for a repository that is not public, on standard input
    #[arg(long)]
    token_stdin: bool,
    /// The user that the token belongs to
    #[arg(long, value_name = "NAME", default_value = "landfall")]
    token_user: String,
    /// The server's image, as registry.example.com/landfall:0.1.0 (default: the chart's own)
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// A directory that stands in for a repository of an Application
    #[arg(long = "repo", value_name = "URL=DIR")]
    repos: Vec<String>,
    /// Commit what was sealed, and push nothing
    #[arg(long)]
    no_push: bool,
    /// What was left to a person for this key is done (repeatable)
    #[arg(long, value_name = "KEY")]
    done: Vec<String>,
    /// Take declared checks that could not be made as seen: what they ask is not simulated
    #[arg(long)]
    allow_unsimulated: bool,
    /// Print the steps and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    yes: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verb for BootstrapArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let query =
            PlaceQuery { environment: self.env.clone(), kubeconfig: self.kubeconfig.clone(), ..PlaceQuery::default() };
        let place = context.host.place(None, &query).await?;
        let (Some(name), Some(declared)) = (place.environment.clone(), place.declared()) else {
            let text = "what is set up is an environment of a landfall.yaml, and there is none here";
            return Err(Failure::usage(Diagnostic::error(code::NEEDS_PROJECT_FILE, text)));
        };
        self.done.iter().try_for_each(|key| self.check_key(&name, declared, key))?;
        let steps = Steps { place: &place, environment: &name, declared, args: &self }.all();
        if self.dry_run {
            let report = Told { environment: &name, cluster: place.cluster.shown(), steps: &steps, outcomes: &[] };
            context.answer(&report, Exit::Done);
            return Ok(Exit::Done);
        }
        consent::given(context, &place.permit(Act::InstallAddons), || Question {
            yes: self.yes,
            ask: format!("Set {name} up on {}", place.cluster.shown()),
            deed: format!("setting {name} up on `{}`", place.cluster.shown()),
            undone: "nothing was begun",
            instead: Some("look first with --dry-run"),
        })
        .await?;
        self.carried_out(context, &place, &name, &steps, started).await
    }
}

impl BootstrapArgs {
    /// Refuses to call something done that nobody has declared.
    fn check_key(&self, name: &str, declared: &Environment, key: &str) -> Result<(), Failure> {
        let all = declared.secrets.iter().flat_map(|secrets| secrets.all());
        let known: Vec<&String> = all.flat_map(|(_, secrets)| secrets.keys.keys()).collect();
        if known.iter().any(|known| *known == key) {
            return Ok(());
        }
        let text = format!("`{key}` is no key of a Secret that environment `{name}` declares");
        Err(Failure::usage(
            Diagnostic::error(code::NO_SECRETS, text)
                .did_you_mean(landfall_diag::nearest(key, known.iter().map(|it| it.as_str())))
                .listing("keys", known.iter().map(|it| it.as_str()))
                .note("nothing was begun"),
        ))
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    /// What it wants is there now.
    Done,
    /// The embedded cluster brings it, simulated: nothing was installed, and nothing checked.
    Simulated,
    /// Nothing of the kind is declared.
    NotNeeded,
    /// A person has to do something, and say so.
    Waits,
}

impl Became {
    fn word(self) -> &'static str {
        match self {
            Became::Done => "done",
            Became::Simulated => "simulated",
            Became::NotNeeded => "not needed",
            Became::Waits => "waits for you",
        }
    }

    fn id(self) -> &'static str {
        match self {
            Became::Done => "done",
            Became::Simulated => "simulated",
            Became::NotNeeded => "not-needed",
            Became::Waits => "waits",
        }
    }
}

impl BootstrapArgs {
    async fn carried_out(
        &self,
        context: &Context,
        place: &Place,
        name: &str,
        steps: &[Step],
        started: Instant,
    ) -> Outcome {
        let token = if self.token_stdin { Some(credentials::token_of_stdin()?) } else { None };
        place.state.create().map_err(Failure::from)?;
        let mut journal = Journal::open(&place.state, name)?;
        if let Some(step) = journal.interrupted() {
            context.ui.status(&format!("an earlier run was interrupted in its step `{step}`: it is gone on with"));
        }
        // Programs read one document: what each step says is for people.
        let verbosity = if context.ui.output == Output::Table { Verbosity::Normal } else { Verbosity::Quiet };
        let own = ui::printer(&context.host.env, verbosity, ui::ColorChoice::Auto);
        let inner = Context { ui: Ui::new(own, Output::Table), ..context.clone() };
        let mut outcomes = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            context.ui.status(&format!("{}/{} {}: {}", index + 1, steps.len(), step.id, step.what));
            self.reach(context, "before", step)?;
            journal.note(step.id, State::Began)?;
            let became = self.step(&inner, place, step, token.as_deref()).await?;
            match became {
                Ok(became) => {
                    self.reach(context, "after", step)?;
                    journal.note(step.id, if became == Became::Waits { State::Waits } else { State::Done })?;
                    outcomes.push(became);
                }
                Err(exit) => {
                    context.ui.status(&format!("{GOES_ON} {}/{} {}", index + 1, steps.len(), step.id));
                    return Ok(exit);
                }
            }
        }
        if let Some(plain) = &self.plain {
            plain::named(context, plain);
        }
        let exit = if outcomes.contains(&Became::Waits) { Exit::Unhealthy } else { Exit::Done };
        let report = Told { environment: name, cluster: place.cluster.shown(), steps, outcomes: &outcomes };
        context.report(&report, exit, started);
        if exit == Exit::Done {
            context.ui.status(&format!("{name} is set up ({})", seconds(started.elapsed())));
        }
        Ok(exit)
    }

    /// Passes a point of a test.
    fn reach(&self, context: &Context, when: &str, step: &Step) -> Result<(), Failure> {
        let Some(probe) = &context.host.probe else { return Ok(()) };
        probe.reach(format_args!("{when} step {}", step.id)).map_err(|_| {
            Failure::from(Diagnostic::error(code::INTERRUPTED_BEFORE, format!("killed {when} the step {}", step.id)))
        })
    }

    /// Carries a step out: what became of it, or how a command of it ended that did not end well.
    async fn step(
        &self,
        context: &Context,
        place: &Place,
        step: &Step,
        token: Option<&str>,
    ) -> Result<Result<Became, Exit>, Failure> {
        let mut became = match &step.deeds[..] {
            [] => Became::NotNeeded,
            _ => Became::Done,
        };
        for deed in &step.deeds {
            match deed {
                Deed::Simulated(_) => became = Became::Simulated,
                Deed::Command(words) => {
                    let exit = typed(context, words).await?;
                    if exit != Exit::Done {
                        return Ok(Err(exit));
                    }
                }
                Deed::Cluster(words) => {
                    if !answers(context, place).await {
                        let exit = typed(context, words).await?;
                        if exit != Exit::Done {
                            return Ok(Err(exit));
                        }
                    }
                }
                Deed::Chart(words) => {
                    let chart = chart::LaidOut::new()?;
                    let words: Vec<String> =
                        words.iter().map(|it| it.replace(chart::STANDS_FOR, &chart.directory())).collect();
                    let exit = typed(context, &words).await?;
                    if exit != Exit::Done {
                        return Ok(Err(exit));
                    }
                }
                Deed::Credentials(repositories) => {
                    if let Some(token) = token {
                        self.logins(context, place, repositories, token).await?;
                    }
                }
                Deed::Commit(files) => {
                    committed::committed(context, place, files, !self.no_push).await?;
                }
                Deed::Pending(words) => {
                    let left = left(context, words).await?;
                    if !left.is_empty() {
                        let names = left.join(", ");
                        context.ui.status(&format!(
                            "left to you: {names}; then `landfall bootstrap --env {} --done {}`",
                            place.environment.as_deref().unwrap_or_default(),
                            left[0]
                        ));
                        became = Became::Waits;
                    }
                }
            }
        }
        Ok(Ok(became))
    }
}

impl BootstrapArgs {
    /// Gives the server the forge's token for each repository.
    async fn logins(
        &self,
        context: &Context,
        place: &Place,
        repositories: &[String],
        token: &str,
    ) -> Result<(), Failure> {
        let hosting = if context.host.env.is_ci() { Hosting::InProcess } else { Hosting::Background };
        let mut connection = context.host.connect(place, hosting, &[]).await?;
        let mut outcome = Ok(());
        for repository in repositories {
            let given = Given::Password { username: self.token_user.clone(), password: token.to_owned() };
            let login = Login { address: repository.clone(), reach: Reach::Repository, project: None, given };
            outcome = login.write(&connection.cluster).await.map(drop).map_err(Failure::from);
            if outcome.is_err() {
                break;
            }
            context.ui.status(&format!("  the server may read {}", landfall_diag::without_passwords(repository)));
        }
        connection.close().await;
        outcome
    }
}

/// What is said of a step that ended badly.
const GOES_ON: &str = "the same command goes on from here:";

/// Does what a command line of ours asks for, as if it had been typed.
pub(crate) async fn typed(context: &Context, words: &[String]) -> Outcome {
    context.ui.status(&format!("  > landfall {}", words.join(" ")));
    read(words)?.run(context).await
}

fn read(words: &[String]) -> Result<Command, Failure> {
    let words: Vec<OsString> =
        std::iter::once("landfall").chain(words.iter().map(String::as_str)).map(Into::into).collect();
    let cli = Cli::read(&words).map_err(|error| {
        let text = error.to_string().lines().next().unwrap_or_default().to_owned();
        Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, text).note("nothing was changed by this step"))
    })?;
    Ok(cli.command)
}

/// Whether the cluster answers already.
async fn answers(context: &Context, place: &Place) -> bool {
    let known = place.cluster.remote().is_some_and(|remote| {
        landfall_host::has_context(&context.host.env, &remote.name, remote.kubeconfig.as_deref())
    });
    if !known {
        return false;
    }
    match context.host.connect(place, landfall_host::Hosting::Attach, &[]).await {
        Ok(mut connection) => {
            connection.close().await;
            true
        }
        Err(_) => false,
    }
}

/// The keys for which something is left to a person, as `secrets pending` knows them.
async fn left(context: &Context, words: &[String]) -> Result<Vec<String>, Failure> {
    match read(words)? {
        Command::Secrets(SecretsCommand::Pending(pending)) => pending.left(context).await,
        _ => Ok(Vec::new()),
    }
}

/// The steps, and what became of them.
struct Told<'a> {
    environment: &'a str,
    cluster: &'a str,
    steps: &'a [Step],
    /// By step; none where nothing was done.
    outcomes: &'a [Became],
}

impl Report for Told<'_> {
    const KIND: &'static str = "Bootstrap";

    fn data(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| {
                let told: Vec<String> = step.deeds.iter().map(Deed::told).collect();
                let outcome = self.outcomes.get(index).map(|it| it.id());
                json!({"number": index + 1, "step": step.id, "what": step.what, "does": told, "outcome": outcome})
            })
            .collect();
        json!({"environment": self.environment, "cluster": self.cluster, "steps": steps})
    }

    fn text(&self, ui: &Ui) {
        if self.outcomes.is_empty() {
            ui.line(&format!("{} on {}, in {} steps; nothing was done", self.environment, self.cluster, STEPS));
            for (index, step) in self.steps.iter().enumerate() {
                ui.line(&format!("{}. {}: {}", index + 1, step.id, step.what));
                step.deeds.iter().for_each(|deed| ui.line(&format!("     {}", deed.told())));
            }
            return;
        }
        let mut table = Table::new(["STEP", "WHAT", "OUTCOME"]);
        for (step, became) in self.steps.iter().zip(self.outcomes) {
            table.row([step.id.to_owned(), step.what.clone(), became.word().to_owned()]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.steps.iter().for_each(|step| ui.name(step.id));
    }
}
