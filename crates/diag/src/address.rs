use std::borrow::Cow;

use crate::is_mutant;

/// What stands for a password in an address, as Go writes it.
const HIDDEN: &str = "***";

/// A text whose addresses show no credentials: `https://user:***@host/…`, and `https://***@host/…` where a token stands in
/// the user's place. Names of users are kept where a password follows them, for they say whose it is; so are the users
/// of `ssh://git@host`, which are no secrets.
///
/// Everything that is told passes through here: [`Diagnostic`](crate::Diagnostic) sees to its own texts.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if is_mutant("addresses") {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut done = 0;
    for (at, sign) in text.match_indices("://") {
        let start = at + sign.len();
        // Further on than the last one that was replaced: what was a password may look like an address.
        if start < done {
            continue;
        }
        let rest = &text[start..];
        // An authority ends at the path; a password that is not escaped may hold `/`, `?` and `#` all the same, and
        // then its end is the last `@` before the text goes on.
        let word = rest.find(|c: char| c.is_whitespace() || "\"'`<>|\\".contains(c)).unwrap_or(rest.len());
        let authority = rest[..word].find(['/', '?', '#']).unwrap_or(word);
        let is_port =
            |text: &str| text.split_once(':').is_none_or(|(_, port)| port.bytes().all(|c| c.is_ascii_digit()));
        let user_info = match rest[..authority].rfind('@') {
            Some(end) => end,
            // `host:8080/a@b` has a port, `user:pa/ss@host` has none.
            None if is_port(&rest[..authority]) => continue,
            None => match rest[..word].rfind('@') {
                Some(end) => end,
                None => continue,
            },
        };
        let scheme = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).next();
        let user = match rest[..user_info].split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}"),
            None if scheme.is_some_and(|scheme| scheme.ends_with("ssh")) || rest[..user_info].len() < 6 => continue,
            None => HIDDEN.to_owned(),
        };
        out.push_str(&text[done..start]);
        out.push_str(&user);
        done = start + user_info;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Diagnostic, Place};

    #[test]
    fn no_address_shows_its_password() {
        let shown = [
            ("https://u:hunter2@h/a.git", "https://u:***@h/a.git"),
            ("Get \"https://u:hunter2@h:8443/index.yaml\": EOF", "Get \"https://u:***@h:8443/index.yaml\": EOF"),
            ("oci://u:hunter2@h and git+https://v:hunter3@h", "oci://u:***@h and git+https://v:***@h"),
            ("https://:hunter2@h", "https://:***@h"),
            ("https://u:hunt@er2@h/a", "https://u:***@h/a"),
            ("https://u:hunt/er2@h/a", "https://u:***@h/a"),
            ("https://u:http://hunter2@h/a", "https://u:***@h/a"),
            ("https://ghp_0123456789@h/a", "https://***@h/a"),
            ("postgresql://app:hunter2@db:5432/app", "postgresql://app:***@db:5432/app"),
            ("`ssh://git:hunter2@h`", "`ssh://git:***@h`"),
        ];
        for (text, expected) in shown {
            assert_eq!(without_passwords(text), expected);
        }
    }

    #[test]
    fn an_address_without_one_stays_as_it_is() {
        let plain = [
            "https://h/a@b",
            "https://h:8443/@scope/name",
            "https://h:8443/a?b=c@d",
            "ssh://git@h/a.git",
            "git@github.com:a/b.git",
            "https://git@h/a",
            "http://127.0.0.1:80",
            "mail me@h, see https://h",
            "://",
            "a://",
            "",
        ];
        for text in plain {
            assert!(matches!(without_passwords(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn whatever_a_diagnostic_is_told_shows_no_password() {
        let address = "https://u:hunter2@h/a";
        let place = Place { source: Some(format!("repoURL: {address}")), ..Place::line(address, 1) };
        let diagnostic = Diagnostic::error(crate::code::BUG, address)
            .note(address)
            .help(address)
            .primary(place.clone(), address)
            .label(place, address);
        let all = format!("{diagnostic} {diagnostic:?} {}", crate::render_plain(&diagnostic));
        assert!(!all.contains("hunter2") && all.contains("https://u:***@h/a"), "{all}");
    }
}
