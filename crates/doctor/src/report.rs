//! A checkup as people and programs read it.

use std::fmt::Write;

use landfall_rules::{findings_json, findings_text};
use serde_json::{Value, json};

use crate::{Area, Checkup, State};

/// What was seen, by area, then what is wrong and what to do.
pub fn checkup_text(checkup: &Checkup) -> String {
    let mut text = String::new();
    for area in Area::ALL {
        let mut of_area = checkup.observations.iter().filter(|observation| observation.area == area).peekable();
        if of_area.peek().is_none() {
            continue;
        }
        let _ = writeln!(text, "{}", area.word());
        for observation in of_area {
            let mark = match observation.state {
                State::Fine => "✓",
                State::Wrong => "!",
                State::Told => "·",
                State::NotChecked => "?",
            };
            let not = if observation.state == State::NotChecked { "not checked: " } else { "" };
            let _ = writeln!(text, "  {mark} {}: {not}{}", observation.what, observation.seen);
            for line in &observation.help {
                let _ = writeln!(text, "      {line}");
            }
        }
        text.push('\n');
    }
    text.push_str(&findings_text(&checkup.examination));
    let not_checked = checkup.not_checked();
    if not_checked > 0 {
        let _ = writeln!(text, "{not_checked} not checked: what was not looked at is not known to be well");
    }
    text
}

/// The same as a JSON value; fields are only ever added.
pub fn checkup_json(checkup: &Checkup) -> Value {
    let mut value = findings_json(&checkup.examination);
    value["observations"] = json!(checkup.observations);
    value["not_checked"] = json!(checkup.not_checked());
    value
}
