use crate::{Object, mask};

/// One line of a text diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// On both sides.
    Same(String),
    /// Only before.
    Removed(String),
    /// Only after.
    Added(String),
}

/// Changed lines with what stands around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The first line's number before, from 1.
    pub from_line: usize,
    /// The first line's number after, from 1.
    pub to_line: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Beyond this many pairs of lines the texts are compared only at their ends.
const MOST_PAIRS: usize = 4_000_000;

/// The YAML texts of both states as hunks with `context` lines around changes; secret values masked.
///
/// A side that is `None` counts as empty: everything is added or removed.
pub fn hunks(from: Option<&Object>, to: Option<&Object>, context: usize) -> Vec<Hunk> {
    let (from, to) = mask::pair(from, to);
    let text = |object: &Option<Object>| {
        // A JSON value always has a YAML text; if not, its JSON text serves as well.
        object.as_ref().map_or_else(String::new, |object| {
            landfall_yaml::emit(object.value()).unwrap_or_else(|_| object.value().to_string())
        })
    };
    let (from, to) = (text(&from), text(&to));
    let (from, to): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    grouped(&compared(&from, &to), context)
}

/// All lines of both sides, merged along a longest common subsequence.
fn compared(from: &[&str], to: &[&str]) -> Vec<Line> {
    let start = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let end = from[start..].iter().rev().zip(to[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (before, after) = (&from[start..from.len() - end], &to[start..to.len() - end]);
    let same = |line: &&str| Line::Same((*line).to_owned());
    let mut lines: Vec<Line> = from[..start].iter().map(same).collect();
    lines.extend(middle(before, after));
    lines.extend(from[from.len() - end..].iter().map(same));
    lines
}

fn middle(before: &[&str], after: &[&str]) -> Vec<Line> {
    let removed = |line: &&str| Line::Removed((*line).to_owned());
    let added = |line: &&str| Line::Added((*line).to_owned());
    if before.len().saturating_mul(after.len()) > MOST_PAIRS {
        return before.iter().map(removed).chain(after.iter().map(added)).collect();
    }
    let width = after.len() + 1;
    // common[i * width + j]: the longest common subsequence of before[i..] and after[j..].
    let mut common = vec![0_u32; (before.len() + 1) * width];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            common[i * width + j] = if before[i] == after[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            lines.push(Line::Same(before[i].to_owned()));
            (i, j) = (i + 1, j + 1);
        } else if i < before.len() && (j == after.len() || common[(i + 1) * width + j] >= common[i * width + j + 1]) {
            lines.push(removed(&before[i]));
            i += 1;
        } else {
            lines.push(added(&after[j]));
            j += 1;
        }
    }
    lines
}

fn grouped(lines: &[Line], context: usize) -> Vec<Hunk> {
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Same(_))).map(|(at, _)| at).collect();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for at in changed {
        let (start, end) = (at.saturating_sub(context), (at + context + 1).min(lines.len()));
        match ranges.last_mut() {
            Some(last) if start <= last.1 => last.1 = end,
            _ => ranges.push((start, end)),
        }
    }
    let number = |end: usize, side: fn(&Line) -> bool| lines[..end].iter().filter(|line| side(line)).count() + 1;
    ranges
        .into_iter()
        .map(|(start, end)| Hunk {
            from_line: number(start, |line| !matches!(line, Line::Added(_))),
            to_line: number(start, |line| !matches!(line, Line::Removed(_))),
            lines: lines[start..end].to_vec(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_hold_changes_with_context_and_line_numbers() {
        let from = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let to = ["a", "b", "C", "d", "e", "f", "g", "h", "i"];
        let hunks = grouped(&compared(&from, &to), 1);
        let text = |line: &Line| match line {
            Line::Same(text) => format!(" {text}"),
            Line::Removed(text) => format!("-{text}"),
            Line::Added(text) => format!("+{text}"),
        };
        let shown: Vec<(usize, usize, String)> = hunks
            .iter()
            .map(|hunk| (hunk.from_line, hunk.to_line, hunk.lines.iter().map(text).collect::<Vec<_>>().join("|")))
            .collect();
        assert_eq!(shown, [(2, 2, " b|-c|+C| d".to_owned()), (8, 8, " h|+i".to_owned())]);
    }
}
