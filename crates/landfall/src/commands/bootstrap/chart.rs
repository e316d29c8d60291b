//! The server's own chart, as this binary brings it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;

/// What stands for its directory in a command.
pub(super) const STANDS_FOR: &str = "CHART";

/// Its files.
const FILES: [(&str, &str); 9] = [
    ("Chart.yaml", include_str!("../../../../../deploy/chart/Chart.yaml")),
    ("values.yaml", include_str!("../../../../../deploy/chart/values.yaml")),
    ("values.schema.json", include_str!("../../../../../deploy/chart/values.schema.json")),
    ("dashboard.json", include_str!("../../../../../deploy/chart/dashboard.json")),
    ("templates/_helpers.tpl", include_str!("../../../../../deploy/chart/templates/_helpers.tpl")),
    ("templates/NOTES.txt", include_str!("../../../../../deploy/chart/templates/NOTES.txt")),
    ("templates/monitoring.yaml", include_str!("../../../../../deploy/chart/templates/monitoring.yaml")),
    ("templates/rbac.yaml", include_str!("../../../../../deploy/chart/templates/rbac.yaml")),
    ("templates/server.yaml", include_str!("../../../../../deploy/chart/templates/server.yaml")),
];

/// The chart in a directory of its own, which goes with this value.
pub(crate) struct LaidOut(PathBuf);

impl LaidOut {
    /// Lays it out among what is temporary: what lies in the system's own tree is the system's.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn new() -> Result<Self, Failure> {
        let place = std::env::temp_dir().join(format!("landfall-{}", std::process::id()));
        let laid = LaidOut(place);
        laid.write().map_err(|error| {
            let text = format!("the server's chart cannot be written to `{}`", laid.0.display());
            Failure::from(Diagnostic::error(code::FILES, text).note(error.to_string()))
        })?;
        Ok(laid)
    }

    fn write(&self) -> std::io::Result<()> {
        // Nobody else's directory, nor a link that waits there, is taken.
        DirBuilder::new().mode(0o700).create(&self.0)?;
        let directory = self.0.join("landfall");
        std::fs::create_dir_all(directory.join("templates"))?;
        FILES.iter().try_for_each(|(name, text)| std::fs::write(directory.join(name), text))
    }

    /// Where it lies.
    pub(crate) fn directory(&self) -> String {
        self.0.join("landfall").display().to_string()
    }
}

impl Drop for LaidOut {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
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
