//! The lines of a text that has nothing in it but what a quick look understands, and the scalars on them.

use memchr::{memchr, memchr2};

use super::{KEY, is_plain_key};

/// A place in the text, always on a character that means something or at the end.
pub(super) struct Lines<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Where the line begins.
    line: usize,
}

/// Bytes that need a closer look: controls, and what may begin a break or a refused character.
const ODD: [bool; 256] = {
    let mut odd = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        odd[byte] = byte != b'\n' as usize && byte != b'\t' as usize;
        byte += 1;
    }
    odd[0x7F] = true;
    odd[0xC2] = true;
    odd[0xE2] = true;
    odd[0xEF] = true;
    odd
};

/// Bytes of plain keys and of plain scalars in flow collections.
pub(super) const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0;
    while byte < 0x80 {
        let b = byte as u8;
        word[byte] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-');
        byte += 1;
    }
    word
};

/// Whether the scanner reads every character of the text as just a character.
fn is_ordinary(bytes: &[u8]) -> bool {
    // Nearly all texts are of nothing but these; looked at in a way that takes many bytes at once.
    let plain = |byte: &u8| (0x20..0x7F).contains(byte) | (*byte == b'\n') | (*byte == b'\t');
    if bytes.chunks(64).all(|some| some.iter().fold(true, |all, byte| all & plain(byte))) {
        return true;
    }
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(|byte| ODD[*byte as usize]) {
        let at = from + found;
        let next = |more: usize| bytes.get(at + more).copied().unwrap_or(0);
        let ordinary = match bytes[at] {
            0xC2 => next(1) >= 0xA0,
            0xE2 => next(1) != 0x80 || !matches!(next(2), 0xA8 | 0xA9),
            0xEF => !matches!(next(1), 0xBB | 0xBF),
            _ => false,
        };
        if !ordinary {
            return false;
        }
        from = at + 1;
    }
    true
}

impl<'t> Lines<'t> {
    /// The text's first line that says something; `None` for a text with characters that are not just characters.
    pub(super) fn new(text: &'t str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !is_ordinary(bytes) {
            return None;
        }
        let mut lines = Lines { text, bytes, at: 0, line: 0 };
        lines.skip_blank();
        Some(lines)
    }

    /// In which column the place is; `None` at the end of the text.
    pub(super) fn column(&self) -> Option<usize> {
        (self.at < self.bytes.len()).then(|| self.at - self.line)
    }

    /// The byte here, if any is left.
    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn pass(&mut self, count: usize) {
        self.at += count;
    }

    pub(super) fn slice_from(&self, start: usize) -> &'t str {
        &self.text[start..self.at]
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    fn is_blank_or_end(&self, at: usize) -> bool {
        matches!(self.bytes.get(at), None | Some(b' ' | b'\n'))
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Goes on to the first character of the next line that says something.
    pub(super) fn next_line(&mut self) {
        self.pass_break();
        self.skip_blank();
    }

    /// Goes on to the beginning of the next line.
    fn pass_break(&mut self) {
        self.at = memchr(b'\n', &self.bytes[self.at..]).map_or(self.bytes.len(), |more| self.at + more + 1);
        self.line = self.at;
    }

    /// From the beginning of a line over blank lines and comments.
    fn skip_blank(&mut self) {
        loop {
            self.skip_spaces();
            match self.byte() {
                Some(b'\n' | b'#') => self.pass_break(),
                _ => return,
            }
        }
    }

    /// Whether a sequence's item begins here.
    pub(super) fn at_dash(&self) -> bool {
        self.byte() == Some(b'-') && self.is_blank_or_end(self.at + 1)
    }

    /// Passes the `-` and the spaces behind it; how many characters that are.
    pub(super) fn dash(&mut self) -> usize {
        let from = self.at;
        self.at += 1;
        self.skip_spaces();
        self.at - from
    }

    /// Where a key that begins here ends, without quotes and with its `:` behind it.
    fn key_end(&self) -> Option<(usize, usize, usize)> {
        let bytes = self.bytes;
        let (start, end, colon) = match self.byte()? {
            quote @ (b'"' | b'\'') => {
                let start = self.at + 1;
                let end = start
                    + bytes[start..].iter().take(KEY).position(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b'\n'))?;
                if bytes[end] != quote || bytes.get(end + 1) == Some(&quote) {
                    return None;
                }
                (start, end, end + 1)
            }
            first => {
                if !WORD[first as usize] || matches!(first, b'-' | b'.') {
                    return None;
                }
                let mut end = self.at + 1;
                while WORD[*bytes.get(end)? as usize] {
                    end += 1;
                }
                if end - self.at >= KEY {
                    return None;
                }
                (self.at, end, end)
            }
        };
        (bytes.get(colon) == Some(&b':') && self.is_blank_or_end(colon + 1)).then_some((start, end, colon))
    }

    /// Whether a key begins here.
    pub(super) fn at_key(&self) -> bool {
        self.key_end().is_some()
    }

    /// The key that begins here; the place is then behind its `:` and spaces.
    pub(super) fn key(&mut self) -> Option<&'t str> {
        let (start, end, colon) = self.key_end()?;
        let quoted = start > self.at;
        let key = &self.text[start..end];
        if !quoted && !is_plain_key(key) {
            return None;
        }
        self.at = colon + 1;
        self.skip_spaces();
        Some(key)
    }

    /// A plain scalar that ends on its line; the place is then on the next line that says something.
    pub(super) fn plain(&mut self) -> Option<&'t str> {
        let bytes = self.bytes;
        let start = self.at;
        match self.byte()? {
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`' => return None,
            b'-' | b'?' | b':' if self.is_blank_or_end(start + 1) => return None,
            _ => {}
        }
        let line = memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |more| start + more);
        let mut end = line;
        let mut from = start;
        while let Some(found) = memchr2(b':', b'#', &bytes[from..line]) {
            let at = from + found;
            if bytes[at] == b':' && self.is_blank_or_end(at + 1) {
                return None;
            }
            if bytes[at] == b'#' && bytes[at - 1] == b' ' {
                end = at;
                break;
            }
            from = at + 1;
        }
        while bytes[end - 1] == b' ' {
            end -= 1;
        }
        let text = &self.text[start..end];
        if memchr(b'\t', text.as_bytes()).is_some() {
            return None;
        }
        self.at = line;
        self.next_line();
        Some(text)
    }

    /// A quoted scalar that ends on its line; `exact`: its text is wanted, so there must be no escapes in it.
    pub(super) fn quoted(&mut self, exact: bool) -> Option<&'t str> {
        let bytes = self.bytes;
        let quote = bytes[self.at];
        let start = self.at + 1;
        let mut at = start;
        loop {
            let byte = *bytes.get(at)?;
            if byte == quote {
                if quote == b'\'' && bytes.get(at + 1) == Some(&quote) {
                    if exact {
                        return None;
                    }
                    at += 1;
                } else {
                    break;
                }
            } else if byte == b'\n' {
                return None;
            } else if byte == b'\\' && quote == b'"' {
                if exact || !matches!(bytes.get(at + 1), Some(b'n' | b't' | b'r' | b'"' | b'\\')) {
                    return None;
                }
                at += 1;
            }
            at += 1;
        }
        self.at = at + 1;
        Some(&self.text[start..at])
    }

    /// Passes what may stand behind a value on its line, to the next line that says something.
    pub(super) fn end_of_value(&mut self) -> Option<()> {
        let from = self.at;
        self.skip_spaces();
        match self.byte() {
            None | Some(b'\n') => {}
            Some(b'#') if self.at > from => {}
            _ => return None,
        }
        self.next_line();
        Some(())
    }

    /// Passes a block scalar in a collection at that column; `exact`: its text is wanted.
    pub(super) fn block_scalar(&mut self, column: usize, exact: bool) -> Option<String> {
        let bytes = self.bytes;
        // How lines are folded is known to others.
        if exact && bytes[self.at] == b'>' {
            return None;
        }
        let mut block = Block { text: String::new(), breaks: 0, trailing: Trailing::One, exact };
        let mut at = self.at + 1;
        if let Some(mark @ (b'-' | b'+')) = bytes.get(at) {
            block.trailing = if *mark == b'-' { Trailing::None } else { Trailing::All };
            at += 1;
        }
        if bytes.get(at) != Some(&b'\n') {
            return if at == bytes.len() { self.finish(block) } else { None };
        }
        at += 1;
        let spaces = |line: usize| bytes[line..].iter().take_while(|byte| **byte == b' ').count();
        // Blank lines in front of the text must be empty: their spaces would count as indentation.
        while bytes.get(at) == Some(&b'\n') {
            at += 1;
            block.breaks += 1;
        }
        let indent = spaces(at);
        match bytes.get(at + indent) {
            None => return if indent == 0 { self.finish(block) } else { None },
            Some(b'\n' | b'\t') => return None,
            Some(_) => {}
        }
        if indent > column {
            'text: loop {
                let end = memchr(b'\n', &bytes[at..]).map(|more| at + more);
                block.line(&self.text[at + indent..end.unwrap_or(bytes.len())]);
                let Some(end) = end else { return self.finish(block) };
                at = end + 1;
                block.breaks = 1;
                loop {
                    let here = spaces(at);
                    match bytes.get(at + here) {
                        None if exact && here > indent => return None,
                        None => return self.finish(block),
                        Some(b'\n') if here > indent => break,
                        Some(b'\n') => {
                            block.breaks += 1;
                            at += here + 1;
                        }
                        Some(b'\t') if here < indent => return None,
                        Some(_) if here < indent => break 'text,
                        Some(_) => break,
                    }
                }
            }
        }
        self.at = at;
        self.line = at;
        self.skip_blank();
        Some(block.end())
    }

    fn finish(&mut self, block: Block) -> Option<String> {
        self.at = self.bytes.len();
        Some(block.end())
    }
}

/// Which line ends behind its text belong to a block scalar.
enum Trailing {
    None,
    One,
    All,
}

/// A literal block scalar that is being read.
struct Block {
    text: String,
    /// Line ends that wait for more text.
    breaks: usize,
    trailing: Trailing,
    exact: bool,
}

impl Block {
    fn line(&mut self, line: &str) {
        if self.exact {
            self.text.extend(std::iter::repeat_n('\n', self.breaks));
            self.text.push_str(line);
        }
        self.breaks = 0;
    }

    fn end(mut self) -> String {
        let breaks = match self.trailing {
            Trailing::None => 0,
            Trailing::One if self.text.is_empty() => 0,
            Trailing::One => self.breaks.min(1),
            Trailing::All => self.breaks,
        };
        if self.exact {
            self.text.extend(std::iter::repeat_n('\n', breaks));
        }
        self.text
    }
}
