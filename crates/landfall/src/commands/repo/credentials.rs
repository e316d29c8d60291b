//! What a login is given as: an address, and a token or a key that no argument may hold.

use std::io::Read as _;

use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;

use crate::context::Context;

/// How long a token or a key may be.
const LONGEST: u64 = 64 * 1024;

/// Whether a word is an address of a repository, not a name.
pub(crate) fn is_address(word: &str) -> bool {
    word.contains("://") || word.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'))
}

/// What is given on standard input: an argument could be read by everybody on the machine.
///
/// # Errors
/// Nothing comes, too much, or more than one line.
pub(crate) fn token_of_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
    read.ok().and_then(|_| one_line(&text)).ok_or_else(|| none("--token-stdin: standard input holds no token"))
}

/// The same of a file.
///
/// # Errors
/// It cannot be read, or holds no token.
pub(crate) fn token_of_file(context: &Context, file: &str) -> Result<String, Failure> {
    let text = contents(context, "--token-file", file)?;
    one_line(&text).ok_or_else(|| none(&format!("--token-file {file}: it holds no token")))
}

/// A private key of a file.
///
/// # Errors
/// It cannot be read, or holds none.
pub(crate) fn key_of_file(context: &Context, file: &str) -> Result<String, Failure> {
    let text = contents(context, "--ssh-key-file", file)?;
    let is_key = text.trim_start().starts_with("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    match is_key {
        // ssh takes no key whose last line does not end.
        true => Ok(format!("{}\n", text.trim())),
        false => Err(none(&format!("--ssh-key-file {file}: it holds no private key"))),
    }
}

fn contents(context: &Context, flag: &str, file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let opened = std::fs::File::open(context.host.directory.join(file));
    match opened.and_then(|opened| opened.take(LONGEST).read_to_string(&mut text)) {
        Ok(_) => Ok(text),
        Err(error) => Err(none(&format!("{flag} {file}: {error}"))),
    }
}

fn one_line(text: &str) -> Option<String> {
    let token = text.trim();
    (!token.is_empty() && token.lines().count() == 1).then(|| token.to_owned())
}

fn none(text: &str) -> Failure {
    Failure::usage(Diagnostic::error(code::NOT_GIVEN, text).note("nothing was changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_name() {
        for address in ["https://git.example.com/a", "oci://registry.example.com/a", "git@git.example.com:a/b.git"] {
            assert!(is_address(address), "{address}");
        }
        for name in ["stable", "a/b", "my:repo", "./a@b:c"] {
            assert!(!is_address(name), "{name}");
        }
    }
}
