//! From text to tokens.

use super::Literal;
use super::trouble::Trouble;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    /// A name in backquotes: always a field.
    Quoted(String),
    Value(Literal),
    Mark(&'static str),
    End,
}

/// A token, and the bytes at which it begins and ends.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) from: usize,
    pub(super) to: usize,
}

const MARKS: [&str; 26] = [
    "&&", "||", "<=", ">=", "==", "!=", ".?", "[?", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "+", "-", "*",
    "/", "%", "!", "<", ">",
];

/// The tokens, and what could not be read; that is left out of them, as cel-go's lexer does.
pub(super) fn tokens(text: &str) -> (Vec<Placed>, Vec<Trouble>) {
    let (mut tokens, mut troubles) = (Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let from = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { break };
        match token(rest, first) {
            Ok((token, after)) => {
                rest = after;
                tokens.push(Placed { token, from, to: text.len() - rest.len() });
            }
            Err((what, after)) => {
                rest = after;
                troubles.push(Trouble { at: from, what });
            }
        }
    }
    tokens.push(Placed { token: Token::End, from: text.len(), to: text.len() });
    (tokens, troubles)
}

type Unread<'t> = (String, &'t str);

fn token(text: &str, first: char) -> Result<(Token, &str), Unread<'_>> {
    if let Some((literal, after)) = quoted(text)? {
        return Ok((Token::Value(literal), after));
    }
    if first.is_ascii_digit() || first == '.' && text[1..].starts_with(|c: char| c.is_ascii_digit()) {
        let (literal, after) = number(text)?;
        return Ok((Token::Value(literal), after));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let token = match &text[..end] {
            "true" => Token::Value(Literal::Bool(true)),
            "false" => Token::Value(Literal::Bool(false)),
            "null" => Token::Value(Literal::Null),
            "in" => Token::Mark("in"),
            name => Token::Name(name.to_owned()),
        };
        return Ok((token, &text[end..]));
    }
    if let Some(after) = text.strip_prefix('`') {
        let (name, after) = after.split_once('`').ok_or_else(|| unread(text, text.len()))?;
        return Ok((Token::Quoted(name.to_owned()), after));
    }
    if let Some(mark) = MARKS.iter().find(|mark| text.starts_with(**mark)) {
        return Ok((Token::Mark(mark), &text[mark.len()..]));
    }
    // Half of a mark goes with what stands in place of the other half.
    let read = if "=&|".contains(first) { 2 } else { 1 };
    let end = text.char_indices().nth(read).map_or(text.len(), |(at, _)| at);
    Err(unread(text, end))
}

fn unread(text: &str, end: usize) -> Unread<'_> {
    let shown = text[..end].replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    (format!("Syntax error: token recognition error at: '{shown}'"), &text[end..])
}

fn number(text: &str) -> Result<(Literal, &str), Unread<'_>> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        if end > 0 {
            return whole(u64::from_str_radix(&hex[..end], 16).ok(), &hex[end..]);
        }
    }
    let mut end = digits(text);
    let mut float = false;
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        float = true;
        end += 1 + digits(&text[end + 1..]);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&text[end + 1 + sign..]);
        if exponent > 0 {
            float = true;
            end += 1 + sign + exponent;
        }
    }
    let rest = &text[end..];
    if !float {
        return whole(text[..end].parse().ok(), rest);
    }
    match text[..end].parse() {
        Ok(value) => Ok((Literal::Double(value), rest)),
        Err(_) => Err(("invalid double literal".to_owned(), rest)),
    }
}

/// The one number that is no integer but with a minus before it keeps its bits.
fn whole(value: Option<u64>, rest: &str) -> Result<(Literal, &str), Unread<'_>> {
    if let Some(after) = rest.strip_prefix(['u', 'U']) {
        let value = value.ok_or_else(|| ("invalid uint literal".to_owned(), after))?;
        return Ok((Literal::Uint(value), after));
    }
    let int = value.and_then(|value| if value == 1 << 63 { Some(i64::MIN) } else { i64::try_from(value).ok() });
    int.map(|int| (Literal::Int(int), rest)).ok_or_else(|| ("invalid int literal".to_owned(), rest))
}

/// A text or bytes literal, if one begins here.
fn quoted(text: &str) -> Result<Option<(Literal, &str)>, Unread<'_>> {
    let prefix = text.find(|c: char| !"rRbB".contains(c)).unwrap_or(text.len());
    let rest = &text[prefix..];
    if prefix > 2 || !rest.starts_with(['"', '\'']) {
        return Ok(None);
    }
    let (raw, bytes) = (text[..prefix].contains(['r', 'R']), text[..prefix].contains(['b', 'B']));
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote)).unwrap_or("\"");
    let body = &rest[quote.len()..];
    let mut end = 0;
    loop {
        let left = &body[end..];
        if left.starts_with(quote) {
            break;
        }
        let step = if left.starts_with('\\') && !raw { 1 } else { 0 };
        let Some(next) = left.chars().nth(step) else { return Err(unread(text, text.len())) };
        end += step + next.len_utf8();
        if quote.len() == 1 && next == '\n' {
            return Err(unread(text, prefix + 1 + end));
        }
    }
    let (inside, after) = (&body[..end], &body[end + quote.len()..]);
    let literal = match (raw, bytes) {
        (true, false) => Literal::Text(inside.to_owned()),
        (true, true) => Literal::Bytes(inside.as_bytes().to_vec()),
        (false, _) => {
            let wrong = || ("Syntax error: invalid escape sequence".to_owned(), after);
            let read = super::text::unescape(inside).ok_or_else(wrong)?;
            if bytes { Literal::Bytes(read.into_bytes()) } else { Literal::Text(read) }
        }
    };
    Ok(Some((literal, after)))
}
