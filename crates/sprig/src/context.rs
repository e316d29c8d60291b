/// What functions of the library need from outside while templates execute: the caller hands it to
/// [`landfall_gotemplate::Set::execute`] as the user context.
#[derive(Debug, Clone, Default)]
pub struct Context {}
