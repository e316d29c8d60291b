use std::sync::Arc;

use super::path::ResourcePath;
use crate::resource::Resource;

/// A request for objects, with its resource found.
pub(crate) struct Target<'a> {
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) path: &'a ResourcePath,
}
