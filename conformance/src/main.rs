//! Oracles and the suites that compare Landfall with them.

mod schema;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["schema-tables", cache, out, rest @ ..] => {
            schema::generate(Path::new(cache), Path::new(out), rest.first().unwrap_or(&"1.36.3"))
                .map(|(text, bytes)| format!("{out}: {text} bytes of table in {bytes} bytes"))
        }
        _ => Err("usage: conformance schema-tables MODULE-CACHE OUT.gz [VERSION]".into()),
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
