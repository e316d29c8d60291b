//! What was sealed goes into git: the files that hold it, and nothing else.

use std::path::{Path, PathBuf};

use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_source::Order;

use crate::commands::secrets::files;
use crate::context::Context;

/// Commits those of the files that no commit has as they are, and pushes the branch where it is ahead of its remote.
///
/// # Errors
/// There is no working tree, or git's own words.
pub(super) async fn committed(
    context: &Context,
    place: &Place,
    wanted: &[String],
    pushes: bool,
) -> Result<(), Failure> {
    let Some(root) = place.target.source.directory_on_disk() else {
        let text = "what is sealed is committed in a working tree, and this is none";
        return Err(Failure::usage(Diagnostic::error(code::HELD, text).help("work in a clone of the repository")));
    };
    let paths: Vec<PathBuf> =
        wanted.iter().map(|file| root.join(place.target.path(file))).filter(|it| it.exists()).collect();
    let mut words: Vec<std::ffi::OsString> = ["status", "--porcelain", "--"].map(Into::into).to_vec();
    words.extend(paths.iter().map(|path| path.clone().into_os_string()));
    if !said(root, words).await?.is_empty() {
        let environment = place.environment.as_deref().unwrap_or_default();
        let commit = files::commit(root, &paths, &format!("secrets: {environment} bootstrapped")).await?;
        context.ui.status(&format!("  committed as {commit}"));
    }
    if !pushes {
        return Ok(());
    }
    // A branch without a remote has nowhere to go; that it is ahead of it is what was left.
    let remote =
        said(root, ["rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"].map(Into::into).to_vec()).await;
    match remote {
        Err(_) => {
            context.ui.status("  nothing is pushed: the branch follows none of a remote (`git push -u origin BRANCH`)")
        }
        Ok(remote) => {
            let ahead = said(root, ["rev-list", "--count", "@{upstream}..HEAD"].map(Into::into).to_vec()).await?;
            if ahead != "0" {
                files::push(context, place, root).await?;
                context.ui.status(&format!("  pushed to {remote}"));
            }
        }
    }
    Ok(())
}

async fn said(directory: &Path, words: Vec<std::ffi::OsString>) -> Result<String, Failure> {
    let failed =
        |why: String| Failure::from(Diagnostic::error(code::UNCOMMITTED_SECRETS, "git does not answer").note(why));
    let ended =
        Order::new("git", words).in_directory(directory).run().await.map_err(|error| failed(error.to_string()))?;
    if !ended.is_success() {
        return Err(failed(landfall_diag::without_passwords(&String::from_utf8_lossy(&ended.stderr)).into_owned()));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}
