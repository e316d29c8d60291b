//! Values against schemas.
use crate::chart::Chart;
use crate::error::ChartError;
use crate::values::ValueLayers;
use landfall_gotemplate::Map;
pub(crate) struct Failure;
pub(crate) fn validate(_: &Chart, _: &Map) -> Result<(), Failure> {
    Ok(())
}
pub(crate) fn explain(_: Failure, _: &Chart, _: &ValueLayers) -> ChartError {
    ChartError::SchemaJson
}
