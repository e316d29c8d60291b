//! What a release's notes say: the part of CHANGELOG.md that is about it.

/// The part about a version, without its heading; for one that has none yet, what is unreleased.
pub(crate) fn notes<'t>(changelog: &'t str, version: &str) -> Result<&'t str, String> {
    part(changelog, version)
        .or_else(|| part(changelog, "Unreleased"))
        .filter(|text| !text.is_empty())
        .ok_or_else(|| format!("CHANGELOG.md says nothing of {version}, and nothing is unreleased"))
}

fn part<'t>(changelog: &'t str, name: &str) -> Option<&'t str> {
    let heading = format!("## [{name}]");
    let mut at = 0;
    let begin = loop {
        let found = at + changelog[at..].find(&heading)?;
        if found == 0 || changelog.as_bytes()[found - 1] == b'\n' {
            break found;
        }
        at = found + 1;
    };
    let body = changelog[begin..].split_once('\n').map_or("", |(_, body)| body);
    Some(body.find("\n## ").map_or(body, |end| &body[..end]).trim())
}

#[cfg(test)]
mod tests {
    use super::notes;

    const TEXT: &str = "# Changelog\n\n## [Unreleased]\n\n- new, see ## [1.0.0]\n\n## [1.0.0] - 2026-01-01\n\n### Added\n- all\n\n## [0.9.0]\n- old\n";

    #[test]
    fn a_version_has_its_own_part_and_one_that_has_none_what_is_unreleased() {
        assert_eq!(notes(TEXT, "1.0.0"), Ok("### Added\n- all"));
        assert_eq!(notes(TEXT, "0.9.0"), Ok("- old"));
        assert_eq!(notes(TEXT, "1.1.0-alpha.3.1"), Ok("- new, see ## [1.0.0]"));
        assert!(notes("# Changelog\n\n## [Unreleased]\n", "1.0.0").is_err());
    }
}
