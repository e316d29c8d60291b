//! A path that a kustomization names.

/// A path as it is spelt where nobody can take it for an address, and what it leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Plainly, beginning with a dot.
    pub(super) spelt: String,
    /// In the repository.
    pub(super) found: String,
}

/// A path as it is seen from a directory; nothing where it leaves the repository or is none.
pub(super) fn place(base: &str, named: &str) -> Option<Place> {
    let is_path = !named.is_empty() && !named.contains("://") && !named.contains(|c: char| c == '\\' || c.is_control());
    let found = is_path.then(|| landfall_source::within(base, named)).flatten()?;
    let mut parts: Vec<&str> = Vec::new();
    for part in named.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let plain = parts.join("/");
    let spelt = match parts.first() {
        None => ".".to_owned(),
        Some(&"..") => plain,
        Some(_) => format!("./{plain}"),
    };
    Some(Place { spelt, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_spelt_so_that_it_is_no_address() {
        let spelt = |named: &str| place("a/b", named).map(|place| (place.spelt, place.found));
        let both = |spelt: &str, found: &str| Some((spelt.to_owned(), found.to_owned()));
        assert_eq!(spelt("x.yaml"), both("./x.yaml", "a/b/x.yaml"));
        assert_eq!(spelt("../c/./d//../e"), both("../c/e", "a/c/e"));
        assert_eq!(spelt("c/../../d"), both("../d", "a/d"));
        assert_eq!(spelt("."), both(".", "a/b"));
        assert_eq!(spelt("../.."), both("../..", ""));
        assert_eq!(spelt("github.com/acme/base"), both("./github.com/acme/base", "a/b/github.com/acme/base"));
        for none in ["", "/etc", "../../..", "../../../a/b", "https://x", "HTTP://x", "a\nb", "a\\b"] {
            assert_eq!(spelt(none), None, "{none}");
        }
    }
}
