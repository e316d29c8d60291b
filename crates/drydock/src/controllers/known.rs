//! The kinds that the controllers know, and those of the operators, by what names them.

use super::kind::{ALL, Kind};
use crate::operators;

impl Kind {
    /// The kind an owner reference names, if the controllers know it.
    pub(crate) fn of(api_version: &str, kind: &str) -> Option<&'static Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let operated = operators::ALL.iter().flat_map(|operator| operator.kinds);
        ALL.iter().chain(operated).find(|k| k.kind == kind && k.group == group)
    }
}
