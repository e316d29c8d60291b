//! Wrong tokens and credentials are counted by the address from which they come: whoever guesses waits, and nobody else does.
//!
//! Who is known is never held back, whatever others do behind the same address: a site's edges share one.

use std::collections::HashMap;
use std::net::IpAddr;

use ::http::HeaderMap;
use parking_lot::Mutex;

use crate::networks::{Network, wide};

/// How many wrong ones an address may bring at once; each second one more.
const BURST: i64 = 60;
/// How many addresses are counted each by itself; those beyond them are counted together.
const ADDRESSES: usize = 8192;

/// From where a connection comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What wrong ones are counted by.
pub(crate) struct Doorway {
    proxies: Vec<Network>,
    /// Whether nobody's address can be told.
    is_blind: bool,
    tried: Mutex<Tried>,
}

#[derive(Default)]
struct Tried {
    by: HashMap<u128, Bucket>,
    others: Bucket,
    swept_at: i64,
}

/// How many more may come: as many as at a time, and one for each second since.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: i64,
    at: i64,
}

impl Default for Bucket {
    fn default() -> Self {
        Bucket { left: BURST, at: 0 }
    }
}

impl Bucket {
    fn left(self, now: i64) -> i64 {
        self.left.saturating_add(now.saturating_sub(self.at).max(0)).min(BURST)
    }

    fn take(&mut self, now: i64) {
        *self = Bucket { left: (self.left(now) - 1).max(0), at: now };
    }
}

impl Doorway {
    /// With the proxies that stand before this server. Where one ends TLS and is none of them, nobody's address is known.
    pub(crate) fn new(proxies: Vec<Network>, is_behind_one: bool) -> Self {
        let is_blind = is_behind_one && proxies.is_empty();
        Doorway { proxies, is_blind, tried: Mutex::default() }
    }

    /// Whether nobody's address can be told.
    pub(crate) fn is_blind(&self) -> bool {
        self.is_blind
    }

    /// Who asks, if that can be told: a proxy says for whom, and what others write before that is theirs. Of the machine itself, where
    /// no proxy is named there, all that comes over it is the same.
    pub(crate) fn who(&self, peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
        let Peer(peer) = peer?;
        if !self.is_proxy(peer) {
            return (!self.is_blind && !peer.to_canonical().is_loopback()).then_some(peer);
        }
        let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let named: Vec<&str> = named.flat_map(|line| line.split(',')).map(str::trim).collect();
        let mut who = peer;
        for text in named.iter().rev() {
            let Ok(address) = text.parse() else { break };
            who = address;
            if !self.is_proxy(address) {
                break;
            }
        }
        Some(who)
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.holds(address))
    }

    /// Whether so many wrong ones came from there that none is looked at now.
    pub(crate) fn is_shut(&self, who: Option<IpAddr>, now: i64) -> bool {
        let Some(who) = who else { return false };
        let tried = self.tried.lock();
        let bucket = match tried.by.get(&counted(who)) {
            Some(bucket) => *bucket,
            None if tried.by.len() < ADDRESSES => return false,
            None => tried.others,
        };
        bucket.left(now) == 0
    }

    /// A wrong one came from there.
    pub(crate) fn wrong(&self, who: Option<IpAddr>, now: i64) {
        let Some(who) = who else { return };
        let mut tried = self.tried.lock();
        let tried = &mut *tried;
        if tried.by.len() >= ADDRESSES && tried.swept_at != now {
            tried.swept_at = now;
            tried.by.retain(|_, bucket| bucket.left(now) < BURST);
        }
        let has_room = tried.by.len() < ADDRESSES;
        match tried.by.get_mut(&counted(who)) {
            Some(bucket) => bucket.take(now),
            None if has_room => tried.by.entry(counted(who)).or_default().take(now),
            None => tried.others.take(now),
        }
    }
}

/// By what an address is counted: whoever has one of IPv6 has all that begin with the same 64 bits.
fn counted(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(_) => wide(address),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn an_address_has_sixty_wrong_ones_and_one_more_each_second_and_others_have_their_own() {
        let doorway = Doorway::new(Vec::new(), false);
        let (one, other) = (Some(at("203.0.113.7")), Some(at("203.0.113.8")));
        for number in 0..60 {
            assert!(!doorway.is_shut(one, 1000), "{number}");
            doorway.wrong(one, 1000);
        }
        assert!(doorway.is_shut(one, 1000) && !doorway.is_shut(other, 1000));
        assert!(!doorway.is_shut(one, 1001));
        doorway.wrong(one, 1001);
        assert!(doorway.is_shut(one, 1001) && doorway.is_shut(one, 900), "a clock that goes back opens nothing");
        // However long it was quiet, sixty are the most.
        for _ in 0..60 {
            doorway.wrong(one, 9_000_000);
        }
        assert!(doorway.is_shut(one, 9_000_000));
        assert!(!doorway.is_shut(None, 1000));
    }

    #[test]
    fn whoever_has_a_network_of_ipv6_has_one_count() {
        let doorway = Doorway::new(Vec::new(), false);
        for last in 0..60 {
            doorway.wrong(Some(at(&format!("2001:db8::{last}"))), 1);
        }
        assert!(doorway.is_shut(Some(at("2001:db8::ffff")), 1));
        assert!(!doorway.is_shut(Some(at("2001:db8:0:1::1")), 1));
        for _ in 0..60 {
            doorway.wrong(Some(at("::ffff:192.0.2.1")), 1);
        }
        assert!(doorway.is_shut(Some(at("192.0.2.1")), 1));
    }

    #[test]
    fn so_many_addresses_are_counted_and_those_beyond_them_together() {
        let doorway = Doorway::new(Vec::new(), false);
        let number = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        let all = u32::try_from(ADDRESSES).expect("small");
        for address in 0..all * 2 {
            doorway.wrong(number(address), 5);
        }
        assert_eq!(doorway.tried.lock().by.len(), ADDRESSES);
        assert!(doorway.is_shut(number(all * 3), 5) && !doorway.is_shut(number(1), 5));
        // Whose count is full again makes room.
        doorway.wrong(number(all * 3), 6);
        assert_eq!(doorway.tried.lock().by.len(), 1);
    }

    #[test]
    fn a_proxy_that_is_named_says_who_asks_and_nobody_else_does() {
        let proxies = || ["127.0.0.0/8", "10.1.0.0/16", "fd00::/8"].map(|it| it.parse().expect("a network")).to_vec();
        let doorway = Doorway::new(proxies(), true);
        let who = |peer: &str, lines: &[&str]| doorway.who(Some(Peer(at(peer))), &headers(lines));
        assert_eq!(who("127.0.0.1", &["203.0.113.7"]), Some(at("203.0.113.7")));
        assert_eq!(who("::ffff:127.0.0.1", &["1.2.3.4, 203.0.113.7, 10.1.2.3"]), Some(at("203.0.113.7")));
        assert_eq!(who("fd00::1", &["1.2.3.4", "203.0.113.7"]), Some(at("203.0.113.7")));
        assert_eq!(who("10.1.0.1", &["1.2.3.4, nonsense"]), Some(at("10.1.0.1")));
        assert_eq!(who("10.1.0.1", &[]), Some(at("10.1.0.1")));
        assert_eq!(who("10.2.0.1", &["203.0.113.7"]), Some(at("10.2.0.1")), "it writes what it likes");
        let open = Doorway::new(Vec::new(), false);
        assert_eq!(open.who(Some(Peer(at("127.0.0.1"))), &headers(&["203.0.113.7"])), None);
        assert_eq!(open.who(Some(Peer(at("10.2.0.1"))), &headers(&[])), Some(at("10.2.0.1")));
        assert!(!open.is_blind());
        let blind = Doorway::new(Vec::new(), true);
        assert_eq!((blind.is_blind(), blind.who(Some(Peer(at("10.2.0.1"))), &headers(&[]))), (true, None));
    }
}
