//! What the agent says of itself: a line an event, `landfall-agent EVENT key=value …`, to standard error. No secret is ever a value.

use std::io::Write as _;

pub(crate) use landfall_fleet::legacy::without_secrets;
use landfall_terminal::err;

/// The longest value that is written out, in characters.
const LONGEST: usize = 300;

/// Writes an event. Values are put on one line, their blanks kept inside quotes.
pub(crate) fn event(name: &str, values: &[(&str, &str)]) {
    // Nobody to tell is no reason to end.
    let _ = writeln!(err(), "{}", line(name, values));
}

fn line(name: &str, values: &[(&str, &str)]) -> String {
    let mut line = format!("landfall-agent {name}");
    for (key, value) in values {
        let value: String = without_secrets(value)
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(LONGEST)
            .collect();
        if value.is_empty() || value.contains([' ', '"', '=']) {
            line.push_str(&format!(" {key}={value:?}"));
        } else {
            line.push_str(&format!(" {key}={value}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lp_090_no_secret_is_in_a_line() {
        let said = line(
            "edge.heartbeat.failed",
            &[(
                "error",
                "401 for wk_live_0a1b2c3d_0000 at https://user:word@fleet.example/v1?e=1&s=word, token etr_live_1 gone\nx",
            )],
        );
        assert!(!said.contains("wk_live") && !said.contains("etr_live") && !said.contains("word"), "{said}");
        assert!(said.contains("https://fleet.example/v1") && !said.contains('\n'), "{said}");
    }
}
