//! Helm's operations, each from what there is and what is wished to a [`Wish`](crate::Wish); pure.

mod install;
mod rollback;
mod test;
mod uninstall;
mod upgrade;

use std::collections::BTreeMap;

use landfall_chart::Dialect;

use crate::codec::SYSTEM_LABELS;
use crate::options::DeployOptions;
use crate::{Content, Error, Info, Record};

pub use install::{first_record, install};
pub(crate) use rollback::goal;
pub use rollback::rollback;
pub use test::test;
pub use uninstall::uninstall;
pub use upgrade::upgrade;

/// The record of a revision with that content.
fn record_of(
    (namespace, name): (&str, &str),
    content: Content,
    info: Info,
    version: i64,
    deploy: &DeployOptions,
) -> Record {
    Record {
        name: name.to_owned(),
        info,
        chart: content.chart,
        config: content.config,
        manifest: content.manifest,
        hooks: content.hooks,
        version,
        namespace: namespace.to_owned(),
        further: apply_method(deploy),
        labels: content.labels,
    }
}

/// What Helm 4 records of who merged.
fn apply_method(deploy: &DeployOptions) -> BTreeMap<String, serde_json::Value> {
    match deploy.dialect {
        Dialect::V3 => BTreeMap::new(),
        Dialect::V4 => [("apply_method".to_owned(), deploy.apply.word().into())].into(),
    }
}

fn check_labels(content: &Content) -> Result<(), Error> {
    if content.labels.keys().any(|label| SYSTEM_LABELS.contains(&label.as_str())) {
        return Err(Error::SystemLabel);
    }
    Ok(())
}
