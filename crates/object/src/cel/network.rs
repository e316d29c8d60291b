//! URLs, addresses and networks (`apiserver/pkg/cel/library`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The parts of a URL that rules ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, Vec<String>)>,
}

impl Url {
    /// An absolute URL, or an absolute path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_control() || c == ' ') || text.is_empty() {
            return None;
        }
        let (rest, _) = text.split_once('#').unwrap_or((text, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = pairs(query);
        if rest.starts_with('/') && !rest.starts_with("//") {
            return Some(Self { scheme: String::new(), host: String::new(), path: rest.to_owned(), query });
        }
        let (scheme, after) = rest.split_once(':')?;
        let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let after = after.strip_prefix("//")?;
        let (authority, path) = match after.find('/') {
            Some(at) => after.split_at(at),
            None => (after, ""),
        };
        let host = authority.rsplit('@').next().unwrap_or(authority);
        named.then(|| Self { scheme: scheme.to_ascii_lowercase(), host: host.to_owned(), path: path.to_owned(), query })
    }

    /// The host without its port; without brackets.
    pub(super) fn hostname(&self) -> &str {
        if let Some(rest) = self.host.strip_prefix('[') {
            return rest.split(']').next().unwrap_or(rest);
        }
        self.host.rsplit_once(':').map_or(&self.host, |(host, _)| host)
    }

    /// The port; empty where none is given.
    pub(super) fn port(&self) -> &str {
        let after = self.host.rsplit(']').next().unwrap_or_default();
        after.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

fn pairs(query: &str) -> Vec<(String, Vec<String>)> {
    let mut pairs: Vec<(String, Vec<String>)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match pairs.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value.to_owned()),
            None => pairs.push((key.to_owned(), vec![value.to_owned()])),
        }
    }
    pairs
}

/// An address, neither zoned nor an IPv4 one written as IPv6.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    (!mapped && !text.contains('%')).then_some(address)
}

/// A network with the length of its prefix.
pub(super) fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address_text, length) = text.split_once('/')?;
    let address = address(address_text)?;
    let plain = length == "0" || !length.starts_with(['0', '+']);
    let length: u8 = length.parse().ok().filter(|length| plain && *length <= bits(address))?;
    Some((address, length))
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The network's first address.
pub(super) fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

/// Whether the network holds the address.
pub(super) fn holds(network: (IpAddr, u8), address: IpAddr) -> bool {
    network.0.is_ipv4() == address.is_ipv4() && masked(network.0, network.1) == masked(address, network.1)
}

/// What an address says about itself.
pub(super) fn is(address: IpAddr, what: &str) -> Option<bool> {
    let (unicast_link, multicast_link) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0 == 0xfe80, v6.segments()[0] & 0xff0f == 0xff02),
    };
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    Some(match what {
        "isUnspecified" => address.is_unspecified(),
        "isLoopback" => address.is_loopback(),
        "isLinkLocalUnicast" => unicast_link,
        "isLinkLocalMulticast" => multicast_link,
        "isGlobalUnicast" => {
            !address.is_unspecified()
                && !address.is_loopback()
                && !address.is_multicast()
                && !unicast_link
                && !broadcast
        }
        _ => return None,
    })
}
