//! A branch of a clone on this machine, sent to the repository elsewhere as somebody's git has left it.

use std::path::PathBuf;
use std::sync::Arc;

use super::GitWriter;
use crate::account::GitRemote;
use crate::aside::aside;
use crate::error::SourceError;
use crate::remote::{Mirror, Sent};

/// Commits that a clone has, and the branch elsewhere that is to have them.
#[derive(Debug, Clone)]
pub struct Carry {
    /// The clone's own directory of git, as `git rev-parse --git-common-dir` names it.
    pub clone: PathBuf,
    /// The branch elsewhere.
    pub branch: String,
    /// The commit that it is known to be at.
    pub from: String,
    /// The one that it is to be at.
    pub to: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// The branch has them.
    Taken,
    /// It has not: what was said.
    Refused(String),
}

impl GitWriter {
    /// Moves a branch elsewhere onto a commit of a clone, from where it is known to be or not at all; nothing that the clone's own
    /// configuration says takes part.
    ///
    /// # Errors
    /// The account does not fit the address, the clone cannot be read, or there is no git on this machine.
    pub async fn carry(&self, remote: &GitRemote, carry: &Carry) -> Result<Carried, SourceError> {
        let mut mirror = Mirror::new(&self.0.network, self.0.below.clone(), self.0.patience);
        let place = mirror.beside(&carry.clone).await?;
        let (here, from, to) = (Arc::clone(&place), carry.from.clone(), carry.to.clone());
        // A push that expects where the branch is would leave out what is there and not here.
        if !aside(move || crate::git::leads_to(here.path(), &from, &to)).await? {
            let why = format!("`{}` has commits there that this branch does not have", carry.branch);
            return Ok(Carried::Refused(why));
        }
        match mirror.push(remote, &place, &carry.branch, (&carry.from, &carry.to)).await? {
            Sent::Taken => Ok(Carried::Taken),
            Sent::NoLogin => Ok(Carried::Refused("it asks for a login, and there is none".to_owned())),
            Sent::Refused(said) | Sent::Denied(said) => Ok(Carried::Refused(said)),
            Sent::Unknown(said) => {
                let there = mirror.references(remote, &[]).await.ok().and_then(|all| all.commit(&carry.branch));
                Ok(if there.as_ref() == Some(&carry.to) { Carried::Taken } else { Carried::Refused(said) })
            }
        }
    }
}
