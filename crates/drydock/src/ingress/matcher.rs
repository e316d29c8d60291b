//! Traefik's rules: ``Host(`a.example`) && (PathPrefix(`/x`) || Path(`/y`))``.

use http::HeaderMap;
use regex::Regex;

/// The longest rule that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// The deepest nesting that is read.
const DEEPEST: usize = 64;

/// What a rule is asked about.
pub(crate) struct Asked<'a> {
    /// The host without its port, in lower case.
    pub(crate) host: &'a str,
    pub(crate) method: &'a str,
    /// The path without the query.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
}

/// A rule, read.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Host(Vec<String>),
    HostRegexp(Vec<Regex>),
    Path(Vec<String>),
    PathPrefix(Vec<String>),
    PathRegexp(Vec<Regex>),
    Method(Vec<String>),
    Header(String, String),
    HeaderRegexp(String, Regex),
    Query(String, Option<String>),
    /// Where requests come from: here always from this machine.
    Client,
    All(Vec<Matcher>),
    Any(Vec<Matcher>),
    Not(Box<Matcher>),
}

impl Matcher {
    /// Reads a rule; the error is a sentence.
    pub(crate) fn parse(rule: &str) -> Result<Self, String> {
        if rule.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        if rule.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let mut reader = Reader { rest: rule, depth: 0 };
        let matcher = reader.any()?;
        reader.space();
        if reader.rest.is_empty() { Ok(matcher) } else { Err(format!("unexpected {:?}", short(reader.rest))) }
    }

    /// Whether the request is the rule's.
    pub(crate) fn matches(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Host(hosts) => hosts.iter().any(|host| host == asked.host),
            Self::HostRegexp(hosts) => hosts.iter().any(|host| host.is_match(asked.host)),
            Self::Path(paths) => paths.iter().any(|path| path == asked.path),
            Self::PathPrefix(prefixes) => prefixes.iter().any(|prefix| asked.path.starts_with(prefix.as_str())),
            Self::PathRegexp(paths) => paths.iter().any(|path| path.is_match(asked.path)),
            Self::Method(methods) => methods.iter().any(|method| method.eq_ignore_ascii_case(asked.method)),
            Self::Header(name, value) => {
                asked.headers.get_all(name.as_str()).iter().any(|v| v.as_bytes() == value.as_bytes())
            }
            Self::HeaderRegexp(name, value) => {
                asked.headers.get_all(name.as_str()).iter().any(|v| v.to_str().is_ok_and(|v| value.is_match(v)))
            }
            Self::Query(name, value) => asked.query.split('&').any(|pair| {
                let (key, given) = pair.split_once('=').unwrap_or((pair, ""));
                key == name && value.as_deref().is_none_or(|value| value == given)
            }),
            Self::Client => true,
            Self::All(all) => all.iter().all(|one| one.matches(asked)),
            Self::Any(any) => any.iter().any(|one| one.matches(asked)),
            Self::Not(one) => !one.matches(asked),
        }
    }

    /// Whether it asks from where a request comes: nobody knows that here, and any place will do.
    pub(crate) fn asks_for_client(&self) -> bool {
        match self {
            Self::Client => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_for_client),
            Self::Not(one) => one.asks_for_client(),
            _ => false,
        }
    }

    /// The hosts the rule names, for choosing a certificate.
    pub(crate) fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Host(hosts) => hosts.iter().map(String::as_str).collect(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::hosts).collect(),
            _ => Vec::new(),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    fn any(&mut self) -> Result<Matcher, String> {
        let mut parts = vec![self.all()?];
        while self.take("||") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Matcher::Any(parts) })
    }

    fn all(&mut self) -> Result<Matcher, String> {
        let mut parts = vec![self.one()?];
        while self.take("&&") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Matcher::All(parts) })
    }

    fn one(&mut self) -> Result<Matcher, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested deeper than {DEEPEST}"));
        }
        let matcher = if self.take("!") {
            Matcher::Not(Box::new(self.one()?))
        } else if self.take("(") {
            let inner = self.any()?;
            if !self.take(")") {
                return Err("a parenthesis is not closed".to_owned());
            }
            inner
        } else {
            self.call()?
        };
        self.depth -= 1;
        Ok(matcher)
    }

    fn call(&mut self) -> Result<Matcher, String> {
        self.space();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        self.rest = &self.rest[end..];
        if !self.take("(") {
            return Err(format!("expected a matcher such as Host(`…`), found {:?}", short(name)));
        }
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.text()?);
                if self.take(")") {
                    break;
                }
                if !self.take(",") {
                    return Err(format!("{name} is not closed"));
                }
            }
        }
        build(name, arguments)
    }

    fn text(&mut self) -> Result<String, String> {
        self.space();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '`' | '"' | '\''));
        let Some(quote) = quote else { return Err(format!("expected a quoted text, found {:?}", short(self.rest))) };
        let inner = &self.rest[1..];
        let Some((text, rest)) = inner.split_once(quote) else { return Err("a quoted text does not end".to_owned()) };
        self.rest = rest;
        Ok(text.to_owned())
    }
}

fn build(name: &str, mut arguments: Vec<String>) -> Result<Matcher, String> {
    if arguments.is_empty() {
        return Err(format!("{name} needs an argument"));
    }
    let regexes = |arguments: &[String]| -> Result<Vec<Regex>, String> {
        arguments.iter().map(|a| Regex::new(a).map_err(|_| format!("{a:?} is not a regular expression"))).collect()
    };
    let pair = |mut arguments: Vec<String>| match (arguments.pop(), arguments.pop()) {
        (Some(value), Some(key)) if arguments.is_empty() => Ok((key, value)),
        _ => Err(format!("{name} needs a name and a value")),
    };
    Ok(match name {
        "Host" => Matcher::Host(arguments.iter().map(|h| h.to_ascii_lowercase()).collect()),
        "HostRegexp" => Matcher::HostRegexp(regexes(&arguments)?),
        "Path" => Matcher::Path(arguments),
        "PathPrefix" => Matcher::PathPrefix(arguments),
        "PathRegexp" => Matcher::PathRegexp(regexes(&arguments)?),
        "Method" => Matcher::Method(arguments),
        "Header" | "Headers" => {
            let (key, value) = pair(arguments)?;
            Matcher::Header(key.to_ascii_lowercase(), value)
        }
        "HeaderRegexp" | "HeadersRegexp" => {
            let (key, value) = pair(arguments)?;
            let value = Regex::new(&value).map_err(|_| format!("{value:?} is not a regular expression"))?;
            Matcher::HeaderRegexp(key.to_ascii_lowercase(), value)
        }
        "Query" => match arguments.len() {
            1 => {
                let only = arguments.remove(0);
                match only.split_once('=') {
                    Some((key, value)) => Matcher::Query(key.to_owned(), Some(value.to_owned())),
                    None => Matcher::Query(only, None),
                }
            }
            _ => {
                let (key, value) = pair(arguments)?;
                Matcher::Query(key, Some(value))
            }
        },
        "ClientIP" => Matcher::Client,
        other => return Err(format!("unknown matcher {other:?}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(rule: &str, host: &str, path: &str) -> bool {
        let headers = HeaderMap::new();
        let asked = Asked { host, method: "GET", path, query: "", headers: &headers };
        Matcher::parse(rule).expect("a rule").matches(&asked)
    }

    #[test]
    fn rules_combine_as_written() {
        let rule = "Host(`a.example`) && (PathPrefix(`/x`) || Path(`/y`)) && !Path(`/x/no`)";
        assert!(matches(rule, "a.example", "/x/1"));
        assert!(matches(rule, "a.example", "/y"));
        assert!(!matches(rule, "a.example", "/x/no"));
        assert!(!matches(rule, "b.example", "/y"));
        assert!(matches(r"PathRegexp(`^/v[0-9]+$`)", "a", "/v2"));
    }

    #[test]
    fn what_is_no_rule_is_refused_with_a_reason() {
        for (rule, why) in [
            ("", "it is empty"),
            ("Host(`a`", "Host is not closed"),
            ("Host(a)", "expected a quoted text"),
            ("Hots(`a`)", "unknown matcher \"Hots\""),
            ("Host(`a`) Path(`/`)", "unexpected"),
            ("PathRegexp(`(`)", "is not a regular expression"),
        ] {
            let error = Matcher::parse(rule).expect_err(rule);
            assert!(error.contains(why), "{rule}: {error}");
        }
        let deep = format!("{}Host(`a`)", "(".repeat(10_000));
        assert!(Matcher::parse(&deep).is_err());
    }
}
