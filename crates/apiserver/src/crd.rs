//! CustomResourceDefinitions: what they make the API serve.

mod definition;

pub(crate) use definition::{is_terminating, prepare, prepare_update, terminate, wait_for_instances};
