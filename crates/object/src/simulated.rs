//! How an object says that something about it is simulated: by an annotation that every room reads alike.

/// The annotation; its value says what is simulated, or was assumed, in a few words.
pub const SIMULATED: &str = "landfall.dev/simulated";

/// What stands for a part of a real cluster, such as its default ingress class: a delivery that brings that part takes it
/// over.
pub const BUILT_IN: &str = "built in";

/// What a rehearsal takes as there on a cluster that it has not read, such as a storage class that somebody names.
pub const ASSUMED: &str = "assumed";
