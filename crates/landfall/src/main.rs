//! The `landfall` binary: arguments, commands, terminal.
//!
//! ```text
//! argv ─► persona? (`helm …`, `kubeseal …`) ─► helm, kubeseal ──────► exit code
//!   └───► cli ─► commands/<verb> ─► host, delivery, rehearse, … ─► report ─► ui
//! ```
//!
//! The only room that reads the process's environment, asks, and chooses exit codes of ours. A verb is one file: its
//! arguments, what it does, what it prints.

mod answer;
mod arguments;
mod cli;
mod commands;
mod consent;
mod context;
mod exit;
mod interrupt;
mod live;
mod looked;
mod probe;
mod report;
mod ui;
mod verb;

use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use landfall_diag::{Diagnostic, code};
use landfall_heap as _;
use landfall_host::{Env, Failure, Host, Typed};

use crate::cli::{Cli, GlobalArgs, OfHelm};
use crate::commands::Command;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Ui, Verbosity};
use crate::verb::{Verb, Waits};

fn main() -> ExitCode {
    leave_no_core();
    std::panic::set_hook(Box::new(|panic| {
        let mut err = landfall_terminal::err();
        let trace = std::backtrace::Backtrace::capture();
        let trace =
            if trace.status() == std::backtrace::BacktraceStatus::Captured { trace.to_string() } else { String::new() };
        let _nobody_listens = writeln!(err, "{panic}\n{trace}");
    }));
    let arguments = landfall_host::words(std::env::args_os());
    let variables = || Env::of_process(std::env::vars_os());
    if let Some(helm) = cli::of_helm(&arguments) {
        return run_helm(&variables(), &helm);
    }
    let is_kubeseal = arguments.first().is_some_and(|program| landfall_kubeseal::is_asked(&program.to_string_lossy()));
    if !is_kubeseal && commands::version::is_alone(&arguments) && commands::version::said() {
        return ExitCode::SUCCESS;
    }
    let env = variables();
    if is_kubeseal {
        return run_kubeseal(&env, &arguments);
    }
    let cli = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return said_by_arguments(&env, &error).into(),
    };
    let ui = Ui::new(ui::printer(&env, cli.global.verbosity(), cli.global.color), cli.command.output());
    let cwd = match working_directory(&cli.global) {
        Ok(cwd) => cwd,
        Err(failure) => return refused(&ui, &failure),
    };
    log_to_stderr(&env, &cli.command);
    let host = match host(&env, cwd, cli.global.state.clone(), &ui) {
        Ok(host) => host,
        Err(failure) => return refused(&ui, &failure),
    };
    let command = Typed { verb: cli.verb, elsewhere: cli.global.directory.clone() };
    let host = Host { command, ..host };
    let context = Context { host, ui, elsewhere: cli.global.directory.clone() };
    let outcome = if cli.command.waits() == Waits::ForOthers {
        match in_time(&context, cli.command) {
            Ok(outcome) => outcome,
            Err(exit) => return exit.into(),
        }
    } else {
        futures::executor::block_on(cli.command.run(&context))
    };
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            let exit = if context.host.stop.is_cancelled() { Exit::Interrupted } else { failure.ending.into() };
            tell(&context.ui, &failure, exit);
            exit
        }
    };
    written(&context.ui, exit).into()
}

/// Has the system write no core of this process: what it holds in clear, values of Secrets, tokens, keys, would lie in it.
///
/// One byte and not none: the kernel leaves out files for either, and hands a core to a program that collects them for anything
/// but one (Linux: `fs/coredump.c`). The limit that others may raise theirs to stays, for the programs that are started.
fn leave_no_core() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    let limit = Rlimit { current: Some(maximum.map_or(1, |most| most.min(1))), maximum };
    // Who may not lower a limit has a lower one.
    let _lower = setrlimit(Resource::Core, limit);
}

/// How a command ends whose data could not be written: with that as its failure, where it had no other.
fn written(ui: &Ui, exit: Exit) -> Exit {
    let Some(diagnostic) = ui.output_failure() else { return exit };
    ui.diagnostic(&diagnostic);
    if exit == Exit::Done { Exit::Failed } else { exit }
}

/// Prints what the arguments ask for or lack: help, the version, a word that is not known.
pub(crate) fn said_by_arguments(env: &Env, error: &clap::Error) -> Exit {
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
        return Exit::Failed;
    }
    // Clap knows two: what was asked for, and usage.
    if error.exit_code() == 0 { Exit::Done } else { Exit::Usage }
}

/// The directory in which the process works from now on: the one that `-C` names.
///
/// It is gone to, so that all that is read, written and started is as if it had been started there.
fn working_directory(global: &GlobalArgs) -> Result<PathBuf, Failure> {
    if let Some(directory) = &global.directory
        && let Err(error) = std::env::set_current_dir(directory)
    {
        let missing = Diagnostic::error(code::NO_TARGET, format!("-C {directory}: there is no such directory"));
        return Err(Failure::usage(missing.note(error.to_string())));
    }
    std::env::current_dir().map_err(|error| {
        Failure::from(Diagnostic::error(code::FILES, "the working directory is gone").note(error.to_string()))
    })
}

/// Where the process works.
fn host(env: &Env, directory: PathBuf, state: Option<String>, ui: &Ui) -> Result<Host, Failure> {
    let mut host = Host::new(env, directory, state.map(PathBuf::from), Arc::new(ui.clone()));
    host.probe = probe::Points::asked(env)?;
    Ok(host)
}

/// Tells people why a command failed, and programs, where `-o` says that one reads.
fn tell(ui: &Ui, failure: &Failure, exit: Exit) {
    failure.diagnostics.iter().for_each(|diagnostic| ui.diagnostic(diagnostic));
    if ui.owes_document() {
        ui.document(&report::failure(exit, &failure.diagnostics));
    }
}

/// Tells why nothing was begun.
fn refused(ui: &Ui, failure: &Failure) -> ExitCode {
    let exit = Exit::from(failure.ending);
    tell(ui, failure, exit);
    exit.into()
}

/// Helm's verbs, in its voice or ours.
fn run_helm(env: &Env, helm: &OfHelm<'_>) -> ExitCode {
    let front = helm.front.as_ref();
    let verbosity = front.map_or(Verbosity::Normal, GlobalArgs::verbosity);
    let ui = Ui::new(ui::printer(env, verbosity, front.map_or_else(Default::default, |it| it.color)), Output::Table);
    let cwd = match front {
        // Helm's verbs that need no directory work without one.
        None => Ok(std::env::current_dir().unwrap_or_default()),
        Some(global) => working_directory(global),
    };
    let state = front.and_then(|it| it.state.clone()).or_else(|| landfall_helm::state(env, helm.arguments));
    match cwd.and_then(|cwd| host(env, cwd, state, &ui)) {
        Ok(host) => {
            // The process ends: to take it all apart costs as much as reading the environment.
            let (host, ui) = (ManuallyDrop::new(host), ManuallyDrop::new(ui));
            ExitCode::from(speak_helm(&host, &ui, helm.voice, helm.arguments))
        }
        Err(failure) => refused(&ui, &failure),
    }
}

/// Runs one of Helm's verbs; gives its exit code.
pub(crate) fn speak_helm(host: &Host, ui: &Ui, voice: landfall_helm::Voice, arguments: &[std::ffi::OsString]) -> u8 {
    let world = landfall_helm::World {
        voice,
        host,
        printer: ui,
        program: landfall_host::program(std::env::args()),
        runtime: &|| runtime(Some(workers_of_a_command().min(2))),
    };
    landfall_helm::run(&world, arguments)
}

/// A call of kubeseal's, in its voice.
fn run_kubeseal(env: &Env, arguments: &[std::ffi::OsString]) -> ExitCode {
    let ui = Ui::new(ui::printer(env, Verbosity::Normal, ui::ColorChoice::Auto), Output::Table);
    let cwd = std::env::current_dir().unwrap_or_default();
    let ready = host(env, cwd, None, &ui).and_then(|host| {
        let runtime = runtime(Some(1)).map_err(|error| {
            Failure::from(
                Diagnostic::error(code::NO_THREADS, "the process cannot start its threads").note(error.to_string()),
            )
        })?;
        Ok((host, runtime))
    });
    let (host, runtime) = match ready {
        Ok(ready) => ready,
        Err(failure) => return refused(&ui, &failure),
    };
    let words: Vec<String> = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let mut standard = std::io::stdin();
    let is_terminal = std::io::IsTerminal::is_terminal(&standard);
    let mut world = landfall_kubeseal::World {
        host: &host,
        program: arguments.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default(),
        input: landfall_kubeseal::Input::of(&mut standard, is_terminal),
        out: &mut landfall_terminal::out(),
        err: &mut landfall_terminal::err(),
    };
    let code = runtime.block_on(landfall_kubeseal::speak(&mut world, &words));
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    ExitCode::from(code)
}

/// Starts the process's one runtime, with a thread for each processor where no number of workers is given.
fn runtime(workers: Option<usize>) -> std::io::Result<tokio::runtime::Runtime> {
    // The process's one provider of cryptography; a second installation is refused and changes nothing.
    let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()
}

/// How many work for a command beside the thread that waits for its end, which works as they do: with it there is one for each processor.
fn workers_of_a_command() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().saturating_sub(1).max(1))
}

/// Runs a verb on a runtime, until it ends or is interrupted.
fn in_time(context: &Context, command: Command) -> Result<Outcome, Exit> {
    let workers = (!command.serves()).then(workers_of_a_command);
    let runtime = runtime(workers).map_err(|error| {
        context.ui.diagnostic(
            &Diagnostic::error(code::NO_THREADS, "the process cannot start its threads").note(error.to_string()),
        );
        Exit::Bug
    })?;
    let outcome = runtime.block_on(async {
        tokio::spawn(interrupt::heed(context.clone()));
        command.run(context).await
    });
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    Ok(outcome)
}

/// What a server says where nobody says otherwise: each sync, and what is wrong.
const SERVED: &str = "warn,landfall_server::sync=info";

fn log_to_stderr(env: &Env, command: &Command) {
    let usual = matches!(command, Command::Serve(_)).then_some(SERVED);
    let Some(filter) = env.get("LANDFALL_LOG").or(usual) else { return };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(landfall_terminal::err)
        .init();
}
