//! The simulated controllers, scheduler and kubelet.

use crate::runtime::Controller;

/// All controllers of a cluster, in the order in which they are stepped.
pub(crate) fn all() -> Vec<Box<dyn Controller>> {
    Vec::new()
}
