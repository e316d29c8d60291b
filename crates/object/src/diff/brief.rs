use serde_json::Value;

/// Two states of a field, each on one line.
///
/// Of texts of several lines it is the first line that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// The number of that line, from 1; `None` when the whole values are shown.
    pub line: Option<usize>,
    /// What it was: `(none)` when it was not there.
    pub from: String,
    /// What it is now.
    pub to: String,
}

impl Brief {
    /// Both states in at most `width` characters each.
    pub fn of(from: Option<&Value>, to: Option<&Value>, width: usize) -> Self {
        if let (Some(Value::String(from)), Some(Value::String(to))) = (from, to)
            && (from.trim_end().contains('\n') || to.trim_end().contains('\n'))
        {
            let (mut old, mut new) = (from.lines(), to.lines());
            let mut line = 1;
            loop {
                let (one, other) = (old.next(), new.next());
                if one != other || one.is_none() {
                    let shown = |text: Option<&str>| text.map_or("(none)".to_owned(), |text| cut(text.trim(), width));
                    return Brief { line: Some(line), from: shown(one), to: shown(other) };
                }
                line += 1;
            }
        }
        let shown = |value: Option<&Value>| match value {
            None => "(none)".to_owned(),
            Some(Value::String(text)) => cut(text, width),
            Some(value) => cut(&value.to_string(), width),
        };
        Brief { line: None, from: shown(from), to: shown(to) }
    }
}

/// `1 → 2`, or `line 21: set -e → set -eu`.
impl std::fmt::Display for Brief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{} → {}", self.from, self.to)
    }
}

fn cut(text: &str, width: usize) -> String {
    landfall_diag::shortened(&text.trim_end().replace(['\n', '\r'], " "), width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(from: Value, to: Value) -> String {
        Brief::of(Some(&from), Some(&to), 12).to_string()
    }

    #[test]
    fn values_are_told_on_one_line() {
        assert_eq!(told(json!("a"), json!(2)), "a → 2");
        assert_eq!(told(json!("a very long sentence"), json!("x\n")), "a very long… → x");
        assert_eq!(Brief::of(None, Some(&json!({"a": 1})), 40).to_string(), "(none) → {\"a\":1}");
    }

    #[test]
    fn of_long_texts_the_line_that_differs_is_told() {
        assert_eq!(told(json!("set -e\nrun\n"), json!("set -e\n  run fast\n")), "line 2: run → run fast");
        assert_eq!(told(json!("set -e\n"), json!("set -e\nrun\n")), "line 2: (none) → run");
        assert_eq!(told(json!("a\nb"), json!("a\nb\n")), "line 3: (none) → (none)");
    }
}
