//! `helm history`.

use std::io::Write;

use landfall_chart::Dialect;
use landfall_diag::code;
use serde_json::{Value, json};

use super::flags::{GLOBAL, Kind, Spec, Support, flag, short};
use super::gojson::{self, HISTORY};
use super::list::{app_version, chart_name};
use super::release_text::{Format, yaml};
use super::session::{on_cluster, told};
use super::table::Table;
use super::verb::{Names, Verb};
use super::{Stop, World, exactly, moment, parse};

const FLAGS: &[Spec] = &[
    flag("max", Kind::Int, Support::Works, "maximum number of revision to include in history (default 256)"),
    short("output", 'o', Kind::Format, Support::Works, "prints the output in the specified format: table, json, yaml"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["history", "hist"],
    about: "fetch release history",
    parts: &[],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |at| if at == 0 { Names::Releases } else { Names::Files },
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "history RELEASE_NAME [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    exactly(&flags, "history", 1, usage)?;
    let name = &flags.arguments[0];
    let mut records = on_cluster(world, &flags, async |session| {
        if landfall_release::validate_release_name(name).is_err() {
            return Err(Stop::words(code::BAD_RELEASE_NAME, format!("release name is invalid: {name}")));
        }
        let records = session.releases.history(name).await.map_err(|error| told(&error))?;
        if records.is_empty() {
            return Err(told(&landfall_release::Error::NotFound { name: name.clone() }));
        }
        Ok(records)
    })?;
    let max = usize::try_from(flags.int("max").unwrap_or(256)).unwrap_or(0);
    records.drain(..records.len().saturating_sub(max));
    let format = Format::of(&flags);
    let dialect = super::dialect(world, &flags)?;
    let mut out = landfall_terminal::out();
    if format == Format::Table {
        let mut table = Table::default();
        table.row(["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"]);
        for record in &records {
            let updated =
                record.info.last_deployed.map_or_else(|| "Mon Jan  1 00:00:00 0001".to_owned(), moment::ansic);
            table.row([
                record.version.to_string(),
                updated,
                record.info.status.to_string(),
                chart_name(record),
                app_version(record),
                record.info.description.clone(),
            ]);
        }
        out.write_all(table.text().as_bytes())?;
        return Ok(0);
    }
    let lines: Vec<Value> = records
        .iter()
        .map(|record| {
            let mut line = json!({
                "revision": record.version,
                "updated": record.info.last_deployed.map(|at| at.to_string()).unwrap_or_default(),
                "status": record.info.status.word(),
                "chart": chart_name(record),
                "app_version": app_version(record),
                "description": record.info.description,
            });
            if let Some(revision) = record.info.further.get("rollback_revision").filter(|_| dialect == Dialect::V4) {
                line["rollback_revision"] = revision.clone();
            }
            line
        })
        .collect();
    let value = Value::Array(lines);
    let text = if format == Format::Json { gojson::line(&value, &HISTORY) } else { yaml(&value)? };
    out.write_all(text.as_bytes())?;
    Ok(0)
}
