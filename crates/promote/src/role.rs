//! Tags with a role in front: one repository with several images, as `app-v1.2.3` and `scheduler-v1.2.3`.

use crate::tag::{LATEST, commit_of, is_moving};

/// The roles that a repository's images have, told from the tags that run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(Vec<String>);

impl Roles {
    /// The roles in front in tags that run: `app-v1.2.3` and `app-latest` have the role `app`, `1.2.3-alpha.1` has none.
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

/// What stands in front of the rest of a tag, as `app` in `app-v1.2.3`, `app-sha-1a2b3c4` and `app-latest`; nothing where nothing does.
///
/// The name of a branch or a channel in front of a commit is where that was built, and no role.
pub fn role_of(tag: &str) -> Option<&str> {
    let is_name = |role: &str| role.starts_with(|c: char| c.is_ascii_alphabetic());
    if crate::Version::parse(tag).is_ok() {
        return None;
    }
    let mut ends = tag.match_indices('-').map(|(at, _)| (&tag[..at], &tag[at + 1..]));
    if let Some((role, _)) = ends.clone().find(|(_, rest)| crate::Version::parse(rest).is_ok()) {
        return is_name(role).then_some(role);
    }
    let (role, _) = ends.find(|(_, rest)| *rest == LATEST || commit_of(rest).is_some())?;
    (is_name(role) && !is_moving(role)).then_some(role)
}

/// A tag without the role in front of it.
pub fn without_role(tag: &str) -> &str {
    role_of(tag).map_or(tag, |role| &tag[role.len() + 1..])
}

/// A tag as the present one has it: its role stays in front, and so does its `v`; another one's role is another image's.
pub fn with_role(present: &str, tag: &str) -> String {
    let Some(own) = role_of(present) else { return with_v(present, tag) };
    let is_own = tag.strip_prefix(own).is_some_and(|rest| rest.len() > 1 && rest.starts_with('-'));
    match role_of(tag) {
        Some(role) if role == own => tag.to_owned(),
        None if is_own => tag.to_owned(),
        _ => format!("{own}-{}", with_v(without_role(present), without_role(tag))),
    }
}

/// A version with a `v` in front where the present one has it; anything else as it is.
fn with_v(present: &str, tag: &str) -> String {
    let is_version = |text: &str| crate::Version::parse(text).is_ok();
    let bare = tag.strip_prefix('v').filter(|rest| is_version(rest)).unwrap_or(tag);
    match present.starts_with('v') && is_version(present) && is_version(bare) {
        true => format!("v{bare}"),
        false => tag.to_owned(),
    }
}

/// Whether a tag is an older version than another one, roles in front left aside; hashes have no order.
pub fn is_older(tag: &str, than: &str) -> bool {
    let version = |tag: &str| crate::Version::parse(without_role(tag)).ok();
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
            ("app-v1.2.2", "sha-1234567", "app-sha-1234567"),
            ("app-sha-1234567", "sha-7654321", "app-sha-7654321"),
            ("app-sha-1234567", "app-sha-7654321", "app-sha-7654321"),
            ("scheduler-sha-1234567", "app-sha-7654321", "scheduler-sha-7654321"),
            ("scheduler-latest", "v1.2.4", "scheduler-v1.2.4"),
            ("horizon-worker-latest", "latest", "horizon-worker-latest"),
            ("app-v1.2.2", "preview-7", "app-preview-7"),
            ("app-v1.2.2", "app-preview-7", "app-preview-7"),
            ("main-sha-1234567", "1.2.3", "1.2.3"),
            ("v1.2.2", "sha-1234567", "sha-1234567"),
            ("1.2.3-sha-1234567", "1.2.4", "1.2.4"),
        ] {
            assert_eq!(with_role(present, tag), wanted, "{present} {tag}");
        }
        assert!(is_older("v1.2.2", "app-v1.2.3") && !is_older("v1.2.3", "app-v1.2.3"));
        assert!(!is_older("sha-1234567", "sha-7654321") && !is_older("1.0.0", "latest"));
        let roles =
            Roles::of(["app-v1.2.3", "horizon-latest", "1.2.3-rc.1", "latest", "sha-1234567", "app-sha-1234567"]);
        assert_eq!(roles.iter().collect::<Vec<_>>(), ["app", "horizon"]);
    }
}
