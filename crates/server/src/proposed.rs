//! Where a promotion waits at its forge, and how it is turned red there: the same for a command and for a server.

use landfall_source::{
    CommitStatus, ForgeApi, ForgeClient, ForgeRepository, Network, RequestState, SourceError, StatusState,
};
use serde_json::Value;

/// What looks at promotions, beside a commit.
pub const PROMOTION_CONTEXT: &str = "landfall/promotion";

/// A promotion's commit at its forge.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The repository there.
    pub place: ForgeRepository,
    commit: String,
    /// The pull request's number.
    number: Option<u64>,
}

impl Proposed {
    /// As a promotion's detail says it; none where it waits at no forge.
    pub fn of(detail: &Value) -> Option<Self> {
        let text = |pointer: &str| detail.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (api, repository, commit) = (text("/forge/api")?, text("/forge/repository")?, text("/commit")?);
        // Both become parts of an address.
        if !is_commit(&commit) {
            return None;
        }
        let forge = ForgeApi::parse(&text("/forge/kind")?)?;
        let place = ForgeRepository::of(&format!("https://forge/{repository}"), Some(forge), Some(&api))?;
        let number = detail.pointer("/request/number").and_then(Value::as_u64);
        Some(Proposed { place, commit, number })
    }

    /// The commit, by its hash.
    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    /// That nobody there is told of it, and why, in a sentence.
    pub fn untold(&self, why: &str) -> String {
        not_told(why)
    }

    /// That it was merged there, in a sentence; nothing where it was not, and where that cannot be seen.
    pub async fn merged(&self, network: &Network, token: Option<&str>) -> Option<String> {
        let (number, token) = (self.number?, token?);
        let client = ForgeClient::new(network, self.place.clone(), token);
        let request = client.request(number).await.ok()?;
        let commit: String = request.merged_as.unwrap_or_default().chars().take(10).collect();
        let commit = if commit.is_empty() { commit } else { format!(" as {commit}") };
        (request.state == RequestState::Merged).then(|| format!("pull request {number} was merged{commit}"))
    }

    /// The commit that its pull request would merge, where that is another one by now: a command that was killed behind its push has
    /// written down none.
    ///
    /// # Errors
    /// Why the forge does not say it.
    pub(crate) async fn moved_head(&self, network: &Network, token: &str) -> Result<Option<String>, SourceError> {
        let Some(number) = self.number else { return Ok(None) };
        let request = ForgeClient::new(network, self.place.clone(), token).request(number).await?;
        let head = Some(request.head_commit).filter(|head| request.state == RequestState::Open && *head != self.commit);
        Ok(head.filter(|head| is_commit(head)))
    }

    /// Says there that it must not be merged; a sentence where that cannot be said.
    pub async fn red(&self, network: &Network, token: Option<&str>, why: &str) -> Option<String> {
        let Some(token) = token else {
            return Some(not_told(NO_TOKEN));
        };
        let client = ForgeClient::new(network, self.place.clone(), token);
        let (context, description) = (PROMOTION_CONTEXT.to_owned(), why.to_owned());
        let status = CommitStatus { context, state: StatusState::Failure, description };
        let said = async {
            client.say(&self.commit, &status).await?;
            match self.moved_head(network, token).await? {
                Some(head) => client.say(&head, &status).await,
                None => Ok(()),
            }
        };
        said.await.err().map(|error| not_told(&error.to_string()))
    }
}

fn is_commit(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Why a forge is not told.
pub(crate) const NO_TOKEN: &str = "there is no token for the forge";

/// That a forge is not told, in a sentence.
pub(crate) fn not_told(why: &str) -> String {
    format!("its pull request is not told: {why}")
}
