use jiff::Timestamp;

use super::{check_labels, record_of};
use crate::course::{Course, Verb};
use crate::moment::Moment;
use crate::options::{DeployOptions, InstallOptions};
use crate::section::Section;
use crate::wish::Wish;
use crate::{Content, Error, Info, Past, Record, Status, Which, validate_release_name};

/// A first installation, or one in the place of a release that is gone or failed.
///
/// # Errors
/// [`Error::InvalidName`], [`Error::SystemLabel`], [`Error::NameInUse`].
pub fn install(past: &Past, mut content: Content, options: &InstallOptions) -> Result<Wish, Error> {
    validate_release_name(&past.name)?;
    check_labels(&content)?;
    let last = past.history.last();
    if let Some(last) = last {
        let free = options.replace && matches!(last.info.status, Status::Uninstalled | Status::Failed);
        if !free && !options.rehearsal {
            return Err(Error::NameInUse { name: past.name.clone() });
        }
    }
    let version = match last {
        Some(last) if !options.rehearsal => last.version + 1,
        _ => 1,
    };
    let crds = if options.skip_crds { Vec::new() } else { std::mem::take(&mut content.crds) };
    let info = begun(&content, past.now);
    let record = record_of((&past.namespace, &past.name), content, info, version, &options.deploy);
    let mut course = Course::of(Verb::Install, &record, last.map(|last| last.version), &options.deploy);
    course.create_namespace = options.create_namespace;
    let mut wish = Wish::new(course, None, &options.deploy).section(Section::Definitions(crds));
    if options.create_namespace {
        wish = wish.section(Section::Namespace);
    }
    Ok(wish.hooks(Moment::PreInstall).resources(Which::Release, None).wait().hooks(Moment::PostInstall))
}

/// The record of a first installation that no cluster is asked about, as Helm 4's `install --dry-run=client` shows it.
///
/// # Errors
/// [`Error::InvalidName`] and [`Error::SystemLabel`].
pub fn first_record(
    name: &str,
    namespace: &str,
    content: Content,
    deploy: &DeployOptions,
    now: Timestamp,
) -> Result<Record, Error> {
    validate_release_name(name)?;
    check_labels(&content)?;
    let info = begun(&content, now);
    Ok(record_of((namespace, name), content, info, 1, deploy))
}

/// What is recorded of an installation that has begun.
fn begun(content: &Content, now: Timestamp) -> Info {
    Info {
        first_deployed: Some(now),
        last_deployed: Some(now),
        description: "Initial install underway".into(),
        status: Status::PendingInstall,
        notes: content.notes.clone(),
        ..Info::default()
    }
}
