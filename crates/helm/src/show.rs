//! `helm show`.

use std::io::Write;

use landfall_chart::Dialect;
use landfall_diag::code;

use super::flags::{CHART, GLOBAL, Kind, Spec, Support, flag};
use super::jsonpath::JsonPath;
use super::verb::{Names, Verb};
use super::{Stop, Voice, World, group, log, parse, place};

const FLAGS: &[Spec] =
    &[flag("jsonpath", Kind::Text, Support::Works, "supply a JSONPath expression to filter the output")];

const PARTS: [(&str, &str); 5] = [
    ("all", "show all information of the chart"),
    ("chart", "show the chart's definition"),
    ("crds", "show the chart's CRDs"),
    ("readme", "show the chart's README"),
    ("values", "show the chart's values"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["show", "inspect"],
    about: "show information of a chart",
    parts: &["all", "chart", "crds", "readme", "values"],
    flags: |_| &[FLAGS, CHART, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "show all|chart|crds|readme|values [CHART] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, CHART, GLOBAL], words)? else { return Ok(0) };
    let known = ["all", "chart", "crds", "readme", "values"];
    let (what, reference) = match flags.arguments.as_slice() {
        [what, reference] if known.contains(&what.as_str()) => (what.as_str(), reference),
        [what, ..] if known.contains(&what.as_str()) => {
            return Err(Stop::Usage(format!(
                "\"helm show {what}\" requires 1 argument\n\nUsage:  helm show {what} [CHART] [flags]"
            )));
        }
        other => return group(world, "show", other.first().map(String::as_str), &PARTS),
    };
    let path = place::locate(world, &flags, reference)?;
    let chart = place::load(world, &path, reference)?;
    log(&chart.warnings);
    let mut text = String::new();
    let all = what == "all";
    if all || what == "chart" {
        text.push_str(&landfall_yaml::emit(&chart.metadata).unwrap_or_default());
        text.push('\n');
    }
    if (all || what == "values")
        && let Some(values) = chart.raw_file("values.yaml")
    {
        if all {
            text.push_str("---\n");
        }
        match flags.text("jsonpath").filter(|path| !path.is_empty()) {
            None => {
                text.push_str(&values.text());
                text.push('\n');
            }
            Some(path) => {
                let read = JsonPath::parse(path)
                    .map_err(|error| Stop::Usage(format!("error parsing jsonpath {path}: {error}")))?;
                let data = landfall_yaml::to_json(&values.text()).unwrap_or_default();
                match (read.write(&data), world.voice) {
                    (Ok(found), _) => text.push_str(&found),
                    // Helm says nothing where nothing is found.
                    (Err(_), Voice::Helm) => {}
                    (Err(error), Voice::Landfall) => return Err(Stop::words(code::BAD_VALUES_FILE, error)),
                }
            }
        }
    }
    if (all || what == "readme")
        && let Some(readme) = chart.readme()
    {
        if all {
            text.push_str("---\n");
        }
        text.push_str(&readme.text());
        text.push('\n');
    }
    if all || what == "crds" {
        let crds = chart.crds();
        let each = super::dialect(world, &flags)? == Dialect::V4;
        for (at, crd) in crds.iter().enumerate() {
            // Helm 3 puts the line before all of them, and only among other things.
            if (each || all && at == 0) && !crd.data.starts_with(b"---") {
                text.push_str("---\n");
            }
            text.push_str(&String::from_utf8_lossy(&crd.data));
            text.push('\n');
        }
    }
    landfall_terminal::out().write_all(text.as_bytes())?;
    Ok(0)
}
