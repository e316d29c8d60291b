//! The fleet's rows. Times are seconds since 1970; words and JSON are their owner's.

/// An edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeRow {
    /// Its number within the fleet.
    pub number: i64,
    /// What it is called towards others.
    pub id: String,
    /// Under which the device knows itself.
    pub device_number: String,
    /// For people.
    pub display_name: String,
    /// Operating system.
    pub platform: String,
    /// Processor.
    pub arch: String,
    /// Labels, JSON.
    pub labels: String,
    /// `ACTIVE`, `DISABLED`, `QUARANTINED`.
    pub lifecycle: String,
    /// With which enrollment token.
    pub enrolled_by: String,
    /// When.
    pub enrolled_at: i64,
    /// Until when its device number may enroll once more.
    pub reenroll_until: Option<i64>,
    /// What it reported last of an upgrade.
    pub upgrade_status: String,
    /// Why.
    pub upgrade_reason: Option<String>,
    /// Whether it is to get another credential.
    pub rotate: bool,
}

/// How an edge was when it was heard last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresenceRow {
    /// Which edge.
    pub number: i64,
    /// When.
    pub seen_at: i64,
    /// What runs there, JSON.
    pub installed: String,
    /// What it was at.
    pub runtime_state: String,
    /// Which task.
    pub active_task: Option<String>,
    /// Since when its agent ran.
    pub uptime_seconds: i64,
    /// What had gone wrong.
    pub last_error: Option<String>,
    /// Which start of its agent.
    pub boot_id: String,
    /// Which check-in of that start.
    pub sequence: i64,
    /// The starts before it, JSON.
    pub starts: String,
}

/// An edge's credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// Its public part.
    pub prefix: String,
    /// Whose.
    pub edge: i64,
    /// Of its secret, hexadecimal.
    pub digest: String,
    /// When it was issued.
    pub created_at: i64,
    /// Until when it is good.
    pub expires_at: Option<i64>,
    /// Since when it is not.
    pub revoked_at: Option<i64>,
}

/// An enrollment token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeTokenRow {
    /// What it is called.
    pub id: String,
    /// Its public part.
    pub prefix: String,
    /// Of its secret, hexadecimal.
    pub digest: String,
    /// For people.
    pub label: String,
    /// Labels that edges get that it enrolls, JSON.
    pub labels: String,
    /// How many it enrolls; any number when absent.
    pub max_uses: Option<i64>,
    /// How many it has.
    pub used_count: i64,
    /// Until when it is good.
    pub expires_at: Option<i64>,
    /// When it was minted.
    pub created_at: i64,
    /// By whom.
    pub created_by: String,
    /// When it enrolled last.
    pub last_used_at: Option<i64>,
    /// Since when it is not good.
    pub revoked_at: Option<i64>,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Of which product.
    pub product: String,
    /// Which version.
    pub version: String,
    /// Counts up within the product.
    pub counter: i64,
    /// For people.
    pub notes: String,
    /// When it was registered.
    pub added_at: i64,
    /// By whom.
    pub added_by: String,
    /// Since when it is not offered any more.
    pub yanked_at: Option<i64>,
}

/// An artifact of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRow {
    /// Of which product.
    pub product: String,
    /// Of which version.
    pub version: String,
    /// For which operating system.
    pub platform: String,
    /// For which processor.
    pub arch: String,
    /// How it is installed.
    pub install_type: String,
    /// What its file is called.
    pub file_name: String,
    /// Of its bytes, hexadecimal.
    pub sha256: String,
    /// How many bytes.
    pub size: i64,
    /// By which the existing agent holds it.
    pub legacy_signature: Option<String>,
    /// Of which key.
    pub legacy_key: Option<String>,
}

/// Signed metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataRow {
    /// `root`, `targets`, `timestamp`.
    pub role: String,
    /// Counts up within the role.
    pub version: i64,
    /// As it was signed, to the byte.
    pub document: String,
    /// When.
    pub published_at: i64,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignRow {
    /// What it is called.
    pub id: String,
    /// Counts up within the fleet.
    pub number: i64,
    /// For people.
    pub name: String,
    /// Which edges were meant.
    pub selector: String,
    /// What is to be brought, and how, JSON.
    pub spec: String,
    /// What it is at, JSON.
    pub standing: String,
    /// When it was made.
    pub created_at: i64,
    /// By whom.
    pub created_by: String,
    /// Which campaign it undoes; none when empty.
    pub undoes: String,
}

/// An edge in a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// In which campaign.
    pub campaign: String,
    /// Which edge.
    pub edge: i64,
    /// At which place of its order.
    pub place: i64,
    /// In which wave.
    pub wave: i64,
    /// What it is at.
    pub state: String,
    /// Which try.
    pub attempt: i64,
    /// Offers in a row that it did not take up.
    pub unanswered: i64,
    /// Since when it is at that.
    pub since: i64,
    /// In which epoch it ended.
    pub epoch: i64,
    /// Not to be offered anything before.
    pub not_before: i64,
    /// What ran there before.
    pub previous_version: Option<String>,
    /// What kind of failure.
    pub failure: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeEventRow {
    /// Counts up within the fleet.
    pub number: i64,
    /// When.
    pub at: i64,
    /// To which edge; 0 for none.
    pub edge: i64,
    /// In which campaign; none when empty.
    pub campaign: String,
    /// A word for programs.
    pub kind: String,
    /// For people.
    pub text: String,
}

/// Edges, with what is known of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetEdges {
    /// By their numbers.
    pub edges: Vec<EdgeRow>,
    /// By the edges' numbers.
    pub presence: Vec<PresenceRow>,
    /// By their prefixes.
    pub credentials: Vec<CredentialRow>,
}

/// All of a fleet but its edges and its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetContents {
    /// In the order in which they were minted.
    pub tokens: Vec<EdgeTokenRow>,
    /// By product and counter.
    pub releases: Vec<ReleaseRow>,
    /// By release.
    pub artifacts: Vec<ArtifactRow>,
    /// By role and version.
    pub metadata: Vec<MetadataRow>,
    /// By their numbers.
    pub campaigns: Vec<CampaignRow>,
    /// By campaign and place.
    pub members: Vec<MemberRow>,
    /// The number of the last event.
    pub last_event: i64,
}
