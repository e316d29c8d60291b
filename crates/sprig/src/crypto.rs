//! Stub.
use landfall_gotemplate::FuncMap;
pub(crate) fn register(_: &mut FuncMap) {}
pub(crate) fn register_helm4(_: &mut FuncMap) {}
