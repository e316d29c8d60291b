use std::collections::BTreeMap;

use super::{check_labels, record_of};
use crate::course::{Course, Verb};
use crate::moment::Moment;
use crate::options::UpgradeOptions;
use crate::wish::Wish;
use crate::{Content, Error, Info, Past, Status, Which, validate_release_name};

/// A new revision with other content.
///
/// # Errors
/// [`Error::InvalidName`], [`Error::SystemLabel`], [`Error::NothingDeployed`], [`Error::Pending`].
pub fn upgrade(past: &Past, mut content: Content, options: &UpgradeOptions) -> Result<Wish, Error> {
    validate_release_name(&past.name)?;
    check_labels(&content)?;
    let (last, base) = past.base()?;
    let info = Info {
        first_deployed: base.info.first_deployed,
        last_deployed: Some(past.now),
        description: "Preparing upgrade".into(),
        status: Status::PendingUpgrade,
        notes: content.notes.clone(),
        ..Info::default()
    };
    content.labels = labels(&base.labels, std::mem::take(&mut content.labels));
    let record = record_of((&past.namespace, &past.name), content, info, last.version + 1, &options.deploy);
    let course = Course::of(Verb::Upgrade, &record, Some(base.version), &options.deploy);
    Ok(Wish::new(course, Some(base.clone()), &options.deploy)
        .hooks(Moment::PreUpgrade)
        .resources(Which::NewRelease, Some(&base.manifest))
        .wait()
        .hooks(Moment::PostUpgrade))
}

/// Labels of the last revision stay; an empty value takes one away (`--labels x=null`).
fn labels(before: &BTreeMap<String, String>, given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = before.clone();
    for (label, value) in given {
        if value == "null" {
            labels.remove(&label)
        } else {
            labels.insert(label, value)
        };
    }
    labels
}
