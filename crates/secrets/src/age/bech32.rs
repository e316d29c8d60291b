//! Bech32 (BIP 173), of which age's keys are: a name, `1`, and bytes five bits a letter with a checksum.

const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Letters of a checksum.
const CHECKSUM: usize = 6;

fn polynomial(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let next = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        GENERATOR.iter().enumerate().fold(next, |sum, (at, term)| if top >> at & 1 == 1 { sum ^ term } else { sum })
    })
}

fn expanded(name: &str) -> impl Iterator<Item = u8> {
    let (high, low) = (name.bytes().map(|byte| byte >> 5), name.bytes().map(|byte| byte & 31));
    high.chain([0]).chain(low)
}

/// Bits in other parcels; nothing where what is left over is not zero.
fn regrouped(values: &[u8], from: u32, to: u32, pad: Pad) -> Option<Vec<u8>> {
    let (mut held, mut bits, mut out) = (0_u32, 0, Vec::new());
    let mask = (1 << to) - 1;
    for value in values {
        held = held << from | u32::from(*value);
        bits += from;
        while bits >= to {
            bits -= to;
            out.push((held >> bits & mask) as u8);
        }
        held &= (1 << bits) - 1;
    }
    match pad {
        Pad::Fill if bits > 0 => out.push((held << (to - bits) & mask) as u8),
        Pad::Fill => {}
        Pad::Refuse if bits >= from || held != 0 => return None,
        Pad::Refuse => {}
    }
    Some(out)
}

#[derive(Clone, Copy)]
enum Pad {
    Fill,
    Refuse,
}

/// Bytes under a name, in small letters.
pub(super) fn write(name: &str, bytes: &[u8]) -> String {
    let values = regrouped(bytes, 8, 5, Pad::Fill).unwrap_or_default();
    let sum = polynomial(expanded(name).chain(values.iter().copied()).chain([0; CHECKSUM])) ^ 1;
    let checksum = (0..CHECKSUM).map(|at| (sum >> (5 * (CHECKSUM - 1 - at)) & 31) as u8);
    let letters = values.iter().copied().chain(checksum).map(|value| char::from(LETTERS[usize::from(value)]));
    format!("{name}1{}", letters.collect::<String>())
}

/// The bytes of a text of that name; all letters are small, or all are capital.
pub(super) fn read(name: &str, text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let small = text.to_ascii_lowercase();
    if text != small && text != text.to_ascii_uppercase() {
        return None;
    }
    let letters = small.strip_prefix(name)?.strip_prefix('1')?;
    let value = |letter: u8| LETTERS.iter().position(|known| *known == letter).and_then(|at| u8::try_from(at).ok());
    let values: Vec<u8> = letters.bytes().map(value).collect::<Option<_>>()?;
    if values.len() < CHECKSUM || polynomial(expanded(name).chain(values.iter().copied())) != 1 {
        return None;
    }
    regrouped(&values[..values.len() - CHECKSUM], 5, 8, Pad::Refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written_and_no_letter_may_change() {
        let bytes: Vec<u8> = (0..32).collect();
        let text = write("age", &bytes);
        assert_eq!(read("age", &text), Some(bytes.clone()));
        assert_eq!(read("age", &text.to_ascii_uppercase()), Some(bytes));
        assert_eq!(read("agf", &text), None);
        for at in 4..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'q' { b'p' } else { b'q' };
            assert_eq!(read("age", std::str::from_utf8(&changed).expect("text")), None, "letter {at}");
        }
        // An example of BIP 173.
        assert!(read("abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw").is_some());
    }
}
