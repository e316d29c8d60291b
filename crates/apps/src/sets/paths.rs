//! Patterns of paths: Go's `path.Match` for directories, git's pathspecs for files.

/// How far `*`, `?` and `[…]` reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Within one part of a path.
    Part,
    /// Over `/`, too.
    Path,
}

/// Whether a path fits a pattern of Go's `path.Match`; one that is malformed fits nothing.
pub(crate) fn fits_directory(pattern: &str, path: &str) -> bool {
    fits(pattern.as_bytes(), path.as_bytes(), Reach::Part)
}

/// Whether git lists a file for a pathspec: the file itself, all below a directory, or what a glob fits whose `*` takes
/// in `/`, too.
pub(crate) fn fits_file(pathspec: &str, path: &str) -> bool {
    let directory = pathspec.strip_suffix('/').unwrap_or(pathspec);
    let below = |rest: &str| rest.is_empty() && !pathspec.ends_with('/') || rest.starts_with('/');
    path.strip_prefix(directory).is_some_and(below) || fits(pathspec.as_bytes(), path.as_bytes(), Reach::Path)
}

fn fits(pattern: &[u8], text: &[u8], reach: Reach) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when a star has to take in one more.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(_) if t < text.len() => one(pattern, p, text[t], reach),
            Some(_) => None,
            None if t == text.len() => return true,
            None => None,
        };
        match (step, &mut star) {
            (Some(next), _) => (p, t) = (next, t + 1),
            (None, Some((after, from))) if *from < text.len() && (reach == Reach::Path || text[*from] != b'/') => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            (None, _) => return false,
        }
    }
}

/// Whether a byte fits what stands there in the pattern; what comes after that in the pattern.
fn one(pattern: &[u8], at: usize, byte: u8, reach: Reach) -> Option<usize> {
    let takes_any = reach == Reach::Path || byte != b'/';
    match pattern[at] {
        b'?' => takes_any.then_some(at + 1),
        b'\\' => (*pattern.get(at + 1)? == byte).then_some(at + 2),
        b'[' => {
            let mut p = at + 1;
            let negated = matches!(pattern.get(p)?, b'^' | b'!');
            p += usize::from(negated);
            let (mut found, first) = (false, p);
            while *pattern.get(p)? != b']' || p == first {
                let low = class_byte(pattern, &mut p)?;
                let mut high = low;
                if pattern.get(p) == Some(&b'-') && pattern.get(p + 1).is_some_and(|next| *next != b']') {
                    p += 1;
                    high = class_byte(pattern, &mut p)?;
                }
                found |= low <= byte && byte <= high;
            }
            (found != negated && takes_any).then_some(p + 1)
        }
        plain => (plain == byte).then_some(at + 1),
    }
}

fn class_byte(pattern: &[u8], p: &mut usize) -> Option<u8> {
    if pattern.get(*p) == Some(&b'\\') {
        *p += 1;
    }
    let byte = *pattern.get(*p)?;
    *p += 1;
    Some(byte)
}

/// All directories that files lie in, in the order of a walk; those that are hidden, and what is below them, left out.
pub(crate) fn directories(files: &[String]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for file in files {
        for (at, _) in file.match_indices('/') {
            let directory = &file[..at];
            if directory.split('/').any(|part| part.starts_with('.')) {
                break;
            }
            found.push(directory);
        }
    }
    found.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_fit_part_by_part() {
        for (pattern, path, fits) in [
            ("apps/*", "apps/web", true),
            ("apps/*", "apps/web/deep", false),
            ("apps/**", "apps/web/deep", false),
            ("*", "apps", true),
            ("apps/w?b", "apps/web", true),
            ("apps/[a-w]eb", "apps/web", true),
            ("apps/[^a-w]eb", "apps/web", false),
            ("apps/[", "apps/[", false),
            ("*/*/prod", "a/b/prod", true),
            ("apps/{a,b}", "apps/a", false),
            (r"apps/\*", "apps/*", true),
        ] {
            assert_eq!(fits_directory(pattern, path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn files_are_listed_as_git_lists_them() {
        for (pathspec, path, fits) in [
            ("apps/*/config.json", "apps/a/config.json", true),
            ("apps/*/config.json", "apps/a/b/config.json", true),
            ("apps/**/config.json", "apps/a/b/config.json", true),
            ("**/config.json", "config.json", false),
            ("apps", "apps/a/config.json", true),
            ("apps/", "apps/a", true),
            ("apps", "apps2/a", false),
            ("config.json", "config.json", true),
            ("*.json", "a/b.json", true),
        ] {
            assert_eq!(fits_file(pathspec, path), fits, "{pathspec} {path}");
        }
    }

    #[test]
    fn hidden_directories_are_no_directories() {
        let files = ["a.yaml", ".github/x/y", "apps/b/c.yaml", "apps/.x/y/z", "apps-2/d"].map(str::to_owned);
        assert_eq!(directories(&files), ["apps", "apps/b", "apps-2"]);
    }
}
