use landfall_diag::{Finding, Severity};

use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF156",
    title: "a proxy passes web sockets on",
    severity: Severity::Warning,
    why: "nginx passes neither `Upgrade` nor `Connection` to what stands behind it unless it is told to: a web socket through \
          it is answered as a plain request, and one that was opened is cut off after a minute of silence.",
    advice: "Set `proxy_http_version 1.1`, `proxy_set_header Upgrade $http_upgrade` and `proxy_set_header Connection \
             $connection_upgrade`, and a proxy_read_timeout of an hour.",
    check,
};

/// Words in a path that speak of web sockets.
const SOCKETS: &[&str] =
    &["ws", "wss", "websocket", "websockets", "socket", "socket.io", "cable", "hub", "subscriptions"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.of_kind("", "ConfigMap") {
        for (key, text, field) in texts(&desired.object) {
            if !text.contains("proxy_pass") {
                continue;
            }
            for location in locations(&text).into_iter().filter(|it| it.is_cut()) {
                findings.push(
                    RULE.finding(format!(
                        "`location {}` in `{key}` of ConfigMap `{}` passes no web socket on",
                        location.path,
                        desired.object.name()
                    ))
                    .because("what opens a web socket through this proxy is answered as if it had asked for a page")
                    .at(desired.spot_at(&field)),
                );
            }
        }
    }
    findings
}

/// A `location` of nginx with what it says.
struct Location {
    path: String,
    proxies: bool,
    /// Whether it speaks to what is behind it in a way that could carry a web socket.
    modern: bool,
    upgrades: bool,
}

impl Location {
    /// Whether web sockets are meant to go through and do not.
    fn is_cut(&self) -> bool {
        let words = self.path.split(['/', '^', '$', '~', '*', '(', ')', '\\', '?', '+', ' ']);
        let named = words.map(str::to_ascii_lowercase).any(|word| SOCKETS.contains(&word.as_str()));
        // Whatever goes to `/` goes through here, sockets among it; who asks for HTTP/1.1 keeps connections open.
        self.proxies && !self.upgrades && (named || (self.path == "/" && self.modern))
    }
}

/// The locations of a configuration, each with what the blocks around it say.
fn locations(text: &str) -> Vec<Location> {
    let mut found: Vec<Location> = Vec::new();
    // The blocks that are open: the location that began there, if one did, and whether it sets the header.
    let mut open: Vec<(Option<usize>, bool)> = vec![(None, false)];
    let plain: String =
        text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut statement = String::new();
    for letter in plain.chars() {
        match letter {
            '{' => {
                let head = statement.trim();
                // A variable such as `${HOST}` opens no block.
                if head.ends_with('$') {
                    statement.push(letter);
                    continue;
                }
                let inherited = open.last().is_some_and(|(_, upgrades)| *upgrades);
                let started = head.strip_prefix("location ").map(|path| {
                    let path = path.trim().trim_start_matches(['=', '~', '^', '*']).trim().to_owned();
                    found.push(Location { path, proxies: false, modern: false, upgrades: inherited });
                    found.len() - 1
                });
                open.push((started, inherited));
                statement.clear();
            }
            '}' if statement.contains("${") && !statement.ends_with('\n') && !statement.contains(';') => {
                statement.push(letter);
            }
            '}' => {
                if open.len() > 1 {
                    open.pop();
                }
                statement.clear();
            }
            ';' => {
                let words: Vec<&str> = statement.split_whitespace().collect();
                let upgrade = words.first() == Some(&"proxy_set_header")
                    && words.get(1).is_some_and(|name| name.eq_ignore_ascii_case("upgrade"));
                let block = open.last_mut().map(|block| {
                    block.1 |= upgrade;
                    *block
                });
                if let Some(location) = block.and_then(|(at, _)| found.get_mut(at?)) {
                    location.upgrades |= upgrade;
                    location.proxies |= words.first() == Some(&"proxy_pass");
                    location.modern |= words.first() == Some(&"proxy_http_version") && words.get(1) == Some(&"1.1");
                }
                statement.clear();
            }
            letter => statement.push(letter),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        locations(text).into_iter().filter(Location::is_cut).map(|it| it.path).collect()
    }

    #[test]
    fn locations_without_the_header_are_cut_where_sockets_go_through() {
        let server =
            |inner: &str| format!("map $http_upgrade $c {{ default upgrade; }}\nserver {{ listen 80;\n{inner}\n}}");
        let plain = "location / { proxy_http_version 1.1; proxy_pass http://${HOST}:80; }";
        assert_eq!(cut(&server(plain)), ["/"]);
        assert!(cut(&server("location / { proxy_pass http://web; }")).is_empty());
        assert_eq!(cut(&server("location ~ ^/ws/ { proxy_pass http://web; }")), ["^/ws/"]);
        let told =
            "location / { proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_pass http://web; }";
        assert!(cut(&server(told)).is_empty());
        assert!(cut(&server(&format!("proxy_set_header Upgrade $http_upgrade; {plain}"))).is_empty());
        assert!(cut("location / { root /srv; } # proxy_pass x; proxy_http_version 1.1;").is_empty());
    }
}
