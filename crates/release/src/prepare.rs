//! Operations on the releases of a cluster: the records are read, the operation is compiled, the engine makes the plan.

use async_recursion::async_recursion as boxed;

use crate::course::Prepared;
use crate::options::{InstallOptions, RollbackOptions, TestOptions, UninstallOptions, UpgradeOptions};
use crate::{Content, Error, Past, Record, Releases, Wish, validate_release_name, verbs};

impl Releases {
    /// Prepares a first installation.
    ///
    /// # Errors
    /// As [`verbs::install`], [`Error::Foreign`], [`Error::Build`], [`Error::Manifest`], and what planning refuses.
    #[boxed]
    pub async fn prepare_install(
        &self,
        name: &str,
        content: Content,
        options: &InstallOptions,
    ) -> Result<Prepared, Error> {
        self.prepare(verbs::install(&self.past(name).await?, content, options)?).await
    }

    /// Prepares an upgrade.
    ///
    /// # Errors
    /// As [`verbs::upgrade`] and [`Releases::prepare_install`].
    #[boxed]
    pub async fn prepare_upgrade(
        &self,
        name: &str,
        content: Content,
        options: &UpgradeOptions,
    ) -> Result<Prepared, Error> {
        self.prepare(verbs::upgrade(&self.past(name).await?, content, options)?).await
    }

    /// Prepares a rollback.
    ///
    /// # Errors
    /// As [`verbs::rollback`] and [`Releases::prepare_install`].
    #[boxed]
    pub async fn prepare_rollback(&self, name: &str, options: &RollbackOptions) -> Result<Prepared, Error> {
        let past = self.past(name).await?;
        let prepared = self.prepare(verbs::rollback(&past, options)?).await;
        // What is recorded cannot be made to say something else: the way that there is is another one.
        let revision = verbs::goal(&past, options)?;
        prepared.map_err(|error| match error {
            Error::Engine(landfall_engine::Error::Once(violation)) => {
                let violation = violation.by_going_back(name, self.namespace(), revision);
                Error::Engine(landfall_engine::Error::Once(violation))
            }
            other => other,
        })
    }

    /// Prepares the removal of a release.
    ///
    /// # Errors
    /// As [`verbs::uninstall`], and what planning refuses.
    #[boxed]
    pub async fn prepare_uninstall(&self, name: &str, options: &UninstallOptions) -> Result<Prepared, Error> {
        self.prepare(verbs::uninstall(&self.past(name).await?, options)?).await
    }

    /// Prepares a run of the last revision's test hooks.
    ///
    /// # Errors
    /// As [`verbs::test`].
    #[boxed]
    pub async fn prepare_test(&self, name: &str, options: &TestOptions) -> Result<Prepared, Error> {
        self.prepare(verbs::test(&self.past(name).await?, options)?).await
    }

    /// The last revision and the one an upgrade starts from.
    ///
    /// # Errors
    /// As [`Past::base`].
    #[boxed]
    pub async fn base_of(&self, name: &str) -> Result<(Record, Record), Error> {
        let past = self.past(name).await?;
        past.base().map(|(last, base)| (last.clone(), base.clone()))
    }

    /// What there is of a release.
    ///
    /// # Errors
    /// [`Error::InvalidName`], and what the cluster refuses with.
    #[boxed]
    pub async fn past(&self, name: &str) -> Result<Past, Error> {
        validate_release_name(name)?;
        let history = self.history(name).await?;
        Ok(Past { namespace: self.namespace().to_owned(), name: name.to_owned(), history, now: self.clock.now() })
    }

    async fn prepare(&self, wish: Wish) -> Result<Prepared, Error> {
        landfall_engine::prepare(&self.cluster, wish.expecting((*self.expected).clone())).await
    }
}
