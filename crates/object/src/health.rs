use std::fmt;

use serde::{Deserialize, Serialize};

/// How an object fares, in Argo CD's six words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HealthStatus {
    /// It does what was asked.
    Healthy,
    /// It waits on purpose: a paused Deployment, a suspended Job.
    Suspended,
    /// It is on the way and may still become healthy.
    Progressing,
    /// It is not there.
    Missing,
    /// It failed, or cannot become healthy in time.
    Degraded,
    /// It could not be assessed.
    Unknown,
}

impl HealthStatus {
    /// From best to worst: the status of several is the worst among them.
    fn badness(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Suspended => 1,
            Self::Progressing => 2,
            Self::Missing => 3,
            Self::Degraded => 4,
            Self::Unknown => 5,
        }
    }

    /// The worse of the two.
    pub fn worst(self, other: Self) -> Self {
        if other.badness() > self.badness() { other } else { self }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        })
    }
}

/// A health status with the sentence that explains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// Why; empty when there is nothing to say.
    pub message: String,
}

impl Health {
    /// That status with that message.
    pub fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}
