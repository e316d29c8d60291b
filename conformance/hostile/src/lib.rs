//! Hostile input: one function for each reader that takes what a stranger wrote.
//!
//! ```text
//! fuzz/ (libFuzzer, hours) ──┐
//!                            ├─► Target::run(bytes): returns, or panics because a promise was broken
//! corpus/ (replayed in CI) ──┘
//! ```
//!
//! A target never fails for input that is refused; it fails by a panic, by taking too long, or by taking too much memory. Texts of several parts
//! are cut at lines that say `%%`.

#[cfg(feature = "cluster")]
mod api;
mod archive;
mod chart;
mod edge;
#[cfg(feature = "source")]
mod git;
#[cfg(feature = "source")]
mod index;
mod patch;
mod protobuf;
mod quantity;
#[cfg(feature = "cluster")]
mod record;
mod sealed;
#[cfg(feature = "cluster")]
mod selector;
mod template;
mod terminal;
mod yaml;

/// A reader, and how it is called.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: a folder of the corpus and a binary of `fuzz/`.
    pub name: &'static str,
    /// Reads an input.
    pub run: fn(&[u8]),
    /// The longest input that is worth trying, in bytes.
    pub longest: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "yaml_read", run: yaml::read, longest: 4096 },
    Target { name: "yaml_round_trip", run: yaml::round_trip, longest: 2048 },
    Target { name: "yaml_edit", run: yaml::edit, longest: 2048 },
    Target { name: "project", run: yaml::project, longest: 4096 },
    Target { name: "terminal", run: terminal::shown, longest: 1024 },
    Target { name: "template", run: template::template, longest: 1024 },
    Target { name: "chart", run: chart::chart, longest: 4096 },
    Target { name: "values", run: chart::values, longest: 4096 },
    Target { name: "set", run: chart::set, longest: 512 },
    Target { name: "archive", run: archive::packed, longest: 8192 },
    Target { name: "archive_entries", run: archive::entries, longest: 16384 },
    #[cfg(feature = "source")]
    Target { name: "archive_nested", run: archive::nested, longest: 16384 },
    Target { name: "edge_archive", run: edge::unpacked, longest: 16384 },
    Target { name: "edge_delta", run: edge::delta, longest: 4096 },
    Target { name: "edge_metadata", run: edge::metadata, longest: 8192 },
    Target { name: "edge_journal", run: edge::journal, longest: 4096 },
    Target { name: "patch", run: patch::patch, longest: 4096 },
    Target { name: "json_patch", run: patch::json, longest: 4096 },
    #[cfg(feature = "source")]
    Target { name: "git_tree", run: git::tree, longest: 2048 },
    #[cfg(feature = "source")]
    Target { name: "git_pack", run: git::pack, longest: 4096 },
    #[cfg(feature = "source")]
    Target { name: "git_index", run: git::pack_index, longest: 4096 },
    #[cfg(feature = "source")]
    Target { name: "index", run: index::index, longest: 4096 },
    Target { name: "protobuf", run: protobuf::protobuf, longest: 4096 },
    Target { name: "quantity", run: quantity::quantity, longest: 128 },
    Target { name: "sealed", run: sealed::blob, longest: 1024 },
    Target { name: "sealed_secret", run: sealed::asked, longest: 4096 },
    Target { name: "age", run: sealed::age_file, longest: 4096 },
    Target { name: "sops", run: sealed::sops, longest: 4096 },
    #[cfg(feature = "cluster")]
    Target { name: "release", run: record::release, longest: 8192 },
    #[cfg(feature = "cluster")]
    Target { name: "selector", run: selector::selector, longest: 512 },
    #[cfg(feature = "cluster")]
    Target { name: "api", run: api::api, longest: 4096 },
];

/// A target by its name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The parts of a text, cut at lines that say `%%`.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n%%\n")
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
