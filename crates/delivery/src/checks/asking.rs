//! A check that asks an address.

use landfall_project::{LoggedCheck, Url};
use tokio::time::Instant;

use super::{LOG_TIMEOUT, NOT_SIMULATED_HEADER, One, SIMULATED_HEADER, UNDECLARED_HEADER, Verdict, certificate, tag};
use crate::inside::{self, Written, excerpt};

/// How often a log is looked at for the line that a request leaves.
const LOOK: std::time::Duration = std::time::Duration::from_millis(200);

/// What was answered.
struct Answered {
    status: u16,
    location: Option<String>,
    simulated: bool,
    /// What stands on the way and is not simulated.
    between: Option<String>,
    undeclared: bool,
    body: String,
}

/// The largest answer that is read.
const LARGEST: usize = 4 << 20;

impl One<'_> {
    pub(super) async fn ask(&self, address: &str) -> (Verdict, bool) {
        let failed = |reason: String| (Verdict::Failed { reason }, false);
        let url = match reqwest::Url::parse(address) {
            Ok(url) => url,
            Err(error) => return failed(format!("`{address}` is not an address: {error}")),
        };
        let is_routed = self.routes.of(&url).is_some_and(|address| url.host_str() == Some(&*address.ip().to_string()));
        if let Some(reason) = self.reach.refuses(&url).filter(|_| !is_routed) {
            return failed(reason);
        }
        // What stands in the log before the request says nothing of it.
        let before = match (&self.check.logged, &self.inside) {
            (Some(logged), Some(inside)) => match inside::written(inside, &logged.workload).await {
                Ok(before) => Some(before),
                Err(reason) => return failed(reason),
            },
            (Some(_), None) => return failed("there is no cluster whose log could be read".to_owned()),
            (None, _) => None,
        };
        let answered = match self.answered(&url).await {
            Ok(answered) => answered,
            Err(reason) => return failed(reason),
        };
        let simulated = answered.simulated;
        if let Some(which) = answered.between {
            let reason = format!("on the way stands what is not simulated: {which}");
            return (Verdict::NotSimulated { reason }, true);
        }
        if answered.undeclared {
            let first = answered.body.lines().next().unwrap_or_default();
            return (Verdict::NotSimulated { reason: first.trim_start_matches("simulated: ").to_owned() }, true);
        }
        if let Err(reason) = self.judge(&url, &answered) {
            return (Verdict::Failed { reason }, simulated);
        }
        match (&self.check.logged, before) {
            (Some(logged), Some(before)) => self.logged(logged, &before, simulated).await,
            _ => (Verdict::Passed, simulated),
        }
    }

    async fn answered(&self, url: &reqwest::Url) -> Result<Answered, String> {
        let check = self.check;
        let routed = self.routes.of(url);
        let mut asked = url.clone();
        if let Some(address) = routed
            && asked.set_port(Some(address.port())).is_err()
        {
            return Err(format!("`{url}` cannot have a port"));
        }
        let method = match (&check.method, &check.body) {
            (Some(method), _) => method.to_uppercase(),
            (None, Some(_)) => "POST".to_owned(),
            (None, None) => "GET".to_owned(),
        };
        let method = method.parse::<reqwest::Method>().map_err(|_| format!("`{method}` is not a method"))?;
        let mut request = self.client.request(method, asked);
        for (name, value) in &check.headers {
            request = request.header(name, value);
        }
        if routed.is_some()
            && let Some(host) = url.host_str()
        {
            // The rules match the public name; the port we really go through is none of their business.
            request = request.header("host", host);
        }
        if let Some(body) = &check.body {
            request = request.body(body.clone());
        }
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Err(certificate::fault(url, &error).await),
        };
        let text =
            |name: &str| answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let (status, location, between) = (answer.status().as_u16(), text("location"), text(NOT_SIMULATED_HEADER));
        let simulated = answer.headers().contains_key(SIMULATED_HEADER);
        let undeclared = answer.headers().contains_key(UNDECLARED_HEADER);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| certificate::words(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(format!("the answer is larger than {} MiB", LARGEST >> 20));
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answered { status, location, simulated, between, undeclared, body })
    }

    /// Whether an answer is as it must be.
    fn judge(&self, url: &reqwest::Url, answered: &Answered) -> Result<(), String> {
        let (check, Answered { status, body, .. }) = (self.check, answered);
        let (range, usual) = match check.redirect {
            Some(_) => (300..400, "300–399"),
            None => (200..400, "200–399"),
        };
        if !check.status.map_or(range.contains(status), |wanted| wanted == *status) {
            let wanted = check.status.map_or(usual.to_owned(), |wanted| wanted.to_string());
            return Err(format!("status {status}, wanted {wanted}{}", excerpt(body)));
        }
        if let Some(wanted) = &check.redirect {
            redirected(url, answered.location.as_deref(), wanted)?;
        }
        if let Some(text) = &check.contains
            && !body.contains(text.as_str())
        {
            return Err(format!("the answer does not contain {text:?}{}", excerpt(body)));
        }
        match &check.version {
            Some(version) => self.tags.hold(version, tag::told(body, version.field.as_deref()).as_deref()),
            None => Ok(()),
        }
    }

    /// Waits for the line that the request must have left.
    async fn logged(&self, logged: &LoggedCheck, before: &Written, simulated: bool) -> (Verdict, bool) {
        let Some(inside) = &self.inside else { return (Verdict::Passed, simulated) };
        let deadline = Instant::now() + LOG_TIMEOUT;
        loop {
            let now = match inside::written(inside, &logged.workload).await {
                Ok(now) => now,
                Err(reason) => return (Verdict::Failed { reason }, simulated),
            };
            if now.has_since(before, &logged.contains) {
                return (Verdict::Passed, simulated || now.simulated);
            }
            let leaves_lines = now.has_since(before, "");
            if now.simulated && !leaves_lines {
                // What is not declared is not known.
                let reason = format!(
                    "{} is simulated, and declares no line that the request leaves in its log",
                    logged.workload
                );
                return (Verdict::NotSimulated { reason }, true);
            }
            if now.simulated || Instant::now() + LOOK >= deadline {
                let reason = format!(
                    "no line of the log of {} that is newer than the request contains {:?}: looked for {} s",
                    logged.workload,
                    logged.contains,
                    LOG_TIMEOUT.as_secs()
                );
                return (Verdict::Failed { reason }, simulated || now.simulated);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether an answer sends on to where it must.
fn redirected(asked: &reqwest::Url, location: Option<&str>, wanted: &Url) -> Result<(), String> {
    let Some(location) = location else { return Err(format!("it sends on to nowhere, wanted {wanted}")) };
    let there = asked.join(location).map_err(|error| format!("it sends on to `{location}`: {error}"))?;
    match reqwest::Url::parse(wanted) {
        Ok(wanted) if wanted == there => Ok(()),
        _ => Err(format!("it sends on to {there}, wanted {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_answer_sends_on_to_is_read_as_a_browser_reads_it() {
        let asked = reqwest::Url::parse("https://example.com/a/b").expect("an address");
        let held = |location: Option<&str>| {
            redirected(&asked, location, &Url::parse("https://example.com/login").expect("an address"))
        };
        assert_eq!(held(Some("/login")), Ok(()));
        assert_eq!(held(Some("https://example.com/login")), Ok(()));
        assert_eq!(held(None), Err("it sends on to nowhere, wanted https://example.com/login".to_owned()));
        let elsewhere = held(Some("login")).expect_err("another");
        assert_eq!(elsewhere, "it sends on to https://example.com/a/login, wanted https://example.com/login");
    }
}
