//! How much is taken and printed; `docs/limits.md` names each.

/// Most documents that one template prints.
pub(crate) const MAX_DOCUMENTS: usize = 20_000;

/// Most bytes that all templates of a chart print together.
pub(crate) const MAX_RENDERED: usize = 32 * 1024 * 1024;

/// Largest values file accepted, in bytes; Helm has no limit here.
pub const MAX_VALUES_SIZE: usize = 20 * 1024 * 1024;
