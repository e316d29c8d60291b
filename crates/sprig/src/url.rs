//! Sprig's `url.go`, over Go's `net/url`.

use landfall_gotemplate::{Args, CallCtx, Func, FuncError, FuncMap, Map, Type, Value, format};

use crate::cast::NIL_DEREFERENCE;

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert("urlParse", Func::new(&[Type::String], url_parse));
    funcs.insert("urlJoin", Func::new(&[Type::MAP], url_join));
}

/// What part of a URL a text is escaped for.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Path,
    Host,
    UserInfo,
    Fragment,
}

#[derive(Default)]
struct Url {
    scheme: Vec<u8>,
    opaque: Vec<u8>,
    user: Option<User>,
    host: Vec<u8>,
    path: Vec<u8>,
    raw_path: Vec<u8>,
    force_query: bool,
    query: Vec<u8>,
    fragment: Vec<u8>,
}

struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl User {
    fn text(&self) -> Vec<u8> {
        let mut out = escape(&self.name, Part::UserInfo);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escape(password, Part::UserInfo));
        }
        out
    }
}

fn url_parse(_: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let text = a.bytes(0);
    let url = parse(text).map_err(|problem| {
        let quoted = format::quote(text.split(|byte| *byte == b'#').next().unwrap_or(text));
        FuncError::new(format!("unable to parse url: parse {quoted}: {problem}"))
    })?;
    let hostname = hostname(&url.host).to_vec();
    let userinfo = url.user.as_ref().map(User::text).unwrap_or_default();
    Ok(Value::from(
        [
            ("scheme", url.scheme),
            ("host", url.host),
            ("hostname", hostname),
            ("path", url.path),
            ("query", url.query),
            ("opaque", url.opaque),
            ("fragment", url.fragment),
            ("userinfo", userinfo),
        ]
        .into_iter()
        .map(|(key, text)| (key, Value::str(text)))
        .collect::<Map>(),
    ))
}

fn url_join(_: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let map = a.map(0);
    let part = |key: &str| match map.get(key) {
        None => Ok(Vec::new()),
        Some(value) => match value.as_str() {
            Some(text) => Ok(text.to_vec()),
            None if value.is_nil() => Err(FuncError::new(NIL_DEREFERENCE)),
            None => Err(FuncError::new(format!(
                "unable to parse {key} key, must be of type string, but {} found",
                value.kind_name()
            ))),
        },
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        ..Url::default()
    };
    let userinfo = part("userinfo")?;
    if !userinfo.is_empty() {
        let whole = [b"proto://", &userinfo[..], b"@host"].concat();
        let parsed = parse(&whole).map_err(|problem| {
            FuncError::new(format!("unable to parse userinfo in dict: parse {}: {problem}", format::quote(&whole)))
        })?;
        url.user = parsed.user;
    }
    Ok(Value::str(url.text()))
}

/// A host without its port and brackets.
fn hostname(host: &[u8]) -> &[u8] {
    let host = match memchr::memrchr(b':', host) {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    };
    host.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]")).unwrap_or(host)
}

fn parse(text: &[u8]) -> Result<Url, String> {
    let (body, fragment) = match memchr::memchr(b'#', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b""[..]),
    };
    if body.iter().any(|byte| *byte < b' ' || *byte == 0x7F) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    if body == b"*" {
        url.path = b"*".to_vec();
        return Ok(url);
    }
    let (scheme, mut rest) = scheme(body)?;
    url.scheme = scheme.to_ascii_lowercase();
    if rest.ends_with(b"?") && memchr::memchr_iter(b'?', rest).count() == 1 {
        url.force_query = true;
        rest = &rest[..rest.len() - 1];
    } else if let Some(at) = memchr::memchr(b'?', rest) {
        url.query = rest[at + 1..].to_vec();
        rest = &rest[..at];
    }
    if !rest.starts_with(b"/") {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_vec();
            url.fragment = unescape(fragment, Part::Fragment)?;
            return Ok(url);
        }
        let segment = rest.split(|byte| *byte == b'/').next().unwrap_or(rest);
        if segment.contains(&b':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///")) {
        let authority = &rest[2..];
        let end = memchr::memchr(b'/', authority).unwrap_or(authority.len());
        rest = &authority[end..];
        parse_authority(&mut url, &authority[..end])?;
    }
    url.path = unescape(rest, Part::Path)?;
    if escape(&url.path, Part::Path) != rest {
        url.raw_path = rest.to_vec();
    }
    url.fragment = unescape(fragment, Part::Fragment)?;
    Ok(url)
}

/// A scheme before its colon, if there is one.
fn scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_authority(url: &mut Url, authority: &[u8]) -> Result<(), String> {
    let (userinfo, host) = match memchr::memrchr(b'@', authority) {
        Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
        None => (None, authority),
    };
    check_port(host)?;
    url.host = unescape(host, Part::Host)?;
    if let Some(userinfo) = userinfo {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
        if !userinfo.iter().all(allowed) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match memchr::memchr(b':', userinfo) {
            Some(at) => (&userinfo[..at], Some(unescape(&userinfo[at + 1..], Part::UserInfo)?)),
            None => (userinfo, None),
        };
        url.user = Some(User { name: unescape(name, Part::UserInfo)?, password });
    }
    Ok(())
}

fn check_port(host: &[u8]) -> Result<(), String> {
    let port = if host.starts_with(b"[") {
        let Some(end) = memchr::memrchr(b']', host) else { return Err("missing ']' in host".to_owned()) };
        &host[end + 1..]
    } else {
        memchr::memrchr(b':', host).map_or(&b""[..], |at| &host[at..])
    };
    match port.split_first() {
        None => Ok(()),
        Some((b':', digits)) if digits.iter().all(u8::is_ascii_digit) => Ok(()),
        _ => Err(format!("invalid port {} after host", format::quote(port))),
    }
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if byte == b'%' {
            let digit = |k: usize| text.get(at + k).and_then(|byte| char::from(*byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                let bad = &text[at..text.len().min(at + 3)];
                return Err(format!("invalid URL escape {}", format::quote(bad)));
            };
            out.push((high << 4 | low) as u8);
            at += 3;
            continue;
        }
        if part == Part::Host && byte < 0x80 && must_escape(byte, part) {
            return Err(format!("invalid character {} in host name", format::quote(&[byte])));
        }
        out.push(byte);
        at += 1;
    }
    Ok(out)
}

fn must_escape(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    match part {
        Part::Host => !b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Part::Path => !b"$&+,/:;=@".contains(&byte),
        Part::UserInfo => !b"$&+,;=".contains(&byte),
        Part::Fragment => !b"$&+,/:;=?@!()*".contains(&byte),
    }
}

fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if must_escape(*byte, part) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

impl Url {
    fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.write_authority(&mut out);
            let path = if self.raw_path.is_empty() { self.escaped_path() } else { self.raw_path.clone() };
            if path.first().is_some_and(|first| *first != b'/') && !self.host.is_empty() {
                out.push(b'/');
            }
            if out.is_empty() {
                let segment = path.split(|byte| *byte == b'/').next().unwrap_or(&path);
                if segment.contains(&b':') {
                    out.extend_from_slice(b"./");
                }
            }
            out.extend(path);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escape(&self.fragment, Part::Fragment));
        }
        out
    }

    fn write_authority(&self, out: &mut Vec<u8>) {
        if self.scheme.is_empty() && self.host.is_empty() && self.user.is_none() {
            return;
        }
        if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.extend(user.text());
            out.push(b'@');
        }
        if !self.host.is_empty() {
            out.extend(escape(&self.host, Part::Host));
        }
    }

    fn escaped_path(&self) -> Vec<u8> {
        if self.path == b"*" { b"*".to_vec() } else { escape(&self.path, Part::Path) }
    }
}
