//! Whether a scale grows or shrinks.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

impl Direction {
    /// How far one policy lets the scale go; a part of a pod counts in favour of the change when growing.
    pub(super) fn proposed(self, start: i64, value: i64, kind: &str) -> i64 {
        match (self, kind) {
            (Self::Up, "Percent") => (start as f64 * (1.0 + value as f64 / 100.0)).ceil() as i64,
            (Self::Down, "Percent") => (start as f64 * (1.0 - value as f64 / 100.0)) as i64,
            (Self::Up, _) => start + value,
            (Self::Down, _) => start - value,
        }
    }
}
