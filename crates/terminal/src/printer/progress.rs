use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use landfall_diag::seconds;

use super::{Printer, Style};

/// The progress of one operation on standard error: one live line on a terminal, plain timestamped lines elsewhere.
#[derive(Debug)]
pub struct Progress {
    printer: Printer,
    bar: Option<ProgressBar>,
    started: Instant,
    /// Since when lasts what the live line says.
    since: Arc<Mutex<Instant>>,
    said: Option<(String, Instant)>,
}

/// Without a terminal a wait is repeated this often at most.
const REPEAT_WAIT: Duration = Duration::from_secs(10);

impl Progress {
    /// Starts the clock.
    pub fn start(printer: &Printer, started: Instant) -> Self {
        let since = Arc::new(Mutex::new(started));
        let clock = Arc::clone(&since);
        let bar = printer.is_live().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {clock:>4} {wide_msg}") {
                // Read whenever the line is drawn, so that it runs also while nothing happens.
                bar.set_style(style.with_key("clock", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                    let since = clock.lock().map_or_else(|it| *it.into_inner(), |since| *since);
                    let _drawn_anew_soon = out.write_str(&whole_seconds(since.elapsed()));
                }));
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Progress { printer: printer.clone(), bar, started, since, said: None }
    }

    /// Says what is being done now; a later call replaces it.
    pub fn doing(&mut self, what: &str, now: Instant) {
        match &self.bar {
            Some(bar) => {
                self.runs_since(self.started);
                bar.set_message(self.printer.live(what));
            }
            None => {
                let repeat = match &self.said {
                    Some((last, at)) => last != what || now.duration_since(*at) >= REPEAT_WAIT,
                    None => true,
                };
                if repeat {
                    self.printer.status(&format!("{} {what}", self.stamp(now)));
                    self.said = Some((what.to_owned(), now));
                }
            }
        }
    }

    /// Says what is being done now on a terminal only: elsewhere its result is line enough.
    pub fn doing_now(&mut self, what: &str) {
        if let Some(bar) = &self.bar {
            self.runs_since(self.started);
            bar.set_message(self.printer.live(what));
        }
    }

    /// Says what is waited for and since when.
    pub fn waiting(&mut self, what: &str, since: Duration, now: Instant) {
        if let Some(bar) = &self.bar {
            self.runs_since(now.checked_sub(since).unwrap_or(self.started));
            bar.set_message(self.printer.live(&format!("waiting for {what}")));
        } else {
            let repeat = match &self.said {
                Some((last, at)) => last != what || now.duration_since(*at) >= REPEAT_WAIT,
                None => true,
            };
            if repeat {
                self.printer.status(&format!("{} waiting for {what} ({})", self.stamp(now), seconds(since)));
                self.said = Some((what.to_owned(), now));
            }
        }
    }

    /// Prints a line that stays.
    pub fn line(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.status(text)),
            None => self.printer.status(text),
        }
    }

    /// Removes the live line.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Sets the live line's clock.
    fn runs_since(&self, since: Instant) {
        match self.since.lock() {
            Ok(mut clock) => *clock = since,
            Err(poisoned) => *poisoned.into_inner() = since,
        }
    }

    fn stamp(&self, now: Instant) -> String {
        self.printer.err_style(Style::Muted, &format!("[{:>6}]", seconds(now.duration_since(self.started))))
    }
}

/// A running clock's time: `7s`, `3m20s`.
fn whole_seconds(passed: Duration) -> String {
    match passed.as_secs() {
        seconds @ 0..=59 => format!("{seconds}s"),
        seconds => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
