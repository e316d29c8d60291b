//! The `landfall` binary: arguments, commands, terminal.
//!
//! ```text
//! argv ─► persona? (`helm …`) ─► cli ─► commands/<verb> ─► delivery, chart, … ─► ui
//!                                            └─ context (environment, state), embedded (the cluster in our pocket)
//! ```
//!
//! The only room that prints, asks, reads the environment and chooses exit codes, and the one place that chooses
//! between the embedded cluster and a real one.

mod cli;
mod commands;
mod context;
mod exit;
mod interrupt;
mod probe;
mod ui;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use landfall_diag::{Diagnostic, code};
use landfall_host::{Env, Failure, Host, Work};
use tokio_util::sync::CancellationToken;

use crate::cli::{AddonCommand, Cli, ClusterCommand, Command, EnvCommand, ImagesCommand};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Ui, Verbosity};

/// Rendering is made of small values that live shortly; the system's allocator takes a quarter of its time.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let mut err = landfall_terminal::err();
        let trace = std::backtrace::Backtrace::capture();
        let trace =
            if trace.status() == std::backtrace::BacktraceStatus::Captured { trace.to_string() } else { String::new() };
        let _nobody_listens = writeln!(err, "{panic}\n{trace}");
    }));
    let env = Env::of(std::env::vars_os());
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some((voice, verb)) = landfall_helm::asked(&arguments) {
        return run_helm(&env, voice, &arguments[verb..]);
    }
    let cli = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return said_by_arguments(&env, &error),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (2.., _) => Verbosity::Silent,
        (1, _) => Verbosity::Quiet,
        (0, 0) => Verbosity::Normal,
        (0, _) => Verbosity::Verbose,
    };
    let ui = Ui::new(ui::printer(&env, verbosity, cli.global.color), output_of(&cli.command));
    let cwd = match std::env::current_dir() {
        Ok(cwd) => cwd,
        Err(error) => {
            ui.diagnostic(&Diagnostic::error(code::FILES, "the working directory is gone").note(error.to_string()));
            return Exit::Failed.into();
        }
    };
    log_to_stderr(&env);
    let host = match host(&env, cwd, cli.global.state.clone(), &ui) {
        Ok(host) => host,
        Err(failure) => return refused(&ui, &failure),
    };
    let context = Context { host, ui };
    let outcome = if waits(&cli.command) {
        match in_time(&context, cli.command) {
            Ok(outcome) => outcome,
            Err(exit) => return exit.into(),
        }
    } else {
        futures::executor::block_on(run(&context, cli.command))
    };
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            for diagnostic in &failure.diagnostics {
                context.ui.diagnostic(diagnostic);
            }
            if context.host.stop.is_cancelled() { Exit::Interrupted } else { failure.ending.into() }
        }
    };
    written(&context.ui, exit).into()
}

/// How a command ends whose data could not be written: with that as its failure, where it had no other.
fn written(ui: &Ui, exit: Exit) -> Exit {
    let Some(diagnostic) = ui.output_failure() else { return exit };
    ui.diagnostic(&diagnostic);
    if exit == Exit::Done { Exit::Failed } else { exit }
}

/// Prints what the arguments ask for or lack: help, the version, a word that is not known.
fn said_by_arguments(env: &Env, error: &clap::Error) -> ExitCode {
    let text = error.render();
    let plain = text.to_string();
    let seen = landfall_terminal::shown(&plain);
    let told = |is_terminal: bool| {
        // Arguments and variables may be somebody else's words: where they are not harmless, colour cannot be told from
        // them.
        let colour = is_terminal && seen == plain && env.get("NO_COLOR").is_none_or(str::is_empty);
        if colour { text.ansi().to_string() } else { seen.to_string() }
    };
    let printed = if error.use_stderr() {
        landfall_terminal::err().write_painted(&told(landfall_terminal::err_is_terminal()))
    } else {
        let mut out = landfall_terminal::out();
        out.write_painted(&told(landfall_terminal::out_is_terminal())).and_then(|()| out.flush())
    };
    if let Some(diagnostic) = printed.err().as_ref().and_then(ui::output_failure) {
        ui::printer(env, Verbosity::Normal, ui::ColorChoice::Auto).diagnostic(&diagnostic);
        return Exit::Failed.into();
    }
    // Clap knows two: what was asked for, and usage.
    if error.exit_code() == 0 { Exit::Done.into() } else { Exit::Usage.into() }
}

/// Where the process works.
fn host(env: &Env, directory: PathBuf, state: Option<String>, ui: &Ui) -> Result<Host, Failure> {
    Ok(Host {
        env: env.clone(),
        directory,
        state: state.map(PathBuf::from),
        stop: CancellationToken::new(),
        work: Work::default(),
        probe: probe::Points::asked(env)?,
        audience: Arc::new(ui.clone()),
    })
}

/// Tells why nothing was begun.
fn refused(ui: &Ui, failure: &Failure) -> ExitCode {
    failure.diagnostics.iter().for_each(|diagnostic| ui.diagnostic(diagnostic));
    Exit::from(failure.ending).into()
}

/// Helm's verbs, in its voice or ours.
fn run_helm(env: &Env, voice: landfall_helm::Voice, arguments: &[std::ffi::OsString]) -> ExitCode {
    let printer = ui::printer(env, Verbosity::Normal, ui::ColorChoice::Auto);
    let cwd = std::env::current_dir().unwrap_or_default();
    let ui = Ui::new(printer.clone(), Output::Table);
    let host = match host(env, cwd, landfall_helm::state(env, arguments), &ui) {
        Ok(host) => host,
        Err(failure) => return refused(&ui, &failure),
    };
    let world = landfall_helm::World {
        voice,
        host: &host,
        printer: &printer,
        program: std::env::args().next().unwrap_or_default(),
        runtime: &|| runtime(Some(2)),
    };
    ExitCode::from(landfall_helm::run(&world, arguments))
}

/// Starts the process's one runtime, with a thread for each processor where no number is given.
fn runtime(threads: Option<usize>) -> std::io::Result<tokio::runtime::Runtime> {
    // The process's one provider of cryptography; a second installation is refused and changes nothing.
    let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}

/// Whether a verb waits for anything; one that does not needs neither threads nor a runtime.
fn waits(command: &Command) -> bool {
    !matches!(
        command,
        Command::Graph(_)
            | Command::State(_)
            | Command::Env(_)
            | Command::Rules(_)
            | Command::Schema
            | Command::Completion { .. }
            | Command::Version(_)
    )
}

/// Runs a verb on a runtime, until it ends or is interrupted.
fn in_time(context: &Context, command: Command) -> Result<Outcome, Exit> {
    let runtime = runtime(None).map_err(|error| {
        context.ui.diagnostic(
            &Diagnostic::error(code::NO_THREADS, "the process cannot start its threads").note(error.to_string()),
        );
        Exit::Bug
    })?;
    let outcome = runtime.block_on(async {
        tokio::spawn(interrupt::heed(context.clone()));
        run(context, command).await
    });
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    Ok(outcome)
}

async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Up(args) => commands::up::run(context, *args).await,
        Command::Down(args) => commands::down::run(context, args).await,
        Command::Status(args) => commands::status::run(context, args).await,
        Command::Logs(args) => commands::logs::run(context, args).await,
        Command::Plan(args) => commands::plan::run(context, *args).await,
        Command::Diff(args) => commands::diff::run(context, *args).await,
        Command::Rehearse(args) => commands::rehearse::run(context, *args).await,
        Command::Preview(args) => commands::preview::run(context, *args).await,
        Command::Doctor(args) => commands::doctor::run(context, *args).await,
        Command::Smoke(args) => commands::smoke::run(context, args).await,
        Command::Graph(args) => commands::graph::run(context, &args),
        Command::State(args) => commands::graph::state(context, &args),
        Command::Env(EnvCommand::List(args)) => commands::environments::list(context, &args),
        Command::Env(EnvCommand::Diff(args)) => commands::environments::diff(context, &args),
        Command::Rules(_) => commands::rules::list(context),
        Command::Explain(args) => commands::explain::run(context, &args).await,
        Command::History(args) => commands::history::run(context, args).await,
        Command::Rollback(args) => commands::rollback::run(context, args).await,
        Command::Build(args) => commands::build::run(context, *args).await,
        Command::Images(ImagesCommand::List(args)) => commands::images::list(context, *args),
        Command::Forward(args) => commands::forward::run(context, args).await,
        Command::Addon(AddonCommand::List(args)) => commands::addon::list(context, args).await,
        Command::Addon(AddonCommand::Install(args)) => commands::addon::install(context, *args).await,
        Command::Addon(AddonCommand::Status(args)) => commands::addon::status(context, args).await,
        Command::Cluster(ClusterCommand::Create(args)) => commands::machine::create(context, args).await,
        Command::Cluster(ClusterCommand::Delete(args)) => commands::machine::delete(context, args).await,
        Command::Cluster(ClusterCommand::Start(args)) => commands::cluster::start(context, args).await,
        Command::Cluster(ClusterCommand::Stop(args)) => commands::cluster::stop(context, args).await,
        Command::Cluster(ClusterCommand::Reset(args)) => commands::cluster::reset(context, args).await,
        Command::Cluster(ClusterCommand::Kubeconfig(args)) => commands::cluster::kubeconfig(context, args).await,
        Command::Cluster(ClusterCommand::Status(args)) => commands::cluster::status(context, args).await,
        Command::Cluster(ClusterCommand::Operator(args)) => commands::operators::switch(context, args).await,
        Command::Cluster(ClusterCommand::Snapshot(args)) => commands::snapshot::write(context, *args).await,
        Command::Cluster(ClusterCommand::Fork(args)) => commands::snapshot::fork(context, args).await,
        Command::Cluster(ClusterCommand::Serve(args)) => commands::cluster::serve(context, args).await,
        Command::Schema => commands::about::schema(context),
        Command::Completion { shell } => commands::about::completion(context, shell),
        Command::Version(args) => commands::about::version(context, &args),
    }
}

fn output_of(command: &Command) -> Output {
    match command {
        Command::Up(args) => args.output.output,
        Command::Down(args) => args.output.output,
        Command::Status(args) => args.output.output,
        Command::Plan(args) => args.output.output,
        Command::Diff(args) => args.output.output,
        Command::History(args) => args.output.output,
        Command::Explain(args) => args.output.output,
        Command::Rules(args) => args.output.output,
        Command::Smoke(args) => args.output.output,
        Command::State(args) => args.output.output,
        Command::Env(EnvCommand::List(args)) => args.output.output,
        Command::Env(EnvCommand::Diff(args)) => args.output.output,
        Command::Rollback(args) => args.output.output,
        Command::Build(args) => args.output.output,
        Command::Images(ImagesCommand::List(args)) => args.output.output,
        Command::Forward(args) => args.output.output,
        Command::Addon(AddonCommand::List(args) | AddonCommand::Status(args)) => args.output.output,
        Command::Addon(AddonCommand::Install(args)) => args.output.output,
        Command::Cluster(ClusterCommand::Create(args)) => args.output.output,
        Command::Cluster(ClusterCommand::Start(args)) => args.output.output,
        Command::Cluster(ClusterCommand::Status(args)) => args.output.output,
        _ => Output::Table,
    }
}

fn log_to_stderr(env: &Env) {
    let Some(filter) = env.get("LANDFALL_LOG") else { return };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(landfall_terminal::err)
        .init();
}
