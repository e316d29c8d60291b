/// The known name nearest to a mistyped one, if it is near enough to be meant.
///
/// Near enough is an edit distance (insert, delete, replace, swap of neighbours) of at most a third of the longer
/// name's length, at least one; equal distances go to the first in `known`.
pub fn nearest<'a, I>(typed: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let typed = typed.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let lower = name.to_lowercase();
        let limit = (typed.chars().count().max(lower.chars().count()) / 3).max(1);
        let distance = strsim::osa_distance(&typed, &lower);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
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
