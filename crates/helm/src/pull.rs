//! `helm pull`.

use std::fs;
use std::io::Write;
use std::path::Path;

use landfall_chart::read_archive;
use landfall_diag::code;

use super::flags::{CHART, Flags, GLOBAL, Kind, Spec, Support, flag, short};
use super::repositories::{Fetched, Remote, Settings, spoken, write_whole};
use super::verb::{Names, Verb};
use super::{Stop, World, parse, place, provenance};

use Kind::{Bool, Text};
use Support::Works;

const FLAGS: &[Spec] = &[
    flag("untar", Bool, Works, "if set to true, will untar the chart after downloading it"),
    flag("untardir", Text, Works, "the name of the directory into which the chart is expanded"),
    flag("prov", Bool, Works, "fetch the provenance file, but don't perform verification"),
    short("destination", 'd', Text, Works, "location to write the chart"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["pull", "fetch"],
    about: "download a chart from a repository",
    parts: &[],
    flags: |_| &[FLAGS, CHART, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "pull [chart URL | repo/chartname] [...] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, CHART, GLOBAL], words)? else { return Ok(0) };
    if flags.arguments.is_empty() {
        return Err(Stop::Usage(format!("\"helm pull\" requires at least 1 argument\n\nUsage:  helm {usage}")));
    }
    for reference in &flags.arguments {
        pull(world, &flags, reference)?;
    }
    Ok(0)
}

fn pull(world: &World<'_>, flags: &Flags, reference: &str) -> Result<(), Stop> {
    let settings = Settings::of(world, flags);
    let remote = Remote::resolve(world, flags, &settings, reference)?;
    let fetched = remote.fetch(world, spoken(world, flags)?)?;
    if flags.is("verify") || flags.is("prov") {
        fetched.say_again(spoken(world, flags)?)?;
    }
    let destination = flags.text("destination").filter(|path| !path.is_empty()).unwrap_or(".");
    if flags.is("untar") {
        if flags.is("verify") {
            let signed = remote.signed(world, &fetched)?;
            let verification = provenance::verify_bytes(world, flags, &fetched.name, &fetched.bytes, &signed)?;
            landfall_terminal::out().write_all(provenance::told(&verification).as_bytes())?;
        }
        return expand(world, flags, destination, reference, &fetched);
    }
    let directory = world.host.directory.join(destination);
    let shown = |name: &str| if destination == "." { name.to_owned() } else { format!("{destination}/{name}") };
    if !directory.is_dir() {
        return Err(Stop::words(code::FILES, format!("open {}: no such file or directory", shown(&fetched.name))));
    }
    write_whole(&directory.join(&fetched.name), &fetched.bytes)?;
    if flags.is("verify") {
        let signed = remote.signed(world, &fetched)?;
        write_whole(&directory.join(format!("{}.prov", fetched.name)), &signed)?;
        let verification = provenance::verify_bytes(world, flags, &fetched.name, &fetched.bytes, &signed)?;
        landfall_terminal::out().write_all(provenance::told(&verification).as_bytes())?;
    } else if flags.is("prov") {
        let signed = fetched.provenance.clone().map_or_else(|| remote.fetch_provenance(world), Ok);
        match signed {
            Ok(signed) => write_whole(&directory.join(format!("{}.prov", fetched.name)), &signed)?,
            // What is not signed can be had all the same.
            Err(error) => {
                let shown = landfall_diag::without_passwords(reference);
                writeln!(landfall_terminal::out(), "WARNING: Verification not found for {shown}: {error}")?;
            }
        }
    }
    Ok(())
}

/// Unpacks a fetched chart into a directory of its name (helm: `chartutil.Expand`).
fn expand(world: &World<'_>, flags: &Flags, destination: &str, reference: &str, fetched: &Fetched) -> Result<(), Stop> {
    let below = flags.text("untardir").filter(|path| !path.is_empty()).unwrap_or(".");
    let base = if below.starts_with('/') {
        world.host.directory.join(below)
    } else {
        world.host.directory.join(destination).join(below)
    };
    let base: std::path::PathBuf = base.components().collect();
    let last = reference.rsplit('/').next().unwrap_or(reference);
    let marker = base.join(last);
    if marker.exists() {
        let shown = marker.strip_prefix(&world.host.directory).unwrap_or(&marker).display();
        let words = format!("failed to untar: a file or directory with the name {shown} already exists");
        return Err(Stop::words(code::FILES, words));
    }
    // Read before anything is made: what is no chart leaves nothing behind.
    let tree = read_archive(&fetched.name, &fetched.bytes)
        .map_err(|error| Stop::words(code::BAD_ARCHIVE, error.to_string()))?;
    let chart = landfall_chart::Chart::load_archive(&fetched.name, &fetched.bytes)?;
    let directory = base.join(chart.name());
    fs::create_dir_all(&marker)?;
    for (path, bytes) in tree.iter() {
        let file = directory.join(path);
        write_below(&directory, &file, bytes)?;
    }
    Ok(())
}

/// Writes a file of an archive; its path has been cleaned and lies below the chart's directory.
fn write_below(directory: &Path, file: &Path, bytes: &[u8]) -> Result<(), Stop> {
    let parent = file.parent().unwrap_or(directory);
    fs::create_dir_all(parent)?;
    // A link that lies here already must not lead the file elsewhere.
    let (real, root) = (fs::canonicalize(parent)?, fs::canonicalize(directory)?);
    if !real.starts_with(&root) || fs::symlink_metadata(file).is_ok_and(|known| known.is_symlink()) {
        return Err(Stop::words(code::BAD_LINK, format!("{} leads out of {}", file.display(), directory.display())));
    }
    fs::write(file, bytes)
        .map_err(|error| Stop::words(code::FILES, place::go_words("open", &file.to_string_lossy(), &error)))
}
