//! Landfall's own rendering of a case, in this process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landfall_chart::{
    Capabilities, Chart, Dialect, KubeVersion, ReleaseInfo, RenderOptions, TemplateOptions, Tree, ValueLayers, render,
};

use crate::helm::{KUBE_VERSION, Outcome};

/// A chart's directory in memory, symbolic links followed, as Helm walks it.
pub(crate) fn read_tree(directory: &Path) -> io::Result<Tree> {
    let mut tree = Tree::new();
    let mut pending = vec![(directory.to_path_buf(), String::new())];
    while let Some((path, name)) = pending.pop() {
        if fs::metadata(&path)?.is_dir() {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let Some(child) = entry.file_name().to_str().map(str::to_owned) else { continue };
                let child = if name.is_empty() { child } else { format!("{name}/{child}") };
                pending.push((entry.path(), child));
            }
        } else {
            tree.insert(name, fs::read(&path)?).map_err(io::Error::other)?;
        }
    }
    tree.sort();
    Ok(tree)
}

/// Renders as `landfall template release-name CHART -f …` would.
pub(crate) fn template(location: &str, tree: &Tree, values: &[(PathBuf, String)], dialect: Dialect) -> Outcome {
    let rendered = || {
        let chart = Chart::load_as(tree, location, dialect)?;
        let mut layers = ValueLayers::in_dialect(dialect);
        for (path, text) in values {
            layers.file(path.display().to_string(), text.as_str());
        }
        let capabilities = match KubeVersion::parse_as(KUBE_VERSION, dialect) {
            Ok(version) => Capabilities::default().with_kube_version(version),
            Err(_) => Capabilities::default(),
        };
        let release = ReleaseInfo::install("release-name", "default");
        let options = RenderOptions { dialect, ..RenderOptions::new(landfall_source::surroundings()) };
        render(&chart, &layers, &release, &capabilities, &options)?.template_output(&TemplateOptions::default())
    };
    match rendered() {
        Ok(output) => Outcome::Rendered(output.into_bytes()),
        Err(error) => Outcome::Refused(error.helm_text().trim_end().to_owned()),
    }
}
