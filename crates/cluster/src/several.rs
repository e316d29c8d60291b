//! Reading many objects at once, in few requests.

use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use futures::{StreamExt, TryStreamExt};
use landfall_object::{Object, ObjectKey};

use crate::discovery::is_path_part;
use crate::recent::Place;
use crate::{Cluster, Error};

/// Requests under way at a time: each of them is a connection of its own, and a connection costs more than a round trip.
const AT_ONCE: usize = 6;
/// From so many objects of a kind in a namespace on, a page of the kind is read in place of each of them.
const MANY: usize = 4;
/// What a page may hold beside them: others of the namespace.
const BESIDE: usize = 16;

impl Cluster {
    /// Reads several objects at once; what is not there (or of a kind that is not served) is left out. In the order of the keys.
    ///
    /// Where many are of one kind and one namespace, and that has few others, one request lists them. Secrets are asked for one by one:
    /// nobody reads others' by the way.
    ///
    /// # Errors
    /// What the server refuses with.
    #[boxed]
    pub async fn get_all(&self, keys: &[ObjectKey]) -> Result<Vec<Object>, Error> {
        self.get_all_of(keys, false).await
    }

    /// The same, and what was read a moment ago will do where this is a cluster that keeps that ([`Cluster::keeping`]): for a plan that
    /// is held against what is there before it is carried out.
    ///
    /// # Errors
    /// As [`Cluster::get_all`].
    #[boxed]
    pub async fn get_all_lately(&self, keys: &[ObjectKey]) -> Result<Vec<Object>, Error> {
        self.get_all_of(keys, true).await
    }

    async fn get_all_of(&self, keys: &[ObjectKey], lately: bool) -> Result<Vec<Object>, Error> {
        let groups = futures::stream::iter(groups(keys));
        let listed: Vec<Listed> = groups.map(|group| self.listed(group, lately)).buffered(AT_ONCE).collect().await;
        let mut found: BTreeMap<ObjectKey, Object> = BTreeMap::new();
        let mut known: Vec<Place> = Vec::new();
        for one in listed {
            found.extend(one.objects.into_iter().map(|object| (object.key(), object)));
            known.extend(one.is_all.then_some(one.of));
        }
        let is_open = |key: &&ObjectKey| {
            let is_known = known
                .iter()
                .any(|(gvk, namespace)| *gvk == key.gvk && Some(namespace.as_str()) == key.namespace.as_deref());
            !is_known && !found.contains_key(*key)
        };
        let single: Vec<(ObjectKey, Option<Object>)> = futures::stream::iter(keys.iter().filter(is_open).cloned())
            .map(|key| async move {
                match self.get(&key).await {
                    Err(Error::NoMatch { .. }) => Ok((key, None)),
                    other => other.map(|object| (key, object)),
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        // An answer may be called otherwise than the question, where a kind has moved to another group.
        found.extend(single.into_iter().filter_map(|(key, object)| Some((key, object?))));
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }

    /// The first objects of a group's kind and namespace; none where that cannot be asked for, by whoever may read them alone.
    async fn listed(&self, (of, count): (Place, usize), lately: bool) -> Listed {
        let recent = self.recent.as_ref();
        if let Some(objects) = recent.filter(|_| lately).and_then(|recent| recent.take(&of)) {
            return Listed { of, is_all: true, objects };
        }
        let most = u32::try_from(count.saturating_mul(2).saturating_add(BESIDE)).unwrap_or(u32::MAX);
        let asked = recent.map(|recent| recent.asks());
        let page = async { self.first_of(&self.resource(&of.0).await?, &of.1, most).await };
        let page = page.await;
        if let (Some(recent), Some(asked), Ok(page)) = (recent, asked, &page) {
            recent.keep(&of, page, asked);
        }
        match page {
            Ok(page) => Listed { of, is_all: page.next.is_empty(), objects: page.objects },
            Err(_) => Listed { of, is_all: false, objects: Vec::new() },
        }
    }
}

/// What a page has of a kind in a namespace.
struct Listed {
    of: Place,
    objects: Vec<Object>,
    /// Whether there are no others.
    is_all: bool,
}

/// Kinds and namespaces of which many are asked for, and how many.
fn groups(keys: &[ObjectKey]) -> Vec<(Place, usize)> {
    let mut groups: BTreeMap<Place, usize> = BTreeMap::new();
    for key in keys {
        let is_secret = key.gvk.group.is_empty() && key.gvk.kind == "Secret";
        if let Some(namespace) = key.namespace.as_deref().filter(|namespace| !is_secret && is_path_part(namespace)) {
            *groups.entry((key.gvk.clone(), namespace.to_owned())).or_default() += 1;
        }
    }
    groups.into_iter().filter(|(_, count)| *count >= MANY).collect()
}

#[cfg(test)]
mod tests {
    use landfall_object::Gvk;

    use super::*;

    #[test]
    fn many_of_a_kind_in_a_namespace_are_one_group_and_secrets_are_none() {
        let key = |kind: &str, namespace: Option<&str>, name: usize| {
            ObjectKey::new(Gvk::new("", "v1", kind), namespace, name.to_string())
        };
        let mut keys: Vec<ObjectKey> = (0..MANY).map(|name| key("ConfigMap", Some("shop"), name)).collect();
        keys.extend((0..MANY - 1).map(|name| key("Service", Some("shop"), name)));
        keys.extend((0..MANY).map(|name| key("Secret", Some("shop"), name)));
        keys.extend((0..MANY).map(|name| key("Namespace", None, name)));
        keys.extend((0..MANY).map(|name| key("ConfigMap", Some("../shop"), name)));
        let config_map = Gvk::new("", "v1", "ConfigMap");
        assert_eq!(groups(&keys), [((config_map, "shop".to_owned()), MANY)]);
    }
}
