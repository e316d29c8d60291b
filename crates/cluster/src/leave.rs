use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::Cluster;
use crate::under_way::UnderWay;

/// The leave to write to clusters, where several processes take turns: it is extended while it is renewed, and ends when it was
/// not, or is given back. Clones are the same leave.
#[derive(Debug, Clone)]
pub struct Leave(Arc<watch::Sender<Until>>);

/// Until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Always,
    Moment(Instant),
    Ended,
}

impl Leave {
    /// Of a process that shares with nobody.
    pub fn without_end() -> Self {
        Leave(Arc::new(watch::Sender::new(Until::Always)))
    }

    /// Until a moment.
    pub fn until(moment: Instant) -> Self {
        Leave(Arc::new(watch::Sender::new(Until::Moment(moment))))
    }

    /// None at all: who has it only looks.
    pub fn ended() -> Self {
        Leave(Arc::new(watch::Sender::new(Until::Ended)))
    }

    /// Lets it end later; one that has ended stays so. Says whether it goes on.
    pub fn extend(&self, moment: Instant) -> bool {
        let goes_on = self.holds();
        if goes_on {
            self.0.send_modify(|until| {
                if let Until::Moment(before) = until {
                    *until = Until::Moment(moment.max(*before));
                }
            });
        } else {
            self.end();
        }
        goes_on
    }

    /// Ends it.
    pub fn end(&self) {
        self.0.send_replace(Until::Ended);
    }

    /// Whether anything may be written now.
    pub fn holds(&self) -> bool {
        match *self.0.borrow() {
            Until::Always => true,
            Until::Moment(moment) => Instant::now() < moment,
            Until::Ended => false,
        }
    }

    /// Whether it is the same one.
    pub(crate) fn is(&self, other: &Leave) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits until it has ended.
    pub async fn over(&self) {
        let mut until = self.0.subscribe();
        loop {
            let now = *until.borrow_and_update();
            let left = match now {
                Until::Ended => return,
                Until::Always => Duration::MAX,
                Until::Moment(moment) if moment <= Instant::now() => return,
                Until::Moment(moment) => moment - Instant::now(),
            };
            tokio::select! {
                changed = until.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = tokio::time::sleep(left) => {}
            }
        }
    }
}

impl Cluster {
    /// The same cluster, written to by that leave alone: without it nothing that would change something is sent, and what is on
    /// its way when it ends is not waited for.
    #[must_use]
    pub fn by_leave(&self, leave: &Leave) -> Cluster {
        let (inner, leave) = (self.client.clone(), leave.clone());
        let namespace = inner.default_namespace().to_owned();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let (client, leave) = (inner.clone(), leave.clone());
            async move {
                if !changes(request.method(), request.uri()) {
                    return client.send(request).await;
                }
                let past = || kube::Error::Service("another replica keeps this by now: it was not written".into());
                if !leave.holds() {
                    return Err(past());
                }
                let _until_then = UnderWay::by(&leave);
                tokio::select! {
                    biased;
                    () = leave.over() => Err(past()),
                    answer = client.send(request) => answer,
                }
            }
        });
        Cluster {
            client: kube::Client::new(service, namespace),
            known: Arc::clone(&self.known),
            name: self.name.clone(),
        }
    }
}

/// Whether a request changes something; a dry run and a review of what somebody may do not.
fn changes(method: &http::Method, uri: &http::Uri) -> bool {
    *method != http::Method::GET
        && !uri.query().is_some_and(|query| query.contains("dryRun="))
        && !uri.path().starts_with("/apis/authorization.k8s.io/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leave_ends_when_it_is_not_extended_and_never_begins_again() {
        let moment = Instant::now() + Duration::from_secs(60);
        let leave = Leave::until(moment);
        assert!(leave.extend(moment - Duration::from_secs(30)), "what is extended does not end sooner");
        assert!(leave.holds());
        let short = Leave::until(Instant::now() + Duration::from_millis(1));
        short.over().await;
        assert!(!short.holds() && !short.extend(moment), "it was late");
        assert!(!short.holds(), "and stays so");
        leave.clone().end();
        leave.over().await;
        assert!(!leave.holds() && !Leave::ended().holds() && Leave::without_end().holds());
    }

    #[tokio::test]
    async fn nothing_is_sent_without_leave_and_reading_goes_on() {
        let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
        let heard = Arc::clone(&sent);
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            heard.lock().expect("not poisoned").push(request.method().clone());
            async move { Ok::<_, kube::Error>(http::Response::new(kube::client::Body::from(b"{}".to_vec()))) }
        });
        let (leave, cluster) = (Leave::without_end(), Cluster::new(kube::Client::new(service, "default")));
        let cluster = cluster.by_leave(&leave);
        let request = |method: &str| {
            http::Request::builder().method(method).uri("/api/v1/pods").body(kube::client::Body::empty()).expect("one")
        };
        assert!(cluster.client.send(request("PATCH")).await.is_ok());
        leave.end();
        assert!(cluster.client.send(request("GET")).await.is_ok());
        assert!(cluster.client.send(request("DELETE")).await.is_err());
        assert_eq!(*sent.lock().expect("not poisoned"), [http::Method::PATCH, http::Method::GET]);
    }
}
