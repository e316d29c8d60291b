//! What comes with a request beside its head.

use http::HeaderMap;
use hyper::upgrade::OnUpgrade;

use super::body::Unread;
use crate::status::Status;

/// What comes with a request and is taken up once it is authorized.
pub(crate) struct Arrival {
    /// Its body; none once that is read.
    pub(crate) unread: Option<Unread>,
    /// What becomes of its connection.
    pub(crate) upgrade: Option<OnUpgrade>,
    /// That no answer can be written as the client takes it.
    pub(crate) unacceptable: Option<Status>,
}

impl Arrival {
    /// Gives up the body of a refused request. Who waits to be asked for it is not asked.
    pub(crate) async fn forget(&mut self, headers: &HeaderMap) {
        let waits = headers.contains_key(http::header::EXPECT) || self.upgrade.is_some();
        if let Some(unread) = self.unread.take().filter(|_| !waits) {
            unread.forget().await;
        }
    }
}
