//! What strangers wrote, on a terminal.

use std::io::Write as _;

use landfall_terminal::{Colour, Ink, Inks, Shown, is_harmless, shown_bytes, shown_on_a_line, without_commands};

/// The first byte says where the rest is cut in two; however it is cut, nothing but harmless characters comes out.
pub(crate) fn shown(bytes: &[u8]) {
    let Some((cut, rest)) = bytes.split_first() else { return };
    let whole = shown_bytes(rest).into_owned();
    assert!(whole.chars().all(is_harmless), "{whole:?}");
    assert_eq!(shown_bytes(whole.as_bytes()), whole, "shown again it is another");
    let (first, second) = rest.split_at(rest.len().min(usize::from(*cut)));
    let mut out = Vec::new();
    let mut stream = Shown::new(&mut out);
    stream.write_all(first).and_then(|()| stream.write_all(second)).expect("memory takes all");
    drop(stream);
    assert_eq!(String::from_utf8_lossy(&out), whole, "cut at {cut} it is another");
    let text = String::from_utf8_lossy(rest);
    assert!(shown_on_a_line(&text).chars().all(|c| is_harmless(c) && c != '\n'));
    let tame = without_commands(&text);
    assert!(!tame.split('\n').any(|line| line.trim_start().starts_with("::") || line.contains("##[")), "{tame:?}");
    let inks = Inks::new();
    let plain = inks.show(&inks.paint(Ink::Red, &text), Colour::Off);
    assert_eq!(plain, landfall_terminal::shown(&text));
}
