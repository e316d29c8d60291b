//! Objects as templates write them: kinds and names before anything is rendered.

/// An object of a template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written<'t> {
    pub(crate) kind: &'t str,
    /// As it is written: `{{ .Release.Name }}-web`; empty where that is not seen.
    pub(crate) name: &'t str,
    /// Where the line of its kind begins.
    pub(crate) at: usize,
    /// Its lines, from that one on.
    pub(crate) text: &'t str,
}

/// The objects of a text, as far as their kinds stand at the edge of the page.
pub(crate) fn written(text: &str) -> Vec<Written<'_>> {
    let is_bound = |line: &str| line.starts_with("kind:") || line.starts_with("---");
    let bounds: Vec<(usize, &str)> = lines(text).filter(|(_, line)| is_bound(line)).collect();
    let ends = bounds.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    let whole = bounds.iter().zip(ends).filter_map(|((at, line), end)| {
        let own = &text[*at..end];
        Some(Written { kind: line.strip_prefix("kind:")?.trim(), name: name(own), at: *at, text: own })
    });
    whole.collect()
}

/// The lines of a text, each with where it begins.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end())
    })
}

/// The name in an object's metadata.
fn name(object: &str) -> &str {
    let mut below = object.lines().skip_while(|line| !line.starts_with("metadata:"));
    let Some(first) = below.next() else { return "" };
    if let Some(inline) = first.strip_prefix("metadata:").map(str::trim).and_then(|it| it.strip_prefix('{')) {
        let named = inline.split(',').find_map(|part| part.trim().strip_prefix("name:"));
        // Braces of an action are not those of the map.
        return named.filter(|it| !it.contains("{{")).map_or("", |it| it.trim().trim_end_matches('}').trim());
    }
    let own = below.take_while(|line| line.is_empty() || line.starts_with([' ', '\t', '#', '{']));
    own.into_iter().find_map(|line| line.trim_start().strip_prefix("name:")).map_or("", str::trim)
}

/// Whether two texts of templates say the same, however they are quoted and spaced.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim().trim_matches(['"', '\'']);
        let text = text.replace("{{-", "{{").replace("-}}", "}}").replace(" $ ", " . ").replace("$.", ".");
        text.split_whitespace().collect::<String>()
    };
    !one.is_empty() && bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_seen_with_their_kinds_and_names() {
        let text = "{{- if .a }}\napiVersion: v1\nkind: Secret\nmetadata:\n  labels: {a: b}\n  name: {{ .x }}-y\n\
                    data: {}\n---\nkind: Service\nmetadata: {name: web, labels: {a: b}}\n{{- end }}\n";
        let found: Vec<_> = written(text).into_iter().map(|it| (it.kind, it.name)).collect();
        assert_eq!(found, [("Secret", "{{ .x }}-y"), ("Service", "web")]);
        assert_eq!(written("data:\n  kind: x\n"), []);
    }

    #[test]
    fn texts_say_the_same_however_they_are_written() {
        assert!(says_the_same("\"{{ .Release.Name }}\"", "{{- .Release.Name -}}"));
        assert!(says_the_same("{{ include \"a.b\" $ }}", "{{include \"a.b\" . }}"));
        assert!(!says_the_same("{{ .Values.name }}", "{{ .Release.Name }}"));
        assert!(!says_the_same("", ""));
    }
}
