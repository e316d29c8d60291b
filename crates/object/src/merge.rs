//! The ways one value is merged into another, each with the peer's rules.
//!
//! ```text
//! json_patch   RFC 6902, as kube-apiserver applies it       merge_patch  RFC 7396, and the three-way form for CRs
//! strategic    lists merged by key: apply, two-way, three-way (kubectl apply, Helm 3)
//! managed      server-side apply and the ownership of fields
//! ```

pub mod json_patch;
pub mod managed;
pub mod merge_patch;
pub mod strategic;
