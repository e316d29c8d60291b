//! The few flags that cases use, and reading a case's directory.

use std::fs;
use std::path::Path;

use landfall_chart::{
    Capabilities, Chart, Dialect, HookChoice, KubeVersion, NotesFrom, Operation, ReleaseInfo, RenderOptions, Rendered,
    SchemaCheck, SetFlag, TemplateOptions, Tree, ValueLayers, render,
};

/// What `helm template …` would print: stdout and what follows `Error: `.
pub(crate) type Printed = Result<String, String>;

/// Reads a directory into a tree, as a source would.
pub(crate) fn read_tree(dir: &Path) -> Tree {
    fn walk(dir: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
        let mut entries: Vec<_> =
            fs::read_dir(dir).expect("the case has the directory").map(|it| it.expect("readable")).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if entry.path().is_dir() {
                walk(&entry.path(), &path, files);
            } else {
                files.push((path, fs::read(entry.path()).expect("readable")));
            }
        }
    }
    let mut files = Vec::new();
    walk(dir, "", &mut files);
    files.into_iter().map(|(path, data)| (path, landfall_chart::Bytes::from(data))).collect()
}

/// Loads what a case names: a directory or an archive.
pub(crate) fn load(dir: &Path, name: &str, dialect: Dialect) -> Result<Chart, landfall_chart::ChartError> {
    let path = dir.join(name);
    if path.is_dir() {
        Chart::load_as(&read_tree(&path), name, dialect)
    } else {
        Chart::load_archive_as(name, &fs::read(path).expect("the case has the archive"), dialect)
    }
}

/// Renders a case: `dir` is its directory, `line` the arguments behind `helm template`.
pub(crate) fn template(dir: &Path, line: &str, dialect: Dialect) -> Printed {
    let words = shell_words(line);
    let mut layers = ValueLayers::in_dialect(dialect);
    let mut release = ReleaseInfo::install("release-name", "default");
    let mut capabilities = Capabilities::default();
    let mut options = RenderOptions { dialect, ..RenderOptions::new(landfall_sprig::Context::repeatable(1)) };
    let mut output = TemplateOptions::default();
    let mut positional = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("the flag has a value");
        let read = |path: &str| {
            fs::read_to_string(dir.join(path)).map_err(|_| format!("open {path}: no such file or directory"))
        };
        match word.as_str() {
            "-f" | "--values" => {
                let path = value();
                layers.file(path.as_str(), read(&path)?);
            }
            "--set" => drop(layers.set(SetFlag::Set, value())),
            "--set-string" => drop(layers.set(SetFlag::String, value())),
            "--set-json" => drop(layers.set(SetFlag::Json, value())),
            "--set-literal" => drop(layers.set(SetFlag::Literal, value())),
            "--set-file" => drop(layers.set_file(value(), &mut |path| read(path))),
            "--namespace" | "-n" => release.namespace = value(),
            "--kube-version" => {
                capabilities =
                    capabilities.with_kube_version(KubeVersion::parse_as(&value(), dialect).expect("a version"));
            }
            "--api-versions" | "-a" => {
                let versions = value();
                capabilities = capabilities.with_api_versions(versions.split(','));
            }
            "--is-upgrade" => release.operation = Operation::Upgrade,
            "--include-crds" => output.include_crds = true,
            "--skip-tests" => output.hooks = HookChoice::NoTests,
            "--no-hooks" => output.hooks = HookChoice::None,
            "--show-only" | "-s" => output.show_only.push(value()),
            "--skip-schema-validation" => options.schema = SchemaCheck::Skip,
            "--render-subchart-notes" => options.notes = NotesFrom::All,
            flag if flag.starts_with('-') => panic!("cases do not know {flag}"),
            _ => positional.push(word),
        }
    }
    if let [name, _] = positional.as_slice() {
        release.name.clone_from(name);
    }
    let chart = positional.last().expect("a chart is named");
    let rendered: Result<Rendered, _> =
        load(dir, chart, dialect).and_then(|chart| render(&chart, &layers, &release, &capabilities, &options));
    rendered.and_then(|rendered| rendered.template_output(&output)).map_err(|error| error.helm_text())
}

/// Words in the manner of a shell: single quotes keep everything.
pub(crate) fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
