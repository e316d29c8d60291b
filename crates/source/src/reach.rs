//! Where addresses may lead that a repository names: one that a server keeps in sync has it ask what anybody could ask, and
//! neither the machine that it runs on nor what is reachable from there alone.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

type Permit = dyn Fn(IpAddr) -> bool + Send + Sync;

/// Where addresses may lead that somebody else names.
#[derive(Clone, Default)]
pub enum NetworkReach {
    /// Wherever who types them could ask from the same machine.
    #[default]
    Anywhere,
    /// Where it is permitted.
    Only(Arc<Permit>),
}

impl fmt::Debug for NetworkReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NetworkReach::Anywhere => "Anywhere",
            NetworkReach::Only(_) => "Only",
        })
    }
}

impl NetworkReach {
    /// Public addresses, and those that are permitted besides.
    pub fn public(besides: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        NetworkReach::Only(Arc::new(move |address| is_public(address) || besides(address)))
    }

    fn permits(&self, address: IpAddr) -> bool {
        match self {
            NetworkReach::Anywhere => true,
            NetworkReach::Only(permit) => permit(address),
        }
    }

    /// Why an address that is written as numbers is not asked.
    pub fn refuses(&self, url: &reqwest::Url) -> Option<String> {
        self.refusal(url).map(|refused| refused.to_string())
    }

    pub(crate) fn refusal(&self, url: &reqwest::Url) -> Option<NotPermitted> {
        let host = url.host_str()?;
        let address: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
        (!self.permits(address)).then(|| NotPermitted { host: host.to_owned(), address })
    }

    /// Which one it is, among those of this process.
    pub(crate) fn mark(&self) -> u64 {
        match self {
            NetworkReach::Anywhere => 0,
            NetworkReach::Only(permit) => Arc::as_ptr(permit).cast::<()>() as usize as u64,
        }
    }

    /// What looks names up for a client that goes through no proxy; the system does where nothing is refused.
    pub fn names(&self) -> Option<Arc<dyn Resolve>> {
        self.names_past(Vec::new())
    }

    /// The same for a client that asks through proxies: these are asked wherever they are, and what they let through is theirs
    /// to say.
    pub(crate) fn names_past(&self, proxies: Vec<String>) -> Option<Arc<dyn Resolve>> {
        match self {
            NetworkReach::Anywhere => None,
            NetworkReach::Only(permit) => Some(Arc::new(Names { permit: Arc::clone(permit), proxies })),
        }
    }
}

/// Looks names up and leaves out where nothing may be asked: what is looked up is what is asked, whatever the name says next.
struct Names {
    permit: Arc<Permit>,
    /// Hosts that are asked wherever they are.
    proxies: Vec<String>,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let permit = Arc::clone(&self.permit);
        let is_proxy = self.proxies.iter().any(|host| host.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (permitted, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| is_proxy || permit(it.ip()));
            match (permitted.is_empty(), refused.first()) {
                (true, Some(first)) => Err(NotPermitted { host: name.as_str().to_owned(), address: first.ip() }.into()),
                _ => Ok(Box::new(permitted.into_iter()) as Addrs),
            }
        })
    }
}

/// An address that nothing is asked of.
#[derive(Debug)]
pub(crate) struct NotPermitted {
    host: String,
    address: IpAddr,
}

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotPermitted { host, address } = self;
        let leads = if *host == address.to_string() { String::new() } else { format!("{host} leads to ") };
        write!(
            f,
            "{leads}{address} is no public address: a server asks there for a repository only when it is started with --check-networks {address}"
        )
    }
}

impl std::error::Error for NotPermitted {}

/// Whether an address can be reached from everywhere (IANA's registries of special-purpose addresses).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_for_tests = a == 198 && (18..20).contains(&b);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || is_shared
        || is_for_tests
        || a == 0
        || a >= 240
        || (a, b, c) == (192, 0, 0))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    // Addresses that only wrap one of version 4: as they are, translated, and by 6to4.
    let wrapped = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if (high, low) != (0, 0) && (high, low) != (0, 1) => {
            return is_public_v4(wrapped(high, low));
        }
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => return is_public_v4(wrapped(high, low)),
        _ => {}
    }
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || parts[0] & 0xfe00 == 0xfc00
        || parts[0] & 0xff80 == 0xfe80
        || parts[..2] == [0x64, 0xff9b])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(error: &dyn std::error::Error) -> String {
        let deeper = error.source().map(words).unwrap_or_default();
        format!("{error}: {deeper}")
    }

    #[test]
    fn a_public_address_is_one_that_everybody_reaches() {
        let is = |text: &str| is_public(text.parse().expect("an address"));
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is(public), "{public}");
        }
        for inside in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "::10.0.0.1",
        ] {
            assert!(!is(inside), "{inside}");
        }
    }

    #[test]
    fn numbers_are_refused_as_names_are_and_what_is_permitted_besides_is_not() {
        let url = |text: &str| reqwest::Url::parse(text).expect("an address");
        let reach = NetworkReach::public(|address| address == IpAddr::from([10, 0, 0, 7]));
        for refused in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "https://[::1]:8443/",
            "http://169.254.169.254/latest",
        ] {
            let told = reach.refuses(&url(refused)).unwrap_or_default();
            assert!(told.contains("is no public address") && told.contains("--check-networks"), "{refused}: {told}");
        }
        for asked in ["http://10.0.0.7/", "http://1.1.1.1/", "https://shop.example.com/"] {
            assert_eq!(reach.refuses(&url(asked)), None, "{asked}");
        }
        assert_eq!(NetworkReach::Anywhere.refuses(&url("http://127.0.0.1/")), None);
    }

    #[tokio::test]
    async fn a_proxy_is_asked_wherever_it_is() {
        let names = NetworkReach::public(|_| false).names_past(vec!["LocalHost".to_owned()]).expect("names");
        assert!(names.resolve("localhost".parse().expect("a name")).await.expect("permitted").count() > 0);
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_asked() {
        let client =
            reqwest::Client::builder().no_proxy().dns_resolver(NetworkReach::public(|_| false).names().expect("names"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let place = format!("http://localhost:{}/", listener.local_addr().expect("bound").port());
        let error = client.build().expect("a client").get(place).send().await.expect_err("refused");
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while cause.is_some_and(|it| !it.is::<NotPermitted>()) {
            cause = cause.and_then(std::error::Error::source);
        }
        assert!(cause.is_some(), "nobody could tell it from a name that is not there: {error:?}");
        let told = words(&error);
        assert!(told.contains("localhost leads to") && told.contains("is no public address"), "{told}");
    }
}
