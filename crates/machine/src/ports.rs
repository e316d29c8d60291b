//! Ports of this machine: whether they are free, and who has those that are not.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long a listener of this machine may take to accept.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether somebody listens on a TCP port of this machine.
pub(crate) fn is_busy(port: u16) -> bool {
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::AddrInUse => true,
        // Ports below 1024 may be closed to us and free all the same; whoever listens accepts.
        Err(_) => TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE).is_ok(),
    }
}

/// The program that listens on a port, as `nginx (pid 4711)`; `None` where the system does not tell.
pub fn holder(port: u16) -> Option<String> {
    let inodes: BTreeSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?;
    for process in processes.filter_map(Result::ok) {
        let pid = process.file_name().to_string_lossy().into_owned();
        if pid.bytes().all(|digit| digit.is_ascii_digit()) && holds(&process.path(), &inodes) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    None
}

/// The inodes of the sockets that listen on a port, from a table of `/proc/net`.
fn listeners(table: &str, port: u16) -> Vec<String> {
    let ending = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Local address, then the remote one, then the state: 0A is listening.
            let listens = words.get(1)?.ends_with(&ending) && *words.get(3)? == "0A";
            listens.then(|| words.get(9).map(|inode| (*inode).to_owned())).flatten()
        })
        .collect()
}

fn holds(process: &Path, inodes: &BTreeSet<String>) -> bool {
    let Ok(files) = std::fs::read_dir(process.join("fd")) else { return false };
    files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()).any(|link| {
        let link = link.to_string_lossy();
        link.strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|inode| inodes.contains(inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_the_sockets_that_listen() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n   1: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1\n";
        assert_eq!(listeners(table, 80), ["4711"]);
        assert_eq!(listeners(table, 8080), ["4713"]);
    }

    #[test]
    fn a_busy_port_names_this_very_program() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = held.local_addr().expect("bound").port();
        assert!(is_busy(port));
        if cfg!(target_os = "linux") {
            let holder = holder(port).expect("our own sockets are for us to see");
            assert!(holder.ends_with(&format!("(pid {})", std::process::id())), "{holder}");
        }
        drop(held);
    }
}
