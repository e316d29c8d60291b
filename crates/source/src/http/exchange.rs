//! One request and its answer, which is heard piece by piece, so that nobody waits for a server that says nothing.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode, Url};
use tokio::time::timeout_at;

use crate::error::SourceError;

/// A server that sends less than this while it could be silent is as good as silent, in bytes.
pub(super) const MIN_SENT: u64 = 32 * 1024;

/// Longest time that an answer may take altogether, when nobody says.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// A request.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The address as it was asked for.
    pub(super) shown: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// For the answer to begin, and for [`MIN_SENT`] bytes of it.
    pub(super) patience: Duration,
    /// For all of it.
    pub(super) longest: Duration,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Sends a request and takes at most `limit` bytes of the answer.
pub(super) async fn exchange(client: &Client, request: Request, limit: u64, pace: Pace) -> Result<Answer, SourceError> {
    let Request { method, url, shown, headers, body } = request;
    // What is sent has to be taken by the server first.
    let sending = Duration::from_secs(body.len() as u64 / MIN_SENT);
    let mut hearing = Hearing::new(&shown, limit, pace, sending, Instant::now());
    let mut request = client.request(method, url.clone()).headers(headers).body(body);
    if !sending.is_zero() {
        request = request.timeout(pace.longest);
    }
    let mut response = match timeout_at(hearing.until().into(), request.send()).await {
        Err(_) => return Err(hearing.slow(Instant::now())),
        Ok(Err(error)) => return Err(super::told(&shown, &url, &error)),
        Ok(Ok(response)) => response,
    };
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    hearing.begins(Instant::now())?;
    loop {
        match timeout_at(hearing.until().into(), response.chunk()).await {
            Err(_) => return Err(hearing.slow(Instant::now())),
            Ok(Ok(Some(piece))) => hearing.piece(&piece, Instant::now())?,
            Ok(Ok(None)) => return Ok(Answer { status, headers, body: hearing.body }),
            Ok(Err(error)) => {
                let why = if error.is_timeout() { "context deadline exceeded" } else { "unexpected EOF" };
                return Err(SourceError::Unreachable { url: shown, why: why.to_owned() });
            }
        }
    }
}

/// An answer while it is heard, and until when the next of it is waited for.
struct Hearing<'s> {
    shown: &'s str,
    limit: u64,
    patience: Duration,
    asked: Instant,
    /// When all of it must have come.
    end: Instant,
    /// When more of it must have come.
    until: Instant,
    has_begun: bool,
    /// Bytes since it last was found to be getting on.
    sent: u64,
    body: Vec<u8>,
}

impl<'s> Hearing<'s> {
    fn new(shown: &'s str, limit: u64, pace: Pace, sending: Duration, now: Instant) -> Self {
        let patience = pace.patience.min(pace.longest);
        Hearing {
            shown,
            limit,
            patience,
            asked: now,
            end: now + pace.longest + sending,
            until: now + patience + sending,
            has_begun: false,
            sent: 0,
            body: Vec::new(),
        }
    }

    /// Until when is waited.
    fn until(&self) -> Instant {
        self.until.min(self.end)
    }

    /// What is said of a server that was waited for too long.
    fn slow(&self, now: Instant) -> SourceError {
        SourceError::Slow { url: self.shown.to_owned(), began: self.has_begun, waited: now.duration_since(self.asked) }
    }

    /// The answer begins.
    fn begins(&mut self, now: Instant) -> Result<(), SourceError> {
        self.has_begun = true;
        self.until = now + self.patience;
        self.in_time(now)
    }

    /// More of it has come.
    fn piece(&mut self, piece: &[u8], now: Instant) -> Result<(), SourceError> {
        if (self.body.len() + piece.len()) as u64 > self.limit {
            let why = format!("the answer has more than {} bytes", self.limit);
            return Err(SourceError::Exchange { url: self.shown.to_owned(), why });
        }
        self.body.extend_from_slice(piece);
        self.sent += piece.len() as u64;
        if self.sent >= MIN_SENT {
            self.sent = 0;
            self.until = now + self.patience;
        }
        self.in_time(now)
    }

    fn in_time(&self, now: Instant) -> Result<(), SourceError> {
        if now >= self.end { Err(self.slow(now)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { patience: Duration::from_secs(8), longest: Duration::from_secs(120) };

    fn hearing(limit: u64, now: Instant) -> Hearing<'static> {
        let mut hearing = Hearing::new("http://h/", limit, PACE, Duration::ZERO, now);
        assert!(matches!(hearing.slow(now), SourceError::Slow { began: false, .. }));
        hearing.begins(now).expect("in time");
        hearing
    }

    #[test]
    fn a_server_is_waited_for_while_it_sends_enough() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut heard = hearing(1 << 20, began);
        assert_eq!(heard.until(), after(8));
        heard.piece(&[0; 100], after(7)).expect("in time");
        assert_eq!(heard.until(), after(8), "a drip is no sign of it");
        assert!(matches!(heard.slow(after(8)), SourceError::Slow { began: true, .. }));
        let mut heard = hearing(1 << 20, began);
        heard.piece(&[0; MIN_SENT as usize], after(7)).expect("in time");
        assert_eq!(heard.until(), after(15));
    }

    #[test]
    fn an_answer_ends_at_its_limit_in_bytes_and_in_time() {
        let began = Instant::now();
        let mut heard = hearing(10, began);
        heard.piece(&[0; 10], began).expect("just so much");
        assert!(heard.piece(&[0], began).expect_err("too much").to_string().contains("more than 10 bytes"));
        let mut heard = hearing(1 << 30, began);
        let mut refused = None;
        for second in 1..=120 {
            refused = heard.piece(&[0; MIN_SENT as usize], began + Duration::from_secs(second)).err();
        }
        assert!(matches!(refused, Some(SourceError::Slow { began: true, .. })), "however much comes");
    }

    #[test]
    fn what_is_sent_is_time_that_the_server_has() {
        let began = Instant::now();
        let hearing = Hearing::new("http://h/", 1, PACE, Duration::from_secs(20), began);
        assert_eq!(hearing.until(), began + Duration::from_secs(28));
    }
}
