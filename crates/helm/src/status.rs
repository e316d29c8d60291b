//! `helm status`.

use std::collections::BTreeMap;
use std::io::Write;

use landfall_chart::Dialect;
use landfall_cluster::ListOptions;
use landfall_object::{Gvk, Object};
use landfall_release::{Record, manifest_objects};
use serde_json::{Value, json};

use super::flags::{GLOBAL, Kind, Spec, Support, flag, short};
use super::release_text::{Detail, Format, text};
use super::session::{Session, on_cluster, told};
use super::verb::{Names, Verb};
use super::{Stop, World, exactly, parse};

const FLAGS: &[Spec] = &[
    short("output", 'o', Kind::Format, Support::Works, "prints the output in the specified format: table, json, yaml"),
    flag("revision", Kind::Int, Support::Works, "if set, display the status of the named release with revision"),
    flag("show-desc", Kind::Bool, Support::Works, "display the description message of the named release"),
    flag("show-resources", Kind::Bool, Support::Works, "display the resources of the named release"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["status"],
    about: "display the status of the named release",
    parts: &[],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |at| if at == 0 { Names::Releases } else { Names::Files },
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "status RELEASE_NAME [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    exactly(&flags, "status", 1, usage)?;
    let format = Format::of(&flags);
    let (record, resources) = on_cluster(world, &flags, async |session| {
        let mut record = session.content(&flags.arguments[0], flags.int("revision").unwrap_or(0)).await?;
        // Helm 4 shows them always.
        if !flags.is("show-resources") && session.dialect()? == Dialect::V3 {
            return Ok((record, None));
        }
        let found = objects(session, &record).await?;
        if format == Format::Table {
            let text = tables(session, &found).await?;
            return Ok((record, Some(text)));
        }
        let mut kinds: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (kind, object) in found {
            kinds.entry(kind).or_default().push(object.into_value());
        }
        record.info.further.insert("resources".to_owned(), json!(kinds));
        Ok((record, None))
    })?;
    let detail = Detail {
        description: flags.is("show-desc"),
        without_chart: true,
        dialect: super::dialect(world, &flags)?,
        ..Detail::default()
    };
    let shown = text(&record, format, detail, resources.as_deref().filter(|text| !text.is_empty()))?;
    landfall_terminal::out().write_all(shown.as_bytes())?;
    Ok(0)
}

/// The release's objects as they are, with the pods that their selectors name, by `version/Kind` (pkg/kube/client.go,
/// Get).
async fn objects(session: &Session<'_>, record: &Record) -> Result<Vec<(String, Object)>, Stop> {
    let mut found = Vec::new();
    let mut selectors: Vec<String> = Vec::new();
    let failed =
        |error: landfall_cluster::Error| Stop::said(error.to_string(), landfall_diag::Diagnose::diagnose(&error));
    for entry in manifest_objects(&record.manifest).map_err(|error| told(&error))? {
        let placed = session.cluster().place(entry.object, &record.namespace).await.map_err(failed)?;
        let key = placed.key();
        let Some(live) = session.cluster().get(&key).await.map_err(failed)? else { continue };
        found.push((format!("{}/{}", key.gvk.version, key.gvk.kind), live));
        let Some(selector) = selector(&placed) else { continue };
        if selectors.contains(&selector) {
            continue;
        }
        selectors.push(selector.clone());
        let options =
            ListOptions { namespace: key.namespace.clone(), label_selector: Some(selector), ..ListOptions::default() };
        let pods = session.cluster().list(&Gvk::new("", "v1", "Pod"), &options).await.map_err(failed)?;
        found.extend(pods.into_iter().map(|pod| ("v1/Pod(related)".to_owned(), pod)));
    }
    Ok(found)
}

fn selector(object: &Object) -> Option<String> {
    let labels = match object.kind() {
        "ReplicaSet" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => object.at("/spec/selector/matchLabels"),
        "ReplicationController" => object.at("/spec/selector"),
        _ => None,
    }?;
    let pairs: Vec<String> = labels
        .as_object()?
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    Some(pairs.join(","))
}

/// The objects as the server itself tabulates them, kind by kind.
async fn tables(session: &Session<'_>, found: &[(String, Object)]) -> Result<String, Stop> {
    let mut kinds: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for (kind, object) in found {
        kinds.entry(kind).or_default().push(object);
    }
    let mut out = String::new();
    let mut columns = Value::Null;
    for (kind, objects) in kinds {
        out.push_str(&format!("==> {kind}\n"));
        // Pods come as one table, other objects as one each.
        let related = kind.ends_with("(related)");
        let mut rows: Vec<(Value, Vec<Value>)> = Vec::new();
        for object in objects {
            let table = session
                .cluster()
                .table(&object.key())
                .await
                .map_err(|error| Stop::said(error.to_string(), landfall_diag::Diagnose::diagnose(&error)))?;
            let definitions = table["columnDefinitions"].clone();
            let own = table["rows"].as_array().cloned().unwrap_or_default();
            match rows.last_mut().filter(|(last, _)| related && *last == definitions) {
                Some((_, all)) => all.extend(own),
                None => rows.push((definitions, own)),
            }
        }
        for (definitions, rows) in rows {
            let headed = definitions != columns;
            out.push_str(&tabulated(&definitions, &rows, headed));
            columns = definitions;
        }
        out.push('\n');
    }
    Ok(out)
}

/// One table with its columns set apart by three spaces, none narrower than six with them (cli-runtime,
/// printers.GetNewTabWriter).
fn tabulated(definitions: &Value, rows: &[Value], headed: bool) -> String {
    let shown: Vec<usize> = definitions
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(_, column)| column["priority"].as_i64().unwrap_or(0) == 0)
        .map(|(index, _)| index)
        .collect();
    let mut lines: Vec<Vec<String>> = Vec::new();
    if headed && !rows.is_empty() {
        let name = |index: &usize| definitions[*index]["name"].as_str().unwrap_or_default().to_uppercase();
        lines.push(shown.iter().map(name).collect());
    }
    for row in rows {
        let cell = |index: &usize| match &row["cells"][*index] {
            Value::Null => String::new(),
            Value::String(text) => match text.find(['\n', '\r', '\u{c}']) {
                Some(at) => format!("{}...", &text[..at]),
                None => text.clone(),
            },
            other => other.to_string(),
        };
        lines.push(shown.iter().map(cell).collect());
    }
    let widths: Vec<usize> = (0..shown.len())
        .map(|column| (lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0) + 3).max(6))
        .collect();
    let mut out = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if column + 1 < line.len() {
                out.push_str(&" ".repeat(widths[column] - cell.chars().count()));
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_three_wider_than_its_cells_and_six_at_least() {
        let definitions = json!([{"name": "Name"}, {"name": "Up"}, {"name": "Age"}, {"name": "Node", "priority": 1}]);
        let rows = [json!({"cells": ["web-cm", "1", "12m", "n1"]})];
        assert_eq!(tabulated(&definitions, &rows, true), "NAME     UP    AGE\nweb-cm   1     12m\n");
    }
}
