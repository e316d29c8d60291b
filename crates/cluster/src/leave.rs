use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::Cluster;
use crate::under_way::UnderWay;

/// How long after it was sent something that nobody waits for any more may still arrive.
const ARRIVES: Duration = Duration::from_secs(4);

/// The leave to write to clusters, where several processes take turns: it is extended while it is renewed, and ends when it was
/// not, or is given back. Clones are the same leave.
#[derive(Debug, Clone)]
pub struct Leave(Arc<Given>);

#[derive(Debug)]
struct Given {
    until: watch::Sender<Until>,
    writes: watch::Sender<Writes>,
}

/// What is being written by it.
#[derive(Debug, Default, Clone, Copy)]
struct Writes {
    /// How many are on their way.
    under_way: usize,
    /// When one was let go of last without an answer: whether it arrived is not known.
    given_up: Option<Instant>,
}

/// Until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Always,
    Moment(Instant),
    /// Nothing begins any more; what is on its way may be answered until then.
    Closing(Option<Instant>),
    Ended,
}

impl Leave {
    fn new(until: Until) -> Self {
        Leave(Arc::new(Given { until: watch::Sender::new(until), writes: watch::Sender::default() }))
    }

    /// Of a process that shares with nobody.
    pub fn without_end() -> Self {
        Leave::new(Until::Always)
    }

    /// Until a moment.
    pub fn until(moment: Instant) -> Self {
        Leave::new(Until::Moment(moment))
    }

    /// None at all: who has it only looks.
    pub fn ended() -> Self {
        Leave::new(Until::Ended)
    }

    /// Lets it end later; one that has ended stays so. Says whether it goes on.
    pub fn extend(&self, moment: Instant) -> bool {
        let goes_on = self.holds();
        if goes_on {
            self.0.until.send_modify(|until| {
                if let Until::Moment(before) = until {
                    *until = Until::Moment(moment.max(*before));
                }
            });
        } else if self.is_over() {
            self.end();
        }
        goes_on
    }

    /// Ends it.
    pub fn end(&self) {
        self.0.until.send_replace(Until::Ended);
    }

    /// Lets nothing begin any more, waits so long at most until what is on its way has been answered, and ends it. Says whether all
    /// of it was: only then may somebody else begin at once, for what was not may still arrive.
    pub async fn settle(&self, within: Duration) -> bool {
        self.0.until.send_modify(|until| match *until {
            Until::Always => *until = Until::Closing(None),
            Until::Moment(moment) => *until = Until::Closing(Some(moment)),
            Until::Closing(_) | Until::Ended => {}
        });
        let settled = tokio::time::timeout(within, async {
            tokio::select! {
                biased;
                () = self.answered() => true,
                () = self.over() => false,
            }
        });
        let settled = settled.await.unwrap_or(false);
        self.end();
        settled
    }

    /// Waits until nothing is on its way, and nothing that was given up can arrive any more.
    async fn answered(&self) {
        let mut writes = self.0.writes.subscribe();
        loop {
            let now = *writes.borrow_and_update();
            let arrives = now.given_up.map_or(Duration::ZERO, |at| ARRIVES.saturating_sub(at.elapsed()));
            if now.under_way == 0 && arrives.is_zero() {
                return;
            }
            let left = if now.under_way == 0 { arrives } else { Duration::MAX };
            tokio::select! {
                changed = writes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Something is on its way.
    pub(crate) fn begun(&self) {
        self.0.writes.send_modify(|writes| writes.under_way += 1);
    }

    /// It is no more.
    pub(crate) fn done(&self, is_answered: bool) {
        self.0.writes.send_modify(|writes| {
            writes.under_way = writes.under_way.saturating_sub(1);
            if !is_answered {
                writes.given_up = Some(Instant::now());
            }
        });
    }

    /// Whether anything may be written now.
    pub fn holds(&self) -> bool {
        match *self.0.until.borrow() {
            Until::Always => true,
            Until::Moment(moment) => Instant::now() < moment,
            Until::Closing(_) | Until::Ended => false,
        }
    }

    /// Whether what is on its way must not arrive any more, either.
    pub(crate) fn is_over(&self) -> bool {
        match *self.0.until.borrow() {
            Until::Always | Until::Closing(None) => false,
            Until::Moment(moment) | Until::Closing(Some(moment)) => moment <= Instant::now(),
            Until::Ended => true,
        }
    }

    /// Whether it is the same one.
    pub(crate) fn is(&self, other: &Leave) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits until it has ended.
    pub async fn over(&self) {
        let mut until = self.0.until.subscribe();
        loop {
            let now = *until.borrow_and_update();
            let left = match now {
                Until::Ended => return,
                Until::Always | Until::Closing(None) => Duration::MAX,
                Until::Moment(moment) | Until::Closing(Some(moment)) if moment <= Instant::now() => return,
                Until::Moment(moment) | Until::Closing(Some(moment)) => moment - Instant::now(),
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
                let Some(on_its_way) = UnderWay::by(&leave) else { return Err(past()) };
                tokio::select! {
                    biased;
                    () = leave.over() => Err(past()),
                    answer = client.send(request) => {
                        if answer.as_ref().is_ok() || answer.as_ref().is_err_and(was_not_sent) {
                            on_its_way.answered();
                        }
                        answer
                    }
                }
            }
        });
        Cluster {
            client: kube::Client::new(service, namespace),
            known: Arc::clone(&self.known),
            name: self.name.clone(),
            recent: self.recent.clone(),
        }
    }
}

/// Whether a request failed before there was a connection to send it by.
fn was_not_sent(error: &kube::Error) -> bool {
    let kube::Error::Service(error) = error else { return false };
    error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect())
}

/// Whether a request changes something; a dry run and a review of what somebody may do not.
pub(crate) fn changes(method: &http::Method, uri: &http::Uri) -> bool {
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

    /// A leave was given back while a request was on its way: it took effect after another process had begun.
    #[tokio::test]
    async fn what_is_on_its_way_is_answered_before_a_leave_is_given_back_and_nothing_begins_meanwhile() {
        let _alone = crate::under_way::ALONE.lock().await;
        let (asked, answer) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let (heard, may) = (Arc::clone(&asked), Arc::clone(&answer));
        let service = tower::service_fn(move |_: http::Request<kube::client::Body>| {
            let (heard, may) = (Arc::clone(&heard), Arc::clone(&may));
            async move {
                heard.notify_one();
                may.notified().await;
                Ok::<_, kube::Error>(http::Response::new(kube::client::Body::from(b"{}".to_vec())))
            }
        });
        let request =
            || http::Request::builder().method("PATCH").uri("/x").body(kube::client::Body::empty()).expect("one");
        let cluster = Cluster::new(kube::Client::new(service, "default"));
        let minute = Duration::from_secs(60);
        for is_answered in [true, false] {
            let leave = Leave::without_end();
            let (writer, other) = (cluster.by_leave(&leave), cluster.by_leave(&leave));
            let written = tokio::spawn(async move { writer.client.send(request()).await.is_ok() });
            asked.notified().await;
            let within = if is_answered { minute } else { Duration::from_millis(20) };
            let settling = tokio::spawn({
                let leave = leave.clone();
                async move { leave.settle(within).await }
            });
            while leave.holds() {
                tokio::task::yield_now().await;
            }
            assert!(other.client.send(request()).await.is_err(), "nothing begins any more");
            assert!(!leave.extend(Instant::now() + minute) && (!is_answered || !leave.is_over()));
            if is_answered {
                answer.notify_one();
            }
            assert_eq!(settling.await.expect("it ends"), is_answered);
            assert_eq!(written.await.expect("it ends"), is_answered);
            assert!(leave.is_over());
        }
    }

    /// Whoever waited for it has gone; the server may be about to do it.
    #[tokio::test]
    async fn what_was_given_up_is_on_its_way_until_it_must_have_arrived() {
        let leave = Leave::without_end();
        leave.begun();
        leave.done(false);
        assert!(!leave.settle(Duration::from_millis(20)).await);
        let leave = Leave::without_end();
        leave.begun();
        leave.done(true);
        assert!(leave.settle(Duration::from_millis(20)).await);
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
