use crate::course::{Course, Verb};
use crate::moment::Moment;
use crate::options::{DeployOptions, TestOptions};
use crate::wish::Wish;
use crate::{Error, Past, validate_release_name};

/// A run of the last revision's test hooks.
///
/// # Errors
/// [`Error::InvalidName`], [`Error::NotFound`].
pub fn test(past: &Past, options: &TestOptions) -> Result<Wish, Error> {
    validate_release_name(&past.name)?;
    let record = past.last()?;
    let deploy = DeployOptions { timeout: options.timeout, ..DeployOptions::default() };
    let course = Course::of(Verb::Test, record, Some(record.version), &deploy);
    Ok(Wish::new(course, Some(record.clone()), &deploy).hooks_where(Moment::Test, |hook| options.wants(&hook.name)))
}
