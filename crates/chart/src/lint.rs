//! What `helm lint` finds, rule by rule, in its words (helm: `pkg/lint`).

mod chartfile;
mod deprecated;
mod names;
mod templates;

use landfall_diag::{Finding, Place, Severity, Spot};
use landfall_gotemplate::Map;

use crate::capabilities::{Capabilities, KubeVersion};
use crate::chart::Chart;
use crate::dialect::Dialect;
use crate::render::{Operation, ReleaseInfo, RenderOptions, SchemaCheck};
use crate::schema::SchemaDocuments;
use crate::tree::Tree;
use crate::values::coalesce::{Nulls, tables};
use crate::warning::{Warning, Warnings};

/// The rule of what `helm lint` says; its own rules have no names.
const RULE: &str = "helm-lint";

/// Helm's line of a finding: `[WARNING] templates/a.yaml: words`.
pub fn lint_line(finding: &Finding) -> String {
    let path = finding.spot().and_then(|spot| spot.file.as_ref()).map_or("", |place| place.file.as_str());
    format!("[{}] {path}: {}", finding.severity.word().to_uppercase(), finding.message)
}

/// What one chart's lint found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lint {
    /// In the order of the rules: Helm's words, and the file that they are about, relative to the chart, or the chart's
    /// directory.
    pub findings: Vec<Finding>,
    /// What Helm would have written to stderr.
    pub warnings: Vec<Warning>,
}

impl Lint {
    /// The findings that make the chart fail: errors, with `strict` warnings too.
    pub fn failures(&self, tolerance: LintTolerance) -> usize {
        let least = match tolerance {
            LintTolerance::Warnings => Severity::Error,
            LintTolerance::Nothing => Severity::Warning,
        };
        self.findings.iter().filter(|finding| finding.severity >= least).count()
    }

    fn add(&mut self, severity: Severity, path: &str, outcome: Result<(), String>) -> bool {
        let fine = outcome.is_ok();
        if let Err(text) = outcome {
            self.findings.push(Finding::of(RULE, severity, text).at(Spot::file(Place::file(path))));
        }
        fine
    }
}

/// What a chart may be found guilty of and still pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LintTolerance {
    /// Warnings.
    #[default]
    Warnings,
    /// Nothing (`--strict`).
    Nothing,
}

/// How to lint.
#[derive(Debug, Clone)]
pub struct LintOptions {
    /// The chart's absolute directory, which some messages name.
    pub directory: String,
    /// What is said of links each time that the directory is loaded.
    pub links: Vec<Warning>,
    /// Which Helm is followed.
    pub dialect: Dialect,
    /// The namespace that templates see.
    pub namespace: String,
    /// The Kubernetes version, if not the default.
    pub kube_version: Option<KubeVersion>,
    /// Whether schemas are checked when templates are rendered.
    pub schema: SchemaCheck,
    /// The documents that schemas refer to by address.
    pub documents: SchemaDocuments,
    /// Clock and random numbers for the function library.
    pub sprig: landfall_sprig::Context,
}

impl LintOptions {
    /// Lints as Helm 3 does, outside of any namespace.
    pub fn new(sprig: landfall_sprig::Context) -> Self {
        Self {
            directory: String::new(),
            links: Vec::new(),
            dialect: Dialect::default(),
            namespace: String::new(),
            kube_version: None,
            schema: SchemaCheck::default(),
            documents: SchemaDocuments::default(),
            sprig,
        }
    }
}

/// Lints a chart given as the files of its directory; `values` is what the user gave, merged.
///
/// `location` is the directory as its owner would type it.
pub fn lint(tree: &Tree, location: &str, values: &Map, options: &LintOptions) -> Lint {
    let mut lint = Lint::default();
    chartfile::lint(tree, &mut lint);
    lint_values(tree, values, options, &mut lint);
    lint_templates(tree, location, values, options, &mut lint);
    lint_dependencies(tree, location, options, &mut lint);
    lint
}

fn lint_values(tree: &Tree, values: &Map, options: &LintOptions, lint: &mut Lint) {
    let path = "values.yaml";
    let Some(file) = tree.get(path) else {
        lint.add(Severity::Info, path, Err("file does not exist".to_owned()));
        return;
    };
    let own = crate::values::read_text(path, &String::from_utf8_lossy(file));
    let outcome = match own {
        Err(text) => {
            let text = text.replace("type map[string]interface {}", "type chartutil.Values");
            Err(format!("unable to parse YAML: {text}"))
        }
        Ok(own) => {
            let mut warnings = Warnings::default();
            let whole = Map::new();
            tables(&whole, values, "", Nulls::Remove, &mut warnings);
            let whole = crate::values::coalesce::deep_copy_map(&whole);
            tables(&whole, &own, "", Nulls::Remove, &mut warnings);
            lint.warnings.append(&mut warnings.0);
            match tree.get("values.schema.json").filter(|schema| !schema.is_empty()) {
                Some(schema) => crate::schema::validate_single(schema, &whole, &options.documents),
                None => Ok(()),
            }
        }
    };
    lint.add(Severity::Error, path, outcome);
}

fn lint_templates(tree: &Tree, location: &str, values: &Map, options: &LintOptions, lint: &mut Lint) {
    let path = "templates/";
    let is_file = tree.get("templates").is_some();
    let outcome = if is_file { Err("not a directory".to_owned()) } else { Ok(()) };
    let severity = match options.dialect {
        Dialect::V3 => Severity::Warning,
        Dialect::V4 => Severity::Error,
    };
    if !lint.add(severity, path, outcome) {
        return;
    }
    if options.dialect == Dialect::V4 && !tree.has_dir("templates") {
        lint.add(Severity::Warning, path, Err("directory does not exist".to_owned()));
        return;
    }
    lint.warnings.extend(options.links.iter().cloned());
    let chart = match Chart::load_as(tree, location, options.dialect) {
        Ok(chart) => chart,
        Err(error) => {
            lint.add(Severity::Error, path, Err(error.to_string()));
            return;
        }
    };
    let mut capabilities = Capabilities::default();
    if let Some(version) = &options.kube_version {
        capabilities.kube_version = version.clone();
    }
    // Helm leaves out whether it installs or upgrades, and the revision.
    let release = ReleaseInfo {
        name: "test-release".to_owned(),
        namespace: options.namespace.clone(),
        revision: 0,
        operation: Operation::Neither,
    };
    let render = RenderOptions {
        dialect: options.dialect,
        schema: options.schema,
        documents: options.documents.clone(),
        ..RenderOptions::new(options.sprig.clone())
    };
    templates::lint(&chart, values, &release, &capabilities, &render, options.kube_version.as_ref(), lint);
}

fn lint_dependencies(tree: &Tree, location: &str, options: &LintOptions, lint: &mut Lint) {
    lint.warnings.extend(options.links.iter().cloned());
    let chart = match Chart::load_as(tree, location, options.dialect) {
        Ok(chart) => chart,
        Err(error) => {
            lint.add(Severity::Error, "", Err(format!("unable to load chart\n\t{error}")));
            return;
        }
    };
    lint.warnings.extend(chart.warnings.iter().cloned());
    let directory = &options.directory;
    let declared = &chart.metadata.dependencies;
    let refuse = |words: &str, names: Vec<&str>| {
        if names.is_empty() { Ok(()) } else { Err(format!("{words}: {}", names.join(","))) }
    };
    let undeclared: Vec<&str> = chart
        .dependencies
        .iter()
        .map(Chart::name)
        .filter(|name| !declared.iter().any(|dependency| dependency.name == *name))
        .collect();
    lint.add(Severity::Error, directory, refuse("chart metadata is missing these dependencies", undeclared));
    let mut seen = Vec::new();
    let mut twice = Vec::new();
    for dependency in declared {
        if seen.contains(&dependency.key()) {
            twice.push(dependency.key());
        }
        seen.push(dependency.key());
    }
    lint.add(Severity::Error, directory, refuse("multiple dependencies with name or alias", twice));
    let missing = chart.missing_dependencies();
    lint.add(Severity::Warning, directory, refuse("chart directory is missing these dependencies", missing));
}
