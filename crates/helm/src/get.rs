//! `helm get all|hooks|manifest|metadata|notes|values`.

use std::fmt::Write as _;
use std::io::Write;

use landfall_chart::{Dialect, recorded_values, values_from_json, values_to_json};
use landfall_release::Record;
use serde_json::{Value, json};

use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag, short};
use super::gojson::{self, SUMMARY, Shape};
use super::release_text::{Detail, Format, hooks, text, user_values, yaml};
use super::session::on_cluster;
use super::verb::{Names, Verb};
use super::{Stop, World, exactly, gotemplate, log, moment, parse};

const REVISION: Spec = flag("revision", Kind::Int, Support::Works, "get the named release with revision");
const OUTPUT: Spec =
    short("output", 'o', Kind::Format, Support::Works, "prints the output in the specified format: table, json, yaml");

const ALL: &[Spec] = &[
    REVISION,
    flag("template", Kind::Text, Support::Works, "go template for formatting the output, eg: {{.Release.Name}}"),
];
const PLAIN: &[Spec] = &[REVISION];
const METADATA: &[Spec] = &[REVISION, OUTPUT];
const VALUES: &[Spec] =
    &[REVISION, OUTPUT, short("all", 'a', Kind::Bool, Support::Works, "dump all (computed) values")];

/// A subcommand: its name, its flags, and what it prints of a release.
struct Part {
    name: &'static str,
    flags: &'static [&'static [Spec]],
    about: &'static str,
    print: fn(&Record, &Flags, Dialect) -> Result<String, Stop>,
}

const PARTS: [Part; 6] = [
    Part { name: "all", flags: &[ALL, GLOBAL], about: "download all information for a named release", print: all },
    Part {
        name: "hooks",
        flags: &[PLAIN, GLOBAL],
        about: "download all hooks for a named release",
        print: |record, _, _| Ok(hooks(record)),
    },
    Part {
        name: "manifest",
        flags: &[PLAIN, GLOBAL],
        about: "download the manifest for a named release",
        print: |record, _, _| Ok(format!("{}\n", record.manifest)),
    },
    Part {
        name: "metadata",
        flags: &[METADATA, GLOBAL],
        about: "This command fetches metadata for a given release",
        print: metadata,
    },
    Part { name: "notes", flags: &[PLAIN, GLOBAL], about: "download the notes for a named release", print: notes },
    Part {
        name: "values",
        flags: &[VALUES, GLOBAL],
        about: "download the values file for a named release",
        print: values,
    },
];

/// The flags of a part.
fn flags_of(part: &str) -> Option<&'static [&'static [Spec]]> {
    PARTS.iter().find(|known| known.name == part).map(|known| known.flags)
}

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["get"],
    about: "download extended information of a named release",
    parts: &["all", "hooks", "manifest", "metadata", "notes", "values"],
    flags: |part| flags_of(part).unwrap_or(&[GLOBAL]),
    behind: |at| if at == 0 { Names::Releases } else { Names::Files },
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let at = words.iter().position(|word| PARTS.iter().any(|part| part.name == word));
    let Some(at) = at else {
        return match words.iter().find(|word| !word.starts_with('-')) {
            Some(unknown) if world.voice == super::Voice::Landfall => {
                Err(Stop::Usage(format!("unknown command {unknown:?} for \"helm get\"")))
            }
            Some(_) => help(world),
            None => help(world),
        };
    };
    let Some(part) = PARTS.iter().find(|part| part.name == words[at]) else { return help(world) };
    let rest: Vec<String> =
        words.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, word)| word.clone()).collect();
    let verb = format!("get {}", part.name);
    let usage = format!("{verb} RELEASE_NAME [flags]");
    let Some(flags) = parse(world, &usage, part.flags, &rest)? else { return Ok(0) };
    exactly(&flags, &verb, 1, &usage)?;
    let revision = flags.int("revision").unwrap_or(0);
    let record = on_cluster(world, &flags, async |session| session.content(&flags.arguments[0], revision).await)?;
    landfall_terminal::out().write_all((part.print)(&record, &flags, super::dialect(world, &flags)?)?.as_bytes())?;
    Ok(0)
}

fn help(world: &World<'_>) -> Result<u8, Stop> {
    let name = super::program(world);
    let mut out = landfall_terminal::out();
    writeln!(
        out,
        "This command consists of multiple subcommands which get extended information about a release.\n\nUsage:\n  {name} get [command]\n\nAvailable Commands:"
    )?;
    for part in &PARTS {
        writeln!(out, "  {:<12}{}", part.name, part.about)?;
    }
    Ok(0)
}

fn all(record: &Record, flags: &Flags, dialect: Dialect) -> Result<String, Stop> {
    if let Some(template) = flags.text("template").filter(|template| !template.is_empty()) {
        let text = gotemplate::printed(template, &gotemplate::release(record))?;
        return Ok(String::from_utf8_lossy(&text).into_owned());
    }
    text(record, Format::Table, Detail { all: true, metadata: true, dialect, ..Detail::default() }, None)
}

fn notes(record: &Record, _: &Flags, _: Dialect) -> Result<String, Stop> {
    let notes = &record.info.notes;
    Ok(if notes.is_empty() { String::new() } else { format!("NOTES:\n{notes}\n") })
}

fn values(record: &Record, flags: &Flags, _: Dialect) -> Result<String, Stop> {
    let (value, title) = if flags.is("all") {
        let (values, warnings) = recorded_values(&record.chart, &values_from_json(&record.config))?;
        log(&warnings);
        (values_to_json(&values), "COMPUTED VALUES:")
    } else if record.config.is_empty() {
        (Value::Null, "USER-SUPPLIED VALUES:")
    } else {
        (Value::Object(record.config.clone()), "USER-SUPPLIED VALUES:")
    };
    Ok(match Format::of(flags) {
        Format::Json => gojson::line(&value, &Shape::Sorted),
        Format::Yaml => yaml(&value)?,
        Format::Table if flags.is("all") => format!("{title}\n{}", yaml(&value)?),
        Format::Table => format!("{title}\n{}", user_values(record)?),
    })
}

fn metadata(record: &Record, flags: &Flags, dialect: Dialect) -> Result<String, Stop> {
    let chart = |field: &str| record.chart.pointer(&format!("/metadata/{field}")).filter(|value| !value.is_null());
    let deployed = record.info.last_deployed.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), moment::rfc3339);
    let format = Format::of(flags);
    if format == Format::Table {
        let annotations: Vec<String> = chart("annotations")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        let mut dependencies: Vec<&str> = chart("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|dependency| dependency["name"].as_str().unwrap_or_default())
            .collect();
        dependencies.sort_unstable();
        let mut out = String::new();
        let by = match record.further.get("apply_method").and_then(Value::as_str) {
            None | Some("") => "client-side apply (defaulted)".to_owned(),
            Some("csa") => "client-side apply".to_owned(),
            Some("ssa") => "server-side apply".to_owned(),
            Some(other) => format!("unknown ({other:?})"),
        };
        let own: Vec<String> = record.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for (name, value) in [
            ("NAME", record.name.clone()),
            ("CHART", record.chart_name().to_owned()),
            ("VERSION", record.chart_version().to_owned()),
            ("APP_VERSION", record.app_version().to_owned()),
            ("ANNOTATIONS", annotations.join(",")),
            ("LABELS", own.join(",")),
            ("DEPENDENCIES", dependencies.join(",")),
            ("NAMESPACE", record.namespace.clone()),
            ("REVISION", record.version.to_string()),
            ("STATUS", record.info.status.to_string()),
            ("DEPLOYED_AT", deployed),
            ("APPLY_METHOD", by),
        ] {
            if dialect == Dialect::V3 && matches!(name, "LABELS" | "APPLY_METHOD") {
                continue;
            }
            let _infallible = writeln!(out, "{name}: {value}");
        }
        return Ok(out);
    }
    let mut value = json!({
        "name": record.name,
        "chart": record.chart_name(),
        "version": record.chart_version(),
        "appVersion": record.app_version(),
        "namespace": record.namespace,
        "revision": record.version,
        "status": record.info.status.word(),
        "deployedAt": deployed,
    });
    for field in ["annotations", "dependencies"] {
        if let Some(found) = chart(field) {
            value[field] = found.clone();
        }
    }
    if dialect == Dialect::V4 {
        if !record.labels.is_empty() {
            value["labels"] = json!(record.labels);
        }
        if let Some(by) = record.further.get("apply_method") {
            value["applyMethod"] = by.clone();
        }
    }
    if format == Format::Json { Ok(gojson::line(&value, &SUMMARY)) } else { yaml(&value) }
}
