//! Oracles and the suites that compare Landfall with them.

mod compare;
mod evidence;
mod helm;
mod ours;
mod parity;
mod schema;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["schema-tables", cache, out, rest @ ..] => {
            schema::generate(Path::new(cache), Path::new(out), rest.first().unwrap_or(&"1.36.3"))
                .map(|(text, bytes)| format!("{out}: {text} bytes of table in {bytes} bytes"))
        }
        ["parity", rest @ ..] => {
            let corpus = std::env::var_os("LANDFALL_CORPUS").map(PathBuf::from);
            let only = rest.first().map(|only| (*only).to_owned());
            parity::run(root(), &parity::Options { only, corpus, ..parity::Options::default() })
        }
        ["selftest"] => parity::selftest(root()),
        _ => Err("usage: conformance parity [CASE] | selftest | schema-tables MODULE-CACHE OUT.gz [VERSION]".into()),
    };
    let (code, text) = match outcome {
        Ok(text) => (ExitCode::SUCCESS, text),
        Err(error) => (ExitCode::FAILURE, error.to_string()),
    };
    #[allow(clippy::print_stderr, reason = "a command for developers")]
    {
        eprintln!("{text}");
    }
    code
}

/// The repository that this program was built from.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
