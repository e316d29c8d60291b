//! Names for addresses and for objects, made of any text (as gosimple/slug does it for English, and Argo CD's `normalize`).

/// The longest name of an object.
const NAME: usize = 253;

/// A text as the name of an object: small letters, digits, `-` and `.`, beginning and ending with a letter or digit.
pub(crate) fn sanitized(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-' { c } else { '-' };
    // All is one byte long now.
    let mut name: String = lower.chars().map(kept).collect();
    name.truncate(NAME);
    name.trim_matches(['-', '.']).to_owned()
}

/// Where a slug that is too long is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Between two words.
    Words,
    /// Anywhere.
    Anywhere,
}

/// A text as part of an address, of at most so many bytes; no limit for 0. Letters that ASCII does not have become `-`.
pub(crate) fn slug(text: &str, most: usize, cut: Cut) -> String {
    let mut spelt = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '&' => spelt.push_str("and"),
            '@' => spelt.push_str("at"),
            '"' | '\'' | '\u{2019}' => {}
            c => spelt.extend(c.to_lowercase()),
        }
    }
    if cut == Cut::Anywhere && spelt.len() >= most && spelt.is_char_boundary(most) {
        spelt.truncate(most);
    }
    let mut out = String::with_capacity(spelt.len());
    for c in spelt.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let out = out.trim_matches(['-', '_']);
    if most == 0 || out.len() <= most || cut == Cut::Anywhere {
        return out.to_owned();
    }
    // All is ASCII: each byte is a letter.
    let end = out[..=most].rfind('-').unwrap_or(most);
    out[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_becomes_part_of_a_name() {
        assert_eq!(slug("feature/Add_the_Thing!", 50, Cut::Words), "feature-add_the_thing");
        assert_eq!(slug("  a & b @ c's ", 50, Cut::Words), "a-and-b-at-cs");
        assert_eq!(slug("one-two-three", 9, Cut::Words), "one-two");
        assert_eq!(slug("onetwothree", 6, Cut::Words), "onetwo");
        assert_eq!(slug("one-two-three", 9, Cut::Anywhere), "one-two-t");
    }

    #[test]
    fn a_name_keeps_its_dots_inside_alone() {
        assert_eq!(sanitized(".My_Cluster.example.com-"), "my-cluster.example.com");
        assert_eq!(sanitized(&"a".repeat(300)).len(), 253);
    }
}
