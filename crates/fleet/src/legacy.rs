//! The seven routes of the agent that is out there, byte for byte: the order of keys is the original gateway's.
//!
//! All are `POST`, JSON both ways; whatever went well is answered with 201, whatever did not with a body as NestJS makes it. The agent
//! takes anything else than 2xx for "nothing", and parses a body whatever the status was: so no answer is anything but JSON.

use serde::{Deserialize, Serialize};

use crate::UpgradeStatus;

/// `POST /internal/edges/register`.
pub const REGISTER: &str = "/internal/edges/register";
/// `POST /internal/edges/connectivity`.
pub const CONNECTIVITY: &str = "/internal/edges/connectivity";
/// `POST /internal/edges/tasks/next`.
pub const TASKS_NEXT: &str = "/internal/edges/tasks/next";
/// What the routes of one task begin with; `ID/heartbeat`, `ID/results`, `ID/complete` and `ID/fail` follow.
pub const TASKS: &str = "/internal/edges/tasks/";

/// The existing agent's service on its machine.
pub const SERVICE: &str = "luckyplans-edge-agent";
/// The variable of the original gateway that holds the pepper of its digests.
pub const PEPPER: &str = "WORKER_CREDENTIAL_PEPPER";
/// The variable that holds the pepper before that one.
pub const PEPPER_BEFORE: &str = "WORKER_CREDENTIAL_PEPPER_PREVIOUS";
/// The variable of the public key by which the existing agent checks a release.
pub const SIGNER: &str = "EDGE_RELEASE_SIGNING_PUBLIC_KEY";

/// What enrolls an edge. Everything is optional, so that what is missing is told by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Register {
    /// The enrollment token, if not in the header; it wins over the header's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Under which the device knows itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_number: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Node's `process.platform`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Node's `process.arch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The version that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge_version: Option<String>,
}

/// An edge that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// The edge's own identifier.
    pub worker_id: String,
    /// Its credential, told this once.
    pub credential: String,
    /// As it was given.
    pub device_number: String,
}

/// A heartbeat, which is a report of an upgrade when `upgradeStatus` is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Connectivity {
    /// Must be the one that the credential belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// Must be the one of that edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_number: Option<String>,
    /// The version that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
    /// Node's `process.platform`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Node's `process.arch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Always `service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install_type: Option<String>,
    /// Whether a task is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_task: Option<bool>,
    /// How far an upgrade is, in a report of it. A word that nobody knows says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_status: Option<String>,
    /// Why, of a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `IDLE`, `BUSY`, `UPGRADING` or `ERROR`; another word says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_state: Option<String>,
    /// Which task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_task_id: Option<String>,
    /// Since when the process runs; a fraction is cut off, what is no number says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<serde_json::Value>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How a heartbeat is answered: what is to run there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The version that is to run, if another than does, and if there is something to be installed.
    pub target_version: Option<String>,
    /// Where it comes from.
    pub release: Option<Release>,
    /// As reported, or as it was known.
    pub upgrade_status: UpgradeStatus,
    /// As reported, or as it was known.
    pub upgrade_message: Option<String>,
}

/// An artifact as the existing agent is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// `1.2.3`.
    pub version: String,
    /// Node's `process.platform`.
    pub platform: String,
    /// Node's `process.arch`.
    pub arch: String,
    /// `service`.
    pub install_type: String,
    /// Over HTTPS, answered with 200 and the bytes as they are; the agent refuses redirects.
    pub url: String,
    /// The SHA-256, 64 lower-case hexadecimal digits.
    pub checksum: String,
    /// Ed25519 over the text of the checksum, base64.
    pub signature: String,
    /// `ed25519`.
    pub signature_algorithm: String,
    /// Which key.
    pub signing_key_id: Option<String>,
    /// Bytes.
    pub size_bytes: Option<u64>,
}

/// A request that says no more than who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Asker {
    /// Must be the one that the credential belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
}

/// The task that an edge is to do next; there is none but what the product hands out, and a fleet hands out nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextTask {
    /// Always.
    pub success: bool,
    /// The task, under both of the names that its number has (`taskId` and `id`).
    pub task: Option<Task>,
}

/// A task as the agent reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// What the agent asks for.
    pub task_id: String,
    /// What the original gateway sends.
    pub id: String,
    /// What else the task's kind has; `searchStrategy` in lower case, as the agent compares it.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// How a request went wrong, as NestJS says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// In words.
    pub message: String,
    /// The status in words.
    pub error: String,
    /// The status.
    pub status_code: u16,
}

impl Refusal {
    /// A refusal with the words that belong to its status.
    #[must_use]
    pub fn new(status_code: u16, message: impl Into<String>) -> Self {
        let error = match status_code {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            409 => "Conflict",
            413 => "Payload Too Large",
            415 => "Unsupported Media Type",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        Self { message: message.into(), error: error.to_owned(), status_code }
    }
}

impl Connectivity {
    /// Seconds since the process began: a number that is not below zero, its fraction cut off.
    #[must_use]
    pub fn uptime(&self) -> Option<u64> {
        let value = self.uptime_seconds.as_ref()?;
        value.as_u64().or_else(|| {
            let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0 && *seconds < 9e15)?;
            format!("{:.0}", seconds.floor()).parse().ok()
        })
    }
}

/// An error as it is kept: one line without a secret, no more than 500 characters.
#[must_use]
pub fn one_line(text: &str) -> String {
    without_secrets(&plain(text, usize::MAX)).chars().take(500).collect()
}

/// What an edge says of itself, as people may be shown it: one line without anything that a terminal would obey or that would turn
/// the line around, no more than so many characters.
#[must_use]
pub fn plain(text: &str, most: usize) -> String {
    let obeyed = |it: char| {
        it.is_control()
            || matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let text = text.replace(obeyed, " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(most).collect()
}

/// A text in which tokens, credentials and the queries of addresses are taken out: what an edge, a server or a library says may
/// repeat them.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    const NAMED: [&str; 4] = ["token=", "password=", "apikey=", "secret="];
    let mut follows_bearer = false;
    let one = |word: &str| {
        let lower = word.to_ascii_lowercase();
        if std::mem::replace(&mut follows_bearer, lower == "bearer")
            || lower.contains("etr_live_")
            || lower.contains("wk_live_")
        {
            return "[secret]".to_owned();
        }
        match (word.find("://"), word.find(['?', '#'])) {
            (Some(scheme), query) => {
                let word = &word[..query.unwrap_or(word.len())];
                let (before, rest) = word.split_at((scheme + 3).min(word.len()));
                let host = rest.split('/').next().unwrap_or(rest);
                match host.rfind('@') {
                    Some(at) => format!("{before}{}", &rest[at + 1..]),
                    None => word.to_owned(),
                }
            }
            (None, _) => match NAMED.iter().find_map(|name| lower.find(name).map(|at| at + name.len())) {
                // ASCII alone was made small, so that places are the same.
                Some(end) if end < word.len() => format!("{}[secret]", &word[..end]),
                _ => word.to_owned(),
            },
        }
    };
    text.split(' ').map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_intent_is_the_82_bytes_of_the_original() {
        let none =
            Intent { target_version: None, release: None, upgrade_status: UpgradeStatus::Idle, upgrade_message: None };
        let text = serde_json::to_string(&none).expect("JSON");
        assert_eq!(text, r#"{"targetVersion":null,"release":null,"upgradeStatus":"IDLE","upgradeMessage":null}"#);
        assert_eq!(text.len(), 82);
    }

    #[test]
    fn what_an_edge_says_is_one_line_that_no_terminal_obeys_and_that_tells_no_secret() {
        let said = "it\tfailed\u{1b}]0;mine\u{7}\n\u{1b}[2J\u{202e}at  https://a:b@h.example/x?sig=1#2 with apiKey=abc, Bearer abc and wk_live_1";
        let expected = "it failed ]0;mine [2J at https://h.example/x with apiKey=[secret] Bearer [secret] and [secret]";
        assert_eq!(one_line(said), expected);
        assert_eq!(one_line(&"x".repeat(600)).len(), 500);
        assert_eq!(plain("Gate\u{1b}[31m 7 é\u{9b}", 8), "Gate [31");
        // A word at the end has nothing to hide, and letters of two bytes are no places to cut.
        assert_eq!(one_line("no token= ştoken=é"), "no token= ştoken=[secret]");
    }

    #[test]
    fn a_registration_of_the_agent_is_read() {
        let text = r#"{"deviceNumber":"edge-my-edge-01-kf8p8z","displayName":"My Edge 01","platform":"linux","arch":"x64","edgeVersion":"1.0.0"}"#;
        let request: Register = serde_json::from_str(text).expect("the agent's own");
        assert_eq!(serde_json::to_string(&request).expect("JSON"), text);
    }

    #[test]
    fn uptime_is_floored_and_nonsense_says_nothing() {
        let uptime =
            |value: serde_json::Value| Connectivity { uptime_seconds: Some(value), ..Connectivity::default() }.uptime();
        assert_eq!(uptime(serde_json::json!(12.9)), Some(12));
        assert_eq!(uptime(serde_json::json!(7)), Some(7));
        assert_eq!(uptime(serde_json::json!(-1)), None);
        assert_eq!(uptime(serde_json::json!("7")), None);
    }
}
