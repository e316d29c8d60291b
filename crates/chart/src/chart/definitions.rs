//! What a template defines for others, apart from what it prints itself.

/// The text of a template with its definitions alone, on their lines; none where it has none, or is not written to its end.
pub(super) fn definitions_alone(text: &str) -> Option<String> {
    let mut alone = String::new();
    let (mut at, mut copied, mut depth, mut begun) = (0, 0, 0_usize, None);
    while let Some(found) = text[at..].find("{{") {
        let start = at + found;
        at = end_of(text, start)?;
        match first_word(&text[start + 2..at]) {
            "define" if depth == 0 => (depth, begun) = (1, Some(start)),
            "define" | "block" | "if" | "with" | "range" => depth += 1,
            "end" => {
                depth = depth.checked_sub(1)?;
                if let Some(start) = begun.take_if(|_| depth == 0) {
                    alone.extend(text[copied..start].chars().filter(|it| *it == '\n'));
                    alone.push_str(&text[start..at]);
                    copied = at;
                }
            }
            _ => {}
        }
    }
    (depth == 0 && !alone.is_empty()).then_some(alone)
}

/// Where the action has ended whose braces open at a byte. Comments and what stands in quotes may speak of braces.
fn end_of(text: &str, start: usize) -> Option<usize> {
    let from = start + 2;
    let inner = &text[from..];
    if inner.strip_prefix('-').map_or(inner, str::trim_start).starts_with("/*") {
        let closed = from + inner.find("*/")?;
        return Some(closed + text[closed..].find("}}")? + 2);
    }
    let (mut open, mut is_escaped) = (None, false);
    for (at, letter) in inner.char_indices() {
        match open {
            Some(quote) => {
                if letter == quote && !is_escaped {
                    open = None;
                }
                is_escaped = letter == '\\' && !is_escaped && quote != '`';
            }
            None if inner[at..].starts_with("}}") => return Some(from + at + 2),
            None => open = Some(letter).filter(|it| matches!(it, '"' | '`' | '\'')),
        }
    }
    None
}

/// The first word of what stands in an action.
fn first_word(inner: &str) -> &str {
    let inner = inner.strip_prefix('-').unwrap_or(inner).trim_start();
    let end = inner.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(inner.len());
    &inner[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_stay_on_their_lines_and_the_rest_goes() {
        let port =
            "{{- define \"shop.port\" -}}\n{{ if .Values.port }}{{ .Values.port }}{{ else }}80{{ end }}\n{{- end }}";
        let text =
            format!("kind: Secret\nname: {{{{ .Values.name }}}}\n{port}\nport: {{{{ include \"shop.port\" . }}}}\n");
        assert_eq!(definitions_alone(&text), Some(format!("\n\n{port}")));
        let two =
            "{{/* }} {{ define */}}{{ define \"a\" }}{{ \"}} \\\" {{ end\" }}{{ end }}\nb: c\n{{ define `b` }}{{end}}";
        let alone = "{{ define \"a\" }}{{ \"}} \\\" {{ end\" }}{{ end }}\n\n{{ define `b` }}{{end}}";
        assert_eq!(definitions_alone(two).as_deref(), Some(alone));
    }

    #[test]
    fn a_text_that_defines_nothing_whole_goes() {
        for text in [
            "kind: Secret\n",
            "{{ if .a }}b{{ end }}",
            "{{ define \"a\" }}",
            "{{ end }}{{ define \"a\" }}{{ end }}",
            "{{",
        ] {
            assert_eq!(definitions_alone(text), None, "{text}");
        }
    }
}
