//! Whether our answer is helm's: byte for byte, and where helm differs from itself, by shape (`docs/` of the project
//! explain: runs of random-looking characters are masked in all three, and keep their length and alphabet).

use crate::helm::Outcome;

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same bytes.
    Identical,
    /// The same bytes but for what helm itself makes anew each time.
    RandomAgrees,
    /// Both refused, in the same words.
    RefusedAlike,
    /// Both refused, in different words.
    RefusedOtherwise,
    /// Helm came to no end, and we refuse.
    OracleDied,
    /// Something else, told in a line.
    Differs(String),
}

impl Verdict {
    /// Whether a case passes: words of refusals are counted but do not decide. A case without an answer of helm's can
    /// only be excluded.
    pub(crate) fn passes(&self) -> bool {
        !matches!(self, Verdict::Differs(_) | Verdict::OracleDied)
    }

    /// The word in reports.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Verdict::Identical => "identical",
            Verdict::RandomAgrees => "random-agrees",
            Verdict::RefusedAlike => "refused-alike",
            Verdict::RefusedOtherwise => "refused-otherwise",
            Verdict::OracleDied => "oracle-died",
            Verdict::Differs(_) => "differs",
        }
    }
}

/// Judges our answer against two of helm's.
pub(crate) fn judge(first: &Outcome, second: &Outcome, ours: &Outcome) -> Verdict {
    match (first, second, ours) {
        (Outcome::Rendered(first), Outcome::Rendered(second), Outcome::Rendered(ours)) => {
            if first == second {
                return match first_difference(first, ours) {
                    None => Verdict::Identical,
                    Some(place) => Verdict::Differs(place),
                };
            }
            match masked(&text(first), &text(second), &text(ours)) {
                Ok(()) => Verdict::RandomAgrees,
                Err(place) => Verdict::Differs(place),
            }
        }
        (Outcome::Refused(first), Outcome::Refused(second), Outcome::Refused(ours)) => {
            if ours == first || ours == second {
                Verdict::RefusedAlike
            } else if first != second && masked(first, second, ours).is_ok() {
                // What is random may stand in a refusal too.
                Verdict::RandomAgrees
            } else {
                Verdict::RefusedOtherwise
            }
        }
        (Outcome::Died(_), _, Outcome::Refused(_)) => Verdict::OracleDied,
        (Outcome::Died(words), ..) => Verdict::Differs(format!("helm dies: {words}")),
        (Outcome::Rendered(_), _, Outcome::Refused(words)) => Verdict::Differs(format!("we refuse: {words}")),
        (Outcome::Refused(words), _, Outcome::Rendered(_)) => Verdict::Differs(format!("helm refuses: {words}")),
        _ => Verdict::Differs("helm sometimes refuses".to_owned()),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn first_difference(theirs: &[u8], ours: &[u8]) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let (theirs, ours) = (text(theirs), text(ours));
    let mut lines = theirs.split('\n').zip(ours.split('\n')).enumerate();
    Some(match lines.find(|(_, (theirs, ours))| theirs != ours) {
        Some((at, (theirs, ours))) => format!("line {}: helm {theirs:?}, ours {ours:?}", at + 1),
        None => format!("helm {} lines, ours {}", theirs.split('\n').count(), ours.split('\n').count()),
    })
}

/// Compares what is random by shape and all else by letter.
fn masked(first: &str, second: &str, ours: &str) -> Result<(), String> {
    let (first, second, ours) = (blocks_masked(first), blocks_masked(second), blocks_masked(ours));
    let (first, second, ours) = (lines(&first), lines(&second), lines(&ours));
    if first.len() != second.len() {
        // A certificate is sometimes a line longer: then the shapes of whole texts are compared.
        return loosely(&first, &ours);
    }
    if first.len() != ours.len() {
        return Err(format!("helm {} lines, ours {}", first.len(), ours.len()));
    }
    for (at, ((first, second), ours)) in first.iter().zip(&second).zip(&ours).enumerate() {
        if first == second {
            if first != ours {
                return Err(format!("line {}: helm {first:?}, ours {ours:?}", at + 1));
            }
            continue;
        }
        let (a, b, c) = (words(first), words(second), words(ours));
        if a.len() != c.len() || a.len() != b.len() {
            return Err(format!("line {}: helm {first:?}, ours {ours:?}", at + 1));
        }
        for ((a, b), c) in a.iter().zip(&b).zip(&c) {
            let same = if a == b { a == c } else { alike(a, b, c) };
            if !same {
                return Err(format!("line {}: helm {a:?} or {b:?}, ours {c:?}", at + 1));
            }
        }
    }
    Ok(())
}

/// Whether a text is of the shape of two that an oracle has drawn: by letter where they agree, else by length and alphabet.
pub(crate) fn agrees_by_shape(first: &str, second: &str, ours: &str) -> bool {
    masked(first, second, ours).is_ok()
}

/// Certificates and keys without what is in them: a random number's length moves all that follows it, so that the same
/// words stand in two of them by chance and not in the third, and their last lines are of other lengths.
fn blocks_masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let is_base64 = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        if inside && is_base64 {
            continue;
        }
        inside = bare.ends_with("-----") && bare.contains("-----BEGIN ");
        match quoted_block(line) {
            Some((before, behind)) => out.extend([before, behind]),
            None => out.push_str(line),
        }
    }
    out
}

/// What stands before and behind a certificate or key that is quoted, all of it on one line.
fn quoted_block(line: &str) -> Option<(&str, &str)> {
    const HEAD_ENDS: &str = "-----\\n";
    let head = line.find("-----BEGIN ")?;
    let from = head + line[head..].find(HEAD_ENDS)? + HEAD_ENDS.len();
    let to = from + line[from..].find("-----END ")?;
    let is_body = line[from..to].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=\\".contains(&byte));
    is_body.then_some((&line[..from], &line[to..]))
}

fn lines(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

/// Runs of letters and digits (with what base64 adds), and what stands between them.
fn words(line: &str) -> Vec<&str> {
    let inside =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '+' | '/' | '=' | '$' | '.');
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let kind = inside(first);
        let end = rest.find(|character| inside(character) != kind).unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
    words
}

/// Whether a random word has helm's length (or lies between, where helm's own differ) and alphabet.
fn alike(first: &str, second: &str, ours: &str) -> bool {
    if [is_address, is_counted].into_iter().any(|is| [first, second, ours].into_iter().all(is)) {
        return true;
    }
    let slack = if first.len() == second.len() && first.len() < 100 { 0 } else { 24 };
    let shortest = first.len().min(second.len()).saturating_sub(slack);
    let longest = first.len().max(second.len()) + slack;
    let alphabet = alphabet(first) | alphabet(second);
    (shortest..=longest).contains(&ours.len()) && (ours.len() < 6 || alphabet_of(ours) & !alphabet == 0)
}

/// Whether it is a place in memory: how many digits it has, the operating system decides.
fn is_address(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or_default();
    (9..=16).contains(&digits.len()) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether it is a number that was counted and not drawn digit by digit: a clock's seconds and their fraction, of which Go
/// leaves out the zeros behind, or a small number such as a minute. How many digits it has is chance.
fn is_counted(word: &str) -> bool {
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let bare = word.strip_prefix("m=+").unwrap_or(word);
    match bare.split_once('.') {
        Some((whole, fraction)) => is_number(whole) && is_number(fraction) && fraction.len() <= 9,
        None => is_number(bare) && bare.len() <= 2,
    }
}

fn alphabet_of(word: &str) -> u8 {
    word.bytes().fold(0, |known, byte| {
        known
            | match byte {
                b'0'..=b'9' => 1,
                b'a'..=b'f' => 2,
                b'g'..=b'z' => 4,
                b'A'..=b'F' => 8,
                b'G'..=b'Z' => 16,
                _ => 32,
            }
    })
}

/// The alphabet that a random word was drawn from: short words rarely show all of it.
fn alphabet(word: &str) -> u8 {
    let seen = alphabet_of(word);
    let lower = if seen & 4 != 0 { 7 } else { 0 };
    let upper = if seen & 16 != 0 { 31 } else { 0 };
    seen | lower | upper | if upper != 0 && lower != 0 { 32 } else { 0 }
}

/// The same lines but for long runs of base64.
fn loosely(theirs: &[&str], ours: &[&str]) -> Result<(), String> {
    let shape = |lines: &[&str]| -> Vec<String> {
        let mut shape: Vec<String> = Vec::new();
        for line in lines {
            let words: String = words(line)
                .iter()
                .map(|word| if word.len() >= 6 && alphabet_of(word).count_ones() >= 3 { "*" } else { word })
                .collect();
            if shape.last() != Some(&words) || !words.trim().starts_with('*') {
                shape.push(words);
            }
        }
        shape
    };
    let (theirs, ours) = (shape(theirs), shape(ours));
    match theirs.iter().zip(&ours).position(|(theirs, ours)| theirs != ours) {
        Some(at) => Err(format!("shape of line {}: helm {:?}, ours {:?}", at + 1, theirs[at], ours[at])),
        None if theirs.len() != ours.len() => Err("shapes differ in length".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Outcome {
        Outcome::Rendered(text.as_bytes().to_vec())
    }

    #[test]
    fn a_wrong_byte_is_seen() {
        let helm = rendered("a: 1\nb: 2\n");
        assert_eq!(judge(&helm, &helm, &helm), Verdict::Identical);
        assert!(!judge(&helm, &helm, &rendered("a: 1\nb: 3\n")).passes());
        assert!(!judge(&helm, &helm, &rendered("a: 1\nb: 2\n\n")).passes());
    }

    #[test]
    fn random_words_agree_by_length_and_alphabet_only_where_helm_differs_from_itself() {
        let (first, second) = (rendered("p: aB3dE6gH\nq: x\n"), rendered("p: Zz9yX1wV\nq: x\n"));
        assert_eq!(judge(&first, &second, &rendered("p: 11aaBBxx\nq: x\n")), Verdict::RandomAgrees);
        assert!(!judge(&first, &second, &rendered("p: 11aaBBx\nq: x\n")).passes());
        assert!(!judge(&first, &second, &rendered("p: 11aaBBxx\nq: y\n")).passes());
        let pem = |body: &str, behind: &str| {
            rendered(&format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n{behind}\n"))
        };
        let (first, second) = (pem("AAVR0PAQH\nxyz=", "a: 1"), pem("BBVR0PAQH\nuvw=", "a: 1"));
        assert_eq!(judge(&first, &second, &pem("CVR0PAQH\nuv", "a: 1")), Verdict::RandomAgrees);
        assert!(!judge(&first, &second, &pem("CVR0PAQH\nuv", "a: 2")).passes());
        assert!(!judge(&first, &first, &pem("CVR0PAQH\nuv", "a: 1")).passes());
        let key =
            |body: &str| rendered(&format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n"));
        assert_eq!(judge(&key("AAVR0PAQ"), &key("BBVR0PAQ"), &key("CVR0PAQHuv==")), Verdict::RandomAgrees);
        let quoted = |body: &str, behind: &str| {
            rendered(&format!("c: \"-----BEGIN CERTIFICATE-----\\n{body}\\n-----END CERTIFICATE-----\\n\"{behind}\n"))
        };
        let (first, second) = (quoted("AAVR0PAQH\\nxyz=", ""), quoted("BBVR0PAQH\\nuvw=", ""));
        assert_eq!(judge(&first, &second, &quoted("CVR0PAQH\\nuv", "")), Verdict::RandomAgrees);
        assert!(!judge(&first, &second, &quoted("CVR0PAQH\\nuv", " ")).passes());
        let (first, second) = (rendered("p: [0xa488514e090]\n"), rendered("p: [0xb488514e090]\n"));
        assert_eq!(judge(&first, &second, &rendered("p: [0x258649852f80]\n")), Verdict::RandomAgrees);
        assert!(!judge(&first, &second, &rendered("p: [0x2586498]\n")).passes());
        let (first, second) = (rendered("p: 0123456789\n"), rendered("p: 9876543210\n"));
        assert!(!judge(&first, &second, &rendered("p: 01234abcde\n")).passes());
        assert!(!judge(&first, &second, &rendered("p: 012345678\n")).passes());
    }

    #[test]
    fn what_a_clock_says_has_any_number_of_digits() {
        let now = |seconds: &str, since: &str| rendered(&format!("at: 10:11:{seconds} +0000 UTC m=+{since}\n"));
        let (first, second) = (now("32.434306744", "0.212447355"), now("32.901974034", "0.153638362"));
        assert_eq!(judge(&first, &second, &now("32.49491589", "335.571995206")), Verdict::RandomAgrees);
        assert!(!judge(&first, &second, &now("32.4949158912", "0.571995206")).passes());
        assert!(!judge(&first, &second, &now("32.49491589", "0.571995206s")).passes());
        let minute = |minute: &str| rendered(&format!("schedule: {minute} 5 * * *\n"));
        assert_eq!(judge(&minute("37"), &minute("36"), &minute("7")), Verdict::RandomAgrees);
        assert!(!judge(&minute("37"), &minute("36"), &minute("107")).passes());
        assert!(!judge(&minute("37"), &minute("37"), &minute("7")).passes());
    }

    #[test]
    fn a_refusal_is_not_a_rendering() {
        let refused = Outcome::Refused("no".into());
        assert!(!judge(&refused, &refused, &rendered("a")).passes());
        assert!(!judge(&rendered("a"), &rendered("a"), &refused).passes());
        assert_eq!(judge(&refused, &refused, &refused), Verdict::RefusedAlike);
        let words = |random: &str| Outcome::Refused(format!("\"{random}\" is not a value"));
        let (first, second) = (words("9b45e98e8fac"), words("bbb784604421"));
        assert_eq!(judge(&first, &second, &words("4df492ea8fe2")), Verdict::RandomAgrees);
        assert!(!matches!(judge(&first, &first, &words("4df492ea8fe2")), Verdict::RandomAgrees));
        assert_eq!(judge(&first, &second, &words("4df492")), Verdict::RefusedOtherwise);
    }

    #[test]
    fn an_oracle_that_dies_proves_nothing() {
        let (died, refused) = (Outcome::Died("fatal error: stack overflow".into()), Outcome::Refused("no".into()));
        assert_eq!(judge(&died, &died, &refused), Verdict::OracleDied);
        assert!(!judge(&died, &died, &refused).passes());
        assert!(matches!(judge(&died, &died, &rendered("a")), Verdict::Differs(_)));
    }
}
