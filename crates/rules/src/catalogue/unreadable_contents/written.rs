//! Files whose form is plain enough to be told wrong for certain: sections, nginx's blocks, XML's tags.

/// A file of sections: what begins one ends it in the same line.
pub(super) fn sections(text: &str) -> Result<(), String> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let mut headings = lines.filter(|(_, line)| line.starts_with('['));
    match headings.find(|(_, line)| !line.contains(']')) {
        Some((at, _)) => Err(format!("line {at}: the section's name has no end")),
        None => Ok(()),
    }
}

/// Directives of nginx that end with a semicolon and never hold a block.
const SIMPLE: &[&str] = &[
    "listen",
    "server_name",
    "root",
    "index",
    "return",
    "rewrite",
    "proxy_pass",
    "proxy_set_header",
    "proxy_http_version",
    "fastcgi_pass",
    "fastcgi_param",
    "add_header",
    "include",
    "client_max_body_size",
    "try_files",
    "access_log",
    "error_log",
    "keepalive_timeout",
    "sendfile",
    "gzip",
    "worker_processes",
    "worker_connections",
    "default_type",
    "expires",
    "deny",
    "allow",
    "resolver",
    "set",
];

/// What makes a file one of nginx.
const BLOCKS: &[&str] = &["server", "http", "location", "upstream", "events", "stream"];

/// A file of nginx: what is opened is closed, and each directive ends. Other programs' files are not looked at.
pub(super) fn nginx(text: &str) -> Result<(), String> {
    let words = words(text)?;
    let opens = |name: &str| {
        words
            .windows(2)
            .any(|pair| pair[0].is(name) && (pair[1].text == "{" || name == "location" || name == "upstream"))
    };
    if !BLOCKS.iter().any(|name| opens(name)) || !words.iter().any(|word| word.text == ";") {
        return Ok(());
    }
    let mut open: Vec<usize> = Vec::new();
    let mut directive: Vec<&Word<'_>> = Vec::new();
    for word in &words {
        match word.text {
            // Code of another language follows its own rules.
            "{" if directive.first().is_some_and(|it| it.text.contains("_by_lua") || it.text == "js_content") => {
                return Ok(());
            }
            "{" => {
                unfinished(&directive)?;
                open.push(word.line);
                directive.clear();
            }
            ";" => {
                unfinished(&directive)?;
                directive.clear();
            }
            "}" => {
                if let Some(first) = directive.first().filter(|it| !it.quoted) {
                    return Err(format!("line {}: the directive has no semicolon", first.line));
                }
                if open.pop().is_none() {
                    return Err(format!("line {}: nothing is open that is closed here", word.line));
                }
            }
            _ => directive.push(word),
        }
    }
    match open.last() {
        Some(line) => Err(format!("the block of line {line} is not closed")),
        None => Ok(()),
    }
}

/// A directive behind which the next one begins in a line of its own, with no semicolon between them; or that opens a block.
fn unfinished(directive: &[&Word<'_>]) -> Result<(), String> {
    let Some((first, rest)) = directive.split_first().filter(|(first, _)| SIMPLE.contains(&first.text)) else {
        return Ok(());
    };
    let next =
        rest.iter().find(|it| it.first && !it.quoted && (SIMPLE.contains(&it.text) || BLOCKS.contains(&it.text)));
    match next {
        Some(_) => Err(format!("line {}: the directive has no semicolon", first.line)),
        None => Ok(()),
    }
}

/// A word of a configuration.
struct Word<'t> {
    text: &'t str,
    /// From 1.
    line: usize,
    /// Whether it is the first of its line.
    first: bool,
    quoted: bool,
}

impl Word<'_> {
    fn is(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }
}

fn words(text: &str) -> Result<Vec<Word<'_>>, String> {
    let mut found: Vec<Word<'_>> = Vec::new();
    let bytes = text.as_bytes();
    let (mut at, mut line) = (0, 1);
    let mut add = |text, line, quoted| {
        let first = found.last().is_none_or(|last: &Word<'_>| last.line != line);
        found.push(Word { text, line, first, quoted });
    };
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => {
                line += 1;
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'{' | b'}' | b';' => {
                add(&text[at..=at], line, false);
                at += 1;
            }
            quote @ (b'"' | b'\'') => {
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != quote {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                if end >= bytes.len() {
                    return Err(format!("line {line}: the quotes are not closed"));
                }
                add(&text[at..=end], line, true);
                line += text[at..end].matches('\n').count();
                at = end + 1;
            }
            _ => {
                let mut end = at;
                // `${name}` is one word.
                while end < bytes.len() && !bytes[end].is_ascii_whitespace() && bytes[end] != b';' {
                    if bytes[end] == b'\\' {
                        end += 1;
                    } else if matches!(bytes[end], b'{' | b'}') {
                        let is_of_word = bytes[end] == b'{' && end > at && bytes[end - 1] == b'$';
                        match text[end..].find('}').filter(|_| is_of_word) {
                            Some(close) => end += close,
                            None => break,
                        }
                    }
                    end += 1;
                }
                let end = end.clamp(at + 1, bytes.len());
                let Some(word) = text.get(at..end) else { return Ok(Vec::new()) };
                add(word, line, false);
                at = end;
            }
        }
    }
    Ok(found)
}

/// A file of names and hashes of passwords (`.htpasswd`): a hash begins with what made it, or is as long as the
/// oldest one's.
// ORIGIN: httpd.apache.org/docs/2.4/misc/password_encryptions.html;
// nginx.org/en/docs/http/ngx_http_auth_basic_module.html.
pub(super) fn passwords(text: &str) -> Result<(), String> {
    let is_hash = |word: &str| {
        let is_of_crypt = word.len() == 13 && word.bytes().all(|it| it.is_ascii_alphanumeric() || b"./".contains(&it));
        word.starts_with(['$', '{']) || is_of_crypt
    };
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(':') {
            None => return Err(format!("line {at} has no `:` between a name and its hash")),
            // A third part is a comment.
            Some((_, rest)) if !is_hash(rest.split(':').next().unwrap_or_default()) => {
                return Err(format!("the password of line {at} is no hash"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// An XML file: what is opened is closed, in its order.
pub(super) fn xml(text: &str) -> Result<(), String> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('<').map(|from| at + from) {
        let line = text[..start].matches('\n').count() + 1;
        let rest = &text[start..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">")]
            .iter()
            .find(|(from, _)| rest.starts_with(from));
        if let Some((from, to)) = skipped {
            // An inner part of a document type has tags of its own.
            if *from == "<!" && rest[..rest.find('>').unwrap_or(rest.len())].contains('[') {
                return Ok(());
            }
            match rest.find(to) {
                Some(end) => at = start + end + to.len(),
                None => return Err(format!("line {line}: what begins there does not end")),
            }
            continue;
        }
        let Some(end) = end_of_tag(rest) else { return Err(format!("line {line}: the tag does not end")) };
        let tag = &rest[1..end];
        at = start + end + 1;
        if let Some(closed) = tag.strip_prefix('/') {
            match open.pop() {
                Some((opened, _)) if opened == closed.trim() => {}
                Some((_, from)) => {
                    return Err(format!("line {line}: another tag is closed than the one of line {from}"));
                }
                None => return Err(format!("line {line}: nothing is open that is closed here")),
            }
        } else if !tag.ends_with('/') {
            let name = tag.split(char::is_whitespace).next().unwrap_or_default();
            if name.is_empty() || !name.starts_with(|it: char| it.is_alphabetic() || it == '_') {
                return Err(format!("line {line}: a tag without a name"));
            }
            open.push((name, line));
        }
    }
    match open.last() {
        Some((_, line)) => Err(format!("the tag of line {line} is not closed")),
        None => Ok(()),
    }
}

/// Where a tag ends, its attributes' quotes passed over.
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    rest.bytes().enumerate().find_map(|(at, byte)| {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return Some(at),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_it_begins() {
        assert!(sections("[a]\nb = 1\n[c d]\n").is_ok());
        assert_eq!(sections("a = 1\n[b\nc = 1\n"), Err("line 2: the section's name has no end".to_owned()));
    }

    #[test]
    fn nginx_is_told_of_what_is_not_ended() {
        let good = "events {}\nhttp {\n  log_format main '$a \"$b\"'\n    '$c';\n  map $x $y { default 1; \"~^a{2}\" 2; }\n  server {\n    listen 80;\n    server_name a b\n      c;\n    location ~* \\.(js|css)$ { expires 1d; }\n    location ~ \"^/a{1,3}$\" { return 200 \"${host};\"; }\n  }\n}\n";
        assert_eq!(nginx(good), Ok(()));
        assert_eq!(
            nginx("server {\n  listen 80\n  location / { return 200; }\n}\n"),
            Err("line 2: the directive has no semicolon".to_owned())
        );
        assert_eq!(
            nginx("server {\n  listen 80;\n  root /srv\n}\n"),
            Err("line 3: the directive has no semicolon".to_owned())
        );
        assert_eq!(
            nginx("server {\n  listen 80;\n  location / { return 200;\n}\n"),
            Err("the block of line 1 is not closed".to_owned())
        );
        assert_eq!(nginx("maxmemory 100mb\nsave 900 1\n"), Ok(()), "another program's");
    }

    #[test]
    fn a_password_is_kept_as_a_hash() {
        let good = "# of the web\na:$apr1$x$y\nb:{SHA}z=\nc:rl5FQhnWUaEwo:a comment\nd:$2y$05$z\n";
        assert_eq!(passwords(good), Ok(()));
        assert_eq!(passwords("a:$apr1$x$y\nb:in-the-clear\n"), Err("the password of line 2 is no hash".to_owned()));
        assert!(passwords("just a word").is_err());
    }

    #[test]
    fn tags_are_closed_in_their_order() {
        assert!(xml("<?xml version=\"1.0\"?>\n<!-- <a> -->\n<a b=\"x>y\"><c/><d>t &lt; u</d></a>\n").is_ok());
        assert!(xml("<a><b></a>").is_err_and(|it| it.contains("another tag")));
        assert_eq!(xml("<a>\n<b/>\n"), Err("the tag of line 1 is not closed".to_owned()));
    }
}
