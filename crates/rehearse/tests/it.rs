//! The room's contract: rules against their fixtures and mutations of them, rehearsals end to end.

#[path = "it/bounds.rs"]
mod bounds;
#[path = "it/decides.rs"]
mod decides;
#[path = "it/deliveries.rs"]
mod deliveries;
#[path = "it/fixture.rs"]
mod fixture;
#[path = "it/fixtures.rs"]
mod fixtures;
#[path = "it/linked.rs"]
mod linked;
#[path = "it/live.rs"]
mod live;
#[path = "it/mutation.rs"]
mod mutation;
#[path = "it/others.rs"]
mod others;
#[path = "it/place.rs"]
mod place;
#[path = "it/quiet.rs"]
mod quiet;
#[path = "it/rows.rs"]
mod rows;
#[path = "it/second.rs"]
mod second;
#[path = "it/steps.rs"]
mod steps;
#[path = "it/text.rs"]
mod text;
