//! Packets: a tag, a length, a body.

use super::{OpenPgpError, malformed};

/// Most bytes that a packet may have: keys and signatures have hundreds.
const MAX_PACKET: usize = 1 << 20;

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// Reads from the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], OpenPgpError> {
        let (front, rest) = self.0.split_at_checked(count).ok_or_else(|| malformed("unexpected EOF"))?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn byte(&mut self) -> Result<u8, OpenPgpError> {
        Ok(self.take(1)?[0])
    }

    /// A big-endian number of so many bytes, at most four.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u32, OpenPgpError> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// A number of any size: its bits, then its bytes, the first not zero.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], OpenPgpError> {
        let bits = self.number(2)? as usize;
        let bytes = self.take(bits.div_ceil(8))?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(&bytes[zeros..])
    }

    fn length(&mut self, first: u8) -> Result<usize, OpenPgpError> {
        Ok(match first {
            0..192 => usize::from(first),
            192..224 => (usize::from(first) - 192) * 256 + usize::from(self.byte()?) + 192,
            255 => self.number(4)? as usize,
            _ => return Err(OpenPgpError::Unsupported("packets of unknown length".to_owned())),
        })
    }

    /// The length of a signature's part, whose two-byte form reaches further than a packet's.
    pub(super) fn part_length(&mut self) -> Result<usize, OpenPgpError> {
        Ok(match self.byte()? {
            first @ 0..192 => usize::from(first),
            255 => self.number(4)? as usize,
            first => (usize::from(first) - 192) * 256 + usize::from(self.byte()?) + 192,
        })
    }

    /// The next packet; `None` at the end.
    pub(super) fn packet(&mut self) -> Result<Option<Packet<'a>>, OpenPgpError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let head = self.byte()?;
        if head & 0x80 == 0 {
            return Err(malformed("tag byte does not have MSB set"));
        }
        let (tag, length) = if head & 0x40 != 0 {
            let first = self.byte()?;
            (head & 0x3F, self.length(first)?)
        } else {
            let length = match head & 3 {
                0 => self.number(1)? as usize,
                1 => self.number(2)? as usize,
                2 => self.number(4)? as usize,
                _ => self.0.len(),
            };
            (head >> 2 & 0x0F, length)
        };
        if length > MAX_PACKET {
            return Err(malformed("a packet is too large"));
        }
        Ok(Some(Packet { tag, body: self.take(length)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_an_old_form_and_a_new_one() {
        let body = [7; 200];
        let new = [&[0xC2, 192, 8][..], &body].concat();
        assert_eq!(Reader(&new).packet(), Ok(Some(Packet { tag: 2, body: &body })));
        let old = [&[0x88, 200][..], &body].concat();
        assert_eq!(Reader(&old).packet(), Ok(Some(Packet { tag: 2, body: &body })));
        assert_eq!(Reader(&[]).packet(), Ok(None));
    }

    #[test]
    fn broken_packets_are_errors() {
        for bytes in [&[0x2D][..], &[0x88], &[0x88, 9, 1], &[0xC2, 255, 255, 255, 255, 255], &[0xC2, 230]] {
            assert!(Reader(bytes).packet().is_err(), "{bytes:?}");
        }
    }
}
