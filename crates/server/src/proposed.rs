//! Where a promotion waits at its forge, and how it is turned red there: the same for a command and for a server.

use landfall_source::{CommitStatus, ForgeApi, ForgeClient, ForgeRepository, Network, StatusState};
use serde_json::Value;

/// What looks at promotions, beside a commit.
pub const PROMOTION_CONTEXT: &str = "landfall/promotion";

/// A promotion's commit at its forge.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The repository there.
    pub place: ForgeRepository,
    commit: String,
}

impl Proposed {
    /// As a promotion's detail says it; none where it waits at no forge.
    pub fn of(detail: &Value) -> Option<Self> {
        let text = |pointer: &str| detail.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (api, repository, commit) = (text("/forge/api")?, text("/forge/repository")?, text("/commit")?);
        // Both become parts of an address.
        if commit.len() < 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let forge = ForgeApi::parse(&text("/forge/kind")?)?;
        let place = ForgeRepository::of(&format!("https://forge/{repository}"), Some(forge), Some(&api))?;
        Some(Proposed { place, commit })
    }

    /// Says there that it must not be merged; a sentence where that cannot be said.
    pub async fn red(&self, network: &Network, token: Option<&str>, why: &str) -> Option<String> {
        let Some(token) = token else {
            return Some("its pull request is not told: there is no token for the forge".to_owned());
        };
        let client = ForgeClient::new(network, self.place.clone(), token);
        let (context, description) = (PROMOTION_CONTEXT.to_owned(), why.to_owned());
        let status = CommitStatus { context, state: StatusState::Failure, description };
        client.say(&self.commit, &status).await.err().map(|error| format!("its pull request is not told: {error}"))
    }
}
