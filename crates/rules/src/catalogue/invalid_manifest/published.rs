//! An operator's kind whose definition nobody delivers and no cluster that was read has: what its operator publishes of it.

use landfall_diag::{Finding, Severity};
use landfall_object::merge::strategic::discard_nulls;
use landfall_object::operators::{Publisher, published_schemas, publisher};
use landfall_object::{Gvk, Reason};

use super::meant::meant;
use super::{Desired, RULE, dropped};

/// What the published definition of a kind objects to in an object; `None` where nothing is published of it.
///
/// Which release runs is not known: what one of those that were read takes is taken. What is not among the fields of any is
/// dropped by all; a value that none of them lists may be one of a newer release.
pub(super) fn judged(desired: &Desired, gvk: &Gvk) -> Option<Vec<Finding>> {
    let publisher = publisher(&gvk.group, &gvk.kind)?;
    let schemas = published_schemas(&gvk.group, &gvk.kind)?;
    let root = schemas.kind(gvk)?;
    // What is null is taken away before it is looked at what is missing.
    let (kind, mut value) = (&gvk.kind, desired.object.value().clone());
    discard_nulls(&mut value);
    let value = &value;
    let Publisher { product, first, last } = publisher;
    let because = |what: &str| format!("{what}, as {product} defines the kind from {first} to {last}");
    let mut findings = Vec::new();
    for error in schemas.validate_custom(gvk, value) {
        let severity = match error.reason {
            Reason::Required | Reason::TypeInvalid | Reason::Invalid => Severity::Error,
            Reason::NotSupported => Severity::Warning,
            _ => continue,
        };
        let finding = RULE
            .finding(format!("{kind} `{}` does not fit its kind: {error}", desired.object.name()))
            .because(because("the API refuses it"))
            .at(desired.spot_at(&error.field))
            .weighing(severity);
        findings.push(finding);
    }
    let mut rest = value.clone();
    for field in schemas.prune(gvk, &mut rest) {
        // The controller writes it, and a copied object has it.
        if field.split(['.', '[']).next() == Some("status") {
            continue;
        }
        findings.push(dropped(desired, gvk, &field, &because(""), meant(root, value, &field)));
    }
    Some(findings)
}
