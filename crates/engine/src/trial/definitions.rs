//! Kinds that plans bring or change: their instances are held against the definition that will be there.

use std::collections::BTreeSet;

use landfall_cluster::Cluster;
use landfall_object::schema::Schemas;
use landfall_object::{FieldError, Gvk, Object, defaults};

use super::Objection;
use super::tried::{is_tried, object_of};
use super::verdict::Verdict;
use crate::Error;
use crate::plan::{Action, Plan, Step};

/// The CustomResourceDefinitions that plans create or change.
pub(super) struct Definitions {
    schemas: Schemas,
    /// Group and kind of each.
    kinds: BTreeSet<(String, String)>,
}

impl Definitions {
    pub(super) fn of(plans: &[&Plan]) -> Self {
        let mut schemas = Schemas::default();
        let mut kinds = BTreeSet::new();
        let steps = plans.iter().flat_map(|plan| plan.steps()).filter(|step| is_tried(step));
        let tried: Vec<&Object> = steps.filter_map(object_of).collect();
        // A definition that nothing is of judges nothing.
        let used: BTreeSet<(&str, &str)> = tried.iter().map(|object| (object.group(), object.kind())).collect();
        for definition in tried.iter().filter(|object| object.kind() == "CustomResourceDefinition") {
            let named = |pointer: &str| definition.str_at(pointer).unwrap_or_default();
            if !used.contains(&(named("/spec/group"), named("/spec/names/kind"))) {
                continue;
            }
            // One that cannot be read is the server's to refuse.
            if schemas.join(definition).is_ok() {
                let text = |pointer: &str| definition.str_at(pointer).unwrap_or_default().to_owned();
                kinds.insert((text("/spec/group"), text("/spec/names/kind")));
            }
        }
        Definitions { schemas, kinds }
    }

    /// What the definition that comes says of an instance; `None` for kinds that do not come with the plans.
    pub(super) async fn judge(&self, step: &Step, cluster: &Cluster) -> Result<Option<Verdict>, Error> {
        let Some(object) = object_of(step) else { return Ok(None) };
        let gvk = object.gvk();
        if !self.kinds.contains(&(gvk.group.clone(), gvk.kind.clone())) {
            return Ok(None);
        }
        if self.schemas.kind(&gvk).is_none() {
            let message = format!("the definition of {} that is delivered serves no version {}", gvk.kind, gvk.version);
            let fields = vec![("apiVersion".to_owned(), String::new())];
            return Ok(Some(Verdict::Refused { objection: Objection::Said(message), fields }));
        }
        let live = match step.action {
            Action::Change | Action::Replace => match cluster.get(&step.key).await {
                Err(landfall_cluster::Error::NoMatch { .. }) => None,
                other => other?,
            },
            _ => None,
        };
        Ok(Some(self.validate(&gvk, object, live.as_ref())))
    }

    fn validate(&self, gvk: &Gvk, object: &Object, live: Option<&Object>) -> Verdict {
        let decoded = match self.schemas.decode(gvk, object.value()) {
            Ok(decoded) => decoded.value,
            Err(error) => {
                return Verdict::Refused { objection: Objection::Said(error.to_string()), fields: Vec::new() };
            }
        };
        let Ok(mut whole) = Object::from_value(decoded) else { return Verdict::AcceptedByDefinition };
        defaults::apply(&mut whole, &self.schemas);
        let errors = match live {
            Some(live) => self.schemas.validate_custom_update(gvk, whole.value(), live.value()),
            None => self.schemas.validate_custom(gvk, whole.value()),
        };
        if errors.is_empty() {
            return Verdict::AcceptedByDefinition;
        }
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let message = format!(
            "{}.{} {:?} is invalid: {} (by the definition that is delivered)",
            gvk.kind,
            gvk.group,
            object.name(),
            told.join(", ")
        );
        let fields = errors.iter().map(|error: &FieldError| (error.field.clone(), error.to_string())).collect();
        Verdict::Refused { objection: Objection::Said(message), fields }
    }
}
