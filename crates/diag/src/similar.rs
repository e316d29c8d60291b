/// The known name nearest to a mistyped one, if it is near enough to be meant.
///
/// Near enough is an edit distance (insert, delete, replace, swap of neighbours) of at most a third of the longer
/// name's length, at least one; equal distances go to the first in `known`.
pub fn nearest<'a, I>(typed: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let typed_chars: Vec<char> = typed.chars().flat_map(char::to_lowercase).collect();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let name_chars: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
        let limit = (typed_chars.len().max(name_chars.len()) / 3).max(1);
        let distance = distance(&typed_chars, &name_chars);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Optimal string alignment distance: like Levenshtein's, a swap of neighbours counts one.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_pair_of_letters_is_one_step() {
        assert_eq!(nearest("stauts", ["status", "logs"]), Some("status"));
        assert_eq!(nearest("apigateway", ["api-gateway", "web"]), Some("api-gateway"));
    }

    #[test]
    fn what_is_too_far_away_is_not_suggested() {
        assert_eq!(nearest("xyz", ["status", "logs"]), None);
    }
}
