//! The ingress: an HTTP(S) listener that serves the rules of Ingress and IngressRoute objects.
//!
//! ```text
//! request ─► table of rules ─► middlewares ─► service port ─► ready pod ─► what its container declares
//!               │ none: 404      │ redirect       │ none: 404   │ none: 503      │ nothing: 501, and why
//! ```
//!
//! The table is read from the world at each request, so a changed rule is in force at once. Every answer that comes
//! from a simulated container carries the header [`SIMULATED_HEADER`].

mod backend;
pub(crate) mod matcher;
mod middleware;
mod rules;
mod serve;
mod tls;

pub(crate) use backend::ready_pods;
pub use serve::{IngressError, IngressOptions, IngressServer};
pub(crate) use serve::{answer_of, serve};

/// The header of every answer of the ingress: which simulated container gave it, or that none did.
pub const SIMULATED_HEADER: &str = "x-landfall-simulated";

/// The header of an answer that nobody declared: a check that meets it has checked nothing.
pub const UNDECLARED_HEADER: &str = "x-landfall-undeclared";

/// The header of an answer on whose way something stands that is not simulated and decides who gets in or what is
/// answered, such as `basicAuth`: it names them, and a check that meets it has checked nothing.
pub const NOT_SIMULATED_HEADER: &str = "x-landfall-not-simulated";

/// By which listener a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Plain HTTP: Traefik's entry point `web`.
    Web,
    /// TLS: `websecure`.
    WebSecure,
}

impl Entry {
    fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::WebSecure => "websecure",
        }
    }
}

#[cfg(test)]
mod tests;
