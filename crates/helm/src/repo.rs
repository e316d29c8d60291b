//! `helm repo`.

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use landfall_chart::Dialect;
use landfall_diag::code;
use landfall_source::{
    FetchedIndex, Index, RepositoryEntry, SourceError, charts_file, fetch_index, index_file, index_json,
    index_of_archives, index_yaml,
};
use serde_json::json;

use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag, short};
use super::gojson::{LISTED_REPOSITORIES, line};
use super::release_text::yaml;
use super::repositories::{Settings, access, wrapped, write_whole};
use super::table::Table;
use super::verb::{Names, Verb};
use super::{Stop, Voice, World, exactly, group, moment, parse, place, typed};

use Kind::{Bool, Duration as Time, Format, Text};
use Support::{NoEffect, Works};

const FLAGS: &[Spec] = &[
    flag("username", Text, Works, "chart repository username"),
    flag("password", Text, Works, "chart repository password"),
    flag("password-stdin", Bool, Works, "read chart repository password from stdin"),
    flag("force-update", Bool, Works, "replace (overwrite) the repo if it already exists"),
    flag("no-update", Bool, NoEffect, ""),
    flag("cert-file", Text, Works, "identify HTTPS client using this SSL certificate file"),
    flag("key-file", Text, Works, "identify HTTPS client using this SSL key file"),
    flag("ca-file", Text, Works, "verify certificates of HTTPS-enabled servers using this CA bundle"),
    flag("insecure-skip-tls-verify", Bool, Works, "skip tls certificate checks for the repository"),
    flag("allow-deprecated-repos", Bool, Works, "allow adding official repos that have been permanently deleted"),
    flag("pass-credentials", Bool, Works, "pass credentials to all domains"),
    flag("timeout", Time, Works, "time to wait for the index file download to complete"),
    flag("fail-on-repo-update-fail", Bool, Works, "update fails if any of the repository updates fail"),
    short("output", 'o', Format, Works, "prints the output in the specified format: table, json, yaml"),
    flag("url", Text, Works, "url of chart repository"),
    flag("merge", Text, Works, "merge the generated index into the given index"),
    flag("json", Bool, Works, "output in JSON format"),
];

const PARTS: [(&str, &str); 5] = [
    ("add", "add a chart repository"),
    ("index", "generate an index file given a directory containing packaged charts"),
    ("list", "list chart repositories"),
    ("remove", "remove one or more chart repositories"),
    ("update", "update information of available charts locally from chart repositories"),
];

/// Repositories that are gone, and where their charts went.
const GONE: [(&str, &str); 2] = [
    ("//kubernetes-charts.storage.googleapis.com", "https://charts.helm.sh/stable"),
    ("//kubernetes-charts-incubator.storage.googleapis.com", "https://charts.helm.sh/incubator"),
];

/// How long another process may hold the file of repositories.
const PATIENCE: Duration = Duration::from_secs(30);

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["repo"],
    about: "add, list, remove, update, and index chart repositories",
    parts: &["add", "index", "list", "remove", "update"],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "repo add|index|list|remove|update [ARGS] [flags]";
    let Some(mut flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    let known = ["add", "update", "up", "list", "ls", "remove", "rm", "index"];
    match flags.arguments.first() {
        Some(verb) if known.contains(&verb.as_str()) => {}
        other => return group(world, "repo", other.map(String::as_str), &PARTS),
    }
    match flags.arguments.remove(0).as_str() {
        "add" => add(world, &flags),
        "update" | "up" => update(world, &flags),
        "list" | "ls" => list(world, &flags),
        "remove" | "rm" => remove(world, &flags),
        _ => index(world, &flags),
    }
}

fn add(world: &World<'_>, flags: &Flags) -> Result<u8, Stop> {
    exactly(flags, "repo add", 2, "repo add [NAME] [URL] [flags]")?;
    let (name, url) = (&flags.arguments[0], &flags.arguments[1]);
    if world.voice == Voice::Landfall {
        typed::repository(name, url).map_err(Stop::Usage)?;
    }
    if !flags.is("allow-deprecated-repos")
        && let Some((_, now)) = GONE.iter().find(|(gone, _)| url.contains(gone))
    {
        return Err(Stop::words(
            code::NO_CHART_REPOSITORY,
            format!("repo {url:?} is no longer available; try {now:?} instead"),
        ));
    }
    let settings = Settings::of(world, flags);
    if let Some(directory) = settings.file.parent() {
        fs::create_dir_all(directory)?;
    }
    let _held = hold(&settings.file)?;
    let mut file = settings.repositories()?;
    let mut access = access(world, flags);
    if !access.username.is_empty() && access.password.is_empty() {
        if !flags.is("password-stdin") {
            return Err(Stop::words(
                code::BAD_HELM_ARGUMENT,
                "give --password, or --password-stdin to read it from standard input",
            ));
        }
        io::stdin().lock().read_to_string(&mut access.password)?;
        if access.password.ends_with('\n') {
            access.password.pop();
        }
        if access.password.ends_with('\r') {
            access.password.pop();
        }
    }
    let text = |flag: &str| flags.text(flag).unwrap_or_default().to_owned();
    let entry = RepositoryEntry {
        name: name.clone(),
        url: url.clone(),
        username: access.username.clone(),
        password: access.password.clone(),
        cert_file: text("cert-file"),
        key_file: text("key-file"),
        ca_file: text("ca-file"),
        insecure_skip_tls_verify: flags.is("insecure-skip-tls-verify"),
        pass_credentials_all: flags.is("pass-credentials"),
    };
    if name.contains('/') {
        let words = format!("repository name ({name}) contains '/', please specify a different name without '/'");
        return Err(Stop::words(code::BAD_HELM_ARGUMENT, words));
    }
    if let Some(known) = file.get(name).filter(|_| !flags.is("force-update")) {
        if *known != entry {
            let words = format!("repository name ({name}) already exists, please specify a different name");
            return Err(Stop::words(code::BAD_HELM_ARGUMENT, words));
        }
        writeln!(landfall_terminal::out(), "{name:?} already exists with the same configuration, skipping")?;
        return Ok(0);
    }
    let invalid = format!("looks like {url:?} is not a valid chart repository or cannot be reached");
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if !matches!(scheme, "http" | "https" | "oci") {
        return Err(Stop::words(code::BAD_ADDRESS, format!("could not find protocol handler for: {scheme}")));
    }
    let client = world.host.network.client(access);
    let fetched = world.host.wait(fetch_index(url, &client));
    fetched.and_then(|fetched| fetched.store(&settings.cache, name)).map_err(|error| wrapped(&invalid, &error))?;
    file.update(entry);
    file.save(&settings.file)?;
    writeln!(landfall_terminal::out(), "{name:?} has been added to your repositories")?;
    Ok(0)
}

/// Keeps other processes from changing the file of repositories, Helm among them.
fn hold(file: &Path) -> Result<fs::File, Stop> {
    let path = file.with_extension("lock");
    let lock = landfall_source::private_options().create(true).truncate(false).open(&path)?;
    let since = Instant::now();
    while lock.try_lock().is_err() {
        if since.elapsed() > PATIENCE {
            return Err(Stop::words(code::FILES, format!("{} is held by another process", path.display())));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(lock)
}

/// What became of the update of a repository.
pub(super) type Updated = Result<FetchedIndex, SourceError>;

/// Fetches the indexes of repositories, all at once, and keeps them (helm: `parallelRepoUpdate`).
pub(super) fn fetch_all(
    world: &World<'_>,
    settings: &Settings,
    entries: &[RepositoryEntry],
    timeout: Option<Duration>,
) -> Vec<Updated> {
    let network = &world.host.network;
    world.host.wait(futures::future::join_all(entries.iter().map(|entry| async move {
        let mut access = entry.access();
        (access.timeout, access.patience) = (timeout, settings.patience);
        let fetched = fetch_index(&entry.url, &network.client(access)).await?;
        fetched.store(&settings.cache, &entry.name)?;
        Ok(fetched)
    })))
}

fn update(world: &World<'_>, flags: &Flags) -> Result<u8, Stop> {
    let settings = Settings::of(world, flags);
    let repositories = settings.repositories()?.repositories;
    if repositories.is_empty() {
        return Err(Stop::words(code::NO_CHART_REPOSITORY, "no repositories found. You must add one before updating"));
    }
    for asked in &flags.arguments {
        if !repositories.iter().any(|known| known.name == *asked) {
            let words = format!("no repositories found matching '{asked}'.  Nothing will be updated");
            return Err(Stop::words(code::NO_CHART_REPOSITORY, words));
        }
    }
    let wanted: Vec<RepositoryEntry> = repositories
        .into_iter()
        .filter(|known| flags.arguments.is_empty() || flags.arguments.contains(&known.name))
        .collect();
    let mut out = landfall_terminal::out();
    writeln!(out, "Hang tight while we grab the latest from your chart repositories...")?;
    let mut failed = Vec::new();
    let outcomes = fetch_all(world, &settings, &wanted, flags.duration("timeout"));
    for (entry, outcome) in wanted.iter().zip(outcomes) {
        match outcome {
            Ok(_) => writeln!(out, "...Successfully got an update from the {:?} chart repository", entry.name)?,
            Err(error) => {
                writeln!(
                    out,
                    "...Unable to get an update from the {:?} chart repository ({}):\n\t{error}",
                    entry.name,
                    landfall_diag::without_passwords(&entry.url)
                )?;
                failed.push(entry.url.as_str());
            }
        }
    }
    if !failed.is_empty() && flags.is("fail-on-repo-update-fail") {
        let words = format!("Failed to update the following repositories: [{}]", failed.join(" "));
        return Err(Stop::words(code::NO_ANSWER, words));
    }
    writeln!(out, "Update Complete. ⎈Happy Helming!⎈")?;
    Ok(0)
}

fn list(world: &World<'_>, flags: &Flags) -> Result<u8, Stop> {
    exactly(flags, "repo list", 0, "repo list [flags]")?;
    // Helm shows nothing of a file that it cannot read.
    let repositories = Settings::of(world, flags).repositories().map(|file| file.repositories).unwrap_or_default();
    let format = flags.text("output").unwrap_or("table");
    // Helm shows passwords in addresses. Whoever lists repositories did not ask for them.
    let shown = |url: &str| match world.voice {
        Voice::Helm => url.to_owned(),
        Voice::Landfall => landfall_diag::without_passwords(url).into_owned(),
    };
    let mut out = landfall_terminal::out();
    if format == "table" {
        if repositories.is_empty() {
            // Helm 4 no longer takes it for a failure.
            if super::dialect(world, flags)? == Dialect::V4 {
                writeln!(landfall_terminal::err(), "no repositories to show")?;
                return Ok(0);
            }
            return Err(Stop::words(code::NO_CHART_REPOSITORY, "no repositories to show"));
        }
        let mut table = Table::default();
        table.row(["NAME", "URL"]);
        for entry in &repositories {
            table.row([entry.name.as_str(), &shown(&entry.url)]);
        }
        out.write_all(table.text().as_bytes())?;
        return Ok(0);
    }
    let rows = repositories.iter().map(|entry| json!({"name": entry.name, "url": shown(&entry.url)})).collect();
    let rows = serde_json::Value::Array(rows);
    let text = if format == "json" { line(&rows, &LISTED_REPOSITORIES) } else { yaml(&rows)? };
    out.write_all(text.as_bytes())?;
    Ok(0)
}

fn remove(world: &World<'_>, flags: &Flags) -> Result<u8, Stop> {
    if flags.arguments.is_empty() {
        return Err(Stop::Usage(
            "\"helm repo remove\" requires at least 1 argument\n\nUsage:  helm repo remove [REPO1 [REPO2 ...]] [flags]"
                .to_owned(),
        ));
    }
    let settings = Settings::of(world, flags);
    let mut file = settings.repositories()?;
    if file.repositories.is_empty() {
        return Err(Stop::words(code::NO_CHART_REPOSITORY, "no repositories configured"));
    }
    for name in &flags.arguments {
        if file.remove(name).is_none() {
            return Err(Stop::words(code::NO_CHART_REPOSITORY, format!("no repo named {name:?} found")));
        }
        file.save(&settings.file)?;
        for cached in [charts_file(name), index_file(name)] {
            match fs::remove_file(settings.cache.join(cached)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        writeln!(landfall_terminal::out(), "{name:?} has been removed from your repositories")?;
    }
    Ok(0)
}

fn index(world: &World<'_>, flags: &Flags) -> Result<u8, Stop> {
    exactly(flags, "repo index", 1, "repo index [DIR] [flags]")?;
    let directory = world.host.directory.join(&flags.arguments[0]);
    let now = moment::formatted("2006-01-02T15:04:05.999999999Z07:00", jiff::Timestamp::now());
    let archives = archives(&directory)?;
    let mut index = index_of_archives(&archives, flags.text("url").unwrap_or_default(), &now)?;
    let written = |index: &Index| if flags.is("json") { index_json(index) } else { index_yaml(index) };
    if let Some(merge) = flags.text("merge").filter(|path| !path.is_empty()) {
        let path = world.host.directory.join(merge);
        match fs::read(&path) {
            Ok(bytes) => {
                let other = Index::parse(&bytes)
                    .map_err(|error| wrapped(&format!("merge failed: error loading {merge}"), &error))?;
                index.merge(&other);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_whole(&path, written(&Index::new(&now)).as_bytes())?;
            }
            Err(error) => {
                return Err(Stop::words(
                    code::FILES,
                    format!("merge failed: {}", place::go_words("open", merge, &error)),
                ));
            }
        }
    }
    index.sort();
    write_whole(&directory.join("index.yaml"), written(&index).as_bytes())?;
    Ok(0)
}

/// The packed charts of a directory, and those of the directories in it.
fn archives(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Stop> {
    let mut paths = Vec::new();
    let mut below = Vec::new();
    for name in place::names(directory) {
        if directory.join(&name).is_dir() {
            let inner = place::names(&directory.join(&name));
            below.extend(inner.into_iter().filter(|file| file.ends_with(".tgz")).map(|file| format!("{name}/{file}")));
        } else if name.ends_with(".tgz") {
            paths.push(name);
        }
    }
    paths.extend(below);
    paths
        .into_iter()
        .map(|path| {
            let bytes = fs::read(directory.join(&path))?;
            Ok((path, bytes))
        })
        .collect()
}
