//! Artifacts from a server: resumed where they broke off, no faster than allowed, given up when they stand still.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::http::StatusCode;

use crate::carry::{Cancelled, Halt, NotFetched, Opened, Source, Wanted};
use crate::http::{Http, NoAnswer, bare};
use crate::log::event;
use crate::update::Lasting;

/// How slow a transfer may be before it counts as held back, in bytes each [`WATCHED`].
const LEAST: u64 = 60 * 1024;
const WATCHED: Duration = Duration::from_secs(60);

/// A server that artifacts and deltas are fetched from.
pub(crate) struct Download<'a, F: FnMut(u64) -> Result<(), Cancelled>> {
    pub(crate) http: &'a Http,
    /// The server's own address; only it hears the credential.
    pub(crate) server: &'a str,
    pub(crate) credential: &'a str,
    pub(crate) bytes_per_second: Option<u64>,
    /// Told how many bytes are there, between pieces.
    pub(crate) told: F,
}

impl<F: FnMut(u64) -> Result<(), Cancelled>> Source for Download<'_, F> {
    fn open(&mut self, wanted: Wanted<'_>, from: u64) -> Result<Opened, NotFetched> {
        let (address, own) = address(self.server, wanted.url);
        let answer = self
            .http
            .transfer(&address, own.then_some(self.credential), from, wanted.sha256)
            .map_err(|why| not_fetched(&why))?;
        if answer.headers().contains_key("content-encoding") {
            return Err(NotFetched {
                reason: format!(
                    "{} packs what it sends: the bytes would not be those that were signed",
                    bare(&address)
                ),
                lasting: Lasting::ForNow,
            });
        }
        let begins = if answer.status() == StatusCode::PARTIAL_CONTENT { range_begin(&answer, from)? } else { 0 };
        let body = answer.into_body().into_reader();
        Ok(Opened { from: begins, body: Box::new(Paced::new(body, self.bytes_per_second)) })
    }

    fn progress(&mut self, bytes: u64) -> Result<(), Cancelled> {
        (self.told)(bytes)
    }

    fn whole(&mut self, why: &Halt) {
        event("edge.upgrade.delta_left", &[("reason", &why.to_string())]);
    }
}

/// A whole address, and whether it is the server's own. `https://fleet.example.attacker` begins as `https://fleet.example` does and is
/// not it.
fn address(server: &str, url: &str) -> (String, bool) {
    if url.starts_with('/') && !url.starts_with("//") {
        return (format!("{server}{url}"), true);
    }
    let own = url.strip_prefix(server).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    (url.to_owned(), own)
}

fn range_begin(answer: &ureq::http::Response<ureq::Body>, asked: u64) -> Result<u64, NotFetched> {
    let range = answer.headers().get("content-range").and_then(|value| value.to_str().ok());
    range
        .and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok())
        .filter(|begin| *begin == asked)
        .ok_or_else(|| NotFetched {
            reason: format!(
                "the server sent another part than was asked for: {}",
                range.unwrap_or("it does not say which")
            ),
            lasting: Lasting::ForNow,
        })
}

fn not_fetched(why: &NoAnswer) -> NotFetched {
    let lasting = match why.status() {
        // Not found, not allowed, not there any more: asking again is asking in vain.
        Some(status) if (400..500).contains(&status) && ![408, 416, 425, 429].contains(&status) => Lasting::ForGood,
        _ => Lasting::ForNow,
    };
    NotFetched { reason: why.to_string(), lasting }
}

/// Bytes that come neither faster than allowed nor slower than bearable.
struct Paced<R> {
    inner: R,
    limit: Option<u64>,
    began: Instant,
    total: u64,
    watched: Duration,
    window: Instant,
    in_window: u64,
}

impl<R: Read> Paced<R> {
    fn new(inner: R, limit: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            inner,
            limit: limit.filter(|limit| *limit > 0),
            began: now,
            total: 0,
            watched: WATCHED,
            window: now,
            in_window: 0,
        }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut most = buffer.len();
        if let Some(limit) = self.limit {
            most = most.min(usize::try_from(limit).unwrap_or(usize::MAX).max(1));
            let due = Duration::from_secs_f64(self.total as f64 / limit as f64);
            std::thread::sleep(due.saturating_sub(self.began.elapsed()).min(Duration::from_secs(1)));
        }
        let count = self.inner.read(&mut buffer[..most])?;
        self.total += count as u64;
        self.in_window += count as u64;
        if self.window.elapsed() >= self.watched {
            let least = self.limit.map_or(LEAST, |limit| LEAST.min(limit.saturating_mul(WATCHED.as_secs()) / 2));
            if self.in_window < least && count > 0 {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    format!("no more than {} bytes came in a minute", self.in_window),
                ));
            }
            self.window = Instant::now();
            self.in_window = 0;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_itself_hears_the_credential() {
        let server = "https://fleet.example";
        assert_eq!(
            address(server, "/edge/v1/artifacts/ab/x"),
            ("https://fleet.example/edge/v1/artifacts/ab/x".to_owned(), true)
        );
        assert!(address(server, "https://fleet.example/x").1);
        for foreign in [
            "https://fleet.example.attacker/x",
            "https://fleet.example@attacker/x",
            "https://mirror.example/x",
            "//attacker/x",
        ] {
            assert!(!address(server, foreign).1, "{foreign}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_asked_for_again() {
        let refused =
            |status| NoAnswer::Refused { address: String::new(), status, message: String::new(), retry_after: None };
        for (status, lasting) in
            [(404, Lasting::ForGood), (403, Lasting::ForGood), (429, Lasting::ForNow), (503, Lasting::ForNow)]
        {
            assert_eq!(not_fetched(&refused(status)).lasting, lasting, "{status}");
        }
    }

    /// A server that hands out a byte now and then.
    struct Dripping;

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            std::thread::sleep(Duration::from_millis(1));
            buffer[0] = 1;
            Ok(1)
        }
    }

    #[test]
    fn a_transfer_that_is_held_back_is_given_up() {
        let mut paced = Paced { watched: Duration::from_millis(20), ..Paced::new(Dripping, None) };
        let mut buffer = [0; 1000];
        let error = (0..10_000).find_map(|_| paced.read(&mut buffer).err()).expect("it ends");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_limit_of_the_server_is_kept() {
        let began = Instant::now();
        let mut paced = Paced::new(std::io::repeat(1).take(3000), Some(10_000));
        let mut buffer = [0; 1000];
        while paced.read(&mut buffer).expect("memory") > 0 {}
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    }
}
