//! What an edge believes: signed metadata in the order in which it can be held, and what is refused.

use std::cmp::Ordering;

use crate::hex::sha256_hex;
use crate::{Metadata, Platform, Role, Root, Signed, Target, Targets, Timestamp, Unsigned, Version};

/// How long each file may be, in bytes.
const MAX_ROOT: usize = 1 << 20;
const MAX_TIMESTAMP: usize = 1 << 20;
const MAX_TARGETS: usize = 10 << 20;

/// Metadata that was accepted, and what follows from it.
///
/// What is to be kept over a restart are the bytes that were accepted, in the order in which they were: whoever hands them in again
/// has the same trust. Times are seconds since 1970; a machine without a clock hands in the latest it has ever known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    root: Root,
    timestamp: Option<Timestamp>,
    targets: Option<Targets>,
}

/// Why something is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Its signatures do not hold.
    #[error("the {role:?} metadata is not to be trusted: {why}")]
    Unsigned {
        /// Of which role.
        role: Role,
        /// Why.
        why: Unsigned,
    },
    /// It is longer than anything of its kind.
    #[error("the {role:?} metadata has {length} bytes, which is more than any has")]
    TooLong {
        /// Of which role.
        role: Role,
        /// How long.
        length: usize,
    },
    /// It is older than what is known: somebody rolls back.
    #[error("the {role:?} metadata is of version {found}, and {known} is known")]
    Older {
        /// Of which role.
        role: Role,
        /// Which it is.
        found: u64,
        /// Which is known.
        known: u64,
    },
    /// A root that does not follow the one that is trusted.
    #[error("the root is of version {found}; after {known} comes {}", .known + 1)]
    NotNext {
        /// Which it is.
        found: u64,
        /// Which is known.
        known: u64,
    },
    /// Its time is over: somebody holds back what is newer.
    #[error("the {role:?} metadata has run out at {expires}")]
    Expired {
        /// Of which role.
        role: Role,
        /// When.
        expires: String,
    },
    /// There is no timestamp yet that would name it.
    #[error("there is no timestamp yet that names the targets")]
    NoTimestamp,
    /// It is not the file that the timestamp names.
    #[error("the targets are not those that the timestamp names: {0}")]
    NotNamed(&'static str),
    /// What was trusted before is gone, without a word.
    #[error("the targets are there no more, or have not been fetched")]
    NoTargets,
    /// Nothing signed fits.
    #[error("no signed artifact of {product} {version} fits {platform}")]
    NoArtifact {
        /// Which product.
        product: String,
        /// Which version.
        version: String,
        /// For which machine.
        platform: Platform,
    },
    /// It would be a step back that nobody has signed for.
    #[error(
        "{version} comes before what has been confirmed here (release {counter}, floor {floor}), and no signed consent says that it may be gone back to"
    )]
    Downgrade {
        /// Which version.
        version: String,
        /// Its counter.
        counter: u64,
        /// The highest that has been confirmed.
        floor: u64,
    },
}

/// What an edge is to install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Of which product.
    pub product: &'a str,
    /// Which version.
    pub version: &'a str,
    /// On which machine.
    pub platform: &'a Platform,
    /// The highest counter of the product that was ever confirmed there; 0 for none.
    pub floor: u64,
}

impl Trust {
    /// Begins with a root that is trusted for where it came from: handed over at enrollment, or put there with the agent. It must
    /// hold by its own keys. Whether it has run out says nothing yet, for a newer one may follow.
    ///
    /// # Errors
    /// When it is not signed by its own keys.
    pub fn begin(bytes: &[u8]) -> Result<Self, Distrust> {
        let (document, root) = read::<Root>(bytes, MAX_ROOT)?;
        check(&document, &root, Role::Root)?;
        Ok(Self { root, timestamp: None, targets: None })
    }

    /// Takes the root that follows: its version is one more, and old and new keys both sign. When the timestamp's keys are others,
    /// what they signed is forgotten.
    ///
    /// # Errors
    /// When it does not follow.
    pub fn next_root(&mut self, bytes: &[u8]) -> Result<(), Distrust> {
        let (document, root) = read::<Root>(bytes, MAX_ROOT)?;
        check(&document, &self.root, Role::Root)?;
        check(&document, &root, Role::Root)?;
        if root.version != self.root.version + 1 {
            return Err(Distrust::NotNext { found: root.version, known: self.root.version });
        }
        if root.roles.get(&Role::Timestamp) != self.root.roles.get(&Role::Timestamp) {
            self.timestamp = None;
        }
        if root.roles.get(&Role::Targets) != self.root.roles.get(&Role::Targets) {
            self.targets = None;
        }
        self.root = root;
        Ok(())
    }

    /// Takes a timestamp: its version, and that of the targets it names, are not below those known, and it has not run out.
    ///
    /// # Errors
    /// When it is not to be believed.
    pub fn timestamp(&mut self, bytes: &[u8], now: i64) -> Result<(), Distrust> {
        self.root_holds(now)?;
        let (document, timestamp) = read::<Timestamp>(bytes, MAX_TIMESTAMP)?;
        check(&document, &self.root, Role::Timestamp)?;
        let named = timestamp.targets().ok_or(Distrust::NotNamed("it names none"))?.version;
        if let Some(known) = &self.timestamp {
            if timestamp.version < known.version {
                return Err(Distrust::Older { role: Role::Timestamp, found: timestamp.version, known: known.version });
            }
            let before = known.targets().map_or(0, |pointer| pointer.version);
            if named < before {
                return Err(Distrust::Older { role: Role::Targets, found: named, known: before });
            }
        }
        holds(&timestamp, now)?;
        self.timestamp = Some(timestamp);
        Ok(())
    }

    /// Takes the targets that the timestamp names, to the byte.
    ///
    /// # Errors
    /// When they are not to be believed.
    pub fn targets(&mut self, bytes: &[u8], now: i64) -> Result<(), Distrust> {
        self.root_holds(now)?;
        let timestamp = self.timestamp.as_ref().ok_or(Distrust::NoTimestamp)?;
        holds(timestamp, now)?;
        let named = timestamp.targets().ok_or(Distrust::NotNamed("it names none"))?;
        if named.length != bytes.len() as u64 {
            return Err(Distrust::NotNamed("they have another length"));
        }
        if named.hashes.get("sha256").map(String::as_str) != Some(sha256_hex(bytes).as_str()) {
            return Err(Distrust::NotNamed("they have another digest"));
        }
        let (document, targets) = read::<Targets>(bytes, MAX_TARGETS)?;
        check(&document, &self.root, Role::Targets)?;
        if targets.version != named.version {
            return Err(Distrust::NotNamed("they are of another version"));
        }
        if let Some(known) = &self.targets
            && targets.version < known.version
        {
            return Err(Distrust::Older { role: Role::Targets, found: targets.version, known: known.version });
        }
        holds(&targets, now)?;
        self.targets = Some(targets);
        Ok(())
    }

    /// The artifact that an edge may install: signed for this product, version and machine, by metadata that has not run out, and
    /// no step back that nobody has signed for.
    ///
    /// # Errors
    /// When there is none.
    pub fn target(&self, wanted: Wanted<'_>, now: i64) -> Result<&Target, Distrust> {
        self.root_holds(now)?;
        holds(self.timestamp.as_ref().ok_or(Distrust::NoTimestamp)?, now)?;
        let targets = self.targets.as_ref().ok_or(Distrust::NoTargets)?;
        holds(targets, now)?;
        let target = targets
            .targets
            .iter()
            .find(|(path, target)| {
                let custom = &target.custom;
                **path == target.path()
                    && custom.product == wanted.product
                    && same(&custom.version, wanted.version)
                    && custom.platform == *wanted.platform
                    && target.sha256().len() == 64
            })
            .map(|(_, target)| target)
            .ok_or_else(|| Distrust::NoArtifact {
                product: wanted.product.to_owned(),
                version: wanted.version.to_owned(),
                platform: wanted.platform.clone(),
            })?;
        let counter = target.custom.counter;
        if counter < wanted.floor && !targets.consents(wanted.product, wanted.version, now) {
            return Err(Distrust::Downgrade { version: wanted.version.to_owned(), counter, floor: wanted.floor });
        }
        Ok(target)
    }

    /// Versions of what is believed; 0 where there is none.
    #[must_use]
    pub fn versions(&self) -> crate::protocol::MetadataVersions {
        crate::protocol::MetadataVersions {
            root: self.root.version,
            timestamp: self.timestamp.as_ref().map_or(0, |timestamp| timestamp.version),
            targets: self.targets.as_ref().map_or(0, |targets| targets.version),
        }
    }

    /// The root that is trusted.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The targets that are trusted, whether they have run out or not.
    #[must_use]
    pub fn known_targets(&self) -> Option<&Targets> {
        self.targets.as_ref()
    }

    fn root_holds(&self, now: i64) -> Result<(), Distrust> {
        holds(&self.root, now)
    }
}

impl Targets {
    /// Whether edges may go back to this version of a product now.
    #[must_use]
    pub fn consents(&self, product: &str, version: &str, now: i64) -> bool {
        self.downgrades.iter().any(|consent| {
            consent.product == product
                && same(&consent.version, version)
                && consent.expires.parse::<jiff::Timestamp>().is_ok_and(|until| until.as_second() > now)
        })
    }
}

fn read<T: Metadata>(bytes: &[u8], most: usize) -> Result<(Signed, T), Distrust> {
    if bytes.len() > most {
        return Err(Distrust::TooLong { role: T::ROLE, length: bytes.len() });
    }
    let unsigned = |why| Distrust::Unsigned { role: T::ROLE, why };
    let document = Signed::parse(bytes).map_err(unsigned)?;
    let read = document.read().map_err(unsigned)?;
    Ok((document, read))
}

fn check(document: &Signed, root: &Root, role: Role) -> Result<(), Distrust> {
    document.check(|id| root.key_of(role, id), root.threshold(role)).map_err(|why| Distrust::Unsigned { role, why })
}

fn holds<T: Metadata>(metadata: &T, now: i64) -> Result<(), Distrust> {
    if metadata.expires_at() > now {
        Ok(())
    } else {
        Err(Distrust::Expired { role: T::ROLE, expires: metadata.expires().to_owned() })
    }
}

fn same(one: &str, other: &str) -> bool {
    one == other
        || match (Version::parse(one), Version::parse(other)) {
            (Ok(one), Ok(other)) => one.precedence(&other) == Ordering::Equal && one == other,
            _ => false,
        }
}
