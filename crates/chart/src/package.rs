//! Charts become archives; the same chart always the same bytes (helm: `pkg/chartutil/save.go`).

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

use crate::chart::Chart;
use crate::error::ChartError;
use crate::metadata::{API_VERSION_V1, API_VERSION_V2};

/// The time that entries carry when none is given: the first that every archive format can say (1980-01-01).
const DEFAULT_TIME: u64 = 315_532_800;

/// How to pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageOptions {
    /// The time that entries carry, in seconds since 1970.
    pub time: u64,
}

impl Default for PackageOptions {
    fn default() -> Self {
        PackageOptions { time: DEFAULT_TIME }
    }
}

/// A packed chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `NAME-VERSION.tgz`
    pub file_name: String,
    /// The archive.
    pub bytes: Vec<u8>,
}

/// Packs a chart with all charts below it, in Helm's layout.
///
/// Entries stand in the chart's order, carry one time and no owner, so that the bytes depend on the content alone.
///
/// # Errors
/// Metadata that Helm refuses, a name that cannot be a directory's, a schema that is no JSON.
pub fn package(chart: &Chart, options: PackageOptions) -> Result<Package, ChartError> {
    let mut checked = chart.metadata.clone();
    let file = chart.raw_file("Chart.yaml");
    checked.validate().map_err(|error| ChartError::metadata(error, file, &chart.location))?;
    let zipper = GzBuilder::new().comment("Helm").mtime(0).write(Vec::new(), Compression::default());
    let mut writer = Writer { tar: tar::Builder::new(zipper), time: options.time };
    writer.chart(chart, "")?;
    let bytes = writer.tar.into_inner().and_then(|zipper| zipper.finish()).map_err(memory)?;
    Ok(Package { file_name: format!("{}-{}.tgz", chart.name(), chart.metadata.version), bytes })
}

struct Writer<W: Write> {
    tar: tar::Builder<W>,
    time: u64,
}

/// Writing into memory fails only when a path is too odd for the format.
fn memory(error: io::Error) -> ChartError {
    ChartError::Archive(crate::archive::ArchiveError::Broken(error.to_string()))
}

impl<W: Write> Writer<W> {
    fn chart(&mut self, chart: &Chart, prefix: &str) -> Result<(), ChartError> {
        let name = chart.name();
        if name.contains('/') || name.is_empty() || name == "." || name == ".." {
            return Err(ChartError::ChartName(name.to_owned()));
        }
        let base = format!("{prefix}{name}");
        let mut metadata = chart.metadata.clone();
        if metadata.api_version == API_VERSION_V1 {
            metadata.dependencies.clear();
        }
        let yaml = |value: Result<String, landfall_yaml::Error>| value.unwrap_or_default();
        self.file(&format!("{base}/Chart.yaml"), yaml(landfall_yaml::emit(&metadata)).as_bytes())?;
        if metadata.api_version == API_VERSION_V2
            && let Some(lock) = &chart.lock
        {
            self.file(&format!("{base}/Chart.lock"), yaml(landfall_yaml::emit(lock)).as_bytes())?;
        }
        if let Some(values) = chart.raw_file("values.yaml") {
            self.file(&format!("{base}/values.yaml"), &values.data)?;
        }
        if let Some(schema) = &chart.schema {
            if serde_json::from_slice::<serde::de::IgnoredAny>(schema).is_err() {
                return Err(ChartError::SchemaJson);
            }
            self.file(&format!("{base}/values.schema.json"), schema)?;
        }
        for file in chart.templates.iter().chain(chart.files.iter()) {
            self.file(&format!("{base}/{}", file.name), &file.data)?;
        }
        for dependency in &chart.dependencies {
            self.chart(dependency, &format!("{base}/charts/"))?;
        }
        Ok(())
    }

    fn file(&mut self, path: &str, data: &[u8]) -> Result<(), ChartError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(self.time);
        header.set_entry_type(tar::EntryType::Regular);
        self.tar.append_data(&mut header, path, data).map_err(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn a_package_holds_the_chart_and_is_the_same_every_time() {
        let tree: Tree = [
            ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n"),
            ("values.yaml", "# kept\na: 1\n"),
            ("templates/a.yaml", "a: {{ .Values.a }}\n"),
            ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
            ("README.md", "# web\n"),
        ]
        .into_iter()
        .map(|(path, text)| (path, text.as_bytes()))
        .collect();
        let chart = Chart::load(&tree, "web").expect("a chart");
        let packed = package(&chart, PackageOptions::default()).expect("packed");
        assert_eq!(packed.file_name, "web-1.2.3.tgz");
        assert_eq!(packed, package(&chart, PackageOptions::default()).expect("packed"));
        let again = Chart::load_archive(&packed.file_name, &packed.bytes).expect("a chart");
        assert_eq!(again.metadata, chart.metadata);
        assert_eq!(again.raw_file("values.yaml").map(File::text_owned), Some("# kept\na: 1\n".to_owned()));
        assert_eq!(again.dependencies[0].name(), "sub");
    }

    use crate::chart::File;

    impl File {
        fn text_owned(&self) -> String {
            self.text().into_owned()
        }
    }
}
