/// What one execution may use; reaching a limit ends it with [`Cause::Limit`](crate::Cause::Limit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes walked and loop turns taken.
    pub steps: u64,
    /// Templates nested in each other through `template`, `include` and `tpl` together. Go itself allows 100,000.
    pub depth: u32,
    /// Bytes written, counting each `include` and `tpl` on its own as well.
    pub output_bytes: u64,
}

impl Default for Limits {
    /// Far above what any chart needs: 500 million steps, Go's depth, 512 MiB of output.
    fn default() -> Self {
        Limits { steps: 500_000_000, depth: 100_000, output_bytes: 1 << 29 }
    }
}
