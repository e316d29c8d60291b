//! One request and its answer, which is heard piece by piece, so that nobody waits for a server that says nothing.

use std::io::Read as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};

use crate::error::SourceError;

/// How long a server may be silent, when nobody says: before its answer begins, and within it.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// A server that sends less than this while it could be silent is as good as silent, in bytes.
pub(super) const MIN_SENT: u64 = 32 * 1024;

/// Longest time that an answer may take altogether, when nobody says.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// Bytes that are handed over at once.
const PIECE: usize = 64 * 1024;

/// Pieces that may wait to be taken.
const WAITING: usize = 4;

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
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What is heard of an answer.
enum Heard {
    Head(StatusCode, HeaderMap),
    Piece(Vec<u8>),
    End,
    Failed(SourceError),
}

/// Sends a request and takes at most `limit` bytes of the answer.
pub(super) fn exchange(client: &Client, request: Request, limit: u64, pace: Pace) -> Result<Answer, SourceError> {
    let (sender, heard) = sync_channel(WAITING);
    let (client, shown) = (client.clone(), request.shown.clone());
    // What is sent has to be taken by the server first.
    let sending = Duration::from_secs(request.body.len() as u64 / MIN_SENT);
    std::thread::spawn(move || ask(&client, request, limit, &sender));
    take(&heard, &shown, limit, Pace { patience: pace.patience.min(pace.longest), ..pace }, sending)
}

fn take(
    heard: &Receiver<Heard>,
    shown: &str,
    limit: u64,
    pace: Pace,
    sending: Duration,
) -> Result<Answer, SourceError> {
    let began = Instant::now();
    let end = began + pace.longest + sending;
    let mut answer: Option<Answer> = None;
    let mut until = began + pace.patience + sending;
    let mut sent = 0;
    loop {
        let now = Instant::now();
        let slow = |answer: &Option<Answer>| SourceError::Slow {
            url: shown.to_owned(),
            began: answer.is_some(),
            waited: began.elapsed(),
        };
        match heard.recv_timeout(until.min(end).saturating_duration_since(now)) {
            Ok(Heard::Head(status, headers)) => {
                answer = Some(Answer { status, headers, body: Vec::new() });
                until = Instant::now() + pace.patience;
            }
            Ok(Heard::Piece(piece)) => {
                let Some(answer) = &mut answer else { continue };
                if (answer.body.len() + piece.len()) as u64 > limit {
                    let why = format!("the answer has more than {limit} bytes");
                    return Err(SourceError::Exchange { url: shown.to_owned(), why });
                }
                answer.body.extend_from_slice(&piece);
                sent += piece.len() as u64;
                if sent >= MIN_SENT {
                    sent = 0;
                    until = Instant::now() + pace.patience;
                }
            }
            Ok(Heard::End) => {
                let gone = || SourceError::Exchange { url: shown.to_owned(), why: "there was no answer".to_owned() };
                return answer.ok_or_else(gone);
            }
            Ok(Heard::Failed(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) => return Err(slow(&answer)),
            Err(RecvTimeoutError::Disconnected) => {
                let why = "the request was given up".to_owned();
                return Err(SourceError::Exchange { url: shown.to_owned(), why });
            }
        }
        if Instant::now() >= end {
            return Err(slow(&answer));
        }
    }
}

/// Asks, and tells what it hears for as long as somebody listens.
fn ask(client: &Client, request: Request, limit: u64, told: &SyncSender<Heard>) {
    let Request { method, url, shown, headers, body } = request;
    let last = match client.request(method, url.clone()).headers(headers).body(body).send() {
        Err(error) => Heard::Failed(super::told(&shown, &url, &error)),
        Ok(mut response) => {
            if told.send(Heard::Head(response.status(), response.headers().clone())).is_err() {
                return;
            }
            let mut left = limit.saturating_add(1);
            let mut piece = vec![0; PIECE];
            loop {
                let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
                match response.read(&mut piece[..most]) {
                    Ok(0) => break Heard::End,
                    Ok(count) => {
                        left -= count as u64;
                        if told.send(Heard::Piece(piece[..count].to_vec())).is_err() {
                            return;
                        }
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        let why = match error.kind() {
                            std::io::ErrorKind::TimedOut => "context deadline exceeded".to_owned(),
                            _ => "unexpected EOF".to_owned(),
                        };
                        break Heard::Failed(SourceError::Unreachable { url: shown, why });
                    }
                }
            }
        }
    };
    // Nobody may be waiting any more.
    let _late = told.send(last);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(all: Vec<Heard>, limit: u64) -> Result<Vec<u8>, SourceError> {
        let (sender, heard) = sync_channel(all.len());
        all.into_iter().for_each(|one| sender.send(one).expect("there is room"));
        let pace = Pace { patience: Duration::from_millis(20), longest: Duration::from_secs(60) };
        let taken = take(&heard, "http://h/", limit, pace, Duration::ZERO).map(|answer| answer.body);
        drop(sender);
        taken
    }

    fn head() -> Heard {
        Heard::Head(StatusCode::OK, HeaderMap::new())
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for() {
        assert!(matches!(hear(Vec::new(), 9), Err(SourceError::Slow { began: false, .. })));
        assert!(matches!(hear(vec![head()], 9), Err(SourceError::Slow { began: true, .. })));
        assert!(matches!(hear(vec![head(), Heard::Piece(vec![1])], 9), Err(SourceError::Slow { began: true, .. })));
        assert_eq!(hear(vec![head(), Heard::Piece(vec![1, 2]), Heard::End], 9).expect("all of it"), [1, 2]);
    }

    #[test]
    fn an_answer_ends_at_its_limit() {
        let all = || vec![head(), Heard::Piece(vec![0; 5]), Heard::Piece(vec![0; 5]), Heard::End];
        assert_eq!(hear(all(), 10).expect("just so much").len(), 10);
        assert!(hear(all(), 9).expect_err("too much").to_string().contains("more than 9 bytes"));
    }
}
