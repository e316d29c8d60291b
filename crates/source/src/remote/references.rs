use gix::bstr::ByteSlice as _;
use gix::protocol::handshake::Ref;
use landfall_sprig::{Constraint, Version};

/// The references of a repository at one moment: branches, tags and where its `HEAD` is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    named: Vec<(String, String)>,
    /// The branch that `HEAD` is on, by its full name.
    head: Option<String>,
}

impl References {
    pub(super) fn of(server: &[Ref]) -> Self {
        let mut all: Vec<(String, String)> = server
            .iter()
            .filter_map(|reference| match reference {
                Ref::Peeled { full_ref_name, object, .. }
                | Ref::Direct { full_ref_name, object }
                | Ref::Symbolic { full_ref_name, object, .. } => {
                    Some((full_ref_name.to_str_lossy().into_owned(), object.to_string()))
                }
                Ref::Unborn { .. } => None,
            })
            .collect();
        // Branches stand before tags of the same name.
        all.sort();
        let head = server.iter().find_map(|reference| match reference {
            Ref::Symbolic { full_ref_name, target, .. } if full_ref_name == "HEAD" => {
                Some(target.to_str_lossy().into_owned())
            }
            _ => None,
        });
        References { named: all, head }
    }

    /// The commits that branches and tags stand at.
    pub fn commits(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(_, commit)| commit.as_str())
    }

    /// The commit that a revision leads to: `HEAD` where none is named, a range of versions among the tags, a full or short
    /// name of a branch or tag; a commit's full hash is itself (argo-cd: util/git/client.go, `lsRemote`).
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_full_hash(revision) {
            return Some(revision.to_lowercase());
        }
        let revision = if revision.is_empty() { "HEAD" } else { revision };
        if let Some(tag) = self.newest(revision) {
            return Some(tag);
        }
        let named = |(name, _): &&(String, String)| {
            let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"));
            name == revision || short == Some(revision)
        };
        self.named.iter().find(named).map(|(_, commit)| commit.clone())
    }

    /// The branch that the repository itself calls its own, by its short name; nothing where the server does not say it.
    pub fn head_branch(&self) -> Option<&str> {
        self.head.as_deref()?.strip_prefix("refs/heads/")
    }

    /// Whether a revision is a tag's name, and no branch's.
    pub fn is_tag(&self, revision: &str) -> bool {
        let short = revision.strip_prefix("refs/tags/").unwrap_or(revision);
        let has = |name: String| self.named.iter().any(|(known, _)| *known == name);
        has(format!("refs/tags/{short}")) && (short != revision || !has(format!("refs/heads/{short}")))
    }

    /// The newest tag of a range; nothing where the revision is none.
    fn newest(&self, revision: &str) -> Option<String> {
        let tags = self.named.iter().filter_map(|(name, commit)| Some((name.strip_prefix("refs/tags/")?, commit)));
        newest_of(revision, tags).cloned()
    }

    /// The name nearest to one that is not there.
    pub fn nearest(&self, revision: &str) -> Option<String> {
        let names = self.named.iter().filter_map(|(name, _)| name.rsplit_once('/').map(|(_, short)| short));
        landfall_diag::nearest(revision, names).map(str::to_owned)
    }
}

/// What belongs to the newest of the tags that a range allows; nothing where the revision is a version, or no range, or allows none
/// (argo-cd, util/versions).
pub(crate) fn newest_of<'t, T>(revision: &str, tags: impl Iterator<Item = (&'t str, T)>) -> Option<T> {
    if Version::parse(revision).is_ok() {
        return None;
    }
    let range = Constraint::parse(revision).ok()?;
    let fitting = tags.filter_map(|(tag, of)| {
        let version = Version::parse(tag).ok()?;
        range.check(&version).then_some((version, of))
    });
    fitting.max_by(|(a, _), (b, _)| a.precedence(b)).map(|(_, of)| of)
}

/// Whether a revision is a commit's full hash.
pub(super) fn is_full_hash(revision: &str) -> bool {
    revision.len() == 40 && is_hash(revision)
}

/// Whether a revision may be the beginning of a commit's hash.
pub(super) fn is_hash(revision: &str) -> bool {
    revision.len() >= 7 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_leads_to_what_it_leads_to_in_argo_cd() {
        let names = [
            ("HEAD", "1"),
            ("refs/heads/main", "1"),
            ("refs/heads/release/2.x", "2"),
            ("refs/heads/v1.0.0", "3"),
            ("refs/tags/v1.0.0", "4"),
            ("refs/tags/v1.4.0", "5"),
            ("refs/tags/v1.5.0-rc.1", "6"),
            ("refs/tags/nightly", "7"),
        ];
        let mut all: Vec<(String, String)> =
            names.iter().map(|(name, commit)| ((*name).to_owned(), (*commit).to_owned())).collect();
        all.sort();
        let references = References { named: all, head: Some("refs/heads/main".to_owned()) };
        assert_eq!(references.head_branch(), Some("main"));
        let hash = "0123456789abcdef0123456789abcdef01234567";
        for (revision, commit) in [
            ("", Some("1")),
            ("HEAD", Some("1")),
            ("main", Some("1")),
            ("refs/heads/main", Some("1")),
            ("release/2.x", Some("2")),
            ("v1.0.0", Some("3")),
            ("refs/tags/v1.0.0", Some("4")),
            ("v1.*", Some("5")),
            (">=1.0.0 <1.2.0", Some("4")),
            (">=1.5.0-0", Some("6")),
            ("nightly", Some("7")),
            ("mian", None),
            (hash, Some(hash)),
        ] {
            assert_eq!(references.commit(revision).as_deref(), commit, "{revision}");
        }
        assert_eq!(references.nearest("mian").as_deref(), Some("main"));
    }
}
