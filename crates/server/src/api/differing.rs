//! In what an Application differs, and what wants it so.

use landfall_apps::machine::Freshness;
use landfall_delivery::{Difference, FieldStory};
use landfall_engine::FieldChange;
use landfall_object::ObjectKey;

use super::desk::{Answer, Desk, one};
use super::shapes::{Diff, FieldDiff, Name, ObjectDiff, ObjectLine, OwnerLine, WantLine};
use crate::actor::Actor;

impl From<&ObjectKey> for ObjectLine {
    fn from(key: &ObjectKey) -> Self {
        ObjectLine {
            group: key.gvk.group.clone(),
            kind: key.gvk.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

impl Desk {
    pub(super) async fn diff(&self, actor: &Actor, name: &Name, asked: &[String]) -> Answer<Diff> {
        let application = self.application(actor, name).await?;
        let revisions = self.work.revisions(&application, asked, Freshness::Recent).await.map_err(one)?;
        let unit = self.work.unit(&application, &revisions).await?;
        let found = self.session_of(&application)?.differences(&unit).await?;
        Ok(Diff {
            application: name.clone(),
            revisions,
            sync: found.status.word().to_owned(),
            objects: found.objects.iter().map(object).collect(),
            notes: found.notes,
        })
    }
}

fn object(found: &Difference) -> ObjectDiff {
    let fields = found.change.fields.iter().zip(&found.stories);
    ObjectDiff {
        object: ObjectLine::from(&found.change.object),
        action: found.change.action.word().to_owned(),
        why: found.change.why.clone(),
        fields: fields.map(|(change, story)| field(change, story.as_ref())).collect(),
    }
}

fn field(change: &FieldChange, story: Option<&FieldStory>) -> FieldDiff {
    let wanted_by = story.into_iter().flat_map(|story| &story.values).filter_map(|value| {
        let layer = value.layers.first()?;
        Some(WantLine { value: value.path.clone(), at: layer.at.clone() })
    });
    let template = story.and_then(|story| story.template.as_ref());
    FieldDiff {
        path: change.path.clone(),
        live: change.from.clone(),
        wanted: change.to.clone(),
        owner: change.by.as_ref().map(|by| OwnerLine { manager: by.manager.clone(), since: by.time.clone() }),
        wanted_by: wanted_by.collect(),
        template: template.map(|place| format!("{}:{}", place.file, place.line)),
    }
}
