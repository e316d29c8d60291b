//! The room's contract: requests in, answers out, over the service that clients use.

#[path = "it/api.rs"]
mod api;

#[path = "it/access.rs"]
mod access;
#[path = "it/answers.rs"]
mod answers;
#[path = "it/apply.rs"]
mod apply;
#[path = "it/definitions.rs"]
mod definitions;
#[path = "it/durable.rs"]
mod durable;
#[path = "it/errors.rs"]
mod errors;
#[path = "it/escalation.rs"]
mod escalation;
#[path = "it/evictions.rs"]
mod evictions;
#[path = "it/limits.rs"]
mod limits;
#[path = "it/lists.rs"]
mod lists;
#[path = "it/pod_security.rs"]
mod pod_security;
#[path = "it/proxies.rs"]
mod proxies;
#[path = "it/served.rs"]
mod served;
#[path = "it/warnings.rs"]
mod warnings;
#[path = "it/watches.rs"]
mod watches;
#[path = "it/writes.rs"]
mod writes;
