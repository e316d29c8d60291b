//! Edges, what enrolls them, what they are to run, and what became of it.
//!
//! What is decided is decided over what is in memory; this is what survives. Writes come in batches, each whole or not at all.

mod enroll;
mod read;
mod rows;
mod write;

pub use self::enroll::{Enrollment, KnownEdge, NewEdge};
pub use self::rows::{
    ArtifactRow, CampaignRow, CredentialRow, EdgeEventRow, EdgeRow, EdgeTokenRow, FleetContents, FleetEdges, MemberRow,
    MetadataRow, PresenceRow, ReleaseRow,
};
pub use self::write::FleetWrite;
use crate::Pool;
use crate::migrations::Tables;

/// The small store of the fleet.
#[derive(Debug, Clone)]
pub struct Fleet {
    pool: Pool,
}

/// Its tables.
pub(crate) const TABLES: Tables = Tables {
    of: "fleet",
    steps: &[
        include_str!("../migrations/fleet/0001_first.sql"),
        include_str!("../migrations/fleet/0002_starts.sql"),
        include_str!("../migrations/fleet/0003_numbers.sql"),
    ],
};

impl Fleet {
    /// The one of that database.
    pub fn over(pool: &Pool) -> Self {
        Fleet { pool: pool.clone() }
    }
}
