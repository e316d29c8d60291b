//! Doors: which ports of a machine are open, and who holds a port of this one.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_diag::Severity;
use landfall_rules::place::OUTSIDE;
use serde::Serialize;

use crate::{Area, Observation};

/// How a port was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortState {
    /// Something listens.
    Open,
    /// The machine says that nothing does.
    Closed,
    /// Nobody says anything: a packet filter, or no machine.
    Filtered,
    /// The name leads nowhere.
    NameUnknown,
    /// It could not be asked.
    NotAsked(String),
}

/// Tries to connect to a port.
#[boxed]
pub async fn port(host: &str, number: u16, patience: Duration) -> PortState {
    let asked = tokio::time::timeout(patience, tokio::net::lookup_host((host, number))).await;
    let addresses: Vec<SocketAddr> = match asked {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(_)) => return PortState::NameUnknown,
        Err(_) => return PortState::NotAsked("the name's lookup took too long".to_owned()),
    };
    let mut last = PortState::NameUnknown;
    for address in addresses {
        last = match tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => return PortState::Open,
            Ok(Err(error)) => match error.kind() {
                std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::ConnectionReset => PortState::Closed,
                std::io::ErrorKind::TimedOut | std::io::ErrorKind::HostUnreachable => PortState::Filtered,
                _ => PortState::NotAsked(error.to_string()),
            },
            Err(_) => PortState::Filtered,
        };
    }
    last
}

/// The ports that a place must have open: the shell's, and the web's.
#[boxed]
pub async fn ports(host: &str, numbers: &[u16], patience: Duration) -> Vec<Observation> {
    let states = futures::future::join_all(numbers.iter().map(|number| port(host, *number, patience))).await;
    numbers
        .iter()
        .zip(states)
        .map(|(number, state)| {
            let what = format!("{host}:{number}");
            let cause = match number {
                22 => "nobody can log in to the machine",
                80 => "the certificate authority cannot reach its challenge, and plain addresses are not redirected",
                _ => "nobody reaches what is served there",
            };
            let wrong =
                |seen: &str| Observation::wrong(Area::Ports, &OUTSIDE, Severity::Error, what.clone(), seen, cause);
            match state {
                PortState::Open => Observation::fine(Area::Ports, what, "open"),
                PortState::Closed => wrong("closed: nothing listens"),
                PortState::Filtered => wrong("closed: no answer, as behind a packet filter"),
                PortState::NameUnknown => wrong("the name leads nowhere"),
                PortState::NotAsked(why) => Observation::not_checked(Area::Ports, what, why),
            }
        })
        .collect()
}

/// Whether ports of this machine are free for the embedded cluster's ingress, and who holds those that are not.
pub fn local_ports(numbers: &[u16], root: &Path) -> Vec<Observation> {
    numbers
        .iter()
        .map(|number| {
            let what = format!("port {number} here");
            match TcpListener::bind(("0.0.0.0", *number)) {
                Ok(_) => Observation::fine(Area::Ports, what, "free"),
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Observation::told(
                    Area::Ports,
                    what,
                    "needs a right that this account does not have; another one is taken",
                ),
                Err(_) => {
                    let who =
                        holder(*number, root).unwrap_or_else(|| "somebody whose name is not known here".to_owned());
                    Observation::told(Area::Ports, what, format!("held by {who}; another one is taken"))
                }
            }
        })
        .collect()
}

/// Who listens at a port of this machine, by the kernel's own tables (`/proc`); none where those cannot be read.
pub fn holder(number: u16, root: &Path) -> Option<String> {
    let inode = ["proc/net/tcp", "proc/net/tcp6"].iter().find_map(|table| {
        let text = std::fs::read_to_string(root.join(table)).ok()?;
        text.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let local = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
            // 0A: the socket listens.
            (local == number && *fields.get(3)? == "0A").then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
    })?;
    let wanted = format!("socket:[{inode}]");
    for entry in std::fs::read_dir(root.join("proc")).ok()?.flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(files) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let holds = files.flatten().any(|file| {
            std::fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy() == wanted.as_str())
        });
        if holds {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    Some("a process of another account".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[tokio::test]
    async fn lp_032_each_port_is_open_or_closed() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let open = listener.local_addr().expect("an address").port();
        let gone = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let closed = gone.local_addr().expect("an address").port();
        drop(gone);
        let seen = ports("127.0.0.1", &[open, closed], Duration::from_secs(2)).await;
        assert_eq!(seen.iter().map(|it| it.state).collect::<Vec<_>>(), [State::Fine, State::Wrong]);
        assert!(seen[1].seen.starts_with("closed"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_holds_a_port_is_known_where_the_kernel_says_it() {
        // Somebody else on the machine may take a port as soon as it is free, but not one after the other.
        let is_free_when_dropped = |_| {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
            let number = listener.local_addr().expect("an address").port();
            let holder = holder(number, Path::new("/")).expect("it is in the table");
            assert!(holder.contains(&format!("pid {}", std::process::id())), "{holder}");
            drop(listener);
            super::holder(number, Path::new("/")).is_none()
        };
        assert!((0..20).any(is_free_when_dropped));
    }
}
