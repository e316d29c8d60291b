//! Applications on a whole cluster: the embedded one, or the one that `LANDFALL_TEST_KUBECONFIG` names.

#[path = "it/bounded.rs"]
mod bounded;
#[path = "it/children.rs"]
mod children;
#[path = "it/lately.rs"]
mod lately;
#[path = "it/machine.rs"]
mod machine;
#[path = "it/place.rs"]
mod place;
#[path = "it/results.rs"]
mod results;
#[path = "it/sync.rs"]
mod sync;
