//! When edges ask, and what was answered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use landfall_agent::backoff;

use crate::connection::Connection;

/// When edges ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Each connection as fast as it is answered.
    AsAnswered,
    /// So many a second, one edge after the other. What was due while nobody answered is asked for as soon as somebody does.
    Rate(f64),
    /// Each edge by itself, as our agent waits: this long, a fifth more or less, and longer after failures.
    Agents(Duration),
}

/// An answer that came as it ought to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answered {
    /// Microseconds from the beginning until it was there.
    pub(crate) at: u64,
    /// Microseconds that it took from when it was due.
    pub(crate) took: u64,
    /// Which edge it was for.
    pub(crate) edge: usize,
}

/// What became of a connection's requests.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) answered: Vec<Answered>,
    pub(crate) failed: u64,
    /// What was answered instead to the first that failed.
    pub(crate) first_failure: Option<String>,
}

/// A connection with the edges that ask over it: the number of the first of them, and what each sends.
pub(crate) struct Worker {
    pub(crate) connection: Connection,
    pub(crate) first: usize,
    pub(crate) beats: Vec<Vec<u8>>,
}

impl Worker {
    /// Asks from `began` on for so long, beside so many other connections.
    pub(crate) fn run(mut self, pace: Pace, began: Instant, lasts: Duration, connections: usize) -> Asked {
        let mut asked = Asked::default();
        match pace {
            Pace::AsAnswered => self.in_turns(began, lasts, None, &mut asked),
            Pace::Rate(rate) => {
                let between = Duration::from_secs_f64(connections as f64 / rate);
                self.in_turns(began, lasts, Some(between), &mut asked);
            }
            Pace::Agents(pause) => self.as_agents(began, lasts, pause, &mut asked),
        }
        asked
    }

    fn in_turns(&mut self, began: Instant, lasts: Duration, between: Option<Duration>, asked: &mut Asked) {
        for number in 0_u32.. {
            let due = between.map_or_else(Instant::now, |between| began + between * number);
            if began.elapsed() >= lasts {
                return;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let edge = number as usize % self.beats.len();
            self.beat(edge, (began, due), asked);
            while self.connection.is_lost() && began.elapsed() < lasts {
                std::thread::sleep(Duration::from_millis(100));
                self.connection.again();
            }
        }
    }

    fn as_agents(&mut self, began: Instant, lasts: Duration, pace: Duration, asked: &mut Asked) {
        let mut failures = vec![0; self.beats.len()];
        let mut next: BinaryHeap<_> =
            (0..self.beats.len()).map(|edge| Reverse((began + pace.mul_f64(backoff::random()), edge))).collect();
        while let Some(Reverse((due, edge))) = next.pop() {
            if due >= began + lasts {
                return;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            failures[edge] = if self.beat(edge, (began, due), asked) { 0 } else { failures[edge] + 1 };
            let pause = backoff::pause(pace, failures[edge], None, backoff::random());
            next.push(Reverse((Instant::now() + pause, edge)));
        }
    }

    /// Whether an edge's heartbeat was answered as it ought to be.
    fn beat(&mut self, edge: usize, (began, due): (Instant, Instant), asked: &mut Asked) -> bool {
        let answer = self.connection.ask(&self.beats[edge]);
        let is_good = matches!(answer, Ok((201, _)));
        if is_good {
            let (at, took) = (began.elapsed().as_micros() as u64, due.elapsed().as_micros() as u64);
            asked.answered.push(Answered { at, took, edge: self.first + edge });
        } else {
            asked.failed += 1;
            asked.first_failure.get_or_insert_with(|| match answer {
                Ok((status, body)) => format!("{status} {}", String::from_utf8_lossy(&body)),
                Err(error) => error.to_string(),
            });
        }
        is_good
    }
}
