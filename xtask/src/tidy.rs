//! The house rules that the compiler does not know.

mod codes;
mod dependencies;
mod limits;
mod page;
mod registered;
mod rooms;
mod size;
mod sources;
mod walks;
mod writers;

use std::path::Path;

use crate::tree;

/// Checks everything and gives a line for each breach.
pub(crate) fn run(root: &Path) -> Result<Vec<String>, String> {
    let metadata = dependencies::Metadata::load(root)?;
    let page = page::Page::load(root)?;
    let mut findings = rooms::check(&page, &metadata);
    findings.extend(dependencies::check(root, &metadata)?);
    let files = tree::text_files(root)?;
    findings.extend(sources::check(&page, &files));
    findings.extend(size::check(&page, &files));
    findings.extend(registered::check(&files));
    findings.extend(codes::check(&files));
    findings.extend(limits::check(root)?);
    findings.extend(walks::check(root)?);
    findings.extend(writers::check(root, &files)?);
    Ok(findings)
}
