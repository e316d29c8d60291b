//! Letter case and the shapes of names: Go's `strings.Title`, `goutils` and `huandu/xstrings`.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::text::{runes, to_lower, to_upper};

/// Go's `strings.Title`: the first letter of each word; a quote or a dash begins a new one.
pub(super) fn title(text: &[u8]) -> Vec<u8> {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for (_, c, _) in runes(text) {
        out.push(if separates(before) { to_title(c) } else { c });
        before = c;
    }
    out.into_bytes()
}

fn separates(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !is_letter(c) && c.general_category() != GeneralCategory::DecimalNumber && c.is_whitespace()
}

fn is_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
}

fn to_title(c: char) -> char {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        _ => to_upper(c),
    }
}

/// The first letter of each word made small.
pub(super) fn untitle(text: &[u8]) -> Vec<u8> {
    let mut begins = true;
    let mut out = String::with_capacity(text.len());
    for (_, c, _) in runes(text) {
        if c.is_whitespace() {
            begins = true;
            out.push(c);
        } else {
            out.push(if begins { to_lower(c) } else { c });
            begins = false;
        }
    }
    out.into_bytes()
}

/// Large letters made small and small ones large.
pub(super) fn swap(text: &[u8]) -> Vec<u8> {
    let mut begins = true;
    let mut out = String::with_capacity(text.len());
    for (_, c, _) in runes(text) {
        match c.general_category() {
            GeneralCategory::UppercaseLetter | GeneralCategory::TitlecaseLetter => {
                out.push(to_lower(c));
                begins = false;
            }
            GeneralCategory::LowercaseLetter => {
                out.push(if begins { to_title(c) } else { to_upper(c) });
                begins = false;
            }
            _ => {
                out.push(c);
                begins = c.is_whitespace();
            }
        }
    }
    out.into_bytes()
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

fn is_upper(c: char) -> bool {
    c.general_category() == GeneralCategory::UppercaseLetter
}

/// `http_server` to `HttpServer`.
pub(super) fn pascal(text: &[u8]) -> Vec<u8> {
    let characters: Vec<char> = runes(text).map(|(_, c, _)| c).collect();
    let mut out = String::with_capacity(text.len());
    let start = characters.iter().take_while(|c| is_connector(**c)).count();
    out.extend(&characters[..start]);
    let Some(first) = characters.get(start) else {
        // Nothing but connectors: the last of them is written twice.
        out.extend(characters.last());
        return out.into_bytes();
    };
    let mut run_of_upper = is_upper(*first);
    let mut current = to_upper(*first);
    if characters.len() == start + 1 {
        out.push(current);
        return out.into_bytes();
    }
    for next in &characters[start + 1..] {
        let before = current;
        current = *next;
        if is_connector(current) && is_connector(before) {
            out.push(before);
            continue;
        }
        if is_connector(before) {
            run_of_upper = is_upper(current);
            current = to_upper(current);
        } else {
            if run_of_upper {
                if is_upper(current) {
                    current = to_lower(current);
                } else {
                    run_of_upper = false;
                }
            }
            out.push(before);
        }
    }
    out.push(current);
    out.into_bytes()
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Word {
    End,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

/// A character with the bytes it was read from; [`BAD`] for bytes that are none.
#[derive(Clone, Copy)]
struct Rune<'t> {
    c: char,
    bytes: &'t [u8],
}

/// Go's `utf8.RuneError`: bytes that are no character, and the character itself, which `xstrings` takes for such.
const BAD: char = char::REPLACEMENT_CHARACTER;

/// `HTTPServer2Go` to `http_server2_go`.
pub(super) fn separated(text: &[u8], connector: char) -> Vec<u8> {
    let characters: Vec<Rune<'_>> =
        runes(text).map(|(at, c, width)| Rune { c, bytes: &text[at..at + width] }).collect();
    let mut rest = &characters[..];
    let mut out = Vec::with_capacity(text.len() + 8);
    let (mut kind, mut word) = next_word(&mut rest);
    let joins = |kind: Word| matches!(kind, Word::Alphabet | Word::Number);
    while !rest.is_empty() {
        if kind != Word::Connector {
            lower(&mut out, kind, word, connector);
        }
        let (before, last) = (kind, word);
        (kind, word) = next_word(&mut rest);
        match before {
            Word::Number => {
                while joins(kind) {
                    lower(&mut out, kind, word, connector);
                    (kind, word) = next_word(&mut rest);
                }
                if !matches!(kind, Word::End | Word::Punctuation | Word::Connector) {
                    push(&mut out, connector);
                }
            }
            Word::Connector => lower(&mut out, before, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    push(&mut out, connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let digits = word;
                (kind, word) = next_word(&mut rest);
                if kind != Word::Alphabet {
                    lower(&mut out, Word::Number, digits, connector);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        push(&mut out, connector);
                    }
                    continue;
                }
                push(&mut out, connector);
                lower(&mut out, Word::Number, digits, connector);
                while joins(kind) {
                    lower(&mut out, kind, word, connector);
                    (kind, word) = next_word(&mut rest);
                }
                if !matches!(kind, Word::End | Word::Connector | Word::Punctuation) {
                    push(&mut out, connector);
                }
            }
        }
    }
    lower(&mut out, kind, word, connector);
    out
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn lower(out: &mut Vec<u8>, kind: Word, word: &[Rune<'_>], connector: char) {
    if !matches!(kind, Word::Upper | Word::Connector) {
        word.iter().for_each(|rune| out.extend_from_slice(rune.bytes));
        return;
    }
    for Rune { c, .. } in word {
        push(out, if is_connector(*c) { connector } else { to_lower_if_upper(*c) });
    }
}

fn to_lower_if_upper(c: char) -> char {
    if is_upper(c) { to_lower(c) } else { c }
}

/// Letters with two cases: what `xstrings` calls an alphabet.
fn is_alphabet(c: char) -> bool {
    if !is_letter(c) {
        return false;
    }
    !matches!(u32::from(c), 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF)
}

fn is_punctuation(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Punctuation
}

fn is_number(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Number
}

/// The next character that is one and how many runes are read for it; at the end the character before.
fn next_valid(text: &[Rune<'_>], before: char) -> (char, usize) {
    match text.iter().position(|rune| rune.c != BAD) {
        Some(bad) => (text[bad].c, bad + 1),
        None => (before, text.len()),
    }
}

/// How many of `text`'s first runes belong to a word of such characters, and the first that does not (`nextWord`'s inner
/// loop): bytes that are no character belong to what follows them.
fn run(text: &[Rune<'_>], first: char, of: impl Fn(char) -> bool) -> (usize, usize, char) {
    let (mut len, mut last, mut c) = (0, 0, first);
    while len < text.len() {
        let (next, size) = next_valid(&text[len..], c);
        c = next;
        if !of(c) {
            break;
        }
        last = size;
        len += size;
    }
    (len, last, c)
}

fn next_word<'c, 't>(rest: &mut &'c [Rune<'t>]) -> (Word, &'c [Rune<'t>]) {
    let text = *rest;
    if text.is_empty() {
        return (Word::End, &[]);
    }
    let (first, begins) = next_valid(text, BAD);
    let behind = &text[begins..];
    let small = |c: char| is_alphabet(c) && !is_upper(c);
    let (kind, len) = if first == BAD {
        (Word::End, text.len())
    } else if is_connector(first) {
        (Word::Connector, begins + run(behind, first, is_connector).0)
    } else if is_punctuation(first) {
        (Word::Punctuation, begins + run(behind, first, is_punctuation).0)
    } else if is_upper(first) {
        let (capitals, last, c) = run(behind, first, is_upper);
        let more = if capitals > 0 {
            // The last capital begins the next word.
            if capitals < behind.len() && is_alphabet(c) { capitals - last } else { capitals }
        } else if is_alphabet(c) && !behind.is_empty() {
            run(behind, first, small).0
        } else {
            0
        };
        (Word::Upper, begins + more)
    } else if is_alphabet(first) {
        (Word::Alphabet, begins + run(behind, first, small).0)
    } else if is_number(first) {
        (Word::Number, begins + run(behind, first, is_number).0)
    } else {
        let other = |c: char| !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punctuation(c));
        (Word::Other, begins + run(behind, first, other).0)
    };
    *rest = &text[len..];
    (kind, &text[..len])
}
