//! Image tags: what a registry can have, and which of them say for ever what runs.

use landfall_project::{Channel, ImagePolicy};

use crate::channel::{ChannelRefusal, check_channel};
use crate::version::{Version, VersionRefusal};

/// Longest tag that a registry takes, in bytes.
pub const MAX_TAG: usize = 128;

/// The tag that is another image after each build.
pub(crate) const LATEST: &str = "latest";

/// Names that branches have; a tag of that name moves with the branch.
const BRANCHES: [&str; 12] = [
    "main",
    "master",
    "develop",
    "development",
    "dev",
    "trunk",
    "next",
    "head",
    "nightly",
    "edge",
    "release",
    "snapshot",
];
/// Names of channels and places; a tag of that name moves with what is released there.
const CHANNELS: [&str; 13] = [
    "alpha",
    "beta",
    "rc",
    "stable",
    "canary",
    "test",
    "testing",
    "staging",
    "stage",
    "preview",
    "production",
    "prod",
    "live",
];

/// A tag that a registry can have: nothing of it is anything else in YAML, templates or a shell but a word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// Which tags may run somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPolicy {
    /// Their shape.
    pub policy: ImagePolicy,
    /// With versions: how finished they must be; any where none is said.
    pub channel: Option<Channel>,
    /// Names of places of the system, which are no tags either.
    pub places: Vec<String>,
}

/// Why a tag may not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagRefusal {
    /// It is longer than a registry takes.
    #[error("the tag has {0} characters; a registry takes at most {MAX_TAG}")]
    TooLong(usize),
    /// It holds what no tag can hold.
    #[error("`{0}` is no image tag: letters, digits, `_`, `.` and `-`, with none of the last two in front")]
    Charset(String),
    /// `latest`.
    #[error("`{0}` is another image after each build: what runs could not be told from it")]
    Latest(String),
    /// A branch's name.
    #[error("`{0}` is the name of a branch, and moves with it")]
    Branch(String),
    /// A channel's or place's name.
    #[error("`{0}` is the name of a channel, and moves with what is released there")]
    Channel(String),
    /// A commit in short, as `git-1a2b3c4`.
    #[error("`{0}` is the beginning of a commit's hash, and no version")]
    ShortCommit(String),
    /// A commit's full hash.
    #[error("`{0}` is the full hash of a commit, and no version")]
    FullCommit(String),
    /// `sha-1a2b3c4`, where versions are wanted.
    #[error(
        "`{0}` names a commit; such tags run only where `images: {{policy: commit-sha}}` or `commit-sha-or-semver` is declared"
    )]
    CommitTag(String),
    /// Something else, where tags of commits are wanted.
    #[error("`{0}` is no tag of a commit, as sha-1a2b3c4 is")]
    NotACommit(String),
    /// It is no version.
    #[error(transparent)]
    Version(#[from] VersionRefusal),
    /// It is a version of another channel.
    #[error(transparent)]
    OfChannel(#[from] ChannelRefusal),
}

impl Tag {
    /// Reads a tag.
    ///
    /// # Errors
    /// It is too long, or holds what no tag can hold. A `+` is told apart: versions have it.
    pub fn parse(text: &str) -> Result<Self, TagRefusal> {
        if text.len() > MAX_TAG {
            return Err(TagRefusal::TooLong(text.chars().count()));
        }
        if text.contains('+') && Version::parse(&text.replace('+', "-")).is_ok() {
            return Err(TagRefusal::Version(VersionRefusal::Metadata(text.to_owned())));
        }
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first = text.bytes().next().is_some_and(is_word);
        match first && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-') {
            true => Ok(Tag(text.to_owned())),
            false => Err(TagRefusal::Charset(text.escape_debug().to_string())),
        }
    }

    /// The tag that is to run under a policy: a version without its `v`, everything else as it is.
    ///
    /// # Errors
    /// The one rule that it breaks first.
    pub fn under(text: &str, policy: &TagPolicy) -> Result<Self, TagRefusal> {
        let tag = Tag::parse(text)?;
        tag.check_moving(&policy.places)?;
        match policy.policy {
            ImagePolicy::CommitSha => match tag.is_commit_tag() {
                true => Ok(tag),
                false => Err(TagRefusal::NotACommit(text.to_owned())),
            },
            ImagePolicy::CommitShaOrSemver if tag.is_commit_tag() => Ok(tag),
            ImagePolicy::Semver | ImagePolicy::CommitShaOrSemver => {
                if tag.is_commit_tag() {
                    return Err(TagRefusal::CommitTag(text.to_owned()));
                }
                let version = Version::parse(text)?;
                if let Some(channel) = policy.channel {
                    check_channel(&version, channel)?;
                }
                Ok(Tag(version.to_string()))
            }
        }
    }

    /// Refuses a tag that moves, or that says nothing of what runs, whatever the policy.
    ///
    /// # Errors
    /// Which kind it is.
    pub fn check_moving(&self, places: &[String]) -> Result<(), TagRefusal> {
        let lower = self.0.to_lowercase();
        let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if lower == LATEST || lower.ends_with("-latest") {
            return Err(TagRefusal::Latest(self.0.clone()));
        }
        if CHANNELS.contains(&lower.as_str()) || places.iter().any(|place| place.eq_ignore_ascii_case(&self.0)) {
            return Err(TagRefusal::Channel(self.0.clone()));
        }
        if BRANCHES.contains(&lower.as_str()) {
            return Err(TagRefusal::Branch(self.0.clone()));
        }
        if lower.len() == 40 && hexadecimal(&lower) {
            return Err(TagRefusal::FullCommit(self.0.clone()));
        }
        if lower.strip_prefix("git-").is_some_and(|rest| rest.len() >= 4 && hexadecimal(rest)) {
            return Err(TagRefusal::ShortCommit(self.0.clone()));
        }
        Ok(())
    }

    /// Whether it is `sha-` with a commit's hash or the beginning of one.
    pub fn is_commit_tag(&self) -> bool {
        self.commit().is_some()
    }

    /// The commit's hash, or the beginning of one, that a tag `sha-…` names.
    pub fn commit(&self) -> Option<&str> {
        commit_of(&self.0)
    }

    /// Whether it is older than another one: told of versions alone, because hashes have no order.
    pub fn is_older_than(&self, other: &Tag) -> Option<bool> {
        let (own, other) = (Version::parse(&self.0).ok()?, Version::parse(&other.0).ok()?);
        Some(own.precedence(&other).is_lt())
    }

    /// The tag itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The commit's hash, or the beginning of one, that a text `sha-…` names.
pub(crate) fn commit_of(text: &str) -> Option<&str> {
    text.strip_prefix("sha-").filter(|hash| {
        (7..=40).contains(&hash.len())
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
    })
}

/// Whether branches or channels are called so.
pub(crate) fn is_moving(name: &str) -> bool {
    BRANCHES.contains(&name) || CHANNELS.contains(&name)
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn semver(channel: Option<Channel>) -> TagPolicy {
        TagPolicy { policy: ImagePolicy::Semver, channel, places: vec!["sens-test".to_owned()] }
    }

    #[test]
    fn se_10_what_moves_or_says_nothing_is_refused_each_with_its_own_reason() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let texts =
            ["latest", "main", "git-abc1234", hash, "test", "sha-91cbcb6", "0.5.0+x", "1.2", "01.2.3", "0.5.0", "a b"];
        let policy = semver(Some(Channel::Alpha));
        let reasons: BTreeSet<String> = texts
            .iter()
            .map(|text| Tag::under(text, &policy).expect_err(text).to_string().replace(text, "IT"))
            .collect();
        assert_eq!(reasons.len(), texts.len(), "{reasons:#?}");
        assert!(matches!(Tag::under("app-latest", &policy), Err(TagRefusal::Latest(_))));
        assert!(matches!(Tag::under("SENS-test", &policy), Err(TagRefusal::Channel(_))));
        assert_eq!(Tag::under("v0.5.0-alpha.123.1", &policy).expect("it runs").as_str(), "0.5.0-alpha.123.1");
    }

    #[test]
    fn a_commits_tag_runs_where_that_is_declared_and_nowhere_else() {
        let policy = TagPolicy { policy: ImagePolicy::CommitSha, channel: None, places: Vec::new() };
        assert_eq!(Tag::under("sha-91cbcb6", &policy).expect("it runs").as_str(), "sha-91cbcb6");
        for text in ["sha-91cbc", "sha-91CBCB6", "sha-xyz1234", "1.2.3"] {
            assert!(matches!(Tag::under(text, &policy), Err(TagRefusal::NotACommit(_))), "{text}");
        }
        assert!(matches!(Tag::under("latest", &policy), Err(TagRefusal::Latest(_))));
    }

    #[test]
    fn lp_129_commits_of_pipelines_and_versions_by_hand_run_where_both_are_declared_and_no_other_shape() {
        let policy = |channel| TagPolicy { policy: ImagePolicy::CommitShaOrSemver, channel, places: Vec::new() };
        for (text, wanted) in
            [("sha-91cbcb6", "sha-91cbcb6"), ("1.2.3", "1.2.3"), ("v1.2.3", "1.2.3"), ("1.3.0-rc.1", "1.3.0-rc.1")]
        {
            assert_eq!(Tag::under(text, &policy(None)).expect("it runs").as_str(), wanted);
        }
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let others =
            ["latest", "web-latest", "main", "prod", "git-91cbcb6", hash, "sha-91cbc", "sha-91CBCB6", "1.2", "1.2.3+x"];
        for text in others {
            assert!(Tag::under(text, &policy(None)).is_err(), "{text}");
        }
        let stable = policy(Some(Channel::Stable));
        assert!(matches!(Tag::under("1.3.0-rc.1", &stable), Err(TagRefusal::OfChannel(_))));
        assert_eq!(Tag::under("sha-91cbcb6", &stable).expect("a channel is for versions").as_str(), "sha-91cbcb6");
    }

    #[test]
    fn se_90_a_tag_is_a_word_of_at_most_128_characters() {
        assert!(Tag::parse(&"a".repeat(128)).is_ok());
        assert_eq!(Tag::parse(&"a".repeat(129)), Err(TagRefusal::TooLong(129)));
        for text in ["", ".a", "-a", "a/b", "a:b", "v1\n  evil: 1", "{{ .Values }}", "$(x)", "ä", "a\u{0}"] {
            assert!(matches!(Tag::parse(text), Err(TagRefusal::Charset(_))), "{text:?}");
        }
        // On a pipeline's log a line of its own could be a command to the runner.
        let said = Tag::parse("v1\n::add-path::/tmp").expect_err("no tag").to_string();
        assert!(!said.contains('\n') && said.contains("`v1\\n::add-path::/tmp`"), "{said}");
    }

    #[test]
    fn se_87_an_older_build_is_told_from_a_newer_one() {
        let tag = |text: &str| Tag::parse(text).expect("a tag");
        assert_eq!(tag("0.5.0-alpha.123.2").is_older_than(&tag("0.5.0-alpha.124.1")), Some(true));
        assert_eq!(tag("0.5.0-alpha.124.1").is_older_than(&tag("0.5.0-alpha.124.1")), Some(false));
        assert_eq!(tag("sha-91cbcb6").is_older_than(&tag("sha-91cbcb7")), None);
    }
}
