//! `helm push`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};

use landfall_chart::{Chart, Metadata};
use landfall_diag::code;
use landfall_source::{ChartUpload, Reference};

use super::flags::{CHART, GLOBAL};
use super::gojson::{METADATA, line};
use super::repositories::{note_underscore, registry, spoken, wrapped};
use super::verb::{Names, Verb};
use super::{Stop, World, moment, parse};

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["push"],
    about: "push a chart to remote",
    parts: &[],
    flags: |_| &[CHART, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "push [chart] [remote] [flags]";
    let Some(flags) = parse(world, usage, &[CHART, GLOBAL], words)? else { return Ok(0) };
    if flags.arguments.len() < 2 {
        return Err(Stop::Usage(format!("\"helm push\" requires at least 2 arguments\n\nUsage:  helm {usage}")));
    }
    let (name, remote) = (&flags.arguments[0], &flags.arguments[1]);
    let Some((scheme, _)) = remote.split_once("://") else {
        return Err(Stop::words(code::BAD_ADDRESS, "scheme prefix missing from remote (e.g. \"oci://\")"));
    };
    if scheme != "oci" {
        return Err(Stop::words(code::BAD_ADDRESS, format!("scheme {scheme:?} not supported")));
    }
    let path = world.host.directory.join(name);
    let status = fs::metadata(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Stop::words(code::NO_CHART, format!("{name}: no such file")),
        _ => error.into(),
    })?;
    if status.is_dir() {
        let words = "cannot push directory, must provide chart archive (.tgz)";
        return Err(Stop::words(code::NO_CHART, words));
    }
    let bytes = fs::read(&path)?;
    let chart = Chart::load_archive(name, &bytes)?;
    let provenance = fs::read(world.host.directory.join(format!("{name}.prov"))).ok();
    let modified = status.modified().ok().and_then(|at| jiff::Timestamp::try_from(at).ok()).unwrap_or_default();
    let metadata = &chart.metadata;
    let mut config = line(&serde_json::to_value(metadata).unwrap_or_default(), &METADATA);
    config.truncate(config.trim_end().len());
    let annotations = annotations(metadata, &moment::rfc3339(modified));
    let upload = ChartUpload {
        config: config.as_bytes(),
        chart: &bytes,
        provenance: provenance.as_deref(),
        annotations: &annotations,
    };
    let reference = Reference::child(remote, &metadata.name, &metadata.version)?;
    let registry = registry(world, &flags);
    let digest = world.host.wait(registry.push(&reference, &upload)).map_err(|error| wrapped("", &error))?;
    let mut err = spoken(world, &flags)?;
    writeln!(err, "Pushed: {reference}\nDigest: {digest}")?;
    note_underscore(&reference.to_string(), &mut err)?;
    Ok(0)
}

/// What a manifest says about its chart (helm: `generateOCIAnnotations`).
fn annotations(metadata: &Metadata, created: &str) -> BTreeMap<String, String> {
    let authors: Vec<String> = metadata
        .maintainers
        .iter()
        .flatten()
        .map(|one| if one.email.is_empty() { one.name.clone() } else { format!("{} ({})", one.name, one.email) })
        .collect();
    let mut all: BTreeMap<String, String> = [
        ("description", metadata.description.as_str()),
        ("title", &metadata.name),
        ("version", &metadata.version),
        ("url", &metadata.home),
        ("created", created),
        ("source", metadata.sources.first().map_or("", String::as_str)),
        ("authors", &authors.join(", ")),
    ]
    .into_iter()
    .filter(|(_, value)| !value.trim().is_empty())
    .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.to_owned()))
    .collect();
    for (key, value) in &metadata.annotations {
        if !matches!(key.as_str(), "org.opencontainers.image.title" | "org.opencontainers.image.version") {
            all.insert(key.clone(), value.clone());
        }
    }
    all
}
