//! How large a crate is: what one head holds.

use std::collections::BTreeMap;

use super::page::{PAGE, Page};
use crate::tree::TextFile;

/// Lines that are not blank and not comments alone, tests under `src` included.
const LARGEST: usize = 20_000;

/// The crates that are larger without a reason in the page, and reasons that nothing needs any more.
pub(super) fn check(page: &Page, files: &[TextFile]) -> Vec<String> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let Some((folder, _)) = file.path.split_once("/src/").filter(|_| file.path.ends_with(".rs")) else { continue };
        *sizes.entry(folder.strip_prefix("crates/").unwrap_or(folder)).or_default() += lines(&file.text);
    }
    let mut findings = Vec::new();
    for (name, size) in &sizes {
        if *size > LARGEST && !page.large.contains(*name) {
            findings.push(format!(
                "{name} has {size} lines, and {PAGE} gives no reason for more than {LARGEST}: it is two rooms"
            ));
        }
    }
    for name in &page.large {
        if sizes.get(name.as_str()).is_none_or(|size| *size <= LARGEST) {
            findings.push(format!("{PAGE} says why {name} is above {LARGEST} lines, and it is not"));
        }
    }
    findings
}

fn lines(text: &str) -> usize {
    text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(count: usize, reason: &str) -> Vec<String> {
        let table = "| level | room | what it is | uses |\n|---|---|---|---|\n| 0 | `a` | x | – |\n";
        let page = Page::parse(&format!("{table}\n{reason}")).expect("a page");
        let text = format!("// why\n\n{}", "f();\n".repeat(count));
        check(&page, &[TextFile { path: "crates/a/src/b.rs".to_owned(), text }])
    }

    #[test]
    fn a_crate_above_the_measure_needs_a_reason_and_another_has_none() {
        let reason = "- *`a` is above 20,000 lines*: it is one table.\n";
        assert!(findings(LARGEST, "").is_empty());
        assert_eq!(findings(LARGEST + 1, "").len(), 1);
        assert!(findings(LARGEST + 1, reason).is_empty());
        assert_eq!(findings(LARGEST, reason).len(), 1);
    }
}
