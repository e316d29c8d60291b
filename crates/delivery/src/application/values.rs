//! The values of an Application's chart: which files, and what is said beside them.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use landfall_apps::{BuildEnvironment, HelmSource};
use landfall_chart::{SetFlag, ValueLayers};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_source::{SourceError, SourceTree};

use super::{Checkout, Reading, at_file};
use crate::opened;
use crate::target::join;

/// A file of values as it is named, or a pattern of such: in which tree, seen from which directory.
struct Named {
    tree: Checkout,
    base: String,
    path: String,
}

impl Named {
    fn at(&self) -> String {
        join(&self.base, &self.path)
    }

    fn file(self) -> (Checkout, String) {
        let at = self.at();
        (self.tree, at)
    }

    /// Whether it is a pattern (isGlobPath).
    fn is_pattern(&self) -> bool {
        self.path.contains(['*', '?', '['])
    }

    /// The files that it fits, in the order in which they count.
    fn fitting(&self, files: &SourceTree) -> Result<Vec<String>, SourceError> {
        let mut found = files.glob(&join(&globset::escape(&self.base), &self.path))?;
        found.sort_by(|a, b| walked(a, b));
        Ok(found)
    }
}

/// The order in which doublestar walks: a directory's own files before those of the directories in it.
fn walked(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('/').peekable(), b.split('/').peekable());
    loop {
        match (a.next(), b.next()) {
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => {
                return a.peek().is_some().cmp(&b.peek().is_some()).then_with(|| one.cmp(other));
            }
            (one, other) => return one.is_some().cmp(&other.is_some()),
        }
    }
}

impl Reading<'_> {
    /// The layers of values, lowest first: files, `values`, `valuesObject` in its place, parameters, file parameters.
    pub(super) fn values(
        &self,
        helm: &HelmSource,
        environment: &BuildEnvironment<'_>,
        checkout: &Checkout,
        directory: &str,
    ) -> Result<ValueLayers, Vec<Diagnostic>> {
        let mut values = ValueLayers::new();
        for (tree, at) in self.value_files(helm, environment, checkout, directory)? {
            let bytes = tree.files(self.target).read(&at).map_err(|error| vec![error.diagnose()])?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            opened::add_values(&mut values, &self.selection.sops, tree.shown(self.target, &at), text)?;
        }
        match &helm.values_object {
            Some(object) if object.is_object() => {
                let text = landfall_yaml::emit(object)
                    .map_err(|error| self.wrong(code::UNWRITABLE_VALUES, error.to_string()))?;
                values.file(format!("{} (spec.source.helm.valuesObject)", self.file), text);
            }
            _ if !helm.values.trim().is_empty() => {
                values.file(format!("{} (spec.source.helm.values)", self.file), helm.values.clone());
            }
            _ => {}
        }
        for parameter in helm.parameters.iter().filter(|parameter| !parameter.name.is_empty()) {
            let flag = if parameter.force_string { SetFlag::String } else { SetFlag::Set };
            let value = environment.fill(&parameter.value);
            values.set(flag, format!("{}={}", parameter.name, comma_safe(&value)));
        }
        for parameter in &helm.file_parameters {
            let (tree, at) = self.place_of(&parameter.path, environment, checkout, directory)?.file();
            let bytes = tree.files(self.target).read(&at).map_err(|error| vec![error.diagnose()])?;
            let content = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            values.set_file(format!("{}={at}", parameter.name), &mut |path| {
                content.clone().ok_or_else(|| format!("open {path}: no such file or directory"))
            });
        }
        Ok(values)
    }

    /// The files of values that are there, each once, in their order: what a pattern fits where the pattern stands, but for what is
    /// named by itself elsewhere (reposerver/repository/value_files.go).
    fn value_files(
        &self,
        helm: &HelmSource,
        environment: &BuildEnvironment<'_>,
        checkout: &Checkout,
        directory: &str,
    ) -> Result<Vec<(Checkout, String)>, Vec<Diagnostic>> {
        let named: Result<Vec<Named>, _> =
            helm.value_files.iter().map(|file| self.place_of(file, environment, checkout, directory)).collect();
        let named = named?;
        let place = |tree: &Checkout, at: &str| {
            (
                tree.files(self.target).place().to_owned(),
                landfall_source::within("", at).unwrap_or_else(|| at.to_owned()),
            )
        };
        let alone = named.iter().filter(|it| !it.is_pattern()).map(|it| place(&it.tree, &it.at()));
        let alone: BTreeSet<(String, String)> = alone.collect();
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        for (written, named) in helm.value_files.iter().zip(named) {
            let files = named.tree.files(self.target);
            let is_pattern = named.is_pattern();
            let fits = match is_pattern {
                true => named.fitting(files).map_err(|error| vec![error.diagnose()])?,
                false => {
                    let at = named.at();
                    let is_there = files.read(&at).map_err(|error| vec![error.diagnose()])?.is_some();
                    if is_there { vec![at] } else { Vec::new() }
                }
            };
            if fits.is_empty() && !helm.ignore_missing_value_files {
                let name = self.name();
                let (text, looked) = match is_pattern {
                    true => (
                        format!("Application {name}: no values file fits `{written}`"),
                        "argocd: values file glob matched no files".to_owned(),
                    ),
                    false => {
                        let shown = named.tree.shown(self.target, &named.at());
                        (
                            format!("Application {name}: the values file `{written}` is not there"),
                            format!("looked for {shown}"),
                        )
                    }
                };
                return Err(vec![at_file(Diagnostic::error(code::NO_VALUES_FILE, text), self.file).note(looked)]);
            }
            for at in fits {
                let key = place(&named.tree, &at);
                let stands_elsewhere = is_pattern && alone.contains(&key);
                if !stands_elsewhere && seen.insert(key) {
                    found.push((named.tree.clone(), at));
                }
            }
        }
        Ok(found)
    }

    /// Where a values file is: `$ref/path` in another source, `/path` from the repository's root, else from the chart.
    fn place_of(
        &self,
        written: &str,
        environment: &BuildEnvironment<'_>,
        checkout: &Checkout,
        directory: &str,
    ) -> Result<Named, Vec<Diagnostic>> {
        let (reference, path) = written.strip_prefix('$').map_or(("", ""), |it| it.split_once('/').unwrap_or((it, "")));
        // What names another source is looked up first, and only the path in it has variables filled in.
        if let Some(found) = self.references.get(reference) {
            let path = environment.fill(path);
            return Ok(Named { tree: found.clone(), base: found.root.clone(), path });
        }
        let first = reference.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let names_no_variable = !first.is_empty() && !environment.has(first);
        if names_no_variable {
            return Err(self.wrong(
                code::NO_SUCH_REF,
                format!("Application {}: no source has the `ref` {reference} that `{written}` names", self.name()),
            ));
        }
        let file = environment.fill(written);
        if file.contains("://") {
            let text = format!("Application {}: the values file `{file}` is not in a repository", self.name());
            return Err(vec![
                at_file(Diagnostic::error(code::NO_VALUES_FILE, text), self.file)
                    .help("put it into the repository, or into a source with a `ref`"),
            ]);
        }
        let (base, path) = match file.strip_prefix('/') {
            Some(rooted) => (checkout.root.clone(), rooted.to_owned()),
            None => (directory.to_owned(), file),
        };
        Ok(Named { tree: checkout.clone(), base, path })
    }
}

/// A parameter's commas are part of its value, braces and escapes aside (util/helm/cmd.go, cleanSetParameters).
fn comma_safe(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut before = ' ';
    for c in value.chars() {
        if c == ',' && before != '\\' {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directorys_own_files_come_before_those_below_it() {
        let mut all = ["envs/nested/c.yaml", "envs/z.yaml", "envs/a.yaml", "envs/b/x.yaml", "base.yaml"];
        all.sort_by(|a, b| walked(a, b));
        assert_eq!(all, ["base.yaml", "envs/a.yaml", "envs/z.yaml", "envs/b/x.yaml", "envs/nested/c.yaml"]);
    }
}
