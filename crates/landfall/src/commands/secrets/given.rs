//! Values that a person gives: from a file, from standard input, or typed where nobody can read them.

use std::collections::BTreeMap;
use std::io::Read;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_secrets::{Masked, pairs};
use landfall_source::Order;

use crate::answer;
use crate::context::Context;

/// The most that is read of one file: some times what a cluster takes.
const LARGEST: u64 = 16 << 20;

/// Reads to the end, which may come late but not never; a program's output (`<(pass show …)`) has no size.
pub(super) fn at_most(from: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("it holds more than {} MiB", most >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// Where values come from that nobody generates.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct GivenArgs {
    /// A file of lines KEY=VALUE, or KEY=FILE for one whose whole content is the value (repeatable)
    #[arg(long = "from-file", value_name = "FILE|KEY=FILE")]
    files: Vec<String>,
    /// Read lines KEY=VALUE from standard input; of a single key that is named, the value itself
    #[arg(long)]
    stdin: bool,
}

impl GivenArgs {
    /// The values, by their keys. `alone` is the one key that is named.
    ///
    /// # Errors
    /// A file cannot be read, or holds no such lines; a key is given twice.
    pub(super) fn read(&self, context: &Context, alone: Option<&str>) -> Result<BTreeMap<String, Masked>, Failure> {
        let mut given = BTreeMap::new();
        let wrong = |from: &str, problem: String| {
            Failure::usage(Diagnostic::error(code::NOT_GIVEN, format!("{from}: {problem}")))
        };
        let mut take = |from: &str, found: BTreeMap<String, Masked>| {
            for (key, value) in found {
                if given.insert(key.clone(), value).is_some() {
                    return Err(wrong(from, format!("`{key}` was given before")));
                }
            }
            Ok(())
        };
        for file in &self.files {
            let load = |path: &str| {
                std::fs::File::open(context.host.directory.join(path))
                    .and_then(|file| at_most(file, LARGEST))
                    .map_err(|error| wrong("--from-file", format!("{path}: {error}")))
            };
            match file.split_once('=') {
                Some((key, path)) => take("--from-file", [(key.to_owned(), Masked::new(load(path)?))].into())?,
                None => {
                    let text = Masked::new(load(file)?);
                    take("--from-file", pairs(text.reveal()).map_err(|error| wrong(file, error.to_string()))?)?;
                }
            }
        }
        if self.stdin {
            let bytes = at_most(std::io::stdin().lock(), LARGEST);
            let text = Masked::new(bytes.map_err(|error| wrong("--stdin", error.to_string()))?);
            match alone {
                Some(key) => take("--stdin", [(key.to_owned(), line(text))].into())?,
                None => take("--stdin", pairs(text.reveal()).map_err(|error| wrong("--stdin", error.to_string()))?)?,
            }
        }
        given.iter().try_for_each(|(key, value)| check_filled(key, value))?;
        Ok(given)
    }
}

/// Refuses a value with nothing in it: programs take it for none.
pub(super) fn check_filled(key: &str, value: &Masked) -> Result<(), Failure> {
    if !value.reveal().is_empty() {
        return Ok(());
    }
    let empty = Diagnostic::error(code::NOT_GIVEN, format!("the value that was given for `{key}` is empty"));
    Err(Failure::usage(empty.note("nothing was changed")))
}

/// A value without the line breaks, of whichever system, with which programs end what they print; one of several lines keeps them.
fn line(text: Masked) -> Masked {
    let bytes = text.reveal();
    if !bytes.ends_with(b"\n") {
        return text;
    }
    let end = bytes.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
    if bytes[..end].contains(&b'\n') { text } else { Masked::from(&bytes[..end]) }
}

/// Asks for values at the terminal, unseen.
///
/// # Errors
/// Nobody is there to be asked; nothing was typed.
pub(super) async fn ask(context: &Context, keys: &[String]) -> Result<BTreeMap<String, Masked>, Failure> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let missing = |keys: &[String]| {
        Failure::usage(
            Diagnostic::error(code::NOT_GIVEN, format!("nobody has given {}", keys.join(", ")))
                .note("nothing was changed")
                .help("give what somebody has by `--from-file FILE` or `--stdin`, as lines KEY=VALUE"),
        )
    };
    if !context.ui.can_prompt() {
        return Err(missing(keys));
    }
    let echo = |word: &'static str| Order::new("stty", ["-F", "/dev/tty", word]);
    let hidden = echo("-echo").run().await.is_ok_and(|ended| ended.is_success());
    // Who interrupts the question wants to see again what is typed next, and is waited for until that is so.
    let _wants_an_end = context.host.work.begin();
    let typed = typed(context, keys, hidden).await;
    if hidden {
        let _seen_again = echo("echo").run().await;
    }
    let given = typed?;
    let left: Vec<String> = keys.iter().filter(|key| !given.contains_key(*key)).cloned().collect();
    if left.is_empty() { Ok(given) } else { Err(missing(&left)) }
}

/// What is typed, until nothing is.
async fn typed(context: &Context, keys: &[String], hidden: bool) -> Result<BTreeMap<String, Masked>, Failure> {
    let mut given = BTreeMap::new();
    for key in keys {
        let told = if hidden { "" } else { " (it is seen)" };
        let typed = answer::line(context, format!("{key}{told}: "), "nothing was changed").await?;
        if hidden {
            context.ui.status("");
        }
        match typed.filter(|typed| !typed.is_empty()) {
            Some(typed) => drop(given.insert(key.clone(), Masked::new(typed.into_bytes()))),
            None => break,
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_end_and_a_key_of_several_lines_keeps_it() {
        let read = |text: &str| String::from_utf8_lossy(line(Masked::from(text.as_bytes())).reveal()).into_owned();
        assert_eq!((read("x\n"), read("x\r\n"), read("x")), ("x".to_owned(), "x".to_owned(), "x".to_owned()));
        assert_eq!((read("x\r\n\n"), read("x\n\n"), read("\n")), ("x".to_owned(), "x".to_owned(), String::new()));
        assert_eq!(read("a\nb\n"), "a\nb\n");
    }
}
