//! Rendering again and again in one process, for both: what is left when nobody pays for the start of a process.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use landfall_chart::{Capabilities, Chart, ReleaseInfo, RenderOptions, TemplateOptions, Tree, ValueLayers, render};

/// What one rendering takes, warm.
pub(crate) struct Warm {
    /// From the chart's files in memory to the printed text.
    pub(crate) wall: Duration,
    /// What it printed.
    pub(crate) text: String,
}

/// Renders a chart `times` times in this process and gives the median.
pub(crate) fn ours(chart: &Path, times: usize) -> Result<Warm, String> {
    let tree = read(chart)?;
    let mut walls = Vec::new();
    let mut text = String::new();
    for _ in 0..times {
        let started = Instant::now();
        text = once(&tree)?;
        walls.push(started.elapsed());
    }
    walls.sort();
    Ok(Warm { wall: walls.get(walls.len() / 2).copied().unwrap_or_default(), text })
}

fn once(tree: &Tree) -> Result<String, String> {
    let chart = Chart::load(tree, "chart").map_err(|error| error.to_string())?;
    let release = ReleaseInfo::install("release-name", "default");
    let rendered = render(
        &chart,
        &ValueLayers::new(),
        &release,
        &Capabilities::default(),
        &RenderOptions::new(landfall_source::surroundings()),
    )
    .map_err(|error| error.to_string())?;
    rendered.template_output(&TemplateOptions::default()).map_err(|error| error.to_string())
}

fn read(root: &Path) -> Result<Tree, String> {
    let mut files = Vec::new();
    walk(root, "", &mut files).map_err(|error| format!("{}: {error}", root.display()))?;
    Ok(files.into_iter().collect())
}

fn walk(root: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push((path, std::fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// The same by helm's engine: the oracle prints the median in nanoseconds and then the text.
pub(crate) fn theirs(oracle: &Path, chart: &Path, times: usize) -> Result<Warm, String> {
    let failed = |why: String| format!("{}: {why}", oracle.display());
    let output = Command::new(oracle)
        .arg(chart)
        .arg(times.to_string())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (nanoseconds, text) = text.split_once('\n').ok_or_else(|| failed("it printed nothing".to_owned()))?;
    let nanoseconds = nanoseconds.parse().map_err(|_| failed(format!("{nanoseconds} is no number")))?;
    Ok(Warm { wall: Duration::from_nanos(nanoseconds), text: text.to_owned() })
}
