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

/// The known name that was most likely meant, where only a slip of the hand lies between: one edit of a short name, two of
/// a long one, or the same words in another order. Names that differ in their numbers alone are two names.
pub fn slip<'a, I>(typed: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    const LONG: usize = 10;
    let letters = |name: &str| name.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    let words = |name: &str| {
        let mut words: Vec<String> = name.split(['-', '_', '.']).map(str::to_lowercase).collect();
        words.sort_unstable();
        words
    };
    let near = known.into_iter().filter_map(|name| {
        let limit = if typed.len().min(name.len()) >= LONG { 2 } else { 1 };
        let distance = strsim::osa_distance(&typed.to_lowercase(), &name.to_lowercase());
        let is_number = letters(typed) == letters(name) && typed.len() == name.len();
        let is_near =
            (distance <= limit && typed.len().min(name.len()) > 2 && !is_number) || words(typed) == words(name);
        is_near.then_some((distance, name))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
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
    fn a_slip_is_one_edit_or_words_in_another_order_and_no_other_number() {
        assert_eq!(slip("shop-secret", ["shop-secrets", "shop-tls"]), Some("shop-secrets"));
        assert_eq!(slip("shop-secret-db", ["shop-db-secret"]), Some("shop-db-secret"));
        assert_eq!(slip("targetport", ["targetPort", "port"]), Some("targetPort"));
        assert_eq!(slip("web-tls", ["api-tls", "web-db"]), None);
        assert_eq!(slip("data-1", ["data-0", "data-2"]), None);
    }

    #[test]
    fn what_is_too_far_away_is_not_suggested() {
        assert_eq!(nearest("xyz", ["status", "logs"]), None);
    }
}
