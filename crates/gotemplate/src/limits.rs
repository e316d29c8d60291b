/// What one execution may use; reaching a limit ends it with [`Cause::Limit`](crate::Cause::Limit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes walked, loop turns taken and functions called; functions count what they go through as well.
    pub steps: u64,
    /// Templates nested in each other through `template`, `include` and `tpl` together. Go itself allows 100,000.
    pub depth: u32,
    /// Bytes written, counting each `include` and `tpl` on its own as well.
    pub output_bytes: u64,
    /// Bytes of memory in values that variables hold, about.
    pub held_bytes: u64,
}

impl Default for Limits {
    /// Far above what any chart needs: 100 million steps, for which Go takes ten seconds and more, Go's depth, 512 MiB of
    /// output, 512 MiB of values.
    fn default() -> Self {
        Limits { steps: 100_000_000, depth: 100_000, output_bytes: 1 << 29, held_bytes: 1 << 29 }
    }
}
