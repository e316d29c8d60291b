//! How a forge hears that a promotion is withdrawn.
//!
//! ```text
//! withdrawn ─► the outbox of news ─► noted in the book ─► told at once, and ended there
//!                     └─ killed in between, or not taken: told from there again, while it stays withdrawn
//! ```
//!
//! Whoever may write promotions down names their repositories: one that nothing is delivered from is told nothing, or any
//! commit of the forge could be turned red.

use landfall_apps::Application;
use landfall_cluster::ListOptions;
use landfall_diag::is_mutant;
use landfall_store::{NewsRow, PromotionEvent, PromotionRow};
use serde_json::Value;

use crate::checks::CHECKER;
use crate::errands::Work;
use crate::ground::application_kind;
use crate::news::{self, Commit};
use crate::proposed::{NO_TOKEN, PROMOTION_CONTEXT, Proposed, not_told};

/// How a promotion stands that goes on no more until it is asked for again.
pub(crate) const WITHDRAWN: &str = "withdrawn";

/// How forges hear what becomes of promotions.
#[derive(Clone, Copy)]
pub(crate) enum Forges<'a> {
    /// From a server.
    Of(&'a Work),
    /// Not at all.
    #[cfg(test)]
    Nobody,
}

/// What is to become of a promotion's status.
pub(crate) enum Red {
    /// It waits at no forge.
    Nowhere,
    /// Its forge is not told, and why.
    Never(String),
    /// It is in the outbox under this number.
    Kept(i64, Commit),
}

/// Whom a status was meant for.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Told,
    /// Nothing is delivered from that repository.
    NotOurs,
}

impl Forges<'_> {
    /// Puts into the outbox that a promotion's commit is to be red, for what is told in `why`: `at` a moment (RFC 3339).
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) async fn keep(self, row: &PromotionRow, (why, at): (&str, &str)) -> Result<Red, landfall_store::Error> {
        let Some(proposed) = Proposed::of(&row.body) else { return Ok(Red::Nowhere) };
        match self {
            Forges::Of(work) => work.keep_red(&proposed, (&row.id, why, at)).await,
            #[cfg(test)]
            Forges::Nobody => Ok(Red::Nowhere),
        }
    }

    /// Tells the forge of a promotion that is noted as withdrawn; what it does not take stays in the outbox.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) async fn tell(
        self,
        row: &PromotionRow,
        why: &str,
        (number, commit): (i64, &Commit),
    ) -> Result<(), landfall_store::Error> {
        match self {
            Forges::Of(work) => work.tell_red(row, why, (number, commit)).await,
            #[cfg(test)]
            Forges::Nobody => Ok(()),
        }
    }
}

impl Work {
    async fn keep_red(
        &self,
        proposed: &Proposed,
        (id, why, at): (&str, &str, &str),
    ) -> Result<Red, landfall_store::Error> {
        let key = self.sinks.forge_key(&proposed.place.repository).filter(|_| self.sinks.is_forge(&proposed.place.api));
        let Some(repository) = key else {
            return Ok(Red::Never(NO_TOKEN.to_owned()));
        };
        let commit = Commit { repository, hash: proposed.commit().to_owned(), is_well: false };
        let now = self.session.clock.now();
        let (item, due) = (news::withdrawn((id, why, at), &commit, now), now.as_millisecond() + news::LEFT_ALONE);
        let kept = self.session.store.news.add_due(&item, &[news::STATUS.to_owned()], due).await?;
        // Another one of this very moment says the same.
        Ok(kept.map_or(Red::Nowhere, |number| Red::Kept(number, commit)))
    }

    async fn tell_red(
        &self,
        row: &PromotionRow,
        why: &str,
        (number, commit): (i64, &Commit),
    ) -> Result<(), landfall_store::Error> {
        let (store, now) = (&self.session.store, self.session.clock.now());
        let at = landfall_object::whole_second(now).to_string();
        let untold = match self.red(&row.body, why, commit).await {
            Ok(Heard::Told) => return store.news.end(number, news::STATUS, &at, None).await,
            Ok(Heard::NotOurs) => {
                store.news.end(number, news::STATUS, &at, Some(NOT_OURS)).await?;
                NOT_OURS.to_owned()
            }
            Err(untold) => {
                store.news.again(number, news::STATUS, now.as_millisecond() + news::SOON, &untold).await?;
                format!("{untold}; it is tried again")
            }
        };
        let untold = not_told(&untold);
        tracing::warn!("the promotion of {} to {} is withdrawn: {untold}", row.tag, row.receiver);
        self.note_red(&row.id, untold).await
    }

    /// Tells again, from the outbox, that a promotion is withdrawn, where it still is.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(crate) async fn tell_red_again(&self, row: &NewsRow, why: &str, commit: &Commit) -> Result<(), String> {
        let (book, id) = (&self.session.store.promotions, news::promotion_of(&row.item.target));
        let known = book.promotion(id).await.map_err(|error| error.to_string())?;
        // One that goes on was looked at anew, and says so itself.
        let Some(known) = known.filter(|it| it.state == WITHDRAWN) else { return Ok(()) };
        let said = match self.red(&known.body, why, commit).await? {
            Heard::Told => TOLD.to_owned(),
            Heard::NotOurs => not_told(NOT_OURS),
        };
        self.note_red(id, said).await.map_err(|error| error.to_string())
    }

    /// Turns a commit red at the forge, and what the pull request of its promotion has in its place by now.
    async fn red(&self, body: &Value, why: &str, commit: &Commit) -> Result<Heard, String> {
        let sources = self.sources().await.map_err(|error| error.to_string())?;
        let keys = sources.iter().filter_map(|address| self.sinks.forge_key(&self.sinks.forge_path(address)?));
        let is_ours = keys.into_iter().any(|key| key.eq_ignore_ascii_case(&commit.repository));
        if !is_ours && !is_mutant("own-repositories") {
            return Ok(Heard::NotOurs);
        }
        let post = async |commit: &Commit| {
            news::post_status(&self.network, &self.sinks, (PROMOTION_CONTEXT, why), commit).await
        };
        post(commit).await?;
        // Another repository is asked nothing.
        let is_there = |it: &Proposed| {
            let key = self.sinks.forge_key(&it.place.repository);
            key.is_some_and(|key| key.eq_ignore_ascii_case(&commit.repository))
        };
        let proposed = Proposed::of(body).filter(is_there);
        let token = proposed.as_ref().and_then(|it| self.sinks.forge_token(&it.place.api));
        if let (Some(proposed), Some(token)) = (&proposed, token) {
            let head = proposed.moved_head(&self.network, token).await.map_err(|error| error.to_string())?;
            if let Some(hash) = head {
                post(&Commit { hash, ..commit.clone() }).await?;
            }
        }
        Ok(Heard::Told)
    }

    /// Puts into the outbox what stays withdrawn and was not told, by whoever withdrew it without a token or while the forge was away.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(crate) async fn tell_untold(&self) -> Result<(), landfall_store::Error> {
        for row in self.session.store.promotions.promotions(None, None, MOST).await? {
            let Some(why) = row.body[UNTOLD].as_str().filter(|_| row.state == WITHDRAWN).map(str::to_owned) else {
                continue;
            };
            let now = self.session.clock.now();
            let at = landfall_object::whole_second(now).to_string();
            if let Red::Kept(number, _) = Forges::Of(self).keep(&row, (&why, &at)).await? {
                // Nobody else tells it at once.
                self.session.store.news.again(number, news::STATUS, now.as_millisecond(), "not told before").await?;
            }
        }
        Ok(())
    }

    /// Notes what the forge of a promotion has heard, unless the promotion goes on by now.
    async fn note_red(&self, id: &str, said: String) -> Result<(), landfall_store::Error> {
        let book = &self.session.store.promotions;
        let Some(row) = book.promotion(id).await?.filter(|it| it.state == WITHDRAWN) else { return Ok(()) };
        let mut row = row;
        if let Some(body) = row.body.as_object_mut().filter(|_| said == TOLD || said == not_told(NOT_OURS)) {
            body.remove(UNTOLD);
        }
        let now = self.session.clock.now();
        let event = PromotionEvent {
            at: landfall_object::whole_second(now).to_string(),
            actor: CHECKER.to_owned(),
            state: row.state.clone(),
            said,
        };
        book.note(&row, &event).await.map(drop)
    }

    /// The addresses of the repositories that anything here is delivered from: whoever may create Applications makes one of these of
    /// what their project permits, and of nothing else.
    async fn sources(&self) -> Result<Vec<String>, landfall_cluster::Error> {
        let mut known = self.repositories.addresses();
        known.extend(self.origin.clone());
        for object in &self.session.cluster.list(&application_kind(), &ListOptions::default()).await? {
            let Ok(application) = Application::parse(object) else { continue };
            if self.is_permitted(&application) {
                known.extend(application.sources.into_iter().map(|source| source.repo_url));
            }
        }
        Ok(known)
    }
}

/// What stands in a promotion's body while its forge does not know that it is withdrawn: what it is to be told.
pub const UNTOLD: &str = "untold";
/// That a forge knows it after all.
pub const TOLD: &str = "its pull request is told by now";
/// Promotions that are looked through for such.
const MOST: u32 = 1000;

/// Why a repository is told nothing.
const NOT_OURS: &str = "nothing is delivered from its repository";
