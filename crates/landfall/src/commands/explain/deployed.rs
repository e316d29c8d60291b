//! The releases that `explain --deployed` is about: what their records hold, lent subcharts by the charts on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_cluster::Cluster;
use landfall_delivery::{Explainer, Overrides, Unit};
use landfall_diag::{Diagnostic, code};
use landfall_engine::WallClock;
use landfall_host::{Failure, Hosting, PlaceQuery, failed};
use landfall_release::{Driver, Record, Releases, Status};

use super::ExplainArgs;
use crate::context::Context;

/// One for each release that is meant.
pub(super) async fn explainers(context: &Context, args: &ExplainArgs) -> Result<Vec<Explainer>, Failure> {
    let values = &args.values;
    let given = [&values.values, &values.set, &values.set_string, &values.set_json, &values.set_file];
    if given.iter().any(|given| !given.is_empty()) || !values.set_literal.is_empty() {
        return Err(Failure::usage(
            Diagnostic::error(
                code::VALUES_BESIDE_RECORD,
                "--deployed explains the values of the record, and others are given",
            )
            .help("leave out either --deployed or the values"),
        ));
    }
    // Whatever revision the charts on disk are read of, the records are those of now.
    let cluster = PlaceQuery { revision: None, ..args.place.query() };
    let place = context.host.cluster_place(args.target.as_deref(), &cluster).await?;
    let units = on_disk(context, args).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let found = of_cluster(context, args, &units, &connection.cluster).await;
    connection.close().await;
    found
}

/// What lies on disk; without a target there may be nothing.
async fn on_disk(context: &Context, args: &ExplainArgs) -> Result<Vec<Unit>, Failure> {
    let read = async {
        let place = context.host.place(args.target.as_deref(), &args.place.query()).await?;
        let selection = args.place.selection(&context.host, &place)?;
        let namespace = context.host.default_namespace(&place);
        let candidates = place.target.units(&selection, &Overrides::default(), &namespace).await?;
        Ok(candidates.into_iter().filter_map(|(_, unit)| unit.ok()).collect())
    };
    match read.await {
        Err(_) if args.target.is_none() => Ok(Vec::new()),
        read => read,
    }
}

async fn of_cluster(
    context: &Context,
    args: &ExplainArgs,
    units: &[Unit],
    cluster: &Cluster,
) -> Result<Vec<Explainer>, Failure> {
    let named = context.host.env.get("HELM_DRIVER");
    let driver = Driver::named(named).ok_or_else(|| {
        Failure::usage(
            Diagnostic::error(
                code::RECORDS_ELSEWHERE,
                format!("releases are not read from where HELM_DRIVER={} keeps them", named.unwrap_or_default()),
            )
            .help("unset HELM_DRIVER, or set it to `secret` or `configmap`"),
        )
    })?;
    let namespace = args.place.namespace.as_deref();
    let releases = Releases::new(cluster.clone(), namespace.unwrap_or("default"), Arc::new(WallClock)).kept_in(driver);
    let all = releases.revisions(namespace).await.map_err(|error| failed(&error))?;
    let known: Vec<String> = all.iter().map(|record| record.name.clone()).collect();
    let chosen = chosen(all, args, units);
    if chosen.is_empty() {
        return Err(none(args, known));
    }
    let (mut explainers, mut refused) = (Vec::new(), Vec::new());
    for record in &chosen {
        let lender = units.iter().filter_map(Unit::chart).find(|chart| chart.name() == record.chart_name());
        match Explainer::of_record(record, lender, cluster).await {
            Ok(explainer) => explainers.push(explainer),
            Err(diagnostics) => refused.extend(diagnostics),
        }
    }
    if explainers.is_empty() {
        return Err(Failure::from(refused));
    }
    refused.iter().for_each(|diagnostic| context.ui.diagnostic(diagnostic));
    Ok(explainers)
}

/// The revision of each release that is meant: the one asked for, else what is deployed, else the newest.
fn chosen(all: Vec<Record>, args: &ExplainArgs, units: &[Unit]) -> Vec<Record> {
    let is_meant = |record: &Record| match &args.place.release {
        Some(name) => record.name == *name,
        None if units.is_empty() => true,
        // A chart may be deployed under any name.
        None => units.iter().any(|unit| {
            unit.name == record.name || unit.chart().is_some_and(|chart| chart.name() == record.chart_name())
        }),
    };
    let mut releases: BTreeMap<(String, String), Record> = BTreeMap::new();
    for record in all.into_iter().filter(is_meant) {
        if args.revision.is_some_and(|revision| revision != record.version) {
            continue;
        }
        let key = (record.namespace.clone(), record.name.clone());
        let rank = |record: &Record| (record.info.status == Status::Deployed, record.version);
        if releases.get(&key).is_none_or(|best| rank(best) < rank(&record)) {
            releases.insert(key, record);
        }
    }
    releases.into_values().collect()
}

fn none(args: &ExplainArgs, mut known: Vec<String>) -> Failure {
    known.sort();
    known.dedup();
    let what = match (&args.place.release, args.revision) {
        (Some(name), Some(revision)) => format!("there is no revision {revision} of a release {name}"),
        (Some(name), None) => format!("there is no release {name}"),
        (None, Some(revision)) => format!("nothing of this is deployed in a revision {revision}"),
        (None, None) => "nothing of this is deployed".to_owned(),
    };
    let mut diagnostic = Diagnostic::error(code::NO_RELEASE, what);
    if !known.is_empty() {
        diagnostic = diagnostic.note(format!("releases: {}", known.join(", "))).help("say which: --release NAME");
    }
    if let Some(name) = &args.place.release
        && let Some(near) = landfall_diag::nearest(name, known.iter().map(String::as_str)).filter(|near| *near != name)
    {
        diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
    }
    Failure::from(diagnostic)
}
