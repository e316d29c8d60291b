//! What systemd is told: that the service is up, and that it still is.

/// Says it to the service manager, where there is one that listens.
#[cfg(target_os = "linux")]
pub(super) fn say(what: &str) {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    // Nobody listening is no reason to end.
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(what.as_bytes(), &address);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn say(_: &str) {}
