//! The crate's contract: Go's answers, limits, traces, and no panic on any input.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod it {
    mod answers;
    mod hostile;
    mod values;
}
