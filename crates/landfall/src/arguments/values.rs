//! Values on top of the chart's and the project's, read from where the command line says.

use clap::Args;
use landfall_chart::SetFlag;
use landfall_delivery::Overrides;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Host, Place};
use serde::{Deserialize, Serialize};

/// Values on top of the chart's and the project's.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ValuesArgs {
    /// A values file; later ones win
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub(crate) values: Vec<String>,
    /// Set a value (`path=value`, several by commas)
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Set a value that stays a string
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set_string: Vec<String>,
    /// Set a value given as JSON
    #[arg(long, value_name = "PATH=JSON")]
    pub(crate) set_json: Vec<String>,
    /// Set a value to a file's content
    #[arg(long, value_name = "PATH=FILE")]
    pub(crate) set_file: Vec<String>,
    /// Set a value to the text as it is
    #[arg(long, value_name = "PATH=TEXT")]
    pub(crate) set_literal: Vec<String>,
}

impl ValuesArgs {
    /// Reads the values given on the command line.
    pub(crate) fn overrides(&self, host: &Host) -> Result<Overrides, Failure> {
        let mut overrides = Overrides::default();
        for name in &self.values {
            let text = if name == "-" {
                std::io::read_to_string(std::io::stdin()).map_err(|error| unreadable("-", &error))?
            } else {
                std::fs::read_to_string(host.directory.join(name)).map_err(|error| unreadable(name, &error))?
            };
            overrides.files.push((name.clone(), text));
        }
        let families: [(SetFlag, &[String]); 4] = [
            (SetFlag::Json, &self.set_json),
            (SetFlag::Set, &self.set),
            (SetFlag::String, &self.set_string),
            (SetFlag::Literal, &self.set_literal),
        ];
        for (flag, lines) in families {
            overrides.sets.extend(lines.iter().map(|line| (flag, line.clone())));
        }
        for line in &self.set_file {
            // `path=file` pairs by commas, as Helm reads them; what is wrong with the line is said when it is merged.
            let files = line
                .split(',')
                .filter_map(|pair| pair.split_once('='))
                .map(|(_, file)| {
                    let content = std::fs::read_to_string(host.directory.join(file))
                        .map_err(|error| format!("open {file}: {}", os_words(&error)));
                    (file.to_owned(), content)
                })
                .collect();
            overrides.set_files.push((line.clone(), files));
        }
        Ok(overrides)
    }

    /// Reads the values given on the command line for a target of a certain revision: a values file of the repository is
    /// that revision's own, one that the revision does not have and another of those that matter does is left out, and any
    /// other is read from disk.
    pub(crate) fn overrides_at(&self, host: &Host, place: &Place, others: &[&str]) -> Result<Overrides, Failure> {
        let source = &place.target.source;
        if source.directory_on_disk().is_some() {
            return self.overrides(host);
        }
        let top = host.directory.ancestors().find(|directory| directory.join(".git").exists());
        let inside = |name: &str| -> Option<String> {
            let mut path = std::path::PathBuf::new();
            for part in host.directory.join(name).components() {
                match part {
                    std::path::Component::ParentDir => drop(path.pop()),
                    std::path::Component::CurDir => {}
                    part => path.push(part),
                }
            }
            Some(path.strip_prefix(top?).ok()?.to_string_lossy().into_owned())
        };
        let mut found = ValuesArgs { values: Vec::new(), ..self.clone() }.overrides(host)?;
        for name in &self.values {
            let path = if name == "-" { None } else { inside(name) };
            match path.as_deref().map(|path| source.read(path)) {
                Some(Ok(Some(bytes))) => {
                    found.files.push((path.unwrap_or_default(), String::from_utf8_lossy(&bytes).into_owned()));
                }
                // What has a history and is not in that revision came later, or went before.
                Some(Ok(None)) if path.as_deref().is_some_and(|path| is_tracked(host, path, others)) => {}
                _ => found.files.extend(only(name).overrides(host)?.files),
            }
        }
        Ok(found)
    }
}

fn only(name: &str) -> ValuesArgs {
    ValuesArgs { values: vec![name.to_owned()], ..ValuesArgs::default() }
}

/// Whether the commit that is checked out, or another one, has a file.
fn is_tracked(host: &Host, path: &str, others: &[&str]) -> bool {
    let has = |revision: &str| {
        let commit = landfall_source::SourceTree::open_commit(&host.directory, revision);
        commit.is_ok_and(|commit| commit.read(path).is_ok_and(|file| file.is_some()))
    };
    has("HEAD") || others.iter().any(|revision| has(revision))
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::usage(
        Diagnostic::error(code::UNREADABLE_VALUES_ARGUMENT, format!("the values file `{name}` cannot be read"))
            .note(format!("helm: open {name}: {}", os_words(error))),
    )
}

/// An error of the operating system in the words that Go uses.
fn os_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}
