use std::collections::BTreeMap;

use landfall_chart::Dialect;

use super::apply_method;
use crate::course::{Course, Verb};
use crate::moment::Moment;
use crate::options::{OwnershipCheck, RollbackOptions};
use crate::wish::Wish;
use crate::{Error, Info, Past, Status, Which, validate_release_name};

/// The contents of an earlier revision as a new one.
///
/// # Errors
/// [`Error::InvalidName`], [`Error::NotFound`], [`Error::NoRevision`].
pub fn rollback(past: &Past, options: &RollbackOptions) -> Result<Wish, Error> {
    validate_release_name(&past.name)?;
    let current = past.last()?;
    let version = goal(past, options)?;
    let Some(earlier) = past.history.iter().find(|record| record.version == version) else {
        return Err(Error::NoRevision { name: past.name.clone(), version });
    };
    let mut record = earlier.clone();
    record.version = current.version + 1;
    record.further = apply_method(&options.deploy);
    record.info = Info {
        first_deployed: current.info.first_deployed,
        last_deployed: Some(past.now),
        // As Helm, the description says where it went, not how it ended.
        description: options.deploy.description.clone().unwrap_or_else(|| format!("Rollback to {version}")),
        status: Status::PendingRollback,
        notes: earlier.info.notes.clone(),
        further: match options.deploy.dialect {
            Dialect::V3 => BTreeMap::new(),
            Dialect::V4 => [("rollback_revision".to_owned(), version.into())].into(),
        },
        ..Info::default()
    };
    let course = Course::of(Verb::Rollback, &record, Some(current.version), &options.deploy);
    Ok(Wish::new(course, Some(current.clone()), &options.deploy)
        // Helm does not ask for ownership on the way back.
        .owning(OwnershipCheck::Take)
        .hooks(Moment::PreRollback)
        .resources(Which::NewRelease, Some(&current.manifest))
        .wait()
        .hooks(Moment::PostRollback))
}

/// The revision that a rollback goes back to.
///
/// # Errors
/// [`Error::NotFound`]
pub(crate) fn goal(past: &Past, options: &RollbackOptions) -> Result<i64, Error> {
    match options.revision {
        0 => Ok(past.last()?.version - 1),
        revision => Ok(revision),
    }
}
