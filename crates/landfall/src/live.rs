//! A use case with its progress shown, and why it could not go on when its server has gone.

use std::time::{Duration, Instant};

use landfall_delivery::{Progress, Session};
use landfall_diag::Diagnostic;
use landfall_engine::{Action, Event, StepResult};
use landfall_host::{Connection, Failure};
use tokio::sync::mpsc::channel;

use crate::context::Context;
use crate::ui::{Progress as Live, Style, Ui};

/// What a use case gave, or why it could not: the cluster's server that has gone, before all that follows from it.
pub(crate) fn or_lost<T>(connection: &Connection, result: Result<T, Vec<Diagnostic>>) -> Result<T, Failure> {
    result.map_err(|diagnostics| connection.lost().unwrap_or_else(|| diagnostics.into()))
}

/// Runs a use case with its progress shown.
pub(crate) async fn with_progress<F, Fut, T>(
    context: &Context,
    connection: &mut Connection,
    started: Instant,
    act: F,
) -> T
where
    F: FnOnce(Session) -> Fut,
    Fut: Future<Output = T>,
{
    let (sender, mut receiver) = channel(256);
    let session = connection.session(&context.host, sender);
    let ui = context.ui.clone();
    let show = tokio::spawn(async move {
        let mut live = Live::start(&ui, started);
        while let Some(progress) = receiver.recv().await {
            show_progress(&ui, &mut live, progress);
        }
        live.finish();
    });
    let result = act(session).await;
    let _shown = show.await;
    result
}

fn show_progress(ui: &Ui, live: &mut Live, progress: Progress) {
    let now = Instant::now();
    match progress {
        Progress::Doing(what) => live.doing(&what, now),
        Progress::OperatorSimulated { operator, kind } => {
            live.line(&format!("~ {operator}: simulated, because the chart brings a {kind}"));
        }
        Progress::Built { service, how } => live.line(&format!("~ build {service}: {how}")),
        // What is refused is told when all of it is known.
        Progress::Checked(_) | Progress::Refused(_) => {}
        Progress::Note(diagnostic) => {
            live.finish();
            ui.diagnostic(&diagnostic);
        }
        Progress::LeftOut(left_out) => {
            live.finish();
            ui.diagnostic(&left_out.told);
        }
        Progress::Engine { unit, event } => show_event(ui, live, &unit, *event, now),
    }
}

fn show_event(ui: &Ui, live: &mut Live, unit: &str, event: Event, now: Instant) {
    match event {
        Event::PhaseStarted { phase } => live.doing(&format!("{unit}: {phase}"), now),
        // What became of a step is in the report; a hook may take its time, and its log follows.
        Event::StepStarted { action, key, .. } => {
            let what = format!("{unit}: {} {}/{}", action.word(), key.gvk.kind, key.name);
            if action == Action::Hook { live.doing(&what, now) } else { live.doing_now(&what) }
        }
        Event::Waiting { pending, total, since, .. } => {
            let what: Vec<String> = pending
                .iter()
                .take(3)
                .map(|one| format!("{}/{} ({})", one.key.gvk.kind, one.key.name, one.missing))
                .collect();
            let more = if pending.len() > 3 { format!(" and {} more", pending.len() - 3) } else { String::new() };
            let waited = jiff::Timestamp::now().duration_since(since);
            let waited = Duration::try_from(waited).unwrap_or_default();
            live.waiting(&format!("{} of {total}: {}{more}", pending.len(), what.join(", ")), waited, now);
        }
        Event::HookLog { key, container, text } => {
            for line in text.lines() {
                live.line(&format!("    {}/{} {container}: {line}", key.gvk.kind, key.name));
            }
        }
        Event::Interrupted { reason } => live.line(&format!("the connection broke and is tried again: {reason}")),
        Event::Planned { operation, steps, done } => {
            ui.detail(&format!("{unit}: operation {operation}, {steps} steps, {done} of them done before"));
        }
        // By its name as soon as it is known: what is put back, and the report, come later.
        Event::StepDone { key, result: StepResult::Failed, .. } => {
            let sign = ui.err_style(Style::Degraded, "!");
            live.line(&format!("  {sign} {}/{} failed", key.gvk.kind, key.name));
        }
        Event::StepDone { .. } | Event::Evidence(_) | Event::Finished { .. } => {}
    }
}
