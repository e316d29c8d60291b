//! `landfall cluster …`

use std::time::{Duration, Instant};

use landfall_diag::{Diagnostic, code};
use landfall_host::{self as host, Delivering, Failure, Hosting, ServeOptions, StateDir};
use landfall_project::Span;
use serde_json::json;

use crate::cli::{ClusterStartArgs, ClusterStatusArgs, KubeconfigArgs, OperatorState, ResetArgs, ServeArgs, StopArgs};
use crate::commands::consent::Question;
use crate::commands::{operators, shared};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;

pub(crate) async fn start(context: &Context, args: ClusterStartArgs) -> Outcome {
    let started = Instant::now();
    host::nodes(&args.nodes)?;
    let state = context.host.state_here()?;
    state.create().map_err(Failure::from)?;
    let was_running = match state.try_lock().map_err(Failure::from)? {
        Some(lock) => {
            drop(lock);
            host::spawn(&state, args.port, &args.nodes).await?;
            false
        }
        None => true,
    };
    let Some(endpoint) = state.wait_for_endpoint(Duration::from_secs(10)) else {
        return Err(Failure::from(Diagnostic::error(
            code::SERVER_NOT_STARTED,
            "the embedded cluster did not say where it listens",
        )));
    };
    if !args.no_simulate.is_empty() {
        let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
        let off = operators::set(
            &connection.cluster,
            OperatorState::Off,
            &args.no_simulate,
            "landfall cluster start --no-simulate",
        )
        .await;
        connection.close().await;
        off?;
    }
    let ui = &context.ui;
    if matches!(ui.output, Output::Json | Output::Yaml) {
        let data = serde_json::to_value(&endpoint).unwrap_or_default();
        ui.document(&shared::envelope("Endpoint", Exit::Done, data, started));
        return Ok(Exit::Done);
    }
    let how = if was_running { "runs already" } else { "started" };
    ui.line(&format!("the embedded cluster {how}: {} (pid {})", endpoint.server, endpoint.pid));
    if let Some(http) = endpoint.http {
        ui.line(&format!(
            "ingress: http://{http}{}",
            endpoint.https.map(|it| format!(", https://{it}")).unwrap_or_default()
        ));
    }
    ui.line(&format!("kubectl --kubeconfig {} get nodes", landfall_host::shell_word(&state.file("kubeconfig"))));
    ui.line("landfall cluster stop ends it");
    Ok(Exit::Done)
}

pub(crate) async fn stop(context: &Context, args: StopArgs) -> Outcome {
    let state = context.host.state_here()?;
    if !state.exists() {
        context.ui.line("it was not running");
        return Ok(Exit::Done);
    }
    let _delivering = alone(context, &state, "cluster stop", args.timeout.as_ref()).await?;
    if host::stop_server(&state).await? {
        context.ui.line("stopped; its state stays");
    } else {
        context.ui.line("it was not running");
    }
    Ok(Exit::Done)
}

pub(crate) async fn reset(context: &Context, args: ResetArgs) -> Outcome {
    let state = context.host.state_here()?;
    if !state.exists() {
        context.ui.line("there is nothing to forget");
        return Ok(Exit::Done);
    }
    if !args.yes {
        let text = "Forget the embedded cluster and all in it? [y/N] ".to_owned();
        let needs = "forgetting the embedded cluster's state needs a yes";
        let question = Question::new(text, needs, "say it with --yes", "nothing was forgotten");
        question.ask(context, |answer| answer == "y")?;
    }
    let _delivering = alone(context, &state, "cluster reset", args.timeout.as_ref()).await?;
    host::stop_server(&state).await?;
    match state.wait_for_lock(Duration::from_secs(5)).map_err(Failure::from)? {
        Some(lock) => context.host.forget(&state, lock)?,
        None => return Err(Failure::from(Diagnostic::error(code::EMBEDDED_IN_USE, "the embedded cluster is in use"))),
    }
    context.ui.line("the embedded cluster and its state are gone");
    Ok(Exit::Done)
}

/// Keeps deliveries away from a cluster that is about to end, after the one that is under way.
async fn alone(
    context: &Context,
    state: &StateDir,
    command: &str,
    patience: Option<&Span>,
) -> Result<Delivering, Failure> {
    let patience = patience.map_or(landfall_host::SHORT, Span::duration);
    context.host.deliver_alone(state, command, patience).await
}

pub(crate) async fn status(context: &Context, args: ClusterStatusArgs) -> Outcome {
    let started = Instant::now();
    let _ = args.output;
    let state = context.host.state_here()?;
    let running = state.is_open();
    let endpoint = if running { state.wait_for_endpoint(Duration::from_secs(2)) } else { None };
    let operators = match &endpoint {
        Some(_) => {
            let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
            let found = operators::standing(&connection.cluster).await;
            connection.close().await;
            Some(found?)
        }
        None => None,
    };
    let ui = &context.ui;
    if matches!(ui.output, Output::Json | Output::Yaml) {
        let data = json!({"running": running, "endpoint": endpoint, "operators": operators});
        ui.document(&shared::envelope("ClusterStatus", Exit::Done, data, started));
        return Ok(Exit::Done);
    }
    match endpoint {
        Some(endpoint) => ui.line(&format!("running at {} (pid {})", endpoint.server, endpoint.pid)),
        None if state.file("cluster.db").exists() => ui.line("not running; its state is kept"),
        None => ui.line("not running; there is no state"),
    }
    if let Some(operators) = operators {
        ui.line("");
        ui.table(&operators::table(&operators));
    }
    Ok(Exit::Done)
}

pub(crate) async fn kubeconfig(context: &Context, args: KubeconfigArgs) -> Outcome {
    let state = context.host.state_here()?;
    let file = state.file("kubeconfig");
    let running = state.is_open();
    if !running {
        return Err(Failure::from(
            Diagnostic::error(code::NOT_RUNNING, "the embedded cluster does not run, so no kubeconfig leads to it")
                .help("landfall cluster start"),
        ));
    }
    // Not the file's own text, which goes into the user's kubeconfig with `--merge`: it could name programs.
    let text = state.access().map_err(Failure::from)?.kubeconfig_text()?;
    if args.path {
        context.ui.line(&file.display().to_string());
    } else if args.merge {
        let into = landfall_host::merge_kubeconfig(&context.host.env, &text)?;
        context.ui.line(&format!("context `landfall` is in {}", into.display()));
    } else {
        context.ui.bytes(text.as_bytes());
    }
    Ok(Exit::Done)
}

pub(crate) async fn serve(context: &Context, args: ServeArgs) -> Outcome {
    let state = context.host.state_here()?;
    let options = ServeOptions {
        port: args.port,
        nodes: host::nodes(&args.nodes)?,
        idle: (args.idle > 0).then(|| Duration::from_secs(args.idle)),
    };
    match host::serve(&context.host, &state, options).await {
        // Who started the server tells by the code, not by the words in its log.
        Err(failure) if failure.diagnostics.iter().any(|it| it.code == code::DISK_FULL) => {
            failure.diagnostics.iter().for_each(|diagnostic| context.ui.diagnostic(diagnostic));
            Ok(Exit::DiskFull)
        }
        served => served.map(|()| Exit::Done),
    }
}
