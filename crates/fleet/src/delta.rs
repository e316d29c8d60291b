//! Deltas: what makes one sequence of bytes of another. Who makes it of which is signed elsewhere ([`crate::Delta`]); here is how it is
//! written, and how it is read without more memory than a few pieces.
//!
//! ```text
//! delta  = "LFDELTA1" deflate( step … )
//! step   = copied  [ seek if copied > 0 ]  literal  differences of what is copied  literal bytes
//! differences = same [ byte same … ]       how many bytes are as they were, then by how much the next one is more, until all are told
//! ```
//!
//! Numbers are LEB128; `seek` is from where the last copy ended, its sign in the lowest bit. Whatever a delta says, it reads within what
//! it begins from, writes no more than is to come out, and each step of it writes something.

use std::io::{self, BufReader, Read, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// What a delta begins with.
const MAGIC: &[u8; 8] = b"LFDELTA1";
/// How much is read and written at once, in bytes.
const PIECE: usize = 64 * 1024;

/// What a delta is applied to, and where that goes.
pub trait Ends {
    /// How either fails.
    type Error;

    /// Fills the buffer with bytes from `at` on of what the delta begins from.
    ///
    /// # Errors
    /// When they cannot be had.
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), Self::Error>;

    /// Takes what comes out next.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Why a delta is not applied.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied<E> {
    /// It is none, is of another format, or ends early.
    #[error("the delta cannot be read: {0}")]
    Unreadable(String),
    /// It takes bytes that are not there.
    #[error("the delta takes {length} bytes from {at} on, of {there}")]
    Outside {
        /// From where.
        at: i128,
        /// How many.
        length: u64,
        /// How many there are.
        there: u64,
    },
    /// It makes more than is to come out.
    #[error("the delta makes more than the {0} bytes that were signed")]
    TooMuch(u64),
    /// It goes on and makes nothing.
    #[error("the delta has a step that makes nothing")]
    Idle,
    /// What it is applied to, or where that goes.
    #[error(transparent)]
    End(E),
}

/// Applies a delta to `from` bytes, so that `to` bytes come out.
///
/// # Errors
/// When the delta is none, leads outside or does not end where it is to, or an end fails.
pub fn apply<T: Ends>(delta: impl Read, (from, to): (u64, u64), ends: &mut T) -> Result<(), NotApplied<T::Error>> {
    let mut delta = delta;
    let mut magic = [0; MAGIC.len()];
    delta.read_exact(&mut magic).map_err(|cause| unreadable(&cause))?;
    if magic != *MAGIC {
        return Err(NotApplied::Unreadable("it does not begin as one".to_owned()));
    }
    let steps = BufReader::with_capacity(PIECE, DeflateDecoder::new(delta));
    let mut reader = Reader { steps, ends, from, left: to, to, at: 0, piece: Vec::with_capacity(PIECE) };
    while reader.left > 0 {
        reader.step()?;
    }
    reader.flush()?;
    match reader.steps.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(NotApplied::TooMuch(to)),
        Err(cause) => Err(unreadable(&cause)),
    }
}

fn unreadable<E>(cause: &io::Error) -> NotApplied<E> {
    NotApplied::Unreadable(cause.to_string())
}

struct Reader<'a, R, T> {
    steps: R,
    ends: &'a mut T,
    from: u64,
    /// How much is still to come out.
    left: u64,
    to: u64,
    /// Where the last copy ended.
    at: u64,
    piece: Vec<u8>,
}

impl<R: Read, T: Ends> Reader<'_, R, T> {
    fn step(&mut self) -> Result<(), NotApplied<T::Error>> {
        let copied = self.number()?;
        let seek = if copied > 0 { self.number()? } else { 0 };
        let literal = self.number()?;
        let both = copied.checked_add(literal).filter(|both| *both <= self.left);
        match both.ok_or(NotApplied::TooMuch(self.to))? {
            0 => return Err(NotApplied::Idle),
            both => self.left -= both,
        }
        if copied > 0 {
            let away = i128::from(seek >> 1);
            let at = i128::from(self.at) + if seek & 1 == 0 { away } else { -away - 1 };
            let begins = u64::try_from(at).ok().filter(|at| at.checked_add(copied).is_some_and(|end| end <= self.from));
            let begins = begins.ok_or(NotApplied::Outside { at, length: copied, there: self.from })?;
            self.copy(begins, copied)?;
            self.at = begins + copied;
        }
        self.literal(literal)
    }

    fn copy(&mut self, mut at: u64, mut left: u64) -> Result<(), NotApplied<T::Error>> {
        let mut same = self.same(left)?;
        while left > 0 {
            let begins = self.room()?;
            let count = clamped(left, PIECE - begins);
            self.piece.resize(begins + count, 0);
            self.ends.read(at, &mut self.piece[begins..]).map_err(NotApplied::End)?;
            let mut done = 0;
            while same < (count - done) as u64 {
                done += clamped(same, count);
                let more = self.byte()?;
                let byte = &mut self.piece[begins + done];
                *byte = byte.wrapping_add(more);
                done += 1;
                same = match left - done as u64 {
                    0 => 0,
                    behind => self.same(behind)?,
                };
            }
            same -= (count - done) as u64;
            at += count as u64;
            left -= count as u64;
        }
        Ok(())
    }

    fn literal(&mut self, mut left: u64) -> Result<(), NotApplied<T::Error>> {
        while left > 0 {
            let begins = self.room()?;
            let count = clamped(left, PIECE - begins);
            self.piece.resize(begins + count, 0);
            self.steps.read_exact(&mut self.piece[begins..]).map_err(|cause| unreadable(&cause))?;
            left -= count as u64;
        }
        Ok(())
    }

    /// Where the next byte of the piece comes; a full one goes first.
    fn room(&mut self) -> Result<usize, NotApplied<T::Error>> {
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(self.piece.len())
    }

    fn flush(&mut self) -> Result<(), NotApplied<T::Error>> {
        if !self.piece.is_empty() {
            self.ends.write(&self.piece).map_err(NotApplied::End)?;
            self.piece.clear();
        }
        Ok(())
    }

    /// How many bytes are as they were, of so many.
    fn same(&mut self, of: u64) -> Result<u64, NotApplied<T::Error>> {
        let same = self.number()?;
        if same > of {
            return Err(NotApplied::Unreadable("it tells of bytes that it does not copy".to_owned()));
        }
        Ok(same)
    }

    fn byte(&mut self) -> Result<u8, NotApplied<T::Error>> {
        let mut byte = [0];
        self.steps.read_exact(&mut byte).map_err(|cause| unreadable(&cause))?;
        Ok(byte[0])
    }

    fn number(&mut self) -> Result<u64, NotApplied<T::Error>> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits.leading_zeros() < shift {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(NotApplied::Unreadable("it has a number that is too large".to_owned()))
    }
}

fn clamped(number: u64, most: usize) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).min(most)
}

/// Writes a delta, step by step.
pub struct DeltaWriter {
    steps: DeflateEncoder<Vec<u8>>,
    at: u64,
}

impl DeltaWriter {
    /// One that has no step yet.
    #[must_use]
    pub fn new() -> Self {
        Self { steps: DeflateEncoder::new(MAGIC.to_vec(), Compression::best()), at: 0 }
    }

    /// `new` is made of `old`, which is as long and begins at `at`; `literal` follows. Where both are empty, nothing is written.
    ///
    /// # Errors
    /// Never but for want of memory.
    pub fn step(&mut self, at: u64, (old, new): (&[u8], &[u8]), literal: &[u8]) -> io::Result<()> {
        let copied = old.len().min(new.len());
        if copied + literal.len() == 0 {
            return Ok(());
        }
        self.number(copied as u64)?;
        if copied > 0 {
            self.number(if at >= self.at { (at - self.at) << 1 } else { ((self.at - at - 1) << 1) | 1 })?;
            self.at = at + copied as u64;
        }
        self.number(literal.len() as u64)?;
        let (mut same, mut told) = (0_u64, copied == 0);
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            if old == new {
                same += 1;
                continue;
            }
            self.number(same)?;
            self.steps.write_all(&[new.wrapping_sub(*old)])?;
            same = 0;
            told = index + 1 == copied;
        }
        if !told {
            self.number(same)?;
        }
        self.steps.write_all(literal)
    }

    /// All that was written.
    ///
    /// # Errors
    /// Never but for want of memory.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        self.steps.finish()
    }

    fn number(&mut self, mut number: u64) -> io::Result<()> {
        loop {
            let bits = (number & 0x7f).to_le_bytes()[0];
            number >>= 7;
            if number == 0 {
                return self.steps.write_all(&[bits]);
            }
            self.steps.write_all(&[bits | 0x80])?;
        }
    }
}

impl Default for DeltaWriter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
