/// By which door requests come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// From this process: without credentials, the admin's.
    InProcess,
    /// From a socket.
    Served,
}
