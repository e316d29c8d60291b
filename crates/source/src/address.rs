//! What an address says by itself.

use reqwest::Url;

/// The host an address names, for people.
pub fn host_of(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    });
    host.unwrap_or_else(|| url.to_owned())
}

/// Whether two addresses are one but for what a path may be written as (helm: `urlutil.Equal`).
pub fn same_url(a: &str, b: &str) -> bool {
    match (Url::parse(a), Url::parse(b)) {
        (Ok(mut a), Ok(mut b)) => {
            for url in [&mut a, &mut b] {
                let path = format!("/{}", url.path().trim_matches('/'));
                url.set_path(&path);
            }
            a == b
        }
        _ => a == b,
    }
}

/// Whether two addresses lead to one server: by scheme, host and port.
pub(crate) fn same_server(a: &str, b: &str) -> bool {
    match (Url::parse(a), Url::parse(b)) {
        (Ok(a), Ok(b)) => {
            let server =
                |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
            server(&a) == server(&b)
        }
        _ => false,
    }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_one_where_only_their_last_slash_differs() {
        assert!(same_url("http://h", "http://h/"));
        assert!(same_url("http://h/a/", "http://h/a"));
        assert!(!same_url("http://h/a", "https://h/a"));
    }

    #[test]
    fn a_server_is_scheme_host_and_port() {
        assert!(same_server("https://h/a", "https://H:443/b"));
        for other in ["http://h/a", "https://h:8443/a", "https://h.example.com/a", "oci://h/a", "no"] {
            assert!(!same_server(other, "https://h/a"), "{other}");
        }
    }
}
