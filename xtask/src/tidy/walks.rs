//! The walks of `docs/architecture.md`: their files are there, and a stranger is done with each after a dozen.

use std::path::Path;

use super::page::PAGE;

/// The heading that they stand under.
const HEAD: &str = "\n## Walks\n";

/// The most files of one walk.
const MOST: usize = 12;

/// The walks that there must be.
const WANTED: [&str; 4] = ["values file → line", "plan → apply", "request → watch", "up"];

/// A walk: its name, and the files that are read one after the other; what is said beside is not counted.
#[derive(Debug, PartialEq)]
struct Walk<'p> {
    name: &'p str,
    way: Vec<&'p str>,
    beside: Vec<&'p str>,
}

/// Gives a line for each walk that is missing or too long, and for each of its files that is not there.
pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let page = std::fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let walks = walks(&page);
    let mut findings = Vec::new();
    for wanted in WANTED {
        if !walks.iter().any(|walk| walk.name == wanted) {
            findings.push(format!("{PAGE} has no walk **{wanted}**"));
        }
    }
    for Walk { name, way, beside } in walks {
        if way.len() > MOST {
            findings.push(format!("{PAGE}: the walk **{name}** passes {} files, and {MOST} are enough", way.len()));
        }
        for file in way.iter().chain(&beside) {
            let there = file
                .split_once('/')
                .is_some_and(|(room, path)| root.join("crates").join(room).join("src").join(path).is_file());
            if !there {
                findings.push(format!("{PAGE}: the walk **{name}** passes `{file}`, which is not there"));
            }
        }
    }
    Ok(findings)
}

/// The walks of a page: a paragraph each, its way up to the first full stop.
fn walks(page: &str) -> Vec<Walk<'_>> {
    let Some((_, rest)) = page.split_once(HEAD) else { return Vec::new() };
    let section = rest.split("\n## ").next().unwrap_or_default();
    let paragraphs = section.split("\n\n").map(str::trim);
    let told = paragraphs.filter_map(|paragraph| paragraph.strip_prefix("**")?.split_once("**"));
    told.map(|(name, text)| {
        let end = [". ", ".\n"].iter().filter_map(|stop| text.find(stop)).min().unwrap_or(text.len());
        let (way, beside) = text.split_at(end);
        Walk { name, way: files(way), beside: files(beside) }
    })
    .collect()
}

/// The files that a text names, in its order.
fn files(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Page\n\n## Walks\n\nWhat is read.\n\n**up**, a word: `a/one.rs` is it · `a/two/three.rs`, with\n`--flag`. Beside it `b/four.rs`.\n\n**down**: `a/gone.rs`\n\n## Next\n\n**no**: `a/walk.rs`\n";

    #[test]
    fn a_walk_is_a_paragraph_up_to_its_first_full_stop() {
        let up = Walk { name: "up", way: vec!["a/one.rs", "a/two/three.rs"], beside: vec!["b/four.rs"] };
        let down = Walk { name: "down", way: vec!["a/gone.rs"], beside: Vec::new() };
        assert_eq!(walks(TEXT), [up, down]);
        assert_eq!(walks("# Page\n"), []);
    }

    #[test]
    fn a_walk_that_is_missing_or_too_long_and_a_file_that_is_gone_are_told() {
        let root = std::env::temp_dir().join(format!("landfall-walks-{}", std::process::id()));
        for (directory, file) in [("docs", "x"), ("crates/a/src/two", "three.rs"), ("crates/b/src", "four.rs")] {
            std::fs::create_dir_all(root.join(directory)).expect("made");
            std::fs::write(root.join(directory).join(file), "").expect("written");
        }
        std::fs::write(root.join("crates/a/src/one.rs"), "").expect("written");
        let said = |text: &str| {
            std::fs::write(root.join(PAGE), text).expect("written");
            check(&root).expect("read")
        };
        let told = said(TEXT);
        assert_eq!(told.iter().filter(|line| line.contains("has no walk")).count(), 3, "{told:?}");
        assert_eq!(told.iter().filter(|line| line.contains("`a/gone.rs`, which is not there")).count(), 1, "{told:?}");
        assert_eq!(told.len(), 4, "{told:?}");
        let long = format!("\n## Walks\n\n**up**: {}\n", "`a/one.rs` · ".repeat(13));
        assert!(said(&long).iter().any(|line| line.contains("passes 13 files")));
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
