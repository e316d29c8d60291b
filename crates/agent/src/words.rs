//! A command as a person writes it down: its words, as a shell takes them apart, and nothing else that a shell does.

/// Takes a command apart at its spaces; `'…'` and `"…"` keep theirs.
///
/// # Errors
/// In words: a quote that does not end, or nothing at all.
pub(crate) fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                // Two quotes with nothing between them are a word, too.
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote is opened and not closed");
    }
    words.extend(word);
    if words.is_empty() { Err("it has no words") } else { Ok(words) }
}
