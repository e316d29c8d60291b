//! What a campaign is to bring, to whom, and how carefully.

use serde::{Deserialize, Serialize};

use super::EdgeNumber;
use crate::Windows;
use crate::hex::sha256_hex;

/// What a campaign is to bring, and how carefully.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Of which product.
    pub product: String,
    /// Which version.
    pub version: String,
    /// One after the other; the last is of all.
    pub waves: Vec<Wave>,
    /// When upgrades may begin.
    #[serde(default)]
    pub windows: Windows,
    /// How many may be under way at once.
    #[serde(default)]
    pub max_concurrent: Option<u32>,
    /// How fast an edge may fetch, in bytes a second.
    #[serde(default)]
    pub bytes_per_second: Option<u64>,
    /// Whether edges go back to an older version, for which the signed targets have to have consented.
    #[serde(default)]
    pub downgrade: bool,
    /// Whether an edge that was not there is brought to the version when it comes back.
    pub catch_up: bool,
    /// How often an edge tries whose failure another try may mend.
    pub max_attempts: u32,
    /// How long is waited for what.
    pub timeouts: Timeouts,
}

/// A wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Up to how many of all edges, those of earlier waves included.
    pub up_to: UpTo,
    /// How long it rests once enough have succeeded, in seconds.
    pub soak_seconds: u64,
    /// How many of a hundred have to succeed.
    pub success_percent: u32,
    /// With more failures than these it is paused.
    pub max_failures: Option<u32>,
    /// With more failures among a hundred that ended it is paused.
    pub max_failure_percent: Option<u32>,
    /// But not before so many have ended.
    pub min_completed: u32,
    /// Whether somebody has to agree before it opens.
    #[serde(default)]
    pub approval: bool,
}

/// Up to how many edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UpTo {
    /// So many.
    Count(u32),
    /// So many of a hundred, rounded up.
    Percent(u32),
}

/// How long is waited for what, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// For an edge that was told to begin; then it waits anew, and the third time it has failed.
    pub offered: i64,
    /// For bytes.
    pub downloading: i64,
    /// For the check.
    pub verifying: i64,
    /// For the new version, which must be longer than an agent takes to give up on it.
    pub restarting: i64,
    /// For an edge that is not there while its wave is open.
    pub offline: i64,
}

/// A specification that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSpec {
    /// A wave is neither a count nor a percentage.
    #[error("{0:?} is no wave: write a count of edges or a percentage of them, as in 1,10%,100%")]
    Wave(String),
    /// Waves shrink, or the last is not of all.
    #[error("waves grow, and the last is 100%: {0} does not fit there")]
    Order(String),
    /// A percentage above a hundred, and the like.
    #[error("{0}")]
    Range(&'static str),
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { offered: 900, downloading: 3600, verifying: 600, restarting: 600, offline: 24 * 3600 }
    }
}

impl Wave {
    /// A wave up to so many, as careful as it is without further words: the first stops at one failure, a later one when more than a
    /// tenth of those that ended (five at least) have failed.
    #[must_use]
    pub fn new(up_to: UpTo, first: bool) -> Self {
        Self {
            up_to,
            soak_seconds: 900,
            success_percent: if first { 100 } else { 95 },
            max_failures: first.then_some(0),
            max_failure_percent: (!first).then_some(10),
            min_completed: 5,
            approval: false,
        }
    }
}

impl UpTo {
    /// Reads `5` or `10%`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, BadSpec> {
        let bad = || BadSpec::Wave(text.to_owned());
        let text = text.trim();
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok().filter(|percent| (1..=100).contains(percent)).ok_or_else(bad)?;
                Ok(Self::Percent(percent))
            }
            None => Ok(Self::Count(text.parse().ok().filter(|count| *count > 0).ok_or_else(bad)?)),
        }
    }

    fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => all.min(count as usize),
            Self::Percent(percent) => (all * percent as usize).div_ceil(100),
        }
    }
}

impl Spec {
    /// A specification of waves such as `1,10%,100%`, with what is usual for the rest.
    ///
    /// # Errors
    /// When a wave cannot be read, waves shrink, or the last is not of all.
    pub fn new(product: &str, version: &str, waves: &str) -> Result<Self, BadSpec> {
        let pieces: Vec<UpTo> = waves.split(',').map(UpTo::parse).collect::<Result<_, _>>()?;
        let waves = pieces.into_iter().enumerate().map(|(index, up_to)| Wave::new(up_to, index == 0)).collect();
        let spec = Self {
            product: product.to_owned(),
            version: version.to_owned(),
            waves,
            windows: Windows::default(),
            max_concurrent: None,
            bytes_per_second: None,
            downgrade: false,
            catch_up: true,
            max_attempts: 3,
            timeouts: Timeouts::default(),
        };
        spec.check()?;
        Ok(spec)
    }

    /// Holds that it can be followed.
    ///
    /// # Errors
    /// When waves shrink, the last is not of all, a percentage is above a hundred, or a limit is none.
    pub fn check(&self) -> Result<(), BadSpec> {
        let told = |up_to: UpTo| match up_to {
            UpTo::Count(count) => count.to_string(),
            UpTo::Percent(percent) => format!("{percent}%"),
        };
        for pair in self.waves.windows(2) {
            let grows = match (pair[0].up_to, pair[1].up_to) {
                (UpTo::Count(before), UpTo::Count(after)) | (UpTo::Percent(before), UpTo::Percent(after)) => {
                    before < after
                }
                (UpTo::Percent(100), UpTo::Count(_)) => false,
                _ => true,
            };
            if !grows {
                return Err(BadSpec::Order(told(pair[1].up_to)));
            }
        }
        match self.waves.last().map(|wave| wave.up_to) {
            Some(UpTo::Percent(100)) => {}
            Some(other) => return Err(BadSpec::Order(told(other))),
            None => return Err(BadSpec::Order("no wave at all".to_owned())),
        }
        let percents = |wave: &Wave| wave.success_percent.max(wave.max_failure_percent.unwrap_or(0)) <= 100;
        if self.waves.len() > 100 {
            return Err(BadSpec::Range("a campaign has at most 100 waves"));
        }
        if !self.waves.iter().all(percents) {
            return Err(BadSpec::Range("a percentage is at most 100"));
        }
        if self.waves.iter().any(|wave| wave.soak_seconds > 365 * 24 * 3600) {
            return Err(BadSpec::Range("a soak is at most a year"));
        }
        if self.max_concurrent == Some(0) {
            return Err(BadSpec::Range("at least one edge has to be allowed at once"));
        }
        if self.bytes_per_second.is_some_and(|limit| limit < 1024) {
            return Err(BadSpec::Range("a bandwidth limit is at least 1024 bytes a second"));
        }
        if !(1..=10).contains(&self.max_attempts) {
            return Err(BadSpec::Range("an edge tries once at least and ten times at most"));
        }
        let timeouts = &self.timeouts;
        let all = [timeouts.offered, timeouts.downloading, timeouts.verifying, timeouts.restarting, timeouts.offline];
        if all.iter().any(|seconds| !(1..=365 * 24 * 3600).contains(seconds)) {
            return Err(BadSpec::Range("a timeout is between a second and a year"));
        }
        Ok(())
    }

    /// In which wave each of so many edges is, in their order.
    pub(super) fn waves_of(&self, all: usize) -> Vec<usize> {
        let ends: Vec<usize> = self.waves.iter().map(|wave| wave.up_to.of(all)).collect();
        (0..all).map(|index| ends.iter().position(|end| index < *end).unwrap_or(ends.len().saturating_sub(1))).collect()
    }
}

/// Edges in the order in which a campaign takes them: by the digest of its name and theirs, so that no edge is always the first.
#[must_use]
pub fn order(campaign: &str, mut edges: Vec<(String, EdgeNumber)>) -> Vec<EdgeNumber> {
    edges.sort_by_cached_key(|(id, _)| sha256_hex(format!("{campaign}\0{id}").as_bytes()));
    edges.into_iter().map(|(_, edge)| edge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_cumulative_and_round_up() {
        let spec = Spec::new("edge-agent", "1.2.0", "1,10%,50%,100%").expect("waves");
        let waves = spec.waves_of(21);
        let sizes: Vec<usize> = (0..4).map(|wave| waves.iter().filter(|found| **found == wave).count()).collect();
        assert_eq!(sizes, [1, 2, 8, 10]);
        assert_eq!(spec.waves_of(1), [0]);
        assert!(spec.waves_of(0).is_empty());
    }

    #[test]
    fn waves_that_shrink_or_leave_some_out_are_refused() {
        for waves in ["", "0", "10%", "5", "10%,5%,100%", "100%,100%", "100%,5", "101%", "a,100%"] {
            assert!(Spec::new("edge-agent", "1.2.0", waves).is_err(), "{waves}");
        }
    }
}
