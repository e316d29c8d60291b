//! Go's regular expression syntax to that of the `regex` crate.
//!
//! Both are RE2's children. What differs: Go's `\d \w \s \b` know ASCII only, `\Q…\E` and octal escapes exist, a `{` that
//! opens no count stands for itself, and inside `[…]` nothing but ranges and classes has a meaning.

/// Largest count in `{n,m}`.
const MAX_REPEAT: u32 = 1000;

/// Deepest nesting of groups.
const MAX_DEPTH: usize = 250;

/// Translates an expression.
///
/// # Errors
/// What is wrong with it, in Go's words: ``error parsing regexp: missing closing ]: `[a` ``.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        groups: Vec::new(),
        names: Vec::new(),
    };
    translator.run()?;
    Ok(translator.out)
}

fn problem(what: &str, text: &str) -> String {
    format!("error parsing regexp: {what}: `{text}`")
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    /// Whether something that can be repeated stands before the open groups.
    groups: Vec<()>,
    names: Vec<&'p str>,
}

/// What stands before a repetition operator.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Item,
    /// An operator, and where it begins.
    Operator(usize),
}

impl<'p> Translator<'p> {
    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn run(&mut self) -> Result<(), String> {
        let mut before = Before::Nothing;
        while let Some(c) = self.rest().chars().next() {
            match c {
                '(' => before = self.open()?,
                ')' => {
                    if self.groups.pop().is_none() {
                        return Err(problem("unexpected )", self.pattern));
                    }
                    self.take(")");
                    before = Before::Item;
                }
                '|' => {
                    self.take("|");
                    before = Before::Nothing;
                }
                '*' | '+' | '?' => {
                    before = self.repeat(1, before)?;
                }
                '{' => match count(self.rest()) {
                    Some((len, least, most)) => {
                        if least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least) {
                            return Err(problem("invalid repeat count", &self.rest()[..len]));
                        }
                        before = self.repeat(len, before)?;
                    }
                    None => {
                        self.literal('{');
                        self.at += 1;
                        before = Before::Item;
                    }
                },
                '[' => {
                    self.class()?;
                    before = Before::Item;
                }
                '\\' => before = self.escape(before)?,
                '^' | '$' | '.' => {
                    self.out.push(c);
                    self.at += 1;
                    before = Before::Item;
                }
                _ => {
                    self.literal(c);
                    self.at += c.len_utf8();
                    before = Before::Item;
                }
            }
        }
        if !self.groups.is_empty() {
            return Err(problem("missing closing )", self.pattern));
        }
        Ok(())
    }

    fn take(&mut self, text: &str) {
        self.out.push_str(text);
        self.at += text.len();
    }

    fn literal(&mut self, c: char) {
        if c.is_alphanumeric() || c == '_' || c == ' ' || !c.is_ascii() {
            self.out.push(c);
        } else {
            self.out.push_str(&format!("\\x{{{:X}}}", c as u32));
        }
    }

    fn repeat(&mut self, len: usize, before: Before) -> Result<Before, String> {
        let start = self.at;
        let lazy = usize::from(self.rest()[len..].starts_with('?'));
        let operator = &self.rest()[..len + lazy];
        match before {
            Before::Nothing => return Err(problem("missing argument to repetition operator", operator)),
            Before::Operator(first) => {
                let text = &self.pattern[first..start + len + lazy];
                return Err(problem("invalid nested repetition operator", text));
            }
            Before::Item => {}
        }
        self.take(operator);
        Ok(Before::Operator(start))
    }

    fn open(&mut self) -> Result<Before, String> {
        if self.groups.len() >= MAX_DEPTH {
            return Err(problem("expression nests too deeply", self.pattern));
        }
        let rest = self.rest();
        if !rest.starts_with("(?") {
            self.take("(");
            self.groups.push(());
            return Ok(Before::Nothing);
        }
        for prefix in ["(?P<", "(?<"] {
            let Some(named) = rest.strip_prefix(prefix) else { continue };
            let Some(end) = named.find('>') else { return Err(problem("invalid named capture", rest)) };
            let name = &named[..end];
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(problem("invalid named capture", &rest[..prefix.len() + end + 1]));
            }
            // Go lets a name begin with a digit or occur twice, `regex` does not: such a group has its number only.
            let numbered = name.starts_with(|c: char| c.is_ascii_digit()) || self.names.contains(&name);
            self.names.push(name);
            let opening = if numbered { "(".to_owned() } else { format!("(?P<{name}>") };
            self.out.push_str(&opening);
            self.at += prefix.len() + end + 1;
            self.groups.push(());
            return Ok(Before::Nothing);
        }
        self.flags(rest)
    }

    /// `(?flags)` or `(?flags:`.
    fn flags(&mut self, rest: &'p str) -> Result<Before, String> {
        let (mut signs, mut since_sign) = (0, 0);
        for (offset, c) in rest.char_indices().skip(2) {
            match c {
                'i' | 'm' | 's' | 'U' => since_sign += 1,
                '-' if signs == 0 => {
                    signs = 1;
                    since_sign = 0;
                }
                ':' | ')' if signs == 0 || since_sign > 0 => {
                    let text = &rest[..=offset];
                    if c == ':' {
                        self.groups.push(());
                        self.take(text);
                        return Ok(Before::Nothing);
                    }
                    // An empty list of flags is fine in Go only.
                    self.out.push_str(if text == "(?)" { "(?:)" } else { text });
                    self.at += text.len();
                    return Ok(Before::Nothing);
                }
                _ => return Err(problem("invalid or unsupported Perl syntax", &rest[..offset + c.len_utf8()])),
            }
        }
        Err(problem("invalid or unsupported Perl syntax", rest))
    }

    /// A backslash outside of a class.
    fn escape(&mut self, before: Before) -> Result<Before, String> {
        let rest = self.rest();
        match rest[1..].chars().next() {
            Some('Q') => {
                let body = &rest[2..];
                let end = body.find("\\E").unwrap_or(body.len());
                for c in body[..end].chars() {
                    self.literal(c);
                }
                self.at += (end + 4).min(rest.len());
                return Ok(if end == 0 { before } else { Before::Item });
            }
            Some(c @ ('A' | 'z')) => {
                self.out.push('\\');
                self.out.push(c);
                self.at += 2;
            }
            Some(c @ ('b' | 'B')) => {
                self.out.push_str(&format!("(?-u:\\{c})"));
                self.at += 2;
            }
            _ => {
                if let Some((class, len)) = perl_class(rest).or(unicode_class(rest)?) {
                    self.out.push_str(&class);
                    self.at += len;
                } else {
                    let (c, len) = escaped_char(rest)?;
                    self.literal(c);
                    self.at += len;
                }
            }
        }
        Ok(Before::Item)
    }

    /// `[…]`
    fn class(&mut self) -> Result<(), String> {
        let whole = self.rest();
        let mut out = String::from("[");
        let mut at = 1;
        if whole[at..].starts_with('^') {
            out.push('^');
            at += 1;
        }
        let mut first = true;
        loop {
            let rest = &whole[at..];
            let Some(c) = rest.chars().next() else { return Err(problem("missing closing ]", whole)) };
            if c == ']' && !first {
                at += 1;
                break;
            }
            first = false;
            if let Some(named) = rest.strip_prefix("[:")
                && let Some(end) = named.find(":]")
            {
                let text = &rest[..end + 4];
                if !POSIX.contains(&named[..end].trim_start_matches('^')) {
                    return Err(problem("invalid character class range", text));
                }
                out.push_str(text);
                at += text.len();
                continue;
            }
            if c == '\\'
                && let Some((class, len)) = perl_class(rest).or(unicode_class(rest)?)
            {
                out.push_str(&class);
                at += len;
                continue;
            }
            let (low, len) = class_char(rest, whole)?;
            at += len;
            let mut high = low;
            let rest = &whole[at..];
            if rest.starts_with('-') && !rest[1..].starts_with(']') && rest.len() > 1 {
                let (end, end_len) = class_char(&rest[1..], whole)?;
                if end < low {
                    let text = &whole[at - len..at + 1 + end_len];
                    return Err(problem("invalid character class range", text));
                }
                high = end;
                at += 1 + end_len;
            }
            out.push_str(&format!("\\x{{{:X}}}-\\x{{{:X}}}", low as u32, high as u32));
        }
        out.push(']');
        self.out.push_str(&out);
        self.at += at;
        Ok(())
    }
}

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

fn class_char(rest: &str, whole: &str) -> Result<(char, usize), String> {
    match rest.chars().next() {
        None => Err(problem("missing closing ]", whole)),
        Some('\\') => escaped_char(rest),
        Some(c) => Ok((c, c.len_utf8())),
    }
}

/// `{n}`, `{n,}` or `{n,m}`: its length and bounds.
fn count(text: &str) -> Option<(usize, u32, Option<u32>)> {
    let body = &text[1..text.find('}')?];
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        (plain && !leading_zero).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (least, most) = match body.split_once(',') {
        None => (number(body)?, Some(number(body)?)),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((body.len() + 2, least, most))
}

/// `\d` and its like, which know ASCII only.
fn perl_class(text: &str) -> Option<(String, usize)> {
    let class = match text[1..].chars().next()? {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\f\\r\\x20]",
        'S' => "[^\\t\\n\\f\\r\\x20]",
        _ => return None,
    };
    Some((class.to_owned(), 2))
}

/// `\pL`, `\p{Greek}`, `\P…` and `\p{^…}`.
fn unicode_class(text: &str) -> Result<Option<(String, usize)>, String> {
    let negative = match text[1..].chars().next() {
        Some('p') => false,
        Some('P') => true,
        _ => return Ok(None),
    };
    let invalid = |len: usize| Err(problem("invalid character class range", &text[..len]));
    let body = &text[2..];
    let (name, len) = match body.strip_prefix('{') {
        Some(named) => match named.find('}') {
            Some(end) => (&named[..end], end + 4),
            None => return invalid(text.len()),
        },
        None => match body.chars().next() {
            Some(c) => (&body[..c.len_utf8()], 2 + c.len_utf8()),
            None => return invalid(text.len()),
        },
    };
    let (negative, name) = match name.strip_prefix('^') {
        Some(name) => (!negative, name),
        None => (negative, name),
    };
    let sign = if negative { 'P' } else { 'p' };
    let class = if name == "Any" { format!("\\{sign}{{any}}") } else { format!("\\{sign}{{{name}}}") };
    if name.is_empty() || regex::Regex::new(&class).is_err() {
        return invalid(len);
    }
    Ok(Some((class, len)))
}

/// A character behind a backslash, and the length of both.
fn escaped_char(text: &str) -> Result<(char, usize), String> {
    let body = &text[1..];
    let Some(c) = body.chars().next() else {
        return Err(problem("trailing backslash at end of expression", ""));
    };
    let invalid = || problem("invalid escape sequence", &text[..1 + c.len_utf8()]);
    let octal = |digits: usize| {
        let run = body.bytes().take(digits).take_while(|b| (b'0'..=b'7').contains(b)).count();
        let code = u32::from_str_radix(&body[..run], 8).unwrap_or(0);
        Ok((char::from_u32(code).unwrap_or('\0'), 1 + run))
    };
    Ok(match c {
        '0' => return octal(3),
        '1'..='7' if body[1..].starts_with(|c: char| ('0'..='7').contains(&c)) => return octal(3),
        'x' => return hex(text).map_err(|len| problem("invalid escape sequence", &text[..len])),
        'a' => ('\u{7}', 2),
        'f' => ('\u{c}', 2),
        'n' => ('\n', 2),
        'r' => ('\r', 2),
        't' => ('\t', 2),
        'v' => ('\u{b}', 2),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => (c, 2),
        _ => return Err(invalid()),
    })
}

/// `\x41` or `\x{1F600}`; the error is how far Go reads before it gives up.
fn hex(text: &str) -> Result<(char, usize), usize> {
    let mut at = 2;
    let mut next = || {
        let c = text[at..].chars().next().ok_or(text.len())?;
        at += c.len_utf8();
        Ok::<_, usize>((c, at))
    };
    let (first, _) = next()?;
    if first != '{' {
        let (second, len) = next()?;
        return match (first.to_digit(16), second.to_digit(16)) {
            (Some(high), Some(low)) => Ok((char::from((high << 4 | low) as u8), len)),
            _ => Err(len),
        };
    }
    let mut code = None;
    loop {
        let (c, len) = next()?;
        if c == '}' {
            return code.and_then(char::from_u32).map(|c| (c, len)).ok_or(len);
        }
        let digit = c.to_digit(16).ok_or(len)?;
        let value = code.unwrap_or(0) << 4 | digit;
        if value > 0x10_FFFF {
            return Err(len);
        }
        code = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_expressions_are_refused_in_gos_words() {
        for (pattern, words) in [
            ("[a", "missing closing ]: `[a`"),
            ("(a", "missing closing ): `(a`"),
            ("a)", "unexpected ): `a)`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("\\8", "invalid escape sequence: `\\8`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("\\", "trailing backslash at end of expression: ``"),
        ] {
            assert_eq!(translate(pattern).expect_err(pattern), format!("error parsing regexp: {words}"));
        }
    }

    #[test]
    fn what_rust_takes_for_syntax_stays_literal() {
        for (pattern, text) in
            [("a{,2}", "a{,2}"), ("[a&&b]+", "&&"), ("[[a]+", "[a"), ("\\Qa.b\\E", "a.b"), ("x{", "x{")]
        {
            let regex = regex::Regex::new(&format!("^(?:{})$", translate(pattern).expect(pattern))).expect(pattern);
            assert!(regex.is_match(text), "{pattern}");
        }
    }
}
