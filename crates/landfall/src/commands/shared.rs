//! What several commands do alike: read overrides, show progress, plans and units.

use std::path::Path;
use std::time::{Duration, Instant};

use landfall_chart::SetFlag;
use landfall_delivery::{
    Change, CheckResult, INTERRUPTED, Outcome, Overrides, Progress, Selection, Session, StandIn, UnitPlan, UnitSummary,
    UpOptions, Verdict,
};
use landfall_diag::{Diagnostic, code};
use landfall_engine::{Event, StepResult};
use landfall_host::{Connection, Failure, Hosting, Place};
use landfall_object::diff::Brief;
use landfall_source::{RemoteCharts, Revision};
use serde_json::{Value, json};
use tokio::sync::mpsc::channel;

use crate::cli::{TargetArgs, ValuesArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::ui::{Output, Progress as Live, Style, Ui, seconds};

/// Reads the values given on the command line for a target of a certain revision: a values file of the repository is
/// that revision's own, one that the revision does not have and another of those that matter does is left out, and any
/// other is read from disk.
pub(crate) fn overrides_at(
    context: &Context,
    args: &ValuesArgs,
    place: &Place,
    others: &[&str],
) -> Result<Overrides, Failure> {
    let source = &place.target.source;
    if source.directory_on_disk().is_some() {
        return overrides(context, args);
    }
    let top = context.host.directory.ancestors().find(|directory| directory.join(".git").exists());
    let inside = |name: &str| -> Option<String> {
        let mut path = std::path::PathBuf::new();
        for part in context.host.directory.join(name).components() {
            match part {
                std::path::Component::ParentDir => drop(path.pop()),
                std::path::Component::CurDir => {}
                part => path.push(part),
            }
        }
        Some(path.strip_prefix(top?).ok()?.to_string_lossy().into_owned())
    };
    let mut found = overrides(context, &ValuesArgs { values: Vec::new(), ..args.clone() })?;
    for name in &args.values {
        let path = if name == "-" { None } else { inside(name) };
        match path.as_deref().map(|path| source.read(path)) {
            Some(Ok(Some(bytes))) => {
                found.files.push((path.unwrap_or_default(), String::from_utf8_lossy(&bytes).into_owned()));
            }
            // What has a history and is not in that revision came later, or went before.
            Some(Ok(None)) if path.as_deref().is_some_and(|path| is_tracked(context, path, others)) => {}
            _ => found.files.extend(overrides(context, &only(name))?.files),
        }
    }
    Ok(found)
}

fn only(name: &str) -> ValuesArgs {
    ValuesArgs { values: vec![name.to_owned()], ..ValuesArgs::default() }
}

/// Whether the commit that is checked out, or another one, has a file.
fn is_tracked(context: &Context, path: &str, others: &[&str]) -> bool {
    let has = |revision: &str| {
        let commit = landfall_source::SourceTree::open_commit(&context.host.directory, revision);
        commit.is_ok_and(|commit| commit.read(path).is_ok_and(|file| file.is_some()))
    };
    has("HEAD") || others.iter().any(|revision| has(revision))
}

/// Reads the values given on the command line.
pub(crate) fn overrides(context: &Context, args: &ValuesArgs) -> Result<Overrides, Failure> {
    let mut overrides = Overrides::default();
    for name in &args.values {
        let text = if name == "-" {
            std::io::read_to_string(std::io::stdin()).map_err(|error| unreadable("-", &error))?
        } else {
            std::fs::read_to_string(context.host.directory.join(name)).map_err(|error| unreadable(name, &error))?
        };
        overrides.files.push((name.clone(), text));
    }
    let families: [(SetFlag, &[String]); 4] = [
        (SetFlag::Json, &args.set_json),
        (SetFlag::Set, &args.set),
        (SetFlag::String, &args.set_string),
        (SetFlag::Literal, &args.set_literal),
    ];
    for (flag, lines) in families {
        overrides.sets.extend(lines.iter().map(|line| (flag, line.clone())));
    }
    for line in &args.set_file {
        // `path=file` pairs by commas, as Helm reads them; what is wrong with the line is said when it is merged.
        let files = line
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(_, file)| {
                let content = std::fs::read_to_string(context.host.directory.join(file))
                    .map_err(|error| format!("open {file}: {}", os_words(&error)));
                (file.to_owned(), content)
            })
            .collect();
        overrides.set_files.push((line.clone(), files));
    }
    Ok(overrides)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::usage(
        Diagnostic::error(code::UNREADABLE_VALUES_ARGUMENT, format!("the values file `{name}` cannot be read"))
            .note(format!("helm: open {name}: {}", os_words(error))),
    )
}

/// An error of the operating system in the words that Go uses.
fn os_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// How charts that lie elsewhere are asked for.
pub(crate) fn remote_charts(context: &Context, place: &Place) -> RemoteCharts {
    let charts = landfall_host::remote_charts(&context.host.env, &context.host.directory, place.state.file("cache"));
    // Its directory gets its marker before anything lies in it.
    RemoteCharts { make_cache: Some(landfall_host::make_cache), ..charts }
}

/// What narrows the delivery down.
pub(crate) fn selection(context: &Context, place: &Place, args: &TargetArgs) -> Result<Selection, Failure> {
    let mut selection = Selection {
        environment: place.environment.clone(),
        release: args.release.clone().map(String::from),
        namespace: args.namespace.clone().map(String::from),
        skip: args.skip.clone(),
        repositories: Vec::new(),
        charts: remote_charts(context, place),
        lends_vendored: false,
    };
    if args.no_observability {
        selection.skip.push("observability".to_owned());
    }
    for pair in &args.repos {
        let Some((url, directory)) = pair.rsplit_once('=') else {
            return Err(Failure::usage(
                Diagnostic::error(code::BAD_REPOSITORY_PAIR, format!("--repo {pair} is not URL=DIR"))
                    .help("as in --repo https://git.example.com/shop.git=../shop"),
            ));
        };
        selection
            .repositories
            .push(StandIn::open(url, &context.host.directory.join(directory)).map_err(Failure::from)?);
    }
    Ok(selection)
}

/// What is said of a delivery that was interrupted.
pub(crate) const GOES_ON: &str = "the same command goes on from here";

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
        Progress::Checked(_) => {}
        Progress::Note(diagnostic) => {
            live.finish();
            ui.diagnostic(&diagnostic);
        }
        Progress::Engine { unit, event } => show_event(ui, live, &unit, *event, now),
    }
}

fn show_event(ui: &Ui, live: &mut Live, unit: &str, event: Event, now: Instant) {
    match event {
        Event::PhaseStarted { phase } => live.doing(&format!("{unit}: {phase}"), now),
        Event::StepStarted { action, key, .. } => {
            if action == landfall_engine::Action::Hook {
                live.line(&format!("  {} {}/{} (hook)", ui.err_style(Style::Changed, ">"), key.gvk.kind, key.name));
            }
            live.doing_now(&format!("{unit}: {} {}/{}", action.word(), key.gvk.kind, key.name));
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
        Event::StepDone { key, result, .. } => {
            if let Some((sign, style)) = sign_of(result) {
                let sign = ui.err_style(style, sign);
                live.line(&format!("  {sign} {}/{} {}", key.gvk.kind, key.name, result_word(result)));
            }
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
        Event::Evidence(_) | Event::Finished { .. } => {}
    }
}

fn sign_of(result: StepResult) -> Option<(&'static str, Style)> {
    match result {
        StepResult::Created => Some(("+", Style::Added)),
        StepResult::Changed => Some(("~", Style::Changed)),
        StepResult::Deleted => Some(("-", Style::Removed)),
        StepResult::Failed => Some(("!", Style::Degraded)),
        StepResult::HookSucceeded => Some(("✓", Style::Healthy)),
        StepResult::Kept => Some(("=", Style::Muted)),
        StepResult::Unchanged | StepResult::Absent | StepResult::Ready => None,
    }
}

fn result_word(result: StepResult) -> &'static str {
    match result {
        StepResult::Created => "created",
        StepResult::Changed => "changed",
        StepResult::Deleted => "deleted",
        StepResult::Failed => "failed",
        StepResult::HookSucceeded => "succeeded",
        StepResult::Kept => "kept",
        StepResult::Unchanged => "unchanged",
        StepResult::Absent => "absent",
        StepResult::Ready => "ready",
    }
}

/// A diagnostic with what could be seen of a pod that did not do its work: where it stands, and its last log.
pub(crate) fn with_evidence(mut diagnostic: Diagnostic, evidence: &landfall_cluster::Evidence) -> Diagnostic {
    if let Some(pod) = &evidence.pod {
        let container = evidence.container.as_deref().unwrap_or("-");
        diagnostic =
            diagnostic.note(format!("pod {pod}, container {container}: {} {}", evidence.reason, evidence.message));
    }
    if !evidence.log.is_empty() {
        let which = if evidence.previous { "log before its last restart" } else { "its last log" };
        diagnostic = diagnostic.note(format!("{which}:\n{}", evidence.log.join("\n")));
    }
    diagnostic
}

/// The JSON envelope that all machine output has.
pub(crate) fn envelope(kind: &str, exit: Exit, data: Value, started: Instant) -> Value {
    json!({
        "schema": format!("landfall.dev/v1/{kind}"),
        "ok": exit == Exit::Done,
        "exit": exit as u8,
        "data": data,
        "elapsed_ms": started.elapsed().as_millis() as u64,
    })
}

/// One unit's outcome, for people.
pub(crate) fn print_unit(context: &Context, unit: &UnitSummary, cluster: &str, revision: &str) {
    let ui = &context.ui;
    let outcome = match unit.outcome {
        Outcome::Delivered => ui.out_style(Style::Healthy, "delivered"),
        Outcome::Unchanged => ui.out_style(Style::Muted, "unchanged"),
        Outcome::Failed => ui.out_style(Style::Degraded, "failed"),
        Outcome::Interrupted => ui.out_style(Style::Warning, INTERRUPTED),
        Outcome::NotBegun => ui.out_style(Style::Warning, "not begun"),
    };
    let name = ui.out_style(Style::Strong, &unit.name);
    ui.line(&format!("{name} → {cluster}/{}   revision {}   {revision}   {outcome}", unit.namespace, unit.revision));
    for change in &unit.changes {
        print_change(ui, change);
    }
    if unit.unchanged > 0 && unit.outcome != Outcome::Unchanged {
        ui.line(&ui.out_style(Style::Muted, &format!("  = {} unchanged", unit.unchanged)));
    }
    for diagnostic in &unit.diagnostics {
        ui.diagnostic(diagnostic);
    }
    if let Some(failure) = &unit.failure {
        print_failure(ui, failure, unit);
    }
}

fn print_failure(ui: &Ui, failure: &landfall_delivery::FailureReport, unit: &UnitSummary) {
    ui.status(&format!("pods of {}:", unit.namespace));
    for pod in &failure.pods {
        let mark = if pod.simulated { "~" } else { " " };
        ui.status(&format!(
            "  {mark} {:<48} {:<6} {:<28} {} restarts  {}",
            pod.name, pod.ready, pod.status, pod.restarts, pod.node
        ));
    }
    ui.status("last events:");
    for event in &failure.events {
        let times = if event.count > 1 { format!(" (×{})", event.count) } else { String::new() };
        ui.status(&format!("  {} {:<8} {:<20} {}{times}", event.at, event.kind, event.reason, event.message));
    }
    let name = failure.evidence.first().map_or_else(
        || "SERVICE".to_owned(),
        |evidence| evidence.pod.clone().unwrap_or_else(|| evidence.object.name.clone()),
    );
    ui.status(&format!("look further: landfall status · landfall logs {name} · landfall history {}", unit.name));
}

fn print_change(ui: &Ui, change: &Change) {
    let (sign, style) = match (change.result, change.action.as_str()) {
        (Some(StepResult::Failed), _) => ("!", Style::Degraded),
        (_, "create") => ("+", Style::Added),
        (_, "delete") => ("-", Style::Removed),
        (_, "hook") => (">", Style::Changed),
        (_, "restart") => ("↻", Style::Changed),
        _ => ("~", Style::Changed),
    };
    let what = match change.fields.first() {
        Some(field) => {
            let more =
                if change.fields.len() > 1 { format!(" and {} more", change.fields.len() - 1) } else { String::new() };
            format!("{} {}{more}", field.path, Brief::of(field.from.as_ref(), field.to.as_ref(), 40))
        }
        None => change.why.clone(),
    };
    let result = change.result.map(result_word).unwrap_or_default();
    let object = format!("{}/{}", change.object.gvk.kind, change.object.name);
    ui.line(format!("  {} {object:<40} {what:<48} {result}", ui.out_style(style, sign)).trim_end());
    for field in &change.fields {
        if let Some(by) = &field.by {
            ui.line(&ui.out_style(Style::Muted, &format!("      {} was written by {by}", field.path)));
        }
    }
}

/// One check's outcome, for people.
pub(crate) fn print_check(context: &Context, check: &CheckResult) {
    let ui = &context.ui;
    let (word, style, why) = match &check.verdict {
        Verdict::Passed if check.simulated => ("passed ~", Style::Healthy, String::new()),
        Verdict::Passed => ("passed", Style::Healthy, String::new()),
        Verdict::Failed { reason } => ("failed", Style::Degraded, format!(": {reason}")),
        Verdict::NotSimulated { reason } => ("not simulated", Style::Warning, format!(": {reason}")),
    };
    ui.line(&format!("check {:<12} {:<40} {}{why}", check.name, check.address, ui.out_style(style, word)));
}

/// A target, where it goes, and what would be done there; nothing is started and nothing is changed.
pub(crate) async fn planned(
    context: &Context,
    target: Option<&str>,
    args: &TargetArgs,
    values: &ValuesArgs,
) -> Result<(Place, Connection, Vec<UnitPlan>), Failure> {
    let started = Instant::now();
    let place = context.host.place(target, &args.query())?;
    let overrides = overrides(context, values)?;
    let selection = selection(context, &place, args)?;
    let candidates =
        place.target.units(&selection, &overrides, &context.host.default_namespace(&place)).map_err(Failure::from)?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let options = UpOptions::default();
    let plans = with_progress(context, &mut connection, started, |session| {
        let (candidates, options) = (&candidates, &options);
        async move { session.plan(candidates, options).await }
    })
    .await;
    connection.close().await;
    Ok((place, connection, plans.map_err(Failure::from)?))
}

/// Plans, for people or machines; without a revision they lead back to an earlier one.
pub(crate) fn print_plans(
    context: &Context,
    place: &Place,
    connection: &Connection,
    revision: Option<&Revision>,
    plans: &[UnitPlan],
) {
    let ui = &context.ui;
    if matches!(ui.output, Output::Json | Output::Yaml) {
        let data = json!({
            "revision": revision.map(ToString::to_string),
            "cluster": connection.name,
            "environment": place.environment,
            "units": plans,
        });
        ui.document(&json!({"schema": "landfall.dev/v1/Plan", "ok": true, "data": data}));
        return;
    }
    for plan in plans {
        if ui.output == Output::Name {
            ui.line(&format!("{}/{}", plan.namespace, plan.name));
            continue;
        }
        let what = if plan.unchanged { "no changes".to_owned() } else { format!("revision {}", plan.revision) };
        ui.line(&format!(
            "{} → {}/{}   {}   {what}   plan {}",
            ui.out_style(Style::Strong, &plan.name),
            connection.name,
            plan.namespace,
            revision.map_or_else(|| "earlier revision".to_owned(), Revision::short),
            &plan.plan.digest[..12.min(plan.plan.digest.len())]
        ));
        let mut phase = String::new();
        let mut wave = 0;
        for change in plan.changes.iter().filter(|_| !plan.unchanged) {
            if change.phase != phase || change.wave != wave {
                phase.clone_from(&change.phase);
                wave = change.wave;
                let wave = if wave == 0 { String::new() } else { format!(", wave {wave}") };
                ui.line(&ui.out_style(Style::Muted, &format!("  {phase}{wave}")));
            }
            print_change(ui, change);
        }
        let unchanged = plan.plan.count(landfall_engine::Action::Unchanged);
        if unchanged > 0 {
            ui.line(&ui.out_style(Style::Muted, &format!("  = {unchanged} unchanged")));
        }
    }
    for section in not_acted_on(place) {
        ui.line(&ui.out_style(Style::Muted, &format!("  `{section}` is read and checked, but not acted on yet")));
    }
}

fn not_acted_on(place: &Place) -> Vec<&'static str> {
    match &place.target.kind {
        landfall_delivery::TargetKind::System(file) => {
            file.system.not_acted_on(place.environment.as_deref().unwrap_or_default())
        }
        _ => Vec::new(),
    }
}

/// Whether a path is something that can be delivered rather than a release's name.
pub(crate) fn is_path(context: &Context, text: &str) -> bool {
    text.contains('/') || text.starts_with('.') || Path::new(&context.host.directory.join(text)).exists()
}

/// How long ago a time was, as people read it.
pub(crate) fn ago(at: &str) -> String {
    let Ok(at) = at.parse::<jiff::Timestamp>() else { return at.to_owned() };
    let passed = Duration::try_from(jiff::Timestamp::now().duration_since(at)).unwrap_or_default();
    match passed.as_secs() {
        0..=119 => format!("{} ago", seconds(Duration::from_secs(passed.as_secs()))),
        120..=7199 => format!("{}m ago", passed.as_secs() / 60),
        7200..=172_799 => format!("{}h ago", passed.as_secs() / 3600),
        _ => format!("{}d ago", passed.as_secs() / 86_400),
    }
}
