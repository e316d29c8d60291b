//! Who owns which files: the last line of `CODEOWNERS` that matches, as forges read it.

use globset::GlobBuilder;

/// The owners of a path; none when no line matches, or the matching one names nobody.
pub fn owners(text: &str, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        // Sections are GitLab's.
        if line.is_empty() || line.starts_with('#') || line.starts_with('[') || line.starts_with("^[") {
            continue;
        }
        let mut words = line.split_whitespace();
        let Some(pattern) = words.next() else { continue };
        if matches(pattern, path) {
            found = words.map(str::to_owned).collect();
        }
    }
    found
}

fn matches(pattern: &str, path: &str) -> bool {
    let anchored = pattern.trim_end_matches('/').contains('/');
    let bare = pattern.trim_start_matches('/');
    let start = if anchored { bare.to_owned() } else { format!("**/{bare}") };
    // A directory is all that is below it.
    let wanted = match start.strip_suffix('/') {
        Some(directory) => vec![format!("{directory}/**")],
        None => vec![start.clone(), format!("{start}/**")],
    };
    wanted.iter().any(|glob| {
        let built = GlobBuilder::new(glob).literal_separator(true).build();
        built.is_ok_and(|glob| glob.compile_matcher().is_match(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_matches_names_the_owners() {
        let text = "# who\n* @all\n/environments/production/ @sebastian @ops\n*.md @writers\n/free/\n";
        let of = |path: &str| owners(text, path).join(" ");
        assert_eq!(of("environments/production/values.yaml"), "@sebastian @ops");
        assert_eq!(of("environments/test/values.yaml"), "@all");
        assert_eq!(of("docs/a/b.md"), "@writers");
        assert_eq!(of("free/x"), "");
        assert_eq!(owners("/a/*.yaml @x", "a/b/c.yaml"), Vec::<String>::new());
    }
}
