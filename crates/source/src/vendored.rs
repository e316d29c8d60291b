//! Dependencies that lie in a chart's `charts/` on disk and in no commit.

use std::fs;
use std::path::Path;

use landfall_chart::{Chart, Dependency};
use landfall_sprig::{Constraint, Version};

/// Gives a chart the dependencies that it declares and lacks, of the versions that it wants, from archives in a directory (where
/// `dependency build` leaves them); says which.
pub fn lend_vendored(chart: &mut Chart, vendored: &Path) -> Vec<String> {
    let missing: Vec<String> = chart.missing_dependencies().into_iter().map(str::to_owned).collect();
    let mut lent = Vec::new();
    for name in missing {
        let named = |dependency: &&Dependency| dependency.name == name;
        let Some(declared) = chart.metadata.dependencies.iter().find(named) else { continue };
        let locked = chart.lock.iter().flat_map(|lock| &lock.dependencies).find(named);
        let wanted = locked.map_or(&declared.version, |locked| &locked.version).clone();
        let mut archives: Vec<_> = fs::read_dir(vendored).into_iter().flatten().flatten().collect();
        archives.sort_by_key(fs::DirEntry::file_name);
        let found = archives.iter().find_map(|archive| {
            let file = archive.file_name().into_string().ok()?;
            let version = file.strip_prefix(&format!("{name}-"))?.strip_suffix(".tgz")?;
            if !fits(version, &wanted) {
                return None;
            }
            let bytes = crate::read_bounded(&archive.path(), crate::MAX_PACKED).ok()?;
            let part = Chart::load_archive(&format!("{}/charts/{file}", chart.location), &bytes).ok()?;
            (part.name() == name).then_some((part, file))
        });
        if let Some((part, file)) = found {
            lent.push(format!("{}/charts/{file}", chart.location));
            chart.dependencies.push(part);
        }
    }
    if !lent.is_empty() {
        // As they would lie in `charts/`.
        chart.dependencies.sort_by(|a, b| a.name().cmp(b.name()));
    }
    lent
}

/// Whether a version is one of those wanted.
fn fits(version: &str, wanted: &str) -> bool {
    let (Ok(version), Ok(wanted)) = (Version::parse(version), Constraint::parse(wanted)) else { return false };
    wanted.check(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_that_is_wanted_is_lent() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path();
        for version in ["1.0.0", "1.2.0", "2.0.0"] {
            let text = format!("apiVersion: v2\nname: db\nversion: {version}\n");
            let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, "db/Chart.yaml", text.as_bytes()).expect("packed");
            let bytes = archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("packed");
            fs::write(place.join(format!("db-{version}.tgz")), bytes).expect("written");
        }
        fs::write(place.join("db-1.3.0.tgz"), "no archive").expect("written");
        let lent = |wanted: &str, lock: &str| {
            let chart = format!(
                "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {{name: db, version: \"{wanted}\", repository: \"https://charts.example\"}}\n"
            );
            let files = [("Chart.yaml", chart.as_str()), ("Chart.lock", lock)];
            let tree =
                files.into_iter().filter(|(_, text)| !text.is_empty()).map(|(path, text)| (path, text.as_bytes()));
            let mut chart = Chart::load(&tree.collect(), "web").expect("a chart");
            let lent = lend_vendored(&mut chart, place);
            assert_eq!(chart.missing_dependencies().is_empty(), !lent.is_empty());
            lent
        };
        assert_eq!(lent("^1.1.0", ""), ["web/charts/db-1.2.0.tgz"]);
        assert_eq!(lent("2.0.0", ""), ["web/charts/db-2.0.0.tgz"]);
        assert!(lent("3.x.x", "").is_empty());
        assert!(lent("no version", "").is_empty());
        let lock = "dependencies:\n- {name: db, version: 1.0.0, repository: \"https://charts.example\"}\n";
        assert_eq!(lent("1.x.x", lock), ["web/charts/db-1.0.0.tgz"]);
    }
}
