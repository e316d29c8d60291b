//! `helm package`.

use std::fs;
use std::io::Write;

use landfall_chart::{Chart, ChartError, Dialect, PackageOptions, package};
use landfall_diag::Diagnostic;
use landfall_diag::{Diagnose, code};

use super::dependency::Filling;
use super::flags::{CHART, GLOBAL, Kind, Spec, Support, VALUES, flag, short};
use super::verb::{Names, Verb};
use super::{Stop, World, log, parse, place, provenance};

const FLAGS: &[Spec] = &[
    flag("version", Kind::Text, Support::Works, "set the version on the chart to this semver version"),
    flag("app-version", Kind::Text, Support::Works, "set the appVersion on the chart to this version"),
    short("destination", 'd', Kind::Text, Support::Works, "location to write the chart"),
    short("dependency-update", 'u', Kind::Bool, Support::Works, "update dependencies before packaging"),
    flag("sign", Kind::Bool, Support::Works, "use a PGP private key to sign this package"),
    flag("key", Kind::Text, Support::Works, "name of the key to use when signing. Used if --sign is true"),
    flag(
        "passphrase-file",
        Kind::Text,
        Support::Works,
        "location of a file which contains the passphrase for the signing key; - is standard input",
    ),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["package"],
    about: "pack a chart directory into a chart archive",
    parts: &[],
    flags: |_| &[FLAGS, VALUES, CHART, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "package [CHART_PATH] [...] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, VALUES, CHART, GLOBAL], words)? else {
        return Ok(0);
    };
    let dialect = super::dialect(world, &flags)?;
    if flags.arguments.is_empty() {
        return Err(Stop::Usage("need at least one argument, the path to the chart".to_owned()));
    }
    if flags.is("sign") {
        for needed in ["key", "keyring"] {
            let missing = flags.text(needed).map_or(needed == "key", str::is_empty);
            if missing {
                return Err(Stop::Usage(format!("--{needed} is required for signing a package")));
            }
        }
    }
    let time = world.env("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    let options = time.map_or_else(PackageOptions::default, |time| PackageOptions { time });
    for name in &flags.arguments {
        let path = world.host.directory.join(name);
        let status =
            fs::metadata(&path).map_err(|error| Stop::words(code::NO_CHART, place::go_words("stat", name, &error)))?;
        if !status.is_dir() {
            let file = path.join("Chart.yaml").display().to_string();
            return Err(Stop::said(
                match dialect {
                    Dialect::V3 => "Chart.yaml file is missing".to_owned(),
                    Dialect::V4 => format!("unable to detect chart at {file}: open {file}: not a directory"),
                },
                Diagnostic::error(code::NO_CHART, format!("{name} is not a chart's directory")),
            ));
        }
        if flags.is("dependency-update") {
            Filling::new(world, &flags, name)?.quietly().update()?;
        }
        let mut chart: Chart = place::load(world, &path, name)?;
        log(&chart.warnings);
        if let Some(version) = flags.text("version").filter(|version| !version.is_empty()) {
            chart.metadata.version = version.to_owned();
        }
        if let Some(version) = flags.text("app-version").filter(|version| !version.is_empty()) {
            chart.metadata.app_version = version.to_owned();
        }
        let missing = chart.missing_dependencies();
        if !missing.is_empty() {
            let names: Vec<String> = missing.into_iter().map(str::to_owned).collect();
            let helm = format!("found in Chart.yaml, but missing in charts/ directory: {}", names.join(", "));
            let error = ChartError::MissingDependencies { names, location: chart.location.clone() };
            return Err(Stop::said(helm, error.diagnose()));
        }
        let packed = package(&chart, options).map_err(|error| match error {
            ChartError::Metadata { error, .. } if error.path == "version" => {
                let diagnostic =
                    Diagnostic::error(code::BAD_CHART_FILE, format!("{:?} is not a version", chart.metadata.version));
                Stop::said("invalid semantic version", diagnostic.help("use three numbers: 1.2.3"))
            }
            error => Stop::said(format!("failed to save: {error}"), error.diagnose()),
        })?;
        let destination = match flags.text("destination") {
            None | Some("" | ".") => world.host.directory.clone(),
            Some(directory) => world.host.directory.join(directory),
        };
        fs::create_dir_all(&destination).map_err(|error| {
            let named = flags.text("destination").unwrap_or(".");
            Stop::words(code::NO_CHART, format!("failed to save: {}", place::go_words("mkdir", named, &error)))
        })?;
        // Written beside and renamed, so that no half archive is ever there.
        let target = destination.join(&packed.file_name);
        let partial = destination.join(format!(".{}.partial", packed.file_name));
        let shown = match flags.text("destination") {
            None | Some("" | ".") => target.display().to_string(),
            Some(directory) => format!("{}/{}", directory.trim_end_matches('/'), packed.file_name),
        };
        fs::write(&partial, &packed.bytes)
            .and_then(|()| fs::rename(&partial, &target))
            .map_err(|error| place::unwritten("failed to save: open", &shown, error))?;
        if flags.is("sign") {
            provenance::sign(world, &flags, &target)?;
        }
        writeln!(landfall_terminal::out(), "Successfully packaged chart and saved it to: {shown}")?;
    }
    Ok(0)
}
