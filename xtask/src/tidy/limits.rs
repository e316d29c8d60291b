//! The page of limits: every constant that it names is one.

use std::path::Path;

/// The page, from the repository's root.
const PAGE: &str = "docs/limits.md";

/// Gives a line for each constant of the page that is not in the file it names.
pub(crate) fn check(root: &Path) -> Result<Vec<String>, String> {
    let page = std::fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let mut findings = Vec::new();
    for (constant, file) in named(&page) {
        let path = format!("crates/{file}");
        let text = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        if !text.contains(&format!("const {constant}: ")) {
            findings.push(format!("{PAGE} names `{constant}`, which {path} does not have"));
        }
    }
    Ok(findings)
}

/// The constants of the tables' first columns, with their files.
fn named(page: &str) -> Vec<(&str, &str)> {
    let rows = page.lines().filter_map(|line| {
        let (constants, rest) = line.strip_prefix("| `")?.split_once("` (`")?;
        Some((constants, rest.split_once("`)")?.0))
    });
    rows.flat_map(|(constants, file)| constants.split("`, `").map(move |constant| (constant, file))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_found_in_the_first_column() {
        let page = "| constant (file) | value |\n|---|---|\n| `MOST` (`a/src/b.rs`) | 1 |\nOne `LIMIT` (`x`) more.\n";
        assert_eq!(named(page), [("MOST", "a/src/b.rs")]);
        let several = "| `LEAST`, `MOST` (`a/src/b.rs`) | 1 to 2 |\n";
        assert_eq!(named(several), [("LEAST", "a/src/b.rs"), ("MOST", "a/src/b.rs")]);
    }

    #[test]
    fn a_constant_that_is_gone_is_told() {
        let root = std::env::temp_dir().join(format!("landfall-limits-{}", std::process::id()));
        std::fs::create_dir_all(root.join("docs")).expect("made");
        std::fs::create_dir_all(root.join("crates/a/src")).expect("made");
        std::fs::write(root.join("crates/a/src/b.rs"), "pub const MOST: usize = 1;\n").expect("written");
        let page = |constant: &str| format!("| `{constant}` (`a/src/b.rs`) | 1 | x |\n");
        std::fs::write(root.join(PAGE), page("MOST")).expect("written");
        assert_eq!(check(&root).expect("read").len(), 0);
        std::fs::write(root.join(PAGE), page("GONE")).expect("written");
        assert_eq!(check(&root).expect("read").len(), 1);
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
