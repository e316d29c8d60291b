//! Every case of `go/cases.txt` answered as Go answered it.

use landfall_gotemplate::{Limits, MissingKey, Set};

use super::values;

fn answer(text: &str) -> Vec<u8> {
    let (missing_key, text) = match text.strip_prefix('#').and_then(|rest| rest.split_once('\n')) {
        Some(("missingkey=error", text)) => (MissingKey::Error, text),
        Some(("missingkey=default", text)) => (MissingKey::Invalid, text),
        _ => (MissingKey::Zero, text),
    };
    let mut set = Set::new("gotpl", values::funcs(), missing_key);
    if let Err(error) = set.parse("t", text.as_bytes()) {
        return format!("PARSE {error}").into_bytes();
    }
    match set.execute("t", &values::data(), &mut (), Limits::default()) {
        Ok(bytes) => bytes,
        Err(error) => format!("EXEC {error}").into_bytes(),
    }
}

#[test]
fn answers_are_gos() {
    let cases = include_str!("go/cases.txt");
    let golden: &[u8] = include_bytes!("go/cases.golden");
    let golden = String::from_utf8_lossy(golden);
    let cases: Vec<&str> = cases.trim_end_matches('\n').split("\n====\n").collect();
    let golden: Vec<&str> = golden.strip_suffix('\n').unwrap_or(&golden).split("\n====\n").collect();
    assert_eq!(cases.len(), golden.len(), "one answer for each case");
    let mut wrong = String::new();
    for (text, expected) in cases.iter().zip(&golden) {
        let ours = answer(text);
        let ours = String::from_utf8_lossy(&ours);
        // Go writes what it can before an error; we give the error alone.
        let expected_error = expected.find("EXEC template:").map(|at| &expected[at..]);
        if ours != *expected && Some(&*ours) != expected_error {
            wrong.push_str(&format!("{text}\n  go:   {expected}\n  ours: {ours}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
