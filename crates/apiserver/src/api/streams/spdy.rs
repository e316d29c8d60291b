//! SPDY/3.1 frames, as far as port-forward needs them.

use super::inflate::{Inflate, Stored};

/// A frame larger than this ends the connection.
const MOST: usize = 1024 * 1024;

/// What came in.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// A new stream.
    Open { stream: u32, headers: Vec<(String, String)>, last: bool },
    /// Bytes of a stream.
    Data { stream: u32, bytes: Vec<u8>, last: bool },
    /// A stream is given up.
    Reset { stream: u32 },
    /// Must be sent back.
    Ping { id: u32 },
    /// The peer opens no more streams.
    GoAway,
    /// Of no interest here.
    Other,
}

/// Why reading stops.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed;

/// Reads frames out of a stream of bytes.
pub(super) struct Reader {
    received: Vec<u8>,
    headers: Inflate,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { received: Vec::new(), headers: Inflate::new() }
    }

    /// Takes bytes; gives the frames that are complete now.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, Malformed> {
        self.received.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while self.received.len() >= 8 {
            let head: [u8; 8] = self.received[..8].try_into().map_err(|_| Malformed)?;
            let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
            if length > MOST {
                return Err(Malformed);
            }
            if self.received.len() < 8 + length {
                break;
            }
            let payload: Vec<u8> = self.received[8..8 + length].to_vec();
            self.received.drain(..8 + length);
            frames.push(self.frame(head, payload)?);
        }
        Ok(frames)
    }

    fn frame(&mut self, head: [u8; 8], payload: Vec<u8>) -> Result<Frame, Malformed> {
        let last = head[4] & 1 != 0;
        let number = |at: usize| {
            let four = payload.get(at..at + 4).ok_or(Malformed)?;
            Ok(u32::from_be_bytes([four[0] & 0x7F, four[1], four[2], four[3]]))
        };
        if head[0] & 0x80 == 0 {
            let stream = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            return Ok(Frame::Data { stream, bytes: payload, last });
        }
        match u16::from_be_bytes([head[2], head[3]]) {
            1 => {
                let block = self.headers.block(payload.get(10..).ok_or(Malformed)?).ok_or(Malformed)?;
                Ok(Frame::Open { stream: number(0)?, headers: headers(&block)?, last })
            }
            2 | 8 => {
                // Their header blocks are part of the same compressed stream.
                self.headers.block(payload.get(4..).ok_or(Malformed)?).ok_or(Malformed)?;
                Ok(Frame::Other)
            }
            3 => Ok(Frame::Reset { stream: number(0)? }),
            6 => {
                let four = payload.get(..4).ok_or(Malformed)?;
                Ok(Frame::Ping { id: u32::from_be_bytes([four[0], four[1], four[2], four[3]]) })
            }
            7 => Ok(Frame::GoAway),
            _ => Ok(Frame::Other),
        }
    }
}

fn headers(block: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let four = block.get(..4).ok_or(Malformed)?;
    let count = u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize;
    let mut out = Vec::new();
    let mut position = 4;
    let text = |position: &mut usize| {
        let four = block.get(*position..*position + 4).ok_or(Malformed)?;
        let length = u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize;
        let start = *position + 4;
        let bytes = block.get(start..start.checked_add(length).ok_or(Malformed)?).ok_or(Malformed)?;
        *position = start + length;
        Ok::<_, Malformed>(String::from_utf8_lossy(bytes).into_owned())
    };
    for _ in 0..count.min(256) {
        out.push((text(&mut position)?, text(&mut position)?));
    }
    Ok(out)
}

/// Writes frames.
#[derive(Default)]
pub(super) struct Writer {
    headers: Stored,
}

impl Writer {
    fn control(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        let mut out = vec![0x80, 3, 0, kind, flags, a, b, c];
        out.extend_from_slice(payload);
        out
    }

    /// Accepts a stream, with no headers.
    pub(super) fn reply(&mut self, stream: u32) -> Vec<u8> {
        let mut payload = stream.to_be_bytes().to_vec();
        payload.extend(self.headers.block(&0u32.to_be_bytes()));
        Self::control(2, 0, &payload)
    }

    pub(super) fn ping(id: u32) -> Vec<u8> {
        Self::control(6, 0, &id.to_be_bytes())
    }

    /// Bytes of a stream; with the last ones it is closed from this side.
    pub(super) fn data(stream: u32, bytes: &[u8], last: Last) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 8);
        out.extend_from_slice(&stream.to_be_bytes());
        let [_, a, b, c] = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
        out.extend_from_slice(&[u8::from(last == Last::Yes), a, b, c]);
        out.extend_from_slice(bytes);
        out
    }
}

/// Whether more will follow.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Last {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_across_pieces() {
        let mut reader = Reader::new();
        let bytes = Writer::data(3, b"hello", Last::Yes);
        assert_eq!(reader.read(&bytes[..6]).expect("so far"), []);
        assert_eq!(
            reader.read(&bytes[6..]).expect("whole"),
            [Frame::Data { stream: 3, bytes: b"hello".to_vec(), last: true }]
        );
        assert_eq!(reader.read(&Writer::ping(7)).expect("whole"), [Frame::Ping { id: 7 }]);
    }
}
