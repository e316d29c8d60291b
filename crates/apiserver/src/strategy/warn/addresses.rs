//! What is told of addresses that can be written in more than one way (`validation.GetWarningsForIP`).

use std::net::Ipv6Addr;

use crate::remarks::Remarks;

/// Warns of an IPv6 address that is not written as RFC 5952 writes it.
pub(super) fn warn(address: &str, path: &str, remarks: &Remarks) {
    let Ok(parsed) = address.parse::<Ipv6Addr>() else { return };
    let canonical = parsed.to_string();
    // An IPv4 address in an IPv6 one is another matter, and told otherwise.
    if canonical != address && parsed.to_ipv4_mapped().is_none() {
        remarks
            .warn(format!("{path}: IPv6 address {address:?} should be in RFC 5952 canonical format ({canonical:?})"));
    }
}
