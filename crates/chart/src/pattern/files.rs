//! The globs of `.Files.Glob`, as `gobwas/glob` compiles them with the separator `/`.

/// A compiled glob: `*` stops at `/`, `**` does not, `?`, `[a-z]`, `[!abc]`, `{a,b}`, `\` quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// One character that is not `/`.
    Single,
    /// Any run without `/`.
    Any,
    /// Any run.
    Super,
    /// One character out of a set.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// One of several sequences.
    Alternatives(Vec<Vec<Token>>),
}

/// How deep `{…{…}…}` may nest.
const MAX_NESTING: usize = 16;
/// How many steps one match may take before it counts as no match.
const MAX_STEPS: usize = 1_000_000;

impl Glob {
    /// Compiles a glob; one that is malformed becomes `**`, which matches everything, as Helm does.
    pub fn new(pattern: &str) -> Self {
        let chars: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        match sequence(&chars, &mut at, 0) {
            Some(tokens) if at == chars.len() => Glob { tokens },
            _ => Glob { tokens: vec![Token::Super] },
        }
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let mut steps = 0;
        run(&Chain { tokens: &self.tokens, next: None }, &name, &mut steps)
    }
}

/// Reads tokens up to the end, or up to `,` or `}` when inside braces.
fn sequence(chars: &[char], at: &mut usize, depth: usize) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    while let Some(&c) = chars.get(*at) {
        match c {
            ',' | '}' if depth > 0 => return Some(tokens),
            '}' => return None,
            '*' => {
                *at += 1;
                if chars.get(*at) == Some(&'*') {
                    *at += 1;
                    tokens.push(Token::Super);
                } else {
                    tokens.push(Token::Any);
                }
            }
            '?' => {
                *at += 1;
                tokens.push(Token::Single);
            }
            '\\' => {
                let quoted = *chars.get(*at + 1)?;
                *at += 2;
                tokens.push(Token::Char(quoted));
            }
            '[' => tokens.push(class(chars, at)?),
            '{' => {
                if depth >= MAX_NESTING {
                    return None;
                }
                let mut alternatives = Vec::new();
                loop {
                    *at += 1;
                    alternatives.push(sequence(chars, at, depth + 1)?);
                    match chars.get(*at) {
                        Some(',') => {}
                        Some('}') => break,
                        _ => return None,
                    }
                }
                *at += 1;
                tokens.push(Token::Alternatives(alternatives));
            }
            c => {
                *at += 1;
                tokens.push(Token::Char(c));
            }
        }
    }
    if depth == 0 { Some(tokens) } else { None }
}

/// `[a-z]`, `[!a-z]`, `[abc]`, `[!abc]`: a range or a list, not both, as gobwas has it.
fn class(chars: &[char], at: &mut usize) -> Option<Token> {
    *at += 1;
    let negated = chars.get(*at) == Some(&'!');
    if negated {
        *at += 1;
    }
    if chars.get(*at + 1) == Some(&'-') && *chars.get(*at)? != ']' {
        let (low, high) = (chars[*at], *chars.get(*at + 2)?);
        if chars.get(*at + 3) != Some(&']') || high < low {
            return None;
        }
        *at += 4;
        return Some(Token::Class { negated, ranges: vec![(low, high)] });
    }
    let mut ranges = Vec::new();
    loop {
        match *chars.get(*at)? {
            ']' if !ranges.is_empty() => break,
            ']' => return None,
            '\\' => {
                let quoted = *chars.get(*at + 1)?;
                ranges.push((quoted, quoted));
                *at += 2;
            }
            c => {
                ranges.push((c, c));
                *at += 1;
            }
        }
    }
    *at += 1;
    Some(Token::Class { negated, ranges })
}

/// What is still to match: the rest of a sequence, then what follows the braces around it.
#[derive(Clone, Copy)]
struct Chain<'a> {
    tokens: &'a [Token],
    next: Option<&'a Chain<'a>>,
}

fn run(chain: &Chain<'_>, name: &[char], steps: &mut usize) -> bool {
    *steps += 1;
    if *steps > MAX_STEPS {
        return false;
    }
    let Some((token, rest)) = chain.tokens.split_first() else {
        return match chain.next {
            Some(next) => run(next, name, steps),
            None => name.is_empty(),
        };
    };
    let after = Chain { tokens: rest, next: chain.next };
    match token {
        Token::Char(c) => name.first() == Some(c) && run(&after, &name[1..], steps),
        Token::Single => name.first().is_some_and(|&c| c != '/') && run(&after, &name[1..], steps),
        Token::Class { negated, ranges } => {
            name.first().is_some_and(|&c| ranges.iter().any(|&(low, high)| low <= c && c <= high) != *negated)
                && run(&after, &name[1..], steps)
        }
        Token::Any | Token::Super => {
            for taken in 0..=name.len() {
                if run(&after, &name[taken..], steps) {
                    return true;
                }
                if *token == Token::Any && name.get(taken) == Some(&'/') {
                    return false;
                }
            }
            false
        }
        Token::Alternatives(alternatives) => {
            alternatives.iter().any(|tokens| run(&Chain { tokens, next: Some(&after) }, name, steps))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_helm_matches_files() {
        let rows = [
            ("files/*", "files/a.txt", true),
            ("files/*", "files/sub/a.txt", false),
            ("files/**", "files/sub/a.txt", true),
            ("**.txt", "x/y/z.txt", true),
            ("*.txt", "x/z.txt", false),
            ("files/{a,z}.txt", "files/z.txt", true),
            ("files/{a,z}.txt", "files/b.txt", false),
            ("f[ab]c", "fbc", true),
            ("f[!ab]c", "fbc", false),
            ("f[a-c]x", "fbx", true),
            ("f?x", "f/x", false),
            ("[", "anything/at/all", true),
            ("{a,b}/{c,d}", "b/c", true),
            ("\\*", "*", true),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_hostile_glob_ends() {
        let glob = Glob::new(&"**a".repeat(40));
        assert!(!glob.matches(&"a".repeat(200).replace("aa", "ab")));
    }
}
