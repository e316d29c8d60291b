//! The GitOps server: keeps Applications in sync with git, tells their status, answers webhooks and probes.
//!
//! ```text
//! options.rs, serve.rs    what is asked for; opened in an order in which what is wrong changes nothing
//! rights.rs, ground.rs    may it work there; the kinds, namespaces and targets that are put there first
//!
//! watches ──► live.rs         what is live: a row an object, no bodies; one watch a kind
//! refs    ──► repositories.rs which commit a revision leads to, and its files
//! Secrets ──► connections.rs  who repositories are asked as, and the clusters that are delivered to
//! webhook ──► http.rs              │
//!               ▼                  ▼
//!            controller.rs   one task that owns everything: observations in, `apps::machine` steps, actions out; projects.rs,
//!               │            what Applications are held against
//!               │  entry.rs       an Application as it is known, and the status that follows from it
//!               ▼
//!            errands.rs      what takes time: resolve, compare, sync, write; each answers with an observation
//!            removing.rs     how an Application goes, between the hooks of its deletion
//! happened.rs             what is told to the controller; row.rs, an object without its body
//! admitted.rs             what may run where a sync delivers it: policies, and tags that were moved
//! checks.rs               the declared checks: once after each delivery, and what follows when one fails
//! sets.rs                 ApplicationSets: asked, expanded, applied; a task of its own beside the controller
//! logins.rs               repositories' logins as Secrets, written for connections.rs by whoever has one
//! reached.rs              whether one that was installed into a cluster answers
//! others.rs, migration.rs whether another controller lives, for which this one stands back; Argo CD laid to rest
//! sighted.rs, witness.rs, proposed.rs what is seen of images, and what becomes of promotions that are open, here and at their forge
//! forges.rs               how that forge hears of it, until it knows
//! news.rs                 what people are to hear of, each change once, from an outbox in the store
//! listening.rs            connections taken in, so many at once, for http.rs and sealing.rs
//! board.rs, metrics.rs    what probes and metrics may read
//! fleet.rs                the edge: devices enroll, check in, and are brought to releases in campaigns
//! sealing.rs              SealedSecrets opened, as their original controller opens them; a task of its own, on no Application's way
//!
//! http.rs ─► routes.rs ─► gate.rs ─► api.rs    requests: every route, who may, and what is asked of Applications
//! actor.rs, accounts.rs                        whoever asks and what that one may; accounts, roles, orders
//! access.rs                                    who may do what as a table, and the proof of what somebody must not
//! alarms.rs                                    what has to be heard
//! shards.rs                                    which Applications are kept from here, where several replicas share them
//! feed.rs, page.rs, openapi.rs                 changes for who listens, a plain page, the API's description
//! ```
//!
//! Invariants: what is decided is decided by `apps::machine`, what is carried out by `delivery` as `landfall up` does it;
//! nothing but an errand and the controller of SealedSecrets writes; each write follows from a journal or can be repeated; of Secrets
//! nothing is kept but logins and sealing keys, in memory.

pub mod access;
pub mod accounts;
mod actor;
mod admitted;
mod alarms;
pub mod api;
mod board;
mod checks;
mod concerned;
mod connections;
mod controller;
mod entry;
mod errands;
mod feed;
mod fleet;
mod forges;
mod gate;
mod ground;
mod happened;
mod hook_secrets;
mod http;
mod listening;
mod live;
pub mod logins;
mod metrics;
mod migration;
mod networks;
mod news;
mod openapi;
mod options;
mod others;
mod page;
mod paths;
mod projects;
mod proposed;
mod reached;
mod recents;
mod removing;
mod repositories;
mod rights;
mod routes;
mod row;
mod said;
mod sealing;
mod serve;
mod sets;
mod settings;
mod shards;
mod sighted;
mod sops_identities;
mod traces;
mod witness;
mod writing;

pub use actor::{ALL_PROJECTS, Actor, Scope, is_for};
pub use checks::DeclaredAt;
pub use fleet::{FleetOptions, NewArtifact, NewCampaign, NewRelease, NewToken, OnlyFleet, random_seed, serve_fleet};
pub use forges::{TOLD, UNTOLD};
pub use gate::Token;
pub use hook_secrets::{RotatedSecret, rotate_hook_secret};
pub use landfall_apps::Semantics;
pub use migration::{ArgoController, argo_controllers, lay_to_rest, wake};
pub use networks::Network;
pub use news::{BREAK_GLASS_ANNOTATION, BadSink, BrokenGlass, Sinks};
pub use options::{BadListen, BadSealing, Listen, Options, Replicas, Sealing, StandInRepository, UnsignedWebhooks};
pub use paths::{BadPath, Paths};
pub use proposed::{PROMOTION_CONTEXT, Proposed};
pub use reached::is_reached;
pub use sealing::open_sealed;
pub use serve::{Ready, desk, serve};
pub use sighted::{Looked, Sighted, UNMADE, made_as, of_check};
