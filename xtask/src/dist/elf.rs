//! What a program of Linux says of itself: the interpreter it wants, and the libraries.

/// What a program asks for before it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// What loads it; nothing where it stands alone.
    pub(crate) interpreter: Option<String>,
    /// The shared libraries, by name.
    pub(crate) libraries: Vec<String>,
}

/// Reads the head of a 64-bit little-endian ELF file; nothing where the bytes are none.
pub(crate) fn wants(bytes: &[u8]) -> Option<Wants> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (number(bytes, 32, 8)?, number(bytes, 54, 2)?, number(bytes, 56, 2)?);
    let mut segments = Vec::new();
    for index in 0..count {
        let at = table + index * size;
        let kind = number(bytes, at, 4)?;
        let (offset, address, length) =
            (number(bytes, at + 8, 8)?, number(bytes, at + 16, 8)?, number(bytes, at + 32, 8)?);
        segments.push((kind, offset, address, length));
    }
    let mut wants = Wants::default();
    for (kind, offset, _, length) in &segments {
        match kind {
            3 => wants.interpreter = text(bytes, *offset),
            2 => {
                let entries: Vec<(usize, usize)> = (0..length / 16)
                    .filter_map(|index| {
                        Some((number(bytes, offset + index * 16, 8)?, number(bytes, offset + index * 16 + 8, 8)?))
                    })
                    .take_while(|(tag, _)| *tag != 0)
                    .collect();
                let Some((_, strings)) = entries.iter().find(|(tag, _)| *tag == 5) else { continue };
                // The table of strings is named by where it is loaded to.
                let loaded = segments
                    .iter()
                    .find(|(kind, _, address, length)| *kind == 1 && (*address..address + length).contains(strings));
                let Some((_, from, to, _)) = loaded else { continue };
                let base = strings - to + from;
                let needed = entries.iter().filter(|(tag, _)| *tag == 1);
                wants.libraries = needed.filter_map(|(_, name)| text(bytes, base + name)).collect();
            }
            _ => {}
        }
    }
    Some(wants)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let part = bytes.get(at..at.checked_add(length)?)?;
    part.iter()
        .rev()
        .try_fold(0_u64, |sum, byte| Some((sum << 8) | u64::from(*byte)))
        .and_then(|sum| usize::try_from(sum).ok())
}

fn text(bytes: &[u8], at: usize) -> Option<String> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::wants;

    #[test]
    fn what_is_no_program_wants_nothing() {
        assert_eq!(wants(b"#!/bin/sh\n"), None);
        assert_eq!(wants(b"\x7fELF\x02\x01"), None);
    }

    #[test]
    fn a_program_of_this_system_names_what_loads_it() {
        let own = std::fs::read("/proc/self/exe").expect("this very program");
        let wants = wants(&own).expect("it is one");
        assert!(wants.interpreter.is_some_and(|it| it.contains("ld-")), "{:?}", wants.libraries);
        assert!(wants.libraries.iter().any(|library| library.starts_with("libc.so")), "{:?}", wants.libraries);
    }
}
