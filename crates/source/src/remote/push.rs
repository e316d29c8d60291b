//! Moving one branch of a repository elsewhere from one commit to another, by git itself: from that commit or not at all.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::asking::Asking;
use super::errand::REMOTE;
use super::{Fetched, Mirror};
use crate::account::GitRemote;
use crate::aside::aside;
use crate::error::SourceError;
use crate::program::ProgramError;

/// How long a push may take, with the hooks of the server.
const LONGEST: Duration = Duration::from_secs(120);

/// What became of a push, as far as git could see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The server has moved the branch.
    Taken,
    /// The server, or git in front of it, has not: what was said.
    Refused(String),
    /// The server asks for a login, and there is none.
    NoLogin,
    /// The server does not take the login, or takes nothing from it: what was said.
    Denied(String),
    /// It is not known: the connection ended, or took too long; what was said.
    Unknown(String),
}

impl Mirror {
    /// Asks the server to move a branch from a commit to another one that a directory of ours has.
    ///
    /// # Errors
    /// The account does not fit the address, or there is no git on this machine.
    pub(crate) async fn push(
        &self,
        remote: &GitRemote,
        place: &Arc<Fetched>,
        branch: &str,
        (from, to): (&str, &str),
    ) -> Result<Sent, SourceError> {
        let _turn = self.network.repository().await;
        let asking = Asking::new(&self.network, remote, self.patience).await?;
        let directory = place.path().to_owned();
        let (asking, errand) = aside(move || {
            let errand = asking.errand(&directory)?;
            Ok::<_, SourceError>((asking, errand))
        })
        .await??;
        let words: [OsString; 8] = [
            "push".into(),
            "--porcelain".into(),
            "--no-verify".into(),
            "--no-signed".into(),
            "--recurse-submodules=no".into(),
            format!("--force-with-lease=refs/heads/{branch}:{from}").into(),
            REMOTE.into(),
            format!("{to}:refs/heads/{branch}").into(),
        ];
        let order = errand.order(words).in_directory(place.path());
        let ended = match tokio::time::timeout(LONGEST, order.run()).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(ProgramError::Missing(_))) => {
                return Err(SourceError::NoGit { url: asking.shown() });
            }
            Ok(Err(error)) => return Ok(Sent::Unknown(error.to_string())),
            Err(_) => return Ok(Sent::Unknown(format!("it was not taken within {} s", LONGEST.as_secs()))),
        };
        let said = asking.told(&ended.stderr);
        match flag(&String::from_utf8_lossy(&ended.stdout), branch) {
            Some((Flag::Moved, _)) if ended.is_success() => Ok(Sent::Taken),
            Some((Flag::Refused, why)) => {
                let why = asking.told(why.as_bytes());
                Ok(Sent::Refused(if said.is_empty() { why } else { format!("{why}\n{said}") }))
            }
            _ if errand.was_asked() && asking.login.is_none() && asking.header.is_none() => Ok(Sent::NoLogin),
            // Git has no other word for a request that is forbidden.
            _ if said.contains("returned error: 403") => Ok(Sent::Denied(said)),
            _ if errand.was_asked() && (asking.header.is_some() || said.contains("Authentication failed")) => {
                Ok(Sent::Denied(format!("it does not take the login of {}", remote.account.name)))
            }
            _ => Ok(Sent::Unknown(said)),
        }
    }
}

/// What git's line on a branch begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    Moved,
    Refused,
}

/// What git says of a branch (`git push --porcelain`): a flag, `FROM:TO`, and words.
fn flag(told: &str, branch: &str) -> Option<(Flag, String)> {
    told.lines().find_map(|line| {
        let mut parts = line.splitn(3, '\t');
        let (flag, between, words) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
        if between.rsplit_once(':')?.1 != format!("refs/heads/{branch}") {
            return None;
        }
        let flag = match flag {
            " " | "*" | "+" | "=" => Flag::Moved,
            _ => Flag::Refused,
        };
        Some((flag, words.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_of_the_branch_is_told_from_what_it_says_of_others() {
        let taken = "To /srv/shop.git\n \tabc:refs/heads/main\t1..2\nDone\n";
        assert_eq!(flag(taken, "main"), Some((Flag::Moved, "1..2".to_owned())));
        let refused = "To x\n!\tabc:refs/heads/main\t[remote rejected] (hook declined)\nDone\n";
        assert_eq!(flag(refused, "main").map(|(flag, _)| flag), Some(Flag::Refused));
        assert_eq!(flag(refused, "mai"), None);
        assert_eq!(flag("fatal: could not read\n", "main"), None);
    }
}
