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

/// `HTTPServer2Go` to `http_server2_go`.
pub(super) fn separated(text: &[u8], connector: char) -> Vec<u8> {
    // Bytes that are not UTF-8 are skipped, a replacement character that stands there is not.
    let characters: Vec<char> = runes(text)
        .filter(|(_, c, length)| *c != char::REPLACEMENT_CHARACTER || *length > 1)
        .map(|(_, c, _)| c)
        .collect();
    let mut rest = &characters[..];
    let mut out = String::with_capacity(text.len() + 8);
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
                    out.push(connector);
                }
            }
            Word::Connector => lower(&mut out, before, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let digits = word;
                (kind, word) = next_word(&mut rest);
                if kind != Word::Alphabet {
                    lower(&mut out, Word::Number, digits, connector);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                    continue;
                }
                out.push(connector);
                lower(&mut out, Word::Number, digits, connector);
                while joins(kind) {
                    lower(&mut out, kind, word, connector);
                    (kind, word) = next_word(&mut rest);
                }
                if !matches!(kind, Word::End | Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
        }
    }
    lower(&mut out, kind, word, connector);
    out.into_bytes()
}

fn lower(out: &mut String, kind: Word, word: &[char], connector: char) {
    if !matches!(kind, Word::Upper | Word::Connector) {
        out.extend(word);
        return;
    }
    out.extend(word.iter().map(|c| if is_connector(*c) { connector } else { to_lower_if_upper(*c) }));
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

fn next_word<'c>(rest: &mut &'c [char]) -> (Word, &'c [char]) {
    let text = *rest;
    let Some(first) = text.first().copied() else { return (Word::End, &[]) };
    let run = |of: &dyn Fn(char) -> bool| text.iter().take_while(|c| of(**c)).count();
    let small = |c: char| is_alphabet(c) && !is_upper(c);
    let (kind, len) = if is_connector(first) {
        (Word::Connector, run(&is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, run(&is_punctuation))
    } else if is_upper(first) {
        let capitals = run(&is_upper);
        let len = match text.get(capitals) {
            // The last capital begins the next word.
            Some(next) if capitals > 1 && is_alphabet(*next) => capitals - 1,
            Some(next) if capitals == 1 && is_alphabet(*next) => {
                1 + text[1..].iter().take_while(|c| small(**c)).count()
            }
            _ => capitals,
        };
        (Word::Upper, len)
    } else if is_alphabet(first) {
        (Word::Alphabet, run(&small))
    } else if is_number(first) {
        (Word::Number, run(&is_number))
    } else {
        let other = |c: char| !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punctuation(c));
        (Word::Other, 1 + text[1..].iter().take_while(|c| other(**c)).count())
    };
    *rest = &text[len..];
    (kind, &text[..len])
}
