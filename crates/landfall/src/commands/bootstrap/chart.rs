//! The server's own chart, as this binary brings it.

use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, StateDir};

/// What stands for its directory in a command.
pub(super) const STANDS_FOR: &str = "CHART";

/// Its files.
const FILES: [(&str, &str); 8] = [
    ("Chart.yaml", include_str!("../../../../../deploy/chart/Chart.yaml")),
    ("values.yaml", include_str!("../../../../../deploy/chart/values.yaml")),
    ("dashboard.json", include_str!("../../../../../deploy/chart/dashboard.json")),
    ("templates/_helpers.tpl", include_str!("../../../../../deploy/chart/templates/_helpers.tpl")),
    ("templates/NOTES.txt", include_str!("../../../../../deploy/chart/templates/NOTES.txt")),
    ("templates/monitoring.yaml", include_str!("../../../../../deploy/chart/templates/monitoring.yaml")),
    ("templates/rbac.yaml", include_str!("../../../../../deploy/chart/templates/rbac.yaml")),
    ("templates/server.yaml", include_str!("../../../../../deploy/chart/templates/server.yaml")),
];

/// Lays it out among what the state directory keeps to be quicker; gives the directory.
///
/// # Errors
/// It cannot be written.
pub(super) fn laid_out(state: &StateDir) -> Result<String, Failure> {
    let directory = state.create_cache().map_err(Failure::from)?.join("server-chart/landfall");
    let failed = |error: std::io::Error| {
        let text = format!("`{}` cannot be written", directory.display());
        Failure::from(Diagnostic::error(code::FILES, text).note(error.to_string()))
    };
    std::fs::create_dir_all(directory.join("templates")).map_err(failed)?;
    for (name, text) in FILES {
        std::fs::write(directory.join(name), text).map_err(failed)?;
    }
    Ok(directory.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn every_file_of_the_chart_is_brought() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart");
        let listed = |directory: &Path| {
            let entries = std::fs::read_dir(directory).expect("a directory").map(|it| it.expect("an entry").path());
            entries
                .filter(|it| it.is_file())
                .map(|it| it.strip_prefix(&root).expect("below").display().to_string())
                .collect::<Vec<_>>()
        };
        let mut there = [listed(&root), listed(&root.join("templates"))].concat();
        there.retain(|name| name != ".helmignore");
        there.sort();
        let mut brought = super::FILES.map(|(name, _)| name.to_owned());
        brought.sort();
        assert_eq!(there, brought);
    }
}
