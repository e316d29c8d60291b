//! Local ports that lead to services of a cluster, and stay when their pods are replaced.
//!
//! ```text
//! NAME [LOCAL:REMOTE] ─► ForwardWish ─► find_forward: service, workload or pod ─► Forward
//!     ─► serve: for each connection a pod that is ready now ─► bytes both ways
//! ```
//!
//! `kubectl port-forward` holds on to the pod it began with; here every connection looks for one, so a pod that was
//! restarted or rolled costs the connections it had and nothing else.

mod find;
mod serve;

use std::collections::BTreeMap;

use landfall_diag::{Diagnostic, code};

pub use find::find_forward;
pub use serve::ForwardEvent;

/// What is to be reached, and by which ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardWish {
    /// A service, workload or pod, as `grafana`, `svc/grafana` or `deployment/grafana`.
    pub name: String,
    /// The ports asked for; every wish without ports is one for the first port there is.
    pub ports: Vec<PortPair>,
}

/// A local port and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPair {
    /// The local port; `None` for a free one.
    pub local: Option<u16>,
    /// The service's or container's port, by number or name.
    pub remote: String,
}

/// A port of pods that can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// What was found, as `service/grafana`.
    pub what: String,
    /// Where.
    pub namespace: String,
    /// The local port asked for.
    pub local: Option<u16>,
    /// The port as its service or container calls it.
    pub remote: u16,
    pods: Pods,
    port: TargetPort,
}

/// Which pods answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pods {
    /// Those with these labels.
    Labelled(BTreeMap<String, String>),
    /// This one.
    Named(String),
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TargetPort {
    Number(u16),
    Named(String),
}

impl ForwardWish {
    /// Reads `NAME [LOCAL:REMOTE]… NAME …`.
    ///
    /// # Errors
    /// When ports come first, or are none.
    pub fn parse_all(words: &[String]) -> Result<Vec<Self>, Diagnostic> {
        let mut wishes: Vec<ForwardWish> = Vec::new();
        for word in words {
            let Some(pair) = PortPair::parse(word)? else {
                wishes.push(ForwardWish { name: word.clone(), ports: Vec::new() });
                continue;
            };
            let Some(wish) = wishes.last_mut() else {
                return Err(Diagnostic::error(
                    code::BAD_PORTS,
                    format!("`{word}` are ports, and nothing stands before them"),
                )
                .help("name the service first: landfall forward grafana 3002:3000"));
            };
            wish.ports.push(pair);
        }
        Ok(wishes)
    }
}

impl PortPair {
    /// Reads `LOCAL:REMOTE`, `:REMOTE` or `BOTH`; `None` for what is a name.
    fn parse(word: &str) -> Result<Option<Self>, Diagnostic> {
        let (local, remote) = match word.split_once(':') {
            None if word.bytes().all(|digit| digit.is_ascii_digit()) => (word, word),
            None => return Ok(None),
            Some(pair) => pair,
        };
        let wrong = || {
            Diagnostic::error(code::BAD_PORTS, format!("`{word}` is not LOCAL:REMOTE"))
                .help("as in 3002:3000, :3000 for any free local port, or 8080:http")
        };
        let local = match local {
            "" => None,
            text => Some(port_number(text).ok_or_else(wrong)?),
        };
        let is_name = remote.bytes().any(|byte| byte.is_ascii_alphabetic());
        if !is_name && port_number(remote).is_none() {
            return Err(wrong());
        }
        Ok(Some(PortPair { local, remote: remote.to_owned() }))
    }
}

/// A port's number: 1–65535.
fn port_number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

impl Forward {
    /// Local ports to try, the likeliest first: the one asked for alone; else the remote one where that is open to
    /// everybody, moved up by 8000 where it is not, and any free one.
    pub fn local_ports(&self) -> Vec<u16> {
        match (self.local, self.remote) {
            (Some(local), _) => vec![local],
            (None, low @ ..1024) => vec![low + 8000, 0],
            (None, port) => vec![port, 0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn ports_belong_to_the_name_before_them() {
        let wishes = ForwardWish::parse_all(&words("grafana 3002:3000 prometheus svc/web :http 9000")).expect("read");
        let ports =
            |wish: &ForwardWish| wish.ports.iter().map(|pair| (pair.local, pair.remote.clone())).collect::<Vec<_>>();
        assert_eq!(wishes[0].name, "grafana");
        assert_eq!(ports(&wishes[0]), [(Some(3002), "3000".to_owned())]);
        assert!(wishes[1].ports.is_empty());
        assert_eq!(wishes[2].name, "svc/web");
        assert_eq!(ports(&wishes[2]), [(None, "http".to_owned()), (Some(9000), "9000".to_owned())]);
    }

    #[test]
    fn ports_that_are_none_are_refused() {
        for text in ["3000:3000", "web 0:80", "web 70000", "web x:80", "web 80:", "web :"] {
            assert!(ForwardWish::parse_all(&words(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_that_is_not_for_everybody_is_moved_up() {
        let forward = |local, remote| Forward {
            what: "service/web".into(),
            namespace: "shop".into(),
            local,
            remote,
            pods: Pods::Named("web".into()),
            port: TargetPort::Number(remote),
        };
        assert_eq!(forward(None, 80).local_ports(), [8080, 0]);
        assert_eq!(forward(None, 443).local_ports(), [8443, 0]);
        assert_eq!(forward(None, 9090).local_ports(), [9090, 0]);
        assert_eq!(forward(Some(80), 3000).local_ports(), [80]);
    }
}
