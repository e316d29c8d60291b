//! Builds oracles: `oracles [helm|kubectl|control-plane|all|NAME…]`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    oracles::command(&words)
}
