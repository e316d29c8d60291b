//! `helm test`.

use std::io::Write;

use landfall_chart::Dialect;
use landfall_cluster::LogOptions;
use landfall_diag::code;
use landfall_object::{Gvk, ObjectKey};
use landfall_release::{Record, TestFilter, TestOptions};

use super::deploy::timeout;
use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag};
use super::release_text::{Detail, Format, text};
use super::session::{Session, on_cluster, told};
use super::simulated::is_simulated;
use super::verb::{Names, Verb};
use super::{Stop, World, exactly, parse};

const FLAGS: &[Spec] = &[
    flag("filter", Kind::List, Support::Works, "run tests by attribute: name=test1,name=test2 or '!name=test3'"),
    flag("hide-notes", Kind::Bool, Support::Works, "do not show notes in the output"),
    flag("logs", Kind::Bool, Support::Works, "dump the logs from test pods"),
    flag("timeout", Kind::Duration, Support::Works, "time to wait for any individual operation (default 5m0s)"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["test"],
    about: "run tests for a release",
    parts: &[],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |at| if at == 0 { Names::Releases } else { Names::Files },
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "test [RELEASE] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    exactly(&flags, "test", 1, usage)?;
    on_cluster(world, &flags, async |session| test(session, &flags.arguments[0]).await)?;
    Ok(0)
}

async fn test(session: &Session<'_>, name: &str) -> Result<(), Stop> {
    let flags = session.flags;
    if landfall_release::validate_release_name(name).is_err() {
        return Err(Stop::words(code::BAD_RELEASE_NAME, format!("releaseTest: Release name is invalid: {name}")));
    }
    let filters = filters(flags);
    let options = TestOptions { timeout: timeout(flags), filters: filters.clone() };
    let prepared = session.releases.prepare_test(name, &options).await.map_err(|error| told(&error))?;
    let delivered = session.journalled(name, async |journal| session.run(&prepared, journal).await).await?;
    let dialect = session.dialect()?;
    let without_notes = flags.is("hide-notes") || dialect == Dialect::V4;
    let simulated = is_simulated(session).await;
    let detail = Detail { all: flags.is("debug"), without_notes, dialect, simulated, ..Detail::default() };
    let shown = text(&delivered.record, Format::Table, detail, None)?;
    landfall_terminal::out().write_all(shown.as_bytes())?;
    if flags.is("logs") {
        writeln!(landfall_terminal::out())?;
        logs(session, &delivered.record, &filters).await?;
    }
    if delivered.succeeded() { Ok(()) } else { Err(session.failure(&delivered)) }
}

fn filters(flags: &Flags) -> Vec<TestFilter> {
    flags
        .all("filter")
        .iter()
        .filter_map(|text| match text.strip_prefix("name=") {
            Some(name) => Some(TestFilter::Only(name.to_owned())),
            None => {
                let rest = text.strip_prefix('!')?;
                let rest = rest.strip_prefix([' ', '\t']).unwrap_or(rest);
                Some(TestFilter::Not(rest.strip_prefix("name=")?.to_owned()))
            }
        })
        .collect()
}

/// The logs of the pods that tested, by weight (pkg/action/release_testing.go, GetPodLogs).
async fn logs(session: &Session<'_>, record: &Record, filters: &[TestFilter]) -> Result<(), Stop> {
    let only = filters.iter().any(|filter| matches!(filter, TestFilter::Only(_)));
    let mut hooks: Vec<_> = record
        .hooks
        .iter()
        .filter(|hook| hook.events.iter().any(|event| event == "test"))
        .filter(|hook| !filters.contains(&TestFilter::Not(hook.name.clone())))
        .filter(|hook| !only || filters.contains(&TestFilter::Only(hook.name.clone())))
        .collect();
    hooks.sort_by(|a, b| a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name)));
    if session.dialect()? == Dialect::V4 {
        for hook in hooks.into_iter().filter(|hook| hook.kind == "Pod") {
            container_logs(session, &hook.name).await?;
        }
        return Ok(());
    }
    for hook in hooks {
        let found = session.cluster().logs(session.releases.namespace(), &hook.name, &LogOptions::default()).await;
        let log = found.map_err(|error| {
            Stop::said(
                format!("unable to get pod logs for {}: {error}", hook.name),
                landfall_diag::Diagnose::diagnose(&error),
            )
        })?;
        writeln!(landfall_terminal::out(), "POD LOGS: {}\n{log}", hook.name)?;
    }
    Ok(())
}

/// The logs of all of a pod's containers, as Helm 4 shows them; one that has none keeps back no other.
async fn container_logs(session: &Session<'_>, name: &str) -> Result<(), Stop> {
    let failed = |doing: String, error: landfall_cluster::Error| {
        Stop::said(format!("{doing}: {error}"), landfall_diag::Diagnose::diagnose(&error))
    };
    let namespace = session.releases.namespace();
    let key = ObjectKey::new(Gvk::new("", "v1", "Pod"), Some(namespace), name);
    let doing = || format!("unable to get pod {name}");
    let pod = session.cluster().get(&key).await.map_err(|error| failed(doing(), error))?;
    let pod = pod.ok_or_else(|| Stop::words(code::NO_TEST_POD, format!("{}: pods {name:?} not found", doing())))?;
    let mut kept_back = None;
    let containers =
        ["/spec/initContainers", "/spec/containers"].into_iter().filter_map(|list| pod.at(list)?.as_array());
    for container in containers.flatten().filter_map(|container| container["name"].as_str()) {
        let options = LogOptions { container: Some(container.to_owned()), ..LogOptions::default() };
        match session.cluster().logs(namespace, name, &options).await {
            Ok(log) => writeln!(landfall_terminal::out(), "POD LOGS: {name} ({container})\n{log}")?,
            Err(error) => {
                let doing = format!("unable to get logs for pod {name}, container {container}");
                kept_back.get_or_insert(failed(doing, error));
            }
        }
    }
    kept_back.map_or(Ok(()), Err)
}
