//! An edge as it is kept in memory, where there are a hundred thousand of them: what many have in common is shared, what few have
//! has a place of its own, and no text has room to spare.

use std::sync::Arc;

use landfall_fleet::protocol::{AGENT_PRODUCT, DEFAULT_PRODUCT, Installed, Label, RuntimeState};
use landfall_fleet::{Platform, UpgradeStatus};
use landfall_store::{EdgeRow, PresenceRow};

use super::common::Common;
use super::{ACTIVE, DISABLED, QUARANTINED, state_of, word_of};
use crate::fleet::starts::Starts;

/// How an edge is.
#[derive(Debug, Clone)]
pub(crate) struct EdgeNow {
    pub(crate) row: Known,
    pub(crate) presence: LastHeard,
    /// Whether what was heard is not written yet.
    pub(crate) is_heard: bool,
    rare: Option<Box<Rare>>,
}

/// What is known of an edge: the row that is written, but for what is rare.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) number: i64,
    pub(crate) id: Arc<str>,
    pub(crate) device_number: Arc<str>,
    pub(crate) display_name: Box<str>,
    pub(crate) platform: Arc<str>,
    pub(crate) arch: Arc<str>,
    pub(crate) labels: Arc<[Label]>,
    pub(crate) enrolled_by: Arc<str>,
    pub(crate) enrolled_at: i64,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) upgrade_status: UpgradeStatus,
    pub(crate) rotate: bool,
}

/// How an edge was when it was heard last, but for what is rare.
#[derive(Debug, Clone)]
pub(crate) struct LastHeard {
    pub(crate) seen_at: i64,
    pub(crate) installed: Arc<[Installed]>,
    pub(crate) uptime_seconds: u64,
    pub(crate) boot_id: Box<str>,
    pub(crate) sequence: u64,
    pub(crate) state: RuntimeState,
}

/// What few edges have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rare {
    pub(crate) reenroll_until: Option<i64>,
    pub(crate) upgrade_reason: Option<Box<str>>,
    pub(crate) active_task: Option<Box<str>>,
    pub(crate) last_error: Option<Box<str>>,
    /// The starts of its agent before this one: should one go on, there are two machines.
    pub(crate) starts: Starts,
    /// Since when two machines are suspected behind it.
    pub(crate) cloned_at: Option<i64>,
    /// The credential that is to follow, until it is used: told again and again.
    pub(crate) next_credential: Option<Box<(String, i64)>>,
}

static NOTHING_RARE: Rare = Rare {
    reenroll_until: None,
    upgrade_reason: None,
    active_task: None,
    last_error: None,
    starts: Starts::NONE,
    cloned_at: None,
    next_credential: None,
};

/// How an edge was when it was heard last, as it is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    pub(crate) seen_at: i64,
    pub(crate) installed: Vec<Installed>,
    pub(crate) state: RuntimeState,
    pub(crate) active_task: Option<String>,
    pub(crate) uptime_seconds: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) boot_id: String,
    pub(crate) sequence: u64,
    pub(crate) starts: Starts,
}

/// What an edge may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    /// What edges do.
    Active,
    /// An operator has switched it off.
    Disabled,
    /// Something is wrong with it, and be it that nobody knows its word.
    Quarantined,
}

impl Lifecycle {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            ACTIVE => Lifecycle::Active,
            DISABLED => Lifecycle::Disabled,
            _ => Lifecycle::Quarantined,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Active => ACTIVE,
            Lifecycle::Disabled => DISABLED,
            Lifecycle::Quarantined => QUARANTINED,
        }
    }
}

impl From<PresenceRow> for Presence {
    fn from(row: PresenceRow) -> Self {
        Presence {
            seen_at: row.seen_at,
            installed: serde_json::from_str(&row.installed).unwrap_or_default(),
            state: state_of(&row.runtime_state).unwrap_or_default(),
            active_task: row.active_task,
            uptime_seconds: u64::try_from(row.uptime_seconds).unwrap_or(0),
            last_error: row.last_error,
            boot_id: row.boot_id,
            sequence: u64::try_from(row.sequence).unwrap_or(0),
            starts: Starts::read(&row.starts),
        }
    }
}

fn short(text: Option<String>) -> Option<Box<str>> {
    text.map(String::into_boxed_str)
}

impl EdgeNow {
    pub(super) fn of(row: EdgeRow, heard: Presence, common: &Common) -> Self {
        let labels: Vec<Label> = serde_json::from_str(&row.labels).unwrap_or_default();
        let rare = Rare {
            reenroll_until: row.reenroll_until,
            upgrade_reason: short(row.upgrade_reason),
            active_task: short(heard.active_task),
            last_error: short(heard.last_error),
            starts: heard.starts,
            cloned_at: None,
            next_credential: None,
        };
        EdgeNow {
            row: Known {
                number: row.number,
                id: row.id.into(),
                device_number: row.device_number.into(),
                display_name: row.display_name.into(),
                platform: common.word(&row.platform),
                arch: common.word(&row.arch),
                labels: common.labels(&labels),
                enrolled_by: common.word(&row.enrolled_by),
                enrolled_at: row.enrolled_at,
                lifecycle: Lifecycle::of(&row.lifecycle),
                upgrade_status: UpgradeStatus::parse(&row.upgrade_status).unwrap_or(UpgradeStatus::Idle),
                rotate: row.rotate,
            },
            presence: LastHeard {
                seen_at: heard.seen_at,
                installed: common.installed(&heard.installed),
                uptime_seconds: heard.uptime_seconds,
                boot_id: heard.boot_id.into(),
                sequence: heard.sequence,
                state: heard.state,
            },
            is_heard: false,
            rare: rare.is_any().then(|| Box::new(rare)),
        }
    }

    /// What few edges have.
    pub(crate) fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }

    /// What few edges have, which this one is to have from now on.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether it may be upgraded and be told anything.
    pub(crate) fn is_active(&self) -> bool {
        self.row.lifecycle == Lifecycle::Active
    }

    /// What runs there of a product; empty for nothing.
    pub(crate) fn version_of(&self, product: &str) -> &str {
        self.presence.installed.iter().find(|it| it.product == product).map_or("", |it| it.version.as_str())
    }

    /// Whether it runs the agent that is out there: it has never said which start of it this is.
    pub(crate) fn is_existing_agent(&self) -> bool {
        self.presence.boot_id.is_empty()
    }

    /// Whether a product is anything to it: the existing agent puts what it is told of in its own place, whatever that is, and another
    /// one looks after what it was enrolled with.
    pub(crate) fn runs(&self, product: &str) -> bool {
        match &*self.presence.installed {
            [] => !self.is_existing_agent() || product == DEFAULT_PRODUCT,
            installed => installed.iter().any(|it| it.product == product),
        }
    }

    /// What an artifact of a product has to fit.
    pub(crate) fn platform_of(&self, product: &str) -> Platform {
        let install = self.presence.installed.iter().find(|it| it.product == product);
        Platform::new(&self.row.platform, &self.row.arch, install.map_or("", |it| it.install_type.as_str()))
    }

    /// What runs there, the first of it.
    pub(crate) fn version(&self) -> &str {
        let first = self.presence.installed.iter().find(|it| it.product != AGENT_PRODUCT);
        first.or_else(|| self.presence.installed.first()).map_or("", |it| it.version.as_str())
    }

    /// How it is, as it is written.
    pub(crate) fn edge_row(&self) -> EdgeRow {
        let (row, rare) = (&self.row, self.rare());
        EdgeRow {
            number: row.number,
            id: (&*row.id).into(),
            device_number: (&*row.device_number).into(),
            display_name: (&*row.display_name).into(),
            platform: (&*row.platform).into(),
            arch: (&*row.arch).into(),
            labels: serde_json::to_string(&*row.labels).unwrap_or_default(),
            lifecycle: row.lifecycle.as_str().into(),
            enrolled_by: (&*row.enrolled_by).into(),
            enrolled_at: row.enrolled_at,
            reenroll_until: rare.reenroll_until,
            upgrade_status: row.upgrade_status.as_str().into(),
            upgrade_reason: rare.upgrade_reason.as_deref().map(str::to_owned),
            rotate: row.rotate,
        }
    }

    /// How it was when it was heard last, as it is written.
    pub(crate) fn presence_row(&self) -> PresenceRow {
        let (presence, rare) = (&self.presence, self.rare());
        PresenceRow {
            number: self.row.number,
            seen_at: presence.seen_at,
            installed: serde_json::to_string(&*presence.installed).unwrap_or_default(),
            runtime_state: word_of(presence.state).to_owned(),
            active_task: rare.active_task.as_deref().map(str::to_owned),
            uptime_seconds: i64::try_from(presence.uptime_seconds).unwrap_or(i64::MAX),
            last_error: rare.last_error.as_deref().map(str::to_owned),
            boot_id: (&*presence.boot_id).into(),
            sequence: i64::try_from(presence.sequence).unwrap_or(i64::MAX),
            starts: rare.starts.written(),
        }
    }

    /// How many bytes it takes that are its own, beside those of its place.
    #[cfg(test)]
    pub(super) fn own_bytes(&self) -> usize {
        // What is shared by two has two counts before its text.
        let shared = |text: &str| text.len() + 2 * size_of::<usize>();
        let rare = self.rare.as_deref().map_or(0, |rare| size_of_val(rare) + rare.starts.bytes());
        shared(&self.row.id)
            + shared(&self.row.device_number)
            + self.row.display_name.len()
            + self.presence.boot_id.len()
            + rare
    }
}

impl Rare {
    fn is_any(&self) -> bool {
        let texts = [&self.upgrade_reason, &self.active_task, &self.last_error];
        texts.iter().any(|it| it.is_some())
            || self.reenroll_until.is_some()
            || self.starts != Starts::NONE
            || self.cloned_at.is_some()
            || self.next_credential.is_some()
    }
}
