//! Documents that stand in a script (`<<EOF`): what a program is handed, up to a line that is the word alone.

use std::collections::VecDeque;

/// A script and the documents in it.
pub(super) struct Documents {
    /// The script without what stands in its documents.
    pub(super) rest: String,
    /// The word of one that nothing ends, while a line has the word behind blanks.
    pub(super) unended: Option<String>,
}

impl Documents {
    pub(super) fn of(script: &str) -> Self {
        let mut rest = String::with_capacity(script.len());
        let mut open: VecDeque<Opened<'_>> = VecDeque::new();
        let mut is_indented = false;
        for line in script.split_inclusive('\n') {
            let bare = line.trim_end_matches(['\n', '\r']);
            let Some(Opened { word, takes_tabs }) = open.front() else {
                rest.push_str(line);
                open.extend(opened(bare));
                continue;
            };
            let ends = if *takes_tabs { bare.trim_start_matches('\t') } else { bare };
            if ends == *word {
                open.pop_front();
                is_indented = false;
            } else {
                is_indented |= bare.trim() == *word;
            }
        }
        let unended = open.front().filter(|_| is_indented).map(|it| it.word.to_owned());
        Documents { rest, unended }
    }
}

/// A document that a line begins.
struct Opened<'s> {
    word: &'s str,
    /// Whether tabs may stand in front of the word that ends it: `<<-`.
    takes_tabs: bool,
}

/// The documents that a line begins, in their order.
fn opened(line: &str) -> Vec<Opened<'_>> {
    let mut found = Vec::new();
    if line.trim_start().starts_with('#') {
        return found;
    }
    for (at, _) in line.match_indices("<<") {
        let behind = &line[at + 2..];
        // `<<<` hands on a word, and `$((1 << 2))` is a number.
        if line[..at].ends_with('<') || behind.starts_with('<') || line[..at].contains("((") {
            continue;
        }
        let takes_tabs = behind.starts_with('-');
        let behind = behind.trim_start_matches('-').trim_start().trim_start_matches(['"', '\'', '\\']);
        let is_of_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let word = &behind[..behind.find(|it| !is_of_word(it)).unwrap_or(behind.len())];
        if word.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') {
            found.push(Opened { word, takes_tabs });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_document_is_no_script() {
        let of = |script: &str| Documents::of(script).rest;
        assert_eq!(of("cat <<EOF > a\n--x\nEOF\nb\n"), "cat <<EOF > a\nb\n");
        assert_eq!(of("cat <<-'EOF'\n--x\n\t\tEOF\nb"), "cat <<-'EOF'\nb");
        assert_eq!(of("cat <<A <<B\n1\nA\n2\nB\nb"), "cat <<A <<B\nb");
        assert_eq!(of("read a <<< b\nx=$((1 << 2))\n# <<EOF\n"), "read a <<< b\nx=$((1 << 2))\n# <<EOF\n");
    }

    #[test]
    fn a_word_behind_blanks_ends_nothing() {
        let of = |script: &str| Documents::of(script).unended;
        assert_eq!(of("cat <<EOF\na\n  EOF\nb\n"), Some("EOF".to_owned()));
        assert_eq!(of("cat <<-EOF\na\n  EOF\nb\n"), Some("EOF".to_owned()));
        for ends in ["cat <<EOF\n  EOF\nEOF\n", "cat <<-EOF\n\tEOF\n", "cat <<EOF\na\n", "cat <<EOF\na\nEOF"] {
            assert_eq!(of(ends), None, "{ends}");
        }
    }
}
