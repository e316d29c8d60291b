//! Whether Argo CD delivers a unit: by its own door, or because an Application of the repository names its chart.

use serde_json::Value;

use crate::subject::{DesiredUnit, Door, Subject};

/// Files that are larger are no Applications.
const LARGEST: usize = 256 * 1024;

/// Whether Argo CD delivers the unit, as far as the repository tells.
pub(crate) fn is_synced(subject: &Subject<'_>, unit: &DesiredUnit) -> bool {
    if matches!(unit.door, Door::Application(_)) {
        return true;
    }
    let Some(chart) = &unit.chart else { return false };
    let delivered = subject.of_kind("argoproj.io", "Application").map(|it| it.object.value().clone());
    let written = written_applications(subject).into_iter().map(|it| it.value);
    delivered.chain(written).any(|application| {
        let spec = &application["spec"];
        let single = std::iter::once(&spec["source"]);
        let mut sources = single.chain(spec["sources"].as_array().into_iter().flatten());
        sources.any(|source| source["path"].as_str().is_some_and(|path| is_at(&chart.location, path)))
    })
}

/// An Application that stands in a file of the repository.
pub(crate) struct Written {
    /// The file.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// The Application.
    pub(crate) value: Value,
}

/// The Applications that stand as they are in the repository's files.
pub(crate) fn written_applications(subject: &Subject<'_>) -> Vec<Written> {
    let Some(files) = subject.files else { return Vec::new() };
    let mut found = Vec::new();
    for ending in ["yaml", "yml"] {
        for path in files.glob(&format!("**/*.{ending}")).unwrap_or_default() {
            let Ok(Some(bytes)) = files.read(&path) else { continue };
            let Ok(text) = String::from_utf8(bytes) else { continue };
            if text.len() > LARGEST || !text.contains("argoproj.io/") || !text.contains("Application") {
                continue;
            }
            let documents = landfall_yaml::to_json_all(&text).unwrap_or_default();
            let applications = documents.into_iter().filter(|it| it["kind"] == "Application");
            found.extend(applications.map(|value| Written { path: path.clone(), text: text.clone(), value }));
        }
    }
    found
}

/// Whether a path of a repository is where a chart lies.
fn is_at(location: &str, path: &str) -> bool {
    let clean = |text: &str| text.trim_start_matches("./").trim_matches('/').to_owned();
    let (location, named) = (clean(location), clean(path));
    if matches!(named.as_str(), "" | ".") {
        // `.` is the repository's own root.
        return named == "." && matches!(location.as_str(), "" | ".");
    }
    location == named || location.ends_with(&format!("/{named}"))
}

#[cfg(test)]
mod tests {
    use super::is_at;

    #[test]
    fn a_chart_lies_where_the_application_says() {
        assert!(is_at("deploy/chart", "./deploy/chart/"));
        assert!(is_at("../shop/deploy/chart", "deploy/chart"));
        assert!(!is_at("deploy/chart", "chart-two"));
        assert!(!is_at("deploy/chart", ""));
        assert!(is_at("", "./.") && is_at("", ".") && !is_at("deploy/chart", "."));
    }
}
