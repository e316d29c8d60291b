//! `helm dependency`.

mod fill;

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

pub(super) use fill::Filling;

use landfall_chart::{Chart, Dependency, is_compatible, path_match};
use landfall_diag::code;

use super::flags::{GLOBAL, Kind, Spec, Support, flag};
use super::verb::{Names, Verb};
use super::{Stop, World, at_most_one, group, log, parse, place};

const FLAGS: &[Spec] = &[
    flag("max-col-width", Kind::Text, Support::Works, "maximum column width for output table"),
    flag("skip-refresh", Kind::Bool, Support::Works, "do not refresh the local repository cache"),
    flag("verify", Kind::Bool, Support::Works, "verify the packages against signatures"),
    flag("keyring", Kind::Text, Support::Works, "keyring containing public keys"),
    flag("username", Kind::Text, Support::Works, "chart repository username where to locate the requested chart"),
    flag("password", Kind::Text, Support::Works, "chart repository password where to locate the requested chart"),
    flag("cert-file", Kind::Text, Support::Works, "identify HTTPS client using this SSL certificate file"),
    flag("key-file", Kind::Text, Support::Works, "identify HTTPS client using this SSL key file"),
    flag("ca-file", Kind::Text, Support::Works, "verify certificates of HTTPS-enabled servers using this CA bundle"),
    flag("insecure-skip-tls-verify", Kind::Bool, Support::Works, "skip tls certificate checks for the chart download"),
    flag("plain-http", Kind::Bool, Support::Works, "use insecure HTTP connections for the chart download"),
];

const PARTS: [(&str, &str); 3] = [
    ("build", "rebuild the charts/ directory based on the Chart.lock file"),
    ("list", "list the dependencies for the given chart"),
    ("update", "update charts/ based on the contents of Chart.yaml"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["dependency", "dep", "dependencies"],
    about: "manage a chart's dependencies",
    parts: &["build", "list", "update"],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "dependency build|list|update CHART [flags]", &[FLAGS, GLOBAL], words)? else {
        return Ok(0);
    };
    match flags.arguments.first().map(String::as_str) {
        Some("list" | "ls") => at_most_one(&flags.arguments[1..], "dependency list", "dependency list CHART [flags]")?,
        Some(verb @ ("build" | "update" | "up")) => {
            let verb = if verb == "build" { verb } else { "update" };
            let usage = format!("dependency {verb} CHART [flags]");
            at_most_one(&flags.arguments[1..], &format!("dependency {verb}"), &usage)?;
            let filling = Filling::new(world, &flags, flags.arguments.get(1).map_or(".", String::as_str))?;
            if verb == "build" {
                filling.build()?
            } else {
                filling.update()?
            }
            return Ok(0);
        }
        other => return group(world, "dependency", other, &PARTS),
    }
    let name = flags.arguments.get(1).map_or(".", String::as_str);
    let width = flags.text("max-col-width").and_then(|width| width.parse().ok()).unwrap_or(80);
    let path = world.host.directory.join(name);
    if !path.exists() {
        return Err(Stop::words(code::NO_CHART, format!("stat {name}: no such file or directory")));
    }
    let chart = place::load(world, &path, name)?;
    log(&chart.warnings);
    let mut out = landfall_terminal::out();
    let folder = join(name, "charts");
    if chart.metadata.dependencies.is_empty() {
        writeln!(out, "WARNING: no dependencies at {folder}")?;
        return Ok(0);
    }
    let rows: Vec<[String; 4]> = chart
        .metadata
        .dependencies
        .iter()
        .map(|it| [it.name.clone(), it.version.clone(), it.repository.clone(), status(world, &path, it, &chart)])
        .collect();
    out.write_all(table(&rows, width).as_bytes())?;
    writeln!(out)?;
    for entry in place::names(&path.join("charts")) {
        let file = path.join("charts").join(&entry);
        if !file.is_dir() && !entry.ends_with(".tgz") {
            continue;
        }
        let shown = join(&folder, &entry);
        match place::load(world, &file, &shown) {
            Err(_) => writeln!(out, "WARNING: {shown:?} is not a chart.")?,
            Ok(found) if !chart.metadata.dependencies.iter().any(|it| it.name == found.name()) => {
                writeln!(out, "WARNING: {shown:?} is not in Chart.yaml.")?;
            }
            Ok(_) => {}
        }
    }
    Ok(0)
}

/// Go's `filepath.Join` for two parts.
fn join(directory: &str, name: &str) -> String {
    let directory = directory.trim_end_matches('/');
    let directory = directory.strip_prefix("./").unwrap_or(directory);
    if directory.is_empty() || directory == "." { name.to_owned() } else { format!("{directory}/{name}") }
}

/// What is known about a dependency (helm: `dependencyStatus`).
fn status(world: &World<'_>, path: &Path, wanted: &Dependency, chart: &Chart) -> String {
    let pattern = format!("{}-*.tgz", wanted.name);
    let archives: Vec<String> = place::names(&path.join("charts"))
        .into_iter()
        .filter(|name| path_match(&pattern, name).unwrap_or(false))
        .collect();
    let of_archive = |name: &str| {
        let file = path.join("charts").join(name);
        match place::load(world, &file, name) {
            Err(_) => "corrupt".to_owned(),
            Ok(found) if found.name() != wanted.name => "misnamed".to_owned(),
            Ok(found) => fitting(wanted, &found).map_or_else(|| "ok".to_owned(), str::to_owned),
        }
    };
    match archives.as_slice() {
        [one] => return of_archive(one),
        [] => {}
        many => {
            let versioned: Vec<&String> = many
                .iter()
                .filter(|name| {
                    let version = name.trim_end_matches(".tgz").strip_prefix(&format!("{}-", wanted.name));
                    version.is_some_and(landfall_chart::is_strict_version)
                })
                .collect();
            match versioned.as_slice() {
                [one] => return of_archive(one),
                [] => {}
                _ => return "too many matches".to_owned(),
            }
        }
    }
    match chart.dependencies.iter().rev().find(|found| found.name() == wanted.name) {
        None => "missing".to_owned(),
        Some(found) => fitting(wanted, found).unwrap_or("unpacked").to_owned(),
    }
}

/// What is wrong with a chart's version, if anything is.
fn fitting(wanted: &Dependency, found: &Chart) -> Option<&'static str> {
    let version = &found.metadata.version;
    if *version == wanted.version || is_compatible(&wanted.version, version) {
        return None;
    }
    // A constraint that accepts nothing at all cannot be read.
    Some(if landfall_chart::is_constraint(&wanted.version) { "wrong version" } else { "invalid version" })
}

/// Columns as `gosuri/uitable` prints them: padded, a tab between, cut at a width.
fn table(rows: &[[String; 4]], width: usize) -> String {
    let head = ["NAME", "VERSION", "REPOSITORY", "STATUS"].map(str::to_owned);
    let all: Vec<&[String; 4]> = std::iter::once(&head).chain(rows).collect();
    let widths: Vec<usize> =
        (0..4).map(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(width)).collect();
    let mut out = String::new();
    for row in all {
        for (column, cell) in row.iter().enumerate() {
            let long = cell.chars().count() > width;
            let shown: String = if long {
                cell.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
            } else {
                cell.clone()
            };
            let tab = if column < 3 { "\t" } else { "" };
            let _infallible = write!(out, "{shown:<padding$}{tab}", padding = widths[column]);
        }
        out.push('\n');
    }
    out
}
