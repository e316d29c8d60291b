//! Passwords: kept as scrypt makes them slow, compared in a time that says nothing.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use landfall_diag::{Diagnostic, code};

/// Shortest password that is taken, in characters, and longest, in bytes.
const SHORTEST: usize = 12;
const LONGEST: usize = 256;
/// What it costs to try one: 16 MiB, and five times that much work (OWASP's Password Storage, the row for 2^14).
const COST: (u8, u32, u32) = (14, 8, 5);
/// The most that a digest may ask for: it lies in a file.
const DEAREST: (u8, u32, u32) = (17, 8, 16);
const SALT: usize = 16;
const DIGEST: usize = 32;

/// Refuses what is no password for an account.
///
/// # Errors
/// [`code::WEAK_PASSWORD`].
pub fn acceptable(account: &str, password: &str) -> Result<(), Diagnostic> {
    let weak =
        |why: String| Err(Diagnostic::error(code::WEAK_PASSWORD, why).help("take a longer one: four words, say"));
    if password.chars().count() < SHORTEST {
        return weak(format!("a password has {SHORTEST} characters or more"));
    }
    if password.len() > LONGEST {
        return weak(format!("a password has at most {LONGEST} bytes"));
    }
    let lower = password.to_lowercase();
    if lower.contains(&account.to_lowercase()) && lower.len() < account.len() + SHORTEST {
        return weak("the password is little more than the account's name".to_owned());
    }
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < 5 {
        return weak("the password is nearly one character over and over".to_owned());
    }
    Ok(())
}

/// A password that nobody guesses, for the first time that somebody signs in.
///
/// # Errors
/// The system has no randomness.
pub fn random() -> Result<String, Diagnostic> {
    random_bytes::<18>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a password. It takes a tenth of a second, on purpose.
///
/// # Errors
/// The system has no randomness.
pub fn digest(password: &str) -> Result<String, Diagnostic> {
    let salt = random_bytes::<SALT>()?;
    let (log_n, r, p) = COST;
    let made = slow(password, &salt, COST)
        .ok_or_else(|| Diagnostic::error(code::BUG, "a password cannot be made into a digest"))?;
    Ok(format!("scrypt${log_n}${r}${p}${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(made)))
}

/// Whether a password is the one that a digest was made of. It takes as long where there is no digest.
pub(crate) fn is(kept: Option<&str>, password: &str) -> bool {
    let kept = kept.and_then(read);
    let nobody = (COST, vec![0; SALT], vec![0; DIGEST]);
    let is_there = kept.is_some();
    let (cost, salt, wanted) = kept.unwrap_or(nobody);
    let made = if password.len() > LONGEST { slow("", &salt, cost) } else { slow(password, &salt, cost) };
    let same = made.is_some_and(|made| aws_lc_rs::constant_time::verify_slices_are_equal(&made, &wanted).is_ok());
    same && is_there && password.len() <= LONGEST
}

/// A digest's cost, salt and bytes.
type Kept = ((u8, u32, u32), Vec<u8>, Vec<u8>);

fn read(kept: &str) -> Option<Kept> {
    let parts: Vec<&str> = kept.split('$').collect();
    let ["scrypt", log_n, r, p, salt, wanted] = parts.as_slice() else { return None };
    let cost = (log_n.parse().ok()?, r.parse().ok()?, p.parse().ok()?);
    let bearable = cost.0 <= DEAREST.0 && cost.1 <= DEAREST.1 && cost.2 <= DEAREST.2;
    let (salt, wanted) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(wanted).ok()?);
    (bearable && wanted.len() == DIGEST).then_some((cost, salt, wanted))
}

fn slow(password: &str, salt: &[u8], (log_n, r, p): (u8, u32, u32)) -> Option<[u8; DIGEST]> {
    let mut made = [0; DIGEST];
    let parameters = scrypt::Params::new(log_n, r, p, DIGEST).ok()?;
    scrypt::scrypt(password.as_bytes(), salt, &parameters, &mut made).ok()?;
    Some(made)
}

/// Bytes that nobody guesses.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], Diagnostic> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Diagnostic::error(code::BUG, "the system gives no random numbers"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_nothing_else_is() {
        let kept = digest("correct horse battery").expect("made");
        assert!(!kept.contains("horse") && kept.starts_with("scrypt$14$8$5$"), "{kept}");
        assert_ne!(digest("correct horse battery").expect("made"), kept, "each has a salt of its own");
        assert!(is(Some(&kept), "correct horse battery"));
        for (kept, password) in [
            (Some(kept.as_str()), "correct horse batterx"),
            (Some(kept.as_str()), ""),
            (None, "correct horse battery"),
            (None, ""),
            (Some(""), ""),
            (Some("scrypt$63$8$5$AAAA$AAAA"), "x"),
        ] {
            assert!(!is(kept, password), "{kept:?} {password}");
        }
    }

    #[test]
    fn what_is_guessed_first_is_no_password() {
        for password in ["short", "aaaaaaaaaaaaaaaa", "Sebastian-2026", &"x1y2z".repeat(60)] {
            assert_eq!(acceptable("sebastian", password).map_err(|it| it.code), Err(code::WEAK_PASSWORD), "{password}");
        }
        assert!(acceptable("sebastian", "correct horse battery").is_ok());
        assert!(acceptable("sebastian", &random().expect("random")).is_ok());
    }
}
