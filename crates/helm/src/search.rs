//! `helm search repo`.

use std::cmp::Ordering;
use std::io::Write;

use landfall_diag::code;
use landfall_source::{IndexEntry, cached_index};
use landfall_sprig::{Constraint, Version};
use serde_json::{Value, json};

use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag, short};
use super::gojson::{FOUND_CHARTS, line};
use super::release_text::yaml;
use super::repositories::{Settings, wrapped};
use super::table::Table;
use super::verb::{Names, Verb};
use super::{Stop, World, group, parse};

use Kind::{Bool, Format, Int, Text};
use Support::Works;

const FLAGS: &[Spec] = &[
    short("regexp", 'r', Bool, Works, "use regular expressions for searching repositories you have added"),
    short("versions", 'l', Bool, Works, "show the long listing, with each version of each chart on its own line"),
    flag("devel", Bool, Works, "use development versions, too. Equivalent to version '>0.0.0-0'"),
    flag("version", Text, Works, "search using semantic versioning constraints on repositories you have added"),
    flag("max-col-width", Int, Works, "maximum column width for output table"),
    flag("fail-on-no-result", Bool, Works, "search fails if no results are found"),
    short("output", 'o', Format, Works, "prints the output in the specified format: table, json, yaml"),
];

struct Found {
    name: String,
    score: usize,
    version: Version,
    entry: IndexEntry,
}

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["search"],
    about: "search for a keyword in charts",
    parts: &["repo"],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Unknown,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "search repo [keyword] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    let keywords = match flags.arguments.split_first() {
        Some((what, rest)) if what == "repo" => rest.join(" "),
        Some((what, _)) if what == "hub" => {
            return Err(Stop::Missing("`search hub` asks a service on the internet and is not supported".to_owned()));
        }
        other => {
            let other = other.map(|(word, _)| word.as_str());
            return group(world, "search", other, &[("repo", "search repositories for a keyword in charts")]);
        }
    };
    let found = chosen(&flags, search(world, &flags, &keywords)?)?;
    if found.is_empty() && flags.is("fail-on-no-result") {
        return Err(Stop::words(code::NO_SUCH_CHART, "no results found"));
    }
    let format = flags.text("output").unwrap_or("table");
    let mut out = landfall_terminal::out();
    if format == "table" {
        if found.is_empty() {
            writeln!(out, "No results found")?;
            return Ok(0);
        }
        let mut table =
            Table::at_most(flags.int("max-col-width").and_then(|it| usize::try_from(it).ok()).unwrap_or(50));
        table.row(["NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION"]);
        for it in &found {
            table.row([&it.name, &it.entry.version, &it.entry.app_version, &it.entry.description].map(String::as_str));
        }
        out.write_all(table.text().as_bytes())?;
        return Ok(0);
    }
    let rows = Value::Array(
        found
            .iter()
            .map(|it| {
                json!({"name": it.name, "version": it.entry.version, "app_version": it.entry.app_version,
                    "description": it.entry.description})
            })
            .collect(),
    );
    let text = if format == "json" { line(&rows, &FOUND_CHARTS) } else { yaml(&rows)? };
    out.write_all(text.as_bytes())?;
    Ok(0)
}

/// The charts of all repositories in which the keyword stands, the best first.
fn search(world: &World<'_>, flags: &Flags, keywords: &str) -> Result<Vec<Found>, Stop> {
    let settings = Settings::of(world, flags);
    let repositories = settings.repositories()?.repositories;
    if repositories.is_empty() {
        return Err(Stop::words(code::NO_CHART_REPOSITORY, "no repositories configured"));
    }
    let matcher = match flags.is("regexp") && !keywords.is_empty() {
        true => Some(expression(keywords)?),
        false => None,
    };
    let mut found = Vec::new();
    for repository in repositories {
        let index = match cached_index(&settings.cache, &repository.name) {
            Ok(index) => index,
            Err(error) => {
                let words = wrapped("", &error).helm_words();
                writeln!(
                    landfall_terminal::err(),
                    "WARNING: Repo {:?} is corrupt or missing. Try 'helm repo update'.\nWARNING: {words}",
                    repository.name
                )?;
                continue;
            }
        };
        for name in index.names() {
            let versions = index.versions(name).unwrap_or_default();
            for entry in versions {
                let Some(score) = score(&repository.name, &entry, keywords, matcher.as_ref()) else { continue };
                let Ok(version) = Version::parse(&entry.version) else { continue };
                found.push(Found { name: format!("{}/{name}", repository.name), score, version, entry });
            }
        }
    }
    found.sort_by(|a, b| {
        let by_name = a.score.cmp(&b.score).then_with(|| a.name.cmp(&b.name));
        by_name.then_with(|| b.version.precedence(&a.version)).then(Ordering::Equal)
    });
    Ok(found)
}

/// In which part of what is known about a chart a keyword stands first: its name, path, description, keywords.
/// An expression of Go's.
fn expression(text: &str) -> Result<regex::Regex, Stop> {
    let read = landfall_sprig::go_expression(text).map_err(|error| Stop::words(code::BAD_HELM_ARGUMENT, error))?;
    regex::Regex::new(&read)
        .map_err(|error| Stop::words(code::BAD_HELM_ARGUMENT, format!("error parsing regexp: {error}")))
}

fn score(repository: &str, entry: &IndexEntry, keywords: &str, matcher: Option<&regex::Regex>) -> Option<usize> {
    if keywords.is_empty() {
        return Some(0);
    }
    let tags: Vec<&str> = entry
        .json
        .get("keywords")
        .and_then(Value::as_array)
        .map(|tags| tags.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let text =
        format!("{}\u{b}{repository}/{}\u{b}{}\u{b}{}", entry.name, entry.name, entry.description, tags.join(" "));
    let (at, text) = match matcher {
        Some(matcher) => (matcher.find(&text)?.start(), text),
        None => {
            let text = text.to_lowercase();
            (text.find(&keywords.to_lowercase())?, text)
        }
    };
    Some(text[..at].matches('\u{b}').count())
}

/// Those that fit the version; of each chart the newest, unless all are wanted.
fn chosen(flags: &Flags, found: Vec<Found>) -> Result<Vec<Found>, Stop> {
    let asked = flags.text("version").filter(|version| !version.is_empty());
    let range = asked.unwrap_or(if flags.is("devel") { ">0.0.0-0" } else { ">0.0.0" });
    let range = Constraint::parse(range).map_err(|error| {
        Stop::words(code::BAD_HELM_ARGUMENT, format!("an invalid version/constraint format: {error}"))
    })?;
    let mut seen = std::collections::BTreeSet::new();
    Ok(found
        .into_iter()
        .filter(|it| {
            (flags.is("versions") || !seen.contains(&it.name)) && range.check(&it.version) && {
                seen.insert(it.name.clone());
                true
            }
        })
        .collect())
}
