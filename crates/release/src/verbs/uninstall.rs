use crate::course::{Course, Verb};
use crate::moment::Moment;
use crate::options::{DeployOptions, UninstallOptions};
use crate::section::Leaving;
use crate::wish::Wish;
use crate::{Error, Past, Status, validate_release_name};

/// The removal of a release.
///
/// # Errors
/// [`Error::InvalidName`], [`Error::NotFound`], [`Error::AlreadyDeleted`].
pub fn uninstall(past: &Past, options: &UninstallOptions) -> Result<Wish, Error> {
    validate_release_name(&past.name)?;
    let mut record = past.last()?.clone();
    if record.info.status == Status::Uninstalled && options.keep_history {
        return Err(Error::AlreadyDeleted { name: past.name.clone() });
    }
    let gone_already = record.info.status == Status::Uninstalled;
    record.info.deleted = Some(past.now);
    record.info.status = Status::Uninstalling;
    record.info.description = "Deletion in progress (or silently failed)".into();
    let deploy = DeployOptions {
        hooks: options.hooks,
        timeout: options.timeout,
        remainder: options.remainder,
        ..DeployOptions::default()
    };
    let mut course = Course::of(Verb::Uninstall, &record, Some(record.version), &deploy);
    course.keep_history = options.keep_history;
    course.description.clone_from(&options.description);
    let wish = Wish::new(course, Some(record), &deploy);
    if gone_already {
        return Ok(wish);
    }
    let (propagation, keep_claims, wait) = (options.propagation, options.keep_claims, options.wait);
    let leaving = Leaving { propagation, keep_claims, wait };
    Ok(wish.hooks(Moment::PreDelete).removal(leaving).hooks(Moment::PostDelete))
}
