//! Files of the working tree that are replaced whole or not at all, and committed on request.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_engine::Probe;
use landfall_host::{Failure, Place, hold_file, patience};
use landfall_source::{Carried, Carry, GitRemote, GitWriter, Login, Order};

use crate::commands::write_back::asked_as;
use crate::context::Context;

/// A file, what was read of it, and what is to stand there.
#[derive(Debug, Clone)]
pub(super) struct Rewrite {
    /// Where it is.
    pub(super) path: PathBuf,
    /// As it is named.
    pub(super) shown: String,
    /// What was read.
    pub(super) before: String,
    /// What is to stand there.
    pub(super) after: String,
}

impl Rewrite {
    /// Whether it changes anything.
    pub(super) fn is_change(&self) -> bool {
        self.before != self.after
    }

    /// Puts it there; before and after it passes a point of a test's.
    ///
    /// # Errors
    /// As [`Rewrite::write`].
    pub(super) fn write_at(&self, probe: Option<&dyn Probe>) -> Result<(), Failure> {
        let pass = |when: &str| match probe {
            Some(probe) => probe
                .reach(format_args!("{when} file {}", self.shown))
                .map_err(|killed| Failure::from(Diagnostic::error(code::KILLED, killed.0))),
            None => Ok(()),
        };
        pass("before")?;
        self.write()?;
        pass("after")
    }

    /// Puts it there, unless somebody else has written in between.
    ///
    /// # Errors
    /// Somebody has, or the system refuses.
    pub(super) fn write(&self) -> Result<(), Failure> {
        let failed = |problem: String| {
            Failure::from(Diagnostic::error(code::HELD, format!("{} was not written", self.shown)).note(problem))
        };
        let path = self.path.canonicalize().map_err(|error| failed(error.to_string()))?;
        let held = hold_file(&path).map_err(|error| failed(error.to_string()))?;
        if held.is_none() {
            return Err(failed("another command writes it at this moment".to_owned()));
        }
        let there = fs::read(&path).map_err(|error| failed(error.to_string()))?;
        if there != self.before.as_bytes() {
            return Err(failed("it has changed since it was read; type the same again".to_owned()));
        }
        replace(&path, self.after.as_bytes()).map_err(|error| failed(error.to_string()))
    }
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    clear(path, &name);
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    let written = (|| {
        let mut file = landfall_source::private_options().create_new(true).open(&beside)?;
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _gone = fs::remove_file(&beside);
    }
    written
}

/// Takes away what commands left beside a file that were killed while they wrote it: who holds the file is the only one who
/// writes, and `git add --all` would take it.
fn clear(path: &Path, name: &str) {
    let is_left = |found: &str| {
        let number = found.strip_prefix('.').and_then(|rest| rest.strip_prefix(name)?.strip_prefix('.'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = path.parent().and_then(|directory| fs::read_dir(directory).ok());
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_left) {
            // What cannot be taken away is in nobody's way.
            let _stays = fs::remove_file(entry.path());
        }
    }
}

/// Commits these files, and nothing else that is staged or changed, in the user's own git.
///
/// # Errors
/// git's own words.
pub(in crate::commands) async fn commit(directory: &Path, files: &[PathBuf], message: &str) -> Result<String, Failure> {
    let mut words: Vec<std::ffi::OsString> =
        ["commit", "--quiet", "--only", "-m", message, "--"].map(Into::into).to_vec();
    words.extend(files.iter().map(|file| file.clone().into_os_string()));
    git(directory, words, UNCOMMITTED).await?;
    git(directory, ["rev-parse", "--short", "HEAD"].map(Into::into).to_vec(), UNCOMMITTED).await
}

/// Pushes the branch to where it goes, with the forge's token where the environment has one for it, else as git knows the user;
/// nothing is forced.
///
/// # Errors
/// git's own words.
pub(in crate::commands) async fn push(context: &Context, place: &Place, directory: &Path) -> Result<(), Failure> {
    if let Some((remote, upstream)) = with_token(context, directory).await {
        return carry(context, place, directory, (&remote, &upstream)).await;
    }
    git(directory, ["push", "--quiet"].map(Into::into).to_vec(), UNPUSHED).await.map(drop)
}

/// Which branch elsewhere the one that is checked out follows.
struct Upstream {
    /// There.
    branch: String,
    /// What it is called here.
    here: String,
}

/// Where a push goes, where there is a token for that.
async fn with_token(context: &Context, directory: &Path) -> Option<(GitRemote, Upstream)> {
    let said = async |words: &[&str]| git(directory, words.iter().map(Into::into).collect(), UNPUSHED).await.ok();
    let head = said(&["symbolic-ref", "HEAD"]).await?;
    let told =
        said(&["for-each-ref", "--format=%(upstream:remotename)%09%(upstream:remoteref)%09%(upstream)", &head]).await?;
    let mut told = told.split('\t');
    let (remote, branch, here) = (told.next()?, told.next()?.strip_prefix("refs/heads/")?, told.next()?);
    let address = said(&["remote", "get-url", "--push", remote]).await?;
    let remote = asked_as(context, &address, None);
    matches!(remote.account.login, Login::Password { .. })
        .then(|| (remote, Upstream { branch: branch.to_owned(), here: here.to_owned() }))
}

async fn carry(
    context: &Context,
    place: &Place,
    directory: &Path,
    (remote, upstream): (&GitRemote, &Upstream),
) -> Result<(), Failure> {
    let said = async |words: &[&str]| git(directory, words.iter().map(Into::into).collect(), UNPUSHED).await;
    let carry = Carry {
        clone: said(&["rev-parse", "--path-format=absolute", "--git-common-dir"]).await?.into(),
        branch: upstream.branch.clone(),
        from: said(&["rev-parse", &upstream.here]).await?,
        to: said(&["rev-parse", "HEAD"]).await?,
    };
    let below = place.state.create_writer_cache().map_err(Failure::from)?;
    let writer = GitWriter::new(&context.host.network, below, patience(&context.host.env));
    match writer.carry(remote, &carry).await.map_err(|error| Failure::from(error.diagnose()))? {
        // As git itself notes what it has pushed.
        Carried::Taken => said(&["update-ref", &upstream.here, &carry.to]).await.map(drop),
        Carried::Refused(why) => Err(unfinished(why, UNPUSHED)),
    }
}

/// What is left to do where git does not commit, and where it has committed and does not push.
const UNCOMMITTED: &str = "commit and push the files yourself; nothing in them is in clear";
const UNPUSHED: &str = "it is committed, and nothing is to be written again: git push (where the branch has moved on, after git pull --rebase), as somebody whom the repository knows (or with the forge's token: LANDFALL_FORGE_TOKEN and LANDFALL_FORGE_HOST)";

async fn git(directory: &Path, words: Vec<std::ffi::OsString>, help: &str) -> Result<String, Failure> {
    let order = Order::new("git", words).in_directory(directory);
    let ended = order.run().await.map_err(|error| unfinished(error.to_string(), help))?;
    if !ended.is_success() {
        let said = landfall_diag::without_passwords(&String::from_utf8_lossy(&ended.stderr)).into_owned();
        return Err(unfinished(said, help));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}

fn unfinished(problem: String, help: &str) -> Failure {
    let text = "what was sealed is written, but git did not take it";
    Failure::from(Diagnostic::error(code::UNCOMMITTED_SECRETS, text).note(problem).help(help))
}
