//! `helm create`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use landfall_chart::{Metadata, PackageOptions, package};
use landfall_diag::{Diagnostic, code};

use super::flags::{GLOBAL, Kind, Spec, Support, short};
use super::verb::{Names, Verb};
use super::{Stop, World, environment, parse, place, scaffold};

const FLAGS: &[Spec] =
    &[short("starter", 'p', Kind::Text, Support::Works, "the name or absolute path to Helm starter scaffold")];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["create"],
    about: "create a new chart with the given name",
    parts: &[],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "create NAME [flags]", &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    let [name] = flags.arguments.as_slice() else {
        return Err(Stop::Usage("\"helm create\" requires 1 argument\n\nUsage:  helm create NAME [flags]".to_owned()));
    };
    let mut out = landfall_terminal::out();
    writeln!(out, "Creating {name}")?;
    let directory: PathBuf = world.host.directory.join(name).components().collect();
    let base = directory.file_name().map(|base| base.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(starter) = flags.text("starter").filter(|starter| !starter.is_empty()) {
        let homes = environment::variables(world, &flags);
        let starters = Path::new(homes.get("HELM_DATA_HOME").map_or("", String::as_str)).join("starters");
        return from_starter(world, &directory, &base, &starters.join(starter));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if base.is_empty() || base.len() > 250 || !base.chars().all(fits) {
        let helm = if base.len() > 250 {
            "chart name must be 250 characters or less".to_owned()
        } else {
            "chart name must match the regular expression \"^[a-zA-Z0-9._-]+$\"".to_owned()
        };
        let diagnostic = Diagnostic::error(code::BAD_CHART_NAME, format!("{base:?} cannot be a chart's name"))
            .note(format!("helm: {helm}"))
            .help("use letters, digits, `.`, `_` and `-`");
        return Err(Stop::said(helm, diagnostic));
    }
    let parent = directory.parent().unwrap_or(&directory);
    let above = fs::metadata(parent).map_err(|error| {
        Stop::words(code::NO_PLACE_FOR_CHART, place::go_words("stat", &parent.to_string_lossy(), &error))
    })?;
    if !above.is_dir() {
        return Err(Stop::words(code::NO_PLACE_FOR_CHART, format!("no such directory {}", parent.display())));
    }
    if directory.is_file() {
        return Err(Stop::words(
            code::NO_PLACE_FOR_CHART,
            format!("file {} already exists and is not a directory", directory.display()),
        ));
    }
    for (path, text) in scaffold::FILES {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            place::make_directories(parent, parent)?;
        }
        if path.exists() {
            writeln!(out, "WARNING: File {:?} already exists. Overwriting.", path.display().to_string())?;
        }
        place::write_file(&path, &path.to_string_lossy(), text.replace("NAME", &base).as_bytes())?;
    }
    place::make_directories(&directory.join("charts"), &directory.join("charts"))?;
    Ok(0)
}

/// A chart made of another one (helm: `CreateFrom`): its name takes the place of `<CHARTNAME>`.
fn from_starter(world: &World<'_>, directory: &Path, base: &str, starter: &Path) -> Result<u8, Stop> {
    let shown = starter.display().to_string();
    let unloaded = |stop: Stop| {
        let words = format!("could not load {shown}: {}", stop.helm_words());
        Stop::said(
            words.clone(),
            Diagnostic::error(code::NO_CHART, words).help("`helm env HELM_DATA_HOME` says where starters are"),
        )
    };
    fs::metadata(starter)
        .map_err(|error| unloaded(Stop::words(code::NO_CHART, place::go_words("stat", &shown, &error))))?;
    let chart = place::load(world, starter, &shown).map_err(unloaded)?;
    if directory.is_file() {
        return Err(Stop::words(
            code::NO_PLACE_FOR_CHART,
            format!("file {} already exists and is not a directory", directory.display()),
        ));
    }
    let metadata = Metadata {
        name: base.to_owned(),
        description: "A Helm chart for Kubernetes".to_owned(),
        kind: "application".to_owned(),
        version: "0.1.0".to_owned(),
        app_version: "0.1.0".to_owned(),
        api_version: landfall_chart::API_VERSION_V2.to_owned(),
        ..Metadata::default()
    };
    let write = |path: &str, bytes: &[u8]| {
        let path = directory.join(path);
        let parent = path.parent().unwrap_or(directory);
        place::make_directories(parent, parent)?;
        place::write_file(&path, &path.to_string_lossy(), bytes)
    };
    let named = |text: &str| text.replace("<CHARTNAME>", base).into_bytes();
    write("Chart.yaml", landfall_yaml::emit(&metadata).unwrap_or_default().as_bytes())?;
    if let Some(values) = chart.raw_file("values.yaml") {
        write("values.yaml", &named(&values.text()))?;
    }
    if let Some(schema) = &chart.schema {
        write("values.schema.json", schema)?;
    }
    for template in chart.templates.iter() {
        write(&template.name, &named(&template.text()))?;
    }
    for file in chart.files.iter() {
        write(&file.name, &file.data)?;
    }
    for dependency in &chart.dependencies {
        let packed = package(dependency, PackageOptions::default())?;
        write(&format!("charts/{}", packed.file_name), &packed.bytes)?;
    }
    Ok(0)
}
