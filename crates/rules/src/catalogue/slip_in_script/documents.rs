//! Documents that stand in a script (`<<EOF`): what a program is handed, up to a line that is the word alone.

use crate::shell::documents;

/// A script without its documents; none where it may have others than are told.
pub(super) fn without_documents(script: &str) -> Option<String> {
    let documents = documents(script);
    let (mut rest, mut at) = (String::with_capacity(script.len()), 0);
    for document in &documents {
        rest.push_str(&script[at..document.range.start]);
        at = document.range.end;
    }
    rest.push_str(&script[at..]);
    (rest.matches("<<").count() == documents.len()).then_some(rest)
}

/// The word of a document that nothing ends, while a line of it has the word behind blanks.
pub(super) fn unended(script: &str) -> Option<String> {
    let mut open = documents(script).into_iter().filter(|it| !it.is_ended && !it.end.is_empty());
    open.find(|it| script[it.range.clone()].lines().any(|line| line.trim() == it.end)).map(|it| it.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_document_is_no_script() {
        let of = |script: &str| without_documents(script).unwrap_or_default();
        assert_eq!(of("cat <<EOF > a\n--x\nEOF\nb\n"), "cat <<EOF > a\nb\n");
        assert_eq!(of("cat <<-'EOF'\n--x\n\t\tEOF\nb"), "cat <<-'EOF'\nb");
        assert_eq!(of("cat <<A <<B\n1\nA\n2\nB\nb"), "cat <<A <<B\nb");
        for unsure in ["read a <<< b\n", "x=$((1 << 2))\n", "# <<EOF\n", "x=$(cat <<EOF\n--a\nEOF\n)\n"] {
            assert_eq!(without_documents(unsure), None, "{unsure}");
        }
    }

    #[test]
    fn a_word_behind_blanks_ends_nothing() {
        assert_eq!(unended("cat <<EOF\na\n  EOF\nb\n"), Some("EOF".to_owned()));
        assert_eq!(unended("cat <<-EOF\na\n  EOF\nb\n"), Some("EOF".to_owned()));
        for ends in ["cat <<EOF\n  EOF\nEOF\n", "cat <<-EOF\n\tEOF\n", "cat <<EOF\na\n", "cat <<EOF\na\nEOF"] {
            assert_eq!(unended(ends), None, "{ends}");
        }
    }
}
