//! Tags with a role in front: one repository with several images, as `app-v1.2.3` and `scheduler-v1.2.3`.

/// The roles that a repository's images have, told from the tags that run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(Vec<String>);

impl Roles {
    /// The roles in front of a version in tags that run: `app-v1.2.3` has the role `app`, `1.2.3-alpha.1` has none.
    pub fn of<'t>(tags: impl IntoIterator<Item = &'t str>) -> Self {
        let mut roles: Vec<String> = tags.into_iter().filter_map(role_of).map(str::to_owned).collect();
        roles.sort();
        roles.dedup();
        Roles(roles)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What stands in front of a version in a tag, as `app` in `app-v1.2.3`; nothing where nothing does.
pub fn role_of(tag: &str) -> Option<&str> {
    let ends = tag.match_indices('-').map(|(at, _)| at);
    let (at, _) = ends.map(|at| (at, &tag[at + 1..])).find(|(_, rest)| crate::Version::parse(rest).is_ok())?;
    let role = &tag[..at];
    let is_name = role.starts_with(|c: char| c.is_ascii_alphabetic()) && crate::Version::parse(tag).is_err();
    is_name.then_some(role)
}

/// A tag without the role in front of it.
pub fn without_role(tag: &str) -> &str {
    role_of(tag).map_or(tag, |role| &tag[role.len() + 1..])
}

/// A tag as the present one has it: its role stays in front, and so does its `v`; another one's role is another image's.
pub fn with_role(present: &str, tag: &str) -> String {
    let tag = match (role_of(present), role_of(tag)) {
        (Some(own), Some(others)) if own != others => without_role(tag),
        _ => tag,
    };
    let (role, version) = match role_of(present) {
        Some(role) => (Some(role), &present[role.len() + 1..]),
        None => (None, present),
    };
    let has_v = version.starts_with('v') && crate::Version::parse(version).is_ok();
    let bare = tag.strip_prefix('v').filter(|rest| crate::Version::parse(rest).is_ok()).unwrap_or(tag);
    let is_version = crate::Version::parse(bare).is_ok();
    let version = if has_v && is_version { format!("v{bare}") } else { tag.to_owned() };
    match role {
        Some(role) if is_version && role_of(tag).is_none() => format!("{role}-{version}"),
        _ => version,
    }
}

/// Whether a tag is an older version than another one, roles in front left aside; hashes have no order.
pub fn is_older(tag: &str, than: &str) -> bool {
    let version = |tag: &str| {
        let bare = role_of(tag).map_or(tag, |role| &tag[role.len() + 1..]);
        crate::Version::parse(bare).ok()
    };
    matches!((version(tag), version(than)), (Some(tag), Some(than)) if tag.precedence(&than).is_lt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ez_16_a_role_stays_in_front_of_its_tag() {
        for (present, tag, wanted) in [
            ("app-v1.2.2", "v1.2.3", "app-v1.2.3"),
            ("app-v1.2.2", "1.2.3", "app-v1.2.3"),
            ("scheduler-1.2.2", "1.2.3", "scheduler-1.2.3"),
            ("horizon-worker-v1.2.2", "v1.2.3", "horizon-worker-v1.2.3"),
            ("v1.2.2", "1.2.3", "v1.2.3"),
            ("1.2.2-alpha.1", "1.2.3", "1.2.3"),
            ("sha-1234567", "sha-7654321", "sha-7654321"),
            ("app-v1.2.2", "app-v1.2.3", "app-v1.2.3"),
            ("scheduler-v1.2.2", "app-v1.2.3", "scheduler-v1.2.3"),
            ("", "1.2.3", "1.2.3"),
        ] {
            assert_eq!(with_role(present, tag), wanted, "{present} {tag}");
        }
        assert!(is_older("v1.2.2", "app-v1.2.3") && !is_older("v1.2.3", "app-v1.2.3"));
        assert!(!is_older("sha-1234567", "sha-7654321") && !is_older("1.0.0", "latest"));
        let roles = Roles::of(["app-v1.2.3", "horizon-v1.2.3", "1.2.3-rc.1", "latest", "app-v1.2.2"]);
        assert_eq!(roles.iter().collect::<Vec<_>>(), ["app", "horizon"]);
    }
}
