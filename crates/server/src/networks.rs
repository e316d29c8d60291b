//! Networks, as an operator names them.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that begin alike, as `10.0.0.0/8`; one alone without a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    bits: u32,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no address and no network, as 10.0.0.0/8");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| bad())?;
        let own = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(own);
        if length > own {
            return Err(bad());
        }
        Ok(Network { address: wide(address), bits: 128 - own + length })
    }
}

impl Network {
    pub(crate) fn holds(self, address: IpAddr) -> bool {
        let differ = self.address ^ wide(address);
        self.bits == 0 || differ >> (128 - self.bits) == 0
    }
}

/// An address of either version in one room: those of version 4 as version 6 maps them.
pub(crate) fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_is_an_address_with_a_length_that_it_can_have() {
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "proxy"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let all: Network = "::/0".parse().expect("a network");
        assert!(all.holds(at("203.0.113.7")) && all.holds(at("2001:db8::1")));
        let four: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(four.holds(at("203.0.113.7")) && !four.holds(at("2001:db8::1")));
        let one: Network = "203.0.113.7".parse().expect("an address");
        assert!(one.holds(at("203.0.113.7")) && !one.holds(at("203.0.113.6")));
    }
}
