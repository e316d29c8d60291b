/// How a write enters `managedFields`.
pub(crate) enum Tracking {
    /// As an update by the actor's manager.
    Update,
    /// They were set by the caller already (server-side apply).
    Done,
}
