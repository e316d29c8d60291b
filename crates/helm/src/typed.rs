//! What was typed, looked at before anything is touched.
//!
//! Helm passes most of it on: a namespace `N S` comes back as an answer of the cluster, an address as the failure of a
//! look-up. In Helm's own voice it stays so.

use landfall_project::{ContextName, Namespace, ReleaseName, Unfit, Url};

use super::flags::Flags;

/// Refuses names and addresses that are none, for the verb with this usage.
///
/// # Errors
/// The word that is meant, what is wanted in its place, and the nearest that would do.
pub(super) fn check(usage: &str, flags: &Flags) -> Result<(), String> {
    let given = |name: &str| flags.text(name).filter(|text| !text.is_empty());
    let told = |what: String, text: &str, unfit: Unfit| format!("{what} cannot be `{text}`: {unfit}");
    if let Some(text) = given("namespace") {
        Namespace::parse(text).map_err(|unfit| told("--namespace".to_owned(), text, unfit))?;
    }
    if let Some(text) = flags.text("kube-context") {
        ContextName::parse(text).map_err(|unfit| told("--kube-context".to_owned(), text, unfit))?;
    }
    if let Some(text) = given("repo") {
        Url::parse(text).map_err(|unfit| told("--repo".to_owned(), text, unfit))?;
    }
    for text in releases(usage, flags) {
        ReleaseName::parse(text).map_err(|unfit| told("a release".to_owned(), text, unfit))?;
    }
    Ok(())
}

/// Refuses a chart repository's name or address that is none.
///
/// # Errors
/// As [`check`].
pub(super) fn repository(name: &str, url: &str) -> Result<(), String> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("a repository cannot be called `{name}`: its name has letters, digits, `-`, `_` and `.`"));
    }
    Url::parse(url).map(drop).map_err(|unfit| format!("a repository's address cannot be `{url}`: {unfit}"))
}

/// The arguments that name releases.
fn releases<'f>(usage: &str, flags: &'f Flags) -> &'f [String] {
    let arguments = flags.arguments.as_slice();
    match (usage.split(' ').next().unwrap_or_default(), arguments) {
        ("install" | "template" | "upgrade", [_, _]) | ("history" | "status" | "test" | "rollback", [_, ..]) => {
            &arguments[..1]
        }
        ("get", [_, ..]) => &arguments[..1],
        ("uninstall", _) => arguments,
        _ => &[],
    }
}
