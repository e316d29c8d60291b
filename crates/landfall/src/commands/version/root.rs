//! The product's own version, where its repository says it.

use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::Failure;
use landfall_project::Channel;
use landfall_promote::{Version, bare};
use landfall_server::api::{Asked, LedgerLine};
use landfall_source::{SourceTree, aside};
use serde_json::Value;

use crate::commands::books::{BooksArgs, Use};
use crate::context::Context;

/// Files that say it, the first one that is there.
const FILES: [&str; 5] = ["package.json", "composer.json", "Cargo.toml", "Chart.yaml", "VERSION"];

/// The product's own version as the working tree, or a commit, has it: the file, and what it says.
pub(super) async fn root_version(
    context: &Context,
    file: Option<&str>,
    revision: Option<&str>,
) -> Result<Option<(String, String)>, Failure> {
    let directory = context.host.directory.clone();
    let (file, revision) = (file.map(str::to_owned), revision.map(str::to_owned));
    let looked = aside(move || -> Result<Option<(String, String)>, Diagnostic> {
        let working = SourceTree::open_directory(&directory).map_err(|error| error.diagnose())?;
        let root = working.directory_on_disk().map(std::path::Path::to_owned).unwrap_or_default();
        let real = directory.canonicalize().unwrap_or(directory.clone());
        let inside = real.strip_prefix(&root).map(|path| path.display().to_string()).unwrap_or_default();
        let tree = match &revision {
            Some(revision) => SourceTree::open_commit(&directory, revision).map_err(|error| error.diagnose())?,
            None => working,
        };
        let path = |name: &str| if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
        let named: Vec<String> = match &file {
            Some(file) => vec![file.clone()],
            None => FILES.map(str::to_owned).to_vec(),
        };
        for name in named {
            if let Some(bytes) = tree.read(&path(&name)).map_err(|error| error.diagnose())? {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let version = said(&name, &text).ok_or_else(|| {
                    Diagnostic::error(code::BAD_VERSION, format!("`{name}` says no version"))
                        .help("name another file with --file, or the version itself")
                })?;
                return Ok(Some((name, version)));
            }
        }
        Ok(None)
    });
    looked
        .await
        .map_err(|error| Failure::from(Diagnostic::error(code::UNREADABLE_FILE, error.to_string())))?
        .map_err(Failure::from)
}

/// Whether a version was published before: a tag of git is called so, an image that is known was built as it or as a pre-release of
/// it, or the branch that leads to a base has said it.
pub(super) async fn was_published(
    context: &Context,
    version: &Version,
    file: Option<&str>,
    base: Option<&str>,
) -> Result<bool, Failure> {
    let (directory, file) = (context.host.directory.clone(), file.map(str::to_owned));
    let (said_as, base) = (version.to_string(), base.map(str::to_owned));
    let look = move || {
        let tags = [format!("refs/tags/{said_as}"), format!("refs/tags/v{said_as}")];
        if tags.iter().any(|tag| SourceTree::open_commit(&directory, tag).is_ok()) {
            return true;
        }
        let Some(tree) = base.and_then(|base| SourceTree::open_commit(&directory, &base).ok()) else { return false };
        let working = SourceTree::open_directory(&directory).ok();
        let root = working.and_then(|tree| tree.directory_on_disk().map(std::path::Path::to_owned)).unwrap_or_default();
        let real = directory.canonicalize().unwrap_or(directory.clone());
        let inside = real.strip_prefix(&root).map(|path| path.display().to_string()).unwrap_or_default();
        let named: Vec<String> = file.map_or_else(|| FILES.map(str::to_owned).to_vec(), |file| vec![file]);
        named.iter().any(|name| {
            let path = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
            let texts = tree.versions(&path).into_iter().filter_map(|bytes| String::from_utf8(bytes).ok());
            texts.filter_map(|text| said(name, &text)).any(|version| version == said_as)
        })
    };
    let in_git = aside(look).await;
    if in_git.map_err(|error| Failure::from(Diagnostic::error(code::UNREADABLE_FILE, error.to_string())))? {
        return Ok(true);
    }
    let books = BooksArgs::default().open(context, &context.host.nowhere()?, Use::Reads).await?;
    let known: Result<Vec<LedgerLine>, Failure> = books.ask(Asked::Ledger(None, Some(LOOKED_AT))).await;
    books.close().await;
    let is_it = |line: &LedgerLine| Version::parse(bare(&line.tag)).is_ok_and(|it| it.stable() == version.to_string());
    Ok(known?.iter().any(is_it))
}

/// Lines of the book that are looked through for a version.
const LOOKED_AT: usize = 1000;

/// What is said where no file says a version.
pub(super) fn nothing_says_it() -> Failure {
    let text = format!("no file here says the product's version: {}", FILES.join(", "));
    Failure::usage(Diagnostic::error(code::BAD_VERSION, text).help("name one with --file, or the version itself"))
}

/// The version that a file says.
fn said(name: &str, text: &str) -> Option<String> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let text = text.trim_start_matches('\u{feff}');
    match name.rsplit('.').next() {
        Some("json") => {
            let json: Value = serde_json::from_str(text).ok()?;
            Some(json.get("version")?.as_str()?.to_owned())
        }
        Some("yaml" | "yml") => {
            let json = landfall_yaml::to_json(text).ok()?;
            Some(json.get("version")?.as_str()?.to_owned())
        }
        Some("toml") => in_package(text),
        _ => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
    }
}

/// `version = "…"` of `[package]` or `[workspace.package]`.
fn in_package(text: &str) -> Option<String> {
    let mut is_package = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_package = matches!(line, "[package]" | "[workspace.package]" | "[project]");
        } else if is_package
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "version"
            && let Some(version) = value.trim().strip_prefix('"').and_then(|rest| rest.split('"').next())
        {
            return Some(version.to_owned());
        }
    }
    None
}

/// A channel by its name.
pub(super) fn channel(text: &str) -> Result<Channel, String> {
    match text {
        "alpha" => Ok(Channel::Alpha),
        "rc" => Ok(Channel::Rc),
        "stable" => Ok(Channel::Stable),
        _ => Err("channels are alpha, rc and stable; --env looks one up by the place".to_owned()),
    }
}

/// A channel's name.
pub(super) fn name_of(channel: Channel) -> &'static str {
    match channel {
        Channel::Alpha => "alpha",
        Channel::Rc => "rc",
        Channel::Stable => "stable",
    }
}

/// The product's own version as a version.
pub(super) fn stable(text: &str) -> Result<Version, Failure> {
    Version::root(text).map_err(|refusal| Failure::usage(Diagnostic::error(code::BAD_VERSION, refusal.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_says_its_version_in_its_own_way() {
        for (name, text, version) in [
            ("package.json", "{\"name\": \"x\", \"version\": \"0.5.0\"}", Some("0.5.0")),
            ("app/Chart.yaml", "name: x\nversion: 1.2.3\n", Some("1.2.3")),
            (
                "Cargo.toml",
                "[dependencies]\nversion = \"9\"\n[workspace.package]\nversion = \"0.1.0\" # x\n",
                Some("0.1.0"),
            ),
            ("VERSION", "1.0.0\n", Some("1.0.0")),
            ("VERSION", "\n", None),
            ("package.json", "{}", None),
        ] {
            assert_eq!(said(name, text).as_deref(), version, "{name}");
        }
    }
}
