//! CustomResourceDefinitions: what they make the API serve.

mod definition;
mod prune;

pub(crate) use definition::prepare;
pub(crate) use prune::prune;

pub(crate) use document::openapi_v3;

mod document;
