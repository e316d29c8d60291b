//! The table, as it is written.

use anyhow::Context;
use landfall_object::pod_security::{Level, LevelVersion, Version};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One control of the standards.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    pub(super) name: String,
    level: Word,
    /// Which levels the row speaks of; the control's own and those above it when not said.
    levels: Option<Vec<Word>>,
    #[serde(default)]
    since: u32,
    until: Option<u32>,
    #[serde(default)]
    pub(super) base: Base,
    #[serde(default)]
    pub(super) with: Map<String, Value>,
    #[serde(default)]
    pub(super) without: Vec<String>,
    #[serde(default)]
    pub(super) beside: Map<String, Value>,
    /// What it means to leave the field out; not tried when not said.
    pub(super) absent: Option<Meaning>,
    pub(super) fields: Vec<String>,
    pub(super) allowed: Vec<Value>,
    pub(super) forbidden: Vec<Value>,
    /// Whether the server makes other fields of it before it judges.
    #[serde(default)]
    pub(super) rewritten: bool,
}

/// Which pod a control's values are put into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Base {
    #[default]
    Linux,
    Windows,
}

/// What a value means where its control holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Meaning {
    Allowed,
    Forbidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Baseline,
    Restricted,
}

impl Word {
    fn level(self) -> Level {
        match self {
            Word::Baseline => Level::Baseline,
            Word::Restricted => Level::Restricted,
        }
    }
}

/// Reads the table.
pub(super) fn load() -> anyhow::Result<Vec<Control>> {
    #[derive(Deserialize)]
    struct Table {
        control: Vec<Control>,
    }
    let table: Table = toml::from_str(include_str!("table.toml")).context("admission/table.toml")?;
    Ok(table.control)
}

impl Control {
    /// What the table says of a value under a level and version; nothing where the row does not speak of the level.
    pub(super) fn says(&self, meaning: Meaning, under: LevelVersion) -> Option<Meaning> {
        let levels = self.levels.as_deref();
        let speaks = levels.is_none_or(|levels| levels.iter().any(|level| level.level() == under.level));
        if !speaks {
            return None;
        }
        let minor = match under.version {
            Version::Latest => u32::MAX,
            Version::Minor(minor) => minor,
        };
        let holds =
            self.level.level() <= under.level && self.since <= minor && self.until.is_none_or(|until| minor < until);
        Some(if holds { meaning } else { Meaning::Allowed })
    }
}
