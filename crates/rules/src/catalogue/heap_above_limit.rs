use landfall_diag::{Finding, Severity};
use landfall_object::Quantity;

use crate::pods::Container;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF272",
    title: "a program's heap fits into its container",
    severity: Severity::Warning,
    why: "A runtime that is told to use more memory than its container may have does so once the load comes, and is \
          killed without a word in its own log.",
    advice: "Set the limit above the heap (a JVM needs a quarter more beside it), or the heap below the limit.",
    check,
};

/// Flags that say how large a heap may become, what begins them, and how many bytes a bare number stands for.
///
/// ORIGIN: `java -X` (Xmx), `java -XX:+PrintFlagsFinal` (MaxHeapSize), `node --v8-options` (max-old-space-size, in MiB).
const FLAGS: &[(&str, i64)] =
    &[("-Xmx", 1), ("-XX:MaxHeapSize=", 1), ("--max-old-space-size=", 1 << 20), ("--max_old_space_size=", 1 << 20)];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let limit = &container.value["resources"]["limits"]["memory"];
            let Some(bytes) = Quantity::from_json(limit).ok().map(|it| it.units()).filter(|it| *it > 0) else {
                continue;
            };
            for (heap, flag, field) in heaps(&container) {
                if heap < bytes {
                    continue;
                }
                let limit = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
                findings.push(
                    RULE.finding(format!("container `{}` is told `{flag}` and may have {limit}", container.name))
                        .because("it is killed as soon as it uses what it was told it may")
                        .at(desired.spot_at(&field)),
                );
            }
        }
    }
    findings
}

/// The heaps that a container's variables, command and arguments speak of: bytes, the flag and its field.
fn heaps(container: &Container<'_>) -> Vec<(i64, String, String)> {
    let mut found = Vec::new();
    let mut add = |text: &str, field: String| {
        for word in text.split(|letter: char| letter.is_whitespace() || "\"'".contains(letter)) {
            let flag = FLAGS.iter().find_map(|(begin, unit)| Some((word.strip_prefix(begin)?, *unit)));
            if let Some(heap) = flag.and_then(|(size, unit)| bytes(size, unit)) {
                found.push((heap, word.to_owned(), field.clone()));
            }
        }
    };
    for (at, _, variable) in container.env() {
        if let Some(text) = variable["value"].as_str() {
            add(text, format!("{}.env[{at}].value", container.path));
        }
    }
    for list in ["command", "args"] {
        let words = container.value[list].as_array().into_iter().flatten().enumerate();
        for (at, text) in words.filter_map(|(at, word)| Some((at, word.as_str()?))) {
            add(text, format!("{}.{list}[{at}]", container.path));
        }
    }
    found
}

/// `512m`, `2g`, `1024` as bytes.
fn bytes(text: &str, unit: i64) -> Option<i64> {
    let (digits, letters) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match letters.to_ascii_lowercase().as_str() {
        "" => unit,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_as_their_programs_read_them() {
        assert_eq!(bytes("512m", 1), Some(512 << 20));
        assert_eq!(bytes("2G", 1), Some(2 << 30));
        assert_eq!(bytes("4096", 1 << 20), Some(4 << 30));
        assert_eq!(bytes("$HEAP", 1), None);
    }
}
