//! Shows that the comparison sees: one field flipped in each answer of the real server must be caught.

use serde_json::Value;

use super::compare::compare;
use super::normalise::normalise;
use super::transcript::{Body, Transcript};

/// How many planted changes were caught.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub(crate) planted: usize,
    pub(crate) caught: usize,
    /// Script, step and place of those that were not.
    pub(crate) missed: Vec<String>,
}

/// Plants `rounds` changes in each answer of the transcript, one at a time, and compares it with what it was.
pub(crate) fn selftest(script: &str, transcript: &Transcript, seed: u64, rounds: usize, score: &mut Score) {
    let clean = normalise(transcript);
    let mut random = Random(seed | 1);
    for index in 0..transcript.exchanges.len() {
        for _ in 0..rounds {
            let mut changed = transcript.clone();
            let exchange = &mut changed.exchanges[index];
            let place = match &mut exchange.body {
                Body::Json(value) => flip(value, &mut random),
                Body::Events(events) if !events.is_empty() => {
                    let event = random.below(events.len());
                    flip(&mut events[event], &mut random)
                }
                Body::Text(text) if !text.is_empty() => {
                    text.push('x');
                    "text".to_owned()
                }
                Body::Text(_) | Body::Events(_) | Body::None(_) => {
                    exchange.status += 1;
                    "status".to_owned()
                }
            };
            let step = &transcript.exchanges[index].step;
            score.planted += 1;
            let differs = clean
                .iter()
                .zip(normalise(&changed))
                .any(|(before, after)| !compare(script, step, before, &after).is_empty());
            if differs {
                score.caught += 1;
            } else {
                score.missed.push(format!("{script} / {step}: {place}"));
            }
        }
    }
}

/// Changes one leaf, chosen evenly among all, and says which.
fn flip(value: &mut Value, random: &mut Random) -> String {
    let leaves = count(value);
    let mut wanted = random.below(leaves.max(1));
    let mut path = String::new();
    change(value, &mut wanted, &mut path, random);
    path
}

fn count(value: &Value) -> usize {
    match value {
        Value::Object(map) if !map.is_empty() => map.values().map(count).sum(),
        Value::Array(items) if !items.is_empty() => items.iter().map(count).sum(),
        _ => 1,
    }
}

/// Walks to the leaf; true when it was changed.
fn change(value: &mut Value, wanted: &mut usize, path: &mut String, random: &mut Random) -> bool {
    let mut inside = |children: &mut dyn Iterator<Item = (String, &mut Value)>| {
        for (key, child) in children {
            let length = path.len();
            path.push('.');
            path.push_str(&key);
            if change(child, wanted, path, random) {
                return true;
            }
            path.truncate(length);
        }
        false
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            return inside(&mut map.iter_mut().map(|(key, child)| (key.clone(), child)));
        }
        Value::Array(items) if !items.is_empty() => {
            return inside(&mut items.iter_mut().enumerate().map(|(index, child)| (index.to_string(), child)));
        }
        _ => {}
    }
    if *wanted > 0 {
        *wanted -= 1;
        return false;
    }
    *value = match &*value {
        Value::Bool(flag) => Value::Bool(!flag),
        Value::Number(number) => Value::from(number.as_i64().unwrap_or_default() + 1),
        Value::String(text) if !text.is_empty() => Value::String(with_one_character_changed(text, random)),
        _ => Value::from("planted"),
    };
    true
}

fn with_one_character_changed(text: &str, random: &mut Random) -> String {
    let at = random.below(text.chars().count());
    text.chars()
        .enumerate()
        .map(|(index, c)| match c {
            _ if index != at => c,
            '0'..='8' => char::from(c as u8 + 1),
            '9' => '0',
            'z' => 'a',
            _ => 'z',
        })
        .collect()
}

/// A small generator (xorshift): the same seed plants the same changes.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}
