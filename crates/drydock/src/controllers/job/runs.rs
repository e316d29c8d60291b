//! Indexes of a job as its status writes them: in runs.

use std::collections::BTreeSet;

/// Reads `1,3-5,7`.
pub(super) fn parse(text: &str) -> BTreeSet<i64> {
    let mut indexes = BTreeSet::new();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
            // Completions are at most 10^5 for such jobs, which also bounds a hostile status.
            indexes.extend((first..=last).take(100_000));
        }
    }
    indexes
}

/// Writes `1,3-5,7`: runs of two are listed, longer ones shortened.
pub(super) fn print(indexes: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let parts: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_runs_and_read_back() {
        let indexes: BTreeSet<i64> = [0, 2, 3, 5, 6, 7, 9].into();
        assert_eq!(print(&indexes), "0,2,3,5-7,9");
        assert_eq!(parse("0,2,3,5-7,9"), indexes);
        assert!(parse("").is_empty());
    }
}
