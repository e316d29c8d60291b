//! A template with what it is executed in.

use std::sync::Arc;

use landfall_gotemplate::{Map, Value};

use crate::dialect::Dialect;
use crate::objects;
use crate::rendered_file::TemplateSource;

/// A template with the scope it is executed in.
pub(super) struct Renderable {
    pub(super) scope: Map,
    pub(super) base_path: Arc<str>,
    pub(super) source: TemplateSource,
}

/// Under which name a template finds itself in its scope.
pub(super) const TEMPLATE: &str = "Template";

impl Renderable {
    /// What a template is told about itself.
    pub(super) fn about(&self, path: &str, dialect: Dialect) -> Value {
        let about: Map =
            [("Name", Value::from(path)), ("BasePath", Value::from(&*self.base_path))].into_iter().collect();
        objects::values(&about, dialect)
    }

    /// The directory of the chart's templates, which tells its charts apart.
    pub(super) fn base_path(&self) -> &str {
        &self.base_path
    }
}
