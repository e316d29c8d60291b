use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use landfall_diag::seconds;

use super::{Printer, Style};

/// The progress of one operation on standard error: one live line on a terminal, plain timestamped lines elsewhere.
#[derive(Debug)]
pub struct Progress {
    printer: Printer,
    bar: Option<ProgressBar>,
    started: Instant,
    said: Option<(String, Instant)>,
}

/// Without a terminal a wait is repeated this often at most.
const REPEAT_WAIT: Duration = Duration::from_secs(10);

impl Progress {
    /// Starts the clock.
    pub fn start(printer: &Printer, started: Instant) -> Self {
        let bar = printer.is_live().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Progress { printer: printer.clone(), bar, started, said: None }
    }

    /// Says what is being done now; a later call replaces it.
    pub fn doing(&mut self, what: &str, now: Instant) {
        match &self.bar {
            Some(bar) => bar.set_message(self.printer.live(what)),
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
            bar.set_message(self.printer.live(what));
        }
    }

    /// Says what is waited for and since when.
    pub fn waiting(&mut self, what: &str, since: Duration, now: Instant) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.printer.live(&format!("waiting for {what} ({})", seconds(since))));
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

    fn stamp(&self, now: Instant) -> String {
        self.printer.err_style(Style::Muted, &format!("[{:>6}]", seconds(now.duration_since(self.started))))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
