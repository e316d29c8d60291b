//! Releases on a whole cluster: the embedded one, or the one that `LANDFALL_TEST_KUBECONFIG` names.

#[path = "it/charts.rs"]
mod charts;
#[path = "it/conductor.rs"]
mod conductor;
#[path = "it/deliver.rs"]
mod deliver;
#[path = "it/guards.rs"]
mod guards;
#[path = "it/kill.rs"]
mod kill;
#[path = "it/place.rs"]
mod place;
#[path = "it/record.rs"]
mod record;
#[path = "it/tried.rs"]
mod tried;
#[path = "it/trouble.rs"]
mod trouble;
#[path = "it/writers.rs"]
mod writers;
