//! Channels: how finished a version must be to run somewhere, and how the next one of a channel is called.

use landfall_project::Channel;

use crate::version::Version;

/// Why a version is none of a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelRefusal {
    /// A pre-release where only finished versions run.
    #[error("`{0}` is a pre-release, and the channel stable takes finished versions alone")]
    NotStable(String),
    /// A finished version where pre-releases run.
    #[error("`{0}` is a finished version, and the channel {1} takes its own pre-releases alone (`{2}`)")]
    Finished(String, &'static str, &'static str),
    /// A pre-release of another channel, or of none.
    #[error("`{0}` is a pre-release of no shape that the channel {1} takes (`{2}`); channels are alpha, rc and stable")]
    Other(String, &'static str, &'static str),
    /// A second attempt, where the channel's versions have no place for it.
    #[error("a second attempt of {0} would move the tag of the first: count the run up instead")]
    Attempt(&'static str),
}

/// A channel's name and the shape of its versions.
fn shape(channel: Channel) -> (&'static str, &'static str) {
    match channel {
        Channel::Alpha => ("alpha", "x.y.z-alpha.RUN.ATTEMPT"),
        Channel::Rc => ("rc", "x.y.z-rc.N"),
        Channel::Stable => ("stable", "x.y.z"),
    }
}

/// Whether a version is one of a channel.
///
/// # Errors
/// Why not.
pub fn check_channel(version: &Version, channel: Channel) -> Result<(), ChannelRefusal> {
    let (name, like) = shape(channel);
    let is_number = |field: &&str| field.bytes().all(|byte| byte.is_ascii_digit());
    let fields: Vec<&str> = version.pre().split('.').collect();
    let fits = match channel {
        Channel::Stable if version.is_stable() => true,
        Channel::Stable => return Err(ChannelRefusal::NotStable(version.to_string())),
        _ if version.is_stable() => return Err(ChannelRefusal::Finished(version.to_string(), name, like)),
        Channel::Alpha => fields[0] == name && (2..=3).contains(&fields.len()) && fields[1..].iter().all(is_number),
        Channel::Rc => fields[0] == name && fields.len() == 2 && fields[1..].iter().all(is_number),
    };
    match fits {
        true => Ok(()),
        false => Err(ChannelRefusal::Other(version.to_string(), name, like)),
    }
}

/// What the next build of a stable version is called on a channel.
///
/// # Errors
/// A second attempt on a channel that has no place for it: its tag is published already.
pub fn next(root: &Version, channel: Channel, run: u64, attempt: u64) -> Result<String, ChannelRefusal> {
    let stable = root.stable();
    match channel {
        Channel::Alpha => Ok(format!("{stable}-alpha.{run}.{attempt}")),
        Channel::Rc | Channel::Stable if attempt > 1 => Err(ChannelRefusal::Attempt(shape(channel).0)),
        Channel::Rc => Ok(format!("{stable}-rc.{run}")),
        Channel::Stable => Ok(stable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn se_14_se_15_se_16_each_channel_takes_its_own_versions_alone() {
        for (text, alpha, rc, stable) in [
            ("0.5.0-alpha.123.1", true, false, false),
            ("0.5.0-alpha.123", true, false, false),
            ("0.5.0-alpha", false, false, false),
            ("0.5.0-alpha.x", false, false, false),
            ("0.5.0-alpha.1.2.3", false, false, false),
            ("0.5.0-rc.1", false, true, false),
            ("0.5.0-rc.1.1", false, false, false),
            ("0.5.0-beta.1", false, false, false),
            ("0.5.0", false, false, true),
        ] {
            let version = Version::parse(text).expect("a version");
            let fits = |channel| check_channel(&version, channel).is_ok();
            assert_eq!((fits(Channel::Alpha), fits(Channel::Rc), fits(Channel::Stable)), (alpha, rc, stable), "{text}");
        }
        let beta = Version::parse("0.5.0-beta.1").expect("a version");
        let said = check_channel(&beta, Channel::Alpha).expect_err("none").to_string();
        assert!(said.contains("channels are alpha, rc and stable"), "{said}");
    }

    #[test]
    fn se_12_the_next_build_is_called_by_its_run_and_attempt_and_is_one_of_its_channel() {
        let root = Version::root("0.5.0").expect("stable");
        assert_eq!(next(&root, Channel::Alpha, 123, 1).expect("called"), "0.5.0-alpha.123.1");
        assert_eq!(next(&root, Channel::Rc, 4, 1).expect("called"), "0.5.0-rc.4");
        assert_eq!(next(&root, Channel::Stable, 4, 1).expect("called"), "0.5.0");
        assert!(next(&root, Channel::Rc, 4, 2).is_err() && next(&root, Channel::Stable, 4, 2).is_err());
        for channel in [Channel::Alpha, Channel::Rc, Channel::Stable] {
            let called = next(&root, channel, 7, 1).expect("called");
            check_channel(&Version::parse(&called).expect("a version"), channel).expect("of its channel");
        }
    }
}
