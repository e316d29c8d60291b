//! An edge comes into being: a token is handed in, once, and a credential and the root of keys are kept.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;

use landfall_fleet::legacy::Register;
use landfall_fleet::protocol::{AGENT_PRODUCT, Enroll, Installed, Label};
use landfall_terminal::err;

use crate::api;
use crate::disk::{At, Disk, RealDisk};
use crate::http::{Http, NoAnswer, NoTls};
use crate::program::Program;
use crate::settings::{Credentials, Home, NoHome, Payload, Protocol, Settings};
use crate::trusted::{Trusted, Untrusted};
use crate::worker::{arch, platform};

/// How often another device number is tried when the one that was made up is taken.
const NAMES: u32 = 5;
/// How long the terminal may take to be told.
const STTY: std::time::Duration = std::time::Duration::from_secs(5);
/// The longest file that is handed in, in bytes.
const FILE: u64 = 1 << 20;

/// What somebody says who enrolls a machine.
#[derive(Debug, Clone, Default)]
pub struct Enrollment {
    /// Where the server is; asked for if not said.
    pub server: Option<String>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// For people; asked for if not said.
    pub name: Option<String>,
    /// The device's own number; made up if not said.
    pub device_number: Option<String>,
    /// Read the token from standard input, to its end.
    pub token_stdin: bool,
    /// Read the token from a file.
    pub token_file: Option<PathBuf>,
    /// Certificates that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// Let the server be spoken to without TLS.
    pub plain_http: bool,
    /// A file with the root of keys to believe, instead of the one that the server hands over.
    pub trusted_root: Option<PathBuf>,
    /// The PEM file with the key of a gateway's releases.
    pub gateway_key: Option<PathBuf>,
    /// `name=value`.
    pub labels: Vec<String>,
    /// What it is to look after.
    pub payload: Option<Payload>,
    /// In how many seconds a new version must have said that it is well.
    pub confirm_seconds: Option<u64>,
    /// Enroll anew where somebody enrolled before.
    pub again: bool,
}

/// Why a machine is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// It is already.
    #[error(
        "this machine is enrolled as {device} with {server}. Type `landfall-agent enroll --again` to enroll it anew"
    )]
    Already {
        /// As what.
        device: String,
        /// Where.
        server: String,
    },
    /// Something was not said, and there is nobody to ask.
    #[error("{what} is missing, and there is no terminal to ask for it. Give {flag}")]
    Missing {
        /// What.
        what: &'static str,
        /// How to say it.
        flag: &'static str,
    },
    /// What was given is not what it should be.
    #[error("{0}")]
    Bad(String),
    /// The token is not taken.
    #[error(
        "the enrollment token is not taken: it is wrong, used up, expired or revoked. Create a new one (`landfall edge token create`, or the page Edges), and revoke this one if others may know it (`landfall edge token revoke`)"
    )]
    Token,
    /// Another device has that number.
    #[error(
        "an edge with the number {0} exists already. Give another --device-number, or let an operator allow it to enroll once more (`landfall edge reenroll {0}`)"
    )]
    Taken(String),
    /// The server.
    #[error(transparent)]
    Server(#[from] NoAnswer),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] NoTls),
    /// Where the edge will live.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// The root of keys.
    #[error(transparent)]
    Root(#[from] Untrusted),
    /// A file.
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
}

/// Enrolls this machine; gives what is known of it then.
///
/// # Errors
/// When it is not enrolled. Nothing that was there before is changed then.
pub fn enroll(home: &Home, said: &Enrollment) -> Result<Settings, NotEnrolled> {
    if home.is_enrolled() && !said.again {
        let settings = home.settings()?;
        return Err(NotEnrolled::Already { device: settings.device_number, server: settings.server });
    }
    home.prepare()?;
    let server = match &said.server {
        Some(server) => server.clone(),
        None => ask("Server URL", "the server", "--server URL")?,
    };
    let server = address(&server, said.plain_http)?;
    let name = match &said.name {
        Some(name) => name.clone(),
        None if can_ask() => ask("Display name", "a name", "--name NAME")?,
        None => host_name(),
    };
    let http = Http::new(said.ca.as_deref(), said.plain_http || server.starts_with("http://"))?;
    let labels = said.labels.iter().map(|label| parsed(label)).collect::<Result<Vec<_>, _>>()?;
    let gateway_key = match &said.gateway_key {
        Some(path) => Some(text(path)?),
        None if said.protocol == Protocol::Gateway => {
            return Err(NotEnrolled::Missing {
                what: "the key that the gateway's releases are signed with",
                flag: "--gateway-key FILE (without it no release could be verified)",
            });
        }
        None => None,
    };
    let root = said.trusted_root.as_ref().map(|path| RealDisk.read(path, FILE).at("read", path)).transpose()?;
    // The token last: it is worth most.
    let token = token(said)?;
    let mut tries = 0;
    let (edge_id, credential, device_number, handed, poll_seconds) = loop {
        let number = said.device_number.clone().unwrap_or_else(|| made_up(&name));
        match asked(&http, &server, said, &token, &number, &name, &labels) {
            Ok(enrolled) => break enrolled,
            Err(why) => {
                tries += 1;
                match why.status() {
                    Some(401 | 403) => return Err(NotEnrolled::Token),
                    Some(409) if said.device_number.is_some() || tries >= NAMES => {
                        return Err(NotEnrolled::Taken(number));
                    }
                    Some(409) => {}
                    _ => return Err(why.into()),
                }
            }
        }
    };
    let settings = Settings {
        server,
        protocol: said.protocol,
        edge_id,
        device_number,
        ca: said.ca.clone().map(|path| std::path::absolute(&path).unwrap_or(path)),
        plain_http: said.plain_http,
        labels,
        payload: said.payload.clone(),
        gateway_key,
        confirm_seconds: said.confirm_seconds.unwrap_or(40),
        poll_seconds: u64::from(poll_seconds),
    };
    // The credential is told once: it is kept before anything else can fail.
    home.keep_credentials(&Credentials { current: credential, previous: None })?;
    home.keep_settings(&settings)?;
    if let Some(root) = root.or(handed) {
        let mut trusted = Trusted::load(&RealDisk, home.metadata())?;
        trusted.begin(&root)?;
    }
    Ok(settings)
}

type Enrolled = (String, String, String, Option<Vec<u8>>, u32);

fn asked(
    http: &Http,
    server: &str,
    said: &Enrollment,
    token: &str,
    number: &str,
    name: &str,
    labels: &[Label],
) -> Result<Enrolled, NoAnswer> {
    if said.protocol == Protocol::Gateway {
        let request = Register {
            token: None,
            device_number: Some(number.to_owned()),
            display_name: Some(name.to_owned()),
            platform: Some(platform().to_owned()),
            arch: Some(arch().to_owned()),
            edge_version: Some(if said.payload.is_some() { "0.0.0".to_owned() } else { crate::VERSION.to_owned() }),
        };
        let enrolled = api::register(http, server, token, &request)?;
        return Ok((enrolled.worker_id, enrolled.credential, enrolled.device_number, None, 15));
    }
    let mut installed = vec![Installed {
        product: AGENT_PRODUCT.to_owned(),
        version: crate::VERSION.to_owned(),
        install_type: "service".to_owned(),
    }];
    if let Some(payload) = &said.payload {
        installed.push(Installed {
            product: payload.product.clone(),
            version: String::new(),
            install_type: payload.install_type.clone(),
        });
    }
    let request = Enroll {
        token: token.to_owned(),
        device_number: number.to_owned(),
        display_name: name.to_owned(),
        platform: platform().to_owned(),
        arch: arch().to_owned(),
        installed,
        labels: labels.to_vec(),
    };
    let enrolled = api::enroll(http, server, &request)?;
    let root = enrolled.root.map(String::into_bytes);
    Ok((enrolled.edge_id, enrolled.credential, enrolled.device_number, root, enrolled.poll_seconds))
}

fn address(text: &str, plain_http: bool) -> Result<String, NotEnrolled> {
    let address = text.trim().trim_end_matches('/').to_owned();
    let host = address.split_once("://").map_or("", |(_, rest)| rest);
    if host.is_empty() || host.contains(['@', '?', '#', ' ']) {
        return Err(NotEnrolled::Bad(format!(
            "{text:?} is no address of a server: it is written as https://fleet.example"
        )));
    }
    if address.starts_with("https://") || (address.starts_with("http://") && plain_http) {
        return Ok(address);
    }
    if address.starts_with("http://") {
        return Err(NoAnswer::Clear { address }.into());
    }
    Err(NotEnrolled::Bad(format!("{text:?} is neither https:// nor http://")))
}

fn parsed(label: &str) -> Result<Label, NotEnrolled> {
    let fits = |text: &str| text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match label.split_once('=') {
        Some((name, value)) if !name.is_empty() && fits(name) && fits(value) => {
            Ok(Label { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err(NotEnrolled::Bad(format!(
            "{label:?} is no label: it is written as name=value, of letters, digits, '.', '_' and '-'"
        ))),
    }
}

fn text(path: &std::path::Path) -> Result<String, NotEnrolled> {
    let bytes = RealDisk.read(path, FILE).at("read", path)?;
    String::from_utf8(bytes).map_err(|_| NotEnrolled::Bad(format!("{} is no text", path.display())))
}

/// The token: from a file, from standard input, or asked for. Never from an argument or the environment, which others can read.
fn token(said: &Enrollment) -> Result<String, NotEnrolled> {
    let token = if let Some(path) = &said.token_file {
        text(path)?
    } else if said.token_stdin {
        let mut token = String::new();
        std::io::stdin()
            .lock()
            .take(4096)
            .read_to_string(&mut token)
            .map_err(|cause| NotEnrolled::Bad(cause.to_string()))?;
        token
    } else {
        hidden(|| ask("Enrollment token (from Edge UI)", "the enrollment token", "--token-stdin or --token-file FILE"))?
    };
    let token = token.trim().to_owned();
    if token.is_empty() || token.len() > 512 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NotEnrolled::Token);
    }
    Ok(token)
}

fn can_ask() -> bool {
    std::io::stdin().is_terminal()
}

fn ask(question: &str, what: &'static str, flag: &'static str) -> Result<String, NotEnrolled> {
    if !can_ask() {
        return Err(NotEnrolled::Missing { what, flag });
    }
    let _ = write!(err(), "{question}: ").and_then(|()| err().flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|cause| NotEnrolled::Bad(cause.to_string()))?;
    let answer = answer.trim().to_owned();
    if answer.is_empty() { Err(NotEnrolled::Missing { what, flag }) } else { Ok(answer) }
}

/// Asks while the terminal shows nothing of what is typed, where it can be told so.
fn hidden(ask: impl FnOnce() -> Result<String, NotEnrolled>) -> Result<String, NotEnrolled> {
    let quiet = can_ask() && Program::listening("stty").args(["-echo"]).run(STTY).is_ok();
    let answer = ask();
    if quiet {
        let _ = Program::listening("stty").args(["echo"]).run(STTY);
        let _ = writeln!(err());
    }
    answer
}

fn host_name() -> String {
    std::fs::read_to_string("/etc/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "edge".to_owned())
}

/// As the existing agent makes them up: `edge-<name>-<six of 0-9a-z>`.
fn made_up(name: &str) -> String {
    let mut slug = String::new();
    for character in name.to_lowercase().chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-').chars().take(60).collect::<String>();
    let slug = if slug.is_empty() { "edge" } else { &slug };
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let suffix: String = (0..6)
        .map(|_| {
            // Below 36, whatever the randomness.
            let at = (crate::backoff::random() * 35.999).floor();
            char::from(digits[digits.len().min(at as usize)])
        })
        .collect();
    format!("edge-{slug}-{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_number_is_as_the_existing_agent_makes_it() {
        let number = made_up("My Edge 01");
        assert!(number.starts_with("edge-my-edge-01-") && number.len() == "edge-my-edge-01-".len() + 6, "{number}");
        assert!(made_up("***").starts_with("edge-edge-"));
    }

    #[test]
    fn a_credential_is_never_sent_in_the_clear_by_mistake() {
        assert!(matches!(address("http://fleet.example", false), Err(NotEnrolled::Server(NoAnswer::Clear { .. }))));
        assert_eq!(address("http://127.0.0.1:8080/", true).expect("allowed"), "http://127.0.0.1:8080");
        for bad in ["fleet.example", "ftp://fleet.example", "https://", "https://user@fleet.example", "https://a?b"] {
            assert!(address(bad, true).is_err(), "{bad}");
        }
    }
}
