//! Standard output and error: escaped where a terminal reads, as they are where a program does.

use std::io::{self, IsTerminal, StderrLock, StdoutLock, Write};

use crate::escape::{raw_byte, shown};

/// Whether a person's terminal reads standard output.
pub fn out_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a person's terminal reads standard error.
pub fn err_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A terminal that does not say how wide it is.
const USUAL: usize = 80;

/// How wide the terminal of standard output is, in columns; nothing where there is none.
pub(crate) fn out_columns() -> Option<usize> {
    out_is_terminal().then(|| columns(terminal_size::terminal_size_of(io::stdout())))
}

/// How wide the terminal of standard error is, in columns; nothing where there is none.
pub(crate) fn err_columns() -> Option<usize> {
    err_is_terminal().then(|| columns(terminal_size::terminal_size_of(io::stderr())))
}

fn columns(size: Option<(terminal_size::Width, terminal_size::Height)>) -> usize {
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0).unwrap_or(USUAL)
}

/// Standard output, for data: as it is into a pipe or file, shown on a terminal.
pub fn out() -> StandardOut {
    let lock = io::stdout().lock();
    StandardOut(if out_is_terminal() { Way::Shown(Shown::new(lock)) } else { Way::AsIs(lock) })
}

/// Standard error, in a peer's voice: as it is into a pipe or file, shown on a terminal.
pub fn err() -> StandardError {
    let lock = io::stderr().lock();
    StandardError(if err_is_terminal() { Way::Shown(Shown::new(lock)) } else { Way::AsIs(lock) })
}

/// Standard output, locked.
#[derive(Debug)]
pub struct StandardOut(Way<StdoutLock<'static>>);

/// Standard error, locked.
#[derive(Debug)]
pub struct StandardError(Way<StderrLock<'static>>);

#[derive(Debug)]
enum Way<W: Write> {
    AsIs(W),
    Shown(Shown<W>),
}

impl<W: Write> Way<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(hidden) = without_known(bytes) {
            match self {
                Way::AsIs(stream) => stream.write_all(hidden.as_bytes())?,
                Way::Shown(stream) => stream.write_all(hidden.as_bytes())?,
            }
            return Ok(bytes.len());
        }
        match self {
            Way::AsIs(stream) => stream.write(bytes),
            Way::Shown(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Way::AsIs(stream) => stream.flush(),
            Way::Shown(stream) => stream.flush(),
        }
    }
}

/// What is written, without the values that this process has opened: no bytes leave it but through here.
fn without_known(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().filter(|_| landfall_diag::knows_any())?;
    match landfall_diag::without_known(text) {
        std::borrow::Cow::Owned(hidden) => Some(hidden),
        std::borrow::Cow::Borrowed(_) => None,
    }
}

impl StandardOut {
    /// Writes a text that was shown and painted by [`crate::Inks`], as it is.
    ///
    /// # Errors
    /// When the stream takes no more.
    pub fn write_painted(&mut self, painted: &str) -> io::Result<()> {
        let painted = &*landfall_diag::without_known(painted);
        match &mut self.0 {
            Way::AsIs(stream) => stream.write_all(painted.as_bytes()),
            Way::Shown(stream) => stream.inner.write_all(painted.as_bytes()),
        }
    }
}

impl StandardError {
    /// As [`StandardOut::write_painted`].
    ///
    /// # Errors
    /// When the stream takes no more.
    pub fn write_painted(&mut self, painted: &str) -> io::Result<()> {
        let painted = &*landfall_diag::without_known(painted);
        match &mut self.0 {
            Way::AsIs(stream) => stream.write_all(painted.as_bytes()),
            Way::Shown(stream) => stream.inner.write_all(painted.as_bytes()),
        }
    }
}

impl Write for StandardOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Shows bytes as they come, in pieces of any size: a character or a line's end that is cut in two is held until its
/// rest comes.
#[derive(Debug)]
pub struct Shown<W: Write> {
    inner: W,
    /// The beginning of a character, or a carriage return whose line may end next.
    held: Vec<u8>,
}

impl<W: Write> Shown<W> {
    /// Shows what is written, on `inner`.
    pub fn new(inner: W) -> Self {
        Shown { inner, held: Vec::new() }
    }

    /// What was held, though nothing more comes.
    fn let_go(&mut self) -> io::Result<()> {
        let mut out = String::new();
        for byte in self.held.drain(..) {
            match byte {
                b'\r' => out.push_str("\\r"),
                byte => raw_byte(&mut out, byte),
            }
        }
        self.inner.write_all(out.as_bytes())
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let joined;
        let all = if self.held.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
            joined.as_slice()
        };
        let mut out = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let last = chunks.peek().is_none();
            let mut valid = chunk.valid();
            if last && chunk.invalid().is_empty() && valid.ends_with('\r') {
                valid = &valid[..valid.len() - 1];
                self.held.push(b'\r');
            }
            out.push_str(&shown(valid));
            if last && is_beginning(chunk.invalid()) {
                self.held.extend_from_slice(chunk.invalid());
            } else {
                chunk.invalid().iter().for_each(|byte| raw_byte(&mut out, *byte));
            }
        }
        self.inner.write_all(out.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for Shown<W> {
    fn drop(&mut self) {
        // Whoever read has gone, when this fails.
        let _nobody_listens = self.let_go().and_then(|()| self.inner.flush());
    }
}

/// Whether bytes are the beginning of a character that more bytes could complete.
fn is_beginning(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{is_harmless, shown_bytes};
    use proptest::prelude::*;

    fn in_pieces(pieces: &[&[u8]]) -> String {
        let mut out = Vec::new();
        let mut stream = Shown::new(&mut out);
        for piece in pieces {
            stream.write_all(piece).expect("memory takes all");
        }
        drop(stream);
        String::from_utf8(out).expect("text is shown")
    }

    #[test]
    fn what_is_cut_between_two_writes_is_one_character() {
        assert_eq!(in_pieces(&[b"gr\xc3", b"\xbc\xc3\x9fe"]), "grüße");
        assert_eq!(in_pieces(&[b"a\r", b"\nb\r", b"c\r"]), "a\nb\\rc\\r");
        assert_eq!(in_pieces(&[b"\xe2\x80", b"\xae!"]), "\\u{202e}!");
        assert_eq!(in_pieces(&[b"x\xe2\x80"]), "x\\xe2\\x80");
        assert_eq!(in_pieces(&[b"\x1b", b"[31m"]), "\\x1b[31m");
    }

    proptest! {
        #[test]
        fn pieces_are_shown_as_the_whole(bytes in any::<Vec<u8>>(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let shown = in_pieces(&pieces);
            prop_assert!(shown.chars().all(is_harmless));
            prop_assert_eq!(shown, shown_bytes(&bytes));
        }
    }
}
