//! SPDY's compressed header blocks: one zlib stream a direction, with a dictionary both sides know.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// ORIGIN: the header dictionary of the SPDY/3 draft.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");
/// How far back deflate reaches.
const WINDOW: usize = 32 * 1024;
/// What one header block may expand to.
const MOST: usize = 64 * 1024;

/// Reads the blocks of one direction.
pub(super) struct Inflate {
    state: Box<DecompressorOxide>,
    /// The dictionary and what was read so far.
    history: Vec<u8>,
    started: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { state: Box::default(), history: DICTIONARY.to_vec(), started: false }
    }

    /// The next block; `None` when it is malformed.
    pub(super) fn block(&mut self, mut input: &[u8]) -> Option<Vec<u8>> {
        if !self.started {
            // CMF, FLG, and the dictionary's checksum when FLG says that there is one.
            let with_dictionary = input.get(1)? & 0x20 != 0;
            input = input.get(if with_dictionary { 6 } else { 2 }..)?;
            self.started = true;
        }
        if self.history.len() > 4 * WINDOW {
            self.history.drain(..self.history.len() - WINDOW);
        }
        let start = self.history.len();
        self.history.resize(start + MOST, 0);
        let flags = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, _, written) = decompress(&mut self.state, input, &mut self.history, start, flags);
        self.history.truncate(start + written);
        match status {
            TINFLStatus::NeedsMoreInput | TINFLStatus::Done => Some(self.history[start..].to_vec()),
            _ => None,
        }
    }
}

/// Writes blocks without compressing them: stored deflate blocks in a zlib stream.
#[derive(Default)]
pub(super) struct Stored {
    started: bool,
}

impl Stored {
    pub(super) fn block(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        if !self.started {
            out.extend_from_slice(&[0x78, 0x01]);
            self.started = true;
        }
        for chunk in bytes.chunks(0xFFFF) {
            let length = chunk.len() as u16;
            out.push(0);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&(!length).to_le_bytes());
            out.extend_from_slice(chunk);
        }
        // An empty block is a flush: Go's reader hands on what it has only then.
        out.extend_from_slice(&[0, 0, 0, 0xFF, 0xFF]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_with_the_dictionary_are_read() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
        };
        let mut read = Inflate::new();
        // From zlib itself, flushed after each block.
        let first =
            hex("78bbe3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45a024cc64610024398b209198094adc8c0600000000ffff");
        let text = String::from_utf8(read.block(&first).expect("well formed")).expect("text");
        assert!(text.contains("streamtype") && text.contains("error") && text.contains("requestid"), "{text:?}");
        let second = read.block(&hex("c2aa15540a2512d209000000ffff")).expect("well formed");
        assert!(String::from_utf8_lossy(&second).contains("data"));
    }

    #[test]
    fn stored_blocks_are_read_back_one_after_another() {
        let (mut write, mut read) = (Stored::default(), Inflate::new());
        for text in ["first", "second"] {
            let block = write.block(text.as_bytes());
            assert_eq!(read.block(&block).expect("well formed"), text.as_bytes());
        }
        assert!(Inflate::new().block(&[0x78, 0x01, 0xFF, 0xFF]).is_none());
    }
}
