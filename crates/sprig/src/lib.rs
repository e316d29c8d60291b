//! The Sprig function library as Helm exposes it.
//!
//! ```text
//! funcs ──► FuncMap ──► gotemplate's Set ──► execute(…, Context: clock, randomness, zone)
//! ```
//!
//! All 209 functions of Sprig 3.3.0 that Helm keeps, and those of Helm's own that need no chart: YAML, JSON, TOML, and
//! Helm 4's durations. One module a group, named as Sprig's files are. What a Go function answers with a panic comes out
//! as an error with the panic's words, because `text/template` shows it so.
//!
//! Invariants
//! - Nothing reads a clock, random numbers, a zone or a host name but from the [`Context`].
//! - What Go leaves to chance (the order of `keys` and `values`) is in the order of the keys.
//! - Hostile arguments end in an error: sizes are bounded, recursion too.

mod cast;
mod constraint;
mod context;
mod crypto;
mod date;
mod defaults;
pub mod der;
mod dict;
mod duration;
mod encoding;
mod json;
mod list;
mod merge;
mod network;
mod numeric;
mod origins;
mod path;
mod random;
mod reflect;
mod regexp;
mod semver;
mod strings;
mod text;
mod toml;
mod url;
mod version;
mod yaml;

use landfall_gotemplate::{Flow, FuncMap};

pub use constraint::{Constraint, ConstraintError};
pub use context::{Clock, Context, Hosts, Keys, Random, Seeded};
pub use crypto::{CERTIFICATE_KEY_STEPS, DERIVATION_STEPS, HASH_STEPS, LONG_KEY_STEPS};
pub use date::{format_time, time};
pub use encoding::decode_base64;
pub use json::{Escape, encode as to_json, parse as from_json};
pub use regexp::go_expression;
pub use version::{Version, VersionError};
pub use yaml::{Build as YamlBuild, Written as YamlWritten, of_scalar as yaml_scalar};

/// Helm 3's functions.
pub fn funcs() -> FuncMap {
    // Go's own and Helm's come on top.
    let mut funcs = FuncMap::with_room(256);
    strings::register(&mut funcs);
    encoding::register(&mut funcs);
    list::register(&mut funcs);
    dict::register(&mut funcs);
    defaults::register(&mut funcs);
    numeric::register(&mut funcs);
    reflect::register(&mut funcs);
    regexp::register(&mut funcs);
    date::register(&mut funcs);
    semver::register(&mut funcs);
    url::register(&mut funcs);
    path::register(&mut funcs);
    network::register(&mut funcs);
    random::register(&mut funcs);
    crypto::register(&mut funcs);
    json::register(&mut funcs);
    yaml::register(&mut funcs);
    toml::register(&mut funcs);
    for (flow, names) in FLOWS {
        funcs.flow(*flow, names);
    }
    funcs
}

/// What becomes of origins, where the result is not simply made of all arguments.
const FLOWS: &[(Flow, &[&str])] = &[
    (Flow::StandsIn, &["default"]),
    (Flow::First, &["coalesce"]),
    (Flow::Ternary, &["ternary"]),
    (Flow::Selects, &["get", "dig", "first", "mustFirst", "last", "mustLast"]),
    (Flow::Negates, &["empty"]),
    (
        Flow::Tests,
        &["hasKey", "all", "any", "kindOf", "kindIs", "typeOf", "typeIs", "typeIsLike", "until", "untilStep", "seq"],
    ),
    (Flow::Finds, &["has", "mustHas"]),
    (Flow::Compares, &["deepEqual"]),
    (
        Flow::Collects,
        &[
            "list",
            "tuple",
            "append",
            "mustAppend",
            "push",
            "mustPush",
            "prepend",
            "mustPrepend",
            "concat",
            "reverse",
            "mustReverse",
            "rest",
            "mustRest",
            "initial",
            "mustInitial",
            "slice",
            "mustSlice",
            "chunk",
            "mustChunk",
            "pick",
            "omit",
            "pluck",
            "keys",
            "values",
            "deepCopy",
            "mustDeepCopy",
            "sortAlpha",
        ],
    ),
    (Flow::Filters, &["without", "mustWithout", "uniq", "mustUniq", "compact", "mustCompact"]),
    (
        Flow::Knows,
        &[
            "toYaml",
            "toYamlPretty",
            "toJson",
            "mustToJson",
            "toPrettyJson",
            "mustToPrettyJson",
            "toRawJson",
            "mustToRawJson",
            "fromYaml",
            "fromYamlArray",
            "fromJson",
            "fromJsonArray",
            "mustFromJson",
        ],
    ),
    (Flow::Pairs, &["dict"]),
    (Flow::Puts, &["set", "unset"]),
    (Flow::Merges, &["merge", "mustMerge", "mergeOverwrite", "mustMergeOverwrite"]),
];

/// What Helm 4 has besides: durations, `mustToYaml` and `mustToToml`.
pub fn helm4_funcs() -> FuncMap {
    let mut funcs = FuncMap::new();
    duration::register(&mut funcs);
    yaml::register_helm4(&mut funcs);
    toml::register_helm4(&mut funcs);
    funcs.flow(Flow::Knows, &["mustToYaml"]);
    funcs
}
