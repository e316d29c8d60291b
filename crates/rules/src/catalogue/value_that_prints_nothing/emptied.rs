//! Values that are printed in a branch which is taken only where they are empty.

use super::{Dot, bare_path, moved, operand};

/// A block that is open: the path that is empty in the branch at hand, and the one that is empty in the branch behind `else`.
#[derive(Default)]
struct Block {
    now: Option<String>,
    otherwise: Option<String>,
}

/// The paths that a template prints where a condition of their own says that they are empty, with the lines, from 1.
pub(super) fn paths(text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let (mut dots, mut blocks): (Vec<Dot>, Vec<Block>) = (Vec::new(), Vec::new());
    let mut at = 0;
    let (mut line, mut counted) = (1_u32, 0);
    while let Some(start) = text[at..].find("{{").map(|from| at + from) {
        let Some(end) = text[start..].find("}}").map(|to| start + to) else { break };
        line += u32::try_from(text[counted..start].matches('\n').count()).unwrap_or(0);
        counted = start;
        let action = text[start + 2..end].trim_matches(['-', ' ', '\n', '\t']);
        let dot = dots.last().unwrap_or(&Dot::Root);
        let printed = bare_path(action, dot);
        found.extend(
            printed.filter(|path| blocks.iter().any(|it| it.now.as_ref() == Some(path))).map(|path| (line, path)),
        );
        let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((action, ""));
        match word {
            "if" => blocks.push(asked(rest.trim(), dot)),
            "with" | "range" | "define" | "block" => blocks.push(Block::default()),
            "else" => {
                let before = blocks.pop().unwrap_or_default();
                blocks.push(Block { now: before.otherwise.filter(|_| rest.trim().is_empty()), otherwise: None });
            }
            "end" => drop(blocks.pop()),
            _ => {}
        }
        moved(action, &mut dots);
        at = end + 2;
    }
    found
}

/// What a condition says of the one path that it asks for.
fn asked(condition: &str, dot: &Dot) -> Block {
    let words: Vec<&str> =
        condition.split(|it: char| it.is_whitespace() || matches!(it, '(' | ')')).filter(|it| !it.is_empty()).collect();
    match words.as_slice() {
        ["not" | "empty", word] => Block { now: operand(word, dot), otherwise: None },
        ["not", "empty", word] | [word] => Block { now: None, otherwise: operand(word, dot) },
        _ => Block::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_where_it_is_empty_is_found() {
        let text = "{{- if not .Values.a }}\na: {{ .Values.a }}\n{{- else }}\nb: {{ .Values.a }}\n{{- end }}\n\
                    {{ if .Values.c }}c: {{ .Values.c }}{{ else }}c: {{ .Values.c | quote }}{{ end }}\n\
                    {{ if empty (.Values.d) }}d: {{ .Values.d | default 1 }}{{ end }}\n\
                    {{ if not .Values.e }}{{ if .Values.f }}e: {{ .Values.e }}{{ end }}{{ end }}\n\
                    {{ if not .Values.g.on }}g: {{ .Values.g.name }}{{ end }}\n\
                    {{ if and (not .Values.h) .Values.i }}h: {{ .Values.h }}{{ end }}\n";
        let paths: Vec<(u32, String)> = paths(text);
        let paths: Vec<(u32, &str)> = paths.iter().map(|(line, path)| (*line, path.as_str())).collect();
        assert_eq!(paths, [(2, "a"), (6, "c"), (8, "e")]);
    }
}
