//! CustomResourceDefinitions: what they make the API serve.

mod definition;

pub(crate) use definition::{prepare, prepare_update, terminate};
