//! Addresses: what is asked over HTTP, host names, and the parts of a request.

use std::net::IpAddr;

use super::{Unfit, words};

words! {
    /// An address that is asked over HTTP: `http` or `https`, and a host.
    Url = "url", {"format": "uri", "pattern": "^[hH][tT][tT][pP][sS]?://"}, url;
    /// Where a repository of git, of charts or of images lies: an address, `user@host:path`, or a registry and a path.
    RepositoryUrl = "repository", {"pattern": "^\\S+$"}, repository;
    /// An IP address, or a host name that stands for one.
    Address = "address", {"minLength": 1, "pattern": "^[0-9A-Za-z:._-]+$"}, address;
    /// A host name.
    HostName = "host-name", {"pattern": "^[0-9A-Za-z_][-0-9A-Za-z_.]*$", "maxLength": 253}, host;
    /// A host name, or `*.` and one, for any one label.
    HostPattern = "host-pattern",
        {"pattern": "^(\\*\\.)?[0-9A-Za-z_][-0-9A-Za-z_.]*$", "maxLength": 253}, host_pattern;
    /// A request's method, in any case.
    HttpMethod = "http-method", {"pattern": "^[A-Za-z]+$"}, method;
    /// The name of a header.
    HeaderName = "header-name", {"pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"}, header;
}

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

fn url(text: &str) -> Result<(), Unfit> {
    let wanted =
        |why: &str| Unfit::new(format!("an address begins with `http://` or `https://` and names a host{why}"));
    let whole = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let read = |text: &str| {
        let read = url::Url::parse(text).ok()?;
        let asked = matches!(read.scheme(), "http" | "https") && read.has_host();
        asked.then_some(read)
    };
    // The parser mends much: `http:a`, `https:///a`, back slashes. Who asks must have written it.
    let written = text.get(..8).is_some_and(|front| {
        let front = front.to_ascii_lowercase();
        front.starts_with("http://") || front == "https://"
    });
    let behind = text.split_once("://").map_or("", |(_, rest)| rest);
    let hosted = !behind.starts_with(['/', '?', '#', ':']) && !behind.is_empty();
    if whole && written && hosted && !behind.contains('\\') {
        return match url::Url::parse(text) {
            Ok(_) if read(text).is_some() => Ok(()),
            Ok(_) => Err(wanted("")),
            Err(error) => Err(wanted(&format!(" ({error})"))),
        };
    }
    let bare = text.trim().trim_start_matches("//");
    let host = bare.split(['/', ':', '?']).next().unwrap_or_default();
    let is_bare = !bare.contains("://") && !bare.contains(char::is_whitespace);
    let near = match (is_bare, host) {
        (true, "localhost") => Some(format!("http://{bare}")),
        (true, host) if host.contains('.') && host_name(host) => Some(format!("https://{bare}")),
        _ => None,
    };
    Err(wanted("").near(near.filter(|near| read(near).is_some())))
}

fn repository(text: &str) -> Result<(), Unfit> {
    const SCHEMES: [&str; 6] = ["https", "http", "ssh", "git", "oci", "file"];
    let wanted = || {
        Unfit::new(
            "a repository is an address as `https://host/path`, `git@host:path`, `oci://host/path`, or a registry and a \
             path",
        )
    };
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wanted());
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
        let host = scheme.eq_ignore_ascii_case("file") || !rest.starts_with(['/', ':', '?', '#']);
        return if known && host && !rest.is_empty() {
            Ok(())
        } else {
            let near = landfall_diag::nearest(scheme, SCHEMES).filter(|_| !known && !rest.is_empty());
            Err(wanted().near(near.map(|near| format!("{near}://{rest}"))))
        };
    }
    // `user@host:path`; a registry's `host/path`; a directory's path.
    let front = text.split(['/', ':']).next().unwrap_or_default();
    let host = front.rsplit('@').next().unwrap_or_default();
    if front.is_empty() || host_name(host) { Ok(()) } else { Err(wanted()) }
}

fn host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let bytes = label.as_bytes();
        !bytes.is_empty()
            && bytes.len() <= 63
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
            && bytes[0] != b'-'
            && bytes[bytes.len() - 1] != b'-'
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// The host of what was given with more around it: a scheme, a path, a port.
fn host_within(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    (host != text && host_name(host)).then(|| host.to_owned())
}

fn host(text: &str) -> Result<(), Unfit> {
    if host_name(text) {
        return Ok(());
    }
    Err(Unfit::new("a host name is labels of letters, digits and `-` with dots between, as `app.example.com`")
        .near(host_within(text)))
}

fn host_pattern(text: &str) -> Result<(), Unfit> {
    if host_name(text.strip_prefix("*.").unwrap_or(text)) {
        return Ok(());
    }
    Err(Unfit::new("a host name is wanted, as `app.example.com`, or `*.example.com` for any one label")
        .near(host_within(text)))
}

fn address(text: &str) -> Result<(), Unfit> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if text.parse::<IpAddr>().is_ok() || (host_name(text) && !digits) {
        return Ok(());
    }
    Err(Unfit::new("an IP address or a host name is wanted, as `203.0.113.10`").near(host_within(text)))
}

fn method(text: &str) -> Result<(), Unfit> {
    if METHODS.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    let near = landfall_diag::nearest(text, METHODS).map(str::to_owned);
    Err(Unfit::new(format!("a method is one of {}", METHODS.join(", "))).near(near))
}

fn header(text: &str) -> Result<(), Unfit> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-!#$%&'*+.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(fits) {
        return Ok(());
    }
    let near = text.trim().trim_end_matches(':').replace(' ', "-");
    let near = Some(near).filter(|near| !near.is_empty() && near.bytes().all(fits));
    Err(Unfit::new("a header's name has letters, digits and `-`, as `content-type`").near(near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for text in [
            "http://localhost/",
            "https://app.example.com:8443/a?b=c#d",
            "http://[::1]:8080/",
            "HTTP://A.example.com",
            "http://10.0.0.1/health",
            "https://user@host.example.com/",
        ] {
            assert!(Url::parse(text).is_ok(), "{text}");
        }
        for text in [
            "not a url",
            "",
            "/health",
            "app.example.com",
            "ftp://host/",
            "http://",
            "https:///a",
            "http:a",
            "http:///",
            "https://a b/",
            "http://a:99999/",
            "http://\u{1b}[31m/",
            "http:\\\\a",
            "file:///etc/hosts",
            "http://:80/",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
        let near = |text: &str| Url::parse(text).expect_err("no address").near;
        assert_eq!(near("app.example.com/health").as_deref(), Some("https://app.example.com/health"));
        assert_eq!(near("localhost:8080/up").as_deref(), Some("http://localhost:8080/up"));
        assert_eq!(near("not a url"), None);
    }

    #[test]
    fn a_repository_is_reached_in_many_ways() {
        for text in [
            "https://github.com/acme/web.git",
            "git@github.com:acme/web.git",
            "ssh://git@host:2222/acme/web.git",
            "oci://ghcr.io/acme/charts",
            "registry-1.docker.io/bitnamicharts",
            "file:///srv/git/web.git",
            "/srv/git/web.git",
        ] {
            assert!(RepositoryUrl::parse(text).is_ok(), "{text}");
        }
        for text in ["not a url", "https://", "https:///acme", "htps://host/a", "a b@host:c", ""] {
            assert_eq!(RepositoryUrl::parse(text).is_ok(), text.is_empty(), "{text:?}");
        }
        assert_eq!(RepositoryUrl::parse("htps://h/a").expect_err("none").near.as_deref(), Some("https://h/a"));
    }

    #[test]
    fn hosts_are_names_and_not_addresses_of_pages() {
        for text in ["example.com", "a-b.example.com", "localhost", "_acme.example.com", "a.example.com."] {
            assert!(HostName::parse(text).is_ok(), "{text}");
        }
        for text in ["", "https://example.com", "a b", "-a.com", "a..b", "*.example.com", "example.com/x"] {
            assert!(HostName::parse(text).is_err(), "{text:?}");
        }
        assert!(HostPattern::parse("*.example.com").is_ok() && HostPattern::parse("*").is_err());
        assert_eq!(HostName::parse("https://a.b.com/x").expect_err("a page").near.as_deref(), Some("a.b.com"));
    }

    #[test]
    fn an_address_of_a_place_is_an_ip_or_a_name() {
        for text in ["203.0.113.10", "::1", "lb.example.com"] {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
        for text in ["203.0.113", "300.1.1.1", "a b", ""] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn methods_and_headers_are_those_of_http() {
        assert!(HttpMethod::parse("post").is_ok());
        assert_eq!(HttpMethod::parse("POTS").expect_err("none").near.as_deref(), Some("POST"));
        assert!(HeaderName::parse("X-Api-Key").is_ok());
        assert_eq!(HeaderName::parse("Content Type:").expect_err("none").near.as_deref(), Some("Content-Type"));
    }
}
