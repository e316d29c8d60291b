//! `helm list`.

use std::collections::BTreeMap;
use std::io::Write;

use landfall_chart::Dialect;
use landfall_diag::code;
use landfall_release::{Record, Status};
use serde_json::{Value, json};

use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag, short};
use super::gojson::{self, LISTING, Shape};
use super::release_text::{Format, yaml};
use super::session::{on_cluster, told};
use super::table::Table;
use super::verb::{Names, Verb};
use super::{Stop, World, moment, parse};

use Kind::{Bool, Int, Text};
use Support::Works;

const FLAGS: &[Spec] = &[
    short("all", 'a', Bool, Works, "show all releases without any filter applied"),
    short("all-namespaces", 'A', Bool, Works, "list releases across all namespaces"),
    short("date", 'd', Bool, Works, "sort by release date"),
    flag("deployed", Bool, Works, "show deployed releases"),
    flag("failed", Bool, Works, "show failed releases"),
    short("filter", 'f', Text, Works, "a regular expression on the releases' names"),
    short("max", 'm', Int, Works, "maximum number of releases to fetch (default 256)"),
    flag("no-headers", Bool, Works, "don't print headers when using the default output format"),
    flag("offset", Int, Works, "next release index in the list, used to offset from start value"),
    short("output", 'o', Kind::Format, Works, "prints the output in the specified format: table, json, yaml"),
    flag("pending", Bool, Works, "show pending releases"),
    short("reverse", 'r', Bool, Works, "reverse the sort order"),
    short("selector", 'l', Text, Works, "selector (label query) to filter on"),
    short("short", 'q', Bool, Works, "output short (quiet) listing format"),
    flag("superseded", Bool, Works, "show superseded releases"),
    flag("time-format", Text, Works, "format time using golang time formatter"),
    flag("uninstalled", Bool, Works, "show uninstalled releases"),
    flag("uninstalling", Bool, Works, "show releases that are currently being uninstalled"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["list", "ls"],
    about: "list releases",
    parts: &[],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Unknown,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "list [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    if !flags.arguments.is_empty() {
        return Err(Stop::Usage(format!("\"helm list\" accepts no arguments\n\nUsage:  helm {usage}")));
    }
    let records = on_cluster(world, &flags, async |session| {
        let filter = flags.text("filter").filter(|text| !text.is_empty()).map(expression).transpose()?;
        let selector = landfall_drydock::LabelSelector::parse(flags.text("selector").unwrap_or_default())
            .map_err(|status| Stop::words(code::BAD_HELM_ARGUMENT, status.message))?;
        let namespace = (!flags.is("all-namespaces")).then(|| session.releases.namespace());
        let mut records = session.releases.revisions(namespace).await.map_err(|error| told(&error))?;
        records.retain(|record| filter.as_ref().is_none_or(|filter| filter.is_match(&record.name)));
        let wanted = wanted(&flags, session.dialect()?);
        if wanted != [Status::Superseded] {
            records = newest(records);
        }
        records.retain(|record| wanted.contains(&record.info.status));
        records.retain(|record| {
            let mut labels = record.labels.clone();
            labels.extend(record.system_labels());
            selector.matches(&json!(labels))
        });
        Ok(records)
    })?;
    let records = window(sorted(records, &flags), &flags);
    print(&records, &flags)?;
    Ok(0)
}

fn expression(pattern: &str) -> Result<regex::Regex, Stop> {
    let refuse = |words: String| Stop::words(code::BAD_HELM_ARGUMENT, words);
    let pattern = landfall_sprig::go_expression(pattern).map_err(refuse)?;
    regex::Regex::new(&pattern)
        .map_err(|error| Stop::words(code::BAD_HELM_ARGUMENT, format!("error parsing regexp: {error}")))
}

/// The statuses asked for.
fn wanted(flags: &Flags, dialect: Dialect) -> Vec<Status> {
    use Status::{
        Deployed, Failed, PendingInstall, PendingRollback, PendingUpgrade, Superseded, Uninstalled, Uninstalling,
    };
    let pending = [PendingInstall, PendingUpgrade, PendingRollback];
    let all = || [Deployed, Uninstalled, Superseded, Failed, Uninstalling].into_iter().chain(pending).collect();
    if flags.is("all") {
        return all();
    }
    let mut wanted = Vec::new();
    for (flag, statuses) in [
        ("deployed", &[Deployed][..]),
        ("uninstalled", &[Uninstalled]),
        ("uninstalling", &[Uninstalling]),
        ("pending", &pending),
        ("failed", &[Failed]),
        ("superseded", &[Superseded]),
    ] {
        if flags.is(flag) {
            wanted.extend(statuses);
        }
    }
    match (wanted.is_empty(), dialect) {
        (false, _) => wanted,
        // Helm 4 shows all when nothing is asked for.
        (true, Dialect::V4) => all(),
        (true, Dialect::V3) => vec![Deployed, Failed],
    }
}

fn newest(records: Vec<Record>) -> Vec<Record> {
    let mut newest: BTreeMap<(String, String), Record> = BTreeMap::new();
    for record in records {
        let key = (record.namespace.clone(), record.name.clone());
        if newest.get(&key).is_none_or(|known| known.version <= record.version) {
            newest.insert(key, record);
        }
    }
    newest.into_values().collect()
}

fn sorted(mut records: Vec<Record>, flags: &Flags) -> Vec<Record> {
    // By namespace among equals, where Helm leaves it to chance.
    records.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.namespace.cmp(&b.namespace)));
    if flags.is("date") {
        // Helm compares whole seconds.
        records.sort_by_key(|record| record.info.last_deployed.map(|at| at.as_second()));
    }
    if flags.is("reverse") {
        records.reverse();
    }
    records
}

fn window(records: Vec<Record>, flags: &Flags) -> Vec<Record> {
    let offset = usize::try_from(flags.int("offset").unwrap_or(0)).unwrap_or(0);
    let limit = match flags.int("max") {
        None => 256,
        Some(limit) => usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX),
    };
    records.into_iter().skip(offset).take(limit).collect()
}

/// The chart's name and version, as listings show them.
pub(super) fn chart_name(record: &Record) -> String {
    match record.chart.get("metadata") {
        Some(Value::Object(_)) => format!("{}-{}", record.chart_name(), record.chart_version()),
        _ => "MISSING".to_owned(),
    }
}

/// The chart's application version, as listings show it.
pub(super) fn app_version(record: &Record) -> String {
    match record.chart.get("metadata") {
        Some(Value::Object(_)) => record.app_version().to_owned(),
        _ => "MISSING".to_owned(),
    }
}

fn print(records: &[Record], flags: &Flags) -> Result<(), Stop> {
    let format = Format::of(flags);
    let mut out = landfall_terminal::out();
    if flags.is("short") {
        let names: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
        let text = match format {
            Format::Table => names.iter().map(|name| format!("{name}\n")).collect(),
            Format::Json => gojson::line(&json!(names), &Shape::Sorted),
            Format::Yaml => yaml(&json!(names))?,
        };
        out.write_all(text.as_bytes())?;
        return Ok(());
    }
    let layout = flags.text("time-format").filter(|layout| !layout.is_empty());
    let updated = |record: &Record| match (record.info.last_deployed, layout) {
        (None, _) => "-".to_owned(),
        (Some(at), Some(layout)) => moment::formatted(layout, at),
        (Some(at), None) => moment::plain(at),
    };
    if format == Format::Table {
        let mut table = Table::default();
        if !flags.is("no-headers") {
            table.row(["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"]);
        }
        for record in records {
            table.row([
                record.name.clone(),
                record.namespace.clone(),
                record.version.to_string(),
                updated(record),
                record.info.status.to_string(),
                chart_name(record),
                app_version(record),
            ]);
        }
        out.write_all(table.text().as_bytes())?;
        return Ok(());
    }
    let lines: Vec<Value> = records
        .iter()
        .map(|record| {
            json!({
                "name": record.name,
                "namespace": record.namespace,
                "revision": record.version.to_string(),
                "updated": updated(record),
                "status": record.info.status.word(),
                "chart": chart_name(record),
                "app_version": app_version(record),
            })
        })
        .collect();
    let value = Value::Array(lines);
    let text = if format == Format::Json { gojson::line(&value, &LISTING) } else { yaml(&value)? };
    out.write_all(text.as_bytes())?;
    Ok(())
}
