//! Which rules a schema follows.

use serde_json::Value as Json;

/// Which rules a schema follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

impl Draft {
    pub(super) fn of(schema: &Json) -> Draft {
        let name = schema.get("$schema").and_then(Json::as_str).unwrap_or("");
        [("draft-04", Draft::D4), ("draft-06", Draft::D6), ("draft-07", Draft::D7), ("2019-09", Draft::D2019)]
            .into_iter()
            .find(|(part, _)| name.contains(part))
            .map_or(Draft::D2020, |(_, draft)| draft)
    }

    /// Where its own schema lies.
    pub(super) fn address(self) -> &'static str {
        match self {
            Draft::D4 => "http://json-schema.org/draft-04/schema#",
            Draft::D6 => "http://json-schema.org/draft-06/schema#",
            Draft::D7 => "http://json-schema.org/draft-07/schema#",
            Draft::D2019 => "https://json-schema.org/draft/2019-09/schema#",
            Draft::D2020 => "https://json-schema.org/draft/2020-12/schema#",
        }
    }
}
