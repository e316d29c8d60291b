//! Generates the schema tables of `landfall-object` from published Go modules.
//!
//! Inputs are the OpenAPI v3 and discovery documents of `k8s.io/kubernetes` and the Go types of `k8s.io/api`,
//! `apimachinery`, `apiextensions-apiserver` and `kube-aggregator`: interface facts only, no descriptions.
//! The output is one text table (format: `crates/object/src/schema/table.rs`).
//!
//! ```text
//! cargo run -p conformance -- schema-tables <go module cache> <out.tsv> [kubernetes version]
//! ```

#[cfg(test)]
mod corpus;
mod go;
mod openapi;
#[cfg(test)]
mod published;
mod write;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::suite::{Suite, said};

/// Where the modules of one Kubernetes release lie in a Go module cache.
pub(crate) struct Modules {
    cache: PathBuf,
    /// `1.36.3`; staging modules are `v0.36.3`.
    version: String,
}

impl Modules {
    fn kubernetes(&self) -> PathBuf {
        self.cache.join(format!("k8s.io/kubernetes@v{}", self.version))
    }

    fn staging(&self, module: &str) -> PathBuf {
        let version = self.version.replacen("1.", "0.", 1);
        self.cache.join(format!("k8s.io/{module}@v{version}"))
    }

    /// The directory of the Go package that a definition such as `io.k8s.api.apps.v1.Deployment` comes from.
    fn package(&self, definition: &str) -> Option<PathBuf> {
        let (package, _) = definition.rsplit_once('.')?;
        for (prefix, module) in [
            ("io.k8s.apimachinery.pkg.", "apimachinery"),
            ("io.k8s.apiextensions-apiserver.pkg.", "apiextensions-apiserver"),
            ("io.k8s.kube-aggregator.pkg.", "kube-aggregator"),
            ("io.k8s.api.", "api"),
        ] {
            if let Some(rest) = package.strip_prefix(prefix) {
                let root = self.staging(module);
                let root = if module == "api" { root } else { root.join("pkg") };
                return Some(root.join(rest.replace('.', "/")));
            }
        }
        None
    }
}

/// From where and to where.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The Go module cache.
    cache: PathBuf,
    /// The file to write.
    out: PathBuf,
    /// The version of Kubernetes.
    #[arg(default_value = "1.36.3")]
    version: String,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let out = self.out.display();
        let made = generate(&self.cache, &self.out, &self.version);
        said(made.map(|bytes| format!("{out}: {bytes} bytes of table")))
    }
}

/// Reads the modules and writes the table; returns its size in bytes.
fn generate(cache: &Path, out: &Path, version: &str) -> Result<usize, Box<dyn Error>> {
    let modules = Modules { cache: cache.to_owned(), version: version.to_owned() };
    let documents = openapi::load(&modules.kubernetes().join("api/openapi-spec/v3"))?;
    let packages = go::load(&modules, documents.definitions.keys().map(String::as_str))?;
    let text = write::table(&modules, &documents, &packages)?;
    std::fs::write(out, &text)?;
    Ok(text.len())
}
